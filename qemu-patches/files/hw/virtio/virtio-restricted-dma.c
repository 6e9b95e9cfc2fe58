/*
 * VIRTIO_F_RESTRICTED_DMA: a virtio device confined to one pool of memory
 *
 * Three barriers stand between a hostile driver and memory outside the pool:
 *
 * 1. virtio_dma_check() checks every address from the driver before its first
 *    use, in all kinds of rings, tables and buffers.
 * 2. The device's address space has a window on the pool and nothing else, and
 *    bounces nothing, so that an access that was overlooked fails to map.
 * 3. Rings are mapped only after the driver has accepted the feature, and only
 *    while the window is open.  A driver that has accepted it cannot
 *    take that back without a reset, and one that has not cannot start the
 *    device.
 *
 * The device's bus opens and closes the window, as PCI does with bus mastering.
 * While it is closed, no ring is mapped, and so no request is taken and none is
 * returned.  One that was taken before keeps its buffers, through the pool's
 * own address space if they have to be mapped again.
 *
 * A quiet device does not offer the feature.  Its driver learns of the pool
 * from the platform, and accepts it with ACCESS_PLATFORM; the barriers are the
 * same.
 *
 * A driver that runs into a barrier breaks the device, as with virtio_error(),
 * and NEEDS_RESET stays in the status register until the reset.  Requests that
 * the device took before may still finish, in their own buffers; they are not
 * returned.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "hw/boards.h"
#include "hw/qdev-properties.h"
#include "hw/virtio/virtio.h"
#include "hw/virtio/virtio-bus.h"
#include "hw/virtio/virtio-restricted-dma.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qapi/qobject-input-visitor.h"
#include "qapi/visitor.h"
#include "qobject/qstring.h"

/* Features that the driver has to accept, all of them */
static uint64_t virtio_restricted_dma_features(const RestrictedDMADevice *rd)
{
    uint64_t features = 1ULL << VIRTIO_F_IOMMU_PLATFORM |
                        1ULL << VIRTIO_F_VERSION_1;

    return rd->quiet ? features : features | 1ULL << VIRTIO_F_RESTRICTED_DMA;
}

/* The one by which the driver accepts the restriction, for messages */
static const char *
virtio_restricted_dma_feature_name(const RestrictedDMADevice *rd)
{
    return rd->quiet ? "VIRTIO_F_ACCESS_PLATFORM" : "VIRTIO_F_RESTRICTED_DMA";
}

bool virtio_restricted_dma_allow(VirtIODevice *vdev, Error **errp)
{
    return true;
}

/* Why there is no restrict_dma method */
static const char *
virtio_restricted_dma_obstacle(const VirtioDeviceClass *vdc)
{
    if (vdc->no_restrict_dma) {
        return vdc->no_restrict_dma;
    }
    return vdc->get_vhost ? VIRTIO_NO_RESTRICT_DMA_VHOST :
                            "not all of its accesses are checked";
}

bool virtio_restricted_dma_supported(VirtIODevice *vdev, Error **errp)
{
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_GET_CLASS(vdev);

    if (!vdc->restrict_dma) {
        error_setg(errp, "%s cannot be confined to a restricted-dma-pool: %s; "
                   "use another device or remove restricted-dma-pool=",
                   object_get_typename(OBJECT(vdev)),
                   virtio_restricted_dma_obstacle(vdc));
        return false;
    }
    return true;
}

/* What the link to the pool may be set to: an empty id would mean no pool */
static void virtio_restricted_dma_check_link(const Object *obj,
                                             const char *name, Object *val,
                                             Error **errp)
{
    if (!val) {
        error_setg(errp, "%s= names no pool; give it the id of a "
                   "restricted-dma-pool object, or remove it", name);
        return;
    }
    qdev_prop_allow_set_link_before_realize(obj, name, val, errp);
}

static ObjectPropertyAccessor *qom_set_link;

/* Of a missing object, QOM says only that there is no such "device". */
static void virtio_restricted_dma_set_link(Object *obj, Visitor *v,
                                           const char *name, void *opaque,
                                           Error **errp)
{
    g_autofree char *id = NULL;
    g_autoptr(QString) string = NULL;
    Visitor *again;
    bool ambiguous;

    if (!visit_type_str(v, name, &id, errp)) {
        return;
    }
    if (*id && !object_resolve_path(id, &ambiguous) && !ambiguous) {
        error_set(errp, ERROR_CLASS_DEVICE_NOT_FOUND,
                  "there is no restricted-dma-pool '%s'; add -object "
                  "restricted-dma-pool,id=%s,size=SIZE to the command line",
                  id, id);
        return;
    }
    string = qstring_from_str(id);
    again = qobject_input_visitor_new(QOBJECT(string));
    qom_set_link(obj, again, name, opaque, errp);
    visit_free(again);
}

