/*
 * Restricted DMA pools: every kind of bad address at every kind of place
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hostile.h"

static const struct {
    const char *name;
    const char *what;       /* as the event puts it */
    uint64_t align;
} parts[RDP_PARTS] = {
    [RDP_PART_DESC]     = { "descriptor-table", "descriptor-table", 16 },
    [RDP_PART_AVAIL]    = { "available-ring", "available-ring", 4 },
    [RDP_PART_USED]     = { "used-ring", "used-ring", 4 },
    [RDP_PART_TABLE]    = { "indirect-table", "indirect-table", 16 },
    [RDP_PART_HEADER]   = { "header", "buffer", 1 },
    [RDP_PART_DATA_OUT] = { "data-out", "buffer", 1 },
    [RDP_PART_DATA_IN]  = { "data-in", "buffer", 1 },
    [RDP_PART_STATUS]   = { "status", "buffer", 1 },
};

static const char *const places[RDP_PLACES] = {
    [RDP_PLACE_RAM] = "in RAM",
    [RDP_PLACE_ZERO] = "at address 0",
    [RDP_PLACE_NEIGHBOUR] = "in the pool next to it",
    [RDP_PLACE_BELOW] = "right below the pool",
    [RDP_PLACE_ACROSS_START] = "across the start of the pool",
    [RDP_PLACE_ACROSS_END] = "across the end of the pool",
    [RDP_PLACE_SLIGHTLY_TOO_LONG] =
        "at the end of the pool and slightly too long",
    [RDP_PLACE_REGISTERS] = "in the device's own registers",
    [RDP_PLACE_NOWHERE] = "where there is nothing",
    [RDP_PLACE_TOP] = "at the top of the address space",
    [RDP_PLACE_WRAPS] = "across the top of the address space",
    [RDP_PLACE_4G_LONG] = "in the pool and 4 GiB long",
};

const char *rdp_part_name(RdpPart part)
{
    return parts[part].name;
}

bool rdp_part_exists(RdpPart part, uint64_t features)
{
    return part != RDP_PART_TABLE ||
           features & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
}

uint64_t rdp_part_align(RdpPart part)
{
    return parts[part].align;
}

static bool is_ring(RdpPart part)
{
    return part == RDP_PART_DESC || part == RDP_PART_AVAIL ||
           part == RDP_PART_USED;
}

static RdpBuf *part_buf(RdpPart part, RdpBlk *blk)
{
    switch (part) {
    case RDP_PART_HEADER:
        return &blk->bufs[0];
    case RDP_PART_DATA_OUT:
    case RDP_PART_DATA_IN:
        return &blk->bufs[1];
    case RDP_PART_STATUS:
        return &blk->bufs[2];
    default:
        g_assert_not_reached();
    }
}

uint64_t *rdp_part_addr(RdpPart part, RdpBlk *blk)
{
    switch (part) {
    case RDP_PART_DESC:
        return &blk->ring.desc;
    case RDP_PART_AVAIL:
        return &blk->ring.avail;
    case RDP_PART_USED:
        return &blk->ring.used;
    case RDP_PART_TABLE:
        return &blk->table;
    default:
        return &part_buf(part, blk)->addr;
    }
}

uint64_t rdp_part_len(RdpPart part, RdpBlk *blk)
{
    switch (part) {
    case RDP_PART_DESC:
        return rdp_ring_desc_size(&blk->ring);
    case RDP_PART_AVAIL:
        return rdp_ring_avail_size(&blk->ring, blk->features);
    case RDP_PART_USED:
        return rdp_ring_used_size(&blk->ring, blk->features);
    case RDP_PART_TABLE:
        return RDP_BLK_BUFS * sizeof(struct vring_desc);
    default:
        return part_buf(part, blk)->len;
    }
}

const char *rdp_place_name(RdpPlace place)
{
    return places[place];
}

uint64_t rdp_place_addr(RdpPlace place, RdpDevice *dev, uint64_t len,
                        uint64_t align)
{
    uint64_t base = dev->guest->base;
    uint64_t end = base + RDP_POOL_SIZE;
    uint64_t rounded = ROUND_UP(len, align);
    uint64_t half = ROUND_DOWN(len / 2, align);

    switch (place) {
    case RDP_PLACE_RAM:
        return RDP_IN_RAM(dev->guest, RDP_VICTIM);
    case RDP_PLACE_ZERO:
        return 0;
    case RDP_PLACE_NEIGHBOUR:
        return end;
    case RDP_PLACE_BELOW:
        return base - rounded;
    case RDP_PLACE_ACROSS_START:
        return base - half;
    case RDP_PLACE_ACROSS_END:
        return end - half;
    case RDP_PLACE_SLIGHTLY_TOO_LONG:
        return ROUND_DOWN(end - len, align) + align;
    case RDP_PLACE_REGISTERS:
        return dev->mmio ?: dev->bar.addr + dev->common;
    case RDP_PLACE_NOWHERE:
        return RDP_NOWHERE;
    case RDP_PLACE_TOP:
        return -rounded;
    case RDP_PLACE_WRAPS:
        return -half;
    case RDP_PLACE_4G_LONG:
        return base + RDP_BUFFERS;
    default:
        g_assert_not_reached();
    }
}

/* Whether @part, of @len bytes, can be put at @place */
static bool fits(RdpPart part, RdpPlace place, uint64_t len)
{
    switch (place) {
    case RDP_PLACE_ACROSS_START:
    case RDP_PLACE_ACROSS_END:
    case RDP_PLACE_WRAPS:
        return len >= 2 * parts[part].align;
    case RDP_PLACE_SLIGHTLY_TOO_LONG:
        return len > parts[part].align;
    case RDP_PLACE_4G_LONG:
        return !is_ring(part) && part != RDP_PART_TABLE;
    default:
        return true;
    }
}

static void assert_refused_at(RdpDevice *dev, uint64_t features, RdpPart part,
                              RdpPlace place)
{
    RdpAccess bad = { .what = parts[part].what };
    RdpBlk blk;

    rdp_blk_init(&blk, dev, features, part == RDP_PART_DATA_OUT);
    bad.len = rdp_part_len(part, &blk);
    if (!fits(part, place, bad.len)) {
        return;
    }
    g_test_message("%s %s", parts[part].name, places[place]);
    bad.addr = rdp_place_addr(place, dev, bad.len, parts[part].align);
    if (place == RDP_PLACE_4G_LONG) {
        bad.len = part_buf(part, &blk)->len = UINT32_MAX;
    }
    *rdp_part_addr(part, &blk) = bad.addr;

    /* Whatever the device should not look at is perfectly valid */
    rdp_blk_add(&blk);
    rdp_ring_baseline(&blk.ring);
    rdp_blk_go(&blk);
    rdp_assert_refused(&blk.ring, &bad, !is_ring(part));
    rdp_blk_assert_not_served(dev->guest);

    rdp_blk_assert_works(dev, features,
                         features & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC));
}

void rdp_assert_part_confined(RdpDevice *dev, uint64_t features, RdpPart part)
{
    RdpPlace place;

    for (place = 0; place < RDP_PLACES; place++) {
        assert_refused_at(dev, features, part, place);
    }
}
