/*
 * Restricted DMA pools: devices that hold on to their requests
 *
 * For every type of device that takes a pool: how to start it, what a request
 * looks like, and how to make the device keep requests in flight for as long
 * as the test wants.
 *
 * The device has poolb, which the test has mapped.  Rings and buffers are in
 * areas, so that what was given to the device earlier can be told from what it
 * has now.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_HOLDER_H
#define TESTS_RESTRICTED_DMA_HOLDER_H

#include "ring.h"
#include "migration.h"

#define RDP_HOLDER_BUFS     5
#define RDP_HOLDER_BUF      0x400       /* bytes for each buffer */
#define RDP_HOLDER_FILE     64          /* bytes in the folder's file */

/* An area has a ring, indirect tables and buffers */
#define RDP_AREA            0x40000
#define RDP_AREA_AVAIL      0x08000
#define RDP_AREA_USED       0x0a000
#define RDP_AREA_TABLES     0x10000
#define RDP_AREA_BUFFERS    0x20000

typedef struct RdpHolder RdpHolder;

/* What becomes of a request in flight when its queue is reset */
typedef enum RdpHold {
    RDP_HOLDS_NOTHING,      /* none is in flight, or not for long */
    RDP_HOLDS_IDLE,         /* it waits in the device, which can drop it */
    RDP_HOLDS_BUSY,         /* the host works on it; the device has to wait */
} RdpHold;

#define RDP_LASTS       BIT(0)      /* BUSY until release(), however long */
#define RDP_STOPS       BIT(1)      /* the machine stops until release() */
#define RDP_NO_RESET    BIT(2)      /* a device reset would wait for ever */
#define RDP_SOCKET      BIT(3)      /* of the back end */
#define RDP_FOLDER      BIT(4)
#define RDP_IOEVENTFD   BIT(5)      /* has the property */
#define RDP_IOTHREAD    BIT(6)
#define RDP_MIGRATES    BIT(7)
#define RDP_CIRCLE      BIT(8)      /* has circle() */
#define RDP_SECOND      BIT(9)      /* another queue of a device seen before */
#define RDP_TAP         BIT(10)     /* of the back end, with two queues */
#define RDP_AT_ONCE     BIT(11)     /* takes requests at once, serves slowly */

/* Where the device is, and which threads serve it */
typedef struct RdpVariant {
    const char *name;
    const char *properties;     /* of the device */
    bool mmio;
    unsigned trait;             /* that the type needs */
} RdpVariant;

typedef struct RdpHolderType {
    const char *name;
    const char *device;         /* without -pci or -device at the end */
    const char *properties;
    const char *backend;        /* with a %s for its socket or folder */
    const char *child;          /* options after those of the device */
    RdpHold holds;
    unsigned traits;            /* RDP_... */
    uint16_t queue;
    uint16_t ctrl;              /* the queue that begin() needs, if another */
    uint64_t features;
    uint64_t before;            /* more features, of the driver before */
    bool chain_each;            /* each buffer is a chain of its own */
    unsigned payload;           /* the buffer that can be as long as you like */

    void (*begin)(RdpHolder *h);    /* what a request needs before it */
    void (*fill)(RdpHolder *h);     /* lay out a request */
    void (*quick)(RdpHolder *h);    /* the same, if fill() makes slow ones */
    void (*check)(RdpHolder *h);    /* look at its result */
    void (*poll)(RdpHolder *h);     /* let the device get on, again and again */
    void (*hold)(RdpHolder *h);     /* make requests and keep them in flight */
    void (*release)(RdpHolder *h);
    /* Renew the ring, so that it never empties; see rdp_circle_fill() */
    uint64_t (*circle)(RdpHolder *h);
} RdpHolderType;

struct RdpHolder {
    const RdpHolderType *type;
    const RdpVariant *variant;
    bool packed;
    RdpGuest *guest;
    RdpDevice dev;
    RdpRing ring, ctrl;
    uint64_t base;              /* of the pool ... */
    uint8_t *mem;               /* ... and its memory */
    unsigned area, ctrl_area;   /* in use */
    RdpBuf bufs[RDP_HOLDER_BUFS];
    unsigned n;
    uint64_t place;             /* of the next request */
    bool held;                  /* hold() without release() */

    char *dir;
    int peer, fifo, taps[2];
    uint64_t encrypt, decrypt;  /* sessions of virtio-crypto */
    uint64_t sector;            /* of the next request for a disk */
    unsigned faults;            /* that were used up */
    uint64_t circle;            /* what circle() has returned */
};

const RdpHolderType *rdp_holder_types(unsigned *n);

/* A guest with the device; @files are NULL, or those of a destination */
RdpHolder *rdp_holder_start(const RdpHolderType *type,
                            const RdpVariant *variant,
                            const RdpMigrationFiles *files);
void rdp_holder_stop(RdpHolder *h);
/* Find the device, with the bus as after a reset of the machine */
void rdp_holder_find(RdpHolder *h);

/* The address of an area, and its memory */
uint64_t rdp_area(RdpHolder *h, unsigned area);
uint8_t *rdp_area_mem(RdpHolder *h, unsigned area);

/* From reset to DRIVER_OK with rings in areas that were not in use before */
void rdp_holder_begin(RdpHolder *h);
/* Lay out @ring of @size in @area, which is cleared */
void rdp_holder_ring(RdpHolder *h, RdpRing *ring, uint16_t queue,
                     unsigned area, unsigned size);
/* Reset the queue, and lay out its ring in the area that was not in use */
void rdp_holder_renew_ring(RdpHolder *h, unsigned size);
/* Lay out a request in h->bufs */
void rdp_holder_lay_out(RdpHolder *h);
/* Make one request available, or some, without a notification */
void rdp_holder_add(RdpHolder *h);
void rdp_holder_add_some(RdpHolder *h);
/* Whether the device has returned all of them */
bool rdp_holder_done(RdpHolder *h);
/* Requests that the device has taken and not returned */
unsigned rdp_holder_in_flight(RdpHolder *h);
/* Make a request and wait until it was served well */
void rdp_holder_serve(RdpHolder *h);
/* Keep requests in flight, or only make them if the type cannot do that ... */
void rdp_holder_hold(RdpHolder *h);
/* ... and let them end */
void rdp_holder_release(RdpHolder *h);
void rdp_holder_poll(RdpHolder *h);

/* For the types: begin a request that @ring, in @area, will get ... */
void rdp_holder_new(RdpHolder *h, const RdpRing *ring, unsigned area);
/* ... and add a buffer; without @content, it is for the device to write */
void rdp_holder_buf(RdpHolder *h, const void *content, uint32_t len);
uint8_t *rdp_holder_mem(RdpHolder *h, unsigned buf);
/* The device has taken all requests; those in flight were not returned yet */
bool rdp_holder_all_taken(RdpHolder *h);
/* Make requests and wait until it has taken all ... */
void rdp_hold_all(RdpHolder *h);
/* ... or, if it takes one after the other, until one waits */
void rdp_hold_one(RdpHolder *h);
/* Options for a disk with sectors that fail once, and for a good one */
char *rdp_failing_disk(bool fails);
/* Whether the back end of the type can be had here */
bool rdp_holder_is_possible(const RdpHolderType *type);

#endif
