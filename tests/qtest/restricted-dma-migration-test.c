/*
 * Restricted DMA pools: migration, with rings that go on in the pool
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qemu/bswap.h"
#include "qobject/qlist.h"
#include "restricted-dma/guest.h"

#define SLOT            4
#define RINGS           0x15a000        /* in the pool, and unmistakable */
#define BLK             "-device virtio-blk-pci,id=dev0,addr=4,"
#define POOLED          "restricted-dma-pool=poola "
#define RUNNING         (VIRTIO_CONFIG_S_ACKNOWLEDGE | \
                         VIRTIO_CONFIG_S_DRIVER | \
                         VIRTIO_CONFIG_S_FEATURES_OK | \
                         VIRTIO_CONFIG_S_DRIVER_OK)

/* A folder for the socket, the stream and the messages of the destination */
typedef struct Files {
    char *dir;
    char *stream;
    char *socket;
    char *errors;
} Files;

static Files files_new(void)
{
    char *dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);

    g_assert_nonnull(dir);
    return (Files) {
        .dir = dir,
        .stream = g_build_filename(dir, "stream", NULL),
        .socket = g_build_filename(dir, "socket", NULL),
        .errors = g_build_filename(dir, "errors", NULL),
    };
}

static void files_free(Files *files)
{
    unlink(files->stream);
    unlink(files->socket);
    unlink(files->errors);
    g_assert_cmpint(rmdir(files->dir), ==, 0);
    g_free(files->dir);
    g_free(files->stream);
    g_free(files->socket);
    g_free(files->errors);
}

static void assert_errors_mention(const Files *files, const char *words)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(files->errors, &text, NULL, NULL));
    g_test_message("looking for '%s' in: %s", words, text);
    g_assert_nonnull(strstr(text, words));
}

static bool migration_is(QTestState *qts, const char *wanted)
{
    QDict *info = qtest_qmp_assert_success_ref(
        qts, "{'execute': 'query-migrate'}");
    const char *status = qdict_get_try_str(info, "status") ?: "none";
    bool is = !strcmp(status, wanted);
    bool over = !strcmp(status, "completed") || !strcmp(status, "failed");

    g_test_message("migration is %s", status);
    g_assert_true(is || !over);
    qobject_unref(info);
    return is;
}

static void wait_migration(QTestState *qts, const char *wanted)
{
    RDP_WAIT_FOR(migration_is(qts, wanted));
}

static bool state_is(QTestState *qts, const char *wanted)
{
    QDict *info = qtest_qmp_assert_success_ref(qts,
                                               "{'execute': 'query-status'}");
    bool is = !strcmp(qdict_get_str(info, "status"), wanted);

    qobject_unref(info);
    return is;
}

static void set_capability(QTestState *qts, const char *name)
{
    qtest_qmp_assert_success(qts, "{'execute': 'migrate-set-capabilities',"
                             " 'arguments': {'capabilities': [{'capability':"
                             " %s, 'state': true}]}}", name);
}

static void start_outgoing(QTestState *qts, const char *kind, const char *path)
{
    g_autofree char *uri = g_strdup_printf("%s:%s", kind, path);

    qtest_qmp_assert_success(qts, "{'execute': 'migrate',"
                             " 'arguments': {'uri': %s}}", uri);
}

/* A destination that fails stays, so that it can be asked */
static void start_incoming(QTestState *qts, const char *kind, const char *path)
{
    g_autofree char *uri = g_strdup_printf("%s:%s", kind, path);

    qtest_qmp_assert_success(qts, "{'execute': 'migrate-incoming',"
                             " 'arguments': {'uri': %s,"
                             " 'exit-on-error': false}}", uri);
}

static void save(QTestState *qts, const Files *files)
{
    start_outgoing(qts, "file", files->stream);
    wait_migration(qts, "completed");
}

/* Live; what is returned failed on both sides and runs on, on the source */
static void migrate_live(QTestState *from, QTestState *to, const Files *files,
                         const char *outcome)
{
    set_capability(from, "return-path");
    set_capability(to, "return-path");
    start_incoming(to, "unix", files->socket);
    start_outgoing(from, "unix", files->socket);
    wait_migration(from, outcome);
    wait_migration(to, outcome);
}

