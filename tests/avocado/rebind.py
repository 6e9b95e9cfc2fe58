# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers can leave their devices and come back."""

from avocado import fail_on
from restricted import GuestTest

from rdp import scenes
from rdp.failure import Failure

BYTES = 16 * scenes.MIB
ROUNDS = 3


class Rebind(GuestTest):
    @fail_on(Failure)
    def test_unbind_gives_everything_back(self):
        with self.boot() as guest:
            for _ in range(ROUNDS):
                self.use(guest)
                guest.run("virtio-drivers unbind")
                self.assertEqual(self.held(guest), 0,
                                 "slots held without a driver")
                guest.run("virtio-drivers bind")
            self.use(guest)
            guest.power_off()

    def use(self, guest):
        scenes.check_bound(guest)
        scenes.verify_files(guest)
        guest.run("umount /mnt")
        scenes.download(guest, BYTES)
        scenes.read_random(guest)
        scenes.talk(guest)
        self.assertGreater(self.held(guest), 0, "rings are not in the pool")

    def held(self, guest):
        return int(guest.values("pool-stats")["io_tlb_used"])
