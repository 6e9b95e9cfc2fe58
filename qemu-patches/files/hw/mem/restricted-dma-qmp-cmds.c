/*
 * QMP commands related to restricted DMA pools
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/qdev-core.h"
#include "qapi/qapi-commands-restricted-dma.h"
#include "restricted-dma-internal.h"

static RestrictedDMADeviceInfo *device_info(const RestrictedDMADevice *rd)
{
    RestrictedDMADeviceInfo *info = g_new0(RestrictedDMADeviceInfo, 1);

    info->device = g_strdup(rd->dev->id);
    info->qom_path = g_strdup(rd->qom_path);
    info->violations = stat64_get(&rd->violations);
    return info;
}

static RestrictedDMAPoolInfo *pool_info(const RestrictedDMAPool *pool)
{
    RestrictedDMAPoolInfo *info = g_new0(RestrictedDMAPoolInfo, 1);
    RestrictedDMADevice *rd;

    info->id = g_strdup(pool->id);
    info->base = pool->base;
    info->size = pool->size;
    info->dma_default = pool->dma_default;
    info->violations = stat64_get(&pool->violations);
    QLIST_FOREACH(rd, &pool->devices, next) {
        QAPI_LIST_PREPEND(info->devices, device_info(rd));
    }
    return info;
}

RestrictedDMAPoolInfoList *qmp_query_restricted_dma_pools(Error **errp)
{
    g_autoptr(GSList) pools = restricted_dma_pools_list();
    RestrictedDMAPoolInfoList *head = NULL, **tail = &head;

    for (GSList *l = pools; l; l = l->next) {
        QAPI_LIST_APPEND(tail, pool_info(l->data));
    }
    return head;
}
