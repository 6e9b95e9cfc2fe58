/*
 * Restricted DMA pools: every kind of device that takes a pool is confined
 *
 * Each queue of each device type first does its work with buffers in the
 * pool, and then gets a buffer in RAM.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "scsi/constants.h"
#include "standard-headers/linux/virtio_net.h"
#include "standard-headers/linux/virtio_scsi.h"
#include "restricted-dma/blk.h"
#include "restricted-dma/msix.h"
#include "restricted-dma/peer.h"

/* A device whose back end talks to the test through a socket */
typedef struct Link {
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;
    int peer;
    int send_buffer;        /* bytes that wait for the test; 0: the default */
} Link;

/* @devices is followed by the number of the back end's socket */
static void start_link(Link *link, const char *devices, const char *more)
{
    int fd;

    link->peer = rdp_peer_new(&fd);
    if (link->send_buffer) {
        g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_SNDBUF,
                                   &link->send_buffer,
                                   sizeof(link->send_buffer)), ==, 0);
    }
    link->guest = rdp_start_device(&link->dev, rdp_machine(), "%s%d %s",
                                   devices, fd, more);
    close(fd);
}

static void stop_link(Link *link)
{
    close(link->peer);
    rdp_device_stop(&link->dev);
}

static void fill_pattern(uint8_t *buf, size_t len, uint8_t seed)
{
    size_t i;

    for (i = 0; i < len; i++) {
        buf[i] = seed + i;
    }
}

/* virtio-rng */

static RdpGuest *start_rng(RdpDevice *dev)
{
    return rdp_start_device(dev, rdp_machine(), "-object rng-builtin,id=rng0 "
                            "-device virtio-rng-pci,rng=rng0," RDP_CONFINED);
}

static void test_rng(void)
{
    static const uint8_t zeroes[64];
    uint8_t bytes[64];
    RdpDevice dev;
    RdpGuest *guest = start_rng(&dev);
    RdpBuf buf = { RDP_BUF(guest, 0), sizeof(bytes), true };
    RdpRing ring;

    rdp_setup(&dev, &ring, 0, RDP_FEATURES);
    rdp_poke(guest, buf.addr, zeroes, sizeof(zeroes));
    rdp_snapshot(guest);
    rdp_ring_serve(&ring, &buf, 1);
    qtest_bufread(guest->qts, buf.addr, bytes, sizeof(bytes));
    g_assert_cmpint(memcmp(bytes, zeroes, sizeof(bytes)), !=, 0);
    rdp_assert_untouched(guest);

    rdp_assert_refuses(&ring, &buf, 1, 0);

    rdp_setup(&dev, &ring, 0, RDP_FEATURES);
    buf.addr = RDP_BUF(guest, 0);
    rdp_ring_serve(&ring, &buf, 1);
    rdp_device_stop(&dev);
}

/* Doorbells do not add up to requests for entropy, which may never arrive */
static void test_rng_doorbells(void)
{
    g_autofree guchar *asked = NULL;
    RdpDevice dev;
    RdpRing ring;
    RdpBuf buf;
    QDict *rsp;
    gsize len;
    unsigned i;

    rdp_start_device(&dev, rdp_machine(), "-chardev ringbuf,id=egd0,size=64K "
                     "-object rng-egd,id=rng0,chardev=egd0 "
                     "-device virtio-rng-pci,rng=rng0," RDP_CONFINED);
    rdp_setup(&dev, &ring, 0, RDP_FEATURES);
    buf = (RdpBuf) { RDP_BUF(dev.guest, 0), 512, true };
    rdp_ring_submit(&ring, &buf, 1);
    for (i = 0; i < 100; i++) {
        rdp_ring_kick(&ring);
        rdp_settle(dev.guest->qts);
    }

    /* Two bytes ask for up to 255 */
    rsp = qtest_qmp(dev.guest->qts, "{'execute': 'ringbuf-read', 'arguments':"
                    " {'device': 'egd0', 'size': 65536, 'format': 'base64'}}");
    asked = g_base64_decode(qdict_get_str(rsp, "return"), &len);
    g_assert_cmpuint(len, ==, 2 * DIV_ROUND_UP(buf.len, 255));
    qobject_unref(rsp);
    rdp_device_stop(&dev);
}

/* virtio-net */

#define NET_RX      0
#define NET_TX      1
#define NET_CTRL    2
#define NET_HDR     sizeof(struct virtio_net_hdr_mrg_rxbuf)
#define PACKET_LEN  512

static void start_net(Link *link, const char *properties)
{
    g_autofree char *device = g_strdup_printf("-device virtio-net-pci,"
                                              "netdev=net0," RDP_CONFINED
                                              "%s", properties);

    start_link(link, "-netdev socket,id=net0,fd=", device);
}

static void make_packet(uint8_t packet[PACKET_LEN])
{
    fill_pattern(packet, PACKET_LEN, 0x30);
    memset(packet, 0xff, 6);        /* broadcast: no filter drops it */
}

/* Put a packet into the pool, behind a header of zeros */
static void make_tx(RdpGuest *guest, RdpBuf bufs[2],
                    const uint8_t packet[PACKET_LEN])
{
    static const uint8_t hdr[NET_HDR];

    rdp_poke(guest, RDP_BUF(guest, 0), hdr, sizeof(hdr));
    rdp_poke(guest, RDP_BUF(guest, 1), packet, PACKET_LEN);
    bufs[0] = (RdpBuf) { RDP_BUF(guest, 0), sizeof(hdr), false };
    bufs[1] = (RdpBuf) { RDP_BUF(guest, 1), PACKET_LEN, false };
}

/* The wire is a stream, with the length before each packet */
static void send_packet(Link *link, const uint8_t packet[PACKET_LEN])
{
    uint32_t len = cpu_to_be32(PACKET_LEN);

    rdp_peer_send(link->peer, &len, sizeof(len));
    rdp_peer_send(link->peer, packet, PACKET_LEN);
}

