/*
 * Restricted DMA pools: devices that find all addresses in their virtqueues
 *
 * Each request first does its work with buffers in the pool.  It is then made
 * again with each of its buffers in RAM in turn.  The tests after that have
 * drivers which try to end, stop or bloat QEMU without leaving the pool.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include <sys/resource.h>
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qobject/qjson.h"
#include "standard-headers/linux/input.h"
#include "standard-headers/linux/virtio_crypto.h"
#include "standard-headers/linux/virtio_input.h"
#include "standard-headers/linux/virtio_snd.h"
#include "restricted-dma/refusal.h"

#define MAX_BUFS    6

typedef struct Request Request;

typedef struct Test {
    const Request *request;
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;
    RdpRing ctrl;
    RdpBuf bufs[MAX_BUFS];
    unsigned n;
    char *dir;              /* on the host */
    uint64_t session;
    uint64_t features;      /* besides RDP_FEATURES */
} Test;

struct Request {
    const char *name;
    const char *device;
    const char *backend;    /* %s is the folder of the test */
    uint16_t queue;
    uint16_t ctrl;          /* the queue for begin(), if that is another one */
    bool chain_each;        /* each buffer is a chain of its own */
    void (*begin)(Test *t); /* what the request needs before it */
    void (*fill)(Test *t);  /* write the request into the pool */
    void (*act)(Test *t);   /* let the device use it */
    void (*check)(Test *t); /* the result is in the pool */
    void (*finish)(Test *t);    /* QEMU has ended */
    const void *data;
};

static void add_buf(Test *t, const void *content, uint32_t len)
{
    bool device_writes = !content;

    g_assert_cmpuint(t->n, <, MAX_BUFS);
    t->bufs[t->n] = (RdpBuf) { RDP_BUF(t->guest, t->n), len, device_writes };
    if (device_writes) {
        rdp_fill(t->guest, t->bufs[t->n].addr, 0xff, len);
    } else {
        rdp_poke(t->guest, t->bufs[t->n].addr, content, len);
    }
    t->n++;
}

static void assert_result(Test *t, unsigned buf, const void *expected,
                          uint32_t len)
{
    g_autofree uint8_t *result = g_malloc(len);

    g_assert_cmpuint(len, <=, t->bufs[buf].len);
    qtest_bufread(t->guest->qts, t->bufs[buf].addr, result, len);
    g_assert_cmpmem(result, len, expected, len);
}

static uint32_t result32(Test *t, unsigned buf)
{
    return qtest_readl(t->guest->qts, t->bufs[buf].addr);
}

/* Run what is in t->bufs on the queue for control requests */
static void run_ctrl(Test *t)
{
    rdp_ring_serve(&t->ctrl, t->bufs, t->n);
}

/* virtio-crypto: the first block of AES-128-CBC in NIST SP 800-38A */

#define AES_BLOCK   16

static const uint8_t aes_key[AES_BLOCK] = {
    0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
    0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c,
};
static const uint8_t aes_iv[AES_BLOCK] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
    0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
};
static const uint8_t aes_plain[AES_BLOCK] = {
    0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96,
    0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a,
};
static const uint8_t aes_cipher[AES_BLOCK] = {
    0x76, 0x49, 0xab, 0xac, 0x81, 0x19, 0xb2, 0x46,
    0xce, 0xe9, 0x8e, 0x9b, 0x12, 0xe9, 0x19, 0x7d,
};

static void crypto_add_session(Test *t, uint32_t algo, uint32_t op)
{
    struct virtio_crypto_op_ctrl_req req = {
        .header = {
            .opcode = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_CREATE_SESSION),
            .algo = cpu_to_le32(algo),
        },
        .u.sym_create_session = {
            .u.cipher.para = {
                .algo = cpu_to_le32(algo),
                .keylen = cpu_to_le32(sizeof(aes_key)),
                .op = cpu_to_le32(op),
            },
            .op_type = cpu_to_le32(VIRTIO_CRYPTO_SYM_OP_CIPHER),
        },
    };

    add_buf(t, &req, sizeof(req));
    add_buf(t, aes_key, sizeof(aes_key));
    add_buf(t, NULL, sizeof(struct virtio_crypto_session_input));
}

static void crypto_fill_session(Test *t)
{
    crypto_add_session(t, VIRTIO_CRYPTO_CIPHER_AES_CBC,
                       VIRTIO_CRYPTO_OP_ENCRYPT);
}

static void crypto_check_session(Test *t)
{
    struct virtio_crypto_session_input input;

    qtest_bufread(t->guest->qts, t->bufs[2].addr, &input, sizeof(input));
    g_assert_cmphex(le32_to_cpu(input.status), ==, VIRTIO_CRYPTO_OK);
    t->session = input.session_id;
}

static void crypto_begin(Test *t)
{
    crypto_fill_session(t);
    run_ctrl(t);
    crypto_check_session(t);
}

static void crypto_fill(Test *t)
{
    struct virtio_crypto_op_data_req req = {
        .header = {
            .opcode = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_ENCRYPT),
            .algo = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_AES_CBC),
            .session_id = t->session,
        },
        .u.sym_req = {
            .u.cipher.para = {
                .iv_len = cpu_to_le32(sizeof(aes_iv)),
                .src_data_len = cpu_to_le32(sizeof(aes_plain)),
                .dst_data_len = cpu_to_le32(sizeof(aes_cipher)),
            },
            .op_type = cpu_to_le32(VIRTIO_CRYPTO_SYM_OP_CIPHER),
        },
    };

    add_buf(t, &req, sizeof(req));
    add_buf(t, aes_iv, sizeof(aes_iv));
    add_buf(t, aes_plain, sizeof(aes_plain));
    add_buf(t, NULL, sizeof(aes_cipher));
    add_buf(t, NULL, sizeof(struct virtio_crypto_inhdr));
}

static void crypto_check(Test *t)
{
    const uint8_t status = VIRTIO_CRYPTO_OK;

    assert_result(t, 3, aes_cipher, sizeof(aes_cipher));
    assert_result(t, 4, &status, sizeof(status));
}

/* virtio-sound: stream 0 plays, stream 1 records */

#define SOUND_OUT       0
#define SOUND_IN        1
#define SOUND_SAMPLES   512
#define SOUND_SAMPLE    0x1234

static void sound_fill_info(Test *t)
{
    const struct virtio_snd_query_info query = {
        .hdr.code = cpu_to_le32(VIRTIO_SND_R_PCM_INFO),
        .start_id = cpu_to_le32(SOUND_OUT),
        .count = cpu_to_le32(1),
        .size = cpu_to_le32(sizeof(struct virtio_snd_pcm_info)),
    };

    add_buf(t, &query, sizeof(query));
    add_buf(t, NULL, sizeof(struct virtio_snd_hdr));
    add_buf(t, NULL, sizeof(struct virtio_snd_pcm_info));
}

static void sound_check_info(Test *t)
{
    struct virtio_snd_pcm_info info;

    g_assert_cmphex(result32(t, 1), ==, VIRTIO_SND_S_OK);
    qtest_bufread(t->guest->qts, t->bufs[2].addr, &info, sizeof(info));
    g_assert_cmpuint(info.direction, ==, VIRTIO_SND_D_OUTPUT);
}

