/*
 * Device tree description of restricted DMA pools
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_MEM_RESTRICTED_DMA_FDT_H
#define HW_MEM_RESTRICTED_DMA_FDT_H

#include "hw/boards.h"
#include "hw/pci/pci.h"

/**
 * restricted_dma_build_fdt: describe pools and the devices attached to them
 * @ms: the machine
 * @fdt: device tree with two cells each for addresses and sizes at its root,
 *       the node @pci_node, and nodes of the virtio-mmio transports
 * @root: the bus that @pci_node describes
 * @pci_node: path of the node of a PCI host bridge
 *
 * Follows the bindings reserved-memory/shared-dma-pool.yaml
 * (restricted-dma-pool) and pci-bus.  Each pool is a memory node as well, in
 * the first NUMA node if there are several, so that what boots from the tree
 * maps it like RAM.  Memory nodes that @fdt already has stay the first ones.
 * Never give such a tree to firmware that gives memory away without looking at
 * /reserved-memory.
 *
 * Devices that are not on @root, or are plugged later, are not in the tree and
 * name their pool by themselves.  Without a pool, @fdt does not change.
 *
 * Context: all devices of the command line exist.
 */
void restricted_dma_build_fdt(const MachineState *ms, void *fdt, PCIBus *root,
                              const char *pci_node);

#endif
