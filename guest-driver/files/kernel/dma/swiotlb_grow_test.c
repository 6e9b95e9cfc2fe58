// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of pools that are prepared as they are used.
 *
 * Each test leaves a pool behind, because pools stay until the system goes
 * down.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/dma-restricted.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/swiotlb.h>
#include <linux/workqueue.h>
#include "restricted.h"
#include "swiotlb_grow.h"
#include "swiotlb_slots.h"

#define BLOCK		SWIOTLB_BLOCK_SIZE
#define POOL_SIZE	(2 * BLOCK)
#define MARK		0x5a
#define TRIES		8

struct fixture {
	unsigned long watermark;	/* as it was before */
	u8 *memory;			/* of the pool */
	struct io_tlb_pool *pool;
	struct device *dev;
	u8 *buf;			/* SZ_64K */
	dma_addr_t mapped[POOL_SIZE / SZ_64K];
	int count;
};

/* Two blocks in a row. The page allocator has none that are larger than one. */
static u8 *two_blocks(void)
{
	u8 *blocks[TRIES], *found = NULL;
	int n, i, j;

	for (n = 0; n < TRIES; n++) {
		blocks[n] = alloc_pages_exact(BLOCK, GFP_KERNEL | __GFP_NOWARN);
		if (!blocks[n])
			break;
	}
	for (i = 0; i < n && !found; i++) {
		for (j = 0; j < n && !found; j++) {
			if (blocks[j] == blocks[i] + BLOCK)
				found = blocks[i];
		}
	}
	for (i = 0; i < n; i++) {
		if (!found ||
		    (blocks[i] != found && blocks[i] != found + BLOCK))
			free_pages_exact(blocks[i], BLOCK);
	}
	return found;
}

static int swiotlb_grow_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct restricted_dma_desc desc = {
		.name = "kunit-grow",
		.size = POOL_SIZE,
		.nid = NUMA_NO_NODE,
	};
	struct restricted_dma_pool *pool;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->memory = two_blocks();
	if (!f->memory)
		kunit_skip(test, "no 8 MiB of memory in a row");
	memset(f->memory, MARK, POOL_SIZE);
	f->buf = kunit_kzalloc(test, SZ_64K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->buf);

	f->watermark = swiotlb_set_watermark(BLOCK);
	desc.base = virt_to_phys(f->memory);
	pool = restricted_dma_pool_create(&desc);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	f->pool = &pool->mem->defpool;
	KUNIT_ASSERT_NOT_NULL(test, f->pool->growth);
	f->dev = kunit_device_register(test, "swiotlb-grow");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->dev);
	KUNIT_ASSERT_EQ(test, 0, dma_coerce_mask_and_coherent(f->dev,
							      DMA_BIT_MASK(64)));
	return 0;
}

static void attach(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, 0,
			restricted_dma_pool_attach(restricted_dma_pool_find(
				virt_to_phys(f->memory), POOL_SIZE), f->dev));
}

static void wait_for_worker(struct fixture *f)
{
	flush_work(&f->pool->growth->work);
}

static bool map(struct fixture *f)
{
	dma_addr_t addr = dma_map_single_attrs(f->dev, f->buf, SZ_64K,
					       DMA_BIDIRECTIONAL,
					       DMA_ATTR_NO_WARN);

	if (dma_mapping_error(f->dev, addr))
		return false;
	f->mapped[f->count++] = addr;
	return true;
}

static void swiotlb_grow_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	while (f->count)
		dma_unmap_single(f->dev, f->mapped[--f->count], SZ_64K,
				 DMA_BIDIRECTIONAL);
	if (f->watermark)
		swiotlb_set_watermark(f->watermark);
}

static void beginning_is_prepared(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, swiotlb_prepared(f->pool), BLOCK);
	/* Whoever makes the pool has cleared it, if need be */
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(f->memory, MARK, POOL_SIZE), NULL);
}

static void use_wakes_the_worker(struct kunit *test)
{
	struct fixture *f = test->priv;

	attach(test);
	KUNIT_ASSERT_TRUE(test, map(f));
	wait_for_worker(f);
	KUNIT_EXPECT_EQ(test, swiotlb_prepared(f->pool), POOL_SIZE);
}

static void whole_pool_can_be_used(struct kunit *test)
{
	struct fixture *f = test->priv;

	attach(test);
	do {
		while (map(f))
			;
		wait_for_worker(f);
	} while (map(f));
	KUNIT_EXPECT_EQ(test, swiotlb_prepared(f->pool), POOL_SIZE);
	/* The device's own part is of use for smaller ones, too */
	KUNIT_EXPECT_GE(test, f->count, (POOL_SIZE - SZ_1M) / SZ_64K);
	KUNIT_EXPECT_FALSE(test, swiotlb_slots_scarce(f->pool->slots));
}

/* What has no room wakes the worker up as well, and later it has. */
static void missing_room_wakes_the_worker(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct swiotlb_request all = {
		.size = SZ_256K, .align = SZ_256K, .min_align = 1,
	};

	/* Nobody looks whether room is scarce */
	while (swiotlb_slots_take(f->pool->slots, 0, &all) >= 0)
		;
	KUNIT_ASSERT_EQ(test, swiotlb_prepared(f->pool), BLOCK);
	f->dev->dma_io_tlb_mem = container_of(f->pool, struct io_tlb_mem,
					      defpool);
	KUNIT_EXPECT_FALSE(test, map(f));
	wait_for_worker(f);
	KUNIT_EXPECT_TRUE(test, map(f));
}

static void coherent_memory_prepares_more(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr[5];
	void *vaddr[5];
	int i;

	attach(test);
	/* The worker could be in time for this, or not */
	for (i = 0; i < ARRAY_SIZE(addr); i++) {
		vaddr[i] = dma_alloc_coherent(f->dev, SZ_1M, &addr[i],
					      GFP_KERNEL);
		KUNIT_EXPECT_NOT_NULL(test, vaddr[i]);
	}
	KUNIT_EXPECT_EQ(test, swiotlb_prepared(f->pool), POOL_SIZE);
	while (i--) {
		if (vaddr[i])
			dma_free_coherent(f->dev, SZ_1M, vaddr[i], addr[i]);
	}
}

static void higher_watermark_prepares_more(struct kunit *test)
{
	struct fixture *f = test->priv;

	swiotlb_set_watermark(POOL_SIZE);
	wait_for_worker(f);
	KUNIT_EXPECT_EQ(test, swiotlb_prepared(f->pool), POOL_SIZE);
}

static struct kunit_case swiotlb_grow_cases[] = {
	KUNIT_CASE(beginning_is_prepared),
	KUNIT_CASE(use_wakes_the_worker),
	KUNIT_CASE(whole_pool_can_be_used),
	KUNIT_CASE(missing_room_wakes_the_worker),
	KUNIT_CASE(coherent_memory_prepares_more),
	KUNIT_CASE(higher_watermark_prepares_more),
	{}
};

static struct kunit_suite swiotlb_grow_suite = {
	.name = "swiotlb_grow",
	.init = swiotlb_grow_init,
	.exit = swiotlb_grow_exit,
	.test_cases = swiotlb_grow_cases,
};

kunit_test_suite(swiotlb_grow_suite);

MODULE_DESCRIPTION("KUnit tests of pools that are prepared as they are used");
MODULE_LICENSE("GPL");
