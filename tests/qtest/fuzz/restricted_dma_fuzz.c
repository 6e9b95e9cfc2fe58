/*
 * Fuzzing of devices that are confined to a restricted DMA pool
 *
 * The generic fuzzer finds out only by chance how to start a virtio device.
 * This one is a driver that knows how.  The input decides what it does, in
 * which order, and what it does wrong: features that are not accepted, steps
 * left out, rings, tables and buffers at any address, raw writes to registers
 * and to the pool.  An input of zeros is a driver that does nothing wrong.
 *
 * restricted_dma_guard.c turns each access outside the pool into a crash.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "exec/memory.h"
#include "tests/qtest/libqos/pci-pc.h"
#include "tests/qtest/restricted-dma/ring.h"
#include "fuzz.h"
#include "restricted_dma_guard.h"

#define SLOT            4       /* of the first device */
#define DEVICES_MAX     2
#define QUEUES          4       /* of each device */
#define BUFS_MAX        8
#define BAR_USED        0x4000  /* common, ISR, device and notify registers */
#define HEADER_MAX      64
#define HEADER_STRIDE   0x400

#define CONFINED(id, slot) \
    ",id=" id ",addr=" slot ",restricted-dma-pool=" RDP_FUZZ_POOL \
    ",vectors=0,ioeventfd=off,packed=on,in_order=on "

typedef struct RestrictedDMAConfig {
    const char *name;
    const char *args;
    unsigned devices;
} RestrictedDMAConfig;

/* Back ends look at the data, so that the guard sees it when they read RAM */
static const RestrictedDMAConfig configs[] = {
    {
        .name = "restricted-dma-blk",
        .args = "-drive if=none,id=disk0,format=raw,file=null-co://,"
                "file.read-zeroes=on,detect-zeroes=on,discard=unmap "
                "-device virtio-blk-pci,drive=disk0" CONFINED("dev0", "4"),
        .devices = 1,
    }, {
        /* What one of them sends is what the other one receives */
        .name = "restricted-dma-net",
        .args = "-netdev hubport,id=net0,hubid=0 "
                "-netdev hubport,id=net1,hubid=0 "
                "-device virtio-net-pci,netdev=net0" CONFINED("dev0", "4")
                "-device virtio-net-pci,netdev=net1" CONFINED("dev1", "5"),
        .devices = 2,
    }, {
        .name = "restricted-dma-scsi",
        .args = "-drive if=none,id=disk0,format=raw,file=null-co://,"
                "file.read-zeroes=on,detect-zeroes=on,discard=unmap "
                "-device virtio-scsi-pci,num_queues=2" CONFINED("dev0", "4")
                "-device scsi-hd,drive=disk0,bus=dev0.0",
        .devices = 1,
    }, {
        .name = "restricted-dma-gpu",
        .args = "-device virtio-gpu-pci" CONFINED("dev0", "4"),
        .devices = 1,
    }, {
        .name = "restricted-dma-serial",
        .args = "-chardev ringbuf,id=con0 "
                "-device virtio-serial-pci" CONFINED("dev0", "4")
                "-device virtconsole,bus=dev0.0,chardev=con0",
        .devices = 1,
    }, {
        .name = "restricted-dma-rng",
        .args = "-object rng-builtin,id=rng0 "
                "-device virtio-rng-pci,rng=rng0" CONFINED("dev0", "4"),
        .devices = 1,
    },
};

/* What is left of the input, which is followed by zeros */
typedef struct Input {
    const uint8_t *data;
    size_t size;
} Input;

typedef struct Driver {
    RdpDevice dev;
    RdpRing rings[QUEUES];
    bool packed;
    uint16_t command;           /* in PCI configuration space */
} Driver;

static const RestrictedDMAConfig *config;
static RdpGuest guest;
static void *pool_host;
static Driver drivers[DEVICES_MAX];

static uint64_t take(Input *in, unsigned bytes)
{
    uint64_t value = 0;
    unsigned i;

    for (i = 0; i < bytes && in->size; i++, in->size--) {
        value |= (uint64_t)*in->data++ << (8 * i);
    }
    return value;
}

/* One in 16 is wrong, so that an input gets to the later steps as well */
static bool take_fault(Input *in)
{
    return take(in, 1) >= 0xf0;
}

static uint64_t take_addr(Input *in)
{
    uint64_t end = guest.base + RDP_POOL_SIZE;
    uint8_t kind = take(in, 1);

    switch (kind) {
    case 0xf0 ... 0xf1:
        return guest.base - take(in, 2);
    case 0xf2 ... 0xf4:
        return end - take(in, 2);
    case 0xf5 ... 0xf6:
        return end + take(in, 3);
    case 0xf7 ... 0xf8:
        return take(in, 3);             /* RAM */
    case 0xf9 ... 0xfa:
        return -take(in, 3);
    case 0xfb:
        return 0xc0000000 + take(in, 4);
    case 0xfc ... 0xff:
        return take(in, 8);
    default:
        return guest.base + RDP_BUFFERS + (kind << 8) + take(in, 1);
    }
}

