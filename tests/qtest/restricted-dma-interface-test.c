/*
 * Restricted DMA pools: what guests and administrators get to see
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "libqos/fw_cfg.h"
#include "libqos/libqos-pc.h"
#include "libqos/pci-pc.h"
#include "qobject/qlist.h"
#include "restricted-dma.h"

#define SLOT            4
#define VICTIM          (1 * MiB)
#define E820_RESERVED   2
#define MAX_TABLES      (512 * KiB)
#define ACPI_HEADER_LEN 36

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

    /* What lies before belongs to another proposal, what follows to nobody */
    g_assert_cmphex(reg_readq(dev, RDP_COMMON_ADDR - 8), ==, 0);
    g_assert_cmphex(reg_readq(dev, RDP_COMMON_SIZE + 8), ==, 0);
}

static void stop(RdpDevice *dev)
{
    RdpGuest *guest = dev->guest;

    rdp_device_cleanup(dev);
    rdp_stop(guest);
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
};

static void test_device(const void *data)
{
    const Type *type = data;
    RdpGuest *guest = rdp_start(type->machine, "%s,id=dev0,addr=%d,"
                                "restricted-dma-pool=poola", type->args, SLOT);
    const QDict *entry;
    QDict *pool;
    RdpDevice dev;

    rdp_device_init(&dev, guest, SLOT, "dev0");
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
    stop(&dev);
}

/* The registers stay what they are until the next reset, and after it */
static void test_registers_constant(void)
{
    RdpGuest *guest = rdp_start("q35", "-device virtio-rng-pci,id=dev0,"
                                "addr=%d,restricted-dma-pool=poola", SLOT);
    RdpDevice dev;
    unsigned reg;

    rdp_device_init(&dev, guest, SLOT, "dev0");
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
    rdp_device_init(&dev, guest, SLOT, "dev0");
    assert_registers(&dev, guest->base, RDP_POOL_SIZE);
    stop(&dev);
}

/*
 * Pools change nothing for a device that names none: nothing is offered, and
 * it reaches RAM.  (That test also shows that others would see it do so.)
 */
static void test_device_without_pool(void)
{
    const uint64_t features = BIT_ULL(VIRTIO_F_VERSION_1);
    RdpGuest *guest = rdp_start("q35", "-device virtio-blk-pci,id=dev0,"
                                "addr=%d,drive=disk0,disable-legacy=on", SLOT);
    RdpBuf bufs[3];
    RdpDevice dev;
    RdpRing ring;

    rdp_device_init(&dev, guest, SLOT, "dev0");
    g_assert_cmphex(rdp_offered(&dev) & RDP_FEATURES, ==, features);
    assert_registers(&dev, 0, 0);

    g_assert_true(rdp_negotiate(&dev, features));
    rdp_ring_init(&ring, &dev, 0, false);
    rdp_ring_enable(&ring);
    rdp_driver_ok(&dev);
    rdp_blk_request(guest, bufs, false, 0, 0);
    bufs[1].addr = VICTIM;
    rdp_ring_add(&ring, bufs, 3, RDP_NO_TABLE);
    rdp_ring_kick(&ring);
    rdp_ring_wait(&ring);
    g_assert_cmpmem(guest->ram.now + VICTIM, bufs[1].len, guest->disk.now,
                    bufs[1].len);
    stop(&dev);
}

/* The machine */

/* A file of fw_cfg; @len is 0 if there is none */
static void *read_fw_cfg(QOSState *qs, const char *name, size_t *len)
{
    QFWCFG *fw_cfg = pc_fw_cfg_init(qs->qts);
    void *file = g_malloc0(MAX_TABLES);

    *len = qfw_cfg_read_file(fw_cfg, qs, name, file, MAX_TABLES);
    g_assert_cmpuint(*len, <, MAX_TABLES);
    pc_fw_cfg_uninit(fw_cfg);
    return file;
}

/* Exactly one entry of the memory map has to hold all of the range */
static void assert_reserved(QOSState *qs, uint64_t base, uint64_t size)
{
    size_t len, i;
    g_autofree uint8_t *e820 = read_fw_cfg(qs, "etc/e820", &len);
    bool found = false;

    for (i = 0; i < len; i += 20) {
        uint64_t start = ldq_le_p(e820 + i);
        uint64_t end = start + ldq_le_p(e820 + i + 8);

        if (start >= base + size || end <= base) {
            continue;
        }
        g_assert_false(found);
        found = true;
        g_assert_cmpuint(ldl_le_p(e820 + i + 16), ==, E820_RESERVED);
        g_assert_cmphex(start, <=, base);
        g_assert_cmphex(end, >=, base + size);
    }
    g_assert_true(found);
}

