/*
 * Restricted DMA pools: virtio-input
 *
 * Events come through QMP, and LEDs go nowhere.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qobject/qjson.h"
#include "standard-headers/linux/input.h"
#include "standard-headers/linux/virtio_input.h"
#include "restricted-dma/host.h"
#include "restricted-dma/request.h"

typedef struct Input {
    const char *event;      /* as QMP wants it */
    uint16_t type, code;    /* as Linux has it */
    uint32_t value;
    unsigned count;         /* with those that follow from it */
} Input;

static const Input key = {
    "{'type': 'key', 'data': {'down': true,"
    " 'key': {'type': 'qcode', 'data': 'a'}}}", EV_KEY, KEY_A, 1, 2,
};
static const Input move = {
    "{'type': 'rel', 'data': {'axis': 'x', 'value': 7}}", EV_REL, REL_X, 7, 2,
};
static const Input point = {
    "{'type': 'abs', 'data': {'axis': 'x', 'value': 4711}}",
    EV_ABS, ABS_X, 4711, 2,
};
static const Input touch = {
    "{'type': 'mtt', 'data': {'type': 'begin', 'slot': 3, 'tracking-id': 5,"
    " 'axis': 'x', 'value': 0}}", EV_ABS, ABS_MT_SLOT, 3, 3,
};

static void fill(RdpClient *c)
{
    const Input *input = c->request->data;
    unsigned i;

    for (i = 0; i < input->count; i++) {
        rdp_client_add(c, NULL, sizeof(struct virtio_input_event));
    }
}

static void act(RdpClient *c)
{
    const Input *input = c->request->data;
    QObject *event = qobject_from_json(input->event, &error_abort);

    qtest_qmp_assert_success(c->guest->qts, "{'execute': 'input-send-event',"
                             " 'arguments': {'events': [ %p ]}}", event);
}

static void check(RdpClient *c)
{
    const Input *input = c->request->data;
    const struct virtio_input_event expected = {
        .type = cpu_to_le16(input->type),
        .code = cpu_to_le16(input->code),
        .value = cpu_to_le32(input->value),
    };

    rdp_client_assert_result(c, 0, &expected, sizeof(expected));
}

static void fill_status(RdpClient *c)
{
    const struct virtio_input_event led = {
        .type = cpu_to_le16(EV_LED),
        .code = cpu_to_le16(LED_CAPSL),
        .value = cpu_to_le32(1),
    };

    rdp_client_add(c, &led, sizeof(led));
}

enum { KEYBOARD, MOUSE, TABLET, MULTITOUCH, STATUS };

static const RdpRequest requests[] = {
    [KEYBOARD] = { "input/keyboard", "virtio-keyboard-pci,packed=on", "",
      .data = &key,
      .fill = fill, .act = act, .check = check, .chain_each = true },
    [MOUSE] = { "input/mouse", "virtio-mouse-pci", "", .data = &move,
      .fill = fill, .act = act, .check = check, .chain_each = true },
    [TABLET] = { "input/tablet", "virtio-tablet-pci", "", .data = &point,
      .fill = fill, .act = act, .check = check, .chain_each = true },
    [MULTITOUCH] = { "input/multitouch", "virtio-multitouch-pci", "",
      .data = &touch, .fill = fill, .act = act, .check = check,
      .chain_each = true },
    [STATUS] = { "input/status", "virtio-keyboard-pci", "", .queue = 1,
      .fill = fill_status },
};

/* Events for which there is no room leave nothing behind */
static void test_room(void)
{
    RdpClient c = { .features = BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) };
    RdpBuf bufs[1024];
    int64_t before;
    unsigned i;

    rdp_client_start(&c, &requests[KEYBOARD], "");
    rdp_client_setup(&c);
    for (i = 0; i < ARRAY_SIZE(bufs); i++) {
        bufs[i] = (RdpBuf) { RDP_BUF(c.guest, 0), 8, true };
    }
    rdp_ring_add(&c.ring, bufs, ARRAY_SIZE(bufs), c.guest->base + RDP_TABLE);
    rdp_ring_kick(&c.ring);
    rdp_client_act(&c);

    before = rdp_memory(c.guest->qts, "VmData");
    for (i = 0; i < 2000; i++) {
        rdp_client_act(&c);
    }
    g_assert_cmpint(rdp_memory(c.guest->qts, "VmData") - before, <,
                    8 * MiB);       /* not 48 */
    g_assert_cmpuint(rdp_ring_used(&c.ring), ==, 0);
    rdp_client_assert_served(&c);
    rdp_device_stop(&c.dev);
}

/* A driver must not add anything to the event queue that the device reads */
static void test_readable(const void *packed)
{
    RdpBuf bufs[2];
    RdpClient c = { };
    RdpRing ring;

    rdp_client_start(&c, &requests[KEYBOARD], "");
    rdp_setup(&c.dev, &ring, 0, RDP_FEATURES |
              (packed ? BIT_ULL(VIRTIO_F_RING_PACKED) : 0));
    bufs[0] = (RdpBuf) { RDP_BUF(c.guest, 0), 8, false };
    bufs[1] = (RdpBuf) { RDP_BUF(c.guest, 1), 8, true };
    rdp_ring_add(&ring, bufs, 2, RDP_NO_TABLE);
    rdp_ring_submit(&ring, bufs, 2);
    rdp_client_act(&c);
    rdp_wait_needs_reset(&c.dev);
    g_assert_cmpuint(rdp_ring_used(&ring), ==, 0);
    rdp_client_assert_served(&c);
    rdp_device_stop(&c.dev);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    rdp_add_requests(requests, ARRAY_SIZE(requests));
    if (qtest_has_device("virtio-keyboard-pci")) {
        qtest_add_func("/restricted-dma/input/room", test_room);
        qtest_add_data_func("/restricted-dma/input/readable/split", NULL,
                            test_readable);
        qtest_add_data_func("/restricted-dma/input/readable/packed", "packed",
                            test_readable);
    }
    return g_test_run();
}
