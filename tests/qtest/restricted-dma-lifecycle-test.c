/*
 * Restricted DMA pools: requests that outlive their queue
 *
 * Whatever the driver does while the device has requests of it: they end
 * without a trace, QEMU goes on, and a driver that resets the device can use
 * it, also elsewhere after migration.  Nor can requests make QEMU work or grow
 * without end.
 *
 * Each case is a sequence of steps, which runs on all types of devices, with
 * split and packed rings, with and without ioeventfd, in IOThreads, and with
 * virtio-mmio: all of that with -m slow, and else what is likely to differ.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "restricted-dma/circle.h"
#include "restricted-dma/holder.h"
#include "restricted-dma/host.h"

#define FORGOTTEN       0x5a            /* fills memory taken back */
#define SMALL_RING      2
#define LARGE_RING      1024            /* busy for longer than a time slice */
#define ROUNDS          8               /* of what a driver does often */
#define POLLS           20
#define GROWTH          (64 * MiB)      /* of resident memory ... */
#define GROWTH_ADDRESS  (1 * GiB)       /* ... and of address space */
#define TABLE_ENTRIES   1022            /* QEMU takes 1024, and no more */

typedef void Step(RdpHolder *h);

/* Memory that was given to the device, and taken back */

static void forget(RdpHolder *h, unsigned area)
{
    memset(rdp_area_mem(h, area), FORGOTTEN, RDP_AREA);
}

static void assert_forgotten(RdpHolder *h, unsigned area)
{
    const uint8_t *mem = rdp_area_mem(h, area);
    unsigned i;

    for (i = 0; i < RDP_AREA; i++) {
        if (mem[i] != FORGOTTEN) {
            g_error("area %u: 0x%02x at 0x%x", area, mem[i], i);
        }
    }
}

/* The ring is taken back; it is in the other area from now on */
static void forget_ring(RdpHolder *h)
{
    forget(h, h->area);
    h->area ^= 1;
}

static void assert_ring_forgotten(RdpHolder *h)
{
    assert_forgotten(h, h->area ^ 1);
}

/* Everything is taken back; begin() will use the other areas */
static void forget_all(RdpHolder *h)
{
    forget(h, h->area);
    forget(h, h->ctrl_area);
}

static void assert_all_forgotten(RdpHolder *h)
{
    assert_forgotten(h, h->area ^ 1);
    assert_forgotten(h, h->ctrl_area ^ 1);
}

/* What the host still works on ends now, and would show */
static void linger(RdpHolder *h)
{
    unsigned i;

    rdp_holder_release(h);
    for (i = 0; i < POLLS; i++) {
        rdp_holder_poll(h);
    }
    rdp_settle(h->guest->qts);
}

/* Service */

static void begin(RdpHolder *h)
{
    rdp_holder_begin(h);
}

static void hold(RdpHolder *h)
{
    rdp_holder_hold(h);
}

/* More than once round a small ring */
static void serve(RdpHolder *h)
{
    unsigned i;

    for (i = 0; i < 2 * SMALL_RING + 1; i++) {
        rdp_holder_serve(h);
    }
    g_assert_false(rdp_needs_reset(&h->dev));
}

/* Reset of a queue */

static bool queue_is_enabled(RdpHolder *h)
{
    RdpDevice *dev = &h->dev;

    rdp_common_writew(dev, VIRTIO_PCI_COMMON_Q_SELECT, h->type->queue);
    if (dev->mmio) {
        return rdp_common_readl(dev, VIRTIO_PCI_COMMON_Q_ENABLE);
    }
    return qpci_io_readw(dev->pci, dev->bar,
                         dev->common + VIRTIO_PCI_COMMON_Q_ENABLE);
}

/* With virtio-mmio, the one register is for both */
static void reset_queue(RdpHolder *h)
{
    rdp_ring_begin_reset(&h->ring);
    g_assert_true(h->variant->mmio || !queue_is_enabled(h));
}

/* While the host works on requests of it, the queue cannot be used again */
static void assert_queue_waits(RdpHolder *h)
{
    if (h->type->holds != RDP_HOLDS_BUSY || !(h->type->traits & RDP_LASTS)) {
        return;
    }
    g_assert_true(rdp_ring_resetting(&h->ring));
    rdp_common_writew(&h->dev, VIRTIO_PCI_COMMON_Q_ENABLE, 1);
    g_assert_true(rdp_ring_resetting(&h->ring));
    g_assert_true(h->variant->mmio || !queue_is_enabled(h));
}