static void assert_packet_sent(Link *link, const uint8_t packet[PACKET_LEN])
{
    uint32_t len = cpu_to_be32(PACKET_LEN);

    rdp_peer_assert_received(link->peer, &len, sizeof(len));
    rdp_peer_assert_received(link->peer, packet, PACKET_LEN);
}

static void test_net_tx(void)
{
    uint8_t packet[PACKET_LEN];
    RdpBuf bufs[2];
    unsigned bad;
    Link link = { };

    start_net(&link, "");
    make_packet(packet);
    for (bad = 0; bad < ARRAY_SIZE(bufs); bad++) {
        make_tx(link.guest, bufs, packet);
        rdp_setup(&link.dev, &link.ring, NET_TX, RDP_FEATURES);
        rdp_snapshot(link.guest);
        rdp_ring_serve(&link.ring, bufs, 2);
        assert_packet_sent(&link, packet);
        rdp_assert_untouched(link.guest);

        rdp_assert_refuses(&link.ring, bufs, 2, bad);
        rdp_peer_assert_silent(link.peer);
    }
    stop_link(&link);
}

static void test_net_rx(void)
{
    uint8_t packet[PACKET_LEN], received[PACKET_LEN];
    RdpAccess access;
    RdpBuf buf;
    Link link = { };

    start_net(&link, "");
    buf = (RdpBuf) { RDP_BUF(link.guest, 0), 0x1000, true };
    make_packet(packet);
    rdp_setup(&link.dev, &link.ring, NET_RX, RDP_FEATURES);
    rdp_snapshot(link.guest);
    rdp_ring_submit(&link.ring, &buf, 1);
    send_packet(&link, packet);
    rdp_ring_wait(&link.ring);
    qtest_bufread(link.guest->qts, buf.addr + NET_HDR, received,
                  sizeof(received));
    g_assert_cmpmem(received, sizeof(received), packet, sizeof(packet));
    rdp_assert_untouched(link.guest);

    access = rdp_submit_bad(&link.ring, &buf, 1, 0);
    send_packet(&link, packet);
    rdp_assert_refused(&link.ring, &access, true);
    stop_link(&link);
}

/* The packet needs two buffers, and only the second is bad */
static void test_net_rx_mergeable(void)
{
    uint8_t packet[PACKET_LEN];
    RdpAccess access;
    RdpBuf bufs[2];
    Link link = { };

    start_net(&link, "");
    bufs[0] = (RdpBuf) { RDP_BUF(link.guest, 0), PACKET_LEN / 2, true };
    bufs[1] = (RdpBuf) { RDP_BUF(link.guest, 1), PACKET_LEN, true };
    make_packet(packet);
    rdp_setup(&link.dev, &link.ring, NET_RX,
              RDP_FEATURES | BIT_ULL(VIRTIO_NET_F_MRG_RXBUF));
    rdp_ring_add(&link.ring, &bufs[0], 1, RDP_NO_TABLE);
    access = rdp_submit_bad(&link.ring, &bufs[1], 1, 0);
    send_packet(&link, packet);
    rdp_assert_refused(&link.ring, &access, true);
    stop_link(&link);
}

static uint64_t ring_features(const void *packed)
{
    return RDP_FEATURES | (packed ? BIT_ULL(VIRTIO_F_RING_PACKED) : 0);
}

/*
 * There is no limit of time for a queue that gets what a back end delivers.  So
 * a driver must not add anything to it that the device reads, not even beside
 * room for data.
 */
static void add_readable(RdpRing *ring)
{
    RdpGuest *guest = ring->dev->guest;
    RdpBuf bufs[] = {
        { RDP_BUF(guest, 0), 64, false }, { RDP_BUF(guest, 1), 0x1000, true },
    };

    rdp_ring_submit(ring, bufs, ARRAY_SIZE(bufs));
}

static void assert_readable_refused(RdpRing *ring)
{
    rdp_wait_needs_reset(ring->dev);
    g_assert_cmpuint(rdp_ring_used(ring), ==, 0);
}

static void test_net_rx_readable(const void *packed)
{
    uint8_t packet[PACKET_LEN];
    RdpBuf buf;
    Link link = { };

    start_net(&link, ",packed=on");
    make_packet(packet);
    rdp_setup(&link.dev, &link.ring, NET_RX, ring_features(packed));
    add_readable(&link.ring);
    send_packet(&link, packet);
    assert_readable_refused(&link.ring);

    rdp_setup(&link.dev, &link.ring, NET_RX, ring_features(packed));
    buf = (RdpBuf) { RDP_BUF(link.guest, 0), 0x1000, true };
    rdp_ring_submit(&link.ring, &buf, 1);
    send_packet(&link, packet);
    rdp_ring_wait(&link.ring);
    stop_link(&link);
}

static void test_net_ctrl(void)
{
    const struct virtio_net_ctrl_hdr hdr = {
        .class = VIRTIO_NET_CTRL_RX,
        .cmd = VIRTIO_NET_CTRL_RX_PROMISC,
    };
    const uint8_t on = 1;
    RdpGuest *guest;
    RdpBuf bufs[3];
    unsigned bad;
    Link link = { };

    start_net(&link, "");
    guest = link.guest;
    rdp_poke(guest, RDP_BUF(guest, 0), &hdr, sizeof(hdr));
    rdp_poke(guest, RDP_BUF(guest, 1), &on, sizeof(on));

    for (bad = 0; bad < ARRAY_SIZE(bufs); bad++) {
        const uint8_t unset = 0xff;

        bufs[0] = (RdpBuf) { RDP_BUF(guest, 0), sizeof(hdr), false };
        bufs[1] = (RdpBuf) { RDP_BUF(guest, 1), sizeof(on), false };
        bufs[2] = (RdpBuf) { RDP_BUF(guest, 2), sizeof(unset), true };
        rdp_poke(guest, bufs[2].addr, &unset, sizeof(unset));
        rdp_setup(&link.dev, &link.ring, NET_CTRL,
                  RDP_FEATURES | BIT_ULL(VIRTIO_NET_F_CTRL_VQ) |
                  BIT_ULL(VIRTIO_NET_F_CTRL_RX));
        rdp_ring_serve(&link.ring, bufs, 3);
        g_assert_cmphex(qtest_readb(guest->qts, bufs[2].addr), ==,
                        VIRTIO_NET_OK);

        rdp_assert_refuses(&link.ring, bufs, 3, bad);
    }
    stop_link(&link);
}

