/*
 * Restricted DMA pools: back ends that do not take what a device has for them
 *
 * A driver can send without end, and a back end need not listen.  QEMU does
 * not wait for it: not while the device works, and not when it is reset,
 * unplugged or stopped meanwhile.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <arpa/inet.h>
#include <sys/un.h>
#include "qemu/bswap.h"
#include "standard-headers/linux/virtio_blk.h"
#include "restricted-dma/blk.h"
#include "restricted-dma/host.h"
#include "restricted-dma/peer.h"

#define NET_TX          1
#define CONSOLE_TX      1
#define SERIAL_TX       5           /* of port 1 */
#define SECOND_SLOT     5

/* More than any socket takes, if it comes often enough */
#define BIG             (60 * KiB)
#define MANY            400

/* docs/specs/acpi_pci_hotplug.rst, on a PC */
#define ACPI_PCIHP_EJECT    0xae08
#define ACPI_PCIHP_BUS      0xae10

#define NET             "-device virtio-net-pci,netdev=net0," RDP_CONFINED

typedef struct Wait {
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;
    RdpBuf buf;                 /* behind all that other tests use */
    int peer;
} Wait;

/* @before is followed by the number of the back end's socket */
static void start(Wait *w, const char *machine, const char *before,
                  const char *after)
{
    int fd, size = 1;           /* the kernel makes it a few KiB */

    w->peer = rdp_peer_new(&fd);
    g_assert_cmpint(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)),
                    ==, 0);
    w->guest = rdp_start_device(&w->dev, machine, "%s%d %s", before, fd, after);
    close(fd);
    w->buf = (RdpBuf) { w->guest->base + MiB, 512, false };
}

static void stop(Wait *w)
{
    close(w->peer);
    rdp_device_stop(&w->dev);
}

/* The main loop has come round, and the VM may be stopped */
static void turn(RdpGuest *guest)
{
    for (int i = 0; i < 3; i++) {
        rdp_assert_answers(guest->qts);
    }
}

/* Drop all that arrives, until nothing more does; returns how many bytes */
static size_t drain(Wait *w)
{
    size_t all = 0;
    ssize_t len;
    char buf[0x1000];

    for (int quiet = 0; quiet < 10; quiet++) {
        while ((len = recv(w->peer, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
            all += len;
            quiet = 0;
        }
        turn(w->guest);
    }
    return all;
}

/* virtio-net */

/* Packets until one waits for the peer, and more behind it */
static void fill_net(Wait *w)
{
    rdp_setup(&w->dev, &w->ring, NET_TX, RDP_FEATURES);
    while (w->ring.added < RDP_RING_SIZE) {
        rdp_ring_add(&w->ring, &w->buf, 1, RDP_NO_TABLE);
    }
    rdp_ring_kick(&w->ring);
    RDP_WAIT_FOR(rdp_ring_used(&w->ring) > 0);
    turn(w->guest);
}

static void eject(Wait *w)
{
    QTestState *qts = w->guest->qts;

    qtest_outl(qts, ACPI_PCIHP_BUS, 0);
    qtest_outl(qts, ACPI_PCIHP_EJECT, 1u << RDP_SLOT);
    g_assert_cmphex(qpci_config_readl(w->dev.pci, PCI_VENDOR_ID), ==,
                    UINT32_MAX);
}

/* The guest ejects its card, and then the peer takes what it had waited for */
static void test_net_unplug(const void *stopped)
{
    Wait w = { };

    start(&w, "pc", "-netdev socket,id=net0,fd=", NET);
    fill_net(&w);
    g_assert_cmpuint(rdp_ring_used(&w.ring), <, w.ring.added);
    if (stopped) {
        qtest_qmp_assert_success(w.guest->qts, "{'execute': 'stop'}");
    }
    eject(&w);
    drain(&w);
    close(w.peer);
    rdp_device_cleanup(&w.dev);
    rdp_stop(w.guest);
}

/* The same while packets wait in a filter, for a time that ends later */
static void test_net_unplug_filter(void)
{
    Wait w = { };

    start(&w, "pc", "-netdev socket,id=net0,fd=",
          "-object filter-buffer,id=filter0,netdev=net0,interval=1000 " NET);
    fill_net(&w);
    g_assert_cmpuint(rdp_ring_used(&w.ring), ==, w.ring.added);
    eject(&w);
    qtest_clock_step(w.guest->qts, 10 * 1000 * 1000);
    g_assert_cmpuint(drain(&w), ==, 0);
    close(w.peer);
    rdp_device_cleanup(&w.dev);
    rdp_stop(w.guest);
}

/*
 * When the VM stops, the packet that waits is dropped, so that its request has
 * ended.  Those behind it stay in the ring until the VM goes on.
 */
static void test_net_stop(void)
{
    unsigned used;
    Wait w = { };

    start(&w, rdp_machine(), "-netdev socket,id=net0,fd=", NET);
    fill_net(&w);
    g_assert_cmpuint(rdp_ring_used(&w.ring), <, w.ring.added);
    qtest_qmp_assert_success(w.guest->qts, "{'execute': 'stop'}");
    used = rdp_ring_used(&w.ring);
    g_assert_cmpuint(used, <, w.ring.added);
    drain(&w);
    g_assert_cmpuint(rdp_ring_used(&w.ring), ==, used);

    rdp_continue(w.guest->qts);
    drain(&w);
    g_assert_cmpuint(rdp_ring_used(&w.ring), ==, w.ring.added);
    stop(&w);
}

/* A peer that connected to QEMU, and does not read */

static int connect_unix(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_assert_cmpint(fd, >=, 0);
    g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
    RDP_WAIT_FOR(!connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
    return fd;
}

static int connect_tcp(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    g_assert_cmpint(fd, >=, 0);
    RDP_WAIT_FOR(!connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
    return fd;
}

/* A port that nobody listens to */
static uint16_t free_port(void)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&addr, len), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&addr, &len), ==, 0);
    close(fd);
    return ntohs(addr.sin_port);
}

