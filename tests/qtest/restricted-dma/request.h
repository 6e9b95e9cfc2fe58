/*
 * Restricted DMA pools: devices that find all addresses in their virtqueues
 *
 * A test describes each kind of request that its device knows.  The request is
 * then made with its buffers in the pool, and again with each of them in RAM
 * in turn.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_REQUEST_H
#define TESTS_RESTRICTED_DMA_REQUEST_H

#include "refusal.h"

#define RDP_CLIENT_BUFS     6

typedef struct RdpRequest RdpRequest;

/* A driver that makes one kind of request */
typedef struct RdpClient {
    const RdpRequest *request;
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring;
    RdpRing ctrl;
    RdpBuf bufs[RDP_CLIENT_BUFS];
    unsigned n;
    char *dir;              /* on the host */
    uint64_t session;       /* of virtio-crypto */
    uint64_t features;      /* besides RDP_FEATURES */
} RdpClient;

struct RdpRequest {
    const char *name;       /* of its test: DEVICE/REQUEST */
    const char *device;
    const char *backend;    /* %s is the folder of the test */
    uint16_t queue;
    uint16_t ctrl;          /* the queue for begin(), if that is another one */
    bool chain_each;        /* each buffer is a chain of its own */
    void (*begin)(RdpClient *c);    /* what the request needs before it */
    void (*fill)(RdpClient *c);     /* write the request into the pool */
    void (*act)(RdpClient *c);      /* let the device use it */
    void (*check)(RdpClient *c);    /* the result is in the pool */
    void (*finish)(RdpClient *c);   /* QEMU has ended */
    const void *data;
};

/* Add a test for each of these requests whose device QEMU has */
void rdp_add_requests(const RdpRequest *requests, unsigned n);

/* A guest with the device of @request, whose back end has these options */
void rdp_client_start(RdpClient *c, const RdpRequest *request,
                      const char *backend);

/* From reset to DRIVER_OK ... */
void rdp_client_setup_rings(RdpClient *c);
/* ... and what the request needs before it */
void rdp_client_setup(RdpClient *c);
/* Reset the queue and give it an empty ring */
void rdp_client_reset_ring(RdpClient *c);

/* Add a buffer to the request; without @content, the device writes to it */
void rdp_client_add(RdpClient *c, const void *content, uint32_t len);
/* Lay out the request in c->bufs */
void rdp_client_fill(RdpClient *c);
/* Let the device have it ... */
void rdp_client_submit(RdpClient *c);
/* ... and use it */
void rdp_client_act(RdpClient *c);
/* Wait until everything has come back */
void rdp_client_wait(RdpClient *c);
/* Run what is in c->bufs on the queue for control requests */
void rdp_client_run_ctrl(RdpClient *c);

/* What the device has written to buffer @buf */
uint32_t rdp_client_result32(RdpClient *c, unsigned buf);
void rdp_client_assert_result(RdpClient *c, unsigned buf, const void *expected,
                              uint32_t len);

/* The request does its work, from reset on */
void rdp_client_assert_served(RdpClient *c);
/* Nothing of the last request is returned, or written to @status, any more */
void rdp_client_assert_forgotten(RdpClient *c, uint64_t status);

#endif
