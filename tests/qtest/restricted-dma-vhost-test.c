/*
 * Restricted DMA pools: devices whose queues a vhost-user back end processes
 *
 * The back end is part of the test, and sees what QEMU gives it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/memfd.h"
#include "restricted-dma/blk.h"
#include "restricted-dma/command-line.h"
#include "restricted-dma/migration.h"
#include "restricted-dma/vhost.h"

#define PACKED          BIT_ULL(VIRTIO_F_RING_PACKED)

#define PORT            5       /* slot of a root port */
#define BEHIND          32      /* slot 0 of bus 1 */

/* A back end may go away so often in a row */
#define LOSSES          3

/* Has the back end been told of memory, or of a queue? */
static bool told_nothing(RdpVhost *v)
{
    RdpVhostState state = rdp_back_end_state(v->be);

    return !state.requests[RDP_VHOST_SET_MEM_TABLE] &&
           !state.requests[RDP_VHOST_ADD_MEM_REG] &&
           !state.requests[RDP_VHOST_SET_VRING_ADDR] && !state.n_regions;
}

static void assert_pool_only(RdpVhost *v)
{
    RdpVhostState state = rdp_back_end_state(v->be);
    struct stat st;
    int seals;

    g_assert_cmpint(state.n_regions, ==, 1);
    g_assert_cmphex(state.regions[0].gpa, ==, v->guest->base);
    g_assert_cmphex(state.regions[0].size, ==, RDP_POOL_SIZE);
    g_assert_cmphex(state.regions[0].offset, ==, 0);

    g_assert_cmpint(fstat(state.region_fds[0], &st), ==, 0);
    g_assert_cmphex(st.st_size, ==, RDP_POOL_SIZE);
    seals = fcntl(state.region_fds[0], F_GET_SEALS);
    g_assert_cmphex(seals, ==, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);

    /* Names are addresses of the guest, not of QEMU */
    g_assert_cmphex(state.regions[0].name, ==, v->guest->base);
    g_assert_cmphex(state.addr.desc_user_addr, ==, v->ring.desc);
    g_assert_cmphex(state.addr.avail_user_addr, ==, v->ring.avail);
    g_assert_cmphex(state.addr.used_user_addr, ==, v->ring.used);

    g_assert_cmphex(state.features & RDP_FEATURES, ==,
                    BIT_ULL(VIRTIO_F_VERSION_1));
}

static void assert_same_memory(RdpVhost *v)
{
    const uint8_t byte = 0xa5;
    g_autofree uint8_t *now = g_malloc(RDP_POOL_SIZE);
    size_t size;
    uint8_t *map = rdp_back_end_map(v->be, &size);

    rdp_poke(v->guest, v->guest->base + size - 1, &byte, sizeof(byte));
    qtest_bufread(v->guest->qts, v->guest->base, now, size);
    g_assert_cmpmem(map, size, now, size);
    munmap(map, size);
}

/* The back end is given the pool, and no other memory */
static void test_memory(const void *data)
{
    RdpVhost v;

    rdp_vhost_start(&v, data);
    g_assert_true(told_nothing(&v));
    rdp_vhost_run(&v);
    assert_pool_only(&v);
    assert_same_memory(&v);

    rdp_reset(&v.dev);
    rdp_vhost_run(&v);
    assert_pool_only(&v);
    rdp_vhost_stop(&v);
}

/* A reset of one queue would be a secret of QEMU's */
static void test_features(const void *data)
{
    RdpVhost v;

    rdp_vhost_start(&v, data);
    g_assert_cmphex(rdp_offered(&v.dev) & RDP_FEATURES, ==, RDP_FEATURES);
    g_assert_cmphex(rdp_offered(&v.dev) & BIT_ULL(VIRTIO_F_RING_RESET), ==, 0);
    rdp_vhost_stop(&v);
}

