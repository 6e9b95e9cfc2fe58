// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of what each device of a restricted pool has for itself.
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
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include "restricted.h"
#include "swiotlb_reserve.h"
#include "swiotlb_slots.h"

#define POOL_SIZE	SZ_2M
#define MAX_MAPPINGS	(POOL_SIZE / SZ_512)
#define DEVICES		12
#define ROUNDS		200

static const enum dma_data_direction directions[] = {
	DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_BIDIRECTIONAL,
};

struct mapping {
	struct device *dev;
	dma_addr_t addr;
	size_t size;
	enum dma_data_direction dir;
};

struct fixture {
	struct restricted_dma_pool *pool;
	phys_addr_t base;
	struct device *dev;	/* attached, with a reserve */
	struct device *hog;	/* not attached yet */
	u8 *buf;		/* SZ_256K */
	struct mapping *mappings;
	int count;
	struct rnd_state random;
};

static struct device *new_device(struct kunit *test, const char *name)
{
	struct device *dev = kunit_device_register(test, name);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_EQ(test, 0,
			dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64)));
	return dev;
}

static int swiotlb_reserve_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	void *memory = alloc_pages_exact(POOL_SIZE, GFP_KERNEL | __GFP_ZERO);
	struct restricted_dma_desc desc = {
		.name = "kunit-reserve",
		.size = POOL_SIZE,
		.nid = NUMA_NO_NODE,
	};

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_ASSERT_NOT_NULL(test, memory);
	test->priv = f;
	f->base = desc.base = virt_to_phys(memory);
	f->pool = restricted_dma_pool_create(&desc);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->pool);
	f->buf = kunit_kzalloc(test, SZ_256K, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->buf);
	f->mappings = kunit_kcalloc(test, MAX_MAPPINGS, sizeof(*f->mappings),
				    GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->mappings);
	prandom_seed_state(&f->random, 2026);

	f->dev = new_device(test, "restricted-reserve");
	f->hog = new_device(test, "restricted-hog");
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	return 0;
}

static bool map(struct fixture *f, struct device *dev, size_t size,
		enum dma_data_direction dir)
{
	dma_addr_t addr = dma_map_single_attrs(dev, f->buf, size, dir,
					       DMA_ATTR_NO_WARN);

	if (dma_mapping_error(dev, addr))
		return false;
	f->mappings[f->count++] = (struct mapping) { dev, addr, size, dir };
	return true;
}

/* Undo the mappings that have been made since there were @count. */
static void unmap_to(struct fixture *f, int count)
{
	while (f->count > count) {
		struct mapping *m = &f->mappings[--f->count];

		dma_unmap_single(m->dev, m->addr, m->size, m->dir);
	}
}

/* Let @dev map all that it can get. */
static void take_all(struct fixture *f, struct device *dev)
{
	size_t size;
	int i;

	for (size = SZ_256K; size >= SZ_512; size /= 2) {
		for (i = 0; i < ARRAY_SIZE(directions); i++) {
			while (map(f, dev, size, directions[i]))
				;
		}
	}
}

/* A request of the size that is promised, in pieces of any size */
static void expect_request(struct kunit *test, struct device *dev,
			   enum dma_data_direction dir)
{
	struct fixture *f = test->priv;
	size_t left, most = dma_max_mapping_size(dev);
	unsigned int pieces;
	int before = f->count;

	left = swiotlb_max_request(dev, &pieces);
	KUNIT_ASSERT_GE(test, left, PAGE_SIZE);
	KUNIT_ASSERT_LT(test, left, POOL_SIZE);
	/* A header, whose size is not counted */
	KUNIT_EXPECT_TRUE(test, map(f, dev, SZ_1K, dir));
	for (; left; pieces--) {
		size_t size = min(left, most);

		if (pieces > 1)
			size = 1 + prandom_u32_state(&f->random) % size;
		KUNIT_EXPECT_TRUE_MSG(test, map(f, dev, size, dir),
				      "%zu of %zu bytes, %u pieces left", size,
				      left, pieces);
		left -= size;
	}
	unmap_to(f, before);
}

