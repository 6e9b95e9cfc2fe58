/*
 * Restricted DMA pools: a disk whose back end is qemu-storage-daemon
 *
 * Another process does what the driver asks for.  The operating system knows
 * what memory it has.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "restricted-dma/blk.h"
#include "restricted-dma/storage-daemon.h"

/* How /proc names the memory of the pool */
#define POOL_FILE   "memfd:restricted-dma-pool.poola"

#define INDIRECT    BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC)

typedef struct Disk {
    RdpStorageDaemon daemon;
    RdpDevice dev;
    RdpGuest *guest;
} Disk;

static void start(Disk *d)
{
    g_autofree char *chardev = NULL;
    RdpFile disk;

    rdp_storage_daemon_init(&d->daemon, &disk);
    chardev = rdp_storage_daemon_chardev(&d->daemon, "chr0");
    d->guest = rdp_start_device(&d->dev, rdp_machine(), "%s "
                                "-device vhost-user-blk-pci,chardev=chr0,"
                                "num-queues=1," RDP_CONFINED, chardev);
    /* What blk.c compares with */
    rdp_file_cleanup(&d->guest->disk);
    d->guest->disk = disk;
}

static void stop(Disk *d)
{
    rdp_device_stop(&d->dev);
    rdp_storage_daemon_cleanup(&d->daemon);
}

static void assert_works(Disk *d)
{
    rdp_blk_assert_works(&d->dev, RDP_FEATURES, false);
    rdp_blk_assert_works(&d->dev, RDP_FEATURES | INDIRECT, true);
}

static void test_works(void)
{
    Disk d;

    start(&d);
    rdp_snapshot(d.guest);
    assert_works(&d);
    rdp_assert_memory_untouched(d.guest);
    stop(&d);
}

/* The lines of /proc/PID/maps with files that other processes may have, too */
static GPtrArray *shared_maps(pid_t pid)
{
    GPtrArray *maps = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", pid);
    g_autofree char *all = NULL;
    g_auto(GStrv) lines = NULL;

    g_assert_true(g_file_get_contents(path, &all, NULL, NULL));
    lines = g_strsplit(all, "\n", -1);
    for (char **line = lines; *line; line++) {
        char mode[5] = "";

        if (sscanf(*line, "%*s %4s", mode) == 1 && mode[3] == 's') {
            g_ptr_array_add(maps, g_strdup(*line));
        }
    }
    return maps;
}

static void assert_maps_pool(pid_t pid)
{
    g_autoptr(GPtrArray) maps = shared_maps(pid);
    uint64_t start, end;
    char *line;

    g_assert_cmpint(maps->len, ==, 1);
    line = g_ptr_array_index(maps, 0);
    g_assert_nonnull(strstr(line, POOL_FILE));
    g_assert_cmpint(sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end), ==, 2);
    g_assert_cmphex(end - start, ==, RDP_POOL_SIZE);
}

/* No descriptor is open by which it could have more of the guest */
static void assert_no_descriptor(pid_t pid)
{
    g_autofree char *folder = g_strdup_printf("/proc/%d/fd", pid);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_autofree char *target = g_file_read_link(path, NULL);

        g_assert_false(target && strstr(target, "/ram"));
        g_assert_false(target && strstr(target, "/pool"));
    }
}

/* The process has mapped the pool, and can map nothing else of the guest */
static void test_memory_map(void)
{
    Disk d;

    start(&d);
    assert_works(&d);
    assert_maps_pool(d.daemon.pid);
    assert_no_descriptor(d.daemon.pid);
    stop(&d);
}

/* What the driver gives to the device, besides its rings */
typedef enum Part {
    HEADER, DATA, STATUS, TABLE,
} Part;

typedef struct Attack {
    const char *name;
    Part part;
    uint64_t (*addr)(RdpGuest *guest);
    bool write;
} Attack;

static uint64_t in_ram(RdpGuest *guest)
{
    return RDP_IN_RAM(guest, RDP_VICTIM);
}

static uint64_t in_neighbour(RdpGuest *guest)
{
    return guest->base + RDP_POOL_SIZE;
}

/* Only the last bytes are outside */
static uint64_t across_end(RdpGuest *guest)
{
    return guest->base + RDP_POOL_SIZE - 8;
}

static uint64_t wraps(RdpGuest *guest)
{
    return UINT64_MAX - 7;
}

static const Attack attacks[] = {
    { "header/ram", HEADER, in_ram },
    { "header/across-end", HEADER, across_end },
    { "header/wraps", HEADER, wraps },
    { "data/ram/read", DATA, in_ram },
    { "data/ram/write", DATA, in_ram, true },
    { "data/neighbour/read", DATA, in_neighbour },
    { "data/neighbour/write", DATA, in_neighbour, true },
    { "data/across-end/read", DATA, across_end },
    { "data/across-end/write", DATA, across_end, true },
    { "data/wraps/read", DATA, wraps },
    { "data/wraps/write", DATA, wraps, true },
    { "status/ram", STATUS, in_ram },
    { "status/neighbour", STATUS, in_neighbour },
    { "table/ram", TABLE, in_ram },
    { "table/across-end", TABLE, across_end },
    { "table/wraps", TABLE, wraps },
};

static void attack(Disk *d, const Attack *a)
{
    RdpBlk blk;

    rdp_blk_init(&blk, &d->dev,
                 RDP_FEATURES | (a->part == TABLE ? INDIRECT : 0), a->write);
    if (a->part == TABLE) {
        /* What the table would say, were it read */
        blk.table = a->addr(d->guest);
    } else {
        blk.bufs[a->part].addr = a->addr(d->guest);
    }
    rdp_blk_add(&blk);
    rdp_snapshot(d->guest);
    rdp_blk_go(&blk);
}

/* The daemon has no such memory; the device breaks, and works after a reset */
static void test_attack(const void *data)
{
    const Attack *a = data;
    Disk d;

    start(&d);
    attack(&d, a);
    rdp_wait_needs_reset(&d.dev);
    rdp_assert_untouched(d.guest);
    g_assert_cmpint(rdp_violations(d.guest->qts, "poola"), ==, 1);
    assert_works(&d);
    stop(&d);
}

/* The daemon ends with a request that it never got, and comes back */
static void test_killed(void)
{
    Disk d;
    RdpBlk blk;

    start(&d);
    rdp_blk_setup(&blk, &d.dev, RDP_FEATURES);
    for (int i = 0; i < 8; i++) {
        rdp_storage_daemon_kill(&d.daemon);
        rdp_blk_submit(&blk);
        rdp_storage_daemon_start(&d.daemon);
        rdp_ring_wait(&blk.ring);
        rdp_blk_assert_served(d.guest);
        assert_maps_pool(d.daemon.pid);
    }
    g_assert_false(rdp_needs_reset(&d.dev));
    stop(&d);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!qtest_has_device("vhost-user-blk-pci") || !rdp_has_storage_daemon()) {
        g_test_message("QEMU has no vhost-user-blk-pci, or no storage daemon");
        return g_test_run();
    }

    qtest_add_func("restricted-dma/storage-daemon/works", test_works);
    qtest_add_func("restricted-dma/storage-daemon/memory-map",
                   test_memory_map);
    qtest_add_func("restricted-dma/storage-daemon/killed", test_killed);
    for (int i = 0; i < G_N_ELEMENTS(attacks); i++) {
        rdp_add_test(test_attack, &attacks[i],
                     "restricted-dma/storage-daemon/attack/%s",
                     attacks[i].name);
    }
    return g_test_run();
}
