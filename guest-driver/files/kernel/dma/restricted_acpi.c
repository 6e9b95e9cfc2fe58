// SPDX-License-Identifier: GPL-2.0
/*
 * Restricted DMA pools that ACPI describes.
 *
 * A pool is a device with _HID "PRP0001" whose device property "compatible" is
 * "restricted-dma-pool". Its _CRS holds the memory range. The firmware reports
 * the range as reserved memory, so no system takes it for RAM. If there are
 * several ranges, each is a pool of its own, and a reference to the device
 * means the first.
 *
 * For the kernel such a range is a hole: it has neither struct pages nor a
 * place in the linear mapping. ZONE_DEVICE provides both. The struct pages are
 * in ordinary memory, not in the pool, because devices can write to the pool.
 *
 * The pages of a pool are not touched before they are used. There is nothing to
 * clear in them: they never belonged to the kernel.
 *
 * Documentation/firmware-guide/acpi/restricted-dma-pool.rst has the rules that
 * the firmware must follow.
 */

#define dev_fmt(fmt) "restricted DMA: " fmt

#include <linux/acpi.h>
#include <linux/dma-restricted.h>
#include <linux/init.h>
#include <linux/ioport.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mod_devicetable.h>
#include <linux/numa.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include "restricted.h"

/* The granularity of ZONE_DEVICE, and of pools in the guest interface */
#define RESTRICTED_DMA_ALIGN	SZ_2M

/*
 * Check that @res can be a pool: return 0, or log what the firmware has to
 * change and return -EINVAL.
 */
int restricted_acpi_check(struct device *dev, const struct resource *res)
{
	if (!IS_ALIGNED(res->start | resource_size(res), RESTRICTED_DMA_ALIGN)) {
		dev_err(dev, "%pR is not aligned: the firmware must start and end it at a multiple of 2 MiB\n",
			res);
		return -EINVAL;
	}

	if (region_intersects(res->start, resource_size(res),
			      IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT) {
		dev_err(dev, "%pR overlaps System RAM: the firmware must report it as reserved memory\n",
			res);
		return -EINVAL;
	}
	return 0;
}

/*
 * Create a pool in a range that this driver owns already. If nothing is mapped
 * there in the end, this gives the range up. There is no devm_ here, because
 * pools stay for ever.
 */
static struct restricted_dma_pool *
restricted_acpi_map(const struct restricted_dma_desc *desc)
{
	struct dev_pagemap *pgmap;
	void *vaddr = ERR_PTR(-ENOMEM);

	pgmap = kzalloc(sizeof(*pgmap), GFP_KERNEL);
	if (!pgmap)
		goto release;
	pgmap->type = MEMORY_DEVICE_GENERIC;
	pgmap->range.start = desc->base;
	pgmap->range.end = desc->base + desc->size - 1;
	pgmap->nr_range = 1;

	vaddr = memremap_pages(pgmap, desc->nid);
	if (IS_ERR(vaddr))
		goto release;

	/*
	 * If this fails, the struct pages stay. With large pages, neighbours
	 * keep theirs in the same memory, which memunmap_pages() would free. So
	 * nobody else may use the range.
	 */
	return restricted_dma_pool_create(desc);

release:
	kfree(pgmap);
	release_mem_region(desc->base, desc->size);
	return ERR_CAST(vaddr);
}

static struct restricted_dma_pool *
restricted_acpi_create(struct device *dev, struct resource *res,
		       const struct restricted_dma_desc *desc)
{
	struct restricted_dma_pool *pool;
	int err;

	err = restricted_acpi_check(dev, res);
	if (err)
		return ERR_PTR(err);

	if (!request_mem_region(res->start, resource_size(res),
				"restricted-dma-pool")) {
		dev_err(dev, "%pR is in use: the firmware must give each pool a range of its own\n",
			res);
		return ERR_PTR(-EBUSY);
	}

	/* If this device was removed earlier, its region went with it */
	pool = restricted_dma_pool_renew(desc);
	if (!IS_ERR_OR_NULL(pool)) {
		dev_info(dev, "%s is there already\n", desc->name);
		return pool;
	}
	if (IS_ERR(pool))
		release_mem_region(res->start, resource_size(res));
	else
		pool = restricted_acpi_map(desc);

	if (IS_ERR(pool))
		dev_err(dev, "cannot create a pool in %pR: error %ld\n", res,
			PTR_ERR(pool));
	else
		dev_info(dev, "created %s, %llu MiB\n", desc->name,
			 (u64)desc->size / SZ_1M);
	return pool;
}

/*
 * Make range @idx of _CRS a pool. An unusable one is made known too, also if
 * there is no range at all, so that no device that needs it is probed.
 */
static int restricted_acpi_add(struct platform_device *pdev, unsigned int idx)
{
	struct resource *res = platform_get_resource(pdev, IORESOURCE_MEM, idx);
	struct restricted_dma_pool *pool = ERR_PTR(-EINVAL);
	struct restricted_dma_desc desc;
	struct device *dev = &pdev->dev;
	char name[48];
	int err;

	desc.base = res ? res->start : 0;
	desc.size = res ? resource_size(res) : 0;
	/* The node of the device itself is only set after its probe */
	desc.nid = numa_map_to_online_node(acpi_get_node(ACPI_HANDLE(dev)));
	desc.fwnode = dev_fwnode(dev);
	desc.name = name;
	/* The name that a node in a device tree would have */
	snprintf(name, sizeof(name), "restricted-dma-pool@%llx",
		 (u64)desc.base);

	if (res)
		pool = restricted_acpi_create(dev, res, &desc);
	else
		dev_err(dev, "no memory range: the firmware must give one in _CRS\n");

	err = PTR_ERR_OR_ZERO(pool);
	if (err)
		pool = restricted_dma_pool_refuse(&desc);
	if (!idx && device_property_present(dev, "linux,dma-default"))
		restricted_dma_set_default(pool);
	return err;
}

/*
 * Errors are logged where they are found, with the range and with what to do
 * about them. -ENXIO keeps the driver core from logging them again.
 */
static int restricted_acpi_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	unsigned int i;
	int err;

	/* restricted_of.c handles what a device tree describes */
	if (!has_acpi_companion(dev))
		return -ENODEV;

	/* Memory does no DMA, so it is no user of another pool. */
	restricted_dma_pool_detach(dev);

	err = restricted_acpi_add(pdev, 0);
	for (i = 1; platform_get_resource(pdev, IORESOURCE_MEM, i); i++) {
		if (!restricted_acpi_add(pdev, i))
			err = 0;
	}
	return err ? -ENXIO : 0;
}

