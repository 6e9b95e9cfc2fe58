/*
 * Restricted DMA pools: devices that find all addresses in their virtqueues
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "request.h"

void rdp_client_add(RdpClient *c, const void *content, uint32_t len)
{
    bool device_writes = !content;

    g_assert_cmpuint(c->n, <, RDP_CLIENT_BUFS);
    c->bufs[c->n] = (RdpBuf) { RDP_BUF(c->guest, c->n), len, device_writes };
    if (device_writes) {
        rdp_fill(c->guest, c->bufs[c->n].addr, 0xff, len);
    } else {
        rdp_poke(c->guest, c->bufs[c->n].addr, content, len);
    }
    c->n++;
}

void rdp_client_assert_result(RdpClient *c, unsigned buf, const void *expected,
                              uint32_t len)
{
    g_autofree uint8_t *result = g_malloc(len);

    g_assert_cmpuint(len, <=, c->bufs[buf].len);
    qtest_bufread(c->guest->qts, c->bufs[buf].addr, result, len);
    g_assert_cmpmem(result, len, expected, len);
}

uint32_t rdp_client_result32(RdpClient *c, unsigned buf)
{
    return qtest_readl(c->guest->qts, c->bufs[buf].addr);
}

void rdp_client_run_ctrl(RdpClient *c)
{
    rdp_ring_serve(&c->ctrl, c->bufs, c->n);
}

void rdp_client_setup_rings(RdpClient *c)
{
    const RdpRequest *r = c->request;

    g_assert_true(rdp_negotiate(&c->dev, RDP_FEATURES | c->features));
    rdp_ring_init(&c->ring, &c->dev, r->queue, false);
    rdp_ring_enable(&c->ring);
    if (r->ctrl != r->queue) {
        rdp_ring_init(&c->ctrl, &c->dev, r->ctrl, false);
        rdp_ring_enable(&c->ctrl);
    }
    rdp_driver_ok(&c->dev);
}

void rdp_client_setup(RdpClient *c)
{
    rdp_client_setup_rings(c);
    if (c->request->begin) {
        c->n = 0;
        c->request->begin(c);
    }
}

void rdp_client_fill(RdpClient *c)
{
    c->n = 0;
    c->request->fill(c);
}

void rdp_client_submit(RdpClient *c)
{
    unsigned chain = c->request->chain_each ? 1 : c->n;
    unsigned i;

    for (i = 0; i < c->n; i += chain) {
        rdp_ring_add(&c->ring, &c->bufs[i], chain, RDP_NO_TABLE);
    }
    rdp_ring_kick(&c->ring);
}

void rdp_client_act(RdpClient *c)
{
    if (c->request->act) {
        c->request->act(c);
    }
}

void rdp_client_wait(RdpClient *c)
{
    RDP_WAIT_FOR((rdp_client_act(c),
                  rdp_ring_used(&c->ring) == c->ring.added));
}

void rdp_client_reset_ring(RdpClient *c)
{
    rdp_ring_reset(&c->ring);
    rdp_ring_init(&c->ring, &c->dev, c->request->queue, false);
    rdp_ring_enable(&c->ring);
}

void rdp_client_assert_forgotten(RdpClient *c, uint64_t status)
{
    unsigned i;

    rdp_fill(c->guest, status, 0xff, 1);
    for (i = 0; i < 100; i++) {
        rdp_client_act(c);
    }
    g_assert_cmphex(qtest_readb(c->guest->qts, status), ==, UINT8_MAX);
    g_assert_cmpuint(rdp_ring_used(&c->ring), ==, 0);
}

void rdp_client_assert_served(RdpClient *c)
{
    rdp_client_setup(c);
    rdp_client_fill(c);
    rdp_snapshot(c->guest);
    rdp_client_submit(c);
    rdp_client_wait(c);
    if (c->request->check) {
        c->request->check(c);
    }
    rdp_assert_untouched(c->guest);
}

static void assert_refused(RdpClient *c, unsigned bad)
{
    RdpAccess access = {
        .what = "buffer",
        .addr = RDP_IN_RAM(c->guest, RDP_VICTIM),
    };

    g_test_message("buffer %u", bad);
    rdp_client_fill(c);
    access.len = c->bufs[bad].len;
    c->bufs[bad].addr = access.addr;
    rdp_ring_baseline(&c->ring);
    rdp_client_submit(c);
    rdp_client_act(c);
    rdp_assert_refused(&c->ring, &access, true);
}

void rdp_client_start(RdpClient *c, const RdpRequest *request,
                      const char *backend)
{
    c->request = request;
    c->guest = rdp_start_device(&c->dev, rdp_machine(), "%s -device %s,"
                                RDP_CONFINED, backend, request->device);
}

static void test_request(const void *data)
{
    const RdpRequest *request = data;
    g_autofree char *backend = NULL;
    RdpClient c = { };
    unsigned bad = 0;

    c.dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);
    g_assert_nonnull(c.dir);
    backend = g_strdup_printf(request->backend, c.dir);
    rdp_client_start(&c, request, backend);
    do {
        rdp_client_assert_served(&c);
        assert_refused(&c, bad);
    } while (++bad < c.n);
    rdp_client_assert_served(&c);
    rdp_device_stop(&c.dev);

    if (request->finish) {
        request->finish(&c);
    }
    g_rmdir(c.dir);
    g_free(c.dir);
}

void rdp_add_requests(const RdpRequest *requests, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        g_autofree char *type = g_strndup(requests[i].device,
                                          strcspn(requests[i].device, ","));

        if (qtest_has_device(type)) {
            rdp_add_test(test_request, &requests[i], "/restricted-dma/%s",
                         requests[i].name);
        }
    }
}
