# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices that are attached to different pools use only their own."""

import hashlib
from pathlib import Path
from typing import List

from restricted import GuestTest

from testbed import memory, places, pools
from testbed.machine import Machine
from testbed.units import MIB

FIRST, SECOND = 64 * MIB, 32 * MIB


class Isolation(GuestTest):
    def machine_with(self, options: str) -> Machine:
        """A machine with two pools; the second one has these properties."""
        machine = self.our_machine(pool=f"{FIRST // MIB}M")
        machine.add_pool("pool1", f"{SECOND // MIB}M{options}")
        machine.disk(places.DISK, writable=False)
        return machine.image("image1", places.DISK, writable=False)

    def test_two_pools(self) -> None:
        machine = self.machine_with("")
        machine.device("virtio-blk-pci", "disk1", "drive=image1", pool="pool1")
        self.alternate(machine, "/dev/vda", "/dev/vdb")

    def test_named_pool_and_default_pool(self) -> None:
        machine = self.machine_with(",dma-default=on")
        machine.other_device("nvme", "drive=image1,serial=1")
        self.alternate(machine, "/dev/vda", "/dev/nvme0n1")

    def alternate(self, machine: Machine, first: str, second: str) -> None:
        """Reads two disks in turn; each changes its pool and not the other."""
        with self.start(machine) as guest:
            files = [memory.backing(guest, size) for size in (FIRST, SECOND)]
            turns = ((first, (True, False)), (second, (False, True))) * 2
            for number, (disk, changes) in enumerate(turns):
                before = self.digests(files)
                guest.run(f"dd if={disk} of=/dev/null bs=1M count=8 "
                          f"iflag=direct skip={8 * number}")
                after = self.digests(files)
                self.assertEqual(
                    tuple(old != new for old, new in zip(before, after)),
                    changes, f"pools that change when {disk} is read")
            for pool in pools.every(guest):
                self.assertEqual(pool["violations"], 0)
            guest.power_off()

    def digests(self, files: List[Path]) -> List[bytes]:
        return [hashlib.sha256(file.read_bytes()).digest() for file in files]
