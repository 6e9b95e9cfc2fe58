// SPDX-License-Identifier: GPL-2.0
/*
 * Segments of a bounce buffer pool: who owns them, and which of their slots are
 * free. swiotlb_slots.c explains the model.
 */

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include "swiotlb_segment.h"

static void segment_push(struct swiotlb_slots *slots, slot_link *head,
			 struct swiotlb_segment *segment)
{
	segment->prev = 0;
	segment->next = *head;
	WRITE_ONCE(*head, link_of(segment));
	if (segment->next)
		segment_at(slots, segment->next)->prev = *head;
}

static void segment_unlink(struct swiotlb_slots *slots, slot_link *head,
			   struct swiotlb_segment *segment)
{
	if (segment->prev)
		segment_at(slots, segment->prev)->next = segment->next;
	else
		WRITE_ONCE(*head, segment->next);
	if (segment->next)
		segment_at(slots, segment->next)->prev = segment->prev;
}

void swiotlb_area_add(struct swiotlb_slots *slots,
		      struct swiotlb_slot_area *area,
		      struct swiotlb_segment *segment, unsigned int longest)
{
	segment->longest = longest;
	if (!longest)
		return;
	segment_push(slots, &area->segments[longest - 1], segment);
	WRITE_ONCE(area->segment_lists,
		   area->segment_lists | 1ULL << (longest - 1));
}

void swiotlb_area_remove(struct swiotlb_slots *slots,
			 struct swiotlb_slot_area *area,
			 struct swiotlb_segment *segment)
{
	unsigned int list = segment->longest - 1;

	if (!segment->longest)
		return;
	segment_unlink(slots, &area->segments[list], segment);
	if (!area->segments[list])
		WRITE_ONCE(area->segment_lists,
			   area->segment_lists & ~(1ULL << list));
}

/* Chunk @c of @segment has some slots free, and is new in the lists. */
static void area_add_chunk(struct swiotlb_slots *slots,
			   struct swiotlb_slot_area *area,
			   struct swiotlb_segment *segment, unsigned int c)
{
	unsigned int list = longest_run(segment->slots[c]) - 1, other;
	slot_link link = segment->index * SEGMENT_CHUNKS + c + 1;
	slot_link next = area->chunks[list];

	segment->chunk_prev[c] = 0;
	segment->chunk_next[c] = next;
	if (next)
		chunk_at(slots, next, &other)->chunk_prev[other] = link;
	area->chunks[list] = link;
	WRITE_ONCE(area->chunk_lists, area->chunk_lists | 1U << list);
}

static void area_remove_chunk(struct swiotlb_slots *slots,
			      struct swiotlb_slot_area *area,
			      struct swiotlb_segment *segment, unsigned int c)
{
	unsigned int list = longest_run(segment->slots[c]) - 1, other;
	slot_link next = segment->chunk_next[c], prev = segment->chunk_prev[c];

	if (next)
		chunk_at(slots, next, &other)->chunk_prev[other] = prev;
	if (prev)
		chunk_at(slots, prev, &other)->chunk_next[other] = next;
	else
		area->chunks[list] = next;
	if (!area->chunks[list])
		WRITE_ONCE(area->chunk_lists,
			   area->chunk_lists & ~(1U << list));
}

/* Free segments */

static void count_free(struct swiotlb_slots *slots, int n)
{
	slots->nfree += n;
	swiotlb_slots_check_low(slots);
}

void swiotlb_free_push(struct swiotlb_slots *slots,
		       struct swiotlb_segment *segment)
{
	segment->area = AREA_NONE;
	if (!slots->free)
		slots->last = link_of(segment);
	segment_push(slots, &slots->free, segment);
	__clear_bit(segment->index, slots->used_map);
	count_free(slots, 1);
}

/* The same, but those that are free already are taken first. */
void swiotlb_free_append(struct swiotlb_slots *slots,
			 struct swiotlb_segment *segment)
{
	segment->area = AREA_NONE;
	segment->prev = slots->last;
	segment->next = 0;
	if (slots->last)
		segment_at(slots, slots->last)->next = link_of(segment);
	else
		WRITE_ONCE(slots->free, link_of(segment));
	slots->last = link_of(segment);
	__clear_bit(segment->index, slots->used_map);
	count_free(slots, 1);
}

