# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel refuses a pool that firmware describes badly, and says why.

QEMU describes its pools well, so these tests bring their own tables.
"""

from base64 import b64encode
from pathlib import Path
from typing import Sequence

from restricted import GuestTest

from testbed import places, pools, scenes, ssdt
from testbed.guest import Guest
from testbed.machine import Machine
from testbed.units import KIB, MIB

# A part of the guest's RAM that is reserved for pools.  The ranges in it do
# not touch: the kernel makes no devices of ranges that partly overlap.
RESERVED, RESERVED_SIZE = 0x30000000, 192 * MIB
RAM = 0x20000000
POOL = 32 * MIB
# Far above all RAM
HIGH = 0x200000000
# Where the kernel takes a table when it runs
TABLE = "/sys/kernel/config/acpi/table/late"

GOOD = (RESERVED, RESERVED + 128 * MIB, RESERVED + 144 * MIB)
# What the table says, and what the kernel says about it
POOLS = (
    (ssdt.Pool([(GOOD[0], POOL)]), "32 MiB"),
    (ssdt.Pool([(RAM, POOL)]), "overlaps System RAM"),
    (ssdt.Pool([(RESERVED + 65 * MIB, POOL)]), "is not aligned"),
    (ssdt.Pool([(RESERVED + 98 * MIB, 16 * MIB + 4 * KIB)]), "is not aligned"),
    (ssdt.Pool([]), "no memory range"),
    (ssdt.Pool([(GOOD[0], POOL)]), "is in use"),
    (ssdt.Pool([(GOOD[1], 8 * MIB), (GOOD[2], 8 * MIB)]), "8 MiB"),
)


class Firmware(GuestTest):
    def machine_with(self, described: Sequence[ssdt.Pool],
                     regions: Sequence[ssdt.Region] = ()) -> Machine:
        """A machine whose firmware describes these pools, in reserved RAM."""
        table = ssdt.make(self.file("pools.aml"), described, regions)
        reserve = f"memmap={RESERVED_SIZE // MIB}M${RESERVED:#x}"
        machine = self.our_machine(reserve, pool=None)
        return machine.add("-acpitable", f"file={table}")

    def check_no_disk(self, guest: Guest) -> None:
        self.assertEqual(guest.run("ls /sys/block"), [])

    def test_bad_tables(self) -> None:
        """The kernel logs a line per range and uses only the good ones."""
        described = [pool for pool, _ in POOLS]
        with self.start(self.machine_with(described)) as guest:
            log = guest.kernel_log().splitlines()
            for number, (pool, words) in enumerate(POOLS):
                name = f"PRP0001:{number:02x}"
                said = [line for line in log if f"{name}: " in line]
                self.assertEqual(len(said), max(len(pool.ranges), 1),
                                 f"lines about {name}: {said}")
                for line in said:
                    self.assertIn(words, line)
            found = guest.run("ls /sys/kernel/debug/swiotlb | grep @")
            self.assertEqual(found, [f"restricted-dma-pool@{start:x}"
                                     for start in GOOD])
            guest.power_off()

    def test_default_pool_partly_in_ram(self) -> None:
        """A device that would use it may do no DMA, rather than any DMA."""
        machine = self.machine_with([ssdt.Pool([(RESERVED - POOL, 2 * POOL)],
                                               ("linux,dma-default",))])
        machine.nvme(places.DISK, writable=False)
        with self.start(machine) as guest:
            log = guest.kernel_log()
            self.assertIn("PRP0001:00: restricted DMA: no pool: the firmware "
                          "must", log)
            self.assertRegex(log, "nvme .*: restricted DMA: no DMA, because "
                                  "the default pool is unusable")
            self.check_no_disk(guest)
            guest.power_off()

    def test_device_that_names_a_pool(self) -> None:
        """One disk names a pool and uses it; one names nothing and fails."""
        machine = self.machine_with(
            [ssdt.Pool([(GOOD[0], POOL)])],
            [ssdt.Region(5, "\\_SB.RDP0"), ssdt.Region(6, "1")])
        for slot in (5, 6):
            machine.image(f"nvme{slot}", places.DISK, writable=False)
            machine.other_device(
                "nvme", f"drive=nvme{slot},serial={slot},addr={slot}")
        with self.start(machine) as guest:
            log = guest.kernel_log()
            self.assertIn("0000:00:05.0: restricted DMA: attached to the pool "
                          f"of {POOL:#x} bytes at {GOOD[0]:#x}", log)
            self.assertRegex(log, "0000:00:06.0: .*memory-region is broken")
            self.assertEqual(guest.run("ls /sys/block"), ["nvme0n1"])
            scenes.verify_files(guest, "/dev/nvme0n1")
            guest.power_off()

    def test_device_of_a_bad_pool(self) -> None:
        """A virtio device is unusable if the kernel refuses its pool.

        The kernel is told that the first 2 MiB of the pool are RAM.
        """
        machine = self.our_machine(f"memmap=2M%{HIGH:#x}-2+1",
                                   pool=f"64M,addr={HIGH:#x}")
        machine.disk(places.DISK, writable=False)
        with self.start(machine) as guest:
            log = guest.kernel_log()
            self.assertRegex(log, "PRP0001:00: .*overlaps System RAM")
            self.assertRegex(log, "virtio-pci 0000:.*restricted DMA: pool .* is "
                                  "unusable")
            self.check_no_disk(guest)
            guest.power_off()

    def test_nodes(self) -> None:
        """The pages of a pool are on the node that the firmware says.

        The sizes of the pools differ, so what they span on each node tells.
        """
        sizes = (8 * MIB, 16 * MIB)
        machine = self.machine_with([
            ssdt.Pool([(GOOD[number], size)], node=number)
            for number, size in enumerate(sizes)])
        machine.nodes("512M", "512M")
        with self.start(machine) as guest:
            spanned = guest.run("awk '$4 == \"Device\" { device = 1 } "
                                "device && $1 == \"spanned\" "
                                "{ print $2 * 4096; device = 0 }' "
                                "/proc/zoneinfo")
            self.assertEqual(spanned, [str(size) for size in sizes])
            guest.power_off()

    def test_table_that_comes_late(self) -> None:
        """A device may do no DMA until its pool appears, and then works.

        The kernel ignores QEMU's table and later gets one of ours.
        """
        machine = self.our_machine("acpi_no_static_ssdt")
        machine.disk(places.DISK, writable=False)
        with self.start(machine) as guest:
            self.assertRegex(guest.kernel_log(),
                             "virtio-pci 0000:.*restricted DMA pool")
            self.check_no_disk(guest)
            self.describe_pool(guest)
            scenes.verify_files(guest)
            self.assertEqual(pools.only(guest)["violations"], 0)
            guest.power_off()

    def test_table_that_goes_and_comes_back(self) -> None:
        """The pool stays while its table is gone, and is found again.

        The table goes while the disk is in use.
        """
        machine = self.our_machine("acpi_no_static_ssdt")
        machine.disk(places.DISK, writable=False)
        with self.start(machine) as guest:
            table = self.describe_pool(guest)
            guest.run(f"rmdir {TABLE}")
            guest.wait_until("! ls -d /sys/bus/platform/devices/PRP0001*")
            scenes.verify_files(guest)
            guest.run("umount /mnt")
            self.load(guest, table.read_bytes())
            guest.wait_until("dmesg | grep 'PRP0001.*is there already'")
            guest.run("rebind virtio-pci")
            scenes.verify_files(guest)
            self.assertEqual(pools.only(guest)["violations"], 0)
            guest.power_off()

    def describe_pool(self, guest: Guest) -> Path:
        """Tells a running guest of QEMU's pool, and returns the table."""
        pool = pools.only(guest)
        table = ssdt.make(self.file("late.aml"),
                          [ssdt.Pool([(pool["base"], pool["size"])])])
        guest.run("mount -t configfs none /sys/kernel/config")
        self.load(guest, table.read_bytes())
        guest.run("rebind virtio-pci")
        return table

    def load(self, guest: Guest, table: bytes) -> None:
        """Gives the running kernel a table and waits for its pool."""
        guest.run(f"mkdir {TABLE}")
        guest.run(f"echo {b64encode(table).decode()} | base64 -d "
                  f">{TABLE}/aml")
        guest.wait_until("ls /sys/kernel/debug/swiotlb | grep -q @")
