// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests of the slots of bounce buffer pools.
 *
 * Nothing is ever stored in a pool here, so it needs no memory: its addresses
 * are made up.
 */

#include <kunit/resource.h>
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include "swiotlb_slots.h"

#define STEPS		20000
#define MAX_PIECES	4096

struct pool {
	const char *name;
	phys_addr_t base;
	size_t size;
	unsigned int nareas;
};

static const struct pool pools[] = {
	{ "aligned", SZ_1G, SZ_8M, 4 },
	{ "one area", SZ_1G, SZ_4M, 1 },
	{ "many areas", SZ_1G, SZ_2M, 64 },
	{ "odd ends", SZ_1G + 0x3fe00, SZ_4M + 0x4600, 5 },
	{ "one page", SZ_1G + SZ_4K, SZ_4K, 1 },
	{ "less than a segment", SZ_1G + SZ_64K, SZ_128K, 2 },
};

static void pool_name(const struct pool *pool, char *desc)
{
	strscpy(desc, pool->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(pools, pools, pool_name);

struct piece {
	size_t offset;
	struct swiotlb_request request;
};

/* What a test knows of the pool, to compare it with what the pool knows */
struct model {
	const struct pool *pool;
	struct swiotlb_slots *slots;
	struct rnd_state random;
	unsigned long *taken;		/* a bit for each slot */
	struct piece *pieces;
	unsigned int npieces;
	size_t used;
};

static unsigned int slots_of(size_t size)
{
	return DIV_ROUND_UP(size, SWIOTLB_SLOT_SIZE);
}

KUNIT_DEFINE_ACTION_WRAPPER(free_memory, kvfree, const void *);

/* Zeroed memory that is freed after the test */
static void *new_memory(struct kunit *test, size_t size)
{
	void *memory = kvzalloc(size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_memory,
							   memory));
	return memory;
}

/* Describe the next block of a pool. Return its size, or 0 if none is left. */
static size_t describe(struct kunit *test, struct model *m)
{
	size_t bytes, offset, size;

	bytes = swiotlb_slots_next_block(m->slots, &offset, &size);
	if (bytes)
		swiotlb_slots_describe(m->slots, new_memory(test, bytes));
	return size;
}

static struct model *new_model(struct kunit *test, const struct pool *pool)
{
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	m->pool = pool;
	prandom_seed_state(&m->random, 2026);
	m->taken = kunit_kcalloc(test, BITS_TO_LONGS(slots_of(pool->size)),
				 sizeof(*m->taken), GFP_KERNEL);
	m->pieces = kunit_kcalloc(test, MAX_PIECES, sizeof(*m->pieces),
				  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m->taken);
	KUNIT_ASSERT_NOT_NULL(test, m->pieces);
	m->slots = swiotlb_slots_init(
		new_memory(test, swiotlb_slots_bytes(pool->base, pool->size,
						     pool->nareas)),
		pool->base, pool->size, pool->nareas);
	while (describe(test, m))
		;
	return m;
}

static u32 pick(struct model *m, u32 n)
{
	return prandom_u32_state(&m->random) % n;
}

static struct swiotlb_request random_request(struct model *m)
{
	static const size_t sizes[] = {
		SZ_512, SZ_4K, SZ_4K, SZ_16K, SZ_64K, SZ_256K,
	};
	struct swiotlb_request request = {
		.orig_addr = prandom_u32_state(&m->random),
		.size = 1 + pick(m, sizes[pick(m, ARRAY_SIZE(sizes))]),
		.align = 1,
		.min_align = 1,
		.padding = pick(m, 1024),
		.bus_offset = pick(m, 4) ? 0 : (u64)pick(m, 1 << 28) << 12,
	};

	switch (pick(m, 8)) {
	case 0:
		request.align = 1 << pick(m, 19);
		break;
	case 1:
		request.min_align = 1 << pick(m, 19);
		break;
	case 2:
		request.align = SZ_4K;
		request.min_align = SZ_64K;
		break;
	case 3:
		request.boundary = 512ULL << pick(m, 14);
		break;
	case 4:
		request.size = 1 + pick(m, SWIOTLB_SLOTS_MAX);
		request.boundary = SZ_4G;
		break;
	}
	return request;
}

/* The piece is where the request wants it, and belongs to nobody else. */
static void check_piece(struct kunit *test, struct model *m, size_t offset,
			const struct swiotlb_request *request)
{
	unsigned int first = offset >> SWIOTLB_SLOT_SHIFT;
	unsigned int n = slots_of(request->size);
	u64 addr = m->pool->base + offset + request->bus_offset;
	u64 low = request->align - 1, high = request->min_align - 1;

	KUNIT_ASSERT_LE(test, first + n, slots_of(m->pool->size));
	KUNIT_ASSERT_EQ(test, offset % SWIOTLB_SLOT_SIZE, 0);
	KUNIT_ASSERT_GE(test, find_next_bit(m->taken, first + n, first),
			first + n);
	KUNIT_EXPECT_EQ(test, addr & low, 0);
	high &= ~(low | (SWIOTLB_SLOT_SIZE - 1));
	KUNIT_EXPECT_EQ(test, addr & high, request->orig_addr & high);
	if (request->boundary)
		KUNIT_EXPECT_EQ(test, addr & ~(request->boundary - 1),
				(addr + n * SWIOTLB_SLOT_SIZE - 1) &
				~(request->boundary - 1));
}

static void take(struct kunit *test, struct model *m)
{
	struct swiotlb_request request = random_request(m);
	ssize_t offset;

	if (m->npieces == MAX_PIECES)
		return;
	offset = swiotlb_slots_take(m->slots, pick(m, 128), &request);
	if (offset < 0)
		return;
	check_piece(test, m, offset, &request);
	bitmap_set(m->taken, offset >> SWIOTLB_SLOT_SHIFT,
		   slots_of(request.size));
	m->used += slots_of(request.size) * SWIOTLB_SLOT_SIZE;
	m->pieces[m->npieces++] = (struct piece) { offset, request };
}

static void give(struct kunit *test, struct model *m)
{
	unsigned int which = pick(m, m->npieces);
	struct piece piece = m->pieces[which];
	struct swiotlb_mapping found;
	size_t size = slots_of(piece.request.size) * SWIOTLB_SLOT_SIZE;

	KUNIT_ASSERT_TRUE(test, swiotlb_slots_find(m->slots, piece.offset +
						   pick(m, size), &found));
	KUNIT_EXPECT_EQ(test, found.start, piece.offset);
	KUNIT_EXPECT_EQ(test, found.size, piece.request.size);
	KUNIT_EXPECT_EQ(test, found.orig_addr, piece.request.orig_addr);
	KUNIT_EXPECT_EQ(test, found.padding, piece.request.padding);

	KUNIT_EXPECT_EQ(test, swiotlb_slots_give(m->slots, piece.offset), size);
	bitmap_clear(m->taken, piece.offset >> SWIOTLB_SLOT_SHIFT,
		     slots_of(piece.request.size));
	m->used -= size;
	m->pieces[which] = m->pieces[--m->npieces];
}

/* Nothing is lost: the pool has as many whole segments as in the beginning. */
static void check_whole(struct kunit *test, struct model *m)
{
	struct swiotlb_request request = {
		.size = SWIOTLB_SEGMENT_SIZE,
		.align = 1,
		.min_align = 1,
	};
	u64 first = round_up(m->pool->base, SWIOTLB_SEGMENT_SIZE);
	u64 end = m->pool->base + m->pool->size;
	s64 n = (s64)(end - first) >> SWIOTLB_SEGMENT_SHIFT;

	for (; n > 0; n--)
		KUNIT_ASSERT_GE(test, swiotlb_slots_take(m->slots, 0, &request),
				0);
	KUNIT_EXPECT_LT(test, swiotlb_slots_take(m->slots, 0, &request), 0);
}

static void pieces_are_as_requested(struct kunit *test)
{
	struct model *m = new_model(test, test->param_value);
	unsigned int i, more;

	for (i = 0; i < STEPS; i++) {
		/* Fill the pool and empty it in turn */
		more = i / 4096 % 2 ? 45 : 55;
		if (!m->npieces || pick(m, 100) < more)
			take(test, m);
		else
			give(test, m);
		KUNIT_ASSERT_GE(test, swiotlb_slots_used(m->slots), m->used);
	}
	while (m->npieces)
		give(test, m);
	KUNIT_EXPECT_EQ(test, swiotlb_slots_used(m->slots), 0);
	check_whole(test, m);
}

static void bad_requests_are_refused(struct kunit *test)
{
	static const struct swiotlb_request requests[] = {
		{ .size = 0, .align = 1, .min_align = 1 },
		{ .size = SWIOTLB_SLOTS_MAX + 1, .align = 1, .min_align = 1 },
		{ .size = SZ_4K, .align = 1, .min_align = 1, .padding = 1024 },
		{ .size = SZ_4K, .align = 1, .min_align = 1,
		  .boundary = SZ_2K },
		{ .size = SZ_4K, .align = SZ_16M, .min_align = 1,
		  .orig_addr = SZ_4K },
	};
	/* No address in it is a multiple of 16 MiB */
	static const struct pool pool = { "", SZ_1G + SZ_1M, SZ_8M, 2 };
	struct model *m = new_model(test, &pool);

	for (int i = 0; i < ARRAY_SIZE(requests); i++)
		KUNIT_EXPECT_LT_MSG(test, swiotlb_slots_take(m->slots, 0,
							     &requests[i]),
				    0, "request %d", i);
	KUNIT_EXPECT_EQ(test, swiotlb_slots_used(m->slots), 0);
	KUNIT_EXPECT_EQ(test, swiotlb_slots_give(m->slots, 0), 0);
	KUNIT_EXPECT_EQ(test, swiotlb_slots_give(m->slots, SZ_1G), 0);
}

static void one_cpu_can_use_the_whole_pool(struct kunit *test)
{
	static const struct pool pool = { "", SZ_1G, SZ_8M, 64 };
	struct model *m = new_model(test, &pool);
	struct swiotlb_request request = {
		.size = SZ_4K, .align = SZ_4K, .min_align = 1,
	};
	unsigned int cpu = 0, n;

	for (n = 0; n < SZ_8M / SZ_4K; n++)
		KUNIT_ASSERT_GE(test, swiotlb_slots_take(m->slots, cpu,
							 &request), 0);
	KUNIT_EXPECT_LT(test, swiotlb_slots_take(m->slots, cpu, &request), 0);
	/* Another one finds what is given back */
	KUNIT_EXPECT_EQ(test, swiotlb_slots_give(m->slots, SZ_1M), SZ_4K);
	KUNIT_EXPECT_EQ(test, swiotlb_slots_take(m->slots, 9, &request), SZ_1M);
}

#define SEGMENTS	(SZ_64M / SWIOTLB_SEGMENT_SIZE)

static void last_given_is_first_taken(struct kunit *test)
{
	static const struct pool pool = { "", SZ_1G, SZ_64M, 4 };
	struct model *m = new_model(test, &pool);
	struct swiotlb_request request = {
		.size = SZ_64K, .align = SZ_4K, .min_align = 1,
	};
	DECLARE_BITMAP(seen, SEGMENTS) = { };
	ssize_t offsets[16];

	/* 1 MiB at a time: it does not wander through the pool */
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < ARRAY_SIZE(offsets); i++) {
			offsets[i] = swiotlb_slots_take(m->slots, 0, &request);
			KUNIT_ASSERT_GE(test, offsets[i], 0);
			__set_bit(offsets[i] >> SWIOTLB_SEGMENT_SHIFT, seen);
		}
		for (int i = 0; i < ARRAY_SIZE(offsets); i++)
			swiotlb_slots_give(m->slots, offsets[i]);
	}
	KUNIT_EXPECT_LE(test, bitmap_weight(seen, SEGMENTS), 4);
}

static struct kunit_case swiotlb_slots_cases[] = {
	KUNIT_CASE_PARAM(pieces_are_as_requested, pools_gen_params),
	KUNIT_CASE(bad_requests_are_refused),
	KUNIT_CASE(one_cpu_can_use_the_whole_pool),
	KUNIT_CASE(last_given_is_first_taken),
	{}
};

static struct kunit_suite swiotlb_slots_suite = {
	.name = "swiotlb_slots",
	.test_cases = swiotlb_slots_cases,
};

kunit_test_suite(swiotlb_slots_suite);

MODULE_DESCRIPTION("KUnit tests of the slots of bounce buffer pools");
MODULE_LICENSE("GPL");
