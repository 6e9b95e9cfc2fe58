/*
 * Restricted DMA pools: a device reaches its pool and nothing else
 *
 * A virtio-blk device is handed every kind of address that a driver can give
 * it, at every kind of place outside its pool, in every form of virtqueue.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "restricted-dma/guest.h"

#define SLOT        4
#define NOWHERE     (1ULL << 45)    /* an address with nothing behind it */
#define SECTOR      8

/* Which address of the driver is bad */
typedef enum Kind {
    DESC,
    AVAIL,
    USED,
    TABLE,
    HEADER,
    DATA_OUT,
    DATA_IN,
    STATUS,
} Kind;

static const struct {
    const char *name;
    const char *what;       /* as the event puts it */
    uint64_t align;         /* that the driver has to respect */
} kinds[] = {
    [DESC]      = { "descriptor-table", "descriptor-table", 16 },
    [AVAIL]     = { "available-ring", "available-ring", 4 },
    [USED]      = { "used-ring", "used-ring", 4 },
    [TABLE]     = { "indirect-table", "indirect-table", 16 },
    [HEADER]    = { "header", "buffer", 1 },
    [DATA_OUT]  = { "data-out", "buffer", 1 },
    [DATA_IN]   = { "data-in", "buffer", 1 },
    [STATUS]    = { "status", "buffer", 1 },
};

/* Where it points */
typedef enum Place {
    IN_RAM,
    AT_ZERO,
    IN_NEIGHBOUR,
    BELOW,
    STRADDLES_START,
    STRADDLES_END,
    ENDS_TOO_LATE,
    IN_MMIO,
    IN_NOTHING,
    AT_TOP,
    WRAPS,
    TOO_LONG,
    PLACES
} Place;

static const char *const places[PLACES] = {
    [IN_RAM] = "in RAM",
    [AT_ZERO] = "at address 0",
    [IN_NEIGHBOUR] = "in the pool next to it",
    [BELOW] = "right below the pool",
    [STRADDLES_START] = "across the start of the pool",
    [STRADDLES_END] = "across the end of the pool",
    [ENDS_TOO_LATE] = "at the end of the pool and slightly too long",
    [IN_MMIO] = "in the device's own registers",
    [IN_NOTHING] = "where there is nothing",
    [AT_TOP] = "at the top of the address space",
    [WRAPS] = "across the top of the address space",
    [TOO_LONG] = "in the pool and 4 GiB long",
};

typedef struct Form {
    const char *machine;
    bool packed;
    bool indirect;
    bool event_idx;
    bool in_order;
} Form;

typedef struct Case {
    Form form;
    Kind kind;
} Case;

static bool is_ring(Kind kind)
{
    return kind == DESC || kind == AVAIL || kind == USED;
}

/* Whether something of @kind and @len bytes can be put at @place */
static bool place_exists(Place place, Kind kind, uint64_t len)
{
    switch (place) {
    case STRADDLES_START:
    case STRADDLES_END:
    case WRAPS:
        return len >= 2 * kinds[kind].align;
    case ENDS_TOO_LATE:
        return len > kinds[kind].align;
    case TOO_LONG:
        return !is_ring(kind) && kind != TABLE;
    default:
        return true;
    }
}

static uint64_t place_addr(RdpDevice *dev, Place place, uint64_t len,
                           uint64_t align)
{
    uint64_t base = dev->guest->base;
    uint64_t end = base + RDP_POOL_SIZE;
    uint64_t rounded = ROUND_UP(len, align);
    uint64_t half = ROUND_DOWN(len / 2, align);

    switch (place) {
    case IN_RAM:
        return RDP_IN_RAM(dev->guest, RDP_VICTIM);
    case AT_ZERO:
        return 0;
    case IN_NEIGHBOUR:
        return end;
    case BELOW:
        return base - rounded;
    case STRADDLES_START:
        return base - half;
    case STRADDLES_END:
        return end - half;
    case ENDS_TOO_LATE:
        return ROUND_DOWN(end - len, align) + align;
    case IN_MMIO:
        return dev->bar.addr + dev->common;
    case IN_NOTHING:
        return NOWHERE;
    case AT_TOP:
        return -rounded;
    case WRAPS:
        return -half;
    case TOO_LONG:
        return base + RDP_BUFFERS;
    default:
        g_assert_not_reached();
    }
}

