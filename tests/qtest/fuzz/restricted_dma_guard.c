/*
 * Restricted DMA pools: a fuzzer that stops when a device leaves its pool
 *
 * All RAM of the machine apart from the pool is taken away from the process,
 * and addresses with nothing behind them are trapped.  No vCPU runs, so each
 * access there is a device's.  Not covered are accesses to ROM, which a system
 * reset writes to, and to the registers of other devices.
 *
 * Devices under test must not have MSI-X: the driver may choose any address
 * for an interrupt.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "exec/address-spaces.h"
#include "exec/cpu-common.h"
#include "exec/ramblock.h"
#include "hw/mem/restricted-dma-pool.h"
#include "qemu/error-report.h"
#include "qom/object.h"
#include "restricted_dma_guard.h"
#include "restricted_dma_limits.h"

/* Above the sparse memory of the generic fuzzer, below all that is real */
#define TRAP_PRIORITY   -100

static MemTxResult trap_access(void *opaque, hwaddr addr, uint64_t *data,
                               unsigned size, MemTxAttrs attrs)
{
    rdp_limits_abort("a device accessed 0x%" HWADDR_PRIx " outside its pool",
                     addr);
}

static MemTxResult trap_write(void *opaque, hwaddr addr, uint64_t data,
                              unsigned size, MemTxAttrs attrs)
{
    return trap_access(opaque, addr, &data, size, attrs);
}

static const MemoryRegionOps trap_ops = {
    .read_with_attrs = trap_access,
    .write_with_attrs = trap_write,
    .valid = { .max_access_size = 8, .unaligned = true },
    .impl = { .max_access_size = 8, .unaligned = true },
};

static int protect_block(RAMBlock *block, void *opaque)
{
    MemoryRegion *pool = opaque;

    if (block->mr != pool && !memory_region_is_rom(block->mr) &&
        mprotect(block->host, block->max_length, PROT_NONE)) {
        error_report("cannot take %s away: %s", block->idstr, strerror(errno));
        exit(1);
    }
    return 0;
}

MemoryRegion *restricted_dma_guard(void)
{
    Object *pool = object_resolve_path_component(object_get_objects_root(),
                                                 RDP_FUZZ_POOL);
    MemoryRegionSection section;
    MemoryRegion *trap;

    if (!pool) {
        return NULL;
    }
    section = memory_region_find(get_system_memory(),
                                 restricted_dma_pool_base(
                                     RESTRICTED_DMA_POOL(pool)), 1);
    qemu_ram_foreach_block(protect_block, section.mr);

    trap = g_new0(MemoryRegion, 1);
    memory_region_init_io(trap, NULL, &trap_ops, NULL, "trap", UINT64_MAX);
    memory_region_add_subregion_overlap(get_system_memory(), 0, trap,
                                        TRAP_PRIORITY);
    return section.mr;
}