static uint64_t assert_pool(QOSState *qs, const char *id, uint64_t base,
                            uint64_t size)
{
    QDict *pool = rdp_query(qs->qts, id);

    g_assert_cmphex(rdp_get_uint(pool, "base"), ==, base);
    g_assert_cmphex(rdp_get_uint(pool, "size"), ==, size);
    qobject_unref(pool);
    assert_reserved(qs, base, size);
    return base + size;
}

/* Where firmware and Linux put 64-bit BARs */
static void assert_hole_above(QOSState *qs, const char *host, uint64_t end)
{
    g_autofree char *path = g_strdup_printf("/machine/%s", host);
    size_t len;
    g_autofree uint8_t *reserved = read_fw_cfg(qs, "etc/reserved-memory-end",
                                               &len);
    QDict *response;

    g_assert_cmpuint(len, ==, 8);
    g_assert_cmphex(ldq_le_p(reserved), >=, end);

    response = qtest_qmp(qs->qts, "{'execute': 'qom-get', 'arguments':"
                         " {'path': %s, 'property': 'pci-hole64-start'}}",
                         path);
    g_assert_cmphex(rdp_get_uint(response, "return"), >=, end);
    qobject_unref(response);
}

typedef struct Machine {
    const char *name;
    const char *host;       /* its PCI host bridge */
} Machine;

static const Machine machines[] = { { "q35", "q35" }, { "pc", "i440fx" } };

/* Pools follow RAM in the order of their ids, around those with an address */
static void test_placement(const void *data)
{
    const Machine *machine = data;
    const uint64_t pools = 4 * GiB + (machine == &machines[0] ? 2 : 1) * GiB;
    QOSState *qs;
    uint64_t end;

    /* q35 has up to 2 GiB below 4 GiB, pc has 3 */
    qs = qtest_pc_boot("-machine %s -m 4G "
                       "-object restricted-dma-pool,id=c,size=2M "
                       "-object restricted-dma-pool,id=d,size=6M,addr=0x%"
                       PRIx64 " -object restricted-dma-pool,id=a,size=4M "
                       "-object restricted-dma-pool,id=b,size=2M "
                       "-object restricted-dma-pool,id=e,size=1G,addr=0x%"
                       PRIx64, machine->name, pools + 6 * MiB,
                       pools + 64 * GiB);
    assert_pool(qs, "a", pools, 4 * MiB);
    assert_pool(qs, "b", pools + 4 * MiB, 2 * MiB);
    assert_pool(qs, "c", pools + 12 * MiB, 2 * MiB);
    assert_pool(qs, "d", pools + 6 * MiB, 6 * MiB);
    end = assert_pool(qs, "e", pools + 64 * GiB, 1 * GiB);
    assert_hole_above(qs, machine->host, end);
    qtest_shutdown(qs);
}

