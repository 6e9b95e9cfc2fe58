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

/* The length of the longest run of set bits in @map */
static unsigned int longest_run(u64 map)
{
	u64 runs[6], found, next;
	unsigned int len = 0;
	int i;

	if (!map || !~map)
		return map ? 64 : 0;

	/* runs[i]: where runs of 2^i begin */
	runs[0] = map;
	for (i = 1; i < 6; i++) {
		runs[i] = runs[i - 1] & (runs[i - 1] >> (1 << (i - 1)));
		if (!runs[i])
			break;
	}
	for (found = ~0ULL; i-- > 0; ) {
		next = found & (runs[i] >> len);
		if (next) {
			found = next;
			len += 1 << i;
		}
	}
	return len;
}

static inline void segment_push(struct swiotlb_slots *slots, slot_link *head,
			 struct swiotlb_segment *segment)
{
	segment->prev = 0;
	segment->next = *head;
	WRITE_ONCE(*head, link_of(segment));
	if (segment->next)
		segment_at(slots, segment->next)->prev = *head;
}

static inline void segment_unlink(struct swiotlb_slots *slots, slot_link *head,
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
	area->nfree += longest == SEGMENT_CHUNKS;
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
	area->nfree -= list == SEGMENT_CHUNKS - 1;
	if (!area->segments[list])
		WRITE_ONCE(area->segment_lists,
			   area->segment_lists & ~(1ULL << list));
}

/* The list for chunks whose free slots these are */
static inline unsigned int chunk_list(u8 map)
{
	unsigned int longest = 0;

	for (; map; map &= map >> 1)
		longest++;
	return longest - 1;
}

/* Chunk @c of @segment has some slots free, and is new in the lists. */
static void area_add_chunk(struct swiotlb_slots *slots,
			   struct swiotlb_slot_area *area,
			   struct swiotlb_segment *segment, unsigned int c)
{
	unsigned int list = chunk_list(segment->slots[c]), other;
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
	unsigned int list = chunk_list(segment->slots[c]), other;
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
	area->nsegments++;
	swiotlb_area_add(slots, area, segment, longest_run(segment->free));
	for (c = 0; c < SEGMENT_CHUNKS; c++) {
		if (segment->slots[c] && !(segment->free >> c & 1))
			area_add_chunk(slots, area, segment, c);
	}
}

/* Of what it uses, an area keeps such a share free, and one segment more */
#define KEPT_SHARE	2

/*
 * As long as the rest of the pool is not described, an area keeps one only, so that
 * the pool grows no faster than it has to.
 */
static unsigned int segments_to_keep(const struct swiotlb_slots *slots,
				     const struct swiotlb_slot_area *area)
{
	if (READ_ONCE(slots->ndescribed) < slots->nsegments)
		return 0;
	return (area->nsegments - area->nfree) / KEPT_SHARE;
}

/*
 * All of a segment has become free: keep it if the area has few such for what it
 * uses, or give it back, and one of those. If the pool has no other, somebody may
 * wait for it.
 */
static void area_shrink(struct swiotlb_slots *slots,
			struct swiotlb_slot_area *area,
			struct swiotlb_segment *segment)
{
	unsigned int keep = segments_to_keep(slots, area);
	struct swiotlb_segment *other = NULL;
	bool empty = READ_ONCE(slots->empty);

