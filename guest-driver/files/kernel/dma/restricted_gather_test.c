// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of restricted DMA pools: several buffers that are mapped as one.
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
#include <linux/dma-restricted-gather.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include "restricted.h"

#define POOL_SIZE	SZ_1M
#define BUF_SIZE	SZ_256K
#define PIECES		24
/* In the pool, from earlier mappings */
#define STALE		0x3c
/* In memory that no device is meant to see */
#define SECRET		0x5e

struct fixture {
	struct device *dev;
	u8 *pool;
	u8 *buf;
	u8 *device;	/* what the device is to see, or what it writes */
	size_t used;
	size_t size;
	struct dma_restricted_piece pieces[PIECES];
};

static int restricted_gather_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct restricted_dma_desc desc = {
		.name = "kunit-gather",
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

	f->dev = kunit_device_register(test, "restricted-gather");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->dev);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(f->dev, DMA_BIT_MASK(64)));
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(pool, f->dev));
	f->used = swiotlb_restricted_used(f->dev->dma_io_tlb_mem);

	f->buf = kunit_kmalloc(test, BUF_SIZE, GFP_KERNEL);
	f->device = kunit_kmalloc(test, BUF_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->buf);
	KUNIT_ASSERT_NOT_NULL(test, f->device);
	memset(f->buf, SECRET, BUF_SIZE);
	return 0;
}

/* Whatever a test does, it gives back what it took. */
static void restricted_gather_exit(struct kunit *test)
{
	struct fixture *f = test->priv;

	if (f && f->dev && is_swiotlb_for_alloc(f->dev))
		KUNIT_EXPECT_EQ(test, f->used,
				swiotlb_restricted_used(f->dev->dma_io_tlb_mem));
}

/* Choose pieces of the buffer that do not touch each other, in any order. */
static void choose_pieces(struct kunit *test, struct rnd_state *random,
			  size_t most)
{
	struct fixture *f = test->priv;
	unsigned int first = prandom_u32_state(random) % PIECES;

	f->size = 0;
	for (int i = 0; i < PIECES; i++) {
		size_t place = (i * 7 + first) % PIECES * (BUF_SIZE / PIECES);
		size_t start = prandom_u32_state(random) % SZ_4K;

		f->pieces[i].addr = virt_to_phys(f->buf + place + start);
		f->pieces[i].len = 1 + prandom_u32_state(random) % most;
		f->size += f->pieces[i].len;
	}
}

static dma_addr_t gather(struct kunit *test, enum dma_data_direction dir,
			 unsigned long attrs)
{
	struct fixture *f = test->priv;
	dma_addr_t addr = dma_restricted_gather(f->dev, f->pieces, PIECES, dir,
						attrs);

	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(f->dev, addr));
	KUNIT_EXPECT_TRUE(test, f->size < PAGE_SIZE || PAGE_ALIGNED(addr));
	KUNIT_EXPECT_GE(test, addr, virt_to_phys(f->pool));
	KUNIT_EXPECT_LE(test, addr + f->size,
			virt_to_phys(f->pool) + POOL_SIZE);
	return addr;
}

/* Copy all pieces to where the test can compare them with the device's view. */
static u8 *view(struct fixture *f)
{
	u8 *at = f->device;

	for (int i = 0; i < PIECES; i++) {
		memcpy(at, phys_to_virt(f->pieces[i].addr), f->pieces[i].len);
		at += f->pieces[i].len;
	}
	return f->device;
}

static void device_reads_all_pieces(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct rnd_state random;

	prandom_seed_state(&random, 1);
	for (int i = 0; i < 200; i++) {
		dma_addr_t addr;

		choose_pieces(test, &random, i < 100 ? 100 : SZ_4K);
		prandom_bytes_state(&random, f->buf, BUF_SIZE);
		addr = gather(test, DMA_TO_DEVICE, 0);
		KUNIT_EXPECT_MEMEQ(test, phys_to_virt(addr), view(f), f->size);
		/* It may write there, and nobody looks */
		memset(phys_to_virt(addr), 0xff, f->size);
		dma_restricted_scatter(f->dev, addr, f->pieces, PIECES,
				       DMA_TO_DEVICE, f->size);
		KUNIT_EXPECT_MEMNEQ(test, phys_to_virt(addr), view(f), f->size);
	}
}

/* The first bytes change, of the pieces only. All others stay. */
static void expect_written(struct kunit *test, size_t written)
{
	struct fixture *f = test->priv;
	u8 *seen = kunit_kmalloc(test, f->size, GFP_KERNEL);
	size_t secrets = 0;

	KUNIT_ASSERT_NOT_NULL(test, seen);
	memcpy(seen, view(f), f->size);
	for (size_t i = 0; i < f->size; i++)
		KUNIT_ASSERT_EQ(test, seen[i],
				i < written ? (u8)(i % 93 + 100) : SECRET);
	for (size_t i = 0; i < BUF_SIZE; i++)
		secrets += f->buf[i] == SECRET;
	KUNIT_EXPECT_EQ(test, secrets, BUF_SIZE - written);
	kunit_kfree(test, seen);
}

