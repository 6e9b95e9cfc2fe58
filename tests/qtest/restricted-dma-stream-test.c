/*
 * Restricted DMA pools: migration streams that no source has written
 *
 * A source stops with a request in flight.  Each case changes one number in its
 * stream: the destination refuses it, and goes on to answer.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "scsi/constants.h"
#include "standard-headers/linux/virtio_scsi.h"
#include "restricted-dma/blk.h"
#include "restricted-dma/migration.h"
#include "restricted-dma/peer.h"

#define RINGS       0x15a000            /* in the pool, and unmistakable */
#define MAX_BUFS    1024                /* VIRTQUEUE_MAX_SIZE */
#define PACKED      BIT_ULL(VIRTIO_F_RING_PACKED)

typedef struct Source Source;

/* A guest whose device has a request in flight */
typedef struct Flight {
    const Source *source;
    RdpMigrationFiles files;
    RdpGuest *from, *to;
    RdpDevice dev, dest;
    RdpRing ring;
    RdpBuf bufs[RDP_BLK_BUFS];
    int peer;
} Flight;

struct Source {
    const char *name;
    const char *device;
    const char *bad;            /* a back end that does not finish ... */
    const char *good;           /* ... and one that does */
    uint16_t queue;
    uint64_t features;
    unsigned buf;               /* whose address comes first in the request */
    bool in;                    /* the device writes to that buffer */
    void (*fill)(Flight *f);    /* all but submit it */
};

/* Sources */

#define FAILING_DISK                                                        \
    "-blockdev null-co,node-name=null,size=1048576,read-zeroes=on "         \
    "-blockdev blkdebug,node-name=disk,image=null,"                         \
    "inject-error.0.event=none,inject-error.0.iotype=write,"                \
    "inject-error.0.errno=5 "
#define HEALTHY_DISK                                                        \
    "-blockdev null-co,node-name=disk,size=1048576,read-zeroes=on "
#define BLK     "-device virtio-blk-pci,drive=disk,werror=stop," RDP_CONFINED
#define SCSI    "-device scsi-hd,drive=disk,bus=dev0.0,scsi-id=1,lun=0,"    \
                "werror=stop"
#define SERIAL  "-device virtserialport,bus=dev0.0,nr=1,chardev=con0"

/* If packed rings are offered, the stream has more about each request */
#define BLK_SPLIT       BLK
#define BLK_PACKED      BLK ",packed=on"
#define SCSI_SPLIT      "-device virtio-scsi-pci," RDP_CONFINED " " SCSI
#define SCSI_PACKED     "-device virtio-scsi-pci,packed=on," RDP_CONFINED   \
                        " " SCSI
#define SERIAL_SPLIT    "-device virtio-serial-pci,max_ports=2,"            \
                        RDP_CONFINED " " SERIAL
#define SERIAL_PACKED   "-device virtio-serial-pci,max_ports=2,packed=on,"  \
                        RDP_CONFINED " " SERIAL

static void fill_blk(Flight *f)
{
    rdp_blk_request(f->from, f->bufs, true, 0, 0x55);
}

static void fill_scsi_write(Flight *f)
{
    struct virtio_scsi_cmd_req req = {
        .lun = { 1, 1, 0x40, 0 },
        .cdb = { [0] = WRITE_10, [8] = 1 },
    };

    rdp_poke(f->from, RDP_BUF(f->from, 0), &req, sizeof(req));
    f->bufs[0] = (RdpBuf) { RDP_BUF(f->from, 0), sizeof(req), false };
    f->bufs[1] = (RdpBuf) { RDP_BUF(f->from, 1), 512, false };
    f->bufs[2] = (RdpBuf) { RDP_BUF(f->from, 2),
                            sizeof(struct virtio_scsi_cmd_resp), true };
}

static void fill_scsi(Flight *f)
{
    /* The first command after a reset reports the reset, whatever it is */
    fill_scsi_write(f);
    rdp_ring_serve(&f->ring, f->bufs, RDP_BLK_BUFS);
    fill_scsi_write(f);
}

/* More than the socket takes */
static void fill_serial(Flight *f)
{
    unsigned i;

    for (i = 0; i < RDP_BLK_BUFS; i++) {
        f->bufs[i] = (RdpBuf) { f->from->base + MiB + i * MiB / 2, MiB / 2,
                                false };
    }
}

