/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small buffers of devices that have a restricted DMA pool. virtio_bounce.c
 * explains them.
 */
#ifndef _DRIVERS_VIRTIO_BOUNCE_H
#define _DRIVERS_VIRTIO_BOUNCE_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct device;
struct scatterlist;
struct virtio_bounce;

/* Longer buffers are mapped, in bytes */
#define VIRTIO_BOUNCE_MAX	128U

#ifdef CONFIG_DMA_RESTRICTED_POOL

struct virtio_bounce *virtio_bounce_create(struct device *dev,
					   unsigned int num);
void virtio_bounce_destroy(struct virtio_bounce *bounce);
bool virtio_bounce_owns(const struct virtio_bounce *bounce, dma_addr_t addr);
bool virtio_bounce_map(struct virtio_bounce *bounce, unsigned int head,
		       struct scatterlist *sg,
		       enum dma_data_direction direction, dma_addr_t *addr);
bool virtio_bounce_map_table(struct virtio_bounce *bounce, unsigned int head,
			     const void *table, size_t size, dma_addr_t *addr);
void virtio_bounce_end(struct virtio_bounce *bounce, unsigned int head,
		       bool used);

#else /* !CONFIG_DMA_RESTRICTED_POOL */

static inline struct virtio_bounce *virtio_bounce_create(struct device *dev,
							 unsigned int num)
{
	return NULL;
}

static inline void virtio_bounce_destroy(struct virtio_bounce *bounce)
{
}

static inline bool virtio_bounce_owns(const struct virtio_bounce *bounce,
				      dma_addr_t addr)
{
	return false;
}

static inline bool virtio_bounce_map(struct virtio_bounce *bounce,
				     unsigned int head, struct scatterlist *sg,
				     enum dma_data_direction direction,
				     dma_addr_t *addr)
{
	return false;
}

static inline bool virtio_bounce_map_table(struct virtio_bounce *bounce,
					   unsigned int head, const void *table,
					   size_t size, dma_addr_t *addr)
{
	return false;
}

static inline void virtio_bounce_end(struct virtio_bounce *bounce,
				     unsigned int head, bool used)
{
}

#endif /* CONFIG_DMA_RESTRICTED_POOL */

#endif /* _DRIVERS_VIRTIO_BOUNCE_H */
