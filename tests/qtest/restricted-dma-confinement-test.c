/*
 * Restricted DMA pools: a device reaches its pool and nothing else
 *
 * A virtio-blk device gets every kind of address that a driver can give it, at
 * every kind of place outside its pool, in every form of virtqueue.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "restricted-dma/hostile.h"

typedef struct Form {
    const char *machine;
    bool packed;
    bool indirect;
    bool event_idx;
    bool in_order;
} Form;

typedef struct Case {
    Form form;
    RdpPart part;
} Case;

static uint64_t form_features(const Form *form)
{
    return RDP_FEATURES |
        (form->packed ? BIT_ULL(VIRTIO_F_RING_PACKED) : 0) |
        (form->indirect ? BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) : 0) |
        (form->event_idx ? BIT_ULL(VIRTIO_RING_F_EVENT_IDX) : 0) |
        (form->in_order ? BIT_ULL(VIRTIO_F_IN_ORDER) : 0);
}

static RdpGuest *start(const Form *form, RdpDevice *dev)
{
    return rdp_start_device(dev, form->machine, "-device virtio-blk-pci,"
                            "drive=disk0,packed=on,in_order=on," RDP_CONFINED);
}

static void assert_works(RdpDevice *dev, const Form *form)
{
    rdp_blk_assert_works(dev, form_features(form), form->indirect);
}

static void test_part(const void *data)
{
    const Case *c = data;
    RdpDevice dev;

    start(&c->form, &dev);
    rdp_assert_part_confined(&dev, form_features(&c->form), c->part);
    rdp_device_stop(&dev);
}

/* Move a part of the request to the last bytes of the pool */
static void move_to_end(RdpBlk *blk, RdpPart part)
{
    RdpGuest *guest = blk->ring.dev->guest;
    uint64_t end = guest->base + RDP_POOL_SIZE;
    uint64_t *addr = rdp_part_addr(part, blk);
    uint64_t len = rdp_part_len(part, blk);
    g_autofree void *content = g_malloc(len);

    qtest_bufread(guest->qts, *addr, content, len);
    *addr = ROUND_DOWN(end - len, rdp_part_align(part));
    rdp_poke(guest, *addr, content, len);
}

/* The last bytes of the pool are as good as any */
static void test_edges(const void *data)
{
    const Form *form = data;
    uint64_t features = form_features(form);
    RdpGuest *guest;
    RdpDevice dev;
    RdpPart part;

    guest = start(form, &dev);
    for (part = 0; part < RDP_PARTS; part++) {
        RdpBlk blk;

        if (!rdp_part_exists(part, features)) {
            continue;
        }
        g_test_message("%s at the end of the pool", rdp_part_name(part));
        rdp_blk_init(&blk, &dev, features, part == RDP_PART_DATA_OUT);
        move_to_end(&blk, part);
        rdp_blk_add(&blk);
        rdp_snapshot(guest);
        rdp_blk_go(&blk);
        rdp_ring_wait(&blk.ring);
        g_assert_cmphex(qtest_readb(guest->qts, blk.bufs[2].addr), ==, 0);
        if (part != RDP_PART_DATA_OUT) {
            rdp_assert_untouched(guest);
        }
    }
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 0);
    rdp_device_stop(&dev);
}

/* A buffer of no bytes is an error wherever it is, and no access */
static void test_no_bytes(const void *data)
{
    const Form *form = data;
    RdpDevice dev;
    RdpGuest *guest = start(form, &dev);
    const uint64_t where[] = {
        RDP_IN_RAM(guest, RDP_VICTIM),
        RDP_NOWHERE,
        UINT64_MAX,
        guest->base + RDP_BLK_DATA,
        guest->base + RDP_POOL_SIZE,
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(where); i++) {
        RdpBlk blk;

        g_test_message("no bytes at 0x%" PRIx64, where[i]);
        rdp_blk_init(&blk, &dev, form_features(form), false);
        blk.bufs[1].addr = where[i];
        blk.bufs[1].len = 0;
        rdp_blk_add(&blk);
        rdp_snapshot(guest);
        rdp_blk_go(&blk);
        rdp_wait_needs_reset(&dev);
        g_assert_cmpuint(rdp_ring_used(&blk.ring), ==, 0);
        rdp_assert_untouched(guest);
        rdp_blk_assert_not_served(guest);
        assert_works(&dev, form);
    }
    rdp_device_stop(&dev);
}

