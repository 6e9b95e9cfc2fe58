/*
 * Restricted DMA pools: a network interface with two queues
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/units.h"
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include "tap.h"

#define STACK_SIZE  (64 * KiB)

static int open_queue(void)
{
    struct ifreq request = {
        .ifr_name = "tap0",
        .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE,
    };
    int fd = open("/dev/net/tun", O_RDWR);

    if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int open_queues(void *opaque)
{
    int *fds = opaque;

    fds[0] = open_queue();
    fds[1] = open_queue();
    return 0;
}

bool rdp_tap_new(int fds[2])
{
    g_autofree char *stack = g_malloc(STACK_SIZE);
    unsigned i;
    pid_t pid;

    fds[0] = fds[1] = -1;
    /* A process in other namespaces, with our memory and our files */
    pid = clone(open_queues, stack + STACK_SIZE,
                CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_NEWUSER |
                CLONE_NEWNET | SIGCHLD, fds);
    if (pid < 0) {
        return false;
    }
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
    if (fds[0] >= 0 && fds[1] >= 0) {
        return true;
    }
    for (i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    return false;
}
