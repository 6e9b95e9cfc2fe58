/*
 * HMP commands related to restricted DMA pools
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "qapi/qapi-commands-restricted-dma.h"

void hmp_info_restricted_dma_pools(Monitor *mon, const QDict *qdict)
{
    g_autoptr(RestrictedDMAPoolInfoList) pools =
        qmp_query_restricted_dma_pools(NULL);

    for (RestrictedDMAPoolInfoList *p = pools; p; p = p->next) {
        RestrictedDMAPoolInfo *pool = p->value;

        monitor_printf(mon, "%s: base 0x%016" PRIx64 ", size 0x%" PRIx64
                       "%s, violations %" PRIu64 "\n", pool->id, pool->base,
                       pool->size, pool->dma_default ? ", dma-default" : "",
                       pool->violations);
        for (RestrictedDMADeviceInfoList *d = pool->devices; d; d = d->next) {
            RestrictedDMADeviceInfo *dev = d->value;

            monitor_printf(mon, "  %s: violations %" PRIu64 "\n",
                           dev->device ?: dev->qom_path, dev->violations);
        }
    }
}