static void set_link(RdpGuest *guest, bool up)
{
    qtest_qmp_assert_success(guest->qts, "{'execute': 'set_link', 'arguments':"
                             " {'name': 'net0', 'up': %i}}", up);
}

/* A chain without an end */
static void submit_endless_chain(RdpRing *ring, const RdpBuf *buf)
{
    QTestState *qts = ring->dev->guest->qts;
    RdpBuf bufs[RDP_RING_SIZE];
    uint64_t last;
    unsigned i;

    for (i = 0; i < RDP_RING_SIZE; i++) {
        bufs[i] = *buf;
    }
    rdp_ring_add(ring, bufs, RDP_RING_SIZE, RDP_NO_TABLE);
    last = ring->desc + rdp_ring_desc_size(ring) - sizeof(uint16_t);
    qtest_writew(qts, last, qtest_readw(qts, last) | VRING_DESC_F_NEXT);
    rdp_ring_kick(ring);
}

/* While the link is down, the device returns packets without looking */
static void test_net_link_down(void)
{
    const uint64_t features = RDP_FEATURES | BIT_ULL(VIRTIO_F_RING_PACKED);
    uint8_t packet[PACKET_LEN];
    RdpBuf bufs[2];
    unsigned i;
    Link link = { };

    start_net(&link, ",packed=on");
    make_packet(packet);
    make_tx(link.guest, bufs, packet);
    rdp_setup(&link.dev, &link.ring, NET_TX, features);
    set_link(link.guest, false);
    for (i = 0; i < 2 * RDP_RING_SIZE; i++) {
        rdp_ring_serve(&link.ring, bufs, 2);
    }
    rdp_peer_assert_silent(link.peer);
    set_link(link.guest, true);
    rdp_ring_serve(&link.ring, bufs, 2);
    assert_packet_sent(&link, packet);
    g_assert_false(rdp_needs_reset(&link.dev));

    rdp_setup(&link.dev, &link.ring, NET_TX, features);
    set_link(link.guest, false);
    submit_endless_chain(&link.ring, &bufs[0]);
    rdp_wait_needs_reset(&link.dev);
    stop_link(&link);
}

/* One packet waits for a peer that does not take it, others in the ring */
static void test_net_queue_reset(void)
{
    Link link = { .send_buffer = 1 };   /* the kernel makes it a few KiB */
    RdpGuest *guest;
    RdpBuf buf;

    start_net(&link, "");
    guest = link.guest;
    rdp_setup(&link.dev, &link.ring, NET_TX,
              RDP_FEATURES | BIT_ULL(VIRTIO_F_RING_RESET));
    buf = (RdpBuf) { RDP_BUF(guest, 0), PACKET_LEN, false };
    rdp_fill(guest, buf.addr, 0, PACKET_LEN);
    while (link.ring.added < RDP_RING_SIZE) {
        rdp_ring_add(&link.ring, &buf, 1, RDP_NO_TABLE);
    }
    rdp_ring_kick(&link.ring);
    RDP_WAIT_FOR(rdp_ring_used(&link.ring) > 0);
    g_assert_cmpuint(rdp_ring_used(&link.ring), <, link.ring.added);

    rdp_ring_reset(&link.ring);
    rdp_ring_init(&link.ring, &link.dev, NET_TX, false);
    rdp_ring_enable(&link.ring);
    rdp_peer_drain(link.peer);
    rdp_ring_serve(&link.ring, &buf, 1);
    g_assert_false(rdp_needs_reset(&link.dev));
    stop_link(&link);
}

/* virtio-console */

#define CONSOLE_RX  0
#define CONSOLE_TX  1

static void start_console(Link *link)
{
    start_link(link, "-chardev socket,id=con0,fd=",
               "-device virtio-serial-pci,max_ports=1,packed=on," RDP_CONFINED
               " -device virtconsole,bus=dev0.0,chardev=con0");
}

static void test_console_tx(void)
{
    const char text[] = "out of the pool";
    RdpBuf buf;
    Link link = { };

    start_console(&link);
    buf = (RdpBuf) { RDP_BUF(link.guest, 0), sizeof(text), false };
    rdp_poke(link.guest, buf.addr, text, sizeof(text));
    rdp_setup(&link.dev, &link.ring, CONSOLE_TX, RDP_FEATURES);
    rdp_snapshot(link.guest);
    rdp_ring_serve(&link.ring, &buf, 1);
    rdp_peer_assert_received(link.peer, text, sizeof(text));
    rdp_assert_untouched(link.guest);

    rdp_assert_refuses(&link.ring, &buf, 1, 0);
    rdp_peer_assert_silent(link.peer);
    stop_link(&link);
}

static void test_console_rx(void)
{
    const char text[] = "into the pool";
    char received[sizeof(text)];
    RdpAccess access;
    RdpBuf buf;
    Link link = { };

    start_console(&link);
    buf = (RdpBuf) { RDP_BUF(link.guest, 0), 256, true };
    rdp_setup(&link.dev, &link.ring, CONSOLE_RX, RDP_FEATURES);
    rdp_snapshot(link.guest);
    rdp_ring_submit(&link.ring, &buf, 1);
    rdp_peer_send(link.peer, text, sizeof(text));
    rdp_ring_wait(&link.ring);
    qtest_bufread(link.guest->qts, buf.addr, received, sizeof(received));
    g_assert_cmpmem(received, sizeof(received), text, sizeof(text));
    rdp_assert_untouched(link.guest);

    access = rdp_submit_bad(&link.ring, &buf, 1, 0);
    rdp_peer_send(link.peer, text, sizeof(text));
    rdp_assert_refused(&link.ring, &access, true);
    stop_link(&link);
}

