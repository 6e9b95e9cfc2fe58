/*
 * Restricted DMA pools: what every refusal and every recovery has in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "standard-headers/linux/virtio_blk.h"
#include "guest.h"

static bool event_reports(const QDict *data, const RdpAccess *bad)
{
    return !strcmp(qdict_get_str(data, "what"), bad->what) &&
           rdp_get_uint(data, "address") == bad->addr &&
           rdp_get_uint(data, "length") == bad->len;
}

/* The access that the event reports; the last one if it is none of them */
static const RdpAccess *find_reported(const QDict *data, const RdpAccess *bad,
                                      unsigned n)
{
    while (n > 1 && !event_reports(data, bad)) {
        bad++;
        n--;
    }
    return bad;
}

static void assert_one_event(RdpDevice *dev, const RdpAccess *bad, unsigned n)
{
    QTestState *qts = dev->guest->qts;
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", dev->id);
    QDict *event, *data;

    RDP_WAIT_FOR((event = rdp_next_event(qts)));
    data = qdict_get_qdict(event, "data");
    bad = find_reported(data, bad, n);
    g_assert_cmpstr(qdict_get_str(data, "device"), ==, dev->id);
    g_assert_cmpstr(qdict_get_str(data, "qom-path"), ==, path);
    g_assert_cmpstr(qdict_get_str(data, "pool"), ==, "poola");
    g_assert_cmpstr(qdict_get_str(data, "what"), ==, bad->what);
    g_assert_cmphex(rdp_get_uint(data, "address"), ==, bad->addr);
    g_assert_cmphex(rdp_get_uint(data, "length"), ==, bad->len);
    qobject_unref(event);

    /* A second one would wait for the rate limit to pass */
    qtest_clock_step(qts, RDP_EVENT_PERIOD_NS);
    g_assert_null(rdp_next_event(qts));
}

void rdp_ring_count(RdpRing *ring)
{
    RdpGuest *guest = ring->dev->guest;

    rdp_forget_events(guest->qts);
    guest->violations_before = rdp_violations(guest->qts, "poola");
    ring->used_before = rdp_ring_used(ring);
}

void rdp_ring_baseline(RdpRing *ring)
{
    rdp_ring_count(ring);
    rdp_snapshot(ring->dev->guest);
}

void rdp_assert_refused(RdpRing *ring, const RdpAccess *bad, bool interrupt)
{
    rdp_assert_refused_one_of(ring, bad, 1, interrupt);
}

void rdp_assert_refused_one_of(RdpRing *ring, const RdpAccess *bad, unsigned n,
                               bool interrupt)
{
    static const uint8_t writes[] = { 0x0f, 0x07, 0x01, 0x4f, 0x8f };
    RdpDevice *dev = ring->dev;
    RdpGuest *guest = dev->guest;
    unsigned i;

    rdp_wait_needs_reset(dev);
    assert_one_event(dev, bad, n);
    if (interrupt) {
        g_assert_cmphex(rdp_isr(dev) & VIRTIO_PCI_ISR_CONFIG, !=, 0);
    }

    /* Only a reset brings the device back */
    for (i = 0; i < ARRAY_SIZE(writes); i++) {
        rdp_set_status(dev, writes[i]);
        g_assert_cmphex(rdp_status(dev) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
        rdp_ring_kick(ring);
    }

    rdp_settle(guest->qts);
    g_assert_cmpuint(rdp_ring_used(ring), ==, ring->used_before);
    rdp_assert_untouched(guest);
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==,
                     guest->violations_before + 1);
}

RdpAccess rdp_submit_bad(RdpRing *ring, RdpBuf *bufs, unsigned n, unsigned bad)
{
    RdpAccess access = {
        .what = "buffer",
        .addr = RDP_IN_RAM(ring->dev->guest, RDP_VICTIM),
        .len = bufs[bad].len,
    };

    bufs[bad].addr = access.addr;
    rdp_ring_baseline(ring);
    rdp_ring_submit(ring, bufs, n);
    return access;
}

void rdp_assert_refuses(RdpRing *ring, RdpBuf *bufs, unsigned n, unsigned bad)
{
    RdpAccess access = rdp_submit_bad(ring, bufs, n, bad);

    rdp_assert_refused(ring, &access, true);
}

void rdp_blk_request(RdpGuest *guest, RdpBuf bufs[3], bool write,
                     uint64_t sector, uint8_t data)
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
    rdp_fill(guest, bufs[1].addr, data, bufs[1].len);
    rdp_poke(guest, bufs[2].addr, &status, sizeof(status));
}

void rdp_blk_assert_works(RdpDevice *dev, uint64_t features, bool packed,
                          bool indirect)
{
    const uint64_t sector = 100;
    RdpGuest *guest = dev->guest;
    uint64_t table = indirect ? guest->base + RDP_TABLE : RDP_NO_TABLE;
    uint8_t *on_disk = guest->disk.now + sector * 512;
    uint8_t in_pool[RDP_BLK_DATA_SIZE];
    uint8_t data = ~on_disk[0];
    RdpBuf bufs[3];
    RdpRing ring;

    g_assert_true(rdp_negotiate(dev, features));
    rdp_ring_init(&ring, dev, 0, packed);
    rdp_ring_enable(&ring);
    rdp_driver_ok(dev);

    rdp_blk_request(guest, bufs, true, sector, data);
    rdp_ring_add(&ring, bufs, 3, table);
    rdp_ring_kick(&ring);
    rdp_ring_wait(&ring);
    g_assert_cmphex(qtest_readb(guest->qts, bufs[2].addr), ==,
                    VIRTIO_BLK_S_OK);
    memset(in_pool, data, sizeof(in_pool));
    g_assert_cmpmem(on_disk, RDP_BLK_DATA_SIZE, in_pool, sizeof(in_pool));

    rdp_blk_request(guest, bufs, false, sector, ~data);
    rdp_ring_add(&ring, bufs, 3, table);
    rdp_ring_kick(&ring);
    rdp_ring_wait(&ring);
    g_assert_cmphex(qtest_readb(guest->qts, bufs[2].addr), ==,
                    VIRTIO_BLK_S_OK);
    qtest_bufread(guest->qts, bufs[1].addr, in_pool, sizeof(in_pool));
    g_assert_cmpmem(on_disk, RDP_BLK_DATA_SIZE, in_pool, sizeof(in_pool));
    g_assert_cmphex(rdp_status(dev), ==,
                    VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                    VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}
