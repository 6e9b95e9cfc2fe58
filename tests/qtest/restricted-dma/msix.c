/*
 * Restricted DMA pools: MSI-X messages, which go to RAM
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "msix.h"

#define MESSAGES    (2 * MiB)   /* in RAM */
#define DATA        0x4d534958

static void use_vector(RdpDevice *dev, uint16_t vector)
{
    uint64_t entry = dev->pci->msix_table_off + vector * PCI_MSIX_ENTRY_SIZE;
    QPCIBar bar = dev->pci->msix_table_bar;

    qpci_io_writeq(dev->pci, bar, entry + PCI_MSIX_ENTRY_LOWER_ADDR,
                   RDP_IN_RAM(dev->guest, MESSAGES + 4 * vector));
    qpci_io_writel(dev->pci, bar, entry + PCI_MSIX_ENTRY_DATA, DATA + vector);
    qpci_io_writel(dev->pci, bar, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
}

void rdp_msix_setup(RdpDevice *dev, RdpRing *ring, uint16_t config,
                    uint16_t queue)
{
    qpci_msix_enable(dev->pci);
    use_vector(dev, queue);
    if (config != VIRTIO_MSI_NO_VECTOR) {
        use_vector(dev, config);
    }
    g_assert_true(rdp_negotiate(dev, RDP_FEATURES));
    rdp_common_writew(dev, VIRTIO_PCI_COMMON_MSIX, config);
    rdp_ring_init(ring, dev, 0, false);
    rdp_ring_set_vector(ring, queue);
    rdp_ring_enable(ring);
    rdp_driver_ok(dev);
}

bool rdp_msix_arrived(RdpDevice *dev, uint16_t vector)
{
    return ldl_le_p(dev->guest->ram.now + MESSAGES + 4 * vector) ==
           DATA + vector;
}

void rdp_msix_expect(RdpDevice *dev, uint16_t vector)
{
    stl_le_p(dev->guest->ram.before + MESSAGES + 4 * vector, DATA + vector);
}

void rdp_msix_stop(RdpDevice *dev)
{
    qpci_msix_disable(dev->pci);
    rdp_device_stop(dev);
}