/* The device looks into the table to see how much space there is */
static void test_console_rx_table(void)
{
    const char text[] = "nowhere";
    RdpAccess access = {
        .what = "indirect-table",
        .len = sizeof(struct vring_desc),
    };
    RdpBuf buf;
    Link link = { };

    start_console(&link);
    access.addr = RDP_IN_RAM(link.guest, RDP_VICTIM);
    buf = (RdpBuf) { RDP_BUF(link.guest, 0), 256, true };
    rdp_setup(&link.dev, &link.ring, CONSOLE_RX,
              RDP_FEATURES | BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC));
    /* The device may look even before anything is written to the console */
    rdp_ring_baseline(&link.ring);
    rdp_ring_add(&link.ring, &buf, 1, access.addr);
    rdp_snapshot(link.guest);
    rdp_ring_kick(&link.ring);
    rdp_peer_send(link.peer, text, sizeof(text));
    rdp_assert_refused(&link.ring, &access, true);
    stop_link(&link);
}

/* The device does not go through buffers that have no room, however many */
static void test_console_rx_no_room(const void *packed)
{
    const char text[] = "nowhere";
    RdpBuf bufs[2];
    Link link = { };

    start_console(&link);
    bufs[0] = (RdpBuf) { RDP_BUF(link.guest, 0), 256, false };
    bufs[1] = (RdpBuf) { RDP_BUF(link.guest, 1), 256, true };
    rdp_setup(&link.dev, &link.ring, CONSOLE_RX, ring_features(packed));
    rdp_ring_add(&link.ring, &bufs[0], 1, RDP_NO_TABLE);
    /* Without this one, the device would not even begin */
    rdp_ring_submit(&link.ring, &bufs[1], 1);
    rdp_peer_send(link.peer, text, sizeof(text));
    rdp_wait_needs_reset(&link.dev);
    g_assert_cmpuint(rdp_ring_used(&link.ring), ==, 0);

    rdp_setup(&link.dev, &link.ring, CONSOLE_RX, ring_features(packed));
    rdp_ring_submit(&link.ring, &bufs[1], 1);
    rdp_peer_send(link.peer, text, sizeof(text));
    rdp_ring_wait(&link.ring);
    stop_link(&link);
}

/* A doorbell of a queue whose available ring is at address 0 does nothing */
static void test_console_no_ring(void)
{
    const char text[] = "after the reset";
    RdpBuf buf;
    Link link = { };

    /* A confined device would refuse the address */
    start_link(&link, "-chardev socket,id=con0,fd=",
               "-device virtio-serial-pci,max_ports=1," RDP_DEV0
               " -device virtconsole,bus=dev0.0,chardev=con0");
    g_assert_true(rdp_negotiate(&link.dev, BIT_ULL(VIRTIO_F_VERSION_1)));
    rdp_ring_init(&link.ring, &link.dev, CONSOLE_TX, false);
    link.ring.avail = 0;
    rdp_ring_enable(&link.ring);
    rdp_driver_ok(&link.dev);
    rdp_ring_kick(&link.ring);
    rdp_settle(link.guest->qts);

    buf = (RdpBuf) { RDP_BUF(link.guest, 0), sizeof(text), false };
    rdp_poke(link.guest, buf.addr, text, sizeof(text));
    rdp_setup(&link.dev, &link.ring, CONSOLE_TX, BIT_ULL(VIRTIO_F_VERSION_1));
    rdp_ring_serve(&link.ring, &buf, 1);
    rdp_peer_assert_received(link.peer, text, sizeof(text));
    stop_link(&link);
}

/* virtio-serial: port 1, whose back end can keep the device waiting */

#define SERIAL_CTRL_TX  3
#define SERIAL_TX       5
#define SERIAL_OLD      0x55
#define SERIAL_NEW      0xaa

/* Receive until the device has nothing more to say */
static unsigned count_bytes(Link *link, uint8_t wanted)
{
    unsigned quiet, count = 0;
    uint8_t byte;

    for (quiet = 0; quiet < 10; quiet++) {
        while (recv(link->peer, &byte, sizeof(byte), MSG_DONTWAIT) > 0) {
            count += byte == wanted;
            quiet = 0;
        }
        rdp_settle(link->guest->qts);
    }
    return count;
}

/* A queue is reset while the back end has taken only a part of a buffer */
static void test_serial_queue_reset(const void *packed)
{
    const uint64_t features = ring_features(packed) |
                              BIT_ULL(VIRTIO_F_RING_RESET);
    Link link = { .send_buffer = 1 };   /* the kernel makes it a few KiB */
    const uint32_t len = MiB;
    uint64_t addr;
    RdpBuf buf;

    start_link(&link, "-chardev socket,id=con0,fd=",
               "-device virtio-serial-pci,max_ports=2,packed=on," RDP_CONFINED
               " -device virtserialport,bus=dev0.0,nr=1,chardev=con0");
    addr = link.guest->base + MiB;
    rdp_fill(link.guest, addr, SERIAL_OLD, len);
    rdp_setup(&link.dev, &link.ring, SERIAL_TX, features);
    buf = (RdpBuf) { addr, len, false };
    rdp_ring_submit(&link.ring, &buf, 1);
    rdp_settle(link.guest->qts);
    g_assert_cmpuint(rdp_ring_used(&link.ring), ==, 0);

    /* The driver takes the buffer back, and has something else to say */
    rdp_ring_reset(&link.ring);
    rdp_fill(link.guest, addr, SERIAL_NEW, len);
    rdp_ring_init(&link.ring, &link.dev, SERIAL_TX, packed);
    rdp_ring_enable(&link.ring);
    g_assert_cmpuint(count_bytes(&link, SERIAL_NEW), ==, 0);
    g_assert_cmpuint(rdp_ring_used(&link.ring), ==, 0);
    buf.len = 1;
    rdp_ring_serve(&link.ring, &buf, 1);
    g_assert_cmpuint(count_bytes(&link, SERIAL_NEW), ==, 1);
    g_assert_false(rdp_needs_reset(&link.dev));
    stop_link(&link);
}