void virtio_restricted_dma_add_link(ObjectClass *oc, ptrdiff_t offset)
{
    ObjectProperty *link;

    link = object_class_property_add_link(oc, "restricted-dma-pool",
                                          TYPE_RESTRICTED_DMA_POOL, offset,
                                          virtio_restricted_dma_check_link,
                                          OBJ_PROP_LINK_STRONG);
    qom_set_link = link->set;
    link->set = virtio_restricted_dma_set_link;
    object_class_property_set_description(oc, "restricted-dma-pool",
        "id of a restricted-dma-pool object, the only memory that the device "
        "can access");
    object_class_property_set_description(oc, "restricted-dma-negotiate",
        "offer VIRTIO_F_RESTRICTED_DMA; turn it off for drivers that learn of "
        "the pool only from the device tree");
}

/*
 * Of a global that names no pool, QEMU only warns when it adds a device at run
 * time.  The device must not go on without a pool.
 */
static bool virtio_restricted_dma_check_global(DeviceState *transport,
                                               Error **errp)
{
    const GlobalProperty *global = qdev_find_global_prop(OBJECT(transport),
                                                         "restricted-dma-pool");

    if (global) {
        error_setg(errp, "there is no restricted-dma-pool '%s'; change "
                   "-global %s.restricted-dma-pool", global->value,
                   global->driver);
    }
    return !global;
}

bool virtio_restricted_dma_check_options(RestrictedDMADevice *rd,
                                         DeviceState *transport,
                                         bool negotiate, Error **errp)
{
    MachineClass *mc = MACHINE_GET_CLASS(qdev_get_machine());

    rd->quiet = !negotiate;
    if (!rd->pool && !virtio_restricted_dma_check_global(transport, errp)) {
        return false;
    }
    if (!rd->pool && !negotiate) {
        error_setg(errp, "restricted-dma-negotiate=off is for devices with a "
                   "pool; add restricted-dma-pool=");
        return false;
    }
    if (rd->pool && !negotiate && !mc->restricted_dma_fdt) {
        error_setg(errp, "restricted-dma-negotiate=off is for guests that "
                   "learn of the pool from a device tree, which machine type "
                   "'%s' does not give them; remove it", mc->name);
        return false;
    }
    return !rd->pool || restricted_dma_pool_check_mapped(rd->pool, errp);
}

RestrictedDMAPool *virtio_restricted_dma_pool(VirtIODevice *vdev)
{
    BusState *qbus = qdev_get_parent_bus(DEVICE(vdev));
    VirtioBusClass *k = VIRTIO_BUS_GET_CLASS(qbus);

    return k->get_restricted_dma ? k->get_restricted_dma(qbus->parent)->pool
                                 : NULL;
}

bool virtio_restricted_dma_plug(VirtIODevice *vdev, RestrictedDMADevice *rd,
                                Error **errp)
{
    VirtioDeviceClass *vdc = VIRTIO_DEVICE_GET_CLASS(vdev);

    vdev->restricted_dma = NULL;
    if (!rd->pool) {
        return true;
    }
    if (!virtio_restricted_dma_supported(vdev, errp) ||
        !vdc->restrict_dma(vdev, errp)) {
        return false;
    }
    vdev->restricted_dma = rd;
    rd->back_end = vdc->get_vhost && vdc->get_vhost(vdev);
    if (rd->back_end) {
        /* The back end is not told of a reset, and keeps the old rings. */
        virtio_clear_feature(&vdev->host_features, VIRTIO_F_RING_RESET);
    }
    return true;
}

void virtio_restricted_dma_plugged(VirtIODevice *vdev)
{
    RestrictedDMADevice *rd = vdev->restricted_dma;
    DeviceState *transport;
    bool is_part;

    if (!rd) {
        return;
    }
    transport = qdev_get_parent_bus(DEVICE(vdev))->parent;
    is_part = OBJECT(vdev)->parent == OBJECT(transport);
    vdev->host_features |= virtio_restricted_dma_features(rd);
    /* The user knows the transport only if the device is a part of it. */
    restricted_dma_pool_attach(rd, is_part ? transport : DEVICE(vdev));
    vdev->dma_as = restricted_dma_window_as(rd->window);
}

