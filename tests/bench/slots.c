/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots MIB AREAS: what mapping through the swiotlb costs, and whom it fails, at
 * several levels of load, in one thread and without the copy. swiotlb.c of some
 * kernel is compiled into it. Prints lines of LOAD SIZE NANOSECONDS FAILED USED:
 * the mean of 2000 map and unmap of a size, the percentage of requests up to it
 * (and of more than the next smaller size) that found no room, and the percentage
 * of the pool that the buffers fill.
 */
#include "slots-load.h"
#include <time.h>

#define ROUNDS	2000

static struct kept *kept;
static size_t nkept, used, pool_size;
static double mean, filled;

static const size_t classes[] = { 512, 4096, 65536, 262144 };
#define CLASSES (sizeof(classes) / sizeof(classes[0]))

static unsigned long asked[CLASSES], missed[CLASSES];

static void drop(void)
{
	size_t which = pick(nkept);

	unmap(kept[which].size, kept[which].addr);
	used -= kept[which].size;
	kept[which] = kept[--nkept];
}

/*
 * Clients come at random, map one buffer each, and stay for a random time, so
 * that as many would be there at once as fill @percent of the pool, if all of
 * them found room. Who finds none goes away.
 */
static void serve(int percent, long steps)
{
	double stay = pool_size * (percent / 100.0) / mean, leaving = 0;

	for (; steps--; ) {
		size_t size = mix(), class = 0;

		while (size > classes[class])
			class++;
		asked[class]++;
		if (map(size, &kept[nkept].addr)) {
			kept[nkept++].size = size;
			used += size;
		} else {
			missed[class]++;
		}
		for (leaving += nkept / stay; leaving >= 1 && nkept; leaving--)
			drop();
	}
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void measure(int percent, size_t class)
{
	double began, sum = 0;
	size_t size = classes[class];
	phys_addr_t addr;

	for (int i = 0; i < ROUNDS; i++) {
		serve(percent, 5);
		began = now();
		if (map(size, &addr))
			unmap(size, addr);
		sum += now() - began;
	}
	printf("%d %zu %.0f %.2f %.1f\n", percent, size, sum / ROUNDS,
	       100.0 * missed[class] / max(asked[class], 1UL), filled);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const int levels[] = { 1, 50, 70, 80, 90, 95, 99 };
	long steps;

	if (argc != 3)
		return 2;
	mean = mean_size();
	pool_size = strtoul(argv[1], NULL, 0) << 20;
	steps = 15 * pool_size / mean;
	if (!start(pool_size, argv[2]))
		return 1;
	kept = calloc(pool_size >> 9, sizeof(*kept));
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		serve(levels[i], steps);
		memset(asked, 0, sizeof(asked));
		memset(missed, 0, sizeof(missed));
		serve(levels[i], steps);
		filled = 100.0 * used / pool_size;
		for (size_t class = 0; class < CLASSES; class++)
			measure(levels[i], class);
	}
	return 0;
}
