/*
 * Bare-hands virtio driver for the tests of restricted DMA pools
 *
 * libqos refuses to do what a broken or hostile driver does: it asserts that
 * negotiation succeeds and allocates rings in RAM.  Here every status write,
 * ring address and descriptor is the test's own.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_GUEST_H
#define TESTS_RESTRICTED_DMA_GUEST_H

#include "../libqtest.h"
#include "../libqos/generic-pcihost.h"
#include "../libqos/pci.h"
#include "qemu/bitops.h"
#include "qemu/units.h"
#include "standard-headers/linux/pci_regs.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_mmio.h"
#include "standard-headers/linux/virtio_pci.h"
#include "standard-headers/linux/virtio_ring.h"

/* Provisional numbers, stated once for all tests */
#define RDP_F_RESTRICTED_DMA    45
#define RDP_COMMON_ADDR         0x48
#define RDP_COMMON_SIZE         0x50
#define RDP_MMIO_ADDR           0x0d0
#define RDP_MMIO_SIZE           0x0d8

#define RDP_FEATURES            (BIT_ULL(VIRTIO_F_VERSION_1) | \
                                 BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | \
                                 BIT_ULL(RDP_F_RESTRICTED_DMA))

#define RDP_RAM_SIZE            (16 * MiB)
#define RDP_POOL_SIZE           (4 * MiB)
#define RDP_NEIGHBOUR_SIZE      (2 * MiB)
#define RDP_DISK_SIZE           (1 * MiB)
#define RDP_RING_SIZE           16
#define RDP_EVENT_PERIOD_NS     (2 * 1000000000LL)  /* twice the rate limit */

/* Where the tests keep things, as offsets into the pool */
#define RDP_RINGS               0x000000    /* 16 KiB for each queue */
#define RDP_TABLE               0x020000    /* indirect table */
#define RDP_BUFFERS             0x030000
#define RDP_USED_END            0x040000    /* nothing above this is used */

/* The buffers, of a page each */
#define RDP_BUF(guest, n)       ((guest)->base + RDP_BUFFERS + (n) * 0x1000)

/* Something in RAM, as an offset into it */
#define RDP_VICTIM              (1 * MiB)
/* The address of an offset into RAM */
#define RDP_IN_RAM(guest, offset)   ((guest)->ram_base + (offset))

/* Poll @condition; a device that never gets there fails the test */
#define RDP_WAIT_USEC           (60 * G_USEC_PER_SEC)
#define RDP_WAIT_FOR(condition) do {                                    \
        int64_t end_ = g_get_monotonic_time() + RDP_WAIT_USEC;          \
        while (!(condition)) {                                          \
            g_assert_cmpint(g_get_monotonic_time(), <, end_);           \
        }                                                               \
    } while (0)

/* A file that QEMU and the test have both mapped */
typedef struct RdpFile {
    char *path;
    size_t size;
    uint8_t *now;
    uint8_t *before;            /* contents at the last rdp_snapshot() */
} RdpFile;

/*
 * A guest without vCPU work, with two pools: "poola", which the devices under
 * test are given, and "poolb", which starts where "poola" ends.
 */
typedef struct RdpGuest {
    QTestState *qts;
    QPCIBus *bus;
    QGenericPCIBus *ecam;       /* what @bus is part of, unless it is a PC's */
    RdpFile ram;
    RdpFile neighbour;          /* the memory of poolb */
    RdpFile disk;               /* -drive id=disk0 */
    uint64_t ram_base;          /* where RAM begins, 0 on a PC */
    uint64_t base;              /* of poola */
    uint64_t violations_before; /* of poola, at rdp_ring_baseline() */
} RdpGuest;

typedef struct RdpDevice {
    RdpGuest *guest;
    const char *id;
    uint64_t mmio;              /* registers of virtio-mmio; 0: it is PCI */
    QPCIDevice *pci;
    QPCIBar bar;                /* all virtio structures are in one BAR ... */
    QPCIBar notify_bar;         /* ... but this one */
    uint32_t common;
    uint32_t notify;
    uint32_t notify_multiplier;
    uint32_t isr;
} RdpDevice;

/* One element of a descriptor chain */
typedef struct RdpBuf {
    uint64_t addr;
    uint32_t len;
    bool device_writes;
    uint16_t flags;             /* of the descriptor, besides those it needs */
} RdpBuf;