/* Send until a packet waits for the peer; QEMU answers all the time */
static void send_until_stuck(Wait *w)
{
    rdp_setup(&w->dev, &w->ring, NET_TX, RDP_FEATURES);
    w->buf = (RdpBuf) { w->guest->base + MiB, BIG, false };
    rdp_begin_attack();
    for (int i = 0; i < MANY; i++) {
        rdp_ring_submit(&w->ring, &w->buf, 1);
        turn(w->guest);
        if (rdp_ring_used(&w->ring) < w->ring.added) {
            break;
        }
    }
    rdp_assert_survived(w->guest->qts);
    g_assert_cmpuint(rdp_ring_used(&w->ring), <, w->ring.added);
}

static void test_net_accepted_unix(void)
{
    g_autofree char *dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "socket", NULL);
    Wait w = { };

    w.guest = rdp_start_device(&w.dev, rdp_machine(), "-netdev stream,id=net0,"
                               "server=on,addr.type=unix,addr.path=%s " NET,
                               path);
    w.peer = connect_unix(path);
    send_until_stuck(&w);
    stop(&w);
    g_unlink(path);
    g_rmdir(dir);
}

static void test_net_accepted_tcp(const void *netdev)
{
    uint16_t port = free_port();
    g_autofree char *options = g_strdup_printf("%s%u " NET,
                                               (const char *)netdev, port);
    Wait w = { };

    w.guest = rdp_start_device(&w.dev, rdp_machine(), "%s", options);
    w.peer = connect_tcp(port);
    send_until_stuck(&w);
    stop(&w);
}

/* virtio-rng */

/* A ring of a second device, elsewhere in the pool */
static void setup_second(RdpRing *ring, RdpDevice *dev)
{
    uint64_t base = dev->guest->base + 2 * MiB;

    *ring = (RdpRing) {
        .dev = dev,
        .size = RDP_RING_SIZE,
        .desc = base,
        .avail = base + 0x1000,
        .used = base + 0x2000,
    };
    rdp_fill(dev->guest, base, 0, 0x3000);
    g_assert_true(rdp_negotiate(dev, RDP_FEATURES));
    rdp_ring_enable(ring);
    rdp_driver_ok(dev);
}

/* The daemon does what it is asked for, until it has given so many bytes */
static void be_daemon(Wait *w, size_t wanted)
{
    static const uint8_t bytes[UINT8_MAX];
    uint8_t message[2];

    for (size_t given = 0; given < wanted; given += message[1]) {
        rdp_assert_answers(w->guest->qts);
        g_assert_cmpint(recv(w->peer, message, sizeof(message), MSG_WAITALL),
                        ==, sizeof(message));
        g_assert_cmphex(message[0], ==, 2);
        rdp_peer_send(w->peer, bytes, message[1]);
    }
}

