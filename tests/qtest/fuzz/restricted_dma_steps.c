/*
 * Restricted DMA pools: what the driver of the fuzzer does
 *
 * Each byte of the input that names a step is followed by what the step takes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "fuzz.h"
#include "restricted_dma_fuzz.h"
#include "restricted_dma_limits.h"

#define BAR_USED        0x4000  /* common, ISR, device and notify registers */
#define MMIO_USED       0x200
#define BUFS_MAX        1100    /* more than an indirect table may have */
#define ANSWERS         0x010000    /* offset from RDP_BUFFERS */

/* Start and reset */

static uint64_t take_features(RdpInput *in, RdpDevice *dev)
{
    uint64_t features = rdp_offered(dev);
    uint8_t keep = rdp_take(in, 1);

    if (!(keep & 1)) {
        features &= ~BIT_ULL(VIRTIO_F_RING_PACKED);
    }
    if (!(keep & 2)) {
        features &= ~BIT_ULL(VIRTIO_F_IN_ORDER);
    }
    if (keep & 4) {
        features &= ~BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
    }
    if (keep & 8) {
        features &= ~BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
    }
    if (keep & 16) {
        features &= ~BIT_ULL(VIRTIO_F_RING_RESET);
    }
    if (rdp_take_fault(in)) {
        features ^= BIT_ULL(rdp_take(in, 1) % 64);
    }
    return features;
}

/* From reset to DRIVER_OK */
static void step_start(RdpInput *in, RdpFuzzDriver *driver)
{
    uint64_t features = take_features(in, &driver->dev);
    uint8_t rings = rdp_take(in, 1);
    unsigned i;

    driver->packed = features & BIT_ULL(VIRTIO_F_RING_PACKED);
    if (rdp_take_fault(in)) {
        rdp_accept(&driver->dev, features);
    } else {
        rdp_negotiate(&driver->dev, features);
        rdp_fuzz_note_rest();
    }
    for (i = 0; i < driver->n_rings; i++) {
        if (rings & BIT(i)) {
            /* This one is made by the input, and may be left out */
            if (rdp_take_fault(in)) {
                continue;
            }
            rdp_fuzz_enable_ring(in, driver, i);
        } else {
            RdpInput zeros = { };

            rdp_fuzz_enable_ring(&zeros, driver, i);
        }
    }
    if (!rdp_take_fault(in)) {
        rdp_driver_ok(&driver->dev);
    }
}

static void step_reset(RdpInput *in, RdpFuzzDriver *driver)
{
    rdp_set_status(&driver->dev, 0);
}

static void step_status(RdpInput *in, RdpFuzzDriver *driver)
{
    rdp_set_status(&driver->dev, rdp_take(in, 1));
}

/* Rings of a running device */

static void step_reset_ring(RdpInput *in, RdpFuzzDriver *driver)
{
    rdp_ring_begin_reset(rdp_fuzz_take_ring(in, driver));
}

/* Without a reset of the queue before it, that is the second time */
static void step_enable_ring(RdpInput *in, RdpFuzzDriver *driver)
{
    rdp_fuzz_enable_ring(in, driver, rdp_take(in, 1) % driver->n_rings);
}

static void step_replace_ring(RdpInput *in, RdpFuzzDriver *driver)
{
    RdpRing *ring = rdp_fuzz_take_ring(in, driver);

    rdp_ring_begin_reset(ring);
    rdp_fuzz_enable_ring(in, driver, ring->queue);
}

static void step_kick(RdpInput *in, RdpFuzzDriver *driver)
{
    uint8_t queue = rdp_take(in, 1);
    unsigned n = rdp_take_fault(in) ? rdp_take(in, 1) : 1;

    if (queue < 0xf0) {
        queue %= driver->n_rings;
    }
    while (n--) {
        rdp_fuzz_kick(driver, queue);
    }
}

/* Requests */

typedef struct Request {
    RdpBuf bufs[BUFS_MAX];
    unsigned n;
    unsigned queue;
    unsigned slot;              /* of header, answer and indirect table */
    uint16_t in_len;
    uint16_t data_len;
} Request;

static uint64_t header_addr(unsigned slot)
{
    return rdp_fuzz.guest.base + RDP_BUFFERS + slot * RDP_FUZZ_STRIDE;
}

static uint64_t answer_addr(unsigned slot)
{
    return header_addr(slot) + ANSWERS;
}

static uint64_t data_addr(unsigned slot)
{
    return answer_addr(slot) + RDP_FUZZ_STRIDE / 2;
}

