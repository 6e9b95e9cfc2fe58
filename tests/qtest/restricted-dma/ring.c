/*
 * Restricted DMA pools: split and packed rings made by hand
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "ring.h"

#define QUEUE_BYTES         0x4000

void rdp_ring_init(RdpRing *ring, RdpDevice *dev, uint16_t queue, bool packed)
{
    uint64_t base = dev->guest->base + RDP_RINGS + queue * QUEUE_BYTES;

    *ring = (RdpRing) {
        .dev = dev,
        .queue = queue,
        .packed = packed,
        .size = RDP_RING_SIZE,
        .desc = base,
        .avail = base + 0x1000,
        .used = base + 0x2000,
    };
    rdp_fill(dev->guest, base, 0, QUEUE_BYTES);
}

void rdp_ring_set_size(RdpRing *ring, uint16_t size)
{
    rdp_common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_SELECT, ring->queue);
    rdp_common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_SIZE, size);
}

uint16_t rdp_ring_size(const RdpRing *ring)
{
    RdpDevice *dev = ring->dev;

    rdp_common_writew(dev, VIRTIO_PCI_COMMON_Q_SELECT, ring->queue);
    return qpci_io_readw(dev->pci, dev->bar,
                         dev->common + VIRTIO_PCI_COMMON_Q_SIZE);
}

void rdp_ring_set_vector(RdpRing *ring, uint16_t vector)
{
    rdp_common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_SELECT, ring->queue);
    rdp_common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_MSIX, vector);
}

static void common_write_addr(RdpDevice *dev, unsigned reg, uint64_t addr)
{
    rdp_common_writel(dev, reg, addr);
    rdp_common_writel(dev, reg + 4, addr >> 32);
}

void rdp_ring_enable(RdpRing *ring)
{
    RdpDevice *dev = ring->dev;

    rdp_ring_set_size(ring, ring->size);
    common_write_addr(dev, VIRTIO_PCI_COMMON_Q_DESCLO, ring->desc);
    common_write_addr(dev, VIRTIO_PCI_COMMON_Q_AVAILLO, ring->avail);
    common_write_addr(dev, VIRTIO_PCI_COMMON_Q_USEDLO, ring->used);
    rdp_common_writew(dev, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
}

void rdp_setup(RdpDevice *dev, RdpRing *ring, uint16_t queue,
               uint64_t features)
{
    g_assert_true(rdp_negotiate(dev, features));
    rdp_ring_init(ring, dev, queue, features & BIT_ULL(VIRTIO_F_RING_PACKED));
    rdp_ring_enable(ring);
    rdp_driver_ok(dev);
}

bool rdp_ring_resetting(RdpRing *ring)
{
    RdpDevice *dev = ring->dev;

    rdp_common_writew(dev, VIRTIO_PCI_COMMON_Q_SELECT, ring->queue);
    if (dev->mmio) {
        return rdp_common_readl(dev, VIRTIO_PCI_COMMON_Q_ENABLE);
    }
    return qpci_io_readw(dev->pci, dev->bar,
                         dev->common + VIRTIO_PCI_COMMON_Q_RESET);
}

void rdp_ring_begin_reset(RdpRing *ring)
{
    rdp_common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_SELECT, ring->queue);
    if (ring->dev->mmio) {
        rdp_common_writel(ring->dev, VIRTIO_PCI_COMMON_Q_ENABLE, 0);
    } else {
        rdp_common_writew(ring->dev, VIRTIO_PCI_COMMON_Q_RESET, 1);
    }
}

void rdp_ring_reset(RdpRing *ring)
{
    rdp_ring_begin_reset(ring);
    RDP_WAIT_FOR(!rdp_ring_resetting(ring));
}

uint64_t rdp_ring_desc_size(const RdpRing *ring)
{
    return ring->size * sizeof(struct vring_desc);
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
    return offsetof(struct vring_avail, ring[ring->size]) +
           event_size(features);
}

uint64_t rdp_ring_used_size(const RdpRing *ring, uint64_t features)
{
    if (ring->packed) {
        return sizeof(struct vring_packed_desc_event);
    }
    return offsetof(struct vring_used, ring[ring->size]) +
           event_size(features);
}

static void poke16(RdpGuest *guest, uint64_t addr, uint16_t value)
{
    value = cpu_to_le16(value);
    rdp_poke(guest, addr, &value, sizeof(value));
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

/* Each time round a packed ring, its flags invert their meaning */
static uint16_t packed_flags(const RdpRing *ring, unsigned position, bool used)
{
    bool wrap = !(position / ring->size % 2);
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
        .flags = cpu_to_le16(flags | buf->flags |
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
        .flags = cpu_to_le16(flags | buf->flags |
                             (buf->device_writes ? VRING_DESC_F_WRITE : 0)),
    };

    rdp_poke(guest, table + index * sizeof(desc), &desc, sizeof(desc));
}

