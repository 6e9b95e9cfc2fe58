/*
 * Restricted DMA pools: the guest of a test
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "../libqos/pci-pc.h"
#include "qobject/qnum.h"
#include "guest.h"

void rdp_file_init(RdpFile *file, const char *dir, const char *name,
                   size_t size, uint32_t seed)
{
    uint32_t *words;
    size_t i;
    int fd;

    file->path = g_build_filename(dir, name, NULL);
    file->size = size;
    file->before = g_malloc(size);
    fd = open(file->path, O_RDWR | O_CREAT | O_EXCL, 0600);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    file->now = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    g_assert(file->now != MAP_FAILED);
    close(fd);

    /* No two words are equal, so that moved or leaked data shows */
    words = (uint32_t *)file->now;
    for (i = 0; i < size / sizeof(*words); i++) {
        words[i] = (seed + i) * 2654435761U;
    }
}

void rdp_file_cleanup(RdpFile *file)
{
    munmap(file->now, file->size);
    g_free(file->path);
    g_free(file->before);
}

static void file_assert_untouched(const RdpFile *file)
{
    size_t i;

    if (!memcmp(file->now, file->before, file->size)) {
        return;
    }
    for (i = 0; file->now[i] == file->before[i]; i++) {
        /* find the first difference */
    }
    g_error("%s: changed at offset 0x%zx", file->path, i);
}

/* hw/i386/microvm.h */
#define MICROVM_ECAM        0xe0000000
#define MICROVM_BARS        0xc0000000

/* hw/arm/virt.c */
#define VIRT_RAM            0x40000000

static bool is_virt(const char *machine)
{
    return g_str_has_prefix(machine, "virt");
}

static void bus_init(RdpGuest *guest, const char *machine)
{
    bool microvm = !strcmp(machine, "microvm");

    if (!microvm && !is_virt(machine)) {
        guest->bus = qpci_new_pc(guest->qts, NULL);
        return;
    }
    guest->ecam = g_new0(QGenericPCIBus, 1);
    /* This knows the addresses of virt */
    qpci_init_generic(guest->ecam, guest->qts, NULL, false);
    guest->bus = &guest->ecam->bus;
    if (microvm) {
        guest->ecam->ecam_alloc_ptr = MICROVM_ECAM;
        guest->bus->mmio_alloc_ptr = MICROVM_BARS;
        guest->bus->mmio_limit = MICROVM_ECAM;
    }
}

static void bus_cleanup(RdpGuest *guest)
{
    if (!guest->ecam) {
        qpci_free_pc(guest->bus);
    }
    g_free(guest->ecam);
}

/* hw/pci-host/q35.c: a register of device 0 */
#define Q35_PCIEXBAR        0x60
#define Q35_ECAM            0xb0000000
#define Q35_ECAM_ENABLE     1

uint64_t rdp_ecam(RdpGuest *guest)
{
    if (guest->ecam) {
        return guest->ecam->ecam_alloc_ptr;
    }
    guest->bus->config_writel(guest->bus, 0, Q35_PCIEXBAR + 4, 0);
    guest->bus->config_writel(guest->bus, 0, Q35_PCIEXBAR,
                              Q35_ECAM | Q35_ECAM_ENABLE);
    return Q35_ECAM;
}

const char *rdp_machine(void)
{
    return strcmp(qtest_get_arch(), "aarch64") ? "q35" : "virt";
}

const char *rdp_mmio_machine(void)
{
    return strcmp(qtest_get_arch(), "aarch64") ? "microvm" : "virt";
}

bool rdp_has_device_tree(void)
{
    return !strcmp(qtest_get_arch(), "aarch64");
}

static void find_pools(RdpGuest *guest)
{
    QDict *pool = rdp_query(guest->qts, "poola");

    guest->base = rdp_get_uint(pool, "base");
    qobject_unref(pool);
    pool = rdp_query(guest->qts, "poolb");
    g_assert_cmphex(rdp_get_uint(pool, "base"), ==,
                    guest->base + RDP_POOL_SIZE);
    qobject_unref(pool);
}

RdpGuest *rdp_vstart(const char *machine, const char *devices, va_list ap)
{
    RdpGuest *guest = g_new0(RdpGuest, 1);
    g_autoptr(GError) err = NULL;
    g_autofree char *more = g_strdup_vprintf(devices, ap);
    g_autofree char *dir = g_dir_make_tmp("restricted-dma-XXXXXX", &err);

    g_assert_no_error(err);
    rdp_file_init(&guest->ram, dir, "ram", RDP_RAM_SIZE, 0);
    rdp_file_init(&guest->neighbour, dir, "pool", RDP_NEIGHBOUR_SIZE,
                  0x10000000);
    rdp_file_init(&guest->disk, dir, "disk", RDP_DISK_SIZE, 0x20000000);
    guest->pool_before = g_malloc(RDP_USED_END);

    guest->qts = qtest_initf(
        "-nodefaults -machine %s%s,memory-backend=ram -m %dM "
        "-object memory-backend-file,id=ram,share=on,size=%dM,mem-path=%s "
        "-object memory-backend-file,id=mem,share=on,size=%dM,mem-path=%s "
        "-object restricted-dma-pool,id=poolb,size=%dM,memdev=mem "
        "-object restricted-dma-pool,id=poola,size=%dM "
        "-drive if=none,id=disk0,format=raw,cache=unsafe,auto-read-only=off,"
        "file=%s %s",
        machine, strcmp(machine, "microvm") ? "" : ",pcie=on",
        (int)(RDP_RAM_SIZE / MiB), (int)(RDP_RAM_SIZE / MiB), guest->ram.path,
        (int)(RDP_NEIGHBOUR_SIZE / MiB), guest->neighbour.path,
        (int)(RDP_NEIGHBOUR_SIZE / MiB), (int)(RDP_POOL_SIZE / MiB),
        guest->disk.path, more);
    guest->ram_base = is_virt(machine) ? VIRT_RAM : 0;
    bus_init(guest, machine);

    /* QEMU has opened them: even a test that fails leaves nothing behind */
    unlink(guest->ram.path);
    unlink(guest->neighbour.path);
    unlink(guest->disk.path);
    g_rmdir(dir);

    find_pools(guest);
    return guest;
}

