// SPDX-License-Identifier: GPL-2.0
/*
 * How the slots of a bounce buffer pool are described. swiotlb_slots.c explains
 * the model.
 *
 * A segment of 256 KiB has nearly 7 KiB of metadata. They come block by block: 16
 * segments, from the beginning of the pool to its end. What nobody has described
 * is not used, so the rest of a large pool costs nothing but a pointer for each
 * 4 MiB.
 *
 *   0                 ndescribed                               nsegments
 *   +--------+--------+--------+--------+--------+--------+----+
 *   | block  | block  |  NULL  |  NULL  |  NULL  |  NULL  |NULL|
 *   +--------+--------+--------+--------+--------+--------+----+
 *
 * The segments of a new block are taken last, so that memory which has been used
 * before is used again first. If fewer than a certain number are free, the pool
 * is scarce, and whoever owns it should describe the next block.
 *
 * Locking: the owner describes one block at a time. All else may go on meanwhile.
 *
 * Cost: 7 KiB for each segment are initialised before a lock is taken. Under the
 * lock, each segment is added to a list.
 */

#include <linux/bitmap.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/minmax.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include "swiotlb_segment.h"

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

/* Where in the head of a pool are its parts? Return its size. */
static size_t lay_out(phys_addr_t base, size_t size, unsigned int nareas,
		      size_t *areas, size_t *blocks, size_t *map)
{
	size_t nsegments = segments_of(base, size);

	*areas = ALIGN(sizeof(struct swiotlb_slots), SMP_CACHE_BYTES);
	*blocks = *areas + (size_t)kinds_of(nsegments) * nareas *
			   sizeof(struct swiotlb_slot_area);
	*map = *blocks + DIV_ROUND_UP(nsegments, BLOCK_SEGMENTS) *
			 sizeof(struct swiotlb_segment *);
	return *map + BITS_TO_LONGS(nsegments) * sizeof(long);
}

/**
 * swiotlb_slots_bytes() - how large is the head of a pool?
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
	size_t areas, blocks, map;

	return PAGE_ALIGN(lay_out(base, size, nareas, &areas, &blocks, &map));
}

/**
 * swiotlb_slots_init() - make the head of a new pool
 * @memory:	Zeroed, of the size that swiotlb_slots_bytes() says. The caller
 *		frees it when the pool is gone.
 * @base:	Physical address of the pool, a multiple of SWIOTLB_SLOT_SIZE.
 * @size:	In bytes.
 * @nareas:	How many CPUs have areas of their own, from 1 to 32766.
 *
 * Nothing can be taken from the pool before a part of it is described.
 *
 * Context: Any.
 * Return: The slots, at the beginning of @memory.
 */
struct swiotlb_slots *swiotlb_slots_init(void *memory, phys_addr_t base,
					 size_t size, unsigned int nareas)
{
	struct swiotlb_slots *slots = memory;
	size_t areas, blocks, map;
	unsigned int i;

	lay_out(base, size, nareas, &areas, &blocks, &map);
	slots->areas = memory + areas;
	slots->blocks = memory + blocks;
	slots->used_map = memory + map;
	slots->size = size;
	slots->skew = base & (SWIOTLB_SEGMENT_SIZE - 1);
	slots->number = base >> SWIOTLB_SEGMENT_SHIFT;
	slots->nsegments = segments_of(base, size);
	slots->kinds = kinds_of(slots->nsegments);
	slots->ncpus = nareas;
	slots->nareas = slots->kinds * nareas;
	slots->empty = true;
	spin_lock_init(&slots->lock);
	for (i = 0; i < slots->nareas; i++)
		spin_lock_init(&slots->areas[i].lock);
	bitmap_fill(slots->used_map, slots->nsegments);
	return slots;
}

/* How many segments are in the block that comes next */
static unsigned int next_segments(const struct swiotlb_slots *slots)
{
	return min_t(size_t, slots->nsegments - slots->ndescribed,
		     BLOCK_SEGMENTS);
}

/* Where in the pool the first @n segments end */
static size_t segments_end(const struct swiotlb_slots *slots, size_t n)
{
	size_t end = n << SWIOTLB_SEGMENT_SHIFT;

	return min(end - min(end, slots->skew), slots->size);
}

/**
 * swiotlb_slots_described() - how much of a pool is described?
 * @slots:	The slots of the pool.
 *
 * Context: Any.
 * Return: Bytes, from the beginning of the pool on.
 */
size_t swiotlb_slots_described(const struct swiotlb_slots *slots)
{
	return segments_end(slots, READ_ONCE(slots->ndescribed));
}

/**
 * swiotlb_slots_next_block() - what has to be described next?
 * @slots:	The slots of the pool.
 * @offset:	Set to where in the pool the next block begins, in bytes.
 * @size:	Set to its size in bytes, SWIOTLB_BLOCK_SIZE at most; 0 if none is
 *		left.
 *
 * Context: Any. Nobody describes a block of this pool meanwhile.
 * Return: The bytes that its description needs, or 0.
 */
