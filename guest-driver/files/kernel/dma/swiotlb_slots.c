// SPDX-License-Identifier: GPL-2.0
/*
 * The slots of a bounce buffer pool.
 *
 * A pool is divided three times:
 *
 *   segment   256 KiB, physically aligned. No mapping of up to that size
 *             crosses the end of one.
 *   chunk     4 KiB. A segment has 64, so that a 64-bit word says which of them
 *             are free.
 *   slot      512 bytes. A mapping takes as many as it needs and no more: what
 *             is left of its last chunk serves small mappings.
 *
 *   area 0                 area 1                      free segments
 *   +----------------+     +----------------+          +-----------+
 *   | segments by    |     |                |          | last freed|
 *   | longest run of |     |      ...       |          | first     |
 *   | free chunks:   |     |                |          +-----------+
 *   | 1 2 3 .. 63 64 |                                   |   |   |
 *   |   |      |     |                                  [ ] [ ] [ ]
 *   |  [#..#] [#...] |
 *   |                |      # used      . free
 *   | chunks by      |
 *   | longest run of |
 *   | free slots:    |
 *   | 1 2 .. 7       |
 *   +----------------+
 *
 * An area owns segments. It knows the longest run in each, and takes a mapping
 * from where the least is left. If it has no room, it takes over a free segment,
 * and when there is none, the mapping is made in another area, which keeps its
 * segments. A segment that becomes free goes back, unless its area has few free
 * ones for what it uses: if they went to and fro, so would the cache lines with
 * their metadata. One CPU can use the whole pool, and what was freed last is used
 * first.
 *
 * Each CPU, or each of several groups, has two areas: one for mappings of up to
 * 4 KiB, and one for larger ones. A pool of fewer than 16 segments has one for
 * all sizes. Small mappings in all segments would leave few long runs: with one
 * area, 37 % of the requests for more than 64 KiB found no room, with two 0.04 %
 * (at a load of 80 % of 64 MiB, with sizes as of disks and network cards).
 *
 * A mapping of more than a segment takes a run of free segments, and the first
 * part of the one after them. An area owns that last one.
 *
 * Locking: the lock of an area protects its lists and all that it owns. The
 * lock of the pool, which is taken within it, protects the free segments. Other
 * areas are looked at without their locks before these are taken. Nothing is
 * shared by all CPUs as long as segments do not change their owner. All
 * functions may be called in any context.
 *
 * Cost: a few operations on 64-bit words, whatever the size of the pool and
 * however full it is. A miss also looks at two words of each area. A mapping that
 * is aligned to more than 4 KiB looks at each segment of an area before it
 * misses. One of less than 4 KiB that has to be aligned may miss a few slots that
 * would do. Mappings of more than a segment search a bit for each segment. For
 * each slot there are 12 bytes of metadata, and 1.3 on average besides, as far as
 * the pool is described. swiotlb_blocks.c has more about that.
 */

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/spinlock.h>
#include "swiotlb_segment.h"

/* A mapping with alignment looks at so many places that may have no room */
#define TRIES		8

static ssize_t take_slots(struct swiotlb_slots *slots,
			  struct swiotlb_slot_area *area,
			  struct swiotlb_segment *segment, unsigned int first,
			  const struct slot_want *want,
			  const struct swiotlb_request *request)
{
	swiotlb_flip_slots(slots, area, segment, first, want->n);
	record(segment, first, request);
	area_use(area, want->n);
	return (size_t)segment->index * SEGMENT_SLOTS + first;
}

/* Taking */

/* The first slot of a chunk that a small mapping can begin at, or CHUNK_SLOTS */
static unsigned int find_slot(const struct swiotlb_slots *slots,
			      const struct swiotlb_segment *segment,
			      unsigned int c, const struct slot_want *want)
{
	unsigned int number = number_of(slots, segment);
	u64 runs = runs_of(segment->slots[c], want->n);
	unsigned int first;

	for (; runs; runs &= runs - 1) {
		first = c * CHUNK_SLOTS + __ffs64(runs);
		if (!((first ^ want->at) & want->mask & (SEGMENT_SLOTS - 1)) &&
		    !crosses(want, number, first))
			return first % CHUNK_SLOTS;
	}
	return CHUNK_SLOTS;
}

