/*
 * Messages that a driver can cause
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_VIRTIO_LOG_H
#define HW_VIRTIO_LOG_H

#include "hw/virtio/virtio.h"

/**
 * virtio_report: error_report() for what a driver can cause
 * @vdev: the device that the driver drives
 * @fmt: printf() style; no newline at the end
 *
 * A device with a restricted-dma-pool reports a few messages in each interval
 * and counts the others, so that its driver cannot fill the log.  Messages of
 * use only to those who write drivers belong into qemu_log_mask() with
 * LOG_GUEST_ERROR instead, which is off by default and has no limit.
 *
 * Context: any thread.
 */
void virtio_report(VirtIODevice *vdev, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3);
void virtio_vreport(VirtIODevice *vdev, const char *fmt, va_list ap)
    G_GNUC_PRINTF(2, 0);

/* The same for warn_report(); both share the limit. */
void virtio_warn(VirtIODevice *vdev, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3);

#endif
