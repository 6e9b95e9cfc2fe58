/*
 * Restricted DMA pools: virtio-sound
 *
 * Stream 0 plays, stream 1 records.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qemu/bswap.h"
#include "standard-headers/linux/virtio_snd.h"
#include "restricted-dma/host.h"
#include "restricted-dma/request.h"

#define STREAM_OUT  0
#define STREAM_IN   1
#define SAMPLES     512
#define SAMPLE      0x1234

static void fill_info(RdpClient *c)
{
    const struct virtio_snd_query_info query = {
        .hdr.code = cpu_to_le32(VIRTIO_SND_R_PCM_INFO),
        .start_id = cpu_to_le32(STREAM_OUT),
        .count = cpu_to_le32(1),
        .size = cpu_to_le32(sizeof(struct virtio_snd_pcm_info)),
    };

    rdp_client_add(c, &query, sizeof(query));
    rdp_client_add(c, NULL, sizeof(struct virtio_snd_hdr));
    rdp_client_add(c, NULL, sizeof(struct virtio_snd_pcm_info));
}

static void check_info(RdpClient *c)
{
    struct virtio_snd_pcm_info info;

    g_assert_cmphex(rdp_client_result32(c, 1), ==, VIRTIO_SND_S_OK);
    qtest_bufread(c->guest->qts, c->bufs[2].addr, &info, sizeof(info));
    g_assert_cmpuint(info.direction, ==, VIRTIO_SND_D_OUTPUT);
}

/* Not in c->bufs, which may be in use */
static void command(RdpClient *c, uint32_t code, uint32_t stream)
{
    const struct virtio_snd_pcm_hdr hdr = {
        .hdr.code = cpu_to_le32(code),
        .stream_id = cpu_to_le32(stream),
    };
    RdpBuf bufs[] = {
        { RDP_BUF(c->guest, RDP_CLIENT_BUFS), sizeof(hdr) },
        { RDP_BUF(c->guest, RDP_CLIENT_BUFS + 1), sizeof(hdr.hdr), true },
    };

    rdp_poke(c->guest, bufs[0].addr, &hdr, sizeof(hdr));
    rdp_ring_serve(&c->ctrl, bufs, ARRAY_SIZE(bufs));
    g_assert_cmphex(qtest_readl(c->guest->qts, bufs[1].addr), ==,
                    VIRTIO_SND_S_OK);
}

static void start_out(RdpClient *c)
{
    command(c, VIRTIO_SND_R_PCM_START, STREAM_OUT);
}

static void start_in(RdpClient *c)
{
    command(c, VIRTIO_SND_R_PCM_START, STREAM_IN);
}

static void fill_out(RdpClient *c)
{
    const struct virtio_snd_pcm_xfer xfer = {
        .stream_id = cpu_to_le32(STREAM_OUT),
    };
    uint16_t samples[SAMPLES];
    unsigned i;

    for (i = 0; i < SAMPLES; i++) {
        samples[i] = cpu_to_le16(SAMPLE);
    }
    rdp_client_add(c, &xfer, sizeof(xfer));
    rdp_client_add(c, samples, sizeof(samples));
    rdp_client_add(c, NULL, sizeof(struct virtio_snd_pcm_status));
}

static void fill_in(RdpClient *c)
{
    const struct virtio_snd_pcm_xfer xfer = {
        .stream_id = cpu_to_le32(STREAM_IN),
    };

    rdp_client_add(c, &xfer, sizeof(xfer));
    rdp_client_add(c, NULL, SAMPLES * sizeof(uint16_t));
    rdp_client_add(c, NULL, sizeof(struct virtio_snd_pcm_status));
}

/* Audio takes its time */
static void act(RdpClient *c)
{
    qtest_clock_step(c->guest->qts, 10 * 1000 * 1000);
}

static void check(RdpClient *c)
{
    g_assert_cmphex(rdp_client_result32(c, 2), ==, VIRTIO_SND_S_OK);
}

/* The host has nothing to record: silence */
static void check_in(RdpClient *c)
{
    static const uint16_t silence[SAMPLES];

    check(c);
    rdp_client_assert_result(c, 1, silence, sizeof(silence));
}

/* The file has what was played, and apart from that only silence */
static void finish(RdpClient *c)
{
    g_autofree char *path = g_build_filename(c->dir, "wav", NULL);
    g_autofree char *wav = NULL;
    g_autoptr(GError) err = NULL;
    size_t i, len, found = 0;

    g_file_get_contents(path, &wav, &len, &err);
    g_assert_no_error(err);
    g_unlink(path);
    for (i = 44 /* header */; i + 1 < len; i += 2) {
        uint16_t sample = lduw_le_p(wav + i);

        g_assert(sample == SAMPLE || !sample);
        found += !!sample;
    }
    g_assert_cmpuint(found, >=, SAMPLES);
}

