/*
 * Restricted DMA pools: what guests and administrators get to see
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "libqos/libqos-pc.h"
#include "libqos/pci-pc.h"
#include "qapi/error.h"
#include "qobject/qjson.h"
#include "qobject/qlist.h"
#include "restricted-dma/blk.h"

static uint32_t reg_readl(RdpDevice *dev, unsigned reg)
{
    return qpci_io_readl(dev->pci, dev->bar, dev->common + reg);
}

static uint64_t reg_readq(RdpDevice *dev, unsigned reg)
{
    return qpci_io_readq(dev->pci, dev->bar, dev->common + reg);
}

static void assert_registers(RdpDevice *dev, uint64_t addr, uint64_t size)
{
    g_assert_cmphex(reg_readq(dev, RDP_COMMON_ADDR), ==, addr);
    g_assert_cmphex(reg_readl(dev, RDP_COMMON_ADDR), ==, (uint32_t)addr);
    g_assert_cmphex(reg_readl(dev, RDP_COMMON_ADDR + 4), ==, addr >> 32);
    g_assert_cmphex(reg_readq(dev, RDP_COMMON_SIZE), ==, size);
    g_assert_cmphex(reg_readl(dev, RDP_COMMON_SIZE), ==, (uint32_t)size);
    g_assert_cmphex(reg_readl(dev, RDP_COMMON_SIZE + 4), ==, size >> 32);

    /* The field before belongs to another proposal, the one behind to nobody */
    g_assert_cmphex(reg_readq(dev, RDP_COMMON_ADDR - 8), ==, 0);
    g_assert_cmphex(reg_readq(dev, RDP_COMMON_SIZE + 8), ==, 0);
}

/* The device */

typedef struct Type {
    const char *machine;
    const char *name;
    const char *args;       /* to which the address and the pool are added */
} Type;

static const Type types[] = {
    { "q35", "blk", "-device virtio-blk-pci,drive=disk0" },
    { "q35", "net", "-device virtio-net-pci" },
    { "q35", "rng", "-device virtio-rng-pci" },
    { "q35", "serial", "-device virtio-serial-pci" },
    { "q35", "scsi", "-device virtio-scsi-pci" },
    { "pc", "blk", "-device virtio-blk-pci,drive=disk0" },
    { "microvm", "blk", "-device virtio-blk-pci,drive=disk0" },
    { "virt", "blk", "-device virtio-blk-pci,drive=disk0" },
    { "virt", "net", "-device virtio-net-pci" },
};

static void test_device(const void *data)
{
    const Type *type = data;
    RdpDevice dev;
    RdpGuest *guest = rdp_start_device(&dev, type->machine,
                                       "%s," RDP_CONFINED, type->args);
    const QDict *entry;
    QDict *pool;

    g_assert_cmphex(rdp_offered(&dev) & RDP_FEATURES, ==, RDP_FEATURES);
    assert_registers(&dev, guest->base, RDP_POOL_SIZE);

    /* Modern only: the id says so, and there is no legacy BAR */
    g_assert_cmphex(qpci_config_readw(dev.pci, PCI_DEVICE_ID), >=, 0x1040);
    qpci_config_writel(dev.pci, PCI_BASE_ADDRESS_0, UINT32_MAX);
    g_assert_cmphex(qpci_config_readl(dev.pci, PCI_BASE_ADDRESS_0), ==, 0);

    pool = rdp_query(guest->qts, "poola");
    g_assert_cmpuint(rdp_get_uint(pool, "size"), ==, RDP_POOL_SIZE);
    g_assert_false(qdict_get_bool(pool, "dma-default"));
    g_assert_cmpuint(rdp_get_uint(pool, "violations"), ==, 0);
    g_assert_cmpuint(qlist_size(qdict_get_qlist(pool, "devices")), ==, 1);
    entry = qobject_to(QDict, qlist_peek(qdict_get_qlist(pool, "devices")));
    g_assert_cmpstr(qdict_get_str(entry, "device"), ==, "dev0");
    g_assert_cmpstr(qdict_get_str(entry, "qom-path"), ==,
                    "/machine/peripheral/dev0");
    qobject_unref(pool);
    rdp_device_stop(&dev);
}

