/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Several buffers of a device with a restricted DMA pool, mapped as one.
 * kernel/dma/restricted_gather.c explains it.
 */
#ifndef _LINUX_DMA_RESTRICTED_GATHER_H
#define _LINUX_DMA_RESTRICTED_GATHER_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct device;

/**
 * struct dma_restricted_piece - a buffer of several that are mapped as one
 * @addr:	Its physical address.
 * @len:	In bytes.
 */
struct dma_restricted_piece {
	phys_addr_t addr;
	size_t len;
};

/* Only with CONFIG_DMA_RESTRICTED_POOL */
dma_addr_t dma_restricted_gather(struct device *dev,
				 const struct dma_restricted_piece *pieces,
				 unsigned int nr, enum dma_data_direction dir,
				 unsigned long attrs);
void dma_restricted_scatter(struct device *dev, dma_addr_t addr,
			    const struct dma_restricted_piece *pieces,
			    unsigned int nr, enum dma_data_direction dir,
			    size_t written);

#endif /* _LINUX_DMA_RESTRICTED_GATHER_H */
