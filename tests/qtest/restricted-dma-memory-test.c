/*
 * Restricted DMA pools: the memory that requests take while they wait
 *
 * A back end of the host takes its time, and a driver fills all queues of its
 * device meanwhile.  QEMU takes as many requests as its limit allows.  When the
 * back end goes on, all of them end.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "libqos/libqos.h"
#include "scsi/constants.h"
#include "standard-headers/linux/virtio_blk.h"
#include "standard-headers/linux/virtio_scsi.h"
#include "restricted-dma/host.h"
#include "restricted-dma/refusal.h"

#define RING            1024
#define BUFS            3
#define CTRL            0               /* the control queue of SCSI */
#define LONG            1000            /* buffers; QEMU takes 1024 */

/* What a device may take, beside RAM and pool, and what waits for no memory */
#define GROWTH          (64 * MiB)

/* Offsets into the pool: each queue has rings, all have the same requests */
#define RINGS(queue)    ((queue) * 0x8000)
#define AVAIL           0x4000
#define USED            0x5000
#define TABLE           0x300000
#define DATA            0x301000

#define FEATURES        (RDP_FEATURES | BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC))
#define PACKED          BIT_ULL(VIRTIO_F_RING_PACKED)

typedef struct Load {
    const char *name;
    const char *device;         /* its number, slot and number of queues */
    unsigned devices;
    unsigned first;             /* of the queues of a device */
    unsigned queues;
    const void *request;
    uint32_t len;
    const void *data;           /* to write; NULL for a read */
    uint32_t data_len;
    uint32_t result;            /* bytes of it, in a buffer of its own */
    bool compressed;            /* the disks are a compressed image */
} Load;

typedef struct Test {
    const Load *load;
    uint64_t features;
} Test;

/* Offsets of the parts of the request from DATA */
#define DATA_BLOCK      0x1000
#define DATA_RESULT     0x2000
#define DATA_CTRL       0x3000

#define BLOCK           512
#define CLUSTER         (512 * KiB)     /* of a compressed image */
static const uint8_t block[BLOCK] = { 0x5a };

static const struct virtio_blk_outhdr blk_read = {
    .type = const_le32(VIRTIO_BLK_T_IN),
};
static const struct virtio_blk_outhdr blk_zeroes = {
    .type = const_le32(VIRTIO_BLK_T_WRITE_ZEROES),
};
static const struct virtio_blk_discard_write_zeroes blk_zeroed = {
    .num_sectors = const_le32(16 * MiB / BLOCK),
};
static const struct virtio_scsi_cmd_req scsi_read = {
    .lun = { 1, 1, 0x40, 0 },
    .cdb = { READ_10, [8] = 1 },
};
static const struct virtio_scsi_cmd_req scsi_write_same = {
    .lun = { 1, 1, 0x40, 0 },
    .cdb = { WRITE_SAME_10, [7] = 4 },          /* 1024 blocks */
};

#define SLOW    " -drive if=none,id=slow%1$u,driver=null-co,size=67108864,"   \
                "latency-ns=10000000,read-zeroes=on "
#define QCOW2   " -drive if=none,id=slow%1$u,driver=qcow2,read-only=on,"     \
                "file.filename=%4$s "
#define CONFINED    "packed=on,id=dev%1$u,addr=0x%2$x,"                      \
                "restricted-dma-pool=poola"
#define VIRTIO_BLK  "-device virtio-blk-pci,drive=slow%1$u,"                 \
                "num-queues=%3$u,queue-size=1024," CONFINED
#define BLK     SLOW VIRTIO_BLK
#define SCSI    SLOW "-device virtio-scsi-pci,num_queues=%3$u,"              \
                "virtqueue_size=1024," CONFINED                              \
                " -device scsi-hd,drive=slow%1$u,bus=dev%1$u.0,scsi-id=1,lun=0"

#define SCSI_RESULT     sizeof(struct virtio_scsi_cmd_resp)

