/*
 * Bare-hands virtio driver for the tests of restricted DMA pools
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "libqos/pci-pc.h"
#include "qemu/bswap.h"
#include "qobject/qnum.h"
#include "standard-headers/linux/virtio_blk.h"
#include "restricted-dma.h"

#define WAIT_USEC           (20 * G_USEC_PER_SEC)
#define QUEUE_BYTES         0x4000

/* Poll @condition; a device that never gets there fails the test */
#define WAIT_FOR(condition) do {                                        \
        int64_t end_ = g_get_monotonic_time() + WAIT_USEC;              \
        while (!(condition)) {                                          \
            g_assert_cmpint(g_get_monotonic_time(), <, end_);           \
        }                                                               \
    } while (0)

static void file_init(RdpFile *file, const char *dir, const char *name,
                      size_t size, uint32_t seed)
{
    uint32_t *words;
    size_t i;
    int fd;

    file->path = g_build_filename(dir, name, NULL);
    file->size = size;
    file->before = g_malloc(size);
    fd = open(file->path, O_RDWR | O_CREAT | O_EXCL, 0600);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    file->now = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert(file->now != MAP_FAILED);
    close(fd);

    /* Every word differs, so that moved or leaked data cannot go unseen */
    words = (uint32_t *)file->now;
    for (i = 0; i < size / sizeof(*words); i++) {
        words[i] = (seed + i) * 2654435761U;
    }
}

static void file_cleanup(RdpFile *file)
{
    munmap(file->now, file->size);
    g_free(file->path);
    g_free(file->before);
}

static void file_assert_untouched(const RdpFile *file)
{
    size_t i;

    if (!memcmp(file->now, file->before, file->size)) {
        return;
    }
    for (i = 0; file->now[i] == file->before[i]; i++) {
        /* find the first difference */
    }
    g_error("%s: changed at offset 0x%zx", file->path, i);
}

RdpGuest *rdp_start(const char *machine, const char *devices, ...)
{
    RdpGuest *guest = g_new0(RdpGuest, 1);
    g_autoptr(GError) err = NULL;
    g_autofree char *more = NULL;
    g_autofree char *dir = NULL;
    va_list ap;
    QDict *pool;

    dir = g_dir_make_tmp("restricted-dma-XXXXXX", &err);
    g_assert_no_error(err);
    file_init(&guest->ram, dir, "ram", RDP_RAM_SIZE, 0);
    file_init(&guest->neighbour, dir, "pool", RDP_NEIGHBOUR_SIZE,
              0x10000000);
    file_init(&guest->disk, dir, "disk", RDP_DISK_SIZE, 0x20000000);

    va_start(ap, devices);
    more = g_strdup_vprintf(devices, ap);
    va_end(ap);
    guest->qts = qtest_initf(
        "-nodefaults -machine %s,memory-backend=ram -m %dM "
        "-object memory-backend-file,id=ram,share=on,size=%dM,mem-path=%s "
        "-object memory-backend-file,id=mem,share=on,size=%dM,mem-path=%s "
        "-object restricted-dma-pool,id=poolb,size=%dM,memdev=mem "
        "-object restricted-dma-pool,id=poola,size=%dM "
        "-drive if=none,id=disk0,format=raw,cache=unsafe,file=%s %s",
        machine, (int)(RDP_RAM_SIZE / MiB),
        (int)(RDP_RAM_SIZE / MiB), guest->ram.path,
        (int)(RDP_NEIGHBOUR_SIZE / MiB), guest->neighbour.path,
        (int)(RDP_NEIGHBOUR_SIZE / MiB), (int)(RDP_POOL_SIZE / MiB),
        guest->disk.path, more);
    guest->bus = qpci_new_pc(guest->qts, NULL);

    /* QEMU has opened them; a test that fails shall leave nothing behind */
    unlink(guest->ram.path);
    unlink(guest->neighbour.path);
    unlink(guest->disk.path);
    g_rmdir(dir);

    pool = rdp_query(guest->qts, "poola");
    guest->base = rdp_get_uint(pool, "base");
    qobject_unref(pool);
    pool = rdp_query(guest->qts, "poolb");
    g_assert_cmphex(rdp_get_uint(pool, "base"), ==,
                    guest->base + RDP_POOL_SIZE);
    qobject_unref(pool);
    return guest;
}

void rdp_stop(RdpGuest *guest)
{
    qpci_free_pc(guest->bus);
    qtest_quit(guest->qts);
    file_cleanup(&guest->ram);
    file_cleanup(&guest->neighbour);
    file_cleanup(&guest->disk);
    g_free(guest);
}

