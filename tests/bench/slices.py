# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest I/O per CPU second of QEMU, with a pool and without.

Several QEMU processes run side by side and differ in one thing.  They take
turns at the same requests, a short slice at a time, so that other work on the
machine affects all of them alike.  Only ratios within a run are judged.

Only the virtio device works: the disk (null-co) has no data, the network leads
nowhere, and the guest's part is two stores (see ringload.py).
"""

import statistics
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from loads import BATCH, BLOCK, LOADS, NETWORK, STATUS, Load
from ringload import Memory
from testbed import memory, places, pools, virtio_pci as vp
from testbed.failure import expect
from testbed.machine import Machine
from testbed.process import Process
from testbed.qtest import Qtest
from testbed.units import GIB, MIB

WINDOWS = {NETWORK: 0xe0000000, BLOCK: 0xe4000000}
SLICE_SECONDS = 0.02    # of QEMU's CPU time
RAM_MIB, RAM_PLACE = 128, 16 * MIB
POOL_MIB = 64
UNTOUCHED = b"\xff"


class Kind(NamedTuple):
    """How one of the QEMU processes differs."""
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


class Subject:
    """A QEMU process that is measured."""

    def __init__(self, kind: Kind, log: Path):
        self.kind = kind
        machine = Machine("qtest", memory=f"{RAM_MIB}M", pool=kind.pool,
                          virtio=kind.options, qemu=kind.qemu)
        machine.share_memory(f"{RAM_MIB}M")
        machine.add("-blockdev", f"null-co,node-name=null0,size={GIB}",
                    # a hub sends a packet only if another port takes it
                    "-netdev", "hubport,id=hub0,hubid=0",
                    "-netdev", "hubport,id=hub1,hubid=0",
                    "-qtest", "chardev:qtest", "-qtest-log", "none")
        machine.device("virtio-blk-pci", "disk0",
                       "drive=null0,queue-size=1024")
        machine.device("virtio-net-pci", "net0", "netdev=hub0")
        self._qemu = Process(machine, log, ["qtest"])
        self._qtest = Qtest(self._qemu.socket("qtest"))
        self._clock = ~self._qemu.pid << 3 | 2  # its CPU time
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
        """Sets up the device for a load, and checks that it does the work."""
        device = self._devices[load.device]
        features = vp.F_VERSION_1 | self.kind.features | load.ring.feature | \
            vp.F_RING_INDIRECT_DESC * load.indirect
        device.accept(features)
        expect(bool(device.get(vp.STATUS) & vp.FEATURES_OK),
               f"the device of '{self.kind.name}' rejects its driver")
        self._ring = load.ring(self._memory, load.chains(), load.indirect)
        self._ring.enable(device, load.queue)
        device.set(vp.STATUS, device.get(vp.STATUS) | vp.DRIVER_OK)
        self._queue, self._doorbell = load.queue, device.doorbell(load.queue)
        self.rates = []
        self._memory.fill(STATUS, UNTOUCHED * BATCH)
        self._batch()
        expect(load.device != BLOCK or
               self._memory.bytes[STATUS:STATUS + BATCH] == bytes(BATCH),
               "the disk did not complete all requests")

    def _batch(self) -> None:
        self._ring.submit()
        self._qtest.store(self._doorbell, self._queue, 2)
        self._ring.wait()

    def cpu(self) -> float:
        return time.clock_gettime(self._clock)

    def slice(self) -> None:
        """Keeps the device busy for a while and records how fast it was."""
        requests, start = 0, self.cpu()
        while self.cpu() - start < SLICE_SECONDS:
            self._batch()
            requests += len(self._ring.chains)
        self.rates.append(requests / (self.cpu() - start))

    def check(self) -> None:
        """Checks that a device with a pool never left it."""
        expect(not self.kind.pool or
               pools.only(self._qemu)["violations"] == 0,
               "the pool counts violations")

    def stop(self) -> None:
        self._qemu.stop()


def run(kinds: List[Kind], slices: int, number: int) -> Dict[str, List[float]]:
    """Does one run; returns each kind's requests per CPU second by load."""
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
