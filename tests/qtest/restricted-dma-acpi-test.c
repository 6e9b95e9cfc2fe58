/*
 * Restricted DMA pools: where they are, and what the platform says about them
 *
 * Each machine is started with several sets of pools.  The memory map of the
 * firmware, the ACPI table and QMP have to agree with the command line, and
 * with each other.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "libqos/fw_cfg.h"
#include "libqos/malloc-pc.h"
#include "qobject/qlist.h"
#include "restricted-dma/guest.h"
#include "restricted-dma/aml.h"

#define E820_RAM        1
#define E820_RESERVED   2
#define MAX_FILE        (512 * KiB)
#define MAX_POOLS       40
#define ACPI_HEADER_LEN 36

typedef struct Machine {
    const char *arch;
    const char *name;
    const char *options;
    uint64_t low_ram;       /* most RAM below 4 GiB; 0: RAM is in one piece */
    const char *host;       /* PCI host bridge, if its 64-bit hole can move */
    uint64_t ram;           /* where RAM begins, if it is in one piece */
    uint64_t fw_cfg;        /* its registers, if they are not in I/O space */
    bool dimms;             /* memory can be plugged */
} Machine;

/*
 * virt has ACPI tables, and on Arm pluggable memory, only with firmware.  What
 * the firmware does is of no interest here.
 */
#define FLASH(size) " -drive if=pflash,driver=null-co,size=" size \
                    ",read-zeroes=on,read-only=on"

static const Machine machines[] = {
    { "x86_64", "q35", "q35", 2 * GiB, "q35", .dimms = true },
    { "x86_64", "pc", "pc", 3 * GiB, "i440fx", .dimms = true },
    { "x86_64", "microvm", "microvm,acpi=on,pcie=on", 3 * GiB },
    { "aarch64", "virt", "virt -cpu cortex-a57" FLASH("64M"),
      .ram = 0x40000000, .fw_cfg = 0x09020000, .dimms = true },
    { "riscv64", "virt", "virt" FLASH("32M"),
      .ram = 0x80000000, .fw_cfg = 0x10100000 },
};

typedef struct Pool {
    const char *id;
    uint64_t size;
    uint64_t offset;        /* expected, from the first place for pools */
    bool fixed;             /* the command line says where */
    bool dma_default;
} Pool;

typedef struct Layout {
    const char *name;
    uint64_t ram;
    const Pool pools[6];
    const char *more;       /* options */
    bool q35_only;
} Layout;

/* Pools follow RAM in the order of their ids, around those with an address */
static const Layout layouts[] = {
    { "one", 128 * MiB, { { "a", 4 * MiB, 0 } } },
    { "smallest", 128 * MiB, { { "a", 2 * MiB, 0 } } },
    { "several", 4 * GiB, {
        { "c", 2 * MiB, 12 * MiB },
        { "d", 6 * MiB, 6 * MiB, .fixed = true },
        { "a", 4 * MiB, 0 },
        { "b", 2 * MiB, 4 * MiB },
        { "e", 1 * GiB, 64 * GiB, .fixed = true } } },
    { "default", 128 * MiB, {
        { "a", 4 * MiB, 0 },
        { "b", 4 * MiB, 4 * MiB, .dma_default = true } } },
    { "large", 128 * MiB, {
        { "a", 16 * GiB, 0 },
        { "b", 20 * GiB, 16 * GiB, .dma_default = true } } },
    { "far", 128 * MiB, { { "a", 2 * MiB, 512 * GiB, .fixed = true } } },
    { "numa", 4 * GiB, { { "a", 4 * MiB, 0 } },
      .more = "-object memory-backend-ram,id=m0,size=3G "
              "-object memory-backend-ram,id=m1,size=1G "
              "-numa node,memdev=m0 -numa node,memdev=m1",
      .q35_only = true },
    { "maxmem", 128 * MiB, { { "a", 4 * MiB, 0 } },
      .more = "-m 128M,slots=2,maxmem=4G", .q35_only = true },
    { "cxl", 128 * MiB, { { "a", 4 * MiB, 0 } },
      .more = "-machine cxl=on,cxl-fmw.0.targets.0=cxl.1,cxl-fmw.0.size=4G "
              "-device pxb-cxl,bus_nr=12,id=cxl.1", .q35_only = true },
};

