/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files about the slots of bounce buffer pools share. swiotlb_slots.c
 * explains the model.
 */
#ifndef _KERNEL_DMA_SWIOTLB_SEGMENT_H
#define _KERNEL_DMA_SWIOTLB_SEGMENT_H

#include <linux/bitops.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include "swiotlb_slots.h"

#define CHUNK_SLOTS	8
#define SEGMENT_CHUNKS	64
#define SEGMENT_SLOTS	(SEGMENT_CHUNKS * CHUNK_SLOTS)
#define BLOCK_SEGMENTS	(SWIOTLB_BLOCK_SIZE / SWIOTLB_SEGMENT_SIZE)

/* A mapping's info: its size in bytes, and above that the padding in slots */
#define INFO_SIZE_BITS	22
#define INFO_SIZE	((1U << INFO_SIZE_BITS) - 1)
#define INFO_PADDING_BITS (32 - INFO_SIZE_BITS)

/*
 * Areas come in pairs, for small mappings and for large ones, if the pool has so
 * many segments
 */
#define KINDS		2
#define KINDS_SEGMENTS	16

/* Instead of an area: the segment is free, or all of it is one mapping's */
#define AREA_NONE	0xffff
#define AREA_LARGE	0xfffe

/* Segments and chunks are linked by their number plus one; 0 is the end */
typedef u32 slot_link;

/* What is known of a mapping, at its first slot. One cache line has all of it. */
struct swiotlb_record {
	phys_addr_t orig_addr;
	u32 info;
} __packed __aligned(4);

/**
 * struct swiotlb_segment - 256 KiB of a pool
 * @free:	Bit n: all of chunk n is free.
 * @next:	In the list of its area, or of free segments.
 * @prev:	In the same list.
 * @large:	The first segment of a mapping that ends in this one, plus one.
 * @index:	Its place among the segments of the pool.
 * @area:	The area that owns it, or AREA_NONE or AREA_LARGE.
 * @longest:	Run of bits in @free.
 * @slots:	Bit s of element n: slot s of chunk n is free.
 * @starts:	Bit s: slot s is the first of a mapping.
 * @chunk_next:	For each chunk, in the list of those with the same longest run.
 * @chunk_prev:	In the same list.
 * @records:	For the first slot of a mapping: what is mapped.
 */
struct swiotlb_segment {
	u64 free;
	slot_link next;
	slot_link prev;
	slot_link large;
	u32 index;
	u16 area;
	u8 longest;
	u8 slots[SEGMENT_CHUNKS];
	u64 starts[SEGMENT_SLOTS / 64];
	slot_link chunk_next[SEGMENT_CHUNKS];
	slot_link chunk_prev[SEGMENT_CHUNKS];
	struct swiotlb_record records[SEGMENT_SLOTS];
};

/**
 * struct swiotlb_slot_area - segments that some CPUs take mappings from
 * @lock:	Protects this and the segments of the area.
 * @chunk_lists: Bit n: there are chunks with a longest run of n + 1 slots.
 * @segment_lists: Bit n: there are segments with a longest run of n + 1 chunks.
 * @used:	Slots taken.
 * @most:	The largest @used so far.
 * @nsegments:	Number of segments that it owns.
 * @nfree:	Number of those that are wholly free.
 * @chunks:	The first in each list of chunks.
 * @segments:	The first in each list of segments.
 */
struct swiotlb_slot_area {
	spinlock_t lock;
	u32 chunk_lists;
	u64 segment_lists;
	unsigned long used;
	unsigned long most;
	u32 nsegments;
	u32 nfree;
	slot_link chunks[CHUNK_SLOTS];
	slot_link segments[SEGMENT_CHUNKS];
} ____cacheline_aligned_in_smp;

