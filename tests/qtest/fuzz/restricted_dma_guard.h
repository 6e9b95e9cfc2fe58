/*
 * Restricted DMA pools: a fuzzer that stops when a device leaves its pool
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef RESTRICTED_DMA_GUARD_H
#define RESTRICTED_DMA_GUARD_H

#include "exec/memory.h"

/* The pool that the devices under test are given; others are out of bounds */
#define RDP_FUZZ_POOL   "poola"

/**
 * restricted_dma_guard: make every access outside the pool crash
 *
 * From here on only the pool can be accessed, so call it right before the first
 * input.  It does nothing if there is no pool.
 *
 * Returns: the memory of the pool, or NULL.
 */
MemoryRegion *restricted_dma_guard(void);

#endif