/* Not in t->bufs, which may be in use */
static void sound_command(Test *t, uint32_t code, uint32_t stream)
{
    const struct virtio_snd_pcm_hdr hdr = {
        .hdr.code = cpu_to_le32(code),
        .stream_id = cpu_to_le32(stream),
    };
    RdpBuf bufs[] = {
        { RDP_BUF(t->guest, MAX_BUFS), sizeof(hdr) },
        { RDP_BUF(t->guest, MAX_BUFS + 1), sizeof(hdr.hdr), true },
    };

    rdp_poke(t->guest, bufs[0].addr, &hdr, sizeof(hdr));
    rdp_ring_serve(&t->ctrl, bufs, ARRAY_SIZE(bufs));
    g_assert_cmphex(qtest_readl(t->guest->qts, bufs[1].addr), ==,
                    VIRTIO_SND_S_OK);
}

static void sound_start_out(Test *t)
{
    sound_command(t, VIRTIO_SND_R_PCM_START, SOUND_OUT);
}

static void sound_start_in(Test *t)
{
    sound_command(t, VIRTIO_SND_R_PCM_START, SOUND_IN);
}

static void sound_fill_out(Test *t)
{
    const struct virtio_snd_pcm_xfer xfer = {
        .stream_id = cpu_to_le32(SOUND_OUT),
    };
    uint16_t samples[SOUND_SAMPLES];
    unsigned i;

    for (i = 0; i < SOUND_SAMPLES; i++) {
        samples[i] = cpu_to_le16(SOUND_SAMPLE);
    }
    add_buf(t, &xfer, sizeof(xfer));
    add_buf(t, samples, sizeof(samples));
    add_buf(t, NULL, sizeof(struct virtio_snd_pcm_status));
}

static void sound_fill_in(Test *t)
{
    const struct virtio_snd_pcm_xfer xfer = {
        .stream_id = cpu_to_le32(SOUND_IN),
    };

    add_buf(t, &xfer, sizeof(xfer));
    add_buf(t, NULL, SOUND_SAMPLES * sizeof(uint16_t));
    add_buf(t, NULL, sizeof(struct virtio_snd_pcm_status));
}

/* Audio takes its time */
static void sound_act(Test *t)
{
    qtest_clock_step(t->guest->qts, 10 * 1000 * 1000);
}

static void sound_check(Test *t)
{
    g_assert_cmphex(result32(t, 2), ==, VIRTIO_SND_S_OK);
}

/* The host has nothing to record: silence */
static void sound_check_in(Test *t)
{
    static const uint16_t silence[SOUND_SAMPLES];

    sound_check(t);
    assert_result(t, 1, silence, sizeof(silence));
}

/* The file has what was played, and apart from that only silence */
static void sound_finish(Test *t)
{
    g_autofree char *path = g_build_filename(t->dir, "wav", NULL);
    g_autofree char *wav = NULL;
    g_autoptr(GError) err = NULL;
    size_t i, len, found = 0;

    g_file_get_contents(path, &wav, &len, &err);
    g_assert_no_error(err);
    g_unlink(path);
    for (i = 44 /* header */; i + 1 < len; i += 2) {
        uint16_t sample = lduw_le_p(wav + i);

        g_assert(sample == SOUND_SAMPLE || !sample);
        found += !!sample;
    }
    g_assert_cmpuint(found, >=, SOUND_SAMPLES);
}

/* virtio-input */

typedef struct Input {
    const char *event;      /* as QMP wants it */
    uint16_t type, code;    /* as Linux has it */
    uint32_t value;
    unsigned count;         /* with those that follow from it */
} Input;

static const Input input_key = {
    "{'type': 'key', 'data': {'down': true,"
    " 'key': {'type': 'qcode', 'data': 'a'}}}", EV_KEY, KEY_A, 1, 2,
};
static const Input input_move = {
    "{'type': 'rel', 'data': {'axis': 'x', 'value': 7}}", EV_REL, REL_X, 7, 2,
};
static const Input input_point = {
    "{'type': 'abs', 'data': {'axis': 'x', 'value': 4711}}",
    EV_ABS, ABS_X, 4711, 2,
};
static const Input input_touch = {
    "{'type': 'mtt', 'data': {'type': 'begin', 'slot': 3, 'tracking-id': 5,"
    " 'axis': 'x', 'value': 0}}", EV_ABS, ABS_MT_SLOT, 3, 3,
};

static void input_fill(Test *t)
{
    const Input *input = t->request->data;
    unsigned i;

    for (i = 0; i < input->count; i++) {
        add_buf(t, NULL, sizeof(struct virtio_input_event));
    }
}

static void input_act(Test *t)
{
    const Input *input = t->request->data;
    QObject *event = qobject_from_json(input->event, &error_abort);

    qtest_qmp_assert_success(t->guest->qts, "{'execute': 'input-send-event',"
                             " 'arguments': {'events': [ %p ]}}", event);
}

static void input_check(Test *t)
{
    const Input *input = t->request->data;
    const struct virtio_input_event expected = {
        .type = cpu_to_le16(input->type),
        .code = cpu_to_le16(input->code),
        .value = cpu_to_le32(input->value),
    };

    assert_result(t, 0, &expected, sizeof(expected));
}

static void input_fill_status(Test *t)
{
    const struct virtio_input_event led = {
        .type = cpu_to_le16(EV_LED),
        .code = cpu_to_le16(LED_CAPSL),
        .value = cpu_to_le32(1),
    };

    add_buf(t, &led, sizeof(led));
}

/* virtio-9p: messages are packed, little endian, and begin with their size */

#define P9_MSIZE    8192
#define P9_TLOPEN   12
#define P9_TRENAME  20
#define P9_TGETATTR 24
#define P9_TREADDIR 40
#define P9_TVERSION 100
#define P9_TATTACH  104
#define P9_TFLUSH   108
#define P9_TWALK    110
#define P9_TOPEN    112         /* of 9P2000.u */
#define P9_TREAD    116
#define P9_TCLUNK   120
#define P9_TREMOVE  122
#define P9_RLERROR  7
#define P9_HEADER   7
#define P9_ROOT     0
#define P9_FID      1
#define P9_TEXT     "read through the pool"

static void p9_put(GByteArray *msg, uint64_t value, unsigned bytes)
{
    value = cpu_to_le64(value);
    g_byte_array_append(msg, (uint8_t *)&value, bytes);
}

static void p9_put_string(GByteArray *msg, const char *string)
{
    p9_put(msg, strlen(string), 2);
    g_byte_array_append(msg, (const uint8_t *)string, strlen(string));
}

static GByteArray *p9_message(uint8_t type)
{
    GByteArray *msg = g_byte_array_new();

    p9_put(msg, 0, 4);
    p9_put(msg, type, 1);
    p9_put(msg, type == P9_TVERSION ? UINT16_MAX : 0, 2);
    return msg;
}

/* The request, and room for @room bytes of the answer */
static void p9_add(Test *t, GByteArray *msg, uint32_t room)
{
    stl_le_p(msg->data, msg->len);
    add_buf(t, msg->data, msg->len);
    add_buf(t, NULL, room);
    g_byte_array_unref(msg);
}