static uint64_t form_features(const Form *form)
{
    return RDP_FEATURES |
        (form->packed ? BIT_ULL(VIRTIO_F_RING_PACKED) : 0) |
        (form->indirect ? BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) : 0) |
        (form->event_idx ? BIT_ULL(VIRTIO_RING_F_EVENT_IDX) : 0) |
        (form->in_order ? BIT_ULL(VIRTIO_F_IN_ORDER) : 0);
}

static uint64_t form_table(const Form *form, RdpGuest *guest)
{
    return form->indirect ? guest->base + RDP_TABLE : RDP_NO_TABLE;
}

static RdpGuest *start(const Form *form, RdpDevice *dev)
{
    RdpGuest *guest = rdp_start(
        form->machine, "-device virtio-blk-pci,id=dev0,addr=%d,drive=disk0,"
        "restricted-dma-pool=poola,packed=on,in_order=on", SLOT);

    rdp_device_init(dev, guest, SLOT, "dev0");
    return guest;
}

/* The buffer that is of @kind, if it is a kind of buffer */
static RdpBuf *kind_buf(Kind kind, RdpBuf *bufs)
{
    switch (kind) {
    case HEADER:
        return &bufs[0];
    case DATA_OUT:
    case DATA_IN:
        return &bufs[1];
    case STATUS:
        return &bufs[2];
    default:
        return NULL;
    }
}

/* Where the driver keeps the address that is of @kind */
static uint64_t *kind_addr(Kind kind, RdpRing *ring, RdpBuf *bufs,
                           uint64_t *table)
{
    switch (kind) {
    case DESC:
        return &ring->desc;
    case AVAIL:
        return &ring->avail;
    case USED:
        return &ring->used;
    case TABLE:
        return table;
    default:
        return &kind_buf(kind, bufs)->addr;
    }
}

static uint64_t kind_len(Kind kind, const RdpRing *ring, RdpBuf *bufs,
                         uint64_t features)
{
    switch (kind) {
    case DESC:
        return rdp_ring_desc_size(ring);
    case AVAIL:
        return rdp_ring_avail_size(ring, features);
    case USED:
        return rdp_ring_used_size(ring, features);
    case TABLE:
        return 3 * sizeof(struct vring_desc);
    default:
        return kind_buf(kind, bufs)->len;
    }
}

static void assert_request_not_served(RdpGuest *guest)
{
    uint8_t data[RDP_BLK_DATA_SIZE], expected[RDP_BLK_DATA_SIZE];

    qtest_bufread(guest->qts, guest->base + RDP_BLK_DATA, data, sizeof(data));
    memset(expected, 0x5a, sizeof(expected));
    g_assert_cmpmem(data, sizeof(data), expected, sizeof(expected));
    g_assert_cmphex(qtest_readb(guest->qts, guest->base + RDP_BLK_STATUS), ==,
                    0xff);
}

static void try_place(RdpDevice *dev, const Form *form, Kind kind, Place place)
{
    RdpGuest *guest = dev->guest;
    uint64_t features = form_features(form);
    uint64_t table = form_table(form, guest);
    RdpAccess bad = { .what = kinds[kind].what };
    RdpBuf bufs[3];
    RdpRing ring;

    g_assert_true(rdp_negotiate(dev, features));
    rdp_ring_init(&ring, dev, 0, form->packed);
    rdp_blk_request(guest, bufs, kind == DATA_OUT, SECTOR, 0x5a);

    bad.len = kind_len(kind, &ring, bufs, features);
    if (!place_exists(place, kind, bad.len)) {
        return;
    }
    g_test_message("%s %s", kinds[kind].name, places[place]);
    bad.addr = place_addr(dev, place, bad.len, kinds[kind].align);
    if (place == TOO_LONG) {
        bad.len = kind_buf(kind, bufs)->len = UINT32_MAX;
    }
    *kind_addr(kind, &ring, bufs, &table) = bad.addr;

    /* Whatever the device should not look at is perfectly valid */
    rdp_ring_add(&ring, bufs, 3, table);
    rdp_ring_baseline(&ring);

    rdp_ring_enable(&ring);
    rdp_driver_ok(dev);
    rdp_ring_kick(&ring);

    rdp_assert_refused(&ring, &bad, !is_ring(kind));
    assert_request_not_served(guest);

    rdp_blk_assert_works(dev, features, form->packed, form->indirect);
}

