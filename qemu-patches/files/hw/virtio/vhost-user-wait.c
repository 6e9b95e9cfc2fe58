/*
 * How long QEMU waits for a vhost-user back end
 *
 * QEMU waits for the answer to what it asks of a back end, and nothing else
 * goes on meanwhile, neither the monitor nor a vCPU that needs the BQL.  Some
 * back ends read no message while there are requests in a queue, so a driver
 * that adds them faster than they are finished can make QEMU wait for ever.
 *
 * So there is an allowance for the back end of a confined device.  Waiting
 * takes from it, and time gives it back, at a twentieth of the speed.  A back
 * end that uses it up loses its connection, and gets no other until the
 * allowance is whole again.  QEMU thus waits for VHOST_USER_WAIT_MS at once,
 * and in the long run for a twentieth of the time, also if the back end sends
 * byte by byte.
 *
 * While the machine is paused there is no limit.  Its driver can do nothing
 * then, and a disk that is being migrated has to finish what it has begun.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "chardev/char-fe.h"
#include "qemu/timer.h"
#include "system/runstate.h"
#include "vhost-user-wait.h"

#define VHOST_USER_WAIT_MS      5000
#define VHOST_USER_WAIT_SHARE   20

/* Is the machine where only an administrator, or a migration, put it? */
static bool vhost_user_wait_is_paused(void)
{
    switch (runstate_get()) {
    case RUN_STATE_RUNNING:
    case RUN_STATE_SUSPENDED:
    case RUN_STATE_SHUTDOWN:
    case RUN_STATE_GUEST_PANICKED:
    case RUN_STATE_IO_ERROR:
    case RUN_STATE_INTERNAL_ERROR:
    case RUN_STATE_WATCHDOG:
        return false;
    default:
        return true;
    }
}

void vhost_user_wait_begin(VhostUserState *user)
{
    VhostUserWait *wait = &user->wait;
    int64_t deadline = 0;

    wait->start = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
    if (user->confined && !vhost_user_wait_is_paused()) {
        int64_t used = MAX(wait->whole - wait->start, 0) /
                       VHOST_USER_WAIT_SHARE;

        deadline = wait->start + MAX(VHOST_USER_WAIT_MS - used, 0);
    }
    qemu_chr_fe_set_deadline(user->chr, deadline);
    wait->deadline = deadline;
}

bool vhost_user_wait_end(VhostUserState *user, bool failed)
{
    VhostUserWait *wait = &user->wait;
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);

    qemu_chr_fe_set_deadline(user->chr, 0);
    if (!wait->deadline) {
        return false;
    }
    wait->whole = MAX(wait->whole, wait->start) +
                  (now - wait->start) * VHOST_USER_WAIT_SHARE;
    if (!failed || now < wait->deadline) {
        return false;
    }
    wait->too_long = true;
    qemu_chr_fe_disconnect(user->chr);
    return true;
}

bool vhost_user_may_connect(VhostUserState *user)
{
    VhostUserWait *wait = &user->wait;

    if (wait->too_long &&
        qemu_clock_get_ms(QEMU_CLOCK_REALTIME) >= wait->whole) {
        wait->too_long = false;
    }
    return !wait->too_long;
}