/* The type of an answer is that of its request, plus 1 */
static void p9_check(Test *t)
{
    uint8_t request = qtest_readb(t->guest->qts, t->bufs[0].addr + 4);
    uint8_t answer = qtest_readb(t->guest->qts, t->bufs[1].addr + 4);

    g_assert_cmpuint(answer, ==, request + 1);
}

static void p9_run(Test *t, GByteArray *msg)
{
    t->n = 0;
    p9_add(t, msg, 512);
    rdp_ring_serve(&t->ring, t->bufs, t->n);
    p9_check(t);
}

static void p9_fill_version(Test *t)
{
    GByteArray *msg = p9_message(P9_TVERSION);

    p9_put(msg, P9_MSIZE, 4);
    p9_put_string(msg, "9P2000.L");
    p9_add(t, msg, 512);
}

static GByteArray *p9_attach(uint32_t fid)
{
    GByteArray *msg = p9_message(P9_TATTACH);

    p9_put(msg, fid, 4);
    p9_put(msg, UINT32_MAX, 4);
    p9_put_string(msg, "");
    p9_put_string(msg, "");
    p9_put(msg, 0, 4);
    return msg;
}

/* @name is that of something in the root, or "" for the root itself */
static GByteArray *p9_walk(uint32_t fid, const char *name)
{
    GByteArray *msg = p9_message(P9_TWALK);

    p9_put(msg, P9_ROOT, 4);
    p9_put(msg, fid, 4);
    p9_put(msg, *name ? 1 : 0, 2);
    if (*name) {
        p9_put_string(msg, name);
    }
    return msg;
}

/* A request of which nothing is known but its fid */
static GByteArray *p9_fid_message(uint8_t type, uint32_t fid)
{
    GByteArray *msg = p9_message(type);

    p9_put(msg, fid, 4);
    return msg;
}

static GByteArray *p9_lopen(uint32_t fid)
{
    GByteArray *msg = p9_fid_message(P9_TLOPEN, fid);

    p9_put(msg, 0, 4);
    return msg;
}

static void p9_begin(Test *t)
{
    g_autofree char *path = g_build_filename(t->dir, "file", NULL);

    g_assert_true(g_file_set_contents(path, P9_TEXT, -1, NULL));

    t->n = 0;
    p9_fill_version(t);
    rdp_ring_serve(&t->ring, t->bufs, t->n);
    p9_check(t);
    p9_run(t, p9_attach(P9_ROOT));
    p9_run(t, p9_walk(P9_FID, "file"));
    p9_run(t, p9_lopen(P9_FID));
}

/* The answer has a header and a count, and then the data */
static void p9_fill_read(Test *t)
{
    GByteArray *msg = p9_message(P9_TREAD);

    p9_put(msg, P9_FID, 4);
    p9_put(msg, 0, 8);
    p9_put(msg, strlen(P9_TEXT), 4);
    p9_add(t, msg, P9_HEADER + 4);
    add_buf(t, NULL, strlen(P9_TEXT));
}

static void p9_check_read(Test *t)
{
    p9_check(t);
    assert_result(t, 2, P9_TEXT, strlen(P9_TEXT));
}

static void p9_finish(Test *t)
{
    g_autofree char *path = g_build_filename(t->dir, "file", NULL);

    g_unlink(path);
}

static const Request requests[] = {
    { "crypto/session", "virtio-crypto-pci,cryptodev=crypt0",
      "-object cryptodev-backend-builtin,id=crypt0", .queue = 1, .ctrl = 1,
      .fill = crypto_fill_session, .check = crypto_check_session },
    { "crypto/aes", "virtio-crypto-pci,cryptodev=crypt0",
      "-object cryptodev-backend-builtin,id=crypt0", .queue = 0, .ctrl = 1,
      .begin = crypto_begin, .fill = crypto_fill, .check = crypto_check },

    { "sound/info", "virtio-sound-pci,audiodev=snd0",
      "-audiodev none,id=snd0", .queue = 0,
      .fill = sound_fill_info, .check = sound_check_info },
    { "sound/playback", "virtio-sound-pci,audiodev=snd0",
      "-audiodev wav,id=snd0,path=%s/wav,out.frequency=48000", .queue = 2,
      .begin = sound_start_out, .fill = sound_fill_out, .act = sound_act,
      .check = sound_check, .finish = sound_finish },
    { "sound/capture", "virtio-sound-pci,audiodev=snd0",
      "-audiodev none,id=snd0", .queue = 3,
      .begin = sound_start_in, .fill = sound_fill_in, .act = sound_act,
      .check = sound_check_in },

    { "input/keyboard", "virtio-keyboard-pci", "", .data = &input_key,
      .fill = input_fill, .act = input_act, .check = input_check,
      .chain_each = true },
    { "input/mouse", "virtio-mouse-pci", "", .data = &input_move,
      .fill = input_fill, .act = input_act, .check = input_check,
      .chain_each = true },
    { "input/tablet", "virtio-tablet-pci", "", .data = &input_point,
      .fill = input_fill, .act = input_act, .check = input_check,
      .chain_each = true },
    { "input/multitouch", "virtio-multitouch-pci", "", .data = &input_touch,
      .fill = input_fill, .act = input_act, .check = input_check,
      .chain_each = true },
    { "input/status", "virtio-keyboard-pci", "", .queue = 1,
      .fill = input_fill_status },

    { "9p/version", "virtio-9p-pci,fsdev=fs0,mount_tag=tag",
      "-fsdev local,id=fs0,path=%s,security_model=none",
      .fill = p9_fill_version, .check = p9_check },
    { "9p/read", "virtio-9p-pci,fsdev=fs0,mount_tag=tag",
      "-fsdev local,id=fs0,path=%s,security_model=none",
      .begin = p9_begin, .fill = p9_fill_read, .check = p9_check_read,
      .finish = p9_finish },
};

/* From reset to DRIVER_OK */
static void setup_rings(Test *t)
{
    const Request *r = t->request;

    g_assert_true(rdp_negotiate(&t->dev, RDP_FEATURES | t->features));
    rdp_ring_init(&t->ring, &t->dev, r->queue, false);
    rdp_ring_enable(&t->ring);
    if (r->ctrl != r->queue) {
        rdp_ring_init(&t->ctrl, &t->dev, r->ctrl, false);
        rdp_ring_enable(&t->ctrl);
    }
    rdp_driver_ok(&t->dev);
}

static void setup(Test *t)
{
    setup_rings(t);
    if (t->request->begin) {
        t->n = 0;
        t->request->begin(t);
    }
}

static void fill(Test *t)
{
    t->n = 0;
    t->request->fill(t);
}

static void submit(Test *t)
{
    unsigned chain = t->request->chain_each ? 1 : t->n;
    unsigned i;

    for (i = 0; i < t->n; i += chain) {
        rdp_ring_add(&t->ring, &t->bufs[i], chain, RDP_NO_TABLE);
    }
    rdp_ring_kick(&t->ring);
}

static void act(Test *t)
{
    if (t->request->act) {
        t->request->act(t);
    }
}

