/*
 * What the driver of a restricted device can make its host do
 *
 * Device types pop elements until the queue is empty.  A driver can refill it
 * meanwhile, from another processor or by letting the device write to the
 * ring, and keep the event loop busy for ever.  And a few kilobytes of
 * descriptors that all name the same memory can claim any number of bytes.
 *
 * Time: a slice begins when the event loop comes round.  Once SLICE_NS have
 * passed, a bottom half is scheduled; where it runs, the loop has come round.
 * If SLICE_NS pass again before it does, the queue looks empty until then,
 * and is kicked by the main loop.  So a queue keeps its loop busy for two
 * slices and one request at most.  Slices become shorter as more queues of the
 * loop have one, so that N queues keep it busy for about
 * 2 * FULL_SLICES * SLICE_NS * (1 + ln(N / FULL_SLICES)) and N requests.  This
 * costs a look at the clock for each element, and a bottom half for each slice
 * in which the queue was used.
 *
 * An exempt queue has no slices: its elements are popped to hold what a back
 * end delivers, which would be lost without them.  They have room for it and
 * nothing else, so that what is delivered limits how many there are.
 *
 * Memory: elements in flight are counted, in bytes, for the whole device.
 * Beyond ELEMENTS_MAX, its queues look empty until a quarter of that has ended.
 * With many devices it is less: each has an equal part of ALL_ELEMENTS_MAX.
 * What a device type allocates in addition, it adds to an element, or bounds by
 * itself.
 *
 * A request to the block layer counts as BLOCK_REQUEST_SIZE more, for the stack
 * of its coroutine and a cluster, and as half of its data, of which block
 * drivers may need a copy: at worst, that is twice the limit.  Some drivers
 * make more coroutines for a request, and stacks are scarcer than their memory:
 * if few are left, a device takes one request at a time.
 *
 * A control queue does not wait for memory, because its requests may end those
 * of other queues.  Only its elements take any, so its size limits it.
 *
 * Devices without a pool have no limits.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/coroutine-core.h"
#include "qemu/coroutine-tls.h"
#include "qemu/iov.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "hw/virtio/virtio.h"
#include "hw/virtio/virtio-restricted-dma.h"
#include "system/replay.h"

#define SLICE_NS            (4 * SCALE_MS)
#define FULL_SLICES         2
#define ELEMENTS_MAX        (32 * MiB)
#define ALL_ELEMENTS_MAX    (256 * MiB)
#define BLOCK_REQUEST_SIZE  (48 * KiB)

/* Queues whose slice has not ended: of the main loop, and of this IOThread */
static unsigned int main_loop_slices;
QEMU_DEFINE_STATIC_CO_TLS(unsigned int, iothread_slices)

/* Devices that share ALL_ELEMENTS_MAX, protected by the BQL; and their part */
static unsigned int limited_devices;
static size_t elements_max = ELEMENTS_MAX;      /* atomic */

static unsigned int *virtqueue_loop_slices(void)
{
    return bql_locked() ? &main_loop_slices : get_ptr_iothread_slices();
}

static int64_t virtqueue_slice_length(void)
{
    return SLICE_NS /
           (1 + qatomic_read(virtqueue_loop_slices()) / FULL_SLICES);
}

static bool virtqueue_elements_exceed(VirtIODevice *vdev, size_t max)
{
    size_t size = qatomic_read(&vdev->limits.elements_size);

    /* With nothing in flight, nothing would end that the device waits for. */
    return size > max ||
           (size && vdev->limits.block && qemu_coroutines_are_scarce());
}

static bool virtqueue_elements_too_large(VirtIODevice *vdev)
{
    return virtqueue_elements_exceed(vdev, qatomic_read(&elements_max));
}

/* Mark the queue as waiting first, so that the kick cannot be missed. */
static bool virtqueue_must_await_element(VirtIODevice *vdev)
{
    if (likely(!virtqueue_elements_too_large(vdev))) {
        return false;
    }
    /* Paired with the barrier in virtqueue_limits_release() */
    qatomic_set_mb(&vdev->limits.elements_wait, true);
    return virtqueue_elements_too_large(vdev);
}

/*
 * A bottom half may outlive the device's realization.  The device is a part of
 * its transport with virtio-pci, and on its own with virtio-mmio.
 */
static void virtqueue_limits_ref(VirtIODevice *vdev)
{
    vdev->limits.transport = OBJECT(qdev_get_parent_bus(DEVICE(vdev))->parent);
    object_ref(vdev->limits.transport);
    object_ref(OBJECT(vdev));
}

/* Context: BQL, because this may free the device. */
static void virtqueue_limits_unref(VirtIODevice *vdev)
{
    Object *transport = vdev->limits.transport;

    object_unref(OBJECT(vdev));
    object_unref(transport);
}

/* Context: BQL. */
static void virtqueue_slice_done_bh(void *opaque)
{
    VirtQueueLimits *limits = opaque;
    VirtIODevice *vdev = limits->vdev;

    if (qatomic_read(&limits->waiting) &&
        (limits->control || !virtqueue_must_await_element(vdev))) {
        virtio_queue_kick(vdev, limits->queue_index);
    }
    virtqueue_limits_unref(vdev);
}

