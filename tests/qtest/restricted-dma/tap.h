/*
 * Restricted DMA pools: a network interface with two queues
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_TAP_H
#define TESTS_RESTRICTED_DMA_TAP_H

/*
 * Open a queue of the interface with each of @fds, which the caller closes.
 * The interface is in a network namespace of its own, so that this needs no
 * privilege; returns false if the host allows none or has no tap devices.
 */
bool rdp_tap_new(int fds[2]);

#endif
