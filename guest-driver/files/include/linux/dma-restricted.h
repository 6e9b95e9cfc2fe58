/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Restricted DMA pools: the only memory that some devices may access.
 * The model and the rules are explained in kernel/dma/restricted.c.
 */
#ifndef _LINUX_DMA_RESTRICTED_H
#define _LINUX_DMA_RESTRICTED_H

#include <linux/err.h>
#include <linux/types.h>

struct device;
struct restricted_dma_pool;

#ifdef CONFIG_DMA_RESTRICTED_POOL

struct restricted_dma_pool *restricted_dma_pool_create(const char *name,
						       phys_addr_t start,
						       phys_addr_t size);
struct restricted_dma_pool *restricted_dma_pool_find(u64 start, u64 size);
int restricted_dma_pool_attach(struct restricted_dma_pool *pool,
			       struct device *dev);
void restricted_dma_pool_detach(struct device *dev);
int devm_restricted_dma_pool_attach(struct restricted_dma_pool *pool,
				    struct device *dev);

#else /* !CONFIG_DMA_RESTRICTED_POOL */

static inline struct restricted_dma_pool *
restricted_dma_pool_find(u64 start, u64 size)
{
	return NULL;
}

static inline int
devm_restricted_dma_pool_attach(struct restricted_dma_pool *pool,
				struct device *dev)
{
	return -EOPNOTSUPP;
}

#endif /* CONFIG_DMA_RESTRICTED_POOL */

#endif /* _LINUX_DMA_RESTRICTED_H */
