// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the small buffers of virtio queues with a restricted DMA pool.
 *
 * Each test leaves a pool behind, because pools stay until the system goes
 * down.
 */

#include <kunit/device.h>
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/dma-restricted.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include "virtio_bounce.h"

#define POOL_SIZE	SZ_4M
#define QUEUE_SIZE	64

/* One of 1024 parts of the pool has room for so many chains of 256 bytes */
#define ENTRIES		(POOL_SIZE / 1024 / 256)

struct fixture {
	struct device *dev;
	struct virtio_bounce *bounce;
	u8 *buf;
};

static int virtio_bounce_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct restricted_dma_desc desc = {
		.name = "kunit-bounce",
		.size = POOL_SIZE,
		.nid = NUMA_NO_NODE,
	};
	struct restricted_dma_pool *pool;
	void *mem;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	mem = alloc_pages_exact(POOL_SIZE, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	desc.base = virt_to_phys(mem);
	pool = restricted_dma_pool_create(&desc);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);

	f->dev = kunit_device_register(test, "virtio-bounce");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->dev);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(f->dev, DMA_BIT_MASK(64)));
	KUNIT_EXPECT_NULL(test, virtio_bounce_create(f->dev, QUEUE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(pool, f->dev));
	f->bounce = virtio_bounce_create(f->dev, QUEUE_SIZE);
	KUNIT_ASSERT_NOT_NULL(test, f->bounce);
	f->buf = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->buf);
	return 0;
}

static void virtio_bounce_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (f)
		virtio_bounce_destroy(f->bounce);
}

/* Returns the copy, or NULL if the buffer is to be mapped. */
static u8 *map(struct kunit *test, unsigned int head, void *buf, size_t len,
	       enum dma_data_direction dir)
{
	struct fixture *f = test->priv;
	struct scatterlist sg;
	dma_addr_t addr;

	sg_init_one(&sg, buf, len);
	if (!virtio_bounce_map(f->bounce, head, &sg, dir, &addr))
		return NULL;
	KUNIT_EXPECT_TRUE(test, virtio_bounce_owns(f->bounce, addr));
	return phys_to_virt(addr);
}

static void small_buffers_are_copied(struct kunit *test)
{
	struct fixture *f = test->priv;
	u8 *out, *in;

	memset(f->buf, 1, 16);
	memset(f->buf + 16, 2, 16);
	out = map(test, 0, f->buf, 16, DMA_TO_DEVICE);
	in = map(test, 0, f->buf + 16, 1, DMA_FROM_DEVICE);
	KUNIT_ASSERT_NOT_NULL(test, out);
	KUNIT_ASSERT_NOT_NULL(test, in);
	KUNIT_EXPECT_MEMEQ(test, out, f->buf, 16);
	/* The device does not see what the driver had there ... */
	KUNIT_EXPECT_EQ(test, *in, 0);
	/* ... and writes to its own buffer only */
	out[0] = 3;
	*in = 4;
	virtio_bounce_end(f->bounce, 0, true);
	KUNIT_EXPECT_EQ(test, f->buf[0], 1);
	KUNIT_EXPECT_EQ(test, f->buf[16], 4);
	KUNIT_EXPECT_EQ(test, f->buf[17], 2);
}

static void unused_chain_is_not_copied_back(struct kunit *test)
{
	struct fixture *f = test->priv;
	u8 *in = map(test, 0, f->buf, 8, DMA_FROM_DEVICE);

	KUNIT_ASSERT_NOT_NULL(test, in);
	memset(in, 5, 8);
	virtio_bounce_end(f->bounce, 0, false);
	KUNIT_EXPECT_EQ(test, f->buf[0], 0);
	/* Nor is it later, for another chain with this head */
	virtio_bounce_end(f->bounce, 0, true);
	KUNIT_EXPECT_EQ(test, f->buf[0], 0);
}

