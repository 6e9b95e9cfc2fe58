/*
 * Restricted DMA pools: bytes of the input become addresses and lengths
 *
 * Zeros make what a correct driver would choose, and most other bytes do, too.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "restricted_dma_fuzz.h"

uint64_t rdp_take(RdpInput *in, unsigned bytes)
{
    uint64_t value = 0;
    unsigned i;

    for (i = 0; i < bytes && in->size; i++, in->size--) {
        value |= (uint64_t)*in->data++ << (8 * i);
    }
    return value;
}

size_t rdp_take_bytes(RdpInput *in, uint8_t *buf, size_t len)
{
    len = MIN(len, in->size);
    memcpy(buf, in->data, len);
    in->data += len;
    in->size -= len;
    return len;
}

bool rdp_take_fault(RdpInput *in)
{
    return rdp_take(in, 1) >= 0xf0;
}

/* Something that the device reads or writes itself, of any device */
static uint64_t take_alias(RdpInput *in)
{
    uint8_t which = rdp_take(in, 1);
    unsigned offset = rdp_take(in, 1);
    RdpFuzzDriver *driver = &rdp_fuzz.drivers[which / 64 % rdp_fuzz.n_drivers];
    RdpRing *ring = &driver->rings[which / 4 % 16 % driver->n_rings];

    switch (which % 4) {
    case 0:
        return ring->desc + offset * sizeof(struct vring_desc);
    case 1:
        return ring->avail + offset;
    case 2:
        return ring->used + offset;
    default:
        return rdp_fuzz.guest.base + RDP_TABLE +
               offset * sizeof(struct vring_desc);
    }
}

uint64_t rdp_take_addr(RdpInput *in)
{
    uint64_t base = rdp_fuzz.guest.base;
    uint64_t end = base + RDP_POOL_SIZE;
    uint8_t kind = rdp_take(in, 1);

    switch (kind) {
    case 0xd0 ... 0xef:
        return take_alias(in);
    case 0xf0 ... 0xf1:
        return base - rdp_take(in, 2);
    case 0xf2 ... 0xf4:
        return end - rdp_take(in, 2);
    case 0xf5 ... 0xf6:
        return end + rdp_take(in, 3);
    case 0xf7 ... 0xf8:
        return rdp_take(in, 3);             /* RAM */
    case 0xf9 ... 0xfa:
        return -rdp_take(in, 3);
    case 0xfb:
        return 0xc0000000 + rdp_take(in, 4);
    case 0xfc ... 0xff:
        return rdp_take(in, 8);
    default:
        return base + RDP_BUFFERS + (kind << 8) + rdp_take(in, 1);
    }
}

uint32_t rdp_take_len(RdpInput *in)
{
    uint8_t kind = rdp_take(in, 1);

    switch (kind) {
    case 0xf0 ... 0xf3:
        return 0;
    case 0xf4 ... 0xf7:
        return RDP_POOL_SIZE - rdp_take(in, 2);
    case 0xf8 ... 0xfb:
        return rdp_take(in, 4);
    case 0xfc ... 0xff:
        return -rdp_take(in, 2);
    default:
        return 1 + kind * 8 + rdp_take(in, 1);
    }
}

RdpBuf rdp_take_buf(RdpInput *in, uint64_t addr, uint32_t len,
                    bool device_writes)
{
    RdpBuf buf = { addr, len, device_writes };

    switch (rdp_take(in, 1)) {
    case 0xa0 ... 0xcf:
        buf.addr = rdp_take_addr(in);
        break;
    case 0xd0 ... 0xdf:
        buf.len = rdp_take_len(in);
        break;
    case 0xe0 ... 0xef:
        buf.addr = rdp_take_addr(in);
        buf.len = rdp_take_len(in);
        break;
    case 0xf0 ... 0xf7:
        buf.addr = rdp_fuzz.guest.base;
        buf.len = RDP_POOL_SIZE;
        break;
    case 0xf8 ... 0xff:
        buf.device_writes = !device_writes;
        buf.flags = rdp_take(in, 2);
        break;
    }
    return buf;
}