size_t swiotlb_slots_next_block(const struct swiotlb_slots *slots,
				size_t *offset, size_t *size)
{
	size_t n = next_segments(slots);

	*offset = swiotlb_slots_described(slots);
	*size = segments_end(slots, slots->ndescribed + n) - *offset;
	return n * sizeof(struct swiotlb_segment);
}

/* What is outside the pool is taken for ever. */
static void segment_init(const struct swiotlb_slots *slots,
			 struct swiotlb_segment *segment, unsigned int index)
{
	size_t at = (size_t)index << SWIOTLB_SEGMENT_SHIFT;
	size_t end = slots->skew + slots->size;
	unsigned int i;

	segment->index = index;
	segment->area = AREA_NONE;
	if (at >= slots->skew && at + SWIOTLB_SEGMENT_SIZE <= end) {
		memset(segment->slots, 0xff, sizeof(segment->slots));
		segment->free = ~0ULL;
		return;
	}
	for (i = 0; i < SEGMENT_SLOTS; i++, at += SWIOTLB_SLOT_SIZE) {
		if (at >= slots->skew && at + SWIOTLB_SLOT_SIZE <= end)
			segment->slots[i / CHUNK_SLOTS] |= 1 << i % CHUNK_SLOTS;
	}
	for (i = 0; i < SEGMENT_CHUNKS; i++) {
		if (segment->slots[i] == 0xff)
			segment->free |= 1ULL << i;
	}
}

/*
 * Let mappings use a new segment. One that has a part outside the pool never
 * becomes free, and stays with the area that gets it here.
 */
static void segment_open(struct swiotlb_slots *slots,
			 struct swiotlb_segment *segment)
{
	struct swiotlb_slot_area *area = &slots->areas[0];
	unsigned long flags;

	if (segment->free == ~0ULL) {
		spin_lock_irqsave(&slots->lock, flags);
		swiotlb_free_append(slots, segment);
		spin_unlock_irqrestore(&slots->lock, flags);
		return;
	}
	if (segment->index)
		area = &slots->areas[slots->nareas - 1];
	spin_lock_irqsave(&area->lock, flags);
	swiotlb_area_adopt(slots, area, segment);
	spin_unlock_irqrestore(&area->lock, flags);
}

/**
 * swiotlb_slots_describe() - describe the next block of a pool
 * @slots:	The slots of the pool. swiotlb_slots_next_block() says that a block
 *		is left, and the memory of the block can be used.
 * @memory:	Zeroed, as large as swiotlb_slots_next_block() says. The caller
 *		frees it when the pool is gone, see swiotlb_slots_block().
 *
 * Context: Any. Nobody describes a block of this pool meanwhile.
 */
void swiotlb_slots_describe(struct swiotlb_slots *slots, void *memory)
{
	unsigned int first = slots->ndescribed, n = next_segments(slots), i;
	struct swiotlb_segment *block = memory;

	for (i = 0; i < n; i++)
		segment_init(slots, &block[i], first + i);
	/* swiotlb_slots_find() takes no lock */
	smp_store_release(&slots->blocks[first / BLOCK_SEGMENTS], block);
	WRITE_ONCE(slots->ndescribed, first + n);
	for (i = 0; i < n; i++)
		segment_open(slots, &block[i]);
}

/**
 * swiotlb_slots_block() - the memory that describes a block
 * @slots:	The slots of the pool.
 * @n:		The number of the block, from 0 on.
 * @bytes:	Set to the size of the memory.
 *
 * Context: Any. Nobody describes a block of this pool meanwhile.
 * Return: What swiotlb_slots_describe() got, or NULL if there is no such block.
 */
void *swiotlb_slots_block(const struct swiotlb_slots *slots, unsigned int n,
			  size_t *bytes)
{
	size_t first = (size_t)n * BLOCK_SEGMENTS;

	if (first >= slots->ndescribed)
		return NULL;
	*bytes = min_t(size_t, slots->ndescribed - first, BLOCK_SEGMENTS) *
		 sizeof(struct swiotlb_segment);
	return slots->blocks[n];
}

/**
 * swiotlb_slots_set_low() - say when more of a pool should be described
 * @slots:	The slots of the pool.
 * @low:	In bytes, rounded up to segments. 0 means never. More than the size
 *		of the pool means always.
 *
 * Context: Any.
 */
void swiotlb_slots_set_low(struct swiotlb_slots *slots, size_t low)
{
	unsigned long flags;

	spin_lock_irqsave(&slots->lock, flags);
	slots->low = DIV_ROUND_UP(min(low, slots->size), SWIOTLB_SEGMENT_SIZE);
	swiotlb_slots_check_low(slots);
	spin_unlock_irqrestore(&slots->lock, flags);
}

/**
 * swiotlb_slots_scarce() - should more of a pool be described?
 * @slots:	The slots of the pool.
 *
 * Context: Any. No lock is taken.
 * Return: true if less is free than swiotlb_slots_set_low() has said, in whole
 * segments that nobody owns.
 */
bool swiotlb_slots_scarce(const struct swiotlb_slots *slots)
{
	return READ_ONCE(slots->scarce);
}