static void test_refused(const void *data)
{
    const Case *c = data;
    RdpDevice dev;
    Place place;

    start(&c->form, &dev);
    for (place = 0; place < PLACES; place++) {
        try_place(&dev, &c->form, c->kind, place);
    }
    rdp_device_stop(&dev);
}

/* The last bytes of the pool are as good as any */
static void test_edges(const void *data)
{
    const Form *form = data;
    uint64_t features = form_features(form);
    uint64_t end, table;
    RdpGuest *guest;
    RdpDevice dev;
    Kind kind;

    guest = start(form, &dev);
    end = guest->base + RDP_POOL_SIZE;
    for (kind = DESC; kind <= STATUS; kind++) {
        uint64_t *addr, len;
        g_autofree void *content = NULL;
        RdpBuf bufs[3];
        RdpRing ring;

        if (kind == TABLE && !form->indirect) {
            continue;
        }
        g_test_message("%s at the end of the pool", kinds[kind].name);
        g_assert_true(rdp_negotiate(&dev, features));
        rdp_ring_init(&ring, &dev, 0, form->packed);
        rdp_blk_request(guest, bufs, kind == DATA_OUT, SECTOR, 0x5a);
        table = form_table(form, guest);

        /* Move it there */
        len = kind_len(kind, &ring, bufs, features);
        content = g_malloc(len);
        addr = kind_addr(kind, &ring, bufs, &table);
        qtest_bufread(guest->qts, *addr, content, len);
        *addr = ROUND_DOWN(end - len, kinds[kind].align);
        rdp_poke(guest, *addr, content, len);
        rdp_ring_add(&ring, bufs, 3, table);
        rdp_snapshot(guest);

        rdp_ring_enable(&ring);
        rdp_driver_ok(&dev);
        rdp_ring_kick(&ring);
        rdp_ring_wait(&ring);
        g_assert_cmphex(qtest_readb(guest->qts, bufs[2].addr), ==, 0);
        if (kind != DATA_OUT) {
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
    uint64_t where[] = { 0, NOWHERE, UINT64_MAX, 0, 0 };
    RdpGuest *guest;
    RdpDevice dev;
    unsigned i;

    guest = start(form, &dev);
    where[0] = RDP_IN_RAM(guest, RDP_VICTIM);
    where[3] = guest->base + RDP_BLK_DATA;
    where[4] = guest->base + RDP_POOL_SIZE;
    for (i = 0; i < ARRAY_SIZE(where); i++) {
        uint64_t table = form_table(form, guest);
        RdpBuf bufs[3];
        RdpRing ring;

        g_test_message("no bytes at 0x%" PRIx64, where[i]);
        g_assert_true(rdp_negotiate(&dev, form_features(form)));
        rdp_ring_init(&ring, &dev, 0, form->packed);
        rdp_blk_request(guest, bufs, false, SECTOR, 0x5a);
        bufs[1].addr = where[i];
        bufs[1].len = 0;
        rdp_ring_add(&ring, bufs, 3, table);
        rdp_snapshot(guest);

        rdp_ring_enable(&ring);
        rdp_driver_ok(&dev);
        rdp_ring_kick(&ring);
        rdp_wait_needs_reset(&dev);
        g_assert_cmpuint(rdp_ring_used(&ring), ==, 0);
        rdp_assert_untouched(guest);
        assert_request_not_served(guest);
        rdp_blk_assert_works(&dev, form_features(form), form->packed,
                             form->indirect);
    }
    rdp_device_stop(&dev);
}

/* Requests that are served touch RAM and the other pool no more than others */
static void test_canary(const void *data)
{
    const Form *form = data;
    uint64_t table;
    RdpGuest *guest;
    RdpBuf bufs[3];
    RdpDevice dev;
    RdpRing ring;
    unsigned i;

    guest = start(form, &dev);
    table = form_table(form, guest);
    g_assert_true(rdp_negotiate(&dev, form_features(form)));
    rdp_ring_init(&ring, &dev, 0, form->packed);
    rdp_ring_enable(&ring);
    rdp_driver_ok(&dev);

    rdp_snapshot(guest);
    for (i = 0; i < 4 * RDP_RING_SIZE; i++) {
        uint64_t offset = i * RDP_BLK_DATA_SIZE;
        uint8_t read_back[RDP_BLK_DATA_SIZE];

        rdp_blk_request(guest, bufs, true, offset / 512, i);
        rdp_ring_add(&ring, bufs, 3, table);
        rdp_ring_kick(&ring);
        rdp_ring_wait(&ring);
        memset(guest->disk.before + offset, i, RDP_BLK_DATA_SIZE);

        rdp_blk_request(guest, bufs, false, offset / 512, ~i);
        rdp_ring_add(&ring, bufs, 3, table);
        rdp_ring_kick(&ring);
        rdp_ring_wait(&ring);
        qtest_bufread(guest->qts, bufs[1].addr, read_back, sizeof(read_back));
        g_assert_cmpmem(read_back, sizeof(read_back),
                        guest->disk.before + offset, RDP_BLK_DATA_SIZE);
    }
    rdp_assert_untouched(guest);
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 0);
    rdp_device_stop(&dev);
}

/* Nothing short of a reset lets the device go on after a violation */
static void test_stays_broken(const void *data)
{
    const Form *form = data;
    uint64_t features = form_features(form) | BIT_ULL(VIRTIO_F_RING_RESET);
    uint64_t table;
    RdpGuest *guest;
    RdpBuf bufs[3];
    RdpDevice dev;
    RdpRing ring;
    uint16_t command;

    guest = start(form, &dev);
    table = form_table(form, guest);
    g_assert_true(rdp_negotiate(&dev, features));
    rdp_ring_init(&ring, &dev, 0, form->packed);
    rdp_ring_enable(&ring);
    rdp_driver_ok(&dev);
    rdp_blk_request(guest, bufs, false, SECTOR, 0x5a);
    bufs[1].addr = RDP_IN_RAM(guest, RDP_VICTIM);
    rdp_ring_add(&ring, bufs, 3, table);
    rdp_snapshot(guest);
    rdp_ring_kick(&ring);
    rdp_wait_needs_reset(&dev);

    g_test_message("a good request");
    rdp_blk_request(guest, bufs, false, SECTOR, 0x5a);
    rdp_ring_add(&ring, bufs, 3, table);
    rdp_ring_kick(&ring);
    rdp_settle(guest->qts);
    g_assert_cmpuint(rdp_ring_used(&ring), ==, 0);

    g_test_message("bus mastering off and on");
    command = qpci_config_readw(dev.pci, PCI_COMMAND);
    qpci_config_writew(dev.pci, PCI_COMMAND, command & ~PCI_COMMAND_MASTER);
    qpci_config_writew(dev.pci, PCI_COMMAND, command);
    rdp_driver_ok(&dev);
    rdp_ring_kick(&ring);
    rdp_settle(guest->qts);
    g_assert_cmpuint(rdp_ring_used(&ring), ==, 0);

    g_test_message("a new ring");
    rdp_ring_reset(&ring);
    rdp_ring_init(&ring, &dev, 0, form->packed);
    rdp_blk_request(guest, bufs, false, SECTOR, 0x5a);
    rdp_ring_add(&ring, bufs, 3, table);
    rdp_ring_enable(&ring);
    rdp_ring_kick(&ring);
    rdp_settle(guest->qts);
    g_assert_cmpuint(rdp_ring_used(&ring), ==, 0);

    assert_request_not_served(guest);
    rdp_assert_untouched(guest);
    g_assert_cmphex(rdp_status(&dev) & VIRTIO_CONFIG_S_NEEDS_RESET, !=, 0);
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 1);

    rdp_blk_assert_works(&dev, features, form->packed, form->indirect);
    rdp_device_stop(&dev);
}

