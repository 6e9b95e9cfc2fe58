/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files about restricted DMA pools share. restricted.c explains the
 * model.
 */
#ifndef _KERNEL_DMA_RESTRICTED_H
#define _KERNEL_DMA_RESTRICTED_H

#include <linux/dma-restricted.h>
#include <linux/list.h>
#include <linux/range.h>
#include <linux/swiotlb.h>
#include <linux/types.h>

struct device;
struct resource;

/**
 * struct restricted_dma_pool - one range of memory and its allocator
 * @name:	Name in messages, and of the directory of its statistics.
 * @base:	Physical address of the first byte.
 * @size:	Number of bytes.
 * @fwnode:	Firmware node of the pool, or NULL. The pool holds a reference.
 * @mem:	Allocator of the slots in this range. It has no slots if the
 *		pool is unusable. No other pool has the same one.
 * @node:	Member of the list of all pools.
 * @users:	Devices that are attached to the pool and bound to a driver.
 *
 * Nothing but the lists and @fwnode changes after the pool has been created.
 * restricted_dma_mutex protects them.
 */
struct restricted_dma_pool {
	const char *name;
	phys_addr_t base;
	phys_addr_t size;
	struct fwnode_handle *fwnode;
	struct io_tlb_mem *mem;

	struct list_head node;
	struct list_head users;
};

/* All pools. They are only ever added, at the end. */
extern struct list_head restricted_dma_pools;

/* The pool of all devices that name no other, or NULL. Set at most once. */
extern struct restricted_dma_pool *restricted_dma_default;

/* Does the pool have memory? It has none if it was refused. */
static inline bool
restricted_dma_pool_usable(const struct restricted_dma_pool *pool)
{
	return pool->mem->nslabs;
}

struct range restricted_dma_part(const struct restricted_dma_desc *desc,
				 bool crashed);
struct restricted_dma_pool *restricted_dma_no_pool(void);
struct restricted_dma_pool *
restricted_dma_pool_renew(const struct restricted_dma_desc *desc);
struct restricted_dma_pool *restricted_dma_pool_find_dev(struct device *dev);
int restricted_dma_pool_add_user(struct restricted_dma_pool *pool,
				 struct device *dev);
void restricted_dma_remove_user(struct device *dev);

int restricted_acpi_check(struct device *dev, const struct resource *res);

#endif /* _KERNEL_DMA_RESTRICTED_H */
