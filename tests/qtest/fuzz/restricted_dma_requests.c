/*
 * Restricted DMA pools: requests that each type of device understands
 *
 * Without them, the fuzzer would not get past the first check of a header.  The
 * input changes single bytes, and where the parts of a request are.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/9p.h"
#include "qemu/bswap.h"
#include "scsi/constants.h"
#include "standard-headers/linux/virtio_blk.h"
#include "standard-headers/linux/virtio_console.h"
#include "standard-headers/linux/virtio_crypto.h"
#include "standard-headers/linux/virtio_gpu.h"
#include "standard-headers/linux/virtio_input.h"
#include "standard-headers/linux/virtio_net.h"
#include "standard-headers/linux/virtio_scsi.h"
#include "standard-headers/linux/virtio_snd.h"
#include "restricted_dma_fuzz.h"

/* A compound literal for a queue, and space for an answer of that many bytes */
#define REQUEST(vq, in, ...) \
    { .queue = vq, .in_len = in, .out_len = sizeof(__VA_ARGS__), \
      .out = (const uint8_t *)&__VA_ARGS__ }
/* The same with an address of a buffer, at this offset */
#define REQUEST_AT(at, vq, in, ...) \
    { .queue = vq, .in_len = in, .out_len = sizeof(__VA_ARGS__), \
      .out = (const uint8_t *)&__VA_ARGS__, .addr_at = at }
/* Space for the device to fill */
#define ROOM(vq, in)    { .queue = vq, .in_len = in }

#define le16    const_le16
#define le32    const_le32
#define le64    const_le64

/* Block devices */

typedef struct BlkRange {
    struct virtio_blk_outhdr hdr;
    struct virtio_blk_discard_write_zeroes range;
} BlkRange;

/* Anything that is read or written ends in a status of one byte */
#define BLK(vq, in, t, s) \
    REQUEST(vq, (in) + 1, (const struct virtio_blk_outhdr) { \
            .type = le32(t), .sector = le64(s) })
#define BLK_RANGE(t, f) \
    REQUEST(0, 1, (const BlkRange) { .hdr.type = le32(t), \
            .range = { .num_sectors = le32(8), .flags = le32(f) } })

/* Sector 100 is the one with errors */
static const RdpTemplate blk_requests[] = {
    BLK(0, 512, VIRTIO_BLK_T_IN, 0),
    BLK(0, 512, VIRTIO_BLK_T_IN, 100),
    BLK(1, 512, VIRTIO_BLK_T_IN, 100),
    BLK(0, 0, VIRTIO_BLK_T_OUT, 100),
    BLK(0, 0, VIRTIO_BLK_T_FLUSH, 0),
    BLK(0, 20, VIRTIO_BLK_T_GET_ID, 0),
    BLK_RANGE(VIRTIO_BLK_T_DISCARD, 0),
    BLK_RANGE(VIRTIO_BLK_T_WRITE_ZEROES,
              VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP),
    BLK(0, 17, VIRTIO_BLK_T_SCSI_CMD, 0),
    BLK(0, 512, VIRTIO_BLK_T_ZONE_REPORT, 0),
};
const RdpFuzzKind rdp_fuzz_blk = { blk_requests, ARRAY_SIZE(blk_requests) };

/* Network cards */

typedef struct NetFrame {
    struct virtio_net_hdr_mrg_rxbuf hdr;
    uint8_t frame[60];
} NetFrame;

/* To all, an IPv4 packet of TCP */
#define FRAME   { [0 ... 5] = 0xff, [12] = 0x08, [14] = 0x45, [17] = 46, \
                  [22] = 64, [23] = 6 }
#define CONTROL(...)    REQUEST(2, 1, (const uint8_t[]) { __VA_ARGS__ })