/* A template with some bytes changed, or bytes of the input */
static size_t take_header(RdpInput *in, RdpFuzzDriver *driver, Request *req,
                          uint8_t *header)
{
    uint8_t which = rdp_take(in, 1);
    const RdpTemplate *template;
    unsigned patches;

    if (which >= 0xe0) {
        req->in_len = rdp_take(in, 1) * 8;
        return rdp_take_bytes(in, header,
                              rdp_take(in, 1) % (RDP_FUZZ_HEADER + 1));
    }
    template = &driver->kind->templates[which % driver->kind->n_templates];
    req->queue = template->queue;
    req->in_len = template->in_len;
    req->data_len = template->data_len;
    if (template->out_len) {
        memcpy(header, template->out, template->out_len);
    }
    if (template->addr_at) {
        stq_le_p(header + template->addr_at, rdp_take_addr(in));
    }
    for (patches = rdp_take(in, 1) % 4; patches && template->out_len;
         patches--) {
        unsigned at = rdp_take(in, 1) % template->out_len;

        header[at] = rdp_take(in, 1);
    }
    return template->out_len;
}

static void add_buf(Request *req, RdpBuf buf)
{
    if (req->n < BUFS_MAX) {
        req->bufs[req->n++] = buf;
    }
}

/* Header, data that the device reads, and space for its answer */
static void take_bufs(RdpInput *in, Request *req, size_t header_len)
{
    uint8_t shape = rdp_take(in, 1);
    unsigned i;

    if (header_len) {
        add_buf(req, rdp_take_buf(in, header_addr(req->slot), header_len,
                                  false));
    }
    for (i = 0; i < (shape & 3); i++) {
        add_buf(req, rdp_take_buf(in, answer_addr(req->slot), 512, false));
    }
    if (req->in_len) {
        add_buf(req, rdp_take_buf(in, answer_addr(req->slot), req->in_len,
                                  true));
    }
    if (req->data_len) {
        add_buf(req, rdp_take_buf(in, data_addr(req->slot), req->data_len,
                                  true));
    }
    for (i = 0; i < (shape >> 2 & 3) || !req->n; i++) {
        add_buf(req, rdp_take_buf(in, data_addr(req->slot), 256, true));
    }
    if (shape >= 0xf0) {
        unsigned copies = rdp_take(in, 2) % BUFS_MAX;
        RdpBuf buf = req->bufs[req->n - 1 - shape % 2 * (req->n > 1)];

        /* Behind the header, and before what the device writes */
        for (i = 0; i < copies && req->n < BUFS_MAX; i++) {
            unsigned at = buf.device_writes ? req->n : 1;

            memmove(&req->bufs[at + 1], &req->bufs[at],
                    (req->n++ - at) * sizeof(buf));
            req->bufs[at] = buf;
        }
    }
}

static uint64_t take_table(RdpInput *in, RdpRing *ring, Request *req)
{
    uint8_t form = rdp_take(in, 1);

    if (form < 0x80) {
        return req->n < ring->size ? RDP_NO_TABLE
               : rdp_fuzz.guest.base + RDP_TABLE;
    }
    if (form < 0xe0) {
        return rdp_fuzz.guest.base + RDP_TABLE + req->slot * RDP_FUZZ_STRIDE;
    }
    return rdp_take_addr(in) & ~15;
}

static void step_request(RdpInput *in, RdpFuzzDriver *driver)
{
    static Request req;
    uint8_t place = rdp_take(in, 1);
    uint8_t header[RDP_FUZZ_HEADER];
    size_t header_len;
    uint64_t table;
    RdpRing *ring;

    req.n = 0;
    req.queue = 0;
    req.data_len = 0;
    req.slot = place % 16;
    header_len = take_header(in, driver, &req, header);
    if (place & 0x80) {
        req.queue = place >> 4;
    }
    ring = &driver->rings[req.queue % driver->n_rings];

    take_bufs(in, &req, header_len);
    table = take_table(in, ring, &req);
    rdp_poke(&rdp_fuzz.guest, header_addr(req.slot), header, header_len);
    rdp_ring_add(ring, req.bufs, req.n, table);
    if (!(place & 0x40)) {
        rdp_fuzz_kick(driver, ring->queue);
    }
}

/* One descriptor of any kind, in a ring or in an indirect table */
static void step_descriptor(RdpInput *in, RdpFuzzDriver *driver)
{
    RdpRing *ring = rdp_fuzz_take_ring(in, driver);
    uint64_t table = rdp_take(in, 1) & 1 ? rdp_fuzz.guest.base + RDP_TABLE
                                         : ring->desc;
    unsigned index = rdp_take(in, 1) % RDP_RING_SIZE;
    struct vring_desc desc = { };

    desc.addr = cpu_to_le64(rdp_take_addr(in));
    desc.len = cpu_to_le32(rdp_take_len(in));
    desc.flags = cpu_to_le16(rdp_take(in, 2));
    desc.next = cpu_to_le16(rdp_take(in, 1));
    rdp_poke(&rdp_fuzz.guest, table + index * sizeof(desc), &desc,
             sizeof(desc));
}

