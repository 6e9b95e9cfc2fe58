/*
 * A virtio-mmio transport that names the restricted DMA pool of its device
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "exec/address-spaces.h"
#include "hw/virtio/virtio-mmio.h"
#include "hw/virtio/virtio-restricted-dma.h"
#include "qapi/error.h"

bool virtio_mmio_restrict_dma(VirtIOMMIOProxy *proxy, Error **errp)
{
    RestrictedDMADevice *rd = &proxy->restricted_dma;

    if (!virtio_restricted_dma_check_options(rd, DEVICE(proxy),
                                             proxy->restricted_dma_negotiate,
                                             errp)) {
        return false;
    }
    if (rd->pool && proxy->legacy) {
        error_setg(errp, "a virtio-mmio transport with restricted-dma-pool= "
                   "cannot have the legacy interface; add "
                   "-global virtio-mmio.force-legacy=false");
        return false;
    }
    rd->reach = get_system_memory();
    return true;
}

bool virtio_mmio_bus_check_device(BusState *bus, DeviceState *dev, Error **errp)
{
    VirtIOMMIOProxy *proxy = VIRTIO_MMIO(bus->parent);

    return !proxy->restricted_dma.pool ||
           virtio_restricted_dma_supported(VIRTIO_DEVICE(dev), errp);
}

uint32_t virtio_mmio_restricted_dma_reg(const VirtIODevice *vdev, hwaddr offset)
{
    switch (offset) {
    case VIRTIO_MMIO_RESTRICTED_DMA_ADDR_LOW:
        return virtio_restricted_dma_addr(vdev);
    case VIRTIO_MMIO_RESTRICTED_DMA_ADDR_HIGH:
        return virtio_restricted_dma_addr(vdev) >> 32;
    case VIRTIO_MMIO_RESTRICTED_DMA_SIZE_LOW:
        return virtio_restricted_dma_size(vdev);
    case VIRTIO_MMIO_RESTRICTED_DMA_SIZE_HIGH:
        return virtio_restricted_dma_size(vdev) >> 32;
    default:
        g_assert_not_reached();
    }
}
