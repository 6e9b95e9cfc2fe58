/*
 * Restricted DMA pools: no memory access before the driver has accepted
 *
 * A driver that does not know VIRTIO_F_RESTRICTED_DMA has to fail, and has to
 * see that it fails, whatever it writes to the status register and when.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "restricted-dma/blk.h"

#define A   VIRTIO_CONFIG_S_ACKNOWLEDGE
#define D   VIRTIO_CONFIG_S_DRIVER
#define F   VIRTIO_CONFIG_S_FEATURES_OK
#define OK  VIRTIO_CONFIG_S_DRIVER_OK

#define V1  BIT_ULL(VIRTIO_F_VERSION_1)
#define AP  BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)
#define RD  BIT_ULL(RDP_F_RESTRICTED_DMA)

/* What a driver does, one step at a time */
typedef enum Op {
    END,
    STATUS,         /* write the status register */
    ACCEPT,         /* accept these features */
    ACCEPT_LOW,     /* accept these features, of the first 32 only */
    QUEUE,          /* enable the queue; a request waits in it */
    EMPTY_QUEUE,    /* enable the queue */
    KICK,           /* kick it; if it is empty, put the request in first */
    DISABLE_QUEUE,  /* write 0 to queue_enable, which breaks the device */
    RESET,
    MASTER_OFF,     /* turn bus mastering off */
} Op;

typedef struct Step {
    Op op;
    uint64_t arg;
} Step;

typedef enum Outcome {
    SERVED,         /* the request is served */
    BROKEN,         /* nothing is accessed, and the device needs a reset */
    REFUSED,        /* the same, and FEATURES_OK never shows */
    UNTOUCHED,      /* nothing is accessed */
} Outcome;

typedef struct Sequence {
    const char *name;
    Outcome outcome;
    Step steps[12];
} Sequence;

