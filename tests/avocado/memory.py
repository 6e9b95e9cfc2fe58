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

    def test_large_pool_grows_with_its_use(self) -> None:
        """Of 4 GiB, the guest prepares what it needs, and uses it again.

        What it keeps ready can be set while it runs.
        """
        watermark = "/sys/module/swiotlb_grow/parameters/watermark"
        read = ("for i in 1 2 3 4 5 6 7 8; do "
                "{ dd if=/dev/vda of=/dev/null bs=1M count=16 iflag=direct "
                "2>/dev/null || touch /tmp/failed; } & "
                "done; wait; [ ! -e /tmp/failed ]")

        def prepared() -> int:
            stats = guest.values("pool-stats")
            return (int(stats["io_tlb_prepared"]) *
                    (POOL // int(stats["io_tlb_nslabs"])))

        with self.boot(pool="4G") as guest:
            scenes.check_restricted(guest)
            self.assertGreaterEqual(prepared(), 64 * MIB)
            guest.run(read)
            once = memory.resident(guest, POOL)
            for _ in range(5):
                guest.run(read)
            self.assertLessEqual(memory.resident(guest, POOL), once * 5 / 4)
            self.assertLess(prepared(), 160 * MIB)

            guest.run(f"echo 512M > {watermark}")
            guest.wait_until(
                "[ $(cat /sys/kernel/debug/swiotlb/restricted*/"
                f"io_tlb_prepared) -ge {512 * MIB // 2048} ]")
            for bad in ("1M", "64Q", "-1", "lots"):
                with self.assertRaises(Failure):
                    guest.run(f"echo {bad} > {watermark}")
            self.assertEqual(guest.run(f"cat {watermark}"),
                             [str(512 * MIB)])
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
