# SPDX-License-Identifier: GPL-2.0-or-later
"""What pools cost the host, and that devices leave other memory alone."""

from avocado import fail_on
from restricted import GuestTest

from testbed import memory, places, scenes
from testbed.failure import Failure
from testbed.guest import Guest
from testbed.machine import Machine

MIB = scenes.MIB
POOL = 4096 * MIB


class Memory(GuestTest):
    @fail_on(Failure)
    def test_unused_pool_costs_nothing(self):
        """A pool of 4 GiB that the guest knows and no device uses."""
        machine = Machine(self.accel, pool="4G")
        machine.kernel(places.KERNEL, places.INITRAMFS)
        with Guest(machine, "guest", logs=self.logs) as guest:
            self.assertIn("pool", guest.values("pool-stats"))
            self.assertEqual(memory.resident(guest, POOL), 0)
            guest.power_off()

    @fail_on(Failure)
    def test_idle_devices_cost_little(self):
        """With devices and little I/O it costs their rings and buffers."""
        with self.boot(pool="4G") as guest:
            scenes.check_bound(guest)
            scenes.download(guest, MIB)
            self.assertLess(memory.resident(guest, POOL), 24 * MIB)
            guest.power_off()

    @fail_on(Failure)
    def test_canary(self):
        """Devices do not touch guest memory outside the pool.

        The guest has 1 GiB, but its kernel is told to live in the first
        256 MiB.  So from there on nobody has any business in that memory: the
        test fills it from the host's side, lets all devices work, and finds
        every byte as it was.  The firmware's tables at the very end are left
        out: ACPI may write there.  (Memory that the kernel does live in cannot
        be told from what devices write; the qtests, where no guest code runs,
        watch all of it.)

        At last the guest itself writes one byte there: had a device done so,
        it would have been seen.
        """
        total, kernel, tables = 1024 * MIB, 256 * MIB, 16 * MIB
        machine = scenes.full_machine(
            self.accel, places.DISK, writable=False,
            append=f"mem={kernel // MIB}M", memory=f"{total // MIB}M")
        machine.share_memory(f"{total // MIB}M")
        with self.start(machine) as guest:
            canary = memory.Canary(memory.backing(guest, total),
                                   kernel, total - tables)
            canary.fill()
            scenes.verify_files(guest)
            scenes.write_pattern(guest)
            scenes.download(guest)
            scenes.read_random(guest)
            scenes.talk(guest)
            scenes.check_pool(guest)
            canary.check()

            place = total // 2
            guest.run(f"devmem {place:#x} 8 0")
            with self.assertRaisesRegex(Failure, f"{place:#x}"):
                canary.check()
            guest.power_off()
