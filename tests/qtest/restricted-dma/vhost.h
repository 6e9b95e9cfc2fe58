/*
 * Restricted DMA pools: a guest with one device that a back end serves
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_VHOST_H
#define TESTS_RESTRICTED_DMA_VHOST_H

#include "back-end.h"
#include "blk.h"

/* Features of the protocol that the back ends of the tests offer */
#define RDP_VHOST_PROTOCOL      (BIT_ULL(0) | BIT_ULL(1) | BIT_ULL(3) | \
                                 BIT_ULL(5) | BIT_ULL(9))

/* A kind of device, and of back end */
typedef struct RdpVhostVariant {
    const char *name;
    const char *device;
    uint64_t features;          /* of the driver, besides RDP_FEATURES */
    uint64_t protocol;
} RdpVhostVariant;

#define RDP_VHOST_VARIANTS      5
extern const RdpVhostVariant rdp_vhost_variants[RDP_VHOST_VARIANTS];

/* A guest with one device, dev0, and the back end of that */
typedef struct RdpVhost {
    const RdpVhostVariant *variant;
    RdpBackEnd *be;
    RdpDevice dev;
    RdpGuest *guest;
    RdpRing ring;
} RdpVhost;

/* QEMU connects to the back end once, and has to stay connected ... */
void rdp_vhost_start(RdpVhost *v, const RdpVhostVariant *variant);
/* ... or connects again when the connection ends */
void rdp_vhost_start_reconnecting(RdpVhost *v, const RdpVhostVariant *variant);
void rdp_vhost_stop(RdpVhost *v);

/* A test that runs on each kind of device; its data is an RdpVhostVariant */
typedef struct RdpVhostTest {
    const char *name;
    GTestDataFunc func;
    bool split;                 /* needs the indices of a split ring */
    bool pc;                    /* needs a PC */
} RdpVhostTest;

/* Adds them as restricted-dma/@group/NAME/VARIANT */
void rdp_vhost_add_tests(const char *group, const RdpVhostTest *tests,
                         unsigned n);

/* From reset to DRIVER_OK; returns when the back end processes the queue */
void rdp_vhost_run(RdpVhost *v);

#endif
