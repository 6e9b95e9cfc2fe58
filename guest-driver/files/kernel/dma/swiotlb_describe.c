// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that describes the slots of bounce buffer pools.
 *
 * swiotlb_slots.c allocates nothing. A pool has a head and descriptions of its
 * blocks. Whoever makes the pool allocates the head; all else is done here.
 *
 * Locking: whoever makes a pool is alone with it.
 */

#include <linux/gfp.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>
#include <linux/vmalloc.h>
#include "swiotlb_describe.h"
#include "swiotlb_slots.h"

/**
 * swiotlb_alloc_description() - allocate what describes a block
 * @bytes:	As swiotlb_slots_next_block() says.
 * @gfp:	How to allocate it.
 * @nid:	NUMA node, or NUMA_NO_NODE.
 *
 * These are whole pages, unless @gfp does not allow to sleep: a power of two would
 * waste a sixth.
 *
 * Context: As @gfp says.
 * Return: Zeroed memory for kvfree(), or NULL.
 */
void *swiotlb_alloc_description(size_t bytes, gfp_t gfp, int nid)
{
	if (gfpflags_allow_blocking(gfp))
		return vzalloc_node(bytes, nid);
	return kzalloc_node(bytes, gfp, nid);
}

/**
 * swiotlb_describe() - describe all slots of a pool
 * @pool:	The pool. All of its memory can be used.
 * @gfp:	How to allocate the descriptions.
 *
 * Context: As @gfp says.
 * Return: 0 or -ENOMEM. Then a part may be described.
 */
int swiotlb_describe(struct io_tlb_pool *pool, gfp_t gfp)
{
	size_t offset, size, bytes;
	void *memory;

	while ((bytes = swiotlb_slots_next_block(pool->slots, &offset, &size))) {
		memory = swiotlb_alloc_description(bytes, gfp, NUMA_NO_NODE);
		if (!memory)
			return -ENOMEM;
		swiotlb_slots_describe(pool->slots, memory);
	}
	return 0;
}

/**
 * swiotlb_free_slots() - free the head of a pool and all descriptions
 * @pool:	The pool. It was not made while the system booted.
 *
 * Context: Any but an interrupt.
 */
void swiotlb_free_slots(struct io_tlb_pool *pool)
{
	unsigned int n;
	size_t bytes;
	void *memory;

	for (n = 0; (memory = swiotlb_slots_block(pool->slots, n, &bytes)); n++)
		kvfree(memory);
	kvfree(pool->slots);
}

/**
 * swiotlb_describe_early() - describe slots of a pool while the system boots
 * @pool:	The pool.
 * @end:	Describe as many blocks as it takes to reach this offset, or all.
 *
 * If memory is short, fewer are described.
 *
 * Context: Before the slab allocator is there.
 */
void __init swiotlb_describe_early(struct io_tlb_pool *pool, size_t end)
{
	size_t offset, size, bytes;
	void *memory;

	while (swiotlb_slots_described(pool->slots) < end) {
		bytes = swiotlb_slots_next_block(pool->slots, &offset, &size);
		if (!bytes)
			break;
		memory = memblock_alloc(PAGE_ALIGN(bytes), PAGE_SIZE);
		if (!memory)
			break;
		swiotlb_slots_describe(pool->slots, memory);
	}
}

/**
 * swiotlb_free_early_slots() - free what the system has allocated at boot
 * @pool:	A pool that was made then. Some blocks may have been described
 *		later, in process context.
 *
 * Context: Process context, after the slab allocator is there.
 */
void __init swiotlb_free_early_slots(struct io_tlb_pool *pool)
{
	unsigned int n;
	size_t bytes;
	void *memory;

	for (n = 0; (memory = swiotlb_slots_block(pool->slots, n, &bytes)); n++) {
		if (is_vmalloc_addr(memory))
			vfree(memory);
		else
			memblock_free_late(__pa(memory), PAGE_ALIGN(bytes));
	}
	memblock_free_late(__pa(pool->slots),
			   swiotlb_slots_bytes(pool->start,
					       pool->end - pool->start,
					       pool->nareas));
}
