/*
 * Restricted DMA pools: a vhost-user back end that does what the test says
 *
 * It answers QEMU as a block device with one queue would, or a network card
 * with one pair, remembers what QEMU told it, and processes no request: the
 * test does, or does worse.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_BACK_END_H
#define TESTS_RESTRICTED_DMA_BACK_END_H

#include "standard-headers/linux/vhost_types.h"

/* Requests of the protocol, docs/interop/vhost-user.rst */
typedef enum RdpVhostRequest {
    RDP_VHOST_GET_FEATURES = 1,
    RDP_VHOST_SET_FEATURES = 2,
    RDP_VHOST_SET_MEM_TABLE = 5,
    RDP_VHOST_SET_LOG_BASE = 6,
    RDP_VHOST_SET_VRING_ADDR = 9,
    RDP_VHOST_SET_VRING_BASE = 10,
    RDP_VHOST_GET_VRING_BASE = 11,
    RDP_VHOST_SET_VRING_KICK = 12,
    RDP_VHOST_SET_VRING_CALL = 13,
    RDP_VHOST_SET_VRING_ERR = 14,
    RDP_VHOST_GET_PROTOCOL_FEATURES = 15,
    RDP_VHOST_SET_PROTOCOL_FEATURES = 16,
    RDP_VHOST_GET_QUEUE_NUM = 17,
    RDP_VHOST_SET_VRING_ENABLE = 18,
    RDP_VHOST_SET_BACKEND_REQ_FD = 21,
    RDP_VHOST_IOTLB_MSG = 22,
    RDP_VHOST_GET_CONFIG = 24,
    RDP_VHOST_GET_INFLIGHT_FD = 31,
    RDP_VHOST_SET_INFLIGHT_FD = 32,
    RDP_VHOST_GET_MAX_MEM_SLOTS = 36,
    RDP_VHOST_ADD_MEM_REG = 37,
    RDP_VHOST_REM_MEM_REG = 38,
    RDP_VHOST_MAX
} RdpVhostRequest;

#define RDP_VHOST_REGIONS   8

typedef struct RdpVhostRegion {
    uint64_t gpa;
    uint64_t size;
    uint64_t name;              /* what the protocol calls a user address */
    uint64_t offset;            /* into the file */
} QEMU_PACKED RdpVhostRegion;

/* What QEMU has said; descriptors are -1 where it sent none */
typedef struct RdpVhostState {
    unsigned requests[RDP_VHOST_MAX];   /* how many of each there were */
    unsigned connections;
    uint64_t features;
    unsigned n_regions;
    RdpVhostRegion regions[RDP_VHOST_REGIONS];
    int region_fds[RDP_VHOST_REGIONS];
    struct vhost_vring_addr addr;       /* of queue 0 */
    unsigned base;                      /* the same */
    int err_fd;
    int log_fd;
    uint64_t log_size;
    int channel_fd;             /* for requests of the back end */
} RdpVhostState;

typedef struct RdpBackEnd RdpBackEnd;

/* A back end that listens, and offers @features of the protocol */
RdpBackEnd *rdp_back_end_new(uint64_t protocol_features);
void rdp_back_end_free(RdpBackEnd *be);

/* The option that makes it a chardev of QEMU, which connects once ... */
char *rdp_back_end_chardev_once(RdpBackEnd *be, const char *id);
/* ... or again and again */
char *rdp_back_end_chardev(RdpBackEnd *be, const char *id);

/* What QEMU has said up to now; the descriptors belong to the back end */
RdpVhostState rdp_back_end_state(RdpBackEnd *be);
/* How many requests of this kind there were */
unsigned rdp_back_end_requests(RdpBackEnd *be, RdpVhostRequest request);
/* Wait until there were more than @before of them */
void rdp_back_end_wait(RdpBackEnd *be, RdpVhostRequest request,
                       unsigned before);
/* End the connection, as a back end does that crashes */
void rdp_back_end_hang_up(RdpBackEnd *be);
/* From now on, end each connection as soon as a queue is started */
void rdp_back_end_refuse_to_run(RdpBackEnd *be, bool refuse);
/* End it instead of stopping a queue */
void rdp_back_end_refuse_to_stop(RdpBackEnd *be, bool refuse);
/* How much of an answer QEMU gets */
typedef enum RdpVhostSpeech {
    RDP_VHOST_SPEAKS,
    RDP_VHOST_STAMMERS,         /* half a header */
    RDP_VHOST_SILENT,
    RDP_VHOST_DEAF,             /* silent, and reads no message */
} RdpVhostSpeech;

/* Memory for requests in flight, of which QEMU is told */
typedef struct RdpVhostInflight {
    uint64_t size;
    int seals;
    uint64_t claimed, offset;   /* in bytes, which part of it QEMU is to map */
} RdpVhostInflight;

void rdp_back_end_set_inflight(RdpBackEnd *be, RdpVhostInflight inflight);
/* Answer this request with an error, or none if it is 0 */
void rdp_back_end_refuse(RdpBackEnd *be, RdpVhostRequest request);
void rdp_back_end_speak(RdpBackEnd *be, RdpVhostSpeech speech);
/* Report an error in the queue */
void rdp_back_end_report_error(RdpBackEnd *be);
/*
 * Make a request of the back end, with @size bytes of zeros; returns 0 if QEMU
 * serves it, 1 if it does not, and -1 if it closes the channel instead
 */
int rdp_back_end_ask(RdpBackEnd *be, uint32_t request, uint32_t size);
/* The same, for the translation of an address */
int rdp_back_end_ask_iotlb(RdpBackEnd *be, uint64_t addr);
/* Begin a request of the back end, and do not end it */
void rdp_back_end_ask_half(RdpBackEnd *be);
/* Make a request again and again, and read no answer; returns how often */
unsigned rdp_back_end_ask_often(RdpBackEnd *be, uint32_t request,
                                unsigned times);
/*
 * Write a byte as a device does, also to the log of dirty pages if QEMU wants
 * one; returns whether QEMU let the device run
 */
bool rdp_back_end_write(RdpBackEnd *be, uint64_t gpa, uint8_t byte);
/* Map all of its memory, which is one region; unmap it with munmap() */
uint8_t *rdp_back_end_map(RdpBackEnd *be, size_t *size);

#endif
