/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lists of buffers of devices that have a restricted DMA pool. virtio_gather.c
 * explains them.
 */
#ifndef _DRIVERS_VIRTIO_GATHER_H
#define _DRIVERS_VIRTIO_GATHER_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct device;
struct scatterlist;
struct virtio_gather;

/**
 * struct virtio_gather_request - a request of a driver
 * @dev:	The device that does the DMA.
 * @sgs:	The lists. One of them is replaced, until virtio_gather_added().
 * @out:	How many of them the device reads. They come first.
 * @total:	How many lists there are.
 * @entries:	How many entries all lists have, corrected if one is replaced.
 * @room:	How many entries the queue has room for.
 * @max_len:	No buffer for the device may have more bytes.
 * @written_only: Is what the device does not write of no interest?
 */
struct virtio_gather_request {
	struct device *dev;
	struct scatterlist **sgs;
	unsigned int out;
	unsigned int total;
	unsigned int entries;
	unsigned int room;
	u32 max_len;
	bool written_only;
};

#ifdef CONFIG_DMA_RESTRICTED_POOL

struct virtio_gather *virtio_gather_map(struct virtio_gather_request *request,
					gfp_t gfp);
void virtio_gather_added(struct virtio_gather *gather,
			 struct scatterlist *sgs[], bool added);
bool virtio_gather_addr(const struct virtio_gather *gather,
			const struct scatterlist *sg, dma_addr_t *addr);
bool virtio_gather_unmap(struct virtio_gather *gather, dma_addr_t addr,
			 u32 written);
void virtio_gather_end(struct virtio_gather *gather);

#else /* !CONFIG_DMA_RESTRICTED_POOL */

static inline struct virtio_gather *
virtio_gather_map(struct virtio_gather_request *request, gfp_t gfp)
{
	return NULL;
}

static inline void virtio_gather_added(struct virtio_gather *gather,
				       struct scatterlist *sgs[], bool added)
{
}

static inline bool virtio_gather_addr(const struct virtio_gather *gather,
				      const struct scatterlist *sg,
				      dma_addr_t *addr)
{
	return false;
}

static inline bool virtio_gather_unmap(struct virtio_gather *gather,
				       dma_addr_t addr, u32 written)
{
	return false;
}

static inline void virtio_gather_end(struct virtio_gather *gather)
{
}

#endif /* CONFIG_DMA_RESTRICTED_POOL */

#endif /* _DRIVERS_VIRTIO_GATHER_H */
