/*
 * Restricted DMA pools: rings that are hard to look at
 *
 * Monitor commands look at the rings of a device, and so do devices that ask
 * how much space there is.  Neither ends or stalls QEMU, whatever is in them.
 * The devices are tested without a pool, too.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qlist.h"
#include "standard-headers/linux/virtio_blk.h"
#include "restricted-dma/host.h"
#include "restricted-dma/refusal.h"

#define MAX_CHAIN       1024            /* VIRTQUEUE_MAX_SIZE */
#define LARGE_RING      1024
#define TABLE           0x100000        /* in the pool, to its end */
#define TABLE_LEN       (RDP_POOL_SIZE - TABLE)

#define INDIRECT        BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)
#define PACKED          BIT_ULL(VIRTIO_F_RING_PACKED)
#define NO_POOL         (RDP_FEATURES & ~BIT_ULL(RDP_F_RESTRICTED_DMA))

typedef struct Kind {
    const char *name;
    const char *options;
    uint64_t features;
} Kind;

static const Kind kinds[] = {
    { "confined/split", RDP_CONFINED, RDP_FEATURES | INDIRECT },
    { "confined/packed", RDP_CONFINED, RDP_FEATURES | INDIRECT | PACKED },
    { "free/split", RDP_DEV0 ",disable-legacy=on,iommu_platform=on",
      NO_POOL | INDIRECT },
    { "free/packed", RDP_DEV0 ",disable-legacy=on,iommu_platform=on",
      NO_POOL | INDIRECT | PACKED },
};

static RdpGuest *start_rng(RdpDevice *dev, const Kind *kind)
{
    return rdp_start_device(dev, rdp_machine(), "-object rng-builtin,id=rng0 "
                            "-device virtio-rng-pci,rng=rng0,packed=on,%s",
                            kind->options);
}

/* Monitor commands */

#define BACKEND "'/machine/peripheral/dev0/virtio-backend'"

/* The number of descriptors that QEMU lists, or -1 if it reports an error */
static int query_element(RdpGuest *guest, unsigned queue, int index)
{
    QDict *response, *element;
    int n = -1;

    if (index < 0) {
        response = qtest_qmp(guest->qts,
                             "{'execute': 'x-query-virtio-queue-element',"
                             " 'arguments': {'path': " BACKEND ","
                             " 'queue': %u}}", queue);
    } else {
        response = qtest_qmp(guest->qts,
                             "{'execute': 'x-query-virtio-queue-element',"
                             " 'arguments': {'path': " BACKEND ","
                             " 'queue': %u, 'index': %d}}", queue, index);
    }
    element = qdict_get_qdict(response, "return");
    if (element) {
        n = qlist_size(qdict_get_qlist(element, "descs"));
    } else {
        g_assert_true(qdict_haskey(response, "error"));
    }
    qobject_unref(response);
    return n;
}

/* Ask for all that there is to know */
static void query_everything(RdpGuest *guest)
{
    static const int queues[] = { 0, 1, 1023, 1024, 65535 };
    static const int indices[] = { -1, 0, 1, 65535 };
    unsigned i, j;

    qtest_qmp_assert_success(guest->qts, "{'execute': 'x-query-virtio'}");
    qtest_qmp_assert_success(guest->qts,
                             "{'execute': 'x-query-virtio-status',"
                             " 'arguments': {'path': " BACKEND "}}");
    for (i = 0; i < ARRAY_SIZE(queues); i++) {
        qobject_unref(qtest_qmp(guest->qts,
                                "{'execute': 'x-query-virtio-queue-status',"
                                " 'arguments': {'path': " BACKEND ","
                                " 'queue': %d}}", queues[i]));
        qobject_unref(qtest_qmp(guest->qts,
                                "{'execute':"
                                " 'x-query-virtio-vhost-queue-status',"
                                " 'arguments': {'path': " BACKEND ","
                                " 'queue': %d}}", queues[i]));
        for (j = 0; j < ARRAY_SIZE(indices); j++) {
            query_element(guest, queues[i], indices[j]);
        }
    }
}

typedef struct HostileRing {
    const char *name;
    uint16_t head;
    struct vring_desc desc;     /* number 0 of the ring; addr is in the pool */
    struct vring_desc entry;    /* number 0 of the table; the others are 0 */
    int listed;                 /* descriptors */
} HostileRing;

