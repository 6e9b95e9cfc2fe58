# SPDX-License-Identifier: GPL-2.0-or-later
"""What all tests that boot a guest have in common."""

import sys
from pathlib import Path
from typing import Any, Optional

from avocado import Test, fail_on

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from testbed import accel, disk, places, scenes  # noqa: E402
from testbed.arch import X86_64  # noqa: E402
from testbed.failure import Failure  # noqa: E402
from testbed.guest import Guest  # noqa: E402
from testbed.machine import Machine  # noqa: E402

DEFAULT_POOL = "64M,dma-default=on"


class GuestTest(Test):
    """Boots guests and keeps their logs with the results of the test."""

    timeout = 1200
    arch = X86_64

    def __init_subclass__(cls, **options: Any) -> None:
        """Lets every test fail with a Failure, which Avocado does not know."""
        super().__init_subclass__(**options)
        for name, member in list(vars(cls).items()):
            if name.startswith("test"):
                setattr(cls, name, fail_on(Failure)(member))

    def setUp(self) -> None:
        self.accel = accel.choose(self.arch)
        self.logs = Path(self.logdir)

    def file(self, name: str) -> Path:
        """A file that is gone after the test."""
        return Path(self.workdir) / name

    def disk_copy(self) -> Path:
        """A copy of the disk, for guests that write to it."""
        return disk.copy(self.file("disk.img"))

    def our_machine(self, append: str = "", **options: Any) -> Machine:
        """Our kernel on a machine without devices; options are Machine's."""
        return scenes.our_machine(self.accel, append, arch=self.arch,
                                  **options)

    def full_machine(self, image: Optional[Path] = None,
                     **options: Any) -> Machine:
        """Our kernel on a machine with all devices; options are Machine's.

        Without an image of its own, the guest's writes are thrown away.
        """
        return scenes.full_machine(self.accel, image or places.DISK,
                                   writable=image is not None,
                                   arch=self.arch, **options)

    def start(self, machine: Machine) -> Guest:
        return Guest(machine, "guest", ["port"], self.logs)

    def boot(self, image: Optional[Path] = None, **options: Any) -> Guest:
        """Boots a machine with all devices."""
        return self.start(self.full_machine(image, **options))
