/*
 * Fuzzing of devices that are confined to a restricted DMA pool
 *
 * The generic fuzzer finds out only by chance how to start a virtio device.
 * This one is a driver that knows how.  The input decides what it does, in
 * which order, and what it does wrong: features that are not accepted, steps
 * left out, rings, tables and buffers at any address, also on top of each
 * other, resets of every kind in the middle, raw writes to registers and to the
 * pool; and what the administrator looks at meanwhile.  An input of zeros is a
 * driver that does nothing wrong.
 *
 * restricted_dma_guard.c turns each access outside the pool into a crash, and
 * restricted_dma_limits.c whatever takes too long or grows too much.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "exec/memory.h"
#include "tests/qtest/libqos/pci-pc.h"
#include "fuzz.h"
#include "restricted_dma_fuzz.h"
#include "restricted_dma_guard.h"
#include "restricted_dma_limits.h"

#define SLOT            4               /* of the first port */
#define WINDOW          (128 * MiB)     /* that rdp_bridge_init() makes */
#define TRANSPORT       2               /* of virtio-mmio */

#define POOL            ",restricted-dma-pool=" RDP_FUZZ_POOL
#define RINGS           ",packed=on,in_order=on "
/* A port gives a function power management and a reset of its own */
#define PORT(n)         "-device pcie-root-port,id=port" n ",chassis=" n \
                        ",addr=" n " "
#define PCI(n, port)    ",id=dev" n ",bus=port" port POOL ",vectors=0" RINGS
/* Doorbells are served at once, and D3hot keeps the state */
#define OTHER           ",ioeventfd=off,x-pcie-pm-no-soft-reset=on"
#define MMIO            ",id=dev0,bus=virtio-mmio-bus.2" RINGS

/*
 * Back ends look at the data, so that the guard sees it when they read RAM.
 * Requests beyond a few stay in flight until the clock moves, and those for
 * sector 100 until the machine is paused.
 */
#define DISK            "-drive if=none,id=disk0,driver=blkdebug," \
                        "image.driver=null-co,image.read-zeroes=on," \
                        "inject-error.0.event=none,inject-error.0.errno=5," \
                        "inject-error.0.sector=100,detect-zeroes=on," \
                        "discard=unmap,throttling.iops-total=10 "
#define ON_ERROR        ",rerror=stop,werror=stop"
#define SOUND           "-audiodev none,id=audio0 "

typedef struct RestrictedDMAConfig {
    const char *name;
    const RdpFuzzKind *kind;
    const char *args;
    unsigned devices;
    bool mmio;
} RestrictedDMAConfig;

static const RestrictedDMAConfig configs[] = {
    {
        "restricted-dma-blk", &rdp_fuzz_blk,
        DISK PORT("4") "-device virtio-blk-pci,drive=disk0,num-queues=2"
        ON_ERROR PCI("0", "4"), 1
    }, {
        "restricted-dma-mmio-blk", &rdp_fuzz_blk,
        DISK "-device virtio-blk-device,drive=disk0,num-queues=2"
        ON_ERROR MMIO, 1, true
    }, {
        /* What one of them sends is what the other one receives */
        "restricted-dma-net", &rdp_fuzz_net,
        "-netdev hubport,id=net0,hubid=0 -netdev hubport,id=net1,hubid=0 "
        PORT("4") "-device virtio-net-pci,netdev=net0" PCI("0", "4")
        PORT("5") "-device virtio-net-pci,netdev=net1" OTHER PCI("1", "5"), 2
    }, {
        "restricted-dma-scsi", &rdp_fuzz_scsi,
        DISK PORT("4") "-device virtio-scsi-pci,num_queues=2" OTHER
        PCI("0", "4") "-device scsi-hd,drive=disk0,bus=dev0.0" ON_ERROR, 1
    }, {
        "restricted-dma-serial", &rdp_fuzz_serial,
        "-chardev ringbuf,id=con0 -chardev null,id=con1 "
        PORT("4") "-device virtio-serial-pci" OTHER PCI("0", "4")
        "-device virtconsole,bus=dev0.0,chardev=con0 "
        "-device virtserialport,bus=dev0.0,chardev=con1,nr=1", 1
    }, {
        "restricted-dma-gpu", &rdp_fuzz_gpu,
        PORT("4") "-device virtio-gpu-pci,max_hostmem=67108864" PCI("0", "4"),
        1
    }, {
        "restricted-dma-sound", &rdp_fuzz_sound,
        SOUND PORT("4") "-device virtio-sound-pci,audiodev=audio0" OTHER
        PCI("0", "4"), 1
    }, {
        "restricted-dma-mmio-sound", &rdp_fuzz_sound,
        SOUND "-device virtio-sound-device,audiodev=audio0" MMIO, 1, true
    }, {
        "restricted-dma-crypto", &rdp_fuzz_crypto,
        "-object cryptodev-backend-builtin,id=crypto0 "
        PORT("4") "-device virtio-crypto-pci,cryptodev=crypto0"
        PCI("0", "4"), 1
    }, {
        "restricted-dma-9p", &rdp_fuzz_9p,
        "-fsdev synth,id=fs0 "
        PORT("4") "-device virtio-9p-pci,fsdev=fs0,mount_tag=fs" OTHER
        PCI("0", "4"), 1
    }, {
        "restricted-dma-input", &rdp_fuzz_input,
        PORT("4") "-device virtio-keyboard-pci" PCI("0", "4"), 1
    }, {
        "restricted-dma-rng", &rdp_fuzz_rng,
        "-object rng-builtin,id=rng0 "
        PORT("4") "-device virtio-rng-pci,rng=rng0" OTHER PCI("0", "4"), 1
    },
};

