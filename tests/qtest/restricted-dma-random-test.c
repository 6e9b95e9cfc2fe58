/*
 * Restricted DMA pools: thousands of random rings against a model
 *
 * Each ring carries some requests as a correct driver makes them, cut into
 * pieces anywhere in the pool, and then one more that may be wrong: a part of
 * the ring, the indirect table or buffers that lie outside the pool, touch its
 * edges or wrap, that overlap, are empty, in the wrong order or nested, or
 * features that the driver did not accept.  judge() knows the rules, but not
 * the device: it tells from addresses and lengths alone what has to happen.
 * Last, the driver does anything at all for a few steps.  RAM and the pool
 * next to the device's own must never change.
 *
 * RESTRICTED_DMA_RINGS sets the number of rings for each test case.  Each ring
 * has a seed of its own, which is printed if the ring fails;
 * RESTRICTED_DMA_SEED sets the first one.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "scsi/constants.h"
#include "standard-headers/linux/virtio_blk.h"
#include "standard-headers/linux/virtio_net.h"
#include "standard-headers/linux/virtio_scsi.h"
#include "restricted-dma/peer.h"
#include "restricted-dma/refusal.h"

#define RINGS_DEFAULT   250
#define SECTOR_SIZE     512
#define SECTORS_MAX     4
#define STREAM_MAX      0x1000
#define PIECES_MAX      4       /* of each of the two streams of a request */
#define GOOD_MAX        20      /* requests, enough to go round the ring */
#define STEPS           8       /* of a driver that does anything at all */
#define CANARY          0xa5

/* One request, and what an unrestricted device would do with it */
typedef struct Request {
    uint8_t out[STREAM_MAX];    /* given to the device */
    size_t out_len;
    size_t out_header;          /* bytes that have a buffer of their own */
    uint8_t in[STREAM_MAX];     /* expected from the device ... */
    size_t in_len;              /* ... in this space ... */
    size_t in_header;
    size_t in_known;            /* ... as far as it can be known */
    uint8_t wire[STREAM_MAX];   /* expected at the peer */
    size_t wire_len;
    uint64_t disk_offset;       /* expected on disk */
    const uint8_t *disk_data;
    size_t disk_len;
} Request;

typedef struct Rig Rig;

typedef struct Device {
    const char *name;
    const char *peer;       /* options to which a socket's number is added */
    const char *backend;    /* options that need the device first */
    const char *args;       /* to which the address and the pool are added */
    unsigned queue;         /* that carries the requests */
    bool wants_space;       /* ignores requests without room for an answer */
    void (*make)(Rig *rig, Request *request);
} Device;

struct Rig {
    const Device *device;
    bool packed;
    RdpDevice dev;
    int peer;
    uint32_t seed;              /* of this ring */
    GRand *rand;
    uint64_t features;
    bool first;                 /* no request was made since the reset */
    RdpRing ring;
    RdpBuf bufs[2 * PIECES_MAX];
    unsigned n;                 /* of bufs */
    uint64_t table;
    bool odd;                   /* a buffer has the wrong direction */
};

static uint32_t pick(Rig *rig, uint32_t n)
{
    return g_rand_int_range(rig->rand, 0, n);
}

static uint64_t pick64(Rig *rig)
{
    uint64_t high = g_rand_int(rig->rand);

    return high << 32 | g_rand_int(rig->rand);
}

static void pick_bytes(Rig *rig, uint8_t *buf, size_t len)
{
    while (len--) {
        *buf++ = g_rand_int(rig->rand);
    }
}

/* Requests */

static void push(uint8_t *stream, size_t *len, const void *data, size_t size)
{
    g_assert_cmpuint(*len + size, <=, STREAM_MAX);
    memcpy(stream + *len, data, size);
    *len += size;
}

/* Data of the disk: what is written is random, what is read is on it already */
static uint64_t make_disk_data(Rig *rig, Request *request, bool write,
                               unsigned sectors)
{
    RdpFile *disk = &rig->dev.guest->disk;
    uint64_t sector = pick(rig, RDP_DISK_SIZE / SECTOR_SIZE - sectors + 1);
    size_t len = sectors * SECTOR_SIZE;

    if (write) {
        request->disk_offset = sector * SECTOR_SIZE;
        request->disk_data = request->out + request->out_len;
        request->disk_len = len;
        pick_bytes(rig, request->out + request->out_len, len);
        request->out_len += len;
    } else {
        push(request->in, &request->in_len,
             disk->before + sector * SECTOR_SIZE, len);
    }
    return sector;
}