static bool within(uint64_t addr, uint64_t len, uint64_t base, uint64_t size)
{
    return addr >= base && addr - base <= size && len <= size - (addr - base);
}

bool rdp_is_memory(RdpGuest *guest, uint64_t addr, uint64_t len)
{
    return within(addr, len, 0, guest->ram.size) ||
           within(addr, len, guest->base,
                  RDP_POOL_SIZE + guest->neighbour.size);
}

void rdp_poke(RdpGuest *guest, uint64_t addr, const void *buf, size_t len)
{
    if (rdp_is_memory(guest, addr, len)) {
        qtest_bufwrite(guest->qts, addr, buf, len);
    }
}

static void poke16(RdpGuest *guest, uint64_t addr, uint16_t value)
{
    value = cpu_to_le16(value);
    rdp_poke(guest, addr, &value, sizeof(value));
}

static void fill(RdpGuest *guest, uint64_t addr, uint8_t byte, size_t len)
{
    g_autofree void *buf = g_malloc(len);

    memset(buf, byte, len);
    rdp_poke(guest, addr, buf, len);
}

static void file_snapshot(RdpFile *file)
{
    memcpy(file->before, file->now, file->size);
}

void rdp_snapshot(RdpGuest *guest)
{
    file_snapshot(&guest->ram);
    file_snapshot(&guest->neighbour);
    file_snapshot(&guest->disk);
}

void rdp_assert_memory_untouched(RdpGuest *guest)
{
    file_assert_untouched(&guest->ram);
    file_assert_untouched(&guest->neighbour);
}

void rdp_assert_untouched(RdpGuest *guest)
{
    rdp_assert_memory_untouched(guest);
    file_assert_untouched(&guest->disk);
}

uint64_t rdp_get_uint(const QDict *dict, const char *key)
{
    return qnum_get_uint(qobject_to(QNum, qdict_get(dict, key)));
}

QDict *rdp_query(QTestState *qts, const char *pool)
{
    QDict *response, *found = NULL;
    const QListEntry *entry;

    response = qtest_qmp(qts, "{'execute': 'query-restricted-dma-pools'}");
    g_assert(qdict_haskey(response, "return"));
    QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
        QDict *info = qobject_to(QDict, qlist_entry_obj(entry));

        if (!strcmp(qdict_get_str(info, "id"), pool)) {
            found = qobject_ref(info);
        }
    }
    qobject_unref(response);
    g_assert_nonnull(found);
    return found;
}

uint64_t rdp_violations(QTestState *qts, const char *pool)
{
    QDict *info = rdp_query(qts, pool);
    uint64_t violations = rdp_get_uint(info, "violations");

    qobject_unref(info);
    return violations;
}

QDict *rdp_next_event(QTestState *qts)
{
    /* Events are read together with the response to a command */
    qtest_qmp_assert_success(qts, "{'execute': 'query-name'}");
    return qtest_qmp_event_ref(qts, "RESTRICTED_DMA_VIOLATION");
}

void rdp_forget_events(QTestState *qts)
{
    QDict *event;

    qtest_clock_step(qts, RDP_EVENT_PERIOD_NS);
    while ((event = rdp_next_event(qts))) {
        qobject_unref(event);
    }
    qtest_clock_step(qts, RDP_EVENT_PERIOD_NS);
}

void rdp_settle(QTestState *qts)
{
    /* Stopping the machine waits for all notifications and all block I/O */
    qtest_qmp_assert_success(qts, "{'execute': 'stop'}");
    qtest_qmp_assert_success(qts, "{'execute': 'cont'}");
}