static RdpGuest *start_rng(RdpDevice *dev)
{
    return rdp_start_device(dev, rdp_machine(),
                            "-device virtio-rng-pci," RDP_CONFINED);
}

/* The registers stay what they are until the next reset, and after it */
static void test_registers_constant(void)
{
    RdpDevice dev;
    RdpGuest *guest = start_rng(&dev);
    unsigned reg;

    for (reg = RDP_COMMON_ADDR; reg < RDP_COMMON_SIZE + 8; reg += 4) {
        qpci_io_writel(dev.pci, dev.bar, dev.common + reg, 0xa5a5a5a5);
    }
    assert_registers(&dev, guest->base, RDP_POOL_SIZE);
    g_assert_true(rdp_negotiate(&dev, RDP_FEATURES));
    assert_registers(&dev, guest->base, RDP_POOL_SIZE);
    rdp_driver_ok(&dev);
    assert_registers(&dev, guest->base, RDP_POOL_SIZE);
    rdp_reset(&dev);
    assert_registers(&dev, guest->base, RDP_POOL_SIZE);
    qtest_system_reset(guest->qts);
    rdp_device_cleanup(&dev);
    rdp_device_init(&dev, guest, RDP_SLOT, "dev0");
    assert_registers(&dev, guest->base, RDP_POOL_SIZE);
    rdp_device_stop(&dev);
}

/*
 * Pools change nothing for a device that names none: nothing is offered, and
 * it reaches RAM.  This also shows that the other tests would notice that.
 */
static void test_device_without_pool(void)
{
    const uint64_t features = BIT_ULL(VIRTIO_F_VERSION_1);
    RdpDevice dev;
    RdpGuest *guest = rdp_start_device(&dev, rdp_machine(),
                                       "-device virtio-blk-pci,drive=disk0,"
                                       "disable-legacy=on," RDP_DEV0);
    RdpBuf bufs[RDP_BLK_BUFS];
    RdpRing ring;

    g_assert_cmphex(rdp_offered(&dev) & RDP_FEATURES, ==, features);
    assert_registers(&dev, 0, 0);

    rdp_setup(&dev, &ring, 0, features);
    rdp_blk_request(guest, bufs, false, 0, 0);
    bufs[1].addr = RDP_IN_RAM(guest, RDP_VICTIM);
    rdp_ring_serve(&ring, bufs, RDP_BLK_BUFS);
    g_assert_cmpmem(guest->ram.now + RDP_VICTIM, bufs[1].len, guest->disk.now,
                    bufs[1].len);
    rdp_device_stop(&dev);
}

/* A pool costs the host nothing before it is used */
static void test_idle_memory(void)
{
    QOSState *qs = qtest_pc_boot("-machine q35 "
                                 "-object restricted-dma-pool,id=a,size=4G");
    g_autofree char *path = g_strdup_printf("/proc/%d/status",
                                            qtest_pid(qs->qts));
    g_autofree char *status = NULL;
    const char *line;

    g_assert_true(g_file_get_contents(path, &status, NULL, NULL));
    line = strstr(status, "RssShmem:");
    g_assert_nonnull(line);
    g_assert_cmpint(atoi(line + strlen("RssShmem:")), <, 1024 /* KiB */);
    qtest_shutdown(qs);
}

/* Without pools a device shows no trace of them */
static void test_no_pool(void)
{
    QOSState *qs = qtest_pc_boot("-machine q35 -device virtio-rng-pci,"
                                 "disable-legacy=on," RDP_DEV0);
    RdpGuest guest = { .qts = qs->qts, .bus = qs->pcibus };
    RdpDevice dev;

    rdp_device_init(&dev, &guest, RDP_SLOT, "dev0");
    g_assert_cmphex(rdp_offered(&dev) & RDP_FEATURES, ==,
                    BIT_ULL(VIRTIO_F_VERSION_1));
    assert_registers(&dev, 0, 0);
    rdp_device_cleanup(&dev);
    qtest_shutdown(qs);
}

/* The monitor */

