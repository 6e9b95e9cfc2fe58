/*
 * Pools of guest memory that confine the DMA of the devices bound to them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MEM_RESTRICTED_DMA_POOL_H
#define HW_MEM_RESTRICTED_DMA_POOL_H

#include "exec/memory.h"
#include "hw/boards.h"
#include "qapi/qapi-types-restricted-dma.h"
#include "qom/object.h"

#define TYPE_RESTRICTED_DMA_POOL "restricted-dma-pool"
OBJECT_DECLARE_SIMPLE_TYPE(RestrictedDMAPool, RESTRICTED_DMA_POOL)

/* Granularity of the base and the size of a pool, in bytes */
#define RESTRICTED_DMA_POOL_ALIGN (2 * MiB)

/*
 * A device that is, or will be, bound to a pool.  It embeds this structure and
 * sets @pool and @unannounced; the rest is set by restricted_dma_pool_bind().
 */
typedef struct RestrictedDMADevice {
    RestrictedDMAPool *pool;        /* NULL if the device is to have none */
    uint8_t unannounced;            /* a bool: the platform tells the driver */
    DeviceState *dev;               /* as users know it; NULL while not bound */
    char *qom_path;                 /* of @dev */
    hwaddr base;                    /* of @pool, where each access needs it */
    uint64_t size;
    uint64_t violations;            /* atomic */
    unsigned reported;              /* atomic; see restricted_dma_may_log() */
    uint64_t violations_before_load;    /* when the last migration came in */
    bool loaded;                    /* it named the pool of the device */
    bool rings_to_load;             /* once the device may look into them */
    QLIST_ENTRY(RestrictedDMADevice) next;
} RestrictedDMADevice;

/**
 * restricted_dma_pools_end: the first address above all pools
 * @base: first guest-physical address that pools may occupy
 *
 * Lets a board plan its memory map before it maps the pools, and check that
 * its CPUs can address all of it.
 *
 * Returns: the end of the highest pool, or @base if there are no pools.
 */
hwaddr restricted_dma_pools_end(hwaddr base);

/**
 * restricted_dma_pools_fit: do all pools end where the machine can have them?
 * @base: first guest-physical address that pools may occupy
 * @limit: first address that they may not
 * @remedy: what else the user can do about it, such as "raise phys-bits"
 * @errp: set if a pool reaches @limit
 *
 * Returns: true if they do, and if there are no pools.
 */
bool restricted_dma_pools_fit(hwaddr base, hwaddr limit, const char *remedy,
                              Error **errp);

/**
 * restricted_dma_pools_map: give all pools their place in the memory map
 * @ms: the machine
 * @sysmem: where to map the pools
 * @base: first guest-physical address that pools may occupy
 * @errp: set if a pool does not fit or its memory cannot be had
 *
 * Allocates the memory of the pools that bring none of their own.  Placement
 * depends on nothing but @base and the properties of the pools: pools with an
 * explicit address first, the others sorted by id into the gaps.
 *
 * Context: board initialization, at most once.
 *
 * Returns: true on success.
 */
bool restricted_dma_pools_map(MachineState *ms, MemoryRegion *sysmem,
                              hwaddr base, Error **errp);

/**
 * restricted_dma_pools_check_mapped: refuse pools that the board ignored
 * @ms: the machine, after its board initialization
 * @errp: set if the machine has no place for pools but the user gave some
 *
 * Returns: true if every pool is mapped.
 */
bool restricted_dma_pools_check_mapped(MachineState *ms, Error **errp);

/**
 * restricted_dma_pools_list: all pools of the machine, sorted by id
 *
 * Returns: (transfer container): free it with g_slist_free().
 */
GSList *restricted_dma_pools_list(void);

/**
 * restricted_dma_pool_find: look a mapped pool up
 * @id: id of the object
 * @errp: set if there is no such object, it is not a pool, or it is one that
 *        the board did not map before it made the device
 */
RestrictedDMAPool *restricted_dma_pool_find(const char *id, Error **errp);

const char *restricted_dma_pool_id(const RestrictedDMAPool *pool);
hwaddr restricted_dma_pool_base(const RestrictedDMAPool *pool);
uint64_t restricted_dma_pool_size(const RestrictedDMAPool *pool);
bool restricted_dma_pool_is_default(const RestrictedDMAPool *pool);

/* Where a pool is: equal on both sides of a migration */
extern const VMStateDescription vmstate_restricted_dma_pool;

/**
 * restricted_dma_pool_as: the address space of the pool's devices
 *
 * Guest-physical addresses, with nothing in it but the pool.  An access to
 * any other address is never bounced, so it cannot be mapped.
 */
AddressSpace *restricted_dma_pool_as(RestrictedDMAPool *pool);

/**
 * restricted_dma_pool_bind: bind a device to a pool
 * @rd: structure embedded in the device, with a mapped pool, not bound
 * @dev: the device, named in queries and events
 *
 * The pool keeps no reference to @dev; unbind before it is finalized.
 * Context: BQL.
 */
void restricted_dma_pool_bind(RestrictedDMADevice *rd, DeviceState *dev);

/* Undoes restricted_dma_pool_bind(); does nothing if @rd is not bound. */
void restricted_dma_pool_unbind(RestrictedDMADevice *rd);

/**
 * restricted_dma_pool_foreach_device: visit all devices bound to a pool
 * @pool: the pool
 * @func: called for each device; it must not bind or unbind one
 * @opaque: passed to @func
 *
 * Context: BQL.
 */
void restricted_dma_pool_foreach_device(RestrictedDMAPool *pool,
                                        void (*func)(DeviceState *dev,
                                                     void *opaque),
                                        void *opaque);

/**
 * restricted_dma_contains: does a range lie wholly inside the device's pool?
 * @rd: the device, bound
 * @addr: guest-physical address
 * @len: bytes; an empty range is never inside
 *
 * Safe against overflow of @addr + @len.  Context: any thread.
 */
static inline bool restricted_dma_contains(const RestrictedDMADevice *rd,
                                           hwaddr addr, uint64_t len)
{
    /* There is no sum: below the base the difference wraps to a huge one. */
    return len && len <= rd->size && addr - rd->base <= rd->size - len;
}

/**
 * restricted_dma_violation: count and report a refused access
 * @rd: the device, bound
 * @addr: guest-physical address that the driver gave
 * @len: bytes
 * @what: what the driver said is there
 *
 * Context: any thread.
 */
void restricted_dma_violation(RestrictedDMADevice *rd, hwaddr addr,
                              uint64_t len, RestrictedDMAAccess what);

/**
 * restricted_dma_may_log: is it time for another line about this device?
 *
 * A driver that repeats what it must not do shall not fill the host's log: one
 * line per device and second, as for the event.  Context: any thread.
 */
bool restricted_dma_may_log(RestrictedDMADevice *rd);

#endif