/* virtio-scsi */

#define SCSI_CTRL       0
#define SCSI_EVENT      1
#define SCSI_REQUEST    2
#define SCSI_BLOCK      512
#define SCSI_SECTOR     8

static const uint8_t scsi_lun[8] = { 1, 1, 0x40, 0 };

static RdpGuest *start_scsi(RdpDevice *dev, const char *options)
{
    return rdp_start_device(dev, rdp_machine(), "-object iothread,id=io0 "
                            "-device virtio-scsi-pci,%s" RDP_CONFINED
                            " -device scsi-hd,id=hd0,drive=disk0,"
                            "bus=dev0.0,scsi-id=1,lun=0", options);
}

/* A request without data, or one for the block at SCSI_SECTOR */
static unsigned scsi_request(RdpGuest *guest, RdpBuf bufs[3], uint8_t opcode)
{
    bool write = opcode == WRITE_10;
    struct virtio_scsi_cmd_req req = { };
    struct virtio_scsi_cmd_resp resp = { .response = 0xff };
    RdpBuf data = { RDP_BUF(guest, 1), SCSI_BLOCK, !write };

    memcpy(req.lun, scsi_lun, sizeof(req.lun));
    req.cdb[0] = opcode;
    if (opcode != TEST_UNIT_READY) {
        req.cdb[5] = SCSI_SECTOR;
        req.cdb[8] = 1;
    }
    rdp_poke(guest, RDP_BUF(guest, 0), &req, sizeof(req));
    rdp_poke(guest, RDP_BUF(guest, 2), &resp, sizeof(resp));

    bufs[0] = (RdpBuf) { RDP_BUF(guest, 0), sizeof(req), false };
    bufs[1] = (RdpBuf) { RDP_BUF(guest, 2), sizeof(resp), true };
    if (opcode == TEST_UNIT_READY) {
        return 2;
    }
    /* What the device reads comes before what it writes */
    bufs[2] = write ? bufs[1] : data;
    bufs[1] = write ? data : bufs[1];
    return 3;
}

static void scsi_assert_good(RdpGuest *guest)
{
    struct virtio_scsi_cmd_resp resp;

    qtest_bufread(guest->qts, RDP_BUF(guest, 2), &resp, sizeof(resp));
    g_assert_cmphex(resp.response, ==, VIRTIO_SCSI_S_OK);
    g_assert_cmphex(resp.status, ==, GOOD);
}

static void scsi_setup(RdpDevice *dev, RdpRing *ring)
{
    RdpBuf bufs[3];
    unsigned n;

    rdp_setup(dev, ring, SCSI_REQUEST,
              RDP_FEATURES | BIT_ULL(VIRTIO_SCSI_F_HOTPLUG));
    /* The first command after a reset reports the reset */
    n = scsi_request(dev->guest, bufs, TEST_UNIT_READY);
    rdp_ring_serve(ring, bufs, n);
}

static void test_scsi_requests(const void *data)
{
    static const uint8_t opcodes[] = { READ_10, WRITE_10 };
    uint8_t block[SCSI_BLOCK];
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;
    RdpBuf bufs[3];
    unsigned i, n, bad;

    guest = start_scsi(&dev, data);
    for (i = 0; i < ARRAY_SIZE(opcodes); i++) {
        for (bad = 0; bad < ARRAY_SIZE(bufs); bad++) {
            g_test_message("opcode 0x%x, buffer %u", opcodes[i], bad);
            scsi_setup(&dev, &ring);
            n = scsi_request(guest, bufs, opcodes[i]);
            fill_pattern(block, sizeof(block), 0x10 * bad);
            rdp_poke(guest, RDP_BUF(guest, 1), block, sizeof(block));
            rdp_ring_serve(&ring, bufs, n);
            scsi_assert_good(guest);
            qtest_bufread(guest->qts, RDP_BUF(guest, 1), block, sizeof(block));
            g_assert_cmpmem(block, sizeof(block), guest->disk.now +
                            SCSI_SECTOR * SCSI_BLOCK, SCSI_BLOCK);

            scsi_request(guest, bufs, opcodes[i]);
            rdp_assert_refuses(&ring, bufs, n, bad);
        }
    }
    rdp_device_stop(&dev);
}

/* A request whose parts have the pages from @page on */
static unsigned scsi_write_request(RdpGuest *guest, RdpBuf bufs[3],
                                   unsigned page, const uint8_t *cdb,
                                   size_t cdb_len, const void *data, size_t len)
{
    struct virtio_scsi_cmd_req req = { };
    struct virtio_scsi_cmd_resp resp = { .response = 0xff };

    memcpy(req.lun, scsi_lun, sizeof(req.lun));
    memcpy(req.cdb, cdb, cdb_len);
    bufs[0] = (RdpBuf) { RDP_BUF(guest, page), sizeof(req), false };
    bufs[1] = (RdpBuf) { RDP_BUF(guest, page + 1), len, false };
    bufs[2] = (RdpBuf) { RDP_BUF(guest, page + 2), sizeof(resp), true };
    rdp_poke(guest, bufs[0].addr, &req, sizeof(req));
    rdp_poke(guest, bufs[1].addr, data, len);
    rdp_poke(guest, bufs[2].addr, &resp, sizeof(resp));
    return 3;
}

