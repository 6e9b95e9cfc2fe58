/*
 * Restricted DMA pools: MSI-X messages, which go to RAM
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_MSIX_H
#define TESTS_RESTRICTED_DMA_MSIX_H

#include "ring.h"

/*
 * From reset to DRIVER_OK with MSI-X and one split ring.  The message of each
 * vector goes to a word of its own in RAM.  @config is the vector for changes
 * of the configuration, or VIRTIO_MSI_NO_VECTOR; @queue is that of the ring.
 */
void rdp_msix_setup(RdpDevice *dev, RdpRing *ring, uint16_t config,
                    uint16_t queue);
/* Whether the message of @vector has arrived */
bool rdp_msix_arrived(RdpDevice *dev, uint16_t vector);
/* Take the message into the snapshot of RAM, where nothing else may change */
void rdp_msix_expect(RdpDevice *dev, uint16_t vector);
/* Stop the guest with its device */
void rdp_msix_stop(RdpDevice *dev);

#endif