/* The event loop has come round: begin a slice. */
static void virtqueue_slice_bh(void *opaque)
{
    VirtQueueLimits *limits = opaque;

    qatomic_dec(limits->loop_slices);
    limits->slice_ends = false;
    limits->slice_start = get_clock();
    if (bql_locked()) {
        virtqueue_slice_done_bh(limits);
    } else {
        aio_bh_schedule_oneshot(qemu_get_aio_context(),
                                virtqueue_slice_done_bh, limits);
    }
}

/* Has the queue been in use for too long?  If not, begin a slice if it's due */
static bool virtqueue_slice_is_over(VirtQueueLimits *limits)
{
    int64_t now = get_clock();

    /* A recording has no room for what the host's clock decides. */
    if (now - limits->slice_start < virtqueue_slice_length() ||
        replay_mode != REPLAY_MODE_NONE) {
        return false;
    }
    if (limits->slice_ends) {
        return true;
    }
    limits->slice_start = now;
    limits->slice_ends = true;
    limits->loop_slices = virtqueue_loop_slices();
    qatomic_inc(limits->loop_slices);
    virtqueue_limits_ref(limits->vdev);
    aio_bh_schedule_oneshot(qemu_get_current_aio_context(),
                            virtqueue_slice_bh, limits);
    return false;
}

bool virtqueue_limits_pause(VirtQueueLimits *limits)
{
    if (limits->exempt || !virtqueue_slice_is_over(limits)) {
        return false;
    }
    qatomic_set(&limits->waiting, true);
    return true;
}

bool virtqueue_limits_reached(VirtQueueLimits *limits)
{
    if (qatomic_read(&limits->waiting) || virtqueue_limits_pause(limits)) {
        return true;
    }
    if (limits->control ||
        likely(!virtqueue_elements_too_large(limits->vdev))) {
        return false;
    }
    qatomic_set(&limits->waiting, true);
    if (virtqueue_must_await_element(limits->vdev)) {
        return true;
    }
    qatomic_set(&limits->waiting, false);
    return false;
}

static void virtqueue_limits_share(void)
{
    qatomic_set(&elements_max, MIN(ELEMENTS_MAX, ALL_ELEMENTS_MAX /
                                                 MAX(limited_devices, 1)));
}

void virtqueue_limits_plugged(VirtIODevice *vdev)
{
    if (virtio_dma_is_restricted(vdev)) {
        limited_devices++;
        virtqueue_limits_share();
    }
}

void virtqueue_limits_unplugged(VirtIODevice *vdev)
{
    if (virtio_dma_is_restricted(vdev)) {
        limited_devices--;
        virtqueue_limits_share();
    }
}

void virtqueue_limits_charge(VirtIODevice *vdev, size_t size)
{
    qatomic_add(&vdev->limits.elements_size, size);
}

void virtqueue_limits_charge_element(VirtIODevice *vdev, VirtQueueElement *elem,
                                     size_t size)
{
    uint32_t before = qatomic_read(&elem->size);

    if (before && size && virtio_element_is_counted(vdev, elem)) {
        size = MIN(size, UINT32_MAX - before);
        qatomic_add(&elem->size, size);
        virtqueue_limits_charge(vdev, size);
    }
}

static size_t virtqueue_block_request_size(const VirtQueueLimits *limits,
                                           size_t data)
{
    return limits->block ? BLOCK_REQUEST_SIZE + data / 2 : 0;
}

void virtqueue_limits_charge_loaded(VirtQueueLimits *limits,
                                    VirtQueueElement *elem)
{
    size_t data = iov_size(elem->out_sg, elem->out_num) +
                  iov_size(elem->in_sg, elem->in_num);

    virtqueue_limits_charge_element(limits->vdev, elem,
                                    virtqueue_block_request_size(limits,
                                                                 data));
}

static void virtqueue_kick_all_bh(void *opaque)
{
    VirtIODevice *vdev = opaque;

    for (int n = 0; n < virtio_get_num_queues(vdev); n++) {
        virtio_queue_kick(vdev, n);
    }
    virtqueue_limits_unref(vdev);
}

void virtqueue_limits_resume(VirtIODevice *vdev)
{
    virtqueue_limits_ref(vdev);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), virtqueue_kick_all_bh,
                            vdev);
}

void virtqueue_limits_release(VirtIODevice *vdev, size_t size)
{
    qatomic_sub(&vdev->limits.elements_size, size);
    /* Paired with the barrier in virtqueue_must_await_element() */
    smp_mb__after_rmw();
    if (unlikely(qatomic_read(&vdev->limits.elements_wait)) &&
        !virtqueue_elements_exceed(vdev, qatomic_read(&elements_max) / 4 * 3) &&
        qatomic_xchg(&vdev->limits.elements_wait, false)) {
        virtqueue_limits_resume(vdev);
    }
}

bool virtqueue_limits_check_buffers(VirtQueueLimits *limits,
                                    const struct iovec *iov,
                                    unsigned int out_num, unsigned int in_num,
                                    size_t *takes)
{
    VirtIODevice *vdev = limits->vdev;
    uint64_t out, in;

    if (limits->exempt && out_num) {
        virtio_error(vdev, "%s: queue %d takes only buffers to write to",
                     vdev->name, limits->queue_index);
        return false;
    }
    out = iov_size(iov, out_num);
    in = iov_size(iov + out_num, in_num);
    if (MAX(out, in) > vdev->restricted_dma->size) {
        virtio_error(vdev, "%s: the buffers of a request are larger than its "
                     "pool", vdev->name);
        return false;
    }
    *takes = virtqueue_block_request_size(limits, out + in);
    return true;
}
