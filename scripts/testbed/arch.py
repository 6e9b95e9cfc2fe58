# SPDX-License-Identifier: GPL-2.0-or-later
"""How the architectures of guests differ.

What builds need to know of them is in scripts/build/arch.conf.
"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Dict, NamedTuple, Optional

from . import places

CONF = places.TOP / "scripts" / "build" / "arch.conf"


class Arch(NamedTuple):
    name: str
    machine: str        # QEMU's machine type, unless another is asked for
    processor: str      # the one that TCG emulates
    console: str        # the kernel's name for the first serial port
    second_port: str    # the device for the second one; "" if it is built in
    append: str         # always on the kernel's command line
    image: str          # the kernel, relative to its build folder
    uefi: Optional[Path] = None     # UEFI firmware

    @property
    def qemu(self) -> Path:
        return places.QEMU_BUILD / f"qemu-system-{self.name}"

    @property
    def initramfs(self) -> Path:
        folder = places.GUEST if self is X86_64 else places.GUEST / self.name
        return folder / "initramfs.cpio.gz"

    @property
    def kernel(self) -> Path:
        return self.kernel_in("linux")

    def kernel_in(self, tree: str, variant: str = "") -> Path:
        """The kernel that scripts/build/build-linux makes of a tree.

        variant: what --config adds to the usual configuration.
        """
        words = [tree, "" if self is X86_64 else self.name, variant, "build"]
        return places.BUILD / "-".join(filter(None, words)) / self.image


def _images() -> Dict[str, str]:
    lines = [line.split() for line in CONF.read_text().splitlines()]
    return {words[0]: words[3] for words in lines
            if words and words[0] != "#"}


_IMAGES = _images()
X86_64 = Arch(
    "x86_64", "q35",
    # Without erms and fsrm the kernel copies with plain loads and stores.
    # TCG translates those far better than the string instructions.
    processor="max,-erms,-fsrm", console="ttyS0", second_port="",
    # On a busy host an emulated timer can be late.  The kernel checks it at
    # boot and would panic.
    append="no_timer_check", image=_IMAGES["x86_64"])
AARCH64 = Arch(
    "aarch64", "virt", processor="neoverse-n1", console="ttyAMA0",
    second_port="", append="", image=_IMAGES["aarch64"],
    uefi=Path("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"))
RISCV64 = Arch(
    "riscv64", "virt", processor="rv64", console="ttyS0",
    second_port="pci-serial", append="", image=_IMAGES["riscv64"])
BY_NAME = {arch.name: arch for arch in (X86_64, AARCH64, RISCV64)}


def add_option(parser: ArgumentParser) -> None:
    """Adds --arch, whose value is a key of BY_NAME."""
    parser.add_argument("--arch", default=X86_64.name, metavar="ARCH",
                        choices=list(BY_NAME),
                        help="architecture of the guest: x86_64 (the "
                             "default), aarch64 or riscv64")