/* Take a small mapping from a chunk that is in use already. */
static ssize_t take_small(struct swiotlb_slots *slots,
			  struct swiotlb_slot_area *area,
			  const struct slot_want *want,
			  const struct swiotlb_request *request)
{
	u32 lists = area->chunk_lists & (~0U << (want->n - 1));
	struct swiotlb_segment *segment;
	unsigned int tries = 0, c, s;
	slot_link link;

	for (; lists; lists &= lists - 1) {
		for (link = area->chunks[__ffs(lists)]; link;
		     link = segment->chunk_next[c]) {
			if (tries++ == TRIES)
				return -1;
			segment = chunk_at(slots, link, &c);
			s = find_slot(slots, segment, c, want);
			if (s < CHUNK_SLOTS &&
			    segment_fits(slots, segment->index, want))
				return take_slots(slots, area, segment,
						  c * CHUNK_SLOTS + s, want,
						  request);
		}
	}
	return -1;
}

/* How many chunks a mapping needs, of which it begins in the first one */
static unsigned int chunks_of(const struct slot_want *want)
{
	return DIV_ROUND_UP((want->at & (CHUNK_SLOTS - 1)) + want->n,
			    CHUNK_SLOTS);
}

/* The first slot of a run of free chunks that has room, or SEGMENT_SLOTS */
static inline unsigned int find_chunks(const struct swiotlb_slots *slots,
				const struct swiotlb_segment *segment,
				const struct slot_want *want)
{
	unsigned int offset = want->at & (CHUNK_SLOTS - 1), first;
	unsigned int number = number_of(slots, segment);
	u64 runs = runs_of(segment->free, chunks_of(want));

	if (!want->picky)
		return runs ? __ffs64(runs) * CHUNK_SLOTS + offset
			    : SEGMENT_SLOTS;
	if (!segment_fits(slots, segment->index, want))
		return SEGMENT_SLOTS;
	if (want->mask >= CHUNK_SLOTS)
		runs &= aligned_bits(want->mask / CHUNK_SLOTS,
				     want->at % SEGMENT_SLOTS / CHUNK_SLOTS);
	for (; runs; runs &= runs - 1) {
		first = __ffs64(runs) * CHUNK_SLOTS + offset;
		if (!crosses(want, number, first))
			return first;
	}
	return SEGMENT_SLOTS;
}

/* Take a mapping from chunks of @segment that are wholly free. */
static ssize_t take_chunks_of(struct swiotlb_slots *slots,
			      struct swiotlb_slot_area *area,
			      struct swiotlb_segment *segment,
			      const struct slot_want *want,
			      const struct swiotlb_request *request)
{
	unsigned int first;

	first = find_chunks(slots, segment, want);
	if (first == SEGMENT_SLOTS)
		return -1;
	return take_slots(slots, area, segment, first, want, request);
}

/* The same in any segment of an area, after @tries without success in none. */
static ssize_t take_chunks(struct swiotlb_slots *slots,
			   struct swiotlb_slot_area *area, unsigned int tries,
			   const struct slot_want *want,
			   const struct swiotlb_request *request)
{
	u64 lists = area->segment_lists & (~0ULL << (chunks_of(want) - 1));
	struct swiotlb_segment *segment;
	slot_link link;
	ssize_t slot;

	for (; lists; lists &= lists - 1) {
		for (link = area->segments[__ffs64(lists)]; link;
		     link = segment->next) {
			if (!tries--)
				return -1;
			segment = segment_at(slots, link);
			slot = take_chunks_of(slots, area, segment, want,
					      request);
			if (slot >= 0)
				return slot;
		}
	}
	return -1;
}

/* Of the free segments that are taken first: the first that has room, or NULL */
static struct swiotlb_segment *find_free(const struct swiotlb_slots *slots,
					 const struct slot_want *want)
{
	unsigned int tries = TRIES;
	struct swiotlb_segment *segment;
	slot_link link;

	for (link = slots->free; link && tries--; link = segment->next) {
		segment = segment_at(slots, link);
		if (find_chunks(slots, segment, want) < SEGMENT_SLOTS)
			return segment;
	}
	return NULL;
}

/* Take a mapping from a free segment, which @area gets. */
static ssize_t take_free(struct swiotlb_slots *slots,
			 struct swiotlb_slot_area *area,
			 const struct slot_want *want,
			 const struct swiotlb_request *request)
{
	struct swiotlb_segment *segment;

	if (READ_ONCE(slots->empty))
		return -1;
	spin_lock(&slots->lock);
	segment = find_free(slots, want);
	if (segment)
		swiotlb_free_remove(slots, segment);
	spin_unlock(&slots->lock);
	if (!segment)
		return -1;
	swiotlb_area_adopt(slots, area, segment);
	return take_chunks_of(slots, area, segment, want, request);
}

