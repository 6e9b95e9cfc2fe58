/*
 * Restricted DMA pools: a guest with one device that a back end serves
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "vhost.h"

/* Another feature of the protocol: regions come one by one */
#define MEM_SLOTS       BIT_ULL(15)
#define PACKED          BIT_ULL(VIRTIO_F_RING_PACKED)

/* Options of a device whose back end is chr0 */
#define BLK     "-device vhost-user-blk-pci,chardev=chr0,num-queues=1,"
#define NET     "-netdev vhost-user,id=net0,chardev=chr0 " \
                "-device virtio-net-pci,netdev=net0,"

const RdpVhostVariant rdp_vhost_variants[RDP_VHOST_VARIANTS] = {
    { "blk/split", BLK, 0, RDP_VHOST_PROTOCOL },
    { "blk/packed", BLK, PACKED, RDP_VHOST_PROTOCOL },
    { "blk/slots", BLK, 0, RDP_VHOST_PROTOCOL | MEM_SLOTS },
    { "net/split", NET, 0, RDP_VHOST_PROTOCOL },
    { "net/packed", NET, PACKED, RDP_VHOST_PROTOCOL | MEM_SLOTS },
};

static void start_with(RdpVhost *v, const RdpVhostVariant *variant,
                       char *(*get_chardev)(RdpBackEnd *be, const char *id))
{
    g_autofree char *chardev = NULL;

    v->variant = variant;
    v->be = rdp_back_end_new(variant->protocol);
    chardev = get_chardev(v->be, "chr0");
    v->guest = rdp_start_device(&v->dev, rdp_machine(), "%s %spacked=on,"
                                RDP_CONFINED, chardev, variant->device);
}

static bool is_for(const RdpVhostTest *test, const RdpVhostVariant *variant)
{
    return !(test->split && variant->features & PACKED) &&
           !(test->pc && rdp_has_device_tree());
}

void rdp_vhost_add_tests(const char *group, const RdpVhostTest *tests,
                         unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        for (int j = 0; j < RDP_VHOST_VARIANTS; j++) {
            const RdpVhostVariant *variant = &rdp_vhost_variants[j];

            if (is_for(&tests[i], variant)) {
                rdp_add_test(tests[i].func, variant, "restricted-dma/%s/%s/%s",
                             group, tests[i].name, variant->name);
            }
        }
    }
}

void rdp_vhost_start(RdpVhost *v, const RdpVhostVariant *variant)
{
    start_with(v, variant, rdp_back_end_chardev_once);
}

void rdp_vhost_start_reconnecting(RdpVhost *v, const RdpVhostVariant *variant)
{
    start_with(v, variant, rdp_back_end_chardev);
}

void rdp_vhost_stop(RdpVhost *v)
{
    rdp_device_stop(&v->dev);
    rdp_back_end_free(v->be);
}

void rdp_vhost_run(RdpVhost *v)
{
    unsigned before = rdp_back_end_requests(v->be, RDP_VHOST_SET_VRING_KICK);

    rdp_setup(&v->dev, &v->ring, 0, RDP_FEATURES | v->variant->features);
    rdp_back_end_wait(v->be, RDP_VHOST_SET_VRING_KICK, before);
}
