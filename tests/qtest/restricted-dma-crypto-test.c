/*
 * Restricted DMA pools: virtio-crypto
 *
 * What it encrypts is the first block of AES-128-CBC in NIST SP 800-38A.  The
 * later tests have drivers which try to stop or bloat QEMU without leaving the
 * pool.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "restricted-dma/crypto.h"
#include "restricted-dma/host.h"
#include "restricted-dma/request.h"

static const uint8_t aes_key[RDP_AES_BLOCK] = {
    0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
    0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c,
};
static const uint8_t aes_iv[RDP_AES_BLOCK] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
    0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
};
static const uint8_t aes_plain[RDP_AES_BLOCK] = {
    0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96,
    0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a,
};
static const uint8_t aes_cipher[RDP_AES_BLOCK] = {
    0x76, 0x49, 0xab, 0xac, 0x81, 0x19, 0xb2, 0x46,
    0xce, 0xe9, 0x8e, 0x9b, 0x12, 0xe9, 0x19, 0x7d,
};

static void add_session(RdpClient *c, uint32_t algo, uint32_t op)
{
    struct virtio_crypto_op_ctrl_req req = rdp_crypto_session(algo, op);

    rdp_client_add(c, &req, sizeof(req));
    rdp_client_add(c, aes_key, sizeof(aes_key));
    rdp_client_add(c, NULL, sizeof(struct virtio_crypto_session_input));
}

static void fill_session(RdpClient *c)
{
    add_session(c, VIRTIO_CRYPTO_CIPHER_AES_CBC, VIRTIO_CRYPTO_OP_ENCRYPT);
}

static void check_session(RdpClient *c)
{
    struct virtio_crypto_session_input input;

    qtest_bufread(c->guest->qts, c->bufs[2].addr, &input, sizeof(input));
    g_assert_cmphex(le32_to_cpu(input.status), ==, VIRTIO_CRYPTO_OK);
    c->session = input.session_id;
}

static void begin(RdpClient *c)
{
    fill_session(c);
    rdp_client_run_ctrl(c);
    check_session(c);
}

static void fill(RdpClient *c)
{
    struct virtio_crypto_op_data_req req = rdp_crypto_cipher(
        VIRTIO_CRYPTO_CIPHER_ENCRYPT, VIRTIO_CRYPTO_CIPHER_AES_CBC, c->session,
        sizeof(aes_iv), sizeof(aes_plain));

    rdp_client_add(c, &req, sizeof(req));
    rdp_client_add(c, aes_iv, sizeof(aes_iv));
    rdp_client_add(c, aes_plain, sizeof(aes_plain));
    rdp_client_add(c, NULL, sizeof(aes_cipher));
    rdp_client_add(c, NULL, sizeof(struct virtio_crypto_inhdr));
}

static void check(RdpClient *c)
{
    const uint8_t status = VIRTIO_CRYPTO_OK;

    rdp_client_assert_result(c, 3, aes_cipher, sizeof(aes_cipher));
    rdp_client_assert_result(c, 4, &status, sizeof(status));
}

#define OPTIONS     "-object cryptodev-backend-builtin,id=crypt0"

enum { SESSION, AES };

static const RdpRequest requests[] = {
    [SESSION] = { "crypto/session", "virtio-crypto-pci,cryptodev=crypt0",
      OPTIONS, .queue = 1, .ctrl = 1,
      .fill = fill_session, .check = check_session },
    [AES] = { "crypto/aes", "virtio-crypto-pci,cryptodev=crypt0",
      OPTIONS, .queue = 0, .ctrl = 1,
      .begin = begin, .fill = fill, .check = check },
};

#define BULK    (512 * 1000)    /* with the result, just below 1 MiB */

/* A request that has its source, and wants its result, at @addr */
static void fill_bulk(RdpClient *c, uint32_t opcode, uint64_t addr,
                      uint32_t len)
{
    struct virtio_crypto_op_data_req req = rdp_crypto_cipher(
        opcode, VIRTIO_CRYPTO_CIPHER_AES_ECB, c->session, 0, len);

    c->n = 0;
    rdp_client_add(c, &req, sizeof(req));
    c->bufs[c->n++] = (RdpBuf) { addr, len };
    c->bufs[c->n++] = (RdpBuf) { addr, len, true };
    rdp_client_add(c, NULL, sizeof(struct virtio_crypto_inhdr));
}

static void open_session(RdpClient *c, uint32_t algo, uint32_t op)
{
    c->n = 0;
    add_session(c, algo, op);
    rdp_client_run_ctrl(c);
    check_session(c);
}

