/*
 * Restricted DMA pools: requests of virtio-blk
 *
 * Each has a header, the data of two sectors and a status byte, in a buffer
 * each.  The data begin with a known byte and the status with 0xff, so that a
 * request that was not served can be told from one that was.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_BLK_H
#define TESTS_RESTRICTED_DMA_BLK_H

#include "refusal.h"

#define RDP_BLK_BUFS            3
#define RDP_BLK_DATA            (RDP_BUFFERS + 0x1000)
#define RDP_BLK_STATUS          (RDP_BUFFERS + 0x2000)
#define RDP_BLK_DATA_SIZE       1024

/* Describe a request for the two sectors at @sector in @bufs, in the pool */
void rdp_blk_request(RdpGuest *guest, RdpBuf bufs[RDP_BLK_BUFS], bool write,
                     uint64_t sector, uint8_t fill);
/* The same for a read whose contents do not matter */
void rdp_blk_read(RdpGuest *guest, RdpBuf bufs[RDP_BLK_BUFS]);
/* Assert that the device has completed the last request ... */
void rdp_blk_assert_served(RdpGuest *guest);
/* ... or that it has not touched the last rdp_blk_read() */
void rdp_blk_assert_not_served(RdpGuest *guest);

/*
 * A driver that has negotiated and laid out one request, of which the device
 * does not know yet: the test can still change each address.
 */
typedef struct RdpBlk {
    uint64_t features;
    RdpRing ring;
    RdpBuf bufs[RDP_BLK_BUFS];
    uint64_t table;             /* RDP_NO_TABLE without INDIRECT_DESC */
} RdpBlk;

/* Negotiate @features from reset, and lay out a read, or a write */
void rdp_blk_init(RdpBlk *blk, RdpDevice *dev, uint64_t features, bool write);
/* The same for a read, and start the device with an empty ring */
void rdp_blk_setup(RdpBlk *blk, RdpDevice *dev, uint64_t features);
/* Make the request available ... */
void rdp_blk_add(RdpBlk *blk);
/* ... and let the device begin with it */
void rdp_blk_go(RdpBlk *blk);
/* Make one more read available on the same ring, and kick */
void rdp_blk_submit(RdpBlk *blk);

/* Negotiate from reset, write two sectors, read them back, compare */
void rdp_blk_assert_works(RdpDevice *dev, uint64_t features, bool indirect);

#endif
