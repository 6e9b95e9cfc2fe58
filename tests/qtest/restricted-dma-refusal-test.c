/*
 * Restricted DMA pools: what cannot work is refused, in one clear line
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "libqtest.h"

#define POOL    "-object restricted-dma-pool,id=pool0,size=2M "
#define WITH    "restricted-dma-pool=pool0 "

typedef struct Refusal {
    const char *name;
    const char *args;
    const char *words[3];       /* what the line has to mention */
    const char *needs_device;   /* skip where QEMU was built without it ... */
    const char *needs_machine;  /* ... or without this */
} Refusal;

static const Refusal refusals[] = {
    /* The object */
    { "size/missing",
      "-object restricted-dma-pool,id=pool0", { "size" } },
    { "size/zero",
      "-object restricted-dma-pool,id=pool0,size=0", { "size", "2 MiB" } },
    { "size/too-small",
      "-object restricted-dma-pool,id=pool0,size=1M", { "size", "2 MiB" } },
    { "size/not-a-multiple",
      "-object restricted-dma-pool,id=pool0,size=3M", { "size", "2 MiB" } },
    { "addr/not-aligned",
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0x180100000",
      { "addr", "2 MiB" } },
    { "addr/in-low-ram",
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0x200000",
      { "pool0", "addr" } },
    { "addr/in-high-ram",
      "-m 5G -object restricted-dma-pool,id=pool0,size=2M,addr=0x100000000",
      { "pool0", "addr" } },
    { "addr/across-end-of-ram",
      "-m 5G -object restricted-dma-pool,id=pool0,size=4M,addr=0x1bfe00000",
      { "pool0", "addr" } },
    { "addr/in-pci-hole",
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0xe0000000",
      { "pool0", "addr" } },
    { "addr/wraps",
      "-object restricted-dma-pool,id=pool0,size=4M,addr=0xffffffffffe00000",
      { "addr" } },
    { "addr/not-addressable",
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0x4000000000000",
      { "phys-bits" } },
    { "addr/overlap",
      "-object restricted-dma-pool,id=pool0,size=4M,addr=0x180000000 "
      "-object restricted-dma-pool,id=pool1,size=2M,addr=0x180200000",
      { "pool0", "pool1", "overlap" } },
    { "addr/same",
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0x180000000 "
      "-object restricted-dma-pool,id=pool1,size=2M,addr=0x180000000",
      { "pool0", "pool1", "overlap" } },
    { "dma-default/twice",
      "-object restricted-dma-pool,id=pool0,size=2M,dma-default=on "
      "-object restricted-dma-pool,id=pool1,size=2M,dma-default=on",
      { "pool0", "pool1", "dma-default" } },
    { "memdev/missing",
      "-object restricted-dma-pool,id=pool0,size=2M,memdev=nowhere",
      { "pool0", "nowhere" } },
    { "memdev/not-a-backend",
      "-object iothread,id=io0 "
      "-object restricted-dma-pool,id=pool0,size=2M,memdev=io0",
      { "pool0", "io0" } },
    { "memdev/other-size",
      "-object memory-backend-ram,id=mem0,size=4M "
      "-object restricted-dma-pool,id=pool0,size=2M,memdev=mem0",
      { "pool0", "mem0", "size" } },
    { "memdev/of-two-pools",
      "-object memory-backend-ram,id=mem0,size=2M "
      "-object restricted-dma-pool,id=pool0,size=2M,memdev=mem0 "
      "-object restricted-dma-pool,id=pool1,size=2M,memdev=mem0",
      { "pool1", "mem0" } },
    { "memdev/is-ram",
      "-machine memory-backend=mem0 -m 16M "
      "-object memory-backend-ram,id=mem0,size=16M "
      "-object restricted-dma-pool,id=pool0,size=16M,memdev=mem0",
      { "pool0", "mem0" } },

    /* The machine */
    { "machine/none", "-machine none " POOL, { "none", "pool0" } },
    { "machine/isapc", "-machine isapc " POOL, { "isapc", "pool0" },
      .needs_machine = "isapc" },
    { "machine/microvm", "-machine microvm " POOL, { "microvm", "pool0" },
      .needs_machine = "microvm" },
    { "machine/no-acpi", "-machine acpi=off " POOL, { "acpi", "pool0" } },

    /* The device */
    { "device/no-such-pool",
      "-device virtio-net-pci," WITH, { "restricted-dma-pool", "pool0" } },
    { "device/no-pool-named",
      POOL "-device virtio-net-pci,restricted-dma-pool=",
      { "restricted-dma-pool" } },
    { "device/not-a-pool",
      "-object iothread,id=io0 "
      "-device virtio-net-pci,restricted-dma-pool=io0",
      { "restricted-dma-pool", "io0" } },
    { "device/not-modern",
      POOL "-device virtio-net-pci,disable-modern=on," WITH,
      { "disable-modern" } },
    { "device/legacy",
      POOL "-device virtio-net-pci,disable-legacy=off," WITH,
      { "disable-legacy" } },
    { "device/transitional",
      POOL "-device virtio-net-pci-transitional," WITH,
      { "restricted-dma-pool" } },
    { "device/behind-intel-iommu",
      POOL "-device intel-iommu -device virtio-net-pci," WITH,
      { "restricted-dma-pool", "IOMMU" }, "intel-iommu" },
    { "device/behind-amd-iommu",
      POOL "-device amd-iommu -device virtio-net-pci," WITH,
      { "restricted-dma-pool", "IOMMU" }, "amd-iommu" },
    { "device/behind-virtio-iommu",
      POOL "-device virtio-iommu-pci -device virtio-net-pci," WITH,
      { "restricted-dma-pool", "IOMMU" }, "virtio-iommu-pci" },
    { "device/balloon",
      POOL "-device virtio-balloon-pci," WITH,
      { "balloon", "restricted-dma-pool" }, "virtio-balloon-pci" },
    { "device/mem",
      POOL "-m 128M,maxmem=1G -object memory-backend-ram,id=mem0,size=128M "
      "-device virtio-mem-pci,memdev=mem0," WITH,
      { "mem", "restricted-dma-pool" }, "virtio-mem-pci" },
    { "device/pmem",
      POOL "-m 128M,maxmem=1G -object memory-backend-ram,id=mem0,size=128M "
      "-device virtio-pmem-pci,memdev=mem0," WITH,
      { "pmem", "restricted-dma-pool" }, "virtio-pmem-pci" },
    { "device/iommu",
      POOL "-device virtio-iommu-pci," WITH,
      { "iommu", "restricted-dma-pool" }, "virtio-iommu-pci" },
    { "device/gpu",
      POOL "-device virtio-gpu-pci," WITH,
      { "gpu", "restricted-dma-pool" }, "virtio-gpu-pci" },
    { "device/input",
      POOL "-device virtio-keyboard-pci," WITH,
      { "keyboard", "restricted-dma-pool" }, "virtio-keyboard-pci" },
    { "device/crypto",
      POOL "-object cryptodev-backend-builtin,id=crypt0 "
      "-device virtio-crypto-pci,cryptodev=crypt0," WITH,
      { "crypto", "restricted-dma-pool" }, "virtio-crypto-pci" },
    { "device/sound",
      POOL "-audiodev none,id=audio0 "
      "-device virtio-sound-pci,audiodev=audio0," WITH,
      { "sound", "restricted-dma-pool" }, "virtio-sound-pci" },
    /* No back end has to be there for that */
    { "device/vhost-user-blk",
      POOL "-chardev socket,id=chr0,host=127.0.0.1,port=0,server=on,wait=off "
      "-device vhost-user-blk-pci,chardev=chr0," WITH,
      { "vhost-user-blk", "restricted-dma-pool" }, "vhost-user-blk-pci" },
    { "device/vhost-user-scsi",
      POOL "-chardev socket,id=chr0,host=127.0.0.1,port=0,server=on,wait=off "
      "-device vhost-user-scsi-pci,chardev=chr0," WITH,
      { "vhost-user-scsi", "restricted-dma-pool" }, "vhost-user-scsi-pci" },
    { "device/9p",
      POOL "-fsdev local,id=fs0,path=.,security_model=none "
      "-device virtio-9p-pci,fsdev=fs0,mount_tag=tag," WITH,
      { "9p", "restricted-dma-pool" }, "virtio-9p-pci" },
};

