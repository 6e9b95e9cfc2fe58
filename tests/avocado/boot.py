# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest boots on restricted devices and uses each of them."""

from restricted import GuestTest

from testbed import disk, scenes


class Boot(GuestTest):
    def test_boot_path(self) -> None:
        """
        :avocado: tags=quick
        """
        image = self.disk_copy()
        with self.boot(image) as guest:
            scenes.use_all(guest)
            guest.power_off()
        disk.check_written(image, scenes.SEED, scenes.WRITE_BYTES)
