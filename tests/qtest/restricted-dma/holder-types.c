/*
 * Restricted DMA pools: the types of devices that a driver can meet
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include "qemu/bswap.h"
#include "scsi/constants.h"
#include "standard-headers/linux/input.h"
#include "standard-headers/linux/virtio_blk.h"
#include "standard-headers/linux/virtio_console.h"
#include "standard-headers/linux/virtio_gpu.h"
#include "standard-headers/linux/virtio_input.h"
#include "standard-headers/linux/virtio_net.h"
#include "standard-headers/linux/virtio_scsi.h"
#include "standard-headers/linux/virtio_snd.h"
#include "9p.h"
#include "circle.h"
#include "crypto.h"
#include "holder.h"
#include "peer.h"

#define SECOND_NS   1000000000LL

static uint64_t circle_with(RdpHolder *h, const RdpCircle *circle)
{
    rdp_holder_renew_ring(h, RDP_CIRCLE_SIZE);
    return rdp_circle_fill(circle, &h->ring,
                           rdp_area(h, h->area) + RDP_AREA_BUFFERS);
}

/* Disks that are slow, or fail, or hang */

#define NULL_DISK   "driver=null-co,read-zeroes=on,size=1M"
#define SLOW        "-drive if=none,id=slow," NULL_DISK
#define FINE        "-blockdev null-co,node-name=slow,read-zeroes=on,"      \
                    "size=1048576 "
#define DISK_BELOW  "-blockdev null-co,node-name=disk,read-zeroes=on,"      \
                    "size=1048576 "
#define STUCK       "-drive if=none,id=slow,driver=raw,"                    \
                    "file.driver=blkdebug,file.image.driver=null-co,"       \
                    "file.image.read-zeroes=on,file.image.size=1048576"

#define FAULTS      64          /* each sector of them fails once ... */
#define FAULT       100         /* ... from this on */

#define FAULTY      NULL        /* rdp_failing_disk() */

char *rdp_failing_disk(bool fails)
{
    GString *options = g_string_new(fails ? DISK_BELOW
                                    "-blockdev blkdebug,node-name=slow,"
                                    "image=disk" : FINE);
    unsigned i;

    if (!fails) {
        return g_string_free(options, false);
    }
    for (i = 0; i < FAULTS; i++) {
        g_string_append_printf(options, ",inject-error.%u.event=none,"
                               "inject-error.%u.iotype=read,"
                               "inject-error.%u.errno=5,"
                               "inject-error.%u.once=on,"
                               "inject-error.%u.sector=%u",
                               i, i, i, i, i, FAULT + i);
    }
    return g_string_free(options, false);
}

static void disk_limit(RdpHolder *h, int64_t requests_per_second)
{
    qtest_qmp_assert_success(h->guest->qts,
                             "{'execute': 'block_set_io_throttle',"
                             " 'arguments': {'device': 'slow',"
                             " 'bps': 0, 'bps_rd': 0, 'bps_wr': 0,"
                             " 'iops': %" PRId64 ", 'iops_rd': 0,"
                             " 'iops_wr': 0}}", requests_per_second);
}

/* The limit counts the time of the guest, which stands still */
static void disk_hold(RdpHolder *h)
{
    disk_limit(h, 1);
    rdp_hold_all(h);
}

static void disk_release(RdpHolder *h)
{
    disk_limit(h, 0);
}

/* A read fails, which stops the machine: it waits to be tried again */
static void disk_hold_failed(RdpHolder *h)
{
    g_assert_cmpuint(h->faults, <, FAULTS);
    h->sector = FAULT + h->faults++;
    rdp_holder_add(h);
    rdp_ring_kick(&h->ring);
    h->sector = 0;
    RDP_WAIT_FOR(rdp_state_is(h->guest->qts, "io-error"));
}

static void disk_retry(RdpHolder *h)
{
    rdp_continue(h->guest->qts);
}

static void disk_command(RdpHolder *h, const char *command)
{
    g_autofree char *answer = qtest_hmp(h->guest->qts, "qemu-io slow \"%s\"",
                                        command);

    g_assert_cmpstr(answer, ==, "");
}

