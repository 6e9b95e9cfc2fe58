/*
 * Restricted DMA pools of the x86 machines
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/i386/restricted-dma.h"
#include "hw/mem/restricted-dma-pool.h"
#include "qapi/error.h"
#include "target/i386/cpu.h"
#include "e820_memory_layout.h"

void x86_check_restricted_dma_pools(hwaddr base, hwaddr limit)
{
    const CPUX86State *env = &X86_CPU(first_cpu)->env;
    bool is_64bit = env->features[FEAT_8000_0001_EDX] & CPUID_EXT2_LM;

    restricted_dma_pools_fit(base, limit,
                             is_64bit ? "raise phys-bits" : "use a 64-bit CPU",
                             &error_fatal);
}

hwaddr x86_map_restricted_dma_pools(X86MachineState *x86ms,
                                    MemoryRegion *sysmem, hwaddr base)
{
    g_autoptr(GSList) pools = restricted_dma_pools_list();

    if (!pools) {
        return 0;
    }
    if (!x86_machine_is_acpi_enabled(x86ms)) {
        error_setg(&error_fatal, "the guest learns of restricted-dma-pool '%s' "
                   "from ACPI; use acpi=on or remove the object",
                   restricted_dma_pool_id(pools->data));
    }
    restricted_dma_pools_map(MACHINE(x86ms), sysmem, base, &error_fatal);
    for (GSList *l = pools; l; l = l->next) {
        e820_add_entry(restricted_dma_pool_base(l->data),
                       restricted_dma_pool_size(l->data), E820_RESERVED);
    }
    return restricted_dma_pools_end(base);
}
