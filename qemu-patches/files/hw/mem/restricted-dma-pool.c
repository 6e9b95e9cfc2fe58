/*
 * Pools of guest memory that confine the DMA of the devices bound to them
 *
 * A pool is a RAM block of its own, so that a device back end in another
 * process can be given this memory and no other.  The board maps it at a
 * fixed place that the guest is told not to use as ordinary memory, and each
 * pool has an address space in which nothing else can be reached.  Devices
 * that are bound to the pool access guest memory through that address space
 * only, and check every address of their driver with
 * restricted_dma_contains() before.
 *
 * Life: the object is created before the machine, mapped by the board, and
 * then stays.  Everything but the list of devices (BQL) and the counters
 * (atomic) is constant after it was mapped, so it is read without a lock.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "qemu/range.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "hw/boards.h"
#include "hw/mem/restricted-dma-pool.h"
#include "hw/qdev-core.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-restricted-dma.h"
#include "qapi/qapi-events-restricted-dma.h"
#include "qapi/visitor.h"
#include "qom/object_interfaces.h"
#include "system/hostmem.h"
#include "trace.h"

struct RestrictedDMAPool {
    Object parent_obj;

    char *id;

    /* properties */
    uint64_t size;
    uint64_t addr;
    bool has_addr;
    uint8_t dma_default;        /* a bool, of the type that vmstate compares */
    char *memdev;

    /* set when the pool is mapped */
    bool mapped;
    hwaddr base;
    MemoryRegion ram;           /* unless memdev is given */
    MemoryRegion root;          /* of as: empty but for the window */
    MemoryRegion window;        /* alias of the pool's memory */
    AddressSpace as;

    QLIST_HEAD(, RestrictedDMADevice) devices;
    uint64_t violations;
};

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

static bool pool_check_mapped(RestrictedDMAPool *pool, MachineState *ms,
                              Error **errp)
{
    if (!pool->mapped) {
        error_setg(errp, "machine type '%s' has no place for "
                   "restricted-dma-pool '%s'; remove the object or use a "
                   "machine such as q35",
                   MACHINE_GET_CLASS(ms)->name, pool->id);
    }
    return pool->mapped;
}

RestrictedDMAPool *restricted_dma_pool_find(const char *id, Error **errp)
{
    Object *obj = object_resolve_path_component(object_get_objects_root(), id);
    RestrictedDMAPool *pool;

    if (!obj) {
        error_setg(errp, "there is no restricted-dma-pool '%s'; add "
                   "-object restricted-dma-pool,id=%s,size=...", id, id);
        return NULL;
    }
    pool = (RestrictedDMAPool *)object_dynamic_cast(obj,
                                                    TYPE_RESTRICTED_DMA_POOL);
    if (!pool) {
        error_setg(errp, "object '%s' is a %s; restricted-dma-pool needs the "
                   "id of a restricted-dma-pool object", id,
                   object_get_typename(obj));
        return NULL;
    }
    return pool_check_mapped(pool, current_machine, errp) ? pool : NULL;
}

/*
 * Placement.  All of it is decided by pools_place() from @base and the
 * properties, so that the same command line gives the same memory map.
 *
 * No sum wraps: one pool ends at POOL_END_MAX at most, and the end of all is
 * capped at POOLS_END_MAX, which no machine can address.
 */
#define POOL_END_MAX    (1ULL << 56)
#define POOLS_END_MAX   (1ULL << 62)

/* What ACPI names of four characters can tell apart */
#define POOLS_MAX       256

/* The pool with an explicit address that [addr, addr + size) runs into */
static RestrictedDMAPool *pools_overlap(GSList *pools, RestrictedDMAPool *self,
                                        hwaddr addr, uint64_t size)
{
    for (GSList *l = pools; l; l = l->next) {
        RestrictedDMAPool *pool = l->data;

        if (pool != self && pool->has_addr &&
            ranges_overlap(addr, size, pool->addr, pool->size)) {
            return pool;
        }
    }
    return NULL;
}