void rdp_device_init(RdpDevice *dev, RdpGuest *guest, unsigned slot,
                     const char *id)
{
    bool seen[VIRTIO_PCI_CAP_ISR_CFG + 1] = { };
    uint8_t bar = 0, cap;

    memset(dev, 0, sizeof(*dev));
    dev->guest = guest;
    dev->id = id;
    dev->pci = qpci_device_find(guest->bus, QPCI_DEVFN(slot, 0));
    g_assert_nonnull(dev->pci);

    for (cap = qpci_config_readb(dev->pci, PCI_CAPABILITY_LIST); cap;
         cap = qpci_config_readb(dev->pci, cap + PCI_CAP_LIST_NEXT)) {
        uint8_t type = qpci_config_readb(dev->pci,
                                         cap + VIRTIO_PCI_CAP_CFG_TYPE);
        uint32_t offset = qpci_config_readl(dev->pci,
                                            cap + VIRTIO_PCI_CAP_OFFSET);

        if (qpci_config_readb(dev->pci, cap) != PCI_CAP_ID_VNDR ||
            type >= ARRAY_SIZE(seen) || seen[type]) {
            continue;
        }
        seen[type] = true;
        switch (type) {
        case VIRTIO_PCI_CAP_COMMON_CFG:
            bar = qpci_config_readb(dev->pci, cap + VIRTIO_PCI_CAP_BAR);
            dev->common = offset;
            break;
        case VIRTIO_PCI_CAP_NOTIFY_CFG:
            dev->notify = offset;
            dev->notify_multiplier =
                qpci_config_readl(dev->pci, cap + VIRTIO_PCI_NOTIFY_CAP_MULT);
            break;
        case VIRTIO_PCI_CAP_ISR_CFG:
            dev->isr = offset;
            break;
        }
    }
    g_assert(seen[VIRTIO_PCI_CAP_COMMON_CFG]);
    g_assert(seen[VIRTIO_PCI_CAP_NOTIFY_CFG]);
    g_assert(seen[VIRTIO_PCI_CAP_ISR_CFG]);

    dev->bar = qpci_iomap(dev->pci, bar, NULL);
    qpci_device_enable(dev->pci);
}

void rdp_device_cleanup(RdpDevice *dev)
{
    g_free(dev->pci);
}

static void common_writew(RdpDevice *dev, unsigned reg, uint16_t value)
{
    qpci_io_writew(dev->pci, dev->bar, dev->common + reg, value);
}

static void common_writel(RdpDevice *dev, unsigned reg, uint32_t value)
{
    qpci_io_writel(dev->pci, dev->bar, dev->common + reg, value);
}

static void common_write_addr(RdpDevice *dev, unsigned reg, uint64_t addr)
{
    common_writel(dev, reg, addr);
    common_writel(dev, reg + 4, addr >> 32);
}

uint8_t rdp_status(RdpDevice *dev)
{
    return qpci_io_readb(dev->pci, dev->bar,
                         dev->common + VIRTIO_PCI_COMMON_STATUS);
}

void rdp_set_status(RdpDevice *dev, uint8_t status)
{
    qpci_io_writeb(dev->pci, dev->bar,
                   dev->common + VIRTIO_PCI_COMMON_STATUS, status);
}

void rdp_reset(RdpDevice *dev)
{
    rdp_set_status(dev, 0);
    WAIT_FOR(rdp_status(dev) == 0);
}

uint8_t rdp_isr(RdpDevice *dev)
{
    return qpci_io_readb(dev->pci, dev->bar, dev->isr);
}

uint64_t rdp_offered(RdpDevice *dev)
{
    uint64_t features = 0;
    unsigned i;

    for (i = 0; i < 2; i++) {
        common_writel(dev, VIRTIO_PCI_COMMON_DFSELECT, i);
        features |= (uint64_t)qpci_io_readl(dev->pci, dev->bar, dev->common +
                                            VIRTIO_PCI_COMMON_DF) << (32 * i);
    }
    return features;
}

void rdp_accept_half(RdpDevice *dev, unsigned half, uint32_t features)
{
    common_writel(dev, VIRTIO_PCI_COMMON_GFSELECT, half);
    common_writel(dev, VIRTIO_PCI_COMMON_GF, features);
}

void rdp_accept(RdpDevice *dev, uint64_t features)
{
    rdp_accept_half(dev, 0, features);
    rdp_accept_half(dev, 1, features >> 32);
}

bool rdp_negotiate(RdpDevice *dev, uint64_t features)
{
    uint8_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE;

    rdp_reset(dev);
    rdp_set_status(dev, status);
    status |= VIRTIO_CONFIG_S_DRIVER;
    rdp_set_status(dev, status);
    rdp_accept(dev, features);
    status |= VIRTIO_CONFIG_S_FEATURES_OK;
    rdp_set_status(dev, status);
    return rdp_status(dev) == status;
}

void rdp_driver_ok(RdpDevice *dev)
{
    rdp_set_status(dev, rdp_status(dev) | VIRTIO_CONFIG_S_DRIVER_OK);
}

void rdp_wait_needs_reset(RdpDevice *dev)
{
    WAIT_FOR(rdp_status(dev) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

void rdp_ring_init(RdpRing *ring, RdpDevice *dev, uint16_t queue, bool packed)
{
    uint64_t base = dev->guest->base + RDP_RINGS + queue * QUEUE_BYTES;

    *ring = (RdpRing) {
        .dev = dev,
        .queue = queue,
        .packed = packed,
        .desc = base,
        .avail = base + 0x1000,
        .used = base + 0x2000,
    };
    fill(dev->guest, base, 0, QUEUE_BYTES);
}

void rdp_ring_set_size(RdpRing *ring, uint16_t size)
{
    common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_SELECT, ring->queue);
    common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_SIZE, size);
}

