/*
 * Restricted DMA pools of the virt machines: where they are in the device tree
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <libfdt.h>
#include "libqtest.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "qobject/qnum.h"
#include "restricted-dma/command-line.h"

#define POOL    "-object restricted-dma-pool,id=pool0,size=2M "
#define RNG     "-device virtio-rng-pci,restricted-dma-pool="
#define MMIO    "-global virtio-mmio.force-legacy=false " \
                "-global virtio-mmio.restricted-dma-pool=pool0 " \
                "-device virtio-rng-device "
/* 16 GiB, which the host need not have */
#define HUGE_POOL "-object memory-backend-ram,id=huge,size=16G,reserve=off " \
                  "-object restricted-dma-pool,id=pool0,size=16G,memdev=huge "

/* What differs between the machines */
typedef struct Board {
    const char *arch;
    const char *options;        /* without firmware */
    const char *pci;            /* node of the host bridge */
    const char *mmio;           /* format of the node of a transport */
    uint64_t ram;
    uint64_t last_transport;    /* gets the first device */
} Board;

static const Board boards[] = {
    { "aarch64", "-machine virt -cpu cortex-a57", "/pcie@10000000",
      "/virtio_mmio@%" PRIx64, 0x40000000, 0x0a003e00 },
    { "riscv64", "-machine virt -bios none", "/soc/pci@30000000",
      "/soc/virtio_mmio@%" PRIx64, 0x80000000, 0x10008000 },
};

static const Board *board;

/* Reading the tree */

static int find_node(const void *fdt, const char *path)
{
    int node = fdt_path_offset(fdt, path);

    g_test_message("looking for %s", path);
    g_assert_cmpint(node, >=, 0);
    return node;
}

static uint64_t cells(const void *prop, unsigned first)
{
    return ldq_be_p((const uint32_t *)prop + first);
}

static void assert_range(const void *fdt, int node, uint64_t base,
                         uint64_t size)
{
    int len;
    const void *reg = fdt_getprop(fdt, node, "reg", &len);

    g_assert_cmpint(len, ==, 4 * sizeof(uint32_t));
    g_assert_cmphex(cells(reg, 0), ==, base);
    g_assert_cmphex(cells(reg, 2), ==, size);
}

static void assert_string(const void *fdt, int node, const char *name,
                          const char *value)
{
    g_assert_cmpstr(fdt_getprop(fdt, node, name, NULL), ==, value);
}

static uint32_t get_cell(const void *fdt, int node, const char *name)
{
    int len;
    const void *prop = fdt_getprop(fdt, node, name, &len);

    g_assert_cmpint(len, ==, sizeof(uint32_t));
    return ldl_be_p(prop);
}

static unsigned count_nodes_with(const void *fdt, const char *name)
{
    unsigned n = 0;
    int node;

    for (node = 0; node >= 0; node = fdt_next_node(fdt, node, NULL)) {
        n += !!fdt_getprop(fdt, node, name, NULL);
    }
    return n;
}

static unsigned count_nodes(const void *fdt, const char *name,
                            const char *value)
{
    unsigned n = 0;
    int node = -1;

    while ((node = fdt_node_offset_by_prop_value(fdt, node, name, value,
                                                 strlen(value) + 1)) >= 0) {
        n++;
    }
    return n;
}

/* Dump the tree of a running QEMU to @path, and return it as well */
static void *dump(QTestState *qts, const char *path)
{
    g_autofree char *tree = NULL;

    qtest_qmp_assert_success(qts, "{'execute': 'dumpdtb',"
                             " 'arguments': {'filename': %s}}", path);
    g_assert_true(g_file_get_contents(path, &tree, NULL, NULL));
    g_assert_cmpint(fdt_check_header(tree), ==, 0);
    return g_steal_pointer(&tree);
}

static char *temporary(const char *name)
{
    g_autofree char *dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);

    return g_build_filename(dir, name, NULL);
}

static void remove_temporary(char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);

    g_unlink(path);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
    g_free(path);
}

static void *dump_of(const char *options)
{
    char *path = temporary("dtb");
    QTestState *qts = qtest_initf("%s -nodefaults %s", board->options, options);
    void *fdt = dump(qts, path);

    qtest_quit(qts);
    remove_temporary(path);
    return fdt;
}

static void assert_no_pool(const void *fdt)
{
    g_assert_cmpint(fdt_path_offset(fdt, "/reserved-memory"), <, 0);
    g_assert_cmpuint(count_nodes(fdt, "device_type", "memory"), ==, 1);
    g_assert_cmpuint(count_nodes_with(fdt, "memory-region"), ==, 0);
}

