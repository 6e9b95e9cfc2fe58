# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of other architectures than x86-64, which are always emulated."""

from pathlib import Path

from restricted import GuestTest

from rdp import disk, scenes

MIB = scenes.MIB
SIZE = 8 * MIB
# A part of the disk, because emulation is slow: 400 files
FOLDER = "Documentation/admin-guide"


class ArchTest(GuestTest):
    """Guests with four devices; options are those of Machine."""

    def check_guest(self, **options) -> dict:
        """All four devices work in the pool and nowhere else.

        Returns what QEMU says of the pool.
        """
        image = disk.copy(Path(self.workdir) / "disk.img")
        with self.boot(image, **options) as guest:
            scenes.check_bound(guest)
            self.use_devices(guest)
            pool = scenes.pool_of(guest)
            guest.power_off()
        disk.check_written(image, scenes.SEED, SIZE)
        return pool

    def use_devices(self, guest) -> None:
        scenes.verify_folder(guest, FOLDER)
        scenes.write_pattern(guest, SIZE)
        scenes.download(guest, SIZE)
        scenes.read_random(guest)
        scenes.talk(guest)
        scenes.check_pool(guest)