static void ring_add_split(RdpRing *ring, const RdpBuf *bufs, unsigned n,
                           uint16_t flags)
{
    RdpGuest *guest = ring->dev->guest;
    unsigned head = ring->next % ring->size;
    unsigned i;

    for (i = 0; i < n; i++) {
        put_split(guest, ring->desc, (ring->next + i) % ring->size,
                  &bufs[i], flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0),
                  (ring->next + i + 1) % ring->size);
    }
    poke16(guest, ring->avail + offsetof(struct vring_avail,
                                         ring[ring->added % ring->size]),
           head);
    poke16(guest, ring->avail + offsetof(struct vring_avail, idx),
           ring->added + 1);
}

static void ring_add_packed(RdpRing *ring, const RdpBuf *bufs, unsigned n,
                            uint16_t flags)
{
    unsigned i;

    /* The head comes last: it makes the chain available */
    for (i = n; i-- > 0; ) {
        put_packed(ring->dev->guest, ring->desc,
                   (ring->next + i) % ring->size, &bufs[i],
                   flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0) |
                   packed_flags(ring, ring->next + i, false),
                   ring->added % ring->size);
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

    if (dev->mmio) {
        qtest_writel(dev->guest->qts, dev->mmio + VIRTIO_MMIO_QUEUE_NOTIFY,
                     ring->queue);
        return;
    }
    rdp_common_writew(dev, VIRTIO_PCI_COMMON_Q_SELECT, ring->queue);
    offset = qpci_io_readw(dev->pci, dev->bar,
                           dev->common + VIRTIO_PCI_COMMON_Q_NOFF);
    qpci_io_writew(dev->pci, dev->notify_bar,
                   dev->notify + offset * dev->notify_multiplier, ring->queue);
}

void rdp_ring_submit(RdpRing *ring, const RdpBuf *bufs, unsigned n)
{
    rdp_ring_add(ring, bufs, n, RDP_NO_TABLE);
    rdp_ring_kick(ring);
}

static bool packed_is_used(RdpRing *ring, unsigned position)
{
    const uint16_t mask = 1 << VRING_PACKED_DESC_F_AVAIL |
                          1 << VRING_PACKED_DESC_F_USED;
    RdpGuest *guest = ring->dev->guest;
    uint64_t desc = ring->desc + position % ring->size *
                    sizeof(struct vring_packed_desc);
    uint16_t flags;

    if (!rdp_is_memory(guest, desc, sizeof(struct vring_packed_desc))) {
        return false;
    }
    flags = qtest_readw(guest->qts, desc +
                        offsetof(struct vring_packed_desc, flags));
    return (flags & mask) == packed_flags(ring, position, true);
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
    RDP_WAIT_FOR(rdp_ring_used(ring) == ring->added);
}

void rdp_ring_serve(RdpRing *ring, const RdpBuf *bufs, unsigned n)
{
    rdp_ring_submit(ring, bufs, n);
    rdp_ring_wait(ring);
}