static void assert_served(Test *t)
{
    setup(t);
    fill(t);
    rdp_snapshot(t->guest);
    submit(t);
    RDP_WAIT_FOR((act(t), rdp_ring_used(&t->ring) == t->ring.added));
    if (t->request->check) {
        t->request->check(t);
    }
    rdp_assert_untouched(t->guest);
}

static void assert_refused(Test *t, unsigned bad)
{
    RdpAccess access = {
        .what = "buffer",
        .addr = RDP_IN_RAM(t->guest, RDP_VICTIM),
    };

    g_test_message("buffer %u", bad);
    fill(t);
    access.len = t->bufs[bad].len;
    t->bufs[bad].addr = access.addr;
    rdp_ring_baseline(&t->ring);
    submit(t);
    act(t);
    rdp_assert_refused(&t->ring, &access, true);
}

static void test_request(const void *data)
{
    const Request *request = data;
    Test t = { .request = request };
    g_autofree char *backend = NULL;
    unsigned bad = 0;

    t.dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);
    g_assert_nonnull(t.dir);
    backend = g_strdup_printf(request->backend, t.dir);
    t.guest = rdp_start_device(&t.dev, rdp_machine(),
                               "%s -device %s," RDP_CONFINED, backend,
                               request->device);
    do {
        assert_served(&t);
        assert_refused(&t, bad);
    } while (++bad < t.n);
    assert_served(&t);
    rdp_device_stop(&t.dev);

    if (request->finish) {
        request->finish(&t);
    }
    g_rmdir(t.dir);
    g_free(t.dir);
}

static const Request *find_request(const char *name)
{
    unsigned i;

    for (i = 0; strcmp(requests[i].name, name); i++) {
        g_assert_cmpuint(i, <, ARRAY_SIZE(requests));
    }
    return &requests[i];
}

static void start_test(Test *t, const char *name, const char *options)
{
    t->request = find_request(name);
    t->guest = rdp_start_device(&t->dev, rdp_machine(), "%s -device %s,"
                                RDP_CONFINED, options, t->request->device);
}

/*
 * A QEMU that hangs does not answer, and no function of libqtest waits for a
 * limited time only.
 */
static void begin_attack(void)
{
    alarm(RDP_WAIT_USEC / G_USEC_PER_SEC);
}

static void assert_survived(Test *t)
{
    int64_t start = g_get_monotonic_time();

    qtest_qmp_assert_success(t->guest->qts, "{'execute': 'query-status'}");
    g_assert_cmpint(g_get_monotonic_time() - start, <, G_USEC_PER_SEC);
    alarm(0);
}

/* The KiB that QEMU has allocated, even if it has not written to them */
static int64_t allocated(Test *t)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status",
                                            (int)qtest_pid(t->guest->qts));
    g_autofree char *status = NULL;
    const char *line;

    g_assert_true(g_file_get_contents(path, &status, NULL, NULL));
    line = strstr(status, "VmData:");
    g_assert_nonnull(line);
    return g_ascii_strtoll(line + strlen("VmData:"), NULL, 10);
}

/* Nothing of the last request is returned, or written, any more */
static void assert_forgotten(Test *t, uint64_t status)
{
    unsigned i;

    rdp_fill(t->guest, status, 0xff, 1);
    for (i = 0; i < 100; i++) {
        act(t);
    }
    g_assert_cmphex(qtest_readb(t->guest->qts, status), ==, UINT8_MAX);
    g_assert_cmpuint(rdp_ring_used(&t->ring), ==, 0);
}

static void reset_ring(Test *t)
{
    rdp_ring_reset(&t->ring);
    RDP_WAIT_FOR(!qpci_io_readw(t->dev.pci, t->dev.bar,
                                t->dev.common + VIRTIO_PCI_COMMON_Q_RESET));
    rdp_ring_init(&t->ring, &t->dev, t->request->queue, false);
    rdp_ring_enable(&t->ring);
}

#define SOUND_OPTIONS   "-audiodev none,id=snd0"

/* After a reset, buffers that a stream had not yet used are the driver's */
static void test_sound_reset(const void *name)
{
    Test t = { };

    start_test(&t, name, SOUND_OPTIONS);
    setup(&t);
    fill(&t);
    submit(&t);

    setup(&t);
    assert_forgotten(&t, t.bufs[2].addr);
    assert_served(&t);
    rdp_device_stop(&t.dev);
}

/* The same for the reset of a queue, even while the stream does not play */
static void test_sound_queue_reset(const void *name)
{
    Test t = { .features = BIT_ULL(VIRTIO_F_RING_RESET) };

    start_test(&t, name, SOUND_OPTIONS);
    setup_rings(&t);
    fill(&t);
    submit(&t);
    rdp_settle(t.guest->qts);

    reset_ring(&t);
    t.n = 0;
    t.request->begin(&t);
    fill(&t);
    assert_forgotten(&t, t.bufs[2].addr);
    submit(&t);
    RDP_WAIT_FOR((act(&t), rdp_ring_used(&t.ring) == t.ring.added));
    t.request->check(&t);
    rdp_device_stop(&t.dev);
}

/*
 * A message takes no memory in proportion to its size.  Most of the pool is
 * the data of each.
 */
static void test_sound_size(const void *name)
{
    Test t = { .features = BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) };
    bool out = !strcmp(name, "sound/playback");
    int64_t before;
    unsigned i;

    start_test(&t, name, SOUND_OPTIONS);
    setup_rings(&t);
    fill(&t);
    t.bufs[1].addr = t.guest->base + RDP_USED_END;
    t.bufs[1].len = RDP_POOL_SIZE - RDP_USED_END;
    rdp_settle(t.guest->qts);

    before = allocated(&t);
    for (i = 0; i < RDP_RING_SIZE; i++) {
        rdp_ring_add(&t.ring, t.bufs, t.n, t.guest->base + RDP_TABLE);
    }
    rdp_ring_kick(&t.ring);
    rdp_settle(t.guest->qts);
    g_assert_cmpint(allocated(&t) - before, <, RDP_POOL_SIZE / KiB);
    g_assert_cmpuint(rdp_ring_used(&t.ring), ==, 0);

    sound_command(&t, VIRTIO_SND_R_PCM_RELEASE, out ? SOUND_OUT : SOUND_IN);
    g_assert_cmpuint(rdp_ring_used(&t.ring), ==, RDP_RING_SIZE);
    assert_served(&t);
    rdp_device_stop(&t.dev);
}

/* A request without a header is answered like the other malformed ones */
static void test_sound_short(void)
{
    Test t = { };
    unsigned i;

    start_test(&t, "sound/info", SOUND_OPTIONS);
    setup(&t);
    fill(&t);
    t.bufs[0].len = 1;
    for (i = 0; i <= RDP_RING_SIZE; i++) {
        rdp_ring_serve(&t.ring, t.bufs, 2);
        g_assert_cmphex(result32(&t, 1), ==, VIRTIO_SND_S_BAD_MSG);
    }
    assert_served(&t);
    rdp_device_stop(&t.dev);
}

