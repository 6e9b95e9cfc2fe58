# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest memory as the host sees it: the files that back it in QEMU."""

import os
from pathlib import Path

from .failure import Failure
from .process import Process


def backing(qemu: Process, size: int) -> Path:
    """The memory file of that size which a running QEMU holds open."""
    for link in Path(f"/proc/{qemu.pid}/fd").iterdir():
        try:
            if os.readlink(link).startswith("/memfd:") and \
                    link.stat().st_size == size:
                return link
        except FileNotFoundError:
            continue    # closed meanwhile
    raise Failure(f"QEMU holds no memory file of {size} bytes")


def resident(qemu: Process, size: int) -> int:
    """Bytes of that memory file which take up host memory."""
    return backing(qemu, size).stat().st_blocks * 512