static ssize_t take_from(struct swiotlb_slots *slots,
			 struct swiotlb_slot_area *area,
			 const struct slot_want *want,
			 const struct swiotlb_request *request, bool grow)
{
	unsigned long flags;
	ssize_t slot = -1;

	spin_lock_irqsave(&area->lock, flags);
	if (want->n < CHUNK_SLOTS)
		slot = take_small(slots, area, want, request);
	if (slot < 0)
		slot = take_chunks(slots, area, TRIES, want, request);
	if (slot < 0 && grow)
		slot = take_free(slots, area, want, request);
	if (slot < 0 && want->picky)
		slot = take_chunks(slots, area, UINT_MAX, want, request);
	spin_unlock_irqrestore(&area->lock, flags);
	return slot;
}

/* Can @area have room? It is not locked, so this is a guess. */
static bool may_have(const struct swiotlb_slot_area *area,
		     const struct slot_want *want)
{
	if (READ_ONCE(area->segment_lists) & (~0ULL << (chunks_of(want) - 1)))
		return true;
	return want->n < CHUNK_SLOTS &&
	       READ_ONCE(area->chunk_lists) & (~0U << (want->n - 1));
}

/* Take a mapping from any area of one kind, from @first on. */
static ssize_t take_elsewhere(struct swiotlb_slots *slots, unsigned int first,
			      const struct slot_want *want,
			      const struct swiotlb_request *request)
{
	struct swiotlb_slot_area *area;
	unsigned int i;
	ssize_t slot;

	for (i = 0; i < slots->nareas; i += slots->kinds) {
		area = &slots->areas[(first + i) % slots->nareas];
		if (!may_have(area, want))
			continue;
		slot = take_from(slots, area, want, request, false);
		if (slot >= 0)
			return slot;
	}
	return -1;
}

static ssize_t take(struct swiotlb_slots *slots, unsigned int cpu,
		    const struct slot_want *want,
		    const struct swiotlb_request *request)
{
	unsigned int home = home_area(slots, cpu, want->n);
	ssize_t slot;

	slot = take_from(slots, &slots->areas[home], want, request, true);
	if (slot < 0)
		slot = take_elsewhere(slots, home, want, request);
	if (slot < 0 && slots->kinds > 1)
		slot = take_elsewhere(slots, home ^ 1, want, request);
	/* An area may have given a segment back before it was looked at */
	if (slot < 0 && !READ_ONCE(slots->empty))
		slot = take_from(slots, &slots->areas[home], want, request,
				 true);
	return slot;
}

/**
 * swiotlb_slots_take() - take a piece of a pool
 * @slots:	The slots of the pool.
 * @cpu:	The CPU, or any number that spreads the callers.
 * @request:	What is needed.
 *
 * Context: Any.
 * Return: Offset of the piece in the pool, a multiple of SWIOTLB_SLOT_SIZE, or
 * -ENOSPC.
 */
ssize_t swiotlb_slots_take(struct swiotlb_slots *slots, unsigned int cpu,
			   const struct swiotlb_request *request)
{
	size_t align = max_t(size_t, request->align, SWIOTLB_SLOT_SIZE);
	size_t mask = max_t(size_t, request->min_align, align) - 1;
	u64 at = (request->orig_addr & ~(align - 1)) - request->bus_offset;
	struct slot_want want = {
		.n = slots_of(request->size),
		.mask = mask >> SWIOTLB_SLOT_SHIFT,
		.at = (at & mask) >> SWIOTLB_SLOT_SHIFT,
		.boundary = min_t(u64, request->boundary >> SWIOTLB_SLOT_SHIFT,
				  1U << 31),
		.bus = request->bus_offset >> SWIOTLB_SLOT_SHIFT,
	};
	ssize_t slot;

	if (!request->size || request->size > SWIOTLB_SLOTS_MAX ||
	    request->padding >> INFO_PADDING_BITS ||
	    (want.boundary && want.n > want.boundary))
		return -ENOSPC;

	if (want.at % CHUNK_SLOTS + want.n > SEGMENT_SLOTS) {
		slot = swiotlb_take_large(slots, cpu, &want, request);
	} else {
		/* Such a boundary is where segments end */
		if (want.boundary >= SEGMENT_SLOTS && !(want.bus % SEGMENT_SLOTS))
			want.boundary = 0;
		want.picky = want.mask >= CHUNK_SLOTS || want.boundary;
		slot = take(slots, cpu, &want, request);
	}
	return slot < 0 ? -ENOSPC
			: (slot << SWIOTLB_SLOT_SHIFT) - slots->skew;
}

