# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are: the repository, what is built, and the cache."""

import os
from pathlib import Path

from .failure import Failure

TOP = Path(os.environ.get("RDP_TOP") or Path(__file__).resolve().parents[2])
BUILD = Path(os.environ.get("RDP_BUILD") or TOP / "build")
CACHE = Path(os.environ.get("RDP_CACHE") or
             Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
             / "restricted-dma")
LOGS = BUILD / "logs"
GUEST = BUILD / "guest"

# The trees with the series, and below BASE upstream's without it
QEMU_TREE = BUILD / "qemu"
LINUX_TREE = BUILD / "linux"
QEMU_BUILD = BUILD / "qemu-build"
BASE = BUILD / "base"
BASE_QEMU_BUILD = BASE / "qemu-build"

QEMU = QEMU_BUILD / "qemu-system-x86_64"
STORAGE_DAEMON = QEMU_BUILD / "storage-daemon" / "qemu-storage-daemon"
BRIDGE = QEMU_BUILD / "tests" / "vhost-user-bridge"
KERNEL = BUILD / "linux-build" / "arch" / "x86" / "boot" / "bzImage"
DEBUG_KERNEL = \
    BUILD / "linux-debug-build" / "arch" / "x86" / "boot" / "bzImage"
INITRAMFS = GUEST / "initramfs.cpio.gz"
STOCK_KERNEL = GUEST / "stock" / "vmlinuz"
STOCK_INITRAMFS = GUEST / "stock" / "initramfs.cpio.gz"
DISK = GUEST / "disk.img"
DISK_INFO = GUEST / "disk.info"
PATTERN = GUEST / "pattern"


def require(*paths: Path, arch: str = "x86_64") -> None:
    """Fails with the command that makes what is missing."""
    option = "" if arch == "x86_64" else f" --arch={arch}"
    for path in paths:
        if not path.exists():
            raise Failure(f"{shown(path)} is missing: run ./run build{option}")


def shown(path: Path) -> str:
    """The path as a person in the top folder would type it."""
    try:
        return str(path.relative_to(TOP))
    except ValueError:
        return str(path)