/* A ring that the driver moves out of the pool while the device runs */
static void test_ring_moves_out(const void *data)
{
    const Form *form = data;
    uint64_t features = form_features(form) | BIT_ULL(VIRTIO_F_RING_RESET);
    RdpAccess bad = { .what = "used-ring" };
    uint64_t table;
    RdpGuest *guest;
    RdpBuf bufs[3];
    RdpDevice dev;
    RdpRing ring;

    guest = start(form, &dev);
    bad.addr = RDP_IN_RAM(guest, RDP_VICTIM);
    table = form_table(form, guest);
    g_assert_true(rdp_negotiate(&dev, features));
    rdp_ring_init(&ring, &dev, 0, form->packed);
    rdp_ring_enable(&ring);
    rdp_driver_ok(&dev);
    rdp_blk_request(guest, bufs, false, SECTOR, 0x5a);
    rdp_ring_add(&ring, bufs, 3, table);
    rdp_ring_kick(&ring);
    rdp_ring_wait(&ring);

    rdp_ring_reset(&ring);
    rdp_ring_init(&ring, &dev, 0, form->packed);
    ring.used = bad.addr;
    bad.len = rdp_ring_used_size(&ring, features);
    rdp_blk_request(guest, bufs, false, SECTOR, 0x5a);
    rdp_ring_add(&ring, bufs, 3, table);
    rdp_ring_baseline(&ring);
    rdp_ring_enable(&ring);
    rdp_ring_kick(&ring);
    rdp_assert_refused(&ring, &bad, true);
    assert_request_not_served(guest);

    rdp_blk_assert_works(&dev, features, form->packed, form->indirect);
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
    RdpRing ring;
    RdpBuf bufs[3];
    unsigned i, n;

    guest = start(form, &dev);
    g_assert_true(rdp_negotiate(&dev, form_features(form)));
    rdp_ring_init(&ring, &dev, 0, form->packed);
    /* A longer ring would not be in the pool any more */
    ring.desc = guest->base + RDP_POOL_SIZE - rdp_ring_desc_size(&ring);
    rdp_ring_enable(&ring);
    rdp_driver_ok(&dev);

    for (i = 0; i < ARRAY_SIZE(sizes); i++) {
        g_test_message("size %u", sizes[i]);
        rdp_ring_set_size(&ring, sizes[i]);
        g_assert_cmpuint(rdp_ring_size(&ring), ==, RDP_RING_SIZE);
        rdp_common_writew(&dev, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
        g_assert_cmpuint(rdp_ring_size(&ring), ==, RDP_RING_SIZE);

        /* Once around the ring, to where a smaller one has ended */
        for (n = 0; n < RDP_RING_SIZE; n++) {
            rdp_blk_request(guest, bufs, false, SECTOR, 0x5a);
            rdp_ring_add(&ring, bufs, 3, form_table(form, guest));
            rdp_ring_kick(&ring);
            rdp_ring_wait(&ring);
        }
    }
    g_assert_cmphex(rdp_status(&dev) & VIRTIO_CONFIG_S_NEEDS_RESET, ==, 0);
    rdp_device_stop(&dev);
}

/* A table that is none: an error, and no access to where it is not */
static void test_bad_table(const void *data)
{
    static const uint32_t lens[] = { 0, 1, 15, 17, 47, UINT32_MAX };
    const Form *form = data;
    RdpGuest *guest;
    RdpDevice dev;
    unsigned i;

    guest = start(form, &dev);
    for (i = 0; i < ARRAY_SIZE(lens); i++) {
        uint64_t table = guest->base + RDP_TABLE;
        uint32_t len = cpu_to_le32(lens[i]);
        RdpBuf bufs[3];
        RdpRing ring;

        g_test_message("a table of %u bytes", lens[i]);
        g_assert_true(rdp_negotiate(&dev, form_features(form)));
        rdp_ring_init(&ring, &dev, 0, form->packed);
        rdp_blk_request(guest, bufs, false, SECTOR, 0x5a);
        rdp_ring_add(&ring, bufs, 3, table);
        /* Both kinds of descriptor have their length there */
        rdp_poke(guest, ring.desc + offsetof(struct vring_desc, len), &len,
                 sizeof(len));
        rdp_snapshot(guest);
        rdp_ring_enable(&ring);
        rdp_driver_ok(&dev);
        rdp_ring_kick(&ring);
        rdp_wait_needs_reset(&dev);
        g_assert_cmpuint(rdp_ring_used(&ring), ==, 0);
        assert_request_not_served(guest);
        rdp_assert_untouched(guest);
    }
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 0);
    rdp_device_stop(&dev);
}