typedef struct Case {
    const Machine *machine;
    const Layout *layout;
} Case;

/* Start a machine from which files of fw_cfg can be read */
static QOSState start(const Machine *machine, const char *options)
{
    QOSState qs = {
        .qts = qtest_initf("-nodefaults -machine %s %s", machine->options,
                           options),
    };

    if (machine->low_ram) {
        pc_alloc_init(&qs.alloc, qs.qts, ALLOC_NO_FLAGS);
    }
    return qs;
}

static void stop(QOSState *qs, const Machine *machine)
{
    if (machine->low_ram) {
        alloc_destroy(&qs->alloc);
    }
    qtest_quit(qs->qts);
}

/* The registers of virt are big endian, which libqos does not know */
static void virt_fw_cfg_select(QFWCFG *fw_cfg, uint16_t key)
{
    qtest_writew(fw_cfg->qts, fw_cfg->base + 8, bswap16(key));
}

static void virt_fw_cfg_read(QFWCFG *fw_cfg, void *data, size_t len)
{
    size_t done, n;

    for (done = 0; done < len; done += n) {
        n = MIN(len - done, sizeof(uint64_t));
        qtest_memread(fw_cfg->qts, fw_cfg->base, (uint8_t *)data + done, n);
    }
}

/* A file of fw_cfg; @len is 0 if there is none */
static void *read_fw_cfg(QOSState *qs, const Machine *machine,
                         const char *name, size_t *len)
{
    void *file = g_malloc0(MAX_FILE);

    if (machine->low_ram) {
        QFWCFG *fw_cfg = pc_fw_cfg_init(qs->qts);

        *len = qfw_cfg_read_file(fw_cfg, qs, name, file, MAX_FILE);
        pc_fw_cfg_uninit(fw_cfg);
    } else {
        QFWCFG fw_cfg = {
            .base = machine->fw_cfg,
            .qts = qs->qts,
            .select = virt_fw_cfg_select,
            .read = virt_fw_cfg_read,
        };

        *len = qfw_cfg_get_file(&fw_cfg, name, file, MAX_FILE);
    }
    g_assert_cmpuint(*len, <, MAX_FILE);
    return file;
}

/* The first address that a pool can have in a machine with @ram bytes of RAM */
static uint64_t pools_start(const Machine *machine, uint64_t ram)
{
    if (!machine->low_ram) {
        return machine->ram + ram;
    }
    return 4 * GiB + (ram > machine->low_ram ? ram - machine->low_ram : 0);
}

static unsigned count_pools(const Layout *layout)
{
    unsigned n = 0;

    while (n < ARRAY_SIZE(layout->pools) && layout->pools[n].id) {
        n++;
    }
    return n;
}

/* What ACPI is expected to say about pool @i, apart from its name */
static RdpAcpiPool expected(const Case *c, unsigned i)
{
    const Pool *pool = &c->layout->pools[i];

    return (RdpAcpiPool) {
        .base = pools_start(c->machine, c->layout->ram) + pool->offset,
        .size = pool->size,
        .dma_default = pool->dma_default,
    };
}

/* The place of pool @i among all, sorted by id */
static unsigned place(const Layout *layout, unsigned i)
{
    unsigned before = 0, j;

    for (j = 0; j < count_pools(layout); j++) {
        before += strcmp(layout->pools[j].id, layout->pools[i].id) < 0;
    }
    return before;
}

static QOSState start_case(const Case *c)
{
    g_autoptr(GString) options = g_string_new(NULL);
    unsigned i;

    g_string_printf(options, "-m %" PRIu64 "M %s", c->layout->ram / MiB,
                    c->layout->more ?: "");
    for (i = 0; i < count_pools(c->layout); i++) {
        const Pool *pool = &c->layout->pools[i];

        g_string_append_printf(options, " -object restricted-dma-pool,id=%s,"
                               "size=%" PRIu64 "M,dma-default=%s", pool->id,
                               pool->size / MiB,
                               pool->dma_default ? "on" : "off");
        if (pool->fixed) {
            g_string_append_printf(options, ",addr=0x%" PRIx64,
                                   expected(c, i).base);
        }
    }
    return start(c->machine, options->str);
}

/* The monitor */