/* The segment and the slot where the mapping of @offset begins */
static struct swiotlb_segment *find_start(struct swiotlb_slots *slots,
					  size_t offset, unsigned int *first)
{
	struct swiotlb_segment *segment;
	unsigned int slot, word;
	u64 starts;

	offset += slots->skew;
	segment = described_segment(slots, offset >> SWIOTLB_SEGMENT_SHIFT);
	if (!segment)
		return NULL;
	slot = (offset >> SWIOTLB_SLOT_SHIFT) % SEGMENT_SLOTS;
	if (READ_ONCE(segment->starts[slot / 64]) >> slot % 64 & 1) {
		*first = slot;
		return segment;
	}
	for (;;) {
		word = slot / 64;
		starts = READ_ONCE(segment->starts[word]) &
			 bit_range(0, slot % 64 + 1);
		while (!starts && word--)
			starts = READ_ONCE(segment->starts[word]);
		if (starts) {
			*first = word * 64 + (fls64(starts) - 1);
			return segment;
		}
		if (!segment->large ||
		    segment == segment_at(slots, segment->large))
			return NULL;
		segment = segment_at(slots, segment->large);
		slot = SEGMENT_SLOTS - 1;
	}
}

/**
 * swiotlb_slots_find() - look a piece of a pool up by any address in it
 * @slots:	The slots of the pool.
 * @offset:	Of a byte of the piece. Nobody gives it back meanwhile.
 * @mapping:	Set to what is known.
 *
 * Context: Any. No lock is taken.
 * Return: false if nobody has taken a piece there.
 */
bool swiotlb_slots_find(struct swiotlb_slots *slots, size_t offset,
			struct swiotlb_mapping *mapping)
{
	const struct swiotlb_record *record;
	struct swiotlb_segment *segment;
	unsigned int first;

	segment = find_start(slots, offset, &first);
	if (!segment)
		return false;
	record = &segment->records[first];
	mapping->start = (size_t)segment->index << SWIOTLB_SEGMENT_SHIFT;
	mapping->start += (first << SWIOTLB_SLOT_SHIFT) - slots->skew;
	mapping->orig_addr = record->orig_addr;
	mapping->size = record->info & INFO_SIZE;
	mapping->padding = record->info >> INFO_SIZE_BITS;
	return offset - mapping->start <
	       slots_of(mapping->size) << SWIOTLB_SLOT_SHIFT;
}

/**
 * swiotlb_slots_give() - give a piece of a pool back
 * @slots:	The slots of the pool.
 * @offset:	Of a byte of the piece.
 *
 * Context: Any.
 * Return: The bytes that are free again, or 0 if nobody had taken the piece.
 */
size_t swiotlb_slots_give(struct swiotlb_slots *slots, size_t offset)
{
	struct swiotlb_segment *segment;
	struct swiotlb_slot_area *area;
	unsigned int first, n;
	unsigned long flags;

	segment = find_start(slots, offset, &first);
	if (!segment)
		return 0;
	n = slots_of(segment->records[first].info & INFO_SIZE);
	/* It is free, but what is before it is not */
	if ((offset + slots->skew) / SWIOTLB_SLOT_SIZE >=
	    (size_t)segment->index * SEGMENT_SLOTS + first + n)
		return 0;
	if (segment->area == AREA_LARGE) {
		segment->starts[first / 64] = 0;
		swiotlb_give_large(slots, segment, first + n);
		return (size_t)n << SWIOTLB_SLOT_SHIFT;
	}

	area = &slots->areas[segment->area];
	spin_lock_irqsave(&area->lock, flags);
	WRITE_ONCE(segment->starts[first / 64],
		   segment->starts[first / 64] & ~(1ULL << first % 64));
	swiotlb_flip_slots(slots, area, segment, first, n);
	WRITE_ONCE(area->used, area->used - n);
	spin_unlock_irqrestore(&area->lock, flags);
	return (size_t)n << SWIOTLB_SLOT_SHIFT;
}