/* The stream is refused with these words, before the guest runs */
static void assert_refused(QTestState *to, const Files *files,
                           const char *words)
{
    start_incoming(to, "file", files->stream);
    wait_migration(to, "failed");
    g_assert_true(state_is(to, "inmigrate"));
    assert_errors_mention(files, words);
}

/* A machine that waits for a stream, and then for resume() */
static RdpGuest *start_destination(const char *machine, const char *devices,
                                   const Files *files)
{
    return rdp_start(machine, "%s -S -incoming defer 2>%s", devices,
                     files->errors);
}

static void resume(RdpGuest *to)
{
    qtest_qmp_assert_success(to->qts, "{'execute': 'cont'}");
}

/* Its device, which the guest knows already, and one of its rings */
static void take_over(RdpDevice *dev, RdpRing *ring, RdpGuest *to)
{
    rdp_device_init(dev, to, SLOT, "dev0");
    ring->dev = dev;
}

static void start_rings(RdpDevice *dev, RdpRing *ring, uint64_t features)
{
    g_assert_true(rdp_negotiate(dev, features));
    rdp_ring_init(ring, dev, 0, features & BIT_ULL(VIRTIO_F_RING_PACKED));
    ring->desc += RINGS;
    ring->avail += RINGS;
    ring->used += RINGS;
    rdp_ring_enable(ring);
    rdp_driver_ok(dev);
}

static void start_driver(RdpDevice *dev, RdpRing *ring, RdpGuest *guest,
                         uint64_t features)
{
    rdp_device_init(dev, guest, SLOT, "dev0");
    start_rings(dev, ring, features);
}

/* The device has read two sectors of its disk into the pool */
static void assert_read(RdpGuest *guest, const RdpBuf bufs[3], uint64_t sector)
{
    uint8_t found[RDP_BLK_DATA_SIZE];

    g_assert_cmphex(qtest_readb(guest->qts, bufs[2].addr), ==, 0);
    qtest_bufread(guest->qts, bufs[1].addr, found, sizeof(found));
    g_assert_cmpmem(found, sizeof(found), guest->disk.now + sector * 512,
                    RDP_BLK_DATA_SIZE);
}