/* What request number n writes when it is decrypted: request number n + 1 */
typedef struct QEMU_PACKED Loop {
    struct vring_desc src;
    uint16_t avail_flags;
    uint16_t avail_idx;
    uint16_t avail_ring[6];
} Loop;

#define LOOP    (UINT16_MAX + 1)

static uint64_t loop_addr(RdpClient *c, uint16_t n)
{
    return c->guest->base + RDP_USED_END + n * sizeof(Loop);
}

/* Let the device encrypt the whole table, so that decrypting it makes that */
static void write_loop(RdpClient *c)
{
    g_autofree Loop *loop = g_new0(Loop, LOOP);
    const unsigned chunk = LOOP / 8;
    unsigned n;

    for (n = 0; n < LOOP; n++) {
        loop[n].src = (struct vring_desc) {
            .addr = cpu_to_le64(loop_addr(c, n + 1)),
            .len = cpu_to_le32(sizeof(Loop)),
            .flags = cpu_to_le16(VRING_DESC_F_NEXT),
            .next = cpu_to_le16(2),
        };
        loop[n].avail_idx = cpu_to_le16(n + 2);
    }
    rdp_poke(c->guest, loop_addr(c, 0), loop, LOOP * sizeof(Loop));

    open_session(c, VIRTIO_CRYPTO_CIPHER_AES_ECB, VIRTIO_CRYPTO_OP_ENCRYPT);
    for (n = 0; n < LOOP; n += chunk) {
        fill_bulk(c, VIRTIO_CRYPTO_CIPHER_ENCRYPT, loop_addr(c, n),
                  chunk * sizeof(Loop));
        rdp_ring_serve(&c->ring, c->bufs, c->n);
        g_assert_cmpuint(qtest_readb(c->guest->qts, c->bufs[3].addr), ==,
                         VIRTIO_CRYPTO_OK);
    }
}

/* The result of each request is the next one: there is always one more */
static void test_loop(void)
{
    RdpClient c = { };
    RdpBuf bufs[5];
    unsigned i;

    rdp_client_start(&c, &requests[AES], OPTIONS);
    rdp_client_setup(&c);
    write_loop(&c);
    open_session(&c, VIRTIO_CRYPTO_CIPHER_AES_ECB, VIRTIO_CRYPTO_OP_DECRYPT);
    fill_bulk(&c, VIRTIO_CRYPTO_CIPHER_DECRYPT, loop_addr(&c, c.ring.added),
              sizeof(Loop));
    memcpy(bufs, c.bufs, 2 * sizeof(*bufs));
    bufs[2] = (RdpBuf) { c.ring.desc + sizeof(struct vring_desc),
                         sizeof(struct vring_desc), true };
    bufs[3] = (RdpBuf) { c.ring.avail,
                         sizeof(Loop) - sizeof(struct vring_desc), true };
    bufs[4] = c.bufs[3];

    /* Each entry of the available ring is descriptor 0 */
    c.ring.next = 0;
    for (i = 0; i < RDP_RING_SIZE; i++) {
        qtest_writew(c.guest->qts, c.ring.avail +
                     offsetof(struct vring_avail, ring[i]), 0);
    }
    rdp_begin_attack();
    rdp_ring_submit(&c.ring, bufs, ARRAY_SIZE(bufs));
    RDP_WAIT_FOR(rdp_ring_used(&c.ring) > 10 * RDP_RING_SIZE);
    rdp_assert_survived(c.guest->qts);
    rdp_client_assert_served(&c);
    rdp_device_stop(&c.dev);
}

static void throttle(RdpClient *c, unsigned ops)
{
    qtest_qmp_assert_success(c->guest->qts, "{'execute': 'qom-set',"
                             " 'arguments': {'path': '/objects/crypt0',"
                             " 'property': 'throttle-ops', 'value': %u}}", ops);
}

/* The number of requests that the device has taken from the queue */
static uint64_t popped(RdpClient *c)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s/"
                                            "virtio-backend", c->dev.id);
    QDict *rsp = qtest_qmp(c->guest->qts,
                           "{'execute': 'x-query-virtio-queue-status',"
                           " 'arguments': {'path': %s, 'queue': %u}}",
                           path, c->request->queue);
    uint64_t n = rdp_get_uint(qdict_get_qdict(rsp, "return"),
                              "last-avail-idx");

    qobject_unref(rsp);
    return n;
}

