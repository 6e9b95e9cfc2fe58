/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The slots of a bounce buffer pool. swiotlb_slots.c explains them.
 */
#ifndef _KERNEL_DMA_SWIOTLB_SLOTS_H
#define _KERNEL_DMA_SWIOTLB_SLOTS_H

#include <linux/types.h>

struct swiotlb_slots;

#define SWIOTLB_SLOT_SHIFT	9
#define SWIOTLB_SLOT_SIZE	(1UL << SWIOTLB_SLOT_SHIFT)
#define SWIOTLB_SEGMENT_SHIFT	18
#define SWIOTLB_SEGMENT_SIZE	(1UL << SWIOTLB_SEGMENT_SHIFT)
#define SWIOTLB_BLOCK_SIZE	(16 * SWIOTLB_SEGMENT_SIZE)

/* The largest request: as many segments as a run of them may have */
#define SWIOTLB_SLOTS_MAX	(8 * SWIOTLB_SEGMENT_SIZE)

/**
 * struct swiotlb_request - what a mapping needs
 * @orig_addr:	Physical address of the buffer that is mapped, or 0.
 * @size:	Bytes to take, from 1 to SWIOTLB_SLOTS_MAX.
 * @align:	The address is a multiple of this power of two; 1 for any. If it is
 *		larger than a segment, and @size is not, it may take luck.
 * @min_align:	The bits of @orig_addr below this power of two, and not below
 *		@align, are those of the address as well; 1 for none.
 * @boundary:	No multiple of this power of two is inside; 0 for none. One of less
 *		than SWIOTLB_SLOT_SIZE counts as none.
 * @bus_offset:	What the device adds to a physical address. Alignment and
 *		boundary are about the sum. A multiple of SWIOTLB_SLOT_SIZE.
 * @padding:	Slots to skip before the data begins; remembered only.
 */
struct swiotlb_request {
	phys_addr_t orig_addr;
	size_t size;
	size_t align;
	size_t min_align;
	u64 boundary;
	u64 bus_offset;
	unsigned int padding;
};

/**
 * struct swiotlb_mapping - what is known of a piece that was taken
 * @start:	Offset of its first slot in the pool.
 * @size:	As requested.
 * @orig_addr:	As requested.
 * @padding:	As requested.
 */
struct swiotlb_mapping {
	size_t start;
	size_t size;
	phys_addr_t orig_addr;
	unsigned int padding;
};

size_t swiotlb_slots_bytes(phys_addr_t base, size_t size, unsigned int nareas);
struct swiotlb_slots *swiotlb_slots_init(void *memory, phys_addr_t base,
					 size_t size, unsigned int nareas);
size_t swiotlb_slots_described(const struct swiotlb_slots *slots);
size_t swiotlb_slots_next_block(const struct swiotlb_slots *slots,
				size_t *offset, size_t *size);
void swiotlb_slots_describe(struct swiotlb_slots *slots, void *memory);
void *swiotlb_slots_block(const struct swiotlb_slots *slots, unsigned int n,
			  size_t *bytes);
void swiotlb_slots_set_low(struct swiotlb_slots *slots, size_t low);
bool swiotlb_slots_scarce(const struct swiotlb_slots *slots);
ssize_t swiotlb_slots_take(struct swiotlb_slots *slots, unsigned int cpu,
			   const struct swiotlb_request *request);
bool swiotlb_slots_find(struct swiotlb_slots *slots, size_t offset,
			struct swiotlb_mapping *mapping);
size_t swiotlb_slots_give(struct swiotlb_slots *slots, size_t start);
size_t swiotlb_slots_used(struct swiotlb_slots *slots);
size_t swiotlb_slots_hiwater(struct swiotlb_slots *slots);
size_t swiotlb_slots_reset_hiwater(struct swiotlb_slots *slots);

#endif /* _KERNEL_DMA_SWIOTLB_SLOTS_H */