void virtio_restricted_dma_unplugged(VirtIODevice *vdev)
{
    RestrictedDMADevice *rd = vdev->restricted_dma;

    if (rd) {
        /* Requests may end only when the device is unrealized. */
        vdev->dma_as = virtio_restricted_dma_taken_as(vdev);
        restricted_dma_pool_detach(rd);
    }
}

static bool virtio_restricted_dma_accepted(VirtIODevice *vdev)
{
    uint64_t features = virtio_restricted_dma_features(vdev->restricted_dma);

    return (vdev->guest_features & features) == features;
}

bool virtio_restricted_dma_validate_features(VirtIODevice *vdev)
{
    if (!virtio_dma_is_restricted(vdev)) {
        return true;
    }
    if (virtio_bus_device_iommu_enabled(vdev)) {
        /* Realize refuses a device that is behind an IOMMU by then. */
        warn_report_once("%s: driver refused: an IOMMU translates the "
                         "addresses of a device with a restricted-dma-pool; "
                         "remove the IOMMU or the pool",
                         vdev->restricted_dma->qom_path);
        return false;
    }
    return virtio_restricted_dma_accepted(vdev);
}

/* The driver starts the device without having accepted the restriction. */
static void virtio_restricted_dma_no_consent(VirtIODevice *vdev)
{
    const RestrictedDMADevice *rd = vdev->restricted_dma;

    if (virtio_bus_device_iommu_enabled(vdev)) {
        virtio_error(vdev, "%s: driver started the device, but was refused "
                     "because of an IOMMU; remove the IOMMU or the pool",
                     rd->qom_path);
    } else {
        virtio_error(vdev, "%s: driver did not accept %s", vdev->name,
                     virtio_restricted_dma_feature_name(rd));
    }
}

VirtIOStatusVerdict virtio_restricted_dma_check_status(VirtIODevice *vdev,
                                                       uint8_t val)
{
    bool consent;

    if (!virtio_dma_is_restricted(vdev) || !val) {
        return VIRTIO_STATUS_ACT;
    }
    if (!vdev->broken && vdev->status & ~val & VIRTIO_CONFIG_S_FEATURES_OK) {
        virtio_error(vdev, "%s: driver cleared FEATURES_OK without a reset",
                     vdev->name);
    }
    if (!(val & VIRTIO_CONFIG_S_DRIVER_OK)) {
        return VIRTIO_STATUS_ACT;
    }
    consent = val & VIRTIO_CONFIG_S_FEATURES_OK &&
              virtio_restricted_dma_validate_features(vdev);
    if (!consent && !vdev->broken) {
        virtio_restricted_dma_no_consent(vdev);
    }
    if (!consent) {
        return VIRTIO_STATUS_RECORD_NO_CONSENT;
    }
    return vdev->broken ? VIRTIO_STATUS_RECORD : VIRTIO_STATUS_ACT;
}

void virtio_restricted_dma_lose_request(VirtIODevice *vdev)
{
    /* A driver that resets the device does not expect its requests to end. */
    if (!vdev->broken && virtio_dma_negotiated(vdev)) {
        virtio_error(vdev, "%s: a request ended while the device could not "
                     "access memory", vdev->name);
    }
}

void virtio_restricted_dma_check_queue(VirtIODevice *vdev, int n)
{
    if (!virtio_dma_is_restricted(vdev) || vdev->broken) {
        return;
    }
    if (!virtio_dma_negotiated(vdev)) {
        virtio_error(vdev, "%s: driver enabled queue %d before FEATURES_OK",
                     vdev->name, n);
        return;
    }
    if (!virtio_queue_get_desc_addr(vdev, n)) {
        virtio_dma_check(vdev, 0, virtio_queue_get_desc_size(vdev, n),
                         RESTRICTED_DMA_ACCESS_DESCRIPTOR_TABLE);
    }
}

void virtio_restricted_dma_refuse_move(VirtIODevice *vdev, int n, hwaddr desc,
                                       hwaddr avail, hwaddr used)
{
    if (!vdev->broken &&
        virtio_dma_check(vdev, desc, virtio_queue_get_desc_size(vdev, n),
                         RESTRICTED_DMA_ACCESS_DESCRIPTOR_TABLE) &&
        virtio_dma_check(vdev, used, virtio_queue_get_used_size(vdev, n),
                         RESTRICTED_DMA_ACCESS_USED_RING) &&
        virtio_dma_check(vdev, avail, virtio_queue_get_avail_size(vdev, n),
                         RESTRICTED_DMA_ACCESS_AVAILABLE_RING)) {
        virtio_error(vdev, "%s: driver moved queue %d without a reset",
                     vdev->name, n);
    }
}