/**
 * struct swiotlb_slots - the slots of a pool
 * @size:	Of the pool, in bytes.
 * @skew:	Bytes between the beginning of the first segment and the pool.
 * @number:	Physical address of the first segment, in segments.
 * @nsegments:	Number of segments.
 * @nareas:	Number of areas, of all kinds.
 * @kinds:	KINDS, or 1 if the same areas serve all mappings.
 * @ncpus:	Number of areas of each kind.
 * @empty:	@nfree is 0. All CPUs look at it, so it is where nothing else is.
 * @lock:	Protects the members below and the links of free segments.
 * @free:	The free segment that became free last.
 * @last:	The last in the same list, which is the one to take last.
 * @nfree:	Number of segments in that list.
 * @low:	If there are fewer, more should be described.
 * @used_map:	Bit n: segment n is in use, or has a part outside the pool.
 * @large_used:	Slots in segments that are AREA_LARGE.
 * @large_most:	The largest @large_used so far.
 * @areas:	The areas.
 * @blocks:	Segments, BLOCK_SEGMENTS at a time; NULL for those that nobody has
 *		described yet.
 * @scarce:	@nfree is less than @low.
 * @ndescribed:	So many segments are described. Only swiotlb_slots_describe()
 *		changes it.
 */
struct swiotlb_slots {
	size_t size;
	size_t skew;
	u64 number;
	unsigned int nsegments;
	unsigned int nareas;
	unsigned int kinds;
	unsigned int ncpus;
	struct swiotlb_slot_area *areas;
	struct swiotlb_segment **blocks;
	unsigned int ndescribed;
	bool scarce;

	bool empty ____cacheline_aligned_in_smp;

	spinlock_t lock ____cacheline_aligned_in_smp;
	slot_link free;
	slot_link last;
	unsigned int nfree;
	unsigned int low;
	unsigned long *used_map;
	unsigned long large_used;
	unsigned long large_most;
};

/* A request, in slots */
struct slot_want {
	unsigned int n;		/* how many */
	unsigned int mask;	/* these bits of the first one's number ... */
	unsigned int at;	/* ... are those */
	unsigned int boundary;	/* none in between is a multiple of it, or 0 */
	unsigned int bus;	/* ... if this is added to their number */
	bool picky;		/* not every run that is long enough will do */
};

/* Runs of bits */

/* Bit n of the result: in @map, bits n to n + @len - 1 are set */
static inline u64 runs_of(u64 map, unsigned int len)
{
	unsigned int have = 1;

	for (; 2 * have <= len; have *= 2)
		map &= map >> have;
	return map & (map >> (len - have));
}

/* The length of the run of set bits in @map that has bit @n */
static inline unsigned int run_around(u64 map, unsigned int n)
{
	u64 above = ~(map >> n), below = ~(map << (63 - n));

	return (above ? __ffs64(above) : 64) + 63 - fls64(below);
}

/* Bits @first to @first + @len - 1, of 64 */
static inline u64 bit_range(unsigned int first, unsigned int len)
{
	return (len < 64 ? (1ULL << len) - 1 : ~0ULL) << first;
}

/* Where a run may begin: bit n is set if (n & @mask) == @at */
static inline u64 aligned_bits(unsigned int mask, unsigned int at)
{
	u64 bits = 1ULL << at;
	unsigned int step;

	for (step = mask + 1; step < 64; step *= 2)
		bits |= bits << step;
	return bits;
}

/*
 * Is the boundary within a mapping that begins at slot @first of a segment?
 * The number of the segment is that of its address.
 */
static inline bool crosses(const struct slot_want *want, unsigned int number,
			   unsigned int first)
{
	unsigned int at = number * SEGMENT_SLOTS + first + want->bus;

	return want->boundary &&
	       (at & (want->boundary - 1)) + want->n > want->boundary;
}

/* Does an alignment of more than a segment let a mapping begin in this one? */
static inline bool segment_fits(const struct swiotlb_slots *slots,
				unsigned int segment,
				const struct slot_want *want)
{
	return ((slots->number + segment) & (want->mask / SEGMENT_SLOTS)) ==
	       want->at / SEGMENT_SLOTS;
}

/* Links */

static inline struct swiotlb_segment *
segment_at(const struct swiotlb_slots *slots, slot_link link)
{
	unsigned int index = link - 1;

	return &slots->blocks[index / BLOCK_SEGMENTS][index % BLOCK_SEGMENTS];
}

