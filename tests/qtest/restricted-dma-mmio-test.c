/*
 * Restricted DMA pools: devices on virtio-mmio, and drivers without the feature
 *
 * What the other tests try on virtio-pci, this one tries on the registers of
 * virtio-mmio; and on both transports for a driver that learns of the pool from
 * the platform, with restricted-dma-negotiate=off, where that is possible.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "restricted-dma/hostile.h"

#define TRANSPORT   2

#define MODERN      "-global virtio-mmio.force-legacy=false "
#define POOLED      MODERN "-global virtio-mmio.restricted-dma-pool=poola "
#define QUIET       "restricted-dma-negotiate=off"
#define MMIO_BLK    "-device virtio-blk-device,id=dev0,drive=disk0,packed=on," \
                    "bus=virtio-mmio-bus.2"
#define PCI_BLK     "-device virtio-blk-pci,drive=disk0,packed=on," \
                    RDP_CONFINED

#define V1  BIT_ULL(VIRTIO_F_VERSION_1)
#define AP  BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)
#define RD  BIT_ULL(RDP_F_RESTRICTED_DMA)

/* A device and what its driver has to accept */
typedef struct Setup {
    const char *name;
    const char *options;
    bool pci;
    uint64_t features;
} Setup;

static const Setup setups[] = {
    { "mmio", POOLED MMIO_BLK, false, V1 | AP | RD },
    { "mmio-no-ioeventfd", POOLED "-global virtio-mmio.ioeventfd=off "
      MMIO_BLK, false, V1 | AP | RD },
    { "mmio-iothread", POOLED "-object iothread,id=io0 "
      MMIO_BLK ",iothread=io0", false, V1 | AP | RD },
    { "mmio-silent", POOLED "-global virtio-mmio." QUIET " " MMIO_BLK,
      false, V1 | AP },
    { "pci-silent", PCI_BLK "," QUIET, true, V1 | AP },
};

static RdpGuest *start(const Setup *setup, RdpDevice *dev)
{
    RdpGuest *guest = rdp_start(rdp_mmio_machine(), "%s", setup->options);

    if (setup->pci) {
        rdp_device_init(dev, guest, RDP_SLOT, "dev0");
    } else {
        rdp_device_init_mmio(dev, guest, TRANSPORT, "dev0");
    }
    return guest;
}

/* The registers that tell of the pool */

static void assert_registers(QTestState *qts, uint64_t addr, uint64_t base,
                             uint64_t size)
{
    g_assert_cmphex(qtest_readl(qts, addr + RDP_MMIO_ADDR), ==,
                    (uint32_t)base);
    g_assert_cmphex(qtest_readl(qts, addr + RDP_MMIO_ADDR + 4), ==,
                    base >> 32);
    g_assert_cmphex(qtest_readl(qts, addr + RDP_MMIO_SIZE), ==,
                    (uint32_t)size);
    g_assert_cmphex(qtest_readl(qts, addr + RDP_MMIO_SIZE + 4), ==,
                    size >> 32);
}

static void test_registers(void)
{
    RdpDevice dev;
    RdpGuest *guest = start(&setups[0], &dev);
    QTestState *qts = guest->qts;
    uint64_t addr = dev.mmio, reg;

    assert_registers(qts, addr, guest->base, RDP_POOL_SIZE);
    g_assert_cmphex(rdp_offered(&dev) & RDP_FEATURES, ==, RDP_FEATURES);

    /* Only whole registers can be read, and none can be written */
    for (reg = addr + RDP_MMIO_ADDR; reg < addr + RDP_MMIO_SIZE + 8; reg++) {
        g_assert_cmphex(qtest_readb(qts, reg), ==, 0);
        g_assert_cmphex(qtest_readw(qts, reg), ==, 0);
        if (reg % 4) {
            g_assert_cmphex(qtest_readl(qts, reg), ==, 0);
        }
        qtest_writeb(qts, reg, 0xff);
        qtest_writew(qts, reg, 0xffff);
        qtest_writel(qts, reg, UINT32_MAX);
        qtest_writeq(qts, reg, UINT64_MAX);
    }
    assert_registers(qts, addr, guest->base, RDP_POOL_SIZE);

    /* Whatever the status is */
    g_assert_true(rdp_negotiate(&dev, RDP_FEATURES));
    assert_registers(qts, addr, guest->base, RDP_POOL_SIZE);
    g_assert_false(rdp_negotiate(&dev, V1));
    rdp_driver_ok(&dev);
    rdp_wait_needs_reset(&dev);
    assert_registers(qts, addr, guest->base, RDP_POOL_SIZE);
    rdp_reset(&dev);
    assert_registers(qts, addr, guest->base, RDP_POOL_SIZE);

    /* A transport without a device has no pool */
    assert_registers(qts, rdp_transport(TRANSPORT + 1), 0, 0);
    rdp_device_stop(&dev);
}