static void make_blk(Rig *rig, Request *request)
{
    bool write = pick(rig, 2);
    struct virtio_blk_outhdr hdr = {
        .type = cpu_to_le32(write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN),
    };
    uint8_t status = VIRTIO_BLK_S_OK;

    request->out_len = sizeof(hdr);
    hdr.sector = cpu_to_le64(make_disk_data(rig, request, write,
                                            1 + pick(rig, SECTORS_MAX)));
    memcpy(request->out, &hdr, sizeof(hdr));
    push(request->in, &request->in_len, &status, sizeof(status));
    request->in_known = request->in_len;
}

static void make_scsi(Rig *rig, Request *request)
{
    struct virtio_scsi_cmd_req req = { .lun = { 1, 0, 0x40, 0 } };
    struct virtio_scsi_cmd_resp resp = { };
    bool write = pick(rig, 2);
    unsigned sectors = 1 + pick(rig, SECTORS_MAX);

    /* Without an error, the device leaves the sense data alone */
    memset(resp.sense, CANARY, sizeof(resp.sense));
    /* To QEMU, all of the first buffer is header */
    request->out_header = request->out_len = sizeof(req);
    request->in_header = sizeof(resp);
    push(request->in, &request->in_len, &resp, sizeof(resp));
    if (rig->first) {
        /* The first command reports the reset, in words of its own */
        req.cdb[0] = TEST_UNIT_READY;
    } else {
        req.cdb[0] = write ? WRITE_10 : READ_10;
        stl_be_p(&req.cdb[2], make_disk_data(rig, request, write, sectors));
        req.cdb[8] = sectors;
        request->in_known = request->in_len;
    }
    memcpy(request->out, &req, sizeof(req));
}

static void make_net(Rig *rig, Request *request)
{
    uint8_t frame[SECTORS_MAX * SECTOR_SIZE - 600];
    size_t len = 60 + pick(rig, sizeof(frame) - 60);
    uint32_t wire_len = cpu_to_be32(len);

    pick_bytes(rig, frame, len);
    request->out_len = sizeof(struct virtio_net_hdr_mrg_rxbuf);
    push(request->out, &request->out_len, frame, len);
    push(request->wire, &request->wire_len, &wire_len, sizeof(wire_len));
    push(request->wire, &request->wire_len, frame, len);
}

static void make_console(Rig *rig, Request *request)
{
    size_t len = 1 + pick(rig, 1024);

    pick_bytes(rig, request->out, len);
    request->out_len = len;
    push(request->wire, &request->wire_len, request->out, len);
}

static void make_rng(Rig *rig, Request *request)
{
    request->in_len = 1 + pick(rig, 512);
}

static const Device devices[] = {
    { "blk", .args = "-device virtio-blk-pci,drive=disk0",
      .make = make_blk },
    /* Without polling, it looks at the ring only when told to */
    { "blk-iothread", .args = "-object iothread,id=io0,poll-max-ns=0 "
      "-device virtio-blk-pci,drive=disk0,iothread=io0", .make = make_blk },
    { "net", "-netdev socket,id=net0,fd=",
      .args = "-device virtio-net-pci,netdev=net0",
      .queue = 1, .make = make_net },
    { "rng", .args = "-object rng-builtin,id=rng0 "
      "-device virtio-rng-pci,rng=rng0",
      .wants_space = true, .make = make_rng },
    { "console", "-chardev socket,id=con0,fd=",
      "-device virtconsole,bus=dev0.0,chardev=con0",
      "-device virtio-serial-pci,max_ports=1",
      .queue = 1, .make = make_console },
    { "scsi", .backend = "-device scsi-hd,drive=disk0,bus=dev0.0,scsi-id=0",
      .args = "-device virtio-scsi-pci", .queue = 2, .make = make_scsi },
};

/* Layout of a correct driver */

