/*
 * Restricted DMA pools: what the PCI side of a device can do to it
 *
 * Bus mastering, resets, bridges, the configuration window, and interrupts.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "standard-headers/linux/virtio_balloon.h"
#include "restricted-dma/blk.h"
#include "restricted-dma/config-window.h"
#include "restricted-dma/msix.h"

#define BRIDGE      3
#define BEHIND      32          /* slot 0 of bus 1 */

#define BALLOON_STATS   2       /* queue */

static RdpGuest *start(RdpDevice *dev, const char *options)
{
    return rdp_start_device(dev, rdp_machine(), "%s-device virtio-blk-pci,"
                            "drive=disk0," RDP_CONFINED, options);
}

static void add_read(RdpBlk *blk)
{
    rdp_blk_read(blk->ring.dev->guest, blk->bufs);
    rdp_blk_add(blk);
}

static void assert_goes_on(RdpBlk *blk)
{
    RdpDevice *dev = blk->ring.dev;

    rdp_driver_ok(dev);
    rdp_ring_kick(&blk->ring);
    rdp_ring_wait(&blk->ring);
    rdp_blk_assert_served(dev->guest);
}

/* The event index is what a device writes even if it processes nothing */
#define FEATURES    (RDP_FEATURES | BIT_ULL(VIRTIO_RING_F_EVENT_IDX))

/* Bus mastering is off from the start; resets do not turn it on */
static void test_master_never(const void *data)
{
    RdpGuest *guest;
    RdpDevice dev;
    RdpBlk blk;

    guest = start(&dev, data);
    rdp_set_master(&dev, false);
    rdp_blk_init(&blk, &dev, FEATURES, false);
    rdp_blk_add(&blk);
    rdp_snapshot_all(guest);
    rdp_blk_go(&blk);
    rdp_assert_idle(guest);
    g_assert_false(rdp_needs_reset(&dev));

    rdp_set_master(&dev, true);
    assert_goes_on(&blk);
    rdp_device_stop(&dev);
}

/* Off while the device runs, with requests in its ring, and on again */
static void test_master_off(const void *data)
{
    RdpGuest *guest;
    RdpDevice dev;
    RdpBlk blk;
    unsigned i;

    guest = start(&dev, data);
    rdp_blk_init(&blk, &dev, FEATURES, false);
    rdp_ring_enable(&blk.ring);
    for (i = 0; i < 4; i++) {
        add_read(&blk);
        assert_goes_on(&blk);

        rdp_set_master(&dev, false);
        add_read(&blk);
        rdp_snapshot_all(guest);
        rdp_ring_kick(&blk.ring);
        rdp_driver_ok(&dev);
        rdp_ring_kick(&blk.ring);
        rdp_assert_idle(guest);

        rdp_set_master(&dev, true);
        assert_goes_on(&blk);
    }
    g_assert_false(rdp_needs_reset(&dev));
    rdp_device_stop(&dev);
}

/* A bad ring shows as soon as the device may look */
static void test_master_late(void)
{
    RdpAccess bad = { .what = "available-ring" };
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;

    guest = start(&dev, "");
    rdp_set_master(&dev, false);
    g_assert_true(rdp_negotiate(&dev, RDP_FEATURES));
    rdp_ring_init(&ring, &dev, 0, false);
    bad.addr = RDP_IN_RAM(guest, RDP_VICTIM);
    bad.len = rdp_ring_avail_size(&ring, RDP_FEATURES);
    ring.avail = bad.addr;
    rdp_ring_baseline(&ring);
    rdp_ring_enable(&ring);
    rdp_driver_ok(&dev);
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 0);

    rdp_set_master(&dev, true);
    rdp_assert_refused(&ring, &bad, true);
    rdp_blk_assert_works(&dev, RDP_FEATURES, false);
    rdp_device_stop(&dev);
}

