/*
 * Restricted DMA pools: the registers of a device, as its driver writes them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "driver.h"

RdpGuest *rdp_start_device(RdpDevice *dev, const char *machine,
                           const char *devices, ...)
{
    RdpGuest *guest;
    va_list ap;

    va_start(ap, devices);
    guest = rdp_vstart(machine, devices, ap);
    va_end(ap);
    rdp_device_init(dev, guest, RDP_SLOT, "dev0");
    return guest;
}

void rdp_device_init(RdpDevice *dev, RdpGuest *guest, unsigned slot,
                     const char *id)
{
    rdp_device_init_at(dev, guest, QPCI_DEVFN(slot, 0), id);
}

void rdp_device_init_at(RdpDevice *dev, RdpGuest *guest, int devfn,
                        const char *id)
{
    bool seen[VIRTIO_PCI_CAP_ISR_CFG + 1] = { };
    uint8_t bar = 0, notify_bar = 0, cap;

    memset(dev, 0, sizeof(*dev));
    dev->guest = guest;
    dev->id = id;
    dev->pci = qpci_device_find(guest->bus, devfn);
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
            notify_bar = qpci_config_readb(dev->pci, cap + VIRTIO_PCI_CAP_BAR);
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
    dev->notify_bar = notify_bar == bar ? dev->bar
                                        : qpci_iomap(dev->pci, notify_bar,
                                                     NULL);
    qpci_device_enable(dev->pci);
}

#define BRIDGE_WINDOW   (128 * MiB)

void rdp_bridge_init(RdpGuest *guest, unsigned slot, unsigned secondary)
{
    QPCIDevice *bridge = qpci_device_find(guest->bus, QPCI_DEVFN(slot, 0));
    uint64_t io = guest->bus->pio_alloc_ptr;
    uint64_t io_end = guest->bus->pio_limit - 1;
    uint64_t memory = QEMU_ALIGN_DOWN(guest->bus->mmio_alloc_ptr, MiB);
    uint64_t memory_end = memory + BRIDGE_WINDOW - 1;

    g_assert_nonnull(bridge);
    qpci_config_writeb(bridge, PCI_SECONDARY_BUS, secondary);
    qpci_config_writeb(bridge, PCI_SUBORDINATE_BUS, secondary);
    qpci_config_writeb(bridge, PCI_IO_BASE, io >> 8);
    qpci_config_writeb(bridge, PCI_IO_LIMIT, io_end >> 8);
    qpci_config_writew(bridge, PCI_MEMORY_BASE, memory >> 16);
    qpci_config_writew(bridge, PCI_MEMORY_LIMIT, memory_end >> 16);
    qpci_config_writew(bridge, PCI_PREF_MEMORY_BASE, memory >> 16);
    qpci_config_writew(bridge, PCI_PREF_MEMORY_LIMIT, memory_end >> 16);
    qpci_device_enable(bridge);
    g_free(bridge);
}

uint64_t rdp_transport(unsigned n)
{
    /* hw/i386/microvm.h, hw/arm/virt.c */
    uint64_t base = strcmp(rdp_mmio_machine(), "virt") ? 0xfeb00000
                                                       : 0x0a000000;

    return base + n * 0x200;
}

void rdp_device_init_mmio(RdpDevice *dev, RdpGuest *guest, unsigned n,
                          const char *id)
{
    uint64_t addr = rdp_transport(n);

    *dev = (RdpDevice) { .guest = guest, .id = id, .mmio = addr };
    g_assert_cmphex(qtest_readl(guest->qts, addr + VIRTIO_MMIO_VERSION), ==, 2);
    g_assert_cmphex(qtest_readl(guest->qts, addr + VIRTIO_MMIO_DEVICE_ID), !=,
                    0);
}

/* Where virtio-mmio has the fields of the common configuration of PCI */
static uint64_t mmio_reg(RdpDevice *dev, unsigned field)
{
    static const uint16_t regs[] = {
        [VIRTIO_PCI_COMMON_DFSELECT] = VIRTIO_MMIO_DEVICE_FEATURES_SEL,
        [VIRTIO_PCI_COMMON_DF] = VIRTIO_MMIO_DEVICE_FEATURES,
        [VIRTIO_PCI_COMMON_GFSELECT] = VIRTIO_MMIO_DRIVER_FEATURES_SEL,
        [VIRTIO_PCI_COMMON_GF] = VIRTIO_MMIO_DRIVER_FEATURES,
        [VIRTIO_PCI_COMMON_STATUS] = VIRTIO_MMIO_STATUS,
        [VIRTIO_PCI_COMMON_Q_SELECT] = VIRTIO_MMIO_QUEUE_SEL,
        [VIRTIO_PCI_COMMON_Q_SIZE] = VIRTIO_MMIO_QUEUE_NUM,
        [VIRTIO_PCI_COMMON_Q_ENABLE] = VIRTIO_MMIO_QUEUE_READY,
        [VIRTIO_PCI_COMMON_Q_DESCLO] = VIRTIO_MMIO_QUEUE_DESC_LOW,
        [VIRTIO_PCI_COMMON_Q_DESCHI] = VIRTIO_MMIO_QUEUE_DESC_HIGH,
        [VIRTIO_PCI_COMMON_Q_AVAILLO] = VIRTIO_MMIO_QUEUE_AVAIL_LOW,
        [VIRTIO_PCI_COMMON_Q_AVAILHI] = VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
        [VIRTIO_PCI_COMMON_Q_USEDLO] = VIRTIO_MMIO_QUEUE_USED_LOW,
        [VIRTIO_PCI_COMMON_Q_USEDHI] = VIRTIO_MMIO_QUEUE_USED_HIGH,
    };

    g_assert(field < ARRAY_SIZE(regs) && regs[field]);
    return dev->mmio + regs[field];
}

