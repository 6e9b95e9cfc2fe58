# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices on different pools leave each other's pool alone."""

import hashlib

from avocado import fail_on
from restricted import GuestTest

from testbed import memory, places, scenes
from testbed.failure import Failure

MIB = scenes.MIB
FIRST, SECOND = 64 * MIB, 32 * MIB


class Isolation(GuestTest):
    def machine(self, second: str):
        machine = scenes.our_machine(self.accel, pool=f"{FIRST // MIB}M")
        machine.add_pool("pool1", f"{SECOND // MIB}M{second}")
        machine.disk(places.DISK, writable=False)
        return machine.image("image1", places.DISK, writable=False)

    @fail_on(Failure)
    def test_two_pools(self):
        machine = self.machine("")
        machine.device("virtio-blk-pci", "disk1", "drive=image1", pool="pool1")
        self.alternate(machine, "/dev/vda", "/dev/vdb")

    @fail_on(Failure)
    def test_named_pool_and_default_pool(self):
        machine = self.machine(",dma-default=on")
        machine.other_device("nvme", "drive=image1,serial=1")
        self.alternate(machine, "/dev/vda", "/dev/nvme0n1")

    def alternate(self, machine, first, second):
        """Each of two disks changes its pool and not the other one."""
        with self.start(machine) as guest:
            pools = [memory.backing(guest, size) for size in (FIRST, SECOND)]
            turns = ((first, (True, False)), (second, (False, True))) * 2
            for number, (disk, changes) in enumerate(turns):
                before = self.digests(pools)
                guest.run(f"dd if={disk} of=/dev/null bs=1M count=8 "
                          f"iflag=direct skip={8 * number}")
                after = self.digests(pools)
                self.assertEqual(
                    tuple(old != new for old, new in zip(before, after)),
                    changes, f"pools that change when {disk} is read")
            for pool in guest.qmp.command("query-restricted-dma-pools"):
                self.assertEqual(pool["violations"], 0)
            guest.power_off()

    def digests(self, pools):
        return [hashlib.sha256(pool.read_bytes()).digest() for pool in pools]
