/*
 * Restricted DMA pools: the time that many queues take together
 *
 * A queue with enough requests for seconds makes way for the event loop, and so
 * does each of hundreds of queues.  The loop comes round in time nevertheless,
 * and the monitor answers.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "standard-headers/linux/virtio_blk.h"
#include "restricted-dma/refusal.h"

#define DEVICES         4
#define QUEUES          64
#define RING            1024
#define TABLE_ENTRIES   1022            /* QEMU takes 1024, and no more */
#define QUERIES         5
#define ANSWER_USEC     G_USEC_PER_SEC

/* Offsets into the pool.  All queues share their rings, tables and buffers. */
#define DESC            0x000000
#define AVAIL           0x010000
#define USED            0x020000
#define TABLE           0x030000
#define DATA            0x040000

#define FEATURES        (RDP_FEATURES | BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC))

typedef struct Crowd {
    RdpGuest *guest;
    RdpDevice devs[DEVICES];
} Crowd;

static void put_desc(RdpGuest *guest, uint64_t at, uint64_t addr, uint32_t len,
                     uint16_t flags, uint16_t next)
{
    struct vring_desc desc = {
        .addr = cpu_to_le64(guest->base + addr),
        .len = cpu_to_le32(len),
        .flags = cpu_to_le16(flags),
        .next = cpu_to_le16(next),
    };

    rdp_poke(guest, guest->base + at, &desc, sizeof(desc));
}

/*
 * A request of a type that does not exist: the device maps all buffers and
 * answers at once.
 */
static void put_table(RdpGuest *guest)
{
    struct virtio_blk_outhdr header = { .type = cpu_to_le32(UINT32_MAX) };
    unsigned i;

    rdp_poke(guest, guest->base + DATA, &header, sizeof(header));
    put_desc(guest, TABLE, DATA, sizeof(header), VRING_DESC_F_NEXT, 1);
    for (i = 1; i < TABLE_ENTRIES; i++) {
        bool last = i == TABLE_ENTRIES - 1;

        put_desc(guest, TABLE + i * sizeof(struct vring_desc), DATA + 0x1000, 1,
                 VRING_DESC_F_WRITE | (last ? 0 : VRING_DESC_F_NEXT), i + 1);
    }
}

static void put_rings(RdpGuest *guest)
{
    unsigned i;

    for (i = 0; i < RING; i++) {
        uint16_t head = cpu_to_le16(i);

        put_desc(guest, DESC + i * sizeof(struct vring_desc), TABLE,
                 TABLE_ENTRIES * sizeof(struct vring_desc),
                 VRING_DESC_F_INDIRECT, 0);
        rdp_poke(guest, guest->base + AVAIL +
                 offsetof(struct vring_avail, ring[i]), &head, sizeof(head));
    }
}

static void make_available(RdpGuest *guest, uint16_t idx)
{
    idx = cpu_to_le16(idx);
    rdp_poke(guest, guest->base + AVAIL + offsetof(struct vring_avail, idx),
             &idx, sizeof(idx));
}

static void enable_queues(RdpDevice *dev)
{
    RdpRing ring = {
        .dev = dev,
        .size = RING,
        .desc = dev->guest->base + DESC,
        .avail = dev->guest->base + AVAIL,
        .used = dev->guest->base + USED,
    };

    g_assert_true(rdp_negotiate(dev, FEATURES));
    for (ring.queue = 0; ring.queue < QUEUES; ring.queue++) {
        rdp_ring_enable(&ring);
    }
    rdp_driver_ok(dev);
}

static void start_crowd(Crowd *crowd, const char *options)
{
    g_autoptr(GString) args = g_string_new("");
    unsigned i;

    for (i = 0; i < DEVICES; i++) {
        g_string_append_printf(args, " -blockdev null-co,node-name=node%u"
                               " -device virtio-blk-pci,id=dev%u,addr=%u,"
                               "drive=node%u,num-queues=%u,queue-size=%u,"
                               "restricted-dma-pool=poola%s",
                               i, i, RDP_SLOT + i, i, QUEUES, RING, options);
    }
    crowd->guest = rdp_start(rdp_machine(), "%s", args->str);
    for (i = 0; i < DEVICES; i++) {
        g_autofree char *id = g_strdup_printf("dev%u", i);

        rdp_device_init(&crowd->devs[i], crowd->guest, RDP_SLOT + i, id);
    }
}

static void assert_answers(RdpGuest *guest)
{
    int64_t start = g_get_monotonic_time();

    qtest_qmp_assert_success(guest->qts, "{'execute': 'query-status'}");
    g_assert_cmpint(g_get_monotonic_time() - start, <, ANSWER_USEC);
}

/* An honest driver takes over */
static void assert_serves(RdpDevice *dev)
{
    RdpGuest *guest = dev->guest;
    RdpRing ring;
    RdpBuf bufs[] = {
        { guest->base + DATA, sizeof(struct virtio_blk_outhdr) },
        { guest->base + DATA + 0x1000, 1, .device_writes = true },
    };

    rdp_setup(dev, &ring, 0, FEATURES);
    rdp_fill(guest, bufs[1].addr, 0xff, 1);
    rdp_ring_serve(&ring, bufs, ARRAY_SIZE(bufs));
    g_assert_cmphex(qtest_readb(guest->qts, bufs[1].addr), ==,
                    VIRTIO_BLK_S_UNSUPP);
}

/* A machine that goes on kicks all queues, which is the quickest start. */
static void test_crowd(const void *options)
{
    Crowd crowd;
    uint16_t done;
    unsigned i;

    start_crowd(&crowd, options);
    put_table(crowd.guest);
    put_rings(crowd.guest);
    for (i = 0; i < DEVICES; i++) {
        enable_queues(&crowd.devs[i]);
    }
    qtest_qmp_assert_success(crowd.guest->qts, "{'execute': 'stop'}");
    make_available(crowd.guest, RING);
    rdp_continue(crowd.guest->qts);

    for (i = 0; i < QUERIES; i++) {
        assert_answers(crowd.guest);
    }
    /* All that time they were busy: each writes here how many it has done. */
    done = qtest_readw(crowd.guest->qts, crowd.guest->base + USED +
                       offsetof(struct vring_used, idx));
    g_assert_cmpuint(done, >, 0);
    g_assert_cmpuint(done, <, RING);

    for (i = 0; i < DEVICES; i++) {
        rdp_reset(&crowd.devs[i]);
    }
    for (i = 0; i < DEVICES; i++) {
        assert_serves(&crowd.devs[i]);
        rdp_device_cleanup(&crowd.devs[i]);
    }
    rdp_stop(crowd.guest);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_data_func("/restricted-dma/time/queues", "", test_crowd);
    qtest_add_data_func("/restricted-dma/time/queues-no-ioeventfd",
                        ",ioeventfd=off", test_crowd);
    return g_test_run();
}
