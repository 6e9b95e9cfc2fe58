/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What swiotlb.c lends to those who fill bounce buffers themselves.
 */
#ifndef _KERNEL_DMA_SWIOTLB_BUFFER_H
#define _KERNEL_DMA_SWIOTLB_BUFFER_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct device;

void swiotlb_copy(unsigned char *vaddr, phys_addr_t orig_addr, size_t size,
		  enum dma_data_direction dir);
void *swiotlb_take_buffer(struct device *dev, size_t size,
			  enum dma_data_direction dir, phys_addr_t *tlb_addr);
void swiotlb_give_buffer(struct device *dev, phys_addr_t tlb_addr);

#endif /* _KERNEL_DMA_SWIOTLB_BUFFER_H */
