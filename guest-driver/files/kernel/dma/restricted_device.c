// SPDX-License-Identifier: GPL-2.0
/*
 * Which restricted DMA pool a device gets.
 *
 * The first of these that applies:
 *  1. The pool that the driver attaches the device to, because the device says
 *     which memory it can reach (virtio).
 *  2. The pool that the firmware assigns to the device with memory-region: in a
 *     device tree, see of_dma_configure_id(), or in the _DSD of an ACPI device.
 *  3. The default pool, unless the device is behind an IOMMU.
 *
 * 2 and 3 are settled each time a driver is bound, after the bus has set up DMA
 * and before the driver is probed. At that point the device cannot hold any DMA
 * memory. It stays attached when the driver is unbound: page_pool, for
 * instance, may undo its mappings later, and has to find the pool they are in.
 * Being attached without doing DMA does no harm.
 *
 * A device that does DMA without ever being bound to a driver is not seen here.
 * Whoever creates it has to attach it, usually with of_dma_configure().
 *
 * Locking: the driver core lets one thread at a time bind or unbind the driver
 * of a device, or of the virtio device below it. So nothing here needs a lock;
 * restricted.c protects its own lists.
 */

#define pr_fmt(fmt) "restricted DMA: " fmt
#define dev_fmt pr_fmt

#include <linux/acpi.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/export.h>
#include <linux/property.h>
#include <linux/swiotlb.h>
#include "restricted.h"

/* Does @dev use direct mapping? Nothing else looks at dma_io_tlb_mem. */
static bool restricted_dma_is_direct(struct device *dev)
{
	return !device_iommu_mapped(dev) && !get_dma_ops(dev);
}

/* Attach @dev to @pool, and list it there for as long as a driver is bound. */
static int restricted_dma_set_pool(struct device *dev,
				   struct restricted_dma_pool *pool)
{
	int err = restricted_dma_pool_add_user(pool, dev);

	if (!err)
		swiotlb_dev_set_mem(dev, pool->mem);
	return err;
}

/**
 * restricted_dma_pool_attach() - confine all DMA of a device to a pool
 * @pool:	The pool.
 * @dev:	The device. It must not hold any DMA mapping or memory yet.
 *
 * A device may be attached again, also to another pool, under the same
 * condition. This does not check the DMA mask: dma_set_mask() fails if the
 * device does not reach its pool.
 *
 * Context: Process context, may sleep. Nobody else attaches or detaches @dev at
 * the same time.
 * Return: 0, -EOPNOTSUPP if the device does not use direct mapping, usually
 * because it is behind an IOMMU and would bypass the pool, -ENXIO if the pool
 * is unusable, or -ENOMEM.
 */
int restricted_dma_pool_attach(struct restricted_dma_pool *pool,
			       struct device *dev)
{
	bool attached = dev->dma_io_tlb_mem == pool->mem;
	int err;

	if (!restricted_dma_is_direct(dev)) {
		dev_err(dev, "cannot use a pool from behind an IOMMU: the platform must give the device only one of them\n");
		return -EOPNOTSUPP;
	}
	if (!restricted_dma_pool_usable(pool)) {
		dev_err(dev, "pool %s is unusable: an earlier message says why\n",
			pool->name);
		return -ENXIO;
	}

	err = restricted_dma_set_pool(dev, pool);
	if (!err && !attached)
		dev_info(dev, "attached to the pool of %#llx bytes at %#llx\n",
			 (u64)pool->size, (u64)pool->base);
	return err;
}
EXPORT_SYMBOL_GPL(restricted_dma_pool_attach);

/**
 * restricted_dma_pool_detach() - let a device do DMA in any memory again
 * @dev:	The device. It must have given back all its DMA mappings and
 *		memory: what it still holds could no longer be freed.
 *
 * Context: Process context, may sleep. Nobody else attaches or detaches @dev at
 * the same time.
 */
void restricted_dma_pool_detach(struct device *dev)
{
	restricted_dma_cleanup(dev);
	swiotlb_dev_set_mem(dev, NULL);
}

/* The pool that ACPI assigns to @dev, NULL, or an ERR_PTR() */
static struct restricted_dma_pool *restricted_dma_acpi_pool(struct device *dev)
{
	struct fwnode_handle *fwnode = dev_fwnode(dev);
	struct restricted_dma_pool *pool;
	unsigned int i;

	/* In a device tree, the bus has looked at memory-region already */
	if (!is_acpi_device_node(fwnode))
		return NULL;

