/*
 * Restricted DMA pools: what cannot work is refused in one clear line
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "restricted-dma/command-line.h"
#include "restricted-dma/guest.h"

#define POOL    "-object restricted-dma-pool,id=pool0,size=2M "
#define WITH    "restricted-dma-pool=pool0 "

typedef struct Refusal {
    const char *name;
    const char *args;
    const char *words[3];       /* what the line has to mention */
    const char *needs_device;   /* skip if QEMU was built without it */
    const char *machine;        /* on this one only */
    bool mmio;                  /* on a machine with virtio-mmio */
} Refusal;

/* A device that reaches its vhost back end through a character device */
#define VHOST(device, options)                                          \
    { "device/" device,                                                 \
      POOL "-chardev socket,id=chr0,host=127.0.0.1,port=0,server=on,"   \
      "wait=off -device " device ",chardev=chr0," options WITH,         \
      { "vhost-user", "restricted-dma-pool", "vhost back end" }, device }

#define TEN(x)  x x x x x x x x x x
#define LONG_ID TEN("id0123456789") "01234567"      /* 128 characters */

#define MMIO_MODERN "-global virtio-mmio.force-legacy=false "
#define MMIO_WITH   "-global virtio-mmio.restricted-dma-pool=pool0 "

#define MMIO_DEVICE(device, options, word)                              \
    { "mmio/" device, POOL MMIO_MODERN MMIO_WITH options                \
      "-device " device,                                                \
      { device, "restricted-dma-pool", word }, device, .mmio = true }

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
    { "id/too-long", "-object restricted-dma-pool,size=2M,id=x" LONG_ID,
      { "id", LONG_ID, "128" } },
    { "addr/not-aligned",
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0x180100000",
      { "addr", "2 MiB" } },
    { "addr/in-low-ram",
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0x200000",
      { "pool0", "addr" }, .machine = "q35" },
    { "addr/in-high-ram",
      "-m 5G -object restricted-dma-pool,id=pool0,size=2M,addr=0x100000000",
      { "pool0", "addr" }, .machine = "q35" },
    { "addr/across-end-of-ram",
      "-m 5G -object restricted-dma-pool,id=pool0,size=4M,addr=0x1bfe00000",
      { "pool0", "addr" }, .machine = "q35" },
    { "addr/in-pci-hole",
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0xe0000000",
      { "pool0", "addr" }, .machine = "q35" },
    { "addr/wraps",
      "-object restricted-dma-pool,id=pool0,size=4M,addr=0xffffffffffe00000",
      { "addr" } },
    { "addr/not-addressable",
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0x4000000000000",
      { "phys-bits" }, .machine = "q35" },
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
    { "memdev/read-only",
      "-object memory-backend-file,id=mem0,size=2M,mem-path=/proc/self/exe,"
      "readonly=on "
      "-object restricted-dma-pool,id=pool0,size=2M,memdev=mem0",
      { "pool0", "mem0", "writable" } },
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
    { "machine/isapc", POOL, { "isapc", "pool0" }, .machine = "isapc" },
    { "machine/no-acpi", "-machine acpi=off " POOL, { "acpi", "pool0" },
      .machine = "q35" },
    { "machine/32-address-bits", "-cpu pentium " POOL,
      { "64-bit CPU", "addr", "0x100000000" }, .machine = "pc" },
    { "machine/32-address-bits/old", "-cpu pentium " POOL,
      { "64-bit CPU", "addr", "0x100000000" }, .machine = "pc-i440fx-8.1" },
    { "machine/36-address-bits",
      "-cpu pentium3 "
      "-object restricted-dma-pool,id=pool0,size=4M,addr=0xfffe00000",
      { "64-bit CPU", "addr", "0x1000000000" }, .machine = "pc" },
    { "machine/microvm/no-acpi", "-machine acpi=off " POOL,
      { "acpi", "pool0" }, .machine = "microvm" },
    { "machine/microvm/in-ram",
      "-m 4G -object restricted-dma-pool,id=pool0,size=2M,addr=0x100000000",
      { "pool0", "addr" }, .machine = "microvm" },
    { "machine/microvm/in-pci-window",
      "-machine pcie=on "
      "-object restricted-dma-pool,id=pool0,size=4M,addr=0xbfffe00000",
      { "phys-bits", "addr" }, .machine = "microvm" },
    { "machine/microvm/not-addressable",
      "-object restricted-dma-pool,id=pool0,size=2T",
      { "phys-bits", "size" }, .machine = "microvm" },

    /* virtio-mmio, whose transports the board creates */
    { "mmio/legacy", POOL MMIO_WITH,
      { "legacy", "-global virtio-mmio.force-legacy=false" }, .mmio = true },
    { "mmio/no-such-pool", MMIO_MODERN MMIO_WITH,
      { "virtio-mmio.restricted-dma-pool=pool0",
        "-object restricted-dma-pool,id=pool0,size=" }, .mmio = true },
    { "mmio/no-pool-named",
      POOL MMIO_MODERN "-global virtio-mmio.restricted-dma-pool=",
      { "virtio-mmio.restricted-dma-pool", "names no pool" }, .mmio = true },
    { "mmio/not-a-pool", "-object iothread,id=pool0 " MMIO_MODERN MMIO_WITH,
      { "virtio-mmio.restricted-dma-pool=pool0",
        "expected: restricted-dma-pool" }, .mmio = true },
    { "mmio/no-device-tree",
      POOL MMIO_MODERN MMIO_WITH
      "-global virtio-mmio.restricted-dma-negotiate=off",
      { "restricted-dma-negotiate", "device tree" }, .machine = "microvm" },
    { "mmio/negotiate-without-pool",
      "-global virtio-mmio.restricted-dma-negotiate=off",
      { "restricted-dma-negotiate", "restricted-dma-pool=" }, .mmio = true },
    MMIO_DEVICE("virtio-balloon-device", "", "all memory"),
    MMIO_DEVICE("virtio-iommu-device", "", "virtio-iommu"),
    MMIO_DEVICE("vhost-user-fs-device",
                "-chardev socket,id=chr0,host=127.0.0.1,port=0,server=on,"
                "wait=off -global vhost-user-fs-device.chardev=chr0 "
                "-global vhost-user-fs-device.tag=tag0 ", "vhost back end"),

    /* The device */
    { "device/negotiate-without-pool",
      "-device virtio-rng-pci,restricted-dma-negotiate=off",
      { "restricted-dma-negotiate", "restricted-dma-pool=" } },
    { "device/no-device-tree",
      POOL "-device virtio-rng-pci,restricted-dma-negotiate=off," WITH,
      { "restricted-dma-negotiate", "device tree", "q35" }, .machine = "q35" },
    { "device/no-such-pool",
      "-device virtio-net-pci," WITH,
      { "no restricted-dma-pool 'pool0'",
        "-object restricted-dma-pool,id=pool0,size=" } },
    { "device/no-pool-named",
      POOL "-device virtio-net-pci,restricted-dma-pool=",
      { "restricted-dma-pool", "names no pool" } },
    { "device/not-a-pool",
      "-object iothread,id=io0 "
      "-device virtio-net-pci,restricted-dma-pool=io0",
      { "restricted-dma-pool", "io0", "expected: restricted-dma-pool" } },
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
      { "restricted-dma-pool", "IOMMU" }, "intel-iommu", .machine = "q35" },
    { "device/behind-amd-iommu",
      POOL "-device amd-iommu -device virtio-net-pci," WITH,
      { "restricted-dma-pool", "IOMMU" }, "amd-iommu", .machine = "q35" },
    { "device/behind-smmu",
      POOL "-machine iommu=smmuv3 -device virtio-net-pci," WITH,
      { "restricted-dma-pool", "IOMMU" }, .machine = "virt" },
    { "device/behind-virtio-iommu",
      POOL "-device virtio-iommu-pci -device virtio-net-pci," WITH,
      { "restricted-dma-pool", "IOMMU" }, "virtio-iommu-pci" },
    { "device/balloon",
      POOL "-device virtio-balloon-pci," WITH,
      { "balloon", "restricted-dma-pool", "pages" }, "virtio-balloon-pci" },
    { "device/mem",
      POOL "-m 128M,maxmem=1G -object memory-backend-ram,id=mem0,size=128M "
      "-device virtio-mem-pci,memdev=mem0," WITH,
      { "mem", "restricted-dma-pool", "adds" }, "virtio-mem-pci" },
    { "device/pmem",
      POOL "-m 128M,maxmem=1G -object memory-backend-ram,id=mem0,size=128M "
      "-device virtio-pmem-pci,memdev=mem0," WITH,
      { "pmem", "restricted-dma-pool", "without DMA" }, "virtio-pmem-pci" },
    { "device/iommu",
      POOL "-device virtio-iommu-pci," WITH,
      { "iommu", "restricted-dma-pool", "translates" }, "virtio-iommu-pci" },
    { "device/gpu-gl",
      POOL "-device virtio-gpu-gl-pci," WITH,
      { "gpu-gl", "restricted-dma-pool", "renderer" }, "virtio-gpu-gl-pci" },
    { "device/crypto-vhost-user",
      POOL "-chardev socket,id=chr0,host=127.0.0.1,port=0,server=on,wait=off "
      "-object cryptodev-vhost-user,id=crypt0,chardev=chr0 "
      "-device virtio-crypto-pci,cryptodev=crypt0," WITH,
      { "crypt0", "restricted-dma-pool", "vhost" }, "virtio-crypto-pci" },
    /* Those that leave everything to vhost need no back end here */
    VHOST("vhost-user-scsi-pci", ""),
    VHOST("vhost-user-fs-pci", "tag=tag,"),
    VHOST("vhost-user-gpu-pci", ""),
    VHOST("vhost-user-vga", ""),
    VHOST("vhost-user-input-pci", ""),
    VHOST("vhost-user-i2c-pci", ""),
    VHOST("vhost-user-gpio-pci", ""),
    VHOST("vhost-user-rng-pci", ""),
    VHOST("vhost-user-snd-pci", ""),
    VHOST("vhost-user-scmi-pci", ""),
    VHOST("vhost-user-vsock-pci", ""),
    { "device/vhost-vsock-pci",
      POOL "-device vhost-vsock-pci,guest-cid=3," WITH,
      { "vhost-vsock", "restricted-dma-pool", "vhost back end" },
      "vhost-vsock-pci" },
    { "device/vhost-scsi-pci",
      POOL "-device vhost-scsi-pci,wwpn=naa.0123456789abcdef," WITH,
      { "vhost-scsi", "restricted-dma-pool", "vhost back end" },
      "vhost-scsi-pci" },
    { "device/vhost-vdpa-device-pci",
      POOL "-device vhost-vdpa-device-pci,vhostdev=/dev/null," WITH,
      { "vhost-vdpa", "restricted-dma-pool", "vhost back end" },
      "vhost-vdpa-device-pci" },
};