static void disk_hold_stuck(RdpHolder *h)
{
    disk_command(h, "break read_aio A");
    rdp_holder_add(h);
    rdp_ring_kick(&h->ring);
    RDP_WAIT_FOR(rdp_holder_all_taken(h));
}

static void disk_resume(RdpHolder *h)
{
    disk_command(h, "resume A");
}

static void blk_fill(RdpHolder *h)
{
    const struct virtio_blk_outhdr hdr = {
        .type = cpu_to_le32(VIRTIO_BLK_T_IN),
        .sector = cpu_to_le64(h->sector),
    };

    rdp_holder_buf(h, &hdr, sizeof(hdr));
    rdp_holder_buf(h, NULL, 512);
    rdp_holder_buf(h, NULL, 1);
}

static void blk_check(RdpHolder *h)
{
    g_assert_cmphex(*rdp_holder_mem(h, 2), ==, VIRTIO_BLK_S_OK);
}

static const uint8_t lun[8] = { 1, 0, 0x40, 0 };

static void scsi_fill(RdpHolder *h)
{
    struct virtio_scsi_cmd_req req = { .cdb = { READ_10, [8] = 1 } };

    memcpy(req.lun, lun, sizeof(lun));
    stl_be_p(&req.cdb[2], h->sector);
    rdp_holder_buf(h, &req, sizeof(req));
    rdp_holder_buf(h, NULL, sizeof(struct virtio_scsi_cmd_resp));
    rdp_holder_buf(h, NULL, 512);
}

static void scsi_check(RdpHolder *h)
{
    const struct virtio_scsi_cmd_resp *resp = (void *)rdp_holder_mem(h, 1);

    g_assert_cmphex(resp->response, ==, VIRTIO_SCSI_S_OK);
    g_assert_cmphex(resp->status, ==, GOOD);
}

/* The first command after a reset reports the reset */
static void scsi_begin(RdpHolder *h)
{
    rdp_holder_new(h, &h->ring, h->area);
    scsi_fill(h);
    rdp_ring_serve(&h->ring, h->bufs, h->n);
}

static void scsi_fill_ctrl(RdpHolder *h)
{
    struct virtio_scsi_ctrl_tmf_req req = {
        .subtype = cpu_to_le32(VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET),
    };

    memcpy(req.lun, lun, sizeof(lun));
    rdp_holder_buf(h, &req, sizeof(req));
    rdp_holder_buf(h, NULL, 1);
}

/* Back ends on the other side of a socket */

static void peer_drain(RdpHolder *h)
{
    rdp_peer_drain(h->peer);
}

/* Send if all that was sent before has been taken */
static void peer_feed(RdpHolder *h, const void *data, size_t len)
{
    int pending;

    g_assert_cmpint(ioctl(h->peer, TIOCOUTQ, &pending), ==, 0);
    if (!pending) {
        rdp_peer_send(h->peer, data, len);
    }
}

#define PACKET_LEN  512

static void net_fill_tx(RdpHolder *h)
{
    static const uint8_t packet[RDP_HOLDER_BUF];

    rdp_holder_buf(h, packet, sizeof(packet));
}

static void net_fill_rx(RdpHolder *h)
{
    rdp_holder_buf(h, NULL, RDP_HOLDER_BUF);
}

static void net_feed(RdpHolder *h)
{
    uint8_t packet[sizeof(uint32_t) + PACKET_LEN];

    memset(packet, 0xff, sizeof(packet));
    stl_be_p(packet, PACKET_LEN);
    peer_feed(h, packet, sizeof(packet));
}

static void net_fill_ctrl(RdpHolder *h)
{
    const struct virtio_net_ctrl_hdr hdr = {
        .class = VIRTIO_NET_CTRL_RX,
        .cmd = VIRTIO_NET_CTRL_RX_PROMISC,
    };
    const uint8_t on = 1;

    rdp_holder_buf(h, &hdr, sizeof(hdr));
    rdp_holder_buf(h, &on, sizeof(on));
    rdp_holder_buf(h, NULL, 1);
}

