/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bounce buffer pools that grow. swiotlb_grow.c explains how.
 */
#ifndef _KERNEL_DMA_SWIOTLB_GROW_H
#define _KERNEL_DMA_SWIOTLB_GROW_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct io_tlb_pool;

/**
 * struct swiotlb_growth - what is needed to prepare more of a pool
 * @pool:	The pool.
 * @nid:	NUMA node for the description of its slots, or NUMA_NO_NODE.
 * @low:	If less is free when all is prepared, the pool is scarce, in bytes.
 * @clear:	Clear the memory before it is shared.
 * @failed:	Memory could not be shared with devices. No more is prepared.
 * @work:	Prepares more.
 * @node:	Member of the list of growing pools.
 */
struct swiotlb_growth {
	struct io_tlb_pool *pool;
	int nid;
	size_t low;
	bool clear;
	bool failed;
	struct work_struct work;
	struct list_head node;
};

size_t swiotlb_prepared(const struct io_tlb_pool *pool);
bool swiotlb_all_prepared(const struct io_tlb_pool *pool);
int swiotlb_growth_start(struct swiotlb_growth *growth);
void __init swiotlb_growth_start_early(struct swiotlb_growth *growth);
void swiotlb_growth_stop(struct io_tlb_pool *pool);
void swiotlb_grow(struct io_tlb_pool *pool);
bool swiotlb_grow_now(struct io_tlb_pool *pool, size_t before);
unsigned long swiotlb_set_watermark(unsigned long size);

#endif /* _KERNEL_DMA_SWIOTLB_GROW_H */