static void full_pool_serves_each_device(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->hog));
	take_all(f, f->hog);
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < ARRAY_SIZE(directions); i++)
			expect_request(test, f->dev, directions[i]);
	for (int i = 0; i < ARRAY_SIZE(directions); i++) {
		size_t most = dma_max_mapping_size(f->dev);
		int before = f->count;

		KUNIT_EXPECT_GE(test, most, SZ_64K);
		KUNIT_EXPECT_TRUE(test, map(f, f->dev, most, directions[i]));
		unmap_to(f, before);
	}
	unmap_to(f, 0);
}

static void coherent_memory_leaves_the_reserve(struct kunit *test)
{
	struct fixture *f = test->priv;
	int max = POOL_SIZE / PAGE_SIZE, count = 0;
	dma_addr_t *addrs = kunit_kcalloc(test, max, sizeof(*addrs),
					  GFP_KERNEL);
	void **pages = kunit_kcalloc(test, max, sizeof(*pages), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, addrs);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	while (count < max) {
		pages[count] = dma_alloc_coherent(f->dev, PAGE_SIZE,
						  &addrs[count],
						  GFP_KERNEL | __GFP_NOWARN);
		if (!pages[count])
			break;
		count++;
	}
	KUNIT_EXPECT_LT(test, count, max);
	for (int i = 0; i < ARRAY_SIZE(directions); i++)
		expect_request(test, f->dev, directions[i]);
	while (count--)
		dma_free_coherent(f->dev, PAGE_SIZE, pages[count],
				  addrs[count]);
}

/* Buffers for what may arrive stay mapped. */
static void receiving_leaves_room_to_send(struct kunit *test)
{
	struct fixture *f = test->priv;

	while (map(f, f->dev, SZ_2K, DMA_FROM_DEVICE))
		;
	expect_request(test, f->dev, DMA_TO_DEVICE);
	unmap_to(f, 0);
	while (map(f, f->dev, SZ_2K, DMA_TO_DEVICE))
		;
	expect_request(test, f->dev, DMA_FROM_DEVICE);
	unmap_to(f, 0);
}

static void each_device_gets_some(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct device *devs[DEVICES];
	unsigned int pieces;
	size_t sum = 0;
	char name[24];

	for (int i = 0; i < DEVICES; i++) {
		snprintf(name, sizeof(name), "restricted-reserve-%d", i);
		devs[i] = new_device(test, name);
		KUNIT_ASSERT_EQ(test, 0,
				restricted_dma_pool_attach(f->pool, devs[i]));
		sum += 4 * swiotlb_max_request(devs[i], &pieces);
	}
	KUNIT_EXPECT_LE(test, sum, POOL_SIZE / 2);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->hog));
	take_all(f, f->hog);
	for (int i = 0; i < DEVICES; i++)
		expect_request(test, devs[i], DMA_FROM_DEVICE);
	unmap_to(f, 0);
}

static void reserve_is_given_back(struct kunit *test)
{
	struct fixture *f = test->priv;
	size_t before = READ_ONCE(f->pool->mem->reserved);
	unsigned int pieces;

	KUNIT_ASSERT_GT(test, before, 0);
	for (int round = 0; round < ROUNDS; round++) {
		KUNIT_ASSERT_EQ(test, 0,
				restricted_dma_pool_attach(f->pool, f->hog));
		KUNIT_ASSERT_GT(test, READ_ONCE(f->pool->mem->reserved),
				before);
		restricted_dma_pool_detach(f->hog);
		KUNIT_ASSERT_EQ(test, READ_ONCE(f->pool->mem->reserved),
				before);
	}
	KUNIT_EXPECT_EQ(test, swiotlb_max_request(f->hog, &pieces), SIZE_MAX);
}

