# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers can leave their devices and come back."""

from avocado import fail_on
from restricted import GuestTest

from testbed import scenes
from testbed.failure import Failure

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

    @fail_on(Failure)
    def test_driver_that_hands_devices_on(self):
        """vp_vdpa knows no pool, and leaves the disk to virtio-pci."""
        with self.boot() as guest:
            function = guest.run("basename $(readlink -f "
                                 "/sys/block/vda/device/..)")[0]
            self.rebind(guest, function, "vp-vdpa")
            self.assertEqual(guest.run("ls /sys/bus/pci/drivers/vp-vdpa | "
                                       "grep -c : || true"), ["0"])
            self.assertIn(f"vp-vdpa {function}: device needs a restricted "
                          "DMA pool", "\n".join(guest.run("dmesg")))
            self.rebind(guest, function, "virtio-pci")
            self.use(guest)
            guest.power_off()

    def rebind(self, guest, function, driver):
        """Only this driver may have the function, and is asked to."""
        guest.run(f"echo {driver} "
                  f">/sys/bus/pci/devices/{function}/driver_override")
        bound = f"/sys/bus/pci/devices/{function}/driver"
        guest.run(f"[ ! -e {bound} ] || echo {function} >{bound}/unbind")
        guest.try_run(f"echo {function} >/sys/bus/pci/drivers_probe")

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