static const RdpTemplate net_requests[] = {
    ROOM(0, 1600),
    REQUEST(1, 0, (const NetFrame) { .frame = FRAME }),
    REQUEST(1, 0, (const NetFrame) {
            .hdr.hdr = {
                .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                .hdr_len = le16(54), .gso_size = le16(100),
                .csum_start = le16(34), .csum_offset = le16(16),
            }, .frame = FRAME }),
    CONTROL(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1),
    CONTROL(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET,
            1, 0, 0, 0, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 0, 0, 0, 0),
    CONTROL(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET,
            0x52, 0x54, 0, 0x12, 0x34, 0x56),
    CONTROL(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, 5, 0),
    CONTROL(VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK),
    CONTROL(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 1, 0),
    CONTROL(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG,
            [2] = 1, [12] = 1, [14] = 40, [54] = 0),
    CONTROL(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_HASH_CONFIG,
            [2] = 1, [14] = 40, [54] = 0),
    CONTROL(VIRTIO_NET_CTRL_GUEST_OFFLOADS,
            VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, [2] = 2, [9] = 0),
};
const RdpFuzzKind rdp_fuzz_net = {
    net_requests, ARRAY_SIZE(net_requests), rdp_fuzz_set_link, rdp_fuzz_link_up
};

/* SCSI adapters */

#define LUN             { 1, 0, 0x40 }
#define COMMAND(in, ...) \
    { .queue = 2, .in_len = sizeof(struct virtio_scsi_cmd_resp), \
      .data_len = in, .out_len = sizeof(struct virtio_scsi_cmd_req), \
      .out = (const uint8_t *)&(const struct virtio_scsi_cmd_req) { \
          .lun = LUN, .tag = le64(7), .cdb = { __VA_ARGS__ } } }
#define TASK(what) \
    REQUEST(0, 1, (const struct virtio_scsi_ctrl_tmf_req) { \
            .subtype = le32(what), .lun = LUN, .tag = le64(7) })

static const RdpTemplate scsi_requests[] = {
    COMMAND(0, TEST_UNIT_READY),
    COMMAND(512, READ_10, [8] = 1),
    COMMAND(512, READ_10, [5] = 100, [8] = 1),
    COMMAND(0, WRITE_10, [8] = 1),
    COMMAND(36, INQUIRY, [4] = 36),
    COMMAND(64, INQUIRY, 1, 0xb0, [4] = 64),
    COMMAND(255, MODE_SENSE, [2] = 0x3f, [4] = 255),
    COMMAND(0, MODE_SELECT, 0x10, [4] = 24),
    COMMAND(8, READ_CAPACITY_10),
    COMMAND(252, REQUEST_SENSE, [4] = 252),
    COMMAND(0, UNMAP, [8] = 24),
    COMMAND(0, WRITE_SAME_10, 8, [8] = 8),
    COMMAND(0, SYNCHRONIZE_CACHE),
    COMMAND(64, REPORT_LUNS, [9] = 64),
    TASK(VIRTIO_SCSI_T_TMF_ABORT_TASK),
    TASK(VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET),
    TASK(VIRTIO_SCSI_T_TMF_QUERY_TASK),
    REQUEST(0, 5, (const struct virtio_scsi_ctrl_an_req) {
            .type = le32(VIRTIO_SCSI_T_AN_QUERY), .lun = LUN }),
    ROOM(1, sizeof(struct virtio_scsi_event)),
};
const RdpFuzzKind rdp_fuzz_scsi = { scsi_requests, ARRAY_SIZE(scsi_requests) };

/* Consoles: port 0 has queues 0 and 1, and port 1 has queues 4 and 5 */

#define PORT(n, what, how) \
    REQUEST(3, 0, (const struct virtio_console_control) { \
            .id = le32(n), .event = le16(what), .value = le16(how) })

static const RdpTemplate serial_requests[] = {
    ROOM(0, 64),
    REQUEST(1, 0, (const uint8_t[16]) { }),
    ROOM(2, 32),
    PORT(0, VIRTIO_CONSOLE_DEVICE_READY, 1),
    PORT(0, VIRTIO_CONSOLE_PORT_READY, 1),
    PORT(0, VIRTIO_CONSOLE_PORT_OPEN, 1),
    PORT(0, VIRTIO_CONSOLE_PORT_OPEN, 0),
    PORT(1, VIRTIO_CONSOLE_PORT_READY, 1),
    PORT(1, VIRTIO_CONSOLE_PORT_OPEN, 1),
    ROOM(4, 64),
    REQUEST(5, 0, (const uint8_t[16]) { }),
};
const RdpFuzzKind rdp_fuzz_serial = {
    serial_requests, ARRAY_SIZE(serial_requests), rdp_fuzz_serial_input
};

