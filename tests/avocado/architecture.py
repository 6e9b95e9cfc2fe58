# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of other architectures than x86-64, which are always emulated."""

from pathlib import Path

from restricted import GuestTest

from rdp import disk, scenes

SIZE = 8 * scenes.MIB


class ArchTest(GuestTest):
    def check_guest(self, **options) -> dict:
        """All four devices work in the pool and nowhere else.

        options: those of Machine.  Returns what QEMU says of the pool.
        """
        image = disk.copy(Path(self.workdir) / "disk.img")
        with self.boot(image, **options) as guest:
            scenes.use_all(guest, SIZE)
            pool = scenes.pool_of(guest)
            guest.power_off()
        disk.check_written(image, scenes.SEED, SIZE)
        return pool