static void assert_mentions(const char *line, const char *word)
{
    g_autofree char *in = g_ascii_strdown(line, -1);
    g_autofree char *find = g_ascii_strdown(word, -1);

    g_test_message("looking for '%s'", word);
    g_assert_nonnull(strstr(in, find));
}

static const char *machine_of(const char *only, bool mmio)
{
    return only ?: mmio ? rdp_mmio_machine() : rdp_machine();
}

static void test_refusal(const void *data)
{
    const Refusal *refusal = data;
    g_autofree char *line = NULL;
    unsigned i;

    if (refusal->needs_device && !qtest_has_device(refusal->needs_device)) {
        g_test_skip("this QEMU has no such device");
        return;
    }
    line = rdp_assert_options_refused("-machine %s %s",
                                      machine_of(refusal->machine,
                                                 refusal->mmio),
                                      refusal->args);
    for (i = 0; i < ARRAY_SIZE(refusal->words) && refusal->words[i]; i++) {
        assert_mentions(line, refusal->words[i]);
    }
}

/* Options like those above that work: the others fail for their own reasons */
static const struct {
    const char *args;
    const char *machine;
    bool mmio;
} accepted[] = {
    { POOL },
    { POOL "-device virtio-net-pci," WITH },
    { "-device virtio-net-pci," WITH POOL },
    { POOL "-device virtio-net-pci,disable-modern=off,disable-legacy=on,"
      WITH },
    { POOL "-device virtio-net-pci," WITH, .machine = "pc" },
    { POOL "-machine pcie=on -device virtio-net-pci," WITH,
      .machine = "microvm" },
    { POOL "-device virtio-net-device " MMIO_MODERN MMIO_WITH,
      .mmio = true },
    { POOL "-device virtio-net-device " MMIO_MODERN MMIO_WITH
      "-global virtio-mmio.restricted-dma-negotiate=off", .machine = "virt" },
    { POOL "-device virtio-net-pci,restricted-dma-negotiate=off," WITH,
      .machine = "virt" },
    { POOL "-cpu pentium3 ", .machine = "pc" },
    { "-object restricted-dma-pool,size=2M,id=" LONG_ID },
    { "-machine pcie=on "
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0xbfffe00000",
      .machine = "microvm" },
    { "-object restricted-dma-pool,id=pool0,size=2M,addr=0x180000000 "
      "-object restricted-dma-pool,id=pool1,size=2M,addr=0x180200000" },
    { "-object restricted-dma-pool,id=pool0,size=2M,dma-default=on "
      "-object restricted-dma-pool,id=pool1,size=2M,dma-default=off" },
    { "-object memory-backend-ram,id=mem0,size=2M "
      "-object restricted-dma-pool,id=pool0,size=2M,memdev=mem0" },
    { "-m 5G "
      "-object restricted-dma-pool,id=pool0,size=2M,addr=0x1c0000000" },
    { POOL "-machine default_bus_bypass_iommu=on -device intel-iommu "
      "-device virtio-net-pci," WITH, .machine = "q35" },
    { POOL "-machine default_bus_bypass_iommu=on,iommu=smmuv3 "
      "-device virtio-net-pci," WITH, .machine = "virt" },
    { "-object '{\"qom-type\": \"restricted-dma-pool\", "
      "\"id\": \"pool0\", \"size\": 2097152}' "
      "-device '{\"driver\": \"virtio-net-pci\", "
      "\"restricted-dma-pool\": \"pool0\"}'" },
};

