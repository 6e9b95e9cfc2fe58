/*
 * Restricted DMA pools: what drivers and back ends do at the wrong moment
 *
 * QEMU goes on, the device works after a reset, and nothing is lost.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/memfd.h"
#include "restricted-dma/blk.h"
#include "restricted-dma/host.h"
#include "restricted-dma/migration.h"
#include "restricted-dma/vhost.h"
#include "standard-headers/linux/virtio_blk.h"

/* So many losses at once break a device, whatever was finished in between */
#define BURST           10

/* Requests of a back end */
#define CONFIG_CHANGE   2
#define HOST_NOTIFIER   3
#define OBJECT_ADD      6
#define OBJECT_REMOVE   7
#define OBJECT_LOOKUP   8
#define AREA_SIZE       24
#define UUID_SIZE       16

/* Features of the protocol */
#define REPLY_ACK       BIT_ULL(3)
#define INFLIGHT        BIT_ULL(12)
#define MEM_SLOTS       BIT_ULL(15)

/* docs/specs/acpi_pci_hotplug.rst, on a PC */
#define ACPI_PCIHP_EJECT    0xae08
#define ACPI_PCIHP_BUS      0xae10

#define PACKED          BIT_ULL(VIRTIO_F_RING_PACKED)

/* A device that may access all memory, at RDP_SLOT */
#define NO_POOL         "-device vhost-user-blk-pci,chardev=chr0," \
                        "num-queues=1,disable-legacy=on," RDP_DEV0

/* QEMU waits so many microseconds for back ends, by a clock of its own */
#define WAIT            (5 * G_USEC_PER_SEC)
#define TICK            10000

/* hw/mem/restricted-dma-log.h: so many in 5 s */
#define MESSAGES        10

/* More requests than fit into a socket */
#define MANY            100000

typedef struct Speech {
    const char *name;
    const RdpVhostVariant *variant;
    RdpVhostSpeech speech;
} Speech;

static const Speech speeches[] = {
    { "silent-blk", &rdp_vhost_variants[0], RDP_VHOST_SILENT },
    { "silent-net", &rdp_vhost_variants[3], RDP_VHOST_SILENT },
    { "stammering", &rdp_vhost_variants[0], RDP_VHOST_STAMMERS },
};

static bool is_net(const RdpVhost *v)
{
    return strstr(v->variant->device, "net");
}

/* The device works, from reset on */
static void assert_works(RdpVhost *v)
{
    rdp_reset(&v->dev);
    rdp_vhost_run(v);
    g_assert_false(rdp_needs_reset(&v->dev));
}

static void by_reset(RdpVhost *v)
{
    rdp_reset(&v->dev);
}

static void by_stop(RdpVhost *v)
{
    rdp_settle(v->guest->qts);
}

static void by_master(RdpVhost *v)
{
    rdp_set_master(&v->dev, false);
    rdp_set_master(&v->dev, true);
}

/* A queue that is enabled after DRIVER_OK was not started, nor is it stopped */
static void test_late_queue(const void *data)
{
    static void (*const ways[])(RdpVhost *v) = {
        by_reset, by_stop, by_master
    };
    const RdpVhostVariant *variant = data;
    RdpVhost v;

    rdp_vhost_start(&v, variant);
    for (int i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_assert_true(rdp_negotiate(&v.dev, RDP_FEATURES | variant->features));
        rdp_driver_ok(&v.dev);
        rdp_ring_init(&v.ring, &v.dev, 0, variant->features & PACKED);
        rdp_ring_enable(&v.ring);
        ways[i](&v);
        assert_works(&v);
    }
    rdp_vhost_stop(&v);
}

/* The back end is not told when a queue is reset: the driver must not do it */
static void test_queue_reset(const void *data)
{
    RdpVhost v;
    unsigned stops;

    rdp_vhost_start(&v, data);
    rdp_vhost_run(&v);
    stops = rdp_back_end_requests(v.be, RDP_VHOST_GET_VRING_BASE);
    rdp_ring_begin_reset(&v.ring);
    rdp_wait_needs_reset(&v.dev);
    rdp_back_end_wait(v.be, RDP_VHOST_GET_VRING_BASE, stops);
    assert_works(&v);
    rdp_vhost_stop(&v);
}

