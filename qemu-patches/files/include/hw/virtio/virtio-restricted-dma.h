/*
 * VIRTIO_F_RESTRICTED_DMA: a virtio device confined to one pool of memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_VIRTIO_RESTRICTED_DMA_H
#define HW_VIRTIO_RESTRICTED_DMA_H

#include "hw/mem/restricted-dma-pool.h"
#include "hw/virtio/virtio.h"
#include "qapi/qapi-types-restricted-dma.h"

/*
 * The numbers below are provisional until the virtio specification assigns
 * them; they move to standard-headers when Linux has them.
 */

/* The device can access one pool of guest memory and nothing else. */
#define VIRTIO_F_RESTRICTED_DMA 45

/* Fields in struct virtio_pci_common_cfg: guest-physical base and bytes. */
#define VIRTIO_PCI_COMMON_RESTRICTED_DMA_ADDRLO 0x48
#define VIRTIO_PCI_COMMON_RESTRICTED_DMA_ADDRHI 0x4c
#define VIRTIO_PCI_COMMON_RESTRICTED_DMA_SIZELO 0x50
#define VIRTIO_PCI_COMMON_RESTRICTED_DMA_SIZEHI 0x54

/* The same as virtio-mmio registers, in the same order */
#define VIRTIO_MMIO_RESTRICTED_DMA_ADDR_LOW     0x0d0
#define VIRTIO_MMIO_RESTRICTED_DMA_ADDR_HIGH    0x0d4
#define VIRTIO_MMIO_RESTRICTED_DMA_SIZE_LOW     0x0d8
#define VIRTIO_MMIO_RESTRICTED_DMA_SIZE_HIGH    0x0dc

static inline bool virtio_dma_is_restricted(const VirtIODevice *vdev)
{
    return vdev->restricted_dma;
}

/**
 * virtio_restricted_dma_supported: can devices of this type be confined?
 * @vdev: the device; it need not be realized
 * @errp: set if its type has a way to memory that nobody confined
 *
 * For transports that want to know before the device contacts its back end.
 */
bool virtio_restricted_dma_supported(VirtIODevice *vdev, Error **errp);

/**
 * virtio_restricted_dma_choose: find the pool that a transport names, if any
 * @rd: owned by the transport
 * @id: of the pool; NULL if the transport names none
 * @negotiate: the device offers VIRTIO_F_RESTRICTED_DMA.  Else it is for
 *             drivers that learn of the pool from the platform alone.
 * @errp: set if there is no such pool, or nothing to keep quiet about
 *
 * Returns: true on success, also if the transport names no pool.
 */
bool virtio_restricted_dma_choose(RestrictedDMADevice *rd, const char *id,
                                  bool negotiate, Error **errp);

/**
 * virtio_restricted_dma_plug: confine a device that is being plugged
 * @vdev: the device
 * @rd: owned by the transport; its pool, if any, is where @vdev is confined to
 * @errp: set if this device, or its type, cannot be confined
 *
 * Context: BQL, from the transport's pre_plugged callback.
 *
 * Returns: true on success.
 */
bool virtio_restricted_dma_plug(VirtIODevice *vdev, RestrictedDMADevice *rd,
                                Error **errp);

/**
 * virtio_restricted_dma_plugged: offer the features and bind to the pool
 *
 * For a device that is not restricted this does nothing.
 * Context: BQL, as the last step of plugging: the device and the back end
 * chose their features, and nothing can fail any more.
 */
