/*
 * Restricted DMA of devices whose queues a vhost back end processes
 *
 * The back end is told of the pool, and of no other memory.  One in another
 * process is given the descriptor of the pool's memory and no other, so that
 * it has nothing else to access, whatever the driver does and even if it is
 * taken over.  Memory has the name that it has in the guest: no address of
 * QEMU is given away.
 *
 * What is left to QEMU are the queues.  virtio.c checks rings when the driver
 * enables their queue, as it does for all devices.  A back end runs only while
 * the device may access memory, and is stopped when the device breaks.  The
 * driver's consent is between the driver and QEMU: the back end knows nothing
 * of VIRTIO_F_RESTRICTED_DMA, nor of VIRTIO_F_ACCESS_PLATFORM, with which it
 * would wait for an IOMMU to translate addresses.
 *
 * The back end checks descriptors, by looking them up in the memory that it
 * has.  If one is not there, it may report an error, go away, or finish the
 * request with nothing done.  The first two break the device; the address is
 * known to nobody but the back end.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "block/aio.h"
#include "hw/mem/restricted-dma-pool.h"
#include "hw/virtio/vhost-restricted-dma.h"
#include "hw/virtio/virtio-restricted-dma.h"
#include "qemu/main-loop.h"

/*
 * A back end that goes away so soon after its start, in milliseconds, and so
 * often in a row, without having finished a request, is not started again ...
 */
#define VHOST_RESTRICTED_DMA_SOON_MS 1000
#define VHOST_RESTRICTED_DMA_LOSSES  3
/* ... nor is one that goes away more often than that, whatever it finished */
#define VHOST_RESTRICTED_DMA_LOSS_MS 10000
#define VHOST_RESTRICTED_DMA_BURST   10

static bool vhost_restricted_dma_has_back_end(const VirtIODevice *vdev)
{
    const RestrictedDMADevice *rd = vdev->restricted_dma;

    return virtio_dma_is_restricted(vdev) && rd->back_end && rd->dev;
}

bool vhost_user_restrict_dma(VirtIODevice *vdev, Error **errp)
{
    return restricted_dma_pool_check_shared(virtio_restricted_dma_pool(vdev),
                                            errp);
}

AddressSpace *vhost_restricted_dma_as(VirtIODevice *vdev)
{
    RestrictedDMAPool *pool = virtio_restricted_dma_pool(vdev);

    return pool ? restricted_dma_pool_as(pool) : NULL;
}

uint64_t vhost_restricted_dma_features(const VirtIODevice *vdev,
                                       uint64_t features)
{
    if (virtio_dma_is_restricted(vdev)) {
        features &= ~(1ULL << VIRTIO_F_RESTRICTED_DMA |
                      1ULL << VIRTIO_F_IOMMU_PLATFORM);
    }
    return features;
}

bool vhost_restricted_dma_may_start(const VirtIODevice *vdev)
{
    return !virtio_dma_is_restricted(vdev) ||
           (virtio_dma_enabled(vdev) && !vdev->broken);
}

uint8_t vhost_restricted_dma_status(const VirtIODevice *vdev, uint8_t status)
{
    if (vhost_restricted_dma_has_back_end(vdev) &&
        !vhost_restricted_dma_may_start(vdev)) {
        status &= ~VIRTIO_CONFIG_S_DRIVER_OK;
    }
    return status;
}

static void vhost_restricted_dma_update_bh(void *opaque)
{
    VirtIODevice *vdev = opaque;
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_GET_CLASS(vdev);

    vdc->set_status(vdev, vhost_restricted_dma_status(vdev, vdev->status));
}

void vhost_restricted_dma_plugged(VirtIODevice *vdev)
{
    RestrictedDMADevice *rd = vdev->restricted_dma;

    if (vhost_restricted_dma_has_back_end(vdev)) {
        rd->back_end_update = aio_bh_new(qemu_get_aio_context(),
                                         vhost_restricted_dma_update_bh, vdev);
    }
}

void vhost_restricted_dma_unplugged(VirtIODevice *vdev)
{
    RestrictedDMADevice *rd = vdev->restricted_dma;

    if (vhost_restricted_dma_has_back_end(vdev)) {
        qemu_bh_delete(rd->back_end_update);
        rd->back_end_update = NULL;
    }
}

/* Does the back end run and must not, or should run and does not? */
static bool vhost_restricted_dma_needs_update(const VirtIODevice *vdev)
{
    uint8_t status = vhost_restricted_dma_status(vdev, vdev->status);

    return vhost_restricted_dma_has_back_end(vdev) &&
           vdev->vhost_started != !!(status & VIRTIO_CONFIG_S_DRIVER_OK);
}

