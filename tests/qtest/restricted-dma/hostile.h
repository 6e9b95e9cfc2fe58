/*
 * Restricted DMA pools: every kind of bad address at every kind of place
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_HOSTILE_H
#define TESTS_RESTRICTED_DMA_HOSTILE_H

#include "blk.h"

/* An address with nothing behind it */
#define RDP_NOWHERE             (1ULL << 45)

/* The addresses that a driver of virtio-blk gives the device */
typedef enum RdpPart {
    RDP_PART_DESC,
    RDP_PART_AVAIL,
    RDP_PART_USED,
    RDP_PART_TABLE,
    RDP_PART_HEADER,
    RDP_PART_DATA_OUT,
    RDP_PART_DATA_IN,
    RDP_PART_STATUS,
    RDP_PARTS
} RdpPart;

/* Places outside the pool, at least in part */
typedef enum RdpPlace {
    RDP_PLACE_RAM,
    RDP_PLACE_ZERO,
    RDP_PLACE_NEIGHBOUR,
    RDP_PLACE_BELOW,
    RDP_PLACE_ACROSS_START,
    RDP_PLACE_ACROSS_END,
    RDP_PLACE_SLIGHTLY_TOO_LONG,
    RDP_PLACE_REGISTERS,
    RDP_PLACE_NOWHERE,
    RDP_PLACE_TOP,
    RDP_PLACE_WRAPS,
    RDP_PLACE_4G_LONG,
    RDP_PLACES
} RdpPlace;

const char *rdp_part_name(RdpPart part);
/* Whether a driver with @features has such an address at all */
bool rdp_part_exists(RdpPart part, uint64_t features);
/* The alignment that the driver has to keep to */
uint64_t rdp_part_align(RdpPart part);
/* Where a request has the address, and how many bytes the device uses there */
uint64_t *rdp_part_addr(RdpPart part, RdpBlk *blk);
uint64_t rdp_part_len(RdpPart part, RdpBlk *blk);

const char *rdp_place_name(RdpPlace place);
/* The address of something of @len bytes at @place */
uint64_t rdp_place_addr(RdpPlace place, RdpDevice *dev, uint64_t len,
                        uint64_t align);

/*
 * Put one part of a request at each place in turn: the device refuses it, and
 * works again after a reset.
 */
void rdp_assert_part_confined(RdpDevice *dev, uint64_t features, RdpPart part);

#endif
