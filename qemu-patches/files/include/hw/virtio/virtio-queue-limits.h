/*
 * What the driver of a restricted device can make its host do
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_VIRTIO_QUEUE_LIMITS_H
#define HW_VIRTIO_QUEUE_LIMITS_H

typedef struct VirtIODevice VirtIODevice;
struct VirtQueueElement;
struct iovec;

/**
 * struct VirtQueueLimits - Time that a queue takes of its event loop.
 *
 * Embedded in the queue.  Only the thread that processes the queue uses it,
 * except that @waiting may be read by any thread.
 */
typedef struct VirtQueueLimits {
    /**
     * @vdev: The device; constant.
     */
    VirtIODevice *vdev;

    /**
     * @queue_index: Of the queue in @vdev; constant.
     */
    int queue_index;

    /**
     * @exempt: The back end, and not the driver, makes elements be popped.
     */
    bool exempt;

    /**
     * @block: Its requests go to the block layer.
     */
    bool block;

    /**
     * @control: Its requests may be what ends those of other queues.
     */
    bool control;

    /**
     * @slice_start: When the current slice of time began, in ns.
     */
    int64_t slice_start;

    /**
     * @slice_ends: A bottom half will begin a new slice.
     */
    bool slice_ends;

    /**
     * @loop_slices: Where the loop counts this slice, if @slice_ends; atomic.
     */
    unsigned int *loop_slices;

    /**
     * @waiting: Requests stay in the ring until they are kicked; atomic.
     */
    bool waiting;
} VirtQueueLimits;

/**
 * struct VirtIODeviceLimits - Memory that elements in flight take of the host.
 *
 * Embedded in the device; atomic.
 */
typedef struct VirtIODeviceLimits {
    /**
     * @elements_size: Bytes of all elements in flight.
     */
    size_t elements_size;

    /**
     * @elements_wait: A queue waits until an element ends.
     */
    bool elements_wait;

    /**
     * @block: A queue has requests that go to the block layer; constant.
     */
    bool block;

    /**
     * @transport: What bottom halves keep, with the device.
     */
    struct Object *transport;
} VirtIODeviceLimits;

/**
 * virtqueue_limits_reached: may nothing be popped from the queue for now?
 * @limits: of the queue of a restricted device
 *
 * If so, the queue looks empty, and is kicked when it may go on.
 *
 * Context: the thread that processes the queue.
 */
bool virtqueue_limits_reached(VirtQueueLimits *limits);

/**
 * virtqueue_limits_pause: has the queue been in use for too long?
 * @limits: of the queue of a restricted device
 *
 * If so, the queue looks empty, and is kicked when it may go on.  For devices
 * whose back end may need much time for a single request.
 *
 * Context: the thread that processes the queue.
 */
bool virtqueue_limits_pause(VirtQueueLimits *limits);

/**
 * virtqueue_limits_charge: an element of a restricted device was allocated
 * @vdev: the device
 * @size: bytes
 *
 * Context: any thread.
 */
void virtqueue_limits_charge(VirtIODevice *vdev, size_t size);

/**
 * virtqueue_limits_release: an element that was charged has ended
 * @vdev: the device
 * @size: bytes, as they were charged
 *
 * Context: any thread.
 */
void virtqueue_limits_release(VirtIODevice *vdev, size_t size);

/**
 * virtqueue_limits_charge_element: a request takes more than its element
 * @vdev: the device
 * @elem: one in flight
 * @size: bytes
 *
 * They are released with the element.  Nothing happens if the device is not
 * restricted.
 *
 * Context: any thread.
 */
void virtqueue_limits_charge_element(VirtIODevice *vdev,
                                     struct VirtQueueElement *elem,
                                     size_t size);

/**
 * virtqueue_limits_charge_loaded: a request came with a migration stream
 * @limits: of the queue
 * @elem: what it was loaded into, which is charged already
 *
 * Adds what a request from the ring would take besides its element.
 *
 * Context: BQL.
 */
void virtqueue_limits_charge_loaded(VirtQueueLimits *limits,
                                    struct VirtQueueElement *elem);

/**
 * virtqueue_limits_plugged: a device has been plugged
 * @vdev: the device
 *
 * Restricted ones share what elements in flight may take of the host.
 *
 * Context: BQL.
 */
void virtqueue_limits_plugged(VirtIODevice *vdev);

/**
 * virtqueue_limits_unplugged: a device has been unplugged
 * @vdev: the device
 *
 * Context: BQL.
 */
void virtqueue_limits_unplugged(VirtIODevice *vdev);

/**
 * virtqueue_limits_check_buffers: can this be an honest request?
 * @limits: of the queue of a restricted device
 * @iov: the request's buffers: first those that the device reads
 * @out_num: how many it reads
 * @in_num: how many it writes to
 * @takes: set to the bytes that it takes of the host besides its element
 *
 * Breaks the device if all that it reads, or all that it writes to, is larger
 * than the pool, or if there is something to read in an exempt queue.
 *
 * Returns: true if the device goes on.
 */
bool virtqueue_limits_check_buffers(VirtQueueLimits *limits,
                                    const struct iovec *iov,
                                    unsigned int out_num, unsigned int in_num,
                                    size_t *takes);

/**
 * virtqueue_limits_resume: kick all queues of a restricted device, soon
 *
 * What waited when the virtual machine stopped, here or at the source of a
 * migration, goes on.
 *
 * Context: any thread.
 */
void virtqueue_limits_resume(VirtIODevice *vdev);

#endif
