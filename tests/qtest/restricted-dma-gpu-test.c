/*
 * Restricted DMA pools: virtio-gpu, whose requests contain addresses
 *
 * The pixels of a resource are guest memory, whose addresses are in the data of
 * RESOURCE_ATTACH_BACKING: the code of virtqueues does not see them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qemu/bswap.h"
#include "standard-headers/linux/virtio_gpu.h"
#include "restricted-dma/circle.h"
#include "restricted-dma/host.h"
#include "restricted-dma/hostile.h"
#include "restricted-dma/migration.h"

#define CTRL        0
#define CURSOR      1

#define WIDTH       64
#define HEIGHT      64
#define RESOURCE    1
#define HALF        (WIDTH * HEIGHT * 2)        /* bytes */
#define BACKING     0x100000                    /* in the pool */

/* Two halves that do not follow each other */
#define BACKING_1   (BACKING + 0x20000)
#define BACKING_2   BACKING

typedef struct virtio_gpu_mem_entry Entry;

typedef struct Gpu {
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;
    RdpBuf bufs[3];
    unsigned n;
} Gpu;

static const char gpu_device[] = "virtio-gpu-pci";

static void start(Gpu *gpu, const char *device)
{
    gpu->guest = rdp_start_device(&gpu->dev, rdp_machine(),
                                  "-device %s," RDP_CONFINED, device);
}

/* The next request uses pages of its own, so that several can be queued */
static void add(Gpu *gpu, const void *request, size_t len, const void *more,
                size_t more_len)
{
    unsigned page = 3 * (gpu->ring.added % 4);
    RdpGuest *guest = gpu->guest;
    RdpBuf *buf = gpu->bufs;

    *buf++ = (RdpBuf) { RDP_BUF(guest, page), len, false };
    rdp_poke(guest, gpu->bufs[0].addr, request, len);
    if (more_len) {
        *buf++ = (RdpBuf) { RDP_BUF(guest, page + 1), more_len, false };
        rdp_poke(guest, gpu->bufs[1].addr, more, more_len);
    }
    *buf++ = (RdpBuf) { RDP_BUF(guest, page + 2),
                        sizeof(struct virtio_gpu_ctrl_hdr), true };
    rdp_fill(guest, RDP_BUF(guest, page + 2), 0xff,
             sizeof(struct virtio_gpu_ctrl_hdr));
    gpu->n = buf - gpu->bufs;
}

static uint32_t run(Gpu *gpu)
{
    rdp_ring_serve(&gpu->ring, gpu->bufs, gpu->n);
    return qtest_readl(gpu->guest->qts, gpu->bufs[gpu->n - 1].addr);
}

static void run_ok(Gpu *gpu, const void *request, size_t len)
{
    add(gpu, request, len, NULL, 0);
    g_assert_cmphex(run(gpu), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

static uint32_t create_sized(Gpu *gpu, uint32_t resource, uint32_t width,
                             uint32_t height)
{
    const struct virtio_gpu_resource_create_2d request = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D),
        .resource_id = cpu_to_le32(resource),
        .format = cpu_to_le32(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
        .width = cpu_to_le32(width),
        .height = cpu_to_le32(height),
    };

    add(gpu, &request, sizeof(request), NULL, 0);
    return run(gpu);
}

static void create(Gpu *gpu, uint32_t resource)
{
    g_assert_cmphex(create_sized(gpu, resource, WIDTH, HEIGHT), ==,
                    VIRTIO_GPU_RESP_OK_NODATA);
}

static void add_attach(Gpu *gpu, uint32_t resource, const Entry *entries,
                       unsigned n)
{
    const struct virtio_gpu_resource_attach_backing request = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING),
        .resource_id = cpu_to_le32(resource),
        .nr_entries = cpu_to_le32(n),
    };

    add(gpu, &request, sizeof(request), entries, n * sizeof(*entries));
}

/* Where the pixels are when all is well */
static void good_entries(Gpu *gpu, Entry entries[2])
{
    uint64_t base = gpu->guest->base;

    entries[0] = (Entry) { .addr = cpu_to_le64(base + BACKING_1),
                           .length = cpu_to_le32(HALF) };
    entries[1] = (Entry) { .addr = cpu_to_le64(base + BACKING_2),
                           .length = cpu_to_le32(HALF) };
}