/* The daemon reads nothing before two devices have asked for much */
static void test_rng(void)
{
    RdpDevice second;
    RdpRing ring;
    Wait w = { };

    start(&w, rdp_machine(), "-chardev socket,id=egd0,fd=",
          "-object rng-egd,id=rng0,chardev=egd0 "
          "-device virtio-rng-pci,rng=rng0," RDP_CONFINED
          " -device virtio-rng-pci,rng=rng0,id=dev1,"
          "addr=" stringify(SECOND_SLOT) ",restricted-dma-pool=poola");
    rdp_device_init(&second, w.guest, SECOND_SLOT, "dev1");
    rdp_setup(&w.dev, &w.ring, 0, RDP_FEATURES);
    setup_second(&ring, &second);
    w.buf = (RdpBuf) { w.guest->base + MiB, 64 * KiB, true };

    rdp_begin_attack();
    rdp_ring_submit(&w.ring, &w.buf, 1);
    rdp_ring_submit(&ring, &w.buf, 1);
    turn(w.guest);
    rdp_assert_survived(w.guest->qts);
    be_daemon(&w, 2 * w.buf.len);
    rdp_ring_wait(&w.ring);
    rdp_ring_wait(&ring);
    rdp_device_cleanup(&second);
    stop(&w);
}

/* virtio-serial */

/* A console that scrolls does not make the monitor wait, nor a reset */
static void test_console_slow(void)
{
    RdpDevice dev;
    RdpGuest *guest;
    RdpRing ring;
    RdpBuf buf;
    int64_t since;

    guest = rdp_start_device(&dev, rdp_machine(), "-chardev vc,id=con0 "
                             "-device virtio-serial-pci,max_ports=1,"
                             RDP_CONFINED
                             " -device virtconsole,bus=dev0.0,chardev=con0");
    buf = (RdpBuf) { guest->base + MiB, MiB, false };
    rdp_fill(guest, buf.addr, '\n', buf.len);
    rdp_setup(&dev, &ring, CONSOLE_TX, RDP_FEATURES);
    rdp_begin_attack();
    rdp_ring_submit(&ring, &buf, 1);
    turn(guest);
    g_assert_cmpuint(rdp_ring_used(&ring), ==, 0);
    since = g_get_monotonic_time();
    rdp_reset(&dev);
    rdp_assert_answers_since(guest->qts, since);
    rdp_assert_survived(guest->qts);

    rdp_setup(&dev, &ring, CONSOLE_TX, RDP_FEATURES);
    buf.len = 2 * KiB;
    rdp_ring_serve(&ring, &buf, 1);
    rdp_device_stop(&dev);
}

/* A port that waits for its back end goes on only when the VM does */
static void test_serial_stop(const void *options)
{
    g_autofree char *device = g_strdup_printf(
        "-device virtio-serial-pci,max_ports=2,%s "
        "-device virtserialport,bus=dev0.0,nr=1,chardev=con0",
        (const char *)options);
    uint64_t features = strstr(options, RDP_CONFINED) ?
                        RDP_FEATURES : BIT_ULL(VIRTIO_F_VERSION_1);
    size_t received;
    Wait w = { };

    start(&w, rdp_machine(), "-chardev socket,id=con0,fd=", device);
    w.buf.len = MiB;
    rdp_setup(&w.dev, &w.ring, SERIAL_TX, features);
    rdp_ring_submit(&w.ring, &w.buf, 1);
    turn(w.guest);
    qtest_qmp_assert_success(w.guest->qts, "{'execute': 'stop'}");
    received = drain(&w);
    g_assert_cmpuint(received, <, w.buf.len / 2);
    g_assert_cmpuint(drain(&w), ==, 0);
    g_assert_cmpuint(rdp_ring_used(&w.ring), ==, 0);

    rdp_continue(w.guest->qts);
    received += drain(&w);
    g_assert_cmpuint(received, ==, w.buf.len);
    rdp_ring_wait(&w.ring);
    stop(&w);
}