#define NO_AUDIO    "-audiodev none,id=snd0"

enum { INFO, PLAYBACK, CAPTURE };

static const RdpRequest requests[] = {
    [INFO] = { "sound/info", "virtio-sound-pci,audiodev=snd0",
      NO_AUDIO, .queue = 0, .fill = fill_info, .check = check_info },
    [PLAYBACK] = { "sound/playback", "virtio-sound-pci,audiodev=snd0",
      "-audiodev wav,id=snd0,path=%s/wav,out.frequency=48000", .queue = 2,
      .begin = start_out, .fill = fill_out, .act = act,
      .check = check, .finish = finish },
    [CAPTURE] = { "sound/capture", "virtio-sound-pci,audiodev=snd0",
      NO_AUDIO, .queue = 3, .begin = start_in, .fill = fill_in, .act = act,
      .check = check_in },
};

/* After a reset, buffers that a stream had not yet used are the driver's */
static void test_reset(const void *request)
{
    RdpClient c = { };

    rdp_client_start(&c, request, NO_AUDIO);
    rdp_client_setup(&c);
    rdp_client_fill(&c);
    rdp_client_submit(&c);

    rdp_client_setup(&c);
    rdp_client_assert_forgotten(&c, c.bufs[2].addr);
    rdp_client_assert_served(&c);
    rdp_device_stop(&c.dev);
}

/* The same for the reset of a queue, even while the stream does not play */
static void test_queue_reset(const void *request)
{
    RdpClient c = { .features = BIT_ULL(VIRTIO_F_RING_RESET) };

    rdp_client_start(&c, request, NO_AUDIO);
    rdp_client_setup_rings(&c);
    rdp_client_fill(&c);
    rdp_client_submit(&c);
    rdp_settle(c.guest->qts);

    rdp_client_reset_ring(&c);
    c.n = 0;
    c.request->begin(&c);
    rdp_client_fill(&c);
    rdp_client_assert_forgotten(&c, c.bufs[2].addr);
    rdp_client_submit(&c);
    rdp_client_wait(&c);
    c.request->check(&c);
    rdp_device_stop(&c.dev);
}

/*
 * A message takes no memory in proportion to its size.  Most of the pool is
 * the data of each.
 */
static void test_size(const void *request)
{
    RdpClient c = { .features = BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) };
    bool out = request == &requests[PLAYBACK];
    int64_t before;
    unsigned i;

    rdp_client_start(&c, request, NO_AUDIO);
    rdp_client_setup_rings(&c);
    rdp_client_fill(&c);
    c.bufs[1].addr = c.guest->base + RDP_USED_END;
    c.bufs[1].len = RDP_POOL_SIZE - RDP_USED_END;
    rdp_settle(c.guest->qts);

    before = rdp_memory(c.guest->qts, "VmData");
    for (i = 0; i < RDP_RING_SIZE; i++) {
        rdp_ring_add(&c.ring, c.bufs, c.n, c.guest->base + RDP_TABLE);
    }
    rdp_ring_kick(&c.ring);
    rdp_settle(c.guest->qts);
    g_assert_cmpint(rdp_memory(c.guest->qts, "VmData") - before, <,
                    RDP_POOL_SIZE);
    g_assert_cmpuint(rdp_ring_used(&c.ring), ==, 0);

    command(&c, VIRTIO_SND_R_PCM_RELEASE, out ? STREAM_OUT : STREAM_IN);
    g_assert_cmpuint(rdp_ring_used(&c.ring), ==, RDP_RING_SIZE);
    rdp_client_assert_served(&c);
    rdp_device_stop(&c.dev);
}

/* A request without a header is answered like the other malformed ones */
static void test_short(void)
{
    RdpClient c = { };
    unsigned i;

    rdp_client_start(&c, &requests[INFO], NO_AUDIO);
    rdp_client_setup(&c);
    rdp_client_fill(&c);
    c.bufs[0].len = 1;
    for (i = 0; i <= RDP_RING_SIZE; i++) {
        rdp_ring_serve(&c.ring, c.bufs, 2);
        g_assert_cmphex(rdp_client_result32(&c, 1), ==, VIRTIO_SND_S_BAD_MSG);
    }
    rdp_client_assert_served(&c);
    rdp_device_stop(&c.dev);
}