/* Run QEMU; one that accepts its options is told to quit, with status 0 */
static int run_qemu(const char *args, char **errors)
{
    g_autofree char *command = g_strdup_printf(
        "echo quit | \"$QTEST_QEMU_BINARY\" -S -nodefaults -display none "
        "-monitor stdio -machine q35 -accel qtest %s", args);
    const char *argv[] = { "/bin/sh", "-c", command, NULL };
    g_autoptr(GError) err = NULL;
    int status;

    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL,
                 NULL, NULL, errors, &status, &err);
    g_assert_no_error(err);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void assert_mentions(const char *line, const char *word)
{
    g_autofree char *in = g_ascii_strdown(line, -1);
    g_autofree char *find = g_ascii_strdown(word, -1);

    g_test_message("looking for '%s'", word);
    g_assert_nonnull(strstr(in, find));
}

static void test_refusal(const void *data)
{
    const Refusal *refusal = data;
    g_autofree char *errors = NULL;
    unsigned i;
    int status;

    if (refusal->needs_device && !qtest_has_device(refusal->needs_device)) {
        g_test_skip("this QEMU has no such device");
        return;
    }
    if (refusal->needs_machine && !qtest_has_machine(refusal->needs_machine)) {
        g_test_skip("this QEMU has no such machine");
        return;
    }
    status = run_qemu(refusal->args, &errors);
    g_test_message("%s", errors);
    g_assert_cmpint(status, ==, 1);

    /* One line, with its end */
    g_assert_cmpuint(strlen(errors), >, 0);
    g_assert_true(strchr(errors, '\n') == errors + strlen(errors) - 1);
    for (i = 0; i < ARRAY_SIZE(refusal->words) && refusal->words[i]; i++) {
        assert_mentions(errors, refusal->words[i]);
    }
}

