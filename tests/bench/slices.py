# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest I/O per CPU second of QEMU, with a pool and without.

Several QEMU processes run side by side and differ in one thing.  Each is given
the same requests in turn, a short slice at a time, so that whatever else the
machine does meets all of them alike.  Only ratios within a run are judged.

Nothing but the virtio device works: the disk (null-co) has no data, the
network ends nowhere, and the guest's part is two stores (see ringload.py).
"""

import statistics
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Type

from ringload import BUFFERS, Chain, Memory, PackedRing, Piece, Ring, SplitRing
from testbed import memory, places, virtio_pci as vp
from testbed.failure import expect
from testbed.machine import Machine
from testbed.process import Process
from testbed.qtest import Qtest
from testbed.scenes import MIB, pool_of

NETWORK, BLOCK = 1, 2
WINDOWS = {NETWORK: 0xe0000000, BLOCK: 0xe4000000}
NET_TRANSMIT_QUEUE = 1
BATCH = 256             # requests made available with one notification
NET_BATCH = 128         # of two descriptors, in a queue of 256
SLICE_SECONDS = 0.02    # of QEMU's CPU time
RAM_MIB, RAM_PLACE = 128, 16 * MIB
POOL_MIB = 64

# Each request has its own header, status byte and data.
HEADERS, STATUS, DATA = BUFFERS, BUFFERS + 0x10000, BUFFERS + 0x100000
UNTOUCHED = b"\xff"


class Kind(NamedTuple):
    """What one of the QEMU processes is."""
    name: str
    features: int = 0
    options: str = "disable-legacy=on,packed=on"
    pool: Optional[str] = None
    qemu: Path = places.QEMU


PLAIN = Kind("plain")
PLATFORM = Kind("platform", vp.F_ACCESS_PLATFORM,
                PLAIN.options + ",iommu_platform=on")
POOL = Kind("pool", vp.F_ACCESS_PLATFORM | vp.F_RESTRICTED_DMA,
            pool=f"{POOL_MIB}M")


class Load(NamedTuple):
    """A kind of request and of ring."""
    name: str
    device: int
    ring: Type[Ring]
    indirect: bool
    data: List[int]     # sizes of the data buffers of a request

    @property
    def queue(self) -> int:
        return NET_TRANSMIT_QUEUE if self.device == NETWORK else 0

    def chains(self) -> List[Chain]:
        """Reads of a disk, or packets that are sent."""
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
    kib = 1024
    requests = {"4 KiB": [4 * kib], "64 KiB": [64 * kib],
                "128 KiB": [128 * kib]}
    loads = []
    for ring, form in ((SplitRing, "split"), (PackedRing, "packed")):
        loads += [Load(f"blk {name}, {form}", BLOCK, ring, False, data)
                  for name, data in requests.items()]
        loads += [Load(f"blk 4 KiB, {form} indirect", BLOCK, ring, True,
                       [4 * kib]),
                  Load(f"blk 32 x 4 KiB, {form} indirect", BLOCK, ring, True,
                       [4 * kib] * 32),
                  Load(f"net 1500 bytes, {form}", NETWORK, ring, False,
                       [1500])]
    return loads


LOADS = _loads()


class Subject:
    """A QEMU process under measurement."""

    def __init__(self, kind: Kind, log: Path):
        self.kind = kind
        machine = Machine("qtest", memory=f"{RAM_MIB}M", pool=kind.pool,
                          virtio=kind.options, qemu=kind.qemu)
        machine.share_memory(f"{RAM_MIB}M")
        machine.add("-blockdev", f"null-co,node-name=null0,size={1 << 30}",
                    # a packet is sent when another port would take it
                    "-netdev", "hubport,id=hub0,hubid=0",
                    "-netdev", "hubport,id=hub1,hubid=0",
                    "-qtest", "chardev:qtest", "-qtest-log", "none")
        machine.device("virtio-blk-pci", "disk0",
                       "drive=null0,queue-size=1024")
        machine.device("virtio-net-pci", "net0", "netdev=hub0")
        self._qemu = Process(machine, log, ["qtest"])
        self._qtest = Qtest(self._qemu.socket("qtest"))
        self._clock = ~self._qemu.pid << 3 | 2  # of the process' CPU time
        self._devices = {device: vp.VirtioPci(self._qtest, device, window)
                         for device, window in WINDOWS.items()}
        self._memory = self._map()
        self.rates: List[float] = []

    def _map(self) -> Memory:
        size = POOL_MIB * MIB
        if self.kind.pool:
            base = self._devices[BLOCK].get64(vp.POOL_BASE)
            return Memory(base, memory.backing(self._qemu, size), 0, size)
        return Memory(RAM_PLACE, memory.backing(self._qemu, RAM_MIB * MIB),
                      RAM_PLACE, size)

    def start(self, load: Load) -> None:
        """Makes the device ready for a load, and sees that it does it."""
        device = self._devices[load.device]
        features = vp.F_VERSION_1 | self.kind.features | load.ring.feature | \
            vp.F_RING_INDIRECT_DESC * load.indirect
        device.accept(features)
        expect(bool(device.get(vp.STATUS) & vp.FEATURES_OK),
               f"the device of '{self.kind.name}' does not take its driver")
        self._ring = load.ring(self._memory, load.chains(), load.indirect)
        self._ring.enable(device, load.queue)
        device.set(vp.STATUS, device.get(vp.STATUS) | vp.DRIVER_OK)
        self._queue, self._doorbell = load.queue, device.doorbell(load.queue)
        self.rates = []
        self._memory.fill(STATUS, UNTOUCHED * BATCH)
        self._batch()
        expect(load.device != BLOCK or
               self._memory.bytes[STATUS:STATUS + BATCH] == bytes(BATCH),
               "the disk did not do all requests")

    def _batch(self) -> None:
        self._ring.submit()
        self._qtest.store(self._doorbell, self._queue, 2)
        self._ring.wait()

    def cpu(self) -> float:
        return time.clock_gettime(self._clock)

    def slice(self) -> None:
        """Keeps the device busy for a while and notes how fast it was."""
        requests, start = 0, self.cpu()
        while self.cpu() - start < SLICE_SECONDS:
            self._batch()
            requests += len(self._ring.chains)
        self.rates.append(requests / (self.cpu() - start))

    def check(self) -> None:
        """It was confined all the time, where it should be."""
        expect(not self.kind.pool or pool_of(self._qemu)["violations"] == 0,
               "the pool counts violations")

    def stop(self) -> None:
        self._qemu.stop()


def run(kinds: List[Kind], slices: int, number: int) -> Dict[str, List[float]]:
    """One run: for each load the requests per CPU second of each kind."""
    subjects: List[Subject] = []
    results = {}
    try:
        for kind in kinds:
            log = places.LOGS / f"bench-{number}-{kind.name}.log"
            subjects.append(Subject(kind, log))
        for load in LOADS:
            results[load.name] = _compare(subjects, load, slices)
        for subject in subjects:
            subject.check()
    finally:
        for subject in subjects:
            subject.stop()
    return results


def _compare(subjects: List[Subject], load: Load,
             slices: int) -> List[float]:
    for subject in subjects:
        subject.start(load)
    for turn in range(slices):
        first = turn % len(subjects)
        for subject in subjects[first:] + subjects[:first]:
            subject.slice()
    return [statistics.median(subject.rates) for subject in subjects]