/* Pretend to have finished requests */
static void set_used_index(RdpVhost *v, uint16_t index)
{
    qtest_writew(v->guest->qts, v->ring.used + offsetof(struct vring_used, idx),
                 index);
}

/* No progress that a driver can pretend lets a back end end for ever */
static void test_too_often(const void *data)
{
    RdpVhost v;

    rdp_vhost_start_reconnecting(&v, data);
    rdp_vhost_run(&v);
    for (int i = 1; i <= BURST; i++) {
        unsigned starts = rdp_back_end_requests(v.be, RDP_VHOST_SET_VRING_KICK);

        set_used_index(&v, i);
        rdp_back_end_hang_up(v.be);
        rdp_back_end_wait(v.be, RDP_VHOST_SET_VRING_KICK, starts);
        g_assert_false(rdp_needs_reset(&v.dev));
    }
    set_used_index(&v, BURST + 1);
    rdp_back_end_hang_up(v.be);
    rdp_wait_needs_reset(&v.dev);

    /* A reset helps once */
    assert_works(&v);
    rdp_back_end_hang_up(v.be);
    rdp_wait_needs_reset(&v.dev);
    rdp_vhost_stop(&v);
}

/* A back end that is lost while the ring is not mapped goes on where it was */
static void test_lost_without_master(const void *data)
{
    const uint16_t used = 7;
    RdpVhost v;
    unsigned starts;

    rdp_vhost_start_reconnecting(&v, data);
    rdp_vhost_run(&v);
    set_used_index(&v, used);
    starts = rdp_back_end_requests(v.be, RDP_VHOST_SET_VRING_KICK);
    rdp_back_end_refuse_to_stop(v.be, true);
    rdp_set_master(&v.dev, false);
    RDP_WAIT_FOR(rdp_back_end_state(v.be).connections == 2);
    rdp_back_end_refuse_to_stop(v.be, false);
    rdp_settle(v.guest->qts);
    rdp_set_master(&v.dev, true);
    rdp_driver_ok(&v.dev);
    rdp_back_end_wait(v.be, RDP_VHOST_SET_VRING_KICK, starts);
    g_assert_cmpint(rdp_back_end_state(v.be).base, ==, used);
    rdp_vhost_stop(&v);
}

/* A back end that connects while the machine is paused waits for it to run */
static void test_paused(const void *data)
{
    RdpVhost v;
    unsigned starts;

    rdp_vhost_start_reconnecting(&v, data);
    rdp_vhost_run(&v);
    starts = rdp_back_end_requests(v.be, RDP_VHOST_SET_VRING_KICK);
    qtest_qmp_assert_success(v.guest->qts, "{'execute': 'stop'}");
    rdp_back_end_hang_up(v.be);
    RDP_WAIT_FOR(rdp_back_end_state(v.be).connections == 2);
    rdp_assert_answers(v.guest->qts);
    g_assert_cmpint(rdp_back_end_requests(v.be, RDP_VHOST_SET_VRING_KICK), ==,
                    starts);
    rdp_continue(v.guest->qts);
    rdp_back_end_wait(v.be, RDP_VHOST_SET_VRING_KICK, starts);
    rdp_vhost_stop(&v);
}

/*
 * The back end gets nothing of other back ends, QEMU maps nothing of it, and
 * there is no IOMMU to translate for: one that asks for such is not heard again
 */
static void test_requests(const void *data)
{
    static const struct {
        uint32_t request, size;
    } refused[] = {
        { CONFIG_CHANGE, UUID_SIZE },
        { HOST_NOTIFIER, AREA_SIZE },
        { OBJECT_ADD, UUID_SIZE },
        { OBJECT_REMOVE, UUID_SIZE },
        { OBJECT_LOOKUP, UUID_SIZE },
    };
    RdpVhost v;
    int i;

    rdp_vhost_start_reconnecting(&v, data);
    for (i = 0; i <= G_N_ELEMENTS(refused); i++) {
        assert_works(&v);
        /* Of these two, only the block device knows what to do with it */
        g_assert_cmpint(rdp_back_end_ask(v.be, CONFIG_CHANGE, 0), ==,
                        is_net(&v) ? 1 : 0);
        g_assert_cmpint(i < G_N_ELEMENTS(refused) ?
                        rdp_back_end_ask(v.be, refused[i].request,
                                         refused[i].size) :
                        rdp_back_end_ask_iotlb(v.be, v.guest->base), ==, -1);
        g_assert_false(rdp_needs_reset(&v.dev));
        rdp_back_end_hang_up(v.be);
        RDP_WAIT_FOR(rdp_back_end_state(v.be).connections == i + 2);
    }
    g_assert_cmpint(rdp_back_end_requests(v.be, RDP_VHOST_IOTLB_MSG), ==, 0);
    assert_works(&v);
    rdp_vhost_stop(&v);
}