typedef struct RdpRing {
    RdpDevice *dev;
    uint16_t queue;
    bool packed;
    uint64_t desc;
    uint64_t avail;             /* packed: driver event suppression */
    uint64_t used;              /* packed: device event suppression */
    unsigned added;             /* chains made available */
    unsigned done;              /* packed: chains seen used */
    uint16_t first_used;        /* split: used index before the first chain */
    unsigned used_before;       /* chains returned at rdp_ring_baseline() */
    unsigned next;              /* next free descriptor, never wrapped */
    unsigned heads[RDP_RING_SIZE];      /* first descriptor of each chain */
} RdpRing;

/* An access that the device has to refuse, as the event reports it */
typedef struct RdpAccess {
    const char *what;
    uint64_t addr;
    uint64_t len;
} RdpAccess;

/* The guest: guest.c */

/* What to start where the kind of machine does not matter */
const char *rdp_machine(void);
/* The same for what has virtio-mmio */
const char *rdp_mmio_machine(void);

/**
 * rdp_start: start QEMU with RAM, both pools and a disk
 * @machine: "q35", "pc", "microvm", or "virt" of Arm
 * @devices: further options; what wants to be confined names poola, and has
 *           to be given a slot (addr=) and an id
 */
RdpGuest *rdp_start(const char *machine, const char *devices, ...)
    G_GNUC_PRINTF(2, 3);
void rdp_stop(RdpGuest *guest);

/* Whether all of [@addr, @addr + @len) is RAM or pool */
bool rdp_is_memory(RdpGuest *guest, uint64_t addr, uint64_t len);
/* Write guest memory; nothing is written where there is none */
void rdp_poke(RdpGuest *guest, uint64_t addr, const void *buf, size_t len);
void rdp_fill(RdpGuest *guest, uint64_t addr, uint8_t byte, size_t len);

/* Remember RAM, the other pool and the disk ... */
void rdp_snapshot(RdpGuest *guest);
/* ... and assert that every byte of them is as remembered */
void rdp_assert_untouched(RdpGuest *guest);
/* The same without the disk, for when the device may have written to it */
void rdp_assert_memory_untouched(RdpGuest *guest);

/* Member @key of @dict, also where a signed integer could not hold it */
uint64_t rdp_get_uint(const QDict *dict, const char *key);
/* The entry of query-restricted-dma-pools for @pool; the caller unrefs it */
QDict *rdp_query(QTestState *qts, const char *pool);
uint64_t rdp_violations(QTestState *qts, const char *pool);
/* The next violation event that has arrived, or NULL; the caller unrefs it */
QDict *rdp_next_event(QTestState *qts);
/* Let the rate limit of the event pass and drop what it held back */
void rdp_forget_events(QTestState *qts);

/* Wait until the device has done all that it was ever going to do */
void rdp_settle(QTestState *qts);

/* Its devices: driver.c */

/* Map the BARs of the device in @slot and let it master the bus */
void rdp_device_init(RdpDevice *dev, RdpGuest *guest, unsigned slot,
                     const char *id);
/* The same for any function; @devfn has the number of its bus above bit 8 */
void rdp_device_init_at(RdpDevice *dev, RdpGuest *guest, int devfn,
                        const char *id);
/* Give bus @secondary, behind the bridge in @slot, windows as firmware would */
void rdp_bridge_init(RdpGuest *guest, unsigned slot, unsigned secondary);
/* Where transport @n of virtio-mmio is on rdp_mmio_machine() */
uint64_t rdp_transport(unsigned n);
/* Nothing but to find the device there */
void rdp_device_init_mmio(RdpDevice *dev, RdpGuest *guest, unsigned n,
                          const char *id);
void rdp_device_cleanup(RdpDevice *dev);
/* The same, and stop its guest */
void rdp_device_stop(RdpDevice *dev);
/* Access a field of the common configuration, or what virtio-mmio has for it */
uint32_t rdp_common_readl(RdpDevice *dev, unsigned reg);
void rdp_common_writew(RdpDevice *dev, unsigned reg, uint16_t value);
void rdp_common_writel(RdpDevice *dev, unsigned reg, uint32_t value);
uint8_t rdp_status(RdpDevice *dev);
void rdp_set_status(RdpDevice *dev, uint8_t status);
void rdp_reset(RdpDevice *dev);
uint8_t rdp_isr(RdpDevice *dev);
uint64_t rdp_offered(RdpDevice *dev);
void rdp_accept(RdpDevice *dev, uint64_t features);
void rdp_accept_half(RdpDevice *dev, unsigned half, uint32_t features);
/* Reset and negotiate; returns whether FEATURES_OK was kept */
bool rdp_negotiate(RdpDevice *dev, uint64_t features);
void rdp_driver_ok(RdpDevice *dev);
/* Wait until the device asks for a reset */
void rdp_wait_needs_reset(RdpDevice *dev);

