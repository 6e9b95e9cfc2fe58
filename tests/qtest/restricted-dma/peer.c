/*
 * Restricted DMA pools: a socket whose other end is a back end of QEMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/sockets.h"
#include "peer.h"

int rdp_peer_new(int *fd_qemu)
{
    struct timeval timeout = { .tv_sec = 60 };
    int sv[2];

    g_assert_cmpint(socketpair(PF_UNIX, SOCK_STREAM, 0, sv), ==, 0);
    g_assert_cmpint(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &timeout,
                               sizeof(timeout)), ==, 0);
    *fd_qemu = sv[1];
    return sv[0];
}

void rdp_peer_send(int peer, const void *data, size_t len)
{
    g_assert_cmpint(send(peer, data, len, 0), ==, len);
}

void rdp_peer_assert_received(int peer, const void *expected, size_t len)
{
    g_autofree uint8_t *buf = g_malloc(len);

    g_assert_cmpint(recv(peer, buf, len, MSG_WAITALL), ==, len);
    g_assert_cmpmem(buf, len, expected, len);
}

void rdp_peer_assert_silent(int peer)
{
    uint8_t byte;

    g_assert_cmpint(recv(peer, &byte, sizeof(byte), MSG_DONTWAIT), ==, -1);
}

void rdp_peer_drain(int peer)
{
    uint8_t buf[0x1000];

    while (recv(peer, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
        /* nobody listens */
    }
}