/* MODE SELECT makes blocks longer than the pattern of the next request */
static void test_scsi_write_same(void)
{
    static const uint8_t select[] = { MODE_SELECT, 0x10, 0, 0, 12, 0 };
    static const uint8_t mode[12] = { [3] = 8, [10] = 0xfe };
    static const uint8_t same[] = { WRITE_SAME_10, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
    uint8_t block[SCSI_BLOCK];
    struct virtio_scsi_cmd_resp resp;
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;
    RdpBuf bufs[3];
    unsigned n;

    guest = start_scsi(&dev, "");
    scsi_setup(&dev, &ring);
    rdp_snapshot(guest);
    memset(block, 0x5a, sizeof(block));
    n = scsi_write_request(guest, bufs, 0, select, sizeof(select), mode,
                           sizeof(mode));
    rdp_ring_add(&ring, bufs, n, RDP_NO_TABLE);
    n = scsi_write_request(guest, bufs, 3, same, sizeof(same), block,
                           sizeof(block));
    rdp_ring_serve(&ring, bufs, n);
    qtest_bufread(guest->qts, bufs[2].addr, &resp, sizeof(resp));
    g_assert_cmphex(resp.response, ==, VIRTIO_SCSI_S_OK);
    g_assert_cmphex(resp.status, ==, CHECK_CONDITION);
    rdp_assert_untouched(guest);
    rdp_device_stop(&dev);
}

/* More than 4 GiB are not zeroed modulo 4 GiB. */
static void test_scsi_write_zeroes(void)
{
    static const uint8_t same[] = {
        WRITE_SAME_16, 0x08, [11] = 0x80, [13] = 8     /* 2^23 + 8 blocks */
    };
    static const uint8_t zeroes[SCSI_BLOCK];
    const off_t last = 4 * GiB + 7 * SCSI_BLOCK;
    g_autofree char *path = NULL;
    struct virtio_scsi_cmd_resp resp;
    RdpDevice dev;
    RdpGuest *guest;
    RdpRing ring;
    RdpBuf bufs[3];
    char byte = 'A';
    unsigned n;
    int fd;

    fd = g_file_open_tmp("restricted-dma-XXXXXX", &path, NULL);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, last + 9 * SCSI_BLOCK), ==, 0);
    g_assert_cmpint(pwrite(fd, &byte, 1, 100 * SCSI_BLOCK), ==, 1);
    g_assert_cmpint(pwrite(fd, &byte, 1, last), ==, 1);
    g_assert_cmpint(pwrite(fd, &byte, 1, last + SCSI_BLOCK), ==, 1);
    guest = rdp_start_device(&dev, rdp_machine(),
                             "-drive if=none,id=large,format=raw,"
                             "discard=unmap,cache=unsafe,file=%s "
                             "-device virtio-scsi-pci," RDP_CONFINED
                             " -device scsi-hd,drive=large,bus=dev0.0,"
                             "scsi-id=1,lun=0", path);
    scsi_setup(&dev, &ring);
    n = scsi_write_request(guest, bufs, 0, same, sizeof(same), zeroes,
                           sizeof(zeroes));
    rdp_ring_serve(&ring, bufs, n);
    qtest_bufread(guest->qts, bufs[2].addr, &resp, sizeof(resp));
    g_assert_cmphex(resp.response, ==, VIRTIO_SCSI_S_OK);
    g_assert_cmphex(resp.status, ==, GOOD);
    rdp_device_stop(&dev);

    g_assert_cmpint(pread(fd, &byte, 1, 100 * SCSI_BLOCK), ==, 1);
    g_assert_cmphex(byte, ==, 0);
    g_assert_cmpint(pread(fd, &byte, 1, last), ==, 1);
    g_assert_cmphex(byte, ==, 0);
    g_assert_cmpint(pread(fd, &byte, 1, last + SCSI_BLOCK), ==, 1);
    g_assert_cmphex(byte, ==, 'A');
    close(fd);
    unlink(path);
}

static void test_scsi_ctrl(void)
{
    struct virtio_scsi_ctrl_tmf_req req = {
        .subtype = cpu_to_le32(VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET),
    };
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;
    RdpBuf bufs[2];
    unsigned bad;

    guest = start_scsi(&dev, "");
    memcpy(req.lun, scsi_lun, sizeof(req.lun));
    rdp_poke(guest, RDP_BUF(guest, 0), &req, sizeof(req));

    for (bad = 0; bad < ARRAY_SIZE(bufs); bad++) {
        const uint8_t unset = 0xff;

        bufs[0] = (RdpBuf) { RDP_BUF(guest, 0), sizeof(req), false };
        bufs[1] = (RdpBuf) { RDP_BUF(guest, 1), sizeof(unset), true };
        rdp_poke(guest, bufs[1].addr, &unset, sizeof(unset));
        rdp_setup(&dev, &ring, SCSI_CTRL, RDP_FEATURES);
        rdp_ring_serve(&ring, bufs, 2);
        g_assert_cmphex(qtest_readb(guest->qts, bufs[1].addr), ==,
                        VIRTIO_SCSI_S_OK);

        rdp_assert_refuses(&ring, bufs, 2, bad);
    }
    rdp_device_stop(&dev);
}

/* The queue for events, and a buffer for one in the pool */
static RdpBuf setup_events(RdpDevice *dev, RdpRing *ring, uint64_t features)
{
    rdp_setup(dev, ring, SCSI_EVENT, RDP_FEATURES | features);
    return (RdpBuf) {
        RDP_BUF(dev->guest, 0), sizeof(struct virtio_scsi_event), true
    };
}

/* An event comes when a disk is taken away, long after its buffer was given */
static void test_scsi_event(void)
{
    RdpGuest *guest;
    RdpAccess access;
    RdpDevice dev;
    RdpRing ring;
    RdpBuf buf;

    guest = start_scsi(&dev, "");
    buf = setup_events(&dev, &ring, BIT_ULL(VIRTIO_SCSI_F_HOTPLUG));
    access = rdp_submit_bad(&ring, &buf, 1, 0);
    qtest_qmp_assert_success(guest->qts, "{'execute': 'device_del',"
                             " 'arguments': {'id': 'hd0'}}");
    rdp_assert_refused(&ring, &access, true);
    rdp_device_stop(&dev);
}

static void test_scsi_event_readable(const void *packed)
{
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;

    guest = start_scsi(&dev, "packed=on,");
    setup_events(&dev, &ring, BIT_ULL(VIRTIO_SCSI_F_HOTPLUG) |
                 ring_features(packed));
    add_readable(&ring);
    qtest_qmp_assert_success(guest->qts, "{'execute': 'device_del',"
                             " 'arguments': {'id': 'hd0'}}");
    assert_readable_refused(&ring);
    rdp_device_stop(&dev);
}

