/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots-test [SEED]: takes random pieces of pools of many shapes, gives them
 * back, and compares what the slots say with a model. TAP on standard output.
 */
#include "slots-model.h"

#define STEPS	200000

static const struct {
	const char *name;
	phys_addr_t base;
	size_t size;
	unsigned int nareas;
	bool grows;
} pools[] = {
	{ "8 MiB", SZ_1G, 8 * SZ_1M, 4 },
	{ "one area", SZ_1G, 4 * SZ_1M, 1 },
	{ "more areas than segments", SZ_1G, 2 * SZ_1M, 64 },
	{ "64 MiB", SZ_1G, 64 * SZ_1M, 16 },
	{ "odd ends", SZ_1G + 0x3fe00, 4 * SZ_1M + 0x4600, 5 },
	{ "across 4 GiB", 4 * SZ_1G - SZ_1M - SZ_4K, 2 * SZ_1M, 3 },
	{ "one slot", SZ_1G + SZ_4K, 512, 1 },
	{ "one page", SZ_1G + SZ_4K, SZ_4K, 1 },
	{ "less than a segment", SZ_1G + SZ_64K, 2 * SZ_64K, 2 },
	{ "two parts of segments", SZ_1G + SZ_256K - SZ_64K, 3 * SZ_64K, 2 },
	{ "grows", SZ_1G, 64 * SZ_1M, 16, true },
	{ "grows, odd ends", SZ_1G + SZ_64K, 14 * SZ_1M + SZ_4K, 3, true },
};

static struct swiotlb_request random_request(u64 *state)
{
	static const size_t sizes[] = {
		512, SZ_4K, SZ_4K, 4 * SZ_4K, SZ_64K, SZ_256K,
	};
	struct swiotlb_request want = {
		.orig_addr = next_random(state) >> 20,
		.align = 1,
		.min_align = 1,
		.padding = pick(state, 1024),
	};

	want.size = 1 + pick(state, sizes[pick(state, 6)]);
	if (!pick(state, 16))
		want.size = 1 + pick(state, SWIOTLB_SLOTS_MAX);
	switch (pick(state, 8)) {
	case 0:
		want.align = 1UL << pick(state, 22);
		break;
	case 1:
		want.min_align = 1UL << pick(state, 22);
		break;
	case 2:
		want.align = SZ_4K;
		want.min_align = SZ_64K;
		break;
	}
	if (!pick(state, 8))
		want.boundary = 512ULL << pick(state, 24);
	if (!pick(state, 4))
		want.bus_offset = next_random(state) << 12;
	return want;
}

static void run(int which, u64 seed)
{
	u64 state = seed ^ (which + 1) * 0x9e3779b97f4a7c15ULL;
	struct model m;

	model_init(&m, pools[which].base, pools[which].size,
		   pools[which].nareas);
	while (model_grow(&m) && !pools[which].grows)
		;
	for (int step = 0; step < STEPS; step++) {
		/* Fill the pool and empty it in turn */
		unsigned int more = step / 20000 % 2 ? 45 : 55;
		struct swiotlb_request want = random_request(&state);

		if (!pick(&state, 1000))
			model_grow(&m);
		if (!m.npieces || pick(&state, 100) < more)
			model_take(&m, pick(&state, 128), &want);
		else
			model_give(&m, pick(&state, m.npieces),
				   next_random(&state));
		CHECK(swiotlb_slots_used(m.slots) >= m.used);
		CHECK(swiotlb_slots_hiwater(m.slots) >= m.used);
	}
	printf("ok %d %s # %zu pieces, %zu had no room\n", which + 1,
	       pools[which].name, m.takes - m.misses, m.misses);
	model_end(&m);
}

#define HOLES	12

/*
 * Fill a segment but for 8 KiB that begin at @offset, which is given back when
 * the caller has filled the others too. Return the number of that piece.
 */
static size_t fill_segment(struct model *m, size_t offset)
{
	struct swiotlb_request want = { .align = SZ_4K, .min_align = 1 };
	size_t hole;

	want.size = offset;
	CHECK(model_take(m, 0, &want));
	hole = m->npieces;
	want.size = 2 * SZ_4K;
	CHECK(model_take(m, 0, &want));
	want.size = SZ_256K - 2 * SZ_4K - offset;
	CHECK(model_take(m, 0, &want));
	CHECK(m->pieces[hole].offset % SZ_256K == offset);
	return hole;
}

/*
 * Many holes are long enough for a piece of 8 KiB but at the wrong place. It finds
 * room in a free segment, and if there is none, in the one good hole.
 */