static bool queue_reset_gets_over(RdpHolder *h)
{
    if (h->type->holds == RDP_HOLDS_BUSY) {
        rdp_holder_poll(h);
    }
    return !rdp_ring_resetting(&h->ring);
}

/* The device drops what waits in it by itself; for the host it has to wait */
static void await_queue(RdpHolder *h)
{
    if (h->type->holds == RDP_HOLDS_BUSY) {
        rdp_holder_release(h);
    }
    RDP_WAIT_FOR(queue_reset_gets_over(h));
}

static void renew_ring(RdpHolder *h)
{
    rdp_holder_ring(h, &h->ring, h->type->queue, h->area, SMALL_RING);
    g_assert_true(queue_is_enabled(h));
}

/* Nothing was returned in the new ring, except that flags may have changed */
static void assert_ring_unused(RdpHolder *h)
{
    g_autofree uint8_t *mem = g_memdup2(rdp_area_mem(h, h->area), RDP_AREA);

    memset(mem + RDP_AREA_USED, 0,
           h->packed ? sizeof(struct vring_packed_desc_event)
                     : sizeof(uint16_t));
    g_assert_true(buffer_is_zero(mem, RDP_AREA));
}

/* Reset of the device, by itself or from outside */

static void reset_device(RdpHolder *h)
{
    rdp_reset(&h->dev);
}

static void reset_function(RdpHolder *h)
{
    uint8_t cap = qpci_find_capability(h->dev.pci, PCI_CAP_ID_EXP, 0);

    g_assert_cmphex(cap, !=, 0);
    qpci_config_writew(h->dev.pci, cap + PCI_EXP_DEVCTL,
                       PCI_EXP_DEVCTL_BCR_FLR);
}

static void reset_machine(RdpHolder *h)
{
    qtest_system_reset(h->guest->qts);
}

static void find(RdpHolder *h)
{
    rdp_holder_find(h);
    g_assert_cmphex(rdp_status(&h->dev), ==, 0);
}

/* Bus mastering */

/*
 * Requests end while bus mastering is off: they come back later, or the device
 * says that it has lost them.
 */
static void bounce_master(RdpHolder *h)
{
    hold(h);
    rdp_set_master(&h->dev, false);
    linger(h);
    rdp_set_master(&h->dev, true);
    /* virtio-pci has taken it away */
    rdp_driver_ok(&h->dev);
    rdp_ring_kick(&h->ring);
    RDP_WAIT_FOR((rdp_holder_poll(h),
                  rdp_needs_reset(&h->dev) || rdp_holder_done(h)));
    if (rdp_needs_reset(&h->dev)) {
        begin(h);
    }
}

static void bounce_master_often(RdpHolder *h)
{
    unsigned i;

    for (i = 0; i < ROUNDS; i++) {
        bounce_master(h);
        rdp_assert_answers(h->guest->qts);
    }
}

/* Rings are moved under an enabled queue */
static void enable_twice(RdpHolder *h)
{
    hold(h);
    rdp_holder_ring(h, &h->ring, h->type->queue, h->area ^ 1, SMALL_RING);
    rdp_wait_needs_reset(&h->dev);
    rdp_holder_release(h);
}

/* Migration: the driver goes on with the device on the other side */

static void adopt(RdpHolder *h, RdpHolder *to)
{
    to->packed = h->packed;
    to->area = h->area;
    to->ctrl_area = h->ctrl_area;
    to->held = h->held;
    to->ring = h->ring;
    to->ctrl = h->ctrl;
    to->ring.dev = to->ctrl.dev = &to->dev;
}

/* Put @to in the place of @h, which is no more */
static void replace(RdpHolder *h, RdpHolder *to)
{
    RdpHolder old = *h;

    *h = *to;
    h->ring.dev = h->ctrl.dev = &h->dev;
    *to = old;
    rdp_holder_stop(to);
}

