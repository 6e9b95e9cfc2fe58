/*
 * Restricted DMA pools: a socket whose other end is a back end of QEMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_PEER_H
#define TESTS_RESTRICTED_DMA_PEER_H

/* Returns the test's end and gives QEMU's; the caller closes both */
int rdp_peer_new(int *fd_qemu);
void rdp_peer_send(int peer, const void *data, size_t len);
/* These bytes arrive, sooner or later ... */
void rdp_peer_assert_received(int peer, const void *expected, size_t len);
/* ... and no byte has arrived behind those that were received */
void rdp_peer_assert_silent(int peer);
/* Drop all that has arrived */
void rdp_peer_drain(int peer);

#endif