static void assert_query(QOSState *qs, const Case *c)
{
    unsigned i;

    for (i = 0; i < count_pools(c->layout); i++) {
        RdpAcpiPool wanted = expected(c, i);
        QDict *pool = rdp_query(qs->qts, c->layout->pools[i].id);

        g_assert_cmphex(rdp_get_uint(pool, "base"), ==, wanted.base);
        g_assert_cmphex(rdp_get_uint(pool, "size"), ==, wanted.size);
        g_assert_true(qdict_get_bool(pool, "dma-default") ==
                      wanted.dma_default);
        qobject_unref(pool);
    }
}

/* The memory map of the firmware */

typedef struct E820 {
    uint64_t start;
    uint64_t len;
    uint32_t type;
} E820;

static E820 *read_e820(QOSState *qs, const Machine *machine, size_t *n)
{
    const size_t entry = 20;
    size_t len, i;
    g_autofree uint8_t *file = read_fw_cfg(qs, machine, "etc/e820", &len);
    E820 *map;

    g_assert_cmpuint(len, >, 0);
    g_assert_cmpuint(len % entry, ==, 0);
    *n = len / entry;
    map = g_new(E820, *n);
    for (i = 0; i < *n; i++) {
        map[i] = (E820) {
            .start = ldq_le_p(file + i * entry),
            .len = ldq_le_p(file + i * entry + 8),
            .type = ldl_le_p(file + i * entry + 16),
        };
    }
    return map;
}

/* RAM is all there, and no two entries claim the same memory */
static void assert_sane_map(const E820 *map, size_t n, uint64_t ram)
{
    uint64_t found = 0;
    size_t i, j;

    for (i = 0; i < n; i++) {
        for (j = 0; j < i; j++) {
            g_assert_true(map[i].start >= map[j].start + map[j].len ||
                          map[j].start >= map[i].start + map[i].len);
        }
        found += map[i].type == E820_RAM ? map[i].len : 0;
    }
    g_assert_cmphex(found, ==, ram);
}

static void assert_e820(QOSState *qs, const Case *c)
{
    size_t n, at;
    g_autofree E820 *map = read_e820(qs, c->machine, &n);
    unsigned i;

    assert_sane_map(map, n, c->layout->ram);
    for (i = 0; i < count_pools(c->layout); i++) {
        RdpAcpiPool pool = expected(c, i);

        for (at = 0; at < n && map[at].start != pool.base; at++) {
            /* find it */
        }
        g_assert_cmpuint(at, <, n);
        g_assert_cmphex(map[at].len, ==, pool.size);
        g_assert_cmpuint(map[at].type, ==, E820_RESERVED);
    }
}

/* Where firmware and Linux put 64-bit BARs */
static void assert_hole_above(QOSState *qs, const Case *c)
{
    g_autofree char *path = g_strdup_printf("/machine/%s", c->machine->host);
    g_autofree uint8_t *reserved = NULL;
    uint64_t end = 0;
    QDict *response;
    unsigned i;
    size_t len;

    if (!c->machine->host) {
        return;     /* a fixed hole, in which pools are refused */
    }
    for (i = 0; i < count_pools(c->layout); i++) {
        RdpAcpiPool pool = expected(c, i);

        end = MAX(end, pool.base + pool.size);
    }
    reserved = read_fw_cfg(qs, c->machine, "etc/reserved-memory-end", &len);
    g_assert_cmpuint(len, ==, 8);
    g_assert_cmphex(ldq_le_p(reserved), >=, end);

    response = qtest_qmp(qs->qts, "{'execute': 'qom-get', 'arguments':"
                         " {'path': %s, 'property': 'pci-hole64-start'}}",
                         path);
    g_assert_cmphex(rdp_get_uint(response, "return"), >=, end);
    qobject_unref(response);
}

/* ACPI */

/* The first table that contains @find, or NULL */
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

/* The table of pools, which must be the only one that mentions any */
static uint8_t *read_ssdt(QOSState *qs, const Machine *machine, size_t *len)
{
    size_t size, rest;
    g_autofree uint8_t *tables = read_fw_cfg(qs, machine, "etc/acpi/tables",
                                             &size);
    const uint8_t *ssdt = find_table(tables, size, "PRP0001", len);

    g_assert_nonnull(ssdt);
    rest = size - (ssdt + *len - tables);
    g_assert_null(find_table(ssdt + *len, rest, "PRP0001", &rest));
    return g_memdup2(ssdt, *len);
}