/* The head of a chain, the index, or what suppresses interrupts */
static void step_poke_ring(RdpInput *in, RdpFuzzDriver *driver)
{
    RdpRing *ring = rdp_fuzz_take_ring(in, driver);
    uint8_t offset = rdp_take(in, 1);
    uint16_t value = cpu_to_le16(rdp_take(in, 2));

    rdp_poke(&rdp_fuzz.guest,
             (offset & 0x80 ? ring->used : ring->avail) + offset % 64, &value,
             sizeof(value));
}

static void step_poke_pool(RdpInput *in, RdpFuzzDriver *driver)
{
    uint8_t bytes[64];
    uint64_t addr = rdp_take_addr(in);
    size_t len = rdp_take_bytes(in, bytes, 1 + rdp_take(in, 1) % 64);

    rdp_poke(&rdp_fuzz.guest, addr, bytes, len);
}

/* Any register: the device configuration, queue sizes, another feature word */
static void step_register(RdpInput *in, RdpFuzzDriver *driver)
{
    RdpDevice *dev = &driver->dev;
    QTestState *qts = dev->guest->qts;
    unsigned offset = rdp_take(in, 2);
    uint64_t value = rdp_take(in, 4);
    uint8_t width = rdp_take(in, 1);
    uint64_t addr = dev->mmio ? dev->mmio + offset % (MMIO_USED - 4)
                              : dev->bar.addr + offset % (BAR_USED - 4);

    switch (width % 4) {
    case 0:
        qtest_writeb(qts, addr, value);
        break;
    case 1:
        qtest_writew(qts, addr, value);
        break;
    case 2:
        qtest_writel(qts, addr, value);
        break;
    case 3:
        qtest_readl(qts, addr);
        break;
    }
}

static void step_events(RdpInput *in, RdpFuzzDriver *driver)
{
    rdp_fuzz_run_events();
}

/* What a step needs */
#define REGISTERS   1           /* at an address of their own */
#define PCI         2

/*
 * Starts and requests come first and often: the others build on them.  A change
 * of the order or the weights makes the corpora worthless.
 */
static const struct {
    const char *name;
    RdpFuzzStep *run;
    unsigned needs;
    unsigned weight;
} steps[] = {
    { "start", step_start, REGISTERS, 2 },
    { "request", step_request, REGISTERS, 8 },
    { "events", step_events, 0, 3 },
    { "kick", step_kick, REGISTERS, 2 },
    { "replace ring", step_replace_ring, REGISTERS, 2 },
    { "reset ring", step_reset_ring, REGISTERS, 1 },
    { "enable ring", step_enable_ring, REGISTERS, 1 },
    { "descriptor", step_descriptor, 0, 1 },
    { "poke ring", step_poke_ring, 0, 1 },
    { "poke pool", step_poke_pool, 0, 1 },
    { "reset", step_reset, REGISTERS, 1 },
    { "status", step_status, REGISTERS, 1 },
    { "register", step_register, REGISTERS, 1 },
    { "bus master", rdp_step_bus_master, PCI, 2 },
    { "power", rdp_step_power, PCI, 1 },
    { "function reset", rdp_step_function_reset, PCI, 1 },
    { "bus reset", rdp_step_bus_reset, PCI, 1 },
    { "configure", rdp_step_configure, PCI, 1 },
    { "cfg window", rdp_step_cfg_window, PCI, 1 },
    { "config space", rdp_step_config_space, PCI, 1 },
    { "query pools", rdp_step_query_pools, 0, 1 },
    { "query status", rdp_step_query_status, 0, 1 },
    { "query queue", rdp_step_query_queue, 0, 1 },
    { "query element", rdp_step_query_element, 0, 1 },
    { "clock", rdp_step_clock, 0, 2 },
    { "pause", rdp_step_pause, 0, 1 },
    { "host event", rdp_step_host_event, 0, 1 },
};

/* The weights are those of one time round the table */
static unsigned take_step(RdpInput *in)
{
    unsigned left = rdp_take(in, 1), i = 0;

    while (left >= steps[i].weight) {
        left -= steps[i].weight;
        i = (i + 1) % ARRAY_SIZE(steps);
    }
    return i;
}

void rdp_fuzz_run_step(RdpInput *in)
{
    unsigned step = take_step(in), n = rdp_fuzz.n_drivers;
    RdpFuzzDriver *driver = &rdp_fuzz.drivers[n > 1 ? rdp_take(in, 1) % n : 0];

    if (rdp_limits_left_out(steps[step].name) ||
        (steps[step].needs & PCI && !driver->pci) ||
        (steps[step].needs & REGISTERS && !rdp_fuzz_reachable(driver))) {
        return;
    }
    rdp_limits_enter(steps[step].name);
    steps[step].run(in, driver);
    rdp_fuzz_note_rest();
    rdp_limits_check();
}