static void attach(Gpu *gpu)
{
    Entry entries[2];

    good_entries(gpu, entries);
    add_attach(gpu, RESOURCE, entries, ARRAY_SIZE(entries));
    g_assert_cmphex(run(gpu), ==, VIRTIO_GPU_RESP_OK_NODATA);
}

/* The columns from @x on; all rows are at the same place in the backing */
static void add_transfer_columns(Gpu *gpu, uint32_t x, uint32_t width,
                                 uint32_t height)
{
    const struct virtio_gpu_transfer_to_host_2d request = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
        .r.x = cpu_to_le32(x),
        .r.width = cpu_to_le32(width),
        .r.height = cpu_to_le32(height),
        .offset = cpu_to_le64(x * 4),
        .resource_id = cpu_to_le32(RESOURCE),
    };

    add(gpu, &request, sizeof(request), NULL, 0);
}

static void add_transfer(Gpu *gpu)
{
    add_transfer_columns(gpu, 0, WIDTH, HEIGHT);
}

static void scanout(Gpu *gpu)
{
    const struct virtio_gpu_set_scanout request = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_SET_SCANOUT),
        .r.width = cpu_to_le32(WIDTH),
        .r.height = cpu_to_le32(HEIGHT),
        .resource_id = cpu_to_le32(RESOURCE),
    };

    run_ok(gpu, &request, sizeof(request));
}

static void flush(Gpu *gpu)
{
    const struct virtio_gpu_resource_flush request = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_FLUSH),
        .r.width = cpu_to_le32(WIDTH),
        .r.height = cpu_to_le32(HEIGHT),
        .resource_id = cpu_to_le32(RESOURCE),
    };

    run_ok(gpu, &request, sizeof(request));
}

/* Every pixel differs, with 8 bits for each of blue, green and red */
static uint32_t pixel(unsigned i, uint32_t seed)
{
    return (i * 2654435761U + seed) >> 8;
}

static void draw(Gpu *gpu, uint32_t seed)
{
    uint32_t pixels[WIDTH * HEIGHT];
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(pixels); i++) {
        pixels[i] = cpu_to_le32(pixel(i, seed));
    }
    rdp_poke(gpu->guest, gpu->guest->base + BACKING_1, pixels, HALF);
    rdp_poke(gpu->guest, gpu->guest->base + BACKING_2, (void *)pixels + HALF,
             HALF);
}

static void assert_screen(Gpu *gpu, uint32_t seed)
{
    const char header[] = "P6\n64 64\n255\n";
    g_autofree char *path = NULL;
    g_autofree char *ppm = NULL;
    const uint8_t *rgb;
    size_t i, len;
    int fd;

    fd = g_file_open_tmp("restricted-dma-XXXXXX", &path, NULL);
    g_assert_cmpint(fd, >=, 0);
    close(fd);
    qtest_qmp_assert_success(gpu->guest->qts, "{'execute': 'screendump',"
                             " 'arguments': {'device': 'dev0',"
                             " 'filename': %s}}", path);
    g_assert_true(g_file_get_contents(path, &ppm, &len, NULL));
    g_unlink(path);
    g_assert_cmpuint(len, ==, strlen(header) + 3 * WIDTH * HEIGHT);
    g_assert_cmpmem(ppm, strlen(header), header, strlen(header));

    rgb = (uint8_t *)ppm + strlen(header);
    for (i = 0; i < WIDTH * HEIGHT; i++, rgb += 3) {
        g_assert_cmphex(rgb[0] << 16 | rgb[1] << 8 | rgb[2], ==,
                        pixel(i, seed));
    }
}

static void show(Gpu *gpu, uint32_t seed)
{
    draw(gpu, seed);
    add_transfer(gpu);
    g_assert_cmphex(run(gpu), ==, VIRTIO_GPU_RESP_OK_NODATA);
    scanout(gpu);
    flush(gpu);
    assert_screen(gpu, seed);
}

static void assert_works(Gpu *gpu)
{
    rdp_setup(&gpu->dev, &gpu->ring, CTRL, RDP_FEATURES);
    rdp_snapshot(gpu->guest);
    create(gpu, RESOURCE);
    attach(gpu);
    show(gpu, 1);
    show(gpu, 0x12345678);
    rdp_assert_untouched(gpu->guest);
}

static void test_scanout(const void *device)
{
    Gpu gpu = { };

    start(&gpu, device);
    assert_works(&gpu);
    g_assert_cmpuint(rdp_violations(gpu.guest->qts, "poola"), ==, 0);
    rdp_device_stop(&gpu.dev);
}