/* Returns: the end of the highest pool, at least @base */
static hwaddr pools_place(GSList *pools, hwaddr base)
{
    hwaddr next = ROUND_UP(base, RESTRICTED_DMA_POOL_ALIGN);
    hwaddr end = base;

    assert(base < POOLS_END_MAX);
    for (GSList *l = pools; l; l = l->next) {
        RestrictedDMAPool *pool = l->data;
        RestrictedDMAPool *other;

        if (pool->has_addr) {
            pool->base = pool->addr;
        } else {
            while ((other = pools_overlap(pools, pool, next, pool->size))) {
                next = other->addr + other->size;
            }
            pool->base = next;
            next = MIN(next + pool->size, POOLS_END_MAX);
        }
        end = MAX(end, pool->base + pool->size);
    }
    return end;
}

hwaddr restricted_dma_pools_end(hwaddr base)
{
    g_autoptr(GSList) pools = restricted_dma_pools_list();

    return pools_place(pools, base);
}

bool restricted_dma_pools_fit(hwaddr base, hwaddr limit, const char *remedy,
                              Error **errp)
{
    hwaddr end = restricted_dma_pools_end(base);

    if (end > base && end > limit) {
        error_setg(errp, "restricted-dma-pools end at 0x%" PRIx64 ", but "
                   "memory of this machine ends at 0x%" PRIx64 "; lower their "
                   "addr or size, or %s", end, limit, remedy);
        return false;
    }
    return true;
}

static bool pools_check(MachineState *ms, GSList *pools, hwaddr base,
                        Error **errp)
{
    RestrictedDMAPool *dma_default = NULL;

    if (g_slist_length(pools) > POOLS_MAX) {
        error_setg(errp, "a machine can have at most %d restricted-dma-pool "
                   "objects", POOLS_MAX);
        return false;
    }
    for (GSList *l = pools; l; l = l->next) {
        RestrictedDMAPool *pool = l->data;
        RestrictedDMAPool *other;

        if (pool->dma_default) {
            if (dma_default) {
                error_setg(errp, "restricted-dma-pool '%s' and '%s' both have "
                           "dma-default=on; keep it on one of them",
                           restricted_dma_pool_id(dma_default),
                           restricted_dma_pool_id(pool));
                return false;
            }
            dma_default = pool;
        }
        if (!pool->has_addr) {
            continue;
        }
        if (pool->addr < base) {
            error_setg(errp, "restricted-dma-pool '%s': addr 0x%" PRIx64
                       " is where the machine has RAM or devices; use "
                       "0x%" PRIx64 " or more, or leave addr out",
                       restricted_dma_pool_id(pool), pool->addr,
                       ROUND_UP(base, RESTRICTED_DMA_POOL_ALIGN));
            return false;
        }
        other = pools_overlap(pools, pool, pool->addr, pool->size);
        if (other) {
            error_setg(errp, "restricted-dma-pool '%s' and '%s' overlap at "
                       "0x%" PRIx64 "; change addr of one of them",
                       restricted_dma_pool_id(pool),
                       restricted_dma_pool_id(other),
                       MAX(pool->addr, other->addr));
            return false;
        }
    }
    return true;
}

