/*
 * Device tree description of restricted DMA pools
 *
 * From here, a guest that boots a kernel directly, without UEFI, learns of its
 * pools.  Each is a child of /reserved-memory.  It is a memory node as well,
 * because Linux maps reserved memory only if it is memory, but comes after the
 * memory nodes of the machine, because the first is RAM.  A device names its
 * pool in its own node, with memory-region.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/mem/restricted-dma-fdt.h"
#include "hw/mem/restricted-dma-pool.h"
#include "hw/pci/pci_device.h"
#include "hw/sysbus.h"
#include "hw/virtio/virtio-mmio.h"
#include "system/device_tree.h"
#include <libfdt.h>

/* What it takes to describe the devices of one pool */
typedef struct PoolUsers {
    void *fdt;
    PCIBus *root;
    const char *pci_node;
    uint32_t phandle;           /* of the pool */
} PoolUsers;

static void add_reserved_memory(void *fdt)
{
    const char *node = "/reserved-memory";

    qemu_fdt_add_subnode(fdt, node);
    qemu_fdt_setprop_cell(fdt, node, "#address-cells", 2);
    qemu_fdt_setprop_cell(fdt, node, "#size-cells", 2);
    qemu_fdt_setprop(fdt, node, "ranges", NULL, 0);
}

/* Returns: the pool's phandle */
static uint32_t add_pool(const MachineState *ms, void *fdt,
                         RestrictedDMAPool *pool)
{
    hwaddr base = restricted_dma_pool_base(pool);
    uint64_t size = restricted_dma_pool_size(pool);
    uint32_t phandle = qemu_fdt_alloc_phandle(fdt);
    g_autofree char *memory = g_strdup_printf("/memory@%" PRIx64, base);
    g_autofree char *node =
        g_strdup_printf("/reserved-memory/restricted-dma-pool@%" PRIx64, base);

    qemu_fdt_add_subnode(fdt, memory);
    qemu_fdt_setprop_string(fdt, memory, "device_type", "memory");
    qemu_fdt_setprop_sized_cells(fdt, memory, "reg", 2, base, 2, size);
    if (ms->numa_state && ms->numa_state->num_nodes) {
        qemu_fdt_setprop_cell(fdt, memory, "numa-node-id", 0);
    }

    qemu_fdt_add_subnode(fdt, node);
    qemu_fdt_setprop_string(fdt, node, "compatible", "restricted-dma-pool");
    qemu_fdt_setprop_sized_cells(fdt, node, "reg", 2, base, 2, size);
    qemu_fdt_setprop_cell(fdt, node, "phandle", phandle);
    if (restricted_dma_pool_is_default(pool)) {
        qemu_fdt_setprop(fdt, node, "linux,dma-default", NULL, 0);
    }
    return phandle;
}

/* The names of the memory nodes of @fdt, last first */
static GSList *memory_nodes(const void *fdt)
{
    GSList *names = NULL;
    int node;

    fdt_for_each_subnode(node, fdt, 0) {
        const char *type = fdt_getprop(fdt, node, "device_type", NULL);

        if (!g_strcmp0(type, "memory")) {
            names = g_slist_prepend(names,
                                    (char *)fdt_get_name(fdt, node, NULL));
        }
    }
    return names;
}

/*
 * libfdt puts a new node before its siblings, and U-Boot takes the first memory
 * node for RAM: make the machine's nodes, those of @old, the first ones again.
 */
static void put_ram_first(void *fdt, const void *old)
{
    g_autoptr(GSList) names = memory_nodes(old);

    for (GSList *l = names; l; l = l->next) {
        g_autofree char *path = g_strconcat("/", l->data, NULL);
        int node = fdt_path_offset(old, path);
        int prop;

        qemu_fdt_nop_node(fdt, path);
        qemu_fdt_add_subnode(fdt, path);
        fdt_for_each_property_offset(prop, old, node) {
            const char *name;
            int len;
            const void *value = fdt_getprop_by_offset(old, prop, &name, &len);

            qemu_fdt_setprop(fdt, path, name, value, len);
        }
    }
}

static void add_pci_function(const PoolUsers *users, PCIDevice *dev)
{
    g_autofree char *node =
        g_strdup_printf("%s/virtio@%x,%x", users->pci_node,
                        PCI_SLOT(dev->devfn), PCI_FUNC(dev->devfn));

    qemu_fdt_add_subnode(users->fdt, node);
    qemu_fdt_setprop_cells(users->fdt, node, "reg",
                           dev->devfn << 8, 0, 0, 0, 0);
    qemu_fdt_setprop_cell(users->fdt, node, "memory-region", users->phandle);
}

/* The board has made a node for each transport: find it by its address. */
static void name_mmio_pool(const PoolUsers *users, SysBusDevice *dev)
{
    void *fdt = users->fdt;
    int node = -1;

    while ((node = fdt_node_offset_by_compatible(fdt, node,
                                                 "virtio,mmio")) >= 0) {
        int len;
        const void *reg = fdt_getprop(fdt, node, "reg", &len);

        if (reg && len >= sizeof(uint64_t) &&
            ldq_be_p(reg) == dev->mmio[0].addr) {
            int ret = fdt_setprop_u32(fdt, node, "memory-region",
                                      users->phandle);

            assert(!ret);
            return;
        }
    }
}

static void add_user(DeviceState *dev, void *opaque)
{
    const PoolUsers *users = opaque;
    BusState *bus = qdev_get_parent_bus(dev);

    if (bus == BUS(users->root)) {
        add_pci_function(users, PCI_DEVICE(dev));
    } else if (object_dynamic_cast(OBJECT(bus->parent), TYPE_VIRTIO_MMIO)) {
        name_mmio_pool(users, SYS_BUS_DEVICE(bus->parent));
    }
}

void restricted_dma_build_fdt(const MachineState *ms, void *fdt, PCIBus *root,
                              const char *pci_node)
{
    g_autoptr(GSList) pools = restricted_dma_pools_list();
    g_autofree void *old = NULL;

    if (!pools) {
        return;
    }
    old = g_memdup2(fdt, fdt_totalsize(fdt));
    add_reserved_memory(fdt);
    for (GSList *l = pools; l; l = l->next) {
        PoolUsers users = {
            .fdt = fdt,
            .root = root,
            .pci_node = pci_node,
            .phandle = add_pool(ms, fdt, l->data),
        };

        restricted_dma_pool_foreach_device(l->data, add_user, &users);
    }
    put_ram_first(fdt, old);
}