static void console_fill_tx(RdpHolder *h)
{
    net_fill_tx(h);
}

static void console_fill_rx(RdpHolder *h)
{
    rdp_holder_buf(h, NULL, 16);
}

static void console_feed(RdpHolder *h)
{
    peer_feed(h, "x", 1);
}

static void console_fill_ctrl(RdpHolder *h)
{
    const struct virtio_console_control open = {
        .event = cpu_to_le16(VIRTIO_CONSOLE_PORT_OPEN),
        .value = cpu_to_le16(1),
    };

    rdp_holder_buf(h, &open, sizeof(open));
}

/* virtio-rng, whose entropy is what the test writes into a FIFO */

static void rng_fill(RdpHolder *h)
{
    rdp_holder_buf(h, NULL, 64);
}

static void rng_feed(RdpHolder *h)
{
    static const uint8_t bytes[64];
    int pending;

    g_assert_cmpint(ioctl(h->fifo, FIONREAD, &pending), ==, 0);
    if (!pending) {
        g_assert_cmpint(write(h->fifo, bytes, sizeof(bytes)), ==,
                        sizeof(bytes));
    }
}

/* virtio-9p */

#define P9_FILE     1           /* the fid of the folder's file */
#define P9_NONE     99          /* of nothing */
#define P9_DATA     (RDP_9P_HEADER + 4)         /* of a read: an offset */
#define P9_VERSION  (RDP_9P_HEADER + 4 + 10)    /* the length of Tversion */

static void p9_check(RdpHolder *h)
{
    g_assert_cmpuint(rdp_holder_mem(h, 1)[RDP_9P_TYPE], ==,
                     rdp_holder_mem(h, 0)[RDP_9P_TYPE] + 1);
}

static void p9_lay_out(RdpHolder *h, GByteArray *msg, uint32_t room)
{
    rdp_holder_buf(h, msg->data, msg->len);
    rdp_holder_buf(h, NULL, room);
    g_byte_array_unref(msg);
}

static void p9_run(RdpHolder *h, GByteArray *msg)
{
    rdp_holder_new(h, &h->ring, h->area);
    p9_lay_out(h, msg, 64);
    rdp_ring_serve(&h->ring, h->bufs, h->n);
    p9_check(h);
}

static void p9_begin(RdpHolder *h)
{
    p9_run(h, rdp_9p_version(RDP_9P_MSIZE, "9P2000.L"));
    p9_run(h, rdp_9p_attach(RDP_9P_ROOT));
    p9_run(h, rdp_9p_walk(P9_FILE, "file"));
    p9_run(h, rdp_9p_lopen(P9_FILE));
}

static void p9_fill(RdpHolder *h)
{
    p9_lay_out(h, rdp_9p_read(P9_FILE, RDP_HOLDER_FILE),
               P9_DATA + RDP_HOLDER_FILE);
}

static void p9_fill_clunk(RdpHolder *h)
{
    p9_lay_out(h, rdp_9p_fid(RDP_9P_TCLUNK, P9_NONE), 64);
}

/* The answer to Tversion repeats the tag and the size of messages */
static void p9_fill_echo(uint8_t *request, uint32_t bytes)
{
    GByteArray *msg = rdp_9p_version(MiB | bytes >> 16, "9P2000.L");

    g_assert_cmpuint(msg->len, ==, P9_VERSION);
    stw_le_p(msg->data + RDP_9P_TAG, bytes);
    memcpy(request, msg->data, msg->len);
    g_byte_array_unref(msg);
}

static const RdpCircle p9_echo = { P9_VERSION, RDP_9P_TAG, p9_fill_echo };

/* The first Tversion closes the file, so that no other has to wait for that */
static uint64_t p9_circle(RdpHolder *h)
{
    p9_run(h, rdp_9p_version(RDP_9P_MSIZE, "9P2000.L"));
    return circle_with(h, &p9_echo);
}

/* virtio-crypto */

static const uint8_t zeroes[RDP_AES_BLOCK];