static const Load loads[] = {
    { "blk", BLK, 1, 0, 64, &blk_read, sizeof(blk_read), NULL,
      BLOCK, 1 },
    { "blk-devices", BLK, 20, 0, 3, &blk_read, sizeof(blk_read), NULL,
      BLOCK, 1 },
    { "blk-zeroes", BLK, 1, 0, 1, &blk_zeroes, sizeof(blk_zeroes),
      &blk_zeroed, sizeof(blk_zeroed), 1 },
    { "blk-compressed", QCOW2 VIRTIO_BLK, 1, 0, 1, &blk_read,
      sizeof(blk_read), NULL, BLOCK, 1, true },
    { "scsi", SCSI, 1, 2, 64, &scsi_read, sizeof(scsi_read), NULL, BLOCK,
      SCSI_RESULT },
    { "scsi-write-same", SCSI, 1, 2, 1, &scsi_write_same,
      sizeof(scsi_write_same), block, sizeof(block), SCSI_RESULT },
};

/* A request for a block makes QEMU decompress all of its cluster */
static void make_compressed(const char *path)
{
    g_autofree char *content = g_malloc0(CLUSTER), *command = NULL;
    char *raw = rdp_log_new();
    int status;

    /* Three quarters of it are left */
    for (unsigned i = 0; i < CLUSTER; i++) {
        content[i] = g_test_rand_int() & 0x3f;
    }
    g_assert_true(g_file_set_contents(raw, content, CLUSTER, NULL));
    command = g_strdup_printf("%s convert -c -f raw -O qcow2 "
                              "-o cluster_size=%zu %s %s",
                              getenv("QTEST_QEMU_IMG"), (size_t)CLUSTER, raw,
                              path);
    g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, &status,
                                            NULL));
    g_assert_cmpint(status, ==, 0);
    rdp_log_free(raw);
}

static RdpGuest *start(RdpDevice *devs, const Load *load, const char *image)
{
    g_autoptr(GString) devices = g_string_new("");
    RdpGuest *guest;

    for (unsigned i = 0; i < load->devices; i++) {
        g_string_append_printf(devices, load->device, i, RDP_SLOT + i,
                               load->queues, image);
    }
    guest = rdp_start(rdp_machine(), "%s", devices->str);
    for (unsigned i = 0; i < load->devices; i++) {
        g_autofree char *id = g_strdup_printf("dev%u", i);

        rdp_device_init(&devs[i], guest, RDP_SLOT + i, id);
    }
    return guest;
}

/* The limit counts the time of the guest, which stands still; 0: no limit */
static void limit_disks(RdpGuest *guest, const Load *load,
                        unsigned requests_per_second)
{
    for (unsigned i = 0; i < load->devices; i++) {
        g_autofree char *disk = g_strdup_printf("slow%u", i);

        qtest_qmp_assert_success(guest->qts,
                                 "{'execute': 'block_set_io_throttle',"
                                 " 'arguments': {'device': %s,"
                                 " 'bps': 0, 'bps_rd': 0, 'bps_wr': 0,"
                                 " 'iops': %u, 'iops_rd': 0, 'iops_wr': 0}}",
                                 disk, requests_per_second);
    }
}

/* Entry @index of an indirect table of @n */
static void put_buf(RdpGuest *guest, bool packed, uint64_t table, unsigned n,
                    unsigned index, RdpBuf buf)
{
    uint16_t flags = buf.device_writes ? VRING_DESC_F_WRITE : 0;
    uint64_t at = table + index * sizeof(struct vring_desc);
    struct vring_packed_desc in_packed = {
        .addr = cpu_to_le64(buf.addr),
        .len = cpu_to_le32(buf.len),
        .flags = cpu_to_le16(flags),
    };
    struct vring_desc in_split = {
        .addr = cpu_to_le64(buf.addr),
        .len = cpu_to_le32(buf.len),
        .flags = cpu_to_le16(flags | (index < n - 1 ? VRING_DESC_F_NEXT : 0)),
        .next = cpu_to_le16(index + 1),
    };

    rdp_poke(guest, at, packed ? (void *)&in_packed : &in_split,
             sizeof(in_split));
}

/* The request that all of them are */
static void put_table(RdpGuest *guest, const Load *load, bool packed)
{
    uint64_t data = guest->base + DATA, table = guest->base + TABLE;
    RdpBuf request = { data, load->len };
    RdpBuf content = { data + DATA_BLOCK, load->data_len,
                       .device_writes = !load->data };
    RdpBuf result = { data + DATA_RESULT, load->result,
                      .device_writes = true };

    rdp_poke(guest, request.addr, load->request, load->len);
    if (load->data) {
        rdp_poke(guest, content.addr, load->data, load->data_len);
    }
    put_buf(guest, packed, table, BUFS, 0, request);
    /* What the device reads comes first, and SCSI has its response then */
    if (load->data || load->len == sizeof(blk_read)) {
        put_buf(guest, packed, table, BUFS, 1, content);
        put_buf(guest, packed, table, BUFS, 2, result);
    } else {
        put_buf(guest, packed, table, BUFS, 1, result);
        put_buf(guest, packed, table, BUFS, 2, content);
    }
}

