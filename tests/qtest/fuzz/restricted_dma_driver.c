/*
 * Restricted DMA pools: a device, as the driver of the fuzzer sees it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qom/object.h"
#include "fuzz.h"
#include "restricted_dma_fuzz.h"
#include "restricted_dma_limits.h"

#define RINGS_STRIDE    0x100000    /* from one device's to the next one's */
#define STRIDE          0x004000    /* from one ring to the next one */
#define BIG_RINGS       0x080000    /* of more than BIG descriptors */
#define BIG_STRIDE      0x00c000
#define BIG             256
#define EVENTS_MAX      10          /* iterations of the main loop */

static void find_capabilities(RdpFuzzDriver *driver)
{
    const uint8_t *config = driver->pci->config;
    uint8_t cap;

    driver->pm_cap = pci_find_capability(driver->pci, PCI_CAP_ID_PM);
    driver->exp_cap = pci_find_capability(driver->pci, PCI_CAP_ID_EXP);
    for (cap = config[PCI_CAPABILITY_LIST]; cap;
         cap = config[cap + PCI_CAP_LIST_NEXT]) {
        if (config[cap] == PCI_CAP_ID_VNDR &&
            config[cap + VIRTIO_PCI_CAP_CFG_TYPE] == VIRTIO_PCI_CAP_PCI_CFG) {
            driver->cfg_cap = cap;
        }
    }
}

void rdp_fuzz_driver_init(RdpFuzzDriver *driver, const char *id,
                          const RdpFuzzKind *kind)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", id);
    unsigned i;

    driver->kind = kind;
    if (!driver->dev.mmio) {
        driver->pci = PCI_DEVICE(object_resolve_path(path, NULL));
        driver->path = g_strconcat(path, "/virtio-backend", NULL);
        find_capabilities(driver);
        for (i = 0; i < RDP_FUZZ_BARS; i++) {
            driver->bars[i] = qpci_config_readl(driver->dev.pci,
                                                PCI_BASE_ADDRESS_0 + 4 * i);
        }
    } else {
        driver->path = g_steal_pointer(&path);
    }
    driver->vdev = VIRTIO_DEVICE(object_resolve_path(driver->path, NULL));
    driver->n_rings = MIN(virtio_get_num_queues(driver->vdev),
                          RDP_FUZZ_QUEUES);
}

static unsigned driver_index(const RdpFuzzDriver *driver)
{
    return driver - rdp_fuzz.drivers;
}

/* Rings do not overlap, unless the input says so */
static void place_ring(RdpFuzzDriver *driver, unsigned queue, unsigned size)
{
    bool big = size > BIG;
    uint64_t desc = rdp_fuzz.guest.base + driver_index(driver) * RINGS_STRIDE +
                    (big ? BIG_RINGS + queue * BIG_STRIDE
                         : RDP_RINGS + queue * STRIDE);

    driver->rings[queue] = (RdpRing) {
        .dev = &driver->dev,
        .queue = queue,
        .packed = driver->packed,
        .size = size,
        .desc = desc,
        .avail = desc + (big ? 0x4000 : 0x1000),
        .used = desc + (big ? 0x6000 : 0x2000),
    };
}

static void clear_ring(RdpRing *ring)
{
    const uint64_t features = BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
    RdpGuest *guest = &rdp_fuzz.guest;

    rdp_fill(guest, ring->desc, 0, rdp_ring_desc_size(ring));
    rdp_fill(guest, ring->avail, 0, rdp_ring_avail_size(ring, features));
    rdp_fill(guest, ring->used, 0, rdp_ring_used_size(ring, features));
}

void rdp_fuzz_driver_forget(RdpFuzzDriver *driver)
{
    unsigned i;

    driver->packed = false;
    driver->at_rest = false;
    for (i = 0; i < driver->n_rings; i++) {
        place_ring(driver, i, RDP_RING_SIZE);
    }
}

RdpRing *rdp_fuzz_take_ring(RdpInput *in, RdpFuzzDriver *driver)
{
    return &driver->rings[rdp_take(in, 1) % driver->n_rings];
}

static unsigned take_ring_size(RdpInput *in)
{
    static const uint16_t sizes[] = { RDP_RING_SIZE, 2, 4, 8, 1, 3, 64, 256,
                                      1024 };
    uint8_t kind = rdp_take(in, 1);

    if (kind < 0x80) {
        return RDP_RING_SIZE;
    }
    if (kind < 0xf8) {
        return sizes[kind % ARRAY_SIZE(sizes)];
    }
    return MAX(1, rdp_take(in, 2));
}