/* Requests that wait for the host take 8 MiB and not as many as there are */
static void test_throttle_size(void)
{
    RdpClient c = { .features = BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) };
    unsigned i;

    rdp_client_start(&c, &requests[AES], OPTIONS ",throttle-ops=1");
    rdp_client_setup(&c);
    open_session(&c, VIRTIO_CRYPTO_CIPHER_AES_ECB, VIRTIO_CRYPTO_OP_ENCRYPT);
    fill_bulk(&c, VIRTIO_CRYPTO_CIPHER_ENCRYPT,
              c.guest->base + RDP_USED_END, BULK);
    for (i = 0; i < RDP_RING_SIZE; i++) {
        rdp_ring_add(&c.ring, c.bufs, c.n, c.guest->base + RDP_TABLE);
    }
    rdp_ring_kick(&c.ring);
    RDP_WAIT_FOR(popped(&c) >= 9);
    rdp_settle(c.guest->qts);
    g_assert_cmpuint(popped(&c), <=, 12);

    /* The others follow */
    throttle(&c, 0);
    rdp_ring_wait(&c.ring);
    rdp_client_assert_served(&c);
    rdp_device_stop(&c.dev);
}

/* Requests that wait are forgotten with the reset of device or queue */
static void test_throttle_reset(const void *queue)
{
    RdpClient c = { .features = BIT_ULL(VIRTIO_F_RING_RESET) };
    uint64_t status;
    unsigned i;

    rdp_client_start(&c, &requests[AES], OPTIONS ",throttle-ops=1");
    rdp_client_setup(&c);
    for (i = 0; i < 3; i++) {
        rdp_client_fill(&c);
        rdp_client_submit(&c);
    }
    rdp_settle(c.guest->qts);
    g_assert_cmpuint(rdp_ring_used(&c.ring), <, c.ring.added);
    status = c.bufs[4].addr;

    if (queue) {
        rdp_client_reset_ring(&c);
    } else {
        rdp_client_setup(&c);
    }
    rdp_fill(c.guest, status, 0xff, 1);
    throttle(&c, 0);
    rdp_settle(c.guest->qts);
    rdp_client_assert_forgotten(&c, status);
    rdp_client_assert_served(&c);
    rdp_device_stop(&c.dev);
}

/* The next driver has all sessions again */
static void test_sessions(void)
{
    RdpClient c = { };
    unsigned i;

    rdp_client_start(&c, &requests[AES], OPTIONS);
    rdp_client_setup(&c);
    for (i = 1; i < 256; i++) {
        open_session(&c, VIRTIO_CRYPTO_CIPHER_AES_CBC,
                     VIRTIO_CRYPTO_OP_ENCRYPT);
    }
    c.n = 0;
    fill_session(&c);
    rdp_client_run_ctrl(&c);
    g_assert_cmphex(qtest_readl(c.guest->qts, c.bufs[2].addr +
                    offsetof(struct virtio_crypto_session_input, status)), ==,
                    VIRTIO_CRYPTO_ERR);
    rdp_client_assert_served(&c);
    rdp_device_stop(&c.dev);
}

/* There is no asymmetric service, and no memory for a key of 4 GiB */
static void test_asymmetric(void)
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
    RdpClient c = { };

    rdp_client_start(&c, &requests[AES], OPTIONS);
    rdp_client_setup(&c);
    c.n = 0;
    rdp_client_add(&c, &ctrl, sizeof(ctrl));
    rdp_client_add(&c, NULL, sizeof(struct virtio_crypto_session_input));
    rdp_client_run_ctrl(&c);
    g_assert_cmphex(qtest_readl(c.guest->qts, c.bufs[1].addr +
                    offsetof(struct virtio_crypto_session_input, status)), ==,
                    VIRTIO_CRYPTO_NOTSUPP);

    c.n = 0;
    req.header.session_id = c.session;
    rdp_client_add(&c, &req, sizeof(req));
    rdp_client_add(&c, NULL, sizeof(struct virtio_crypto_inhdr));
    rdp_ring_serve(&c.ring, c.bufs, c.n);
    g_assert_cmphex(qtest_readb(c.guest->qts, c.bufs[1].addr), ==,
                    VIRTIO_CRYPTO_NOTSUPP);
    rdp_client_assert_served(&c);
    rdp_device_stop(&c.dev);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    rdp_add_requests(requests, ARRAY_SIZE(requests));
    if (qtest_has_device("virtio-crypto-pci")) {
        qtest_add_func("/restricted-dma/crypto/loop", test_loop);
        qtest_add_func("/restricted-dma/crypto/throttle/size",
                       test_throttle_size);
        qtest_add_data_func("/restricted-dma/crypto/throttle/reset", NULL,
                            test_throttle_reset);
        qtest_add_data_func("/restricted-dma/crypto/throttle/queue-reset",
                            "queue", test_throttle_reset);
        qtest_add_func("/restricted-dma/crypto/sessions", test_sessions);
        qtest_add_func("/restricted-dma/crypto/asymmetric", test_asymmetric);
    }
    return g_test_run();
}
