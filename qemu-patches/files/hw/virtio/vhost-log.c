/*
 * Messages that a driver or a vhost back end can cause
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "hw/mem/restricted-dma-log.h"
#include "hw/virtio/vhost-log.h"

static void G_GNUC_PRINTF(2, 0)
vhost_vreport(RestrictedDMALog *messages, const char *fmt, va_list ap)
{
    if (!messages || restricted_dma_log_admit(messages)) {
        error_vreport(fmt, ap);
    }
}

void vhost_report(const struct vhost_dev *dev, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vhost_vreport(dev->messages, fmt, ap);
    va_end(ap);
}

void vhost_user_report(VhostUserState *user, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vhost_vreport(&user->messages, fmt, ap);
    va_end(ap);
}