/* Half a request, or one whose answer nobody reads, holds up nobody */
static void test_channel(const void *data)
{
    RdpVhost v;

    rdp_vhost_start_reconnecting(&v, data);
    rdp_vhost_run(&v);
    rdp_back_end_ask_half(v.be);
    rdp_assert_answers(v.guest->qts);
    rdp_back_end_hang_up(v.be);
    RDP_WAIT_FOR(rdp_back_end_state(v.be).connections == 2);
    assert_works(&v);

    g_assert_cmpint(rdp_back_end_ask_often(v.be, CONFIG_CHANGE, MANY), <,
                    MANY);
    rdp_assert_answers(v.guest->qts);
    assert_works(&v);
    rdp_vhost_stop(&v);
}

/* QEMU does not wait for ever for a back end that does not answer */
static void assert_goes_on(RdpVhost *v, int64_t since)
{
    unsigned messages;

    rdp_assert_answers(v->guest->qts);
    g_assert_cmpint(g_get_monotonic_time() - since, >=, WAIT - TICK);
    g_assert_cmpint(g_get_monotonic_time() - since, <, 2 * WAIT);

    /* Nor does it begin anew with the next connection */
    messages = rdp_back_end_requests(v->be, RDP_VHOST_GET_FEATURES);
    RDP_WAIT_FOR(rdp_back_end_state(v->be).connections >= 4);
    rdp_assert_answers(v->guest->qts);
    g_assert_cmpint(rdp_back_end_requests(v->be, RDP_VHOST_GET_FEATURES), ==,
                    messages);
}

static void test_speech(const void *data)
{
    const Speech *speech = data;
    int64_t since;
    RdpVhost v;

    rdp_vhost_start_reconnecting(&v, speech->variant);
    rdp_vhost_run(&v);
    rdp_back_end_speak(v.be, speech->speech);
    since = g_get_monotonic_time();
    rdp_reset(&v.dev);
    assert_goes_on(&v, since);
    rdp_vhost_stop(&v);
}

/* The same before the device is started for the first time */
static void test_silent_at_first(const void *data)
{
    int64_t since;
    RdpVhost v;

    rdp_vhost_start_reconnecting(&v, data);
    rdp_back_end_speak(v.be, RDP_VHOST_SILENT);
    since = g_get_monotonic_time();
    rdp_back_end_hang_up(v.be);
    RDP_WAIT_FOR(rdp_back_end_state(v.be).connections == 2);
    rdp_settle(v.guest->qts);
    assert_goes_on(&v, since);
    rdp_vhost_stop(&v);
}

/* Nor when it ends */
static void test_quit(const void *data)
{
    int64_t since;
    RdpVhost v;

    rdp_vhost_start(&v, data);
    rdp_vhost_run(&v);
    rdp_back_end_speak(v.be, RDP_VHOST_SILENT);
    since = g_get_monotonic_time();
    qtest_qmp_send(v.guest->qts, "{'execute': 'quit'}");
    qtest_wait_qemu(v.guest->qts);
    g_assert_cmpint(g_get_monotonic_time() - since, <, 2 * WAIT);
    rdp_vhost_stop(&v);
}

static unsigned count_files(QTestState *qts)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", qtest_pid(qts));
    GDir *dir = g_dir_open(path, 0, NULL);
    unsigned n = 0;

    g_assert_nonnull(dir);
    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