/* Without the driver's consent, nothing happens */
static void test_consent(const void *data)
{
    static const uint64_t without[] = {
        0,                      /* legacy devices start when they are kicked */
        BIT_ULL(VIRTIO_F_VERSION_1),
        BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM),
        BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(RDP_F_RESTRICTED_DMA),
    };
    RdpVhost v;

    rdp_vhost_start(&v, data);
    for (int i = 0; i < G_N_ELEMENTS(without); i++) {
        rdp_ring_init(&v.ring, &v.dev, 0, false);
        g_assert_false(rdp_negotiate(&v.dev, without[i]));
        rdp_ring_enable(&v.ring);
        rdp_ring_kick(&v.ring);
        rdp_driver_ok(&v.dev);
        rdp_ring_kick(&v.ring);
        rdp_wait_needs_reset(&v.dev);
        rdp_settle(v.guest->qts);
        g_assert_true(told_nothing(&v));
        rdp_reset(&v.dev);
    }
    rdp_vhost_run(&v);
    assert_pool_only(&v);
    rdp_vhost_stop(&v);
}

/* QEMU checks rings, for a back end as for itself */
static void test_ring_outside(const void *data)
{
    RdpVhost v;
    uint64_t *parts[] = { &v.ring.desc, &v.ring.avail, &v.ring.used };
    uint64_t features;

    rdp_vhost_start(&v, data);
    features = v.variant->features;
    for (int i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_assert_true(rdp_negotiate(&v.dev, RDP_FEATURES | features));
        rdp_ring_init(&v.ring, &v.dev, 0, features & PACKED);
        *parts[i] = RDP_IN_RAM(v.guest, RDP_VICTIM);
        rdp_snapshot(v.guest);
        rdp_ring_enable(&v.ring);
        rdp_wait_needs_reset(&v.dev);
        rdp_driver_ok(&v.dev);
        rdp_settle(v.guest->qts);
        g_assert_true(told_nothing(&v));
        g_assert_true(rdp_needs_reset(&v.dev));
        rdp_assert_untouched(v.guest);
        rdp_reset(&v.dev);
    }
    rdp_vhost_run(&v);
    assert_pool_only(&v);
    rdp_vhost_stop(&v);
}

/* An event came that does not know the address */
static void assert_event_without_address(RdpVhost *v)
{
    QDict *event = NULL, *data;

    RDP_WAIT_FOR((event = rdp_next_event(v->guest->qts)));
    data = qdict_get_qdict(event, "data");
    g_assert_cmpstr(qdict_get_str(data, "device"), ==, "dev0");
    g_assert_cmpstr(qdict_get_str(data, "pool"), ==, "poola");
    g_assert_cmpstr(qdict_get_str(data, "what"), ==, "unknown");
    g_assert_false(qdict_haskey(data, "address"));
    g_assert_false(qdict_haskey(data, "length"));
    qobject_unref(event);
}

/* The back end reports an error: it is stopped, and the device needs a reset */
static void test_error(const void *data)
{
    unsigned stops, starts;
    RdpVhost v;

    rdp_vhost_start_reconnecting(&v, data);
    rdp_vhost_run(&v);
    stops = rdp_back_end_requests(v.be, RDP_VHOST_GET_VRING_BASE);
    rdp_back_end_report_error(v.be);
    rdp_wait_needs_reset(&v.dev);
    rdp_back_end_wait(v.be, RDP_VHOST_GET_VRING_BASE, stops);
    assert_event_without_address(&v);
    g_assert_cmpint(rdp_violations(v.guest->qts, "poola"), ==, 1);

    /* It is not started again before the reset */
    starts = rdp_back_end_requests(v.be, RDP_VHOST_SET_VRING_ADDR);
    rdp_driver_ok(&v.dev);
    rdp_ring_kick(&v.ring);
    rdp_settle(v.guest->qts);
    rdp_back_end_hang_up(v.be);
    RDP_WAIT_FOR(rdp_back_end_state(v.be).connections == 2);
    rdp_settle(v.guest->qts);
    g_assert_cmpint(rdp_back_end_requests(v.be, RDP_VHOST_SET_VRING_ADDR), ==,
                    starts);
    g_assert_true(rdp_needs_reset(&v.dev));

    rdp_reset(&v.dev);
    rdp_vhost_run(&v);
    assert_pool_only(&v);
    g_assert_false(rdp_needs_reset(&v.dev));
    g_assert_cmpint(rdp_back_end_state(v.be).connections, ==, 2);
    rdp_vhost_stop(&v);
}

