/*
 * Restricted DMA pools: devices that find all addresses in their virtqueues
 *
 * Each request first does its work with buffers in the pool.  It is then made
 * again with each of its buffers in RAM in turn.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "qapi/error.h"
#include "qemu/bswap.h"
#include "qobject/qjson.h"
#include "standard-headers/linux/input.h"
#include "standard-headers/linux/virtio_crypto.h"
#include "standard-headers/linux/virtio_input.h"
#include "standard-headers/linux/virtio_snd.h"
#include "restricted-dma/refusal.h"

#define MAX_BUFS    5

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

static void crypto_fill_session(Test *t)
{
    struct virtio_crypto_op_ctrl_req req = {
        .header = {
            .opcode = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_CREATE_SESSION),
            .algo = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_AES_CBC),
        },
        .u.sym_create_session = {
            .u.cipher.para = {
                .algo = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_AES_CBC),
                .keylen = cpu_to_le32(sizeof(aes_key)),
                .op = cpu_to_le32(VIRTIO_CRYPTO_OP_ENCRYPT),
            },
            .op_type = cpu_to_le32(VIRTIO_CRYPTO_SYM_OP_CIPHER),
        },
    };

    add_buf(t, &req, sizeof(req));
    add_buf(t, aes_key, sizeof(aes_key));
    add_buf(t, NULL, sizeof(struct virtio_crypto_session_input));
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

static void sound_start(Test *t, uint32_t stream)
{
    const struct virtio_snd_pcm_hdr start = {
        .hdr.code = cpu_to_le32(VIRTIO_SND_R_PCM_START),
        .stream_id = cpu_to_le32(stream),
    };

    add_buf(t, &start, sizeof(start));
    add_buf(t, NULL, sizeof(struct virtio_snd_hdr));
    run_ctrl(t);
    g_assert_cmphex(result32(t, 1), ==, VIRTIO_SND_S_OK);
}

static void sound_start_out(Test *t)
{
    sound_start(t, SOUND_OUT);
}

static void sound_start_in(Test *t)
{
    sound_start(t, SOUND_IN);
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
#define P9_TVERSION 100
#define P9_TATTACH  104
#define P9_TWALK    110
#define P9_TLOPEN   12
#define P9_TREAD    116
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

static void p9_begin(Test *t)
{
    g_autofree char *path = g_build_filename(t->dir, "file", NULL);
    GByteArray *msg;

    g_assert_true(g_file_set_contents(path, P9_TEXT, -1, NULL));

    p9_fill_version(t);
    rdp_ring_serve(&t->ring, t->bufs, t->n);
    p9_check(t);

    msg = p9_message(P9_TATTACH);
    p9_put(msg, P9_ROOT, 4);
    p9_put(msg, UINT32_MAX, 4);
    p9_put_string(msg, "");
    p9_put_string(msg, "");
    p9_put(msg, 0, 4);
    p9_run(t, msg);

    msg = p9_message(P9_TWALK);
    p9_put(msg, P9_ROOT, 4);
    p9_put(msg, P9_FID, 4);
    p9_put(msg, 1, 2);
    p9_put_string(msg, "file");
    p9_run(t, msg);

    msg = p9_message(P9_TLOPEN);
    p9_put(msg, P9_FID, 4);
    p9_put(msg, 0, 4);
    p9_run(t, msg);
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

static void setup(Test *t)
{
    const Request *r = t->request;

    g_assert_true(rdp_negotiate(&t->dev, RDP_FEATURES));
    rdp_ring_init(&t->ring, &t->dev, r->queue, false);
    rdp_ring_enable(&t->ring);
    if (r->ctrl != r->queue) {
        rdp_ring_init(&t->ctrl, &t->dev, r->ctrl, false);
        rdp_ring_enable(&t->ctrl);
    }
    rdp_driver_ok(&t->dev);
    if (r->begin) {
        t->n = 0;
        r->begin(t);
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

/* After a reset, buffers that a stream had not yet used are the driver's */
static void test_sound_reset(const void *name)
{
    Test t = { .request = find_request(name) };
    uint64_t status;
    unsigned i;

    t.guest = rdp_start_device(&t.dev, rdp_machine(),
                               "-audiodev none,id=snd0 -device "
                               "virtio-sound-pci,audiodev=snd0," RDP_CONFINED);
    setup(&t);
    fill(&t);
    status = t.bufs[2].addr;
    submit(&t);

    setup(&t);
    rdp_fill(t.guest, status, 0xff, sizeof(struct virtio_snd_pcm_status));
    for (i = 0; i < 100; i++) {
        act(&t);
    }
    g_assert_cmphex(qtest_readl(t.guest->qts, status), ==, UINT32_MAX);
    g_assert_cmpuint(rdp_ring_used(&t.ring), ==, 0);
    assert_served(&t);
    rdp_device_stop(&t.dev);
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

    if (qtest_has_device("virtio-sound-pci")) {
        qtest_add_data_func("/restricted-dma/peripheral/sound/reset/playback",
                            "sound/playback", test_sound_reset);
        qtest_add_data_func("/restricted-dma/peripheral/sound/reset/capture",
                            "sound/capture", test_sound_reset);
    }

    return g_test_run();
}