static const Source blk_split = {
    "blk/split", BLK_SPLIT, FAILING_DISK, HEALTHY_DISK, 0,
    RDP_FEATURES, 2, true, fill_blk,
};
static const Source blk_packed = {
    "blk/packed", BLK_PACKED, FAILING_DISK, HEALTHY_DISK, 0,
    RDP_FEATURES | PACKED, 2, true, fill_blk,
};
static const Source scsi_split = {
    "scsi/split", SCSI_SPLIT, FAILING_DISK, HEALTHY_DISK, 2,
    RDP_FEATURES, 2, true, fill_scsi,
};
static const Source scsi_packed = {
    "scsi/packed", SCSI_PACKED, FAILING_DISK, HEALTHY_DISK, 2,
    RDP_FEATURES | PACKED, 2, true, fill_scsi,
};
static const Source serial_split = {
    "serial/split", SERIAL_SPLIT, NULL, "-chardev null,id=con0", 5,
    RDP_FEATURES, 0, false, fill_serial,
};
static const Source serial_packed = {
    "serial/packed", SERIAL_PACKED, NULL, "-chardev null,id=con0", 5,
    RDP_FEATURES | PACKED, 0, false, fill_serial,
};

static const Source *const sources[] = {
    &blk_split, &blk_packed, &scsi_split, &scsi_packed, &serial_split,
    &serial_packed,
};

static void start_source(Flight *f)
{
    const Source *source = f->source;
    g_autofree char *bad = NULL;
    int fd = -1;

    if (source->bad) {
        f->peer = -1;
    } else {
        f->peer = rdp_peer_new(&fd);
        bad = g_strdup_printf("-chardev socket,id=con0,fd=%d", fd);
    }
    f->from = rdp_start_device(&f->dev, rdp_machine(), "%s %s",
                               source->bad ?: bad, source->device);
    if (fd >= 0) {
        close(fd);
    }
}

static void submit(Flight *f)
{
    const Source *source = f->source;
    RdpRing *ring = &f->ring;

    g_assert_true(rdp_negotiate(&f->dev, source->features));
    rdp_ring_init(ring, &f->dev, source->queue, source->features & PACKED);
    ring->desc = f->from->base + RINGS;
    ring->avail = ring->desc + 0x1000;
    ring->used = ring->desc + 0x2000;
    rdp_fill(f->from, ring->desc, 0, 0x3000);
    rdp_ring_enable(ring);
    rdp_driver_ok(&f->dev);
    source->fill(f);
    rdp_ring_submit(ring, f->bufs, RDP_BLK_BUFS);
}

static void start_flight(Flight *f, const Source *source)
{
    *f = (Flight) { .source = source };
    rdp_migration_files_init(&f->files);
    start_source(f);
    submit(f);
    if (source->bad) {
        RDP_WAIT_FOR(rdp_state_is(f->from->qts, "io-error"));
    } else {
        rdp_settle(f->from->qts);
    }
    g_assert_cmpuint(rdp_ring_used(&f->ring), ==, f->ring.added - 1);
    rdp_save(&f->files, f->from->qts);
}

static void start_destination(Flight *f)
{
    g_autofree char *options = g_strdup_printf("%s %s", f->source->good,
                                               f->source->device);

    f->to = rdp_start_destination(&f->files, rdp_machine(), options);
}

static void stop_flight(Flight *f)
{
    if (f->peer >= 0) {
        close(f->peer);
    }
    rdp_device_stop(&f->dev);
    rdp_stop(f->to);
    rdp_migration_files_cleanup(&f->files);
}

/* Self-test: the stream is fine if nobody changes it */
static void test_unchanged(const void *data)
{
    Flight f;

    start_flight(&f, data);
    start_destination(&f);
    rdp_load(&f.files, f.to->qts, "completed");
    rdp_continue(f.to->qts);
    rdp_device_init(&f.dest, f.to, RDP_SLOT, "dev0");
    f.ring.dev = &f.dest;
    rdp_ring_wait(&f.ring);
    g_assert_false(rdp_needs_reset(&f.dest));
    rdp_device_cleanup(&f.dest);
    stop_flight(&f);
}

/* Forgeries */

/* What a request looks like: VirtQueueElementOld in hw/virtio/virtio.c */
enum {
    OUT_NUM = 4,
    IN_NUM = 8,
    IN_ADDR = 16,
    OUT_ADDR = IN_ADDR + MAX_BUFS * 8,
    IN_SG = OUT_ADDR + MAX_BUFS * 8,
    OUT_SG = IN_SG + MAX_BUFS * 16,
    SG_LEN = 8,
};

typedef enum Place {
    IN_REQUEST,         /* native order */
    BEFORE_REQUEST,     /* big endian, as are all others */
    BEFORE_RING,        /* before the address of the descriptor table */
    IN_SIZES,           /* in the sizes to which queues are reset */
    IN_PACKED,          /* in the state of packed rings */
} Place;

