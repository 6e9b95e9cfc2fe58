/*
 * Restricted DMA pools: devices that hold on to their requests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "holder.h"
#include "peer.h"
#include "tap.h"

#define PORT_SLOT       3
#define BEHIND_PORT     32          /* slot 0 of bus 1 */
#define TRANSPORT       2
#define SLOT_BYTES      0x2000      /* for the buffers of one request */
#define TABLE_BYTES     0x100
#define UNSET           0xee        /* in buffers that the device writes */

uint64_t rdp_area(RdpHolder *h, unsigned area)
{
    return h->base + area * RDP_AREA;
}

uint8_t *rdp_area_mem(RdpHolder *h, unsigned area)
{
    return h->mem + area * RDP_AREA;
}

/* Requests */

uint8_t *rdp_holder_mem(RdpHolder *h, unsigned buf)
{
    return h->mem + (h->bufs[buf].addr - h->base);
}

void rdp_holder_buf(RdpHolder *h, const void *content, uint32_t len)
{
    unsigned i = h->n++;

    g_assert_cmpuint(i, <, RDP_HOLDER_BUFS);
    g_assert_cmpuint(len, <=, RDP_HOLDER_BUF);
    h->bufs[i] = (RdpBuf) { h->place + i * RDP_HOLDER_BUF, len, !content };
    if (content) {
        memcpy(rdp_holder_mem(h, i), content, len);
    } else {
        memset(rdp_holder_mem(h, i), UNSET, len);
    }
}

void rdp_holder_new(RdpHolder *h, const RdpRing *ring, unsigned area)
{
    h->n = 0;
    h->place = rdp_area(h, area) + RDP_AREA_BUFFERS +
               ring->added % RDP_RING_SIZE * SLOT_BYTES;
}

void rdp_holder_lay_out(RdpHolder *h)
{
    rdp_holder_new(h, &h->ring, h->area);
    h->type->fill(h);
}

void rdp_holder_add(RdpHolder *h)
{
    RdpRing *ring = &h->ring;
    unsigned chain, i;
    uint64_t table = RDP_NO_TABLE;

    rdp_holder_lay_out(h);
    chain = h->type->chain_each ? 1 : h->n;
    if (ring->size < RDP_RING_SIZE && chain > 1) {
        table = rdp_area(h, h->area) + RDP_AREA_TABLES +
                ring->added % ring->size * TABLE_BYTES;
    }
    for (i = 0; i < h->n; i += chain) {
        rdp_ring_add(ring, &h->bufs[i], chain, table);
    }
}

void rdp_holder_add_some(RdpHolder *h)
{
    unsigned first = h->ring.next;
    /* One that goes through a socket needs more than fit into that */
    unsigned most = h->type->traits & RDP_SOCKET ? RDP_RING_SIZE : 4;

    do {
        rdp_holder_add(h);
    } while (--most && h->ring.next - first + h->n <= h->ring.size);
}

bool rdp_holder_done(RdpHolder *h)
{
    return rdp_ring_used(&h->ring) == h->ring.added;
}

void rdp_holder_poll(RdpHolder *h)
{
    if (h->type->poll) {
        h->type->poll(h);
    }
}

void rdp_holder_serve(RdpHolder *h)
{
    rdp_holder_add(h);
    rdp_ring_kick(&h->ring);
    RDP_WAIT_FOR((rdp_holder_poll(h), rdp_holder_done(h)));
    if (h->type->check) {
        h->type->check(h);
    }
}

unsigned rdp_holder_in_flight(RdpHolder *h)
{
    g_autofree char *path = g_strdup_printf(
        "/machine/peripheral/dev0%s",
        h->variant->mmio ? "" : "/virtio-backend");
    QDict *info = qtest_qmp_assert_success_ref(
        h->guest->qts, "{'execute': 'x-query-virtio-queue-status',"
        " 'arguments': {'path': %s, 'queue': %d}}", path, h->type->queue);
    unsigned in_use = rdp_get_uint(info, "inuse");

    qobject_unref(info);
    return in_use;
}