static const Sequence sequences[] = {
    { "as the specification asks for", SERVED, {
        { STATUS, A }, { STATUS, A | D }, { ACCEPT, RDP_FEATURES },
        { STATUS, A | D | F }, { QUEUE }, { STATUS, A | D | F | OK }, { KICK },
    } },
    { "no ACKNOWLEDGE, no DRIVER", SERVED, {
        { ACCEPT, RDP_FEATURES }, { STATUS, F }, { QUEUE },
        { STATUS, F | OK }, { KICK },
    } },
    { "features change their mind after FEATURES_OK", SERVED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { ACCEPT, V1 }, { QUEUE }, { STATUS, A | D | F | OK }, { KICK },
    } },
    { "FEATURES_OK twice", SERVED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { STATUS, A | D | F }, { QUEUE }, { STATUS, A | D | F | OK }, { KICK },
    } },
    { "FEATURES_OK twice, and fewer features the second time", SERVED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { ACCEPT, 0 }, { STATUS, A | D | F }, { QUEUE },
        { STATUS, A | D | F | OK }, { KICK },
    } },
    { "features change their mind after DRIVER_OK", SERVED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { EMPTY_QUEUE }, { STATUS, A | D | F | OK }, { ACCEPT, 0 }, { KICK },
    } },
    { "DRIVER_OK withdrawn and given again", SERVED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { EMPTY_QUEUE }, { STATUS, A | D | F | OK }, { STATUS, A | D | F },
        { STATUS, A | D | F | OK }, { KICK },
    } },
    { "a queue that comes after DRIVER_OK", SERVED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES },
        { STATUS, A | D | F }, { STATUS, A | D | F | OK }, { QUEUE }, { KICK },
    } },
    { "accepted at the second attempt", SERVED, {
        { STATUS, A | D }, { ACCEPT, V1 }, { STATUS, A | D | F },
        { RESET }, { STATUS, A | D }, { ACCEPT, RDP_FEATURES },
        { STATUS, A | D | F }, { QUEUE }, { STATUS, A | D | F | OK }, { KICK },
    } },

    { "nothing at all", UNTOUCHED, {
        { QUEUE }, { KICK },
    } },
    { "features but no status", UNTOUCHED, {
        { ACCEPT, RDP_FEATURES }, { QUEUE }, { KICK },
    } },
    { "kick before FEATURES_OK", UNTOUCHED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { QUEUE }, { KICK },
    } },
    { "kick after FEATURES_OK was refused", UNTOUCHED, {
        { STATUS, A | D }, { ACCEPT, V1 | AP }, { STATUS, A | D | F },
        { QUEUE }, { KICK },
    } },
    { "kick without bus mastering", UNTOUCHED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { QUEUE }, { MASTER_OFF }, { STATUS, A | D | F | OK }, { KICK },
    } },

    { "DRIVER_OK without queues", UNTOUCHED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { STATUS, A | D | F | OK }, { KICK },
    } },
    { "reset after the queue was enabled", UNTOUCHED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { EMPTY_QUEUE }, { RESET }, { KICK },
    } },
    { "reset of a device that runs", UNTOUCHED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { EMPTY_QUEUE }, { STATUS, A | D | F | OK }, { RESET }, { KICK },
    } },

    { "DRIVER_OK after a reset", REFUSED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { EMPTY_QUEUE }, { RESET }, { STATUS, A | D | OK }, { KICK },
    } },
    { "nothing but DRIVER_OK", REFUSED, {
        { QUEUE }, { STATUS, OK }, { KICK },
    } },
    { "DRIVER_OK first of all", REFUSED, {
        { STATUS, OK }, { QUEUE }, { KICK },
    } },
    { "FEATURES_OK and DRIVER_OK together, twice", REFUSED, {
        { STATUS, A | D | F | OK }, { STATUS, A | D | F | OK }, { QUEUE },
        { KICK },
    } },
    { "FEATURES_OK alone between the two", REFUSED, {
        { STATUS, A | D | F | OK }, { STATUS, A | D | F },
        { STATUS, A | D | F | OK }, { QUEUE }, { KICK },
    } },
    { "FEATURES_OK of a device that broke first", REFUSED, {
        { STATUS, A | D }, { DISABLE_QUEUE }, { STATUS, A | D | F | OK },
        { QUEUE }, { KICK },
    } },
    { "FEATURES_OK skipped", BROKEN, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { QUEUE },
        { STATUS, A | D | OK }, { KICK },
    } },
    { "accepted after DRIVER_OK", REFUSED, {
        { STATUS, A | D }, { QUEUE }, { STATUS, A | D | OK },
        { ACCEPT, RDP_FEATURES }, { KICK },
    } },
    { "FEATURES_OK after DRIVER_OK", REFUSED, {
        { STATUS, A | D }, { QUEUE }, { STATUS, A | D | OK },
        { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F | OK }, { KICK },
    } },
    { "FEATURES_OK withdrawn", BROKEN, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { EMPTY_QUEUE }, { STATUS, A | D | F | OK }, { STATUS, A | D | OK },
        { KICK },
    } },
    { "FEATURES_OK withdrawn, then fewer features", BROKEN, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { EMPTY_QUEUE }, { STATUS, A | D | F | OK }, { STATUS, A | D },
        { ACCEPT, V1 }, { STATUS, A | D | OK }, { KICK },
    } },
    { "FEATURES_OK withdrawn, then no features, then back", BROKEN, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { EMPTY_QUEUE }, { STATUS, A | D | F | OK }, { STATUS, A | D },
        { ACCEPT, 0 }, { STATUS, A | D | F | OK }, { KICK },
    } },
    { "upper features left over from before the reset", REFUSED, {
        { STATUS, A | D }, { ACCEPT, RDP_FEATURES }, { STATUS, A | D | F },
        { RESET }, { STATUS, A | D }, { ACCEPT_LOW, 0 },
        { STATUS, A | D | F }, { QUEUE }, { STATUS, A | D | F | OK }, { KICK },
    } },
};

typedef struct Driver {
    RdpDevice dev;
    RdpRing ring;
    RdpBuf bufs[RDP_BLK_BUFS];
} Driver;

static void prepare(Driver *drv)
{
    RdpGuest *guest = drv->dev.guest;

    rdp_reset(&drv->dev);
    rdp_ring_init(&drv->ring, &drv->dev, 0, false);
    rdp_blk_read(guest, drv->bufs);
    rdp_snapshot(guest);
}

