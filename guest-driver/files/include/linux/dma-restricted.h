/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Restricted DMA pools: the only memory that some devices may access.
 * kernel/dma/restricted.c explains the model and its rules.
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
 * @name:	Name for messages and statistics. It is copied.
 * @base:	Physical address of the first byte.
 * @size:	Number of bytes.
 * @nid:	NUMA node of the memory, or NUMA_NO_NODE.
 * @fwnode:	Firmware node of the pool, or NULL.
 */
struct restricted_dma_desc {
	const char *name;
	phys_addr_t base;
	phys_addr_t size;
	int nid;
	struct fwnode_handle *fwnode;
};

/**
 * dma_is_restricted() - is a device attached to a restricted pool?
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

/**
 * dma_restricted_size() - how large is the restricted pool of a device?
 * @dev:	The device, for which dma_is_restricted().
 * Context: Any.
 * Return: its size in bytes, 0 if the pool cannot be used.
 */
static inline size_t dma_restricted_size(struct device *dev)
{
	return dev->dma_io_tlb_mem->nslabs << IO_TLB_SHIFT;
}

struct restricted_dma_pool *
restricted_dma_pool_create(const struct restricted_dma_desc *desc);
struct restricted_dma_pool *
restricted_dma_pool_refuse(const struct restricted_dma_desc *desc);
struct restricted_dma_pool *restricted_dma_pool_find(u64 base, u64 size);
struct restricted_dma_pool *
restricted_dma_pool_find_fwnode(const struct fwnode_handle *fwnode);
void restricted_dma_set_default(struct restricted_dma_pool *pool);

bool restricted_dma_is_direct(struct device *dev);
int restricted_dma_pool_attach(struct restricted_dma_pool *pool,
			       struct device *dev);
void restricted_dma_pool_detach(struct device *dev);
void restricted_dma_forbid(struct device *dev);
int restricted_dma_configure(struct device *dev);
void restricted_dma_cleanup(struct device *dev);
void restricted_dma_release(struct device *dev);
phys_addr_t restricted_dma_phys_limit(struct device *dev);
bool restricted_dma_supported(struct device *dev, u64 mask);
void restricted_dma_report_unsupported(struct device *dev, u64 mask);

#else /* !CONFIG_DMA_RESTRICTED_POOL */

static inline size_t dma_restricted_size(struct device *dev)
{
	return 0;
}

static inline struct restricted_dma_pool *
restricted_dma_pool_find(u64 base, u64 size)
{
	return NULL;
}

static inline bool restricted_dma_is_direct(struct device *dev)
{
	return false;
}

static inline int restricted_dma_pool_attach(struct restricted_dma_pool *pool,
					     struct device *dev)
{
	return -EOPNOTSUPP;
}

static inline void restricted_dma_forbid(struct device *dev)
{
}

static inline int restricted_dma_configure(struct device *dev)
{
	return 0;
}

static inline void restricted_dma_cleanup(struct device *dev)
{
}

static inline void restricted_dma_release(struct device *dev)
{
}

static inline phys_addr_t restricted_dma_phys_limit(struct device *dev)
{
	return 0;
}

static inline bool restricted_dma_supported(struct device *dev, u64 mask)
{
	return true;
}

static inline void restricted_dma_report_unsupported(struct device *dev,
						     u64 mask)
{
}

#endif /* CONFIG_DMA_RESTRICTED_POOL */

#endif /* _LINUX_DMA_RESTRICTED_H */
