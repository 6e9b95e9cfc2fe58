# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest migrates to another QEMU while its devices work."""

from pathlib import Path

from restricted import GuestTest

from testbed import disk, scenes
from testbed.guest import Destination, Guest
from testbed.units import MIB

BYTES = 16 * MIB


class Migration(GuestTest):
    def test_live(self) -> None:
        """The guest writes to its disk all the time, on both sides."""
        image = self.disk_copy()
        with self.boot(image) as source, self.destination(image) as guest:
            scenes.check_restricted(source)
            scenes.verify_files(source)
            scenes.begin_writing(source, BYTES, "/mnt")
            scenes.migrate(source, guest)
            scenes.end_writing(guest, "/mnt")
            scenes.use_all(guest, BYTES)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    def destination(self, image: Path) -> Destination:
        machine = self.full_machine(image)
        machine.add("-incoming", "defer")
        return Destination(machine, "destination", ["port"], self.logs)