void swiotlb_free_remove(struct swiotlb_slots *slots,
			 struct swiotlb_segment *segment)
{
	if (slots->last == link_of(segment))
		slots->last = segment->prev;
	segment_unlink(slots, &slots->free, segment);
	__set_bit(segment->index, slots->used_map);
	count_free(slots, -1);
}

/* Let @area own a segment that was nobody's. */
void swiotlb_area_adopt(struct swiotlb_slots *slots,
			struct swiotlb_slot_area *area,
			struct swiotlb_segment *segment)
{
	unsigned int c;

	segment->area = area - slots->areas;
	swiotlb_area_add(slots, area, segment, longest_run(segment->free));
	for (c = 0; c < SEGMENT_CHUNKS; c++) {
		if (segment->slots[c] && !(segment->free >> c & 1))
			area_add_chunk(slots, area, segment, c);
	}
}

/*
 * All of a segment has become free: keep one, give the others back. If the pool
 * has no other, somebody may wait for it.
 */
static void area_shrink(struct swiotlb_slots *slots,
			struct swiotlb_slot_area *area,
			struct swiotlb_segment *segment)
{
	if (!area->segments[SEGMENT_CHUNKS - 1] && READ_ONCE(slots->free)) {
		swiotlb_area_add(slots, area, segment, SEGMENT_CHUNKS);
		return;
	}
	spin_lock(&slots->lock);
	swiotlb_free_push(slots, segment);
	spin_unlock(&slots->lock);
}

/* Slots of a segment */

/* Some slots of a chunk, which are all free or all taken, change. */
static void flip_chunk(struct swiotlb_slots *slots,
		       struct swiotlb_slot_area *area,
		       struct swiotlb_segment *segment, unsigned int c,
		       u8 which)
{
	u8 *map = &segment->slots[c];

	if (*map && *map != 0xff)
		area_remove_chunk(slots, area, segment, c);
	*map ^= which;
	if (*map && *map != 0xff)
		area_add_chunk(slots, area, segment, c);
	if (*map == 0xff)
		segment->free |= 1ULL << c;
	else
		segment->free &= ~(1ULL << c);
}

/* Take or free @n slots of a segment, which are all free or all taken. */
void swiotlb_flip_slots(struct swiotlb_slots *slots,
			struct swiotlb_slot_area *area,
			struct swiotlb_segment *segment,
			unsigned int first, unsigned int n)
{
	u64 before = segment->free;
	unsigned int longest, len, c;

	for (; n; first += len, n -= len) {
		c = first / CHUNK_SLOTS;
		len = first % CHUNK_SLOTS;
		if (len || n < CHUNK_SLOTS) {
			u8 which = bit_range(len, min(n, CHUNK_SLOTS - len));

			flip_chunk(slots, area, segment, c, which);
			len = min(n, CHUNK_SLOTS - len);
		} else {
			len = n / CHUNK_SLOTS;
			memset(&segment->slots[c], ~segment->slots[c], len);
			segment->free ^= bit_range(c, len);
			len *= CHUNK_SLOTS;
		}
	}
	if (segment->free == before)
		return;
	longest = longest_run(segment->free);
	if (longest == segment->longest)
		return;
	swiotlb_area_remove(slots, area, segment);
	if (longest == SEGMENT_CHUNKS)
		area_shrink(slots, area, segment);
	else
		swiotlb_area_add(slots, area, segment, longest);
}

void swiotlb_record(struct swiotlb_segment *segment, unsigned int first,
		    const struct swiotlb_request *request)
{
	segment->orig_addr[first] = request->orig_addr;
	segment->info[first] = request->size |
			       request->padding << INFO_SIZE_BITS;
	WRITE_ONCE(segment->starts[first / 64],
		   segment->starts[first / 64] | 1ULL << first % 64);
}
