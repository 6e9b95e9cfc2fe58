// SPDX-License-Identifier: GPL-2.0
/*
 * Hibernation with restricted DMA pools.
 *
 * The image of a system that hibernates has the contents of its RAM. Pools that
 * ACPI describes are not RAM for the kernel but ZONE_DEVICE, so what is in them
 * is lost. Many drivers free all DMA memory before the image is made and allocate
 * it again afterwards, as those of virtio do. Others keep coherent memory, and
 * find something else in it when the system is back.
 *
 * So this looks when all devices are quiet, just before the image is made. If
 * anything in such a pool is in use, there is no image, and the system goes on.
 */

#define pr_fmt(fmt) "restricted DMA: " fmt

#include <linux/init.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pfn.h>
#include <linux/suspend.h>
#include <linux/swiotlb.h>
#include <linux/syscore_ops.h>
#include "restricted.h"

/* It is hibernation, rather than another kind of sleep */
static bool hibernating;

static int restricted_hibernate_notify(struct notifier_block *nb,
				       unsigned long action, void *unused)
{
	hibernating = action == PM_HIBERNATION_PREPARE;
	return NOTIFY_DONE;
}

/* Is the memory of a pool part of the image? */
static bool restricted_dma_is_saved(const struct restricted_dma_pool *pool)
{
	return !is_zone_device_page(pfn_to_page(PHYS_PFN(pool->base)));
}

/*
 * Interrupts are off, and nothing else runs. Pools are only ever added, so the
 * list is good even if somebody was interrupted who holds the lock.
 */
static int restricted_hibernate_suspend(void)
{
	struct restricted_dma_pool *pool;
	unsigned long used;

	if (!hibernating)
		return 0;

	list_for_each_entry(pool, &restricted_dma_pools, node) {
		if (!restricted_dma_pool_usable(pool) ||
		    restricted_dma_is_saved(pool))
			continue;
		used = swiotlb_restricted_used(pool->mem);
		if (!used)
			continue;
		pr_err("cannot hibernate: %lu KiB of %s are in use and would be lost. Unbind the drivers of its devices first\n",
		       used << IO_TLB_SHIFT >> 10, pool->name);
		return -EBUSY;
	}
	return 0;
}

/* The image is made. To sleep as well, or to switch off, takes no image. */
static void restricted_hibernate_resume(void)
{
	hibernating = false;
}

static struct syscore_ops restricted_hibernate_ops = {
	.suspend = restricted_hibernate_suspend,
	.resume = restricted_hibernate_resume,
};

static int __init restricted_hibernate_init(void)
{
	pm_notifier(restricted_hibernate_notify, 0);
	register_syscore_ops(&restricted_hibernate_ops);
	return 0;
}
device_initcall(restricted_hibernate_init);
