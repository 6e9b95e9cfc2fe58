// SPDX-License-Identifier: GPL-2.0
/*
 * Counts the instructions of DMA mappings once, at boot, for a device that has
 * nothing to do with any pool. tests/bench/map-cost compiles this into kernels.
 *
 * Under QEMU's -icount shift=0 the time stamp counter counts instructions. So
 * one run is enough: each gives the same figures.
 */
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>

#define ROUNDS	1000
#define ENTRIES	16

static struct scatterlist list[ENTRIES];

static void map_single(struct device *dev, void *buf)
{
	dma_addr_t addr = dma_map_single(dev, buf, PAGE_SIZE, DMA_TO_DEVICE);

	WARN_ON(dma_mapping_error(dev, addr));
	dma_unmap_single(dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
}

static void map_sg(struct device *dev, void *buf)
{
	WARN_ON(dma_map_sg(dev, list, ENTRIES, DMA_FROM_DEVICE) != ENTRIES);
	dma_unmap_sg(dev, list, ENTRIES, DMA_FROM_DEVICE);
}

static void sync_single(struct device *dev, void *buf)
{
	dma_addr_t addr = virt_to_phys(buf);

	dma_sync_single_for_cpu(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
	dma_sync_single_for_device(dev, addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
}

static void count(const char *name, struct device *dev, void *buf,
		  void (*call)(struct device *dev, void *buf))
{
	unsigned long flags;
	u64 start, end;
	int i;

	call(dev, buf);
	local_irq_save(flags);
	start = rdtsc_ordered();
	for (i = 0; i < ROUNDS; i++)
		call(dev, buf);
	end = rdtsc_ordered();
	local_irq_restore(flags);
	pr_info("map-cost: %s %llu\n", name, end - start);
}

static int __init map_cost_init(void)
{
	struct platform_device *pdev;
	void *buf = (void *)__get_free_page(GFP_KERNEL);
	int i;

	pdev = platform_device_register_simple("map-cost", -1, NULL, 0);
	if (!buf || IS_ERR(pdev) ||
	    dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64)))
		panic("map-cost: no device");

	sg_init_table(list, ENTRIES);
	for (i = 0; i < ENTRIES; i++)
		sg_set_buf(&list[i], buf, PAGE_SIZE);
	count("map+unmap", &pdev->dev, buf, map_single);
	count("map+unmap-sg16", &pdev->dev, buf, map_sg);
	count("sync", &pdev->dev, buf, sync_single);
	return 0;
}
late_initcall(map_cost_init);
