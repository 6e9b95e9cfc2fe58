/*
 * Messages that a driver or a vhost back end can cause
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_VIRTIO_VHOST_LOG_H
#define HW_VIRTIO_VHOST_LOG_H

#include "hw/virtio/vhost.h"
#include "hw/virtio/vhost-user.h"

/**
 * vhost_report: error_report() for what a driver or a back end can cause
 * @dev: the back end
 * @fmt: printf() style; no newline at the end
 *
 * The messages about a confined vhost-user back end are limited, apart from
 * those of virtio_report() about its device: a back end is there before its
 * device starts, and after.
 *
 * Context: any thread.
 */
void vhost_report(const struct vhost_dev *dev, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3);

/* The same while there is no vhost_dev yet; both share the limit. */
void vhost_user_report(VhostUserState *user, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3);

#endif