/* The pools */

typedef struct Place {
    const char *name;
    const char *options;
    uint64_t above_ram;     /* of pool0, if it has no addr= */
    uint64_t base;          /* of pool0, if it has addr= */
    uint64_t size;
} Place;

static const Place places[] = {
    { "below-4g", "-m 1G " POOL, 1 * GiB, .size = 2 * MiB },
    { "above-4g", "-m 4G " POOL, 4 * GiB, .size = 2 * MiB },
    { "addr",
      "-m 1G -object restricted-dma-pool,id=pool0,size=2M,addr=0x800000000",
      .base = 0x800000000, .size = 2 * MiB },
    { "huge", "-m 1G " HUGE_POOL, 1 * GiB, .size = 16 * GiB },
    { "huge-above-4g", "-m 4G " HUGE_POOL, 4 * GiB, .size = 16 * GiB },
    { "odd-ram", "-m 129M " POOL, 130 * MiB, .size = 2 * MiB },
};

static void assert_no_overlap(uint64_t a, uint64_t a_size, uint64_t b,
                              uint64_t b_size)
{
    g_assert_true(a + a_size <= b || b + b_size <= a);
}

/* Neither the windows of PCIe nor its configuration space are in the pool */
static void assert_no_pci_at(const void *fdt, uint64_t base, uint64_t size)
{
    const unsigned entry = 7 * sizeof(uint32_t);
    int pci = find_node(fdt, board->pci);
    int len, i;
    const void *reg = fdt_getprop(fdt, pci, "reg", NULL);
    const void *ranges = fdt_getprop(fdt, pci, "ranges", &len);

    assert_no_overlap(base, size, cells(reg, 0), cells(reg, 2));
    g_assert_cmpint(len, ==, 3 * entry);
    for (i = 0; i < len; i += entry) {
        assert_no_overlap(base, size, cells(ranges + i, 3),
                          cells(ranges + i, 5));
    }
}

/* U-Boot and others take the first memory node for RAM, and look no further */
static void assert_ram_first(const void *fdt)
{
    int len;
    int node = find_node(fdt, "/memory");
    const void *reg = fdt_getprop(fdt, node, "reg", &len);

    g_assert_cmpint(len, ==, 4 * sizeof(uint32_t));
    g_assert_cmphex(cells(reg, 0), ==, board->ram);
    assert_string(fdt, node, "device_type", "memory");
}

static void test_place(const void *data)
{
    const Place *place = data;
    uint64_t base = place->base ?: board->ram + place->above_ram;
    g_autofree char *reserved = g_strdup_printf(
        "/reserved-memory/restricted-dma-pool@%" PRIx64, base);
    g_autofree char *memory = g_strdup_printf("/memory@%" PRIx64, base);
    g_autofree void *fdt = dump_of(place->options);
    int node = find_node(fdt, "/reserved-memory");

    g_assert_cmpuint(get_cell(fdt, node, "#address-cells"), ==, 2);
    g_assert_cmpuint(get_cell(fdt, node, "#size-cells"), ==, 2);
    g_assert_nonnull(fdt_getprop(fdt, node, "ranges", NULL));

    node = find_node(fdt, reserved);
    assert_string(fdt, node, "compatible", "restricted-dma-pool");
    assert_range(fdt, node, base, place->size);
    /* With one of these, guests without our series take it for RAM. */
    g_assert_null(fdt_getprop(fdt, node, "linux,dma-default", NULL));
    g_assert_null(fdt_getprop(fdt, node, "no-map", NULL));
    g_assert_null(fdt_getprop(fdt, node, "reusable", NULL));

    node = find_node(fdt, memory);
    assert_string(fdt, node, "device_type", "memory");
    assert_range(fdt, node, base, place->size);
    g_assert_cmpuint(count_nodes(fdt, "device_type", "memory"), ==, 2);
    g_assert_cmpuint(count_nodes_with(fdt, "memory-region"), ==, 0);
    assert_ram_first(fdt);

    assert_no_pci_at(fdt, base, place->size);
}