static void read_sectors(RdpRing *ring, uint64_t sector)
{
    RdpGuest *guest = ring->dev->guest;
    RdpBuf bufs[3];

    rdp_blk_request(guest, bufs, false, sector, 0);
    rdp_ring_add(ring, bufs, 3, RDP_NO_TABLE);
    rdp_ring_kick(ring);
    rdp_ring_wait(ring);
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
static void leave_request(RdpRing *ring, RdpBuf bufs[3])
{
    unsigned i;

    for (i = 0; i < RDP_RING_SIZE; i++) {
        read_sectors(ring, i);
    }
    rdp_blk_request(ring->dev->guest, bufs, false, LEFT_SECTOR, 0);
    rdp_ring_add(ring, bufs, 3, RDP_NO_TABLE);
}

/* The other side finishes it, and goes on for a full turn */
static void finish_request(RdpRing *ring, const RdpBuf bufs[3])
{
    unsigned i;

    rdp_ring_kick(ring);
    rdp_ring_wait(ring);
    assert_read(ring->dev->guest, bufs, LEFT_SECTOR);
    for (i = 0; i < RDP_RING_SIZE; i++) {
        read_sectors(ring, 100 + i);
    }
}

typedef struct Journey {
    const char *name;
    const char *blk;
    bool mmio;
    uint64_t features;
} Journey;

#define PCI_BLK     BLK "drive=disk0,packed=on," POOLED
#define MMIO_BLK    "-global virtio-mmio.force-legacy=false " \
                    "-global virtio-mmio.restricted-dma-pool=poola " \
                    "-device virtio-blk-device,id=dev0,drive=disk0,packed=on," \
                    "bus=virtio-mmio-bus.0 "
#define SILENT      "-global virtio-mmio.restricted-dma-negotiate=off "
#define PACKED      BIT_ULL(VIRTIO_F_RING_PACKED)

static const Journey journeys[] = {
    { "split", PCI_BLK, false, RDP_FEATURES },
    { "packed", PCI_BLK, false, RDP_FEATURES | PACKED },
    { "mmio/split", MMIO_BLK, true, RDP_FEATURES },
    { "mmio/packed", MMIO_BLK, true, RDP_FEATURES | PACKED },
    { "mmio/silent", MMIO_BLK SILENT, true,
      RDP_FEATURES & ~BIT_ULL(RDP_F_RESTRICTED_DMA) },
};

static void find_device(RdpDevice *dev, RdpGuest *guest,
                        const Journey *journey)
{
    if (journey->mmio) {
        rdp_device_init_mmio(dev, guest, 0, "dev0");
    } else {
        rdp_device_init(dev, guest, SLOT, "dev0");
    }
}

/* A ring with a request in it that the device was not told of yet */
static void test_live(const void *data)
{
    const Journey *journey = data;
    const char *machine = journey->mmio ? rdp_mmio_machine() : rdp_machine();
    Files files = files_new();
    RdpGuest *from = rdp_start(machine, "%s", journey->blk);
    RdpGuest *to = start_destination(machine, journey->blk, &files);
    RdpDevice source, dest;
    RdpBuf bufs[3];
    RdpRing ring;

    find_device(&source, from, journey);
    start_rings(&source, &ring, journey->features);
    leave_request(&ring, bufs);
    migrate_live(from->qts, to->qts, &files, "completed");
    assert_same_memory(from, to);

    resume(to);
    find_device(&dest, to, journey);
    ring.dev = &dest;
    g_assert_cmphex(rdp_status(&dest), ==, RUNNING);
    finish_request(&ring, bufs);

    /* It is confined there, too */
    rdp_blk_request(to, bufs, false, 0, 0);
    rdp_assert_refuses(&ring, bufs, 3, 1);

    rdp_device_cleanup(&source);
    rdp_device_cleanup(&dest);
    rdp_stop(from);
    rdp_stop(to);
    files_free(&files);
}

/* A device that must not look into its rings when it arrives */
static void test_master_off(const void *data)
{
    uint64_t features = RDP_FEATURES | *(const uint64_t *)data;
    bool packed = features & BIT_ULL(VIRTIO_F_RING_PACKED);
    /* The stream has more about the rings where they could be packed */
    const char *blk = packed ? BLK "drive=disk0,packed=on," POOLED
                             : BLK "drive=disk0," POOLED;
    Files files = files_new();
    RdpGuest *from = rdp_start(rdp_machine(), "%s", blk);
    RdpGuest *to = start_destination(rdp_machine(), blk, &files);
    RdpDevice source, dest;
    RdpBuf bufs[3];
    RdpRing ring;

    start_driver(&source, &ring, from, features);
    leave_request(&ring, bufs);
    qpci_config_writew(source.pci, PCI_COMMAND, PCI_COMMAND_MEMORY);
    save(from->qts, &files);
    start_incoming(to->qts, "file", files.stream);
    wait_migration(to->qts, "completed");
    assert_same_memory(from, to);

    resume(to);
    take_over(&dest, &ring, to);
    rdp_driver_ok(&dest);
    g_assert_cmphex(rdp_status(&dest), ==, RUNNING);
    finish_request(&ring, bufs);

    rdp_device_cleanup(&source);
    rdp_device_cleanup(&dest);
    rdp_stop(from);
    rdp_stop(to);
    files_free(&files);
}

/* A device that broke the rules does not get well by a journey */
static void test_broken(void)
{
    const char *blk = BLK "drive=disk0," POOLED;
    Files files = files_new();
    RdpGuest *from = rdp_start(rdp_machine(), "%s", blk);
    RdpGuest *to = start_destination(rdp_machine(), blk, &files);
    RdpDevice source, dest;
    RdpBuf bufs[3];
    RdpRing ring;

    start_driver(&source, &ring, from, RDP_FEATURES);
    rdp_blk_request(from, bufs, false, 0, 0);
    bufs[1].addr = RDP_IN_RAM(from, RDP_VICTIM);
    rdp_ring_add(&ring, bufs, 3, RDP_NO_TABLE);
    rdp_ring_kick(&ring);
    rdp_wait_needs_reset(&source);

    save(from->qts, &files);
    start_incoming(to->qts, "file", files.stream);
    wait_migration(to->qts, "completed");
    resume(to);

    take_over(&dest, &ring, to);
    g_assert_cmphex(rdp_status(&dest), ==,
                    RUNNING | VIRTIO_CONFIG_S_NEEDS_RESET);
    rdp_snapshot(to);
    rdp_blk_request(to, bufs, false, 0, 0);
    rdp_ring_add(&ring, bufs, 3, RDP_NO_TABLE);
    rdp_set_status(&dest, RUNNING);
    rdp_ring_kick(&ring);
    rdp_settle(to->qts);
    g_assert_cmpuint(rdp_ring_used(&ring), ==, 0);
    g_assert_cmphex(rdp_status(&dest), ==,
                    RUNNING | VIRTIO_CONFIG_S_NEEDS_RESET);
    rdp_assert_untouched(to);
    rdp_blk_assert_works(&dest, RDP_FEATURES, false, false);

    rdp_device_cleanup(&source);
    rdp_device_cleanup(&dest);
    rdp_stop(from);
    rdp_stop(to);
    files_free(&files);
}

/* Requests in flight: a disk that fails a write, which stops the machine */

#define FAILING                                                             \
    "-blockdev null-co,node-name=null,size=1048576,read-zeroes=on "         \
    "-blockdev blkdebug,node-name=bad,image=null,"                          \
    "inject-error.0.event=none,inject-error.0.iotype=write,"                \
    "inject-error.0.errno=5 "                                               \
    BLK "drive=bad,werror=stop," POOLED
#define HEALTHY                                                             \
    "-blockdev null-co,node-name=null,size=1048576,read-zeroes=on "         \
    BLK "drive=null,werror=stop," POOLED

static RdpGuest *start_in_flight(RdpDevice *dev, RdpRing *ring, RdpBuf bufs[3],
                                 const Files *files)
{
    RdpGuest *guest = rdp_start(rdp_machine(), "%s", FAILING);

    start_driver(dev, ring, guest, RDP_FEATURES);
    rdp_blk_request(guest, bufs, true, 0, 0x55);
    rdp_ring_add(ring, bufs, 3, RDP_NO_TABLE);
    rdp_ring_kick(ring);
    RDP_WAIT_FOR(state_is(guest->qts, "io-error"));
    g_assert_cmpuint(rdp_ring_used(ring), ==, 0);
    save(guest->qts, files);
    return guest;
}

static void test_in_flight(void)
{
    Files files = files_new();
    RdpDevice source, dest;
    RdpGuest *from, *to;
    RdpBuf bufs[3];
    RdpRing ring;

    from = start_in_flight(&source, &ring, bufs, &files);
    to = start_destination(rdp_machine(), HEALTHY, &files);
    start_incoming(to->qts, "file", files.stream);
    wait_migration(to->qts, "completed");
    resume(to);
    take_over(&dest, &ring, to);
    rdp_ring_wait(&ring);
    g_assert_cmphex(qtest_readb(to->qts, bufs[2].addr), ==, 0);
    g_assert_cmphex(rdp_status(&dest), ==, RUNNING);

    rdp_device_cleanup(&source);
    rdp_device_cleanup(&dest);
    rdp_stop(from);
    rdp_stop(to);
    files_free(&files);
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

/*
 * Replace a number in the state of a device.  Those of virtio are big-endian,
 * as nothing else in the stream; addresses of requests in flight are like
 * those in RAM, which comes before.
 */
static void patch(const Files *files, uint64_t old, uint64_t new, bool be)
{
    g_autofree char *stream = NULL;
    uint64_t from = be ? cpu_to_be64(old) : cpu_to_le64(old);
    uint64_t to = be ? cpu_to_be64(new) : cpu_to_le64(new);
    char *at, *last = NULL;
    size_t len;

    g_assert_true(g_file_get_contents(files->stream, &stream, &len, NULL));
    for (at = stream;
         (at = memmem(at, stream + len - at, &from, sizeof(from))); at++) {
        last = at;
        if (be) {
            memcpy(at, &to, sizeof(to));
        }
    }
    g_assert_nonnull(last);
    memcpy(last, &to, sizeof(to));
    g_assert_true(g_file_set_contents(files->stream, stream, len, NULL));
}

static void test_lie(const void *data)
{
    Lie lie = *(const Lie *)data;
    Files files = files_new();
    RdpGuest *from, *to;
    RdpDevice source;
    RdpBuf bufs[3];
    RdpRing ring;
    uint64_t victim;

    from = start_in_flight(&source, &ring, bufs, &files);
    victim = RDP_IN_RAM(from, RDP_VICTIM);
    switch (lie) {
    case LIE_BUFFER:
        patch(&files, bufs[1].addr, victim, false);
        break;
    case LIE_BUFFER_WRAPS:
        patch(&files, bufs[1].addr, UINT64_MAX - 16, false);
        break;
    case LIE_DESC:
        patch(&files, ring.desc, victim, true);
        break;
    case LIE_AVAIL:
        patch(&files, ring.avail, victim, true);
        break;
    case LIE_USED:
        patch(&files, ring.used, victim, true);
        break;
    case LIE_FEATURES:
        patch(&files, RDP_FEATURES,
              RDP_FEATURES & ~BIT_ULL(RDP_F_RESTRICTED_DMA), true);
        break;
    }
    to = start_destination(rdp_machine(), HEALTHY, &files);
    assert_refused(to->qts, &files, lie == LIE_FEATURES ? "did not accept" :
                   "is outside restricted-dma-pool 'poola'");

    rdp_device_cleanup(&source);
    rdp_stop(from);
    rdp_stop(to);
    files_free(&files);
}

/* Command lines that do not fit */

typedef struct Mismatch {
    const char *name;
    const char *source;
    const char *destination;
    const char *words;
} Mismatch;

#define POOL(id)    "-object restricted-dma-pool,size=4M,id=" id " "
#define RNG         "-device virtio-rng-pci,disable-legacy=on,iommu_platform=on"

/* On the machine that has it */
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
      POOL("a") MMIO ON_POOL("a") SILENT,
      "restricted-dma-negotiate" },
};

