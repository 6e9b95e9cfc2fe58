# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks come and go while the guest runs."""

import hashlib

from avocado import fail_on
from restricted import GuestTest

from testbed import places, scenes
from testbed.failure import Failure

DISKS = 50
FUNCTIONS = 8                   # disks in a slot
PORTS = -(-DISKS // FUNCTIONS)
BUSY = 8                        # disks that are read while they go
BYTES = scenes.MIB
UNPLUG_SECONDS = 600


class Hotplug(GuestTest):
    @fail_on(Failure)
    def test_fifty_disks(self):
        machine = scenes.full_machine(self.accel, places.DISK, writable=False)
        for port in range(PORTS):
            machine.add("-device",
                        f"pcie-root-port,id=port{port},chassis={port}")
        with self.start(machine) as guest:
            for number in range(DISKS):
                self.plug(guest, number)
            self.wait_disks(guest, 1 + DISKS)
            self.assertEqual(self.devices(guest), scenes.DEVICES + DISKS)
            self.check_content(guest)

            guest.run("for disk in $(ls /sys/block | grep ^vd | "
                      f"tail -n {BUSY}); do (while cat /dev/$disk; do :; done "
                      ">/dev/null 2>&1) & done")
            self.unplug(guest)
            self.wait_disks(guest, 1)
            self.assertEqual(self.devices(guest), scenes.DEVICES)
            scenes.use_all(guest, BYTES)
            guest.power_off()

    def plug(self, guest, number: int) -> None:
        """Function 0 goes last: the guest looks at the slot then."""
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

    def unplug(self, guest) -> None:
        for port in range(PORTS):
            first = min((port + 1) * FUNCTIONS, DISKS) - 1
            guest.qmp.command("device_del", id=f"plugged{first}")
        gone = set()
        while len(gone) < DISKS:
            gone.add(guest.qmp.event("DEVICE_DELETED",
                                     UNPLUG_SECONDS).get("device"))
            gone.discard(None)

    def wait_disks(self, guest, wanted: int) -> None:
        guest.run(f"while [ $(ls /sys/block | grep -c ^vd) != {wanted} ]; do "
                  "usleep 100000; done")

    def devices(self, guest) -> int:
        pool = scenes.pool_of(guest)
        self.assertEqual(pool["violations"], 0)
        return len(pool["devices"])

    def check_content(self, guest) -> None:
        """All disks show the same image."""
        with places.DISK.open("rb") as file:
            wanted = hashlib.sha256(file.read(BYTES)).hexdigest()
        found = guest.run("for disk in /dev/vd*; do "
                          f"head -c {BYTES} $disk | sha256sum; done")
        self.assertEqual([line.split()[0] for line in found],
                         [wanted] * (1 + DISKS))
