// SPDX-License-Identifier: GPL-2.0
/*
 * Counts the instructions of mapping and unmapping by the swiotlb once, at boot,
 * with the pool filled to several levels. What the DMA API does around that is not
 * in it. tests/bench/slots-cost compiles this into kernels.
 *
 * Under QEMU's -icount shift=0 the time stamp counter counts instructions. What
 * the copy of the data takes is counted apart, and taken off.
 */
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/platform_device.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swiotlb.h>
#include <linux/vmalloc.h>

#define ROUNDS	400
#define CHURN	20000
/* So many requests in a row that find no room end the filling */
#define TRIES	200

struct kept {
	phys_addr_t addr;
	u32 size;
};

static struct device *dev;
static void *buf, *copy;
static struct kept *kept;
static unsigned int nkept, most;
static size_t used, pool_size;
static struct rnd_state random;

/*
 * Sizes of the mappings of a virtual machine with a disk and a network card, as
 * published with cc-swiotlb (linux-kernel, March 2023)
 */
static u32 mix(void)
{
	u32 x = prandom_u32_state(&random) % 1000;

	if (x < 35)
		return 1 + prandom_u32_state(&random) % 512;
	if (x < 577)
		return 513 + prandom_u32_state(&random) % 1536;
	if (x < 913)
		return 2049 + prandom_u32_state(&random) % 2048;
	if (x < 960)
		return 4097 + prandom_u32_state(&random) % 12288;
	return 16385 + prandom_u32_state(&random) % (SZ_256K - 16385);
}

static bool map(u32 size, phys_addr_t *addr)
{
	*addr = swiotlb_tbl_map_single(dev, virt_to_phys(buf), size, 0,
				       DMA_TO_DEVICE, DMA_ATTR_NO_WARN);
	return *addr != (phys_addr_t)DMA_MAPPING_ERROR;
}

static void unmap(u32 size, phys_addr_t addr)
{
	swiotlb_tbl_unmap_single(dev, addr, size, DMA_TO_DEVICE, 0);
}

static bool keep(u32 size)
{
	struct kept *k = &kept[nkept];

	if (nkept == most || !map(size, &k->addr))
		return false;
	k->size = size;
	used += size;
	nkept++;
	return true;
}

static void drop(void)
{
	u32 which = prandom_u32_state(&random) % nkept;

	unmap(kept[which].size, kept[which].addr);
	used -= kept[which].size;
	kept[which] = kept[--nkept];
}

/* Fill the pool to @percent of its bytes, then exchange what is in it. */
static void fill(unsigned int percent)
{
	size_t target = pool_size / 100 * percent;
	unsigned int i, misses = 0;

	while (used < target && misses < TRIES)
		misses = keep(mix()) ? 0 : misses + 1;
	for (i = 0; nkept && i < CHURN; i++) {
		drop();
		for (misses = 0; used < target && misses < TRIES; )
			misses = keep(mix()) ? 0 : misses + 1;
		cond_resched();
	}
}

static u64 copy_cost(u32 size)
{
	u64 start = rdtsc_ordered();

	memcpy(copy, buf, size);
	return rdtsc_ordered() - start;
}

static void count(unsigned int percent, u32 size)
{
	unsigned int i, failed = 0;
	u64 sum = 0, worst = 0, one, off;
	phys_addr_t addr;

	copy_cost(size);
	for (i = 0; i < ROUNDS; i++) {
		unsigned long flags;
		bool ok;

		local_irq_save(flags);
		off = copy_cost(size);
		one = rdtsc_ordered();
		ok = map(size, &addr);
		if (ok)
			unmap(size, addr);
		one = rdtsc_ordered() - one;
		local_irq_restore(flags);
		if (ok)
			one -= min(one, off);
		failed += !ok;
		sum += one;
		worst = max(worst, one);
		cond_resched();
	}
	pr_info("slots-cost: %u %u %llu %llu %u\n", percent, size, sum / ROUNDS,
		worst, failed * 100 / ROUNDS);
}

static int __init slots_cost_init(void)
{
	static const unsigned int levels[] = { 0, 50, 80, 90, 95, 99 };
	static const u32 sizes[] = { SZ_512, SZ_4K, SZ_64K, SZ_256K };
	struct platform_device *pdev;
	unsigned int i, j;

	pdev = platform_device_register_simple("slots-cost", -1, NULL, 0);
	buf = (void *)__get_free_pages(GFP_KERNEL, get_order(SZ_256K));
	copy = (void *)__get_free_pages(GFP_KERNEL, get_order(SZ_256K));
	if (IS_ERR(pdev) || !buf || !copy ||
	    dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64)))
		panic("slots-cost: no device");
	dev = &pdev->dev;
	pool_size = swiotlb_size_or_default();
	most = pool_size / SZ_1K;
	kept = vmalloc(array_size(most, sizeof(*kept)));
	if (!kept)
		panic("slots-cost: no memory");
	prandom_seed_state(&random, 2026);

	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		fill(levels[i]);
		pr_info("slots-cost: filled %u %zu\n", levels[i],
			used / (pool_size / 1000));
		for (j = 0; j < ARRAY_SIZE(sizes); j++)
			count(levels[i], sizes[j]);
	}
	return 0;
}
late_initcall(slots_cost_init);