static void test_accepted(void)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(accepted); i++) {
        const char *machine = machine_of(accepted[i].machine,
                                         accepted[i].mmio);

        if (qtest_has_machine(machine)) {
            rdp_assert_options_accepted("-machine %s %s", machine,
                                        accepted[i].args);
        }
    }
}

/* At run time QEMU refuses as well, and runs on */

static void assert_error(QTestState *qts, QDict *response, const char *word)
{
    const char *desc;

    g_assert_true(qdict_haskey(response, "error"));
    desc = qdict_get_str(qdict_get_qdict(response, "error"), "desc");
    g_test_message("%s", desc);
    assert_mentions(desc, word);
    qobject_unref(response);
    qtest_qmp_assert_success(qts, "{'execute': 'query-name'}");
}

static void test_runtime_object(void)
{
    QTestState *qts = qtest_initf("-machine %s -nodefaults " POOL
                                  "-device virtio-net-pci,id=dev0," WITH
                                  "-object memory-backend-ram,id=mem0,size=2M "
                                  "-object restricted-dma-pool,id=unused,"
                                  "size=2M,memdev=mem0", rdp_machine());

    assert_error(qts, qtest_qmp(qts, "{'execute': 'object-add', 'arguments':"
                                " {'qom-type': 'restricted-dma-pool',"
                                " 'id': 'late', 'size': 2097152}}"),
                 "command line");
    assert_error(qts, qtest_qmp(qts, "{'execute': 'object-del',"
                                " 'arguments': {'id': 'pool0'}}"), "pool0");
    assert_error(qts, qtest_qmp(qts, "{'execute': 'object-del',"
                                " 'arguments': {'id': 'mem0'}}"), "mem0");
    /* This pool is in the memory map, and so in use as well */
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
    QTestState *qts = qtest_initf("-machine %s -nodefaults " POOL
                                  "-device pcie-root-port,id=p0",
                                  rdp_machine());

    assert_error(qts, qtest_qmp(qts, "{'execute': 'device_add', 'arguments':"
                                " {'driver': 'virtio-rng-pci',"
                                " 'bus': 'p0',"
                                " 'restricted-dma-pool': 'nowhere'}}"),
                 "nowhere");
    assert_error(qts, qtest_qmp(qts, "{'execute': 'device_add', 'arguments':"
                                " {'driver': 'virtio-balloon-pci',"
                                " 'bus': 'p0',"
                                " 'restricted-dma-pool': 'pool0'}}"),
                 "balloon");
    assert_error(qts, qtest_qmp(qts, "{'execute': 'device_add', 'arguments':"
                                " {'driver': 'virtio-rng-pci',"
                                " 'bus': 'p0',"
                                " 'disable-modern': true,"
                                " 'restricted-dma-pool': 'pool0'}}"),
                 "disable-modern");
    qtest_quit(qts);
}

