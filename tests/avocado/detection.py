# SPDX-License-Identifier: GPL-2.0-or-later
"""Self-tests: each check that the other tests rely on fails when it should."""

from pathlib import Path

from restricted import GuestTest

from testbed import disk, places, scenes
from testbed.failure import Failure
from testbed.guest import Guest
from testbed.units import KIB, MIB

BYTES = 8 * MIB


class Detection(GuestTest):
    def damage(self, image: Path, content: bytes) -> None:
        """Changes one byte where an image has this content."""
        offset = image.read_bytes().find(content)
        self.assertGreaterEqual(offset, 0, "the image lacks the content")
        with image.open("r+b") as file:
            file.seek(offset)
            file.write(bytes([content[0] ^ 1]))

    def boot_plain(self, append: str = "") -> Guest:
        return self.start(self.our_machine(append, pool=None))

    def test_damaged_file(self) -> None:
        image = self.disk_copy()
        readme = places.LINUX_TREE / "Documentation/admin-guide/README.rst"
        self.damage(image, readme.read_bytes()[:4 * KIB])
        with self.boot(image) as guest:
            with self.assertRaisesRegex(Failure, "verify-files.*failed"):
                scenes.verify_files(guest)

    def test_damaged_write(self) -> None:
        image = self.disk_copy()
        with self.boot(image) as guest:
            guest.run("mount -t ext4 /dev/vda /mnt")
            scenes.write_pattern(guest, BYTES)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)
        pattern = disk.pattern(scenes.SEED, BYTES)
        self.damage(image, pattern[5 * MIB:][:4 * KIB])
        with self.assertRaisesRegex(Failure, f"offset {5 * MIB}"):
            disk.check_written(image, scenes.SEED, BYTES)

    def test_devices_without_a_pool(self) -> None:
        with self.boot(pool=None) as guest:
            with self.assertRaisesRegex(Failure, "4 of 4 drivers run without"):
                scenes.check_restricted(guest)

    def test_panic(self) -> None:
        with self.assertRaisesRegex(Failure, "Kernel panic"):
            self.boot_plain("rdinit=/nothing")

    def test_hang(self) -> None:
        with self.boot_plain() as guest:
            with self.assertRaisesRegex(Failure, "no answer in time"):
                guest.try_run("cat /dev/ttyS0", seconds=2)
