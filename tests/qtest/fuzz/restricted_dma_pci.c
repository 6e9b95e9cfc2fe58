/*
 * Restricted DMA pools: what the driver of the fuzzer does to a PCI function
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "fuzz.h"
#include "restricted_dma_fuzz.h"

#define MEMORY  PCI_COMMAND_MEMORY
#define MASTER  PCI_COMMAND_MASTER

void rdp_step_bus_master(RdpInput *in, RdpFuzzDriver *driver)
{
    uint8_t how = rdp_take(in, 1);

    switch (how % 4) {
    case 0:
        rdp_fuzz_configure(driver, MEMORY);
        break;
    case 1:
        rdp_fuzz_configure(driver, MEMORY | MASTER);
        break;
    default:
        /* Off and on again; how many times leaves something behind */
        for (how = how / 4 % 16; how; how--) {
            qpci_config_writew(driver->dev.pci, PCI_COMMAND, MEMORY);
            qpci_config_writew(driver->dev.pci, PCI_COMMAND, MEMORY | MASTER);
        }
    }
}

/* D0, D3hot, or a state that the function does not have */
void rdp_step_power(RdpInput *in, RdpFuzzDriver *driver)
{
    if (driver->pm_cap) {
        qpci_config_writew(driver->dev.pci, driver->pm_cap + PCI_PM_CTRL,
                           -rdp_take(in, 1) & PCI_PM_CTRL_STATE_MASK);
    }
}

/* All that is left of the function afterwards is up to the next steps */
void rdp_step_function_reset(RdpInput *in, RdpFuzzDriver *driver)
{
    if (!driver->exp_cap) {
        return;
    }
    qpci_config_writew(driver->dev.pci, driver->exp_cap + PCI_EXP_DEVCTL,
                       PCI_EXP_DEVCTL_BCR_FLR);
    driver->at_rest = true;
    if (rdp_take(in, 1) & 1) {
        rdp_fuzz_configure(driver, MEMORY);
    }
}

void rdp_step_bus_reset(RdpInput *in, RdpFuzzDriver *driver)
{
    QPCIDevice *port = rdp_fuzz.ports[driver - rdp_fuzz.drivers];

    qpci_config_writew(port, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_BUS_RESET);
    qpci_config_writew(port, PCI_BRIDGE_CONTROL, 0);
    driver->at_rest = true;
    if (rdp_take(in, 1) & 1) {
        rdp_fuzz_configure(driver, MEMORY);
    }
}

/* As after a reset, with or without bus mastering, in D0 */
void rdp_step_configure(RdpInput *in, RdpFuzzDriver *driver)
{
    uint8_t how = rdp_take(in, 1);

    if (driver->pm_cap && !(how & 2)) {
        qpci_config_writew(driver->dev.pci, driver->pm_cap + PCI_PM_CTRL, 0);
    }
    rdp_fuzz_configure(driver, how & 1 ? MEMORY : MEMORY | MASTER);
}

/* Registers through configuration space; a doorbell if it is zeros */
void rdp_step_cfg_window(RdpInput *in, RdpFuzzDriver *driver)
{
    static const uint8_t lengths[] = { 2, 1, 4, 3, 0, 8 };
    QPCIDevice *pci = driver->dev.pci;
    uint8_t what = rdp_take(in, 1), cap = driver->cfg_cap;
    uint32_t offset = what ? rdp_take(in, 2)
                           : driver->dev.notify + rdp_take(in, 1) %
                             driver->n_rings * driver->dev.notify_multiplier;
    uint32_t data = rdp_take(in, 4);
    bool fenced;

    if (!cap) {
        return;
    }
    qpci_config_writeb(pci, cap + VIRTIO_PCI_CAP_BAR,
                       what >= 0xf0 ? rdp_take(in, 1) : RDP_FUZZ_BAR);
    qpci_config_writel(pci, cap + VIRTIO_PCI_CAP_OFFSET, offset);
    qpci_config_writel(pci, cap + VIRTIO_PCI_CAP_LENGTH,
                       lengths[what / 2 % ARRAY_SIZE(lengths)]);
    cap += sizeof(struct virtio_pci_cap);
    fenced = rdp_fuzz_fence();
    if (what & 0x80) {
        qpci_config_readl(pci, cap);
    } else {
        qpci_config_writel(pci, cap, data);
    }
    rdp_fuzz_unfence(fenced);
}

/* Anything behind the header, which has what the driver lives on */
void rdp_step_config_space(RdpInput *in, RdpFuzzDriver *driver)
{
    unsigned offset = PCI_STD_HEADER_SIZEOF +
                      rdp_take(in, 1) % (PCI_CFG_SPACE_SIZE -
                                         PCI_STD_HEADER_SIZEOF - 4);

    qpci_config_writel(driver->dev.pci, offset, rdp_take(in, 4));
}