	if (area->nfree <= keep && !empty) {
		swiotlb_area_add(slots, area, segment, SEGMENT_CHUNKS);
		return;
	}
	if (area->nfree > keep + 1) {
		other = segment_at(slots, area->segments[SEGMENT_CHUNKS - 1]);
		swiotlb_area_remove(slots, area, other);
		area->nsegments--;
	}
	area->nsegments--;
	spin_lock(&slots->lock);
	if (other)
		swiotlb_free_push(slots, other);
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

/* The longest run of @segment, of which other chunks were free @before */
static unsigned int longest_now(const struct swiotlb_segment *segment,
				u64 before)
{
	u64 free = segment->free, changed = free ^ before;
	unsigned int run, end, left;

	/* These are neighbours, in one run, before or now */
	run = run_around(free | before, __ffs64(changed));
	if (changed & free)
		return max_t(unsigned int, run, segment->longest);
	if (run < segment->longest)
		return segment->longest;
	/* Is more left behind them than in all other places? */
	end = fls64(changed);
	left = end < SEGMENT_CHUNKS ? __ffs64(~(free >> end)) : 0;
	return hweight64(free) <= 2 * left ? left : longest_run(free);
}

/* Take or free slots of chunks, of which other mappings may have a part. */
static void flip_parts(struct swiotlb_slots *slots,
		       struct swiotlb_slot_area *area,
		       struct swiotlb_segment *segment,
		       unsigned int first, unsigned int n)
{
	unsigned int len, c, s;

	for (; n; first += len, n -= len) {
		c = first / CHUNK_SLOTS;
		s = first % CHUNK_SLOTS;
		len = min(n, CHUNK_SLOTS - s);
		if (len < CHUNK_SLOTS) {
			flip_chunk(slots, area, segment, c, bit_range(s, len));
		} else {
			len = n / CHUNK_SLOTS;
			segment->free ^= bit_range(c, len);
			len *= CHUNK_SLOTS;
		}
	}
}

/*
 * Take or free @n slots of a segment, which are all free or all taken. The slots
 * of a chunk that one mapping has as a whole stay as they are.
 */
void swiotlb_flip_slots(struct swiotlb_slots *slots,
			struct swiotlb_slot_area *area,
			struct swiotlb_segment *segment,
			unsigned int first, unsigned int n)
{
	u64 before = segment->free;
	unsigned int longest;

	if ((first | n) % CHUNK_SLOTS)
		flip_parts(slots, area, segment, first, n);
	else
		segment->free ^= bit_range(first / CHUNK_SLOTS,
					   n / CHUNK_SLOTS);
	if (segment->free == before)
		return;
	longest = longest_now(segment, before);
	if (longest == segment->longest)
		return;
	swiotlb_area_remove(slots, area, segment);
	if (longest == SEGMENT_CHUNKS)
		area_shrink(slots, area, segment);
	else
		swiotlb_area_add(slots, area, segment, longest);
}

/* Statistics */

/**
 * swiotlb_slots_used() - how much of a pool is taken?
 * @slots:	The slots of the pool.
 *
 * Context: Any. No lock is taken.
 * Return: Bytes, which may be wrong while others take and give.
 */
size_t swiotlb_slots_used(struct swiotlb_slots *slots)
{
	unsigned long used = READ_ONCE(slots->large_used);
	unsigned int i;

	for (i = 0; i < slots->nareas; i++)
		used += READ_ONCE(slots->areas[i].used);
	return used << SWIOTLB_SLOT_SHIFT;
}

/**
 * swiotlb_slots_hiwater() - how much of a pool has been taken at once?
 * @slots:	The slots of the pool.
 *
 * Each area remembers its own maximum. If these were at different times, the sum
 * is more than has ever been taken at once.
 *
 * Context: Any. No lock is taken.
 * Return: Bytes.
 */
size_t swiotlb_slots_hiwater(struct swiotlb_slots *slots)
{
	unsigned long most = READ_ONCE(slots->large_most);
	unsigned int i;

	for (i = 0; i < slots->nareas; i++)
		most += READ_ONCE(slots->areas[i].most);
	return most << SWIOTLB_SLOT_SHIFT;
}

/**
 * swiotlb_slots_reset_hiwater() - forget how much has been taken at once
 * @slots:	The slots of the pool.
 *
 * What is taken now counts again as soon as its area takes more.
 *
 * Context: Any. No lock is taken.
 * Return: 0.
 */
size_t swiotlb_slots_reset_hiwater(struct swiotlb_slots *slots)
{
	unsigned int i;

	WRITE_ONCE(slots->large_most, 0);
	for (i = 0; i < slots->nareas; i++)
		WRITE_ONCE(slots->areas[i].most, 0);
	return 0;
}
