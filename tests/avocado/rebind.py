# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers can be unbound from their devices and bound again."""

from restricted import GuestTest

from testbed import scenes
from testbed.guest import Guest
from testbed.units import MIB

BYTES = 16 * MIB
ROUNDS = 3


class Rebind(GuestTest):
    def test_unbind_gives_everything_back(self) -> None:
        with self.boot() as guest:
            for _ in range(ROUNDS):
                self.use(guest)
                guest.run("virtio-drivers unbind")
                self.assertEqual(self.held(guest), 0,
                                 "slots are held without a driver")
                guest.run("virtio-drivers bind")
            self.use(guest)
            guest.power_off()

    def test_driver_that_hands_devices_on(self) -> None:
        """vp_vdpa knows no pool, and leaves the disk to virtio-pci."""
        with self.boot() as guest:
            function = guest.run("basename $(readlink -f "
                                 "/sys/block/vda/device/..)")[0]
            self.rebind(guest, function, "vp-vdpa")
            self.assertEqual(guest.run("ls /sys/bus/pci/drivers/vp-vdpa | "
                                       "grep -c : || true"), ["0"])
            self.assertIn(f"vp-vdpa {function}: device needs a restricted "
                          "DMA pool", guest.kernel_log())
            self.rebind(guest, function, "virtio-pci")
            self.use(guest)
            guest.power_off()

    def rebind(self, guest: Guest, function: str, driver: str) -> None:
        """Lets only this driver bind to a PCI function, and asks it to."""
        guest.run(f"echo {driver} "
                  f">/sys/bus/pci/devices/{function}/driver_override")
        bound = f"/sys/bus/pci/devices/{function}/driver"
        guest.run(f"[ ! -e {bound} ] || echo {function} >{bound}/unbind")
        guest.try_run(f"echo {function} >/sys/bus/pci/drivers_probe")

    def use(self, guest: Guest) -> None:
        scenes.check_restricted(guest)
        scenes.verify_files(guest)
        guest.run("umount /mnt")
        scenes.download(guest, BYTES)
        scenes.read_random(guest)
        scenes.talk(guest)
        self.assertGreater(self.held(guest), 0, "rings are not in the pool")

    def held(self, guest: Guest) -> int:
        """How many slots of the pool are in use."""
        return int(guest.values("pool-stats")["io_tlb_used"])
