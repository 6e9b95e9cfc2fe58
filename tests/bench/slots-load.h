/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The load of the programs that measure the swiotlb: one device and its clients. */
#ifndef SLOTS_LOAD_H
#define SLOTS_LOAD_H

#include "slots-shim.h"
#include <linux/swiotlb.h>

__thread int this_cpu;
extern int (*swiotlb_parameter)(char *);

/* A buffer that a client has mapped */
struct kept {
	phys_addr_t addr;
	size_t size;
};

static u64 mask = ~0ULL;
static struct device device = { .dma_mask = &mask }, *dev = &device;
static char buffer[1 << 20];
static u64 state = 88172645463325252ULL;

static u64 pick(u64 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* Sizes as published with cc-swiotlb (linux-kernel, March 2023) */
static size_t mix(void)
{
	u64 x = pick(1000);

	if (x < 35)
		return 1 + pick(512);
	if (x < 577)
		return 513 + pick(1536);
	if (x < 913)
		return 2049 + pick(2048);
	if (x < 960)
		return 4097 + pick(12288);
	return 16385 + pick(0x40000 - 16385);
}

/* Their mean */
static double mean_size(void)
{
	double mean = 0;

	for (int i = 0; i < 1000000; i++)
		mean += mix() / 1e6;
	return mean;
}

static bool map(size_t size, phys_addr_t *addr)
{
	*addr = swiotlb_tbl_map_single(dev, virt_to_phys(buffer), size, 0,
				       DMA_TO_DEVICE, DMA_ATTR_NO_WARN);
	return *addr != (phys_addr_t)DMA_MAPPING_ERROR;
}

static void unmap(size_t size, phys_addr_t addr)
{
	swiotlb_tbl_unmap_single(dev, addr, size, DMA_TO_DEVICE, 0);
}

/* The pool has @size bytes, and @areas if the kernel has such. */
static bool start(size_t size, const char *areas)
{
	char parameter[64];

	snprintf(parameter, sizeof(parameter), "%zu,%s,force", size >> 11,
		 areas);
	swiotlb_parameter(parameter);
	swiotlb_init(true, 0);
	swiotlb_dev_init(dev);
	return is_swiotlb_active(dev);
}

#endif /* SLOTS_LOAD_H */
