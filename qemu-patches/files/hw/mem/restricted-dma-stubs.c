/*
 * Restricted DMA pools in a QEMU none of whose machines has a place for them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/mem/restricted-dma-pool.h"
#include "hw/mem/restricted-dma-window.h"
#include "migration/vmstate.h"
#include "qapi/qapi-commands-restricted-dma.h"

/* No device has a pool: its link has nothing to lead to. */

const VMStateDescription vmstate_restricted_dma_pool = {
    .name = "restricted-dma-pool",
    .fields = (const VMStateField[]) {
        VMSTATE_END_OF_LIST()
    },
};

bool restricted_dma_pool_check_mapped(const RestrictedDMAPool *pool,
                                      Error **errp)
{
    g_assert_not_reached();
}

const char *restricted_dma_pool_id(const RestrictedDMAPool *pool)
{
    g_assert_not_reached();
}

hwaddr restricted_dma_pool_base(const RestrictedDMAPool *pool)
{
    g_assert_not_reached();
}

uint64_t restricted_dma_pool_size(const RestrictedDMAPool *pool)
{
    g_assert_not_reached();
}

AddressSpace *restricted_dma_pool_as(RestrictedDMAPool *pool)
{
    g_assert_not_reached();
}

void restricted_dma_pool_attach(RestrictedDMADevice *rd, DeviceState *dev)
{
    g_assert_not_reached();
}

void restricted_dma_pool_detach(RestrictedDMADevice *rd)
{
}

void *restricted_dma_pool_host(RestrictedDMAPool *pool)
{
    g_assert_not_reached();
}

AddressSpace *restricted_dma_window_as(RestrictedDMAWindow *window)
{
    g_assert_not_reached();
}

bool restricted_dma_window_is_open(const RestrictedDMAWindow *window)
{
    return false;
}

void restricted_dma_written(RestrictedDMADevice *rd, void *buffer,
                            uint64_t len)
{
    g_assert_not_reached();
}

void restricted_dma_violation(RestrictedDMADevice *rd, hwaddr addr,
                              uint64_t len, RestrictedDMAAccess what)
{
    g_assert_not_reached();
}

void restricted_dma_log_init(RestrictedDMALog *log, const char *name)
{
    g_assert_not_reached();
}

void restricted_dma_log_cleanup(RestrictedDMALog *log)
{
    g_assert_not_reached();
}

bool restricted_dma_log_admit(RestrictedDMALog *log)
{
    return true;
}

RestrictedDMAPoolInfoList *qmp_query_restricted_dma_pools(Error **errp)
{
    return NULL;
}
