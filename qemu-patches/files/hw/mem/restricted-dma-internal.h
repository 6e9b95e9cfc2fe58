/*
 * The inside of a restricted DMA pool, for the files that implement it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MEM_RESTRICTED_DMA_INTERNAL_H
#define HW_MEM_RESTRICTED_DMA_INTERNAL_H

#include "exec/memory.h"
#include "hw/mem/restricted-dma-pool.h"

/* Limit of size, and of addr + size: with POOLS_END_MAX, no sum wraps. */
#define RESTRICTED_DMA_POOL_END_MAX (1ULL << 56)

struct RestrictedDMAPool {
    Object parent_obj;

    char *id;

    /* Properties: constant once the pool is mapped */
    uint64_t size;
    uint64_t addr;
    bool has_addr;
    uint8_t dma_default;        /* a bool, in the type that vmstate compares */
    char *memdev;

    /* Written once, when the pool is mapped */
    bool mapped;
    hwaddr base;
    MemoryRegion ram;           /* unused if memdev is given */
    MemoryRegion root;          /* of as: empty but for the window */
    MemoryRegion window;        /* alias of the pool's memory */
    AddressSpace as;

    /* Protected by the BQL */
    QLIST_HEAD(, RestrictedDMADevice) devices;

    /* Atomic */
    Stat64 violations;
};

#endif