static const HostileRing hostile_rings[] = {
    { "fine", 0, { TABLE, 64 }, { }, 1 },
    { "head-outside", RDP_RING_SIZE, { TABLE, 64 }, { }, -1 },
    { "head-far-outside", 0xffff, { TABLE, 64 }, { }, -1 },
    { "next-outside", 0,
      { TABLE, 64, VRING_DESC_F_NEXT, RDP_RING_SIZE }, { }, 1 },
    { "loop", 0, { TABLE, 64, VRING_DESC_F_NEXT, 0 }, { }, RDP_RING_SIZE },
    { "empty-table", 0, { TABLE, 0, VRING_DESC_F_INDIRECT }, { }, -1 },
    { "short-table", 0, { TABLE, 8, VRING_DESC_F_INDIRECT }, { }, -1 },
    { "odd-table", 0, { TABLE, 24, VRING_DESC_F_INDIRECT }, { }, -1 },
    { "next-outside-table", 0, { TABLE, 32, VRING_DESC_F_INDIRECT },
      { 0, 64, VRING_DESC_F_NEXT, 2 }, 1 },
    { "loop-in-table", 0, { TABLE, 32, VRING_DESC_F_INDIRECT },
      { 0, 64, VRING_DESC_F_NEXT, 0 }, 2 },
    { "loop-in-long-table", 0, { TABLE, TABLE_LEN, VRING_DESC_F_INDIRECT },
      { 0, 64, VRING_DESC_F_NEXT, 0 }, MAX_CHAIN },
    { "table-in-table", 0, { TABLE, 32, VRING_DESC_F_INDIRECT },
      { TABLE, 64, VRING_DESC_F_INDIRECT }, 1 },
};

static void poke_desc(RdpGuest *guest, uint64_t at,
                      const struct vring_desc *desc)
{
    struct vring_desc le = {
        .addr = cpu_to_le64(guest->base + desc->addr),
        .len = cpu_to_le32(desc->len),
        .flags = cpu_to_le16(desc->flags),
        .next = cpu_to_le16(desc->next),
    };

    rdp_poke(guest, at, &le, sizeof(le));
}

/* Make ring entry 0 name @hostile; the device does not learn of it */
static void poke_hostile(RdpRing *ring, const HostileRing *hostile)
{
    RdpGuest *guest = ring->dev->guest;
    uint16_t head = cpu_to_le16(hostile->head);

    rdp_fill(guest, guest->base + TABLE, 0, 64);
    poke_desc(guest, ring->desc, &hostile->desc);
    poke_desc(guest, guest->base + TABLE, &hostile->entry);
    rdp_poke(guest, ring->avail + offsetof(struct vring_avail, ring[0]), &head,
             sizeof(head));
}

/* Looking has no consequence for the driver */
static void test_query(const void *data)
{
    const Kind *kind = data;
    RdpDevice dev;
    RdpGuest *guest = start_rng(&dev, kind);
    RdpBuf buf = { RDP_BUF(guest, 0), 64, true };
    RdpRing ring;
    unsigned i;

    query_everything(guest);
    rdp_setup(&dev, &ring, 0, kind->features);
    for (i = 0; i < ARRAY_SIZE(hostile_rings); i++) {
        const HostileRing *hostile = &hostile_rings[i];
        int listed = kind->features & PACKED ? -1 : hostile->listed;

        g_test_message("%s", hostile->name);
        poke_hostile(&ring, hostile);
        g_assert_cmpint(query_element(guest, 0, -1), ==, listed);
        g_assert_cmpint(query_element(guest, 0, 0), ==, listed);
        g_assert_cmpint(query_element(guest, 0, RDP_RING_SIZE), ==, listed);
        query_everything(guest);
        g_assert_false(rdp_needs_reset(&dev));
    }

    /* The device does not like it either, and can be looked at then, too */
    rdp_setup(&dev, &ring, 0, kind->features);
    buf.flags = VRING_DESC_F_INDIRECT;
    buf.len = 8;
    rdp_ring_submit(&ring, &buf, 1);
    rdp_wait_needs_reset(&dev);
    query_everything(guest);

    buf = (RdpBuf) { RDP_BUF(guest, 0), 64, true };
    rdp_setup(&dev, &ring, 0, kind->features);
    rdp_ring_serve(&ring, &buf, 1);
    rdp_device_stop(&dev);
}

/* Chains that a device walks to see how much space there is */

