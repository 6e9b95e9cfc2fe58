// SPDX-License-Identifier: GPL-2.0
/*
 * Restricted DMA pools that ACPI describes.
 *
 * A pool is a device with _HID "PRP0001" and the device property
 * compatible = "restricted-dma-pool". Its _CRS holds one memory range, which
 * the firmware reports as reserved memory, so that no system takes it for RAM.
 *
 * For the kernel such a range is a hole: it has neither struct pages nor a
 * place in the linear mapping. ZONE_DEVICE provides both. The struct pages are
 * in ordinary memory, not in the pool, because devices can write to the pool.
 *
 * The pages of the pool are not touched before they are used. There is nothing
 * to clear in them: they never belonged to the kernel.
 */

#include <linux/acpi.h>
#include <linux/dma-restricted.h>
#include <linux/init.h>
#include <linux/ioport.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mod_devicetable.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/sizes.h>
#include <linux/slab.h>

/* The granularity of ZONE_DEVICE, and of pools in the guest interface */
#define RESTRICTED_DMA_ALIGN	SZ_2M

static struct resource *restricted_acpi_range(struct platform_device *pdev)
{
	struct resource *res = platform_get_resource(pdev, IORESOURCE_MEM, 0);
	struct device *dev = &pdev->dev;

	if (!res || platform_get_resource(pdev, IORESOURCE_MEM, 1)) {
		dev_err(dev, "the firmware must give one memory range in _CRS\n");
		return NULL;
	}

	if (!IS_ALIGNED(res->start | resource_size(res), RESTRICTED_DMA_ALIGN)) {
		dev_err(dev, "%pR is not aligned: the firmware must start and end it at a multiple of 2 MiB\n",
			res);
		return NULL;
	}

	if (region_intersects(res->start, resource_size(res),
			      IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT) {
		dev_err(dev, "%pR overlaps System RAM: the firmware must report it as reserved memory\n",
			res);
		return NULL;
	}

	return res;
}

/*
 * Create a pool in @res, which this driver owns already. On success nothing is
 * ever undone, because pools stay for ever; so there is no devm_ here.
 */
static int restricted_acpi_create(struct device *dev, struct resource *res)
{
	int node = acpi_get_node(ACPI_HANDLE(dev));
	struct restricted_dma_pool *pool;
	struct dev_pagemap *pgmap;
	char name[48];
	void *vaddr;
	int err;

	pgmap = kzalloc(sizeof(*pgmap), GFP_KERNEL);
	if (!pgmap)
		return -ENOMEM;
	pgmap->type = MEMORY_DEVICE_GENERIC;
	pgmap->range.start = res->start;
	pgmap->range.end = res->end;
	pgmap->nr_range = 1;

	vaddr = memremap_pages(pgmap, node);
	if (IS_ERR(vaddr)) {
		err = PTR_ERR(vaddr);
		goto free_pgmap;
	}

	/* The name that a node in the device tree would have */
	snprintf(name, sizeof(name), "restricted-dma-pool@%llx",
		 (u64)res->start);
	pool = restricted_dma_pool_create(name, res->start, resource_size(res));
	if (IS_ERR(pool)) {
		err = PTR_ERR(pool);
		goto unmap;
	}

	dev_info(dev, "%s, %llu MiB\n", name, (u64)resource_size(res) / SZ_1M);
	return 0;

unmap:
	memunmap_pages(pgmap);
free_pgmap:
	kfree(pgmap);
	return err;
}

/*
 * Errors are reported here, with the range and with what to do about them.
 * -ENXIO keeps the driver core from reporting them once more.
 */
static int restricted_acpi_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct resource *res;
	int err;

	/* What a device tree describes is handled by restricted-of.c */
	if (!has_acpi_companion(dev))
		return -ENODEV;

	res = restricted_acpi_range(pdev);
	if (!res)
		return -ENXIO;

	if (!request_mem_region(res->start, resource_size(res),
				"restricted-dma-pool")) {
		dev_err(dev, "%pR is in use: the firmware must give each pool a range of its own\n",
			res);
		return -ENXIO;
	}

	err = restricted_acpi_create(dev, res);
	if (err) {
		dev_err(dev, "cannot create a pool in %pR: error %d\n", res, err);
		release_mem_region(res->start, resource_size(res));
		return -ENXIO;
	}

	if (device_property_present(dev, "linux,dma-default"))
		dev_warn(dev, "linux,dma-default is not supported yet: only devices that name this pool use it\n");
	return 0;
}

static const struct of_device_id restricted_acpi_match[] = {
	{ .compatible = "restricted-dma-pool" },
	{ }
};

static struct platform_driver restricted_acpi_driver = {
	.probe = restricted_acpi_probe,
	.driver = {
		.name = "restricted-dma-pool",
		.of_match_table = restricted_acpi_match,
		/* Pools stay for ever, see restricted.c */
		.suppress_bind_attrs = true,
	},
};

/*
 * ACPI devices appear in a subsys_initcall. Being there before them means that
 * the pools exist when the first PCI driver looks for one.
 */
static int __init restricted_acpi_init(void)
{
	return platform_driver_register(&restricted_acpi_driver);
}
arch_initcall(restricted_acpi_init);