static void device_writes_pieces(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct rnd_state random;

	prandom_seed_state(&random, 2);
	for (int i = 0; i < 50; i++) {
		size_t written;
		dma_addr_t addr;
		u8 *seen;

		memset(f->buf, SECRET, BUF_SIZE);
		choose_pieces(test, &random, i < 25 ? 100 : SZ_4K);
		addr = gather(test, DMA_FROM_DEVICE, DMA_ATTR_WRITTEN_ONLY);
		KUNIT_EXPECT_NULL(test, memchr(f->pool, SECRET, POOL_SIZE));
		seen = phys_to_virt(addr);
		for (size_t j = 0; j < f->size; j++)
			seen[j] = j % 93 + 100;
		/* None, some, all, and more than there are */
		written = i % 4 * f->size / 2;
		dma_restricted_scatter(f->dev, addr, f->pieces, PIECES,
				       DMA_FROM_DEVICE, written);
		expect_written(test, min(written, f->size));
	}
}

static void device_writes_to_zeros(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct rnd_state random;
	dma_addr_t addr;

	prandom_seed_state(&random, 3);
	choose_pieces(test, &random, SZ_4K);
	addr = gather(test, DMA_FROM_DEVICE, 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(phys_to_virt(addr), 0, f->size));
	dma_restricted_scatter(f->dev, addr, f->pieces, PIECES,
			       DMA_FROM_DEVICE, f->size);
	KUNIT_EXPECT_NULL(test, memchr_inv(view(f), 0, f->size));
}

static void full_pool_fails(struct kunit *test)
{
	static dma_addr_t taken[POOL_SIZE / PIECES / SZ_1K];
	struct fixture *f = test->priv;
	int count = 0;

	for (int i = 0; i < PIECES; i++)
		f->pieces[i] = (struct dma_restricted_piece) {
			.addr = virt_to_phys(f->buf) + i * SZ_4K,
			.len = SZ_1K,
		};
	for (; count < ARRAY_SIZE(taken); count++) {
		taken[count] = dma_restricted_gather(f->dev, f->pieces, PIECES,
						     DMA_TO_DEVICE, 0);
		if (dma_mapping_error(f->dev, taken[count]))
			break;
	}
	/* All but what is reserved for the other direction, and some waste */
	KUNIT_EXPECT_LT(test, count, ARRAY_SIZE(taken));
	KUNIT_EXPECT_GT(test, count, ARRAY_SIZE(taken) * 3 / 4);
	while (count--)
		dma_restricted_scatter(f->dev, taken[count], f->pieces, PIECES,
				       DMA_TO_DEVICE, 0);
}

/* They leave whole pages to those that need them. */
static void short_lists_share_pages(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr[4], first = DMA_MAPPING_ERROR, last = 0;

	f->pieces[0].addr = virt_to_phys(f->buf);
	f->pieces[0].len = 66;
	f->pieces[1].addr = virt_to_phys(f->buf) + SZ_4K;
	f->pieces[1].len = 300;
	for (int i = 0; i < ARRAY_SIZE(addr); i++) {
		addr[i] = dma_restricted_gather(f->dev, f->pieces, 2,
						DMA_TO_DEVICE, 0);
		KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(f->dev, addr[i]));
		first = min(first, addr[i]);
		last = max(last, addr[i]);
	}
	KUNIT_EXPECT_LT(test, last - first, SZ_4K);
	for (int i = 0; i < ARRAY_SIZE(addr); i++)
		dma_restricted_scatter(f->dev, addr[i], f->pieces, 2,
				       DMA_TO_DEVICE, 0);
}

/* A page in front of another one cannot keep the bits of its address. */
static void min_align_mask_is_refused(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct rnd_state random;
	dma_addr_t addr;

	f->dev->dma_parms = kunit_kzalloc(test, sizeof(*f->dev->dma_parms),
					  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->dev->dma_parms);
	dma_set_min_align_mask(f->dev, SZ_4K - 1);
	prandom_seed_state(&random, 4);
	choose_pieces(test, &random, SZ_1K);
	addr = dma_restricted_gather(f->dev, f->pieces, PIECES, DMA_TO_DEVICE,
				     0);
	KUNIT_EXPECT_NE(test, 0, dma_mapping_error(f->dev, addr));
	f->dev->dma_parms = NULL;
}

static struct kunit_case restricted_gather_cases[] = {
	KUNIT_CASE(device_reads_all_pieces),
	KUNIT_CASE(device_writes_pieces),
	KUNIT_CASE(device_writes_to_zeros),
	KUNIT_CASE(full_pool_fails),
	KUNIT_CASE(short_lists_share_pages),
	KUNIT_CASE(min_align_mask_is_refused),
	{}
};

static struct kunit_suite restricted_gather_suite = {
	.name = "restricted_dma_gather",
	.init = restricted_gather_init,
	.exit = restricted_gather_exit,
	.test_cases = restricted_gather_cases,
};

kunit_test_suite(restricted_gather_suite);

MODULE_DESCRIPTION("KUnit tests of buffers that are mapped as one");
MODULE_LICENSE("GPL");