static void assert_acpi(QOSState *qs, const Case *c)
{
    size_t len;
    g_autofree uint8_t *ssdt = read_ssdt(qs, c->machine, &len);
    RdpAcpiPool pools[MAX_POOLS];
    unsigned n = rdp_decode_ssdt(ssdt, len, pools, MAX_POOLS), i;

    g_assert_cmpuint(n, ==, count_pools(c->layout));
    for (i = 0; i < n; i++) {
        RdpAcpiPool wanted = expected(c, i);
        unsigned at = place(c->layout, i);
        g_autofree char *name = g_strdup_printf("RDP%u", at);

        g_assert_cmpstr(pools[at].name, ==, name);
        g_assert_cmpuint(pools[at].uid, ==, at);
        g_assert_cmphex(pools[at].base, ==, wanted.base);
        g_assert_cmphex(pools[at].size, ==, wanted.size);
        g_assert_true(pools[at].dma_default == wanted.dma_default);
    }
}

static void test_platform(const void *data)
{
    const Case *c = data;
    QOSState qs = start_case(c);

    assert_query(&qs, c);
    if (c->machine->low_ram) {
        assert_e820(&qs, c);
        assert_hole_above(&qs, c);
    }
    assert_acpi(&qs, c);
    stop(&qs, c->machine);
}

/*
 * Memory that can be plugged later comes after the pools.  RAM ends where that
 * memory would begin without them.
 */
static void test_plugged_memory(const void *data)
{
    const Machine *machine = data;
    const uint64_t end = pools_start(machine, 1 * GiB) + 4 * MiB;
    QOSState qs = start(machine, "-m 1G,slots=2,maxmem=4G "
                        "-object restricted-dma-pool,id=a,size=4M "
                        "-object memory-backend-ram,id=mem0,size=128M "
                        "-device pc-dimm,id=dimm0,memdev=mem0");
    const QDict *dimm;
    QDict *response;

    response = qtest_qmp(qs.qts, "{'execute': 'query-memory-devices'}");
    dimm = qobject_to(QDict, qlist_peek(qdict_get_qlist(response, "return")));
    dimm = qdict_get_qdict(dimm, "data");
    g_assert_cmphex(rdp_get_uint(dimm, "addr"), >=, end);
    qobject_unref(response);
    stop(&qs, machine);
}

/* Names of devices have four characters: enough for many pools */
static void test_many(const void *data)
{
    const Machine *machine = data;
    g_autoptr(GString) options = g_string_new("-m 128M ");
    RdpAcpiPool pools[MAX_POOLS];
    g_autofree uint8_t *ssdt = NULL;
    QOSState qs;
    size_t len;
    unsigned i;

    for (i = 0; i < MAX_POOLS; i++) {
        g_string_append_printf(options, "-object restricted-dma-pool,"
                               "id=p%02u,size=2M ", i);
    }
    qs = start(machine, options->str);
    ssdt = read_ssdt(&qs, machine, &len);
    g_assert_cmpuint(rdp_decode_ssdt(ssdt, len, pools, MAX_POOLS), ==,
                     MAX_POOLS);
    for (i = 0; i < MAX_POOLS; i++) {
        g_autofree char *name = g_strdup_printf(i < 16 ? "RDP%X" : "RD%02X",
                                                i);

        g_assert_cmpstr(pools[i].name, ==, name);
        g_assert_cmpuint(pools[i].uid, ==, i);
        g_assert_cmphex(pools[i].base, ==,
                        pools_start(machine, 128 * MiB) + i * 2 * MiB);
    }
    stop(&qs, machine);
}

/* Without pools none of all this exists */
static void assert_map_without_pools(QOSState *qs, const Machine *machine)
{
    g_autofree uint8_t *reserved = NULL;
    size_t len, n, i;
    g_autofree E820 *map = read_e820(qs, machine, &n);

    assert_sane_map(map, n, 128 * MiB);
    for (i = 0; i < n; i++) {
        /* AMD machines have a hole far above */
        g_assert_true(map[i].start < 4 * GiB || map[i].start > 512 * GiB);
    }
    reserved = read_fw_cfg(qs, machine, "etc/reserved-memory-end", &len);
    g_assert_cmpuint(len, ==, 0);
}

