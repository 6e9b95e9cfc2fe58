/*
 * Restricted DMA pools: a virtio driver that does what the test says
 *
 * libqos refuses to do what a broken or hostile driver does: it asserts that
 * negotiation succeeds and allocates rings in RAM.  Here the test decides on
 * each status, each feature and each address.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_DRIVER_H
#define TESTS_RESTRICTED_DMA_DRIVER_H

#include "guest.h"
#include "qemu/bitops.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_mmio.h"
#include "standard-headers/linux/virtio_pci.h"

/* Provisional numbers, stated once for all tests */
#define RDP_F_RESTRICTED_DMA    45
#define RDP_COMMON_ADDR         0x40
#define RDP_COMMON_SIZE         0x48
#define RDP_MMIO_ADDR           0x0d0
#define RDP_MMIO_SIZE           0x0d8

#define RDP_FEATURES            (BIT_ULL(VIRTIO_F_VERSION_1) | \
                                 BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | \
                                 BIT_ULL(RDP_F_RESTRICTED_DMA))

/* Options of the one device of a test, and the slot that they give it */
#define RDP_SLOT                4
#define RDP_DEV0                "id=dev0,addr=4"
#define RDP_CONFINED            RDP_DEV0 ",restricted-dma-pool=poola"

typedef struct RdpDevice {
    RdpGuest *guest;
    const char *id;
    uint64_t mmio;              /* registers of virtio-mmio; 0: it is PCI */
    QPCIDevice *pci;
    QPCIBar bar;                /* all virtio structures are in one BAR ... */
    QPCIBar notify_bar;         /* ... but this one */
    uint32_t common;
    uint32_t notify;
    uint32_t notify_multiplier;
    uint32_t isr;
} RdpDevice;

/* Start @machine with one device, whose options contain RDP_DEV0 */
RdpGuest *rdp_start_device(RdpDevice *dev, const char *machine,
                           const char *devices, ...) G_GNUC_PRINTF(3, 4);
/* Map the BARs of the device in @slot and let it master the bus */
void rdp_device_init(RdpDevice *dev, RdpGuest *guest, unsigned slot,
                     const char *id);
/* The same for any function; @devfn has the number of its bus above bit 8 */
void rdp_device_init_at(RdpDevice *dev, RdpGuest *guest, int devfn,
                        const char *id);
/* Give bus @secondary, behind the bridge in @slot, windows as firmware would */
void rdp_bridge_init(RdpGuest *guest, unsigned slot, unsigned secondary);
/* The address of transport @n of virtio-mmio on rdp_mmio_machine() */
uint64_t rdp_transport(unsigned n);
/* Find the device on that transport; no register of it is written */
void rdp_device_init_mmio(RdpDevice *dev, RdpGuest *guest, unsigned n,
                          const char *id);
/* Where its configuration space is in memory, which the bus makes so */
uint64_t rdp_config_space(RdpDevice *dev);
/* Turn bus mastering of PCI on or off */
void rdp_set_master(RdpDevice *dev, bool on);
/* Power management of PCI: 0 for D0, 3 for D3hot */
void rdp_set_power_state(RdpDevice *dev, uint16_t state);
void rdp_device_cleanup(RdpDevice *dev);
/* The same, and stop its guest */
void rdp_device_stop(RdpDevice *dev);

/* Access a field of the common configuration, or what virtio-mmio has for it */
uint32_t rdp_common_readl(RdpDevice *dev, unsigned reg);
void rdp_common_writew(RdpDevice *dev, unsigned reg, uint16_t value);
void rdp_common_writel(RdpDevice *dev, unsigned reg, uint32_t value);
uint8_t rdp_status(RdpDevice *dev);
void rdp_set_status(RdpDevice *dev, uint8_t status);
void rdp_reset(RdpDevice *dev);
uint8_t rdp_isr(RdpDevice *dev);

uint64_t rdp_offered(RdpDevice *dev);
void rdp_accept(RdpDevice *dev, uint64_t features);
void rdp_accept_half(RdpDevice *dev, unsigned half, uint32_t features);
/* Reset and negotiate; returns whether FEATURES_OK was kept */
bool rdp_negotiate(RdpDevice *dev, uint64_t features);
void rdp_driver_ok(RdpDevice *dev);

/* Whether the device asks for a reset */
bool rdp_needs_reset(RdpDevice *dev);
void rdp_wait_needs_reset(RdpDevice *dev);

#endif
