// SPDX-License-Identifier: GPL-2.0
/*
 * Restricted DMA pools that a device tree describes.
 *
 * A pool is a child of /reserved-memory with compatible "restricted-dma-pool".
 * The binding has been in use since Linux 5.15: devices refer to the pool with
 * memory-region, and the first one that is assigned makes the pool.
 */

#define pr_fmt(fmt) "software IO TLB: " fmt

#include <linux/device.h>
#include <linux/dma-restricted.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/of_fdt.h>
#include <linux/of_reserved_mem.h>
#include <linux/sizes.h>
#include <linux/string.h>

/* Protects the creation of a pool by the first device that comes */
static DEFINE_MUTEX(rmem_restricted_mutex);

/* Return the pool in @rmem, creating it if @dev is the first one to ask. */
static struct restricted_dma_pool *
rmem_restricted_pool(struct reserved_mem *rmem, struct device *dev)
{
	struct restricted_dma_pool *pool;

	guard(mutex)(&rmem_restricted_mutex);
	if (rmem->priv)
		return rmem->priv;

	if (PageHighMem(pfn_to_page(PHYS_PFN(rmem->base)))) {
		dev_err(dev, "Restricted DMA pool must be accessible within the linear mapping.\n");
		return ERR_PTR(-EINVAL);
	}

	/*
	 * This is RAM, and nobody knows what an earlier stage of the boot has
	 * left in it. Clear it while nobody else can read it.
	 */
	memset(phys_to_virt(rmem->base), 0, rmem->size);

	pool = restricted_dma_pool_create(rmem->name, rmem->base, rmem->size);
	if (!IS_ERR(pool))
		rmem->priv = pool;
	return pool;
}

static int rmem_restricted_device_init(struct reserved_mem *rmem,
				       struct device *dev)
{
	struct restricted_dma_pool *pool = rmem_restricted_pool(rmem, dev);

	if (IS_ERR(pool))
		return PTR_ERR(pool);
	return restricted_dma_pool_attach(pool, dev);
}

static void rmem_restricted_device_release(struct reserved_mem *rmem,
					   struct device *dev)
{
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
	    of_get_flat_dt_prop(node, "linux,dma-default", NULL) ||
	    of_get_flat_dt_prop(node, "no-map", NULL))
		return -EINVAL;

	rmem->ops = &rmem_restricted_ops;
	pr_info("Reserved memory: created restricted DMA pool at %pa, size %ld MiB\n",
		&rmem->base, (unsigned long)rmem->size / SZ_1M);
	return 0;
}

RESERVEDMEM_OF_DECLARE(dma, "restricted-dma-pool", rmem_restricted_setup);