/* The pool can be written and read where the tree says */
static void test_memory(void)
{
    uint64_t base = board->ram + 1 * GiB;
    QTestState *qts = qtest_initf("%s -nodefaults -m 1G " POOL, board->options);

    qtest_writeq(qts, base, 0x0123456789abcdef);
    qtest_writeq(qts, base + 2 * MiB - 8, 0xfedcba9876543210);
    g_assert_cmphex(qtest_readq(qts, base), ==, 0x0123456789abcdef);
    g_assert_cmphex(qtest_readq(qts, base + 2 * MiB - 8), ==,
                    0xfedcba9876543210);
    /* There is no memory behind it */
    qtest_writeq(qts, base + 2 * MiB, 1);
    g_assert_cmphex(qtest_readq(qts, base + 2 * MiB), ==, 0);
    qtest_quit(qts);
}

static void test_dma_default(void)
{
    g_autofree char *node = g_strdup_printf(
        "/reserved-memory/restricted-dma-pool@%" PRIx64, board->ram + 1 * GiB);
    g_autofree void *fdt = dump_of("-m 1G -object restricted-dma-pool,"
                                   "id=pool0,size=2M,dma-default=on "
                                   "-object restricted-dma-pool,"
                                   "id=pool1,size=2M");

    g_assert_nonnull(fdt_getprop(fdt, find_node(fdt, node),
                                 "linux,dma-default", NULL));
    g_assert_cmpuint(count_nodes_with(fdt, "linux,dma-default"), ==, 1);
    g_assert_cmpuint(count_nodes(fdt, "compatible", "restricted-dma-pool"),
                     ==, 2);
}

#define TWO_NODES \
    "-m 1G -smp 2 -object memory-backend-ram,id=m0,size=512M " \
    "-object memory-backend-ram,id=m1,size=512M -numa node,memdev=m0 " \
    "-numa node,memdev=m1 "

/* Memory that belongs to no NUMA node makes Linux distrust all of them */
static void test_numa(void)
{
    g_autofree char *memory = g_strdup_printf("/memory@%" PRIx64,
                                              board->ram + 1 * GiB);
    g_autofree void *fdt = dump_of(TWO_NODES POOL);
    int node = find_node(fdt, memory);

    g_assert_cmpuint(get_cell(fdt, node, "numa-node-id"), ==, 0);
    g_assert_cmpuint(count_nodes(fdt, "device_type", "memory"), ==, 3);
}

static int next_memory_node(const void *fdt, int node)
{
    return fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory",
                                         sizeof("memory"));
}

/* The nodes of RAM are as they are without a pool, and before those of pools */
static void test_numa_order(void)
{
    g_autofree void *without = dump_of(TWO_NODES);
    g_autofree void *with = dump_of(TWO_NODES POOL
                                    "-object restricted-dma-pool,"
                                    "id=pool1,size=2M");
    int a = -1, b = -1;

    while ((a = next_memory_node(without, a)) >= 0) {
        b = next_memory_node(with, b);
        g_assert_cmpint(b, >=, 0);
        g_assert_cmpstr(fdt_get_name(with, b, NULL), ==,
                        fdt_get_name(without, a, NULL));
        g_assert_cmphex(get_cell(with, b, "numa-node-id"), ==,
                        get_cell(without, a, "numa-node-id"));
        g_assert_cmpmem(fdt_getprop(with, b, "reg", NULL), 16,
                        fdt_getprop(without, a, "reg", NULL), 16);
    }
    g_assert_cmpuint(count_nodes(without, "device_type", "memory"), ==, 2);
    g_assert_cmpuint(count_nodes(with, "device_type", "memory"), ==, 4);
}

static void test_no_pool(void)
{
    g_autofree void *fdt = dump_of("-m 1G -device virtio-rng-pci");

    assert_no_pool(fdt);
}

/* The devices */

static const char devices[] =
    "-m 1G " POOL "-object restricted-dma-pool,id=pool1,size=2M "
    RNG "pool0,addr=4 -device virtio-rng-pci,addr=5.0,multifunction=on "
    RNG "pool1,addr=5.1 " MMIO
    /* This one has no node: the tree describes only the root bus */
    "-device pcie-root-port,id=rp,addr=6 " RNG "pool0,bus=rp ";

static uint32_t pool_phandle(const void *fdt, unsigned n)
{
    g_autofree char *path = g_strdup_printf(
        "/reserved-memory/restricted-dma-pool@%" PRIx64,
        board->ram + 1 * GiB + n * 2 * MiB);

    return get_cell(fdt, find_node(fdt, path), "phandle");
}

