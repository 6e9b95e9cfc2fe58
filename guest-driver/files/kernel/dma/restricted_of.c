// SPDX-License-Identifier: GPL-2.0
/*
 * Restricted DMA pools that a device tree describes.
 *
 * A pool is a child of /reserved-memory with compatible "restricted-dma-pool".
 * Devices refer to it with memory-region. Linux has had this binding since
 * 5.15.
 */

#define pr_fmt(fmt) "restricted DMA: " fmt

#include <linux/crash_dump.h>
#include <linux/device.h>
#include <linux/dma-restricted.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/of.h>
#include <linux/of_fdt.h>
#include <linux/of_reserved_mem.h>
#include <linux/sizes.h>
#include <linux/string.h>

static int rmem_restricted_device_init(struct reserved_mem *rmem,
				       struct device *dev)
{
	/* Pools are made before devices, but this device came even earlier */
	if (!rmem->priv)
		return -EPROBE_DEFER;
	return restricted_dma_pool_attach(rmem->priv, dev);
}

static void rmem_restricted_device_release(struct reserved_mem *rmem,
					   struct device *dev)
{
	/* While a driver is bound, it may still free managed DMA memory */
	if (!dev->driver)
		restricted_dma_pool_detach(dev);
}

static const struct reserved_mem_ops rmem_restricted_ops = {
	.device_init = rmem_restricted_device_init,
	.device_release = rmem_restricted_device_release,
};

static int __init rmem_restricted_setup(struct reserved_mem *rmem)
{
	unsigned long node = rmem->fdt_node;

	if (of_get_flat_dt_prop(node, "reusable", NULL) ||
	    of_get_flat_dt_prop(node, "linux,cma-default", NULL) ||
	    of_get_flat_dt_prop(node, "no-map", NULL)) {
		pr_err("%s: remove reusable, linux,cma-default or no-map, which a pool cannot have\n",
		       rmem->name);
		return -EINVAL;
	}

	rmem->ops = &rmem_restricted_ops;
	pr_info("%s: reserved %lu MiB at %pa\n", rmem->name,
		(unsigned long)rmem->size / SZ_1M, &rmem->base);
	return 0;
}

RESERVEDMEM_OF_DECLARE(dma, "restricted-dma-pool", rmem_restricted_setup);

static struct restricted_dma_pool * __init
rmem_restricted_create(const struct restricted_dma_desc *desc)
{
	struct restricted_dma_pool *pool;

	/* The crashed kernel had this memory, its devices may still write there */
	if (is_kdump_kernel()) {
		pr_err("%s: not used by a crash kernel: dump to a device without this pool\n",
		       desc->name);
		return ERR_PTR(-ENXIO);
	}

	if (PageHighMem(pfn_to_page(PHYS_PFN(desc->base)))) {
		pr_err("%s: it must be in low memory, which has a linear mapping\n",
		       desc->name);
		return ERR_PTR(-EINVAL);
	}

	if (!PAGE_ALIGNED(desc->base | desc->size)) {
		pr_err("%s: it must begin and end at pages of %lu bytes\n",
		       desc->name, PAGE_SIZE);
		return ERR_PTR(-EINVAL);
	}

	/*
	 * This is RAM, and nobody knows what an earlier stage of the boot has
	 * left in it. Clear all of it while nobody else can read it: a device
	 * may look at parts that the kernel has not prepared yet.
	 */
	memset(phys_to_virt(desc->base), 0, desc->size);

	pool = restricted_dma_pool_create(desc);
	if (IS_ERR(pool))
		pr_err("%s: cannot create a pool of %#llx bytes at %#llx: error %ld\n",
		       desc->name, (u64)desc->size, (u64)desc->base,
		       PTR_ERR(pool));
	return pool;
}

static void __init rmem_restricted_add(struct device_node *np)
{
	struct reserved_mem *rmem = of_reserved_mem_lookup(np);
	struct restricted_dma_pool *pool = ERR_PTR(-EINVAL);
	struct restricted_dma_desc desc = {
		.name = kbasename(np->full_name),
		.nid = of_node_to_nid(np),
		.fwnode = of_fwnode_handle(np),
	};

	/* It may have no memory, or the setup above may have refused it */
	if (rmem && rmem->ops == &rmem_restricted_ops) {
		desc.base = rmem->base;
		desc.size = rmem->size;
		pool = rmem_restricted_create(&desc);
	}
	if (IS_ERR(pool))
		pool = restricted_dma_pool_refuse(&desc);
	if (rmem)
		rmem->priv = pool;
	if (of_property_present(np, "linux,dma-default"))
		restricted_dma_set_default(pool);
}

/* The memory is reserved too early for pools. Make them before the devices. */
static int __init rmem_restricted_init(void)
{
	struct device_node *parent = of_find_node_by_path("/reserved-memory");
	struct device_node *np;

	for_each_available_child_of_node(parent, np) {
		if (of_device_is_compatible(np, "restricted-dma-pool"))
			rmem_restricted_add(np);
	}
	of_node_put(parent);
	return 0;
}
postcore_initcall(rmem_restricted_init);