static void test_not_offered(const void *data)
{
    const Setup *setup = data;
    RdpDevice dev;
    RdpGuest *guest = start(setup, &dev);

    g_assert_cmphex(rdp_offered(&dev) & RDP_FEATURES, ==, setup->features);
    if (setup->pci) {
        uint64_t fields[2];

        qpci_memread(dev.pci, dev.bar, dev.common + RDP_COMMON_ADDR, fields,
                     sizeof(fields));
        g_assert_cmphex(fields[0], ==, 0);
        g_assert_cmphex(fields[1], ==, 0);
    } else {
        assert_registers(guest->qts, dev.mmio, 0, 0);
    }
    rdp_device_stop(&dev);
}

/* Negotiation */

/* Enable a queue with a request in it; nothing may come of it */
static void assert_not_served(RdpDevice *dev)
{
    RdpGuest *guest = dev->guest;
    RdpBuf bufs[RDP_BLK_BUFS];
    RdpRing ring;

    rdp_ring_init(&ring, dev, 0, false);
    rdp_blk_read(guest, bufs);
    rdp_ring_add(&ring, bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
    rdp_snapshot_all(guest);

    rdp_ring_enable(&ring);
    rdp_ring_kick(&ring);
    rdp_driver_ok(dev);
    rdp_ring_kick(&ring);
    rdp_assert_idle(guest);
    g_assert_true(rdp_needs_reset(dev));
}

static void test_negotiation(const void *data)
{
    const Setup *setup = data;
    RdpDevice dev;
    unsigned i;

    start(setup, &dev);
    for (i = 0; i < 8; i++) {
        uint64_t features = (i & 1 ? V1 : 0) | (i & 2 ? AP : 0) |
                            (i & 4 ? RD : 0);
        bool enough = (features & setup->features) == setup->features;

        g_test_message("features 0x%" PRIx64, features);
        g_assert_true(rdp_negotiate(&dev, features) == enough);
        if (!enough) {
            assert_not_served(&dev);
        }
    }

    g_test_message("nothing but DRIVER_OK");
    rdp_reset(&dev);
    assert_not_served(&dev);

    g_test_message("upper features left over from before the reset");
    g_assert_true(rdp_negotiate(&dev, setup->features));
    rdp_reset(&dev);
    rdp_accept_half(&dev, 0, 0);
    rdp_set_status(&dev, VIRTIO_CONFIG_S_FEATURES_OK);
    assert_not_served(&dev);

    g_test_message("FEATURES_OK withdrawn, and other features");
    g_assert_true(rdp_negotiate(&dev, setup->features));
    rdp_set_status(&dev, VIRTIO_CONFIG_S_DRIVER);
    rdp_accept(&dev, V1);
    rdp_set_status(&dev, VIRTIO_CONFIG_S_FEATURES_OK);
    assert_not_served(&dev);

    rdp_blk_assert_works(&dev, setup->features, false);
    g_assert_cmpuint(rdp_violations(dev.guest->qts, "poola"), ==, 0);
    rdp_device_stop(&dev);
}

/* Confinement */

static void test_confinement(const void *data)
{
    const Setup *setup = data;
    RdpDevice dev;
    unsigned packed;
    RdpPart part;

    start(setup, &dev);
    for (packed = 0; packed < 2; packed++) {
        uint64_t features = setup->features |
                            (packed ? BIT_ULL(VIRTIO_F_RING_PACKED) : 0);

        for (part = 0; part < RDP_PARTS; part++) {
            rdp_assert_part_confined(&dev, features |
                                     (part == RDP_PART_TABLE ?
                                      BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) :
                                      0), part);
        }
        rdp_blk_assert_works(&dev, features, false);
    }
    rdp_device_stop(&dev);
}

/* What only virtio-mmio has */

static void serve(RdpRing *ring, unsigned n)
{
    RdpGuest *guest = ring->dev->guest;
    RdpBuf bufs[RDP_BLK_BUFS];

    while (n--) {
        rdp_blk_read(guest, bufs);
        rdp_ring_serve(ring, bufs, RDP_BLK_BUFS);
        rdp_blk_assert_served(guest);
    }
}

/* The queue has been stopped, and begins anew */
static void start_again(RdpRing *ring, unsigned size)
{
    rdp_ring_init(ring, ring->dev, ring->queue, ring->packed);
    ring->size = size;
    rdp_ring_enable(ring);
    serve(ring, 2 * size + 1);
}