/* What a back end refuses leaves nothing behind, and nothing to stumble upon */
static void test_refusing(const void *data)
{
    const RdpVhostVariant *variant = data;
    const RdpVhostRequest refused[] = {
        /* A region that the back end has already is not sent again */
        variant->protocol & MEM_SLOTS ? RDP_VHOST_SET_VRING_ENABLE :
                                        RDP_VHOST_SET_MEM_TABLE,
        RDP_VHOST_SET_VRING_ENABLE,
    };
    unsigned files = 0;
    RdpVhost v;

    rdp_vhost_start_reconnecting(&v, variant);
    rdp_vhost_run(&v);
    for (int i = 0; i < 2 * G_N_ELEMENTS(refused); i++) {
        RdpVhostRequest request = refused[i % G_N_ELEMENTS(refused)];
        unsigned before;

        rdp_reset(&v.dev);
        before = rdp_back_end_requests(v.be, request);
        rdp_back_end_refuse(v.be, request);
        rdp_setup(&v.dev, &v.ring, 0, RDP_FEATURES | variant->features);
        rdp_back_end_wait(v.be, request, before);
        if (is_net(&v)) {
            /* The connection goes on, but no device that could have an error */
            rdp_back_end_report_error(v.be);
            rdp_settle(v.guest->qts);
            g_assert_false(rdp_needs_reset(&v.dev));
        }
        rdp_back_end_refuse(v.be, 0);
        rdp_assert_answers(v.guest->qts);
        assert_works(&v);
        if (i == G_N_ELEMENTS(refused) - 1) {
            files = count_files(v.guest->qts);
        }
    }
    g_assert_cmpint(count_files(v.guest->qts), ==, files);
    rdp_vhost_stop(&v);
}

/* The device goes while its back end does */
static void test_unplug(const void *data)
{
    const RdpVhostVariant *variant = data;
    RdpBackEnd *be = rdp_back_end_new(variant->protocol);
    g_autofree char *chardev = rdp_back_end_chardev_once(be, "chr0");
    RdpVhost v = { .variant = variant, .be = be };

    v.guest = rdp_start_device(&v.dev, "pc", "%s %spacked=on," RDP_CONFINED,
                               chardev, variant->device);
    rdp_vhost_run(&v);
    rdp_back_end_refuse_to_stop(v.be, true);
    /* The guest ejects it by itself, through ACPI */
    qtest_outl(v.guest->qts, ACPI_PCIHP_BUS, 0);
    qtest_outl(v.guest->qts, ACPI_PCIHP_EJECT, 1u << RDP_SLOT);
    rdp_settle(v.guest->qts);
    rdp_assert_answers(v.guest->qts);
    rdp_device_cleanup(&v.dev);
    rdp_stop(v.guest);
    rdp_back_end_free(v.be);
}

/* Where the device's own configuration is, behind that of virtio */
static uint64_t config_offset(RdpDevice *dev)
{
    uint8_t cap = 0;

    do {
        cap = qpci_find_capability(dev->pci, PCI_CAP_ID_VNDR, cap);
        g_assert_cmpint(cap, !=, 0);
    } while (qpci_config_readb(dev->pci, cap + VIRTIO_PCI_CAP_CFG_TYPE) !=
             VIRTIO_PCI_CAP_DEVICE_CFG);
    return qpci_config_readl(dev->pci, cap + VIRTIO_PCI_CAP_OFFSET);
}

/* Has QEMU noticed that there is no back end? */
static bool is_disconnected(QTestState *qts, const char *chardev)
{
    QDict *response = qtest_qmp(qts, "{'execute': 'query-chardev'}");
    const QListEntry *entry;
    bool disconnected = false;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
        QDict *info = qobject_to(QDict, qlist_entry_obj(entry));

        if (g_str_equal(qdict_get_str(info, "label"), chardev)) {
            disconnected = g_str_has_prefix(qdict_get_str(info, "filename"),
                                            "disconnected:");
        }
    }
    qobject_unref(response);
    return disconnected;
}

/* Have QEMU write to the configuration that the back end has */
static void set_cache(RdpDevice *dev, uint8_t wce)
{
    qpci_io_writeb(dev->pci, dev->bar, config_offset(dev) +
                   offsetof(struct virtio_blk_config, wce), wce);
}

/* Nobody asks a back end that is not there */
static void test_config(void)
{
    RdpVhost v;
    QDict *response;

    rdp_vhost_start(&v, &rdp_vhost_variants[0]);
    rdp_vhost_run(&v);
    rdp_back_end_hang_up(v.be);
    RDP_WAIT_FOR(is_disconnected(v.guest->qts, "chr0"));
    set_cache(&v.dev, 1);
    response = qtest_qmp(v.guest->qts, "{'execute': 'device-sync-config',"
                         " 'arguments': {'id': 'dev0'}}");
    g_assert_true(qdict_haskey(response, "error"));
    qobject_unref(response);
    rdp_assert_answers(v.guest->qts);
    rdp_vhost_stop(&v);
}