/* A table in a table: its descriptor is one of a buffer, and checked as that */
static void test_nested_table(const void *data)
{
    const Form *form = data;
    RdpAccess bad = { .what = "buffer" };
    const uint16_t offset = form->packed ?
        offsetof(struct vring_packed_desc, flags) :
        offsetof(struct vring_desc, flags);
    uint64_t table;
    uint16_t flags;
    RdpGuest *guest;
    RdpDevice dev;
    RdpBuf bufs[3];
    RdpRing ring;

    guest = start(form, &dev);
    bad.addr = RDP_IN_RAM(guest, RDP_VICTIM);
    table = guest->base + RDP_TABLE;
    g_assert_true(rdp_negotiate(&dev, form_features(form)));
    rdp_ring_init(&ring, &dev, 0, form->packed);
    rdp_blk_request(guest, bufs, false, SECTOR, 0x5a);
    bufs[0].addr = bad.addr;
    bad.len = bufs[0].len;
    rdp_ring_add(&ring, bufs, 3, table);
    flags = qtest_readw(guest->qts, table + offset) | VRING_DESC_F_INDIRECT;
    qtest_writew(guest->qts, table + offset, flags);
    rdp_ring_baseline(&ring);
    rdp_ring_enable(&ring);
    rdp_driver_ok(&dev);
    rdp_ring_kick(&ring);
    rdp_assert_refused(&ring, &bad, true);
    rdp_device_stop(&dev);
}

