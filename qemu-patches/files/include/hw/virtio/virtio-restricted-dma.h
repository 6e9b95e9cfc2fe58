/*
 * VIRTIO_F_RESTRICTED_DMA: a virtio device confined to one pool of memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_VIRTIO_RESTRICTED_DMA_H
#define HW_VIRTIO_RESTRICTED_DMA_H

#include "hw/mem/restricted-dma-window.h"
#include "hw/virtio/virtio.h"
#include "qapi/qapi-types-restricted-dma.h"

/*
 * The numbers below are provisional until the virtio specification assigns
 * them.  They move to standard-headers once Linux has them.
 */

/* The device can access one pool of guest memory and nothing else. */
#define VIRTIO_F_RESTRICTED_DMA 45

/* Halves of the two fields after admin_queue_num in virtio_pci_common_cfg */
#define VIRTIO_PCI_COMMON_RESTRICTED_DMA_ADDRLO 0x40
#define VIRTIO_PCI_COMMON_RESTRICTED_DMA_ADDRHI 0x44
#define VIRTIO_PCI_COMMON_RESTRICTED_DMA_SIZELO 0x48
#define VIRTIO_PCI_COMMON_RESTRICTED_DMA_SIZEHI 0x4c

/* The same in virtio-mmio: a register for each half */
#define VIRTIO_MMIO_RESTRICTED_DMA_ADDR_LOW     0x0d0
#define VIRTIO_MMIO_RESTRICTED_DMA_ADDR_HIGH    0x0d4
#define VIRTIO_MMIO_RESTRICTED_DMA_SIZE_LOW     0x0d8
#define VIRTIO_MMIO_RESTRICTED_DMA_SIZE_HIGH    0x0dc

static inline bool virtio_dma_is_restricted(const VirtIODevice *vdev)
{
    return vdev->restricted_dma != NULL;
}

/**
 * virtio_restricted_dma_supported: can devices of this type be confined?
 * @vdev: the device; it need not be realized
 * @errp: set if its type may access memory without virtio_dma_check()
 *
 * Lets a transport refuse the device before it contacts its back end.
 */
bool virtio_restricted_dma_supported(VirtIODevice *vdev, Error **errp);

/**
 * virtio_restricted_dma_add_link: add the property restricted-dma-pool
 * @oc: class of a transport, with the property restricted-dma-negotiate
 * @offset: of RestrictedDMADevice.pool in an instance
 */
void virtio_restricted_dma_add_link(ObjectClass *oc, ptrdiff_t offset);

/**
 * virtio_restricted_dma_check_options: check the properties of a transport
 * @rd: owned by @transport, with the pool that its property names, if any
 * @transport: the transport, being realized
 * @negotiate: the device is to offer VIRTIO_F_RESTRICTED_DMA; if not, only the
 *             platform tells its driver of the pool
 * @errp: set if the pool cannot be used, if a global names none, or if
 *        @negotiate is false where that is of no use
 *
 * Returns: true on success, also if the transport names no pool.
 */
bool virtio_restricted_dma_check_options(RestrictedDMADevice *rd,
                                         DeviceState *transport,
                                         bool negotiate, Error **errp);

/**
 * virtio_restricted_dma_pool: the pool that a device will be confined to
 * @vdev: the device, on its bus
 *
 * For realize methods, which come before virtio_restricted_dma_plug(): they
 * must not give a back end memory outside the pool.
 *
 * Returns: the pool, or NULL if the device will not be confined.
 */
