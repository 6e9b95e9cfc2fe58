/*
 * The inside of a restricted DMA pool, for the files that implement it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MEM_RESTRICTED_DMA_INTERNAL_H
#define HW_MEM_RESTRICTED_DMA_INTERNAL_H

#include "exec/memory.h"
#include "hw/mem/restricted-dma-pool.h"
#include "qemu/notify.h"

/* Limit of size, and of addr + size: with POOLS_END_MAX, no sum wraps. */
#define RESTRICTED_DMA_POOL_END_MAX (1ULL << 56)

/* Names of memory and of migration sections have the id and 40 bytes more. */
#define RESTRICTED_DMA_POOL_ID_MAX  128

struct RestrictedDMAPool {
    Object parent_obj;

    char *id;                   /* set when the object is complete */

    /* Properties: constant once the object is complete */
    uint64_t size;
    uint64_t addr;
    bool has_addr;
    uint8_t dma_default;        /* a bool, in the type that vmstate compares */
    char *memdev;

    Notifier machine_done;

    /* Written once, when the pool is mapped */
    bool mapped;
    hwaddr base;
    MemoryRegion ram;           /* unused if memdev is given */
    MemoryRegion root;          /* of as: empty but for the window */
    MemoryRegion window;        /* alias of the pool's memory */
    AddressSpace as;
    MemoryRegionCache memory;   /* all of as that is not empty */

    /* Protected by the BQL */
    QLIST_HEAD(, RestrictedDMADevice) devices;

    /* Atomic */
    Stat64 violations;
};

#endif