#define RINGS           (2 * MiB)       /* in RAM */

/* A device without a pool, whose rings are in RAM */
static void run_without_pool(RdpDevice *dev, RdpGuest *guest, RdpBackEnd *be)
{
    RdpRing ring;

    rdp_device_init(dev, guest, RDP_SLOT, "dev0");
    g_assert_true(rdp_negotiate(dev, BIT_ULL(VIRTIO_F_VERSION_1)));
    rdp_ring_init(&ring, dev, 0, false);
    ring.desc = RDP_IN_RAM(guest, RINGS);
    ring.avail = ring.desc + 0x1000;
    ring.used = ring.avail + 0x1000;
    rdp_ring_enable(&ring);
    rdp_driver_ok(dev);
    rdp_back_end_wait(be, RDP_VHOST_SET_VRING_KICK, 0);
}

/* Without an IOMMU there is nothing to translate, without a pool as well */
static void test_iotlb(void)
{
    RdpBackEnd *be = rdp_back_end_new(RDP_VHOST_PROTOCOL);
    g_autofree char *chardev = rdp_back_end_chardev_once(be, "chr0");
    RdpGuest *guest = rdp_start(rdp_machine(), "%s " NO_POOL, chardev);
    RdpDevice dev;

    run_without_pool(&dev, guest, be);
    g_assert_cmpint(rdp_back_end_ask_iotlb(be, guest->base), ==, 1);
    g_assert_cmpint(rdp_back_end_ask_iotlb(be, RDP_IN_RAM(guest, 0)), ==, 1);
    rdp_reset(&dev);
    g_assert_cmpint(rdp_back_end_ask_iotlb(be, guest->base), ==, 1);
    g_assert_cmpint(rdp_back_end_requests(be, RDP_VHOST_IOTLB_MSG), ==, 0);
    rdp_device_stop(&dev);
    rdp_back_end_free(be);
}

/* Nor for one that reads nothing, and so lets no more be written */
static void test_deaf(void)
{
    RdpBackEnd *be = rdp_back_end_new(RDP_VHOST_PROTOCOL & ~REPLY_ACK);
    g_autofree char *chardev = rdp_back_end_chardev(be, "chr0");
    RdpVhost v = { .variant = &rdp_vhost_variants[0], .be = be };
    int64_t since = g_get_monotonic_time();

    v.guest = rdp_start_device(&v.dev, rdp_machine(), "%s %spacked=on,"
                               RDP_CONFINED, chardev, v.variant->device);
    rdp_vhost_run(&v);
    rdp_back_end_speak(be, RDP_VHOST_DEAF);
    for (int i = 0; !is_disconnected(v.guest->qts, "chr0"); i++) {
        g_assert_cmpint(i, <, MANY);
        set_cache(&v.dev, i % 2);
    }
    assert_goes_on(&v, since);
    rdp_vhost_stop(&v);
}

/* QEMU maps memory of the back end only if that cannot do it harm */
static void test_inflight(void)
{
    static const struct {
        RdpVhostInflight inflight;
        bool taken;
    } tests[] = {
        { { 64 * KiB, F_SEAL_SHRINK, 64 * KiB }, true },
        { { 64 * KiB, F_SEAL_SHRINK, 4 * KiB, 60 * KiB }, true },
        { { 64 * KiB, 0, 64 * KiB }, false },
        { { 64 * KiB, F_SEAL_GROW, 64 * KiB }, false },
        { { 64 * KiB, F_SEAL_SHRINK, 68 * KiB }, false },
        { { 64 * KiB, F_SEAL_SHRINK, 4 * KiB, 64 * KiB }, false },
        { { 64 * KiB, F_SEAL_SHRINK, 8 * KiB, UINT64_MAX - 4095 }, false },
        { { 32 * MiB, F_SEAL_SHRINK, 32 * MiB }, false },
        { { 64 * KiB, F_SEAL_SHRINK, UINT64_MAX - 4095 }, false },
    };

    for (int i = 0; i < G_N_ELEMENTS(tests); i++) {
        RdpBackEnd *be = rdp_back_end_new(RDP_VHOST_PROTOCOL | INFLIGHT);
        g_autofree char *chardev = rdp_back_end_chardev_once(be, "chr0");
        RdpVhost v = { .variant = &rdp_vhost_variants[0], .be = be };

        rdp_back_end_set_inflight(be, tests[i].inflight);
        v.guest = rdp_start_device(&v.dev, rdp_machine(), "%s %spacked=on,"
                                   RDP_CONFINED, chardev, v.variant->device);
        rdp_setup(&v.dev, &v.ring, 0, RDP_FEATURES);
        rdp_back_end_wait(be, RDP_VHOST_GET_INFLIGHT_FD, 0);
        rdp_settle(v.guest->qts);
        /* It is given back to the back end when the device starts */
        g_assert_cmpint(rdp_back_end_requests(be, RDP_VHOST_SET_INFLIGHT_FD) >
                        0, ==, tests[i].taken);
        rdp_vhost_stop(&v);
    }
}