/* Memory that can be plugged later comes after the pools */
static void test_placement_with_hotplug(const void *data)
{
    const Machine *machine = data;
    QOSState *qs = qtest_pc_boot("-machine %s -m 128M,slots=2,maxmem=4G "
                                 "-object restricted-dma-pool,id=a,size=4M "
                                 "-object memory-backend-ram,id=mem0,size=128M"
                                 " -device pc-dimm,id=dimm0,memdev=mem0",
                                 machine->name);
    uint64_t end = assert_pool(qs, "a", 4 * GiB, 4 * MiB);
    const QDict *dimm;
    QDict *response;

    assert_hole_above(qs, machine->host, end);
    response = qtest_qmp(qs->qts, "{'execute': 'query-memory-devices'}");
    dimm = qobject_to(QDict, qlist_peek(qdict_get_qlist(response, "return")));
    dimm = qdict_get_qdict(dimm, "data");
    g_assert_cmphex(rdp_get_uint(dimm, "addr"), >=, end);
    qobject_unref(response);
    qtest_shutdown(qs);
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

/* ACPI */

/* The table with @len bytes whose contents @find are in, or NULL */
static const uint8_t *find_table(const uint8_t *tables, size_t size,
                                 const char *find, size_t *len)
{
    size_t at = 0;

    while (size - at >= ACPI_HEADER_LEN) {
        *len = ldl_le_p(tables + at + 4);
        if (*len < 8 || *len > size - at) {
            break;
        }
        if (memmem(tables + at, *len, find, strlen(find))) {
            return tables + at;
        }
        at += *len;
    }
    return NULL;
}

static void assert_contains(const uint8_t *table, size_t len,
                            const void *find, size_t find_len)
{
    g_assert_nonnull(memmem(table, len, find, find_len));
}

/* ACPI 6.5, 6.4.3.5.1 QWord Address Space Descriptor */
static void assert_resource(const uint8_t *table, size_t len, uint64_t base,
                            uint64_t size)
{
    uint8_t desc[46] = {
        0x8a, 0x2b, 0x00,       /* tag, length */
        0,                      /* memory */
        0x0d,                   /* fixed on both ends, consumed */
        0x03,                   /* cacheable, read-write */
    };

    stq_le_p(desc + 14, base);
    stq_le_p(desc + 22, base + size - 1);
    stq_le_p(desc + 38, size);
    assert_contains(table, len, desc, sizeof(desc));
}

/* Take the table to ASL and back with no complaint and no difference */
static void assert_iasl_agrees(const uint8_t *table, size_t len)
{
    g_autofree char *iasl = g_find_program_in_path("iasl");
    g_autofree uint8_t *summed = g_memdup2(table, len);
    g_autofree char *dir = NULL, *aml = NULL, *dsl = NULL, *command = NULL;
    g_autofree char *output = NULL, *again = NULL;
    size_t i, again_len;
    uint8_t sum = 0;
    int status;

    if (!iasl) {
        g_test_message("no iasl in PATH: the table was not disassembled");
        return;
    }
    /* Firmware does this otherwise */
    for (i = 0; i < len; i++) {
        sum += summed[i];
    }
    summed[9] -= sum;

    dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);
    g_assert_nonnull(dir);
    aml = g_build_filename(dir, "ssdt.aml", NULL);
    dsl = g_build_filename(dir, "ssdt.dsl", NULL);
    g_assert_true(g_file_set_contents(aml, (char *)summed, len, NULL));
    command = g_strdup_printf("sh -c '%s -d %s && rm %s && %s -oa %s' 2>&1",
                              iasl, aml, aml, iasl, dsl);
    g_assert_true(g_spawn_command_line_sync(command, &output, NULL, &status,
                                            NULL));
    g_test_message("%s", output);
    g_assert_cmpint(status, ==, 0);
    g_assert_nonnull(strstr(output, "0 Errors, 0 Warnings, 0 Remarks"));
    g_assert_true(g_file_get_contents(aml, &again, &again_len, NULL));
    /* The header names the compiler */
    g_assert_cmpmem(again + ACPI_HEADER_LEN, again_len - ACPI_HEADER_LEN,
                    summed + ACPI_HEADER_LEN, len - ACPI_HEADER_LEN);

    unlink(aml);
    unlink(dsl);
    rmdir(dir);
}

static const char default_property[] = "linux,dma-default";

static void test_acpi(const void *data)
{
    const Machine *machine = data;
    QOSState *qs = qtest_pc_boot("-machine %s "
                                 "-object restricted-dma-pool,id=a,size=4M "
                                 "-object restricted-dma-pool,id=b,size=64M",
                                 machine->name);
    const uint8_t uuid[] = {    /* daffd814-6eba-4d8c-8a91-bc9bbf4aa301 */
        0x14, 0xd8, 0xff, 0xda, 0xba, 0x6e, 0x8c, 0x4d,
        0x8a, 0x91, 0xbc, 0x9b, 0xbf, 0x4a, 0xa3, 0x01,
    };
    size_t size, len;
    g_autofree uint8_t *tables = read_fw_cfg(qs, "etc/acpi/tables", &size);
    const uint8_t *ssdt = find_table(tables, size, "PRP0001", &len);

    g_assert_nonnull(ssdt);
    g_assert_cmpint(memcmp(ssdt, "SSDT", 4), ==, 0);
    assert_contains(ssdt, len, "\\_SB_", 5);
    assert_contains(ssdt, len, "RDP0", 4);
    assert_contains(ssdt, len, "RDP1", 4);
    assert_contains(ssdt, len, uuid, sizeof(uuid));
    assert_contains(ssdt, len, "restricted-dma-pool",
                    sizeof("restricted-dma-pool"));
    assert_resource(ssdt, len, 4 * GiB, 4 * MiB);
    assert_resource(ssdt, len, 4 * GiB + 4 * MiB, 64 * MiB);
    g_assert_null(memmem(ssdt, len, default_property,
                         strlen(default_property)));
    assert_iasl_agrees(ssdt, len);
    qtest_shutdown(qs);
}

