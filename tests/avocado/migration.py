# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest moves to another QEMU while its devices work."""

import tempfile
from pathlib import Path

from avocado import fail_on
from restricted import GuestTest

from testbed import disk, scenes
from testbed.failure import Failure
from testbed.guest import Destination

BYTES = 16 * scenes.MIB
MOVE_SECONDS = 600


class Migration(GuestTest):
    @fail_on(Failure)
    def test_live(self):
        """The disk is written without a pause, on both sides."""
        image = disk.copy(Path(self.workdir) / "disk.img")
        with self.boot(image) as source, self.destination(image) as guest:
            scenes.check_bound(source)
            scenes.verify_files(source)
            source.run("(status=0; until [ -e /tmp/stop -o $status != 0 ]; do "
                       f"write-pattern {scenes.SEED} {BYTES}; status=$?; "
                       "done; echo $status >/tmp/stopped) &")
            self.move(source, guest)

            guest.run("touch /tmp/stop; "
                      "while [ ! -s /tmp/stopped ]; do usleep 100000; done; "
                      "exit $(cat /tmp/stopped)")
            guest.run("echo 3 >/proc/sys/vm/drop_caches; verify-files")
            guest.run("umount /mnt")
            scenes.use_all(guest, BYTES)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    def destination(self, image: Path) -> Destination:
        machine = scenes.full_machine(self.accel, image)
        machine.add("-incoming", "defer")
        return Destination(machine, "destination", ["port"], self.logs)

    def move(self, source, guest) -> None:
        # the name of a socket has to be short
        with tempfile.TemporaryDirectory() as folder:
            self.move_through(f"unix:{folder}/socket", source, guest)

    def move_through(self, uri: str, source, guest) -> None:
        guest.qmp.command("migrate-incoming", uri=uri)
        source.qmp.command("migrate-set-parameters", **{
            "downtime-limit": 2000, "max-bandwidth": 1 << 30})
        source.qmp.command("migrate", uri=uri)
        guest.qmp.event("RESUME", MOVE_SECONDS)
