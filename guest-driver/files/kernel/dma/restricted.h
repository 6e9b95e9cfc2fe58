/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files about restricted DMA pools share. The model is explained in
 * restricted.c.
 */
#ifndef _KERNEL_DMA_RESTRICTED_H
#define _KERNEL_DMA_RESTRICTED_H

#include <linux/dma-restricted.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct device;
struct io_tlb_mem;
struct resource;

/**
 * struct restricted_dma_pool - one range of memory and its allocator
 * @node:	Member of the list of all pools.
 * @name:	What messages call the pool, and the name of its statistics.
 * @start:	Physical address of the first byte.
 * @size:	Number of bytes.
 * @fwnode:	What describes the pool in the firmware, or NULL.
 * @mem:	Allocator of the slots in this range. It has none if the pool was
 *		described but cannot be used.
 */
struct restricted_dma_pool {
	struct list_head node;
	const char *name;
	phys_addr_t start;
	phys_addr_t size;
	const struct fwnode_handle *fwnode;
	struct io_tlb_mem *mem;
};

/* Protects the list of pools, the default pool, and the list of users */
extern struct mutex restricted_dma_mutex;

/* The pool of all devices that name no other, or NULL. Set once. */
extern struct restricted_dma_pool *restricted_dma_default;

void restricted_dma_create_debugfs(struct restricted_dma_pool *pool);
int restricted_acpi_check(struct device *dev, const struct resource *res);

#endif /* _KERNEL_DMA_RESTRICTED_H */