/* The interrupt resets the device that raises it, if the device lets it */
static void test_sound_interrupt(const void *name)
{
    Test t = { };
    uint64_t entry;

    start_test(&t, name, SOUND_OPTIONS);
    qpci_msix_enable(t.dev.pci);
    entry = t.dev.pci->msix_table_off;
    qpci_io_writeq(t.dev.pci, t.dev.pci->msix_table_bar,
                   entry + PCI_MSIX_ENTRY_LOWER_ADDR,
                   t.dev.bar.addr + t.dev.common + VIRTIO_PCI_COMMON_STATUS);
    qpci_io_writel(t.dev.pci, t.dev.pci->msix_table_bar,
                   entry + PCI_MSIX_ENTRY_DATA, 0);
    qpci_io_writel(t.dev.pci, t.dev.pci->msix_table_bar,
                   entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
    setup(&t);
    rdp_ring_set_vector(&t.ring, 0);
    fill(&t);
    submit(&t);

    begin_attack();
    RDP_WAIT_FOR((act(&t), rdp_ring_used(&t.ring) == t.ring.added));
    assert_survived(&t);
    g_assert_cmphex(rdp_status(&t.dev) & VIRTIO_CONFIG_S_DRIVER_OK, !=, 0);
    t.request->check(&t);
    qpci_msix_disable(t.dev.pci);
    rdp_device_stop(&t.dev);
}

#define CRYPTO_OPTIONS  "-object cryptodev-backend-builtin,id=crypt0"
#define CRYPTO_BYTES    (512 * 1000)    /* with the result, just below 1 MiB */

/* A request that has its source, and wants its result, at @addr */
static void crypto_fill_bulk(Test *t, uint32_t opcode, uint64_t addr,
                             uint32_t len)
{
    struct virtio_crypto_op_data_req req = {
        .header = {
            .opcode = cpu_to_le32(opcode),
            .session_id = t->session,
        },
        .u.sym_req = {
            .u.cipher.para = {
                .src_data_len = cpu_to_le32(len),
                .dst_data_len = cpu_to_le32(len),
            },
            .op_type = cpu_to_le32(VIRTIO_CRYPTO_SYM_OP_CIPHER),
        },
    };

    t->n = 0;
    add_buf(t, &req, sizeof(req));
    t->bufs[t->n++] = (RdpBuf) { addr, len };
    t->bufs[t->n++] = (RdpBuf) { addr, len, true };
    add_buf(t, NULL, sizeof(struct virtio_crypto_inhdr));
}

static void crypto_open(Test *t, uint32_t algo, uint32_t op)
{
    t->n = 0;
    crypto_add_session(t, algo, op);
    run_ctrl(t);
    crypto_check_session(t);
}

/* What request number n writes when it is decrypted: request number n + 1 */
typedef struct QEMU_PACKED CryptoLoop {
    struct vring_desc src;
    uint16_t avail_flags;
    uint16_t avail_idx;
    uint16_t avail_ring[6];
} CryptoLoop;

#define CRYPTO_LOOP     (UINT16_MAX + 1)

static uint64_t crypto_loop_addr(Test *t, uint16_t n)
{
    return t->guest->base + RDP_USED_END + n * sizeof(CryptoLoop);
}

/* Let the device encrypt the whole table, so that decrypting it makes that */
static void crypto_write_loop(Test *t)
{
    g_autofree CryptoLoop *loop = g_new0(CryptoLoop, CRYPTO_LOOP);
    const unsigned chunk = CRYPTO_LOOP / 8;
    unsigned n;

    for (n = 0; n < CRYPTO_LOOP; n++) {
        loop[n].src = (struct vring_desc) {
            .addr = cpu_to_le64(crypto_loop_addr(t, n + 1)),
            .len = cpu_to_le32(sizeof(CryptoLoop)),
            .flags = cpu_to_le16(VRING_DESC_F_NEXT),
            .next = cpu_to_le16(2),
        };
        loop[n].avail_idx = cpu_to_le16(n + 2);
    }
    rdp_poke(t->guest, crypto_loop_addr(t, 0), loop,
             CRYPTO_LOOP * sizeof(CryptoLoop));

    crypto_open(t, VIRTIO_CRYPTO_CIPHER_AES_ECB, VIRTIO_CRYPTO_OP_ENCRYPT);
    for (n = 0; n < CRYPTO_LOOP; n += chunk) {
        crypto_fill_bulk(t, VIRTIO_CRYPTO_CIPHER_ENCRYPT,
                         crypto_loop_addr(t, n), chunk * sizeof(CryptoLoop));
        rdp_ring_serve(&t->ring, t->bufs, t->n);
        g_assert_cmpuint(qtest_readb(t->guest->qts, t->bufs[3].addr), ==,
                         VIRTIO_CRYPTO_OK);
    }
}

/* The result of each request is the next one: there is always one more */
static void test_crypto_loop(const void *data)
{
    Test t = { };
    RdpBuf bufs[5];
    unsigned i;

    start_test(&t, "crypto/aes", CRYPTO_OPTIONS);
    setup(&t);
    crypto_write_loop(&t);
    crypto_open(&t, VIRTIO_CRYPTO_CIPHER_AES_ECB, VIRTIO_CRYPTO_OP_DECRYPT);
    crypto_fill_bulk(&t, VIRTIO_CRYPTO_CIPHER_DECRYPT,
                     crypto_loop_addr(&t, t.ring.added), sizeof(CryptoLoop));
    memcpy(bufs, t.bufs, 2 * sizeof(*bufs));
    bufs[2] = (RdpBuf) { t.ring.desc + sizeof(struct vring_desc),
                         sizeof(struct vring_desc), true };
    bufs[3] = (RdpBuf) { t.ring.avail,
                         sizeof(CryptoLoop) - sizeof(struct vring_desc), true };
    bufs[4] = t.bufs[3];

    /* Each entry of the available ring is descriptor 0 */
    t.ring.next = 0;
    for (i = 0; i < RDP_RING_SIZE; i++) {
        qtest_writew(t.guest->qts, t.ring.avail +
                     offsetof(struct vring_avail, ring[i]), 0);
    }
    begin_attack();
    rdp_ring_submit(&t.ring, bufs, ARRAY_SIZE(bufs));
    RDP_WAIT_FOR(rdp_ring_used(&t.ring) > 10 * RDP_RING_SIZE);
    assert_survived(&t);
    assert_served(&t);
    rdp_device_stop(&t.dev);
}

static void crypto_throttle(Test *t, unsigned ops)
{
    qtest_qmp_assert_success(t->guest->qts, "{'execute': 'qom-set',"
                             " 'arguments': {'path': '/objects/crypt0',"
                             " 'property': 'throttle-ops', 'value': %u}}", ops);
}

/* The number of requests that the device has taken from the queue */
static uint64_t popped(Test *t)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s/"
                                            "virtio-backend", t->dev.id);
    QDict *rsp = qtest_qmp(t->guest->qts,
                           "{'execute': 'x-query-virtio-queue-status',"
                           " 'arguments': {'path': %s, 'queue': %u}}",
                           path, t->request->queue);
    uint64_t n = rdp_get_uint(qdict_get_qdict(rsp, "return"),
                              "last-avail-idx");

    qobject_unref(rsp);
    return n;
}

