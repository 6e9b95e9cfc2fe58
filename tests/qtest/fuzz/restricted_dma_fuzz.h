/*
 * Restricted DMA pools: what the parts of the fuzzer share
 *
 *   restricted_dma_fuzz.c      the machines, and the life of an input
 *   restricted_dma_input.c     bytes of the input become addresses and lengths
 *   restricted_dma_driver.c    a device, as its driver sees it
 *   restricted_dma_steps.c     what a driver does, and the table of all steps
 *   restricted_dma_pci.c       what it does to a PCI function
 *   restricted_dma_host.c      what an administrator does meanwhile
 *   restricted_dma_requests.c  requests that each type of device understands
 *   restricted_dma_guard.c     crashes when a device leaves its pool
 *   restricted_dma_limits.c    crashes when the host waits, or runs full
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef RESTRICTED_DMA_FUZZ_H
#define RESTRICTED_DMA_FUZZ_H

#include "hw/pci/pci_device.h"
#include "hw/virtio/virtio.h"
#include "tests/qtest/restricted-dma/ring.h"

#define RDP_FUZZ_DEVICES    2       /* at most */
#define RDP_FUZZ_QUEUES     6       /* of each device, at most */
#define RDP_FUZZ_BARS       6
#define RDP_FUZZ_BAR        4       /* has all registers */
#define RDP_FUZZ_HEADER     128     /* longest header of a request */
#define RDP_FUZZ_STRIDE     0x400   /* from one header or table to the next */

/* The input */

/* What is left of it, which is followed by zeros */
typedef struct RdpInput {
    const uint8_t *data;
    size_t size;
} RdpInput;

uint64_t rdp_take(RdpInput *in, unsigned bytes);
/* Take @len bytes or what is left, and return how many these were */
size_t rdp_take_bytes(RdpInput *in, uint8_t *buf, size_t len);
/* One in 16 is wrong, so that an input gets to the later steps as well */
bool rdp_take_fault(RdpInput *in);
uint64_t rdp_take_addr(RdpInput *in);
uint32_t rdp_take_len(RdpInput *in);
/* Usually returns a buffer as the driver would choose it */
RdpBuf rdp_take_buf(RdpInput *in, uint64_t addr, uint32_t len,
                    bool device_writes);

/* Types of devices */

/* A request; the input may change single bytes of it */
typedef struct RdpTemplate {
    uint8_t queue;
    uint8_t addr_at;            /* offset of an address in the pool; 0: none */
    uint16_t in_len;            /* space for the answer ... */
    uint16_t data_len;          /* ... and for data, in a buffer of its own */
    uint16_t out_len;
    const uint8_t *out;
} RdpTemplate;

typedef struct RdpFuzzKind {
    const RdpTemplate *templates;
    unsigned n_templates;
    /* Something that makes the device use buffers by itself; may be NULL */
    void (*host_event)(RdpInput *in);
    /* Undo what outlives a reset of the device; may be NULL */
    void (*forget)(void);
} RdpFuzzKind;

extern const RdpFuzzKind rdp_fuzz_blk, rdp_fuzz_net, rdp_fuzz_scsi,
                         rdp_fuzz_serial, rdp_fuzz_gpu, rdp_fuzz_sound,
                         rdp_fuzz_crypto, rdp_fuzz_9p, rdp_fuzz_input,
                         rdp_fuzz_rng;

void rdp_fuzz_serial_input(RdpInput *in);
void rdp_fuzz_keyboard(RdpInput *in);
void rdp_fuzz_resize(RdpInput *in);
void rdp_fuzz_set_link(RdpInput *in);
void rdp_fuzz_link_up(void);
void rdp_fuzz_close_sessions(void);

/* Devices */

typedef struct RdpFuzzDriver {
    RdpDevice dev;
    VirtIODevice *vdev;
    PCIDevice *pci;             /* NULL: it is on virtio-mmio */
    const RdpFuzzKind *kind;
    char *path;                 /* of the virtio device, for QMP */
    RdpRing rings[RDP_FUZZ_QUEUES];
    unsigned n_rings;
    bool packed;
    bool at_rest;               /* reset, and no bus mastering since */
    uint32_t bars[RDP_FUZZ_BARS];
    uint8_t pm_cap;             /* offsets in configuration space; 0: none */
    uint8_t exp_cap;
    uint8_t cfg_cap;
} RdpFuzzDriver;

/* All that the steps work on */
typedef struct RdpFuzz {
    RdpGuest guest;
    void *pool;                 /* guest.base, in this process */
    QPCIDevice *ports[RDP_FUZZ_DEVICES];    /* each has a device behind it */
    RdpFuzzDriver drivers[RDP_FUZZ_DEVICES];
    unsigned n_drivers;
} RdpFuzz;

extern RdpFuzz rdp_fuzz;

void rdp_fuzz_driver_init(RdpFuzzDriver *driver, const char *id,
                          const RdpFuzzKind *kind);
/* Forget what the previous input did to the rings */
void rdp_fuzz_driver_forget(RdpFuzzDriver *driver);
/* Whether the registers have an address */
bool rdp_fuzz_reachable(const RdpFuzzDriver *driver);
/* Write the configuration space as firmware had left it, and @command */
void rdp_fuzz_configure(RdpFuzzDriver *driver, uint16_t command);
/* Bring the device back to where it was before the first input */
void rdp_fuzz_recover(RdpFuzzDriver *driver);
void rdp_fuzz_enable_ring(RdpInput *in, RdpFuzzDriver *driver, unsigned queue);
RdpRing *rdp_fuzz_take_ring(RdpInput *in, RdpFuzzDriver *driver);

/* To be called after each step: is there still a reason for DMA? */
void rdp_fuzz_note_rest(void);
/* If there is none, make DMA crash ... */
bool rdp_fuzz_fence(void);
/* ... until the driver itself accesses the pool again */
void rdp_fuzz_unfence(bool fenced);

/* These are fenced: a doorbell, and some iterations of the main loop */
void rdp_fuzz_kick(RdpFuzzDriver *driver, unsigned queue);
void rdp_fuzz_run_events(void);

/* Steps */

typedef void RdpFuzzStep(RdpInput *in, RdpFuzzDriver *driver);

void rdp_fuzz_run_step(RdpInput *in);

RdpFuzzStep rdp_step_bus_master, rdp_step_power, rdp_step_function_reset,
            rdp_step_bus_reset, rdp_step_configure, rdp_step_cfg_window,
            rdp_step_config_space;
RdpFuzzStep rdp_step_query_pools, rdp_step_query_status, rdp_step_query_queue,
            rdp_step_query_element, rdp_step_clock, rdp_step_pause,
            rdp_step_host_event;

#endif