static void serve(RdpBlk *blk)
{
    rdp_blk_add(blk);
    rdp_ring_kick(&blk->ring);
    rdp_ring_wait(&blk->ring);
}

/* Requests that are served change neither RAM nor the other pool */
static void test_canary(const void *data)
{
    const Form *form = data;
    RdpGuest *guest;
    RdpDevice dev;
    RdpBlk blk;
    unsigned i;

    guest = start(form, &dev);
    rdp_blk_setup(&blk, &dev, form_features(form));
    rdp_snapshot(guest);
    for (i = 0; i < 4 * RDP_RING_SIZE; i++) {
        uint64_t offset = i * RDP_BLK_DATA_SIZE;
        uint8_t read_back[RDP_BLK_DATA_SIZE];

        rdp_blk_request(guest, blk.bufs, true, offset / 512, i);
        serve(&blk);
        memset(guest->disk.before + offset, i, RDP_BLK_DATA_SIZE);

        rdp_blk_request(guest, blk.bufs, false, offset / 512, ~i);
        serve(&blk);
        qtest_bufread(guest->qts, blk.bufs[1].addr, read_back,
                      sizeof(read_back));
        g_assert_cmpmem(read_back, sizeof(read_back),
                        guest->disk.before + offset, RDP_BLK_DATA_SIZE);
    }
    rdp_assert_untouched(guest);
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 0);
    rdp_device_stop(&dev);
}

/* Whatever the driver has just tried, the device returns nothing */
static void assert_nothing_used(RdpBlk *blk)
{
    rdp_settle(blk->ring.dev->guest->qts);
    g_assert_cmpuint(rdp_ring_used(&blk->ring), ==, 0);
}

/* All that a driver can try short of a reset */
static void try_to_go_on(RdpBlk *blk)
{
    RdpDevice *dev = blk->ring.dev;

    g_test_message("a good request");
    rdp_blk_submit(blk);
    assert_nothing_used(blk);

    g_test_message("bus mastering off and on");
    rdp_set_master(dev, false);
    rdp_set_master(dev, true);
    rdp_driver_ok(dev);
    rdp_ring_kick(&blk->ring);
    assert_nothing_used(blk);

    g_test_message("a new ring");
    rdp_ring_reset(&blk->ring);
    rdp_ring_init(&blk->ring, dev, 0, blk->ring.packed);
    rdp_blk_read(dev->guest, blk->bufs);
    rdp_blk_add(blk);
    rdp_ring_enable(&blk->ring);
    rdp_ring_kick(&blk->ring);
    assert_nothing_used(blk);
}

/* Nothing short of a reset lets the device go on after a violation */
static void test_stays_broken(const void *data)
{
    const Form *form = data;
    uint64_t features = form_features(form) | BIT_ULL(VIRTIO_F_RING_RESET);
    RdpGuest *guest;
    RdpDevice dev;
    RdpBlk blk;

    guest = start(form, &dev);
    rdp_blk_setup(&blk, &dev, features);
    blk.bufs[1].addr = RDP_IN_RAM(guest, RDP_VICTIM);
    rdp_blk_add(&blk);
    rdp_snapshot(guest);
    rdp_ring_kick(&blk.ring);
    rdp_wait_needs_reset(&dev);

    try_to_go_on(&blk);
    rdp_blk_assert_not_served(guest);
    rdp_assert_untouched(guest);
    g_assert_true(rdp_needs_reset(&dev));
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 1);

    rdp_blk_assert_works(&dev, features, form->indirect);
    rdp_device_stop(&dev);
}