bool rdp_holder_all_taken(RdpHolder *h)
{
    const RdpRing *ring = &h->ring;
    unsigned done = rdp_ring_used(&h->ring);
    unsigned in_flight = rdp_holder_in_flight(h);
    unsigned descs = ring->next - ring->heads[done % RDP_RING_SIZE];

    /* Of packed rings, the device counts descriptors */
    return done == ring->added ||
           in_flight == (h->packed ? descs : ring->added - done);
}

void rdp_hold_all(RdpHolder *h)
{
    rdp_holder_add_some(h);
    rdp_ring_kick(&h->ring);
    RDP_WAIT_FOR(rdp_holder_all_taken(h));
}

/* The device takes one request after the other, until one waits */
void rdp_hold_one(RdpHolder *h)
{
    rdp_holder_add_some(h);
    rdp_ring_kick(&h->ring);
    RDP_WAIT_FOR(rdp_holder_in_flight(h) == 1);
}

void rdp_holder_hold(RdpHolder *h)
{
    h->held = true;
    if (h->type->hold) {
        h->type->hold(h);
    } else {
        rdp_holder_add_some(h);
        rdp_ring_kick(&h->ring);
    }
}

void rdp_holder_release(RdpHolder *h)
{
    if (h->held && h->type->release) {
        h->type->release(h);
    }
    h->held = false;
}

/* From the host to the driver */

static void open_folder(RdpHolder *h)
{
    g_autofree char *file = NULL, *fifo = NULL;
    static const uint8_t content[RDP_HOLDER_FILE];

    h->dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);
    g_assert_nonnull(h->dir);
    file = g_build_filename(h->dir, "file", NULL);
    fifo = g_build_filename(h->dir, "fifo", NULL);
    g_assert_true(g_file_set_contents(file, (char *)content, sizeof(content),
                                      NULL));
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    h->fifo = open(fifo, O_RDWR | O_NONBLOCK);
    g_assert_cmpint(h->fifo, >=, 0);
}

static void close_folder(RdpHolder *h)
{
    g_autofree char *file = g_build_filename(h->dir, "file", NULL);
    g_autofree char *fifo = g_build_filename(h->dir, "fifo", NULL);

    close(h->fifo);
    g_unlink(file);
    g_unlink(fifo);
    g_assert_cmpint(g_rmdir(h->dir), ==, 0);
    g_free(h->dir);
}

/* A socket that has room for a few buffers only, before it is read */
static int open_socket(RdpHolder *h)
{
    const int little = 1;
    int fd;

    h->peer = rdp_peer_new(&fd);
    g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &little,
                               sizeof(little)), ==, 0);
    return fd;
}

static char *backend_options(RdpHolder *h, int fd, bool destination)
{
    g_autofree char *numbers = NULL;

    if (h->type->traits & RDP_STOPS) {
        return rdp_failing_disk(!destination);
    }
    if (h->type->traits & RDP_TAP) {
        numbers = g_strdup_printf("%d:%d", h->taps[0], h->taps[1]);
    } else {
        numbers = g_strdup_printf("%d", fd);
    }
    return g_strdup_printf(h->type->backend, h->dir ?: numbers);
}

static char *device_options(RdpHolder *h)
{
    const RdpHolderType *type = h->type;

    if (h->variant->mmio) {
        return g_strdup_printf("-global virtio-mmio.force-legacy=false "
                               "-global virtio-mmio.restricted-dma-pool=poolb "
                               "-device %s-device,id=dev0,packed=on,"
                               "bus=virtio-mmio-bus.%d%s %s", type->device,
                               TRANSPORT, type->properties, type->child);
    }
    return g_strdup_printf("-device pcie-root-port,id=rp,chassis=1,addr=%d "
                           "-object iothread,id=io0 "
                           "-device %s-pci,id=dev0,packed=on,bus=rp,addr=0,"
                           "restricted-dma-pool=poolb%s%s %s", PORT_SLOT,
                           type->device, type->properties,
                           h->variant->properties, type->child);
}

