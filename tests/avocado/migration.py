# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest migrates to another QEMU while its devices work."""

import tempfile
from pathlib import Path

from restricted import GuestTest

from testbed import disk, scenes
from testbed.guest import Destination, Guest
from testbed.units import MIB

BYTES = 16 * MIB
MIGRATION_SECONDS = 600


class Migration(GuestTest):
    def test_live(self) -> None:
        """The guest writes to its disk all the time, on both sides."""
        image = self.disk_copy()
        with self.boot(image) as source, self.destination(image) as guest:
            scenes.check_restricted(source)
            scenes.verify_files(source)
            source.run("(status=0; until [ -e /tmp/stop -o $status != 0 ]; do "
                       f"write-pattern {scenes.SEED} {BYTES}; status=$?; "
                       "done; echo $status >/tmp/stopped) &")
            self.migrate(source, guest)

            # one command: while the guest is this busy, its serial port may
            # lose characters of a second one
            guest.run("touch /tmp/stop; "
                      "until [ -s /tmp/stopped ]; do usleep 100000; done; "
                      "exit $(cat /tmp/stopped)")
            guest.run("echo 3 >/proc/sys/vm/drop_caches; verify-files")
            guest.run("umount /mnt")
            scenes.use_all(guest, BYTES)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    def destination(self, image: Path) -> Destination:
        machine = self.full_machine(image)
        machine.add("-incoming", "defer")
        return Destination(machine, "destination", ["port"], self.logs)

    def migrate(self, source: Guest, guest: Guest) -> None:
        # A socket's name must be short, and the folder of a test is not.
        with tempfile.TemporaryDirectory() as folder:
            uri = f"unix:{folder}/socket"
            guest.qmp.command("migrate-incoming", uri=uri)
            source.qmp.command("migrate-set-parameters", **{
                "downtime-limit": 2000, "max-bandwidth": 1 << 30})
            source.qmp.command("migrate", uri=uri)
            guest.qmp.event("RESUME", MIGRATION_SECONDS)
