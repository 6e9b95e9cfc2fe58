/*
 * Restricted DMA pools: migration, after which rings in the pool go on
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qlist.h"
#include "restricted-dma/blk.h"
#include "restricted-dma/config-window.h"
#include "restricted-dma/migration.h"

#define RINGS           0x15a000        /* in the pool, and unmistakable */
#define BLK             "-device virtio-blk-pci," RDP_CONFINED ","
#define RUNNING         (VIRTIO_CONFIG_S_ACKNOWLEDGE | \
                         VIRTIO_CONFIG_S_DRIVER | \
                         VIRTIO_CONFIG_S_FEATURES_OK | \
                         VIRTIO_CONFIG_S_DRIVER_OK)

/* A guest that migrates, and its driver, which has one ring */
typedef struct Migration {
    const char *machine;
    const char *options;        /* of both sides */
    bool mmio;
    RdpMigrationFiles files;
    RdpGuest *from, *to;
    RdpDevice source, dest;
    RdpRing ring;
    RdpBuf bufs[RDP_BLK_BUFS];
} Migration;

static void find_device(Migration *m, RdpDevice *dev, RdpGuest *guest)
{
    if (m->mmio) {
        rdp_device_init_mmio(dev, guest, 0, "dev0");
    } else {
        rdp_device_init(dev, guest, RDP_SLOT, "dev0");
    }
}

static void start_driver(Migration *m, uint64_t features)
{
    RdpRing *ring = &m->ring;

    g_assert_true(rdp_negotiate(&m->source, features));
    rdp_ring_init(ring, &m->source, 0,
                  features & BIT_ULL(VIRTIO_F_RING_PACKED));
    ring->desc += RINGS;
    ring->avail += RINGS;
    ring->used += RINGS;
    rdp_ring_enable(ring);
    rdp_driver_ok(&m->source);
}

/* The source, with a driver that has negotiated @features */
static void start_source(Migration *m, uint64_t features)
{
    rdp_migration_files_init(&m->files);
    m->machine = m->mmio ? rdp_mmio_machine() : rdp_machine();
    m->from = rdp_start(m->machine, "%s", m->options);
    find_device(m, &m->source, m->from);
    start_driver(m, features);
}

/* The destination, which waits for the stream */
static void start_destination(Migration *m)
{
    m->to = rdp_start_destination(&m->files, m->machine, m->options);
}

/* Through a file */
static void migrate_by_file(Migration *m)
{
    rdp_save(&m->files, m->from->qts);
    rdp_load(&m->files, m->to->qts, "completed");
}

/* The destination runs, with the driver that knows the device already */
static void take_over(Migration *m)
{
    rdp_continue(m->to->qts);
    find_device(m, &m->dest, m->to);
    m->ring.dev = &m->dest;
}

static void stop(Migration *m)
{
    rdp_device_stop(&m->source);
    if (m->to) {
        rdp_device_cleanup(&m->dest);
        rdp_stop(m->to);
    }
    rdp_migration_files_cleanup(&m->files);
}

/* The device has read two sectors of its disk into the pool */
static void assert_read(RdpGuest *guest, const RdpBuf bufs[RDP_BLK_BUFS],
                        uint64_t sector)
{
    uint8_t found[RDP_BLK_DATA_SIZE];

    rdp_blk_assert_served(guest);
    qtest_bufread(guest->qts, bufs[1].addr, found, sizeof(found));
    g_assert_cmpmem(found, sizeof(found), guest->disk.now + sector * 512,
                    RDP_BLK_DATA_SIZE);
}

static void read_sectors(RdpRing *ring, uint64_t sector)
{
    RdpGuest *guest = ring->dev->guest;
    RdpBuf bufs[RDP_BLK_BUFS];

    rdp_blk_request(guest, bufs, false, sector, 0);
    rdp_ring_serve(ring, bufs, RDP_BLK_BUFS);
    assert_read(guest, bufs, sector);
}

