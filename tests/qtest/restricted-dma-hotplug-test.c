/*
 * Restricted DMA pools: devices come and go while the machine runs
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "block/qdict.h"
#include "qapi/error.h"
#include "qobject/qjson.h"
#include "qobject/qlist.h"
#include "restricted-dma/blk.h"

#define FIRST_SLOT      4
#define SLOTS           7           /* of 8 functions */
#define MANY            50          /* devices; the last slot is not full */
#define ROUNDS          10
#define BRIDGES         49          /* enough for a path of 255 characters */

/* Where each of that many devices has its rings, in the pool */
#define MANY_RINGS      (1 * MiB)
#define MANY_RINGS_SIZE 0x4000

/* Registers of ACPI hot-plug: docs/specs/acpi_pci_hotplug.rst */
#define ACPI_EJECT      0x08
#define ACPI_SELECT     0x10

typedef struct Wiring {
    const char *name;
    const char *machine;
    const char *options;
    bool ports;             /* slots are root ports, p0 and so on */
    uint16_t acpi;          /* registers, or 0: hot-plug of ports is native */
} Wiring;

static const Wiring wirings[] = {
    { "pc-acpi", "pc", "", false, 0xae00 },
    { "q35-acpi", "q35", "", true, 0x0cc0 },
    { "q35-native", "q35",
      "-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off", true, 0 },
    { "virt-native", "virt", "", true, 0 },
};

typedef struct Test {
    const Wiring *wiring;
    const char *blk;        /* more properties of the block device */
} Test;

static QPCIDevice *find_port(RdpGuest *guest, unsigned slot)
{
    QPCIDevice *port = qpci_device_find(guest->bus,
                                        QPCI_DEVFN(FIRST_SLOT + slot, 0));

    g_assert_nonnull(port);
    return port;
}

static RdpGuest *start(const Wiring *wiring)
{
    g_autoptr(GString) options = g_string_new(wiring->options);
    RdpGuest *guest;
    unsigned i;

    g_string_append(options, " -object rng-builtin,id=rng0 "
                    "-object iothread,id=io0 "
                    "-object throttle-group,id=group0,x-iops-total=1 "
                    "-blockdev null-co,node-name=null,size=1048576 "
                    "-blockdev throttle,node-name=slow,throttle-group=group0,"
                    "file=null");
    for (i = 0; wiring->ports && i < SLOTS; i++) {
        g_string_append_printf(options, " -device pcie-root-port,id=p%u,"
                               "chassis=%u,addr=0x%x", i, i, FIRST_SLOT + i);
    }
    guest = rdp_start(wiring->machine, "%s", options->str);
    for (i = 0; wiring->ports && i < SLOTS; i++) {
        rdp_bridge_init(guest, FIRST_SLOT + i, i + 1);
    }
    return guest;
}

static int devfn(const Wiring *wiring, unsigned slot, unsigned function)
{
    return wiring->ports ? (slot + 1) << 8 | QPCI_DEVFN(0, function) :
                           QPCI_DEVFN(FIRST_SLOT + slot, function);
}

/* Function 0 comes last: it makes the slot known to the guest */
static void plug(RdpGuest *guest, const Wiring *wiring, const char *driver,
                 const char *id, unsigned slot, unsigned function,
                 const char *properties)
{
    QDict *args = qdict_from_jsonf_nofail("{'id': %s, 'multifunction': true,"
                                          " 'restricted-dma-pool': 'poola'}",
                                          id);
    QDict *more = qobject_to(QDict, qobject_from_json(properties,
                                                      &error_abort));
    g_autofree char *bus = g_strdup_printf("p%u", slot);
    g_autofree char *addr = g_strdup_printf("%x.%x", wiring->ports ?
                                            0 : FIRST_SLOT + slot, function);

    qdict_put_str(args, "bus", wiring->ports ? bus : "pci.0");
    qdict_put_str(args, "addr", addr);
    qdict_join(args, more, false);
    qobject_unref(more);
    qtest_qmp_device_add_qdict(guest->qts, driver, args);
    qobject_unref(args);
}

/* Power of a port with native hot-plug */
static void set_power(RdpGuest *guest, const Wiring *wiring, unsigned slot,
                      bool on)
{
    QPCIDevice *port;
    uint8_t cap;

    if (wiring->acpi) {
        return;
    }
    port = find_port(guest, slot);
    cap = qpci_find_capability(port, PCI_CAP_ID_EXP, 0);
    qpci_config_writew(port, cap + PCI_EXP_SLTCTL,
                       on ? PCI_EXP_SLTCTL_PWR_IND_ON | PCI_EXP_SLTCTL_PWR_ON :
                       PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PWR_OFF);
    g_free(port);
}