/* A cursor, from a resource whose pixels came out of the pool */
static void test_cursor(void)
{
    struct virtio_gpu_update_cursor request = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_UPDATE_CURSOR),
        .resource_id = cpu_to_le32(RESOURCE),
    };
    RdpRing cursor;
    Gpu gpu = { };
    RdpBuf buf;

    start(&gpu, gpu_device);
    assert_works(&gpu);
    rdp_ring_init(&cursor, &gpu.dev, CURSOR, false);
    rdp_ring_enable(&cursor);
    buf = (RdpBuf) { RDP_BUF(gpu.guest, 15), sizeof(request), false };
    rdp_poke(gpu.guest, buf.addr, &request, sizeof(request));
    rdp_ring_serve(&cursor, &buf, 1);

    rdp_assert_refuses(&cursor, &buf, 1, 0);
    assert_works(&gpu);
    rdp_device_stop(&gpu.dev);
}

/* The buffers of the request itself are checked like those of any device */
static void test_buffers(void)
{
    Entry entries[2];
    Gpu gpu = { };
    unsigned bad;

    start(&gpu, gpu_device);
    good_entries(&gpu, entries);
    for (bad = 0; bad < ARRAY_SIZE(gpu.bufs); bad++) {
        rdp_setup(&gpu.dev, &gpu.ring, CTRL, RDP_FEATURES);
        create(&gpu, RESOURCE);
        add_attach(&gpu, RESOURCE, entries, ARRAY_SIZE(entries));
        rdp_assert_refuses(&gpu.ring, gpu.bufs, gpu.n, bad);
        assert_works(&gpu);
    }
    rdp_device_stop(&gpu.dev);
}

/* Three entries, of which @bad points to @len bytes at @place */
static void try_entry(Gpu *gpu, RdpPlace place, uint32_t len, unsigned bad)
{
    uint64_t response;
    Entry entries[3];
    RdpAccess access = {
        .what = "payload",
        .addr = rdp_place_addr(place, &gpu->dev, len, 1),
        .len = place == RDP_PLACE_4G_LONG ? UINT32_MAX : len,
    };

    g_test_message("entry %u %s", bad, rdp_place_name(place));
    rdp_setup(&gpu->dev, &gpu->ring, CTRL, RDP_FEATURES);
    create(gpu, RESOURCE);
    good_entries(gpu, entries);
    entries[2] = entries[1];
    entries[bad].addr = cpu_to_le64(access.addr);
    entries[bad].length = cpu_to_le32(access.len);

    rdp_ring_baseline(&gpu->ring);
    add_attach(gpu, RESOURCE, entries, ARRAY_SIZE(entries));
    response = gpu->bufs[gpu->n - 1].addr;
    rdp_ring_submit(&gpu->ring, gpu->bufs, gpu->n);
    rdp_assert_refused(&gpu->ring, &access, true);
    g_assert_cmphex(qtest_readl(gpu->guest->qts, response), ==, UINT32_MAX);
}

/* Each of three entries in turn */
static void try_place(Gpu *gpu, RdpPlace place, uint32_t len)
{
    unsigned bad;

    for (bad = 0; bad < 3; bad++) {
        try_entry(gpu, place, len, bad);
    }
    assert_works(gpu);
}

static void test_backing(void)
{
    Gpu gpu = { };
    RdpPlace place;

    start(&gpu, gpu_device);
    for (place = 0; place < RDP_PLACES; place++) {
        try_place(&gpu, place, HALF);
    }
    try_place(&gpu, RDP_PLACE_RAM, 1);
    rdp_device_stop(&gpu.dev);
}

/* A request that waits behind a bad one has no effect */
static void test_dropped(void)
{
    RdpAccess access = { "payload", 0, HALF };
    Entry entry = { .length = cpu_to_le32(HALF) };
    Gpu gpu = { };

    start(&gpu, gpu_device);
    access.addr = RDP_IN_RAM(gpu.guest, RDP_VICTIM);
    entry.addr = cpu_to_le64(access.addr);
    rdp_setup(&gpu.dev, &gpu.ring, CTRL, RDP_FEATURES);
    create(&gpu, RESOURCE);
    attach(&gpu);
    show(&gpu, 1);
    create(&gpu, RESOURCE + 1);
    draw(&gpu, 2);

    rdp_ring_baseline(&gpu.ring);
    add_attach(&gpu, RESOURCE + 1, &entry, 1);
    rdp_ring_add(&gpu.ring, gpu.bufs, gpu.n, RDP_NO_TABLE);
    add_transfer(&gpu);
    rdp_ring_submit(&gpu.ring, gpu.bufs, gpu.n);
    rdp_assert_refused(&gpu.ring, &access, true);
    assert_screen(&gpu, 1);
    rdp_device_stop(&gpu.dev);
}