/* A ring that the driver moves out of the pool while the device runs */
static void test_ring_moves_out(const void *data)
{
    const Form *form = data;
    uint64_t features = form_features(form) | BIT_ULL(VIRTIO_F_RING_RESET);
    RdpAccess bad = { .what = "used-ring" };
    RdpGuest *guest;
    RdpDevice dev;
    RdpBlk blk;

    guest = start(form, &dev);
    rdp_blk_setup(&blk, &dev, features);
    serve(&blk);

    rdp_ring_reset(&blk.ring);
    rdp_ring_init(&blk.ring, &dev, 0, form->packed);
    bad.addr = RDP_IN_RAM(guest, RDP_VICTIM);
    bad.len = rdp_ring_used_size(&blk.ring, features);
    blk.ring.used = bad.addr;
    rdp_blk_read(guest, blk.bufs);
    rdp_blk_add(&blk);
    rdp_ring_baseline(&blk.ring);
    rdp_ring_enable(&blk.ring);
    rdp_ring_kick(&blk.ring);
    rdp_assert_refused(&blk.ring, &bad, true);
    rdp_blk_assert_not_served(guest);

    rdp_blk_assert_works(&dev, features, form->indirect);
    rdp_device_stop(&dev);
}

/* A queue in use keeps its size, whatever the driver writes and enables */
static void test_size_stays(const void *data)
{
    static const uint16_t sizes[] = {
        RDP_RING_SIZE / 2, 1, 0, 8 * RDP_RING_SIZE, 1024, UINT16_MAX,
    };
    const Form *form = data;
    RdpGuest *guest;
    RdpDevice dev;
    RdpBlk blk;
    unsigned i, n;

    guest = start(form, &dev);
    rdp_blk_init(&blk, &dev, form_features(form), false);
    /* A longer ring would no longer be in the pool */
    blk.ring.desc = guest->base + RDP_POOL_SIZE -
                    rdp_ring_desc_size(&blk.ring);
    rdp_ring_enable(&blk.ring);
    rdp_driver_ok(&dev);

    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        g_test_message("size %u", sizes[i]);
        rdp_ring_set_size(&blk.ring, sizes[i]);
        g_assert_cmpuint(rdp_ring_size(&blk.ring), ==, RDP_RING_SIZE);
        rdp_common_writew(&dev, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
        g_assert_cmpuint(rdp_ring_size(&blk.ring), ==, RDP_RING_SIZE);

        /* Once around the ring, past the end of a smaller one */
        for (n = 0; n < RDP_RING_SIZE; n++) {
            rdp_blk_submit(&blk);
            rdp_ring_wait(&blk.ring);
        }
    }
    g_assert_false(rdp_needs_reset(&dev));
    rdp_device_stop(&dev);
}

/* An indirect table of a bad length is an error, and leads to no access */
static void test_bad_table(const void *data)
{
    static const uint32_t lens[] = { 0, 1, 15, 17, 47, UINT32_MAX };
    const Form *form = data;
    RdpGuest *guest;
    RdpDevice dev;
    unsigned i;

    guest = start(form, &dev);
    for (i = 0; i < ARRAY_SIZE(lens); i++) {
        uint32_t len = cpu_to_le32(lens[i]);
        RdpBlk blk;

        g_test_message("a table of %u bytes", lens[i]);
        rdp_blk_init(&blk, &dev, form_features(form), false);
        rdp_blk_add(&blk);
        /* Both kinds of descriptor have their length there */
        rdp_poke(guest, blk.ring.desc + offsetof(struct vring_desc, len), &len,
                 sizeof(len));
        rdp_snapshot(guest);
        rdp_blk_go(&blk);
        rdp_wait_needs_reset(&dev);
        g_assert_cmpuint(rdp_ring_used(&blk.ring), ==, 0);
        rdp_blk_assert_not_served(guest);
        rdp_assert_untouched(guest);
    }
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 0);
    rdp_device_stop(&dev);
}