static uint64_t crypto_session(RdpHolder *h, uint32_t op)
{
    const struct virtio_crypto_op_ctrl_req req = rdp_crypto_session(
        VIRTIO_CRYPTO_CIPHER_AES_CBC, op);
    const struct virtio_crypto_session_input *input;

    rdp_holder_new(h, &h->ctrl, h->ctrl_area);
    rdp_holder_buf(h, &req, sizeof(req));
    rdp_holder_buf(h, zeroes, sizeof(zeroes));
    rdp_holder_buf(h, NULL, sizeof(*input));
    rdp_ring_serve(&h->ctrl, h->bufs, h->n);
    input = (void *)rdp_holder_mem(h, 2);
    g_assert_cmphex(le32_to_cpu(input->status), ==, VIRTIO_CRYPTO_OK);
    return input->session_id;
}

static void crypto_begin(RdpHolder *h)
{
    h->encrypt = crypto_session(h, VIRTIO_CRYPTO_OP_ENCRYPT);
    h->decrypt = crypto_session(h, VIRTIO_CRYPTO_OP_DECRYPT);
}

/* What comes out is in buffer 3 */
static void crypto_fill_block(RdpHolder *h, uint32_t opcode, uint64_t session,
                              const void *block)
{
    const struct virtio_crypto_op_data_req req = rdp_crypto_cipher(
        opcode, VIRTIO_CRYPTO_CIPHER_AES_CBC, session, RDP_AES_BLOCK,
        RDP_AES_BLOCK);

    rdp_holder_buf(h, &req, sizeof(req));
    rdp_holder_buf(h, zeroes, sizeof(zeroes));
    rdp_holder_buf(h, block, RDP_AES_BLOCK);
    rdp_holder_buf(h, NULL, RDP_AES_BLOCK);
    rdp_holder_buf(h, NULL, sizeof(struct virtio_crypto_inhdr));
}

static void crypto_fill(RdpHolder *h)
{
    crypto_fill_block(h, VIRTIO_CRYPTO_CIPHER_ENCRYPT, h->encrypt, zeroes);
}

#define CRYPTO_CIRCLE   4           /* requests; flags repeat after them */

/* Decrypting request @n makes the descriptor of the one after it */
static struct vring_packed_desc crypto_circle_desc(RdpHolder *h,
                                                   uint64_t tables, unsigned n)
{
    bool odd = n / 2 % 2;

    return (struct vring_packed_desc) {
        .addr = cpu_to_le64(tables + n % CRYPTO_CIRCLE * RDP_HOLDER_BUF),
        .len = cpu_to_le32(RDP_HOLDER_BUFS * sizeof(struct vring_desc)),
        .id = cpu_to_le16(n % 2),
        .flags = cpu_to_le16(VRING_DESC_F_INDIRECT |
                             (odd ? 1 << VRING_PACKED_DESC_F_USED
                                  : 1 << VRING_PACKED_DESC_F_AVAIL)),
    };
}

static uint64_t crypto_circle(RdpHolder *h)
{
    uint64_t tables = rdp_area(h, h->area) + RDP_AREA_TABLES;
    struct vring_packed_desc desc;
    uint8_t secret[CRYPTO_CIRCLE][sizeof(desc)];
    unsigned i;

    for (i = 0; i < CRYPTO_CIRCLE; i++) {
        desc = crypto_circle_desc(h, tables, i + 1);
        rdp_holder_new(h, &h->ring, h->area);
        crypto_fill_block(h, VIRTIO_CRYPTO_CIPHER_ENCRYPT, h->encrypt, &desc);
        rdp_ring_serve(&h->ring, h->bufs, h->n);
        memcpy(secret[i], rdp_holder_mem(h, 3), sizeof(desc));
    }
    rdp_holder_renew_ring(h, 2);
    for (i = 0; i < CRYPTO_CIRCLE; i++) {
        rdp_holder_new(h, &h->ring, h->area);
        crypto_fill_block(h, VIRTIO_CRYPTO_CIPHER_DECRYPT, h->decrypt,
                          secret[i]);
        h->bufs[3].addr = h->ring.desc + (i + 1) % 2 * sizeof(desc);
        rdp_ring_add(&h->ring, h->bufs, h->n, tables + i * RDP_HOLDER_BUF);
    }
    memset(rdp_area_mem(h, h->area), 0, 2 * sizeof(desc));
    desc = crypto_circle_desc(h, tables, 0);
    memcpy(rdp_area_mem(h, h->area), &desc, sizeof(desc));
    return h->bufs[4].addr;     /* the status */
}