static void migrate(RdpHolder *h)
{
    RdpMigrationFiles files;
    RdpHolder *to;

    rdp_migration_files_init(&files);
    to = rdp_holder_start(h->type, h->variant, &files);
    rdp_save(&files, h->guest->qts);
    rdp_load(&files, to->guest->qts, "completed");
    adopt(h, to);
    replace(h, to);
    rdp_migration_files_cleanup(&files);
    if (!h->held) {
        rdp_continue(h->guest->qts);
    }
    rdp_holder_find(h);
}

/*
 * A request in a table that is as long as can be: every entry but those that
 * the type needs is @memory, or the first byte of its payload if that is NULL.
 */
static void add_long(RdpHolder *h, void (*fill)(RdpHolder *h), uint64_t table,
                     const RdpBuf *memory)
{
    RdpBuf entries[TABLE_ENTRIES];
    unsigned first = h->type->payload, after, i;

    rdp_holder_new(h, &h->ring, h->area);
    fill(h);
    if (h->type->chain_each) {
        h->n = 1;
    }
    after = h->n - 1 - first;
    for (i = 0; i < TABLE_ENTRIES; i++) {
        if (i < first) {
            entries[i] = h->bufs[i];
        } else if (i >= TABLE_ENTRIES - after) {
            entries[i] = h->bufs[h->n - (TABLE_ENTRIES - i)];
        } else {
            entries[i] = memory ? *memory :
                         (RdpBuf) { h->bufs[first].addr, 1 };
            entries[i].device_writes = h->bufs[first].device_writes;
        }
    }
    rdp_ring_add(&h->ring, entries, TABLE_ENTRIES, table);
}

/* Bounded work: another CPU makes requests as fast as the device serves them */

#define FEED_USEC       (2 * G_USEC_PER_SEC)
#define MIX             64
#define SLOW_TABLE      0x4000          /* behind that of the quick requests */

typedef struct Feeder {
    RdpHolder *h;
    GThread *thread;
    unsigned position;          /* packed: of the next descriptor ... */
    unsigned entries;           /* ... and of its table */
    bool mixed;                 /* one request in MIX is a slow one */
    bool stop;
} Feeder;

static bool is_slow(const Feeder *feeder, unsigned index)
{
    return feeder->mixed && index % MIX == 1;
}

static void feed_split(RdpHolder *h)
{
    uint8_t *mem = rdp_area_mem(h, h->area);
    const struct vring_used *used = (void *)(mem + RDP_AREA_USED);
    struct vring_avail *avail = (void *)(mem + RDP_AREA_AVAIL);
    uint16_t done = le16_to_cpu(qatomic_load_acquire(&used->idx));

    qatomic_store_release(&avail->idx, cpu_to_le16(done + h->ring.size));
}

/* Make the next descriptor available again, if the device has returned it */
static void feed_packed(Feeder *feeder)
{
    const uint16_t avail = 1 << VRING_PACKED_DESC_F_AVAIL;
    const uint16_t used = 1 << VRING_PACKED_DESC_F_USED;
    RdpHolder *h = feeder->h;
    unsigned index = feeder->position % h->ring.size;
    bool odd = feeder->position / h->ring.size % 2;
    struct vring_packed_desc *desc = (void *)rdp_area_mem(h, h->area);
    uint16_t flags;

    desc += index;
    flags = le16_to_cpu(qatomic_load_acquire(&desc->flags));
    if ((flags & (avail | used)) != (odd ? avail | used : 0)) {
        return;
    }
    desc->addr = cpu_to_le64(rdp_area(h, h->area) + RDP_AREA_TABLES +
                             (is_slow(feeder, index) ? SLOW_TABLE : 0));
    desc->len = cpu_to_le32(feeder->entries * sizeof(*desc));
    desc->id = cpu_to_le16(index);
    flags = VRING_DESC_F_INDIRECT | (odd ? used : avail);
    qatomic_store_release(&desc->flags, cpu_to_le16(flags));
    feeder->position++;
}

static void *feed(void *opaque)
{
    Feeder *feeder = opaque;
    int64_t end = g_get_monotonic_time() + FEED_USEC;

    while (!qatomic_read(&feeder->stop) && g_get_monotonic_time() < end) {
        if (feeder->h->packed) {
            feed_packed(feeder);
        } else {
            feed_split(feeder->h);
        }
    }
    return NULL;
}

