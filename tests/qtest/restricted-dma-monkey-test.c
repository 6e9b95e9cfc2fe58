/*
 * Restricted DMA pools: a driver that does anything, in any order
 *
 * The other tests know what they look for.  This one makes random writes to
 * all that a driver can write to, with addresses that are in the pool, close
 * to its edges and elsewhere, and checks that RAM and the pool next to it stay
 * as they are and that QEMU lives.  Run it longer with -m thorough, and repeat
 * a failure with the seed that it prints (--seed).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "restricted-dma.h"

#define SLOT            4
#define STEPS_QUICK     1500
#define STEPS_THOROUGH  200000
#define STEPS_COMPARE   50      /* between two looks at RAM */

typedef struct Device {
    const char *name;
    const char *peer;       /* options to which a socket's number is added */
    const char *backend;    /* options that need the device first */
    const char *args;       /* to which the address and the pool are added */
    unsigned queues;
} Device;

static const Device devices[] = {
    { "blk", .args = "-device virtio-blk-pci,drive=disk0", .queues = 1 },
    { "blk-iothread", .args = "-object iothread,id=io0 "
      "-device virtio-blk-pci,drive=disk0,iothread=io0", .queues = 1 },
    { "net", "-netdev socket,id=net0,fd=",
      .args = "-device virtio-net-pci,netdev=net0", .queues = 3 },
    { "rng", .args = "-object rng-builtin,id=rng0 "
      "-device virtio-rng-pci,rng=rng0", .queues = 1 },
    { "console", "-chardev socket,id=con0,fd=",
      "-device virtconsole,bus=dev0.0,chardev=con0",
      "-device virtio-serial-pci", 4 },
    { "scsi", .backend = "-device scsi-hd,drive=disk0,bus=dev0.0",
      .args = "-device virtio-scsi-pci", .queues = 3 },
};

typedef struct Monkey {
    RdpDevice dev;
    unsigned queues;
    bool packed;
    int peer;
} Monkey;

static uint32_t pick(uint32_t n)
{
    return g_test_rand_int_range(0, n);
}

/* Mostly good addresses: a device that is broken at once is a dull one */
static uint64_t pick_addr(RdpGuest *guest)
{
    uint64_t end = guest->base + RDP_POOL_SIZE;

    switch (pick(40)) {
    case 0:
        return pick(RDP_RAM_SIZE);
    case 1:
        return guest->base - pick(0x1000);
    case 2:
        return end - pick(0x1000);
    case 3:
        return end + pick(0x1000);
    case 4:
        return -(uint64_t)pick(0x2000);
    case 5:
        return (uint64_t)g_test_rand_int() << 32 |
               (uint32_t)g_test_rand_int();
    default:
        return guest->base + RDP_BUFFERS + pick(0x8000);
    }
}

static uint32_t pick_len(uint16_t flags)
{
    if (flags & VRING_DESC_F_INDIRECT && pick(8)) {
        return (1 + pick(RDP_RING_SIZE)) * sizeof(struct vring_desc);
    }
    switch (pick(24)) {
    case 0:
        return 0;
    case 1:
        return g_test_rand_int();
    default:
        return 1 + pick(1024);
    }
}

static uint16_t pick_flags(void)
{
    return (pick(2) ? VRING_DESC_F_NEXT : 0) |
           (pick(2) ? VRING_DESC_F_WRITE : 0) |
           (pick(8) ? 0 : VRING_DESC_F_INDIRECT);
}

static uint64_t pick_features(Monkey *monkey)
{
    uint64_t features = rdp_offered(&monkey->dev);

    if (!monkey->packed) {
        features &= ~BIT_ULL(VIRTIO_F_RING_PACKED);
    }
    if (pick(2)) {
        features &= ~BIT_ULL(VIRTIO_F_IN_ORDER);
    }
    return pick(6) ? features : features & ~BIT_ULL(pick(64));
}

/* RAM is for the device to touch, if it can; the test does not write to it */
static void scribble(RdpGuest *guest, uint64_t addr, const void *buf,
                     size_t len)
{
    if (addr >= guest->base && addr <= guest->base + RDP_POOL_SIZE - len) {
        rdp_poke(guest, addr, buf, len);
    }
}

/* Descriptors are good for rings of both kinds, and so are indirect tables */
static void scribble_descriptors(Monkey *monkey, uint64_t table)
{
    RdpGuest *guest = monkey->dev.guest;
    unsigned i, n = 1 + pick(RDP_RING_SIZE);

    for (i = 0; i < n; i++) {
        uint16_t flags = pick_flags();
        struct vring_desc desc = {
            .addr = cpu_to_le64(pick_addr(guest)),
            .len = cpu_to_le32(pick_len(flags)),
            .flags = cpu_to_le16(flags),
            .next = cpu_to_le16((i + 1) % RDP_RING_SIZE),
        };
        struct vring_packed_desc packed_desc = {
            .addr = desc.addr,
            .len = desc.len,
            .id = cpu_to_le16(pick(RDP_RING_SIZE + 2)),
            .flags = cpu_to_le16(flags | pick(2) << 7 | pick(2) << 15),
        };

        scribble(guest, table + i * sizeof(desc),
                 monkey->packed ? (void *)&packed_desc : (void *)&desc,
                 sizeof(desc));
    }
}