static void crypto_check(RdpHolder *h)
{
    g_assert_cmphex(*rdp_holder_mem(h, 4), ==, VIRTIO_CRYPTO_OK);
}

static void crypto_limit(RdpHolder *h, int64_t bytes_per_second)
{
    qtest_qmp_assert_success(h->guest->qts, "{'execute': 'qom-set',"
                             " 'arguments': {'path': '/objects/crypt0',"
                             " 'property': 'throttle-bps', 'value': %" PRId64
                             "}}", bytes_per_second);
}

static void crypto_hold(RdpHolder *h)
{
    crypto_limit(h, 1);
    rdp_hold_all(h);
}

static void crypto_release(RdpHolder *h)
{
    crypto_limit(h, 0);
}

/* virtio-sound: stream 0 plays, and only if the clock is told to go on */

static void sound_fill_ctrl(RdpHolder *h)
{
    const struct virtio_snd_pcm_hdr start = {
        .hdr.code = cpu_to_le32(VIRTIO_SND_R_PCM_START),
    };

    rdp_holder_buf(h, &start, sizeof(start));
    rdp_holder_buf(h, NULL, sizeof(struct virtio_snd_hdr));
}

static void sound_begin(RdpHolder *h)
{
    rdp_holder_new(h, &h->ctrl, h->ctrl_area);
    sound_fill_ctrl(h);
    rdp_ring_serve(&h->ctrl, h->bufs, h->n);
    g_assert_cmphex(ldl_le_p(rdp_holder_mem(h, 1)), ==, VIRTIO_SND_S_OK);
}

static void sound_fill(RdpHolder *h)
{
    static const uint8_t samples[RDP_HOLDER_BUF];
    static const struct virtio_snd_pcm_xfer xfer;

    rdp_holder_buf(h, &xfer, sizeof(xfer));
    rdp_holder_buf(h, samples, sizeof(samples));
    rdp_holder_buf(h, NULL, sizeof(struct virtio_snd_pcm_status));
}

static void sound_poll(RdpHolder *h)
{
    qtest_clock_step(h->guest->qts, SECOND_NS / 100);
}

static void sound_check(RdpHolder *h)
{
    g_assert_cmphex(ldl_le_p(rdp_holder_mem(h, 2)), ==, VIRTIO_SND_S_OK);
}

/* virtio-input: a key, and what tells the driver that this was all */

static void input_fill(RdpHolder *h)
{
    rdp_holder_buf(h, NULL, sizeof(struct virtio_input_event));
    rdp_holder_buf(h, NULL, sizeof(struct virtio_input_event));
}

static void input_poll(RdpHolder *h)
{
    qtest_qmp_assert_success(h->guest->qts, "{'execute': 'input-send-event',"
                             " 'arguments': {'events': [{'type': 'key',"
                             " 'data': {'down': true, 'key':"
                             " {'type': 'qcode', 'data': 'a'}}}]}}");
}

static void input_fill_status(RdpHolder *h)
{
    const struct virtio_input_event led = { .type = cpu_to_le16(EV_LED) };

    rdp_holder_buf(h, &led, sizeof(led));
}

/* virtio-gpu */

static void gpu_fill(RdpHolder *h)
{
    const struct virtio_gpu_ctrl_hdr request = {
        .type = cpu_to_le32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO),
    };

    rdp_holder_buf(h, &request, sizeof(request));
    rdp_holder_buf(h, NULL, sizeof(struct virtio_gpu_resp_display_info));
}

