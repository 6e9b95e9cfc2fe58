/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What each device of a restricted pool has for itself. swiotlb_reserve.c
 * explains it.
 */
#ifndef _KERNEL_DMA_SWIOTLB_RESERVE_H
#define _KERNEL_DMA_SWIOTLB_RESERVE_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct device;
struct io_tlb_mem;
struct io_tlb_pool;
struct swiotlb_slots;

#ifdef CONFIG_DMA_RESTRICTED_POOL

int swiotlb_reserve_create(struct device *dev);
void swiotlb_reserve_destroy(struct device *dev);
size_t swiotlb_reserve_idle(struct io_tlb_mem *mem,
			    size_t (*count)(struct swiotlb_slots *slots));
struct io_tlb_pool *swiotlb_reserve_for(struct device *dev,
					enum dma_data_direction dir);
struct io_tlb_pool *swiotlb_find_reserve(struct device *dev, phys_addr_t paddr);

#else

static inline int swiotlb_reserve_create(struct device *dev)
{
	return 0;
}

static inline size_t
swiotlb_reserve_idle(struct io_tlb_mem *mem,
		     size_t (*count)(struct swiotlb_slots *slots))
{
	return 0;
}

static inline struct io_tlb_pool *
swiotlb_reserve_for(struct device *dev, enum dma_data_direction dir)
{
	return NULL;
}

static inline struct io_tlb_pool *
swiotlb_find_reserve(struct device *dev, phys_addr_t paddr)
{
	return NULL;
}

#endif /* CONFIG_DMA_RESTRICTED_POOL */

#endif /* _KERNEL_DMA_SWIOTLB_RESERVE_H */