static void add_piece(Rig *rig, size_t len, bool device_writes,
                      uint64_t *place)
{
    uint32_t align = 1 << pick(rig, 7);

    *place += pick(rig, 0x8000);
    *place = ROUND_UP(*place, align);
    rig->bufs[rig->n++] = (RdpBuf) { *place, len, device_writes };
    *place += len;
}

/* Cut @len bytes into pieces that do not touch, from @place on */
static void lay_out(Rig *rig, size_t len, size_t header, bool device_writes,
                    uint64_t *place)
{
    unsigned pieces = 1 + pick(rig, header ? PIECES_MAX - 1 : PIECES_MAX);

    if (header) {
        add_piece(rig, header, device_writes, place);
        len -= header;
    }
    while (len) {
        size_t piece = pieces-- > 1 ? 1 + pick(rig, len) : len;

        add_piece(rig, piece, device_writes, place);
        len -= piece;
    }
}

static void lay_out_request(Rig *rig, const Request *request)
{
    RdpGuest *guest = rig->dev.guest;
    uint64_t place = guest->base + RDP_BUFFERS;
    RdpBuf *last;

    rig->n = 0;
    rig->odd = false;
    lay_out(rig, request->out_len, request->out_header, false, &place);
    lay_out(rig, request->in_len, request->in_header, true, &place);
    g_assert_cmphex(place, <, guest->base + RDP_POOL_SIZE - STREAM_MAX);

    /* The last byte of the pool is as good as any */
    last = &rig->bufs[rig->n - 1];
    if (pick(rig, 8) == 0) {
        last->addr = guest->base + RDP_POOL_SIZE - last->len;
    }

    rig->table = RDP_NO_TABLE;
    if (rig->features & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) && pick(rig, 2)) {
        rig->table = guest->base + RDP_TABLE + pick(rig, 0x100) * 16;
    }
}

/* Fill the buffers and make them available */
static void add_request(Rig *rig, const Request *request)
{
    RdpGuest *guest = rig->dev.guest;
    const uint8_t *out = request->out;
    unsigned i;

    for (i = 0; i < rig->n; i++) {
        const RdpBuf *buf = &rig->bufs[i];

        if (!buf->len || buf->len > STREAM_MAX) {
            continue;
        }
        if (buf->device_writes) {
            rdp_fill(guest, buf->addr, CANARY, buf->len);
        } else if (buf->len <= request->out + request->out_len - out) {
            rdp_poke(guest, buf->addr, out, buf->len);
            out += buf->len;
        }
    }
    rdp_ring_add(&rig->ring, rig->bufs, rig->n, rig->table);
    rig->first = false;
}

/* The model */

typedef enum Verdict {
    SERVED,         /* the request completes, with the right data */
    REFUSED,        /* the device stops at an access outside the pool */
    STOPPED,        /* the device stops at a fault of another kind */
    OPEN,           /* anything may happen, inside the pool */
} Verdict;

typedef struct Judgement {
    Verdict verdict;
    RdpAccess bad[3];           /* those of which one has to be reported */
    unsigned n_bad;
    bool interrupt;             /* DRIVER_OK was set at the time */
} Judgement;

static bool ranges_meet(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
    unsigned __int128 a_end = (unsigned __int128)a + a_len;
    unsigned __int128 b_end = (unsigned __int128)b + b_len;

    return a < b_end && b < a_end;
}

static void judge_range(Rig *rig, Judgement *j, const char *what,
                        uint64_t addr, uint64_t len)
{
    uint64_t base = rig->dev.guest->base;

    if (addr < base || (unsigned __int128)addr + len >
                       (unsigned __int128)base + RDP_POOL_SIZE) {
        j->verdict = REFUSED;
        j->bad[j->n_bad++] = (RdpAccess) { what, addr, len };
    }
}

static void judge_ring(Rig *rig, Judgement *j)
{
    const RdpRing *ring = &rig->ring;

    judge_range(rig, j, "descriptor-table", ring->desc,
                rdp_ring_desc_size(ring));
    judge_range(rig, j, "used-ring", ring->used,
                rdp_ring_used_size(ring, rig->features));
    judge_range(rig, j, "available-ring", ring->avail,
                rdp_ring_avail_size(ring, rig->features));
}