void rdp_ring_set_vector(RdpRing *ring, uint16_t vector)
{
    common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_SELECT, ring->queue);
    common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_MSIX, vector);
}

void rdp_ring_enable(RdpRing *ring)
{
    RdpDevice *dev = ring->dev;

    rdp_ring_set_size(ring, RDP_RING_SIZE);
    common_write_addr(dev, VIRTIO_PCI_COMMON_Q_DESCLO, ring->desc);
    common_write_addr(dev, VIRTIO_PCI_COMMON_Q_AVAILLO, ring->avail);
    common_write_addr(dev, VIRTIO_PCI_COMMON_Q_USEDLO, ring->used);
    common_writew(dev, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
}

void rdp_ring_reset(RdpRing *ring)
{
    common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_SELECT, ring->queue);
    common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_RESET, 1);
}

uint64_t rdp_ring_desc_size(const RdpRing *ring)
{
    return RDP_RING_SIZE * sizeof(struct vring_desc);
}

static uint64_t event_size(uint64_t features)
{
    return features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX) ? sizeof(uint16_t) : 0;
}

uint64_t rdp_ring_avail_size(const RdpRing *ring, uint64_t features)
{
    if (ring->packed) {
        return sizeof(struct vring_packed_desc_event);
    }
    return offsetof(struct vring_avail, ring[RDP_RING_SIZE]) +
           event_size(features);
}

uint64_t rdp_ring_used_size(const RdpRing *ring, uint64_t features)
{
    if (ring->packed) {
        return sizeof(struct vring_packed_desc_event);
    }
    return offsetof(struct vring_used, ring[RDP_RING_SIZE]) +
           event_size(features);
}

static uint16_t split_used_idx(RdpRing *ring)
{
    RdpGuest *guest = ring->dev->guest;

    if (!rdp_is_memory(guest, ring->used, sizeof(struct vring_used))) {
        return 0;
    }
    return qtest_readw(guest->qts,
                       ring->used + offsetof(struct vring_used, idx));
}

/* A packed ring goes round with the meaning of its flags inverted each time */
static uint16_t packed_flags(unsigned position, bool used)
{
    bool wrap = !(position / RDP_RING_SIZE % 2);
    uint16_t avail_bit = wrap << VRING_PACKED_DESC_F_AVAIL;
    uint16_t used_bit = (used ? wrap : !wrap) << VRING_PACKED_DESC_F_USED;

    return avail_bit | used_bit;
}

static void put_split(RdpGuest *guest, uint64_t table, unsigned index,
                      const RdpBuf *buf, uint16_t flags, uint16_t next)
{
    struct vring_desc desc = {
        .addr = cpu_to_le64(buf->addr),
        .len = cpu_to_le32(buf->len),
        .flags = cpu_to_le16(flags |
                             (buf->device_writes ? VRING_DESC_F_WRITE : 0)),
        .next = cpu_to_le16(next),
    };

    rdp_poke(guest, table + index * sizeof(desc), &desc, sizeof(desc));
}

static void put_packed(RdpGuest *guest, uint64_t table, unsigned index,
                       const RdpBuf *buf, uint16_t flags, uint16_t id)
{
    struct vring_packed_desc desc = {
        .addr = cpu_to_le64(buf->addr),
        .len = cpu_to_le32(buf->len),
        .id = cpu_to_le16(id),
        .flags = cpu_to_le16(flags |
                             (buf->device_writes ? VRING_DESC_F_WRITE : 0)),
    };

    rdp_poke(guest, table + index * sizeof(desc), &desc, sizeof(desc));
}

static void ring_add_split(RdpRing *ring, const RdpBuf *bufs, unsigned n,
                           uint16_t flags)
{
    RdpGuest *guest = ring->dev->guest;
    unsigned head = ring->next % RDP_RING_SIZE;
    unsigned i;

    for (i = 0; i < n; i++) {
        put_split(guest, ring->desc, (ring->next + i) % RDP_RING_SIZE,
                  &bufs[i], flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0),
                  (ring->next + i + 1) % RDP_RING_SIZE);
    }
    poke16(guest, ring->avail + offsetof(struct vring_avail,
                                         ring[ring->added % RDP_RING_SIZE]),
           head);
    poke16(guest, ring->avail + offsetof(struct vring_avail, idx),
           ring->added + 1);
}