static void test_acpi_default(void)
{
    QOSState *qs = qtest_pc_boot("-machine q35 "
                                 "-object restricted-dma-pool,id=a,size=4M "
                                 "-object restricted-dma-pool,id=b,size=4M,"
                                 "dma-default=on");
    size_t size, len;
    g_autofree uint8_t *tables = read_fw_cfg(qs, "etc/acpi/tables", &size);
    const uint8_t *ssdt = find_table(tables, size, default_property, &len);
    const uint8_t *first, *second, *property;
    QDict *pool;

    /* It is the second device that has the property, and only that one */
    g_assert_nonnull(ssdt);
    first = memmem(ssdt, len, "RDP0", 4);
    second = memmem(ssdt, len, "RDP1", 4);
    property = memmem(ssdt, len, default_property, sizeof(default_property));
    g_assert_true(first < second && second < property);
    g_assert_null(memmem(property + 1, ssdt + len - property - 1,
                         default_property, sizeof(default_property)));
    assert_iasl_agrees(ssdt, len);

    pool = rdp_query(qs->qts, "b");
    g_assert_true(qdict_get_bool(pool, "dma-default"));
    qobject_unref(pool);
    qtest_shutdown(qs);
}

/* Without pools nothing of all this exists */
static void test_no_pool(const void *data)
{
    const Machine *machine = data;
    QOSState *qs = qtest_pc_boot("-machine %s -device virtio-rng-pci,"
                                 "disable-legacy=on,addr=%d", machine->name,
                                 SLOT);
    RdpGuest guest = { .qts = qs->qts, .bus = qs->pcibus };
    size_t size, len;
    g_autofree uint8_t *tables = read_fw_cfg(qs, "etc/acpi/tables", &size);
    g_autofree uint8_t *e820 = NULL, *reserved = NULL;
    QDict *response;
    RdpDevice dev;
    size_t i;

    g_assert_cmpuint(size, >, 0);
    g_assert_null(memmem(tables, size, "PRP0001", 7));

    e820 = read_fw_cfg(qs, "etc/e820", &len);
    for (i = 0; i < len; i += 20) {
        uint64_t start = ldq_le_p(e820 + i);

        /* far above there is a hole that AMD machines have */
        g_assert_true(start < 4 * GiB || start > 512 * GiB);
    }
    reserved = read_fw_cfg(qs, "etc/reserved-memory-end", &len);
    g_assert_cmpuint(len, ==, 0);

    response = qtest_qmp(qs->qts, "{'execute': 'query-restricted-dma-pools'}");
    g_assert_true(qlist_empty(qdict_get_qlist(response, "return")));
    qobject_unref(response);

    rdp_device_init(&dev, &guest, SLOT, "none");
    g_assert_cmphex(rdp_offered(&dev) & RDP_FEATURES, ==,
                    BIT_ULL(VIRTIO_F_VERSION_1));
    assert_registers(&dev, 0, 0);
    rdp_device_cleanup(&dev);
    qtest_shutdown(qs);
}

/* The monitor */

static unsigned devices_of(QTestState *qts, const char *id)
{
    QDict *pool = rdp_query(qts, id);
    unsigned devices = qlist_size(qdict_get_qlist(pool, "devices"));

    qobject_unref(pool);
    return devices;
}