static void assert_pci_function(const void *fdt, unsigned slot, unsigned fn,
                                unsigned pool)
{
    g_autofree char *path = g_strdup_printf("%s/virtio@%x,%x", board->pci,
                                            slot, fn);
    int node = find_node(fdt, path);
    int len;
    const uint32_t *reg = fdt_getprop(fdt, node, "reg", &len);
    const uint32_t zero[4] = { };

    g_assert_cmpint(len, ==, 5 * sizeof(*reg));
    g_assert_cmphex(ldl_be_p(reg), ==, slot << 11 | fn << 8);
    g_assert_cmpmem(reg + 1, sizeof(zero), zero, sizeof(zero));
    g_assert_cmphex(get_cell(fdt, node, "memory-region"), ==,
                    pool_phandle(fdt, pool));
}

static void test_devices(void)
{
    g_autofree void *fdt = dump_of(devices);
    g_autofree char *transport = g_strdup_printf(board->mmio,
                                                 board->last_transport);

    g_assert_cmphex(pool_phandle(fdt, 0), !=, pool_phandle(fdt, 1));
    assert_pci_function(fdt, 4, 0, 0);
    assert_pci_function(fdt, 5, 1, 1);
    g_assert_cmphex(get_cell(fdt, find_node(fdt, transport), "memory-region"),
                    ==, pool_phandle(fdt, 0));
    g_assert_cmpuint(count_nodes_with(fdt, "memory-region"), ==, 3);
}

/* What dtc says about the tree of a machine with @options */
static char *complaints(const char *options)
{
    char *path = temporary("dtb");
    QTestState *qts = qtest_initf("%s -nodefaults %s", board->options, options);
    g_autofree char *command = g_strdup_printf(
        "dtc -I dtb -O dtb -o /dev/null < '%s'", path);
    const char *argv[] = { "/bin/sh", "-c", command, NULL };
    char *errors;
    int status;

    g_free(dump(qts, path));
    qtest_quit(qts);
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT,
                               NULL, NULL, NULL, &errors, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    remove_temporary(path);
    return errors;
}

static void test_dtc(void)
{
    g_autofree char *dtc = g_find_program_in_path("dtc");
    g_autofree char *without = NULL, *with = NULL;

    if (!dtc) {
        g_test_skip("there is no dtc; install device-tree-compiler");
        return;
    }
    without = complaints("-m 1G");
    with = complaints(devices);
    g_assert_cmpstr(with, ==, without);
}

/* Firmware and a user's own tree */

/* A file of @size bytes, to be removed with remove_temporary() */
static char *empty_file(const char *name, off_t size)
{
    char *path = temporary(name);

    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    g_assert_cmpint(truncate(path, size), ==, 0);
    return path;
}

static char *pflash(const char *path)
{
    return g_strdup_printf("-drive if=pflash,unit=0,format=raw,readonly=on,"
                           "file=%s ", path);
}

#define FLASH_SIZE(board) (strcmp((board)->arch, "riscv64") ? 64 * MiB \
                                                            : 32 * MiB)

/* Firmware takes every memory node for RAM: it must not see the pool */
static void test_firmware(void)
{
    char *path = empty_file("flash", FLASH_SIZE(board));
    g_autofree char *flash = pflash(path);
    g_autofree char *options = g_strconcat("-m 1G ", flash, POOL,
                                           RNG "pool0 ", NULL);
    g_autofree void *fdt = dump_of(options);

    assert_no_pool(fdt);
    remove_temporary(path);
}

static void test_own_tree(void)
{
    char *path = temporary("dtb");
    QTestState *qts = qtest_initf("%s -nodefaults -m 1G", board->options);
    g_autofree char *options = g_strdup_printf("-m 1G -dtb %s " POOL
                                               RNG "pool0", path);
    g_autofree void *fdt = NULL;

    g_free(dump(qts, path));
    qtest_quit(qts);
    fdt = dump_of(options);
    assert_no_pool(fdt);
    remove_temporary(path);
}

/* Refusals */

typedef struct Refusal {
    const char *arch;
    const char *name;
    const char *options;
    const char *words[2];
} Refusal;

