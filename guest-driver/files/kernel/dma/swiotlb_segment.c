// SPDX-License-Identifier: GPL-2.0
/*
 * Segments of a bounce buffer pool: who owns them, and which of their slots are
 * free. swiotlb_slots.c explains the model.
 */

#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include "swiotlb_segment.h"

static void segment_push(struct swiotlb_slots *slots, slot_link *head,
			 struct swiotlb_segment *segment)
{
	segment->prev = 0;
	segment->next = *head;
	WRITE_ONCE(*head, link_of(slots, segment));
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
	__clear_bit(segment - slots->segments, slots->used_map);
}

void swiotlb_free_remove(struct swiotlb_slots *slots,
			 struct swiotlb_segment *segment)
{
	segment_unlink(slots, &slots->free, segment);
	__set_bit(segment - slots->segments, slots->used_map);
}

/* Let @area own a segment that was nobody's. */
static void area_adopt(struct swiotlb_slots *slots,
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

/* Let @area have one more segment, if there is one. Its lock is held. */
struct swiotlb_segment *swiotlb_area_grow(struct swiotlb_slots *slots,
					  struct swiotlb_slot_area *area)
{
	struct swiotlb_segment *segment = NULL;

	if (!READ_ONCE(slots->free))
		return NULL;
	spin_lock(&slots->lock);
	if (slots->free) {
		segment = segment_at(slots, slots->free);
		swiotlb_free_remove(slots, segment);
	}
	spin_unlock(&slots->lock);
	if (segment)
		area_adopt(slots, area, segment);
	return segment;
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

/*
 * What is outside the pool is taken for ever. So a segment that has a part
 * outside never becomes free, and stays with the area that gets it here.
 */
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
	if (segment->free == ~0ULL) {
		swiotlb_free_push(slots, segment);
	} else {
		i = segment == slots->segments ? 0 : slots->nareas - 1;
		area_adopt(slots, &slots->areas[i], segment);
	}
}

/* So many segments have a part in this range. */
static size_t segments_of(phys_addr_t base, size_t size)
{
	return DIV_ROUND_UP((base & (SWIOTLB_SEGMENT_SIZE - 1)) + size,
			    SWIOTLB_SEGMENT_SIZE);
}

static unsigned int kinds_of(size_t nsegments)
{
	return nsegments < KINDS_SEGMENTS ? 1 : KINDS;
}

/* Where in the description of a pool are its parts? Return its size. */
static size_t lay_out(phys_addr_t base, size_t size, unsigned int nareas,
		      size_t *areas, size_t *segments, size_t *map)
{
	size_t nsegments = segments_of(base, size);

	*areas = ALIGN(sizeof(struct swiotlb_slots), SMP_CACHE_BYTES);
	*segments = *areas + (size_t)kinds_of(nsegments) * nareas *
			     sizeof(struct swiotlb_slot_area);
	*map = *segments + nsegments * sizeof(struct swiotlb_segment);
	return *map + BITS_TO_LONGS(nsegments) * sizeof(long);
}

/**
 * swiotlb_slots_bytes() - how large is the description of a pool?
 * @base:	Physical address of the pool, a multiple of SWIOTLB_SLOT_SIZE.
 * @size:	In bytes.
 * @nareas:	How many CPUs have areas of their own, from 1 to 32766.
 *
 * Context: Any.
 * Return: Bytes, in whole pages: no allocator of the kernel gives these an
 * address within a cache line.
 */
size_t swiotlb_slots_bytes(phys_addr_t base, size_t size, unsigned int nareas)
{
	size_t areas, segments, map;

	return PAGE_ALIGN(lay_out(base, size, nareas, &areas, &segments, &map));
}

/**
 * swiotlb_slots_init() - describe the slots of a new pool
 * @memory:	Zeroed, of the size that swiotlb_slots_bytes() says. The caller
 *		frees it when the pool is gone.
 * @base:	Physical address of the pool, a multiple of SWIOTLB_SLOT_SIZE.
 * @size:	In bytes.
 * @nareas:	How many CPUs have areas of their own, from 1 to 32766.
 *
 * Context: Any.
 * Return: The slots, at the beginning of @memory.
 */
struct swiotlb_slots *swiotlb_slots_init(void *memory, phys_addr_t base,
					 size_t size, unsigned int nareas)
{
	struct swiotlb_slots *slots = memory;
	size_t areas, segments, map;
	unsigned int i;

	lay_out(base, size, nareas, &areas, &segments, &map);
	slots->areas = memory + areas;
	slots->segments = memory + segments;
	slots->used_map = memory + map;
	slots->skew = base & (SWIOTLB_SEGMENT_SIZE - 1);
	slots->number = base >> SWIOTLB_SEGMENT_SHIFT;
	slots->nsegments = segments_of(base, size);
	slots->kinds = kinds_of(slots->nsegments);
	slots->nareas = slots->kinds * nareas;
	spin_lock_init(&slots->lock);
	for (i = 0; i < slots->nareas; i++)
		spin_lock_init(&slots->areas[i].lock);
	bitmap_fill(slots->used_map, slots->nsegments);
	for (i = slots->nsegments; i-- > 0; )
		swiotlb_segment_init(slots, &slots->segments[i],
				     slots->skew + size);
	return slots;
}
