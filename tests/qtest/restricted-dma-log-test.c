/*
 * Restricted DMA pools: drivers do not fill the log of the host
 *
 * Each driver makes its device report the same mistake many times over.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "standard-headers/linux/virtio_console.h"
#include "standard-headers/linux/virtio_crypto.h"
#include "standard-headers/linux/virtio_input.h"
#include "standard-headers/linux/virtio_snd.h"
#include "restricted-dma/host.h"
#include "restricted-dma/refusal.h"

#define DOORBELLS       100

/* hw/mem/restricted-dma-log.h */
#define LIMIT           10
#define INTERVAL_USEC   (5 * G_USEC_PER_SEC)

/* A guest whose QEMU writes its log to a file */
typedef struct Log {
    char *path;
    int64_t start;
    RdpDevice dev;
} Log;

static void log_init(Log *log, const char *device)
{
    log->path = rdp_log_new();
    rdp_start_device(&log->dev, rdp_machine(), "%s 2>%s", device, log->path);
    log->start = g_get_monotonic_time();
}

static void log_cleanup(Log *log)
{
    rdp_device_stop(&log->dev);
    rdp_log_free(log->path);
}

/* Count the lines with @words, and add up what lines say was left out */
static unsigned count_lines(Log *log, const char *words, unsigned *left_out)
{
    const char *name = "/machine/peripheral/dev0: ";
    g_auto(GStrv) lines = rdp_log_lines(log->path);
    unsigned i, found = 0;

    *left_out = 0;
    for (i = 0; lines[i]; i++) {
        const char *note = strstr(lines[i], name);

        found += !!strstr(lines[i], words);
        if (note && g_str_has_suffix(note, " messages left out")) {
            *left_out += atoi(note + strlen(name));
        }
    }
    return found;
}

/* In the time that the test has taken, no more could pass */
static void assert_few_lines(Log *log, const char *words)
{
    unsigned left_out, found = count_lines(log, words, &left_out);
    unsigned intervals = (g_get_monotonic_time() - log->start) /
                         INTERVAL_USEC + 1;

    g_assert_cmpuint(found, >=, 1);
    g_assert_cmpuint(found, <=, LIMIT * intervals);
}

/* Every message is there, or in the number of those that are not */
static void assert_all_accounted(Log *log, const char *words, unsigned n)
{
    unsigned left_out;

    RDP_WAIT_FOR(count_lines(log, words, &left_out) + left_out >= n);
    g_assert_cmpuint(count_lines(log, words, &left_out) + left_out, ==, n);
    g_assert_cmpuint(left_out, >, 0);
}

static void assert_no_lines(Log *log, const char *words)
{
    unsigned left_out;

    g_assert_cmpuint(count_lines(log, words, &left_out), ==, 0);
    g_assert_cmpuint(left_out, ==, 0);
}

/* Requests that the device answers, and complains of */

typedef struct Mistake {
    const char *name;
    const char *type;
    const char *options;        /* of the device, and its back end */
    uint16_t queue;
    const void *request;
    uint32_t len;
    bool answered;              /* there is a buffer for the answer */
    const char *words;          /* of the message */
    bool quiet;                 /* it is printed with -d guest_errors only */
} Mistake;

static const struct virtio_console_control console_control = {
    .id = 0x77,                 /* no such port, in either order of bytes */
    .event = VIRTIO_CONSOLE_PORT_READY,
};
static const struct virtio_crypto_op_ctrl_req crypto_ctrl = {
    .header.opcode = 0x5a5a5a5a,
};
static const struct virtio_crypto_op_data_req crypto_data = {
    .header.opcode = 0x5a5a5a5a,
};
static const struct virtio_snd_hdr snd_hdr = { .code = 0x5a5a5a5a };
static const struct virtio_input_event input_event = { .type = 0x5a5a };

#define CRYPTO  "cryptodev=crypto0 " \
                "-object cryptodev-backend-builtin,id=crypto0"

static const Mistake mistakes[] = {
    {
        .name = "serial-control",
        .type = "virtio-serial-pci",
        .options = "max_ports=31",
        .queue = 3,
        .request = &console_control,
        .len = sizeof(console_control),
        .words = "Unexpected port id",
    }, {
        .name = "crypto-control",
        .type = "virtio-crypto-pci",
        .options = CRYPTO,
        .queue = 1,
        .request = &crypto_ctrl,
        .len = sizeof(crypto_ctrl),
        .answered = true,
        .words = "unsupported ctrl opcode",
        .quiet = true,
    }, {
        .name = "crypto-data",
        .type = "virtio-crypto-pci",
        .options = CRYPTO,
        .queue = 0,
        .request = &crypto_data,
        .len = sizeof(crypto_data),
        .answered = true,
        .words = "unsupported dataq opcode",
        .quiet = true,
    }, {
        .name = "sound-control",
        .type = "virtio-sound-pci",
        .options = "audiodev=audio0 -audiodev none,id=audio0",
        .queue = 0,
        .request = &snd_hdr,
        .len = sizeof(snd_hdr),
        .answered = true,
        .words = "header not recognized",
        .quiet = true,
    }, {
        .name = "input-status",
        .type = "virtio-keyboard-pci",
        .options = "serial=keys",
        .queue = 1,
        .request = &input_event,
        .len = sizeof(input_event),
        .words = "unknown type",
        .quiet = true,
    },
};

