// SPDX-License-Identifier: GPL-2.0
/*
 * Which restricted DMA pool a device gets.
 *
 * The first of these that applies:
 *  1. The pool that the driver attaches the device to, because the device says
 *     which memory it can reach (virtio).
 *  2. The pool that the firmware assigns to the device, or to its PCI host bridge,
 *     with memory-region: in a device tree, see of_dma_configure_id(), or in the
 *     _DSD of an ACPI device.
 *  3. Unless an IOMMU translates the addresses of the device: the pool of its
 *     parent if it uses the DMA mask of the parent, or else the default pool.
 *
 * Each time a driver is bound, after the bus has set up DMA and before the
 * probe, 2 applies if the firmware names a pool. Otherwise a device keeps the
 * pool it is attached to; if it has none, 3 applies. A device stays attached
 * when its driver is unbound: page_pool, for instance, may undo mappings later,
 * and has to find their pool. Being attached without doing DMA does no harm.
 *
 * An IOMMU confines a device to what the DMA API has mapped only while it
 * translates. With an identity domain (iommu=pt, quirks of some devices) the
 * device reaches all memory, so it needs its pool as if there were no IOMMU.
 * The default domain of a device changes (the file type of an IOMMU group in
 * sysfs) only while no driver is bound that uses it. So the choice is made anew
 * at each bind: a device that is now translated leaves its pool, one that no
 * longer is gets the default pool. Drivers that bring a domain of their own
 * (driver_managed_dma, such as vfio-pci) hand out addresses of that domain
 * without the DMA API. For them a pool changes nothing: what confines the device
 * is that domain. vfio without an IOMMU refuses a device that has a pool.
 *
 * Some devices do DMA for a driver that is bound to another device. If they have
 * a node in a device tree, of_dma_configure() gives them their pool. Otherwise,
 * whoever creates such a device has to attach it.
 *
 * Locking: callers serialise. The driver core binds and unbinds a device under
 * its lock. A virtio device exists only while its parent is bound, so its attach
 * of the parent cannot overlap with the parent's own bind or unbind.
 * restricted.c protects its lists.
 */

#define dev_fmt(fmt) "restricted DMA: " fmt

#include <linux/acpi.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/export.h>
#include <linux/iommu-dma.h>
#include <linux/pci.h>
#include <linux/property.h>
#include <linux/swiotlb.h>
#include "restricted.h"
#include "swiotlb_reserve.h"

/**
 * restricted_dma_is_direct() - does a device use direct mapping?
 * @dev:	The device, whose bus has set up DMA for it.
 *
 * Nothing else confines DMA to a pool. A device behind an IOMMU uses direct
 * mapping too unless the IOMMU translates for the DMA API.
 *
 * Context: Any, as long as the default domain of @dev does not change.
 * Return: true if it does.
 */
