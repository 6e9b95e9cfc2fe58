/*
 * A virtio-pci device that names its restricted DMA pool
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "exec/address-spaces.h"
#include "hw/pci/pci.h"
#include "hw/virtio/virtio-pci.h"
#include "hw/virtio/virtio-restricted-dma.h"
#include "qapi/error.h"

bool virtio_pci_restrict_dma(VirtIOPCIProxy *proxy, Error **errp)
{
    PCIDevice *pci_dev = &proxy->pci_dev;
    RestrictedDMADevice *rd = &proxy->restricted_dma;
    Object *vdev;

    if (!virtio_restricted_dma_check_options(rd, DEVICE(proxy),
                                             proxy->restricted_dma_negotiate,
                                             errp)) {
        return false;
    }
    if (!rd->pool) {
        return true;
    }
    /* The device is not on its bus yet, and has not contacted its back end. */
    vdev = object_resolve_path_component(OBJECT(proxy), "virtio-backend");
    if (!virtio_restricted_dma_supported(VIRTIO_DEVICE(vdev), errp)) {
        return false;
    }
    if (!virtio_pci_modern(proxy)) {
        error_setg(errp, "a device with restricted-dma-pool= must be modern; "
                   "remove disable-modern=on");
        return false;
    }
    if (virtio_pci_legacy(proxy)) {
        error_setg(errp, "a device with restricted-dma-pool= cannot have the "
                   "legacy interface; remove disable-legacy=off, or use the "
                   "non-transitional device");
        return false;
    }
    if (pci_device_iommu_address_space(pci_dev) != &address_space_memory) {
        error_setg(errp, "a device with restricted-dma-pool= cannot be behind "
                   "an IOMMU; remove the IOMMU, or put the device on a bus "
                   "with bypass_iommu=on");
        return false;
    }
    proxy->disable_legacy = ON_OFF_AUTO_ON;
    pci_dev->dma_in_d0_only = true;
    rd->reach = &pci_dev->bus_master_container_region;
    return true;
}

uint32_t virtio_pci_restricted_dma_reg(const VirtIODevice *vdev, hwaddr offset)
{
    switch (offset) {
    case VIRTIO_PCI_COMMON_RESTRICTED_DMA_ADDRLO:
        return virtio_restricted_dma_addr(vdev);
    case VIRTIO_PCI_COMMON_RESTRICTED_DMA_ADDRHI:
        return virtio_restricted_dma_addr(vdev) >> 32;
    case VIRTIO_PCI_COMMON_RESTRICTED_DMA_SIZELO:
        return virtio_restricted_dma_size(vdev);
    case VIRTIO_PCI_COMMON_RESTRICTED_DMA_SIZEHI:
        return virtio_restricted_dma_size(vdev) >> 32;
    default:
        g_assert_not_reached();
    }
}
