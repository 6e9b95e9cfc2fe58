# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that looks for its own mistakes finds none.

Locking, memory, sleeping and the use of the DMA API are checked.  Guests end
with Guest.power_off(), which fails where the kernel reported anything.
"""

from avocado import fail_on
from restricted import GuestTest

from testbed import places, scenes
from testbed.failure import Failure

BYTES = 8 * scenes.MIB
ROUNDS = 2
# What the kernel does on request, and what it says then
MISTAKES = {
    "READ_AFTER_FREE": "BUG: KASAN",
    "ARRAY_BOUNDS": "UBSAN: array-index-out-of-bounds",
    "WARNING": "WARNING: CPU",
}


class DebugKernel(GuestTest):
    """
    :avocado: tags=slow
    """

    def check_still_looking(self, guest):
        """Each checker ends its work at its first find, or without memory."""
        self.assertEqual(guest.run("cat /sys/kernel/debug/dma-api/disabled"),
                         ["N"])
        locks = "\n".join(guest.run("cat /proc/lockdep_stats"))
        self.assertRegex(locks, "debug_locks: *1")

    @fail_on(Failure)
    def test_virtio(self):
        machine = scenes.full_machine(self.accel, places.DISK, writable=False,
                                      kernel=places.DEBUG_KERNEL)
        machine.add("-device", "pcie-root-port,id=slot0,chassis=1")
        machine.image("plugged", places.DISK, writable=False)
        with self.start(machine) as guest:
            for _ in range(ROUNDS):
                scenes.use_all(guest, BYTES)
                guest.run("virtio-drivers unbind")
                guest.run("virtio-drivers bind")
                guest.run("power-test")
            self.plug(guest)
            scenes.use_all(guest, BYTES)
            self.check_still_looking(guest)
            guest.power_off()

    def plug(self, guest):
        """A disk comes, is read, and leaves."""
        guest.qmp.command("device_add", driver="virtio-blk-pci", id="disk1",
                          bus="slot0", drive="plugged",
                          **{"restricted-dma-pool": "pool0"})
        guest.run("until [ -b /dev/vdb ]; do usleep 100000; done")
        guest.run("dd if=/dev/vdb of=/dev/null bs=1M count=8 iflag=direct")
        guest.qmp.command("device_del", id="disk1")
        guest.qmp.event("DEVICE_DELETED", 120)
        guest.run("while [ -b /dev/vdb ]; do usleep 100000; done")

    @fail_on(Failure)
    def test_default_pool(self):
        machine = scenes.our_machine(self.accel, kernel=places.DEBUG_KERNEL,
                                     pool="64M,dma-default=on")
        machine.image("nvme", places.DISK, writable=False)
        machine.other_device("nvme", "drive=nvme,serial=1")
        machine.user_network().other_device("e1000e", "netdev=user0")
        with self.start(machine) as guest:
            scenes.verify_files(guest, "-t ext4 /dev/nvme0n1")
            scenes.write_pattern(guest, BYTES)
            scenes.download(guest, BYTES)
            self.check_still_looking(guest)
            guest.power_off()

    @fail_on(Failure)
    def test_mistakes_are_seen(self):
        machine = scenes.our_machine(self.accel, kernel=places.DEBUG_KERNEL,
                                     pool=None)
        with self.start(machine) as guest:
            self.assertEqual(guest.complaints(), [])
            for mistake in MISTAKES:
                guest.try_run(f"echo {mistake} "
                              ">/sys/kernel/debug/provoke-crash/DIRECT")
            seen = "\n".join(guest.complaints())
            for words in MISTAKES.values():
                self.assertIn(words, seen)
            with self.assertRaisesRegex(Failure, "the kernel says"):
                guest.power_off()