/* An entry of no bytes is an error wherever it points, and no access */
static void test_no_bytes(void)
{
    Entry entries[2];
    Gpu gpu = { };

    start(&gpu, gpu_device);
    rdp_setup(&gpu.dev, &gpu.ring, CTRL, RDP_FEATURES);
    create(&gpu, RESOURCE);
    good_entries(&gpu, entries);
    entries[1] = (Entry) {
        .addr = cpu_to_le64(RDP_IN_RAM(gpu.guest, RDP_VICTIM))
    };
    add_attach(&gpu, RESOURCE, entries, ARRAY_SIZE(entries));
    g_assert_cmphex(run(&gpu), ==, VIRTIO_GPU_RESP_ERR_UNSPEC);
    g_assert_cmpuint(rdp_violations(gpu.guest->qts, "poola"), ==, 0);

    /* The first entry was given back: another attempt is possible */
    attach(&gpu);
    show(&gpu, 1);
    rdp_device_stop(&gpu.dev);
}

/* Columns are copied row by row, out of entries that end anywhere */
static void test_columns(void)
{
    static const uint32_t starts[] = { 0, 7, 8, 40, WIDTH };
    const uint32_t len = 100;
    Entry entries[DIV_ROUND_UP(2 * HALF, 100)];
    uint32_t pixels[WIDTH * HEIGHT];
    uint64_t addr;
    Gpu gpu = { };
    unsigned i;

    start(&gpu, gpu_device);
    assert_works(&gpu);
    rdp_setup(&gpu.dev, &gpu.ring, CTRL, RDP_FEATURES);
    create(&gpu, RESOURCE);
    /* The halves follow each other */
    addr = gpu.guest->base + BACKING;
    for (i = 0; i < ARRAY_SIZE(entries); i++) {
        entries[i] = (Entry) {
            .addr = cpu_to_le64(addr + i * len),
            .length = cpu_to_le32(MIN(len, 2 * HALF - i * len)),
        };
    }
    add_attach(&gpu, RESOURCE, entries, ARRAY_SIZE(entries));
    g_assert_cmphex(run(&gpu), ==, VIRTIO_GPU_RESP_OK_NODATA);
    for (i = 0; i < ARRAY_SIZE(pixels); i++) {
        pixels[i] = cpu_to_le32(pixel(i, 5));
    }
    rdp_poke(gpu.guest, addr, pixels, sizeof(pixels));
    for (i = 0; i + 1 < ARRAY_SIZE(starts); i++) {
        add_transfer_columns(&gpu, starts[i], starts[i + 1] - starts[i],
                             HEIGHT);
        g_assert_cmphex(run(&gpu), ==, VIRTIO_GPU_RESP_OK_NODATA);
    }
    scanout(&gpu);
    flush(&gpu);
    assert_screen(&gpu, 5);
    rdp_device_stop(&gpu.dev);
}

/* What a driver can make the device take */

#define ENTRIES_MAX     16384
#define RESOURCES_MAX   512

/* Attach as many entries as there may be, all of the same @len bytes */
static uint32_t attach_many(Gpu *gpu, uint32_t resource, uint32_t len)
{
    static Entry entries[ENTRIES_MAX];
    const struct virtio_gpu_resource_attach_backing request = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING),
        .resource_id = cpu_to_le32(resource),
        .nr_entries = cpu_to_le32(ENTRIES_MAX),
    };
    uint64_t table = gpu->guest->base + 2 * MiB;
    unsigned i;

    for (i = 0; i < ENTRIES_MAX; i++) {
        entries[i] = (Entry) {
            .addr = cpu_to_le64(gpu->guest->base + BACKING),
            .length = cpu_to_le32(len),
        };
    }
    rdp_poke(gpu->guest, table, entries, sizeof(entries));
    add(gpu, &request, sizeof(request), &request, sizeof(request));
    gpu->bufs[1].addr = table;
    gpu->bufs[1].len = sizeof(entries);
    return run(gpu);
}