/* Options like those above that do work, to know that the others fail alone */
static void test_accepted(void)
{
    static const char *const accepted[] = {
        POOL,
        POOL "-device virtio-net-pci," WITH,
        "-device virtio-net-pci," WITH POOL,
        POOL "-device virtio-net-pci,disable-modern=off,disable-legacy=on,"
            WITH,
        POOL "-machine pc -device virtio-net-pci," WITH,
        "-object restricted-dma-pool,id=pool0,size=2M,addr=0x180000000 "
            "-object restricted-dma-pool,id=pool1,size=2M,addr=0x180200000",
        "-object restricted-dma-pool,id=pool0,size=2M,dma-default=on "
            "-object restricted-dma-pool,id=pool1,size=2M,dma-default=off",
        "-object memory-backend-ram,id=mem0,size=2M "
            "-object restricted-dma-pool,id=pool0,size=2M,memdev=mem0",
        "-m 5G -object restricted-dma-pool,id=pool0,size=2M,addr=0x1c0000000",
        "-object '{\"qom-type\": \"restricted-dma-pool\", \"id\": \"pool0\", "
            "\"size\": 2097152}' -device '{\"driver\": \"virtio-net-pci\", "
            "\"restricted-dma-pool\": \"pool0\"}'",
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(accepted); i++) {
        g_autofree char *errors = NULL;
        int status = run_qemu(accepted[i], &errors);

        g_test_message("%s", accepted[i]);
        g_assert_cmpstr(errors, ==, "");
        g_assert_cmpint(status, ==, 0);
    }
}

/* The same at run time: QEMU says no, and goes on */

static void assert_error(QTestState *qts, QDict *response, const char *word)
{
    const char *desc = qdict_get_str(qdict_get_qdict(response, "error"),
                                     "desc");

    g_test_message("%s", desc);
    assert_mentions(desc, word);
    qobject_unref(response);
    qtest_qmp_assert_success(qts, "{'execute': 'query-name'}");
}

static void test_runtime_object(void)
{
    QTestState *qts = qtest_init("-machine q35 -nodefaults " POOL
                                 "-device virtio-net-pci,id=dev0," WITH
                                 "-object memory-backend-ram,id=mem0,size=2M "
                                 "-object restricted-dma-pool,id=unused,"
                                 "size=2M,memdev=mem0");

    assert_error(qts, qtest_qmp(qts, "{'execute': 'object-add', 'arguments':"
                                " {'qom-type': 'restricted-dma-pool',"
                                " 'id': 'late', 'size': 2097152}}"),
                 "running");
    assert_error(qts, qtest_qmp(qts, "{'execute': 'object-del',"
                                " 'arguments': {'id': 'pool0'}}"), "pool0");
    assert_error(qts, qtest_qmp(qts, "{'execute': 'object-del',"
                                " 'arguments': {'id': 'mem0'}}"), "mem0");
    /* In the memory map, so in use as well */
    assert_error(qts, qtest_qmp(qts, "{'execute': 'object-del',"
                                " 'arguments': {'id': 'unused'}}"), "unused");
    assert_error(qts, qtest_qmp(qts, "{'execute': 'qom-set', 'arguments':"
                                " {'path': '/objects/pool0',"
                                " 'property': 'size', 'value': 4194304}}"),
                 "size");
    assert_error(qts, qtest_qmp(qts, "{'execute': 'qom-set', 'arguments':"
                                " {'path': '/machine/peripheral/dev0',"
                                " 'property': 'restricted-dma-pool',"
                                " 'value': 'unused'}}"),
                 "restricted-dma-pool");
    qtest_quit(qts);
}

static void test_runtime_device(void)
{
    QTestState *qts = qtest_init("-machine pc -nodefaults " POOL);

    assert_error(qts, qtest_qmp(qts, "{'execute': 'device_add', 'arguments':"
                                " {'driver': 'virtio-rng-pci',"
                                " 'restricted-dma-pool': 'nowhere'}}"),
                 "nowhere");
    assert_error(qts, qtest_qmp(qts, "{'execute': 'device_add', 'arguments':"
                                " {'driver': 'virtio-balloon-pci',"
                                " 'restricted-dma-pool': 'pool0'}}"),
                 "balloon");
    assert_error(qts, qtest_qmp(qts, "{'execute': 'device_add', 'arguments':"
                                " {'driver': 'virtio-rng-pci',"
                                " 'disable-modern': true,"
                                " 'restricted-dma-pool': 'pool0'}}"),
                 "disable-modern");
    qtest_quit(qts);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(refusals); i++) {
        g_autofree char *path = g_strdup_printf("/restricted-dma/refusal/%s",
                                                refusals[i].name);

        qtest_add_data_func(path, &refusals[i], test_refusal);
    }
    qtest_add_func("/restricted-dma/refusal/accepted", test_accepted);
    qtest_add_func("/restricted-dma/refusal/run-time/object",
                   test_runtime_object);
    qtest_add_func("/restricted-dma/refusal/run-time/device",
                   test_runtime_device);

    return g_test_run();
}