static void scribble_avail(Monkey *monkey, RdpRing *ring)
{
    uint16_t avail[2 + RDP_RING_SIZE];
    unsigned i;

    avail[0] = 0;
    avail[1] = cpu_to_le16(pick(RDP_RING_SIZE + 2));
    for (i = 2; i < ARRAY_SIZE(avail); i++) {
        avail[i] = cpu_to_le16(pick(RDP_RING_SIZE + 1));
    }
    scribble(monkey->dev.guest, ring->avail, avail, sizeof(avail));
}

static void enable_queue(Monkey *monkey, RdpRing *ring)
{
    RdpGuest *guest = monkey->dev.guest;

    rdp_ring_init(ring, &monkey->dev, pick(monkey->queues), monkey->packed);
    scribble_descriptors(monkey, ring->desc);
    scribble_avail(monkey, ring);
    switch (pick(12)) {
    case 0:
        ring->desc = pick_addr(guest) & ~15;
        break;
    case 1:
        ring->avail = pick_addr(guest) & ~3;
        break;
    case 2:
        ring->used = pick_addr(guest) & ~3;
        break;
    }
    rdp_ring_enable(ring);
}

static void start_device(Monkey *monkey, RdpRing *ring)
{
    rdp_negotiate(&monkey->dev, pick_features(monkey));
    enable_queue(monkey, ring);
    rdp_driver_ok(&monkey->dev);
}

/*
 * What is missing is a ring that shrinks while it is in use: QEMU exits when
 * it finds itself beyond the end then, with a pool and without.
 */
static void do_step(Monkey *monkey, RdpRing *ring)
{
    RdpDevice *dev = &monkey->dev;
    RdpGuest *guest = dev->guest;

    switch (pick(24)) {
    case 0:
        rdp_set_status(dev, pick(256));
        break;
    case 1:
        rdp_accept(dev, pick_features(monkey));
        break;
    case 2:
        rdp_ring_reset(ring);
        break;
    case 3:
        qpci_config_writew(dev->pci, PCI_COMMAND,
                           PCI_COMMAND_MEMORY | (pick(2) ? PCI_COMMAND_MASTER
                                                         : 0));
        break;
    case 4:
    case 5:
        enable_queue(monkey, ring);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
        qpci_device_enable(dev->pci);
        start_device(monkey, ring);
        break;
    case 10:
    case 11:
        scribble_descriptors(monkey, guest->base + RDP_BUFFERS);
        break;
    case 12:
    case 13:
    case 14:
        scribble_descriptors(monkey, ring->desc);
        break;
    case 15:
    case 16:
    case 17:
        scribble_avail(monkey, ring);
        break;
    default:
        rdp_ring_kick(ring);
        break;
    }
}

/* Give the device something to put into its buffers, and drop what it sends */
static void talk_to_peer(Monkey *monkey)
{
    uint8_t buf[4 + 60] = { 0, 0, 0, 60, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    ssize_t len;

    if (pick(4) == 0) {
        len = send(monkey->peer, buf, sizeof(buf), MSG_DONTWAIT);
        g_assert_true(len == sizeof(buf) || (len < 0 && errno == EAGAIN));
    }
    while (recv(monkey->peer, buf, sizeof(buf), MSG_DONTWAIT) > 0) {
        /* nobody listens */
    }
}

static void run(Monkey *monkey)
{
    RdpGuest *guest = monkey->dev.guest;
    unsigned steps = g_test_thorough() ? STEPS_THOROUGH : STEPS_QUICK;
    RdpRing ring;
    unsigned i;

    rdp_snapshot(guest);
    start_device(monkey, &ring);
    for (i = 1; i <= steps; i++) {
        do_step(monkey, &ring);
        if (monkey->peer >= 0) {
            talk_to_peer(monkey);
        }
        if (i % STEPS_COMPARE == 0) {
            rdp_settle(guest->qts);
            rdp_assert_memory_untouched(guest);
        }
    }
    g_test_message("%" PRIu64 " violations in %u steps",
                   rdp_violations(guest->qts, "poola"), steps);
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), >, 0);
}

static void test(const Device *device, bool packed)
{
    Monkey monkey = { .queues = device->queues, .packed = packed, .peer = -1 };
    g_autofree char *peer = NULL;
    int sv[2];
    RdpGuest *guest;

    if (device->peer) {
        g_assert_cmpint(socketpair(PF_UNIX, SOCK_STREAM, 0, sv), ==, 0);
        monkey.peer = sv[0];
        peer = g_strdup_printf("%s%d", device->peer, sv[1]);
    }
    guest = rdp_start("q35", "%s %s,id=dev0,addr=%d,packed=on,in_order=on,"
                      "restricted-dma-pool=poola %s", peer ?: "", device->args,
                      SLOT, device->backend ?: "");
    rdp_device_init(&monkey.dev, guest, SLOT, "dev0");
    run(&monkey);
    rdp_device_cleanup(&monkey.dev);
    rdp_stop(guest);
    if (device->peer) {
        close(sv[0]);
        close(sv[1]);
    }
}

static void test_split(const void *data)
{
    test(data, false);
}

static void test_packed(const void *data)
{
    test(data, true);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(devices); i++) {
        g_autofree char *split = g_strdup_printf(
            "/restricted-dma/monkey/%s/split", devices[i].name);
        g_autofree char *packed = g_strdup_printf(
            "/restricted-dma/monkey/%s/packed", devices[i].name);

        qtest_add_data_func(split, &devices[i], test_split);
        qtest_add_data_func(packed, &devices[i], test_packed);
    }
    return g_test_run();
}