void vhost_restricted_dma_update(VirtIODevice *vdev)
{
    if (vhost_restricted_dma_needs_update(vdev)) {
        qemu_bh_schedule(vdev->restricted_dma->back_end_update);
    }
}

static void vhost_restricted_dma_break(VirtIODevice *vdev, const char *why)
{
    restricted_dma_violation(vdev->restricted_dma, 0, 0,
                             RESTRICTED_DMA_ACCESS_UNKNOWN);
    virtio_error(vdev, "%s: %s; its driver may have used memory outside "
                 "restricted-dma-pool '%s'", vdev->name, why,
                 restricted_dma_pool_id(vdev->restricted_dma->pool));
}

bool vhost_restricted_dma_queue_error(VirtIODevice *vdev, int n)
{
    if (!vhost_restricted_dma_has_back_end(vdev)) {
        return false;
    }
    if (!vdev->broken) {
        g_autofree char *why =
            g_strdup_printf("the back end found an error in queue %d", n);

        vhost_restricted_dma_break(vdev, why);
    }
    return true;
}

/*
 * A sum that changes when requests end: in split rings, the device's indices
 * are those of the used rings after a back end went away.  Packed rings have
 * no such index, so there it changes only if the back end was asked to stop.
 */
static unsigned vhost_restricted_dma_progress(VirtIODevice *vdev)
{
    unsigned progress = 0;

    for (int n = 0; n < virtio_get_num_queues(vdev); n++) {
        progress += virtio_queue_get_last_avail_idx(vdev, n);
    }
    return progress;
}

void vhost_restricted_dma_starting(VirtIODevice *vdev)
{
    RestrictedDMADevice *rd = vdev->restricted_dma;

    if (vhost_restricted_dma_has_back_end(vdev)) {
        rd->back_end_start = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
        rd->back_end_progress = vhost_restricted_dma_progress(vdev);
    }
}

/* Does it look as if the back end cannot bear what is in the queues? */
static bool vhost_restricted_dma_in_vain(VirtIODevice *vdev, int64_t now)
{
    RestrictedDMADevice *rd = vdev->restricted_dma;

    if (rd->back_end_reset != vdev->vq_generation_base ||
        now - rd->back_end_loss >= VHOST_RESTRICTED_DMA_LOSS_MS) {
        rd->back_end_losses = 0;
        rd->back_end_reset = vdev->vq_generation_base;
    }
    if (now - rd->back_end_start < VHOST_RESTRICTED_DMA_SOON_MS &&
        vhost_restricted_dma_progress(vdev) == rd->back_end_progress) {
        rd->back_end_losses++;
    } else {
        rd->back_end_losses = 0;
    }
    return rd->back_end_losses >= VHOST_RESTRICTED_DMA_LOSSES;
}

/*
 * A leaky bucket: it holds a burst of losses, and lets one go in each period.
 * A driver can write to the used index and reset the device, but not to this.
 */
static bool vhost_restricted_dma_too_often(RestrictedDMADevice *rd, int64_t now)
{
    rd->back_end_paid = MAX(rd->back_end_paid, now) +
                        VHOST_RESTRICTED_DMA_LOSS_MS;
    return rd->back_end_paid - now >
           VHOST_RESTRICTED_DMA_BURST * VHOST_RESTRICTED_DMA_LOSS_MS;
}

void vhost_restricted_dma_lost(VirtIODevice *vdev)
{
    RestrictedDMADevice *rd = vdev->restricted_dma;
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
    bool in_vain, too_often;

    if (!vhost_restricted_dma_has_back_end(vdev) || vdev->broken) {
        return;
    }
    in_vain = vhost_restricted_dma_in_vain(vdev, now);
    too_often = vhost_restricted_dma_too_often(rd, now);
    rd->back_end_loss = now;
    if (in_vain) {
        vhost_restricted_dma_break(vdev, "the back end went away again and "
                                   "again and finished no request");
    } else if (too_often) {
        vhost_restricted_dma_break(vdev, "the back end goes away too often");
    }
}

bool vhost_restricted_dma_refuse_reset(VirtIODevice *vdev, int n)
{
    if (!vhost_restricted_dma_has_back_end(vdev) || !vdev->vhost_started) {
        return false;
    }
    virtio_error(vdev, "%s: driver reset queue %d, which its back end cannot",
                 vdev->name, n);
    return true;
}
