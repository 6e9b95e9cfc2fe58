# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that looks for its own mistakes finds none.

It checks locking, memory, sleeping and the use of the DMA API.  Guests end
with Guest.power_off(), which fails if the kernel reported anything.
"""

from restricted import DEFAULT_POOL, GuestTest

from testbed import places, scenes
from testbed.failure import Failure
from testbed.guest import Guest
from testbed.units import MIB

BYTES = 8 * MIB
ROUNDS = 2
# Mistakes that the kernel makes on request, and how it reports them
MISTAKES = {
    "READ_AFTER_FREE": "BUG: KASAN",
    "ARRAY_BOUNDS": "UBSAN: array-index-out-of-bounds",
    "WARNING": "WARNING: CPU",
}


class DebugKernel(GuestTest):
    """
    :avocado: tags=slow
    """

    def check_still_looking(self, guest: Guest) -> None:
        """No checker has stopped, as each does at a find or out of memory."""
        self.assertEqual(guest.run("cat /sys/kernel/debug/dma-api/disabled"),
                         ["N"])
        locks = "\n".join(guest.run("cat /proc/lockdep_stats"))
        self.assertRegex(locks, "debug_locks: *1")

    def test_virtio(self) -> None:
        machine = self.full_machine(kernel=places.DEBUG_KERNEL)
        machine.add("-device", "pcie-root-port,id=slot0,chassis=1")
        machine.image("plugged", places.DISK, writable=False)
        with self.start(machine) as guest:
            for _ in range(ROUNDS):
                scenes.use_all(guest, BYTES)
                guest.run("virtio-drivers unbind")
                guest.run("virtio-drivers bind")
                guest.run("power-test")
            self.plug_and_unplug(guest)
            scenes.use_all(guest, BYTES)
            self.check_still_looking(guest)
            guest.power_off()

    def plug_and_unplug(self, guest: Guest) -> None:
        """A disk is plugged in, read, and unplugged."""
        guest.qmp.command("device_add", driver="virtio-blk-pci", id="disk1",
                          bus="slot0", drive="plugged",
                          **{"restricted-dma-pool": "pool0"})
        guest.wait_until("[ -b /dev/vdb ]")
        guest.run("dd if=/dev/vdb of=/dev/null bs=1M count=8 iflag=direct")
        guest.qmp.command("device_del", id="disk1")
        guest.qmp.event("DEVICE_DELETED", 120)
        guest.wait_until("[ ! -b /dev/vdb ]")

    def test_default_pool(self) -> None:
        machine = self.our_machine(kernel=places.DEBUG_KERNEL,
                                   pool=DEFAULT_POOL)
        machine.nvme(places.DISK, writable=False)
        machine.user_network().other_device("e1000e", "netdev=user0")
        with self.start(machine) as guest:
            scenes.verify_files(guest, "/dev/nvme0n1")
            scenes.write_pattern(guest, BYTES)
            scenes.download(guest, BYTES)
            self.check_still_looking(guest)
            guest.power_off()

    def test_mistakes_are_seen(self) -> None:
        machine = self.our_machine(kernel=places.DEBUG_KERNEL, pool=None)
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