/* Looking at a queue from the monitor has no consequence for the driver */
static void test_debug_query(void)
{
    const char *desc;
    RdpGuest *guest;
    QDict *response;
    RdpDevice dev;
    RdpRing ring;
    RdpBuf buf;

    guest = start_scsi(&dev, "");
    buf = setup_events(&dev, &ring, BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC));
    rdp_ring_add(&ring, &buf, 1, RDP_IN_RAM(guest, RDP_VICTIM));
    response = qtest_qmp(guest->qts,
                         "{'execute': 'x-query-virtio-queue-element',"
                         " 'arguments': {'queue': 1, 'path':"
                         " '/machine/peripheral/dev0/virtio-backend'}}");
    g_assert_true(qdict_haskey(response, "error"));
    desc = qdict_get_str(qdict_get_qdict(response, "error"), "desc");
    g_assert_nonnull(strstr(desc, "restricted-dma-pool"));
    qobject_unref(response);
    g_assert_false(rdp_needs_reset(&dev));
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 0);
    rdp_device_stop(&dev);
}

/* virtio-blk, with its queues in other threads */

static void test_blk_iothread(void)
{
    RdpDevice dev;
    RdpGuest *guest = rdp_start_device(&dev, rdp_machine(),
                                       "-object iothread,id=io0 "
                                       "-device virtio-blk-pci,iothread=io0,"
                                       "drive=disk0," RDP_CONFINED);
    RdpBuf bufs[RDP_BLK_BUFS];
    RdpRing ring;
    unsigned i;

    for (i = 0; i < 20; i++) {
        bool write = i & 1;

        rdp_blk_assert_works(&dev, RDP_FEATURES, false);
        rdp_setup(&dev, &ring, 0, RDP_FEATURES);
        rdp_blk_request(guest, bufs, write, 8, 0x5a);
        rdp_assert_refuses(&ring, bufs, RDP_BLK_BUFS, i % RDP_BLK_BUFS);
    }
    rdp_device_stop(&dev);
}

/* A violation by one queue breaks the device, and so the other queue */
static void test_blk_two_iothreads(void)
{
    RdpDevice dev;
    RdpGuest *guest = rdp_start_device(
        &dev, rdp_machine(),
        "-object iothread,id=io0 -object iothread,id=io1 "
        "-device '{\"driver\": \"virtio-blk-pci\", \"id\": \"dev0\","
        " \"addr\": \"4\", \"drive\": \"disk0\", \"num-queues\": 2,"
        " \"restricted-dma-pool\": \"poola\", \"iothread-vq-mapping\":"
        " [{\"iothread\": \"io0\"}, {\"iothread\": \"io1\"}]}'");
    RdpRing bad_ring, good_ring;
    RdpBuf bufs[RDP_BLK_BUFS];

    g_assert_true(rdp_negotiate(&dev, RDP_FEATURES));
    rdp_ring_init(&good_ring, &dev, 0, false);
    rdp_ring_enable(&good_ring);
    rdp_ring_init(&bad_ring, &dev, 1, false);
    rdp_ring_enable(&bad_ring);
    rdp_driver_ok(&dev);

    rdp_blk_read(guest, bufs);
    rdp_ring_serve(&good_ring, bufs, RDP_BLK_BUFS);

    rdp_assert_refuses(&bad_ring, bufs, RDP_BLK_BUFS, 1);

    rdp_blk_read(guest, bufs);
    rdp_ring_submit(&good_ring, bufs, RDP_BLK_BUFS);
    rdp_settle(guest->qts);
    g_assert_cmpuint(rdp_ring_used(&good_ring), ==, 1);
    rdp_assert_untouched(guest);

    rdp_blk_assert_works(&dev, RDP_FEATURES, false);
    rdp_device_stop(&dev);
}

/* The guest ejects a device that is about to say that it needs a reset */
static void test_blk_unplug(void)
{
    RdpGuest *guest = rdp_start("pc", "-object iothread,id=io0");
    unsigned i;

    for (i = 0; i < 50; i++) {
        RdpDevice dev;
        RdpRing ring;
        RdpBuf bufs[RDP_BLK_BUFS];
        g_autofree char *node = g_strdup_printf("null%u", i);

        qtest_qmp_assert_success(guest->qts, "{'execute': 'blockdev-add',"
                                 " 'arguments': {'driver': 'null-co',"
                                 " 'node-name': %s}}", node);
        qtest_qmp_device_add(guest->qts, "virtio-blk-pci", "dev0",
                             "{'addr': '4', 'drive': %s, 'iothread': 'io0',"
                             " 'restricted-dma-pool': 'poola'}", node);
        rdp_device_init(&dev, guest, RDP_SLOT, "dev0");
        rdp_setup(&dev, &ring, 0, RDP_FEATURES);
        rdp_blk_read(guest, bufs);
        bufs[1].addr = RDP_IN_RAM(guest, RDP_VICTIM);
        rdp_ring_submit(&ring, bufs, RDP_BLK_BUFS);
        qpci_unplug_acpi_device_test(guest->qts, "dev0", RDP_SLOT);
        rdp_settle(guest->qts);
        rdp_device_cleanup(&dev);
    }
    rdp_stop(guest);
}

/* Interrupts */

/* Message addresses are not in a queue: they stay unrestricted */
static void test_msix(void)
{
    RdpDevice dev;
    RdpGuest *guest = start_rng(&dev);
    RdpBuf buf = { RDP_BUF(guest, 0), 64, true };
    RdpRing ring;

    rdp_msix_setup(&dev, &ring, VIRTIO_MSI_NO_VECTOR, 0);
    rdp_snapshot(guest);
    rdp_ring_serve(&ring, &buf, 1);
    rdp_settle(guest->qts);
    rdp_msix_expect(&dev, 0);
    rdp_assert_untouched(guest);
    rdp_msix_stop(&dev);
}

/* Events */

#define SECOND_SLOT 5