/* The number by which ACPI knows the bus of a slot */
static uint32_t acpi_bus(RdpGuest *guest, const Wiring *wiring, unsigned slot)
{
    g_autofree char *path = NULL;
    QDict *response;
    uint32_t bus;

    if (!wiring->ports) {
        return 0;
    }
    path = g_strdup_printf("/machine/peripheral/p%u/p%u", slot, slot);
    response = qtest_qmp(guest->qts, "{'execute': 'qom-get', 'arguments':"
                         " {'path': %s, 'property': 'acpi-pcihp-bsel'}}", path);
    bus = rdp_get_uint(response, "return");
    qobject_unref(response);
    return bus;
}

/* Ask for the device at function 0; the guest then gives the slot back */
static void unplug(RdpGuest *guest, const Wiring *wiring, const char *id,
                   unsigned slot)
{
    qtest_qmp_device_del_send(guest->qts, id);
    if (wiring->acpi) {
        qtest_outl(guest->qts, wiring->acpi + ACPI_SELECT,
                   acpi_bus(guest, wiring, slot));
        qtest_outl(guest->qts, wiring->acpi + ACPI_EJECT,
                   1 << (wiring->ports ? 0 : FIRST_SLOT + slot));
    } else {
        set_power(guest, wiring, slot, false);
    }
}

static void wait_deleted(RdpGuest *guest, unsigned devices)
{
    while (devices--) {
        /* One for the PCI device, and one for the virtio device in it */
        qtest_qmp_eventwait(guest->qts, "DEVICE_DELETED");
        qtest_qmp_eventwait(guest->qts, "DEVICE_DELETED");
    }
}

static unsigned devices(RdpGuest *guest)
{
    QDict *pool = rdp_query(guest->qts, "poola");
    unsigned n = qlist_size(qdict_get_qlist(pool, "devices"));

    qobject_unref(pool);
    return n;
}

/* Violations of the only device of the pool */
static uint64_t device_violations(RdpGuest *guest)
{
    QDict *pool = rdp_query(guest->qts, "poola");
    QList *list = qdict_get_qlist(pool, "devices");
    uint64_t violations;

    g_assert_cmpuint(qlist_size(list), ==, 1);
    violations = rdp_get_uint(qobject_to(QDict, qlist_peek(list)),
                              "violations");
    qobject_unref(pool);
    return violations;
}

static void assert_not_deletable(RdpGuest *guest)
{
    QDict *response = qtest_qmp(guest->qts, "{'execute': 'object-del',"
                                " 'arguments': {'id': 'poola'}}");

    g_assert_true(qdict_haskey(response, "error"));
    qobject_unref(response);
}

/* virtio-rng */

static void rng_start(RdpRing *ring, RdpDevice *dev, uint64_t rings)
{
    g_assert_true(rdp_negotiate(dev, RDP_FEATURES));
    rdp_ring_init(ring, dev, 0, false);
    ring->desc = rings;
    ring->avail = rings + 0x1000;
    ring->used = rings + 0x2000;
    rdp_fill(dev->guest, rings, 0, MANY_RINGS_SIZE);
    rdp_ring_enable(ring);
    rdp_driver_ok(dev);
}

static void rng_use(RdpRing *ring)
{
    RdpGuest *guest = ring->dev->guest;
    RdpBuf buf = { guest->base + RDP_BUFFERS, 64, true };
    uint8_t zeroes[64] = { }, found[64];

    rdp_fill(guest, buf.addr, 0, buf.len);
    rdp_ring_serve(ring, &buf, 1);
    qtest_bufread(guest->qts, buf.addr, found, sizeof(found));
    g_assert_cmpint(memcmp(found, zeroes, sizeof(found)), !=, 0);
}

