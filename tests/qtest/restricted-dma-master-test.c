/*
 * Restricted DMA pools: all that turns bus mastering off and on again
 *
 * While it is off, the device touches no memory, whatever it is told; when it
 * is on again, the device works.  The driver notifies the device through
 * configuration space, because what turns bus mastering off may turn the BARs
 * off as well.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "restricted-dma/blk.h"
#include "restricted-dma/config-window.h"
#include "restricted-dma/migration.h"

#define PORT        3
#define BEHIND      32          /* slot 0 of bus 1 */
#define ROUNDS      64

#define PACKED      BIT_ULL(VIRTIO_F_RING_PACKED)
/* The event index is what a device writes even if it processes nothing */
#define FEATURES    (RDP_FEATURES | BIT_ULL(VIRTIO_RING_F_EVENT_IDX))

static QPCIDevice *find_port(RdpDevice *dev)
{
    QPCIDevice *port = qpci_device_find(dev->guest->bus, QPCI_DEVFN(PORT, 0));

    g_assert_nonnull(port);
    return port;
}

static void set_command(RdpDevice *dev, uint16_t set, uint16_t clear)
{
    uint16_t command = qpci_config_readw(dev->pci, PCI_COMMAND);

    qpci_config_writew(dev->pci, PCI_COMMAND, (command & ~clear) | set);
}

/* Ways to turn bus mastering off */

static void off_by_command(RdpDevice *dev)
{
    set_command(dev, 0, PCI_COMMAND_MASTER);
}

/* Power states come and go, and do not turn it on */
static void off_by_command_d3hot(RdpDevice *dev)
{
    off_by_command(dev);
    rdp_set_power_state(dev, 3);
    rdp_set_power_state(dev, 0);
}

/* Bus mastering is on, but not in this state */
static void off_by_d3hot(RdpDevice *dev)
{
    rdp_set_power_state(dev, 3);
}

static void on_by_d0(RdpDevice *dev)
{
    rdp_set_power_state(dev, 0);
}

static void off_by_flr(RdpDevice *dev)
{
    uint8_t cap = qpci_find_capability(dev->pci, PCI_CAP_ID_EXP, 0);

    qpci_config_writew(dev->pci, cap + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR);
}

static void off_by_flr_d3hot(RdpDevice *dev)
{
    rdp_set_power_state(dev, 3);
    off_by_flr(dev);
}

static void off_by_hot_reset(RdpDevice *dev)
{
    QPCIDevice *port = find_port(dev);
    uint16_t control = qpci_config_readw(port, PCI_BRIDGE_CONTROL);

    qpci_config_writew(port, PCI_BRIDGE_CONTROL,
                       control | PCI_BRIDGE_CTL_BUS_RESET);
    qpci_config_writew(port, PCI_BRIDGE_CONTROL, control);
    g_free(port);
}

static void off_by_hot_reset_d3hot(RdpDevice *dev)
{
    rdp_set_power_state(dev, 3);
    off_by_hot_reset(dev);
}

/* The port forgets which bus is behind it */
static void off_by_system_reset(RdpDevice *dev)
{
    qtest_system_reset(dev->guest->qts);
    rdp_bridge_init(dev->guest, PORT, 1);
}

static void off_by_system_reset_d3hot(RdpDevice *dev)
{
    rdp_set_power_state(dev, 3);
    off_by_system_reset(dev);
}

static void set_slot_power(RdpDevice *dev, uint16_t power)
{
    QPCIDevice *port = find_port(dev);
    uint8_t cap = qpci_find_capability(port, PCI_CAP_ID_EXP, 0);

    qpci_config_writew(port, cap + PCI_EXP_SLTCTL,
                       PCI_EXP_SLTCTL_PWR_IND_ON | power);
    g_free(port);
}

static void off_by_slot_power(RdpDevice *dev)
{
    set_slot_power(dev, PCI_EXP_SLTCTL_PWR_OFF);
}