/* The memory of a pool: its own or that of memdev.  NULL: see @errp */
static MemoryRegion *pool_memory(RestrictedDMAPool *pool, MachineState *ms,
                                 Error **errp)
{
    const char *id = restricted_dma_pool_id(pool);
    HostMemoryBackend *backend;
    MemoryRegion *mr;
    Object *obj;

    if (!pool->memdev) {
        g_autofree char *name = g_strdup_printf("restricted-dma-pool.%s", id);
        uint32_t flags = RAM_SHARED;

        if (machine_require_guest_memfd(ms)) {
            flags |= RAM_GUEST_MEMFD;
        }
        if (!memory_region_init_ram_flags_nomigrate(&pool->ram, OBJECT(pool),
                                                    name, pool->size, flags,
                                                    errp)) {
            return NULL;
        }
        vmstate_register_ram_global(&pool->ram);
        return &pool->ram;
    }

    obj = object_resolve_path_component(object_get_objects_root(),
                                        pool->memdev);
    backend = (HostMemoryBackend *)object_dynamic_cast(obj,
                                                       TYPE_MEMORY_BACKEND);
    if (!backend) {
        error_setg(errp, "restricted-dma-pool '%s': there is no memory "
                   "backend '%s'; add -object memory-backend-...,id=%s", id,
                   pool->memdev, pool->memdev);
        return NULL;
    }
    mr = host_memory_backend_get_memory(backend);
    if (memory_region_size(mr) != pool->size) {
        error_setg(errp, "restricted-dma-pool '%s': memory backend '%s' has "
                   "0x%" PRIx64 " bytes, not 0x%" PRIx64 "; give both the same "
                   "size", id, pool->memdev, memory_region_size(mr),
                   pool->size);
        return NULL;
    }
    if (host_memory_backend_is_mapped(backend)) {
        error_setg(errp, "restricted-dma-pool '%s': memory backend '%s' is "
                   "used elsewhere; give the pool one of its own", id,
                   pool->memdev);
        return NULL;
    }
    host_memory_backend_set_mapped(backend, true);
    vmstate_register_ram_global(mr);
    return mr;
}

/*
 * The guest knows base and size, and its devices are given addresses in there:
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

static bool pool_map(RestrictedDMAPool *pool, MachineState *ms,
                     MemoryRegion *sysmem, Error **errp)
{
    const char *id = restricted_dma_pool_id(pool);
    g_autofree char *name = g_strdup_printf("restricted-dma-pool.%s.as", id);
    MemoryRegion *mr = pool_memory(pool, ms, errp);

    if (!mr) {
        return false;
    }
    memory_region_add_subregion(sysmem, pool->base, mr);

    memory_region_init(&pool->root, OBJECT(pool), "root", UINT64_MAX);
    memory_region_init_alias(&pool->window, OBJECT(pool), "window", mr, 0,
                             pool->size);
    memory_region_add_subregion(&pool->root, pool->base, &pool->window);
    address_space_init(&pool->as, &pool->root, name);
    /* An address that is not memory of the pool must fail to map. */
    pool->as.max_bounce_buffer_size = 0;

    vmstate_register_any(VMSTATE_IF(pool), &vmstate_restricted_dma_pool, pool);
    pool->mapped = true;
    trace_restricted_dma_pool_map(id, pool->base, pool->size);
    return true;
}

bool restricted_dma_pools_map(MachineState *ms, MemoryRegion *sysmem,
                              hwaddr base, Error **errp)
{
    g_autoptr(GSList) pools = restricted_dma_pools_list();

    if (!pools_check(ms, pools, base, errp)) {
        return false;
    }
    pools_place(pools, base);
    for (GSList *l = pools; l; l = l->next) {
        if (!pool_map(l->data, ms, sysmem, errp)) {
            return false;
        }
    }
    return true;
}

bool restricted_dma_pools_check_mapped(MachineState *ms, Error **errp)
{
    g_autoptr(GSList) pools = restricted_dma_pools_list();

    for (GSList *l = pools; l; l = l->next) {
        if (!pool_check_mapped(l->data, ms, errp)) {
            return false;
        }
    }
    return true;
}

/* Devices */

void restricted_dma_pool_bind(RestrictedDMADevice *rd, DeviceState *dev)
{
    assert(rd->pool->mapped && !rd->dev);
    rd->dev = dev;
    rd->base = rd->pool->base;
    rd->size = rd->pool->size;
    rd->qom_path = object_get_canonical_path(OBJECT(dev));
    rd->violations = 0;
    QLIST_INSERT_HEAD(&rd->pool->devices, rd, next);
    trace_restricted_dma_pool_bind(rd->pool->id, rd->qom_path);
}