/* A doorbell that came just before the VM stopped is not lost */
static void test_serial_last(void)
{
    const char text[] = "Power down";
    Wait w = { };

    start(&w, rdp_machine(), "-chardev socket,id=con0,fd=",
          "-device virtio-serial-pci,max_ports=1," RDP_CONFINED
          " -device virtconsole,bus=dev0.0,chardev=con0");
    w.buf.len = sizeof(text);
    rdp_poke(w.guest, w.buf.addr, text, sizeof(text));
    rdp_setup(&w.dev, &w.ring, CONSOLE_TX, RDP_FEATURES);
    rdp_ring_add(&w.ring, &w.buf, 1, RDP_NO_TABLE);
    qtest_qmp_assert_success(w.guest->qts, "{'execute': 'stop'}");
    rdp_ring_kick(&w.ring);
    rdp_ring_wait(&w.ring);
    rdp_peer_assert_received(w.peer, text, sizeof(text));
    stop(&w);
}

/* virtio-scsi */

/* The disk is gone, but its node has not been told yet */
static void test_scsi_resize(void)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("restricted-dma-XXXXXX", &path, NULL);
    RdpDevice dev;
    RdpGuest *guest;

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, 4096), ==, 0);
    guest = rdp_start_device(&dev, rdp_machine(), "-blockdev file,filename=%s,"
                             "node-name=node0 "
                             "-device virtio-scsi-pci," RDP_CONFINED
                             " -device scsi-hd,id=hd0,drive=node0,bus=dev0.0",
                             path);
    for (int i = 1; i <= 10; i++) {
        /* Both at once, so that nothing happens in between */
        qtest_qmp_send_raw(guest->qts, "{'execute': 'device_del', 'arguments':"
                           " {'id': 'hd0'}} {'execute': 'block_resize',"
                           " 'arguments': {'node-name': 'node0', 'size': %d}}",
                           (i + 1) * 4096);
        qobject_unref(qtest_qmp_receive(guest->qts));
        qobject_unref(qtest_qmp_receive(guest->qts));
        qtest_qmp_eventwait(guest->qts, "DEVICE_DELETED");
        qtest_qmp_assert_success(guest->qts, "{'execute': 'device_add',"
                                 " 'arguments': {'driver': 'scsi-hd',"
                                 " 'id': 'hd0', 'drive': 'node0',"
                                 " 'bus': 'dev0.0'}}");
    }
    rdp_device_stop(&dev);
    close(fd);
    g_unlink(path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    /* Memory is not what it was after it was freed */
    g_setenv("MALLOC_PERTURB_", "165", true);
    if (qtest_has_machine("pc")) {
        qtest_add_data_func("restricted-dma/waiting/net/unplug", NULL,
                            test_net_unplug);
        qtest_add_data_func("restricted-dma/waiting/net/unplug-stopped",
                            "stopped", test_net_unplug);
        qtest_add_func("restricted-dma/waiting/net/unplug-filter",
                       test_net_unplug_filter);
    }
    qtest_add_func("restricted-dma/waiting/net/stop", test_net_stop);
    qtest_add_func("restricted-dma/waiting/net/accepted-unix",
                   test_net_accepted_unix);
    qtest_add_data_func("restricted-dma/waiting/net/accepted-tcp",
                        "-netdev stream,id=net0,server=on,addr.type=inet,"
                        "addr.host=127.0.0.1,addr.port=",
                        test_net_accepted_tcp);
    qtest_add_data_func("restricted-dma/waiting/net/accepted-socket",
                        "-netdev socket,id=net0,listen=127.0.0.1:",
                        test_net_accepted_tcp);
    qtest_add_func("restricted-dma/waiting/rng", test_rng);
    qtest_add_func("restricted-dma/waiting/console/slow", test_console_slow);
    qtest_add_data_func("restricted-dma/waiting/serial/stop", RDP_CONFINED,
                        test_serial_stop);
    qtest_add_data_func("restricted-dma/waiting/serial/stop-no-ioeventfd",
                        RDP_CONFINED ",ioeventfd=off", test_serial_stop);
    qtest_add_data_func("restricted-dma/waiting/serial/stop-no-pool",
                        RDP_DEV0 ",ioeventfd=off", test_serial_stop);
    qtest_add_func("restricted-dma/waiting/serial/last", test_serial_last);
    qtest_add_func("restricted-dma/waiting/scsi/resize", test_scsi_resize);
    return g_test_run();
}