typedef struct Forgery {
    const char *name;
    const Source *source;
    Place place;
    ptrdiff_t offset;
    unsigned len;
    uint64_t value;
} Forgery;

/* The number of descriptors is there if packed rings are offered */
#define DESCRIPTORS     -4

static const Forgery forgeries[] = {
    { "out-num", &blk_split, IN_REQUEST, OUT_NUM, 4, MAX_BUFS + 1 },
    { "in-num", &blk_split, IN_REQUEST, IN_NUM, 4, UINT32_MAX },
    { "in-len-zero", &blk_split, IN_REQUEST, IN_SG + SG_LEN, 8, 0 },
    { "in-len-long", &blk_split, IN_REQUEST, IN_SG + SG_LEN, 8, GiB },
    { "out-len-wraps", &blk_split, IN_REQUEST, OUT_SG + SG_LEN, 8,
      UINT64_MAX },
    { "no-descriptors", &blk_packed, BEFORE_REQUEST, DESCRIPTORS, 4, 0 },
    { "descriptors", &blk_packed, BEFORE_REQUEST, DESCRIPTORS, 4,
      RDP_RING_SIZE + 1 },
    { "size-zero", &blk_split, BEFORE_RING, -4, 4, 0 },
    { "size", &blk_split, BEFORE_RING, -4, 4, MAX_BUFS + 1 },
    { "size-huge", &blk_packed, BEFORE_RING, -4, 4, UINT32_MAX },
    { "default-size", &blk_split, IN_SIZES, 0, 4, MAX_BUFS + 1 },
    { "default-size-huge", &blk_packed, IN_SIZES, 4 * 1023, 4, UINT32_MAX },
    { "avail-index", &blk_packed, IN_PACKED, 0, 2, RDP_RING_SIZE },
    { "used-index", &blk_packed, IN_PACKED, 3, 2, UINT16_MAX },
    { "in-use", &blk_packed, IN_PACKED, 6, 4, RDP_RING_SIZE + 1 },
    { "out-num", &scsi_split, IN_REQUEST, OUT_NUM, 4, UINT32_MAX },
    { "no-header", &scsi_split, IN_REQUEST, OUT_NUM, 4, 0 },
    { "no-response", &scsi_split, IN_REQUEST, IN_NUM, 4, 0 },
    { "response-short", &scsi_split, IN_REQUEST, IN_SG + SG_LEN, 8, 4 },
    { "queue", &scsi_split, BEFORE_REQUEST, -4, 4, 1 },
    { "queue-huge", &scsi_packed, BEFORE_REQUEST, DESCRIPTORS - 4, 4,
      UINT32_MAX },
    { "descriptors", &scsi_packed, BEFORE_REQUEST, DESCRIPTORS, 4,
      UINT32_MAX },
    { "out-num", &serial_split, IN_REQUEST, OUT_NUM, 4, MAX_BUFS + 1 },
    { "buffer", &serial_split, BEFORE_REQUEST, -12, 4, RDP_BLK_BUFS },
    { "offset", &serial_split, BEFORE_REQUEST, -8, 8, MiB / 2 + 1 },
    { "offset-huge", &serial_packed, BEFORE_REQUEST, DESCRIPTORS - 8, 8,
      UINT64_MAX },
};

static void forge(const RdpMigrationFiles *files, const void *key,
                  size_t key_len, const Forgery *forgery, ptrdiff_t offset,
                  bool big_endian)
{
    uint64_t value = big_endian ?
        cpu_to_be64(forgery->value << (64 - 8 * forgery->len)) :
        cpu_to_le64(forgery->value);

    rdp_patch_stream(files, key, key_len, forgery->offset + offset, &value,
                     forgery->len);
}

/* The fields of a subsection come after its name and its version */
static void forge_subsection(const RdpMigrationFiles *files, const char *name,
                             const Forgery *forgery)
{
    /* QEMU_VM_SUBSECTION, and the length of the name */
    g_autofree char *key = g_strdup_printf("\5%c%s", (int)strlen(name), name);

    forge(files, key, strlen(key), forgery, strlen(key) + sizeof(uint32_t),
          true);
}