/* Rows times entries is no measure of the time that a command takes */
static void test_transfer_time(void)
{
    const uint32_t rows = 8 * MiB;
    int64_t begin;
    Gpu gpu = { };

    /* With a pool, there cannot be so many rows */
    gpu.guest = rdp_start_device(&gpu.dev, rdp_machine(),
                                 "-device virtio-gpu-pci," RDP_DEV0);
    rdp_setup(&gpu.dev, &gpu.ring, CTRL, BIT_ULL(VIRTIO_F_VERSION_1));
    g_assert_cmphex(create_sized(&gpu, RESOURCE, 2, rows), ==,
                    VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmphex(attach_many(&gpu, RESOURCE, 4096), ==,
                    VIRTIO_GPU_RESP_OK_NODATA);
    begin = g_get_monotonic_time();
    add_transfer_columns(&gpu, 1, 1, rows);
    g_assert_cmphex(run(&gpu), ==, VIRTIO_GPU_RESP_OK_NODATA);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 10 * G_USEC_PER_SEC);
    rdp_device_stop(&gpu.dev);
}

/* With nothing to stop it but its own count, the device returns to the loop */
static void test_circle(void)
{
    const uint64_t features = BIT_ULL(VIRTIO_F_VERSION_1) |
                              BIT_ULL(VIRTIO_F_RING_PACKED);
    Gpu gpu = { };
    uint64_t byte;

    /* With a pool, the time of the queue is limited as well */
    gpu.guest = rdp_start_device(&gpu.dev, rdp_machine(),
                                 "-device virtio-gpu-pci,packed=on," RDP_DEV0);
    g_assert_true(rdp_negotiate(&gpu.dev, features));
    rdp_ring_init(&gpu.ring, &gpu.dev, CTRL, true);
    gpu.ring.size = RDP_CIRCLE_SIZE;
    rdp_ring_enable(&gpu.ring);
    rdp_driver_ok(&gpu.dev);
    byte = rdp_circle_fill(&rdp_circle_gpu, &gpu.ring,
                           gpu.guest->base + BACKING);
    rdp_begin_attack();
    rdp_ring_kick(&gpu.ring);
    rdp_assert_circling(gpu.guest, byte);
    rdp_assert_survived(gpu.guest->qts);

    rdp_setup(&gpu.dev, &gpu.ring, CTRL, features);
    create(&gpu, RESOURCE);
    rdp_device_stop(&gpu.dev);
}

static void test_hostmem(void)
{
    Gpu gpu = { };
    uint32_t i;

    start(&gpu, "virtio-gpu-pci,max_hostmem=1M");
    rdp_setup(&gpu.dev, &gpu.ring, CTRL, RDP_FEATURES);
    for (i = 1; i <= 4; i++) {
        g_assert_cmphex(create_sized(&gpu, i, 1, 1), ==,
                        VIRTIO_GPU_RESP_OK_NODATA);
        g_assert_cmphex(attach_many(&gpu, i, 1), ==, i <= 2 ?
                        VIRTIO_GPU_RESP_OK_NODATA :
                        VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    }
    assert_works(&gpu);
    rdp_device_stop(&gpu.dev);
}

static unsigned count_fds(QTestState *qts)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd",
                                            (int)qtest_pid(qts));
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    unsigned n = 0;

    g_assert_nonnull(dir);
    while (g_dir_read_name(dir)) {
        n++;
    }
    return n;
}

