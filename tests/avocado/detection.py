# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks that the other tests stand on see what they are there to see."""

from pathlib import Path

from avocado import fail_on
from restricted import GuestTest

from testbed import disk, places, scenes
from testbed.failure import Failure
from testbed.guest import Guest
from testbed.machine import Machine

MIB = scenes.MIB
SIZE = 8 * MIB


class Detection(GuestTest):
    def damage(self, image: Path, content: bytes) -> None:
        """Changes one byte of the place in an image that has this content."""
        offset = image.read_bytes().find(content)
        self.assertGreaterEqual(offset, 0, "the image lacks the content")
        with image.open("r+b") as file:
            file.seek(offset)
            file.write(bytes([content[0] ^ 1]))

    def plain(self, append: str = "") -> Guest:
        machine = Machine(self.accel, pool=None)
        machine.kernel(places.KERNEL, places.INITRAMFS, append)
        return Guest(machine, "guest", logs=self.logs)

    @fail_on(Failure)
    def test_damaged_file(self):
        image = disk.copy(Path(self.workdir) / "disk.img")
        readme = places.BUILD / "linux/Documentation/admin-guide/README.rst"
        self.damage(image, readme.read_bytes()[:4096])
        with self.boot(image) as guest:
            with self.assertRaisesRegex(Failure, "verify-files.*failed"):
                scenes.verify_files(guest)

    @fail_on(Failure)
    def test_damaged_write(self):
        image = disk.copy(Path(self.workdir) / "disk.img")
        with self.boot(image) as guest:
            guest.run("mount -t ext4 /dev/vda /mnt")
            scenes.write_pattern(guest, SIZE)
            guest.power_off()
        disk.check_written(image, scenes.SEED, SIZE)
        self.damage(image, disk.pattern(scenes.SEED, SIZE)[5 * MIB:][:4096])
        with self.assertRaisesRegex(Failure, f"offset {5 * MIB}"):
            disk.check_written(image, scenes.SEED, SIZE)

    @fail_on(Failure)
    def test_devices_without_a_pool(self):
        with self.boot(pool=None) as guest:
            with self.assertRaisesRegex(Failure, "4 of 4 drivers run without"):
                scenes.check_bound(guest)

    def test_panic(self):
        with self.assertRaisesRegex(Failure, "Kernel panic"):
            self.plain("rdinit=/nothing")

    @fail_on(Failure)
    def test_hang(self):
        with self.plain() as guest:
            with self.assertRaisesRegex(Failure, "no answer in time"):
                guest.try_run("cat /dev/ttyS0", seconds=2)
