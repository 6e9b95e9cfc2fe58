/*
 * A device's window on its restricted DMA pool
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MEM_RESTRICTED_DMA_WINDOW_H
#define HW_MEM_RESTRICTED_DMA_WINDOW_H

#include "hw/mem/restricted-dma-pool.h"

/**
 * restricted_dma_window_new: give a device an address space with one window
 * @pool: what the window is on; mapped
 * @reach: the memory that the device's bus lets it reach at the moment
 * @name: of the address space
 *
 * Guest-physical addresses, with nothing in them but the part of @reach that
 * is at the pool's place.  An access to any other address, or while the window
 * is closed, is never bounced, so it cannot be mapped.
 *
 * @reach has to outlive the window.  Context: BQL.
 */
RestrictedDMAWindow *restricted_dma_window_new(RestrictedDMAPool *pool,
                                               MemoryRegion *reach,
                                               const char *name);

/* Undoes restricted_dma_window_new().  Context: BQL. */
void restricted_dma_window_destroy(RestrictedDMAWindow *window);

AddressSpace *restricted_dma_window_as(RestrictedDMAWindow *window);

/**
 * restricted_dma_window_is_open: does the bus let the device reach its pool?
 * @window: of the device; NULL if it is not attached, and reaches nothing
 *
 * The answer changes before the memory listeners of the address space commit
 * the change.  Context: any thread; only the BQL keeps the answer true.
 */
bool restricted_dma_window_is_open(const RestrictedDMAWindow *window);

#endif