/* Migration */

static bool restricted_dma_needed(void *opaque)
{
    return virtio_dma_is_restricted(opaque);
}

static int restricted_dma_pre_load(void *opaque)
{
    VirtIODevice *vdev = opaque;

    if (!virtio_dma_is_restricted(vdev)) {
        error_report("%s: has a restricted-dma-pool on the source; give it "
                     "restricted-dma-pool= on both sides or on neither",
                     vdev->name);
        return -EINVAL;
    }
    return 0;
}

static int restricted_dma_post_load(void *opaque, int version_id)
{
    VirtIODevice *vdev = opaque;

    vdev->restricted_dma->pool_loaded = true;
    return 0;
}

static const VMStateDescription vmstate_restricted_dma_device = {
    .name = "restricted-dma-device",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_STRUCT_POINTER(pool, RestrictedDMADevice,
                               vmstate_restricted_dma_pool, RestrictedDMAPool),
        VMSTATE_UINT8_EQUAL(quiet, RestrictedDMADevice,
                            "restricted-dma-negotiate of the device must be "
                            "the same on both sides"),
        VMSTATE_END_OF_LIST()
    },
};

/* The driver knows where the pool is, so both sides need the same one. */
const VMStateDescription vmstate_virtio_restricted_dma = {
    .name = "virtio/restricted_dma",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = restricted_dma_needed,
    .pre_load = restricted_dma_pre_load,
    .post_load = restricted_dma_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_STRUCT_POINTER(restricted_dma, VirtIODevice,
                               vmstate_restricted_dma_device,
                               RestrictedDMADevice),
        VMSTATE_END_OF_LIST()
    },
};

void virtio_restricted_dma_pre_load(VirtIODevice *vdev)
{
    RestrictedDMADevice *rd = vdev->restricted_dma;

    if (rd) {
        rd->pool_loaded = false;
        qatomic_set(&rd->address_refused, false);
    }
}

int virtio_restricted_dma_load(VirtIODevice *vdev)
{
    if (!virtio_dma_is_restricted(vdev)) {
        return 0;
    }
    if (!vdev->restricted_dma->pool_loaded) {
        error_report("%s: has no restricted-dma-pool on the source; give it "
                     "restricted-dma-pool= on both sides or on neither",
                     vdev->name);
        return -EINVAL;
    }
    if (vdev->status & VIRTIO_CONFIG_S_FEATURES_OK &&
        !virtio_restricted_dma_accepted(vdev)) {
        error_report("%s: its driver did not accept %s on the source",
                     vdev->name,
                     virtio_restricted_dma_feature_name(vdev->restricted_dma));
        return -EINVAL;
    }
    return 0;
}

int virtio_restricted_dma_post_load(VirtIODevice *vdev)
{
    RestrictedDMADevice *rd = vdev->restricted_dma;

    return rd && qatomic_read(&rd->address_refused) ? -EINVAL : 0;
}

/* Registers */

static bool virtio_restricted_dma_offered(const VirtIODevice *vdev)
{
    return virtio_dma_is_restricted(vdev) && !vdev->restricted_dma->quiet;
}

uint64_t virtio_restricted_dma_addr(const VirtIODevice *vdev)
{
    return virtio_restricted_dma_offered(vdev) ?
           restricted_dma_pool_base(vdev->restricted_dma->pool) : 0;
}

uint64_t virtio_restricted_dma_size(const VirtIODevice *vdev)
{
    return virtio_restricted_dma_offered(vdev) ?
           restricted_dma_pool_size(vdev->restricted_dma->pool) : 0;
}

/* Violations */

void virtio_restricted_dma_refuse(VirtIODevice *vdev, hwaddr addr, uint64_t len,
                                  RestrictedDMAAccess what)
{
    RestrictedDMADevice *rd = vdev->restricted_dma;

    if (vdev->broken) {
        return;
    }
    qatomic_set(&rd->address_refused, true);
    restricted_dma_violation(rd, addr, len, what);
    virtio_error(vdev, "%s: %s at 0x%" PRIx64 " with 0x%" PRIx64 " bytes is "
                 "outside restricted-dma-pool '%s'", vdev->name,
                 RestrictedDMAAccess_str(what), addr, len,
                 restricted_dma_pool_id(rd->pool));
}