static QTestState *start_plain(const char *options, const char *more,
                               const char *path)
{
    bool mmio = strstr(options, MMIO);

    return qtest_initf("-nodefaults -machine %s %s %s%s",
                       mmio ? rdp_mmio_machine() : rdp_machine(), options,
                       more, path);
}

static void test_mismatch(const void *data)
{
    const Mismatch *mismatch = data;
    Files files = files_new();
    QTestState *from = start_plain(mismatch->source, "", "");
    QTestState *to = start_plain(mismatch->destination, "-incoming defer 2>",
                                 files.errors);

    save(from, &files);
    assert_refused(to, &files, mismatch->words);
    qtest_qmp_assert_success(from, "{'execute': 'cont'}");
    g_assert_true(state_is(from, "running"));
    qtest_quit(from);
    qtest_quit(to);
    files_free(&files);
}

/* The source of a migration that fails runs on, and so does its driver */
static void test_source_continues(void)
{
    Files files = files_new();
    RdpGuest *from = rdp_start(rdp_machine(), BLK "drive=disk0," POOLED);
    QTestState *to = start_plain("-m 16M " POOL("poola"),
                                 "-incoming defer 2>", files.errors);
    RdpDevice dev;
    RdpRing ring;

    start_driver(&dev, &ring, from, RDP_FEATURES);
    read_sectors(&ring, 0);
    migrate_live(from->qts, to, &files, "failed");
    g_assert_true(state_is(to, "inmigrate"));
    RDP_WAIT_FOR(state_is(from->qts, "running"));
    read_sectors(&ring, 1);
    g_assert_cmphex(rdp_status(&dev), ==, RUNNING);

    rdp_device_cleanup(&dev);
    rdp_stop(from);
    qtest_quit(to);
    files_free(&files);
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
    Files files = files_new();
    RdpGuest *guest;
    RdpDevice dev;
    RdpBuf bufs[3];
    RdpRing ring;

    if (!have_qemu_img()) {
        g_test_skip("there is no qemu-img");
        files_free(&files);
        return;
    }
    g_assert_true(mkimg(files.stream, "qcow2", 1));
    guest = rdp_start(rdp_machine(), BLK "drive=disk0," POOLED
                      "-blockdev qcow2,node-name=snap,file.driver=file,"
                      "file.filename=%s", files.stream);
    start_driver(&dev, &ring, guest, RDP_FEATURES);
    read_sectors(&ring, 0);
    rdp_blk_request(guest, bufs, false, 55, 0);
    rdp_ring_add(&ring, bufs, 3, RDP_NO_TABLE);
    snapshot_job(guest->qts, "snapshot-save");

    rdp_reset(&dev);
    rdp_fill(guest, guest->base, 0xee, RDP_POOL_SIZE);
    snapshot_job(guest->qts, "snapshot-load");
    g_assert_cmphex(rdp_status(&dev), ==, RUNNING);
    rdp_ring_kick(&ring);
    rdp_ring_wait(&ring);
    assert_read(guest, bufs, 55);
    read_sectors(&ring, 1);

    rdp_device_cleanup(&dev);
    rdp_stop(guest);
    files_free(&files);
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

static void test_postcopy(void)
{
    const uint32_t step = 4096;
    const char *options = "-m 128M " POOL("a") RNG ",restricted-dma-pool=a";
    Files files = files_new();
    QTestState *from = start_plain(options, "", "");
    QTestState *to = start_plain(options, "-incoming defer 2>", files.errors);
    QDict *pool = rdp_query(from, "a");
    uint64_t base = rdp_get_uint(pool, "base");
    uint64_t at;

    qobject_unref(pool);
    if (postcopy_works(to)) {
        for (at = 0; at < RDP_POOL_SIZE; at += step) {
            qtest_writel(from, base + at, at + 1);
        }
        g_assert_true(postcopy_works(from));
        qtest_qmp_assert_success(from, "{'execute': 'migrate-set-parameters',"
                                 " 'arguments': {'max-bandwidth': 100000}}");
        start_incoming(to, "unix", files.socket);
        start_outgoing(from, "unix", files.socket);
        wait_migration(from, "active");
        qtest_qmp_assert_success(from,
                                 "{'execute': 'migrate-start-postcopy'}");
        RDP_WAIT_FOR(state_is(to, "running"));
        for (at = 0; at < RDP_POOL_SIZE; at += step) {
            g_assert_cmphex(qtest_readl(to, base + at), ==, at + 1);
        }
        wait_migration(from, "completed");
    } else {
        g_test_skip("this host does not let QEMU use userfaultfd");
    }
    qtest_quit(from);
    qtest_quit(to);
    files_free(&files);
}

int main(int argc, char **argv)
{
    static const uint64_t split = 0, packed = BIT_ULL(VIRTIO_F_RING_PACKED);
    static Lie told[ARRAY_SIZE(lies)];
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(journeys); i++) {
        g_autofree char *path = g_strdup_printf(
            "/restricted-dma/migration/live/%s", journeys[i].name);

        qtest_add_data_func(path, &journeys[i], test_live);
    }
    qtest_add_data_func("/restricted-dma/migration/master-off/split", &split,
                        test_master_off);
    qtest_add_data_func("/restricted-dma/migration/master-off/packed",
                        &packed, test_master_off);
    qtest_add_func("/restricted-dma/migration/broken", test_broken);
    qtest_add_func("/restricted-dma/migration/in-flight", test_in_flight);
    for (i = 0; i < ARRAY_SIZE(lies); i++) {
        g_autofree char *path = g_strdup_printf(
            "/restricted-dma/migration/lie/%s", lies[i]);

        told[i] = i;
        qtest_add_data_func(path, &told[i], test_lie);
    }
    for (i = 0; i < ARRAY_SIZE(mismatches); i++) {
        g_autofree char *path = g_strdup_printf(
            "/restricted-dma/migration/mismatch/%s", mismatches[i].name);

        qtest_add_data_func(path, &mismatches[i], test_mismatch);
    }
    qtest_add_func("/restricted-dma/migration/source-continues",
                   test_source_continues);
    qtest_add_func("/restricted-dma/migration/snapshot", test_snapshot);
    qtest_add_func("/restricted-dma/migration/postcopy", test_postcopy);

    return g_test_run();
}