/* Their rings: ring.c */

/* Choose ring addresses in the pool and clear that memory */
void rdp_ring_init(RdpRing *ring, RdpDevice *dev, uint16_t queue, bool packed);
/* Tell the device the addresses and enable the queue */
void rdp_ring_enable(RdpRing *ring);
/* From reset to DRIVER_OK with one split ring */
void rdp_setup(RdpDevice *dev, RdpRing *ring, uint16_t queue,
               uint64_t features);
/* Tell the device another size than the one that it is enabled with */
void rdp_ring_set_size(RdpRing *ring, uint16_t size);
/* The size that the device has */
uint16_t rdp_ring_size(const RdpRing *ring);
/* Let the ring interrupt through an MSI-X vector */
void rdp_ring_set_vector(RdpRing *ring, uint16_t vector);
/* Take the ring away from a device that runs; needs VIRTIO_F_RING_RESET */
void rdp_ring_reset(RdpRing *ring);
/* Bytes that the device may access in each part of the ring */
uint64_t rdp_ring_desc_size(const RdpRing *ring);
uint64_t rdp_ring_avail_size(const RdpRing *ring, uint64_t features);
uint64_t rdp_ring_used_size(const RdpRing *ring, uint64_t features);
/* Make a chain available, through an indirect table at @table if any */
#define RDP_NO_TABLE            UINT64_MAX
void rdp_ring_add(RdpRing *ring, const RdpBuf *bufs, unsigned n,
                  uint64_t table);
void rdp_ring_kick(RdpRing *ring);
/* Add a chain without a table and kick */
void rdp_ring_submit(RdpRing *ring, const RdpBuf *bufs, unsigned n);
/* Number of chains that the device has returned */
unsigned rdp_ring_used(RdpRing *ring);
/* Wait until the device has returned everything */
void rdp_ring_wait(RdpRing *ring);

/* What has to follow: refusal.c */

/* Remember how much there was of all that rdp_assert_refused() counts ... */
void rdp_ring_count(RdpRing *ring);
/* ... and what is in memory, too */
void rdp_ring_baseline(RdpRing *ring);

/**
 * rdp_assert_refused: check every consequence of an access outside the pool
 * @ring: the ring that led to it, with everything since rdp_ring_baseline()
 * @bad: the access
 * @interrupt: whether DRIVER_OK was set at the time
 */
void rdp_assert_refused(RdpRing *ring, const RdpAccess *bad, bool interrupt);
/* The same where any of the @n accesses @bad may be the one that is reported */
void rdp_assert_refused_one_of(RdpRing *ring, const RdpAccess *bad, unsigned n,
                               bool interrupt);

/* Hand the device a chain whose buffer @bad is in RAM instead ... */
RdpAccess rdp_submit_bad(RdpRing *ring, RdpBuf *bufs, unsigned n,
                         unsigned bad);
/* ... and check that it refuses that */
void rdp_assert_refuses(RdpRing *ring, RdpBuf *bufs, unsigned n, unsigned bad);

/*
 * virtio-blk: fill @bufs with a request for the two sectors at @sector.  All
 * of it is in the pool, with @fill in the data and 0xff in the status byte.
 */
#define RDP_BLK_DATA            (RDP_BUFFERS + 0x1000)
#define RDP_BLK_STATUS          (RDP_BUFFERS + 0x2000)
#define RDP_BLK_DATA_SIZE       1024
void rdp_blk_request(RdpGuest *guest, RdpBuf bufs[3], bool write,
                     uint64_t sector, uint8_t fill);
/* Negotiate from reset, write two sectors, read them back, compare */
void rdp_blk_assert_works(RdpDevice *dev, uint64_t features, bool packed,
                          bool indirect);

#endif
