/*
 * Restricted DMA pools: the registers of a device through configuration space
 *
 * A driver reaches them here even when the BARs are not mapped.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_CONFIG_WINDOW_H
#define TESTS_RESTRICTED_DMA_CONFIG_WINDOW_H

#include "ring.h"

/* The capability that is the window */
uint8_t rdp_window_find(RdpDevice *dev);

uint32_t rdp_window_readl(RdpDevice *dev, uint8_t cap, unsigned reg);
void rdp_window_set_status(RdpDevice *dev, uint8_t cap, uint8_t status);
/* Notify the device of queue 0 */
void rdp_window_kick(RdpDevice *dev, uint8_t cap);
/* All that a driver does before its first request, and the notification */
void rdp_window_start(RdpRing *ring, uint8_t cap);

#endif