static void ring_add_packed(RdpRing *ring, const RdpBuf *bufs, unsigned n,
                            uint16_t flags)
{
    unsigned i;

    /* The head goes last: it is what makes the chain available */
    for (i = n; i-- > 0; ) {
        put_packed(ring->dev->guest, ring->desc,
                   (ring->next + i) % RDP_RING_SIZE, &bufs[i],
                   flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0) |
                   packed_flags(ring->next + i, false),
                   ring->added % RDP_RING_SIZE);
    }
}

void rdp_ring_add(RdpRing *ring, const RdpBuf *bufs, unsigned n,
                  uint64_t table)
{
    RdpGuest *guest = ring->dev->guest;
    RdpBuf indirect = {
        .addr = table,
        .len = n * sizeof(struct vring_desc),
    };
    uint16_t flags = 0;
    unsigned i;

    if (!ring->added) {
        ring->first_used = split_used_idx(ring);
    }

    if (table != RDP_NO_TABLE) {
        for (i = 0; i < n; i++) {
            if (ring->packed) {
                put_packed(guest, table, i, &bufs[i], 0, 0);
            } else {
                put_split(guest, table, i, &bufs[i],
                          i + 1 < n ? VRING_DESC_F_NEXT : 0, i + 1);
            }
        }
        bufs = &indirect;
        n = 1;
        flags = VRING_DESC_F_INDIRECT;
    }

    if (ring->packed) {
        ring_add_packed(ring, bufs, n, flags);
    } else {
        ring_add_split(ring, bufs, n, flags);
    }
    ring->heads[ring->added++ % RDP_RING_SIZE] = ring->next;
    ring->next += n;
}

void rdp_ring_kick(RdpRing *ring)
{
    RdpDevice *dev = ring->dev;
    uint16_t offset;

    common_writew(dev, VIRTIO_PCI_COMMON_Q_SELECT, ring->queue);
    offset = qpci_io_readw(dev->pci, dev->bar,
                           dev->common + VIRTIO_PCI_COMMON_Q_NOFF);
    qpci_io_writew(dev->pci, dev->bar,
                   dev->notify + offset * dev->notify_multiplier, ring->queue);
}

static bool packed_is_used(RdpRing *ring, unsigned position)
{
    const uint16_t mask = 1 << VRING_PACKED_DESC_F_AVAIL |
                          1 << VRING_PACKED_DESC_F_USED;
    RdpGuest *guest = ring->dev->guest;
    uint64_t desc = ring->desc + position % RDP_RING_SIZE *
                    sizeof(struct vring_packed_desc);
    uint16_t flags;

    if (!rdp_is_memory(guest, desc, sizeof(struct vring_packed_desc))) {
        return false;
    }
    flags = qtest_readw(guest->qts, desc +
                        offsetof(struct vring_packed_desc, flags));
    return (flags & mask) == packed_flags(position, true);
}

unsigned rdp_ring_used(RdpRing *ring)
{
    if (!ring->packed) {
        return (uint16_t)(split_used_idx(ring) - ring->first_used);
    }
    while (ring->done < ring->added &&
           packed_is_used(ring, ring->heads[ring->done % RDP_RING_SIZE])) {
        ring->done++;
    }
    return ring->done;
}

void rdp_ring_wait(RdpRing *ring)
{
    WAIT_FOR(rdp_ring_used(ring) == ring->added);
}

static void assert_one_event(RdpDevice *dev, const RdpAccess *bad)
{
    QTestState *qts = dev->guest->qts;
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", dev->id);
    QDict *event, *data;

    WAIT_FOR((event = rdp_next_event(qts)));
    data = qdict_get_qdict(event, "data");
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

void rdp_ring_baseline(RdpRing *ring)
{
    RdpGuest *guest = ring->dev->guest;

    rdp_forget_events(guest->qts);
    guest->violations_before = rdp_violations(guest->qts, "poola");
    ring->used_before = rdp_ring_used(ring);
    rdp_snapshot(guest);
}

void rdp_assert_refused(RdpRing *ring, const RdpAccess *bad, bool interrupt)
{
    static const uint8_t writes[] = { 0x0f, 0x07, 0x01, 0x4f, 0x8f };
    RdpDevice *dev = ring->dev;
    RdpGuest *guest = dev->guest;
    unsigned i;

    rdp_wait_needs_reset(dev);
    assert_one_event(dev, bad);
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
    fill(guest, bufs[1].addr, data, bufs[1].len);
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