void restricted_dma_pool_unbind(RestrictedDMADevice *rd)
{
    if (!rd->dev) {
        return;
    }
    trace_restricted_dma_pool_unbind(rd->pool->id, rd->qom_path);
    QLIST_REMOVE(rd, next);
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

void restricted_dma_violation(RestrictedDMADevice *rd, hwaddr addr,
                              uint64_t len, RestrictedDMAAccess what)
{
    const char *id = rd->pool->id;

    qatomic_inc(&rd->violations);
    qatomic_inc(&rd->pool->violations);
    trace_restricted_dma_violation(id, rd->qom_path, addr, len,
                                   RestrictedDMAAccess_str(what));
    qapi_event_send_restricted_dma_violation(rd->dev->id, rd->qom_path, id,
                                             addr, len, what);
}

bool restricted_dma_may_log(RestrictedDMADevice *rd)
{
    /* Never 0, which stands for "not yet" */
    unsigned now = qemu_clock_get_ms(QEMU_CLOCK_REALTIME) / 1000 + 1;

    return qatomic_xchg(&rd->reported, now) != now;
}

RestrictedDMAPoolInfoList *qmp_query_restricted_dma_pools(Error **errp)
{
    g_autoptr(GSList) pools = restricted_dma_pools_list();
    RestrictedDMAPoolInfoList *head = NULL, **tail = &head;

    for (GSList *l = pools; l; l = l->next) {
        RestrictedDMAPool *pool = l->data;
        RestrictedDMAPoolInfo *info = g_new0(RestrictedDMAPoolInfo, 1);
        RestrictedDMADevice *rd;

        info->id = g_strdup(restricted_dma_pool_id(pool));
        info->base = pool->base;
        info->size = pool->size;
        info->dma_default = pool->dma_default;
        info->violations = qatomic_read(&pool->violations);
        QLIST_FOREACH(rd, &pool->devices, next) {
            RestrictedDMADeviceInfo *dev = g_new0(RestrictedDMADeviceInfo, 1);

            dev->device = g_strdup(rd->dev->id);
            dev->qom_path = g_strdup(rd->qom_path);
            dev->violations = qatomic_read(&rd->violations);
            QAPI_LIST_PREPEND(info->devices, dev);
        }
        QAPI_LIST_APPEND(tail, info);
    }
    return head;
}

/* The object */

static bool pool_may_change(RestrictedDMAPool *pool, const char *name,
                            Error **errp)
{
    if (pool->mapped) {
        error_setg(errp, "%s of a restricted-dma-pool in use cannot change",
                   name);
    }
    return !pool->mapped;
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

    if (pool_may_change(pool, name, errp) &&
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

    if (pool_may_change(pool, name, errp) &&
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

    if (pool_may_change(pool, "memdev", errp)) {
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

    if (pool_may_change(pool, "dma-default", errp)) {
        pool->dma_default = value;
    }
}

static void pool_complete(UserCreatable *uc, Error **errp)
{
    RestrictedDMAPool *pool = RESTRICTED_DMA_POOL(uc);

    /* IOThreads name the pool too: do not walk the QOM tree for it then. */
    pool->id = g_strdup(object_get_canonical_path_component(OBJECT(pool)));

    if (phase_check(PHASE_MACHINE_INITIALIZED)) {
        error_setg(errp, "restricted-dma-pool '%s' cannot be added to a "
                   "running machine; give it on the command line", pool->id);
        return;
    }
    if (!pool->size || pool->size > POOL_END_MAX ||
        !QEMU_IS_ALIGNED(pool->size, RESTRICTED_DMA_POOL_ALIGN)) {
        error_setg(errp, "restricted-dma-pool '%s': size must be a multiple "
                   "of 2 MiB from 2M to 64P, not %" PRIu64 " bytes", pool->id,
                   pool->size);
        return;
    }
    if (!QEMU_IS_ALIGNED(pool->addr, RESTRICTED_DMA_POOL_ALIGN) ||
        pool->addr > POOL_END_MAX - pool->size) {
        error_setg(errp, "restricted-dma-pool '%s': addr must be a multiple "
                   "of 2 MiB and leave room for the size, not 0x%" PRIx64,
                   pool->id, pool->addr);
    }
}

static bool pool_can_be_deleted(UserCreatable *uc)
{
    return !RESTRICTED_DMA_POOL(uc)->mapped;
}

static void restricted_dma_pool_finalize(Object *obj)
{
    RestrictedDMAPool *pool = RESTRICTED_DMA_POOL(obj);

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
