// SPDX-License-Identifier: GPL-2.0
/*
 * Restricted DMA pools.
 *
 * A restricted pool is a range of memory which the platform sets aside as the
 * only memory that some devices may access. A device that is attached to a
 * pool gets its coherent memory from there, and all its streaming DMA bounces
 * through there. Several devices may share one pool.
 *
 * This file knows which pools exist and attaches devices to them. It does not
 * know how a pool was described (restricted-of.c does), and it does not hand
 * out memory: every pool has a swiotlb allocator of its own (swiotlb.c).
 *
 * Lifetime: a pool stays until the system goes down, just as the memory that
 * the platform has set aside does. So a pointer to a pool is always valid, and
 * no reference is taken on it.
 *
 * Locking: restricted_dma_mutex protects the list of pools. Attaching and
 * detaching needs no lock beyond what the driver core holds while it binds and
 * unbinds the device.
 *
 * Cost: pools are looked up when a device is set up, never while it does I/O,
 * and there are few of them. A list is enough.
 */

#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-restricted.h>
#include <linux/export.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>

/**
 * struct restricted_dma_pool - one range of memory and its allocator
 * @node:	Member of restricted_dma_pools.
 * @start:	Physical address of the first byte.
 * @size:	Number of bytes.
 * @mem:	Allocator of the slots in this range.
 */
struct restricted_dma_pool {
	struct list_head node;
	phys_addr_t start;
	phys_addr_t size;
	struct io_tlb_mem *mem;
};

static LIST_HEAD(restricted_dma_pools);
static DEFINE_MUTEX(restricted_dma_mutex);

static bool restricted_dma_overlaps(phys_addr_t start, phys_addr_t size)
{
	struct restricted_dma_pool *pool;

	lockdep_assert_held(&restricted_dma_mutex);
	list_for_each_entry(pool, &restricted_dma_pools, node) {
		if (start < pool->start + pool->size &&
		    pool->start < start + size)
			return true;
	}
	return false;
}

/**
 * restricted_dma_pool_create() - create a pool and make it known
 * @name:	Name of the pool's directory in debugfs.
 * @start:	Physical address of the pool, page aligned.
 * @size:	Size of the pool in bytes.
 *
 * The memory must have a struct page for every page, must be in the linear
 * mapping, and must be used by nobody else. If memory is encrypted, the whole
 * pool is decrypted here. Apart from that, the pages of the pool are not
 * touched; see swiotlb_create_restricted() for what that means for the caller.
 *
 * Context: Process context, may sleep.
 * Return: The new pool, or an ERR_PTR(): -EINVAL if the range is empty or goes
 * past the end of the address space, -EEXIST if it overlaps another pool,
 * -ENOMEM if there is no memory for the slot table, or the error of
 * set_memory_decrypted().
 */
struct restricted_dma_pool *restricted_dma_pool_create(const char *name,
						       phys_addr_t start,
						       phys_addr_t size)
{
	struct restricted_dma_pool *pool;
	int err;

	if (!size || start + size < start)
		return ERR_PTR(-EINVAL);

	pool = kzalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool)
		return ERR_PTR(-ENOMEM);
	pool->start = start;
	pool->size = size;

	guard(mutex)(&restricted_dma_mutex);
	if (restricted_dma_overlaps(start, size)) {
		err = -EEXIST;
		goto free_pool;
	}
	pool->mem = swiotlb_create_restricted(name, start, size);
	if (IS_ERR(pool->mem)) {
		err = PTR_ERR(pool->mem);
		goto free_pool;
	}
	list_add_tail(&pool->node, &restricted_dma_pools);
	return pool;

free_pool:
	kfree(pool);
	return ERR_PTR(err);
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
 * Return: The pool, or NULL if there is none with this range.
 */
struct restricted_dma_pool *restricted_dma_pool_find(u64 start, u64 size)
{
	struct restricted_dma_pool *pool;

	guard(mutex)(&restricted_dma_mutex);
	list_for_each_entry(pool, &restricted_dma_pools, node) {
		if (pool->start == start && pool->size == size)
			return pool;
	}
	return NULL;
}
EXPORT_SYMBOL_GPL(restricted_dma_pool_find);

/**
 * restricted_dma_pool_attach() - let a device do DMA in a pool only
 * @pool:	The pool.
 * @dev:	The device. It must not hold any DMA mapping or memory yet.
 *
 * Attaching a device again, also to another pool, is fine under the same
 * condition.
 *
 * Context: While @dev is being bound to a driver, or is bound.
 * Return: 0, or -EOPNOTSUPP if the device does not use direct DMA, usually
 * because it is behind an IOMMU. Then it would bypass the pool.
 */
int restricted_dma_pool_attach(struct restricted_dma_pool *pool,
			       struct device *dev)
{
	if (device_iommu_mapped(dev) || get_dma_ops(dev)) {
		dev_err(dev, "cannot use a restricted DMA pool: the device is behind an IOMMU\n");
		return -EOPNOTSUPP;
	}
	swiotlb_dev_set_mem(dev, pool->mem);
	return 0;
}

/**
 * restricted_dma_pool_detach() - let a device do DMA in any memory again
 * @dev:	The device. It must have given back all its DMA mappings and
 *		memory: what it still holds could not be freed any more.
 *
 * Context: After the driver of @dev has freed its last DMA resource.
 */
void restricted_dma_pool_detach(struct device *dev)
{
	swiotlb_dev_set_mem(dev, NULL);
}

static void devm_restricted_dma_pool_detach(void *dev)
{
	restricted_dma_pool_detach(dev);
}

/**
 * devm_restricted_dma_pool_attach() - attach a device until it is unbound
 * @pool:	The pool.
 * @dev:	The device. It must not hold any DMA mapping or memory yet.
 *
 * Managed resources are released in reverse order. So memory that a driver
 * gets by dmam_alloc_coherent() after this call is freed before the device is
 * detached, as it has to be.
 *
 * Context: Process context, may sleep, while @dev is bound to a driver.
 * Return: 0, -ENOMEM, or an error of restricted_dma_pool_attach().
 */
int devm_restricted_dma_pool_attach(struct restricted_dma_pool *pool,
				    struct device *dev)
{
	int err = restricted_dma_pool_attach(pool, dev);

	if (err)
		return err;
	return devm_add_action_or_reset(dev, devm_restricted_dma_pool_detach,
					dev);
}
EXPORT_SYMBOL_GPL(devm_restricted_dma_pool_attach);