/* A back end that ends whenever it sees the queue does not do so for ever */
static void test_lost(const void *data)
{
    unsigned starts;
    RdpVhost v;

    rdp_vhost_start_reconnecting(&v, data);
    rdp_back_end_refuse_to_run(v.be, true);
    rdp_vhost_run(&v);
    rdp_wait_needs_reset(&v.dev);
    assert_event_without_address(&v);
    starts = rdp_back_end_requests(v.be, RDP_VHOST_SET_VRING_ADDR);
    g_assert_cmpint(starts, ==, LOSSES);
    RDP_WAIT_FOR(rdp_back_end_state(v.be).connections > LOSSES);
    rdp_settle(v.guest->qts);
    g_assert_cmpint(rdp_back_end_requests(v.be, RDP_VHOST_SET_VRING_ADDR), ==,
                    starts);

    /* The next driver finds it well again, and as many lives as the first */
    rdp_back_end_refuse_to_run(v.be, false);
    rdp_reset(&v.dev);
    for (int i = 1; i < LOSSES; i++) {
        rdp_vhost_run(&v);
        rdp_back_end_hang_up(v.be);
        rdp_back_end_wait(v.be, RDP_VHOST_SET_VRING_ADDR, starts + i);
        rdp_settle(v.guest->qts);
        g_assert_false(rdp_needs_reset(&v.dev));
        rdp_reset(&v.dev);
        starts++;
    }
    rdp_vhost_stop(&v);
}

/* One that finishes requests in between may end as often as it likes */
static void test_restarted(const void *data)
{
    RdpVhost v;
    size_t size;

    rdp_vhost_start_reconnecting(&v, data);
    rdp_vhost_run(&v);
    for (int i = 1; i <= 2 * LOSSES; i++) {
        unsigned starts = rdp_back_end_requests(v.be,
                                                RDP_VHOST_SET_VRING_KICK);
        uint8_t *map = rdp_back_end_map(v.be, &size);

        stw_le_p(map + v.ring.used - v.guest->base + 2, i);
        munmap(map, size);
        rdp_back_end_hang_up(v.be);
        rdp_back_end_wait(v.be, RDP_VHOST_SET_VRING_KICK, starts);
    }
    g_assert_false(rdp_needs_reset(&v.dev));
    assert_pool_only(&v);
    rdp_vhost_stop(&v);
}

/* The back end runs only while the bus lets the device access memory */
static void assert_follows(RdpVhost *v, void (*let)(RdpDevice *dev, bool on))
{
    unsigned stops = rdp_back_end_requests(v->be, RDP_VHOST_GET_VRING_BASE);
    unsigned starts = rdp_back_end_requests(v->be, RDP_VHOST_SET_VRING_ADDR);

    let(&v->dev, false);
    rdp_back_end_wait(v->be, RDP_VHOST_GET_VRING_BASE, stops);
    rdp_driver_ok(&v->dev);
    rdp_settle(v->guest->qts);
    g_assert_cmpint(rdp_back_end_requests(v->be, RDP_VHOST_SET_VRING_ADDR), ==,
                    starts);

    let(&v->dev, true);
    rdp_back_end_wait(v->be, RDP_VHOST_SET_VRING_ADDR, starts);
    assert_pool_only(v);
}

/* The driver says DRIVER_OK again, which the device forgets */
static void let_by_master(RdpDevice *dev, bool on)
{
    rdp_set_master(dev, on);
    if (on) {
        rdp_driver_ok(dev);
    }
}

static void test_master(const void *data)
{
    RdpVhost v;

    rdp_vhost_start(&v, data);
    rdp_vhost_run(&v);
    assert_follows(&v, let_by_master);
    rdp_vhost_stop(&v);
}

static void let_by_power(RdpDevice *dev, bool on)
{
    rdp_set_power_state(dev, on ? 0 : 3);
}

