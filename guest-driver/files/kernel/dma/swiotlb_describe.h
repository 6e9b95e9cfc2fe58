/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory that describes the slots of pools. swiotlb_describe.c explains it.
 */
#ifndef _KERNEL_DMA_SWIOTLB_DESCRIBE_H
#define _KERNEL_DMA_SWIOTLB_DESCRIBE_H

#include <linux/init.h>
#include <linux/types.h>

struct io_tlb_pool;

void *swiotlb_alloc_description(size_t bytes, gfp_t gfp, int nid);
int swiotlb_describe(struct io_tlb_pool *pool, gfp_t gfp);
void swiotlb_free_slots(struct io_tlb_pool *pool);
void __init swiotlb_describe_early(struct io_tlb_pool *pool, size_t end);
void __init swiotlb_free_early_slots(struct io_tlb_pool *pool);

#endif /* _KERNEL_DMA_SWIOTLB_DESCRIBE_H */
