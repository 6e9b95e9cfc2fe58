// SPDX-License-Identifier: GPL-2.0
/*
 * Restricted DMA pools.
 *
 * A restricted pool is a range of memory which the platform sets aside as the
 * only memory that some devices may access. A device that is attached to a
 * pool gets its coherent memory from there, and all its streaming DMA bounces
 * through there. Several devices may share one pool.
 *
 * This file knows which pools exist, and which of them is the default one.
 *
 *   restricted-device.c   decides which pool a device gets and attaches it
 *   restricted-of.c       takes pools from a device tree
 *   restricted-acpi.c     takes pools from ACPI
 *   swiotlb.c             hands out memory: each pool has an allocator of its own
 *
 * Lifetime: a pool stays until the system goes down, just as the memory that
 * the platform has set aside does. So a pointer to a pool is always valid, and
 * no reference is taken on it.
 *
 * Failure: a pool that is described but cannot be used is known all the same.
 * Its allocator is empty, so that a device which depends on it can do no DMA at
 * all, instead of being let loose on all memory.
 *
 * Locking: restricted_dma_mutex protects all lists. It is taken when devices
 * are set up, never while they do I/O.
 *
 * Cost: there are few pools, and they are looked up when a device is set up. A
 * list is enough.
 */

#define pr_fmt(fmt) "restricted DMA: " fmt

#include <linux/device.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swiotlb.h>
#include "restricted.h"

/* What it protects is said in restricted.h */
DEFINE_MUTEX(restricted_dma_mutex);

struct restricted_dma_pool *restricted_dma_default;

static LIST_HEAD(restricted_dma_pools);

/* The firmware has been asked for pools: those that are still missing stay so */
static bool restricted_dma_scanned;

/* The allocator of pools that cannot be used: each request fails */
static struct io_tlb_mem restricted_dma_nothing = {
	.force_bounce = true,
	.for_alloc = true,
#ifdef CONFIG_SWIOTLB_DYNAMIC
	.pools = LIST_HEAD_INIT(restricted_dma_nothing.pools),
#endif
};

static struct restricted_dma_pool *
restricted_dma_pool_alloc(const struct restricted_dma_desc *desc)
{
	/* A few bytes for each pool: not worth an error path */
	gfp_t gfp = GFP_KERNEL | __GFP_NOFAIL;
	struct restricted_dma_pool *pool = kzalloc(sizeof(*pool), gfp);

	pool->name = kstrdup(desc->name, gfp);
	pool->start = desc->start;
	pool->size = desc->size;
	pool->fwnode = desc->fwnode;
	pool->mem = &restricted_dma_nothing;
	return pool;
}

static bool restricted_dma_overlaps(const struct restricted_dma_desc *desc)
{
	struct restricted_dma_pool *pool;

	lockdep_assert_held(&restricted_dma_mutex);
	list_for_each_entry(pool, &restricted_dma_pools, node) {
		if (pool->mem->nslabs &&
		    desc->start < pool->start + pool->size &&
		    pool->start < desc->start + desc->size)
			return true;
	}
	return false;
}

/**
 * restricted_dma_pool_create() - create a pool and make it known
 * @desc:	What the firmware says about the pool.
 *
 * The memory must start at a page, must have a struct page for every page, must
 * be in the linear mapping, and must be used by nobody else. If memory is
 * encrypted, the whole pool is decrypted here. Apart from that, the pages of
 * the pool are not touched; see swiotlb_create_restricted() for what that means
 * for the caller.
 *
 * Context: Process context, may sleep.
 * Return: The new pool, or an ERR_PTR(): -EINVAL if the range is empty or goes
 * past the end of the address space, -EEXIST if it overlaps another pool,
 * -ENOMEM if there is no memory for the slot table, or the error of
 * set_memory_decrypted().
 */
struct restricted_dma_pool *
restricted_dma_pool_create(const struct restricted_dma_desc *desc)
{
	struct restricted_dma_pool *pool;
	struct io_tlb_mem *mem;

	if (!desc->size || desc->start + desc->size < desc->start)
		return ERR_PTR(-EINVAL);

	guard(mutex)(&restricted_dma_mutex);
	if (restricted_dma_overlaps(desc))
		return ERR_PTR(-EEXIST);
	mem = swiotlb_create_restricted(desc->name, desc->start, desc->size,
					desc->nid);
	if (IS_ERR(mem))
		return ERR_CAST(mem);

	pool = restricted_dma_pool_alloc(desc);
	pool->mem = mem;
	list_add_tail(&pool->node, &restricted_dma_pools);
	restricted_dma_create_debugfs(pool);
	return pool;
}