static const Refusal refusals[] = {
    { "aarch64", "in-ram",
      "-m 1G -object restricted-dma-pool,id=pool0,size=2M,addr=0x40000000",
      { "pool0", "addr" } },
    { "aarch64", "physical-address-bits",
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0x100000000000",
      { "addr", "physical address bits" } },
    { "aarch64", "32-bit-cpu",
      "-cpu cortex-a15 "
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0x10000000000",
      { "addr", "physical address bits" } },
    { "aarch64", "no-highmem",
      "-machine highmem=off -m 1G "
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0x100000000",
      { "addr", "highmem=on" } },
    { "aarch64", "no-highmem/full", "-machine highmem=off -m 3G " POOL,
      { "size", "highmem=on" } },
    { "aarch64", "legacy-mmio",
      POOL "-global virtio-mmio.restricted-dma-pool=pool0",
      { "legacy", "-global virtio-mmio.force-legacy=false" } },
    { "riscv64", "legacy-mmio",
      POOL "-global virtio-mmio.restricted-dma-pool=pool0",
      { "legacy", "-global virtio-mmio.force-legacy=false" } },
    { "riscv64", "in-ram",
      "-m 1G -object restricted-dma-pool,id=pool0,size=2M,addr=0x80000000",
      { "pool0", "addr" } },
    { "riscv64", "32-bit-cpu", "-cpu rv32 " POOL, { "32-bit", "pool0" } },
    { "riscv64", "physical-address-bits",
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0xfffffc00000000",
      { "addr", "size" } },
};

/* One line, with all @words in it */
static void assert_refused(const char *options, const char *const words[2])
{
    g_autofree char *line = rdp_assert_options_refused("%s %s", board->options,
                                                       options);
    unsigned i;

    for (i = 0; i < 2; i++) {
        g_assert_nonnull(strstr(line, words[i]));
    }
}

static void test_refusal(const void *data)
{
    const Refusal *refusal = data;

    assert_refused(refusal->options, refusal->words);
}

static void test_firmware_without_acpi(void)
{
    static const char *const words[2] = { "pool0", "acpi=on" };
    char *path = empty_file("flash", FLASH_SIZE(board));
    g_autofree char *flash = pflash(path);
    g_autofree char *refused = g_strconcat("-machine acpi=off ", flash, POOL,
                                           NULL);

    assert_refused(refused, words);
    remove_temporary(path);
}

/* Options like those above that work: the others fail for their own reasons */
static void test_accepted(void)
{
    static const char *const accepted[][2] = {
        { "aarch64", "-object restricted-dma-pool,id=pool0,size=2M,"
                     "addr=0xfffffe00000" },
        { "aarch64", "-cpu cortex-a15 -m 1G " POOL },
        { "aarch64", "-machine highmem=off -m 1G " POOL },
        { "aarch64", "-machine acpi=off " POOL },
        { "riscv64", "-machine acpi=off " POOL },
        { "riscv64", "-cpu rv32" },
        { "riscv64", "-object restricted-dma-pool,id=pool0,size=2M,"
                     "addr=0xfffffbffe00000" },
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(accepted); i++) {
        if (!strcmp(accepted[i][0], board->arch)) {
            rdp_assert_options_accepted("%s %s", board->options,
                                        accepted[i][1]);
        }
    }
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(boards); i++) {
        if (!strcmp(boards[i].arch, qtest_get_arch())) {
            board = &boards[i];
        }
    }
    g_assert_nonnull(board);

    for (i = 0; i < ARRAY_SIZE(places); i++) {
        g_autofree char *path = g_strdup_printf(
            "/restricted-dma/virt/place/%s", places[i].name);

        qtest_add_data_func(path, &places[i], test_place);
    }
    qtest_add_func("/restricted-dma/virt/memory", test_memory);
    qtest_add_func("/restricted-dma/virt/dma-default", test_dma_default);
    qtest_add_func("/restricted-dma/virt/numa", test_numa);
    qtest_add_func("/restricted-dma/virt/numa/order", test_numa_order);
    qtest_add_func("/restricted-dma/virt/no-pool", test_no_pool);
    qtest_add_func("/restricted-dma/virt/devices", test_devices);
    qtest_add_func("/restricted-dma/virt/dtc", test_dtc);
    qtest_add_func("/restricted-dma/virt/firmware", test_firmware);
    qtest_add_func("/restricted-dma/virt/own-tree", test_own_tree);
    for (i = 0; i < ARRAY_SIZE(refusals); i++) {
        g_autofree char *path = NULL;

        if (strcmp(refusals[i].arch, board->arch)) {
            continue;
        }
        path = g_strdup_printf("/restricted-dma/virt/refusal/%s",
                               refusals[i].name);
        qtest_add_data_func(path, &refusals[i], test_refusal);
    }
    qtest_add_func("/restricted-dma/virt/refusal/firmware-without-acpi",
                   test_firmware_without_acpi);
    qtest_add_func("/restricted-dma/virt/accepted", test_accepted);

    return g_test_run();
}