/* A size that is written while the queue is ready, and while it is not */
static void try_size(RdpRing *ring, uint32_t size)
{
    RdpDevice *dev = ring->dev;
    QTestState *qts = dev->guest->qts;

    qtest_writel(qts, dev->mmio + VIRTIO_MMIO_QUEUE_NUM, size);
    serve(ring, 2);
    qtest_writel(qts, dev->mmio + VIRTIO_MMIO_QUEUE_READY, 1);
    serve(ring, 2);
    rdp_ring_reset(ring);
    qtest_writel(qts, dev->mmio + VIRTIO_MMIO_QUEUE_NUM, size);
    start_again(ring, RDP_RING_SIZE);
}

static void try_legacy_registers(RdpRing *ring)
{
    RdpDevice *dev = ring->dev;
    QTestState *qts = dev->guest->qts;

    qtest_writel(qts, dev->mmio + VIRTIO_MMIO_GUEST_PAGE_SIZE, 4096);
    qtest_writel(qts, dev->mmio + VIRTIO_MMIO_QUEUE_ALIGN, 4096);
    qtest_writel(qts, dev->mmio + VIRTIO_MMIO_QUEUE_PFN,
                 RDP_IN_RAM(dev->guest, RDP_VICTIM) / 4096);
    serve(ring, 2);
    qtest_writel(qts, dev->mmio + VIRTIO_MMIO_QUEUE_PFN, 0);
    serve(ring, 2);
}

/* The size of a queue stays until it is stopped; legacy registers do nothing */
static void test_queue_registers(const void *data)
{
    static const uint32_t sizes[] = { 0, 2, 8, 32, 1024, 1025, UINT32_MAX };
    const Setup *setup = data;
    unsigned packed, i;
    RdpDevice dev;
    RdpGuest *guest = start(setup, &dev);

    for (packed = 0; packed < 2; packed++) {
        RdpRing ring;

        rdp_setup(&dev, &ring, 0, setup->features |
                  (packed ? BIT_ULL(VIRTIO_F_RING_PACKED) : 0));
        serve(&ring, 3);
        rdp_snapshot(guest);
        for (i = 0; i < ARRAY_SIZE(sizes); i++) {
            try_size(&ring, sizes[i]);
        }
        rdp_ring_reset(&ring);
        start_again(&ring, RDP_RING_SIZE / 2);
        try_legacy_registers(&ring);
        rdp_assert_untouched(guest);
        g_assert_false(rdp_needs_reset(&dev));
    }
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 0);
    rdp_device_stop(&dev);
}

/* A ring that leaves the pool while the device runs */
static void test_ring_moves(const void *data)
{
    const Setup *setup = data;
    RdpDevice dev;
    RdpGuest *guest = start(setup, &dev);
    RdpAccess bad = { "descriptor-table", RDP_IN_RAM(guest, RDP_VICTIM) };
    RdpRing ring;

    rdp_setup(&dev, &ring, 0, setup->features);
    serve(&ring, 3);

    rdp_ring_baseline(&ring);
    ring.desc = bad.addr;
    bad.len = rdp_ring_desc_size(&ring);
    rdp_ring_enable(&ring);
    rdp_assert_refused(&ring, &bad, true);

    /* A reset of the machine repairs the device and forgets the queue */
    qtest_system_reset(guest->qts);
    g_assert_cmphex(rdp_status(&dev), ==, 0);
    g_assert_cmphex(qtest_readl(guest->qts, dev.mmio +
                                VIRTIO_MMIO_QUEUE_READY), ==, 0);
    rdp_blk_assert_works(&dev, setup->features, true);
    rdp_device_stop(&dev);
}

/* Without a pool there is no trace of it */
static void test_no_pool(void)
{
    static const Setup setup = { .options = MODERN MMIO_BLK };
    RdpDevice dev;
    RdpGuest *guest = start(&setup, &dev);

    assert_registers(guest->qts, dev.mmio, 0, 0);
    g_assert_cmphex(rdp_offered(&dev) & RDP_FEATURES, ==, V1);
    rdp_blk_assert_works(&dev, V1, false);
    rdp_device_stop(&dev);
}

static void add(const char *name, const Setup *setup, GTestDataFunc func)
{
    g_autofree char *path = g_strdup_printf("/restricted-dma/mmio/%s/%s",
                                            name, setup->name);

    qtest_add_data_func(path, setup, func);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    qtest_add_func("/restricted-dma/mmio/registers", test_registers);
    qtest_add_func("/restricted-dma/mmio/no-pool", test_no_pool);
    for (i = 0; i < ARRAY_SIZE(setups); i++) {
        const Setup *setup = &setups[i];

        if (!(setup->features & RD) && !rdp_has_device_tree()) {
            continue;
        }
        add("negotiation", setup, test_negotiation);
        add("confinement", setup, test_confinement);
        if (!(setup->features & RD)) {
            add("not-offered", setup, test_not_offered);
        }
        if (!setup->pci) {
            add("queue-registers", setup, test_queue_registers);
            add("ring-moves", setup, test_ring_moves);
        }
    }

    return g_test_run();
}
