# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks are plugged in and unplugged while the guest runs."""

import hashlib
from typing import Set

from restricted import GuestTest

from testbed import places, pools, scenes
from testbed.guest import Guest
from testbed.units import MIB

DISKS = 50
FUNCTIONS = 8                   # disks per slot
PORTS = -(-DISKS // FUNCTIONS)
BUSY = 8                        # disks that are read while they are unplugged
BYTES = MIB
UNPLUG_SECONDS = 600


class Hotplug(GuestTest):
    def test_fifty_disks(self) -> None:
        machine = self.full_machine()
        for port in range(PORTS):
            machine.add("-device",
                        f"pcie-root-port,id=port{port},chassis={port}")
        with self.start(machine) as guest:
            for number in range(DISKS):
                self.plug(guest, number)
            self.wait_for_disks(guest, 1 + DISKS)
            self.assertEqual(self.attached(guest), scenes.DEVICES + DISKS)
            self.check_content(guest)

            guest.run("for disk in $(ls /sys/block | grep ^vd | "
                      f"tail -n {BUSY}); do (while cat /dev/$disk; do :; done "
                      ">/dev/null 2>&1) & done")
            self.unplug_all(guest)
            self.wait_for_disks(guest, 1)
            self.assertEqual(self.attached(guest), scenes.DEVICES)
            scenes.use_all(guest, BYTES)
            guest.power_off()

    def plug(self, guest: Guest, number: int) -> None:
        """Function 0 of a slot goes last: only then does the guest look."""
        port, place = divmod(number, FUNCTIONS)
        last = min(FUNCTIONS, DISKS - port * FUNCTIONS) - 1
        guest.qmp.command("blockdev-add", **{
            "driver": "raw", "node-name": f"image{number + 1}",
            "read-only": True,
            "file": {"driver": "file", "filename": str(places.DISK)}})
        guest.qmp.command("device_add", **{
            "driver": "virtio-blk-pci", "id": f"plugged{number}",
            "bus": f"port{port}", "addr": f"0.{last - place}",
            "multifunction": True, "drive": f"image{number + 1}",
            "restricted-dma-pool": "pool0"})

    def unplug_all(self, guest: Guest) -> None:
        for port in range(PORTS):
            first = min((port + 1) * FUNCTIONS, DISKS) - 1
            guest.qmp.command("device_del", id=f"plugged{first}")
        gone: Set[str] = set()
        while len(gone) < DISKS:
            event = guest.qmp.event("DEVICE_DELETED", UNPLUG_SECONDS)
            if "device" in event:
                gone.add(event["device"])

    def wait_for_disks(self, guest: Guest, wanted: int) -> None:
        guest.wait_until(f"[ $(ls /sys/block | grep -c ^vd) = {wanted} ]")

    def attached(self, guest: Guest) -> int:
        """How many devices are attached to the pool; none violated it."""
        pool = pools.only(guest)
        self.assertEqual(pool["violations"], 0)
        return len(pool["devices"])

    def check_content(self, guest: Guest) -> None:
        """All disks show the same image."""
        with places.DISK.open("rb") as file:
            wanted = hashlib.sha256(file.read(BYTES)).hexdigest()
        found = guest.run("for disk in /dev/vd*; do "
                          f"head -c {BYTES} $disk | sha256sum; done")
        self.assertEqual([line.split()[0] for line in found],
                         [wanted] * (1 + DISKS))
