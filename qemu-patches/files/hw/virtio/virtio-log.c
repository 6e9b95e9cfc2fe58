/*
 * Messages that a driver can cause
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "hw/virtio/virtio-log.h"
#include "hw/virtio/virtio-restricted-dma.h"

static bool virtio_log_admit(VirtIODevice *vdev)
{
    return !virtio_dma_is_restricted(vdev) ||
           restricted_dma_log_admit(&vdev->restricted_dma->log);
}

void virtio_vreport(VirtIODevice *vdev, const char *fmt, va_list ap)
{
    if (virtio_log_admit(vdev)) {
        error_vreport(fmt, ap);
    }
}

void virtio_report(VirtIODevice *vdev, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    virtio_vreport(vdev, fmt, ap);
    va_end(ap);
}

void virtio_warn(VirtIODevice *vdev, const char *fmt, ...)
{
    va_list ap;

    if (virtio_log_admit(vdev)) {
        va_start(ap, fmt);
        warn_vreport(fmt, ap);
        va_end(ap);
    }
}
