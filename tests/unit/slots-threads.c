/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots-threads: several threads take pieces of one pool at the same time, write
 * their own mark to all of each, and find nothing else there when they give it
 * back. Each gives some to its neighbour, who gives them back. The first one also
 * describes more of the pool. TAP on standard output.
 */
#include <pthread.h>
#include "slots.h"

#define THREADS	4
#define STEPS	5000
#define KEPT	64

static const struct {
	const char *name;
	size_t size;
	unsigned int nareas;
	size_t low;
} pools[] = {
	{ "an area for each thread", 16 * SZ_1M, THREADS },
	{ "one area", 16 * SZ_1M, 1 },
	{ "hardly any room", 2 * SZ_1M, THREADS },
	{ "described meanwhile", 64 * SZ_1M, THREADS, SZ_1M },
};

struct kept {
	size_t offset;
	size_t size;
	u8 mark;
};

static struct swiotlb_slots *slots;
static u8 *memory;
/* What a thread leaves for the next one to give back */
static struct kept *_Atomic handed[THREADS];
static atomic_int faults;

static void give(const struct kept *k)
{
	struct swiotlb_mapping found;
	size_t i;

	for (i = 0; i < k->size; i++) {
		if (memory[k->offset + i] != k->mark)
			faults++;
	}
	if (!swiotlb_slots_find(slots, k->offset + k->size - 1, &found) ||
	    found.start != k->offset || found.orig_addr != k->mark)
		faults++;
	if (!swiotlb_slots_give(slots, k->offset))
		faults++;
}

static bool take(unsigned int cpu, u64 *state, struct kept *k)
{
	struct swiotlb_request want = {
		.orig_addr = 1 + cpu,
		.align = 1,
		.min_align = 1,
		.boundary = 4 * SZ_1G,
	};
	ssize_t offset;

	want.size = 1 + pick(state, pick(state, 8) ? SZ_4K : SZ_64K);
	if (!pick(state, 200))
		want.size = SZ_256K + pick(state, SZ_1M);
	offset = swiotlb_slots_take(slots, cpu, &want);
	if (offset < 0)
		return false;
	*k = (struct kept) { offset, want.size, 1 + cpu };
	memset(memory + offset, k->mark, k->size);
	return true;
}

static void *work(void *arg)
{
	unsigned int cpu = (uintptr_t)arg;
	u64 state = 2026 + cpu;
	struct kept kept[KEPT] = { }, *other;

	for (int step = 0; step < STEPS; step++) {
		struct kept *k = &kept[pick(&state, KEPT)];

		if (!cpu && swiotlb_slots_scarce(slots))
			describe(slots);
		if (k->size)
			give(k);
		if (!take(cpu, &state, k))
			k->size = 0;
		if (k->size && !pick(&state, 16)) {
			other = malloc(sizeof(*other));
			*other = *k;
			k->size = 0;
			other = atomic_exchange(&handed[(cpu + 1) % THREADS],
						other);
			if (other)
				give(other);
			free(other);
		}
		other = atomic_exchange(&handed[cpu], NULL);
		if (other)
			give(other);
		free(other);
	}
	for (int i = 0; i < KEPT; i++)
		if (kept[i].size)
			give(&kept[i]);
	return NULL;
}

static bool run(size_t size, unsigned int nareas, size_t low)
{
	pthread_t threads[THREADS];

	slots = low ? new_head(SZ_1G, size, nareas)
		    : new_slots(SZ_1G, size, nareas);
	swiotlb_slots_set_low(slots, low);
	memory = calloc(size, 1);
	faults = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		struct kept *other = atomic_exchange(&handed[i], NULL);

		if (other)
			give(other);
		free(other);
	}
	if (swiotlb_slots_used(slots))
		faults++;
	free(memory);
	free_slots(slots);
	return !faults;
}

int main(void)
{
	int n = sizeof(pools) / sizeof(pools[0]), failed = 0;

	setlinebuf(stdout);
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		bool ok = run(pools[i].size, pools[i].nareas, pools[i].low);

		printf("%sok %d %s\n", ok ? "" : "not ", i + 1, pools[i].name);
		failed += !ok;
	}
	return !!failed;
}