static void on_by_slot_power(RdpDevice *dev)
{
    set_slot_power(dev, PCI_EXP_SLTCTL_PWR_ON);
}

typedef struct Way {
    const char *name;
    const char *properties;     /* of the device */
    void (*off)(RdpDevice *dev);
    void (*on)(RdpDevice *dev); /* before the device can be configured */
    bool resets;                /* it is a reset of the device, too */
    bool unpowered;             /* until it is on, nobody can reach the device */
} Way;

#define KEPT_IN_D3HOT   ",x-pcie-pm-no-soft-reset=on"

static const Way ways[] = {
    { "command", "", off_by_command, NULL, false },
    { "command-d3hot", "", off_by_command_d3hot, NULL, false },
    { "d3hot", "", off_by_d3hot, on_by_d0, false },
    { "flr", "", off_by_flr, NULL, true },
    { "flr-d3hot", KEPT_IN_D3HOT, off_by_flr_d3hot, NULL, true },
    { "hot-reset", "", off_by_hot_reset, NULL, true },
    { "hot-reset-d3hot", KEPT_IN_D3HOT, off_by_hot_reset_d3hot, NULL, true },
    { "system-reset", "", off_by_system_reset, NULL, true },
    { "system-reset-d3hot", KEPT_IN_D3HOT, off_by_system_reset_d3hot, NULL,
      true },
    { "slot-power", "", off_by_slot_power, on_by_slot_power, true, true },
};

static const char *const notify[][2] = {
    { "ioeventfd", ",ioeventfd=on" },
    { "no-ioeventfd", ",ioeventfd=off" },
    { "iothread", ",iothread=io0" },
};

typedef struct Test {
    const Way *way;
    const char *notify;
    uint64_t features;
} Test;

static char *options(const Test *test)
{
    const char *native = strcmp(rdp_machine(), "q35") ? "" :
        "-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off ";

    return g_strdup_printf("-object iothread,id=io0 %s"
                           "-device pcie-root-port,id=rp,chassis=1,addr=%d "
                           "-device virtio-blk-pci,id=dev0,bus=rp,drive=disk0,"
                           "restricted-dma-pool=poola,packed=on%s%s", native,
                           PORT, test->notify, test->way->properties);
}

static RdpGuest *start(RdpDevice *dev, const Test *test)
{
    g_autofree char *devices = options(test);
    RdpGuest *guest = rdp_start(rdp_machine(), "%s", devices);

    rdp_bridge_init(guest, PORT, 1);
    rdp_device_init(dev, guest, BEHIND, "dev0");
    return guest;
}

static void serve(RdpBlk *blk)
{
    rdp_blk_submit(blk);
    rdp_ring_wait(&blk->ring);
    rdp_blk_assert_served(blk->ring.dev->guest);
}

/* There is a request, and the device is told */
static void tempt(RdpBlk *blk, const Way *way)
{
    RdpDevice *dev = blk->ring.dev;

    rdp_blk_read(dev->guest, blk->bufs);
    rdp_blk_add(blk);
    rdp_snapshot_all(dev->guest);
    if (!way->unpowered) {
        g_assert_true(way->on || !(qpci_config_readw(dev->pci, PCI_COMMAND) &
                                   PCI_COMMAND_MASTER));
        rdp_window_kick(dev, rdp_window_find(dev));
    }
    rdp_assert_idle(dev->guest);
}

static void turn_on(RdpDevice *dev, const Way *way)
{
    RdpGuest *guest = dev->guest;

    if (way->on) {
        way->on(dev);
    }
    rdp_device_cleanup(dev);
    rdp_device_init(dev, guest, BEHIND, "dev0");
}