static void put_ring(RdpRing *ring, uint64_t table, unsigned n)
{
    g_autofree struct vring_packed_desc *in_packed = NULL;
    g_autofree struct vring_desc *in_split = NULL;
    g_autofree uint16_t *avail = g_new0(uint16_t, 2 + RING);
    uint32_t len = n * sizeof(struct vring_desc);
    RdpGuest *guest = ring->dev->guest;

    in_packed = g_new0(struct vring_packed_desc, RING);
    in_split = g_new0(struct vring_desc, RING);
    for (unsigned i = 0; i < RING; i++) {
        in_packed[i].addr = in_split[i].addr = cpu_to_le64(table);
        in_packed[i].len = in_split[i].len = cpu_to_le32(len);
        in_packed[i].id = cpu_to_le16(i);
        in_split[i].flags = cpu_to_le16(VRING_DESC_F_INDIRECT);
        in_packed[i].flags = cpu_to_le16(VRING_DESC_F_INDIRECT |
                                         1 << VRING_PACKED_DESC_F_AVAIL);
        avail[2 + i] = cpu_to_le16(i);
    }
    avail[1] = cpu_to_le16(RING);
    if (ring->packed) {
        rdp_poke(guest, ring->desc, in_packed, RING * sizeof(*in_packed));
    } else {
        rdp_poke(guest, ring->desc, in_split, RING * sizeof(*in_split));
        rdp_poke(guest, ring->avail, avail, (2 + RING) * sizeof(*avail));
    }
}

static unsigned used(RdpRing *ring)
{
    const uint16_t mask = 1 << VRING_PACKED_DESC_F_AVAIL |
                          1 << VRING_PACKED_DESC_F_USED;
    uint64_t last = ring->desc + (RING - 1) * sizeof(struct vring_packed_desc);
    QTestState *qts = ring->dev->guest->qts;

    if (!ring->packed) {
        return qtest_readw(qts, ring->used + offsetof(struct vring_used, idx));
    }
    return (qtest_readw(qts, last + offsetof(struct vring_packed_desc,
                                             flags)) & mask) == mask ? RING : 0;
}

static void init_rings(RdpRing *rings, RdpDevice *dev, unsigned number,
                       const Test *test)
{
    const Load *load = test->load;
    RdpGuest *guest = dev->guest;

    g_assert_true(rdp_negotiate(dev, test->features));
    for (unsigned i = 0; i < load->queues; i++) {
        uint64_t base = guest->base + RINGS(number * load->queues + i);

        rings[i] = (RdpRing) {
            .dev = dev,
            .queue = load->first + i,
            .packed = test->features & PACKED,
            .size = RING,
            .desc = base,
            .avail = base + AVAIL,
            .used = base + USED,
        };
        rdp_fill(guest, base, 0, RINGS(1));
        rdp_ring_enable(&rings[i]);
        put_ring(&rings[i], guest->base + TABLE, BUFS);
    }
    rdp_driver_ok(dev);
}

static void assert_small(RdpGuest *guest, int64_t resident)
{
    int64_t most = rdp_memory(guest->qts, "VmHWM");

    g_test_message("%" PRId64 " KiB more, %" PRId64 " MiB of address space",
                   (most - resident) / KiB,
                   rdp_memory(guest->qts, "VmPeak") / MiB);
    g_assert_cmpint(most, <, resident + GROWTH);
}

typedef struct Crowd {
    RdpGuest *guest;
    RdpDevice *devs;
    RdpRing *rings;
    char *image;                /* of all disks, if they have one */
    unsigned n;                 /* of all rings */
    int64_t resident;           /* bytes before the first request */
} Crowd;

