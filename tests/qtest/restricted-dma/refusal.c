/*
 * Restricted DMA pools: what a device does when it is sent out of its pool
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "refusal.h"

static bool event_reports(const QDict *data, const RdpAccess *bad)
{
    return !strcmp(qdict_get_str(data, "what"), bad->what) &&
           rdp_get_uint(data, "address") == bad->addr &&
           rdp_get_uint(data, "length") == bad->len;
}

/* The access that the event reports, or the last one if it reports none */
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

    /* A second event would be held back until the rate limit has passed */
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
        g_assert_true(rdp_needs_reset(dev));
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