/**
 * restricted_dma_pool_refuse() - make a pool known that cannot be used
 * @desc:	What the firmware says about the pool. The range may be anything.
 *
 * Devices that name this pool are not probed. If it is the default pool, no
 * device that would use it can do DMA. The caller says why.
 *
 * Context: Process context, may sleep.
 * Return: The pool.
 */
struct restricted_dma_pool *
restricted_dma_pool_refuse(const struct restricted_dma_desc *desc)
{
	struct restricted_dma_pool *pool = restricted_dma_pool_alloc(desc);

	guard(mutex)(&restricted_dma_mutex);
	list_add_tail(&pool->node, &restricted_dma_pools);
	return pool;
}

/**
 * restricted_dma_pool_find() - look a pool up by its range
 * @start:	Physical address of the pool.
 * @size:	Size of the pool in bytes.
 *
 * Both have to match: a device that names a part of a pool, or more than the
 * pool, has another idea of what it may access than the platform has. The
 * values may come from a device and need not be valid.
 *
 * Context: Process context, may sleep.
 * Return: The pool, NULL if there is none with this range, or
 * ERR_PTR(-EPROBE_DEFER) as long as the firmware may still describe one.
 */
struct restricted_dma_pool *restricted_dma_pool_find(u64 start, u64 size)
{
	struct restricted_dma_pool *pool;

	guard(mutex)(&restricted_dma_mutex);
	list_for_each_entry(pool, &restricted_dma_pools, node) {
		if (size && pool->start == start && pool->size == size)
			return pool;
	}
	return restricted_dma_scanned ? NULL : ERR_PTR(-EPROBE_DEFER);
}
EXPORT_SYMBOL_GPL(restricted_dma_pool_find);

/**
 * restricted_dma_pool_find_fwnode() - look a pool up by what describes it
 * @fwnode:	Node of the pool in the firmware.
 *
 * Context: Process context, may sleep.
 * Return: The first pool that this node describes, or NULL.
 */
struct restricted_dma_pool *
restricted_dma_pool_find_fwnode(const struct fwnode_handle *fwnode)
{
	struct restricted_dma_pool *pool;

	guard(mutex)(&restricted_dma_mutex);
	list_for_each_entry(pool, &restricted_dma_pools, node) {
		if (fwnode && pool->fwnode == fwnode)
			return pool;
	}
	return NULL;
}

/**
 * restricted_dma_set_default() - let all devices use a pool that name no other
 * @pool:	The pool. If it cannot be used, these devices can do no DMA.
 *
 * There can be one default pool only, and it has to be there before the drivers
 * of the devices are. Otherwise the pool still serves those that name it.
 *
 * Context: Process context, may sleep.
 */
void restricted_dma_set_default(struct restricted_dma_pool *pool)
{
	guard(mutex)(&restricted_dma_mutex);
	if (restricted_dma_default) {
		pr_err("%s is not the default pool: linux,dma-default must be in one pool only, and %s has it\n",
		       pool->name, restricted_dma_default->name);
		return;
	}
	if (system_state > SYSTEM_SCHEDULING) {
		pr_err("%s is not the default pool: devices are in use already, it must be there at boot\n",
		       pool->name);
		return;
	}
	WRITE_ONCE(restricted_dma_default, pool);
	if (pool->mem->nslabs)
		pr_info("%s is the default pool of all devices without an IOMMU\n",
			pool->name);
	else
		pr_err("the default pool %s is not usable: no device without an IOMMU can do DMA\n",
		       pool->name);
}

static int __init restricted_dma_scan_done(void)
{
	guard(mutex)(&restricted_dma_mutex);
	restricted_dma_scanned = true;
	return 0;
}

/* ACPI devices, and the pools among them, appear in a subsys_initcall. */
subsys_initcall_sync(restricted_dma_scan_done);