/* Graphics cards: two resources, one of which may become a cursor */

typedef struct GpuBacking {
    struct virtio_gpu_resource_attach_backing attach;
    struct virtio_gpu_mem_entry entry;
} GpuBacking;

#define HDR(what) \
    .hdr = { .type = le32(what), .flags = le32(VIRTIO_GPU_FLAG_FENCE) }
#define RECT        .r = { .width = le32(16), .height = le32(16) }
#define GPU(in, name, ...) \
    REQUEST(0, sizeof(struct virtio_gpu_ctrl_hdr) + (in), \
            (const struct virtio_gpu_##name) { __VA_ARGS__ })
#define CREATE(id, edge) \
    GPU(0, resource_create_2d, HDR(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D), \
        .resource_id = le32(id), .width = le32(edge), .height = le32(edge), \
        .format = le32(VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM))
#define ATTACH(id, bytes) \
    REQUEST_AT(offsetof(GpuBacking, entry.addr), 0, \
               sizeof(struct virtio_gpu_ctrl_hdr), (const GpuBacking) { \
                   .attach = { HDR(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING), \
                               .resource_id = le32(id), \
                               .nr_entries = le32(1) }, \
                   .entry.length = le32(bytes) })
#define CURSOR(what) \
    REQUEST(1, 0, (const struct virtio_gpu_update_cursor) { \
            HDR(what), .resource_id = le32(2) })

static const RdpTemplate gpu_requests[] = {
    GPU(384, get_capset_info, HDR(VIRTIO_GPU_CMD_GET_DISPLAY_INFO)),
    CREATE(1, 16),
    ATTACH(1, 1024),
    GPU(0, transfer_to_host_2d, HDR(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D), RECT,
        .resource_id = le32(1)),
    GPU(0, set_scanout, HDR(VIRTIO_GPU_CMD_SET_SCANOUT), RECT,
        .resource_id = le32(1)),
    GPU(0, resource_flush, HDR(VIRTIO_GPU_CMD_RESOURCE_FLUSH), RECT,
        .resource_id = le32(1)),
    GPU(0, resource_detach_backing,
        HDR(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING), .resource_id = le32(1)),
    GPU(0, resource_unref, HDR(VIRTIO_GPU_CMD_RESOURCE_UNREF),
        .resource_id = le32(1)),
    GPU(16, get_capset_info, HDR(VIRTIO_GPU_CMD_GET_CAPSET_INFO)),
    GPU(1032, cmd_get_edid, HDR(VIRTIO_GPU_CMD_GET_EDID)),
    CREATE(2, 64),
    ATTACH(2, 64 * 64 * 4),
    CURSOR(VIRTIO_GPU_CMD_UPDATE_CURSOR),
    CURSOR(VIRTIO_GPU_CMD_MOVE_CURSOR),
};
const RdpFuzzKind rdp_fuzz_gpu = {
    gpu_requests, ARRAY_SIZE(gpu_requests), rdp_fuzz_resize
};

/* Sound cards: stream 0 plays, stream 1 records */

#define STREAM(what, id) \
    REQUEST(VIRTIO_SND_VQ_CONTROL, sizeof(struct virtio_snd_hdr), \
            (const struct virtio_snd_pcm_hdr) { \
                .hdr.code = le32(what), .stream_id = le32(id) })
#define PARAMETERS(id) \
    REQUEST(VIRTIO_SND_VQ_CONTROL, sizeof(struct virtio_snd_hdr), \
            (const struct virtio_snd_pcm_set_params) { \
                .hdr = { .hdr.code = le32(VIRTIO_SND_R_PCM_SET_PARAMS), \
                         .stream_id = le32(id) }, \
                .buffer_bytes = le32(4096), .period_bytes = le32(1024), \
                .channels = 2, .format = VIRTIO_SND_PCM_FMT_S16, \
                .rate = VIRTIO_SND_PCM_RATE_48000 })
#define QUERY(what, n, bytes) \
    REQUEST(VIRTIO_SND_VQ_CONTROL, sizeof(struct virtio_snd_hdr) + 64, \
            (const struct virtio_snd_query_info) { .hdr.code = le32(what), \
                .count = le32(n), .size = le32(bytes) })

static const RdpTemplate sound_requests[] = {
    PARAMETERS(0),
    STREAM(VIRTIO_SND_R_PCM_PREPARE, 0),
    STREAM(VIRTIO_SND_R_PCM_START, 0),
    REQUEST(VIRTIO_SND_VQ_TX, sizeof(struct virtio_snd_pcm_status),
            (const uint8_t[36]) { }),
    STREAM(VIRTIO_SND_R_PCM_STOP, 0),
    STREAM(VIRTIO_SND_R_PCM_RELEASE, 0),
    PARAMETERS(1),
    STREAM(VIRTIO_SND_R_PCM_PREPARE, 1),
    STREAM(VIRTIO_SND_R_PCM_START, 1),
    REQUEST(VIRTIO_SND_VQ_RX, 1024 + sizeof(struct virtio_snd_pcm_status),
            (const struct virtio_snd_pcm_xfer) { .stream_id = le32(1) }),
    STREAM(VIRTIO_SND_R_PCM_STOP, 1),
    STREAM(VIRTIO_SND_R_PCM_RELEASE, 1),
    QUERY(VIRTIO_SND_R_JACK_INFO, 1, sizeof(struct virtio_snd_jack_info)),
    QUERY(VIRTIO_SND_R_PCM_INFO, 2, sizeof(struct virtio_snd_pcm_info)),
    QUERY(VIRTIO_SND_R_CHMAP_INFO, 1, 24),
    ROOM(VIRTIO_SND_VQ_EVENT, sizeof(struct virtio_snd_event)),
};
const RdpFuzzKind rdp_fuzz_sound = {
    sound_requests, ARRAY_SIZE(sound_requests)
};

/* Accelerators; the vector of AES in CBC mode says what a block becomes */

#define BLOCK   16      /* bytes, as the key and the vector have, too */

typedef struct CryptoSession {
    struct virtio_crypto_op_ctrl_req req;
    uint8_t key[BLOCK];
} CryptoSession;

typedef struct CryptoData {
    struct virtio_crypto_op_data_req req;
    uint8_t iv[BLOCK];
    uint8_t data[BLOCK];
} CryptoData;

#define SESSION(what, ...) \
    REQUEST(1, sizeof(struct virtio_crypto_session_input), \
            (const CryptoSession) { .req.header.opcode = le32(what), \
                                    .req.u = { __VA_ARGS__ } })
#define CIPHER(what) \
    REQUEST(0, BLOCK + 1, (const CryptoData) { \
            .req.header.opcode = le32(what), \
            .req.u.sym_req = { \
                .u.cipher.para = { .iv_len = le32(BLOCK), \
                                   .src_data_len = le32(BLOCK), \
                                   .dst_data_len = le32(BLOCK) }, \
                .op_type = le32(VIRTIO_CRYPTO_SYM_OP_CIPHER) } })

static const RdpTemplate crypto_requests[] = {
    SESSION(VIRTIO_CRYPTO_CIPHER_CREATE_SESSION, .sym_create_session = {
            .u.cipher.para = { .algo = le32(VIRTIO_CRYPTO_CIPHER_AES_CBC),
                               .keylen = le32(BLOCK),
                               .op = le32(VIRTIO_CRYPTO_OP_ENCRYPT) },
            .op_type = le32(VIRTIO_CRYPTO_SYM_OP_CIPHER) }),
    CIPHER(VIRTIO_CRYPTO_CIPHER_DECRYPT),
    CIPHER(VIRTIO_CRYPTO_CIPHER_ENCRYPT),
    REQUEST(1, 1, (const struct virtio_crypto_op_ctrl_req) {
            .header.opcode = le32(VIRTIO_CRYPTO_CIPHER_DESTROY_SESSION) }),
    SESSION(VIRTIO_CRYPTO_AKCIPHER_CREATE_SESSION, .akcipher_create_session = {
            .para = { .algo = le32(VIRTIO_CRYPTO_AKCIPHER_RSA),
                      .keytype = le32(VIRTIO_CRYPTO_AKCIPHER_KEY_TYPE_PUBLIC),
                      .keylen = le32(BLOCK) } }),
    REQUEST(0, BLOCK + 1, (const CryptoData) {
            .req.header.opcode = le32(VIRTIO_CRYPTO_AKCIPHER_ENCRYPT),
            .req.u.akcipher_req.para = { .src_data_len = le32(BLOCK),
                                         .dst_data_len = le32(BLOCK) } }),
    SESSION(VIRTIO_CRYPTO_HASH_CREATE_SESSION, .hash_create_session = {
            .para = { .algo = le32(VIRTIO_CRYPTO_HASH_SHA1),
                      .hash_result_len = le32(20) } }),
};
const RdpFuzzKind rdp_fuzz_crypto = {
    crypto_requests, ARRAY_SIZE(crypto_requests), NULL,
    rdp_fuzz_close_sessions
};

/* 9P2000.L, of the file system that QEMU makes up for tests */

typedef struct QEMU_PACKED P9Message {
    uint32_t size;
    uint8_t id;
    uint16_t tag;
    char body[32];
} P9Message;

/* The numbers in the body are little endian, and strings have their length */
#define P9(what, text) \
    { .in_len = 4096, .out_len = offsetof(P9Message, body) + sizeof(text) - 1, \
      .out = (const uint8_t *)&(const P9Message) { \
          .size = le32(offsetof(P9Message, body) + sizeof(text) - 1), \
          .id = what, .tag = le16(1), .body = text } }
#define NOFID   "\377\377\377\377"

static const RdpTemplate p9_requests[] = {
    P9(P9_TVERSION, "\0\20\0\0" "\10\0" "9P2000.L"),
    P9(P9_TATTACH, "\0\0\0\0" NOFID "\0\0" "\0\0" NOFID),
    P9(P9_TWALK, "\0\0\0\0" "\1\0\0\0" "\1\0" "\5\0WRITE"),
    P9(P9_TLOPEN, "\1\0\0\0" "\1\0\0\0"),
    P9(P9_TWRITE, "\1\0\0\0" "\0\0\0\0\0\0\0\0" "\4\0\0\0" "\1\2\3\4"),
    P9(P9_TWALK, "\0\0\0\0" "\2\0\0\0" "\0\0"),
    P9(P9_TLOPEN, "\2\0\0\0" "\0\0\0\0"),
    P9(P9_TREADDIR, "\2\0\0\0" "\0\0\0\0\0\0\0\0" "\0\10\0\0"),
    P9(P9_TREAD, "\1\0\0\0" "\0\0\0\0\0\0\0\0" "\0\4\0\0"),
    P9(P9_TGETATTR, "\0\0\0\0" "\377\7\0\0\0\0\0\0"),
    P9(P9_TCLUNK, "\1\0\0\0"),
    P9(P9_TFLUSH, "\1\0"),
    P9(P9_TSTATFS, "\0\0\0\0"),
    P9(P9_TMKDIR, "\0\0\0\0" "\1\0d" "\377\1\0\0" "\0\0\0\0"),
    P9(P9_TXATTRWALK, "\0\0\0\0" "\3\0\0\0" "\1\0x"),
};
const RdpFuzzKind rdp_fuzz_9p = { p9_requests, ARRAY_SIZE(p9_requests) };

/* Keyboards */

static const RdpTemplate input_requests[] = {
    ROOM(0, sizeof(struct virtio_input_event)),
    /* A light, and the rate of repetition */
    REQUEST(1, 0, (const struct virtio_input_event) {
            .type = le16(0x11), .value = le32(1) }),
    REQUEST(1, 0, (const struct virtio_input_event) {
            .type = le16(0x14), .value = le32(250) }),
};
const RdpFuzzKind rdp_fuzz_input = {
    input_requests, ARRAY_SIZE(input_requests), rdp_fuzz_keyboard
};

/* Random numbers */

static const RdpTemplate rng_requests[] = {
    ROOM(0, 64), ROOM(0, 1), ROOM(0, 4096),
};
const RdpFuzzKind rdp_fuzz_rng = { rng_requests, ARRAY_SIZE(rng_requests) };
