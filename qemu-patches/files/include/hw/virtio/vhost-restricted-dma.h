/*
 * Restricted DMA of devices whose queues a vhost back end processes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_VIRTIO_VHOST_RESTRICTED_DMA_H
#define HW_VIRTIO_VHOST_RESTRICTED_DMA_H

#include "hw/virtio/virtio.h"

/**
 * vhost_user_restrict_dma: restrict_dma method of vhost-user devices
 * @vdev: the device
 * @errp: set if the memory of its pool cannot be given to another process, or
 *        not without giving away more
 *
 * For device types that leave all processing of guest memory to the back end.
 *
 * Returns: true if the device can be confined.
 */
bool vhost_user_restrict_dma(VirtIODevice *vdev, Error **errp);

/**
 * vhost_restricted_dma_as: what the back end of a device can see
 * @vdev: the device, on its bus
 *
 * Returns: the address space of the device's pool, or NULL if the device is
 * not restricted.
 */
AddressSpace *vhost_restricted_dma_as(VirtIODevice *vdev);

/**
 * vhost_restricted_dma_features: what a back end is told of the features
 * @vdev: the device
 * @features: those that the driver accepted
 *
 * Returns: @features, without those that are between the driver of a restricted
 * device and QEMU.
 */
uint64_t vhost_restricted_dma_features(const VirtIODevice *vdev,
                                       uint64_t features);

/**
 * vhost_restricted_dma_may_start: may a back end process the queues?
 * @vdev: the device
 *
 * A restricted device's may not before the driver accepted the restriction,
 * while the bus does not let the device access memory, or once it is broken.
 *
 * Context: BQL.
 *
 * Returns: true if it may.
 */
bool vhost_restricted_dma_may_start(const VirtIODevice *vdev);

/**
 * vhost_restricted_dma_status: the status register, for a device's back end
 * @vdev: the device
 * @status: what the driver wrote
 *
 * Returns: @status, without DRIVER_OK if the back end of a restricted device
 * may not start.
 */
uint8_t vhost_restricted_dma_status(const VirtIODevice *vdev, uint8_t status);

/* Call these when a device is on its pool, and before it leaves it; BQL. */
void vhost_restricted_dma_plugged(VirtIODevice *vdev);
void vhost_restricted_dma_unplugged(VirtIODevice *vdev);

/**
 * vhost_restricted_dma_update: stop a back end, or let it go on
 * @vdev: a device, which was broken or whose bus opened or closed its window
 *
 * It happens in the main loop, because the caller may be part of a change of
 * the memory map, or called by the back end's own code.
 * Context: BQL.
 */
void vhost_restricted_dma_update(VirtIODevice *vdev);

/**
 * vhost_restricted_dma_queue_error: a back end found an error in a queue
 * @vdev: the device
 * @n: the queue
 *
 * Breaks a restricted device.  What the driver did is not known; it is counted
 * as a violation, because an address outside the pool looks like this.
 *
 * Context: BQL.
 *
 * Returns: true if the device is restricted, and the error was reported.
 */
bool vhost_restricted_dma_queue_error(VirtIODevice *vdev, int n);

/* Call this before a back end is started.  Context: BQL. */
void vhost_restricted_dma_starting(VirtIODevice *vdev);

/**
 * vhost_restricted_dma_lost: a back end went away, or could not be started
 * @vdev: the device, whose queues have their indices back
 *
 * A back end that ends because of what the driver placed in a queue finds it
 * there when it comes back.  If it goes away several times, each time soon
 * after its start or in the course of it, and finishes nothing in between, the
 * device breaks.  It also breaks if that happens more than 10 times at once, and
 * then more than once in 10 seconds.
 *
 * Context: BQL.
 */
void vhost_restricted_dma_lost(VirtIODevice *vdev);

/**
 * vhost_restricted_dma_refuse_reset: the driver resets a queue
 * @vdev: the device
 * @n: the queue
 *
 * A back end is not told of that, and would go on with the queue.  The device
 * does not offer VIRTIO_F_RING_RESET then, but a driver can try.  Breaks the
 * device if it is restricted and its back end runs.
 *
 * Returns: true if the queue must be left as it is.
 */
bool vhost_restricted_dma_refuse_reset(VirtIODevice *vdev, int n);

#endif