static void gpu_check(RdpHolder *h)
{
    g_assert_cmphex(ldl_le_p(rdp_holder_mem(h, 1)), ==,
                    VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
}

static uint64_t gpu_circle(RdpHolder *h)
{
    return circle_with(h, &rdp_circle_gpu);
}

static void gpu_fill_cursor(RdpHolder *h)
{
    const struct virtio_gpu_update_cursor request = {
        .hdr.type = cpu_to_le32(VIRTIO_GPU_CMD_MOVE_CURSOR),
    };

    rdp_holder_buf(h, &request, sizeof(request));
}


#define BLK         "virtio-blk", ",drive=slow"
#define SCSI        "virtio-scsi", ""
#define SCSI_DISK   "-device scsi-hd,drive=slow,bus=dev0.0,scsi-id=0,lun=0"
#define NET         "virtio-net", ",netdev=net0", "-netdev socket,id=net0,fd=%s"
#define CONSOLE     "virtio-serial", ",max_ports=2",                        \
                    "-chardev socket,id=con0,fd=%s",                        \
                    "-device virtconsole,bus=dev0.0,chardev=con0"
#define SERIAL      "virtio-serial", ",max_ports=2",                        \
                    "-chardev socket,id=con0,fd=%s",                        \
                    "-device virtserialport,bus=dev0.0,chardev=con0,nr=1"
#define CRYPTO      "virtio-crypto", ",cryptodev=crypt0",                   \
                    "-object cryptodev-backend-builtin,id=crypt0"
#define SOUND       "virtio-sound", ",audiodev=snd0", "-audiodev none,id=snd0"

#define DISK        (RDP_IOEVENTFD | RDP_IOTHREAD | RDP_MIGRATES | RDP_LASTS)
#define LINK        (RDP_IOEVENTFD | RDP_MIGRATES | RDP_SOCKET)

static const RdpHolderType types[] = {
    { "blk", BLK, SLOW, "", RDP_HOLDS_BUSY, DISK, .payload = 1,
      .fill = blk_fill, .check = blk_check,
      .hold = disk_hold, .release = disk_release },
    { "blk-failed", "virtio-blk", ",drive=slow,rerror=stop", FAULTY, "",
      RDP_HOLDS_BUSY, DISK | RDP_STOPS, .payload = 1,
      .fill = blk_fill, .check = blk_check,
      .hold = disk_hold_failed, .release = disk_retry },
    { "blk-stuck", BLK, STUCK, "", RDP_HOLDS_BUSY,
      RDP_IOEVENTFD | RDP_LASTS | RDP_NO_RESET, .payload = 1,
      .fill = blk_fill, .check = blk_check,
      .hold = disk_hold_stuck, .release = disk_resume },

    { "scsi", SCSI, SLOW, SCSI_DISK, RDP_HOLDS_BUSY, DISK,
      .queue = 2, .payload = 2, .begin = scsi_begin,
      .fill = scsi_fill, .check = scsi_check,
      .hold = disk_hold, .release = disk_release },
    { "scsi-failed", SCSI, FAULTY, SCSI_DISK ",rerror=stop", RDP_HOLDS_BUSY,
      DISK | RDP_STOPS, .queue = 2, .payload = 2, .begin = scsi_begin,
      .fill = scsi_fill, .check = scsi_check,
      .hold = disk_hold_failed, .release = disk_retry },
    { "scsi-ctrl", SCSI, SLOW, SCSI_DISK, RDP_HOLDS_NOTHING,
      DISK | RDP_SECOND, .payload = 0, .fill = scsi_fill_ctrl },

    { "net-tx", NET, "", RDP_HOLDS_IDLE, LINK, .queue = 1,
      .fill = net_fill_tx, .poll = peer_drain, .hold = rdp_hold_one },
    { "net-rx", NET, "", RDP_HOLDS_NOTHING, LINK | RDP_SECOND,
      .fill = net_fill_rx, .poll = net_feed },
    { "net-ctrl", NET, "", RDP_HOLDS_NOTHING, LINK | RDP_SECOND, .queue = 2,
      .payload = 1, .features = BIT_ULL(VIRTIO_NET_F_CTRL_VQ) |
                                BIT_ULL(VIRTIO_NET_F_CTRL_RX),
      .fill = net_fill_ctrl },
    { "net-ctrl-mq", "virtio-net", ",netdev=net0,mq=on,ioeventfd=off",
      "-netdev tap,id=net0,fds=%s", "", RDP_HOLDS_NOTHING,
      RDP_TAP | RDP_SECOND, .queue = 2, .payload = 1,
      .features = BIT_ULL(VIRTIO_NET_F_CTRL_VQ) |
                  BIT_ULL(VIRTIO_NET_F_CTRL_RX),
      .before = BIT_ULL(VIRTIO_NET_F_MQ), .fill = net_fill_ctrl },

    { "serial-tx", SERIAL, RDP_HOLDS_IDLE, LINK, .queue = 5,
      .features = BIT_ULL(VIRTIO_CONSOLE_F_MULTIPORT),
      .fill = console_fill_tx, .poll = peer_drain, .hold = rdp_hold_one },
    { "console-rx", CONSOLE, RDP_HOLDS_NOTHING, LINK | RDP_SECOND,
      .fill = console_fill_rx, .poll = console_feed },
    { "console-ctrl", CONSOLE, RDP_HOLDS_NOTHING, LINK | RDP_SECOND,
      .queue = 3, .features = BIT_ULL(VIRTIO_CONSOLE_F_MULTIPORT),
      .fill = console_fill_ctrl },

    { "rng", "virtio-rng", ",rng=rng0",
      "-object rng-random,id=rng0,filename=%s/fifo", "", RDP_HOLDS_NOTHING,
      RDP_IOEVENTFD | RDP_MIGRATES | RDP_FOLDER,
      .fill = rng_fill, .poll = rng_feed },

    { "9p", "virtio-9p", ",fsdev=fs0,mount_tag=tag",
      "-fsdev local,id=fs0,path=%s,security_model=none,"
      "throttling.bps-read=1280", "", RDP_HOLDS_BUSY,
      RDP_IOEVENTFD | RDP_FOLDER | RDP_CIRCLE | RDP_AT_ONCE, .payload = 1,
      .begin = p9_begin, .fill = p9_fill, .quick = p9_fill_clunk,
      .check = p9_check, .hold = rdp_hold_all, .circle = p9_circle },

    { "crypto", CRYPTO, "", RDP_HOLDS_IDLE, RDP_IOEVENTFD | RDP_CIRCLE,
      .ctrl = 1, .payload = 3,
      .begin = crypto_begin, .fill = crypto_fill, .check = crypto_check,
      .hold = crypto_hold, .release = crypto_release,
      .circle = crypto_circle },

    { "input", "virtio-keyboard", "", "", "", RDP_HOLDS_NOTHING, RDP_MIGRATES,
      .chain_each = true, .fill = input_fill, .poll = input_poll },
    { "input-status", "virtio-keyboard", "", "", "", RDP_HOLDS_NOTHING,
      RDP_MIGRATES | RDP_SECOND, .queue = 1,
      .fill = input_fill_status },

    { "sound", SOUND, "", RDP_HOLDS_IDLE, 0, .queue = 2, .ctrl = 0,
      .payload = 1, .begin = sound_begin, .fill = sound_fill,
      .check = sound_check, .poll = sound_poll, .hold = rdp_hold_all },
    { "sound-ctrl", SOUND, "", RDP_HOLDS_NOTHING, RDP_SECOND,
      .fill = sound_fill_ctrl },

    { "gpu", "virtio-gpu", "", "", "", RDP_HOLDS_NOTHING,
      RDP_MIGRATES | RDP_CIRCLE, .payload = 1, .fill = gpu_fill,
      .check = gpu_check, .circle = gpu_circle },
    { "gpu-cursor", "virtio-gpu", "", "", "", RDP_HOLDS_NOTHING,
      RDP_MIGRATES | RDP_SECOND, .queue = 1, .fill = gpu_fill_cursor },
};

const RdpHolderType *rdp_holder_types(unsigned *n)
{
    *n = ARRAY_SIZE(types);
    return types;
}
