# SPDX-License-Identifier: GPL-2.0-or-later
"""An xfs image on the host: makes one, and checks what a guest wrote."""

import subprocess
from pathlib import Path

from . import disk
from .failure import expect
from .units import MIB

SIZE = 320 * MIB
BLOCK = 4096


def make(path: Path) -> Path:
    """Makes an empty file system."""
    with path.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.xfs", "-q", "-f", str(path)], check=True,
                   env=disk.ENVIRONMENT)
    return path


def check_written(image: Path, seed: int, size: int) -> None:
    """Checks the file system, and in it the blocks that the guest wrote.

    No two blocks of the pattern are equal, so their order does not matter.
    """
    repair = subprocess.run(["xfs_repair", "-n", str(image)],
                            env=disk.ENVIRONMENT, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    expect(repair.returncode == 0, f"xfs_repair finds errors in {image.name}")
    with image.open("rb") as file:
        found = set(iter(lambda: file.read(BLOCK), b""))
    wanted = disk.pattern(seed, size)
    lost = sum(wanted[at:at + BLOCK] not in found
               for at in range(0, size, BLOCK))
    expect(not lost, f"{image.name}: {lost} blocks that the guest wrote "
                     "are missing")