/* Requests that wait for the host take 8 MiB and not as many as there are */
static void test_crypto_throttle_size(const void *data)
{
    Test t = { .features = BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) };
    unsigned i;

    start_test(&t, "crypto/aes", CRYPTO_OPTIONS ",throttle-ops=1");
    setup(&t);
    crypto_open(&t, VIRTIO_CRYPTO_CIPHER_AES_ECB, VIRTIO_CRYPTO_OP_ENCRYPT);
    crypto_fill_bulk(&t, VIRTIO_CRYPTO_CIPHER_ENCRYPT,
                     t.guest->base + RDP_USED_END, CRYPTO_BYTES);
    for (i = 0; i < RDP_RING_SIZE; i++) {
        rdp_ring_add(&t.ring, t.bufs, t.n, t.guest->base + RDP_TABLE);
    }
    rdp_ring_kick(&t.ring);
    RDP_WAIT_FOR(popped(&t) >= 9);
    rdp_settle(t.guest->qts);
    g_assert_cmpuint(popped(&t), <=, 12);

    /* The others follow */
    crypto_throttle(&t, 0);
    rdp_ring_wait(&t.ring);
    assert_served(&t);
    rdp_device_stop(&t.dev);
}

/* Requests that wait are forgotten with the reset of device or queue */
static void test_crypto_throttle_reset(const void *queue)
{
    Test t = { .features = BIT_ULL(VIRTIO_F_RING_RESET) };
    uint64_t status;
    unsigned i;

    start_test(&t, "crypto/aes", CRYPTO_OPTIONS ",throttle-ops=1");
    setup(&t);
    for (i = 0; i < 3; i++) {
        fill(&t);
        submit(&t);
    }
    rdp_settle(t.guest->qts);
    g_assert_cmpuint(rdp_ring_used(&t.ring), <, t.ring.added);
    status = t.bufs[4].addr;

    if (queue) {
        reset_ring(&t);
    } else {
        setup(&t);
    }
    rdp_fill(t.guest, status, 0xff, 1);
    crypto_throttle(&t, 0);
    rdp_settle(t.guest->qts);
    assert_forgotten(&t, status);
    assert_served(&t);
    rdp_device_stop(&t.dev);
}

/* The next driver has all sessions again */
static void test_crypto_sessions(const void *data)
{
    Test t = { };
    unsigned i;

    start_test(&t, "crypto/aes", CRYPTO_OPTIONS);
    setup(&t);
    for (i = 1; i < 256; i++) {
        crypto_open(&t, VIRTIO_CRYPTO_CIPHER_AES_CBC,
                    VIRTIO_CRYPTO_OP_ENCRYPT);
    }
    t.n = 0;
    crypto_fill_session(&t);
    run_ctrl(&t);
    g_assert_cmphex(qtest_readl(t.guest->qts, t.bufs[2].addr +
                    offsetof(struct virtio_crypto_session_input, status)), ==,
                    VIRTIO_CRYPTO_ERR);
    assert_served(&t);
    rdp_device_stop(&t.dev);
}

/* There is no asymmetric service, and no memory for a key of 4 GiB */
static void test_crypto_asymmetric(const void *data)
{
    struct virtio_crypto_op_ctrl_req ctrl = {
        .header.opcode = cpu_to_le32(VIRTIO_CRYPTO_AKCIPHER_CREATE_SESSION),
        .u.akcipher_create_session.para = {
            .algo = cpu_to_le32(VIRTIO_CRYPTO_AKCIPHER_RSA),
            .keytype = cpu_to_le32(VIRTIO_CRYPTO_AKCIPHER_KEY_TYPE_PUBLIC),
            .keylen = UINT32_MAX,
        },
    };
    struct virtio_crypto_op_data_req req = {
        .header.opcode = cpu_to_le32(VIRTIO_CRYPTO_AKCIPHER_ENCRYPT),
    };
    Test t = { };

    start_test(&t, "crypto/aes", CRYPTO_OPTIONS);
    setup(&t);
    t.n = 0;
    add_buf(&t, &ctrl, sizeof(ctrl));
    add_buf(&t, NULL, sizeof(struct virtio_crypto_session_input));
    run_ctrl(&t);
    g_assert_cmphex(qtest_readl(t.guest->qts, t.bufs[1].addr +
                    offsetof(struct virtio_crypto_session_input, status)), ==,
                    VIRTIO_CRYPTO_NOTSUPP);

    t.n = 0;
    req.header.session_id = t.session;
    add_buf(&t, &req, sizeof(req));
    add_buf(&t, NULL, sizeof(struct virtio_crypto_inhdr));
    rdp_ring_serve(&t.ring, t.bufs, t.n);
    g_assert_cmphex(qtest_readb(t.guest->qts, t.bufs[1].addr), ==,
                    VIRTIO_CRYPTO_NOTSUPP);
    assert_served(&t);
    rdp_device_stop(&t.dev);
}

/* Doorbells do not add up to requests for entropy, which may never arrive */
static void test_rng_doorbells(void)
{
    g_autofree guchar *asked = NULL;
    RdpDevice dev;
    RdpRing ring;
    RdpBuf buf;
    QDict *rsp;
    gsize len;
    unsigned i;

    rdp_start_device(&dev, rdp_machine(), "-chardev ringbuf,id=egd0,size=64K "
                     "-object rng-egd,id=rng0,chardev=egd0 "
                     "-device virtio-rng-pci,rng=rng0," RDP_CONFINED);
    rdp_setup(&dev, &ring, 0, RDP_FEATURES);
    buf = (RdpBuf) { RDP_BUF(dev.guest, 0), 512, true };
    rdp_ring_submit(&ring, &buf, 1);
    for (i = 0; i < 100; i++) {
        rdp_ring_kick(&ring);
        rdp_settle(dev.guest->qts);
    }

    /* Two bytes ask for up to 255 */
    rsp = qtest_qmp(dev.guest->qts, "{'execute': 'ringbuf-read', 'arguments':"
                    " {'device': 'egd0', 'size': 65536, 'format': 'base64'}}");
    asked = g_base64_decode(qdict_get_str(rsp, "return"), &len);
    g_assert_cmpuint(len, ==, 2 * DIV_ROUND_UP(buf.len, 255));
    qobject_unref(rsp);
    rdp_device_stop(&dev);
}

/* Events for which there is no room leave nothing behind */
static void test_input_room(void)
{
    Test t = { .features = BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) };
    RdpBuf bufs[1024];
    int64_t before;
    unsigned i;

    start_test(&t, "input/keyboard", "");
    setup(&t);
    for (i = 0; i < ARRAY_SIZE(bufs); i++) {
        bufs[i] = (RdpBuf) { RDP_BUF(t.guest, 0), 8, true };
    }
    rdp_ring_add(&t.ring, bufs, ARRAY_SIZE(bufs), t.guest->base + RDP_TABLE);
    rdp_ring_kick(&t.ring);
    act(&t);

    before = allocated(&t);
    for (i = 0; i < 2000; i++) {
        act(&t);
    }
    g_assert_cmpint(allocated(&t) - before, <, 8 * KiB);    /* not 48 MiB */
    g_assert_cmpuint(rdp_ring_used(&t.ring), ==, 0);
    assert_served(&t);
    rdp_device_stop(&t.dev);
}