/* Whatever the device makes of rings on top of each other, it is in the pool */
static void test_overlap(const void *data)
{
    const Form *form = data;
    RdpGuest *guest;
    RdpDevice dev;
    unsigned i;

    guest = start(form, &dev);
    for (i = 0; i < 8; i++) {
        RdpBuf bufs[3];
        RdpRing ring;

        g_test_message("overlap %u", i);
        g_assert_true(rdp_negotiate(&dev, form_features(form)));
        rdp_ring_init(&ring, &dev, 0, form->packed);
        ring.avail = i & 1 ? ring.desc : ring.avail;
        ring.used = i & 2 ? ring.avail : ring.used;
        rdp_blk_request(guest, bufs, false, SECTOR, 0x5a);
        bufs[1].addr = i & 4 ? ring.desc : bufs[1].addr;
        rdp_ring_add(&ring, bufs, 3, form_table(form, guest));
        rdp_snapshot(guest);
        rdp_ring_enable(&ring);
        rdp_driver_ok(&dev);
        rdp_ring_kick(&ring);
        rdp_settle(guest->qts);
        rdp_assert_memory_untouched(guest);
        rdp_blk_assert_works(&dev, form_features(form), form->packed,
                             form->indirect);
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
    Kind kind;

    for (kind = DESC; kind <= STATUS; kind++) {
        const Case c = { form, kind };
        g_autofree char *path = form_path(&form, kinds[kind].name);

        if (kind != TABLE || indirect) {
            qtest_add_data_func_full(path, g_memdup2(&c, sizeof(c)),
                                     test_refused, g_free);
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