/* ACPI refuses to eject a pool, but its table may be unloaded. */
static void restricted_acpi_remove(struct platform_device *pdev)
{
	dev_warn(&pdev->dev, "removed, but its memory stays a pool: devices may use it\n");
}

static const struct of_device_id restricted_acpi_match[] = {
	{ .compatible = "restricted-dma-pool" },
	{ }
};

static struct platform_driver restricted_acpi_driver = {
	.probe = restricted_acpi_probe,
	.remove = restricted_acpi_remove,
	.driver = {
		.name = "restricted-dma-pool",
		.of_match_table = restricted_acpi_match,
		/* No device may miss its pool because the pool is late */
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
		/* Pools stay for ever, see restricted.c */
		.suppress_bind_attrs = true,
	},
};

/*
 * ACPI devices appear in a subsys_initcall. This driver comes before them, so
 * the pools exist when the first PCI driver looks for one.
 */
static int __init restricted_acpi_init(void)
{
	return platform_driver_register(&restricted_acpi_driver);
}
arch_initcall(restricted_acpi_init);

/*
 * If the _CRS of a pool is broken or overlaps another, there is no platform
 * device and the driver has not seen the pool. Devices that need it must not be
 * probed all the same.
 */
static int __init restricted_acpi_refuse_missing(void)
{
	struct restricted_dma_desc desc = { .nid = NUMA_NO_NODE };
	struct restricted_dma_pool *pool;
	struct acpi_device *adev;

	for_each_acpi_dev_match(adev, "PRP0001", NULL, -1) {
		desc.fwnode = acpi_fwnode_handle(adev);
		if (!adev->status.present ||
		    fwnode_property_match_string(desc.fwnode, "compatible",
						 "restricted-dma-pool") < 0 ||
		    restricted_dma_pool_find_fwnode(desc.fwnode))
			continue;

		dev_err(&adev->dev, "no pool: the firmware must give it a range in _CRS that is reserved memory and overlaps nothing\n");
		desc.name = dev_name(&adev->dev);
		pool = restricted_dma_pool_refuse(&desc);
		if (fwnode_property_present(desc.fwnode, "linux,dma-default"))
			restricted_dma_set_default(pool);
	}
	return 0;
}
subsys_initcall_sync(restricted_acpi_refuse_missing);