/* QEMU only warns of a global that does not fit a device that is added now */
static void test_runtime_global(void)
{
    static const char *const ids[] = { "nowhere", "" };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(ids); i++) {
        QTestState *qts = qtest_initf(
            "-machine %s -nodefaults " POOL "-device pcie-root-port,id=p0 "
            "-global virtio-rng-pci.restricted-dma-pool=%s", rdp_machine(),
            ids[i]);

        assert_error(qts, qtest_qmp(qts, "{'execute': 'device_add',"
                                    " 'arguments': {'bus': 'p0',"
                                    " 'driver': 'virtio-rng-pci'}}"),
                     "there is no restricted-dma-pool");
        qtest_qmp_assert_success(qts, "{'execute': 'device_add',"
                                 " 'arguments': {'bus': 'p0',"
                                 " 'driver': 'virtio-rng-pci',"
                                 " 'restricted-dma-pool': 'pool0'}}");
        qtest_quit(qts);
    }
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(refusals); i++) {
        const char *machine = refusals[i].machine;
        g_autofree char *path = g_strdup_printf("/restricted-dma/refusal/%s",
                                                refusals[i].name);

        if (!machine || qtest_has_machine(machine)) {
            qtest_add_data_func(path, &refusals[i], test_refusal);
        }
    }
    qtest_add_func("/restricted-dma/refusal/accepted", test_accepted);
    qtest_add_func("/restricted-dma/refusal/run-time/object",
                   test_runtime_object);
    qtest_add_func("/restricted-dma/refusal/run-time/device",
                   test_runtime_device);
    qtest_add_func("/restricted-dma/refusal/run-time/global",
                   test_runtime_global);

    return g_test_run();
}