uint64_t rdp_config_space(RdpDevice *dev)
{
    return rdp_ecam(dev->guest) + ((uint64_t)dev->pci->devfn << 12);
}

void rdp_set_master(RdpDevice *dev, bool on)
{
    uint16_t command = qpci_config_readw(dev->pci, PCI_COMMAND);

    qpci_config_writew(dev->pci, PCI_COMMAND, on ? command | PCI_COMMAND_MASTER
                                            : command & ~PCI_COMMAND_MASTER);
}

void rdp_set_power_state(RdpDevice *dev, uint16_t state)
{
    uint8_t cap = qpci_find_capability(dev->pci, PCI_CAP_ID_PM, 0);
    uint16_t control;

    g_assert_cmphex(cap, !=, 0);
    control = qpci_config_readw(dev->pci, cap + PCI_PM_CTRL);
    qpci_config_writew(dev->pci, cap + PCI_PM_CTRL,
                       (control & ~PCI_PM_CTRL_STATE_MASK) | state);
}

void rdp_device_cleanup(RdpDevice *dev)
{
    g_free(dev->pci);
}

void rdp_device_stop(RdpDevice *dev)
{
    RdpGuest *guest = dev->guest;

    rdp_device_cleanup(dev);
    rdp_stop(guest);
}

uint32_t rdp_common_readl(RdpDevice *dev, unsigned reg)
{
    if (dev->mmio) {
        return qtest_readl(dev->guest->qts, mmio_reg(dev, reg));
    }
    return qpci_io_readl(dev->pci, dev->bar, dev->common + reg);
}

void rdp_common_writew(RdpDevice *dev, unsigned reg, uint16_t value)
{
    if (dev->mmio) {
        rdp_common_writel(dev, reg, value);
    } else {
        qpci_io_writew(dev->pci, dev->bar, dev->common + reg, value);
    }
}

void rdp_common_writel(RdpDevice *dev, unsigned reg, uint32_t value)
{
    if (dev->mmio) {
        qtest_writel(dev->guest->qts, mmio_reg(dev, reg), value);
    } else {
        qpci_io_writel(dev->pci, dev->bar, dev->common + reg, value);
    }
}

uint8_t rdp_status(RdpDevice *dev)
{
    if (dev->mmio) {
        return rdp_common_readl(dev, VIRTIO_PCI_COMMON_STATUS);
    }
    return qpci_io_readb(dev->pci, dev->bar,
                         dev->common + VIRTIO_PCI_COMMON_STATUS);
}

void rdp_set_status(RdpDevice *dev, uint8_t status)
{
    if (dev->mmio) {
        rdp_common_writel(dev, VIRTIO_PCI_COMMON_STATUS, status);
    } else {
        qpci_io_writeb(dev->pci, dev->bar,
                       dev->common + VIRTIO_PCI_COMMON_STATUS, status);
    }
}

void rdp_reset(RdpDevice *dev)
{
    rdp_set_status(dev, 0);
    RDP_WAIT_FOR(rdp_status(dev) == 0);
}

uint8_t rdp_isr(RdpDevice *dev)
{
    if (dev->mmio) {
        return qtest_readl(dev->guest->qts,
                           dev->mmio + VIRTIO_MMIO_INTERRUPT_STATUS);
    }
    return qpci_io_readb(dev->pci, dev->bar, dev->isr);
}

uint64_t rdp_offered(RdpDevice *dev)
{
    uint64_t features = 0;
    unsigned i;

    for (i = 0; i < 2; i++) {
        rdp_common_writel(dev, VIRTIO_PCI_COMMON_DFSELECT, i);
        features |= (uint64_t)rdp_common_readl(dev, VIRTIO_PCI_COMMON_DF)
                    << (32 * i);
    }
    return features;
}

void rdp_accept_half(RdpDevice *dev, unsigned half, uint32_t features)
{
    rdp_common_writel(dev, VIRTIO_PCI_COMMON_GFSELECT, half);
    rdp_common_writel(dev, VIRTIO_PCI_COMMON_GF, features);
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

bool rdp_needs_reset(RdpDevice *dev)
{
    return rdp_status(dev) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

void rdp_wait_needs_reset(RdpDevice *dev)
{
    RDP_WAIT_FOR(rdp_needs_reset(dev));
}
