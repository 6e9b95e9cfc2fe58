/*
 * Pools of guest memory that confine the DMA of the devices attached to them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MEM_RESTRICTED_DMA_POOL_H
#define HW_MEM_RESTRICTED_DMA_POOL_H

#include "exec/hwaddr.h"
#include "hw/mem/restricted-dma-log.h"
#include "qapi/qapi-types-restricted-dma.h"
#include "qemu/queue.h"
#include "qemu/stats64.h"
#include "qemu/units.h"
#include "qom/object.h"

#define TYPE_RESTRICTED_DMA_POOL "restricted-dma-pool"
OBJECT_DECLARE_SIMPLE_TYPE(RestrictedDMAPool, RESTRICTED_DMA_POOL)

typedef struct RestrictedDMAWindow RestrictedDMAWindow;

/* Granularity of the base and the size of a pool, in bytes */
#define RESTRICTED_DMA_POOL_ALIGN (2 * MiB)

/**
 * struct RestrictedDMADevice - A device that can be attached to a pool.
 *
 * Embedded in the device, or in its transport.
 */
typedef struct RestrictedDMADevice {
    /* Properties of the transport: constant once it is realized */

    /**
     * @pool: The only memory of the device; NULL if it is not confined.  The
     * target of a QOM link, which holds a reference.
     */
    RestrictedDMAPool *pool;

    /**
     * @reach: What the device's bus lets it reach, if @pool is not NULL.
     */
    MemoryRegion *reach;

    /**
     * @quiet: 1 if the device does not offer VIRTIO_F_RESTRICTED_DMA, and
     * leaves it to the platform to tell the driver of the pool; otherwise 0.
     * Part of the migration stream.
     */
    uint8_t quiet;

    /**
     * @back_end: A vhost back end processes the queues, and is to see @pool
     * and nothing else.
     */
    bool back_end;

    /**
     * @back_end_update: Stops the back end, or lets it go on, in the main
     * loop; NULL without @back_end.
     */
    QEMUBH *back_end_update;

    /* Written by restricted_dma_pool_attach() and _detach(), under the BQL */

    /**
     * @dev: The device as the user knows it; NULL while it is not attached.
     */
    DeviceState *dev;

    /**
     * @qom_path: Path of @dev, so that any thread can name it.
     */
    char *qom_path;

    /**
     * @base: Base of @pool, copied because each access is compared with it.
     */
    hwaddr base;

    /**
     * @size: Size of @pool in bytes, copied for the same reason.
     */
    uint64_t size;

    /**
     * @host: Memory of @pool in QEMU, copied for the same reason.
     */
    uint8_t *host;

    /**
     * @window: The address space of the device; see @reach.
     */
    RestrictedDMAWindow *window;

    /**
     * @next: Link in the pool's list of devices.
     */
    QLIST_ENTRY(RestrictedDMADevice) next;

    /* Written by any thread, atomically */

    /**
     * @violations: How often an address outside @pool stopped the device
     * since it was attached.
     */
    Stat64 violations;

    /**
     * @log: How many messages about @dev were printed, or left out.
     */
    RestrictedDMALog log;

    /**
     * @address_refused: An address was refused since a migration stream was
     * last about to be loaded.
     */
    bool address_refused;

    /* Written when the back end starts or goes away, under the BQL */

    /**
     * @back_end_start: When the back end was last started, in milliseconds of
     * QEMU_CLOCK_REALTIME.
     */
    int64_t back_end_start;

    /**
     * @back_end_progress: A number that changes when requests end, as it was
     * at @back_end_start.
     */
    unsigned back_end_progress;

    /**
     * @back_end_losses: How often in a row the back end went away soon after
     * its start and with no request finished.
     */
    unsigned back_end_losses;

    /**
     * @back_end_loss: When it last went away; the same clock.
     */
    int64_t back_end_loss;

    /**
     * @back_end_paid: When the device will have paid for all its losses, each
     * of which costs some time; the same clock.
     */
    int64_t back_end_paid;

    /**
     * @back_end_reset: Which reset of the device @back_end_losses follows.
     */
    uint32_t back_end_reset;

    /* Written while a migration stream is loaded, under the BQL */

    /**
     * @pool_loaded: The stream says which pool the device is attached to.
     */
    bool pool_loaded;
} RestrictedDMADevice;

/**
 * restricted_dma_pools_end: where would the pools end?
 * @base: first guest-physical address that pools may occupy
 *
 * Lets a board plan its memory map before it maps the pools, and check that
 * its CPUs can address all of it.  Asking changes nothing: the pools get their
 * place in restricted_dma_pools_map(), and with the same @base the answer is
 * the same before and after.
 *
 * Returns: the first address above all pools, or @base if there are none.
 */
hwaddr restricted_dma_pools_end(hwaddr base);

/**
 * restricted_dma_pools_fit: would all pools end at or below a limit?
 * @base: first guest-physical address that pools may occupy
 * @limit: first address that they may not occupy
 * @remedy: what else the user can do about it, such as "raise phys-bits"
 * @errp: set if a pool would end above @limit
 *
 * Returns: true if they would, or if there are no pools.
 */