static void test_power(const void *data)
{
    const RdpVhostVariant *variant = data;
    RdpBackEnd *be = rdp_back_end_new(variant->protocol);
    g_autofree char *chardev = rdp_back_end_chardev_once(be, "chr0");
    RdpVhost v = { .variant = variant, .be = be };

    v.guest = rdp_start(rdp_machine(), "%s "
                        "-device pcie-root-port,id=rp,chassis=1,addr=%d "
                        "%spacked=on,id=dev0,bus=rp,restricted-dma-pool=poola",
                        chardev, PORT, variant->device);
    rdp_bridge_init(v.guest, PORT, 1);
    rdp_device_init(&v.dev, v.guest, BEHIND, "dev0");
    rdp_vhost_run(&v);
    assert_follows(&v, let_by_power);
    rdp_vhost_stop(&v);
}

/* Two devices that write to memory while it migrates */
typedef struct Writers {
    const char *options[2];
    uint64_t offset[2];         /* of their rings, behind poola */
} Writers;

#define NO_POOL     ",disable-legacy=on"
#define POOL_A      ",restricted-dma-pool=poola"
#define POOL_B      ",restricted-dma-pool=poolb"
#define WRITE_TO    0x100000    /* in the memory of the device's rings */

static const Writers log_without_pool_first = {
    { NO_POOL, POOL_A }, { RDP_POOL_SIZE, 0 },
};
static const Writers log_with_pool_first = {
    { POOL_A, NO_POOL }, { 0, RDP_POOL_SIZE },
};
static const Writers log_two_pools = {
    { POOL_A, POOL_B }, { 0, RDP_POOL_SIZE },
};
/* Their logs are equally long, as poolb ends where all memory does */
static const Writers log_same_size = {
    { POOL_B, NO_POOL }, { RDP_POOL_SIZE, 0 },
};
static const Writers log_one_pool = {
    { POOL_A, POOL_A }, { 0, 0x200000 },
};

static char *writers_options(const Writers *w, RdpBackEnd *be[2])
{
    GString *options = g_string_new(NULL);

    for (int i = 0; i < 2; i++) {
        g_autofree char *id = g_strdup_printf("chr%d", i);
        g_autofree char *chardev = NULL;

        be[i] = rdp_back_end_new(RDP_VHOST_PROTOCOL);
        chardev = rdp_back_end_chardev(be[i], id);
        g_string_append_printf(options, "%s -device vhost-user-blk-pci,"
                               "chardev=%s,num-queues=1,id=dev%d,addr=%d%s ",
                               chardev, id, i, RDP_SLOT + i, w->options[i]);
    }
    return g_string_free(options, false);
}

static void run_writer(const Writers *w, int i, RdpGuest *guest,
                       RdpDevice *dev, RdpBackEnd *be)
{
    bool confined = strcmp(w->options[i], NO_POOL);
    RdpRing ring;

    rdp_device_init(dev, guest, RDP_SLOT + i, i ? "dev1" : "dev0");
    g_assert_true(rdp_negotiate(dev, confined ? RDP_FEATURES :
                                     BIT_ULL(VIRTIO_F_VERSION_1)));
    rdp_ring_init(&ring, dev, 0, false);
    ring.desc += w->offset[i];
    ring.avail += w->offset[i];
    ring.used += w->offset[i];
    rdp_ring_enable(&ring);
    rdp_driver_ok(dev);
    rdp_back_end_wait(be, RDP_VHOST_SET_VRING_KICK, 0);
}

/* Write until QEMU stops both devices, which it does at the end */
static void write_until_stopped(const Writers *w, uint64_t base,
                                RdpBackEnd *be[2], uint8_t last[2])
{
    bool running[2] = { true, true };

    for (uint8_t byte = 1; running[0] || running[1]; byte++) {
        for (int i = 0; i < 2; i++) {
            running[i] = rdp_back_end_write(be[i],
                                            base + w->offset[i] + WRITE_TO,
                                            byte);
            last[i] = running[i] ? byte : last[i];
        }
    }
}