/* The first request, in a table that all others use as well */
static void add_template(RdpHolder *h)
{
    rdp_holder_new(h, &h->ring, h->area);
    if (h->type->quick) {
        h->type->quick(h);
    } else {
        h->type->fill(h);
    }
    if (h->type->chain_each) {
        h->n = 1;
    }
    rdp_ring_add(&h->ring, h->bufs, h->n,
                 rdp_area(h, h->area) + RDP_AREA_TABLES);
}

static void assert_notified_in_time(RdpHolder *h)
{
    int64_t start = g_get_monotonic_time();

    rdp_ring_kick(&h->ring);
    rdp_assert_answers_since(h->guest->qts, start);
}

static void flood(RdpHolder *h)
{
    Feeder feeder = { .h = h, .position = 1 };
    unsigned i;

    reset_queue(h);
    await_queue(h);
    forget_ring(h);
    rdp_holder_ring(h, &h->ring, h->type->queue, h->area, LARGE_RING);
    add_template(h);
    feeder.entries = h->n;
    feeder.thread = g_thread_new("feeder", feed, &feeder);
    for (i = 0; i < POLLS; i++) {
        rdp_holder_poll(h);
        assert_notified_in_time(h);
    }
    qatomic_set(&feeder.stop, true);
    g_thread_join(feeder.thread);
}

/* A queue full of requests that take their time, without another CPU */

static bool whole_queue_is_used(RdpHolder *h)
{
    const uint8_t *mem = rdp_area_mem(h, h->area);
    const struct vring_used *used = (void *)(mem + RDP_AREA_USED);
    const struct vring_packed_desc *descs = (void *)mem;
    const uint16_t flags = 1 << VRING_PACKED_DESC_F_AVAIL |
                           1 << VRING_PACKED_DESC_F_USED;

    if (h->packed) {
        return (le16_to_cpu(qatomic_read(&descs[h->ring.size - 1].flags)) &
                flags) == flags;
    }
    return le16_to_cpu(qatomic_read(&used->idx)) == h->ring.size;
}

/* All but the first requests of a large ring */
static void add_others(Feeder *feeder)
{
    RdpHolder *h = feeder->h;
    struct vring_avail *avail = (void *)(rdp_area_mem(h, h->area) +
                                         RDP_AREA_AVAIL);
    unsigned i;

    feeder->position = h->ring.added;
    while (h->packed && feeder->position < LARGE_RING) {
        feed_packed(feeder);
    }
    if (!h->packed) {
        for (i = 0; i < LARGE_RING; i++) {
            avail->ring[i] = cpu_to_le16(is_slow(feeder, i));
        }
        feed_split(h);
    }
}

/* It takes more time than a slice has.  One in MIX even waits for the host. */
static void fill_queue(RdpHolder *h)
{
    const RdpHolderType *type = h->type;
    Feeder feeder = {
        .h = h, .entries = TABLE_ENTRIES, .mixed = type->quick
    };
    uint64_t table;

    rdp_holder_renew_ring(h, LARGE_RING);
    table = rdp_area(h, h->area) + RDP_AREA_TABLES;
    add_long(h, type->quick ?: type->fill, table, NULL);
    if (feeder.mixed) {
        add_long(h, type->fill, table + SLOW_TABLE, NULL);
    }
    add_others(&feeder);
    rdp_ring_kick(&h->ring);
}

/* A doorbell does not wait for all of them */
static void serve_queue(RdpHolder *h)
{
    fill_queue(h);
    g_assert_false(whole_queue_is_used(h));
    RDP_WAIT_FOR(whole_queue_is_used(h));
}

/* A reset waits for those that the device has taken, which may be all */
static void reset_full_queue(RdpHolder *h)
{
    fill_queue(h);
    reset_device(h);
}

/* Requests that make each other, without another CPU */
static void circle(RdpHolder *h)
{
    h->circle = h->type->circle(h);
    assert_notified_in_time(h);
    rdp_assert_circling(h->guest, h->circle);
}

/* The machine stops, and goes on: so does the device */
static void stop_and_go(RdpHolder *h)
{
    rdp_settle(h->guest->qts);
    rdp_assert_circling(h->guest, h->circle);
}

/* Bounded memory: a request for much more than there is */