static void test_query_sorted(void)
{
    static const char *const ids[] = { "a", "b", "pool0", "pool1" };
    QTestState *qts = qtest_init(
        "-machine q35 -nodefaults "
        "-object restricted-dma-pool,id=b,size=2M "
        "-object restricted-dma-pool,id=pool1,size=2M "
        "-object restricted-dma-pool,id=a,size=2M "
        "-object restricted-dma-pool,id=pool0,size=2M");
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

static void test_hotplug(void)
{
    RdpGuest *guest = rdp_start("pc", "-object rng-builtin,id=rng0");
    QDict *response;
    RdpDevice dev;
    RdpRing ring;
    RdpBuf buf = { guest->base + RDP_BUFFERS, 64, true };

    qtest_qmp_device_add(guest->qts, "virtio-rng-pci", "dev0",
                         "{'addr': '4', 'rng': 'rng0',"
                         " 'restricted-dma-pool': 'poola'}");
    g_assert_cmpuint(devices_of(guest->qts, "poola"), ==, 1);
    rdp_device_init(&dev, guest, SLOT, "dev0");
    assert_registers(&dev, guest->base, RDP_POOL_SIZE);
    g_assert_true(rdp_negotiate(&dev, RDP_FEATURES));
    rdp_ring_init(&ring, &dev, 0, false);
    rdp_ring_enable(&ring);
    rdp_driver_ok(&dev);
    rdp_ring_add(&ring, &buf, 1, RDP_NO_TABLE);
    rdp_ring_kick(&ring);
    rdp_ring_wait(&ring);

    qpci_unplug_acpi_device_test(guest->qts, "dev0", SLOT);
    g_assert_cmpuint(devices_of(guest->qts, "poola"), ==, 0);

    /* One that failed to be plugged leaves nothing behind either */
    response = qtest_qmp(guest->qts, "{'execute': 'device_add', 'arguments':"
                         " {'driver': 'virtio-blk-pci', 'id': 'dev1',"
                         " 'restricted-dma-pool': 'poola'}}");
    g_assert_true(qdict_haskey(response, "error"));
    qobject_unref(response);
    g_assert_cmpuint(devices_of(guest->qts, "poola"), ==, 0);
    stop(&dev);
}

/* Before the machine exists is early enough for a pool */
static void test_preconfig(void)
{
    QTestState *qts = qtest_init("-machine q35 -nodefaults -preconfig");
    QDict *pool;

    qtest_qmp_assert_success(qts, "{'execute': 'object-add', 'arguments':"
                             " {'qom-type': 'restricted-dma-pool',"
                             " 'id': 'a', 'size': 2097152}}");
    qtest_qmp_assert_success(qts, "{'execute': 'x-exit-preconfig'}");
    pool = rdp_query(qts, "a");
    g_assert_cmphex(rdp_get_uint(pool, "base"), ==, 4 * GiB);
    qobject_unref(pool);
    qtest_quit(qts);
}

static void add_machine_test(const char *name, const Machine *machine,
                             void (*fn)(const void *))
{
    g_autofree char *path = g_strdup_printf("/restricted-dma/interface/%s/%s",
                                            name, machine->name);

    qtest_add_data_func(path, machine, fn);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(types); i++) {
        g_autofree char *path = g_strdup_printf(
            "/restricted-dma/interface/device/%s/%s", types[i].machine,
            types[i].name);

        qtest_add_data_func(path, &types[i], test_device);
    }
    qtest_add_func("/restricted-dma/interface/registers-constant",
                   test_registers_constant);
    qtest_add_func("/restricted-dma/interface/device-without-pool",
                   test_device_without_pool);
    for (i = 0; i < ARRAY_SIZE(machines); i++) {
        add_machine_test("placement", &machines[i], test_placement);
        add_machine_test("placement-with-hotplug", &machines[i],
                         test_placement_with_hotplug);
        add_machine_test("acpi", &machines[i], test_acpi);
        add_machine_test("no-pool", &machines[i], test_no_pool);
    }
    qtest_add_func("/restricted-dma/interface/acpi-default",
                   test_acpi_default);
    qtest_add_func("/restricted-dma/interface/idle-memory", test_idle_memory);
    qtest_add_func("/restricted-dma/interface/query-sorted",
                   test_query_sorted);
    qtest_add_func("/restricted-dma/interface/hmp", test_hmp);
    qtest_add_func("/restricted-dma/interface/help", test_help);
    qtest_add_func("/restricted-dma/interface/hotplug", test_hotplug);
    qtest_add_func("/restricted-dma/interface/preconfig", test_preconfig);

    return g_test_run();
}