/* The disk takes so many milliseconds to answer */
static RdpGuest *start_slow(RdpDevice *dev, unsigned latency,
                            const char *properties)
{
    return rdp_start_device(dev, rdp_machine(), "-object iothread,id=io0 "
                            "-drive if=none,id=slow,driver=null-co,"
                            "read-zeroes=on,size=1M,latency-ns=%u000000 "
                            "-device virtio-blk-pci,drive=slow,%s"
                            RDP_CONFINED, latency, properties);
}

/* How many requests of its queue the device has begun, in any thread */
static int64_t count_in_flight(RdpGuest *guest)
{
    QDict *rsp = qtest_qmp(guest->qts,
                           "{'execute': 'x-query-virtio-queue-status',"
                           " 'arguments': {'queue': 0, 'path':"
                           " '/machine/peripheral/dev0/virtio-backend'}}");
    int64_t n = qdict_get_int(qdict_get_qdict(rsp, "return"), "inuse");

    qobject_unref(rsp);
    return n;
}

/* A request in flight cannot be returned once bus mastering is off */
static void test_master_in_flight(const void *data)
{
    RdpGuest *guest;
    RdpDevice dev;
    RdpBlk blk;

    guest = start_slow(&dev, 2000, data);
    rdp_blk_setup(&blk, &dev, RDP_FEATURES);
    add_read(&blk);
    rdp_snapshot(guest);
    rdp_ring_kick(&blk.ring);
    RDP_WAIT_FOR(count_in_flight(guest) == 1);
    rdp_set_master(&dev, false);
    rdp_snapshot_pool(guest);
    rdp_assert_idle(guest);
    g_assert_cmpuint(rdp_ring_used(&blk.ring), ==, 0);
    rdp_wait_needs_reset(&dev);
    rdp_device_stop(&dev);
}

/* Nor is it returned in the new rings, if the driver resets the queue */
static void test_queue_reset_in_flight(const void *data)
{
    RdpGuest *guest;
    RdpDevice dev;
    RdpBlk blk;
    unsigned i;

    guest = start_slow(&dev, 200, data);
    rdp_blk_setup(&blk, &dev, RDP_FEATURES | BIT_ULL(VIRTIO_F_RING_RESET));
    for (i = 0; i < 3; i++) {
        rdp_blk_submit(&blk);
        rdp_ring_reset(&blk.ring);
        rdp_ring_init(&blk.ring, &dev, 0, false);
        rdp_ring_enable(&blk.ring);
        rdp_settle(guest->qts);
        g_assert_cmpuint(rdp_ring_used(&blk.ring), ==, 0);
    }
    rdp_blk_submit(&blk);
    rdp_ring_wait(&blk.ring);
    g_assert_false(rdp_needs_reset(&dev));
    rdp_device_stop(&dev);
}

/*
 * virtio-balloon keeps the buffer for statistics until somebody wants to have
 * them.  It is the driver's again when the queue is reset.
 */
static void test_queue_reset_balloon(void)
{
    const uint64_t features = BIT_ULL(VIRTIO_F_VERSION_1) |
                              BIT_ULL(VIRTIO_F_RING_RESET) |
                              BIT_ULL(VIRTIO_BALLOON_F_STATS_VQ);
    RdpDevice dev;
    /* It cannot be confined */
    RdpGuest *guest = rdp_start_device(&dev, rdp_machine(),
                                       "-device virtio-balloon-pci,"
                                       "disable-legacy=on," RDP_DEV0);
    RdpBuf buf = { RDP_BUF(guest, 0), sizeof(struct virtio_balloon_stat) };
    RdpRing ring;
    unsigned i;

    rdp_setup(&dev, &ring, BALLOON_STATS, features);
    for (i = 0; i < 3; i++) {
        rdp_ring_submit(&ring, &buf, 1);
        rdp_settle(guest->qts);
        rdp_ring_reset(&ring);
        rdp_ring_init(&ring, &dev, BALLOON_STATS, false);
        rdp_ring_enable(&ring);
    }
    rdp_ring_submit(&ring, &buf, 1);
    rdp_settle(guest->qts);
    g_assert_cmpuint(rdp_ring_used(&ring), ==, 0);

    qtest_qmp_assert_success(guest->qts, "{'execute': 'qom-set', 'arguments':"
                             " {'path': '/machine/peripheral/dev0', 'property':"
                             " 'guest-stats-polling-interval', 'value': 1}}");
    qtest_clock_step(guest->qts, 2 * NANOSECONDS_PER_SECOND);
    rdp_ring_wait(&ring);
    rdp_device_stop(&dev);
}