/* A descriptor in a table is checked as a buffer, even if it claims a table */
static void test_nested_table(const void *data)
{
    const Form *form = data;
    const uint16_t offset = form->packed ?
        offsetof(struct vring_packed_desc, flags) :
        offsetof(struct vring_desc, flags);
    RdpAccess bad = { .what = "buffer" };
    uint16_t flags;
    RdpGuest *guest;
    RdpDevice dev;
    RdpBlk blk;

    guest = start(form, &dev);
    rdp_blk_init(&blk, &dev, form_features(form), false);
    bad.addr = RDP_IN_RAM(guest, RDP_VICTIM);
    bad.len = blk.bufs[0].len;
    blk.bufs[0].addr = bad.addr;
    rdp_blk_add(&blk);
    flags = qtest_readw(guest->qts, blk.table + offset);
    qtest_writew(guest->qts, blk.table + offset,
                 flags | VRING_DESC_F_INDIRECT);
    rdp_ring_baseline(&blk.ring);
    rdp_blk_go(&blk);
    rdp_assert_refused(&blk.ring, &bad, true);
    rdp_device_stop(&dev);
}

/* Whatever the device makes of rings that overlap, it stays in the pool */
static void test_overlap(const void *data)
{
    const Form *form = data;
    RdpGuest *guest;
    RdpDevice dev;
    unsigned i;

    guest = start(form, &dev);
    for (i = 0; i < 8; i++) {
        RdpBlk blk;
        RdpRing *ring = &blk.ring;

        g_test_message("overlap %u", i);
        rdp_blk_init(&blk, &dev, form_features(form), false);
        ring->avail = i & 1 ? ring->desc : ring->avail;
        ring->used = i & 2 ? ring->avail : ring->used;
        blk.bufs[1].addr = i & 4 ? ring->desc : blk.bufs[1].addr;
        rdp_blk_add(&blk);
        rdp_snapshot(guest);
        rdp_blk_go(&blk);
        rdp_settle(guest->qts);
        rdp_assert_memory_untouched(guest);
        assert_works(&dev, form);
    }
    rdp_device_stop(&dev);
}

static char *form_path(const Form *form, const char *test)
{
    return g_strdup_printf("/restricted-dma/confinement/%s/%s/%s%s%s/%s",
                           form->machine, form->packed ? "packed" : "split",
                           form->indirect ? "indirect" : "direct",
                           form->event_idx ? "-event-idx" : "",
                           form->in_order ? "-in-order" : "", test);
}

static void add_form_test(const Form *form, const char *test,
                          void (*fn)(const void *))
{
    g_autofree char *path = form_path(form, test);

    qtest_add_data_func_full(path, g_memdup2(form, sizeof(*form)), fn, g_free);
}

static void add_form(const char *machine, bool packed, bool indirect,
                     bool event_idx, bool in_order)
{
    const Form form = { machine, packed, indirect, event_idx, in_order };
    RdpPart part;

    for (part = 0; part < RDP_PARTS; part++) {
        const Case c = { form, part };
        g_autofree char *path = form_path(&form, rdp_part_name(part));

        if (rdp_part_exists(part, form_features(&form))) {
            qtest_add_data_func_full(path, g_memdup2(&c, sizeof(c)), test_part,
                                     g_free);
        }
    }
    add_form_test(&form, "edges", test_edges);
    add_form_test(&form, "no-bytes", test_no_bytes);
    add_form_test(&form, "canary", test_canary);
    add_form_test(&form, "stays-broken", test_stays_broken);
    add_form_test(&form, "ring-moves-out", test_ring_moves_out);
    add_form_test(&form, "size-stays", test_size_stays);
    add_form_test(&form, "overlap", test_overlap);
    if (indirect) {
        add_form_test(&form, "bad-table", test_bad_table);
        add_form_test(&form, "nested-table", test_nested_table);
    }
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < 8; i++) {
        add_form(rdp_machine(), i & 1, i & 2, i & 4, false);
    }
    add_form(rdp_machine(), false, true, true, true);
    add_form(rdp_machine(), true, false, false, true);
    if (!strcmp(rdp_machine(), "q35")) {
        add_form("pc", false, false, false, false);
        add_form("pc", true, true, true, false);
    }

    return g_test_run();
}
