/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In place of swiotlb.c: a bitmap of slots that is searched without a lock. A model
 * of the allocator that Amazon's Linux has for its bounce buffers, written after
 * its description: slots of 4 KiB, a hint for each CPU where to begin, a bit that
 * is set by whoever is first, and a linear search otherwise.
 */
#include "slots-shim.h"
#include <linux/swiotlb.h>

#define SHIFT		12
#define SLOT_SIZE	(1UL << SHIFT)
#define MAX_CPUS	256

static struct {
	char *memory;
	size_t nslots;
	size_t longest;
	u64 *map;
	/* Of the first slot of a mapping */
	phys_addr_t *orig_addr;
	struct {
		size_t at;
	} ____cacheline_aligned_in_smp hints[MAX_CPUS];
} pool;

static struct io_tlb_mem mem;

static int set_up(char *parameter)
{
	pool.nslots = strtoul(parameter, NULL, 0) * 2048 / SLOT_SIZE;
	return 0;
}
int (*swiotlb_parameter)(char *) = set_up;

void swiotlb_init(bool any, unsigned int flags)
{
	(void)any;
	(void)flags;
	pool.memory = memblock_alloc(pool.nslots << SHIFT, PAGE_SIZE);
	pool.map = calloc(BITS_TO_LONGS(pool.nslots), sizeof(long));
	pool.orig_addr = calloc(pool.nslots, sizeof(*pool.orig_addr));
	mem.defpool.start = virt_to_phys(pool.memory);
	mem.defpool.end = mem.defpool.start + (pool.nslots << SHIFT);
	pool.longest = min(pool.nslots / 8, (1UL << 20) / SLOT_SIZE);
	for (size_t i = 0; i < MAX_CPUS; i++)
		pool.hints[i].at = i * (pool.nslots / MAX_CPUS);
}

void swiotlb_dev_init(struct device *dev)
{
	dev->dma_io_tlb_mem = &mem;
}

bool is_swiotlb_active(struct device *dev)
{
	(void)dev;
	return pool.memory && pool.map && pool.orig_addr;
}

static bool set_slot(size_t n)
{
	u64 bit = 1ULL << n % 64;

	/* A look before the write leaves the line where it is */
	if (READ_ONCE(pool.map[n / 64]) & bit)
		return false;
	return !(__atomic_fetch_or(&pool.map[n / 64], bit, __ATOMIC_ACQUIRE) &
		 bit);
}

static void clear_slots(size_t first, size_t n)
{
	for (; n--; first++)
		__atomic_fetch_and(&pool.map[first / 64], ~(1ULL << first % 64),
				   __ATOMIC_RELEASE);
}

/* Set @n bits in a row between @from and @to. Return the first, or @to. */
static size_t set_run(size_t from, size_t to, size_t n)
{
	size_t have = 0;

	for (; from < to; from++) {
		if (set_slot(from)) {
			if (++have == n)
				return from + 1 - n;
		} else {
			clear_slots(from - have, have);
			have = 0;
		}
	}
	clear_slots(to - have, have);
	return to;
}

phys_addr_t swiotlb_tbl_map_single(struct device *dev, phys_addr_t orig_addr,
				   size_t size, unsigned int align,
				   enum dma_data_direction dir,
				   unsigned long attrs)
{
	size_t n = DIV_ROUND_UP(size, SLOT_SIZE);
	size_t *hint = &pool.hints[this_cpu % MAX_CPUS].at, end, first;

	(void)dev;
	(void)align;
	(void)dir;
	(void)attrs;
	if (n > pool.longest)
		return (phys_addr_t)DMA_MAPPING_ERROR;
	first = set_run(*hint, pool.nslots, n);
	if (first == pool.nslots) {
		end = min(*hint + n - 1, pool.nslots);
		first = set_run(0, end, n);
		if (first == end)
			return (phys_addr_t)DMA_MAPPING_ERROR;
	}
	*hint = first + n;
	pool.orig_addr[first] = orig_addr;
	return virt_to_phys(pool.memory) + (first << SHIFT);
}

void __swiotlb_tbl_unmap_single(struct device *dev, phys_addr_t addr,
				size_t size, enum dma_data_direction dir,
				unsigned long attrs, struct io_tlb_pool *unused)
{
	(void)dev;
	(void)dir;
	(void)attrs;
	(void)unused;
	clear_slots((addr - virt_to_phys(pool.memory)) >> SHIFT,
		    DIV_ROUND_UP(size, SLOT_SIZE));
}