static const RestrictedDMAConfig *config;
RdpFuzz rdp_fuzz;

/* The pool reads as zero again, however much of it was used */
static void clear_pool(void)
{
    g_assert_cmpint(madvise(rdp_fuzz.pool, RDP_POOL_SIZE, MADV_REMOVE), ==, 0);
}

static void restricted_dma_fuzz(QTestState *s, const unsigned char *data,
                                size_t size)
{
    RdpInput in = { data, size };
    unsigned i;

    for (i = 0; i < rdp_fuzz.n_drivers; i++) {
        rdp_fuzz_driver_forget(&rdp_fuzz.drivers[i]);
    }
    while (in.size) {
        rdp_fuzz_run_step(&in);
    }
    rdp_fuzz_run_events();

    /* However the driver leaves a device, the next one can use it */
    rdp_limits_enter("recovery");
    for (i = 0; i < rdp_fuzz.n_drivers; i++) {
        rdp_fuzz_recover(&rdp_fuzz.drivers[i]);
    }
    rdp_fuzz_note_rest();
    rdp_fuzz_run_events();
    if (config->kind->forget) {
        config->kind->forget();
    }
    rdp_limits_check();
    rdp_limits_end();
    clear_pool();
}

static void find_device(unsigned n)
{
    static const char *const ids[RDP_FUZZ_DEVICES] = { "dev0", "dev1" };
    RdpFuzzDriver *driver = &rdp_fuzz.drivers[n];
    RdpGuest *guest = &rdp_fuzz.guest;

    if (config->mmio) {
        rdp_device_init_mmio(&driver->dev, guest, TRANSPORT, ids[n]);
    } else {
        rdp_fuzz.ports[n] = qpci_device_find(guest->bus,
                                             QPCI_DEVFN(SLOT + n, 0));
        guest->bus->mmio_alloc_ptr = ROUND_UP(guest->bus->mmio_alloc_ptr,
                                              WINDOW);
        rdp_bridge_init(guest, SLOT + n, n + 1);
        rdp_device_init_at(&driver->dev, guest, (n + 1) << 8, ids[n]);
        qpci_config_writew(driver->dev.pci, PCI_COMMAND,
                           PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    }
    rdp_fuzz_driver_init(driver, ids[n], config->kind);
}

static void restricted_dma_pre_fuzz(QTestState *s)
{
    MemoryRegion *pool;

    rdp_fuzz.guest.qts = s;
    if (!config->mmio) {
        rdp_fuzz.guest.bus = qpci_new_pc(s, NULL);
    }
    while (rdp_fuzz.n_drivers < config->devices) {
        find_device(rdp_fuzz.n_drivers++);
    }
    pool = restricted_dma_guard();
    rdp_fuzz.guest.base = pool->addr;
    rdp_fuzz.pool = memory_region_get_ram_ptr(pool);
    rdp_limits_init();
}

static GString *restricted_dma_cmdline(FuzzTarget *target)
{
    GString *cmd_line = g_string_new(TARGET_NAME);

    config = target->opaque;
    g_string_append_printf(cmd_line,
        " -display none -nodefaults -machine %s,accel=qtest -m 16M "
        "-object restricted-dma-pool,id=" RDP_FUZZ_POOL ",size=%" PRIu64 " "
        "-object restricted-dma-pool,id=poolb,size=%" PRIu64 " "
        "%s%s",
        config->mmio ? "microvm" : "q35", (uint64_t)RDP_POOL_SIZE,
        (uint64_t)RDP_NEIGHBOUR_SIZE,
        config->mmio ? "-global virtio-mmio.force-legacy=false "
                       "-global virtio-mmio.restricted-dma-pool="
                       RDP_FUZZ_POOL " " : "",
        config->args);
    return cmd_line;
}

static void register_restricted_dma_targets(void)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(configs); i++) {
        fuzz_add_target(&(FuzzTarget) {
            .name = configs[i].name,
            .description = "A hostile driver of a device that is confined to "
                           "a restricted DMA pool",
            .get_init_cmdline = restricted_dma_cmdline,
            .pre_fuzz = restricted_dma_pre_fuzz,
            .fuzz = restricted_dma_fuzz,
            .opaque = (void *)&configs[i],
        });
    }
}

fuzz_target_init(register_restricted_dma_targets);