	for (i = 0; ; i++) {
		struct fwnode_handle *ref __free(fwnode_handle) =
			fwnode_find_reference(fwnode, "memory-region", i);

		if (PTR_ERR_OR_ZERO(ref) == -ENOENT)
			return NULL;
		if (IS_ERR(ref)) {
			dev_err_probe(dev, PTR_ERR(ref),
				      "restricted DMA: memory-region is broken: the firmware must refer to a device\n");
			return ERR_CAST(ref);
		}
		pool = restricted_dma_pool_find_fwnode(ref);
		if (pool)
			return pool;
		if (fwnode_property_match_string(ref, "compatible",
						 "restricted-dma-pool") >= 0)
			return ERR_PTR(dev_err_probe(dev, -EPROBE_DEFER,
				       "restricted DMA: pool %pfw does not exist yet\n",
				       ref));
	}
}

/**
 * restricted_dma_configure() - give a device its pool before it is probed
 * @dev:	The device, whose bus has set up DMA for it.
 *
 * Context: Process context, may sleep. @dev is being bound to a driver.
 * Return: 0, also if there is no pool for @dev. Otherwise the driver must not
 * be probed: -EPROBE_DEFER if the pool may come later, or an error of
 * restricted_dma_pool_attach().
 */
int restricted_dma_configure(struct device *dev)
{
	struct restricted_dma_pool *pool;

	/* The bus sets no mask if it knows of no DMA */
	if (!dev->dma_mask)
		return 0;

	pool = restricted_dma_acpi_pool(dev);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	if (pool)
		return restricted_dma_pool_attach(pool, dev);

	if (dma_is_restricted(dev))
		return restricted_dma_set_pool(dev,
					       restricted_dma_pool_of(dev));

	pool = READ_ONCE(restricted_dma_default);
	if (!pool || !restricted_dma_is_direct(dev))
		return 0;
	return restricted_dma_set_pool(dev, pool);
}

/**
 * restricted_dma_cleanup() - note that a device is no longer bound to a driver
 * @dev:	The device. It stays attached to its pool.
 *
 * Context: Process context, may sleep. @dev is being unbound from a driver.
 */
void restricted_dma_cleanup(struct device *dev)
{
	if (dma_is_restricted(dev))
		restricted_dma_pool_remove_user(dev);
}

/**
 * restricted_dma_phys_limit() - the highest address of the pool of a device
 * @dev:	A device that is attached to a pool.
 *
 * Context: Any.
 * Return: The physical address of the last byte.
 */
phys_addr_t restricted_dma_phys_limit(struct device *dev)
{
	return dev->dma_io_tlb_mem->defpool.end - 1;
}

/* The last bus address that @dev can reach with @mask */
static u64 restricted_dma_bus_limit(struct device *dev, u64 mask)
{
	return min_not_zero(mask, dev->bus_dma_limit);
}

/**
 * restricted_dma_supported() - can a device with this DMA mask use its pool?
 * @dev:	A device that is attached to a pool.
 * @mask:	The DMA mask.
 *
 * The device has to reach the whole pool, because slots are not chosen by
 * address.
 *
 * Context: Any.
 * Return: true if the pool is usable and @mask covers all of it.
 */
bool restricted_dma_supported(struct device *dev, u64 mask)
{
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	dma_addr_t first, last;

	if (!mem->nslabs)
		return false;

	first = phys_to_dma_unencrypted(dev, mem->defpool.start);
	last = phys_to_dma_unencrypted(dev, restricted_dma_phys_limit(dev));
	return first != DMA_MAPPING_ERROR && last != DMA_MAPPING_ERROR &&
	       last <= restricted_dma_bus_limit(dev, mask);
}

/**
 * restricted_dma_report_unsupported() - log why a device cannot use its pool
 * @dev:	A device for which restricted_dma_supported() is false.
 * @mask:	The DMA mask.
 *
 * Context: Any.
 */
void restricted_dma_report_unsupported(struct device *dev, u64 mask)
{
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	u64 limit = restricted_dma_bus_limit(dev, mask);

	if (!mem->nslabs) {
		dev_err_ratelimited(dev, "no DMA, because the default pool is unusable: an earlier message says why\n");
		return;
	}
	dev_err_ratelimited(dev, "%d-bit DMA does not reach the pool [%#llx-%#llx]: it needs a pool below %#llx\n",
			    fls64(limit), (u64)mem->defpool.start,
			    (u64)restricted_dma_phys_limit(dev), limit + 1);
}