static void add_sound_tests(void)
{
    static const struct {
        const char *name;
        GTestDataFunc func;
    } tests[] = {
        { "reset", test_sound_reset },
        { "queue-reset", test_sound_queue_reset },
        { "size", test_sound_size },
        { "interrupt", test_sound_interrupt },
    };
    static const char *const streams[] = { "playback", "capture" };
    unsigned i, j;

    for (i = 0; i < ARRAY_SIZE(tests); i++) {
        for (j = 0; j < ARRAY_SIZE(streams); j++) {
            g_autofree char *path = g_strdup_printf(
                "/restricted-dma/peripheral/sound/%s/%s", tests[i].name,
                streams[j]);
            g_autofree char *request = g_strdup_printf("sound/%s", streams[j]);

            qtest_add_data_func(path, find_request(request)->name,
                                tests[i].func);
        }
    }
    qtest_add_func("/restricted-dma/peripheral/sound/short", test_sound_short);
}

static void add_crypto_tests(void)
{
#define CRYPTO_TEST(name, ...) \
    qtest_add_data_func("/restricted-dma/peripheral/crypto/" name, __VA_ARGS__)

    CRYPTO_TEST("loop", NULL, test_crypto_loop);
    CRYPTO_TEST("throttle/size", NULL, test_crypto_throttle_size);
    CRYPTO_TEST("throttle/reset", NULL, test_crypto_throttle_reset);
    CRYPTO_TEST("throttle/queue-reset", "queue", test_crypto_throttle_reset);
    CRYPTO_TEST("sessions", NULL, test_crypto_sessions);
    CRYPTO_TEST("asymmetric", NULL, test_crypto_asymmetric);
}

/* What a 9p client can do to its server */

#define P9_DEVICE   "virtio-9p-pci,fsdev=fs0,mount_tag=tag"
#define P9_ENFILE   23
#define P9_ROOM     512

static void start_9p(Test *t, const char *options, const char *more)
{
    t->request = find_request("9p/version");
    t->dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);
    g_assert_nonnull(t->dir);
    t->guest = rdp_start_device(&t->dev, rdp_machine(), "-fsdev local,id=fs0,"
                                "path=%s,security_model=none -device "
                                P9_DEVICE "%s," RDP_CONFINED " %s", t->dir,
                                options, more);
    setup(t);
    p9_begin(t);
}

static void stop_9p(Test *t)
{
    g_autoptr(GDir) dir = g_dir_open(t->dir, 0, NULL);
    const char *name;

    rdp_device_stop(&t->dev);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(t->dir, name, NULL);

        g_remove(path);
    }
    g_rmdir(t->dir);
    g_free(t->dir);
}

static void p9_make_dir(Test *t, const char *name)
{
    g_autofree char *path = g_build_filename(t->dir, name, NULL);

    g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
}

/* Make several requests available at once; returns the answers' types */
static void p9_run_together(Test *t, GByteArray **messages, unsigned n,
                            uint8_t *answers)
{
    unsigned i;

    t->n = 0;
    for (i = 0; i < n; i++) {
        p9_add(t, messages[i], P9_ROOM);
        rdp_ring_add(&t->ring, &t->bufs[2 * i], 2, RDP_NO_TABLE);
    }
    rdp_ring_kick(&t->ring);
    rdp_ring_wait(&t->ring);
    for (i = 0; i < n; i++) {
        answers[i] = qtest_readb(t->guest->qts, t->bufs[2 * i + 1].addr + 4);
    }
}

/* Returns the error, or 0 */
static uint32_t p9_try(Test *t, GByteArray *msg)
{
    t->n = 0;
    p9_add(t, msg, P9_ROOM);
    rdp_ring_serve(&t->ring, t->bufs, t->n);
    if (qtest_readb(t->guest->qts, t->bufs[1].addr + 4) != P9_RLERROR) {
        return 0;
    }
    return qtest_readl(t->guest->qts, t->bufs[1].addr + P9_HEADER);
}

/* Fids are limited, and come back when they are clunked */
static void test_9p_fids(void)
{
    Test t = { };
    uint32_t fid;

    start_9p(&t, ",max-fids=20", "");
    /* The root, and an open file which counts as nine */
    for (fid = 10; fid < 20; fid++) {
        g_assert_cmpuint(p9_try(&t, p9_walk(fid, "file")), ==, 0);
    }
    g_assert_cmpuint(p9_try(&t, p9_walk(fid, "file")), ==, P9_ENFILE);
    g_assert_cmpuint(p9_try(&t, p9_attach(fid)), ==, P9_ENFILE);
    g_assert_cmpuint(p9_try(&t, p9_lopen(10)), ==, P9_ENFILE);

    g_assert_cmpuint(p9_try(&t, p9_fid_message(P9_TCLUNK, P9_FID)), ==, 0);
    g_assert_cmpuint(p9_try(&t, p9_lopen(10)), ==, 0);
    g_assert_cmpuint(p9_try(&t, p9_walk(fid, "file")), ==, 0);
    g_assert_cmpuint(p9_try(&t, p9_walk(fid + 1, "file")), ==, P9_ENFILE);

    /* So they do when the device is reset */
    setup(&t);
    p9_begin(&t);
    g_assert_cmpuint(p9_try(&t, p9_walk(10, "file")), ==, 0);
    stop_9p(&t);
}

/* Without max-fids there is a limit as well */
static void test_9p_default(void)
{
    Test t = { };
    uint32_t fid, err = 0;

    start_9p(&t, "", "");
    for (fid = 10; !err; fid++) {
        g_assert_cmpuint(fid, <, 10000);
        err = p9_try(&t, p9_walk(fid, "file"));
    }
    g_assert_cmpuint(err, ==, P9_ENFILE);
    stop_9p(&t);
}

/* An answer to Treaddir is short, whatever the client has room for */
static void test_9p_readdir(void)
{
    const uint32_t room = MiB;
    Test t = { };
    uint32_t len;
    unsigned i;
    GByteArray *msg;

    start_9p(&t, "", "");
    for (i = 0; i < 1000; i++) {
        g_autofree char *path = g_strdup_printf("%s/name-of-a-file-%u", t.dir,
                                                i);

        g_assert_true(g_file_set_contents(path, "", 0, NULL));
    }
    msg = p9_message(P9_TVERSION);
    p9_put(msg, room, 4);
    p9_put_string(msg, "9P2000.L");
    p9_run(&t, msg);
    p9_run(&t, p9_attach(P9_ROOT));
    p9_run(&t, p9_lopen(P9_ROOT));
    msg = p9_fid_message(P9_TREADDIR, P9_ROOT);
    p9_put(msg, 0, 8);
    p9_put(msg, room - 100, 4);
    t.n = 0;
    p9_add(&t, msg, P9_ROOM);
    t.bufs[1].addr = t.guest->base + MiB;
    t.bufs[1].len = room;
    rdp_ring_serve(&t.ring, t.bufs, t.n);
    p9_check(&t);
    len = qtest_readl(t.guest->qts, t.bufs[1].addr);
    g_assert_cmpuint(len, >, 8 * KiB);
    g_assert_cmpuint(len, <=, 16 * KiB + 11);
    stop_9p(&t);
}