static void test_way(const void *data)
{
    const Test *test = data;
    RdpDevice dev;
    RdpBlk blk;
    unsigned i;

    start(&dev, test);
    rdp_blk_setup(&blk, &dev, test->features);
    for (i = 0; i < 3; i++) {
        serve(&blk);
        test->way->off(&dev);
        tempt(&blk, test->way);
        turn_on(&dev, test->way);
        if (test->way->resets) {
            g_assert_cmphex(rdp_status(&dev), ==, 0);
            rdp_blk_setup(&blk, &dev, test->features);
        } else {
            g_assert_false(rdp_needs_reset(&dev));
            rdp_driver_ok(&dev);
            rdp_ring_kick(&blk.ring);
            rdp_ring_wait(&blk.ring);
            rdp_blk_assert_served(dev.guest);
        }
    }
    for (i = 0; i < 2 * RDP_RING_SIZE; i++) {
        serve(&blk);
    }
    g_assert_false(rdp_needs_reset(&dev));
    rdp_device_stop(&dev);
}

/* Bus mastering goes off while the device processes its queue */
static void test_race(const void *data)
{
    const Test *test = data;
    RdpDevice dev;
    RdpBlk blk;
    unsigned i, j;

    start(&dev, test);
    for (i = 0; i < ROUNDS; i++) {
        rdp_blk_setup(&blk, &dev, test->features);
        for (j = 0; j < 4; j++) {
            rdp_blk_submit(&blk);
        }
        test->way->off(&dev);
        turn_on(&dev, test->way);
        rdp_driver_ok(&dev);
        rdp_ring_kick(&blk.ring);
        rdp_settle(dev.guest->qts);
    }
    rdp_blk_assert_works(&dev, test->features, false);
    rdp_device_stop(&dev);
}

/* A device that migrates while it must not access memory does not do so after */
static void test_migrated(const void *data)
{
    const Test *test = data;
    g_autofree char *devices = options(test);
    RdpMigrationFiles files;
    RdpDevice source, dest;
    RdpGuest *from, *to;
    RdpBlk blk;

    rdp_migration_files_init(&files);
    from = start(&source, test);
    to = rdp_start_destination(&files, rdp_machine(), devices);
    rdp_blk_setup(&blk, &source, test->features);
    serve(&blk);
    test->way->off(&source);
    rdp_save(&files, from->qts);
    rdp_load(&files, to->qts, "completed");
    rdp_continue(to->qts);
    dest = source;
    dest.guest = to;
    dest.pci = qpci_device_find(to->bus, QPCI_DEVFN(BEHIND, 0));
    blk.ring.dev = &dest;
    tempt(&blk, test->way);
    turn_on(&dest, test->way);
    rdp_driver_ok(&dest);
    rdp_ring_kick(&blk.ring);
    rdp_ring_wait(&blk.ring);
    rdp_blk_assert_served(to);
    rdp_device_stop(&source);
    rdp_device_stop(&dest);
    rdp_migration_files_cleanup(&files);
}

static void add_tests(const Way *way, unsigned n, uint64_t packed)
{
    const char *ring = packed ? "packed" : "split";
    Test *test = g_new(Test, 1);
    g_autofree char *path =
        g_strdup_printf("/restricted-dma/master/%s/%s/%s", way->name,
                        notify[n][0], ring);
    g_autofree char *race =
        g_strdup_printf("/restricted-dma/master/race/%s/%s/%s", way->name,
                        notify[n][0], ring);
    g_autofree char *migrated =
        g_strdup_printf("/restricted-dma/master/migrated/%s/%s/%s", way->name,
                        notify[n][0], ring);

    *test = (Test) { way, notify[n][1], FEATURES | packed };
    qtest_add_data_func_full(path, test, test_way, g_free);
    if (!way->resets) {
        qtest_add_data_func_full(race, g_memdup2(test, sizeof(*test)),
                                 test_race, g_free);
        qtest_add_data_func_full(migrated, g_memdup2(test, sizeof(*test)),
                                 test_migrated, g_free);
    }
}

int main(int argc, char **argv)
{
    unsigned i, n;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(ways); i++) {
        for (n = 0; n < ARRAY_SIZE(notify); n++) {
            add_tests(&ways[i], n, 0);
            add_tests(&ways[i], n, PACKED);
        }
    }
    return g_test_run();
}
