// SPDX-License-Identifier: GPL-2.0
/*
 * Which restricted DMA pool a device gets.
 *
 * In this order:
 *  1. The pool that the driver attaches it to, because the device itself says
 *     which memory it can reach (virtio).
 *  2. The pool that the firmware assigns to the device with memory-region: in a
 *     device tree, see of_dma_configure_id(), or in the _DSD of an ACPI device.
 *  3. The default pool, unless the device is behind an IOMMU.
 *
 * 2 and 3 are settled each time a driver is bound, after the bus has set up DMA
 * and before the driver is probed. Then the device cannot hold any DMA memory.
 * It stays attached when the driver lets go of it: mappings may be undone later
 * than that, for instance by page_pool, and have to find their pool. To be
 * attached without doing DMA does no harm.
 *
 * Not seen here are devices that do DMA without ever being bound to a driver;
 * whoever makes them has to attach them, usually with of_dma_configure().
 */

#include <linux/acpi.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/export.h>
#include <linux/property.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/swiotlb.h>
#include "restricted.h"

/**
 * struct restricted_dma_user - a device that is attached to a pool
 * @node:	Member of restricted_dma_users.
 * @dev:	The device. No reference is held: it goes when the driver does.
 * @mem:	The allocator of its pool.
 */
struct restricted_dma_user {
	struct list_head node;
	struct device *dev;
	struct io_tlb_mem *mem;
};

/* Devices that are bound to a driver and attached, for the statistics */
static LIST_HEAD(restricted_dma_users);

static struct restricted_dma_user *restricted_dma_find_user(struct device *dev)
{
	struct restricted_dma_user *user;

	lockdep_assert_held(&restricted_dma_mutex);
	list_for_each_entry(user, &restricted_dma_users, node) {
		if (user->dev == dev)
			return user;
	}
	return NULL;
}

/* Set the allocator of @dev, and remember it for as long as a driver is bound. */
static int restricted_dma_set_mem(struct device *dev, struct io_tlb_mem *mem)
{
	struct restricted_dma_user *user;

	guard(mutex)(&restricted_dma_mutex);
	user = restricted_dma_find_user(dev);
	if (!user && dev->driver) {
		user = kzalloc(sizeof(*user), GFP_KERNEL);
		if (!user)
			return -ENOMEM;
		user->dev = dev;
		list_add_tail(&user->node, &restricted_dma_users);
	}
	if (user)
		user->mem = mem;
	swiotlb_dev_set_mem(dev, mem);
	return 0;
}

/* Only direct mapping looks at the allocator of a device. */
static bool restricted_dma_possible(struct device *dev)
{
	return !device_iommu_mapped(dev) && !get_dma_ops(dev);
}

/**
 * restricted_dma_pool_attach() - let a device do DMA in a pool only
 * @pool:	The pool.
 * @dev:	The device. It must not hold any DMA mapping or memory yet.
 *
 * Attaching a device again, also to another pool, is fine under the same
 * condition. The DMA mask of the device is not looked at here: dma_set_mask()
 * fails if the device does not reach its pool.
 *
 * Context: Process context, may sleep.
 * Return: 0, -EOPNOTSUPP if the device does not use direct DMA, usually because
 * it is behind an IOMMU and would bypass the pool, -ENXIO if the pool cannot be
 * used, or -ENOMEM.
 */
int restricted_dma_pool_attach(struct restricted_dma_pool *pool,
			       struct device *dev)
{
	bool known = dev->dma_io_tlb_mem == pool->mem;
	int err;

	if (!restricted_dma_possible(dev)) {
		dev_err(dev, "cannot use a restricted DMA pool: the device is behind an IOMMU\n");
		return -EOPNOTSUPP;
	}
	if (!pool->mem->nslabs) {
		dev_err(dev, "restricted DMA pool %s is not usable, see the message about it above\n",
			pool->name);
		return -ENXIO;
	}

	err = restricted_dma_set_mem(dev, pool->mem);
	if (!err && !known)
		dev_info(dev, "DMA is restricted to %#llx bytes at %#llx\n",
			 (u64)pool->size, (u64)pool->start);
	return err;
}
EXPORT_SYMBOL_GPL(restricted_dma_pool_attach);

/**
 * restricted_dma_pool_detach() - let a device do DMA in any memory again
 * @dev:	The device. It must have given back all its DMA mappings and
 *		memory: what it still holds could not be freed any more.
 *
 * Context: Process context, may sleep.
 */
void restricted_dma_pool_detach(struct device *dev)
{
	restricted_dma_unbind(dev);
	swiotlb_dev_set_mem(dev, NULL);
}

/* The pool that ACPI assigns to @dev, NULL, or an ERR_PTR() */
static struct restricted_dma_pool *restricted_dma_named(struct device *dev)
{
	struct fwnode_handle *fwnode = dev_fwnode(dev);
	struct restricted_dma_pool *pool;
	unsigned int i;

