# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk driver that gives its device one address outside the pool.

It is otherwise correct, and first completes a correct request.  So only that
address can be the reason why the device refuses.
"""

import struct
import time
from pathlib import Path
from typing import Callable

from . import places, pools, virtio_pci as vp
from .failure import Failure, expect
from .machine import Machine
from .process import Process
from .qtest import Qtest

BLOCK_DEVICE = 2
PCI_WINDOW = 0xe0000000
VICTIM, VICTIM_SIZE = 0x200000, 4096
CANARY = b"\xa5" * VICTIM_SIZE
SECTOR = 512
SECTOR_NUMBER = 2       # the first one that an ext4 file system uses
ANSWER_SECONDS = 30

# offsets into the pool
DESC, AVAIL, USED, HEADER, DATA, STATUS = (n * 4096 for n in range(6))
QUEUE_SIZE = 8
NEXT, DEVICE_WRITES = 1, 2
UNTOUCHED = 0xff


class HostileDriver:
    def __init__(self, qtest: Qtest):
        self._qtest = qtest
        self.device = vp.VirtioPci(qtest, BLOCK_DEVICE, PCI_WINDOW)
        self.pool = self.device.get64(vp.POOL_BASE)
        self.pool_size = self.device.get64(vp.POOL_SIZE)
        self._requests = 0

    def start(self) -> None:
        features = (vp.F_VERSION_1 | vp.F_ACCESS_PLATFORM |
                    vp.F_RESTRICTED_DMA)
        expect(self.device.features() & features == features,
               "the device does not offer RESTRICTED_DMA")
        self.device.accept(features)
        expect(bool(self.status() & vp.FEATURES_OK),
               "the device rejects a driver that accepts its pool")
        self._qtest.write(self.pool, bytes(STATUS + 4096))
        self.device.enable_queue(QUEUE_SIZE, self.pool + DESC,
                                 self.pool + AVAIL, self.pool + USED)
        self.device.set(vp.STATUS, self.status() | vp.DRIVER_OK)
        self._requests = 0

    def status(self) -> int:
        return self.device.get(vp.STATUS)

    def used(self) -> int:
        return self._qtest.load(self.pool + USED + 2, 2)

    def request_status(self) -> int:
        return self._qtest.load(self.pool + STATUS, 1)

    def read_sector(self, target: int) -> None:
        """Asks the device to read a sector of the disk to an address."""
        chain = [(self.pool + HEADER, 16, NEXT, 1),
                 (target, SECTOR, NEXT | DEVICE_WRITES, 2),
                 (self.pool + STATUS, 1, DEVICE_WRITES, 0)]
        self._qtest.write(self.pool + HEADER,
                          struct.pack("<IIQ", 0, 0, SECTOR_NUMBER))
        self._qtest.write(self.pool + STATUS, bytes([UNTOUCHED]))
        self._qtest.write(self.pool + DESC, b"".join(
            struct.pack("<QIHH", *descriptor) for descriptor in chain))
        self._requests += 1
        self._qtest.store(self.pool + AVAIL + 2, self._requests, 2)
        self.device.notify()

    def data(self) -> bytes:
        return self._qtest.read(self.pool + DATA, SECTOR)

    def wait_for(self, what: str, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + ANSWER_SECONDS
        while not holds():
            if time.monotonic() > end:
                raise Failure(f"hostile driver: {what} did not happen; the "
                              f"device's status is {self.status():#x}")


def attack(disk: Path, name: str, logs: Path = places.LOGS,
           kind: str = "q35") -> None:
    """Fails unless the device and QEMU answer the attack as they must."""
    machine = Machine("qtest", kind, memory="128M")
    machine.disk(disk, writable=False)
    machine.add("-qtest", "chardev:qtest")
    with Process(machine, logs / f"{name}.qemu.log", ["qtest"]) as qemu:
        qtest = Qtest(qemu.socket("qtest"))
        driver = HostileDriver(qtest)
        _check_registers(driver, qemu)
        _honest_read(driver, disk)
        _attack(driver, qtest)
        _check_report(qemu)
        _honest_read(driver, disk)


def _check_registers(driver: HostileDriver, qemu: Process) -> None:
    pool = pools.only(qemu)
    expect((driver.pool, driver.pool_size) == (pool["base"], pool["size"]),
           "the device's registers and QMP disagree about the pool")


def _honest_read(driver: HostileDriver, disk: Path) -> None:
    driver.start()
    driver.read_sector(driver.pool + DATA)
    driver.wait_for("a read into the pool", lambda: driver.used() == 1)
    with disk.open("rb") as image:
        image.seek(SECTOR_NUMBER * SECTOR)
        expect(driver.data() == image.read(SECTOR),
               "a read into the pool returned other data than the disk's")


def _attack(driver: HostileDriver, qtest: Qtest) -> None:
    qtest.write(VICTIM, CANARY)
    used = driver.used()
    driver.read_sector(VICTIM)
    driver.wait_for("NEEDS_RESET",
                    lambda: bool(driver.status() & vp.NEEDS_RESET))
    expect(qtest.read(VICTIM, VICTIM_SIZE) == CANARY,
           "the device wrote to memory outside its pool")
    expect(driver.used() == used,
           "the device returned a request that it must not process")
    expect(driver.request_status() == UNTOUCHED,
           "the device set the status of a request that it must not process")
    driver.device.set(vp.STATUS, driver.status() & ~vp.NEEDS_RESET)
    expect(bool(driver.status() & vp.NEEDS_RESET),
           "NEEDS_RESET went away without a reset")


def _check_report(qemu: Process) -> None:
    event = qemu.qmp.event("RESTRICTED_DMA_VIOLATION")
    wanted = {"device": "disk0", "pool": "pool0", "address": VICTIM,
              "length": SECTOR, "what": "buffer"}
    for key, value in wanted.items():
        expect(event.get(key) == value, f"the QMP event says {key}="
               f"{event.get(key)}, not {value}")
    violations = pools.only(qemu)["violations"]
    expect(violations == 1, f"QMP counts {violations} violations, not 1")
