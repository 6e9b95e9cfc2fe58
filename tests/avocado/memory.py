# SPDX-License-Identifier: GPL-2.0-or-later
"""What pools cost the host, and that devices leave other memory alone."""

from restricted import GuestTest

from testbed import memory, scenes
from testbed.failure import Failure
from testbed.units import GIB, MIB

POOL = 4 * GIB


class Memory(GuestTest):
    def test_unused_pool_costs_nothing(self) -> None:
        """The guest knows a pool of 4 GiB, but no device uses it."""
        with self.start(self.our_machine(pool="4G")) as guest:
            self.assertIn("pool", guest.values("pool-stats"))
            self.assertEqual(memory.resident(guest, POOL), 0)
            guest.power_off()

    def test_idle_devices_cost_little(self) -> None:
        """After little I/O a pool costs the devices' rings and buffers."""
        with self.boot(pool="4G") as guest:
            scenes.check_restricted(guest)
            scenes.download(guest, MIB)
            self.assertLess(memory.resident(guest, POOL), 24 * MIB)
            guest.power_off()

    def test_canary(self) -> None:
        """Devices do not touch guest memory outside the pool.

        The guest has 1 GiB, but its kernel is told to live in the first
        256 MiB, so nobody has any business above.  The test fills that memory
        from the host's side, lets all devices work, and finds every byte
        unchanged.  It leaves out the firmware's tables at the very end, where
        ACPI may write.  (In memory that the kernel lives in, its own writes
        cannot be told from a device's; the qtests run no guest code and watch
        all of it.)

        Finally the guest itself writes one byte there, to show that the test
        would have noticed.
        """
        total, kernel, tables = GIB, 256 * MIB, 16 * MIB
        machine = self.full_machine(append=f"mem={kernel // MIB}M",
                                    memory=f"{total // MIB}M")
        machine.share_memory(f"{total // MIB}M")
        with self.start(machine) as guest:
            canary = memory.Canary(memory.backing(guest, total),
                                   kernel, total - tables)
            canary.fill()
            scenes.work(guest)
            canary.check()

            place = total // 2
            guest.run(f"devmem {place:#x} 8 0")
            with self.assertRaisesRegex(Failure, f"{place:#x}"):
                canary.check()
            guest.power_off()