static void test_mistake(const void *data)
{
    const Mistake *mistake = data;
    g_autofree char *device = g_strdup_printf(
        "-device %s," RDP_CONFINED ",%s", mistake->type, mistake->options);
    RdpBuf bufs[2];
    RdpRing ring;
    unsigned i, j;
    Log log;

    log_init(&log, device);
    bufs[0] = (RdpBuf) { RDP_BUF(log.dev.guest, 0), mistake->len, false };
    bufs[1] = (RdpBuf) { RDP_BUF(log.dev.guest, 1), 64, true };
    rdp_poke(log.dev.guest, bufs[0].addr, mistake->request, mistake->len);
    rdp_setup(&log.dev, &ring, mistake->queue, RDP_FEATURES);
    for (i = 0; i < DOORBELLS; i++) {
        for (j = 0; j < RDP_RING_SIZE / 2; j++) {
            rdp_ring_add(&ring, bufs, mistake->answered ? 2 : 1, RDP_NO_TABLE);
        }
        rdp_ring_kick(&ring);
        rdp_ring_wait(&ring);
    }
    g_assert_false(rdp_needs_reset(&log.dev));
    if (mistake->quiet) {
        assert_no_lines(&log, mistake->words);
    } else {
        assert_few_lines(&log, mistake->words);
        assert_all_accounted(&log, mistake->words,
                             DOORBELLS * RDP_RING_SIZE / 2);
    }
    log_cleanup(&log);
}

/* A driver that breaks its device, resets it, and breaks it again */

static void break_device(RdpDevice *dev, uint64_t addr)
{
    RdpBuf buf = { addr, 64, true };
    RdpRing ring;

    rdp_setup(dev, &ring, 0, RDP_FEATURES);
    rdp_ring_submit(&ring, &buf, 1);
    rdp_wait_needs_reset(dev);
}

static void test_violations(void)
{
    const char *words = "outside restricted-dma-pool 'poola'";
    RdpGuest *guest;
    unsigned i;
    Log log;

    log_init(&log, "-object rng-builtin,id=rng0 "
             "-device virtio-rng-pci,rng=rng0," RDP_CONFINED);
    guest = log.dev.guest;
    for (i = 0; i < DOORBELLS; i++) {
        break_device(&log.dev, RDP_IN_RAM(guest, RDP_VICTIM));
    }
    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==, DOORBELLS);
    assert_few_lines(&log, words);
    assert_all_accounted(&log, words, DOORBELLS);
    log_cleanup(&log);
}

/* The same with requests that lack a header, also in an IOThread */
static void test_errors(const void *data)
{
    const char *words = "missing headers";
    const char *options = data;
    g_autofree char *device = g_strdup_printf(
        "-object iothread,id=io0 -device virtio-blk-pci,drive=disk0,%s"
        RDP_CONFINED, options);
    unsigned i;
    Log log;

    log_init(&log, device);
    for (i = 0; i < DOORBELLS; i++) {
        break_device(&log.dev, RDP_BUF(log.dev.guest, 0));
    }
    assert_few_lines(&log, words);
    assert_all_accounted(&log, words, DOORBELLS);
    log_cleanup(&log);
}

/* The limit is for drivers whose devices are confined */
static void test_without_pool(void)
{
    const char *words = mistakes[0].words;
    RdpBuf buf;
    RdpRing ring;
    unsigned i, left_out;
    Log log;

    log_init(&log, "-device virtio-serial-pci,disable-legacy=on,"
             "iommu_platform=on," RDP_DEV0);
    buf = (RdpBuf) { RDP_BUF(log.dev.guest, 0), mistakes[0].len, false };
    rdp_poke(log.dev.guest, buf.addr, mistakes[0].request, buf.len);
    rdp_setup(&log.dev, &ring, mistakes[0].queue,
              RDP_FEATURES & ~BIT_ULL(RDP_F_RESTRICTED_DMA));
    for (i = 0; i < DOORBELLS; i++) {
        rdp_ring_serve(&ring, &buf, 1);
    }
    g_assert_cmpuint(count_lines(&log, words, &left_out), ==, DOORBELLS);
    g_assert_cmpuint(left_out, ==, 0);
    log_cleanup(&log);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
        if (qtest_has_device(mistakes[i].type)) {
            rdp_add_test(test_mistake, &mistakes[i],
                         "/restricted-dma/log/mistake/%s", mistakes[i].name);
        }
    }
    qtest_add_func("/restricted-dma/log/violations", test_violations);
    qtest_add_data_func("/restricted-dma/log/errors/main-loop", "",
                        test_errors);
    qtest_add_data_func("/restricted-dma/log/errors/iothread", "iothread=io0,",
                        test_errors);
    qtest_add_func("/restricted-dma/log/without-pool", test_without_pool);

    return g_test_run();
}