static void test_query_sorted(void)
{
    static const char *const ids[] = { "a", "b", "pool0", "pool1" };
    QTestState *qts = qtest_initf(
        "-machine %s -nodefaults "
        "-object restricted-dma-pool,id=b,size=2M "
        "-object restricted-dma-pool,id=pool1,size=2M "
        "-object restricted-dma-pool,id=a,size=2M "
        "-object restricted-dma-pool,id=pool0,size=2M", rdp_machine());
    QDict *response = qtest_qmp(qts,
                                "{'execute': 'query-restricted-dma-pools'}");
    const QListEntry *entry;
    unsigned i = 0;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
        const QDict *pool = qobject_to(QDict, qlist_entry_obj(entry));

        g_assert_cmpuint(i, <, ARRAY_SIZE(ids));
        g_assert_cmpstr(qdict_get_str(pool, "id"), ==, ids[i++]);
    }
    g_assert_cmpuint(i, ==, ARRAY_SIZE(ids));
    qobject_unref(response);
    qtest_quit(qts);
}

static void test_hmp(void)
{
    QTestState *qts = qtest_init("-machine q35 -nodefaults "
                                 "-object restricted-dma-pool,id=a,size=2M "
                                 "-device virtio-rng-pci,id=dev0,"
                                 "restricted-dma-pool=a");
    g_autofree char *info = qtest_hmp(qts, "info restricted-dma-pools");

    g_assert_nonnull(strstr(info, "a: "));
    g_assert_nonnull(strstr(info, "100000000"));
    g_assert_nonnull(strstr(info, "200000"));
    g_assert_nonnull(strstr(info, "dev0"));
    qtest_quit(qts);
}

static unsigned count(const char *text, const char *word)
{
    unsigned n = 0;

    while ((text = strstr(text, word))) {
        text += strlen(word);
        n++;
    }
    return n;
}

/* The status of a device names the feature */
static void test_status(void)
{
    static const char command[] =
        "info virtio-status /machine/peripheral/dev0/virtio-backend";
    g_autofree char *before = NULL, *after = NULL;
    RdpDevice dev;
    RdpGuest *guest = start_rng(&dev);

    before = qtest_hmp(guest->qts, "%s", command);
    g_assert_true(rdp_negotiate(&dev, RDP_FEATURES));
    after = qtest_hmp(guest->qts, "%s", command);
    /* offered, and then accepted as well */
    g_assert_cmpuint(count(before, "VIRTIO_F_RESTRICTED_DMA"), ==, 1);
    g_assert_cmpuint(count(after, "VIRTIO_F_RESTRICTED_DMA"), ==, 2);
    rdp_device_stop(&dev);
}

/* What happens to a pool can be traced */
static void test_trace_events(void)
{
    static const char *const events[] = {
        "restricted_dma_pool_map", "restricted_dma_pool_attach",
        "restricted_dma_pool_detach", "restricted_dma_violation",
    };
    QTestState *qts = qtest_init("-machine none");
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(events); i++) {
        QDict *response = qtest_qmp(qts, "{'execute': 'trace-event-get-state',"
                                    " 'arguments': {'name': %s}}", events[i]);

        g_assert_false(qlist_empty(qdict_get_qlist(response, "return")));
        qobject_unref(response);
    }
    qtest_quit(qts);
}

static void assert_help(const char *args, const char *const *words)
{
    g_autofree char *command = g_strdup_printf("sh -c '\"%s\" %s'",
                                               getenv("QTEST_QEMU_BINARY"),
                                               args);
    g_autofree char *output = NULL;
    int status;

    g_assert_true(g_spawn_command_line_sync(command, &output, NULL, &status,
                                            NULL));
    g_assert_cmpint(status, ==, 0);
    for (; *words; words++) {
        g_test_message("%s: looking for %s", args, *words);
        g_assert_nonnull(strstr(output, *words));
    }
}

static void test_help(void)
{
    static const char *const object[] = {
        "size=", "memdev=", "addr=", "dma-default=", NULL
    };
    static const char *const device[] = { "restricted-dma-pool=", NULL };

    assert_help("-object restricted-dma-pool,help", object);
    assert_help("-device virtio-blk-pci,help", device);
}

static void assert_error(QDict *response, const char *words)
{
    const char *desc;

    g_assert_true(qdict_haskey(response, "error"));
    desc = qdict_get_str(qdict_get_qdict(response, "error"), "desc");
    g_test_message("%s", desc);
    g_assert_nonnull(strstr(desc, words));
    qobject_unref(response);
}

