# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices come back into the pool after suspend and in the next kernel."""

from pathlib import Path

from avocado import fail_on
from restricted import GuestTest

from testbed import disk, places, scenes
from testbed.failure import Failure
from testbed.webserver import WebServer

BYTES = 16 * scenes.MIB


class Comeback(GuestTest):
    @fail_on(Failure)
    def test_suspend(self):
        image = disk.copy(Path(self.workdir) / "disk.img")
        with self.boot(image) as guest:
            for _ in range(3):
                scenes.use_all(guest, BYTES)
                guest.run("power-test")
            scenes.use_all(guest, BYTES)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    @fail_on(Failure)
    def test_kexec(self):
        image = disk.copy(Path(self.workdir) / "disk.img")
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
