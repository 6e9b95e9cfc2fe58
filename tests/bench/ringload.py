# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtqueue that is filled once, then made available again and again.

The ring is in memory that we share with QEMU.  A few hundred requests take a
few bytes here and one notification there, so QEMU spends nearly all of its
processor time on the device's work.
"""

import mmap
import os
import struct
import time
from pathlib import Path
from typing import List, NamedTuple, Tuple

from testbed import virtio_pci as vp
from testbed.failure import Failure

NEXT, DEVICE_WRITES, INDIRECT = 1, 2, 4
DESCRIPTOR = struct.Struct("<QIHH")
SPLIT_NO_INTERRUPT, PACKED_NO_INTERRUPT = 1, 1
PACKED_AVAIL, PACKED_USED = 1 << 7, 1 << 15
ANSWER_SECONDS = 60

# offsets into the memory
DESC, DRIVER, DEVICE, TABLES, BUFFERS = 0, 0x8000, 0x10000, 0x20000, 0x100000
TABLE_BYTES = 1024      # per chain


class Piece(NamedTuple):
    """One buffer of a chain, at an offset into the memory."""
    offset: int
    size: int
    device_writes: bool


Chain = List[Piece]
Descriptor = Tuple[int, int, int]   # address, length, flags


class Memory:
    """Guest memory that we map as well."""

    def __init__(self, base: int, file: Path, offset: int, size: int):
        self.base = base
        with file.open("r+b") as opened:
            self.bytes = mmap.mmap(opened.fileno(), size, offset=offset)
        # Each word is one load or store, as a device may expect.
        self.words = memoryview(self.bytes).cast("H")

    def fill(self, offset: int, data: bytes) -> None:
        self.bytes[offset:offset + len(data)] = data


class Ring:
    """What split and packed rings have in common."""

    feature = 0
    no_interrupt = b""

    def __init__(self, memory: Memory, chains: List[Chain], indirect: bool):
        self.memory = memory
        self.chains = chains
        self.indirect = indirect
        pieces = 1 if indirect else len(chains[0])
        self.stride = pieces
        self.entries = pieces * len(chains)
        memory.fill(0, bytes(BUFFERS))
        memory.fill(DRIVER, self.no_interrupt)
        self.prepare()

    def descriptors(self, number: int) -> List[Descriptor]:
        """A chain's descriptors in the ring."""
        chain = [(self.memory.base + piece.offset, piece.size,
                  NEXT * (piece is not self.chains[number][-1]) |
                  DEVICE_WRITES * piece.device_writes)
                 for piece in self.chains[number]]
        if not self.indirect:
            return chain
        table = TABLES + number * TABLE_BYTES
        self.memory.fill(table, self.table(chain))
        return [(self.memory.base + table, DESCRIPTOR.size * len(chain),
                 INDIRECT)]

    def enable(self, device: vp.VirtioPci, queue: int) -> None:
        base = self.memory.base
        device.enable_queue(self.entries, base + DESC, base + DRIVER,
                            base + DEVICE, queue)

    def wait(self) -> None:
        """Waits until the device has returned all chains."""
        end = time.monotonic() + ANSWER_SECONDS
        while not self.done():
            os.sched_yield()
            if time.monotonic() > end:
                raise Failure("the device does not return its requests")

    def table(self, chain: List[Descriptor]) -> bytes:
        """An indirect table that holds the chain."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Writes the descriptors of all chains."""
        raise NotImplementedError

    def submit(self) -> None:
        """Makes all chains available."""
        raise NotImplementedError

    def done(self) -> bool:
        """Whether the device has returned all chains."""
        raise NotImplementedError


class SplitRing(Ring):
    no_interrupt = struct.pack("<H", SPLIT_NO_INTERRUPT)

    def table(self, chain: List[Descriptor]) -> bytes:
        return b"".join(DESCRIPTOR.pack(*piece, index + 1)
                        for index, piece in enumerate(chain))

    def prepare(self) -> None:
        # A power of two: the device requires it, and only then can the
        # available ring stay the same each time.
        self.entries = 1 << (self.entries - 1).bit_length()
        count = len(self.chains)
        for number in range(count):
            head = number * self.stride
            for index, (address, size, flags) in enumerate(
                    self.descriptors(number), head):
                self.memory.fill(DESC + index * DESCRIPTOR.size,
                                 DESCRIPTOR.pack(address, size, flags,
                                                 index + 1))
        self.memory.fill(DRIVER + 4, b"".join(
            struct.pack("<H", entry % count * self.stride)
            for entry in range(self.entries)))
        self._index = 0

    def submit(self) -> None:
        self._index = (self._index + len(self.chains)) & 0xffff
        self.memory.words[(DRIVER + 2) // 2] = self._index

    def done(self) -> bool:
        return self.memory.words[(DEVICE + 2) // 2] == self._index


class PackedRing(Ring):
    feature = vp.F_RING_PACKED
    no_interrupt = struct.pack("<HH", 0, PACKED_NO_INTERRUPT)

    def table(self, chain: List[Descriptor]) -> bytes:
        return b"".join(DESCRIPTOR.pack(address, size, 0, flags)
                        for address, size, flags in chain)

    def prepare(self) -> None:
        parts = [(*piece, number) for number in range(len(self.chains))
                 for piece in self.descriptors(number)]
        self._rounds = [b"".join(DESCRIPTOR.pack(address, size, number,
                                                 flags | available)
                                 for address, size, flags, number in parts)
                        for available in (PACKED_AVAIL, PACKED_USED)]
        self._round = 0
        last = (self.entries - self.stride) * DESCRIPTOR.size
        self._last_flags = (DESC + last + 14) // 2

    def submit(self) -> None:
        image = self._rounds[self._round % 2]
        self._round += 1
        # The first one goes last: the device takes chains in order.
        self.memory.fill(DESC + DESCRIPTOR.size, image[DESCRIPTOR.size:])
        self.memory.fill(DESC, image[:DESCRIPTOR.size])

    def done(self) -> bool:
        flags = self.memory.words[self._last_flags]
        returned = PACKED_AVAIL | PACKED_USED if self._round % 2 else 0
        return flags & (PACKED_AVAIL | PACKED_USED) == returned