/* There are not too many, and they take nothing that QEMU has little of */
static void test_resources(void)
{
    Gpu gpu = { };
    unsigned fds;
    uint32_t i;

    start(&gpu, gpu_device);
    rdp_setup(&gpu.dev, &gpu.ring, CTRL, RDP_FEATURES);
    fds = count_fds(gpu.guest->qts);
    g_assert_cmphex(create_sized(&gpu, 1, 2, 16385), ==,
                    VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    for (i = 1; i <= RESOURCES_MAX; i++) {
        g_assert_cmphex(create_sized(&gpu, i, 1, 1), ==,
                        VIRTIO_GPU_RESP_OK_NODATA);
    }
    g_assert_cmphex(create_sized(&gpu, i, 1, 1), ==,
                    VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
    g_assert_cmpuint(count_fds(gpu.guest->qts), ==, fds);
    assert_works(&gpu);
    rdp_device_stop(&gpu.dev);
}

/* Migration: the addresses are in the stream */

/* The driver goes on where it was, with the same rings and resource */
static void assert_goes_on(Gpu *to, const RdpRing *ring)
{
    rdp_continue(to->guest->qts);
    rdp_device_init(&to->dev, to->guest, RDP_SLOT, "dev0");
    to->ring = *ring;
    to->ring.dev = &to->dev;
    assert_screen(to, 0x12345678);
    show(to, 7);
}

/* The stream of a device that works */
static void save(Gpu *from, RdpMigrationFiles *m)
{
    rdp_migration_files_init(m);
    start(from, gpu_device);
    assert_works(from);
    rdp_save(m, from->guest->qts);
}

static void load(Gpu *to, const RdpMigrationFiles *m, const char *outcome)
{
    to->guest = rdp_start_destination(m, rdp_machine(),
                                      "-device virtio-gpu-pci," RDP_CONFINED);
    rdp_load(m, to->guest->qts, outcome);
}

static void test_migrate(const void *data)
{
    bool hostile = data;
    Gpu from = { }, to = { };
    RdpMigrationFiles m;

    save(&from, &m);
    if (hostile) {
        /* Move the first half of the pixels */
        g_assert_cmpuint(rdp_replace_in_stream(
            &m, from.guest->base + BACKING_1,
            RDP_IN_RAM(from.guest, RDP_VICTIM)), ==, 1);
    }
    rdp_device_stop(&from.dev);

    load(&to, &m, hostile ? "failed" : "completed");
    g_assert_cmpuint(rdp_violations(to.guest->qts, "poola"), ==, hostile);
    if (!hostile) {
        assert_goes_on(&to, &from.ring);
        rdp_device_cleanup(&to.dev);
    }
    rdp_stop(to.guest);
    rdp_migration_files_cleanup(&m);
}

/* Numbers in the stream that no driver can bring about */

/* Offsets from where the state of scanout 0 begins */
typedef struct Forgery {
    const char *name;
    ptrdiff_t offset;
    uint32_t value;
} Forgery;

static const Forgery forgeries[] = {
    { "stride", 56, WIDTH * 4 + 4 },
    { "offset", 60, 4 },
    { "offset-huge", 60, UINT32_MAX - 3 },
};

static void test_forgery(const void *data)
{
    const Forgery *forgery = data;
    const uint32_t scanout[] = {
        cpu_to_be32(RESOURCE), cpu_to_be32(WIDTH), cpu_to_be32(HEIGHT), 0, 0,
    };
    uint32_t value = cpu_to_be32(forgery->value);
    Gpu from = { }, to = { };
    RdpMigrationFiles m;

    save(&from, &m);
    rdp_device_stop(&from.dev);
    rdp_patch_stream(&m, scanout, sizeof(scanout), forgery->offset, &value,
                     sizeof(value));

    load(&to, &m, "failed");
    g_assert_true(rdp_state_is(to.guest->qts, "inmigrate"));
    rdp_stop(to.guest);
    rdp_migration_files_cleanup(&m);
}

int main(int argc, char **argv)
{
    static const char *const devices[] = { "virtio-gpu-pci", "virtio-vga" };
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(devices); i++) {
        if (qtest_has_device(devices[i])) {
            rdp_add_test(test_scanout, devices[i],
                         "/restricted-dma/gpu/scanout/%s", devices[i]);
        }
    }
    if (qtest_has_device(gpu_device)) {
        qtest_add_func("/restricted-dma/gpu/cursor", test_cursor);
        qtest_add_func("/restricted-dma/gpu/buffers", test_buffers);
        qtest_add_func("/restricted-dma/gpu/backing", test_backing);
        qtest_add_func("/restricted-dma/gpu/dropped", test_dropped);
        qtest_add_func("/restricted-dma/gpu/no-bytes", test_no_bytes);
        qtest_add_func("/restricted-dma/gpu/columns", test_columns);
        qtest_add_func("/restricted-dma/gpu/transfer-time",
                       test_transfer_time);
        qtest_add_func("/restricted-dma/gpu/circle", test_circle);
        qtest_add_func("/restricted-dma/gpu/hostmem", test_hostmem);
        qtest_add_func("/restricted-dma/gpu/resources", test_resources);
        qtest_add_data_func("/restricted-dma/gpu/migrate/good", NULL,
                            test_migrate);
        qtest_add_data_func("/restricted-dma/gpu/migrate/hostile", "hostile",
                            test_migrate);
        for (i = 0; i < ARRAY_SIZE(forgeries); i++) {
            rdp_add_test(test_forgery, &forgeries[i],
                         "/restricted-dma/gpu/migrate/forged-%s",
                         forgeries[i].name);
        }
    }

    return g_test_run();
}
