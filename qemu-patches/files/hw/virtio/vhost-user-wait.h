/*
 * How long QEMU waits for a vhost-user back end
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_VIRTIO_VHOST_USER_WAIT_H
#define HW_VIRTIO_VHOST_USER_WAIT_H

#include "hw/virtio/vhost-user.h"

/**
 * vhost_user_wait_begin: before a message is written or read
 * @user: the connection
 *
 * Makes qemu_chr_fe_write_all() and qemu_chr_fe_read_all() end in time if
 * waiting for the back end is limited.
 *
 * Context: BQL.
 */
void vhost_user_wait_begin(VhostUserState *user);

/**
 * vhost_user_wait_end: after it
 * @user: the connection
 * @failed: whether the message could not be written or read
 *
 * Closes the connection if that took too long.
 *
 * Returns: whether it did.
 *
 * Context: BQL.
 */
bool vhost_user_wait_end(VhostUserState *user, bool failed);

#endif