/* For page_pool, which frees its pages when it likes */
static void reserve_stays_without_a_driver(struct kunit *test)
{
	struct fixture *f = test->priv;
	size_t before = READ_ONCE(f->pool->mem->reserved);

	take_all(f, f->dev);
	restricted_dma_cleanup(f->dev);
	unmap_to(f, 0);
	KUNIT_EXPECT_EQ(test, READ_ONCE(f->pool->mem->reserved), before);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->dev));
	KUNIT_EXPECT_EQ(test, READ_ONCE(f->pool->mem->reserved), before);
	restricted_dma_release(f->dev);
	KUNIT_EXPECT_EQ(test, READ_ONCE(f->pool->mem->reserved), 0);
}

/* If the pool is full before, a device is refused, and confined all the same. */
static void latecomer_is_refused(struct kunit *test)
{
	struct fixture *f = test->priv;

	take_all(f, f->dev);
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			restricted_dma_pool_attach(f->pool, f->hog));
	KUNIT_EXPECT_FALSE(test, map(f, f->hog, SZ_512, DMA_TO_DEVICE));
	unmap_to(f, 0);
	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->hog));
	expect_request(test, f->hog, DMA_TO_DEVICE);
}

/* Give @dev the pool of the fixture as the default pool. */
static int configure(struct fixture *f, struct device *dev)
{
	struct restricted_dma_pool *saved = restricted_dma_default;
	int err;

	restricted_dma_default = f->pool;
	err = restricted_dma_configure(dev);
	restricted_dma_default = saved;
	return err;
}

/* Devices that do no DMA have the default pool, too. */
static void default_pool_reserves_for_masks(struct kunit *test)
{
	struct fixture *f = test->priv;
	size_t before = READ_ONCE(f->pool->mem->reserved), after;

	KUNIT_ASSERT_EQ(test, 0, configure(f, f->hog));
	KUNIT_EXPECT_EQ(test, READ_ONCE(f->pool->mem->reserved), before);
	/* A driver may set either mask alone, or change it, or bind again */
	KUNIT_ASSERT_EQ(test, 0,
			dma_set_coherent_mask(f->hog, DMA_BIT_MASK(64)));
	after = READ_ONCE(f->pool->mem->reserved);
	KUNIT_EXPECT_GT(test, after, before);
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask(f->hog, DMA_BIT_MASK(64)));
	KUNIT_ASSERT_EQ(test, 0, configure(f, f->hog));
	KUNIT_EXPECT_EQ(test, READ_ONCE(f->pool->mem->reserved), after);

	take_all(f, f->dev);
	for (int i = 0; i < ARRAY_SIZE(directions); i++)
		expect_request(test, f->hog, directions[i]);
	unmap_to(f, 0);
}

/* What is mapped already does not mind. */
static void reserve_may_come_late(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_ASSERT_EQ(test, 0, configure(f, f->hog));
	KUNIT_ASSERT_TRUE(test, map(f, f->hog, SZ_4K, DMA_TO_DEVICE));
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask(f->hog, DMA_BIT_MASK(64)));
	unmap_to(f, 0);
	KUNIT_EXPECT_EQ(test, READ_ONCE(f->pool->mem->reserved),
			swiotlb_slots_used(f->pool->mem->defpool.slots));
}

static void latecomer_at_the_default_pool_sets_no_mask(struct kunit *test)
{
	struct fixture *f = test->priv;

	take_all(f, f->dev);
	KUNIT_EXPECT_EQ(test, 0, configure(f, f->hog));
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			dma_set_mask(f->hog, DMA_BIT_MASK(64)));
	KUNIT_EXPECT_FALSE(test, map(f, f->hog, SZ_512, DMA_TO_DEVICE));
	unmap_to(f, 0);
	KUNIT_ASSERT_EQ(test, 0, dma_set_mask(f->hog, DMA_BIT_MASK(64)));
	expect_request(test, f->hog, DMA_TO_DEVICE);
}

