// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of restricted DMA pools: what the devices of a pool can see.
 *
 * Each test leaves a pool behind, because pools stay until the system goes
 * down.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include "restricted.h"

#define POOL_SIZE	SZ_1M
/* In memory that no device is meant to see */
#define SECRET		0x5e
/* What a device writes */
#define WRITTEN		0xa5
/* In the pool, from earlier mappings */
#define STALE		0x3c

struct fixture {
	struct device *dev;
	u8 *pool;
	u8 *buf;	/* SZ_256K, full of SECRET */
};

static int restricted_secrecy_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct restricted_dma_desc desc = {
		.name = "kunit-secrecy",
		.size = POOL_SIZE,
		.nid = NUMA_NO_NODE,
	};
	struct restricted_dma_pool *pool;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->pool = alloc_pages_exact(POOL_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->pool);
	memset(f->pool, STALE, POOL_SIZE);
	desc.base = virt_to_phys(f->pool);
	pool = restricted_dma_pool_create(&desc);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);

	f->dev = kunit_device_register(test, "restricted-secrecy");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->dev);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(f->dev, DMA_BIT_MASK(64)));
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(pool, f->dev));

	f->buf = kunit_kmalloc(test, SZ_256K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->buf);
	memset(f->buf, SECRET, SZ_256K);
	return 0;
}

static dma_addr_t map(struct kunit *test, void *buf, size_t size,
		      enum dma_data_direction dir, unsigned long attrs)
{
	struct fixture *f = test->priv;
	dma_addr_t addr = dma_map_single_attrs(f->dev, buf, size, dir, attrs);

	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(f->dev, addr));
	return addr;
}

/* The offset of the first byte that is not @byte, or @size */
static size_t run_of(const u8 *mem, u8 byte, size_t size)
{
	const u8 *end = memchr_inv(mem, byte, size);

	return end ? end - mem : size;
}

static bool pool_has(const struct fixture *f, u8 byte)
{
	return memchr(f->pool, byte, POOL_SIZE);
}

static void device_writes_to_zeros(struct kunit *test)
{
	static const size_t sizes[] = {
		1, 17, SZ_512, SZ_2K, SZ_2K + 1, SZ_4K, SZ_64K - 3, SZ_256K,
	};
	struct fixture *f = test->priv;

	for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
		dma_addr_t addr = map(test, f->buf, sizes[i], DMA_FROM_DEVICE,
				      0);

		KUNIT_EXPECT_EQ(test, run_of(phys_to_virt(addr), 0, sizes[i]),
				sizes[i]);
		KUNIT_EXPECT_FALSE(test, pool_has(f, SECRET));
		dma_unmap_single(f->dev, addr, sizes[i], DMA_FROM_DEVICE);
		KUNIT_EXPECT_EQ(test, run_of(f->buf, 0, sizes[i]), sizes[i]);
		memset(f->buf, SECRET, sizes[i]);
	}
}

static void skipping_the_sync_shows_nothing(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr = map(test, f->buf, SZ_4K, DMA_FROM_DEVICE,
			      DMA_ATTR_SKIP_CPU_SYNC);

	KUNIT_EXPECT_EQ(test, run_of(phys_to_virt(addr), 0, SZ_4K), SZ_4K);
	dma_unmap_single_attrs(f->dev, addr, SZ_4K, DMA_FROM_DEVICE,
			       DMA_ATTR_SKIP_CPU_SYNC);
	KUNIT_EXPECT_EQ(test, run_of(f->buf, SECRET, SZ_4K), SZ_4K);
}

static void partial_write_leaves_zeros(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr = map(test, f->buf, SZ_4K, DMA_FROM_DEVICE, 0);

	memset(phys_to_virt(addr), WRITTEN, SZ_1K);
	dma_unmap_single(f->dev, addr, SZ_4K, DMA_FROM_DEVICE);
	KUNIT_EXPECT_EQ(test, run_of(f->buf, WRITTEN, SZ_4K), SZ_1K);
	KUNIT_EXPECT_EQ(test, run_of(f->buf + SZ_1K, 0, SZ_4K - SZ_1K),
			SZ_4K - SZ_1K);
}

static void bidirectional_keeps_the_rest(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr = map(test, f->buf, SZ_4K, DMA_BIDIRECTIONAL, 0);

	KUNIT_EXPECT_EQ(test, run_of(phys_to_virt(addr), SECRET, SZ_4K), SZ_4K);
	memset(phys_to_virt(addr), WRITTEN, SZ_1K);
	dma_unmap_single(f->dev, addr, SZ_4K, DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, run_of(f->buf, WRITTEN, SZ_4K), SZ_1K);
	KUNIT_EXPECT_EQ(test, run_of(f->buf + SZ_1K, SECRET, SZ_4K - SZ_1K),
			SZ_4K - SZ_1K);
}

static void written_only_moves_no_more(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr = map(test, f->buf, SZ_4K, DMA_FROM_DEVICE,
			      DMA_ATTR_WRITTEN_ONLY);

	KUNIT_EXPECT_FALSE(test, pool_has(f, SECRET));
	memset(phys_to_virt(addr), WRITTEN, SZ_1K);
	dma_sync_single_for_cpu(f->dev, addr, SZ_1K, DMA_FROM_DEVICE);
	dma_unmap_single_attrs(f->dev, addr, SZ_4K, DMA_FROM_DEVICE,
			       DMA_ATTR_SKIP_CPU_SYNC);
	KUNIT_EXPECT_EQ(test, run_of(f->buf, WRITTEN, SZ_4K), SZ_1K);
	KUNIT_EXPECT_EQ(test, run_of(f->buf + SZ_1K, SECRET, SZ_4K - SZ_1K),
			SZ_4K - SZ_1K);
}

/* What fits into no slot is not copied from beside the buffer. */
static void mapping_shows_no_neighbours(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr;

	memset(f->buf + SZ_1K, WRITTEN, SZ_1K);
	addr = map(test, f->buf + SZ_1K, SZ_1K, DMA_TO_DEVICE, 0);
	KUNIT_EXPECT_EQ(test, run_of(phys_to_virt(addr), WRITTEN, SZ_1K), SZ_1K);
	KUNIT_EXPECT_FALSE(test, pool_has(f, SECRET));
	dma_unmap_single(f->dev, addr, SZ_1K, DMA_TO_DEVICE);
}

static void coherent_memory_is_cleared(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr;
	void *vaddr = dma_alloc_coherent(f->dev, SZ_64K, &addr, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vaddr);
	KUNIT_EXPECT_EQ(test, run_of(phys_to_virt(addr), 0, SZ_64K), SZ_64K);
	dma_free_coherent(f->dev, SZ_64K, vaddr, addr);
}

static struct kunit_case restricted_secrecy_cases[] = {
	KUNIT_CASE(device_writes_to_zeros),
	KUNIT_CASE(skipping_the_sync_shows_nothing),
	KUNIT_CASE(partial_write_leaves_zeros),
	KUNIT_CASE(bidirectional_keeps_the_rest),
	KUNIT_CASE(written_only_moves_no_more),
	KUNIT_CASE(mapping_shows_no_neighbours),
	KUNIT_CASE(coherent_memory_is_cleared),
	{}
};

static struct kunit_suite restricted_secrecy_suite = {
	.name = "restricted_dma_secrecy",
	.init = restricted_secrecy_init,
	.test_cases = restricted_secrecy_cases,
};

kunit_test_suite(restricted_secrecy_suite);

MODULE_DESCRIPTION("KUnit tests of what restricted DMA pools show");
MODULE_LICENSE("GPL");
