# SPDX-License-Identifier: GPL-2.0-or-later
"""The two QEMUs that are compared: upstream's own, and with the series."""

import subprocess
import sys

from testbed import places
from testbed.failure import Failure

BUILDS = {"upstream": places.BASE_QEMU_BUILD, "series": places.QEMU_BUILD}


def build(*programs: str) -> None:
    """Builds both, or only these programs of each."""
    scripts = places.TOP / "scripts" / "build"
    for command in ([scripts / "build-base"],
                    [scripts / "build-qemu", places.QEMU_TREE,
                     places.QEMU_BUILD]):
        done = subprocess.run([*command, *programs], stdout=sys.stderr,
                              check=False)
        if done.returncode:
            raise Failure(f"{command[0].name} failed")