void rdp_fuzz_enable_ring(RdpInput *in, RdpFuzzDriver *driver, unsigned queue)
{
    RdpRing *ring = &driver->rings[queue];
    uint8_t alias;

    place_ring(driver, queue, take_ring_size(in));
    alias = rdp_take(in, 1);
    if (alias >= 0xe0) {
        if (alias & 1) {
            ring->desc = rdp_take_addr(in) & ~15;
        }
        if (alias & 2) {
            ring->avail = rdp_take_addr(in) & ~3;
        }
        if (alias & 4) {
            ring->used = rdp_take_addr(in) & ~3;
        }
    }
    clear_ring(ring);
    rdp_ring_enable(ring);
}

bool rdp_fuzz_reachable(const RdpFuzzDriver *driver)
{
    return !driver->pci ||
           driver->pci->io_regions[RDP_FUZZ_BAR].addr != PCI_BAR_UNMAPPED;
}

void rdp_fuzz_configure(RdpFuzzDriver *driver, uint16_t command)
{
    QPCIDevice *pci = driver->dev.pci;
    unsigned i;

    for (i = 0; i < RDP_FUZZ_BARS; i++) {
        unsigned reg = PCI_BASE_ADDRESS_0 + 4 * i;

        if (pci_get_long(driver->pci->config + reg) != driver->bars[i]) {
            qpci_config_writel(pci, reg, driver->bars[i]);
        }
    }
    if (pci_get_word(driver->pci->config + PCI_COMMAND) != command) {
        qpci_config_writew(pci, PCI_COMMAND, command);
    }
}

static bool is_in_d0(const RdpFuzzDriver *driver)
{
    return !driver->pm_cap ||
           !(driver->pci->config[driver->pm_cap + PCI_PM_CTRL] &
             PCI_PM_CTRL_STATE_MASK);
}

void rdp_fuzz_recover(RdpFuzzDriver *driver)
{
    if (driver->pci) {
        if (!is_in_d0(driver)) {
            qpci_config_writew(driver->dev.pci, driver->pm_cap + PCI_PM_CTRL,
                               0);
        }
        rdp_fuzz_configure(driver, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    }
    rdp_reset(&driver->dev);
}

/* DMA while the device must not master the bus */

static bool masters_bus(const RdpFuzzDriver *driver)
{
    return !driver->pci ||
           (pci_get_word(driver->pci->config + PCI_COMMAND) &
            PCI_COMMAND_MASTER && is_in_d0(driver));
}

/* What is under way when bus mastering ends may go on, but not after a reset */
void rdp_fuzz_note_rest(void)
{
    unsigned i;

    for (i = 0; i < rdp_fuzz.n_drivers; i++) {
        RdpFuzzDriver *driver = &rdp_fuzz.drivers[i];

        if (masters_bus(driver)) {
            driver->at_rest = false;
        } else if (!driver->vdev->status) {
            driver->at_rest = true;
        }
    }
}

static bool dma_expected(void)
{
    unsigned i;

    for (i = 0; i < rdp_fuzz.n_drivers; i++) {
        if (!rdp_fuzz.drivers[i].at_rest) {
            return true;
        }
    }
    return false;
}

bool rdp_fuzz_fence(void)
{
    if (dma_expected()) {
        return false;
    }
    g_assert_cmpint(mprotect(rdp_fuzz.pool, RDP_POOL_SIZE, PROT_NONE), ==, 0);
    return true;
}

void rdp_fuzz_unfence(bool fenced)
{
    if (fenced) {
        g_assert_cmpint(mprotect(rdp_fuzz.pool, RDP_POOL_SIZE,
                                 PROT_READ | PROT_WRITE), ==, 0);
    }
}

void rdp_fuzz_kick(RdpFuzzDriver *driver, unsigned queue)
{
    RdpRing ring = { .dev = &driver->dev, .queue = queue };
    bool fenced = rdp_fuzz_fence();

    rdp_ring_kick(&ring);
    rdp_fuzz_unfence(fenced);
}

void rdp_fuzz_run_events(void)
{
    bool fenced = rdp_fuzz_fence();
    unsigned i;

    for (i = 0; i < EVENTS_MAX && g_main_context_pending(NULL); i++) {
        rdp_limits_enter("main loop");
        main_loop_wait(false);
    }
    rdp_fuzz_unfence(fenced);
}