/* A network card whose back end is gone is not started, nor asked */
static void test_gone(const void *data)
{
    RdpMigrationFiles files;
    RdpVhost v;

    rdp_migration_files_init(&files);
    rdp_vhost_start(&v, data);
    rdp_vhost_run(&v);
    rdp_back_end_hang_up(v.be);
    RDP_WAIT_FOR(is_disconnected(v.guest->qts, "chr0"));
    rdp_settle(v.guest->qts);
    qtest_qmp_assert_success(v.guest->qts, "{'execute': 'set_link',"
                             " 'arguments': {'name': 'net0', 'up': true}}");
    rdp_driver_ok(&v.dev);
    rdp_assert_answers(v.guest->qts);
    rdp_save(&files, v.guest->qts);
    rdp_vhost_stop(&v);
    rdp_migration_files_cleanup(&files);
}

static unsigned count_lines(const char *log, const char *who, const char *what)
{
    g_auto(GStrv) lines = rdp_log_lines(log);
    unsigned found = 0;

    for (int i = 0; lines[i]; i++) {
        found += strstr(lines[i], who) && strstr(lines[i], what);
    }
    return found;
}

/* A driver that restarts its device does not fill the log with its back end */
static void test_messages(const void *data)
{
    const RdpVhostVariant *variant = data;
    RdpBackEnd *be = rdp_back_end_new(variant->protocol);
    g_autofree char *chardev = rdp_back_end_chardev(be, "chr0");
    char *log = rdp_log_new();
    RdpVhost v = { .variant = variant, .be = be };
    unsigned found;

    v.guest = rdp_start_device(&v.dev, rdp_machine(), "%s %spacked=on,"
                               RDP_CONFINED " 2>%s", chardev, variant->device,
                               log);
    rdp_back_end_refuse(be, RDP_VHOST_SET_MEM_TABLE);
    for (int i = 0; i < 10 * MESSAGES; i++) {
        unsigned before = rdp_back_end_requests(be, RDP_VHOST_SET_MEM_TABLE);

        rdp_setup(&v.dev, &v.ring, 0, RDP_FEATURES | variant->features);
        rdp_back_end_wait(be, RDP_VHOST_SET_MEM_TABLE, before);
        rdp_reset(&v.dev);
    }
    RDP_WAIT_FOR(count_lines(log, "chr0: ", "messages left out"));
    found = count_lines(log, "", "vhost_set_mem_table failed");
    g_assert_cmpint(found, >, 0);
    g_assert_cmpint(found, <, 5 * MESSAGES);
    rdp_vhost_stop(&v);
    rdp_log_free(log);
}

#define SHM_SLOT        9
#define SHM_HIGH        0x40            /* 256 GiB */
#define WRITE_TO        (3 * MiB)
#define SLOWLY          "{'execute': 'migrate-set-parameters', 'arguments':" \
                        " {'downtime-limit': 1, 'max-bandwidth': 4194304}}"
#define FAST            "{'execute': 'migrate-set-parameters', 'arguments':" \
                        " {'max-bandwidth': 1073741824}}"

static char *shm_options(RdpBackEnd *be)
{
    g_autofree char *chardev = rdp_back_end_chardev(be, "chr0");

    return g_strdup_printf("%s -object memory-backend-memfd,id=shm,size=1M "
                           "-device ivshmem-plain,memdev=shm,master=on,addr=%d "
                           NO_POOL, chardev, SHM_SLOT);
}