/* The ranges that the driver laid out */
static unsigned list_ranges(Rig *rig, RdpBuf ranges[3 + 1 + 2 * PIECES_MAX])
{
    const RdpRing *ring = &rig->ring;
    unsigned n = 0;

    ranges[n++] = (RdpBuf) { ring->desc, rdp_ring_desc_size(ring) };
    ranges[n++] = (RdpBuf) { ring->avail,
                             rdp_ring_avail_size(ring, rig->features) };
    ranges[n++] = (RdpBuf) { ring->used,
                             rdp_ring_used_size(ring, rig->features) };
    if (rig->table != RDP_NO_TABLE) {
        ranges[n++] = (RdpBuf) { rig->table,
                                 rig->n * sizeof(struct vring_desc) };
    }
    memcpy(&ranges[n], rig->bufs, rig->n * sizeof(rig->bufs[0]));
    return n + rig->n;
}

static bool parts_overlap(Rig *rig)
{
    RdpBuf ranges[3 + 1 + 2 * PIECES_MAX];
    unsigned i, k, n = list_ranges(rig, ranges);

    for (i = 0; i < n; i++) {
        for (k = 0; k < i; k++) {
            if (ranges_meet(ranges[i].addr, ranges[i].len, ranges[k].addr,
                            ranges[k].len)) {
                return true;
            }
        }
    }
    return false;
}

static bool has_space(Rig *rig)
{
    unsigned i;

    for (i = 0; i < rig->n; i++) {
        if (rig->bufs[i].device_writes && rig->bufs[i].len) {
            return true;
        }
    }
    return false;
}

static void judge_buffers(Rig *rig, Judgement *j)
{
    bool device_writes = false;
    unsigned i;

    if (rig->device->wants_space && !has_space(rig)) {
        j->verdict = OPEN;
    }
    /* Some devices walk the whole chain before they map any of it */
    for (i = 0; i < rig->n; i++) {
        if (rig->bufs[i].flags) {
            j->verdict = OPEN;
        }
    }
    /* In the order of the chain; its form is checked before its place */
    for (i = 0; i < rig->n && j->verdict == SERVED; i++) {
        const RdpBuf *buf = &rig->bufs[i];

        if (!buf->len || (device_writes && !buf->device_writes)) {
            j->verdict = STOPPED;
        } else {
            device_writes = buf->device_writes;
            judge_range(rig, j, "buffer", buf->addr, buf->len);
        }
    }
    if (j->verdict == SERVED && rig->odd) {
        j->verdict = OPEN;
    }
}

static Judgement judge(Rig *rig)
{
    Judgement j = { .verdict = SERVED, .interrupt = true };

    if ((rig->features & RDP_FEATURES) != RDP_FEATURES) {
        j.verdict = STOPPED;
        return j;
    }
    judge_ring(rig, &j);
    if (j.verdict == REFUSED) {
        j.interrupt = false;
        return j;
    }
    if (parts_overlap(rig)) {
        /* What the device finds is not what the driver meant */
        j.verdict = OPEN;
        return j;
    }
    if (rig->table != RDP_NO_TABLE) {
        judge_range(rig, &j, "indirect-table", rig->table,
                    rig->n * sizeof(struct vring_desc));
    }
    if (j.verdict == SERVED) {
        judge_buffers(rig, &j);
    }
    return j;
}

/* Faults */

static uint64_t pick_addr(Rig *rig)
{
    uint64_t base = rig->dev.guest->base;
    uint64_t end = base + RDP_POOL_SIZE;

    switch (pick(rig, 10)) {
    case 0:
        return RDP_IN_RAM(rig->dev.guest, pick(rig, RDP_RAM_SIZE));
    case 1:
        return base - 1 - pick(rig, STREAM_MAX);
    case 2:
        return base - 1 - pick(rig, 16);
    case 3:
        return end - pick(rig, STREAM_MAX);
    case 4:
        return end - pick(rig, 16);
    case 5:
        return end + pick(rig, RDP_NEIGHBOUR_SIZE);
    case 6:
        return -(uint64_t)pick(rig, STREAM_MAX);
    case 7:
        return 0;
    case 8:
        return pick64(rig);
    default:
        return base + pick(rig, RDP_POOL_SIZE);
    }
}