static void add_request(Driver *drv)
{
    if (!drv->ring.added) {
        rdp_ring_add(&drv->ring, drv->bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
        rdp_snapshot_pool(drv->dev.guest);
    }
}

static void do_step(Driver *drv, const Step *step)
{
    switch (step->op) {
    case STATUS:
        rdp_set_status(&drv->dev, step->arg);
        break;
    case ACCEPT:
        rdp_accept(&drv->dev, step->arg);
        break;
    case ACCEPT_LOW:
        rdp_accept_half(&drv->dev, 0, step->arg);
        break;
    case QUEUE:
        add_request(drv);
        rdp_ring_enable(&drv->ring);
        break;
    case EMPTY_QUEUE:
        rdp_ring_enable(&drv->ring);
        break;
    case DISABLE_QUEUE:
        rdp_common_writew(&drv->dev, VIRTIO_PCI_COMMON_Q_ENABLE, 0);
        break;
    case KICK:
        add_request(drv);
        rdp_ring_kick(&drv->ring);
        break;
    case RESET:
        rdp_reset(&drv->dev);
        break;
    case MASTER_OFF:
        qpci_config_writew(drv->dev.pci, PCI_COMMAND,
                           PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
        break;
    default:
        g_assert_not_reached();
    }
}

static void assert_broken(Driver *drv, Outcome outcome)
{
    g_assert_true(rdp_needs_reset(&drv->dev));
    if (outcome == REFUSED) {
        g_assert_cmphex(rdp_status(&drv->dev) & F, ==, 0);
    }
}

/* No status but a reset helps, nor do other features */
static void assert_stays_broken(Driver *drv, Outcome outcome)
{
    unsigned status;

    assert_broken(drv, outcome);
    for (status = 1; status <= UINT8_MAX; status += status) {
        rdp_accept(&drv->dev, RDP_FEATURES);
        rdp_set_status(&drv->dev, status);
        assert_broken(drv, outcome);
        rdp_set_status(&drv->dev, status | A | D | F | OK);
        assert_broken(drv, outcome);
        rdp_ring_kick(&drv->ring);
    }
}

static void assert_outcome(Driver *drv, Outcome outcome)
{
    RdpGuest *guest = drv->dev.guest;

    if (outcome == SERVED) {
        rdp_ring_wait(&drv->ring);
        rdp_blk_assert_served(guest);
        g_assert_false(rdp_needs_reset(&drv->dev));
        return;
    }

    if (outcome != UNTOUCHED) {
        assert_stays_broken(drv, outcome);
    }
    rdp_assert_idle(guest);
}

static void run(Driver *drv, const Sequence *sequence)
{
    const Step *step;

    g_test_message("%s", sequence->name);
    prepare(drv);
    for (step = sequence->steps; step->op != END; step++) {
        do_step(drv, step);
    }
    assert_outcome(drv, sequence->outcome);

    qpci_device_enable(drv->dev.pci);
    rdp_blk_assert_works(&drv->dev, RDP_FEATURES, false);
}

static void start(Driver *drv, const char *properties)
{
    rdp_start_device(&drv->dev, rdp_machine(), "-device virtio-blk-pci,"
                     "drive=disk0," RDP_CONFINED ",%s", properties);
}

static void test_sequences(const void *data)
{
    Driver drv;
    unsigned i;

    start(&drv, data);
    for (i = 0; i < ARRAY_SIZE(sequences); i++) {
        run(&drv, &sequences[i]);
    }
    g_assert_cmpuint(rdp_violations(drv.dev.guest->qts, "poola"), ==, 0);
    rdp_device_stop(&drv.dev);
}

static void run_subset(Driver *drv, uint64_t features)
{
    g_autofree char *name = g_strdup_printf("features 0x%" PRIx64, features);
    bool accepted = features == RDP_FEATURES;
    Outcome outcome = accepted ? SERVED : REFUSED;
    const Sequence ways[] = {
        { name, outcome, {
            { STATUS, A }, { STATUS, A | D }, { ACCEPT, features },
            { STATUS, A | D | F }, { QUEUE }, { STATUS, A | D | F | OK },
            { KICK },
        } },
        { name, outcome, {
            { STATUS, A | D }, { ACCEPT, features },
            { STATUS, A | D | F | OK }, { QUEUE }, { KICK },
        } },
        { name, outcome, {
            { ACCEPT, features }, { STATUS, A | D | F | OK }, { QUEUE },
            { KICK },
        } },
        { name, accepted ? BROKEN : REFUSED, {
            { STATUS, A | D }, { ACCEPT, features }, { QUEUE },
            { STATUS, A | D | OK }, { KICK },
        } },
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(ways); i++) {
        run(drv, &ways[i]);
    }
    g_assert_true(rdp_negotiate(&drv->dev, features) == accepted);
}

/* Only all three features together are enough, whatever the order of writes */
static void test_subsets(const void *data)
{
    static const uint64_t subsets[] = {
        0, V1, AP, V1 | AP, RD, V1 | RD, AP | RD, RDP_FEATURES,
    };
    Driver drv;
    unsigned i;

    start(&drv, data);
    for (i = 0; i < ARRAY_SIZE(subsets); i++) {
        run_subset(&drv, subsets[i]);
    }
    rdp_device_stop(&drv.dev);
}

/* A driver that gave up does no harm to the next one, after a reset */
static void test_system_reset(const void *data)
{
    Driver drv;

    start(&drv, data);
    prepare(&drv);
    add_request(&drv);
    rdp_ring_enable(&drv.ring);
    rdp_set_status(&drv.dev, OK);
    rdp_wait_needs_reset(&drv.dev);

    qtest_system_reset(drv.dev.guest->qts);
    rdp_device_cleanup(&drv.dev);
    rdp_device_init(&drv.dev, drv.dev.guest, RDP_SLOT, "dev0");
    g_assert_cmphex(rdp_status(&drv.dev), ==, 0);
    rdp_blk_assert_works(&drv.dev, RDP_FEATURES, false);
    rdp_device_stop(&drv.dev);
}

/*
 * Without FEATURES_OK a driver could accept other features, and with them
 * another form of the rings that are mapped.  virtio-rng looks into its ring
 * when the machine goes on, broken or not.
 */
static void test_features_of_broken(void)
{
    RdpDevice dev;
    RdpGuest *guest = rdp_start_device(&dev, rdp_machine(),
                                       "-object rng-builtin,id=rng0 "
                                       "-device virtio-rng-pci,rng=rng0,"
                                       "packed=on," RDP_CONFINED);
    RdpBuf buf = { RDP_BUF(guest, 0), 16, true };
    RdpRing ring;
    unsigned i;

    rdp_setup(&dev, &ring, 0, RDP_FEATURES);
    for (i = 0; i < RDP_RING_SIZE; i++) {
        rdp_ring_serve(&ring, &buf, 1);
    }

    rdp_set_status(&dev, A | D | OK);
    rdp_wait_needs_reset(&dev);
    rdp_accept(&dev, RDP_FEATURES | BIT_ULL(VIRTIO_F_RING_PACKED));
    rdp_settle(guest->qts);
    rdp_wait_needs_reset(&dev);
    rdp_device_stop(&dev);
}

/* When a device is created it cannot know that an IOMMU is yet to come */
static void test_iommu_later(void)
{
    Driver drv;

    rdp_start_device(&drv.dev, rdp_machine(), "-device virtio-blk-pci,"
                     "drive=disk0," RDP_CONFINED " -device intel-iommu");
    g_assert_false(rdp_negotiate(&drv.dev, RDP_FEATURES));

    prepare(&drv);
    add_request(&drv);
    rdp_accept(&drv.dev, RDP_FEATURES);
    rdp_set_status(&drv.dev, A | D | F | OK);
    rdp_ring_enable(&drv.ring);
    rdp_ring_kick(&drv.ring);
    assert_outcome(&drv, REFUSED);
    rdp_device_stop(&drv.dev);
}

int main(int argc, char **argv)
{
    static const char *const notify[] = { "ioeventfd=on", "ioeventfd=off" };
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(notify); i++) {
        rdp_add_test(test_sequences, notify[i],
                     "/restricted-dma/negotiation/%s/sequences", notify[i]);
        rdp_add_test(test_subsets, notify[i],
                     "/restricted-dma/negotiation/%s/subsets", notify[i]);
    }
    qtest_add_data_func("/restricted-dma/negotiation/system-reset", notify[0],
                        test_system_reset);
    qtest_add_func("/restricted-dma/negotiation/features-of-broken",
                   test_features_of_broken);
    if (qtest_has_device("intel-iommu")) {
        qtest_add_func("/restricted-dma/negotiation/iommu-later",
                       test_iommu_later);
    }

    return g_test_run();
}