static void run_holes(int number)
{
	struct swiotlb_request want = {
		.size = 2 * SZ_4K, .align = 2 * SZ_4K, .min_align = 1,
	};
	size_t holes[HOLES + 1], offsets[HOLES + 1], size;
	struct model m;

	for (int whole = 0; whole < 2; whole++) {
		size = (HOLES + 1 + whole) * SZ_256K;
		model_init(&m, SZ_1G, size, 1);
		while (model_grow(&m))
			;
		for (int i = 0; i <= HOLES; i++) {
			holes[i] = fill_segment(&m, (i || whole ? 3 : 4) *
						    SZ_4K);
			offsets[i] = m.pieces[holes[i]].offset;
		}
		/* The good hole first, so that the others are looked at first */
		for (int i = 0; i <= HOLES; i++) {
			size_t which = 0;

			while (m.pieces[which].offset != offsets[i])
				which++;
			model_give(&m, which, 0);
		}
		CHECK(model_take(&m, 0, &want));
		model_end(&m);
	}
	printf("ok %d holes at the wrong place\n", number);
}

/*
 * 4 GiB are described only as far as they are used, and what has been used is used
 * again: 50 MiB at a time need hardly more.
 */
static void run_growth(int number)
{
	size_t low = 8 * SZ_1M, busy = 50 * SZ_1M, size = 4 * SZ_1G;
	u64 state = 2026;
	struct model m;

	model_init(&m, SZ_1G, size, 4);
	CHECK(!swiotlb_slots_scarce(m.slots));
	swiotlb_slots_set_low(m.slots, low);
	for (int step = 0; step < STEPS; step++) {
		struct swiotlb_request want = {
			.size = 1 + pick(&state, SZ_64K),
			.align = 1, .min_align = 1,
		};

		while (swiotlb_slots_scarce(m.slots))
			CHECK(model_grow(&m));
		while (m.used + want.size > busy)
			model_give(&m, pick(&state, m.npieces), 0);
		CHECK(model_take(&m, pick(&state, 4), &want));
	}
	CHECK(m.described <= (busy + low) / 4 * 5);
	swiotlb_slots_set_low(m.slots, size);
	CHECK(swiotlb_slots_scarce(m.slots));
	swiotlb_slots_set_low(m.slots, 0);
	CHECK(!swiotlb_slots_scarce(m.slots));
	printf("ok %d grows as it is used # %zu of %zu MiB for 50 MiB\n",
	       number, m.described / SZ_1M, size / SZ_1M);
	while (m.npieces)
		model_give(&m, 0, 0);
	free_slots(m.slots);
	free(m.taken);
	free(m.pieces);
}

/* What has been used is used again before a new block; that has no pieces yet. */
static void run_new_block(int number)
{
	struct swiotlb_request want = {
		.size = SZ_64K, .align = 1, .min_align = 1,
	};
	struct swiotlb_mapping found;
	struct model m;

	model_init(&m, SZ_1G, 3 * SWIOTLB_BLOCK_SIZE, 1);
	CHECK(model_grow(&m));
	CHECK(model_take(&m, 0, &want));
	model_give(&m, 0, 0);
	for (size_t last = 2 * SWIOTLB_BLOCK_SIZE - 1; last < m.size;
	     last += SWIOTLB_BLOCK_SIZE) {
		CHECK(!swiotlb_slots_find(m.slots, last, &found));
		CHECK(!swiotlb_slots_give(m.slots, last));
	}
	CHECK(model_grow(&m));
	want.size = SWIOTLB_SEGMENT_SIZE;
	while (m.used < SWIOTLB_BLOCK_SIZE) {
		CHECK(model_take(&m, 0, &want));
		CHECK(m.pieces[m.npieces - 1].offset < SWIOTLB_BLOCK_SIZE);
	}
	model_end(&m);
	printf("ok %d new memory is used last\n", number);
}

/* Free segments at the wrong place do not hide the one that is aligned. */
static void run_aligned(int number)
{
	struct swiotlb_request want = {
		.size = SZ_4K, .align = SZ_1M, .min_align = 1,
	};
	struct model m;

	model_init(&m, SZ_1G + SWIOTLB_SEGMENT_SIZE, SZ_1M, 1);
	CHECK(model_grow(&m));
	CHECK(model_take(&m, 0, &want));
	model_end(&m);
	printf("ok %d an alignment of several segments\n", number);
}

int main(int argc, char **argv)
{
	u64 seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 2026;
	int n = sizeof(pools) / sizeof(pools[0]);

	setlinebuf(stdout);
	printf("1..%d\n", n + 4);
	for (int i = 0; i < n; i++)
		run(i, seed);
	run_holes(n + 1);
	run_growth(n + 2);
	run_new_block(n + 3);
	run_aligned(n + 4);
	return 0;
}
