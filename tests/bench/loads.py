# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of request that are measured, on each kind of ring."""

from typing import List, NamedTuple, Type

from ringload import BUFFERS, Chain, PackedRing, Piece, Ring, SplitRing
from testbed.units import KIB

NETWORK, BLOCK = 1, 2   # types of virtio device
NET_TRANSMIT_QUEUE = 1
BATCH = 256             # requests made available with one notification
NET_BATCH = 128         # of two descriptors each, in a queue of 256

# Each request has its own header, status byte and data.
HEADERS, STATUS, DATA = BUFFERS, BUFFERS + 0x10000, BUFFERS + 0x100000


class Load(NamedTuple):
    """A kind of request on a kind of ring."""
    name: str
    device: int
    ring: Type[Ring]
    indirect: bool
    data: List[int]     # sizes of the data buffers of a request

    @property
    def queue(self) -> int:
        return NET_TRANSMIT_QUEUE if self.device == NETWORK else 0

    def chains(self) -> List[Chain]:
        """Disk reads, or packets to send."""
        disk = self.device == BLOCK
        chains, place = [], DATA
        for number in range(BATCH if disk else NET_BATCH):
            chain = [Piece(HEADERS + 16 * number, 16 if disk else 12, False)]
            for size in self.data:
                chain.append(Piece(place, size, disk))
                place += size
            if disk:
                chain.append(Piece(STATUS + number, 1, True))
            chains.append(chain)
        return chains


def _loads() -> List[Load]:
    requests = {"4 KiB": [4 * KIB], "64 KiB": [64 * KIB],
                "128 KiB": [128 * KIB]}
    loads = []
    for ring, form in ((SplitRing, "split"), (PackedRing, "packed")):
        loads += [Load(f"blk {name}, {form}", BLOCK, ring, False, data)
                  for name, data in requests.items()]
        loads += [Load(f"blk 4 KiB, {form} indirect", BLOCK, ring, True,
                       [4 * KIB]),
                  Load(f"blk 32 x 4 KiB, {form} indirect", BLOCK, ring, True,
                       [4 * KIB] * 32),
                  Load(f"net 1500 bytes, {form}", NETWORK, ring, False,
                       [1500])]
    return loads


LOADS = _loads()