/* Of two that open a fid at the same time, one succeeds */
static void test_9p_open_twice(void)
{
    GByteArray *messages[2];
    uint8_t answers[2];
    Test t = { };

    start_9p(&t, "", "");
    p9_run(&t, p9_walk(10, ""));
    messages[0] = p9_lopen(10);
    messages[1] = p9_lopen(10);
    p9_run_together(&t, messages, 2, answers);
    g_assert_cmpuint(MIN(answers[0], answers[1]), ==, P9_RLERROR);
    g_assert_cmpuint(MAX(answers[0], answers[1]), ==, P9_TLOPEN + 1);
    stop_9p(&t);
}

/* While Tversion closes a file, a directory gets the old protocol */
static void test_9p_two_protocols(void)
{
    GByteArray *messages[2];
    uint8_t answers[2];
    unsigned i;
    Test t = { };

    start_9p(&t, "", "");
    messages[0] = p9_message(P9_TVERSION);
    p9_put(messages[0], P9_MSIZE, 4);
    p9_put_string(messages[0], "9P2000.u");
    messages[1] = p9_attach(P9_ROOT);
    p9_run_together(&t, messages, 2, answers);
    g_assert_cmpuint(answers[0], ==, P9_TVERSION + 1);
    g_assert_cmpuint(answers[1], ==, P9_TATTACH + 1);

    messages[0] = p9_fid_message(P9_TOPEN, P9_ROOT);
    p9_put(messages[0], 0, 1);
    p9_run(&t, messages[0]);
    for (i = 0; i < 2; i++) {
        messages[i] = p9_fid_message(P9_TREAD, P9_ROOT);
        p9_put(messages[i], 0, 8);
        p9_put(messages[i], P9_ROOM - 11, 4);
    }
    p9_run_together(&t, messages, 2, answers);
    stop_9p(&t);
}

/* A request that has waited does not clunk a fid that came later */
static void test_9p_clunk(void)
{
    GByteArray *messages[3];
    uint8_t answers[3];
    Test t = { };

    start_9p(&t, "", "");
    p9_run(&t, p9_fid_message(P9_TCLUNK, P9_FID));
    p9_run(&t, p9_walk(P9_FID, "file"));

    /* Tversion has nothing to wait for, as no file is open */
    messages[0] = p9_fid_message(P9_TREMOVE, P9_FID);
    messages[1] = p9_message(P9_TVERSION);
    p9_put(messages[1], P9_MSIZE, 4);
    p9_put_string(messages[1], "9P2000.L");
    messages[2] = p9_attach(P9_FID);
    p9_run_together(&t, messages, 3, answers);
    g_assert_cmpuint(answers[0], ==, P9_TREMOVE + 1);
    g_assert_cmpuint(answers[1], ==, P9_TVERSION + 1);
    g_assert_cmpuint(answers[2], ==, P9_TATTACH + 1);

    messages[0] = p9_fid_message(P9_TGETATTR, P9_FID);
    p9_put(messages[0], UINT64_MAX, 8);
    p9_run(&t, messages[0]);
    stop_9p(&t);
}

/* Rename into a directory whose descriptor was given to other files */
static void test_9p_rename_reclaimed(void)
{
    struct rlimit before, few;
    GByteArray *msg;
    uint32_t fid;
    Test t = { };

    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
    few = before;
    few.rlim_cur = 200;
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &few), ==, 0);
    start_9p(&t, "", "");
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
    p9_make_dir(&t, "dir");
    p9_run(&t, p9_walk(10, "dir"));
    p9_run(&t, p9_lopen(10));
    for (fid = 11; fid < 320; fid++) {
        p9_run(&t, p9_walk(fid, "file"));
        p9_run(&t, p9_lopen(fid));
    }
    p9_run(&t, p9_walk(fid, "file"));
    msg = p9_fid_message(P9_TRENAME, fid);
    p9_put(msg, 10, 4);
    p9_put_string(msg, "file");
    p9_run(&t, msg);
    /* Back, so that the folder can be removed */
    msg = p9_fid_message(P9_TRENAME, fid);
    p9_put(msg, P9_ROOT, 4);
    p9_put_string(msg, "file");
    p9_run(&t, msg);
    stop_9p(&t);
}

/* A client cannot fill the host's log */
static void test_9p_log(void)
{
    g_autofree char *path = NULL;
    g_autofree char *log = NULL;
    g_autofree char *more = NULL;
    g_auto(GStrv) lines = NULL;
    GByteArray *msg;
    unsigned i;
    Test t = { };
    int fd = g_file_open_tmp("restricted-dma-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    more = g_strdup_printf("2>%s", path);
    start_9p(&t, "", more);
    for (i = 0; i < 50; i++) {
        msg = p9_message(P9_TFLUSH);
        p9_put(msg, 0, 2);      /* the tag of all our requests */
        p9_run(&t, msg);
        msg = p9_message(P9_TVERSION);
        p9_put(msg, 1, 4);
        p9_put_string(msg, "9P2000.L");
        g_assert_cmpuint(p9_try(&t, msg), !=, 0);
    }
    stop_9p(&t);
    g_assert_true(g_file_get_contents(path, &log, NULL, NULL));
    g_unlink(path);
    lines = g_strsplit(log, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), <, 10);
}

static void add_9p_tests(void)
{
    qtest_add_func("/restricted-dma/peripheral/9p/fids", test_9p_fids);
    qtest_add_func("/restricted-dma/peripheral/9p/default", test_9p_default);
    qtest_add_func("/restricted-dma/peripheral/9p/readdir", test_9p_readdir);
    qtest_add_func("/restricted-dma/peripheral/9p/open-twice",
                   test_9p_open_twice);
    qtest_add_func("/restricted-dma/peripheral/9p/two-protocols",
                   test_9p_two_protocols);
    qtest_add_func("/restricted-dma/peripheral/9p/clunk", test_9p_clunk);
    qtest_add_func("/restricted-dma/peripheral/9p/rename-reclaimed",
                   test_9p_rename_reclaimed);
    qtest_add_func("/restricted-dma/peripheral/9p/log", test_9p_log);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(requests); i++) {
        g_autofree char *path = g_strdup_printf(
            "/restricted-dma/peripheral/%s", requests[i].name);
        g_autofree char *type = g_strndup(requests[i].device,
                                          strcspn(requests[i].device, ","));

        if (qtest_has_device(type)) {
            qtest_add_data_func(path, &requests[i], test_request);
        }
    }

    if (qtest_has_device("virtio-9p-pci")) {
        add_9p_tests();
    }
    if (qtest_has_device("virtio-sound-pci")) {
        add_sound_tests();
    }
    if (qtest_has_device("virtio-crypto-pci")) {
        add_crypto_tests();
    }
    if (qtest_has_device("virtio-rng-pci")) {
        qtest_add_func("/restricted-dma/peripheral/rng/doorbells",
                       test_rng_doorbells);
    }
    if (qtest_has_device("virtio-keyboard-pci")) {
        qtest_add_func("/restricted-dma/peripheral/input/room",
                       test_input_room);
    }

    return g_test_run();
}