static void test_none(const void *data)
{
    const Machine *machine = data;
    g_autofree uint8_t *tables = NULL;
    QDict *response;
    QOSState qs = start(machine, "-m 128M");
    size_t len;

    tables = read_fw_cfg(&qs, machine, "etc/acpi/tables", &len);
    g_assert_cmpuint(len, >, 0);
    g_assert_null(memmem(tables, len, "PRP0001", 7));
    g_assert_null(memmem(tables, len, "DMAPOOLS", 8));

    if (machine->low_ram) {
        assert_map_without_pools(&qs, machine);
    }

    response = qtest_qmp(qs.qts, "{'execute': 'query-restricted-dma-pools'}");
    g_assert_true(qlist_empty(qdict_get_qlist(response, "return")));
    qobject_unref(response);
    stop(&qs, machine);
}

/* iasl takes the table to ASL and back without complaint or difference */
static void test_iasl(const void *data)
{
    const Case *c = data;
    g_autofree char *iasl = g_find_program_in_path("iasl");
    g_autofree char *dir = NULL, *aml = NULL, *dsl = NULL, *command = NULL;
    g_autofree char *output = NULL, *again = NULL;
    g_autofree uint8_t *ssdt = NULL;
    size_t i, len, again_len;
    uint8_t sum = 0;
    int status;
    QOSState qs;

    if (!iasl) {
        g_test_skip("iasl is not installed");
        return;
    }
    qs = start_case(c);
    ssdt = read_ssdt(&qs, c->machine, &len);
    stop(&qs, c->machine);

    /* The checksum, which is left to firmware */
    for (i = 0; i < len; i++) {
        sum += ssdt[i];
    }
    ssdt[9] -= sum;

    dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);
    g_assert_nonnull(dir);
    aml = g_build_filename(dir, "ssdt.aml", NULL);
    dsl = g_build_filename(dir, "ssdt.dsl", NULL);
    g_assert_true(g_file_set_contents(aml, (char *)ssdt, len, NULL));
    command = g_strdup_printf("sh -c '%s -d %s && rm %s && %s -oa %s' 2>&1",
                              iasl, aml, aml, iasl, dsl);
    g_assert_true(g_spawn_command_line_sync(command, &output, NULL, &status,
                                            NULL));
    g_test_message("%s", output);
    g_assert_cmpint(status, ==, 0);
    g_assert_nonnull(strstr(output, "0 Errors, 0 Warnings, 0 Remarks"));
    g_assert_true(g_file_get_contents(aml, &again, &again_len, NULL));
    /* The headers differ: they name the compiler */
    g_assert_cmpmem(again + ACPI_HEADER_LEN, again_len - ACPI_HEADER_LEN,
                    ssdt + ACPI_HEADER_LEN, len - ACPI_HEADER_LEN);

    unlink(aml);
    unlink(dsl);
    rmdir(dir);
}

static void add_test(const char *machine, const char *name, const void *data,
                     void (*fn)(const void *))
{
    g_autofree char *path = g_strdup_printf("/restricted-dma/acpi/%s/%s",
                                            machine, name);

    qtest_add_data_func(path, data, fn);
}

static void add_machine(const Machine *machine)
{
    static Case cases[ARRAY_SIZE(machines) * ARRAY_SIZE(layouts)];
    static unsigned n;
    bool first = !n;    /* of the architecture: all make the same table */
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(layouts); i++) {
        Case *c = &cases[n++];

        *c = (Case) { machine, &layouts[i] };
        if (layouts[i].q35_only && machine != &machines[0]) {
            continue;
        }
        add_test(machine->name, layouts[i].name, c, test_platform);
        if (first) {
            g_autofree char *name = g_strconcat("iasl/", layouts[i].name,
                                                NULL);

            add_test(machine->name, name, c, test_iasl);
        }
    }
    add_test(machine->name, "many", machine, test_many);
    add_test(machine->name, "none", machine, test_none);
    if (machine->dimms) {
        add_test(machine->name, "plugged-memory", machine,
                 test_plugged_memory);
    }
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(machines); i++) {
        if (!strcmp(machines[i].arch, qtest_get_arch())) {
            add_machine(&machines[i]);
        }
    }
    return g_test_run();
}