bool restricted_dma_is_direct(struct device *dev)
{
	return !use_dma_iommu(dev) && !get_dma_ops(dev);
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
 * the same time. Takes restricted_dma_mutex.
 * Return: 0, -EOPNOTSUPP if the device does not use direct mapping, usually
 * because an IOMMU translates its addresses and it would bypass the pool, -ENXIO
 * if the pool is unusable, or -ENOMEM, also if the pool has no room for what each
 * device has for itself.
 */
int restricted_dma_pool_attach(struct restricted_dma_pool *pool,
			       struct device *dev)
{
	bool attached = dev->dma_io_tlb_mem == pool->mem;
	int err;

	if (!restricted_dma_is_direct(dev)) {
		dev_err(dev, "cannot use pool %s of %#llx bytes at %#llx while an IOMMU translates: the platform must give the device only one of them\n",
			pool->name, (u64)pool->size, (u64)pool->base);
		return -EOPNOTSUPP;
	}
	if (!restricted_dma_pool_usable(pool)) {
		/* Not all callers give up, so let it have no memory at all */
		swiotlb_dev_set_mem(dev, pool->mem);
		dev_err(dev, "pool %s of %#llx bytes at %#llx is unusable: an earlier message says why\n",
			pool->name, (u64)pool->size, (u64)pool->base);
		return -ENXIO;
	}

	/* Even if the rest fails, it reaches no other memory */
	swiotlb_dev_set_mem(dev, pool->mem);
	err = swiotlb_reserve_create(dev);
	if (!err)
		err = restricted_dma_pool_add_user(pool, dev);
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
 * the same time. Takes restricted_dma_mutex.
 */
void restricted_dma_pool_detach(struct device *dev)
{
	restricted_dma_remove_user(dev);
	swiotlb_dev_set_mem(dev, NULL);
}

/**
 * restricted_dma_forbid() - let a device do no DMA before it has a pool
 * @dev:	The device. If it is attached to a pool, it stays there.
 *
 * For a device whose pool cannot be used, or not yet, if the error may be
 * ignored. It can be attached later. Until then, no driver is bound to it.
 *
 * Context: Process context, may sleep. Nobody else attaches or detaches @dev at
 * the same time. Takes restricted_dma_mutex.
 */
void restricted_dma_forbid(struct device *dev)
{
	if (!dma_is_restricted(dev))
		swiotlb_dev_set_mem(dev, restricted_dma_no_pool()->mem);
}

/* The pool that @fwnode assigns to @dev, NULL, or an ERR_PTR() */
static struct restricted_dma_pool *
restricted_dma_named_pool(struct device *dev, const struct fwnode_handle *fwnode)
{
	struct restricted_dma_pool *pool;
	unsigned int i;

	/* In a device tree, the bus has looked at memory-region already */
	if (!is_acpi_device_node(fwnode) && !is_software_node(fwnode))
		return NULL;

	for (i = 0; ; i++) {
		struct fwnode_handle *ref __free(fwnode_handle) =
			fwnode_find_reference(fwnode, "memory-region", i);

		if (PTR_ERR_OR_ZERO(ref) == -ENOENT)
			return NULL;
		if (IS_ERR(ref))
			return dev_err_cast_probe(dev, ref,
				"restricted DMA: memory-region is broken: the firmware must refer to a device\n");
		pool = restricted_dma_pool_find_fwnode(ref);
		if (pool)
			return pool;
		if (fwnode_property_match_string(ref, "compatible",
						 "restricted-dma-pool") >= 0)
			return dev_err_ptr_probe(dev, -EPROBE_DEFER,
				"restricted DMA: pool %pfw does not exist yet\n",
				ref);
	}
}

/*
 * The pool that the firmware assigns to @dev, other than with a device tree:
 * NULL if there is none, or an ERR_PTR(). As in a device tree, a PCI host bridge
 * names the pool of all devices below it that name none.
 */
static struct restricted_dma_pool *
restricted_dma_firmware_pool(struct device *dev)
{
	struct restricted_dma_pool *pool;
	struct pci_host_bridge *bridge;

	pool = restricted_dma_named_pool(dev, dev_fwnode(dev));
	if (pool || !dev_is_pci(dev))
		return pool;
	bridge = pci_find_host_bridge(to_pci_dev(dev)->bus);
	return restricted_dma_named_pool(dev, dev_fwnode(&bridge->dev));
}

/* The pool of the parent of @dev, if @dev does DMA as a part of it, or NULL */
static struct restricted_dma_pool *restricted_dma_parent_pool(struct device *dev)
{
	struct device *parent = dev->parent;

	/* The cells of multi-function devices, for instance, have it from there */
	if (!parent || parent->dma_mask != dev->dma_mask)
		return NULL;
	return restricted_dma_pool_find_dev(parent);
}

/**
 * restricted_dma_configure() - give a device its pool before it is probed
 * @dev:	The device, whose bus has set up DMA for it.
 *
 * Context: Process context, may sleep. @dev is being bound to a driver. Takes
 * restricted_dma_mutex.
 * Return: 0, also if there is no pool for @dev. Otherwise the driver must not
 * be probed: -EPROBE_DEFER if the pool may come later, or an error of
 * fwnode_find_reference() or restricted_dma_pool_attach().
 */
int restricted_dma_configure(struct device *dev)
{
	struct restricted_dma_pool *pool;

	pool = restricted_dma_firmware_pool(dev);
	if (IS_ERR(pool))
		return PTR_ERR(pool);
	if (pool)
		return restricted_dma_pool_attach(pool, dev);

	/* The bus sets no mask if it knows of no DMA */
	if (!dev->dma_mask)
		return 0;

	pool = restricted_dma_pool_find_dev(dev);
	if (!restricted_dma_is_direct(dev)) {
		/* Its domain has changed since: it has no direct mappings */
		if (pool)
			restricted_dma_pool_detach(dev);
		if (get_dma_ops(dev) && READ_ONCE(restricted_dma_default))
			dev_notice(dev, "has DMA operations of its own: the default pool does not restrict them\n");
		return 0;
	}

	if (pool && pool != READ_ONCE(restricted_dma_default))
		return restricted_dma_pool_attach(pool, dev);

	/* It may do no DMA, so it gets no reserve before it sets a mask */
	pool = restricted_dma_parent_pool(dev) ?:
	       READ_ONCE(restricted_dma_default);
	if (!pool)
		return 0;
	swiotlb_dev_set_mem(dev, pool->mem);
	return restricted_dma_pool_add_user(pool, dev);
}

/**
 * restricted_dma_cleanup() - note that a device is no longer bound to a driver
 * @dev:	The device. It stays attached to its pool.
 *
 * Context: Process context, may sleep. @dev is being unbound from a driver.
 * Takes restricted_dma_mutex.
 */
void restricted_dma_cleanup(struct device *dev)
{
	if (dma_is_restricted(dev))
		restricted_dma_remove_user(dev);
}

/**
 * restricted_dma_release() - forget a device that ceases to exist
 * @dev:	The device.
 *
 * Context: Process context.
 */
void restricted_dma_release(struct device *dev)
{
	swiotlb_reserve_destroy(dev);
}

/**
 * restricted_dma_phys_limit() - the highest address of the pool of a device
 * @dev:	A device that is attached to a pool.
 *
 * Context: Any.
 * Return: The physical address of the last byte, or the largest phys_addr_t if
 * the pool is unusable.
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

/* Does the bus of @dev have an address for all of its pool? */
static bool restricted_dma_translates(struct device *dev)
{
	phys_addr_t first = dev->dma_io_tlb_mem->defpool.start;
	phys_addr_t last = restricted_dma_phys_limit(dev);

	return phys_to_dma_unencrypted(dev, first) != DMA_MAPPING_ERROR &&
	       phys_to_dma_unencrypted(dev, last) != DMA_MAPPING_ERROR;
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
 * Return: true if the pool is usable and @mask and the bus reach all of it.
 */
bool restricted_dma_supported(struct device *dev, u64 mask)
{
	phys_addr_t last = restricted_dma_phys_limit(dev);

	if (!dev->dma_io_tlb_mem->nslabs || !restricted_dma_translates(dev))
		return false;
	return phys_to_dma_unencrypted(dev, last) <=
	       restricted_dma_bus_limit(dev, mask);
}

/**
 * restricted_dma_report_unsupported() - log why a device cannot use its pool
 * @dev:	A device for which restricted_dma_supported() is false.
 * @mask:	The DMA mask.
 *
 * Context: Any. Rate limited.
 */
void restricted_dma_report_unsupported(struct device *dev, u64 mask)
{
	struct io_tlb_mem *mem = dev->dma_io_tlb_mem;
	u64 limit = restricted_dma_bus_limit(dev, mask);
	u64 first = mem->defpool.start;
	u64 last = restricted_dma_phys_limit(dev);

	if (!mem->nslabs)
		dev_err_ratelimited(dev, "no DMA, because the default pool is unusable: an earlier message says why\n");
	else if (!restricted_dma_translates(dev))
		dev_err_ratelimited(dev, "dma-ranges does not cover the pool [%#llx-%#llx]: the firmware must extend it\n",
				    first, last);
	else
		dev_err_ratelimited(dev, "%d-bit DMA does not reach the pool [%#llx-%#llx]: it needs a pool below %#llx\n",
				    fls64(limit), first, last, limit + 1);
}
