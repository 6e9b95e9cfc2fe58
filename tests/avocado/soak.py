# SPDX-License-Identifier: GPL-2.0-or-later
"""All devices at the same time, for a long time, in pools that are too small."""

import hashlib
import threading

from restricted import GuestTest

from testbed import disk, pools, scenes
from testbed.guest import Guest
from testbed.machine import Machine
from testbed.units import MIB
from testbed.webserver import WebServer

SECONDS = 600
PATIENCE = 300          # seconds that the last requests may take
PAGE = disk.pattern(7, 3 * MIB)
DEVICES = 6
WORKERS = 13


class Soak(GuestTest):
    """
    :avocado: tags=slow,soak
    """

    timeout = SECONDS + 2 * PATIENCE

    def machine(self, pool: str, virtio: str) -> Machine:
        machine = self.our_machine(pool=pool, virtio=virtio)
        for name in ("blk", "scsi"):
            image = self.file(f"{name}.img")
            with image.open("wb") as opened:
                opened.truncate(64 * MIB)
            machine.image(name, image, writable=True)
        share = self.file("share")
        share.mkdir()
        machine.virtio("blk", "disk0", "drive=blk")
        machine.virtio("scsi", "scsi0")
        machine.add("-device", "scsi-hd,drive=scsi,bus=scsi0.0")
        machine.share(share)
        return machine.network().random().port("port")

    def soak(self, pool: str, virtio: str, seed: int) -> None:
        """Every request ends, and all data is right."""
        with self.start(self.machine(pool, virtio)) as guest, \
                WebServer(PAGE) as server:
            echo = threading.Thread(target=self.echo, args=[guest])
            echo.start()
            scenes.mount_share(guest, "msize=262144")
            status, lines = guest.try_run(
                f"soak {SECONDS} {seed} {server.url} "
                f"{hashlib.sha256(PAGE).hexdigest()}", SECONDS + PATIENCE)
            self.log.info("%s %s: %s", pool, virtio, " ".join(lines))
            self.assertEqual(status, 0)
            rounds = dict(line.split("=", 1) for line in lines)
            self.assertNotIn("bad", rounds)
            self.assertEqual(len(rounds), WORKERS)
            self.assertNotIn("0", rounds.values())
            pools.check_used(guest, DEVICES)
            guest.power_off()
        echo.join()

    def echo(self, guest: Guest) -> None:
        """Sends back what the guest sends through the console port."""
        port = guest.socket("port")
        port.settimeout(None)
        while data := port.recv(65536):
            port.sendall(data)

    def test_2_mib_packed(self) -> None:
        self.soak("2M", "packed=on", 1)

    def test_4_mib_split(self) -> None:
        self.soak("4M", "", 2)

    def test_8_mib_packed(self) -> None:
        self.soak("8M", "packed=on", 3)