/* 50 devices attach to one pool, all work at once, and all leave again */
static void test_many(const void *data)
{
    const Wiring *wiring = data;
    RdpGuest *guest = start(wiring);
    RdpDevice devs[MANY];
    RdpRing rings[MANY];
    unsigned i, slot;

    rdp_snapshot(guest);
    for (i = 0; i < MANY; i++) {
        unsigned last = MIN(i / 8 * 8 + 7, MANY - 1);
        g_autofree char *id = g_strdup_printf("dev%u", i);

        /* In each slot, from its last function down to 0 */
        plug(guest, wiring, "virtio-rng-pci", id, i / 8, last - i,
             "{'rng': 'rng0'}");
        g_assert_cmpuint(devices(guest), ==, i + 1);
        if (i == last) {
            set_power(guest, wiring, i / 8, true);
        }
    }
    for (i = 0; i < MANY; i++) {
        unsigned last = MIN(i / 8 * 8 + 7, MANY - 1);

        rdp_device_init_at(&devs[i], guest, devfn(wiring, i / 8, last - i),
                           "many");
        rng_start(&rings[i], &devs[i],
                  guest->base + MANY_RINGS + i * MANY_RINGS_SIZE);
        rng_use(&rings[i]);
    }
    for (i = 0; i < MANY; i++) {
        rng_use(&rings[i]);
        rdp_device_cleanup(&devs[i]);
    }

    assert_not_deletable(guest);
    for (slot = 0; slot < SLOTS; slot++) {
        unsigned first = slot * 8, last = MIN(first + 7, MANY - 1);
        g_autofree char *id = g_strdup_printf("dev%u", last);

        unplug(guest, wiring, id, slot);
        wait_deleted(guest, last + 1 - first);
        g_assert_cmpuint(devices(guest), ==, MANY - 1 - last);
    }
    assert_not_deletable(guest);
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 0);
    rdp_assert_untouched(guest);
    rdp_stop(guest);
}

/* The same slot again and again, each time for a device that breaks rules */
static void test_again(const void *data)
{
    const Wiring *wiring = data;
    RdpGuest *guest = start(wiring);
    unsigned i;

    rdp_snapshot(guest);
    for (i = 0; i < ROUNDS; i++) {
        RdpBuf outside = { RDP_IN_RAM(guest, RDP_VICTIM), 64, true };
        RdpDevice dev;
        RdpRing ring;

        plug(guest, wiring, "virtio-rng-pci", "dev0", 0, 0, "{'rng': 'rng0'}");
        set_power(guest, wiring, 0, true);
        g_assert_cmpuint(device_violations(guest), ==, 0);
        rdp_device_init_at(&dev, guest, devfn(wiring, 0, 0), "dev0");
        rng_start(&ring, &dev, guest->base + MANY_RINGS);
        rng_use(&ring);
        rdp_ring_submit(&ring, &outside, 1);
        rdp_wait_needs_reset(&dev);
        g_assert_cmpuint(device_violations(guest), ==, 1);
        g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, i + 1);

        unplug(guest, wiring, "dev0", 0);
        wait_deleted(guest, 1);
        g_assert_cmpuint(devices(guest), ==, 0);
        g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, i + 1);
        rdp_device_cleanup(&dev);
    }
    rdp_assert_untouched(guest);
    rdp_stop(guest);
}