RdpGuest *rdp_start(const char *machine, const char *devices, ...)
{
    RdpGuest *guest;
    va_list ap;

    va_start(ap, devices);
    guest = rdp_vstart(machine, devices, ap);
    va_end(ap);
    return guest;
}

void rdp_stop(RdpGuest *guest)
{
    bus_cleanup(guest);
    qtest_quit(guest->qts);
    rdp_file_cleanup(&guest->ram);
    rdp_file_cleanup(&guest->neighbour);
    rdp_file_cleanup(&guest->disk);
    g_free(guest->pool_before);
    g_free(guest);
}

static bool within(uint64_t addr, uint64_t len, uint64_t base, uint64_t size)
{
    return addr >= base && addr - base <= size && len <= size - (addr - base);
}

bool rdp_is_memory(RdpGuest *guest, uint64_t addr, uint64_t len)
{
    return within(addr, len, guest->ram_base, guest->ram.size) ||
           within(addr, len, guest->base,
                  RDP_POOL_SIZE + guest->neighbour.size);
}

void rdp_poke(RdpGuest *guest, uint64_t addr, const void *buf, size_t len)
{
    if (rdp_is_memory(guest, addr, len)) {
        qtest_bufwrite(guest->qts, addr, buf, len);
    }
}

void rdp_fill(RdpGuest *guest, uint64_t addr, uint8_t byte, size_t len)
{
    g_autofree void *buf = g_malloc(len);

    memset(buf, byte, len);
    rdp_poke(guest, addr, buf, len);
}

static void file_snapshot(RdpFile *file)
{
    memcpy(file->before, file->now, file->size);
}

void rdp_snapshot(RdpGuest *guest)
{
    file_snapshot(&guest->ram);
    file_snapshot(&guest->neighbour);
    file_snapshot(&guest->disk);
}

void rdp_assert_memory_untouched(RdpGuest *guest)
{
    file_assert_untouched(&guest->ram);
    file_assert_untouched(&guest->neighbour);
}

void rdp_assert_untouched(RdpGuest *guest)
{
    rdp_assert_memory_untouched(guest);
    file_assert_untouched(&guest->disk);
}

void rdp_snapshot_pool(RdpGuest *guest)
{
    qtest_bufread(guest->qts, guest->base, guest->pool_before, RDP_USED_END);
}

void rdp_snapshot_all(RdpGuest *guest)
{
    rdp_snapshot(guest);
    rdp_snapshot_pool(guest);
}

void rdp_assert_idle(RdpGuest *guest)
{
    g_autofree uint8_t *now = g_malloc(RDP_USED_END);

    rdp_settle(guest->qts);
    qtest_bufread(guest->qts, guest->base, now, RDP_USED_END);
    g_assert_cmpmem(now, RDP_USED_END, guest->pool_before, RDP_USED_END);
    rdp_assert_untouched(guest);
}

void rdp_add_test(GTestDataFunc func, const void *data, const char *path, ...)
{
    g_autofree char *full = NULL;
    va_list ap;

    va_start(ap, path);
    full = g_strdup_vprintf(path, ap);
    va_end(ap);
    qtest_add_data_func(full, data, func);
}

void rdp_settle(QTestState *qts)
{
    /* Stopping the machine waits for all notifications and all block I/O */
    qtest_qmp_assert_success(qts, "{'execute': 'stop'}");
    rdp_continue(qts);
}

void rdp_continue(QTestState *qts)
{
    qtest_qmp_assert_success(qts, "{'execute': 'cont'}");
}

uint64_t rdp_get_uint(const QDict *dict, const char *key)
{
    return qnum_get_uint(qobject_to(QNum, qdict_get(dict, key)));
}

QDict *rdp_query(QTestState *qts, const char *pool)
{
    QDict *response, *found = NULL;
    const QListEntry *entry;

    response = qtest_qmp(qts, "{'execute': 'query-restricted-dma-pools'}");
    g_assert(qdict_haskey(response, "return"));
    QLIST_FOREACH_ENTRY(qdict_get_qlist(response, "return"), entry) {
        QDict *info = qobject_to(QDict, qlist_entry_obj(entry));

        if (!strcmp(qdict_get_str(info, "id"), pool)) {
            found = qobject_ref(info);
        }
    }
    qobject_unref(response);
    g_assert_nonnull(found);
    return found;
}

uint64_t rdp_violations(QTestState *qts, const char *pool)
{
    QDict *info = rdp_query(qts, pool);
    uint64_t violations = rdp_get_uint(info, "violations");

    qobject_unref(info);
    return violations;
}

QDict *rdp_next_event(QTestState *qts)
{
    /* Events are read together with the response to a command */
    qtest_qmp_assert_success(qts, "{'execute': 'query-name'}");
    return qtest_qmp_event_ref(qts, "RESTRICTED_DMA_VIOLATION");
}

void rdp_forget_events(QTestState *qts)
{
    QDict *event;

    qtest_clock_step(qts, RDP_EVENT_PERIOD_NS);
    while ((event = rdp_next_event(qts))) {
        qobject_unref(event);
    }
    qtest_clock_step(qts, RDP_EVENT_PERIOD_NS);
}
