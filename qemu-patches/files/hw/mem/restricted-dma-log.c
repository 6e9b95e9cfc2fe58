/*
 * A limit for the messages about one device
 *
 * A driver that does what it must not do, again and again, cannot fill the
 * host's log.  Neither does it hide anything: how many messages were left out
 * is a message, too, at most one in each interval.
 *
 * A message costs an atomic increment if it is left out, and a timer if it is
 * the first one of its interval.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/error-report.h"
#include "hw/mem/restricted-dma-log.h"

static void restricted_dma_log_end_interval(void *opaque)
{
    RestrictedDMALog *log = opaque;
    unsigned messages = qatomic_xchg(&log->messages, 0);

    if (messages > RESTRICTED_DMA_LOG_MESSAGES) {
        error_report("%s: %u messages left out", log->name,
                     messages - RESTRICTED_DMA_LOG_MESSAGES);
    }
}

void restricted_dma_log_init(RestrictedDMALog *log, const char *name)
{
    log->name = name;
    log->messages = 0;
    timer_init_ms(&log->end, QEMU_CLOCK_REALTIME,
                  restricted_dma_log_end_interval, log);
}

void restricted_dma_log_cleanup(RestrictedDMALog *log)
{
    timer_del(&log->end);
    restricted_dma_log_end_interval(log);
    log->name = NULL;
}

bool restricted_dma_log_admit(RestrictedDMALog *log)
{
    unsigned before;

    if (!log->name) {
        return true;
    }
    before = qatomic_fetch_inc(&log->messages);
    if (!before) {
        timer_mod(&log->end, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
                             RESTRICTED_DMA_LOG_INTERVAL_MS);
    }
    return before < RESTRICTED_DMA_LOG_MESSAGES;
}
