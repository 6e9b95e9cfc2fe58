# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests that boot a guest have in common."""

import sys
from pathlib import Path

from avocado import Test

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from testbed import accel, places, scenes  # noqa: E402
from testbed.arch import X86_64  # noqa: E402
from testbed.guest import Guest  # noqa: E402


class GuestTest(Test):
    """Boots guests whose logs are kept with the results of the test."""

    timeout = 1200
    arch = X86_64

    def setUp(self):
        self.accel = accel.choose(self.arch)
        self.logs = Path(self.logdir)

    def boot(self, image: Path = None, **options) -> Guest:
        """Our kernel with all devices; without an image of its own the guest
        writes to a throw-away copy of the disk."""
        machine = scenes.full_machine(self.accel, image or places.DISK,
                                      writable=image is not None,
                                      arch=self.arch, **options)
        return self.start(machine)

    def start(self, machine) -> Guest:
        return Guest(machine, "guest", ["port"], self.logs)