/* A ring of the greatest size, away from where the others are */
static void setup_large(RdpDevice *dev, RdpRing *ring, uint64_t features)
{
    static const unsigned regs[] = {
        VIRTIO_PCI_COMMON_Q_DESCLO, VIRTIO_PCI_COMMON_Q_AVAILLO,
        VIRTIO_PCI_COMMON_Q_USEDLO,
    };
    uint64_t base = dev->guest->base + 0x80000;
    const uint64_t addrs[] = { base, base + 0x8000, base + 0xa000 };
    unsigned i;

    g_assert_true(rdp_negotiate(dev, features));
    rdp_ring_init(ring, dev, 0, features & PACKED);
    rdp_fill(dev->guest, base, 0, 0xc000);
    ring->desc = addrs[0];
    ring->avail = addrs[1];
    ring->used = addrs[2];
    rdp_ring_set_size(ring, LARGE_RING);
    for (i = 0; i < ARRAY_SIZE(regs); i++) {
        rdp_common_writel(dev, regs[i], addrs[i]);
        rdp_common_writel(dev, regs[i] + 4, addrs[i] >> 32);
    }
    rdp_common_writew(dev, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
    rdp_driver_ok(dev);
}

/* All entries of the ring name one table of @n descriptors */
static void fill_large_split(RdpRing *ring, uint64_t table, uint32_t n)
{
    RdpGuest *guest = ring->dev->guest;
    g_autofree struct vring_desc *descs = g_new0(struct vring_desc, LARGE_RING);
    g_autofree uint16_t *avail = g_new0(uint16_t, LARGE_RING + 2);
    unsigned i;

    for (i = 0; i < LARGE_RING; i++) {
        descs[i].addr = cpu_to_le64(table);
        descs[i].len = cpu_to_le32(n * sizeof(struct vring_desc));
        descs[i].flags = cpu_to_le16(VRING_DESC_F_INDIRECT);
        avail[i + 2] = cpu_to_le16(i);
    }
    avail[1] = cpu_to_le16(LARGE_RING);
    rdp_poke(guest, ring->desc, descs, LARGE_RING * sizeof(*descs));
    rdp_poke(guest, ring->avail, avail, (LARGE_RING + 2) * sizeof(*avail));
}

static void fill_large_packed(RdpRing *ring, uint64_t table, uint32_t n)
{
    g_autofree struct vring_packed_desc *descs =
        g_new0(struct vring_packed_desc, LARGE_RING);
    unsigned i;

    for (i = 0; i < LARGE_RING; i++) {
        descs[i].addr = cpu_to_le64(table);
        descs[i].len = cpu_to_le32(n * sizeof(struct vring_packed_desc));
        descs[i].id = cpu_to_le16(i);
        descs[i].flags = cpu_to_le16(VRING_DESC_F_INDIRECT |
                                     1 << VRING_PACKED_DESC_F_AVAIL);
    }
    rdp_poke(ring->dev->guest, ring->desc, descs, LARGE_RING * sizeof(*descs));
}

/* A chain of @n descriptors that name no space at all */
static void poke_table(RdpGuest *guest, uint64_t table, unsigned n, bool packed)
{
    g_autofree struct vring_desc *descs = g_new0(struct vring_desc, n);
    unsigned i;

    for (i = 0; i < n; i++) {
        descs[i].flags = cpu_to_le16(packed || i + 1 == n ?
                                     0 : VRING_DESC_F_NEXT);
        descs[i].next = cpu_to_le16(packed ? 0 : i + 1);
    }
    rdp_poke(guest, table, descs, n * sizeof(*descs));
}

/* The device asks for a reset if a chain is longer than it could take */
static void kick_large(RdpDevice *dev, const Kind *kind, uint32_t n,
                       bool too_long)
{
    bool packed = kind->features & PACKED;
    uint64_t table = dev->guest->base + TABLE;
    int64_t start;
    RdpRing ring;

    setup_large(dev, &ring, kind->features);
    if (packed) {
        fill_large_packed(&ring, table, n);
    } else {
        fill_large_split(&ring, table, n);
    }
    start = g_get_monotonic_time();
    rdp_ring_kick(&ring);
    rdp_assert_answers_since(dev->guest->qts, start);
    if (too_long) {
        rdp_wait_needs_reset(dev);
    } else {
        rdp_settle(dev->guest->qts);
        g_assert_false(rdp_needs_reset(dev));
    }
}

static void test_space(const void *data)
{
    const Kind *kind = data;
    bool packed = kind->features & PACKED;
    RdpDevice dev;
    RdpGuest *guest = start_rng(&dev, kind);
    RdpBuf buf = { RDP_BUF(guest, 0), 64, true };
    struct vring_desc loop = { .flags = VRING_DESC_F_NEXT };
    RdpRing ring;

    poke_table(guest, guest->base + TABLE, MAX_CHAIN, packed);
    kick_large(&dev, kind, MAX_CHAIN, false);

    poke_table(guest, guest->base + TABLE, MAX_CHAIN + 1, packed);
    kick_large(&dev, kind, MAX_CHAIN + 1, true);

    /* Some of the table is not in the chain */
    if (!packed) {
        poke_table(guest, guest->base + TABLE, MAX_CHAIN, packed);
        kick_large(&dev, kind, TABLE_LEN / sizeof(loop), false);
    }

    /* All of it is, or the chain never ends */
    if (packed) {
        rdp_fill(guest, guest->base + TABLE, 0, TABLE_LEN);
    } else {
        poke_desc(guest, guest->base + TABLE, &loop);
    }
    kick_large(&dev, kind, TABLE_LEN / sizeof(loop), true);

    rdp_setup(&dev, &ring, 0, kind->features);
    rdp_ring_serve(&ring, &buf, 1);
    rdp_device_stop(&dev);
}

/* A driver that never sets FEATURES_OK, and changes its mind */
static void test_layout(void)
{
    const Kind *kind = &kinds[2];
    uint64_t features = kind->features & ~INDIRECT;
    RdpDevice dev;
    RdpGuest *guest = start_rng(&dev, kind);
    RdpBuf buf = { RDP_BUF(guest, 0), 64, true };
    RdpRing ring;
    unsigned i;

    rdp_reset(&dev);
    rdp_set_status(&dev, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    rdp_accept(&dev, features);
    rdp_ring_init(&ring, &dev, 0, false);
    rdp_ring_enable(&ring);
    rdp_set_status(&dev, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                         VIRTIO_CONFIG_S_DRIVER_OK);
    for (i = 0; i <= RDP_RING_SIZE; i++) {
        rdp_ring_serve(&ring, &buf, 1);
    }

    rdp_accept(&dev, features | PACKED);
    rdp_ring_kick(&ring);
    query_everything(guest);
    rdp_accept(&dev, features);
    rdp_ring_kick(&ring);
    query_everything(guest);

    rdp_setup(&dev, &ring, 0, features | PACKED);
    rdp_ring_serve(&ring, &buf, 1);
    rdp_device_stop(&dev);
}

/* Requests that are made again */

#define SECTOR          512
#define FAILS_ONCE      "-drive if=none,id=once,driver=blkdebug,"              \
                        "image.driver=null-co,image.read-zeroes=on,"          \
                        "inject-error.0.event=none,inject-error.0.errno=5,"   \
                        "inject-error.0.once=on,inject-error.0.sector=100 "

/*
 * The status of a read is the last byte of the buffer with the data.  The disk
 * fails once, the machine stops, and when it goes on, so does the request.
 */
static void test_retry(const void *data)
{
    const Kind *kind = data;
    struct virtio_blk_outhdr header = {
        .type = const_le32(VIRTIO_BLK_T_IN),
        .sector = const_le64(100),
    };
    uint8_t wanted[SECTOR + 1] = { }, read[SECTOR + 1];
    RdpBuf bufs[2];
    RdpDevice dev;
    RdpRing ring;
    RdpGuest *guest = rdp_start_device(&dev, rdp_machine(), FAILS_ONCE
                                       "-device virtio-blk-pci,drive=once,"
                                       "rerror=stop,packed=on,%s",
                                       kind->options);
    uint64_t at = guest->base + TABLE;

    rdp_setup(&dev, &ring, 0, kind->features);
    bufs[0] = (RdpBuf) { at, sizeof(header) };
    bufs[1] = (RdpBuf) { at + sizeof(header), sizeof(read),
                         .device_writes = true };
    rdp_poke(guest, bufs[0].addr, &header, sizeof(header));
    rdp_fill(guest, bufs[1].addr, 0xff, sizeof(read));
    rdp_ring_submit(&ring, bufs, ARRAY_SIZE(bufs));
    qtest_qmp_eventwait(guest->qts, "STOP");
    qtest_qmp_assert_success(guest->qts, "{'execute': 'cont'}");
    rdp_ring_wait(&ring);
    qtest_memread(guest->qts, bufs[1].addr, read, sizeof(read));
    g_assert_cmpmem(read, sizeof(read), wanted, sizeof(wanted));
    rdp_device_stop(&dev);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(kinds); i++) {
        rdp_add_test(test_query, &kinds[i], "/restricted-dma/ring/query/%s",
                     kinds[i].name);
        rdp_add_test(test_space, &kinds[i], "/restricted-dma/ring/space/%s",
                     kinds[i].name);
        rdp_add_test(test_retry, &kinds[i], "/restricted-dma/ring/retry/%s",
                     kinds[i].name);
    }
    qtest_add_func("/restricted-dma/ring/layout", test_layout);

    return g_test_run();
}