static uint32_t take_len(Input *in)
{
    uint8_t kind = take(in, 1);

    switch (kind) {
    case 0xf0 ... 0xf3:
        return 0;
    case 0xf4 ... 0xf7:
        return RDP_POOL_SIZE - take(in, 2);
    case 0xf8 ... 0xfb:
        return take(in, 4);
    case 0xfc ... 0xff:
        return -take(in, 2);
    default:
        return 1 + kind * 8 + take(in, 1);
    }
}

static Driver *take_driver(Input *in)
{
    return &drivers[take(in, 1) % config->devices];
}

static RdpRing *take_ring(Input *in)
{
    Driver *driver = take_driver(in);

    return &driver->rings[take(in, 1) % QUEUES];
}

static void take_ring_addrs(Input *in, RdpRing *ring)
{
    if (take_fault(in)) {
        ring->desc = take_addr(in) & ~15;
    }
    if (take_fault(in)) {
        ring->avail = take_addr(in) & ~3;
    }
    if (take_fault(in)) {
        ring->used = take_addr(in) & ~3;
    }
}

static void enable_ring(Input *in, Driver *driver, unsigned queue)
{
    RdpRing *ring = &driver->rings[queue];

    rdp_ring_init(ring, &driver->dev, queue, driver->packed);
    take_ring_addrs(in, ring);
    rdp_ring_enable(ring);
}

/* From reset to DRIVER_OK */
static void op_start(Input *in)
{
    Driver *driver = take_driver(in);
    uint64_t features = rdp_offered(&driver->dev);
    uint8_t drop = take(in, 1);
    unsigned i;

    if (!(drop & 1)) {
        features &= ~BIT_ULL(VIRTIO_F_RING_PACKED);
    }
    if (!(drop & 2)) {
        features &= ~BIT_ULL(VIRTIO_F_IN_ORDER);
    }
    if (drop & 4) {
        features &= ~BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
    }
    if (take_fault(in)) {
        features ^= BIT_ULL(take(in, 1) % 64);
    }
    driver->packed = features & BIT_ULL(VIRTIO_F_RING_PACKED);
    if (take_fault(in)) {
        rdp_accept(&driver->dev, features);
    } else {
        rdp_negotiate(&driver->dev, features);
    }
    for (i = 0; i < QUEUES; i++) {
        enable_ring(in, driver, i);
    }
    if (!take_fault(in)) {
        rdp_driver_ok(&driver->dev);
    }
}

static void op_enable_ring(Input *in)
{
    Driver *driver = take_driver(in);
    unsigned queue = take(in, 1) % QUEUES;

    if (!take_fault(in)) {
        rdp_ring_reset(&driver->rings[queue]);
    }
    enable_ring(in, driver, queue);
}

/* A header out of the input, further buffers, and the doorbell */
static void op_request(Input *in)
{
    RdpRing *ring = take_ring(in);
    unsigned slot = ring->added % RDP_RING_SIZE;
    uint8_t shape = take(in, 1);
    uint8_t header[HEADER_MAX];
    RdpBuf bufs[BUFS_MAX];
    uint64_t table = RDP_NO_TABLE;
    unsigned i, n = 0;
    size_t len = MIN(take(in, 1) % (HEADER_MAX + 1), in->size);

    if (len) {
        bufs[n++] = (RdpBuf) {
            guest.base + RDP_BUFFERS + slot * HEADER_STRIDE, len, false
        };
        memcpy(header, in->data, len);
        in->data += len;
        in->size -= len;
        rdp_poke(&guest, bufs[0].addr, header, len);
    }
    do {
        uint8_t flags = take(in, 1);

        bufs[n].device_writes = flags & 1;
        bufs[n].addr = take_addr(in);
        bufs[n++].len = take_len(in);
    } while (n < 1 + shape % BUFS_MAX && n < BUFS_MAX);

    if (shape & 0x40) {
        table = guest.base + RDP_TABLE + slot * HEADER_STRIDE;
        if (take_fault(in)) {
            table = take_addr(in) & ~15;
        }
    }
    rdp_ring_add(ring, bufs, n, table);
    for (i = 0; i < 1 + (shape >> 7); i++) {
        rdp_ring_kick(ring);
    }
}

/* One descriptor of any kind, in a ring or in an indirect table */
static void op_descriptor(Input *in)
{
    RdpRing *ring = take_ring(in);
    uint64_t table = take(in, 1) & 1 ? guest.base + RDP_TABLE : ring->desc;
    unsigned index = take(in, 1) % RDP_RING_SIZE;
    struct vring_desc desc = { };

    desc.addr = cpu_to_le64(take_addr(in));
    desc.len = cpu_to_le32(take_len(in));
    desc.flags = cpu_to_le16(take(in, 2));
    desc.next = cpu_to_le16(take(in, 1));
    rdp_poke(&guest, table + index * sizeof(desc), &desc, sizeof(desc));
}