static RdpGuest *start_two_rngs(RdpDevice *first, RdpDevice *second)
{
    RdpGuest *guest = rdp_start_device(first, rdp_machine(),
                                       "-object rng-builtin,id=rng0 "
                                       "-device virtio-rng-pci,rng=rng0,"
                                       RDP_CONFINED
                                       " -device virtio-rng-pci,rng=rng0,"
                                       "id=dev1,addr=%d,"
                                       "restricted-dma-pool=poola",
                                       SECOND_SLOT);

    rdp_device_init(second, guest, SECOND_SLOT, "dev1");
    return guest;
}

static void break_rng(RdpDevice *dev, uint64_t offset)
{
    RdpBuf buf = { RDP_IN_RAM(dev->guest, offset), 64, true };
    RdpRing ring;

    rdp_setup(dev, &ring, 0, RDP_FEATURES);
    rdp_ring_submit(&ring, &buf, 1);
    rdp_wait_needs_reset(dev);
}

static void assert_event(RdpGuest *guest, const char *id, uint64_t offset)
{
    QDict *event = rdp_next_event(guest->qts);
    QDict *data;

    g_assert_nonnull(event);
    data = qdict_get_qdict(event, "data");
    g_assert_cmpstr(qdict_get_str(data, "device"), ==, id);
    g_assert_cmphex(rdp_get_uint(data, "address"), ==,
                    RDP_IN_RAM(guest, offset));
    qobject_unref(event);
}

/* A driver cannot flood management, nor hide behind another that tries to */
static void test_event_rate(void)
{
    RdpDevice first, second;
    RdpGuest *guest = start_two_rngs(&first, &second);
    unsigned i;

    for (i = 0; i < 10; i++) {
        break_rng(&first, RDP_VICTIM + i * 0x1000);
    }
    break_rng(&second, RDP_VICTIM);
    assert_event(guest, "dev0", RDP_VICTIM);
    assert_event(guest, "dev1", RDP_VICTIM);
    g_assert_null(rdp_next_event(guest->qts));
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 11);

    /* The last of those that were held back */
    qtest_clock_step(guest->qts, RDP_EVENT_PERIOD_NS);
    assert_event(guest, "dev0", RDP_VICTIM + 9 * 0x1000);
    g_assert_null(rdp_next_event(guest->qts));

    rdp_device_cleanup(&second);
    rdp_device_stop(&first);
}

/* A violation by one device leaves others on the same pool alone */
static void test_other_device_goes_on(void)
{
    RdpDevice first, second;
    RdpGuest *guest = start_two_rngs(&first, &second);
    RdpBuf buf = { guest->base + RDP_TABLE, 64, true };
    RdpRing ring;

    break_rng(&first, RDP_VICTIM);

    rdp_setup(&second, &ring, 0, RDP_FEATURES);
    rdp_ring_serve(&ring, &buf, 1);
    g_assert_false(rdp_needs_reset(&second));

    rdp_device_cleanup(&second);
    rdp_device_stop(&first);
}

/* @func gets NULL for a split ring */
static void add_ring_test(const char *name, GTestDataFunc func)
{
    rdp_add_test(func, NULL, "/restricted-dma/device/%s/split", name);
    rdp_add_test(func, "packed", "/restricted-dma/device/%s/packed", name);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    qtest_add_func("/restricted-dma/device/rng", test_rng);
    qtest_add_func("/restricted-dma/device/rng-doorbells",
                   test_rng_doorbells);
    qtest_add_func("/restricted-dma/device/net/tx", test_net_tx);
    qtest_add_func("/restricted-dma/device/net/rx", test_net_rx);
    qtest_add_func("/restricted-dma/device/net/rx-mergeable",
                   test_net_rx_mergeable);
    add_ring_test("net/rx-readable", test_net_rx_readable);
    qtest_add_func("/restricted-dma/device/net/ctrl", test_net_ctrl);
    qtest_add_func("/restricted-dma/device/net/link-down",
                   test_net_link_down);
    qtest_add_func("/restricted-dma/device/net/queue-reset",
                   test_net_queue_reset);
    qtest_add_func("/restricted-dma/device/console/tx", test_console_tx);
    qtest_add_func("/restricted-dma/device/console/rx", test_console_rx);
    qtest_add_func("/restricted-dma/device/console/rx-table",
                   test_console_rx_table);
    add_ring_test("console/rx-no-room", test_console_rx_no_room);
    qtest_add_func("/restricted-dma/device/console/no-ring",
                   test_console_no_ring);
    add_ring_test("serial/queue-reset", test_serial_queue_reset);
    qtest_add_func("/restricted-dma/device/scsi/write-same",
                   test_scsi_write_same);
    qtest_add_func("/restricted-dma/device/scsi/write-zeroes",
                   test_scsi_write_zeroes);
    qtest_add_data_func("/restricted-dma/device/scsi/requests", "",
                        test_scsi_requests);
    qtest_add_data_func("/restricted-dma/device/scsi/requests-iothread",
                        "iothread=io0,", test_scsi_requests);
    qtest_add_func("/restricted-dma/device/scsi/ctrl", test_scsi_ctrl);
    qtest_add_func("/restricted-dma/device/scsi/event", test_scsi_event);
    add_ring_test("scsi/event-readable", test_scsi_event_readable);
    qtest_add_func("/restricted-dma/device/scsi/debug-query",
                   test_debug_query);
    qtest_add_func("/restricted-dma/device/blk/iothread", test_blk_iothread);
    qtest_add_func("/restricted-dma/device/blk/two-iothreads",
                   test_blk_two_iothreads);
    if (!strcmp(rdp_machine(), "q35")) {
        qtest_add_func("/restricted-dma/device/blk/unplug", test_blk_unplug);
    }
    qtest_add_func("/restricted-dma/device/msix", test_msix);
    qtest_add_func("/restricted-dma/device/event-rate", test_event_rate);
    qtest_add_func("/restricted-dma/device/other-device-goes-on",
                   test_other_device_goes_on);

    return g_test_run();
}
