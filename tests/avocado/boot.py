# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest boots on restricted devices and uses each of them."""

from pathlib import Path

from avocado import fail_on
from restricted import GuestTest

from testbed import disk, scenes
from testbed.failure import Failure


class Boot(GuestTest):
    @fail_on(Failure)
    def test_boot_path(self):
        """
        :avocado: tags=quick
        """
        image = disk.copy(Path(self.workdir) / "disk.img")
        with self.boot(image) as guest:
            scenes.check_bound(guest)
            scenes.verify_files(guest)
            written = scenes.write_pattern(guest)
            scenes.download(guest)
            scenes.read_random(guest)
            scenes.talk(guest)
            scenes.check_pool(guest)
            guest.power_off()
        disk.check_written(image, scenes.SEED, written)
