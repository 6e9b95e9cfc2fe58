// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of default pools that are added as they are needed.
 *
 * The default allocator gets its first pool here if the system has none. The
 * pools that are added stay.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/swiotlb.h>
#include <linux/workqueue.h>

#define PIECE		SZ_64K
#define MAX_PIECES	256

struct fixture {
	struct io_tlb_mem *mem;
	struct device *dev;
	u8 *buf;			/* PIECE */
	phys_addr_t mapped[MAX_PIECES];
	int count;
};

static int swiotlb_dynamic_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	if (!is_swiotlb_allocated())
		KUNIT_ASSERT_EQ(test, 0, swiotlb_init_late(SZ_2M, GFP_KERNEL,
							   NULL));
	f->buf = kunit_kzalloc(test, PIECE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->buf);
	f->dev = kunit_device_register(test, "swiotlb-dynamic");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->dev);
	KUNIT_ASSERT_EQ(test, 0, dma_coerce_mask_and_coherent(f->dev,
							      DMA_BIT_MASK(64)));
	f->mem = f->dev->dma_io_tlb_mem;
	if (f->mem->for_alloc || !f->mem->can_grow)
		kunit_skip(test, "the default pool of this system cannot grow");
	return 0;
}

/* Map a buffer that says which one it is. */
static void map(struct kunit *test)
{
	struct fixture *f = test->priv;
	phys_addr_t addr;

	KUNIT_ASSERT_LT(test, f->count, MAX_PIECES);
	memset(f->buf, f->count, PIECE);
	addr = swiotlb_tbl_map_single(f->dev, virt_to_phys(f->buf), PIECE, 0,
				      DMA_BIDIRECTIONAL, 0);
	KUNIT_ASSERT_NE(test, addr, (phys_addr_t)DMA_MAPPING_ERROR);
	f->mapped[f->count++] = addr;
}

/* Undo all mappings. Each still has what was written to it. */
static void unmap_all(struct kunit *test)
{
	struct fixture *f = test->priv;

	while (f->count) {
		phys_addr_t addr = f->mapped[--f->count];

		KUNIT_ASSERT_NOT_NULL(test, swiotlb_find_pool(f->dev, addr));
		swiotlb_tbl_unmap_single(f->dev, addr, PIECE,
					 DMA_BIDIRECTIONAL, 0);
		KUNIT_EXPECT_PTR_EQ(test, memchr_inv(f->buf, f->count, PIECE),
				    NULL);
	}
}

static void pools_are_added_in_time(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long before = f->mem->nslabs;
	int i;

	/* At most 6 MiB more than the pools have now */
	for (i = 0; i < MAX_PIECES; i++) {
		map(test);
		flush_work(&f->mem->dyn_alloc);
		/* A pool for one mapping is what there was no time for */
		KUNIT_ASSERT_TRUE(test, list_empty(&f->dev->dma_io_tlb_pools));
	}
	KUNIT_EXPECT_GT(test, f->mem->nslabs, before);
	/* One is ready for what comes, but not more */
	KUNIT_EXPECT_LE(test, f->mem->nslabs << IO_TLB_SHIFT,
			MAX_PIECES * PIECE + 2 * (SZ_2M + SZ_4M));
	unmap_all(test);
}

static void bursts_are_served(struct kunit *test)
{
	struct fixture *f = test->priv;
	int i;

	for (i = 0; i < MAX_PIECES; i++)
		map(test);
	unmap_all(test);
	KUNIT_EXPECT_TRUE(test, list_empty(&f->dev->dma_io_tlb_pools));
	flush_work(&f->mem->dyn_alloc);
}

/* What fits into no pool is no reason to add one, however often it is tried. */
static void requests_that_never_fit_add_no_pool(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long before = f->mem->nslabs;
	phys_addr_t addr;
	int i;

	for (i = 0; i < 8; i++) {
		addr = swiotlb_tbl_map_single(f->dev, virt_to_phys(f->buf),
					      SZ_256K + SZ_4K, 0, DMA_TO_DEVICE,
					      DMA_ATTR_NO_WARN);
		KUNIT_EXPECT_EQ(test, addr, (phys_addr_t)DMA_MAPPING_ERROR);
		flush_work(&f->mem->dyn_alloc);
	}
	KUNIT_EXPECT_EQ(test, f->mem->nslabs, before);
}

/* Another pool may be there by the time that the worker runs. */
static void second_request_adds_no_pool(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned long before = f->mem->nslabs;

	schedule_work(&f->mem->dyn_alloc);
	flush_work(&f->mem->dyn_alloc);
	KUNIT_EXPECT_EQ(test, f->mem->nslabs, before);
}

static void other_addresses_are_in_no_pool(struct kunit *test)
{
	struct fixture *f = test->priv;

	map(test);
	WRITE_ONCE(f->dev->dma_uses_io_tlb, true);
	KUNIT_EXPECT_NULL(test, swiotlb_find_pool(f->dev, 0));
	KUNIT_EXPECT_NULL(test, swiotlb_find_pool(f->dev,
						  virt_to_phys(f->buf)));
	unmap_all(test);
}

static struct kunit_case swiotlb_dynamic_cases[] = {
	KUNIT_CASE(pools_are_added_in_time),
	KUNIT_CASE(bursts_are_served),
	KUNIT_CASE(requests_that_never_fit_add_no_pool),
	KUNIT_CASE(second_request_adds_no_pool),
	KUNIT_CASE(other_addresses_are_in_no_pool),
	{}
};

static struct kunit_suite swiotlb_dynamic_suite = {
	.name = "swiotlb_dynamic",
	.init = swiotlb_dynamic_init,
	.test_cases = swiotlb_dynamic_cases,
};

kunit_test_suite(swiotlb_dynamic_suite);

MODULE_DESCRIPTION("KUnit tests of bounce buffer pools that are added");
MODULE_LICENSE("GPL");