/* virtio-rng generates all the bytes before it looks where they go */
static uint32_t pick_long_len(Rig *rig)
{
    return RDP_POOL_SIZE + pick(rig, rig->device->wants_space ? MiB : GiB);
}

static uint64_t pick_features(Rig *rig)
{
    static const uint64_t optional[] = {
        BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC),
        BIT_ULL(VIRTIO_RING_F_EVENT_IDX),
        BIT_ULL(VIRTIO_F_RING_RESET),
    };
    uint64_t features = RDP_FEATURES;
    unsigned i;

    if (rig->packed) {
        features |= BIT_ULL(VIRTIO_F_RING_PACKED);
    }
    for (i = 0; i < ARRAY_SIZE(optional); i++) {
        features |= pick(rig, 2) ? optional[i] : 0;
    }
    switch (pick(rig, 32)) {
    case 0:
        return features & ~BIT_ULL(RDP_F_RESTRICTED_DMA);
    case 1:
        return features & ~BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
    default:
        return features;
    }
}

/* Move a part of the ring, and clear it there as well */
static void move_part(Rig *rig, uint64_t *addr, uint64_t align, uint64_t size)
{
    *addr = pick_addr(rig);
    *addr = ROUND_DOWN(*addr, align);
    rdp_fill(rig->dev.guest, *addr, 0, size);
}

static bool spoil_ring(Rig *rig)
{
    RdpRing *ring = &rig->ring;
    unsigned which = pick(rig, 24);

    if (which == 0 || which == 3) {
        move_part(rig, &ring->desc, 16, rdp_ring_desc_size(ring));
    }
    if (which == 1) {
        move_part(rig, &ring->avail, 4,
                  rdp_ring_avail_size(ring, rig->features));
    }
    if (which == 2 || which == 3) {
        move_part(rig, &ring->used, 4,
                  rdp_ring_used_size(ring, rig->features));
    }
    return which <= 3;
}

static void spoil_request(Rig *rig)
{
    uint64_t end = rig->dev.guest->base + RDP_POOL_SIZE;
    RdpBuf *buf = &rig->bufs[pick(rig, rig->n)];

    switch (pick(rig, 16)) {
    case 0 ... 4:
        buf->addr = pick_addr(rig);
        break;
    case 5:
        if (rig->table != RDP_NO_TABLE) {
            rig->table = pick_addr(rig) & ~15ULL;
        }
        break;
    case 6:
        buf->len = 0;
        break;
    case 7:
        buf->len = pick_long_len(rig);
        break;
    case 8:
        buf->device_writes = !buf->device_writes;
        rig->odd = true;
        break;
    case 9:
        buf->flags = pick(rig, 2) ? VRING_DESC_F_INDIRECT : VRING_DESC_F_NEXT;
        break;
    case 10:
        spoil_request(rig);
        spoil_request(rig);
        break;
    case 11:
        /* The last byte, or one more */
        buf->addr = end - buf->len + pick(rig, 2);
        break;
    case 12:
    case 13:
        if (rig->table != RDP_NO_TABLE) {
            rig->table = pick(rig, RDP_RAM_SIZE) & ~15ULL;
        }
        break;
    }
}

/* Consequences */

static void assert_peer_got(Rig *rig, const uint8_t *data, size_t len)
{
    if (len) {
        rdp_peer_assert_received(rig->peer, data, len);
    }
    rdp_peer_assert_silent(rig->peer);
}

static void assert_buffers_hold(Rig *rig, const Request *request)
{
    size_t done = 0;
    unsigned i;

    for (i = 0; i < rig->n && done < request->in_known; i++) {
        const RdpBuf *buf = &rig->bufs[i];
        uint8_t data[STREAM_MAX];

        if (buf->device_writes) {
            qtest_bufread(rig->dev.guest->qts, buf->addr, data, buf->len);
            g_assert_cmpmem(data, buf->len, request->in + done, buf->len);
            done += buf->len;
        }
    }
}

static void assert_served(Rig *rig, const Request *request)
{
    RdpGuest *guest = rig->dev.guest;

    rdp_ring_wait(&rig->ring);
    g_assert_false(rdp_needs_reset(&rig->dev));
    assert_buffers_hold(rig, request);
    memcpy(guest->disk.before + request->disk_offset, request->disk_data ?:
           request->out, request->disk_len);
    assert_peer_got(rig, request->wire, request->wire_len);
}