/* A reserve counts as far as it is used, and no statistic goes below that. */
static void statistics_leave_out_what_is_idle(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct io_tlb_mem *mem = f->pool->mem;
	size_t all = READ_ONCE(mem->reserved);

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->hog));
	take_all(f, f->hog);
	/* Small ones first, then large ones, in the reserve of the other */
	while (map(f, f->dev, SZ_1K, DMA_TO_DEVICE))
		;
	unmap_to(f, 0);
	KUNIT_EXPECT_EQ(test, swiotlb_reserve_idle(mem, swiotlb_slots_used),
			READ_ONCE(mem->reserved));
	take_all(f, f->hog);
	while (map(f, f->dev, SZ_16K, DMA_TO_DEVICE))
		;
	KUNIT_EXPECT_LE(test, swiotlb_reserve_idle(mem, swiotlb_slots_hiwater),
			READ_ONCE(mem->reserved) - all / 2);
	unmap_to(f, 0);
}

static void data_in_the_reserve_is_right(struct kunit *test)
{
	struct fixture *f = test->priv;
	dma_addr_t addr;
	int before;
	u8 *seen;

	KUNIT_ASSERT_EQ(test, 0, restricted_dma_pool_attach(f->pool, f->hog));
	take_all(f, f->hog);
	before = f->count;
	memset(f->buf, 0x5a, SZ_8K);
	KUNIT_ASSERT_TRUE(test, map(f, f->dev, SZ_8K, DMA_BIDIRECTIONAL));
	addr = f->mappings[before].addr;
	seen = phys_to_virt(addr);
	KUNIT_EXPECT_MEMEQ(test, seen, f->buf, SZ_8K);

	/* Only a part of it, which does not begin at a slot */
	memset(seen, 0xa5, SZ_8K);
	dma_sync_single_range_for_cpu(f->dev, addr, SZ_4K - 100, 300,
				      DMA_BIDIRECTIONAL);
	KUNIT_EXPECT_EQ(test, f->buf[SZ_4K - 101], 0x5a);
	KUNIT_EXPECT_EQ(test, f->buf[SZ_4K - 100], 0xa5);
	KUNIT_EXPECT_EQ(test, f->buf[SZ_4K + 199], 0xa5);
	KUNIT_EXPECT_EQ(test, f->buf[SZ_4K + 200], 0x5a);
	unmap_to(f, before);
	KUNIT_EXPECT_EQ(test, f->buf[0], 0xa5);
	unmap_to(f, 0);
}

static struct kunit_case swiotlb_reserve_cases[] = {
	KUNIT_CASE(full_pool_serves_each_device),
	KUNIT_CASE(coherent_memory_leaves_the_reserve),
	KUNIT_CASE(receiving_leaves_room_to_send),
	KUNIT_CASE(each_device_gets_some),
	KUNIT_CASE(reserve_is_given_back),
	KUNIT_CASE(reserve_stays_without_a_driver),
	KUNIT_CASE(latecomer_is_refused),
	KUNIT_CASE(default_pool_reserves_for_masks),
	KUNIT_CASE(reserve_may_come_late),
	KUNIT_CASE(latecomer_at_the_default_pool_sets_no_mask),
	KUNIT_CASE(statistics_leave_out_what_is_idle),
	KUNIT_CASE(data_in_the_reserve_is_right),
	{}
};

static struct kunit_suite swiotlb_reserve_suite = {
	.name = "restricted_dma_reserve",
	.init = swiotlb_reserve_init,
	.test_cases = swiotlb_reserve_cases,
};

kunit_test_suite(swiotlb_reserve_suite);

MODULE_DESCRIPTION("KUnit tests of the reserves of restricted DMA pools");
MODULE_LICENSE("GPL");