/* A device that leaves while its back end holds one of its requests */
static void test_in_flight(const void *data)
{
    const Test *test = data;
    RdpGuest *guest = start(test->wiring);
    unsigned i;

    rdp_snapshot(guest);
    for (i = 0; i < 2; i++) {
        RdpDevice dev;
        RdpRing ring;
        RdpBuf bufs[RDP_BLK_BUFS];

        plug(guest, test->wiring, "virtio-blk-pci", "dev0", 0, 0, test->blk);
        set_power(guest, test->wiring, 0, true);
        rdp_device_init_at(&dev, guest, devfn(test->wiring, 0, 0), "dev0");
        rdp_setup(&dev, &ring, 0, RDP_FEATURES);

        /* The throttle serves one request per second, and the clock stops */
        qtest_clock_step(guest->qts, RDP_EVENT_PERIOD_NS);
        rdp_blk_request(guest, bufs, false, 0, 0xaa);
        rdp_ring_add(&ring, bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
        rdp_ring_add(&ring, bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
        rdp_ring_add(&ring, bufs, RDP_BLK_BUFS, RDP_NO_TABLE);
        rdp_ring_kick(&ring);
        RDP_WAIT_FOR(rdp_ring_used(&ring) > 0);
        g_assert_cmpuint(rdp_ring_used(&ring), <, 3);

        unplug(guest, test->wiring, "dev0", 0);
        wait_deleted(guest, 1);
        g_assert_cmpuint(devices(guest), ==, 0);
        rdp_device_cleanup(&dev);
    }
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, 0);
    rdp_assert_untouched(guest);
    rdp_stop(guest);
}

/* A device that cannot be plugged leaves nothing behind, not even its id */
static void test_refused(const void *data)
{
    static const char *const refused[] = {
        "{'driver': 'virtio-rng-pci', 'restricted-dma-pool': 'nowhere'}",
        "{'driver': 'virtio-blk-pci', 'restricted-dma-pool': 'poola'}",
        "{'driver': 'virtio-balloon-pci', 'restricted-dma-pool': 'poola'}",
        "{'driver': 'virtio-rng-pci', 'restricted-dma-pool': 'poola',"
        " 'max-bytes': 0}",
    };
    const Wiring *wiring = data;
    RdpGuest *guest = start(wiring);
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(refused); i++) {
        QDict *args = qobject_to(QDict, qobject_from_json(refused[i],
                                                          &error_abort));
        QDict *response;

        qdict_put_str(args, "id", "dev0");
        qdict_put_str(args, "bus", wiring->ports ? "p0" : "pci.0");
        response = qtest_qmp(guest->qts, "{'execute': 'device_add',"
                             " 'arguments': %p}", args);
        g_assert_true(qdict_haskey(response, "error"));
        qobject_unref(response);
        g_assert_cmpuint(devices(guest), ==, 0);
    }
    plug(guest, wiring, "virtio-rng-pci", "dev0", 0, 0, "{'rng': 'rng0'}");
    g_assert_cmpuint(devices(guest), ==, 1);
    rdp_stop(guest);
}

/*
 * A device that is refused only after it was plugged: behind so many bridges,
 * its path is too long for a migration stream.
 */
static void test_refused_late(const void *data)
{
    const Wiring *wiring = data;
    g_autoptr(GString) options = g_string_new("-object rng-builtin,id=rng0 ");
    g_autofree char *bus = g_strdup_printf("b%u", BRIDGES - 1);
    RdpGuest *guest;
    QDict *response;
    unsigned i;

    for (i = 0; i < BRIDGES; i++) {
        g_string_append_printf(options, "-device pci-bridge,id=b%u,"
                               "chassis_nr=%u,addr=5", i, i + 1);
        if (i) {
            g_string_append_printf(options, ",bus=b%u ", i - 1);
        } else {
            g_string_append_c(options, ' ');
        }
    }
    guest = rdp_start(wiring->machine, "%s", options->str);
    for (i = 0; i < 3; i++) {
        response = qtest_qmp(guest->qts, "{'execute': 'device_add',"
                             " 'arguments': {'driver': 'virtio-rng-pci',"
                             " 'id': 'dev0', 'rng': 'rng0', 'addr': '6',"
                             " 'bus': %s, 'restricted-dma-pool': 'poola'}}",
                             bus);
        g_assert_nonnull(strstr(qdict_get_str(qdict_get_qdict(response,
                                                              "error"),
                                              "desc"), "too long"));
        qobject_unref(response);
        g_assert_cmpuint(devices(guest), ==, 0);
    }
    rdp_stop(guest);
}

static void add_test(const Wiring *wiring, const char *name, const void *data,
                     void (*fn)(const void *))
{
    g_autofree char *path = g_strdup_printf("/restricted-dma/hotplug/%s/%s",
                                            wiring->name, name);

    qtest_add_data_func(path, data, fn);
}

int main(int argc, char **argv)
{
    static Test tests[2 * ARRAY_SIZE(wirings)];
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(wirings); i++) {
        const Wiring *wiring = &wirings[i];

        if (!qtest_has_machine(wiring->machine)) {
            continue;
        }
        tests[2 * i] = (Test) { wiring, "{'drive': 'slow'}" };
        tests[2 * i + 1] = (Test) {
            wiring, "{'drive': 'slow', 'iothread': 'io0'}"
        };
        add_test(wiring, "many", wiring, test_many);
        add_test(wiring, "again", wiring, test_again);
        add_test(wiring, "in-flight", &tests[2 * i], test_in_flight);
        add_test(wiring, "in-flight-iothread", &tests[2 * i + 1],
                 test_in_flight);
        add_test(wiring, "refused", wiring, test_refused);
        if (wiring->acpi) {
            add_test(wiring, "refused-late", wiring, test_refused_late);
        }
    }
    return g_test_run();
}
