# SPDX-License-Identifier: GPL-2.0-or-later
"""An xfs image on the host: an empty one, and what a guest wrote to it."""

import subprocess
from pathlib import Path

from . import disk
from .failure import expect

SIZE = 320 << 20
BLOCK = 4096


def make(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.xfs", "-q", "-f", str(path)], check=True,
                   env=disk.ENVIRONMENT)
    return path


def check_written(image: Path, seed: int, size: int) -> None:
    """The file system is sound and holds the blocks that the guest wrote.

    No two blocks of the pattern are alike, so their order is left to xfs.
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
    expect(not lost, f"{image.name}: {lost} blocks that the guest wrote are "
                     "missing")
