/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots-cpus MIB CPUS LOAD: how often mapping through the swiotlb takes a cache
 * line from another CPU, which is what limits many of them. swiotlb.c of some
 * kernel is compiled into it, in such a way that each access to memory comes here.
 *
 * One thread plays all CPUs in turn, and keeps account of who has each line: a CPU
 * that writes takes it from all others, and one that reads gets a copy. Each CPU
 * has clients of its own, which map a buffer and unmap it there, and fill LOAD % of
 * the pool all together. Prints the percentages of all mapping and unmapping that
 * took a line, and of requests that found no room.
 */
#include "slots-load.h"

#define MAX_CPUS	256
#define LINE_SHIFT	6
#define LINES		(1U << 22)
#define STACK		(8UL << 20)

/* Who has a line */
struct line {
	uintptr_t number;
	bool written;
	u64 readers[MAX_CPUS / 64];
};

static struct line *lines;
static char *stack;
static bool counting, foreign;
static unsigned int cpu;

static struct line *find_line(uintptr_t number)
{
	size_t at = number * 0x9e3779b97f4a7c15ULL >> 42;

	while (lines[at].number && lines[at].number != number)
		at = (at + 1) % LINES;
	lines[at].number = number;
	return &lines[at];
}

static bool others_have(const struct line *line)
{
	for (int i = 0; i < MAX_CPUS / 64; i++) {
		u64 own = cpu / 64 == i ? 1ULL << cpu % 64 : 0;

		if (line->readers[i] & ~own)
			return true;
	}
	return false;
}

static void touch(const void *addr, bool write)
{
	u64 bit = 1ULL << cpu % 64;
	struct line *line;

	/* Each CPU would have a stack of its own */
	if (!counting || (size_t)(stack - (char *)addr) < STACK)
		return;
	line = find_line((uintptr_t)addr >> LINE_SHIFT);
	if (write) {
		foreign |= others_have(line);
		memset(line->readers, 0, sizeof(line->readers));
		line->written = true;
	} else if (line->written && !(line->readers[cpu / 64] & bit)) {
		foreign = true;
	}
	line->readers[cpu / 64] |= bit;
}

/* What the compiler calls for accesses to memory, with -fsanitize=thread */

#define ACCESS(size)							\
void __tsan_read##size(void *addr)					\
{									\
	touch(addr, false);						\
}									\
void __tsan_write##size(void *addr)					\
{									\
	touch(addr, true);						\
}
ACCESS(1) ACCESS(2) ACCESS(4) ACCESS(8) ACCESS(16)

#define ATOMIC(bits, type)						\
type __tsan_atomic##bits##_load(const type *addr, int order)		\
{									\
	touch(addr, false);						\
	return *addr;							\
}									\
void __tsan_atomic##bits##_store(type *addr, type value, int order)	\
{									\
	touch(addr, true);						\
	*addr = value;							\
}									\
type __tsan_atomic##bits##_exchange(type *addr, type value, int order)	\
{									\
	type before = *addr;						\
									\
	touch(addr, true);						\
	*addr = value;							\
	return before;							\
}									\
type __tsan_atomic##bits##_fetch_or(type *addr, type value, int order)	\
{									\
	type before = *addr;						\
									\
	touch(addr, true);						\
	*addr = before | value;						\
	return before;							\
}									\
type __tsan_atomic##bits##_fetch_and(type *addr, type value, int order)	\
{									\
	type before = *addr;						\
									\
	touch(addr, true);						\
	*addr = before & value;						\
	return before;							\
}
ATOMIC(8, u8) ATOMIC(16, u16) ATOMIC(32, u32) ATOMIC(64, u64)

void __tsan_read_range(void *addr, size_t size)
{
	for (size_t i = 0; i < size; i++)
		touch(addr + i, false);
}

void __tsan_write_range(void *addr, size_t size)
{
	for (size_t i = 0; i < size; i++)
		touch(addr + i, true);
}

void __tsan_init(void)
{
}

/* Clients */

struct clients {
	struct kept *kept;
	size_t nkept;
	double leaving;
};

static unsigned long operations, took, asked, missed;

static void count_operation(void)
{
	operations++;
	took += foreign;
	foreign = false;
}

static void leave(struct clients *clients)
{
	size_t which = pick(clients->nkept);

	unmap(clients->kept[which].size, clients->kept[which].addr);
	clients->kept[which] = clients->kept[--clients->nkept];
	count_operation();
}

/* As many clients stay at once, on average, as fill a part of the pool. */
static void serve(struct clients *all, unsigned int ncpus, double stay,
		  long steps)
{
	for (; steps--; ) {
		struct clients *clients = &all[cpu = pick(ncpus)];
		struct kept *next = &clients->kept[clients->nkept];

		this_cpu = cpu;
		next->size = mix();
		asked++;
		if (map(next->size, &next->addr))
			clients->nkept++;
		else
			missed++;
		count_operation();
		for (clients->leaving += clients->nkept / stay;
		     clients->leaving >= 1 && clients->nkept;
		     clients->leaving--)
			leave(clients);
	}
}

int main(int argc, char **argv)
{
	char top;
	unsigned int ncpus;
	struct clients *all;
	size_t pool_size;
	double stay;
	long steps;

	if (argc != 4)
		return 2;
	stack = &top + PAGE_SIZE;
	pool_size = strtoul(argv[1], NULL, 0) << 20;
	ncpus = strtoul(argv[2], NULL, 0);
	if (ncpus > MAX_CPUS || !start(pool_size, argv[2]))
		return 1;
	stay = pool_size * (atoi(argv[3]) / 100.0) / mean_size() / ncpus;
	steps = 20 * stay * ncpus;
	all = calloc(ncpus, sizeof(*all));
	lines = calloc(LINES, sizeof(*lines));
	for (unsigned int i = 0; i < ncpus; i++)
		all[i].kept = calloc(pool_size >> 9, sizeof(*all->kept));
	counting = true;
	serve(all, ncpus, stay, steps);
	operations = took = asked = missed = 0;
	serve(all, ncpus, stay, steps);
	printf("%s %.2f %.2f\n", argv[3], 100.0 * took / operations,
	       100.0 * missed / asked);
	return 0;
}