static void assert_stopped(Rig *rig)
{
    RdpGuest *guest = rig->dev.guest;

    rdp_wait_needs_reset(&rig->dev);
    rdp_settle(guest->qts);
    g_assert_cmpuint(rdp_ring_used(&rig->ring), ==, rig->ring.used_before);
}

static void assert_no_violation(Rig *rig)
{
    RdpGuest *guest = rig->dev.guest;

    g_assert_cmpuint(rdp_violations(guest->qts, "poola"), ==,
                     guest->violations_before);
    g_assert_null(rdp_next_event(guest->qts));
}

static void assert_follows(Rig *rig, const Judgement *j,
                           const Request *request)
{
    switch (j->verdict) {
    case SERVED:
        assert_served(rig, request);
        assert_no_violation(rig);
        rdp_assert_untouched(rig->dev.guest);
        break;
    case REFUSED:
        rdp_assert_refused_one_of(&rig->ring, j->bad, j->n_bad, j->interrupt);
        assert_peer_got(rig, NULL, 0);
        break;
    case STOPPED:
        assert_stopped(rig);
        assert_no_violation(rig);
        assert_peer_got(rig, NULL, 0);
        rdp_assert_untouched(rig->dev.guest);
        break;
    case OPEN:
        rdp_settle(rig->dev.guest->qts);
        rdp_assert_memory_untouched(rig->dev.guest);
        break;
    }
}

/* A driver that does anything at all */

static void scribble_descriptors(Rig *rig)
{
    RdpGuest *guest = rig->dev.guest;
    uint64_t table = pick(rig, 2) ? rig->ring.desc : guest->base + RDP_TABLE;
    unsigned i;

    if (table < guest->base || table > guest->base + RDP_BUFFERS) {
        return;
    }
    for (i = 0; i < RDP_RING_SIZE; i++) {
        /* A split ring has its flags where a packed one has the id */
        struct vring_packed_desc desc = {
            .addr = cpu_to_le64(pick(rig, 4) ? guest->base + RDP_TABLE
                                             : pick_addr(rig)),
            .len = cpu_to_le32(pick(rig, 8) ? pick(rig, 16) * sizeof(desc)
                                            : pick_long_len(rig)),
            .id = cpu_to_le16(pick(rig, 8)),
            .flags = cpu_to_le16(pick(rig, 8)),
        };

        rdp_poke(guest, table + i * sizeof(desc), &desc, sizeof(desc));
    }
}

static void step(Rig *rig)
{
    RdpDevice *dev = &rig->dev;
    RdpGuest *guest = dev->guest;
    uint16_t value = g_rand_int(rig->rand);

    switch (pick(rig, 8)) {
    case 0:
        /* Zero would be a reset */
        rdp_set_status(dev, 1 | pick(rig, 256));
        break;
    case 1:
        rdp_accept(dev, pick64(rig));
        break;
    case 2:
        rdp_ring_begin_reset(&rig->ring);
        break;
    case 3:
        rdp_ring_enable(&rig->ring);
        break;
    case 4:
        scribble_descriptors(rig);
        break;
    case 5:
        if (rig->ring.avail - guest->base < RDP_TABLE) {
            rdp_poke(guest, rig->ring.avail + 2 * pick(rig, 20), &value,
                     sizeof(value));
        }
        break;
    default:
        rdp_ring_kick(&rig->ring);
        break;
    }
}

/* Nobody can tell what that did to disk and peer: start over there */
static void start_over(Rig *rig)
{
    RdpFile *disk = &rig->dev.guest->disk;

    rdp_reset(&rig->dev);
    memcpy(disk->before, disk->now, disk->size);
    rdp_peer_drain(rig->peer);
}

static void do_anything(Rig *rig)
{
    RdpGuest *guest = rig->dev.guest;
    bool stopped = rdp_needs_reset(&rig->dev);
    unsigned i;

    for (i = 0; i < STEPS; i++) {
        step(rig);
        g_assert_true(!stopped || rdp_needs_reset(&rig->dev));
    }
    rdp_settle(guest->qts);
    rdp_assert_memory_untouched(guest);
    start_over(rig);
}

