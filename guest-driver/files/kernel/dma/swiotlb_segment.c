// SPDX-License-Identifier: GPL-2.0
/*
 * Segments of a bounce buffer pool: who owns them, and which of their slots are
 * free. swiotlb_slots.c explains the model.
 */

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include "swiotlb_segment.h"

static void segment_push(struct swiotlb_slots *slots, slot_link *head,
			 struct swiotlb_segment *segment)
{
	segment->prev = 0;
	segment->next = *head;
	*head = link_of(slots, segment);
	if (segment->next)
		segment_at(slots, segment->next)->prev = *head;
}

static void segment_unlink(struct swiotlb_slots *slots, slot_link *head,
			   struct swiotlb_segment *segment)
{
	if (segment->prev)
		segment_at(slots, segment->prev)->next = segment->next;
	else
		*head = segment->next;
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
	unsigned int list = longest_run(segment->slots[c]) - 1;
	slot_link link = (segment - slots->segments) * SEGMENT_CHUNKS + c + 1;
	slot_link next = area->chunks[list];

	segment->chunk_prev[c] = 0;
	segment->chunk_next[c] = next;
	if (next)
		slots->segments[(next - 1) / SEGMENT_CHUNKS]
			.chunk_prev[(next - 1) % SEGMENT_CHUNKS] = link;
	area->chunks[list] = link;
	WRITE_ONCE(area->chunk_lists, area->chunk_lists | 1U << list);
}

static void area_remove_chunk(struct swiotlb_slots *slots,
			      struct swiotlb_slot_area *area,
			      struct swiotlb_segment *segment, unsigned int c)
{
	unsigned int list = longest_run(segment->slots[c]) - 1;
	slot_link next = segment->chunk_next[c], prev = segment->chunk_prev[c];

	if (next)
		slots->segments[(next - 1) / SEGMENT_CHUNKS]
			.chunk_prev[(next - 1) % SEGMENT_CHUNKS] = prev;
	if (prev)
		slots->segments[(prev - 1) / SEGMENT_CHUNKS]
			.chunk_next[(prev - 1) % SEGMENT_CHUNKS] = next;
	else
		area->chunks[list] = next;
	if (!area->chunks[list])
		WRITE_ONCE(area->chunk_lists,
			   area->chunk_lists & ~(1U << list));
}

/* Free segments */

void swiotlb_free_push(struct swiotlb_slots *slots,
		       struct swiotlb_segment *segment)
{
	segment->area = AREA_NONE;
	segment_push(slots, &slots->free, segment);
	if (segment->free == ~0ULL)
		__clear_bit(segment - slots->segments, slots->used_map);
}

void swiotlb_free_remove(struct swiotlb_slots *slots,
			 struct swiotlb_segment *segment)
{
	segment_unlink(slots, &slots->free, segment);
	__set_bit(segment - slots->segments, slots->used_map);
}

/* Let @area have one more segment. Its lock is held. */
bool swiotlb_area_grow(struct swiotlb_slots *slots,
		       struct swiotlb_slot_area *area)
{
	struct swiotlb_segment *segment = NULL;
	unsigned int c;

	if (!READ_ONCE(slots->free))
		return false;
	spin_lock(&slots->lock);
	if (slots->free) {
		segment = segment_at(slots, slots->free);
		swiotlb_free_remove(slots, segment);
		segment->area = area - slots->areas;
	}
	spin_unlock(&slots->lock);
	if (!segment)
		return false;
	swiotlb_area_add(slots, area, segment, longest_run(segment->free));
	for (c = 0; c < SEGMENT_CHUNKS; c++) {
		if (segment->slots[c] && !(segment->free >> c & 1))
			area_add_chunk(slots, area, segment, c);
	}
	return true;
}

/* All of a segment has become free: keep one, give the others back. */
static void area_shrink(struct swiotlb_slots *slots,
			struct swiotlb_slot_area *area,
			struct swiotlb_segment *segment)
{
	if (!area->segments[SEGMENT_CHUNKS - 1]) {
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

/* What is outside the pool is taken for ever. */
static void swiotlb_segment_init(struct swiotlb_slots *slots,
				 struct swiotlb_segment *segment, size_t end)
{
	size_t at = (segment - slots->segments) << SWIOTLB_SEGMENT_SHIFT;
	unsigned int i;

	for (i = 0; i < SEGMENT_SLOTS; i++, at += SWIOTLB_SLOT_SIZE) {
		if (at >= slots->skew && at + SWIOTLB_SLOT_SIZE <= end)
			segment->slots[i / CHUNK_SLOTS] |= 1 << i % CHUNK_SLOTS;
	}
	for (i = 0; i < SEGMENT_CHUNKS; i++) {
		if (segment->slots[i] == 0xff)
			segment->free |= 1ULL << i;
	}
}

/**
 * swiotlb_slots_create() - describe the slots of a new pool
 * @base:	Physical address of the pool, a multiple of SWIOTLB_SLOT_SIZE.
 * @size:	In bytes.
 * @nareas:	Number of areas, from 1 to 65534.
 * @nid:	NUMA node for the description, or NUMA_NO_NODE.
 *
 * Context: Process context, may sleep.
 * Return: The slots, or NULL if there is not enough memory.
 */
struct swiotlb_slots *swiotlb_slots_create(phys_addr_t base, size_t size,
					   unsigned int nareas, int nid)
{
	struct swiotlb_slots *slots;
	unsigned int i;

	slots = kzalloc_node(sizeof(*slots), GFP_KERNEL, nid);
	if (!slots)
		return NULL;
	slots->skew = base & (SWIOTLB_SEGMENT_SIZE - 1);
	slots->number = base >> SWIOTLB_SEGMENT_SHIFT;
	slots->nsegments = DIV_ROUND_UP(slots->skew + size,
					SWIOTLB_SEGMENT_SIZE);
	slots->nareas = nareas;
	spin_lock_init(&slots->lock);
	slots->areas = kvcalloc_node(nareas, sizeof(*slots->areas), GFP_KERNEL,
				     nid);
	slots->segments = kvcalloc_node(slots->nsegments,
					sizeof(*slots->segments), GFP_KERNEL,
					nid);
	slots->used_map = bitmap_zalloc_node(slots->nsegments, GFP_KERNEL, nid);
	if (!slots->areas || !slots->segments || !slots->used_map) {
		swiotlb_slots_destroy(slots);
		return NULL;
	}
	for (i = 0; i < nareas; i++)
		spin_lock_init(&slots->areas[i].lock);
	bitmap_fill(slots->used_map, slots->nsegments);
	for (i = slots->nsegments; i-- > 0; ) {
		swiotlb_segment_init(slots, &slots->segments[i],
				     slots->skew + size);
		swiotlb_free_push(slots, &slots->segments[i]);
	}
	return slots;
}

/**
 * swiotlb_slots_destroy() - free the description of a pool
 * @slots:	The slots of the pool.
 *
 * Context: Process context.
 */
void swiotlb_slots_destroy(struct swiotlb_slots *slots)
{
	bitmap_free(slots->used_map);
	kvfree(slots->segments);
	kvfree(slots->areas);
	kfree(slots);
}
