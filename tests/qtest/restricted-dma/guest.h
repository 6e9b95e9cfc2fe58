/*
 * Restricted DMA pools: the guest of a test
 *
 * No vCPU runs.  RAM, one of the two pools and the disk are files that the test
 * maps as well, so that it sees every byte that a device changes there.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_GUEST_H
#define TESTS_RESTRICTED_DMA_GUEST_H

#include "../libqtest.h"
#include "../libqos/generic-pcihost.h"
#include "../libqos/pci.h"
#include "qemu/units.h"

#define RDP_RAM_SIZE            (16 * MiB)
#define RDP_POOL_SIZE           (4 * MiB)
#define RDP_NEIGHBOUR_SIZE      (2 * MiB)
#define RDP_DISK_SIZE           (1 * MiB)
#define RDP_EVENT_PERIOD_NS     (2 * 1000000000LL)  /* twice the rate limit */

/* Where the tests keep things, as offsets into the pool */
#define RDP_RINGS               0x000000    /* 16 KiB for each queue */
#define RDP_TABLE               0x020000    /* indirect table */
#define RDP_BUFFERS             0x030000
#define RDP_USED_END            0x040000    /* nothing above this is used */

/* The address of buffer @n; each has a page of its own */
#define RDP_BUF(guest, n)       ((guest)->base + RDP_BUFFERS + (n) * 0x1000)

/* An offset into RAM, of memory that no device may touch */
#define RDP_VICTIM              (1 * MiB)
/* The address of an offset into RAM */
#define RDP_IN_RAM(guest, offset)   ((guest)->ram_base + (offset))

/* Poll @condition; the test fails if it does not come true in time */
#define RDP_WAIT_USEC           (60 * G_USEC_PER_SEC)
#define RDP_WAIT_FOR(condition) do {                                    \
        int64_t end_ = g_get_monotonic_time() + RDP_WAIT_USEC;          \
        while (!(condition)) {                                          \
            g_assert_cmpint(g_get_monotonic_time(), <, end_);           \
        }                                                               \
    } while (0)

/* A file that both QEMU and the test have mapped */
typedef struct RdpFile {
    char *path;
    size_t size;
    uint8_t *now;
    uint8_t *before;            /* contents at the last rdp_snapshot() */
} RdpFile;

/* Create the file, and fill it with words of which no two are equal */
void rdp_file_init(RdpFile *file, const char *dir, const char *name,
                   size_t size, uint32_t seed);
void rdp_file_cleanup(RdpFile *file);

/*
 * The guest has two pools: "poola" for the devices under test, and "poolb",
 * which starts where "poola" ends.
 */
typedef struct RdpGuest {
    QTestState *qts;
    QPCIBus *bus;
    QGenericPCIBus *ecam;       /* holds @bus; NULL on a PC */
    RdpFile ram;
    RdpFile neighbour;          /* the memory of poolb */
    RdpFile disk;               /* -drive id=disk0 */
    uint64_t ram_base;          /* where RAM begins: 0 on a PC */
    uint64_t base;              /* of poola */
    uint8_t *pool_before;       /* of poola, at rdp_snapshot_pool() */
    uint64_t violations_before; /* of poola, at rdp_ring_baseline() */
} RdpGuest;

/* The machine for tests that run on any machine with PCI ... */
const char *rdp_machine(void);
/* ... and for those that need virtio-mmio */
const char *rdp_mmio_machine(void);
/* Do guests of these machines learn of pools from a device tree? */
bool rdp_has_device_tree(void);

/**
 * rdp_start: start QEMU with RAM, both pools and a disk
 * @machine: "q35", "pc", "microvm", or "virt" of Arm
 * @devices: further options; a device to be confined names poola, and needs a
 *           slot (addr=) and an id
 */
RdpGuest *rdp_start(const char *machine, const char *devices, ...)
    G_GNUC_PRINTF(2, 3);
RdpGuest *rdp_vstart(const char *machine, const char *devices, va_list ap)
    G_GNUC_PRINTF(2, 0);
void rdp_stop(RdpGuest *guest);

/* Where the configuration space of PCI is in memory; on a PC, put it there */
uint64_t rdp_ecam(RdpGuest *guest);

/* Whether all of [@addr, @addr + @len) is RAM or pool */
bool rdp_is_memory(RdpGuest *guest, uint64_t addr, uint64_t len);
/* Write guest memory; does nothing where there is none */
void rdp_poke(RdpGuest *guest, uint64_t addr, const void *buf, size_t len);
void rdp_fill(RdpGuest *guest, uint64_t addr, uint8_t byte, size_t len);

/* Remember RAM, the other pool and the disk ... */
void rdp_snapshot(RdpGuest *guest);
/* ... and assert that every byte of them is as remembered */
void rdp_assert_untouched(RdpGuest *guest);
/* The same without the disk, for when the device may have written to it */
void rdp_assert_memory_untouched(RdpGuest *guest);

/* Remember what the tests use of the pool itself ... */
void rdp_snapshot_pool(RdpGuest *guest);
/* ... and the rest, too */
void rdp_snapshot_all(RdpGuest *guest);
/* No device has touched any of that, and none will */
void rdp_assert_idle(RdpGuest *guest);

/* Add a test that gets @data; its path is a format */
void rdp_add_test(GTestDataFunc func, const void *data, const char *path, ...)
    G_GNUC_PRINTF(3, 4);

/* Wait until the device has done all that it was ever going to do */
void rdp_settle(QTestState *qts);
/* Let a stopped machine run, or one that waited for a migration stream */
void rdp_continue(QTestState *qts);

/* Member @key of @dict, also where a signed integer could not hold it */
uint64_t rdp_get_uint(const QDict *dict, const char *key);
/* The entry of query-restricted-dma-pools for @pool; the caller unrefs it */
QDict *rdp_query(QTestState *qts, const char *pool);
uint64_t rdp_violations(QTestState *qts, const char *pool);
/* The next violation event that has arrived, or NULL; the caller unrefs it */
QDict *rdp_next_event(QTestState *qts);
/* Let the rate limit of the event pass and drop what it held back */
void rdp_forget_events(QTestState *qts);

#endif
