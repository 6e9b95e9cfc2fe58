/*
 * Pools of guest memory that confine the DMA of the devices attached to them
 *
 * A pool is a RAM block of its own, so that a device back end in another
 * process can be given this memory and no other.  The board maps it at a
 * fixed place that the guest is told not to use as ordinary memory, and each
 * attached device has an address space with nothing in it but a window on its
 * pool.  Attached devices access guest memory only through that address space,
 * and check every address from their driver with restricted_dma_contains()
 * first.
 *
 * This file has the object and its devices, and restricted-dma-window.c their
 * windows.  restricted-dma-placement.c decides where pools go and maps them;
 * restricted-dma-qmp-cmds.c and restricted-dma-hmp-cmds.c show them.
 *
 * Lifetime: the object is created before the machine, mapped by the board,
 * and then stays.  Once it is mapped, only the list of devices (BQL) and the
 * counters (atomic) change, so everything else is read without a lock.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "hw/boards.h"
#include "hw/mem/restricted-dma-window.h"
#include "hw/qdev-core.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qapi/qapi-events-restricted-dma.h"
#include "qapi/visitor.h"
#include "qom/object_interfaces.h"
#include "restricted-dma-internal.h"
#include "system/system.h"
#include "trace.h"

const char *restricted_dma_pool_id(const RestrictedDMAPool *pool)
{
    return pool->id;
}

hwaddr restricted_dma_pool_base(const RestrictedDMAPool *pool)
{
    return pool->base;
}

uint64_t restricted_dma_pool_size(const RestrictedDMAPool *pool)
{
    return pool->size;
}

bool restricted_dma_pool_is_default(const RestrictedDMAPool *pool)
{
    return pool->dma_default;
}

AddressSpace *restricted_dma_pool_as(RestrictedDMAPool *pool)
{
    return &pool->as;
}

void *restricted_dma_pool_host(RestrictedDMAPool *pool)
{
    return pool->memory.ptr;
}

static int restricted_dma_pool_add_to_list(Object *obj, void *opaque)
{
    GSList **list = opaque;

    if (object_dynamic_cast(obj, TYPE_RESTRICTED_DMA_POOL)) {
        *list = g_slist_prepend(*list, obj);
    }
    return 0;
}

static gint restricted_dma_pool_compare(gconstpointer a, gconstpointer b)
{
    return strcmp(restricted_dma_pool_id(a), restricted_dma_pool_id(b));
}

GSList *restricted_dma_pools_list(void)
{
    GSList *list = NULL;

    object_child_foreach(object_get_objects_root(),
                         restricted_dma_pool_add_to_list, &list);
    return g_slist_sort(list, restricted_dma_pool_compare);
}

static bool pool_check_place(const RestrictedDMAPool *pool, bool has_place,
                             Error **errp)
{
    if (!has_place) {
        error_setg(errp, "machine type '%s' has no place for "
                   "restricted-dma-pool '%s'; remove the object or use a "
                   "machine such as q35",
                   MACHINE_GET_CLASS(current_machine)->name, pool->id);
    }
    return has_place;
}

bool restricted_dma_pool_check_mapped(const RestrictedDMAPool *pool,
                                      Error **errp)
{
    return pool_check_place(pool, pool->mapped, errp);
}

/* A board may have no use for its place: under Xen, it maps no memory itself */
static void pool_machine_done(Notifier *notifier, void *opaque)
{
    RestrictedDMAPool *pool = container_of(notifier, RestrictedDMAPool,
                                           machine_done);

    restricted_dma_pool_check_mapped(pool, &error_fatal);
}

/* A back end maps all of the file that it is given a descriptor of. */
static bool pool_is_whole_file(const RestrictedDMAPool *pool, int fd)
{
    struct stat st;

    return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size == pool->size;
}

bool restricted_dma_pool_check_shared(const RestrictedDMAPool *pool,
                                      Error **errp)
{
    MemoryRegion *mr = pool->window.alias;
    int fd = memory_region_get_fd(mr);

    if (fd < 0 || !qemu_ram_is_shared(mr->ram_block)) {
        error_setg(errp, "memory of restricted-dma-pool '%s' cannot be shared "
                   "with a vhost-user back end; use a memory-backend-memfd "
                   "with share=on, or remove memdev=", pool->id);
        return false;
    }
    if (!pool_is_whole_file(pool, fd)) {
        error_setg(errp, "memory of restricted-dma-pool '%s' is part of a "
                   "larger file, which a vhost-user back end could read; use "
                   "a file of the pool's size, or remove memdev=", pool->id);
        return false;
    }
    return true;
}

/* Devices */

void restricted_dma_pool_attach(RestrictedDMADevice *rd, DeviceState *dev)
{
    assert(rd->pool->mapped && !rd->dev);
    rd->dev = dev;
    rd->base = rd->pool->base;
    rd->size = rd->pool->size;
    rd->host = restricted_dma_pool_host(rd->pool);
    rd->qom_path = object_get_canonical_path(OBJECT(dev));
    rd->window = restricted_dma_window_new(rd->pool, rd->reach, rd->qom_path);
    stat64_init(&rd->violations, 0);
    restricted_dma_log_init(&rd->log, rd->qom_path);
    QLIST_INSERT_HEAD(&rd->pool->devices, rd, next);
    trace_restricted_dma_pool_attach(rd->pool->id, rd->qom_path);
}

