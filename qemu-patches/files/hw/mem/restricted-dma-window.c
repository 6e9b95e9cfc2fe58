/*
 * A device's window on its restricted DMA pool
 *
 * The address space of a device has nothing in it but the window: what the
 * device's bus lets it reach, as far as that is the pool.  The bus may close
 * the window and open it again, as PCI does with the command register, with
 * resets and with power; it does that by changing its own memory regions, and
 * need not know that there is a window.
 *
 * Lifetime: the memory core lets go of an address space and of its root only
 * after the next RCU grace period, when the device may be gone.  Both are part
 * of an object of their own, which they hold.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/module.h"
#include "hw/mem/restricted-dma-window.h"
#include "restricted-dma-internal.h"

#define TYPE_RESTRICTED_DMA_WINDOW "restricted-dma-window"
DECLARE_INSTANCE_CHECKER(RestrictedDMAWindow, RESTRICTED_DMA_WINDOW,
                         TYPE_RESTRICTED_DMA_WINDOW)

struct RestrictedDMAWindow {
    Object parent_obj;

    /* Constant */
    RestrictedDMAPool *pool;
    MemoryRegion root;          /* of as: empty but for the window */
    MemoryRegion window;        /* alias of what the bus lets device reach */
    AddressSpace as;

    /* Changed by the memory core, under the BQL */
    MemoryListener listener;

    /* Written under the BQL, read by any thread, atomically */
    bool open;
};

/* Is this the pool, whole and in its place? */
static bool window_shows_pool(const RestrictedDMAWindow *window,
                              const MemoryRegionSection *section)
{
    const RestrictedDMAPool *pool = window->pool;

    return section->mr == pool->window.alias &&
           section->offset_within_region == 0 &&
           section->offset_within_address_space == pool->base &&
           int128_eq(section->size, int128_make64(pool->size));
}

static void window_region_add(MemoryListener *listener,
                              MemoryRegionSection *section)
{
    RestrictedDMAWindow *window = container_of(listener, RestrictedDMAWindow,
                                               listener);

    if (window_shows_pool(window, section)) {
        qatomic_set(&window->open, true);
    }
}

static void window_region_del(MemoryListener *listener,
                              MemoryRegionSection *section)
{
    RestrictedDMAWindow *window = container_of(listener, RestrictedDMAWindow,
                                               listener);

    if (window_shows_pool(window, section)) {
        qatomic_set(&window->open, false);
    }
}

RestrictedDMAWindow *restricted_dma_window_new(RestrictedDMAPool *pool,
                                               MemoryRegion *reach,
                                               const char *name)
{
    Object *obj = object_new(TYPE_RESTRICTED_DMA_WINDOW);
    RestrictedDMAWindow *window = RESTRICTED_DMA_WINDOW(obj);

    window->pool = pool;
    memory_region_init(&window->root, obj, "root", UINT64_MAX);
    memory_region_init_alias(&window->window, obj, "window", reach, pool->base,
                             pool->size);
    memory_region_add_subregion(&window->root, pool->base, &window->window);
    address_space_init(&window->as, &window->root, name);
    /* What is not memory of the pool must fail to map, not be bounced. */
    window->as.max_bounce_buffer_size = 0;

    window->listener = (MemoryListener) {
        .name = "restricted-dma-window",
        .region_add = window_region_add,
        .region_del = window_region_del,
    };
    memory_listener_register(&window->listener, &window->as);
    return window;
}

void restricted_dma_window_destroy(RestrictedDMAWindow *window)
{
    memory_listener_unregister(&window->listener);
    memory_region_del_subregion(&window->root, &window->window);
    address_space_destroy(&window->as);
    object_unref(OBJECT(window));
}

AddressSpace *restricted_dma_window_as(RestrictedDMAWindow *window)
{
    return &window->as;
}

bool restricted_dma_window_is_open(const RestrictedDMAWindow *window)
{
    return window && qatomic_read(&window->open);
}

static const TypeInfo restricted_dma_window_info = {
    .name = TYPE_RESTRICTED_DMA_WINDOW,
    .parent = TYPE_OBJECT,
    .instance_size = sizeof(RestrictedDMAWindow),
};

static void restricted_dma_window_register_types(void)
{
    type_register_static(&restricted_dma_window_info);
}

type_init(restricted_dma_window_register_types)
