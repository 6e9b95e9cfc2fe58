/*
 * Restricted DMA pools: requests that make each other
 *
 * An answer that repeats a few bytes of its request can be written to the ring
 * itself: it makes the next request available.  After one notification, the
 * queue is never empty again, and no processor of the guest is needed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_CIRCLE_H
#define TESTS_RESTRICTED_DMA_CIRCLE_H

#include "ring.h"

#define RDP_CIRCLE_CHAIN    5       /* descriptors of a request */
#define RDP_CIRCLE_SIZE     (2 * RDP_CIRCLE_CHAIN)      /* of the ring */
#define RDP_CIRCLE_REQUEST  64      /* bytes, at the most */

/* A request of a device that answers it at once, in as many bytes */
typedef struct RdpCircle {
    uint32_t len;           /* of the request, and of the answer */
    uint32_t echo;          /* where the answer repeats four bytes of it */
    void (*fill)(uint8_t request[RDP_CIRCLE_REQUEST], uint32_t bytes);
} RdpCircle;

/* Commands that virtio-gpu does not know, with fences */
extern const RdpCircle rdp_circle_gpu;

/*
 * Fill a packed ring of RDP_CIRCLE_SIZE, of which the device has not used
 * anything yet.  The requests are at @place, a multiple of 64 KiB.  Returns
 * where each answer writes the same byte, which is not 0xff.
 */
uint64_t rdp_circle_fill(const RdpCircle *circle, RdpRing *ring,
                         uint64_t place);
/* The device is at it: it writes that byte again */
void rdp_assert_circling(RdpGuest *guest, uint64_t byte);

#endif