/* All queues are full of requests that wait for their disk */
static void crowd_init(Crowd *crowd, const Test *test)
{
    const Load *load = test->load;

    crowd->n = load->devices * load->queues;
    crowd->devs = g_new0(RdpDevice, load->devices);
    crowd->rings = g_new0(RdpRing, crowd->n);
    if (load->compressed) {
        crowd->image = rdp_log_new();
        make_compressed(crowd->image);
    }
    crowd->guest = start(crowd->devs, load, crowd->image);
    limit_disks(crowd->guest, load, 1);
    put_table(crowd->guest, load, test->features & PACKED);
    crowd->resident = rdp_memory(crowd->guest->qts, "VmRSS");
    for (unsigned i = 0; i < load->devices; i++) {
        init_rings(&crowd->rings[i * load->queues], &crowd->devs[i], i, test);
    }
    for (unsigned i = 0; i < crowd->n; i++) {
        rdp_ring_kick(&crowd->rings[i]);
    }
    rdp_settle(crowd->guest->qts);
    rdp_assert_answers(crowd->guest->qts);
    assert_small(crowd->guest, crowd->resident);
}

/* The disks go on, and all requests end */
static void crowd_cleanup(Crowd *crowd, const Load *load)
{
    limit_disks(crowd->guest, load, 0);
    for (unsigned i = 0; i < crowd->n; i++) {
        RDP_WAIT_FOR(used(&crowd->rings[i]) == RING);
    }
    assert_small(crowd->guest, crowd->resident);
    for (unsigned i = 0; i < load->devices; i++) {
        g_assert_false(rdp_needs_reset(&crowd->devs[i]));
        rdp_device_cleanup(&crowd->devs[i]);
    }
    rdp_stop(crowd->guest);
    if (crowd->image) {
        rdp_log_free(crowd->image);
    }
    g_free(crowd->devs);
    g_free(crowd->rings);
}

static void test_memory(const void *data)
{
    const Test *test = data;
    Crowd crowd = { };

    if (test->load->compressed && !have_qemu_img()) {
        g_test_skip("there is no qemu-img");
        return;
    }
    crowd_init(&crowd, test);
    crowd_cleanup(&crowd, test->load);
}

/*
 * What ends commands is done while there are as many as there may be, also if
 * that takes more time than the queue has at once.
 */
static void test_control(const void *data)
{
    const Test *test = data;
    bool packed = test->features & PACKED;
    struct virtio_scsi_ctrl_tmf_req abort_task = {
        .type = const_le32(VIRTIO_SCSI_T_TMF),
        .subtype = const_le32(VIRTIO_SCSI_T_TMF_ABORT_TASK),
        .lun = { 1, 1, 0x40, 0 },
        .tag = const_le64(0x5a5a),              /* no command has it */
    };
    RdpBuf request, response;
    uint64_t base, table;
    RdpRing ctrl;
    Crowd crowd = { };

    crowd_init(&crowd, test);
    base = crowd.guest->base + RINGS(crowd.n);
    table = base + RINGS(1);
    ctrl = (RdpRing) {
        .dev = &crowd.devs[0],
        .queue = CTRL,
        .packed = packed,
        .size = RING,
        .desc = base,
        .avail = base + AVAIL,
        .used = base + USED,
    };
    request = (RdpBuf) { crowd.guest->base + DATA + DATA_CTRL,
                         sizeof(abort_task) };
    response = (RdpBuf) { request.addr + sizeof(abort_task), 1,
                          .device_writes = true };
    rdp_poke(crowd.guest, request.addr, &abort_task, sizeof(abort_task));
    put_buf(crowd.guest, packed, table, LONG, 0, request);
    for (unsigned i = 1; i < LONG; i++) {
        put_buf(crowd.guest, packed, table, LONG, i, response);
    }
    rdp_fill(crowd.guest, base, 0, RINGS(1));
    rdp_ring_enable(&ctrl);
    put_ring(&ctrl, table, LONG);
    rdp_ring_kick(&ctrl);
    RDP_WAIT_FOR(used(&ctrl) == RING);
    crowd_cleanup(&crowd, test->load);
}

int main(int argc, char **argv)
{
    static Test tests[ARRAY_SIZE(loads)][2];

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(loads); i++) {
        for (unsigned packed = 0; packed < 2; packed++) {
            Test *test = &tests[i][packed];

            test->load = &loads[i];
            test->features = FEATURES | (packed ? PACKED : 0);
            rdp_add_test(test_memory, test, "/restricted-dma/memory/%s-%s",
                         loads[i].name, packed ? "packed" : "split");
            if (!strcmp(loads[i].name, "scsi")) {
                rdp_add_test(test_control, test,
                             "/restricted-dma/memory/scsi-control-%s",
                             packed ? "packed" : "split");
            }
        }
    }
    return g_test_run();
}