/* Segment @n, or NULL if nobody has described it. No lock is needed. */
static inline struct swiotlb_segment *
described_segment(const struct swiotlb_slots *slots, size_t n)
{
	if (n >= slots->nsegments ||
	    !READ_ONCE(slots->blocks[n / BLOCK_SEGMENTS]))
		return NULL;
	return segment_at(slots, n + 1);
}

static inline slot_link link_of(const struct swiotlb_segment *segment)
{
	return segment->index + 1;
}

/* The segment that has chunk @link, and the number of the chunk in it */
static inline struct swiotlb_segment *
chunk_at(const struct swiotlb_slots *slots, slot_link link, unsigned int *c)
{
	*c = (link - 1) % SEGMENT_CHUNKS;
	return segment_at(slots, (link - 1) / SEGMENT_CHUNKS + 1);
}

/* The number of a segment among those of all memory */
static inline unsigned int number_of(const struct swiotlb_slots *slots,
				     const struct swiotlb_segment *segment)
{
	return slots->number + segment->index;
}

/* The number of free segments, or the limit, has changed. The lock is held. */
static inline void swiotlb_slots_check_low(struct swiotlb_slots *slots)
{
	bool scarce = slots->nfree < slots->low;
	bool empty = !slots->nfree;

	if (empty != READ_ONCE(slots->empty))
		WRITE_ONCE(slots->empty, empty);
	if (scarce != READ_ONCE(slots->scarce))
		WRITE_ONCE(slots->scarce, scarce);
}

/* Count @n more slots as taken. The lock of @area is held. */
static inline void area_use(struct swiotlb_slot_area *area, unsigned int n)
{
	WRITE_ONCE(area->used, area->used + n);
	if (area->used > READ_ONCE(area->most))
		WRITE_ONCE(area->most, area->used);
}

/* Remember a mapping that has been taken from slot @first on. */
static inline void record(struct swiotlb_segment *segment, unsigned int first,
			  const struct swiotlb_request *request)
{
	struct swiotlb_record *record = &segment->records[first];

	record->orig_addr = request->orig_addr;
	record->info = request->size | request->padding << INFO_SIZE_BITS;
	WRITE_ONCE(segment->starts[first / 64],
		   segment->starts[first / 64] | 1ULL << first % 64);
}

static inline unsigned int slots_of(size_t size)
{
	return DIV_ROUND_UP(size, SWIOTLB_SLOT_SIZE);
}

/* The area from which a CPU takes mappings of @n slots first */
static inline unsigned int home_area(const struct swiotlb_slots *slots,
				     unsigned int cpu, unsigned int n)
{
	if (cpu >= slots->ncpus)
		cpu %= slots->ncpus;
	return slots->kinds == 1 ? cpu : KINDS * cpu + (n > CHUNK_SLOTS);
}

void swiotlb_area_add(struct swiotlb_slots *slots,
		      struct swiotlb_slot_area *area,
		      struct swiotlb_segment *segment, unsigned int longest);
void swiotlb_area_remove(struct swiotlb_slots *slots,
			 struct swiotlb_slot_area *area,
			 struct swiotlb_segment *segment);
void swiotlb_area_adopt(struct swiotlb_slots *slots,
			struct swiotlb_slot_area *area,
			struct swiotlb_segment *segment);
void swiotlb_free_push(struct swiotlb_slots *slots,
		       struct swiotlb_segment *segment);
void swiotlb_free_append(struct swiotlb_slots *slots,
			 struct swiotlb_segment *segment);
void swiotlb_free_remove(struct swiotlb_slots *slots,
			 struct swiotlb_segment *segment);
void swiotlb_flip_slots(struct swiotlb_slots *slots,
			struct swiotlb_slot_area *area,
			struct swiotlb_segment *segment,
			unsigned int first, unsigned int n);

ssize_t swiotlb_take_large(struct swiotlb_slots *slots, unsigned int cpu,
			   const struct slot_want *want,
			   const struct swiotlb_request *request);
void swiotlb_give_large(struct swiotlb_slots *slots,
			struct swiotlb_segment *segment, unsigned int n);

#endif /* _KERNEL_DMA_SWIOTLB_SEGMENT_H */