static void assert_same_memory(RdpGuest *from, RdpGuest *to)
{
    g_autofree uint8_t *source = g_malloc(RDP_POOL_SIZE);
    g_autofree uint8_t *found = g_malloc(RDP_POOL_SIZE);

    g_assert_cmphex(from->base, ==, to->base);
    qtest_bufread(from->qts, from->base, source, RDP_POOL_SIZE);
    qtest_bufread(to->qts, to->base, found, RDP_POOL_SIZE);
    g_assert_cmpint(memcmp(source, found, RDP_POOL_SIZE), ==, 0);
    g_assert_cmpint(memcmp(from->ram.now, to->ram.now, from->ram.size), ==, 0);
    g_assert_cmpint(memcmp(from->neighbour.now, to->neighbour.now,
                           from->neighbour.size), ==, 0);
}

#define LEFT_SECTOR 77

/* After a full turn of the ring, a request of which the device is not told */
static void leave_request(Migration *m)
{
    unsigned i;

    for (i = 0; i < RDP_RING_SIZE; i++) {
        read_sectors(&m->ring, i);
    }
    rdp_blk_request(m->from, m->bufs, false, LEFT_SECTOR, 0);
    rdp_ring_add(&m->ring, m->bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
}

/* The destination finishes it, and goes on for a full turn */
static void finish_request(Migration *m)
{
    unsigned i;

    rdp_ring_kick(&m->ring);
    rdp_ring_wait(&m->ring);
    assert_read(m->to, m->bufs, LEFT_SECTOR);
    for (i = 0; i < RDP_RING_SIZE; i++) {
        read_sectors(&m->ring, 100 + i);
    }
}

static void set_capability(QTestState *qts, const char *name)
{
    qtest_qmp_assert_success(qts, "{'execute': 'migrate-set-capabilities',"
                             " 'arguments': {'capabilities': [{'capability':"
                             " %s, 'state': true}]}}", name);
}

/* With a return path, by which the source learns that a migration failed */
static void migrate_live(const RdpMigrationFiles *files, QTestState *from,
                         QTestState *to, const char *outcome)
{
    set_capability(from, "return-path");
    set_capability(to, "return-path");
    rdp_begin_live(files, from, to);
    rdp_wait_migration(from, outcome);
    rdp_wait_migration(to, outcome);
}

typedef struct Variant {
    const char *name;
    const char *blk;
    bool mmio;
    uint64_t features;
} Variant;

#define PCI_BLK     BLK "drive=disk0,packed=on "
#define MMIO_BLK    "-global virtio-mmio.force-legacy=false " \
                    "-global virtio-mmio.restricted-dma-pool=poola " \
                    "-device virtio-blk-device,id=dev0,drive=disk0,packed=on," \
                    "bus=virtio-mmio-bus.0 "
#define QUIET       "-global virtio-mmio.restricted-dma-negotiate=off "
#define PACKED      BIT_ULL(VIRTIO_F_RING_PACKED)

static const Variant variants[] = {
    { "split", PCI_BLK, false, RDP_FEATURES },
    { "packed", PCI_BLK, false, RDP_FEATURES | PACKED },
    { "mmio/split", MMIO_BLK, true, RDP_FEATURES },
    { "mmio/packed", MMIO_BLK, true, RDP_FEATURES | PACKED },
    { "mmio/silent", MMIO_BLK QUIET, true,
      RDP_FEATURES & ~BIT_ULL(RDP_F_RESTRICTED_DMA) },
};

/* A ring with a request in it that the device was not told of yet */
static void test_live(const void *data)
{
    const Variant *variant = data;
    Migration m = { .options = variant->blk, .mmio = variant->mmio };

    start_source(&m, variant->features);
    start_destination(&m);
    leave_request(&m);
    migrate_live(&m.files, m.from->qts, m.to->qts, "completed");
    assert_same_memory(m.from, m.to);

    take_over(&m);
    g_assert_cmphex(rdp_status(&m.dest), ==, RUNNING);
    finish_request(&m);

    /* It is confined there, too */
    rdp_blk_request(m.to, m.bufs, false, 0, 0);
    rdp_assert_refuses(&m.ring, m.bufs, RDP_BLK_BUFS, 1);
    stop(&m);
}

/* A device that must not look into its rings when it arrives */
static void test_master_off(const void *data)
{
    uint64_t features = RDP_FEATURES | *(const uint64_t *)data;
    Migration m = {
        /* If the rings could be packed, the stream has more about them */
        .options = features & PACKED ? PCI_BLK : BLK "drive=disk0 ",
    };

    start_source(&m, features);
    start_destination(&m);
    leave_request(&m);
    qpci_config_writew(m.source.pci, PCI_COMMAND, PCI_COMMAND_MEMORY);
    migrate_by_file(&m);
    assert_same_memory(m.from, m.to);

    take_over(&m);
    rdp_driver_ok(&m.dest);
    g_assert_cmphex(rdp_status(&m.dest), ==, RUNNING);
    finish_request(&m);
    stop(&m);
}

/* Find the device, but do not let it master the bus */
static void find_quietly(Migration *m)
{
    rdp_continue(m->to->qts);
    m->dest = m->source;
    m->dest.guest = m->to;
    m->dest.pci = qpci_device_find(m->to->bus, QPCI_DEVFN(RDP_SLOT, 0));
    m->ring.dev = &m->dest;
}

/*
 * The indices that the device could not read when it arrived are those of the
 * old ring: after a reset, it begins at 0, whatever it finds in the new one.
 */
static void test_master_off_reset(void)
{
    Migration m = { .options = BLK "drive=disk0 " };
    uint8_t cap;
    uint64_t idx;

    start_source(&m, RDP_FEATURES);
    start_destination(&m);
    leave_request(&m);
    qpci_config_writew(m.source.pci, PCI_COMMAND, PCI_COMMAND_MEMORY);
    migrate_by_file(&m);

    find_quietly(&m);
    cap = rdp_window_find(&m.dest);
    rdp_window_set_status(&m.dest, cap, 0);
    rdp_ring_init(&m.ring, &m.dest, 0, false);
    idx = m.ring.used + offsetof(struct vring_used, idx);
    qtest_writew(m.to->qts, idx, 7);
    rdp_blk_request(m.to, m.bufs, false, LEFT_SECTOR, 0);
    rdp_ring_add(&m.ring, m.bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
    rdp_window_start(&m.ring, cap);

    rdp_device_cleanup(&m.dest);
    find_device(&m, &m.dest, m.to);
    rdp_driver_ok(&m.dest);
    rdp_ring_kick(&m.ring);
    RDP_WAIT_FOR(qtest_readw(m.to->qts, idx) == 1);
    assert_read(m.to, m.bufs, LEFT_SECTOR);
    stop(&m);
}

/* Migration does not repair a device that broke the rules */
static void test_broken(void)
{
    Migration m = { .options = BLK "drive=disk0 " };

    start_source(&m, RDP_FEATURES);
    start_destination(&m);
    rdp_blk_request(m.from, m.bufs, false, 0, 0);
    m.bufs[1].addr = RDP_IN_RAM(m.from, RDP_VICTIM);
    rdp_ring_submit(&m.ring, m.bufs, RDP_BLK_BUFS);
    rdp_wait_needs_reset(&m.source);

    migrate_by_file(&m);
    take_over(&m);
    g_assert_cmphex(rdp_status(&m.dest), ==,
                    RUNNING | VIRTIO_CONFIG_S_NEEDS_RESET);
    rdp_snapshot(m.to);
    rdp_blk_request(m.to, m.bufs, false, 0, 0);
    rdp_ring_add(&m.ring, m.bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
    rdp_set_status(&m.dest, RUNNING);
    rdp_ring_kick(&m.ring);
    rdp_settle(m.to->qts);
    g_assert_cmpuint(rdp_ring_used(&m.ring), ==, 0);
    g_assert_cmphex(rdp_status(&m.dest), ==,
                    RUNNING | VIRTIO_CONFIG_S_NEEDS_RESET);
    rdp_assert_untouched(m.to);
    rdp_blk_assert_works(&m.dest, RDP_FEATURES, false);
    stop(&m);
}

/* A device that broke because its driver had accepted nothing */
static void test_refused(void)
{
    const uint8_t refused = (RUNNING & ~VIRTIO_CONFIG_S_FEATURES_OK) |
                            VIRTIO_CONFIG_S_NEEDS_RESET;
    Migration m = { .options = BLK "drive=disk0 " };

    start_source(&m, RDP_FEATURES);
    start_destination(&m);
    rdp_reset(&m.source);
    rdp_set_status(&m.source, RUNNING);
    rdp_set_status(&m.source, RUNNING);
    g_assert_cmphex(rdp_status(&m.source), ==, refused);

    migrate_by_file(&m);
    take_over(&m);
    g_assert_cmphex(rdp_status(&m.dest), ==, refused);
    rdp_set_status(&m.dest, RUNNING);
    g_assert_cmphex(rdp_status(&m.dest), ==, refused);
    rdp_blk_assert_works(&m.dest, RDP_FEATURES, false);
    stop(&m);
}

/* Requests in flight: a disk that fails a write, which stops the machine */

#define FAILING                                                             \
    "-blockdev null-co,node-name=null,size=1048576,read-zeroes=on "         \
    "-blockdev blkdebug,node-name=bad,image=null,"                          \
    "inject-error.0.event=none,inject-error.0.iotype=write,"                \
    "inject-error.0.errno=5 "                                               \
    BLK "drive=bad,werror=stop "
#define HEALTHY                                                             \
    "-blockdev null-co,node-name=null,size=1048576,read-zeroes=on "         \
    BLK "drive=null,werror=stop "

static void start_in_flight(Migration *m, bool master_off)
{
    m->options = FAILING;
    start_source(m, RDP_FEATURES);
    rdp_blk_request(m->from, m->bufs, true, 0, 0x55);
    rdp_ring_submit(&m->ring, m->bufs, RDP_BLK_BUFS);
    RDP_WAIT_FOR(rdp_state_is(m->from->qts, "io-error"));
    g_assert_cmpuint(rdp_ring_used(&m->ring), ==, 0);
    if (master_off) {
        qpci_config_writew(m->source.pci, PCI_COMMAND, PCI_COMMAND_MEMORY);
    }
    rdp_save(&m->files, m->from->qts);
    m->options = HEALTHY;
}

static void test_in_flight(void)
{
    Migration m = { };

    start_in_flight(&m, false);
    start_destination(&m);
    rdp_load(&m.files, m.to->qts, "completed");
    take_over(&m);
    rdp_ring_wait(&m.ring);
    rdp_blk_assert_served(m.to);
    g_assert_cmphex(rdp_status(&m.dest), ==, RUNNING);
    stop(&m);
}

/* The driver turns bus mastering off meanwhile: the request is not returned */
static void test_in_flight_master_off(void)
{
    Migration m = { };

    start_in_flight(&m, true);
    start_destination(&m);
    rdp_load(&m.files, m.to->qts, "completed");
    find_quietly(&m);
    rdp_settle(m.to->qts);
    g_assert_cmpuint(rdp_ring_used(&m.ring), ==, 0);
    rdp_device_cleanup(&m.dest);
    find_device(&m, &m.dest, m.to);
    rdp_setup(&m.dest, &m.ring, 0, RDP_FEATURES);
    rdp_blk_request(m.to, m.bufs, false, 0, 0);
    rdp_ring_serve(&m.ring, m.bufs, RDP_BLK_BUFS);
    rdp_blk_assert_served(m.to);
    g_assert_cmphex(rdp_status(&m.dest), ==, RUNNING);
    stop(&m);
}

/* A source that lies */

typedef enum Lie {
    LIE_BUFFER, LIE_BUFFER_WRAPS, LIE_DESC, LIE_AVAIL, LIE_USED, LIE_FEATURES,
} Lie;

static const char *const lies[] = {
    [LIE_BUFFER] = "buffer",
    [LIE_BUFFER_WRAPS] = "buffer-wraps",
    [LIE_DESC] = "descriptor-table",
    [LIE_AVAIL] = "available-ring",
    [LIE_USED] = "used-ring",
    [LIE_FEATURES] = "features",
};

/* Unlike addresses in memory, numbers in the state of virtio are big endian */
static void patch_virtio(const RdpMigrationFiles *files, uint64_t old,
                         uint64_t new)
{
    g_assert_cmpuint(rdp_replace_in_stream(files, old, new), >, 0);
}

/* The addresses of requests in flight are as they are in memory */
static void patch_request(const RdpMigrationFiles *files, uint64_t old,
                          uint64_t new)
{
    old = cpu_to_le64(old);
    new = cpu_to_le64(new);
    rdp_patch_stream(files, &old, sizeof(old), 0, &new, sizeof(new));
}

static void test_lie(const void *data)
{
    Lie lie = *(const Lie *)data;
    Migration m = { };
    uint64_t victim;

    start_in_flight(&m, false);
    victim = RDP_IN_RAM(m.from, RDP_VICTIM);
    switch (lie) {
    case LIE_BUFFER:
        patch_request(&m.files, m.bufs[1].addr, victim);
        break;
    case LIE_BUFFER_WRAPS:
        patch_request(&m.files, m.bufs[1].addr, UINT64_MAX - 16);
        break;
    case LIE_DESC:
        patch_virtio(&m.files, m.ring.desc, victim);
        break;
    case LIE_AVAIL:
        patch_virtio(&m.files, m.ring.avail, victim);
        break;
    case LIE_USED:
        patch_virtio(&m.files, m.ring.used, victim);
        break;
    case LIE_FEATURES:
        patch_virtio(&m.files, RDP_FEATURES,
                     RDP_FEATURES & ~BIT_ULL(RDP_F_RESTRICTED_DMA));
        break;
    }
    start_destination(&m);
    rdp_assert_stream_refused(&m.files, m.to->qts, lie == LIE_FEATURES ?
                              "did not accept" :
                              "is outside restricted-dma-pool 'poola'");
    stop(&m);
}

/* Command lines that do not fit each other */

typedef struct Mismatch {
    const char *name;
    const char *source;
    const char *destination;
    const char *words;
} Mismatch;

#define POOL(id)    "-object restricted-dma-pool,size=4M,id=" id " "
#define RNG         "-device virtio-rng-pci,disable-legacy=on,iommu_platform=on"

/* Needs rdp_mmio_machine() */
#define MMIO        "-device virtio-rng-device " \
                    "-global virtio-mmio.force-legacy=false "
#define ON_POOL(id) "-global virtio-mmio.restricted-dma-pool=" id " "

static const Mismatch mismatches[] = {
    { "pool-missing", POOL("a"), "", "restricted-dma-pool.a" },
    { "pool-added", POOL("b"), POOL("a") POOL("b"), "same address" },
    { "other-size", POOL("a"), "-object restricted-dma-pool,id=a,size=2M ",
      "restricted-dma-pool.a" },
    { "other-address", POOL("a"), POOL("a,addr=0x180000000"),
      "same address" },
    { "other-id", POOL("a"), POOL("b"), "restricted-dma-pool.a" },
    { "other-ram-size", "-m 128M " POOL("a"), "-m 256M " POOL("a"), "ram" },
    { "default-added", POOL("a"), POOL("a,dma-default=on"), "dma-default" },
    { "default-removed", POOL("a,dma-default=on"), POOL("a"), "dma-default" },
    { "device-on-other-pool",
      POOL("a") POOL("b") RNG ",restricted-dma-pool=a",
      POOL("a") POOL("b") RNG ",restricted-dma-pool=b", "same address" },
    { "device-leaves-pool",
      POOL("a") RNG ",restricted-dma-pool=a", POOL("a") RNG,
      "on both sides" },
    { "device-joins-pool",
      POOL("a") RNG, POOL("a") RNG ",restricted-dma-pool=a",
      "on both sides" },
    { "device-no-longer-negotiates",
      POOL("a") RNG ",restricted-dma-pool=a",
      POOL("a") RNG ",restricted-dma-pool=a,restricted-dma-negotiate=off",
      "restricted-dma-negotiate" },
    { "device-begins-to-negotiate",
      POOL("a") RNG ",restricted-dma-pool=a,restricted-dma-negotiate=off",
      POOL("a") RNG ",restricted-dma-pool=a", "restricted-dma-negotiate" },
    { "mmio/device-leaves-pool", POOL("a") MMIO ON_POOL("a"), POOL("a") MMIO,
      "on both sides" },
    { "mmio/device-joins-pool", POOL("a") MMIO, POOL("a") MMIO ON_POOL("a"),
      "on both sides" },
    { "mmio/device-on-other-pool", POOL("a") POOL("b") MMIO ON_POOL("a"),
      POOL("a") POOL("b") MMIO ON_POOL("b"), "same address" },
    { "mmio/device-no-longer-negotiates", POOL("a") MMIO ON_POOL("a"),
      POOL("a") MMIO ON_POOL("a") QUIET,
      "restricted-dma-negotiate" },
};

/* Only a device tree tells of a pool without the feature */
static bool is_possible(const char *options)
{
    return rdp_has_device_tree() || !strstr(options, "negotiate=off");
}

static QTestState *start_plain(const char *options, const char *more)
{
    bool mmio = strstr(options, MMIO);

    return qtest_initf("-nodefaults -machine %s %s %s",
                       mmio ? rdp_mmio_machine() : rdp_machine(), options,
                       more);
}

static QTestState *start_plain_destination(const RdpMigrationFiles *files,
                                           const char *options)
{
    g_autofree char *more = rdp_destination_options(files);

    return start_plain(options, more);
}

static void test_mismatch(const void *data)
{
    const Mismatch *mismatch = data;
    QTestState *from, *to;
    RdpMigrationFiles files;

    rdp_migration_files_init(&files);
    from = start_plain(mismatch->source, "");
    to = start_plain_destination(&files, mismatch->destination);
    rdp_save(&files, from);
    rdp_assert_stream_refused(&files, to, mismatch->words);
    rdp_continue(from);
    g_assert_true(rdp_state_is(from, "running"));
    qtest_quit(from);
    qtest_quit(to);
    rdp_migration_files_cleanup(&files);
}

/* A pool's own memory and a memory backend are the same to a migration */
typedef struct Memory {
    const char *name;
    const char *source;
    const char *destination;
} Memory;

#define MEMDEV(id)  "-object memory-backend-memfd,size=4M,id=mem " \
                    POOL(id ",memdev=mem")

static const Memory memories[] = {
    { "own-to-memdev", POOL("a"), MEMDEV("a") },
    { "memdev-to-own", MEMDEV("a"), POOL("a") },
    { "memdev-to-memdev", MEMDEV("a"), MEMDEV("a") },
};

static void test_memory(const void *data)
{
    const Memory *memory = data;
    const uint64_t pattern = 0x0123456789abcdef;
    QTestState *from, *to;
    RdpMigrationFiles files;
    QDict *pool;
    uint64_t base;

    rdp_migration_files_init(&files);
    from = start_plain(memory->source, "");
    to = start_plain_destination(&files, memory->destination);
    pool = rdp_query(from, "a");
    base = rdp_get_uint(pool, "base");
    qobject_unref(pool);
    qtest_writeq(from, base, pattern);
    qtest_writeq(from, base + RDP_POOL_SIZE - 8, ~pattern);
    rdp_save(&files, from);
    rdp_load(&files, to, "completed");
    g_assert_cmphex(qtest_readq(to, base), ==, pattern);
    g_assert_cmphex(qtest_readq(to, base + RDP_POOL_SIZE - 8), ==, ~pattern);
    qtest_quit(from);
    qtest_quit(to);
    rdp_migration_files_cleanup(&files);
}

/* The source of a migration that fails runs on, and so does its driver */
static void test_source_continues(void)
{
    Migration m = { .options = BLK "drive=disk0 " };
    QTestState *to;

    start_source(&m, RDP_FEATURES);
    to = start_plain_destination(&m.files, "-m 16M " POOL("poola"));
    read_sectors(&m.ring, 0);
    migrate_live(&m.files, m.from->qts, to, "failed");
    g_assert_true(rdp_state_is(to, "inmigrate"));
    RDP_WAIT_FOR(rdp_state_is(m.from->qts, "running"));
    read_sectors(&m.ring, 1);
    g_assert_cmphex(rdp_status(&m.source), ==, RUNNING);
    qtest_quit(to);
    stop(&m);
}

/* Snapshots */

static bool job_is_over(QTestState *qts)
{
    QDict *response = qtest_qmp(qts, "{'execute': 'query-jobs'}");
    QDict *job = qobject_to(QDict,
                            qlist_peek(qdict_get_qlist(response, "return")));
    bool over = !strcmp(qdict_get_str(job, "status"), "concluded");

    g_assert_null(qdict_get_try_str(job, "error"));
    qobject_unref(response);
    return over;
}

static void snapshot_job(QTestState *qts, const char *command)
{
    qtest_qmp_assert_success(qts, "{'execute': %s, 'arguments':"
                             " {'job-id': 'job0', 'tag': 'tag0',"
                             " 'vmstate': 'snap', 'devices': ['snap']}}",
                             command);
    RDP_WAIT_FOR(job_is_over(qts));
    qtest_qmp_assert_success(qts, "{'execute': 'job-dismiss',"
                             " 'arguments': {'id': 'job0'}}");
}

static void test_snapshot(void)
{
    Migration m = { };
    RdpDevice *dev = &m.source;

    if (!have_qemu_img()) {
        g_test_skip("there is no qemu-img");
        return;
    }
    rdp_migration_files_init(&m.files);
    g_assert_true(mkimg(m.files.stream, "qcow2", 1));
    m.from = rdp_start(rdp_machine(), BLK "drive=disk0 "
                       "-blockdev qcow2,node-name=snap,file.driver=file,"
                       "file.filename=%s", m.files.stream);
    find_device(&m, dev, m.from);
    start_driver(&m, RDP_FEATURES);
    read_sectors(&m.ring, 0);
    rdp_blk_request(m.from, m.bufs, false, 55, 0);
    rdp_ring_add(&m.ring, m.bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
    snapshot_job(m.from->qts, "snapshot-save");

    rdp_reset(dev);
    rdp_fill(m.from, m.from->base, 0xee, RDP_POOL_SIZE);
    snapshot_job(m.from->qts, "snapshot-load");
    g_assert_cmphex(rdp_status(dev), ==, RUNNING);
    rdp_ring_kick(&m.ring);
    rdp_ring_wait(&m.ring);
    assert_read(m.from, m.bufs, 55);
    read_sectors(&m.ring, 1);
    stop(&m);
}

/* Postcopy: the destination runs before it has all of the pool */

static bool postcopy_works(QTestState *qts)
{
    QDict *response = qtest_qmp(
        qts, "{'execute': 'migrate-set-capabilities', 'arguments':"
        " {'capabilities': [{'capability': 'postcopy-ram',"
        " 'state': true}]}}");
    bool works = qdict_haskey(response, "return");

    qobject_unref(response);
    return works;
}

static void migrate_postcopy(const RdpMigrationFiles *files, QTestState *from,
                             QTestState *to)
{
    const uint32_t step = 4096;
    QDict *pool = rdp_query(from, "a");
    uint64_t base = rdp_get_uint(pool, "base");
    uint64_t at;

    qobject_unref(pool);
    for (at = 0; at < RDP_POOL_SIZE; at += step) {
        qtest_writel(from, base + at, at + 1);
    }
    g_assert_true(postcopy_works(from));
    qtest_qmp_assert_success(from, "{'execute': 'migrate-set-parameters',"
                             " 'arguments': {'max-bandwidth': 100000}}");
    rdp_begin_live(files, from, to);
    rdp_wait_migration(from, "active");
    qtest_qmp_assert_success(from, "{'execute': 'migrate-start-postcopy'}");
    RDP_WAIT_FOR(rdp_state_is(to, "running"));
    for (at = 0; at < RDP_POOL_SIZE; at += step) {
        g_assert_cmphex(qtest_readl(to, base + at), ==, at + 1);
    }
    rdp_wait_migration(from, "completed");
}

static void test_postcopy(void)
{
    const char *options = "-m 128M " POOL("a") RNG ",restricted-dma-pool=a";
    QTestState *from, *to;
    RdpMigrationFiles files;

    rdp_migration_files_init(&files);
    from = start_plain(options, "");
    to = start_plain_destination(&files, options);
    if (postcopy_works(to)) {
        migrate_postcopy(&files, from, to);
    } else {
        g_test_skip("this host does not let QEMU use userfaultfd");
    }
    qtest_quit(from);
    qtest_quit(to);
    rdp_migration_files_cleanup(&files);
}

int main(int argc, char **argv)
{
    static const uint64_t split = 0, packed = PACKED;
    static Lie told[ARRAY_SIZE(lies)];
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(variants); i++) {
        if (is_possible(variants[i].blk)) {
            rdp_add_test(test_live, &variants[i],
                         "/restricted-dma/migration/live/%s",
                         variants[i].name);
        }
    }
    qtest_add_data_func("/restricted-dma/migration/master-off/split", &split,
                        test_master_off);
    qtest_add_data_func("/restricted-dma/migration/master-off/packed",
                        &packed, test_master_off);
    qtest_add_func("/restricted-dma/migration/master-off/reset",
                   test_master_off_reset);
    qtest_add_func("/restricted-dma/migration/master-off/in-flight",
                   test_in_flight_master_off);
    qtest_add_func("/restricted-dma/migration/broken", test_broken);
    qtest_add_func("/restricted-dma/migration/refused", test_refused);
    qtest_add_func("/restricted-dma/migration/in-flight", test_in_flight);
    for (i = 0; i < ARRAY_SIZE(lies); i++) {
        told[i] = i;
        rdp_add_test(test_lie, &told[i], "/restricted-dma/migration/lie/%s",
                     lies[i]);
    }
    for (i = 0; i < ARRAY_SIZE(mismatches); i++) {
        if (is_possible(mismatches[i].source) &&
            is_possible(mismatches[i].destination)) {
            rdp_add_test(test_mismatch, &mismatches[i],
                         "/restricted-dma/migration/mismatch/%s",
                         mismatches[i].name);
        }
    }
    for (i = 0; i < ARRAY_SIZE(memories); i++) {
        rdp_add_test(test_memory, &memories[i],
                     "/restricted-dma/migration/memory/%s", memories[i].name);
    }
    qtest_add_func("/restricted-dma/migration/source-continues",
                   test_source_continues);
    qtest_add_func("/restricted-dma/migration/snapshot", test_snapshot);
    qtest_add_func("/restricted-dma/migration/postcopy", test_postcopy);

    return g_test_run();
}
