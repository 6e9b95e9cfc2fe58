/*
 * Restricted DMA pools: requests that make each other
 *
 * The ring has room for two requests.  The answer to one sets the flags of the
 * other, which make it available, and the lower half of the address where it
 * is.  When a request is returned, the device overwrites the flags and the
 * length of its first descriptor: the answer must be as long as the request.
 * Flags are as they were after two times round the ring, so four requests take
 * turns.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "standard-headers/linux/virtio_gpu.h"
#include "circle.h"

#define REQUESTS    4
#define SINK        0x1000          /* for the rest of each answer */
#define UNWRITTEN   0xff

#define DESC(ring, n, field) ((ring)->desc +                              \
                              (n) * sizeof(struct vring_packed_desc) +    \
                              offsetof(struct vring_packed_desc, field))

/* Where request @n is, and where its first descriptor */
static uint64_t request_addr(uint64_t place, unsigned n)
{
    return place + n % REQUESTS * RDP_CIRCLE_REQUEST;
}

static unsigned request_desc(unsigned n)
{
    return n % 2 * RDP_CIRCLE_CHAIN;
}

static uint16_t request_flags(unsigned n)
{
    bool odd = n / 2 % 2;

    return VRING_DESC_F_NEXT | (odd ? 1 << VRING_PACKED_DESC_F_USED
                                    : 1 << VRING_PACKED_DESC_F_AVAIL);
}

static void put_desc(RdpRing *ring, unsigned n, uint64_t addr, uint32_t len,
                     uint16_t flags)
{
    struct vring_packed_desc desc = {
        .addr = cpu_to_le64(addr),
        .len = cpu_to_le32(len),
        .id = cpu_to_le16(n / RDP_CIRCLE_CHAIN),
        .flags = cpu_to_le16(flags),
    };

    rdp_poke(ring->dev->guest, DESC(ring, n, addr), &desc, sizeof(desc));
}

/* The descriptors for request @n and all others at the same place */
static void put_chain(const RdpCircle *circle, RdpRing *ring, uint64_t place,
                      unsigned n)
{
    const uint16_t flags = VRING_DESC_F_WRITE | VRING_DESC_F_NEXT;
    unsigned at = request_desc(n), next = request_desc(n + 1);
    uint64_t sink = place + SINK;
    uint32_t after = circle->echo + 4;

    put_desc(ring, at, request_addr(place, n), circle->len,
             n ? 0 : request_flags(n));
    put_desc(ring, at + 1, sink, circle->echo, flags);
    put_desc(ring, at + 2, DESC(ring, next, flags), 2, flags);
    put_desc(ring, at + 3, DESC(ring, next, addr), 2, flags);
    put_desc(ring, at + 4, sink + after, circle->len - after,
             VRING_DESC_F_WRITE);
}

uint64_t rdp_circle_fill(const RdpCircle *circle, RdpRing *ring,
                         uint64_t place)
{
    RdpGuest *guest = ring->dev->guest;
    unsigned n;

    g_assert_cmphex(place & UINT16_MAX, ==, 0);
    g_assert_cmpuint(ring->size, ==, RDP_CIRCLE_SIZE);
    for (n = 0; n < REQUESTS; n++) {
        uint8_t request[RDP_CIRCLE_REQUEST] = { };
        uint16_t addr = request_addr(place, n + 1);

        circle->fill(request, request_flags(n + 1) | (uint32_t)addr << 16);
        rdp_poke(guest, request_addr(place, n), request, circle->len);
    }
    put_chain(circle, ring, place, 1);
    put_chain(circle, ring, place, 0);
    return place + SINK;
}

void rdp_assert_circling(RdpGuest *guest, uint64_t byte)
{
    rdp_fill(guest, byte, UNWRITTEN, 1);
    RDP_WAIT_FOR(qtest_readb(guest->qts, byte) != UNWRITTEN);
}

static void fill_gpu(uint8_t *request, uint32_t bytes)
{
    const struct virtio_gpu_ctrl_hdr hdr = {
        .type = cpu_to_le32(VIRTIO_GPU_UNDEFINED),
        .flags = cpu_to_le32(VIRTIO_GPU_FLAG_FENCE),
        .fence_id = cpu_to_le64(bytes),
    };

    memcpy(request, &hdr, sizeof(hdr));
}

const RdpCircle rdp_circle_gpu = {
    .len = sizeof(struct virtio_gpu_ctrl_hdr),
    .echo = offsetof(struct virtio_gpu_ctrl_hdr, fence_id),
    .fill = fill_gpu,
};
