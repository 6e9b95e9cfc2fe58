/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of swiotlb_grow.c: all of the pool is prepared at once. */
#include "slots-shim.h"
#include <linux/swiotlb.h>
#include "swiotlb_grow.h"
#include "swiotlb_slots.h"

void swiotlb_growth_start_early(struct swiotlb_growth *growth)
{
	struct swiotlb_slots *slots = growth->pool->slots;
	size_t offset, size, bytes;

	while ((bytes = swiotlb_slots_next_block(slots, &offset, &size)))
		swiotlb_slots_describe(slots, memblock_alloc(bytes, PAGE_SIZE));
}

void swiotlb_grow(struct io_tlb_pool *pool)
{
	(void)pool;
}

/* The programs keep their pool */

void swiotlb_growth_stop(struct io_tlb_pool *pool)
{
	(void)pool;
	abort();
}

void swiotlb_free_slots(struct io_tlb_pool *pool)
{
	(void)pool;
	abort();
}

void swiotlb_free_early_slots(struct io_tlb_pool *pool)
{
	(void)pool;
	abort();
}