static void forge_stream(Flight *f, const Forgery *forgery)
{
    const Source *source = f->source;
    uint64_t request = cpu_to_le64(f->bufs[source->buf].addr);
    uint64_t ring = cpu_to_be64(f->ring.desc);
    ptrdiff_t begin = -(source->in ? IN_ADDR : OUT_ADDR);

    switch (forgery->place) {
    case IN_REQUEST:
        forge(&f->files, &request, sizeof(request), forgery, begin, false);
        break;
    case BEFORE_REQUEST:
        forge(&f->files, &request, sizeof(request), forgery, begin, true);
        break;
    case BEFORE_RING:
        forge(&f->files, &ring, sizeof(ring), forgery, 0, true);
        break;
    case IN_SIZES:
        forge_subsection(&f->files, "virtio/ringsize", forgery);
        break;
    case IN_PACKED:
        forge_subsection(&f->files, "virtio/packed_virtqueues", forgery);
        break;
    }
}

static void test_forgery(const void *data)
{
    const Forgery *forgery = data;
    Flight f;

    start_flight(&f, forgery->source);
    forge_stream(&f, forgery);
    start_destination(&f);
    rdp_load(&f.files, f.to->qts, "failed");
    g_assert_true(rdp_state_is(f.to->qts, "inmigrate"));
    stop_flight(&f);
}

/* Queues that virtio-net does not have */
static void test_net_queues(const void *data)
{
    uint32_t queues = cpu_to_be32(GPOINTER_TO_UINT(data));
    g_autofree char *device = g_strdup_printf(
        "-netdev hubport,id=net0,hubid=0 "
        "-device virtio-net-pci,netdev=net0," RDP_CONFINED);
    struct QEMU_PACKED {
        uint32_t queues;
        uint32_t size;
        uint64_t desc;
    } key;
    RdpMigrationFiles files;
    RdpGuest *from, *to;
    RdpDevice dev;
    RdpRing ring;

    rdp_migration_files_init(&files);
    from = rdp_start_device(&dev, rdp_machine(), "%s", device);
    rdp_setup(&dev, &ring, 0, RDP_FEATURES);
    rdp_save(&files, from->qts);
    key.queues = cpu_to_be32(3);
    key.size = cpu_to_be32(RDP_RING_SIZE);
    key.desc = cpu_to_be64(ring.desc);
    rdp_patch_stream(&files, &key, sizeof(key), 0, &queues, sizeof(queues));

    to = rdp_start_destination(&files, rdp_machine(), device);
    rdp_assert_stream_refused(&files, to->qts, "queues");
    rdp_device_stop(&dev);
    rdp_stop(to);
    rdp_migration_files_cleanup(&files);
}

/* A driver that writes to its used ring does not keep the VM where it is */
static void test_used_index(void)
{
    uint16_t wrong = cpu_to_le16(0x4000);
    RdpMigrationFiles files;
    RdpGuest *from, *to;
    RdpDevice dev, dest;
    RdpRing ring;
    const char *device = "-device virtio-blk-pci,drive=disk0," RDP_CONFINED;

    rdp_migration_files_init(&files);
    from = rdp_start_device(&dev, rdp_machine(), "%s", device);
    rdp_setup(&dev, &ring, 0, RDP_FEATURES);
    rdp_poke(from, ring.used + offsetof(struct vring_used, idx), &wrong,
             sizeof(wrong));
    rdp_save(&files, from->qts);

    to = rdp_start_destination(&files, rdp_machine(), device);
    rdp_load(&files, to->qts, "completed");
    rdp_continue(to->qts);
    rdp_device_init(&dest, to, RDP_SLOT, "dev0");
    g_assert_true(rdp_needs_reset(&dest));
    rdp_blk_assert_works(&dest, RDP_FEATURES, false);
    rdp_device_cleanup(&dest);
    rdp_stop(to);
    rdp_device_stop(&dev);
    rdp_migration_files_cleanup(&files);
}

int main(int argc, char **argv)
{
    static const unsigned queues[] = { 0, 1, 4, 5, 1024 };
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(sources); i++) {
        rdp_add_test(test_unchanged, sources[i],
                     "/restricted-dma/stream/%s/unchanged", sources[i]->name);
    }
    for (i = 0; i < ARRAY_SIZE(forgeries); i++) {
        rdp_add_test(test_forgery, &forgeries[i],
                     "/restricted-dma/stream/%s/%s",
                     forgeries[i].source->name, forgeries[i].name);
    }
    for (i = 0; i < ARRAY_SIZE(queues); i++) {
        rdp_add_test(test_net_queues, GUINT_TO_POINTER(queues[i]),
                     "/restricted-dma/stream/net/queues-%u", queues[i]);
    }
    qtest_add_func("/restricted-dma/stream/used-index", test_used_index);

    return g_test_run();
}
