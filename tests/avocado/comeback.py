# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices use the pool again after suspend, and in the next kernel."""

from restricted import GuestTest

from testbed import disk, places, scenes
from testbed.units import MIB
from testbed.webserver import WebServer

BYTES = 16 * MIB


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
            for name, path in (("kernel", places.KERNEL),
                               ("initramfs", places.INITRAMFS)):
                with WebServer(path.read_bytes()) as server:
                    guest.run(f"wget -q -O /tmp/{name} {server.url}")
            guest.run("kexec /tmp/kernel /tmp/initramfs "
                      "\"$(cat /proc/cmdline) rdp.second\"")
            guest.restart("kexec --start")
            guest.run("grep -w rdp.second /proc/cmdline")
            scenes.use_all(guest, BYTES)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)