	/* The bus has looked at memory-region in a device tree already */
	if (!is_acpi_device_node(fwnode))
		return NULL;

	for (i = 0; ; i++) {
		struct fwnode_handle *ref __free(fwnode_handle) =
			fwnode_find_reference(fwnode, "memory-region", i);

		if (PTR_ERR_OR_ZERO(ref) == -ENOENT)
			return NULL;
		if (IS_ERR(ref))
			return ERR_PTR(dev_err_probe(dev, PTR_ERR(ref),
				       "memory-region is broken: the firmware must refer to a device\n"));
		pool = restricted_dma_pool_find_fwnode(ref);
		if (pool)
			return pool;
		if (fwnode_property_match_string(ref, "compatible",
						 "restricted-dma-pool") >= 0)
			return ERR_PTR(dev_err_probe(dev, -EPROBE_DEFER,
				       "restricted DMA pool %pfw is not there yet\n",
				       ref));
	}
}

/**
 * restricted_dma_configure() - give a device its pool before it is probed
 * @dev:	The device, whose bus has set up DMA for it.
 *
 * Context: Process context, may sleep. @dev is being bound to a driver.
 * Return: 0 also if there is no pool for @dev. Otherwise the driver must not be
 * probed: -EPROBE_DEFER if the pool may come later, or an error of
 * restricted_dma_pool_attach().
 */
int restricted_dma_configure(struct device *dev)
{
	struct restricted_dma_pool *pool;

	/* A bus that knows of no DMA has not set the mask */
	if (!dev->dma_mask)
		return 0;

	pool = restricted_dma_named(dev);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	if (pool)
		return restricted_dma_pool_attach(pool, dev);

	if (dma_is_restricted(dev))
		return restricted_dma_set_mem(dev, dev->dma_io_tlb_mem);

	pool = READ_ONCE(restricted_dma_default);
	if (!pool || !restricted_dma_possible(dev))
		return 0;
	return restricted_dma_set_mem(dev, pool->mem);
}

/**
 * restricted_dma_unbind() - a device is no longer bound to a driver
 * @dev:	The device. It stays attached to its pool.
 *
 * Context: Process context, may sleep.
 */
void restricted_dma_unbind(struct device *dev)
{
	struct restricted_dma_user *user;

	if (!dma_is_restricted(dev))
		return;

	guard(mutex)(&restricted_dma_mutex);
	user = restricted_dma_find_user(dev);
	if (user) {
		list_del(&user->node);
		kfree(user);
	}
}

/**
 * restricted_dma_last() - the last address of the pool of a device
 * @dev:	A device with a restricted pool.
 *
 * Context: Any.
 * Return: The physical address of the last byte.
 */
phys_addr_t restricted_dma_last(struct device *dev)
{
	return dev->dma_io_tlb_mem->defpool.end - 1;
}

/**
 * restricted_dma_reaches() - does a DMA mask reach the pool of a device?
 * @dev:	A device with a restricted pool.
 * @mask:	The DMA mask.
 *
 * The device has to reach the whole pool, because its memory is not chosen by
 * address. If it does not, a message says so.
 *
 * Context: Any.
 * Return: true if the device can use the pool.
 */
bool restricted_dma_reaches(struct device *dev, u64 mask)
{
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	u64 limit = min_not_zero(mask, dev->bus_dma_limit);
	dma_addr_t first, last;

	if (!mem->nslabs) {
		dev_err_ratelimited(dev, "no DMA: the default restricted DMA pool is not usable\n");
		return false;
	}

	first = phys_to_dma_unencrypted(dev, mem->defpool.start);
	last = phys_to_dma_unencrypted(dev, restricted_dma_last(dev));
	if (first != DMA_MAPPING_ERROR && last != DMA_MAPPING_ERROR &&
	    last <= limit)
		return true;

	dev_err_ratelimited(dev, "%d-bit DMA does not reach the restricted DMA pool [%#llx-%#llx]: it needs a pool below %#llx\n",
			    fls64(limit), (u64)mem->defpool.start,
			    (u64)restricted_dma_last(dev), limit + 1);
	return false;
}

static int restricted_dma_devices_show(struct seq_file *m, void *unused)
{
	struct restricted_dma_pool *pool = m->private;
	struct restricted_dma_user *user;

	guard(mutex)(&restricted_dma_mutex);
	list_for_each_entry(user, &restricted_dma_users, node) {
		if (user->mem == pool->mem)
			seq_printf(m, "%s %s\n", dev_driver_string(user->dev),
				   dev_name(user->dev));
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(restricted_dma_devices);

/* Add the list of devices to the statistics of the allocator. */
void restricted_dma_create_debugfs(struct restricted_dma_pool *pool)
{
	debugfs_create_file("devices", 0400, pool->mem->debugfs, pool,
			    &restricted_dma_devices_fops);
}