static void op_poke_avail(Input *in)
{
    RdpRing *ring = take_ring(in);
    unsigned offset = take(in, 1) % 64;
    uint16_t value = cpu_to_le16(take(in, 2));

    rdp_poke(&guest, ring->avail + offset, &value, sizeof(value));
}

static void op_poke_pool(Input *in)
{
    uint64_t addr = guest.base + take(in, 2) * 4;
    size_t len = MIN(1 + take(in, 1) % 64, in->size);

    rdp_poke(&guest, addr, in->data, len);
    in->data += len;
    in->size -= len;
}

static void op_kick(Input *in)
{
    rdp_ring_kick(take_ring(in));
}

static void op_status(Input *in)
{
    Driver *driver = take_driver(in);

    rdp_set_status(&driver->dev, take(in, 1));
}

/* Any register: the device configuration, queue sizes, another feature word */
static void op_register(Input *in)
{
    RdpDevice *dev = &take_driver(in)->dev;
    unsigned offset = take(in, 2) % (BAR_USED - 8);
    uint64_t value = take(in, 8);

    switch (take(in, 1) % 4) {
    case 0:
        qpci_io_writeb(dev->pci, dev->bar, offset, value);
        break;
    case 1:
        qpci_io_writew(dev->pci, dev->bar, offset, value);
        break;
    case 2:
        qpci_io_writel(dev->pci, dev->bar, offset, value);
        break;
    case 3:
        qpci_io_readl(dev->pci, dev->bar, offset);
        break;
    }
}

static void set_command(Driver *driver, uint16_t command)
{
    if (driver->command != command) {
        qpci_config_writew(driver->dev.pci, PCI_COMMAND, command);
        driver->command = command;
    }
}

static void op_bus_master(Input *in)
{
    Driver *driver = take_driver(in);

    set_command(driver, PCI_COMMAND_MEMORY |
                        (take(in, 1) & 1 ? PCI_COMMAND_MASTER : 0));
}

static void op_events(Input *in)
{
    flush_events(guest.qts);
}

/* Starts and requests come first and often: the others build on them */
static void (*const ops[])(Input *) = {
    op_start, op_request, op_request, op_request, op_request, op_kick,
    op_enable_ring, op_descriptor, op_poke_avail, op_poke_pool, op_status,
    op_register, op_events, op_bus_master,
};

/* The pool reads as zero again, however much of it was used */
static void clear_pool(void)
{
    g_assert_cmpint(madvise(pool_host, RDP_POOL_SIZE, MADV_REMOVE), ==, 0);
}

static void restricted_dma_fuzz(QTestState *s, const unsigned char *data,
                                size_t size)
{
    Input in = { data, size };
    unsigned i;

    for (i = 0; i < config->devices; i++) {
        unsigned queue;

        for (queue = 0; queue < QUEUES; queue++) {
            rdp_ring_init(&drivers[i].rings[queue], &drivers[i].dev, queue,
                          false);
        }
    }
    while (in.size) {
        ops[take(&in, 1) % ARRAY_SIZE(ops)](&in);
    }
    flush_events(s);
    for (i = 0; i < config->devices; i++) {
        set_command(&drivers[i], PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
        rdp_reset(&drivers[i].dev);
    }
    flush_events(s);
    clear_pool();
}

static void restricted_dma_pre_fuzz(QTestState *s)
{
    static const char *const ids[DEVICES_MAX] = { "dev0", "dev1" };
    MemoryRegion *pool;
    unsigned i;

    guest.qts = s;
    guest.bus = qpci_new_pc(s, NULL);
    for (i = 0; i < config->devices; i++) {
        Driver *driver = &drivers[i];

        rdp_device_init(&driver->dev, &guest, SLOT + i, ids[i]);
        driver->command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
        qpci_config_writew(driver->dev.pci, PCI_COMMAND, driver->command);
    }
    pool = restricted_dma_guard();
    guest.base = pool->addr;
    pool_host = memory_region_get_ram_ptr(pool);
}

static GString *restricted_dma_cmdline(FuzzTarget *target)
{
    GString *cmd_line = g_string_new(TARGET_NAME);

    config = target->opaque;
    g_string_append_printf(cmd_line,
        " -display none -nodefaults -machine q35,accel=qtest -m 16M "
        "-object restricted-dma-pool,id=" RDP_FUZZ_POOL ",size=%" PRIu64 " "
        "-object restricted-dma-pool,id=poolb,size=%" PRIu64 " %s",
        (uint64_t)RDP_POOL_SIZE, (uint64_t)RDP_NEIGHBOUR_SIZE, config->args);
    return cmd_line;
}

static void register_restricted_dma_targets(void)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(configs); i++) {
        fuzz_add_target(&(FuzzTarget) {
            .name = configs[i].name,
            .description = "A hostile driver of a device that is confined to "
                           "a restricted DMA pool",
            .get_init_cmdline = restricted_dma_cmdline,
            .pre_fuzz = restricted_dma_pre_fuzz,
            .fuzz = restricted_dma_fuzz,
            .opaque = (void *)&configs[i],
        });
    }
}

fuzz_target_init(register_restricted_dma_targets);