/* Memory turns up far above all other while it migrates: the log gets longer */
static void move_memory_up(RdpGuest *guest, QPCIDevice *shm, RdpBackEnd *be)
{
    unsigned before;

    rdp_back_end_wait(be, RDP_VHOST_SET_LOG_BASE, 0);
    before = rdp_back_end_requests(be, RDP_VHOST_SET_LOG_BASE);
    qpci_config_writel(shm, PCI_BASE_ADDRESS_3, SHM_HIGH);
    rdp_back_end_wait(be, RDP_VHOST_SET_LOG_BASE, before);
}

static void test_longer_log(void)
{
    RdpBackEnd *source = rdp_back_end_new(RDP_VHOST_PROTOCOL);
    RdpBackEnd *dest = rdp_back_end_new(RDP_VHOST_PROTOCOL);
    g_autofree char *source_options = shm_options(source);
    g_autofree char *dest_options = shm_options(dest);
    RdpGuest *from = rdp_start(rdp_machine(), "%s", source_options);
    QPCIDevice *shm = qpci_device_find(from->bus, QPCI_DEVFN(SHM_SLOT, 0));
    uint64_t addr = RDP_IN_RAM(from, WRITE_TO);
    RdpMigrationFiles files;
    RdpDevice dev;
    RdpGuest *to;
    uint8_t byte;

    rdp_migration_files_init(&files);
    to = rdp_start_destination(&files, rdp_machine(), dest_options);
    qpci_config_writel(shm, PCI_BASE_ADDRESS_2, 0xd0000000);
    qpci_config_writel(shm, PCI_BASE_ADDRESS_3, 0);
    qpci_device_enable(shm);
    run_without_pool(&dev, from, source);
    qtest_qmp_assert_success(from->qts, SLOWLY);
    rdp_begin_live(&files, from->qts, to->qts);
    move_memory_up(from, shm, source);
    qtest_qmp_assert_success(from->qts, FAST);
    for (byte = 1; rdp_back_end_write(source, addr, byte); byte++) {
        /* until QEMU stops the device, which it does at the end */
    }
    rdp_wait_migration(from->qts, "completed");
    rdp_wait_migration(to->qts, "completed");
    g_assert_cmphex(qtest_readb(to->qts, addr), ==, (uint8_t)(byte - 1));

    g_free(shm);
    rdp_device_cleanup(&dev);
    rdp_stop(from);
    rdp_stop(to);
    rdp_back_end_free(source);
    rdp_back_end_free(dest);
    rdp_migration_files_cleanup(&files);
}

static const RdpVhostTest tests[] = {
    { "late-queue", test_late_queue },
    { "queue-reset", test_queue_reset },
    { "too-often", test_too_often, true },
    { "lost-without-master", test_lost_without_master, true },
    { "paused", test_paused },
    { "requests", test_requests },
    { "channel", test_channel },
    { "refusing", test_refusing },
    { "unplug", test_unplug, false, true },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (!qtest_has_device("vhost-user-blk-pci")) {
        return 0;
    }

    rdp_vhost_add_tests("vhost-harm", tests, G_N_ELEMENTS(tests));
    for (int i = 0; i < G_N_ELEMENTS(speeches); i++) {
        rdp_add_test(test_speech, &speeches[i],
                     "restricted-dma/vhost-harm/speech/%s", speeches[i].name);
    }
    rdp_add_test(test_silent_at_first, &rdp_vhost_variants[3],
                 "restricted-dma/vhost-harm/speech/silent-at-first");
    rdp_add_test(test_quit, &rdp_vhost_variants[0],
                 "restricted-dma/vhost-harm/speech/quit");
    qtest_add_func("restricted-dma/vhost-harm/config", test_config);
    qtest_add_func("restricted-dma/vhost-harm/deaf", test_deaf);
    qtest_add_func("restricted-dma/vhost-harm/inflight", test_inflight);
    rdp_add_test(test_gone, &rdp_vhost_variants[3],
                 "restricted-dma/vhost-harm/gone");
    rdp_add_test(test_messages, &rdp_vhost_variants[3],
                 "restricted-dma/vhost-harm/messages");
    qtest_add_func("restricted-dma/vhost-harm/iotlb", test_iotlb);
    /* On virt, no window of PCI is so far above RAM */
    if (qtest_has_device("ivshmem-plain") && !rdp_has_device_tree()) {
        qtest_add_func("restricted-dma/vhost-harm/longer-log",
                       test_longer_log);
    }
    return g_test_run();
}