static void add_aliases(RdpHolder *h)
{
    const RdpBuf pool = { h->base, RDP_NEIGHBOUR_SIZE };
    uint64_t table = rdp_area(h, h->area) + RDP_AREA_TABLES;

    add_long(h, h->type->fill, table, &pool);
    if (h->type->chain_each) {
        add_long(h, h->type->fill, table, &pool);
    }
}

static void alias(RdpHolder *h)
{
    QTestState *qts = h->guest->qts;
    int64_t resident = rdp_memory(qts, "VmRSS");
    int64_t address_space = rdp_memory(qts, "VmSize");

    add_aliases(h);
    rdp_ring_kick(&h->ring);
    RDP_WAIT_FOR((rdp_holder_poll(h),
                  rdp_needs_reset(&h->dev) || rdp_holder_done(h)));
    g_assert_cmpint(rdp_memory(qts, "VmHWM"), <, resident + GROWTH);
    g_assert_cmpint(rdp_memory(qts, "VmPeak"), <,
                    address_space + GROWTH_ADDRESS);
}

/* Sequences */

#define STEPS   16

/* Where a case runs if there is not the time to run it everywhere */
#define PCI             BIT(0)
#define NO_IOEVENTFD    BIT(1)
#define IOTHREAD        BIT(2)
#define MMIO            BIT(3)
#define SPLIT           BIT(4)
#define PACKED          BIT(5)
#define BOTH            (SPLIT | PACKED)

typedef struct Case {
    const char *name;
    unsigned quick;             /* PCI ... PACKED */
    unsigned needs;             /* traits of the type */
    unsigned avoids;
    bool pci;                   /* not for MMIO */
    bool packed;                /* for packed rings only */
    Step *steps[STEPS];
} Case;

static const Case cases[] = {
    { "queue-reset", PCI | NO_IOEVENTFD | IOTHREAD | MMIO | BOTH, .steps = {
        begin, hold, reset_queue, assert_queue_waits, await_queue,
        forget_ring, renew_ring, linger, assert_ring_unused,
        assert_ring_forgotten, serve, assert_ring_forgotten } },
    { "device-reset", PCI | NO_IOEVENTFD | IOTHREAD | BOTH,
      .avoids = RDP_NO_RESET, .steps = {
        begin, hold, reset_device, forget_all, linger, begin, serve,
        assert_all_forgotten } },
    { "function-reset", PCI | BOTH, .avoids = RDP_NO_RESET | RDP_SECOND,
      .pci = true, .steps = {
        begin, hold, reset_function, forget_all, linger, find, begin, serve,
        assert_all_forgotten } },
    { "machine-reset", PCI | MMIO | BOTH, .avoids = RDP_NO_RESET | RDP_SECOND,
      .steps = {
        begin, hold, reset_machine, forget_all, linger, find, begin, serve,
        assert_all_forgotten } },
    { "bus-master", PCI | NO_IOEVENTFD | IOTHREAD | BOTH,
      .avoids = RDP_NO_RESET, .pci = true, .steps = {
        begin, bounce_master_often, reset_device, begin, serve } },
    { "enable-twice", PCI | MMIO | BOTH, .avoids = RDP_NO_RESET | RDP_SECOND,
      .steps = {
        begin, serve, enable_twice, begin, serve } },
    { "flood", PCI | IOTHREAD | BOTH, .avoids = RDP_NO_RESET | RDP_STOPS,
      .steps = {
        begin, flood, begin, serve } },
    { "full", PCI | NO_IOEVENTFD | BOTH, .needs = RDP_AT_ONCE, .steps = {
        begin, serve_queue, begin, serve } },
    { "full-reset", PCI | NO_IOEVENTFD | BOTH, .needs = RDP_AT_ONCE,
      .steps = {
        begin, reset_full_queue, forget_all, linger, begin, serve,
        assert_all_forgotten } },
    { "circle", PCI | NO_IOEVENTFD | PACKED, .needs = RDP_CIRCLE,
      .packed = true, .steps = {
        begin, circle, stop_and_go, begin, serve } },
    { "alias", PCI | BOTH, .avoids = RDP_NO_RESET | RDP_STOPS, .steps = {
        begin, serve, alias, begin, serve } },

    { "migrate/queue-reset", PCI | SPLIT, RDP_MIGRATES, RDP_SECOND, .steps = {
        begin, hold, reset_queue, await_queue, forget_ring, renew_ring, linger,
        serve, migrate, serve, assert_ring_forgotten } },
    { "migrate/device-reset", MMIO | PACKED, RDP_MIGRATES, RDP_SECOND,
      .steps = {
        begin, hold, reset_device, linger, begin, serve, migrate, serve, begin,
        serve } },
    { "migrate/bus-master", PCI | PACKED, RDP_MIGRATES, RDP_SECOND,
      .pci = true, .steps = {
        begin, bounce_master_often, migrate, serve, begin, serve } },
    { "migrate/pending", PCI | IOTHREAD | BOTH, RDP_MIGRATES | RDP_STOPS,
      .steps = {
        begin, hold, reset_queue, migrate, assert_queue_waits, await_queue,
        forget_ring, renew_ring, linger, assert_ring_unused,
        assert_ring_forgotten, serve } },
};