void restricted_dma_pool_detach(RestrictedDMADevice *rd)
{
    if (!rd->dev) {
        return;
    }
    trace_restricted_dma_pool_detach(rd->pool->id, rd->qom_path);
    QLIST_REMOVE(rd, next);
    restricted_dma_window_destroy(rd->window);
    rd->window = NULL;
    restricted_dma_log_cleanup(&rd->log);
    g_free(rd->qom_path);
    rd->qom_path = NULL;
    rd->dev = NULL;
}

void restricted_dma_pool_foreach_device(RestrictedDMAPool *pool,
                                        void (*func)(DeviceState *dev,
                                                     void *opaque),
                                        void *opaque)
{
    RestrictedDMADevice *rd;

    QLIST_FOREACH(rd, &pool->devices, next) {
        func(rd->dev, opaque);
    }
}

void restricted_dma_written(RestrictedDMADevice *rd, void *buffer,
                            uint64_t len)
{
    address_space_cache_invalidate(&rd->pool->memory,
                                   (uint8_t *)buffer - rd->host, len);
}

void restricted_dma_violation(RestrictedDMADevice *rd, hwaddr addr,
                              uint64_t len, RestrictedDMAAccess what)
{
    const char *id = rd->pool->id;
    bool known = what != RESTRICTED_DMA_ACCESS_UNKNOWN;

    stat64_add(&rd->violations, 1);
    stat64_add(&rd->pool->violations, 1);
    trace_restricted_dma_violation(id, rd->qom_path, addr, len,
                                   RestrictedDMAAccess_str(what));
    qapi_event_send_restricted_dma_violation(rd->dev->id, rd->qom_path, id,
                                             known, addr, known, len, what);
}

/* Migration */

/*
 * The guest knows base and size, and gives its devices addresses in between:
 * a machine whose pool is elsewhere must not go on with this state.
 */
const VMStateDescription vmstate_restricted_dma_pool = {
    .name = "restricted-dma-pool",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64_EQUAL(base, RestrictedDMAPool,
                             "the restricted-dma-pool must have the same "
                             "address on both sides; set its addr="),
        VMSTATE_UINT64_EQUAL(size, RestrictedDMAPool,
                             "the restricted-dma-pool must have the same "
                             "size on both sides"),
        VMSTATE_UINT8_EQUAL(dma_default, RestrictedDMAPool,
                            "dma-default of the restricted-dma-pool must be "
                            "the same on both sides"),
        VMSTATE_END_OF_LIST()
    },
};

static char *pool_vmstate_id(VMStateIf *obj)
{
    return g_strdup_printf("restricted-dma-pool/%s",
                           RESTRICTED_DMA_POOL(obj)->id);
}

/* The object */

/* What pool_complete() has checked must stay as it is. */
static bool pool_check_incomplete(const RestrictedDMAPool *pool,
                                  const char *name, Error **errp)
{
    if (pool->id) {
        error_setg(errp, "%s of restricted-dma-pool '%s' cannot change; set it "
                   "on the command line", name, pool->id);
        return false;
    }
    return true;
}

static void pool_get_size(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    visit_type_size(v, name, &RESTRICTED_DMA_POOL(obj)->size, errp);
}

static void pool_set_size(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    RestrictedDMAPool *pool = RESTRICTED_DMA_POOL(obj);
    uint64_t size;

    if (pool_check_incomplete(pool, name, errp) &&
        visit_type_size(v, name, &size, errp)) {
        pool->size = size;
    }
}

static void pool_get_addr(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    RestrictedDMAPool *pool = RESTRICTED_DMA_POOL(obj);
    uint64_t addr = pool->mapped ? pool->base : pool->addr;

    visit_type_uint64(v, name, &addr, errp);
}

static void pool_set_addr(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    RestrictedDMAPool *pool = RESTRICTED_DMA_POOL(obj);
    uint64_t addr;

    if (pool_check_incomplete(pool, name, errp) &&
        visit_type_size(v, name, &addr, errp)) {
        pool->addr = addr;
        pool->has_addr = true;
    }
}

static char *pool_get_memdev(Object *obj, Error **errp)
{
    return g_strdup(RESTRICTED_DMA_POOL(obj)->memdev);
}

static void pool_set_memdev(Object *obj, const char *value, Error **errp)
{
    RestrictedDMAPool *pool = RESTRICTED_DMA_POOL(obj);

    if (pool_check_incomplete(pool, "memdev", errp)) {
        g_free(pool->memdev);
        pool->memdev = g_strdup(value);
    }
}

static bool pool_get_dma_default(Object *obj, Error **errp)
{
    return RESTRICTED_DMA_POOL(obj)->dma_default;
}