/* A ring */

static void start(Rig *rig)
{
    rdp_ring_enable(&rig->ring);
    rdp_driver_ok(&rig->dev);
}

static void serve_good_requests(Rig *rig)
{
    unsigned i, n = 1 + pick(rig, GOOD_MAX);

    for (i = 0; i < n; i++) {
        g_autofree Request *request = g_new0(Request, 1);

        rig->device->make(rig, request);
        lay_out_request(rig, request);
        g_assert_cmpint(judge(rig).verdict, ==, SERVED);
        add_request(rig, request);
        rdp_ring_kick(&rig->ring);
        assert_served(rig, request);
    }
}

static void run_ring(Rig *rig)
{
    g_autofree Request *request = g_new0(Request, 1);
    bool started = false;
    Judgement j;

    rig->features = pick_features(rig);
    rig->first = true;
    rdp_negotiate(&rig->dev, rig->features);
    rdp_ring_init(&rig->ring, &rig->dev, rig->device->queue, rig->packed);
    if (!spoil_ring(rig) &&
        (rig->features & RDP_FEATURES) == RDP_FEATURES && pick(rig, 2)) {
        start(rig);
        serve_good_requests(rig);
        started = true;
    }

    rig->device->make(rig, request);
    lay_out_request(rig, request);
    spoil_request(rig);
    j = judge(rig);

    /* This moves the clock, so the device may look at its ring again */
    rdp_ring_count(&rig->ring);
    add_request(rig, request);
    /* If the used ring overlaps the request, that has just changed it */
    rig->ring.used_before = rdp_ring_used(&rig->ring);
    rdp_snapshot(rig->dev.guest);
    if (!started) {
        start(rig);
    }
    rdp_ring_kick(&rig->ring);
    assert_follows(rig, &j, request);
    do_anything(rig);
}

/* Set-up and command line */

static unsigned env_number(const char *name, unsigned value)
{
    const char *text = getenv(name);

    if (text && qemu_strtoui(text, NULL, 0, &value)) {
        g_error("%s must be a number, not '%s'", name, text);
    }
    return value;
}

static void print_seed(void *opaque)
{
    const Rig *rig = opaque;

    fprintf(stderr, "# repeat it with RESTRICTED_DMA_SEED=%" PRIu32
            " RESTRICTED_DMA_RINGS=1\n", rig->seed);
}

static void run(Rig *rig)
{
    uint32_t first = env_number("RESTRICTED_DMA_SEED",
                                g_test_rand_int_range(0, INT32_MAX));
    unsigned i, n = env_number("RESTRICTED_DMA_RINGS", RINGS_DEFAULT);

    g_test_message("%u rings from RESTRICTED_DMA_SEED=%" PRIu32, n, first);
    qtest_add_abrt_handler(print_seed, rig);
    for (i = 0; i < n; i++) {
        rig->seed = first + i;
        rig->rand = g_rand_new_with_seed(rig->seed);
        run_ring(rig);
        g_rand_free(rig->rand);
    }
    qtest_remove_abrt_handler(rig);
}

static void test(const Device *device, bool packed)
{
    Rig rig = { .device = device, .packed = packed };
    g_autofree char *peer = NULL;
    RdpGuest *guest;
    int fd;

    rig.peer = rdp_peer_new(&fd);
    if (device->peer) {
        peer = g_strdup_printf("%s%d", device->peer, fd);
    }
    guest = rdp_start_device(&rig.dev, rdp_machine(),
                             "%s %s,packed=on," RDP_CONFINED " %s", peer ?: "",
                             device->args, device->backend ?: "");
    rdp_snapshot(guest);
    run(&rig);
    rdp_device_stop(&rig.dev);
    close(rig.peer);
    close(fd);
}

static void test_split(const void *data)
{
    test(data, false);
}

static void test_packed(const void *data)
{
    test(data, true);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);

    for (i = 0; i < ARRAY_SIZE(devices); i++) {
        rdp_add_test(test_split, &devices[i],
                     "/restricted-dma/random/%s/split", devices[i].name);
        rdp_add_test(test_packed, &devices[i],
                     "/restricted-dma/random/%s/packed", devices[i].name);
    }
    return g_test_run();
}
