/*
 * Restricted DMA pools: the registers of a device through configuration space
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "config-window.h"

uint8_t rdp_window_find(RdpDevice *dev)
{
    uint8_t cap = 0;

    while ((cap = qpci_find_capability(dev->pci, PCI_CAP_ID_VNDR, cap))) {
        if (qpci_config_readb(dev->pci, cap + VIRTIO_PCI_CAP_CFG_TYPE) ==
            VIRTIO_PCI_CAP_PCI_CFG) {
            return cap;
        }
    }
    g_assert_not_reached();
}

/* @offset is one in the BAR */
static void aim_window(RdpDevice *dev, uint8_t cap, uint32_t offset,
                       unsigned len)
{
    qpci_config_writeb(dev->pci, cap + VIRTIO_PCI_CAP_BAR, 4);
    qpci_config_writel(dev->pci, cap + VIRTIO_PCI_CAP_OFFSET, offset);
    qpci_config_writel(dev->pci, cap + VIRTIO_PCI_CAP_LENGTH, len);
}

static void window_write(RdpDevice *dev, uint8_t cap, uint32_t offset,
                         unsigned len, uint32_t value)
{
    const uint8_t data = cap + sizeof(struct virtio_pci_cap);

    aim_window(dev, cap, offset, len);
    switch (len) {
    case 1:
        qpci_config_writeb(dev->pci, data, value);
        break;
    case 2:
        qpci_config_writew(dev->pci, data, value);
        break;
    default:
        qpci_config_writel(dev->pci, data, value);
        break;
    }
}

void rdp_window_set_status(RdpDevice *dev, uint8_t cap, uint8_t status)
{
    window_write(dev, cap, dev->common + VIRTIO_PCI_COMMON_STATUS, 1, status);
}

uint32_t rdp_window_readl(RdpDevice *dev, uint8_t cap, unsigned reg)
{
    aim_window(dev, cap, dev->common + reg, 4);
    return qpci_config_readl(dev->pci, cap + sizeof(struct virtio_pci_cap));
}

void rdp_window_kick(RdpDevice *dev, uint8_t cap)
{
    window_write(dev, cap, dev->notify, 2, 0);
}

void rdp_window_start(RdpRing *ring, uint8_t cap)
{
    uint64_t features = RDP_FEATURES |
                        (uint64_t)ring->packed << VIRTIO_F_RING_PACKED;
    const uint32_t writes[][3] = {      /* register, bytes, value */
        { VIRTIO_PCI_COMMON_GFSELECT, 4, 1 },
        { VIRTIO_PCI_COMMON_GF, 4, features >> 32 },
        { VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_CONFIG_S_FEATURES_OK },
        { VIRTIO_PCI_COMMON_Q_SIZE, 2, RDP_RING_SIZE },
        { VIRTIO_PCI_COMMON_Q_DESCLO, 4, ring->desc },
        { VIRTIO_PCI_COMMON_Q_DESCHI, 4, ring->desc >> 32 },
        { VIRTIO_PCI_COMMON_Q_AVAILLO, 4, ring->avail },
        { VIRTIO_PCI_COMMON_Q_AVAILHI, 4, ring->avail >> 32 },
        { VIRTIO_PCI_COMMON_Q_USEDLO, 4, ring->used },
        { VIRTIO_PCI_COMMON_Q_USEDHI, 4, ring->used >> 32 },
        { VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1 },
        { VIRTIO_PCI_COMMON_STATUS, 1, VIRTIO_CONFIG_S_FEATURES_OK |
                                       VIRTIO_CONFIG_S_DRIVER_OK },
    };
    RdpDevice *dev = ring->dev;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(writes); i++) {
        window_write(dev, cap, dev->common + writes[i][0], writes[i][1],
                     writes[i][2]);
    }
    rdp_window_kick(dev, cap);
}
