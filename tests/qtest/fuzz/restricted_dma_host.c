/*
 * Restricted DMA pools: what happens on the host while a driver is fuzzed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "chardev/char.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-net.h"
#include "qapi/qapi-commands-restricted-dma.h"
#include "qapi/qapi-commands-virtio.h"
#include "qom/object.h"
#include "system/cryptodev.h"
#include "system/runstate.h"
#include "ui/console.h"
#include "ui/input.h"
#include "fuzz.h"
#include "restricted_dma_fuzz.h"

#define SESSIONS    256     /* of cryptodev-backend-builtin */

/* Queries; what they answer matters as little as that they fail */

void rdp_step_query_pools(RdpInput *in, RdpFuzzDriver *driver)
{
    qapi_free_RestrictedDMAPoolInfoList(qmp_query_restricted_dma_pools(NULL));
}

void rdp_step_query_status(RdpInput *in, RdpFuzzDriver *driver)
{
    qapi_free_VirtioStatus(qmp_x_query_virtio_status(driver->path, NULL));
}

void rdp_step_query_queue(RdpInput *in, RdpFuzzDriver *driver)
{
    qapi_free_VirtQueueStatus(
        qmp_x_query_virtio_queue_status(driver->path,
                                        rdp_take(in, 1) % RDP_FUZZ_QUEUES,
                                        NULL));
}

void rdp_step_query_element(RdpInput *in, RdpFuzzDriver *driver)
{
    uint16_t queue = rdp_take(in, 1) % RDP_FUZZ_QUEUES;
    bool has_index = rdp_take(in, 1) & 1;
    uint16_t index = rdp_take(in, 2);

    qapi_free_VirtioQueueElement(
        qmp_x_query_virtio_queue_element(driver->path, queue, has_index, index,
                                         NULL));
}

/* Time and the state of the machine */

void rdp_step_clock(RdpInput *in, RdpFuzzDriver *driver)
{
    qtest_clock_step(rdp_fuzz.guest.qts, (1 + rdp_take(in, 1)) * SCALE_MS);
}

/* No processor runs meanwhile, so this is one step */
void rdp_step_pause(RdpInput *in, RdpFuzzDriver *driver)
{
    uint8_t how = rdp_take(in, 1);

    vm_stop(RUN_STATE_PAUSED);
    if (how & 1) {
        rdp_fuzz_run_events();
    }
    vm_start();
}

void rdp_step_host_event(RdpInput *in, RdpFuzzDriver *driver)
{
    if (driver->kind->host_event) {
        driver->kind->host_event(in);
    }
}

/* What makes a device use buffers by itself */

void rdp_fuzz_serial_input(RdpInput *in)
{
    Chardev *chr = qemu_chr_find("con0");
    uint8_t bytes[256] = { };
    int len = 1 + rdp_take(in, 1);

    len = MIN(len, qemu_chr_be_can_write(chr));
    if (len > 0) {
        qemu_chr_be_write(chr, bytes, len);
    }
}

void rdp_fuzz_keyboard(RdpInput *in)
{
    unsigned n = 1 + rdp_take(in, 1) % 32;

    while (n--) {
        qemu_input_event_send_key_qcode(NULL, Q_KEY_CODE_A, n & 1);
    }
}

void rdp_fuzz_resize(RdpInput *in)
{
    QemuConsole *con = qemu_console_lookup_by_index(0);
    QemuUIInfo info = {
        .width = 16 + rdp_take(in, 1) * 16,
        .height = 16 + rdp_take(in, 1) * 16,
    };

    dpy_set_ui_info(con, &info, false);
    graphic_hw_update(con);
}

void rdp_fuzz_set_link(RdpInput *in)
{
    qmp_set_link("net0", rdp_take(in, 1) & 1, NULL);
}

/* What outlives a reset */

void rdp_fuzz_link_up(void)
{
    qmp_set_link("net0", true, NULL);
}

void rdp_fuzz_close_sessions(void)
{
    Object *backend = object_resolve_path_component(object_get_objects_root(),
                                                    "crypto0");
    unsigned i;

    for (i = 0; i < SESSIONS; i++) {
        cryptodev_backend_close_session(CRYPTODEV_BACKEND(backend), i, 0, NULL,
                                        NULL);
    }
}
