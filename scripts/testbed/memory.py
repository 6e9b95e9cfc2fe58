# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest memory as the host sees it: the files that back it in QEMU."""

import os
from pathlib import Path

from .failure import Failure, expect
from .process import Process
from .units import MIB


def backing(qemu: Process, size: int) -> Path:
    """The memory file of this size that a running QEMU holds open."""
    for link in Path(f"/proc/{qemu.pid}/fd").iterdir():
        try:
            if os.readlink(link).startswith("/memfd:") and \
                    link.stat().st_size == size:
                return link
        except FileNotFoundError:
            continue    # closed in the meantime
    raise Failure(f"QEMU holds no memory file of {size} bytes open")


def resident(qemu: Process, size: int) -> int:
    """How many bytes of host memory that memory file takes up."""
    return backing(qemu, size).stat().st_blocks * 512


class Canary:
    """A range of a memory file that is filled and must not change.

    The filling has no zero byte, and no two neighbouring bytes are equal.
    """

    def __init__(self, file: Path, start: int, end: int):
        self._file = file
        self._offsets = range(start, end, MIB)
        self._filling = bytes(range(1, 129)) * (MIB // 128)

    def fill(self) -> None:
        with self._file.open("r+b", buffering=0) as file:
            for offset in self._offsets:
                file.seek(offset)
                file.write(self._filling)

    def check(self) -> None:
        with self._file.open("rb", buffering=0) as file:
            for offset in self._offsets:
                file.seek(offset)
                expect(file.read(MIB) == self._filling,
                       f"memory changed within the MiB at {offset:#x}")
