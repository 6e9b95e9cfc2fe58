/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Restricted DMA pools: the only memory that some devices may access.
 * The model and the rules are explained in kernel/dma/restricted.c.
 */
#ifndef _LINUX_DMA_RESTRICTED_H
#define _LINUX_DMA_RESTRICTED_H

#include <linux/err.h>
#include <linux/swiotlb.h>
#include <linux/types.h>

struct device;
struct fwnode_handle;
struct restricted_dma_pool;

/**
 * struct restricted_dma_desc - how the firmware describes a pool
 * @name:	Name for messages and statistics.
 * @start:	Physical address of the first byte.
 * @size:	Number of bytes.
 * @nid:	NUMA node of the memory, or NUMA_NO_NODE.
 * @fwnode:	What describes the pool in the firmware, or NULL.
 */
struct restricted_dma_desc {
	const char *name;
	phys_addr_t start;
	phys_addr_t size;
	int nid;
	const struct fwnode_handle *fwnode;
};

/**
 * dma_is_restricted() - is all DMA of a device confined to a restricted pool?
 * @dev:	The device.
 *
 * Context: Any.
 * Return: true if the DMA API uses nothing but a restricted pool for @dev.
 */
static inline bool dma_is_restricted(struct device *dev)
{
	return is_swiotlb_for_alloc(dev);
}

#ifdef CONFIG_DMA_RESTRICTED_POOL

struct restricted_dma_pool *
restricted_dma_pool_create(const struct restricted_dma_desc *desc);
struct restricted_dma_pool *
restricted_dma_pool_refuse(const struct restricted_dma_desc *desc);
struct restricted_dma_pool *restricted_dma_pool_find(u64 start, u64 size);
struct restricted_dma_pool *
restricted_dma_pool_find_fwnode(const struct fwnode_handle *fwnode);
void restricted_dma_set_default(struct restricted_dma_pool *pool);

int restricted_dma_pool_attach(struct restricted_dma_pool *pool,
			       struct device *dev);
void restricted_dma_pool_detach(struct device *dev);
int restricted_dma_configure(struct device *dev);
void restricted_dma_unbind(struct device *dev);
bool restricted_dma_reaches(struct device *dev, u64 mask);
phys_addr_t restricted_dma_last(struct device *dev);

#else /* !CONFIG_DMA_RESTRICTED_POOL */

static inline struct restricted_dma_pool *
restricted_dma_pool_find(u64 start, u64 size)
{
	return NULL;
}

static inline int restricted_dma_pool_attach(struct restricted_dma_pool *pool,
					     struct device *dev)
{
	return -EOPNOTSUPP;
}

static inline int restricted_dma_configure(struct device *dev)
{
	return 0;
}

static inline void restricted_dma_unbind(struct device *dev)
{
}

static inline bool restricted_dma_reaches(struct device *dev, u64 mask)
{
	return true;
}

static inline phys_addr_t restricted_dma_last(struct device *dev)
{
	return 0;
}

#endif /* CONFIG_DMA_RESTRICTED_POOL */

#endif /* _LINUX_DMA_RESTRICTED_H */
