/*
 * Restricted DMA pools: requests of virtio-blk
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "standard-headers/linux/virtio_blk.h"
#include "blk.h"

#define SECTOR_SIZE     512
#define READ_SECTOR     8
#define READ_FILL       0x5a

void rdp_blk_request(RdpGuest *guest, RdpBuf bufs[RDP_BLK_BUFS], bool write,
                     uint64_t sector, uint8_t fill)
{
    struct virtio_blk_outhdr hdr = {
        .type = cpu_to_le32(write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN),
        .sector = cpu_to_le64(sector),
    };
    uint8_t status = 0xff;

    bufs[0] = (RdpBuf) { guest->base + RDP_BUFFERS, sizeof(hdr), false };
    bufs[1] = (RdpBuf) { guest->base + RDP_BLK_DATA, RDP_BLK_DATA_SIZE,
                         !write };
    bufs[2] = (RdpBuf) { guest->base + RDP_BLK_STATUS, sizeof(status), true };
    rdp_poke(guest, bufs[0].addr, &hdr, sizeof(hdr));
    rdp_fill(guest, bufs[1].addr, fill, bufs[1].len);
    rdp_poke(guest, bufs[2].addr, &status, sizeof(status));
}

void rdp_blk_read(RdpGuest *guest, RdpBuf bufs[RDP_BLK_BUFS])
{
    rdp_blk_request(guest, bufs, false, READ_SECTOR, READ_FILL);
}

void rdp_blk_assert_served(RdpGuest *guest)
{
    g_assert_cmphex(qtest_readb(guest->qts, guest->base + RDP_BLK_STATUS), ==,
                    VIRTIO_BLK_S_OK);
}

void rdp_blk_assert_not_served(RdpGuest *guest)
{
    uint8_t data[RDP_BLK_DATA_SIZE], expected[RDP_BLK_DATA_SIZE];

    qtest_bufread(guest->qts, guest->base + RDP_BLK_DATA, data, sizeof(data));
    memset(expected, READ_FILL, sizeof(expected));
    g_assert_cmpmem(data, sizeof(data), expected, sizeof(expected));
    g_assert_cmphex(qtest_readb(guest->qts, guest->base + RDP_BLK_STATUS), ==,
                    0xff);
}

void rdp_blk_init(RdpBlk *blk, RdpDevice *dev, uint64_t features, bool write)
{
    RdpGuest *guest = dev->guest;
    bool indirect = features & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);

    g_assert_true(rdp_negotiate(dev, features));
    blk->features = features;
    rdp_ring_init(&blk->ring, dev, 0, features & BIT_ULL(VIRTIO_F_RING_PACKED));
    rdp_blk_request(guest, blk->bufs, write, READ_SECTOR, READ_FILL);
    blk->table = indirect ? guest->base + RDP_TABLE : RDP_NO_TABLE;
}

void rdp_blk_setup(RdpBlk *blk, RdpDevice *dev, uint64_t features)
{
    rdp_blk_init(blk, dev, features, false);
    rdp_ring_enable(&blk->ring);
    rdp_driver_ok(dev);
}

void rdp_blk_add(RdpBlk *blk)
{
    rdp_ring_add(&blk->ring, blk->bufs, RDP_BLK_BUFS, blk->table);
}

void rdp_blk_go(RdpBlk *blk)
{
    rdp_ring_enable(&blk->ring);
    rdp_driver_ok(blk->ring.dev);
    rdp_ring_kick(&blk->ring);
}

void rdp_blk_submit(RdpBlk *blk)
{
    rdp_blk_read(blk->ring.dev->guest, blk->bufs);
    rdp_blk_add(blk);
    rdp_ring_kick(&blk->ring);
}

/* Let the device serve a request of which the status and the data are known */
static void serve_and_compare(RdpRing *ring, const RdpBuf *bufs,
                              uint64_t table, const uint8_t *on_disk,
                              uint8_t expected)
{
    RdpGuest *guest = ring->dev->guest;
    uint8_t data[RDP_BLK_DATA_SIZE], in_pool[RDP_BLK_DATA_SIZE];

    rdp_ring_add(ring, bufs, RDP_BLK_BUFS, table);
    rdp_ring_kick(ring);
    rdp_ring_wait(ring);
    rdp_blk_assert_served(guest);
    memset(data, expected, sizeof(data));
    g_assert_cmpmem(on_disk, RDP_BLK_DATA_SIZE, data, sizeof(data));
    qtest_bufread(guest->qts, bufs[1].addr, in_pool, sizeof(in_pool));
    g_assert_cmpmem(in_pool, sizeof(in_pool), data, sizeof(data));
}

void rdp_blk_assert_works(RdpDevice *dev, uint64_t features, bool indirect)
{
    const uint64_t sector = 100;
    RdpGuest *guest = dev->guest;
    uint64_t table = indirect ? guest->base + RDP_TABLE : RDP_NO_TABLE;
    uint8_t *on_disk = guest->disk.now + sector * SECTOR_SIZE;
    uint8_t data = ~on_disk[0];
    RdpBuf bufs[RDP_BLK_BUFS];
    RdpRing ring;

    rdp_setup(dev, &ring, 0, features);
    rdp_blk_request(guest, bufs, true, sector, data);
    serve_and_compare(&ring, bufs, table, on_disk, data);
    rdp_blk_request(guest, bufs, false, sector, ~data);
    serve_and_compare(&ring, bufs, table, on_disk, data);
    g_assert_cmphex(rdp_status(dev), ==,
                    VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                    VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}