static const RdpVariant variants[] = {
    { "pci", "" },
    { "pci-no-ioeventfd", ",ioeventfd=off", .trait = RDP_IOEVENTFD },
    { "pci-iothread", ",iothread=io0", .trait = RDP_IOTHREAD },
    { "mmio", "", .mmio = true },
};

typedef struct Test {
    const RdpHolderType *type;
    const RdpVariant *variant;
    bool packed;
    const Case *c;
} Test;

/* The next test goes on with the same machine, if it has the same device */
static RdpHolder *machine;

static void stop_machine(void)
{
    if (machine) {
        rdp_holder_stop(machine);
    }
    machine = NULL;
}

static void run(const void *data)
{
    const Test *test = data;
    Step *const *step;

    if (!rdp_holder_is_possible(test->type)) {
        g_test_skip("the host has no tap devices, or no namespaces");
        return;
    }
    if (machine && (machine->type != test->type ||
                    machine->variant != test->variant)) {
        stop_machine();
    }
    if (!machine) {
        machine = rdp_holder_start(test->type, test->variant, NULL);
    }
    machine->packed = test->packed;
    for (step = test->c->steps; *step; step++) {
        rdp_begin_attack();
        (*step)(machine);
        rdp_assert_survived(machine->guest->qts);
    }
    if (test->type->traits & RDP_STOPS && test->c->needs & RDP_MIGRATES) {
        /* The disk of the destination does not fail */
        stop_machine();
    }
}

static bool exists(const Test *test)
{
    unsigned traits = test->type->traits;
    const RdpVariant *variant = test->variant;
    const Case *c = test->c;

    return !(variant->trait & ~traits) &&
           (c->needs & traits) == c->needs && !(c->avoids & traits) &&
           !(c->pci && variant->mmio) && (!c->packed || test->packed);
}

static bool is_quick(const Test *test)
{
    unsigned variant = BIT(test->variant - variants);

    return test->c->quick & variant &&
           test->c->quick & (test->packed ? PACKED : SPLIT) &&
           (variant == PCI || !(test->type->traits & RDP_SECOND));
}

static void add(const RdpHolderType *type, const RdpVariant *variant,
                bool packed, const Case *c)
{
    Test test = { type, variant, packed, c };
    g_autofree char *path = g_strdup_printf(
        "/restricted-dma/lifecycle/%s/%s/%s/%s", type->name, variant->name,
        packed ? "packed" : "split", c->name);

    if (exists(&test) && (g_test_slow() || is_quick(&test))) {
        qtest_add_data_func_full(path, g_memdup2(&test, sizeof(test)), run,
                                 g_free);
    }
}

static void add_all(const RdpHolderType *type, const RdpVariant *variant)
{
    unsigned packed, i;

    for (packed = 0; packed < 2; packed++) {
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
            add(type, variant, packed, &cases[i]);
        }
    }
}

int main(int argc, char **argv)
{
    const RdpHolderType *types;
    unsigned n, i, v;
    int ret;

    g_test_init(&argc, &argv, NULL);

    types = rdp_holder_types(&n);
    for (i = 0; i < n; i++) {
        g_autofree char *device = g_strdup_printf("%s-pci", types[i].device);

        for (v = 0; qtest_has_device(device) && v < ARRAY_SIZE(variants);
             v++) {
            add_all(&types[i], &variants[v]);
        }
    }

    ret = g_test_run();
    stop_machine();
    return ret;
}