static void pool_set_dma_default(Object *obj, bool value, Error **errp)
{
    RestrictedDMAPool *pool = RESTRICTED_DMA_POOL(obj);

    if (pool_check_incomplete(pool, "dma-default", errp)) {
        pool->dma_default = value;
    }
}

static bool pool_check_range(const RestrictedDMAPool *pool, Error **errp)
{
    if (!pool->size || pool->size > RESTRICTED_DMA_POOL_END_MAX ||
        !QEMU_IS_ALIGNED(pool->size, RESTRICTED_DMA_POOL_ALIGN)) {
        error_setg(errp, "restricted-dma-pool '%s': size must be a multiple "
                   "of 2 MiB from 2M to 64P, not %" PRIu64 " bytes", pool->id,
                   pool->size);
        return false;
    }
    if (!QEMU_IS_ALIGNED(pool->addr, RESTRICTED_DMA_POOL_ALIGN) ||
        pool->addr > RESTRICTED_DMA_POOL_END_MAX - pool->size) {
        error_setg(errp, "restricted-dma-pool '%s': addr must be a multiple "
                   "of 2 MiB and leave room for the size, not 0x%" PRIx64,
                   pool->id, pool->addr);
        return false;
    }
    return true;
}

static void pool_complete(UserCreatable *uc, Error **errp)
{
    RestrictedDMAPool *pool = RESTRICTED_DMA_POOL(uc);
    MachineClass *mc = MACHINE_GET_CLASS(current_machine);

    /* IOThreads name the pool in events, and must not walk the QOM tree. */
    pool->id = g_strdup(object_get_canonical_path_component(OBJECT(pool)));

    /* The virt machine of Arm plans its memory map with the accelerator. */
    if (phase_check(PHASE_ACCEL_CREATED)) {
        error_setg(errp, "restricted-dma-pool '%s' cannot be added once the "
                   "machine is being built or running; give it on the command "
                   "line", pool->id);
        return;
    }
    if (strlen(pool->id) > RESTRICTED_DMA_POOL_ID_MAX) {
        error_setg(errp, "id of restricted-dma-pool '%s' is too long; use at "
                   "most %d characters", pool->id, RESTRICTED_DMA_POOL_ID_MAX);
        return;
    }
    if (!pool_check_place(pool, mc->restricted_dma_supported, errp) ||
        !pool_check_range(pool, errp)) {
        return;
    }
    pool->machine_done.notify = pool_machine_done;
    qemu_add_machine_init_done_notifier(&pool->machine_done);
}

static bool pool_can_be_deleted(UserCreatable *uc)
{
    return !RESTRICTED_DMA_POOL(uc)->mapped;
}

static void restricted_dma_pool_finalize(Object *obj)
{
    RestrictedDMAPool *pool = RESTRICTED_DMA_POOL(obj);

    if (pool->machine_done.notify) {
        qemu_remove_machine_init_done_notifier(&pool->machine_done);
    }
    g_free(pool->memdev);
    g_free(pool->id);
}

static void restricted_dma_pool_class_init(ObjectClass *oc, void *data)
{
    UserCreatableClass *ucc = USER_CREATABLE_CLASS(oc);
    VMStateIfClass *vc = VMSTATE_IF_CLASS(oc);

    vc->get_id = pool_vmstate_id;
    ucc->complete = pool_complete;
    ucc->can_be_deleted = pool_can_be_deleted;

    object_class_property_add(oc, "size", "size", pool_get_size,
                              pool_set_size, NULL, NULL);
    object_class_property_set_description(oc, "size",
        "size of the pool, a multiple of 2 MiB");
    object_class_property_add(oc, "addr", "size", pool_get_addr,
                              pool_set_addr, NULL, NULL);
    object_class_property_set_description(oc, "addr",
        "guest-physical address of the pool, a multiple of 2 MiB above RAM "
        "(default: chosen by the machine)");
    object_class_property_add_str(oc, "memdev", pool_get_memdev,
                                  pool_set_memdev);
    object_class_property_set_description(oc, "memdev",
        "id of a memory backend to use for the pool "
        "(default: shared memory of its own)");
    object_class_property_add_bool(oc, "dma-default", pool_get_dma_default,
                                   pool_set_dma_default);
    object_class_property_set_description(oc, "dma-default",
        "ask the guest to use the pool for every device that is behind no "
        "IOMMU and names no pool (default: off)");
}

static const TypeInfo restricted_dma_pool_info = {
    .name = TYPE_RESTRICTED_DMA_POOL,
    .parent = TYPE_OBJECT,
    .instance_size = sizeof(RestrictedDMAPool),
    .instance_finalize = restricted_dma_pool_finalize,
    .class_init = restricted_dma_pool_class_init,
    .interfaces = (InterfaceInfo[]) {
        { TYPE_USER_CREATABLE },
        { TYPE_VMSTATE_IF },
        { }
    },
};

static void restricted_dma_pool_register_types(void)
{
    type_register_static(&restricted_dma_pool_info);
}

type_init(restricted_dma_pool_register_types)