bool restricted_dma_pools_fit(hwaddr base, hwaddr limit, const char *remedy,
                              Error **errp);

/**
 * restricted_dma_pools_map: place all pools and map them
 * @ms: the machine
 * @sysmem: where to map the pools
 * @base: first guest-physical address that pools may occupy
 * @errp: set if a pool does not fit or its memory cannot be had
 *
 * Allocates memory for the pools that bring none.  Where a pool goes depends
 * on nothing but @base and the properties of the pools: those with an explicit
 * address go there, and the others fill the gaps in the order of their ids.
 * From then on, base and size of a pool are constant.
 *
 * Context: board initialization, at most once.
 *
 * Returns: true on success.
 */
bool restricted_dma_pools_map(MachineState *ms, MemoryRegion *sysmem,
                              hwaddr base, Error **errp);

/**
 * restricted_dma_pools_list: all pools of the machine, sorted by id
 *
 * Returns: (transfer container): free it with g_slist_free().
 */
GSList *restricted_dma_pools_list(void);

/**
 * restricted_dma_pool_check_mapped: can devices be attached to a pool?
 * @pool: the pool
 * @errp: set if the machine has not mapped it, and never will
 *
 * Context: the board has placed its pools, or has none.
 *
 * Returns: true if they can.
 */
bool restricted_dma_pool_check_mapped(const RestrictedDMAPool *pool,
                                      Error **errp);

const char *restricted_dma_pool_id(const RestrictedDMAPool *pool);
hwaddr restricted_dma_pool_base(const RestrictedDMAPool *pool);
uint64_t restricted_dma_pool_size(const RestrictedDMAPool *pool);
bool restricted_dma_pool_is_default(const RestrictedDMAPool *pool);

/* Where a pool is, which has to be the same on both sides of a migration */
extern const VMStateDescription vmstate_restricted_dma_pool;

/**
 * restricted_dma_pool_as: the pool as an address space
 *
 * Guest-physical addresses, with nothing in it but the pool.  An access to
 * any other address is never bounced, so it cannot be mapped.  Unlike the
 * windows of the devices, it is always open.
 */
AddressSpace *restricted_dma_pool_as(RestrictedDMAPool *pool);

/**
 * restricted_dma_pool_host: the memory of a mapped pool, in QEMU
 *
 * It is a RAMBlock of its own.
 */
void *restricted_dma_pool_host(RestrictedDMAPool *pool);

/**
 * restricted_dma_pool_check_shared: can a back end be given a pool?
 * @pool: a mapped pool
 * @errp: set if another process cannot map its memory, would not see what the
 *        guest writes there, or could map more than the pool
 *
 * Returns: true if it can.
 */
bool restricted_dma_pool_check_shared(const RestrictedDMAPool *pool,
                                      Error **errp);

/**
 * restricted_dma_pool_attach: attach a device to its pool
 * @rd: structure embedded in the device, with a mapped pool, not attached
 * @dev: the device, named in queries and events
 *
 * The device gets its window.  The pool keeps no reference to @dev: detach it
 * before it is finalized.
 * Context: BQL.
 */
void restricted_dma_pool_attach(RestrictedDMADevice *rd, DeviceState *dev);

/* Undoes restricted_dma_pool_attach(), if @rd is attached.  Context: BQL. */
void restricted_dma_pool_detach(RestrictedDMADevice *rd);

/**
 * restricted_dma_pool_foreach_device: visit all devices attached to a pool
 * @pool: the pool
 * @func: called for each device; it must not attach or detach one
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
 * @rd: the device, attached
 * @addr: guest-physical address
 * @len: bytes; an empty range is never inside
 *
 * A range that wraps around is not inside.  Context: any thread.
 */
static inline bool restricted_dma_contains(const RestrictedDMADevice *rd,
                                           hwaddr addr, uint64_t len)
{
    /* No sum, no overflow: below the base, the difference wraps and is huge. */
    return len && len <= rd->size && addr - rd->base <= rd->size - len;
}

/**
 * restricted_dma_host: where QEMU has a buffer in the device's pool
 * @rd: the device, attached
 * @addr: guest-physical address, in the pool
 *
 * All of a pool is mapped as long as the machine exists, so there is nothing
 * to undo, but restricted_dma_written() has to follow what is written.
 * Context: any thread.
 */
static inline void *restricted_dma_host(const RestrictedDMADevice *rd,
                                        hwaddr addr)
{
    return rd->host + (addr - rd->base);
}

/**
 * restricted_dma_written: tell migration, and what else tracks dirty memory
 * @rd: the device
 * @buffer: in the pool, as restricted_dma_host() returned it
 * @len: bytes that were written there, more than 0
 *
 * Context: any thread.
 */
void restricted_dma_written(RestrictedDMADevice *rd, void *buffer,
                            uint64_t len);

/**
 * restricted_dma_violation: count and report a refused access
 * @rd: the device, attached
 * @addr: guest-physical address from the driver
 * @len: bytes
 * @what: what the driver placed there; if unknown, so are @addr and @len
 *
 * Context: any thread.
 */
void restricted_dma_violation(RestrictedDMADevice *rd, hwaddr addr,
                              uint64_t len, RestrictedDMAAccess what);

#endif
