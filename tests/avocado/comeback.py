# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices use the pool again after a sleep, and in the next kernel."""

from pathlib import Path
from typing import Any

from restricted import DEFAULT_POOL, GuestTest

from testbed import disk, places, pools, scenes
from testbed.guest import Guest, Resumed
from testbed.machine import Machine
from testbed.units import MIB
from testbed.webserver import WebServer

BYTES = 16 * MIB
DEVICES = 5             # with a disk for the image of a guest that hibernates


class Comeback(GuestTest):
    def test_suspend(self) -> None:
        image = self.disk_copy()
        with self.boot(image) as guest:
            for _ in range(3):
                scenes.use_all(guest, BYTES)
                guest.run("power-test")
            scenes.use_all(guest, BYTES)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    def test_kexec(self) -> None:
        image = self.disk_copy()
        with self.boot(image) as guest:
            scenes.use_all(guest, BYTES)
            self.load_kernel(guest, "")
            guest.restart("kexec --start")
            guest.run("grep -w rdp.second /proc/cmdline")
            scenes.use_all(guest, BYTES)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    def load_kernel(self, guest: Guest, option: str) -> None:
        """Downloads the next kernel, and loads it."""
        for name, path in (("kernel", places.KERNEL),
                           ("initramfs", places.INITRAMFS)):
            with WebServer(path.read_bytes()) as server:
                guest.run(f"wget -q -O /tmp/{name} {server.url}")
        guest.run(f"kexec {option} /tmp/kernel /tmp/initramfs \""
                  "$(sed s/crashkernel=[^\\ ]*// /proc/cmdline) rdp.second\"")

    def test_crash_kernel(self) -> None:
        """The kernel after a crash has a part of the pool that was not used.

        Nobody resets the devices in between, so they go on with what they
        were doing, in the part of the first kernel.
        """
        image = self.disk_copy()
        with self.boot(image, append="crashkernel=256M") as guest:
            scenes.use_all(guest, BYTES)
            self.load_kernel(guest, "--crash")
            first = self.slots(guest)
            guest.run("(dd if=/dev/vda of=/dev/null bs=1M iflag=direct &) "
                      "2>/dev/null")
            guest.crash()
            guest.run("grep -w rdp.second /proc/cmdline")
            guest.run("test -s /proc/vmcore")
            second = self.slots(guest)
            self.assertGreater(second, 0)
            self.assertEqual(first, 7 * second)
            scenes.use_all(guest, BYTES)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    def slots(self, guest: Guest) -> int:
        return int(pools.check_found(guest)["io_tlb_nslabs"])

    def test_hibernate(self) -> None:
        """Devices whose drivers have given back all of the pool come back."""
        image = self.disk_copy()
        with self.start(self.with_swap(image)) as guest:
            self.use_all(guest)
            self.prepare_swap(guest)
            guest.run("echo before >/tmp/token")
            guest.hibernate()
        machine = self.with_swap(image, append="resume=/dev/vdb")
        with Resumed(machine, "resumed", ["port"], self.logs) as guest:
            self.assertEqual(guest.release, "0")
            self.assertEqual(guest.run("cat /tmp/token"), ["before"])
            self.use_all(guest)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    def test_hibernation_refused(self) -> None:
        """NVMe keeps coherent memory of the pool, which the image has not."""
        image = self.disk_copy()
        machine = self.with_swap(image, pool=DEFAULT_POOL)
        machine.nvme(places.DISK, writable=False)
        with self.start(machine) as guest:
            self.prepare_swap(guest)
            status, _ = guest.try_run("echo disk >/sys/power/state")
            self.assertNotEqual(status, 0)
            self.assertRegex(guest.kernel_log(),
                             "restricted DMA: cannot hibernate: .* would be "
                             "lost. Unbind the drivers")
            guest.run("swapoff /dev/vdb")
            scenes.verify_files(guest, "/dev/nvme0n1")
            guest.run("umount /mnt")
            self.use_all(guest)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    def use_all(self, guest: Guest) -> None:
        scenes.verify_files(guest)
        scenes.write_pattern(guest, BYTES)
        scenes.download(guest, BYTES)
        scenes.read_random(guest)
        scenes.talk(guest)
        pools.check_used(guest, DEVICES)

    def with_swap(self, image: Path, **options: Any) -> Machine:
        """A machine with all devices, and a disk for the image of its RAM."""
        swap = self.file("swap.img")
        with swap.open("ab") as opened:
            opened.truncate(512 * MIB)
        machine = self.full_machine(image, memory="512M", **options)
        machine.image("swap", swap, writable=True)
        return machine.virtio("blk", "disk1", "drive=swap")

    def prepare_swap(self, guest: Guest) -> None:
        guest.run("mkswap /dev/vdb; swapon /dev/vdb; "
                  "cat /sys/block/vdb/dev >/sys/power/resume")