RestrictedDMAPool *virtio_restricted_dma_pool(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_plug: confine a device that is being plugged
 * @vdev: the device
 * @rd: owned by the transport; @vdev is confined to its pool, if any
 * @errp: set if this device, or its type, cannot be confined
 *
 * Context: BQL, from the transport's pre_plugged callback.
 *
 * Returns: true on success.
 */
bool virtio_restricted_dma_plug(VirtIODevice *vdev, RestrictedDMADevice *rd,
                                Error **errp);

/**
 * virtio_restricted_dma_plugged: offer the features and attach to the pool
 *
 * Does nothing for a device that is not restricted.
 * Context: BQL, as the last step of plugging: the device and its back end have
 * chosen their features, and nothing can fail any more.
 */
void virtio_restricted_dma_plugged(VirtIODevice *vdev);

/* Undoes virtio_restricted_dma_plugged().  Context: BQL. */
void virtio_restricted_dma_unplugged(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_allow: restrict_dma method without conditions
 *
 * For device types that access guest memory only through virtio.c.
 *
 * Returns: true.
 */
bool virtio_restricted_dma_allow(VirtIODevice *vdev, Error **errp);

/*
 * Why device types whose queues are processed elsewhere cannot be confined.
 * It goes without saying for those with a get_vhost method; others set
 * no_restrict_dma to it.
 */
#define VIRTIO_NO_RESTRICT_DMA_VHOST \
    "its vhost back end is given all memory of the guest"

/**
 * virtio_restricted_dma_validate_features: may the device set FEATURES_OK?
 *
 * It may if it is not restricted.  Otherwise the driver must have accepted
 * VIRTIO_F_RESTRICTED_DMA, unless the device does not offer it, with the
 * features that it depends on, and no IOMMU may translate the driver's
 * addresses; the first driver refused because of an IOMMU is reported.
 *
 * Returns: true if it may.
 */
bool virtio_restricted_dma_validate_features(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_lose_request: there is no way to return a request
 * @vdev: a restricted device
 *
 * The driver took away the device's access to memory, and would wait for the
 * request for ever.  Breaks the device, unless it is broken or being reset.
 *
 * Context: any thread.
 */
void virtio_restricted_dma_lose_request(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_check_queue: check that the driver may enable a queue
 * @vdev: the device
 * @n: the queue; its ring addresses are set but not mapped
 *
 * Breaks a restricted device if its driver has not accepted the feature before,
 * or left the descriptor table at address 0, which elsewhere means "no queue".
 */
void virtio_restricted_dma_check_queue(VirtIODevice *vdev, int n);

/**
 * virtio_restricted_dma_refuse_move: the driver enabled a queue with new rings
 * @vdev: a restricted device
 * @n: the queue, which has other rings
 * @desc: where the driver wants the descriptor table
 * @avail: where it wants the available ring
 * @used: where it wants the used ring
 *
 * Requests end in the rings that they came from, so the driver has to reset a
 * queue before it moves them.  Breaks the device, because it did not, or
 * because the new rings are outside the pool.
 */
void virtio_restricted_dma_refuse_move(VirtIODevice *vdev, int n, hwaddr desc,
                                       hwaddr avail, hwaddr used);

/* What becomes of a value that the driver writes to the status register */
typedef enum VirtIOStatusVerdict {
    /* The device does what the value says. */
    VIRTIO_STATUS_ACT,
    /* The device is broken and does not start; only the value is stored. */
    VIRTIO_STATUS_RECORD,
    /* The same, but without FEATURES_OK, which would look like consent. */
    VIRTIO_STATUS_RECORD_NO_CONSENT,
} VirtIOStatusVerdict;

/**
 * virtio_restricted_dma_check_status: check a write of the status register
 * @vdev: the device
 * @val: the value that the driver writes
 *
 * Breaks a restricted device if its driver takes back FEATURES_OK, or sets
 * DRIVER_OK without having accepted the restriction.
 *
 * Returns: the verdict on @val.  The caller sets NEEDS_RESET and, with
 * VIRTIO_STATUS_ACT, validates a new FEATURES_OK.
 */
VirtIOStatusVerdict virtio_restricted_dma_check_status(VirtIODevice *vdev,
                                                       uint8_t val);

/* The pool of a restricted device, as a subsection of virtio_save() */
extern const VMStateDescription vmstate_virtio_restricted_dma;

/* Call this before anything of the device is loaded. */
void virtio_restricted_dma_pre_load(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_load: check the pool and features in a stream
 *
 * Context: before the rings are mapped.
 *
 * Returns: 0, or -EINVAL after reporting an error.
 */
int virtio_restricted_dma_load(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_post_load: fail if a stream had a bad address
 *
 * Context: after the rings, and the requests that virtio_load() brought, were
 * mapped.  What later sections bring (virtio-scsi requests, virtio-gpu backing
 * store) is theirs to check.
 *
 * Returns: 0, or -EINVAL if an address was outside the pool, which has been
 * reported.
 */
int virtio_restricted_dma_post_load(VirtIODevice *vdev);

/**
 * virtio_restricted_dma_addr: what the driver is told of the pool's place
 *
 * Returns: the guest-physical address of the pool, or 0 if the device does not
 * offer the feature.
 */
uint64_t virtio_restricted_dma_addr(const VirtIODevice *vdev);

/**
 * virtio_restricted_dma_size: what the driver is told of the pool's size
 *
 * Returns: bytes, or 0 if the device does not offer the feature.
 */
uint64_t virtio_restricted_dma_size(const VirtIODevice *vdev);

/**
 * virtio_dma_negotiated: has the driver accepted the restriction?
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
 * A restricted device may not until its driver has accepted the restriction,
 * nor while its bus does not let it.
 */
static inline bool virtio_dma_enabled(const VirtIODevice *vdev)
{
    return !virtio_dma_is_restricted(vdev) ||
           (virtio_dma_negotiated(vdev) &&
            restricted_dma_window_is_open(vdev->restricted_dma->window));
}

/**
 * virtio_restricted_dma_taken_as: where requests that the device took are
 *
 * The bus may close the window of a restricted device between the moment when
 * it takes a request and the moment when it maps a buffer once more, or gets
 * the request back from a migration stream.  The buffer is still in the pool.
 */
static inline AddressSpace *
virtio_restricted_dma_taken_as(const VirtIODevice *vdev)
{
    return virtio_dma_is_restricted(vdev) ?
           restricted_dma_pool_as(vdev->restricted_dma->pool) : vdev->dma_as;
}

/**
 * virtio_restricted_dma_contains: could the device access a range?
 *
 * Unlike virtio_dma_check(), this only answers: for code that looks at the
 * device from outside, such as a monitor command, and must not break it.
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
 * virtio_dma_check: may the device access an address from its driver?
 * @vdev: the device
 * @addr: guest-physical address
 * @len: bytes, more than 0
 * @what: what the driver placed there
 *
 * Every address from the driver passes through here before it is used.  One
 * outside the pool breaks the device, with NEEDS_RESET, and the violation is
 * counted and reported.
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