/* Pools are checked once, and placed before all else: both are over by then */
static void test_preconfig(void)
{
    static const char *const changes[][2] = {
        { "size", "0" },
        { "size", "4194304" },
        { "addr", "0" },
        { "addr", "18446744073707454464" },     /* 2^64 - 2 MiB */
        { "memdev", "'nowhere'" },
        { "dma-default", "true" },
    };
    QTestState *qts = qtest_initf("-machine %s -nodefaults -preconfig "
                                  "-object restricted-dma-pool,id=a,size=2M",
                                  rdp_machine());
    QDict *pool;
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(changes); i++) {
        QObject *value = qobject_from_json(changes[i][1], &error_abort);

        assert_error(qtest_qmp(qts, "{'execute': 'qom-set', 'arguments':"
                               " {'path': '/objects/a', 'property': %s,"
                               " 'value': %p}}", changes[i][0], value),
                     "cannot change");
    }
    assert_error(qtest_qmp(qts, "{'execute': 'object-add', 'arguments':"
                           " {'qom-type': 'restricted-dma-pool',"
                           " 'id': 'b', 'size': 2097152}}"),
                 "command line");
    qtest_qmp_assert_success(qts, "{'execute': 'x-exit-preconfig'}");
    pool = rdp_query(qts, "a");
    g_assert_cmphex(rdp_get_uint(pool, "size"), ==, 2 * MiB);
    g_assert_false(qdict_get_bool(pool, "dma-default"));
    qobject_unref(pool);
    qtest_quit(qts);
}

/* The property of a device is a link, like that of other back ends */
static void test_link(void)
{
    QTestState *qts = qtest_initf("-machine %s -nodefaults "
                                  "-device virtio-rng-pci,id=dev0,"
                                  "restricted-dma-pool=/objects/a "
                                  "-object restricted-dma-pool,id=a,size=2M",
                                  rdp_machine());
    QDict *response = qtest_qmp(qts, "{'execute': 'qom-get', 'arguments':"
                                " {'path': '/machine/peripheral/dev0',"
                                " 'property': 'restricted-dma-pool'}}");
    const QListEntry *entry;
    unsigned found = 0;

    g_assert_cmpstr(qdict_get_str(response, "return"), ==, "/objects/a");
    qobject_unref(response);

    response = qtest_qmp(qts, "{'execute': 'device-list-properties',"
                         " 'arguments': {'typename': 'virtio-rng-pci'}}");
    QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
        QDict *property = qobject_to(QDict, qlist_entry_obj(entry));

        if (!strcmp(qdict_get_str(property, "name"), "restricted-dma-pool")) {
            g_assert_cmpstr(qdict_get_str(property, "type"), ==,
                            "link<restricted-dma-pool>");
            found++;
        }
    }
    g_assert_cmpuint(found, ==, 1);
    qobject_unref(response);
    qtest_quit(qts);
}

int main(int argc, char **argv)
{
    bool pc;
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    pc = strcmp(rdp_machine(), "virt");

    for (i = 0; i < ARRAY_SIZE(types); i++) {
        if (pc == !!strcmp(types[i].machine, "virt")) {
            rdp_add_test(test_device, &types[i],
                         "/restricted-dma/interface/device/%s/%s",
                         types[i].machine, types[i].name);
        }
    }
    qtest_add_func("/restricted-dma/interface/registers-constant",
                   test_registers_constant);
    qtest_add_func("/restricted-dma/interface/device-without-pool",
                   test_device_without_pool);
    qtest_add_func("/restricted-dma/interface/query-sorted",
                   test_query_sorted);
    qtest_add_func("/restricted-dma/interface/status", test_status);
    qtest_add_func("/restricted-dma/interface/trace-events",
                   test_trace_events);
    qtest_add_func("/restricted-dma/interface/help", test_help);
    qtest_add_func("/restricted-dma/interface/link", test_link);
    qtest_add_func("/restricted-dma/interface/preconfig", test_preconfig);
    if (pc) {
        qtest_add_func("/restricted-dma/interface/no-pool", test_no_pool);
        qtest_add_func("/restricted-dma/interface/idle-memory",
                       test_idle_memory);
        qtest_add_func("/restricted-dma/interface/hmp", test_hmp);
    }

    return g_test_run();
}