/* MSI-X */

/* The message for the configuration comes, and nothing else changes memory */
static void assert_only_message(RdpDevice *dev, uint16_t config)
{
    RdpGuest *guest = dev->guest;

    RDP_WAIT_FOR(rdp_msix_arrived(dev, config));
    rdp_settle(guest->qts);
    rdp_msix_expect(dev, config);
    rdp_assert_untouched(guest);
}

/* The driver hears of a violation by the vector for the configuration only */
static void test_message(const void *data)
{
    RdpBuf bufs[RDP_BLK_BUFS];
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;

    guest = start(&dev, data);
    rdp_msix_setup(&dev, &ring, 0, 1);
    rdp_snapshot(guest);
    rdp_blk_read(guest, bufs);
    bufs[1].addr = RDP_IN_RAM(guest, RDP_VICTIM);
    rdp_ring_submit(&ring, bufs, RDP_BLK_BUFS);
    assert_only_message(&dev, 0);
    rdp_msix_stop(&dev);
}

/* A request in flight ends without a message */
static void test_message_in_flight(void)
{
    RdpBuf bufs[RDP_BLK_BUFS];
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;

    guest = start_slow(&dev, 2000, "");
    rdp_msix_setup(&dev, &ring, 0, 1);
    rdp_snapshot(guest);
    rdp_blk_read(guest, bufs);
    rdp_ring_add(&ring, bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
    bufs[1].addr = RDP_IN_RAM(guest, RDP_VICTIM);
    rdp_ring_submit(&ring, bufs, RDP_BLK_BUFS);
    assert_only_message(&dev, 0);
    g_assert_cmpuint(rdp_ring_used(&ring), ==, 0);
    rdp_msix_stop(&dev);
}

/* Messages are writes to memory: none without bus mastering */
static void test_message_master_off(void)
{
    RdpBuf bufs[RDP_BLK_BUFS];
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;

    guest = start(&dev, "");
    rdp_msix_setup(&dev, &ring, 0, 0);
    rdp_blk_read(guest, bufs);
    rdp_ring_add(&ring, bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
    rdp_snapshot(guest);
    rdp_set_master(&dev, false);
    rdp_ring_kick(&ring);
    qtest_qmp_assert_success(guest->qts, "{'execute': 'block_resize',"
                             " 'arguments': {'device': 'disk0',"
                             " 'size': 524288}}");
    rdp_settle(guest->qts);
    rdp_assert_memory_untouched(guest);
    rdp_msix_stop(&dev);
}

/* Places and properties of the device */

typedef struct Place {
    const char *name;
    const char *machine;    /* NULL: rdp_machine(); others on their own */
    unsigned slot;          /* BEHIND what is at BRIDGE, or RDP_SLOT */
    const char *options;    /* before the device */
    const char *properties; /* of the device */
} Place;

#define PORT "-device pcie-root-port,id=rp,chassis=1,addr=3 "
#define PCI_BRIDGE "-device pci-bridge,id=bridge,chassis_nr=1,addr=3,shpc=off "

static const Place places[] = {
    { "root-port", NULL, BEHIND, PORT, "bus=rp" },
    { "root-port-aer", NULL, BEHIND, PORT, "bus=rp,aer=on" },
    { "root-port-ats", NULL, BEHIND, PORT, "bus=rp,ats=on" },
    { "root-port-no-flr", NULL, BEHIND, PORT, "bus=rp,x-pcie-flr-init=off" },
    { "root-port-pio", NULL, BEHIND, PORT, "bus=rp,modern-pio-notify=on" },
    { "bridge-pc", "pc", BEHIND, PCI_BRIDGE, "bus=bridge" },
    { "bridge", NULL, BEHIND, PCI_BRIDGE, "bus=bridge" },
    { "modern-pio", NULL, RDP_SLOT, "", "modern-pio-notify=on" },
    { "modern-pio-pc", "pc", RDP_SLOT, "", "modern-pio-notify=on" },
    { "page-per-vq", NULL, RDP_SLOT, "", "page-per-vq=on" },
    { "no-msix", NULL, RDP_SLOT, "", "vectors=0" },
    { "iommu-platform", NULL, RDP_SLOT, "", "iommu_platform=on" },
    { "no-disabled-flag", NULL, RDP_SLOT, "", "use-disabled-flag=off" },
    { "bypassed-iommu", "q35,default_bus_bypass_iommu=on", RDP_SLOT,
      "-device intel-iommu ", "iommu_platform=off" },
    { "bypassed-smmu", "virt,iommu=smmuv3,default_bus_bypass_iommu=on",
      RDP_SLOT, "", "iommu_platform=off" },
};

/* Whether the machine is one of the architecture under test */
static bool is_ours(const Place *place)
{
    bool virt = !strcmp(rdp_machine(), "virt");

    return !place->machine || g_str_has_prefix(place->machine, "virt") == virt;
}

static RdpGuest *start_at(RdpDevice *dev, const Place *place)
{
    RdpGuest *guest = rdp_start(place->machine ?: rdp_machine(),
                                "%s-device virtio-blk-pci,id=dev0,drive=disk0,"
                                "addr=%d,restricted-dma-pool=poola,%s",
                                place->options, place->slot % 32,
                                place->properties);

    if (place->slot == BEHIND) {
        rdp_bridge_init(guest, BRIDGE, 1);
    }
    rdp_device_init(dev, guest, place->slot, "dev0");
    return guest;
}

static void assert_refuses_data(RdpBlk *blk)
{
    rdp_assert_refuses(&blk->ring, blk->bufs, RDP_BLK_BUFS, 1);
}

static void assert_confined(RdpDevice *dev)
{
    RdpBlk blk;

    rdp_blk_assert_works(dev, RDP_FEATURES, false);
    rdp_blk_setup(&blk, dev, RDP_FEATURES);
    assert_refuses_data(&blk);
    rdp_blk_assert_works(dev, RDP_FEATURES, false);
}

static void test_place(const void *data)
{
    RdpGuest *guest;
    RdpDevice dev;
    RdpBlk blk;

    guest = start_at(&dev, data);
    assert_confined(&dev);

    rdp_blk_setup(&blk, &dev, RDP_FEATURES);
    rdp_set_master(&dev, false);
    add_read(&blk);
    rdp_snapshot_all(guest);
    rdp_driver_ok(&dev);
    rdp_ring_kick(&blk.ring);
    rdp_assert_idle(guest);
    rdp_set_master(&dev, true);
    assert_goes_on(&blk);
    rdp_device_stop(&dev);
}

/* D3hot, in which a device can keep its state while the machine sleeps */
static void suspend(RdpDevice *dev)
{
    uint8_t cap = qpci_find_capability(dev->pci, PCI_CAP_ID_PM, 0);
    uint16_t state;

    g_assert_cmphex(cap, !=, 0);
    state = qpci_config_readw(dev->pci, cap + PCI_PM_CTRL);
    g_assert_cmphex(state & PCI_PM_CTRL_NO_SOFT_RESET, !=, 0);
    qpci_config_writew(dev->pci, cap + PCI_PM_CTRL, state | 3);
}

/*
 * A reset of the function is a reset of the device, and turns it off, even if
 * the driver has suspended it
 */
static void test_flr(const void *suspended)
{
    const Place place = {
        NULL, NULL, BEHIND, PORT, "bus=rp,x-pcie-pm-no-soft-reset=on"
    };
    RdpGuest *guest;
    RdpDevice dev;
    RdpBlk blk;
    uint8_t cap;
    unsigned i;

    guest = start_at(&dev, &place);
    for (i = 0; i < 2; i++) {
        rdp_blk_setup(&blk, &dev, RDP_FEATURES);
        if (i) {
            assert_refuses_data(&blk);
        }
        if (suspended) {
            suspend(&dev);
        }
        cap = qpci_find_capability(dev.pci, PCI_CAP_ID_EXP, 0);
        g_assert_cmphex(cap, !=, 0);
        qpci_config_writew(dev.pci, cap + PCI_EXP_DEVCTL,
                           PCI_EXP_DEVCTL_BCR_FLR);
        g_assert_cmphex(qpci_config_readw(dev.pci, PCI_COMMAND) &
                        PCI_COMMAND_MASTER, ==, 0);
        rdp_device_cleanup(&dev);
        rdp_device_init(&dev, guest, BEHIND, "dev0");
        g_assert_cmphex(rdp_status(&dev), ==, 0);
        rdp_blk_assert_works(&dev, RDP_FEATURES, false);
    }
    rdp_device_stop(&dev);
}

/* The window in configuration space leads to the same registers */

/* The window leads to the registers, whatever memory the BAR is over */
static void assert_window_is_the_device(RdpDevice *dev, uint8_t cap)
{
    const unsigned bar = PCI_BASE_ADDRESS_4;
    uint32_t place = qpci_config_readl(dev->pci, bar);
    uint16_t command = qpci_config_readw(dev->pci, PCI_COMMAND);

    g_assert_cmphex(rdp_window_readl(dev, cap, RDP_COMMON_SIZE), ==,
                    RDP_POOL_SIZE);
    qpci_config_writel(dev->pci, bar, RDP_IN_RAM(dev->guest, RDP_VICTIM));
    g_assert_cmphex(rdp_window_readl(dev, cap, RDP_COMMON_SIZE), ==,
                    RDP_POOL_SIZE);
    qpci_config_writew(dev->pci, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
    g_assert_cmphex(rdp_window_readl(dev, cap, RDP_COMMON_SIZE), ==,
                    RDP_POOL_SIZE);
    qpci_config_writel(dev->pci, bar, place);
    qpci_config_writew(dev->pci, PCI_COMMAND, command);
}

static void test_window(void)
{
    RdpBuf bufs[RDP_BLK_BUFS];
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;
    uint8_t cap;

    guest = start(&dev, "");
    cap = rdp_window_find(&dev);
    g_assert_cmphex(rdp_window_readl(&dev, cap, RDP_COMMON_ADDR), ==,
                    (uint32_t)guest->base);
    g_assert_cmphex(rdp_window_readl(&dev, cap, RDP_COMMON_ADDR + 4), ==,
                    guest->base >> 32);
    assert_window_is_the_device(&dev, cap);

    /* A driver that accepts nothing is not served this way either */
    rdp_reset(&dev);
    rdp_ring_init(&ring, &dev, 0, false);
    rdp_blk_read(guest, bufs);
    rdp_ring_add(&ring, bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
    rdp_snapshot_all(guest);
    rdp_window_set_status(&dev, cap, VIRTIO_CONFIG_S_DRIVER_OK);
    rdp_ring_enable(&ring);
    rdp_ring_kick(&ring);
    rdp_assert_idle(guest);
    g_assert_true(rdp_needs_reset(&dev));

    rdp_window_set_status(&dev, cap, 0);
    g_assert_cmphex(rdp_status(&dev), ==, 0);
    assert_confined(&dev);
    rdp_device_stop(&dev);
}

/* A reset of the machine turns bus mastering off, even for the window */
static void test_system_reset(void)
{
    RdpBuf bufs[RDP_BLK_BUFS];
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;
    uint8_t cap;

    guest = start(&dev, "");
    cap = rdp_window_find(&dev);
    rdp_blk_assert_works(&dev, RDP_FEATURES, false);
    qtest_system_reset(guest->qts);

    rdp_ring_init(&ring, &dev, 0, false);
    rdp_blk_read(guest, bufs);
    rdp_ring_add(&ring, bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
    rdp_snapshot_all(guest);
    rdp_window_start(&ring, cap);
    rdp_assert_idle(guest);

    rdp_device_cleanup(&dev);
    rdp_device_init(&dev, guest, RDP_SLOT, "dev0");
    rdp_driver_ok(&dev);
    rdp_ring_kick(&ring);
    rdp_ring_wait(&ring);
    rdp_blk_assert_served(guest);
    rdp_device_stop(&dev);
}

/* There is no legacy interface: no BAR 0, and no transitional device id */
static void test_no_legacy(void)
{
    RdpDevice dev;

    start(&dev, "");
    qpci_config_writel(dev.pci, PCI_BASE_ADDRESS_0, UINT32_MAX);
    g_assert_cmphex(qpci_config_readl(dev.pci, PCI_BASE_ADDRESS_0), ==, 0);
    g_assert_cmphex(qpci_config_readw(dev.pci, PCI_DEVICE_ID), >=, 0x1040);
    g_assert_cmphex(qpci_config_readb(dev.pci, PCI_REVISION_ID), >=, 1);
    rdp_device_stop(&dev);
}

static void add_test(const char *name, const char *variant, const void *data,
                     void (*fn)(const void *))
{
    g_autofree char *path = g_strdup_printf("/restricted-dma/transport/%s/%s",
                                            name, variant);

    qtest_add_data_func(path, data, fn);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        const char *options;
    } notify[] = {
        { "ioeventfd", "-global virtio-blk-pci.ioeventfd=on " },
        { "no-ioeventfd", "-global virtio-blk-pci.ioeventfd=off " },
        { "iothread", "-object iothread,id=io0 "
                      "-global virtio-blk-device.iothread=io0 " },
    };
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(notify); i++) {
        add_test("master-never", notify[i].name, notify[i].options,
                 test_master_never);
        add_test("master-off", notify[i].name, notify[i].options,
                 test_master_off);
        add_test("message", notify[i].name, notify[i].options, test_message);
    }
    add_test("master-in-flight", "ioeventfd", "", test_master_in_flight);
    add_test("master-in-flight", "iothread", "iothread=io0,",
             test_master_in_flight);
    add_test("queue-reset", "ioeventfd", "", test_queue_reset_in_flight);
    add_test("queue-reset", "iothread", "iothread=io0,",
             test_queue_reset_in_flight);
    if (qtest_has_device("virtio-balloon-pci")) {
        qtest_add_func("/restricted-dma/transport/queue-reset/balloon",
                       test_queue_reset_balloon);
    }
    for (i = 0; i < ARRAY_SIZE(places); i++) {
        if (is_ours(&places[i])) {
            add_test("place", places[i].name, &places[i], test_place);
        }
    }
    qtest_add_func("/restricted-dma/transport/master-late", test_master_late);
    qtest_add_func("/restricted-dma/transport/message/master-off",
                   test_message_master_off);
    qtest_add_func("/restricted-dma/transport/message/in-flight",
                   test_message_in_flight);
    qtest_add_data_func("/restricted-dma/transport/flr", NULL, test_flr);
    qtest_add_data_func("/restricted-dma/transport/flr-suspended", "suspended",
                        test_flr);
    qtest_add_func("/restricted-dma/transport/system-reset",
                   test_system_reset);
    qtest_add_func("/restricted-dma/transport/window", test_window);
    qtest_add_func("/restricted-dma/transport/no-legacy", test_no_legacy);

    return g_test_run();
}
