/*
 * Restricted DMA pools: what a device does when it is sent out of its pool
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_REFUSAL_H
#define TESTS_RESTRICTED_DMA_REFUSAL_H

#include "ring.h"

/* An access that the device has to refuse, as the event reports it */
typedef struct RdpAccess {
    const char *what;
    uint64_t addr;
    uint64_t len;
} RdpAccess;

/* Remember all the counts that rdp_assert_refused() compares ... */
void rdp_ring_count(RdpRing *ring);
/* ... and the contents of memory, too */
void rdp_ring_baseline(RdpRing *ring);

/**
 * rdp_assert_refused: check every consequence of an access outside the pool
 * @ring: the ring that led to it, with everything since rdp_ring_baseline()
 * @bad: the access
 * @interrupt: whether DRIVER_OK was set at the time
 */
void rdp_assert_refused(RdpRing *ring, const RdpAccess *bad, bool interrupt);
/* The same where the event may report any of the @n accesses @bad */
void rdp_assert_refused_one_of(RdpRing *ring, const RdpAccess *bad, unsigned n,
                               bool interrupt);

/* Hand the device a chain whose buffer @bad is moved to RAM ... */
RdpAccess rdp_submit_bad(RdpRing *ring, RdpBuf *bufs, unsigned n,
                         unsigned bad);
/* ... and check that it refuses that */
void rdp_assert_refuses(RdpRing *ring, RdpBuf *bufs, unsigned n, unsigned bad);

#endif
