/*
 * Restricted DMA pools of the x86 machines
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_I386_RESTRICTED_DMA_H
#define HW_I386_RESTRICTED_DMA_H

#include "hw/i386/x86.h"

/**
 * x86_check_restricted_dma_pools: check that pools end at or below a limit
 * @base: first guest-physical address above RAM
 * @limit: first address that the CPUs cannot reach, or that something else has
 *
 * Exits with a message if they do not.
 */
void x86_check_restricted_dma_pools(hwaddr base, hwaddr limit);

/**
 * x86_map_restricted_dma_pools: map the pools and reserve them in the e820
 * @x86ms: the machine
 * @sysmem: where to map the pools
 * @base: first guest-physical address above RAM
 *
 * Exits with a message if a pool cannot be mapped, or if the guest would not
 * learn of it because ACPI is off.
 *
 * Returns: the end of the pools, or 0 if there are none.
 */
hwaddr x86_map_restricted_dma_pools(X86MachineState *x86ms,
                                    MemoryRegion *sysmem, hwaddr base);

#endif