static void start_guest(RdpHolder *h, const RdpMigrationFiles *files)
{
    bool mmio = h->variant->mmio;
    int fd = h->type->traits & RDP_SOCKET ? open_socket(h) : -1;
    g_autofree char *backend = backend_options(h, fd, files);
    g_autofree char *device = device_options(h);
    g_autofree char *options = g_strdup_printf("%s %s", backend, device);

    if (files) {
        h->guest = rdp_start_destination(
            files, mmio ? rdp_mmio_machine() : rdp_machine(), options);
    } else {
        h->guest = rdp_start(mmio ? rdp_mmio_machine() : rdp_machine(), "%s",
                             options);
    }
    if (fd >= 0) {
        close(fd);
    }
}

void rdp_holder_find(RdpHolder *h)
{
    if (h->variant->mmio) {
        rdp_device_init_mmio(&h->dev, h->guest, TRANSPORT, "dev0");
        return;
    }
    g_free(h->dev.pci);
    rdp_bridge_init(h->guest, PORT_SLOT, 1);
    rdp_device_init(&h->dev, h->guest, BEHIND_PORT, "dev0");
}

bool rdp_holder_is_possible(const RdpHolderType *type)
{
    int taps[2];

    if (!(type->traits & RDP_TAP)) {
        return true;
    }
    if (!rdp_tap_new(taps)) {
        return false;
    }
    close(taps[0]);
    close(taps[1]);
    return true;
}

RdpHolder *rdp_holder_start(const RdpHolderType *type,
                            const RdpVariant *variant,
                            const RdpMigrationFiles *files)
{
    RdpHolder *h = g_new0(RdpHolder, 1);

    h->type = type;
    h->variant = variant;
    if (type->traits & RDP_FOLDER) {
        open_folder(h);
    }
    if (type->traits & RDP_TAP) {
        g_assert_true(rdp_tap_new(h->taps));
    }
    start_guest(h, files);
    h->base = h->guest->base + RDP_POOL_SIZE;
    h->mem = h->guest->neighbour.now;
    h->area = 0;
    h->ctrl_area = 2;
    if (!files) {
        rdp_holder_find(h);
    }
    return h;
}

void rdp_holder_stop(RdpHolder *h)
{
    rdp_device_stop(&h->dev);
    if (h->type->traits & RDP_SOCKET) {
        close(h->peer);
    }
    if (h->type->traits & RDP_TAP) {
        close(h->taps[0]);
        close(h->taps[1]);
    }
    if (h->dir) {
        close_folder(h);
    }
    g_free(h);
}

void rdp_holder_ring(RdpHolder *h, RdpRing *ring, uint16_t queue,
                     unsigned area, unsigned size)
{
    uint64_t addr = rdp_area(h, area);

    *ring = (RdpRing) {
        .dev = &h->dev,
        .queue = queue,
        .packed = h->packed,
        .size = size,
        .desc = addr,
        .avail = addr + RDP_AREA_AVAIL,
        .used = addr + RDP_AREA_USED,
    };
    memset(rdp_area_mem(h, area), 0, RDP_AREA);
    rdp_ring_enable(ring);
}

void rdp_holder_renew_ring(RdpHolder *h, unsigned size)
{
    rdp_ring_reset(&h->ring);
    h->area ^= 1;
    rdp_holder_ring(h, &h->ring, h->type->queue, h->area, size);
}

void rdp_holder_begin(RdpHolder *h)
{
    const RdpHolderType *type = h->type;
    uint64_t features = RDP_FEATURES | type->features |
                        BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |
                        (h->packed ? BIT_ULL(VIRTIO_F_RING_PACKED) : 0) |
                        (h->variant->mmio ? 0 : BIT_ULL(VIRTIO_F_RING_RESET));

    if (type->before) {
        g_assert_true(rdp_negotiate(&h->dev, features | type->before));
    }
    g_assert_true(rdp_negotiate(&h->dev, features));
    h->area ^= 1;
    h->ctrl_area ^= 1;
    h->held = false;
    rdp_holder_ring(h, &h->ring, type->queue, h->area, RDP_RING_SIZE);
    if (type->begin && type->ctrl != type->queue) {
        rdp_holder_ring(h, &h->ctrl, type->ctrl, h->ctrl_area, RDP_RING_SIZE);
    }
    rdp_driver_ok(&h->dev);
    if (type->begin) {
        type->begin(h);
    }
}
