# SPDX-License-Identifier: GPL-2.0-or-later
"""A pool that the firmware describes badly is refused, with what is wrong.

QEMU describes its pools well, so these tests bring tables of their own.
"""

from base64 import b64encode
from pathlib import Path

from avocado import fail_on
from restricted import GuestTest

from testbed import places, scenes, ssdt
from testbed.failure import Failure

MIB = scenes.MIB
# Taken from the RAM of the guest as memory that the firmware has reserved; the
# ranges in it are kept apart, because the kernel makes no devices of ranges
# that overlap in part
RESERVED, RESERVED_SIZE = 0x30000000, 192 * MIB
RAM = 0x20000000
POOL = 32 * MIB
# Far above all RAM
HIGH = 0x200000000

GOOD = (RESERVED, RESERVED + 128 * MIB, RESERVED + 144 * MIB)
POOLS = (
    # what the table says, and what the kernel says
    (ssdt.Pool([(GOOD[0], POOL)]), "32 MiB"),
    (ssdt.Pool([(RAM, POOL)]), "overlaps System RAM"),
    (ssdt.Pool([(RESERVED + 65 * MIB, POOL)]), "is not aligned"),
    (ssdt.Pool([(RESERVED + 98 * MIB, 16 * MIB + 4096)]), "is not aligned"),
    (ssdt.Pool([]), "no memory range"),
    (ssdt.Pool([(GOOD[0], POOL)]), "is in use"),
    (ssdt.Pool([(GOOD[1], 8 * MIB), (GOOD[2], 8 * MIB)]), "8 MiB"),
)


class Firmware(GuestTest):
    def machine(self, pools, regions=()):
        """A machine whose firmware reserves the range and has these pools."""
        table = ssdt.make(Path(self.workdir) / "pools.aml",
                          [pool for pool, _ in pools], regions)
        reserve = f"memmap={RESERVED_SIZE // MIB}M${RESERVED:#x}"
        machine = scenes.our_machine(self.accel, reserve, pool=None)
        return machine.add("-acpitable", f"file={table}")

    @fail_on(Failure)
    def test_bad_tables(self):
        """Each pool gets its line for each range, and the good ones exist."""
        with self.start(self.machine(POOLS)) as guest:
            log = guest.run("dmesg")
            for number, (pool, words) in enumerate(POOLS):
                name = f"PRP0001:{number:02x}"
                said = [line for line in log if f"{name}: " in line]
                self.assertEqual(len(said), max(len(pool.ranges), 1),
                                 f"lines about {name}: {said}")
                for line in said:
                    self.assertIn(words, line)
            pools = guest.run("ls /sys/kernel/debug/swiotlb | grep @")
            self.assertEqual(pools, [f"restricted-dma-pool@{start:x}"
                                     for start in GOOD])
            guest.power_off()

    @fail_on(Failure)
    def test_default_pool_partly_in_ram(self):
        """No device that would use it does any DMA, instead of all of it."""
        pool = ssdt.Pool([(RESERVED - POOL, 2 * POOL)], ("linux,dma-default",))
        words = "no restricted DMA pool: the firmware must"
        machine = self.machine([(pool, words)])
        machine.image("nvme", places.DISK, writable=False)
        machine.other_device("nvme", "drive=nvme,serial=1")
        with self.start(machine) as guest:
            log = "\n".join(guest.run("dmesg"))
            self.assertIn(f"PRP0001:00: {words}", log)
            self.assertRegex(log, "nvme .*: no DMA: the default restricted "
                                  "DMA pool is not usable")
            self.assertEqual(guest.run("ls /sys/block"), [])
            guest.power_off()

    @fail_on(Failure)
    def test_device_that_names_a_pool(self):
        """One names a pool and uses it; one names nothing and stays away."""
        machine = self.machine(
            POOLS[:1], [ssdt.Region(5, "\\_SB.RDP0"), ssdt.Region(6, "1")])
        for slot in (5, 6):
            machine.image(f"nvme{slot}", places.DISK, writable=False)
            machine.other_device(
                "nvme", f"drive=nvme{slot},serial={slot},addr={slot}")
        with self.start(machine) as guest:
            log = "\n".join(guest.run("dmesg"))
            self.assertIn(f"0000:00:05.0: DMA is restricted to {POOL:#x} "
                          f"bytes at {GOOD[0]:#x}", log)
            self.assertRegex(log, "0000:00:06.0: .*memory-region is broken")
            self.assertEqual(guest.run("ls /sys/block"), ["nvme0n1"])
            scenes.verify_files(guest, "-t ext4 /dev/nvme0n1")
            guest.power_off()

    @fail_on(Failure)
    def test_device_of_a_bad_pool(self):
        """Where the platform is wrong about a pool, its device stays away.

        The kernel is told that the first 2 MiB of the pool are RAM.
        """
        machine = scenes.our_machine(
            self.accel, f"memmap=2M%{HIGH:#x}-2+1", pool=f"64M,addr={HIGH:#x}")
        machine.disk(places.DISK, writable=False)
        with self.start(machine) as guest:
            log = "\n".join(guest.run("dmesg"))
            self.assertRegex(log, "PRP0001:00: .*overlaps System RAM")
            self.assertRegex(log, "virtio-pci 0000:.*restricted DMA pool")
            self.assertEqual(guest.run("ls /sys/block"), [])
            guest.power_off()

    @fail_on(Failure)
    def test_nodes(self):
        """The pages of a pool are on the node that the firmware says.

        What the pools span of a node shows it, for their sizes differ.
        """
        sizes = (8 * MIB, 16 * MIB)
        machine = self.machine([(ssdt.Pool([(GOOD[number], size)],
                                           node=number), "")
                                for number, size in enumerate(sizes)])
        machine.nodes("512M", "512M")
        with self.start(machine) as guest:
            spanned = guest.run("awk '$4 == \"Device\" { device = 1 } "
                                "device && $1 == \"spanned\" "
                                "{ print $2 * 4096; device = 0 }' "
                                "/proc/zoneinfo")
            self.assertEqual(spanned, [str(size) for size in sizes])
            guest.power_off()

    @fail_on(Failure)
    def test_table_that_comes_late(self):
        """A device does no DMA until its pool is there, then it works.

        The kernel leaves QEMU's table alone, and is given one of ours.
        """
        machine = scenes.our_machine(self.accel, "acpi_no_static_ssdt")
        machine.disk(places.DISK, writable=False)
        with self.start(machine) as guest:
            self.assertRegex("\n".join(guest.run("dmesg")),
                             "virtio-pci 0000:.*restricted DMA pool")
            self.assertEqual(guest.run("ls /sys/block"), [])
            pool = scenes.pool_of(guest)
            table = ssdt.make(Path(self.workdir) / "late.aml",
                              [ssdt.Pool([(pool["base"], pool["size"])])])
            self.load(guest, table.read_bytes())
            guest.run("rebind virtio-pci")
            scenes.verify_files(guest)
            self.assertEqual(scenes.pool_of(guest)["violations"], 0)
            guest.power_off()

    def load(self, guest, table):
        """The running kernel takes a table with a pool, when it has time."""
        tables = "/sys/kernel/config/acpi/table"
        guest.run("mount -t configfs none /sys/kernel/config")
        guest.run(f"mkdir {tables}/late")
        guest.run(f"echo {b64encode(table).decode()} | base64 -d "
                  f">{tables}/late/aml")
        guest.run("until ls /sys/kernel/debug/swiotlb | grep -q @; do "
                  "usleep 100000; done")