static void chains_have_entries_of_their_own(struct kunit *test)
{
	struct fixture *f = test->priv;
	u8 *copies[ENTRIES];

	for (int i = 0; i < ENTRIES; i++) {
		f->buf[0] = i;
		copies[i] = map(test, i, f->buf, 128, DMA_TO_DEVICE);
		KUNIT_ASSERT_NOT_NULL(test, copies[i]);
	}
	for (int i = 0; i < ENTRIES; i++) {
		KUNIT_EXPECT_EQ(test, copies[i][0], i);
		virtio_bounce_end(f->bounce, i, true);
	}
	/* The pool is too small for more */
	KUNIT_EXPECT_NULL(test, map(test, ENTRIES, f->buf, 1, DMA_TO_DEVICE));
	virtio_bounce_end(f->bounce, ENTRIES, true);
}

static void large_buffers_are_mapped(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_NOT_NULL(test, map(test, 0, f->buf, 128, DMA_TO_DEVICE));
	KUNIT_EXPECT_NULL(test, map(test, 1, f->buf, 129, DMA_TO_DEVICE));
	KUNIT_EXPECT_NULL(test, map(test, 1, f->buf, 129, DMA_FROM_DEVICE));
}

static void full_entry_takes_no_more(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr;

	KUNIT_EXPECT_NOT_NULL(test, map(test, 0, f->buf, 128, DMA_TO_DEVICE));
	KUNIT_EXPECT_FALSE(test, virtio_bounce_map_table(f->bounce, 0, f->buf,
							 144, &addr));
	KUNIT_EXPECT_TRUE(test, virtio_bounce_map_table(f->bounce, 0, f->buf,
							128, &addr));
	virtio_bounce_end(f->bounce, 0, true);

	KUNIT_EXPECT_NOT_NULL(test, map(test, 0, f->buf, 1, DMA_FROM_DEVICE));
	KUNIT_EXPECT_NOT_NULL(test, map(test, 0, f->buf, 1, DMA_FROM_DEVICE));
	KUNIT_EXPECT_NULL(test, map(test, 0, f->buf, 1, DMA_FROM_DEVICE));
	KUNIT_EXPECT_NOT_NULL(test, map(test, 0, f->buf, 128, DMA_TO_DEVICE));
	KUNIT_EXPECT_NULL(test, map(test, 0, f->buf, 97, DMA_TO_DEVICE));
	KUNIT_EXPECT_NOT_NULL(test, map(test, 0, f->buf, 96, DMA_TO_DEVICE));
	KUNIT_EXPECT_NULL(test, map(test, 0, f->buf, 1, DMA_TO_DEVICE));
	KUNIT_EXPECT_FALSE(test, virtio_bounce_map_table(f->bounce, 0, f->buf,
							 16, &addr));
	virtio_bounce_end(f->bounce, 0, true);
	KUNIT_EXPECT_TRUE(test, virtio_bounce_map_table(f->bounce, 0, f->buf,
							256, &addr));
}

static void table_leaves_buffers_alone(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr;
	u8 *out;

	memset(f->buf, 6, 51);
	memset(f->buf + SZ_1K, 7, 64);
	out = map(test, 0, f->buf, 51, DMA_TO_DEVICE);
	KUNIT_ASSERT_NOT_NULL(test, out);
	KUNIT_ASSERT_TRUE(test, virtio_bounce_map_table(f->bounce, 0,
							f->buf + SZ_1K, 64,
							&addr));
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(addr, 16));
	KUNIT_EXPECT_MEMEQ(test, phys_to_virt(addr), f->buf + SZ_1K, 64);
	KUNIT_EXPECT_MEMEQ(test, out, f->buf, 51);
}

static struct kunit_case virtio_bounce_cases[] = {
	KUNIT_CASE(small_buffers_are_copied),
	KUNIT_CASE(unused_chain_is_not_copied_back),
	KUNIT_CASE(chains_have_entries_of_their_own),
	KUNIT_CASE(large_buffers_are_mapped),
	KUNIT_CASE(full_entry_takes_no_more),
	KUNIT_CASE(table_leaves_buffers_alone),
	{}
};

static struct kunit_suite virtio_bounce_suite = {
	.name = "restricted_dma_virtio",
	.init = virtio_bounce_init,
	.exit = virtio_bounce_exit,
	.test_cases = virtio_bounce_cases,
};

kunit_test_suite(virtio_bounce_suite);

MODULE_DESCRIPTION("KUnit tests of small buffers of virtio queues");
MODULE_LICENSE("GPL");