void virtio_restricted_dma_plugged(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_allow: the restrict_dma method of a device type whose
 * only accesses to guest memory are those of virtio.c
 *
 * Returns: true.
 */
bool virtio_restricted_dma_allow(VirtIODevice *vdev, Error **errp);

/* The no_restrict_dma of device types whose queues are processed elsewhere */
#define VIRTIO_NO_RESTRICT_DMA_VHOST \
    "its vhost back end is given all memory of the guest"

/**
 * virtio_restricted_dma_features_ok: may the device set FEATURES_OK?
 *
 * True for a device that is not restricted.  Otherwise the driver must have
 * accepted VIRTIO_F_RESTRICTED_DMA, unless the device does not offer it, with
 * the features that it depends on, and the addresses of the driver must not be
 * translated by an IOMMU.
 */
bool virtio_restricted_dma_features_ok(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_set_rings: check that the driver may enable a queue
 * @vdev: a restricted device
 * @n: the queue; its ring addresses are set but not mapped
 *
 * Breaks the device if the driver did not accept the feature before, or left
 * the descriptor table at address 0, which elsewhere means "no queue".
 */
void virtio_restricted_dma_set_rings(VirtIODevice *vdev, int n);

/**
 * virtio_restricted_dma_set_status: check a write of the status register
 * @vdev: a restricted device
 * @val: the value that the driver writes; NEEDS_RESET is added if it applies
 *
 * Returns: false if the device must not act on the write but record it.
 */
bool virtio_restricted_dma_set_status(VirtIODevice *vdev, uint8_t *val);

/* The pool of a restricted device, in the stream of virtio_save() */
extern const VMStateDescription vmstate_virtio_restricted_dma;

/* To be called before anything of the device is loaded */
void virtio_restricted_dma_pre_load(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_load: check pool and features that a stream brought
 *
 * Context: before the rings are mapped.
 *
 * Returns: 0, or -EINVAL after an error report.
 */
int virtio_restricted_dma_load(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_post_load: check the addresses that a stream brought
 *
 * Context: after the rings, and requests in flight, were mapped.
 *
 * Returns: 0, or -EINVAL; each address outside the pool was reported before.
 */
int virtio_restricted_dma_post_load(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_reg: read a 32-bit field of the common configuration
 * @addr: one of VIRTIO_PCI_COMMON_RESTRICTED_DMA_*
 *
 * Returns: the field, or 0 where the feature is not offered.
 */
uint32_t virtio_restricted_dma_reg(VirtIODevice *vdev, hwaddr addr);

/**
 * virtio_restricted_dma_set_enabled: let the device access memory, or not
 * @vdev: a restricted device
 * @enabled: whether its bus lets it; rings are mapped only while it does
 *
 * Context: BQL, and no IOThread processes the queues.
 */
void virtio_restricted_dma_set_enabled(VirtIODevice *vdev, bool enabled);

/**
 * virtio_dma_negotiated: did the driver accept the restriction?
 *
 * True for a device that is not restricted.
 */
static inline bool virtio_dma_negotiated(const VirtIODevice *vdev)
{
    return !virtio_dma_is_restricted(vdev) ||
           vdev->status & VIRTIO_CONFIG_S_FEATURES_OK;
}

/**
 * virtio_dma_enabled: may the device access memory at all?
 *
 * False for a restricted device until its driver accepted the restriction, and
 * while its bus does not let it.
 */
static inline bool virtio_dma_enabled(const VirtIODevice *vdev)
{
    return !virtio_dma_is_restricted(vdev) ||
           (virtio_dma_negotiated(vdev) && !vdev->disabled);
}

/**
 * virtio_restricted_dma_contains: could the device access a range?
 *
 * Like virtio_dma_check(), but it only asks: for those who look at the device
 * from outside, and must not break it.
 */
static inline bool virtio_restricted_dma_contains(const VirtIODevice *vdev,
                                                  hwaddr addr, uint64_t len)
{
    return likely(!virtio_dma_is_restricted(vdev)) ||
           restricted_dma_contains(vdev->restricted_dma, addr, len);
}

/* What virtio_dma_check() does about an address outside the pool */
void virtio_restricted_dma_refuse(VirtIODevice *vdev, hwaddr addr, uint64_t len,
                                  RestrictedDMAAccess what);

/**
 * virtio_dma_check: may the device access an address that its driver gave?
 * @vdev: the device
 * @addr: guest-physical address
 * @len: bytes, more than 0
 * @what: what the driver said is there
 *
 * Every address of the driver passes through here before it is used.  For an
 * address outside the pool the device is marked broken, with NEEDS_RESET, and
 * the violation is counted and reported.
 *
 * Context: any thread.
 *
 * Returns: true if the device may go on.
 */
static inline bool virtio_dma_check(VirtIODevice *vdev, hwaddr addr,
                                    uint64_t len, RestrictedDMAAccess what)
{
    if (likely(virtio_restricted_dma_contains(vdev, addr, len))) {
        return true;
    }
    virtio_restricted_dma_refuse(vdev, addr, len, what);
    return false;
}

#endif
