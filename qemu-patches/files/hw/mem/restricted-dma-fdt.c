/*
 * Device tree description of restricted DMA pools
 *
 * From here, a guest that boots a kernel directly, without UEFI, learns of its
 * pools.  Each is a child of /reserved-memory.  It is a memory node as well,
 * because Linux maps reserved memory only if it is memory.  A device names its
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

    if (!pools) {
        return;
    }
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
}
