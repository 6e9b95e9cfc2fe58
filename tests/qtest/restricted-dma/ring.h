/*
 * Restricted DMA pools: split and packed rings made by hand
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_RING_H
#define TESTS_RESTRICTED_DMA_RING_H

#include "driver.h"
#include "standard-headers/linux/virtio_ring.h"

#define RDP_RING_SIZE           16

/* One element of a descriptor chain */
typedef struct RdpBuf {
    uint64_t addr;
    uint32_t len;
    bool device_writes;
    uint16_t flags;             /* of the descriptor, besides those it needs */
} RdpBuf;

typedef struct RdpRing {
    RdpDevice *dev;
    uint16_t queue;
    bool packed;
    unsigned size;              /* in descriptors; not 0 */
    uint64_t desc;
    uint64_t avail;             /* packed: driver event suppression */
    uint64_t used;              /* packed: device event suppression */
    unsigned added;             /* chains made available */
    unsigned done;              /* packed: chains seen used */
    uint16_t first_used;        /* split: used index before the first chain */
    unsigned used_before;       /* chains returned at rdp_ring_baseline() */
    unsigned next;              /* next free descriptor, never wrapped */
    unsigned heads[RDP_RING_SIZE];      /* first descriptor of each chain */
} RdpRing;

/* Choose ring addresses in the pool, and RDP_RING_SIZE; clear that memory */
void rdp_ring_init(RdpRing *ring, RdpDevice *dev, uint16_t queue, bool packed);
/* Tell the device the addresses and enable the queue */
void rdp_ring_enable(RdpRing *ring);
/* From reset to DRIVER_OK with one ring, which is packed if @features say so */
void rdp_setup(RdpDevice *dev, RdpRing *ring, uint16_t queue,
               uint64_t features);
/* Tell the device another size than the one that it is enabled with */
void rdp_ring_set_size(RdpRing *ring, uint16_t size);
/* The size that the device has */
uint16_t rdp_ring_size(const RdpRing *ring);
/* Let the ring interrupt through an MSI-X vector */
void rdp_ring_set_vector(RdpRing *ring, uint16_t vector);
/* Take the ring away from a running device; PCI needs VIRTIO_F_RING_RESET */
void rdp_ring_begin_reset(RdpRing *ring);
/* Does the device still use buffers of the ring? */
bool rdp_ring_resetting(RdpRing *ring);
/* Both: returns when the device has let go */
void rdp_ring_reset(RdpRing *ring);

/* Bytes that the device may access in each part of the ring */
uint64_t rdp_ring_desc_size(const RdpRing *ring);
uint64_t rdp_ring_avail_size(const RdpRing *ring, uint64_t features);
uint64_t rdp_ring_used_size(const RdpRing *ring, uint64_t features);

/* Make a chain available, through an indirect table at @table if any */
#define RDP_NO_TABLE            UINT64_MAX
void rdp_ring_add(RdpRing *ring, const RdpBuf *bufs, unsigned n,
                  uint64_t table);
void rdp_ring_kick(RdpRing *ring);
/* Add a chain without a table and kick */
void rdp_ring_submit(RdpRing *ring, const RdpBuf *bufs, unsigned n);
/* The number of chains that the device has returned */
unsigned rdp_ring_used(RdpRing *ring);
/* Wait until the device has returned everything */
void rdp_ring_wait(RdpRing *ring);
/* Submit a chain and wait until the device has returned it */
void rdp_ring_serve(RdpRing *ring, const RdpBuf *bufs, unsigned n);

#endif
