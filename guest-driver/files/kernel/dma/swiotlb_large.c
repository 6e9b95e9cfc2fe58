// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of a bounce buffer pool that take more than a segment.
 * swiotlb_slots.c explains the model.
 */

#include <linux/bitmap.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/spinlock.h>
#include "swiotlb_segment.h"

/* The first of @count free segments in a row, or the number of segments */
static unsigned int find_segments(const struct swiotlb_slots *slots,
				  unsigned int count,
				  const struct slot_want *want)
{
	unsigned long first = 0;

	for (;; first++) {
		first = bitmap_find_next_zero_area(slots->used_map,
						   slots->nsegments, first,
						   count, 0);
		if (first + count > slots->nsegments)
			return slots->nsegments;
		if (segment_fits(slots, first, want) &&
		    !crosses(want, slots->number + first,
			     want->at % SEGMENT_SLOTS))
			return first;
	}
}

/* Take a large mapping, from the first segments on. All locks are held. */
static void take_segments(struct swiotlb_slots *slots,
			  struct swiotlb_slot_area *area, unsigned int first,
			  unsigned int n)
{
	struct swiotlb_segment *segment;
	unsigned int at = first + 1;

	for (; n >= SEGMENT_SLOTS; n -= SEGMENT_SLOTS) {
		segment = segment_at(slots, at++);
		swiotlb_free_remove(slots, segment);
		segment->area = AREA_LARGE;
		segment->large = first + 1;
		WRITE_ONCE(slots->large_used,
			   slots->large_used + SEGMENT_SLOTS);
	}
	if (slots->large_used > READ_ONCE(slots->large_most))
		WRITE_ONCE(slots->large_most, slots->large_used);
	if (!n)
		return;
	segment = segment_at(slots, at);
	swiotlb_free_remove(slots, segment);
	segment->area = area - slots->areas;
	segment->large = first + 1;
	swiotlb_area_add(slots, area, segment, SEGMENT_CHUNKS);
	swiotlb_flip_slots(slots, area, segment, 0, n);
	area_use(area, n);
}

static ssize_t try_large(struct swiotlb_slots *slots, unsigned int cpu,
			 const struct slot_want *want,
			 const struct swiotlb_request *request)
{
	struct swiotlb_slot_area *area =
		&slots->areas[home_area(slots, cpu, want->n)];
	unsigned int offset = want->at % SEGMENT_SLOTS, first;
	unsigned long flags;

	spin_lock_irqsave(&area->lock, flags);
	spin_lock(&slots->lock);
	first = find_segments(slots, DIV_ROUND_UP(offset + want->n,
						  SEGMENT_SLOTS), want);
	if (first < slots->nsegments) {
		take_segments(slots, area, first, offset + want->n);
		record(segment_at(slots, first + 1), offset, request);
	}
	spin_unlock(&slots->lock);
	spin_unlock_irqrestore(&area->lock, flags);
	if (first == slots->nsegments)
		return -1;
	return first * SEGMENT_SLOTS + offset;
}

/* Take back the free segments that areas keep. */
static void reclaim(struct swiotlb_slots *slots)
{
	struct swiotlb_slot_area *area;
	struct swiotlb_segment *segment;
	unsigned long flags;
	slot_link *whole;

	for (area = slots->areas; area < slots->areas + slots->nareas; area++) {
		if (!(READ_ONCE(area->segment_lists) >> (SEGMENT_CHUNKS - 1)))
			continue;
		spin_lock_irqsave(&area->lock, flags);
		whole = &area->segments[SEGMENT_CHUNKS - 1];
		while (*whole) {
			segment = segment_at(slots, *whole);
			swiotlb_area_remove(slots, area, segment);
			spin_lock(&slots->lock);
			swiotlb_free_push(slots, segment);
			spin_unlock(&slots->lock);
		}
		spin_unlock_irqrestore(&area->lock, flags);
	}
}

ssize_t swiotlb_take_large(struct swiotlb_slots *slots, unsigned int cpu,
			   const struct slot_want *want,
			   const struct swiotlb_request *request)
{
	ssize_t slot = try_large(slots, cpu, want, request);

	if (slot >= 0)
		return slot;
	reclaim(slots);
	return try_large(slots, cpu, want, request);
}

/* Give back all of a large mapping. */
void swiotlb_give_large(struct swiotlb_slots *slots,
			struct swiotlb_segment *segment, unsigned int n)
{
	struct swiotlb_slot_area *area;
	slot_link at = link_of(segment);
	unsigned long flags;

	spin_lock_irqsave(&slots->lock, flags);
	for (; n >= SEGMENT_SLOTS; n -= SEGMENT_SLOTS) {
		segment = segment_at(slots, at++);
		segment->large = 0;
		swiotlb_free_push(slots, segment);
		WRITE_ONCE(slots->large_used,
			   slots->large_used - SEGMENT_SLOTS);
	}
	spin_unlock_irqrestore(&slots->lock, flags);
	if (!n)
		return;
	segment = segment_at(slots, at);
	area = &slots->areas[segment->area];
	spin_lock_irqsave(&area->lock, flags);
	segment->large = 0;
	swiotlb_flip_slots(slots, area, segment, 0, n);
	WRITE_ONCE(area->used, area->used - n);
	spin_unlock_irqrestore(&area->lock, flags);
}
