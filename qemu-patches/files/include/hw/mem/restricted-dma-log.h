/*
 * A limit for the messages about one device
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MEM_RESTRICTED_DMA_LOG_H
#define HW_MEM_RESTRICTED_DMA_LOG_H

#include "qemu/timer.h"

/* This many pass in an interval, which begins with the first of them. */
#define RESTRICTED_DMA_LOG_MESSAGES     10
#define RESTRICTED_DMA_LOG_INTERVAL_MS  5000

/**
 * struct RestrictedDMALog - Counts the messages about a device.
 *
 * While @messages is not 0, @end is pending, or is about to be.
 */
typedef struct RestrictedDMALog {
    /**
     * @name: Names the device when messages were left out; NULL if there is
     * no limit.
     */
    const char *name;

    /**
     * @end: Ends the interval, in the main loop.
     */
    QEMUTimer end;

    /**
     * @messages: Asked for in this interval; written atomically.
     */
    unsigned messages;
} RestrictedDMALog;

/* Begin to limit; @name has to live until restricted_dma_log_cleanup(). */
void restricted_dma_log_init(RestrictedDMALog *log, const char *name);

/*
 * Say what was left out until now, and limit no more.
 *
 * Context: BQL, and no other thread has a message for @log.
 */
void restricted_dma_log_cleanup(RestrictedDMALog *log);

/**
 * restricted_dma_log_admit: may one more message go into the log?
 *
 * What may not is counted, and the number goes into the log when the interval
 * ends.  Context: any thread.
 *
 * Returns: true if the caller may print the message.
 */
bool restricted_dma_log_admit(RestrictedDMALog *log);

#endif
