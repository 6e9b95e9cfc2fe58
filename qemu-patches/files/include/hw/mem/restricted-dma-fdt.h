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
 * restricted_dma_build_fdt: describe the pools, and the devices that name one
 * @ms: the machine
 * @fdt: device tree with two cells for addresses and sizes at the root, the
 *       node @pci_node, and nodes of the virtio-mmio transports
 * @root: the bus that @pci_node describes
 * @pci_node: path of the node of a PCI host bridge
 *
 * Follows the bindings reserved-memory/shared-dma-pool.yaml
 * (restricted-dma-pool) and pci-bus.  The pools are memory of the tree, too:
 * what boots from it has to map them like RAM, of the first node if there are
 * several.  Firmware that gives memory away without a look at /reserved-memory
 * must not be given such a tree.
 *
 * Without a pool @fdt does not change.  Context: all devices of the command
 * line exist; those that are plugged later find their pool without the tree,
 * as do devices that are not on @root.
 */
void restricted_dma_build_fdt(const MachineState *ms, void *fdt, PCIBus *root,
                              const char *pci_node);

#endif