/* What a driver asks for in vain does not fill the log of the host */
static void test_log(void)
{
    char *log = rdp_log_new();
    g_autofree char *backend = g_strdup_printf(
        "-audiodev none,id=snd0,out.voices=1,out.mixing-engine=off 2>%s", log);
    const RdpRequest request = {
        .device = "virtio-sound-pci,audiodev=snd0,streams=4",
    };
    const char *words = "Could not create a backend";
    g_auto(GStrv) lines = NULL;
    RdpClient c = { };
    unsigned i, found = 0;

    rdp_client_start(&c, &request, backend);
    rdp_setup(&c.dev, &c.ctrl, 0, RDP_FEATURES);
    for (i = 0; i < 1000; i++) {
        /* The voice is that of stream 0 */
        command(&c, VIRTIO_SND_R_PCM_PREPARE, STREAM_OUT + 1);
    }
    rdp_device_stop(&c.dev);
    lines = rdp_log_lines(log);
    for (i = 0; lines[i]; i++) {
        found += !!strstr(lines[i], words);
    }
    g_assert_cmpuint(found, >, 0);
    g_assert_cmpuint(found, <, 500);
    rdp_log_free(log);
}

/*
 * Interrupt messages that the driver addresses to the device itself, or to the
 * port that it is behind.  If they arrive, they stop it in the middle of what
 * it is doing.
 */

/* Let vector 0 write @data to @addr */
static void aim_message(RdpDevice *dev, uint64_t addr, uint32_t data)
{
    uint64_t entry = dev->pci->msix_table_off;
    QPCIBar bar = dev->pci->msix_table_bar;

    qpci_io_writeq(dev->pci, bar, entry + PCI_MSIX_ENTRY_LOWER_ADDR, addr);
    qpci_io_writel(dev->pci, bar, entry + PCI_MSIX_ENTRY_DATA, data);
    qpci_io_writel(dev->pci, bar, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
}

static void raise_interrupt(RdpClient *c)
{
    rdp_client_setup(c);
    rdp_ring_set_vector(&c->ring, 0);
    rdp_client_fill(c);
    rdp_client_submit(c);

    rdp_begin_attack();
    rdp_client_wait(c);
    rdp_assert_survived(c->guest->qts);
    g_assert_cmphex(qpci_config_readw(c->dev.pci, PCI_COMMAND) &
                    PCI_COMMAND_MASTER, !=, 0);
    g_assert_cmphex(rdp_status(&c->dev) & VIRTIO_CONFIG_S_DRIVER_OK, !=, 0);
    c->request->check(c);
}

static void test_interrupt(const void *request)
{
    RdpClient c = { };

    rdp_client_start(&c, request, NO_AUDIO);
    qpci_msix_enable(c.dev.pci);
    aim_message(&c.dev, c.dev.bar.addr + c.dev.common +
                        VIRTIO_PCI_COMMON_STATUS, 0);
    raise_interrupt(&c);
    aim_message(&c.dev, rdp_config_space(&c.dev) + PCI_COMMAND, 0);
    raise_interrupt(&c);
    qpci_msix_disable(c.dev.pci);
    rdp_device_stop(&c.dev);
}

/* A reset of the bus behind the port */
static void test_interrupt_port(const void *request)
{
    RdpClient c = { .request = request };

    c.guest = rdp_start(rdp_machine(), NO_AUDIO " -device pcie-root-port,"
                        "id=port0,addr=%d -device %s,id=dev0,bus=port0,"
                        "restricted-dma-pool=poola", RDP_SLOT,
                        c.request->device);
    rdp_bridge_init(c.guest, RDP_SLOT, 1);
    rdp_device_init_at(&c.dev, c.guest, 1 << 8, "dev0");
    qpci_msix_enable(c.dev.pci);
    aim_message(&c.dev, rdp_ecam(c.guest) + (QPCI_DEVFN(RDP_SLOT, 0) << 12) +
                        PCI_INTERRUPT_LINE, PCI_BRIDGE_CTL_BUS_RESET << 16);
    raise_interrupt(&c);
    qpci_msix_disable(c.dev.pci);
    rdp_device_stop(&c.dev);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        GTestDataFunc func;
    } tests[] = {
        { "reset", test_reset },
        { "queue-reset", test_queue_reset },
        { "size", test_size },
        { "interrupt", test_interrupt },
        { "interrupt-port", test_interrupt_port },
    };
    static const char *const streams[] = {
        [PLAYBACK] = "playback", [CAPTURE] = "capture"
    };
    unsigned i, j;

    g_test_init(&argc, &argv, NULL);

    rdp_add_requests(requests, ARRAY_SIZE(requests));
    for (i = 0; i < ARRAY_SIZE(tests); i++) {
        for (j = PLAYBACK; j <= CAPTURE; j++) {
            if (qtest_has_device("virtio-sound-pci")) {
                rdp_add_test(tests[i].func, &requests[j],
                             "/restricted-dma/sound/%s/%s", tests[i].name,
                             streams[j]);
            }
        }
    }
    if (qtest_has_device("virtio-sound-pci")) {
        qtest_add_func("/restricted-dma/sound/short", test_short);
        qtest_add_func("/restricted-dma/sound/log", test_log);
    }
    return g_test_run();
}
