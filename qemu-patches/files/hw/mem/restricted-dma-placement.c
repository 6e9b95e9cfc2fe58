/*
 * Where restricted DMA pools go in the memory map
 *
 * restricted_dma_pools_map() places all pools once and for all.  A board that
 * has to know where they would end, before it maps them or settles on a @base,
 * asks restricted_dma_pools_end(), which makes the same plan and throws it
 * away.
 *
 * A plan follows from @base and the properties of the pools and from nothing
 * else, so that the same command line gives the same memory map.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/memfd.h"
#include "qemu/range.h"
#include "qemu/units.h"
#include "exec/cpu-common.h"
#include "hw/boards.h"
#include "migration/cpr.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "restricted-dma-internal.h"
#include "system/hostmem.h"
#include "trace.h"

/*
 * No implicit pool starts above this, so that no sum wraps; no machine has so
 * much.
 */
#define POOLS_END_MAX   (1ULL << 62)

/* As many as the four characters of an ACPI name can tell apart */
#define POOLS_MAX       256

typedef struct PoolPlace {
    RestrictedDMAPool *pool;
    hwaddr base;
} PoolPlace;

/* The pool with an explicit address that [addr, addr + size) runs into */
static RestrictedDMAPool *pools_overlap(GSList *pools,
                                        const RestrictedDMAPool *self,
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

/* The lowest address, @from or above, where @pool is clear of explicit ones */
static hwaddr pools_gap(GSList *pools, const RestrictedDMAPool *pool,
                        hwaddr from)
{
    RestrictedDMAPool *other;

    while ((other = pools_overlap(pools, pool, from, pool->size))) {
        from = other->addr + other->size;
    }
    return from;
}

/* Returns: a PoolPlace for each of @pools, in the same order */
static GArray *pools_plan(GSList *pools, hwaddr base)
{
    GArray *plan = g_array_new(false, false, sizeof(PoolPlace));
    hwaddr next = ROUND_UP(base, RESTRICTED_DMA_POOL_ALIGN);

    assert(base < POOLS_END_MAX);
    for (GSList *l = pools; l; l = l->next) {
        PoolPlace place = { .pool = l->data };

        if (place.pool->has_addr) {
            place.base = place.pool->addr;
        } else {
            place.base = pools_gap(pools, place.pool, next);
            next = MIN(place.base + place.pool->size, POOLS_END_MAX);
        }
        g_array_append_val(plan, place);
    }
    return plan;
}

hwaddr restricted_dma_pools_end(hwaddr base)
{
    g_autoptr(GSList) pools = restricted_dma_pools_list();
    g_autoptr(GArray) plan = pools_plan(pools, base);
    hwaddr end = base;

    for (guint i = 0; i < plan->len; i++) {
        const PoolPlace *place = &g_array_index(plan, PoolPlace, i);

        end = MAX(end, place->base + place->pool->size);
    }
    return end;
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

static bool pool_check_addr(GSList *pools, const RestrictedDMAPool *pool,
                            hwaddr base, Error **errp)
{
    RestrictedDMAPool *other;

    if (!pool->has_addr) {
        return true;
    }
    if (pool->addr < base) {
        error_setg(errp, "restricted-dma-pool '%s': the machine has RAM or "
                   "devices at addr 0x%" PRIx64 "; use 0x%" PRIx64 " or more, "
                   "or leave addr out", pool->id, pool->addr,
                   ROUND_UP(base, RESTRICTED_DMA_POOL_ALIGN));
        return false;
    }
    other = pools_overlap(pools, pool, pool->addr, pool->size);
    if (other) {
        error_setg(errp, "restricted-dma-pool '%s' and '%s' overlap at "
                   "0x%" PRIx64 "; change addr of one of them", pool->id,
                   other->id, MAX(pool->addr, other->addr));
        return false;
    }
    return true;
}

static bool pools_check(GSList *pools, hwaddr base, Error **errp)
{
    RestrictedDMAPool *dma_default = NULL;

    if (g_slist_length(pools) > POOLS_MAX) {
        error_setg(errp, "a machine can have at most %d restricted-dma-pool "
                   "objects; remove some", POOLS_MAX);
        return false;
    }
    for (GSList *l = pools; l; l = l->next) {
        RestrictedDMAPool *pool = l->data;

        if (pool->dma_default && dma_default) {
            error_setg(errp, "restricted-dma-pool '%s' and '%s' both have "
                       "dma-default=on; keep it on one of them",
                       dma_default->id, pool->id);
            return false;
        }
        if (pool->dma_default) {
            dma_default = pool;
        }
        if (!pool_check_addr(pools, pool, base, errp)) {
            return false;
        }
    }
    return true;
}

#ifdef CONFIG_LINUX
/*
 * Shared memory whose size nobody can change: a back end that is given the
 * descriptor could shrink it, and QEMU would die of the next access.
 */
static bool pool_init_ram(RestrictedDMAPool *pool, const char *name,
                          uint32_t flags, Error **errp)
{
    int fd = cpr_find_fd(name, 0);

    if (fd < 0 && !qemu_memfd_check(MFD_ALLOW_SEALING)) {
        return memory_region_init_ram_flags_nomigrate(&pool->ram, OBJECT(pool),
                                                      name, pool->size, flags,
                                                      errp);
    }
    if (fd < 0) {
        fd = qemu_memfd_create(name, pool->size, false, 0,
                               F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL, errp);
        if (fd < 0) {
            return false;
        }
        cpr_save_fd(name, 0, fd);
    }
    return memory_region_init_ram_from_fd(&pool->ram, OBJECT(pool), name,
                                          pool->size, flags, fd, 0, errp);
}
#else
static bool pool_init_ram(RestrictedDMAPool *pool, const char *name,
                          uint32_t flags, Error **errp)
{
    return memory_region_init_ram_flags_nomigrate(&pool->ram, OBJECT(pool),
                                                  name, pool->size, flags,
                                                  errp);
}
#endif

static MemoryRegion *pool_own_memory(RestrictedDMAPool *pool, MachineState *ms,
                                     const char *name, Error **errp)
{
    uint32_t flags = RAM_SHARED;

    if (machine_require_guest_memfd(ms)) {
        flags |= RAM_GUEST_MEMFD;
    }
    return pool_init_ram(pool, name, flags, errp) ? &pool->ram : NULL;
}

static MemoryRegion *pool_backend_memory(RestrictedDMAPool *pool, Error **errp)
{
    Object *obj = object_resolve_path_component(object_get_objects_root(),
                                                pool->memdev);
    HostMemoryBackend *backend =
        (HostMemoryBackend *)object_dynamic_cast(obj, TYPE_MEMORY_BACKEND);
    MemoryRegion *mr;

    if (!backend) {
        error_setg(errp, "restricted-dma-pool '%s': there is no memory "
                   "backend '%s'; add -object memory-backend-...,id=%s",
                   pool->id, pool->memdev, pool->memdev);
        return NULL;
    }
    mr = host_memory_backend_get_memory(backend);
    if (memory_region_is_rom(mr)) {
        error_setg(errp, "restricted-dma-pool '%s': devices could not write to "
                   "memory backend '%s'; make it writable", pool->id,
                   pool->memdev);
        return NULL;
    }
    if (memory_region_size(mr) != pool->size) {
        error_setg(errp, "restricted-dma-pool '%s': memory backend '%s' has "
                   "0x%" PRIx64 " bytes, not 0x%" PRIx64 "; give both the same "
                   "size", pool->id, pool->memdev, memory_region_size(mr),
                   pool->size);
        return NULL;
    }
    if (host_memory_backend_is_mapped(backend)) {
        error_setg(errp, "restricted-dma-pool '%s': memory backend '%s' is "
                   "used elsewhere; give the pool one of its own", pool->id,
                   pool->memdev);
        return NULL;
    }
    host_memory_backend_set_mapped(backend, true);
    return mr;
}

static bool pool_map(const PoolPlace *place, MachineState *ms,
                     MemoryRegion *sysmem, Error **errp)
{
    RestrictedDMAPool *pool = place->pool;
    g_autofree char *ram_name =
        g_strdup_printf("restricted-dma-pool.%s", pool->id);
    g_autofree char *as_name = g_strconcat(ram_name, ".as", NULL);
    MemoryRegion *mr = pool->memdev ?
                       pool_backend_memory(pool, errp) :
                       pool_own_memory(pool, ms, ram_name, errp);

    if (!mr) {
        return false;
    }
    pool->base = place->base;
    /* The same name in a migration stream, whether there is a memdev or not */
    qemu_ram_set_idstr(mr->ram_block, ram_name, NULL);
    qemu_ram_set_migratable(mr->ram_block);
    memory_region_add_subregion(sysmem, pool->base, mr);

    memory_region_init(&pool->root, OBJECT(pool), "root", UINT64_MAX);
    memory_region_init_alias(&pool->window, OBJECT(pool), "window", mr, 0,
                             pool->size);
    memory_region_add_subregion(&pool->root, pool->base, &pool->window);
    address_space_init(&pool->as, &pool->root, as_name);
    /* What is not memory of the pool must fail to map, not be bounced. */
    pool->as.max_bounce_buffer_size = 0;
    address_space_cache_init(&pool->memory, &pool->as, pool->base, pool->size,
                             true);
    /* Devices compute addresses from this: it must be memory, and all of it. */
    assert(pool->memory.ptr && pool->memory.len == pool->size);

    vmstate_register_any(VMSTATE_IF(pool), &vmstate_restricted_dma_pool, pool);
    pool->mapped = true;
    trace_restricted_dma_pool_map(pool->id, pool->base, pool->size);
    return true;
}

bool restricted_dma_pools_map(MachineState *ms, MemoryRegion *sysmem,
                              hwaddr base, Error **errp)
{
    g_autoptr(GSList) pools = restricted_dma_pools_list();
    g_autoptr(GArray) plan = NULL;

    if (!pools_check(pools, base, errp)) {
        return false;
    }
    plan = pools_plan(pools, base);
    for (guint i = 0; i < plan->len; i++) {
        if (!pool_map(&g_array_index(plan, PoolPlace, i), ms, sysmem, errp)) {
            return false;
        }
    }
    return true;
}