/* The log of a device does not hide what another one writes */
static void test_log(const void *data)
{
    const Writers *w = data;
    RdpBackEnd *source[2], *dest[2];
    g_autofree char *source_options = writers_options(w, source);
    g_autofree char *dest_options = writers_options(w, dest);
    RdpGuest *from = rdp_start(rdp_machine(), "%s", source_options);
    RdpMigrationFiles files;
    RdpDevice dev[2];
    uint8_t last[2];
    RdpGuest *to;

    rdp_migration_files_init(&files);
    to = rdp_start_destination(&files, rdp_machine(), dest_options);
    for (int i = 0; i < 2; i++) {
        run_writer(w, i, from, &dev[i], source[i]);
    }
    /* All memory is sent before the devices stop, not some of it after that */
    qtest_qmp_assert_success(from->qts, "{'execute': 'migrate-set-parameters',"
                             " 'arguments': {'downtime-limit': 1}}");
    rdp_begin_live(&files, from->qts, to->qts);
    write_until_stopped(w, from->base, source, last);
    rdp_wait_migration(from->qts, "completed");
    rdp_wait_migration(to->qts, "completed");
    for (int i = 0; i < 2; i++) {
        g_assert_cmpint(rdp_back_end_requests(source[i],
                                              RDP_VHOST_SET_LOG_BASE), >, 0);
        g_assert_cmphex(qtest_readb(to->qts, to->base + w->offset[i] +
                                             WRITE_TO), ==, last[i]);
        rdp_device_cleanup(&dev[i]);
    }
    rdp_stop(from);
    rdp_stop(to);
    for (int i = 0; i < 2; i++) {
        rdp_back_end_free(source[i]);
        rdp_back_end_free(dest[i]);
    }
    rdp_migration_files_cleanup(&files);
}

/* What another process cannot be given, or only with more than the pool */
typedef struct Memory {
    const char *backend;
    const char *word;
} Memory;

static const Memory memory_private = {
    "memory-backend-ram,share=off", "memory-backend-memfd"
};
static const Memory memory_copy = {
    "memory-backend-memfd,share=off", "share=on"
};
static const Memory memory_part = {
    "memory-backend-file,share=on,offset=2M,mem-path=", "larger file"
};

static void test_refused(const void *data)
{
    const Memory *memory = data;
    RdpBackEnd *be = rdp_back_end_new(RDP_VHOST_PROTOCOL);
    g_autofree char *chardev = rdp_back_end_chardev(be, "chr0");
    g_autofree char *path = g_build_filename(g_get_tmp_dir(),
                                             "restricted-dma-XXXXXX", NULL);
    int fd = g_mkstemp(path);
    g_autofree char *message = NULL;

    g_assert_cmpint(ftruncate(fd, 4 * MiB), ==, 0);
    message = rdp_assert_options_refused(
        "-machine %s -object %s%s,id=mem0,size=2M "
        "-object restricted-dma-pool,id=pool0,size=2M,memdev=mem0 %s"
        "-device vhost-user-blk-pci,chardev=chr0,restricted-dma-pool=pool0",
        rdp_machine(), memory->backend, memory == &memory_part ? path : "",
        chardev);
    g_assert_nonnull(strstr(message, "pool0"));
    g_assert_nonnull(strstr(message, memory->word));
    close(fd);
    unlink(path);
    rdp_back_end_free(be);
}

static const RdpVhostTest tests[] = {
    { "memory", test_memory },
    { "features", test_features },
    { "consent", test_consent },
    { "ring-outside", test_ring_outside },
    { "error", test_error },
    { "lost", test_lost },
    { "restarted", test_restarted, true },
    { "master", test_master },
    { "power", test_power },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!qtest_has_device("vhost-user-blk-pci")) {
        return 0;
    }

    rdp_vhost_add_tests("vhost", tests, G_N_ELEMENTS(tests));
    rdp_add_test(test_log, &log_without_pool_first,
                 "restricted-dma/vhost/log/without-pool-first");
    rdp_add_test(test_log, &log_with_pool_first,
                 "restricted-dma/vhost/log/with-pool-first");
    rdp_add_test(test_log, &log_two_pools,
                 "restricted-dma/vhost/log/two-pools");
    rdp_add_test(test_log, &log_same_size,
                 "restricted-dma/vhost/log/same-size");
    rdp_add_test(test_log, &log_one_pool, "restricted-dma/vhost/log/one-pool");
    rdp_add_test(test_refused, &memory_private,
                 "restricted-dma/vhost/refused/private");
    rdp_add_test(test_refused, &memory_copy,
                 "restricted-dma/vhost/refused/copy");
    rdp_add_test(test_refused, &memory_part,
                 "restricted-dma/vhost/refused/part-of-file");
    return g_test_run();
}
