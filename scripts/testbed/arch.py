# SPDX-License-Identifier: GPL-2.0-or-later
"""What is different between the architectures of guests.

What the builds need to know of them is in scripts/build/arch.conf.
"""

from pathlib import Path
from typing import Dict, NamedTuple, Optional, Tuple

from . import places

CONF = places.TOP / "scripts" / "build" / "arch.conf"


class Arch(NamedTuple):
    name: str
    machine: str        # QEMU's machine, if nothing else is said
    processor: str      # what TCG emulates
    console: str        # the kernel's name of the first serial port
    second_port: str    # the device of the second one; "": it is there already
    append: str         # what the kernel's command line has always
    image: str          # the kernel in its build folder
    uefi: Optional[Path] = None     # firmware that is UEFI

    @property
    def qemu(self) -> Path:
        return places.BUILD / "qemu-build" / f"qemu-system-{self.name}"

    @property
    def initramfs(self) -> Path:
        folder = places.GUEST if self is X86_64 else places.GUEST / self.name
        return folder / "initramfs.cpio.gz"

    @property
    def kernel(self) -> Path:
        return self.kernel_in("linux")

    def kernel_in(self, tree: str, variant: str = "") -> Path:
        """The kernel that scripts/build/build-linux makes with that --config."""
        words = [tree, "" if self is X86_64 else self.name, variant, "build"]
        return places.BUILD / "-".join(filter(None, words)) / self.image


def _images() -> Dict[str, str]:
    lines = [line.split() for line in CONF.read_text().splitlines()]
    return {words[0]: words[3] for words in lines
            if words and words[0] != "#"}


_IMAGES = _images()
X86_64 = Arch(
    "x86_64", "q35",
    # without erms and fsrm the kernel copies with plain loads and stores,
    # which TCG translates far better than the string instructions
    processor="max,-erms,-fsrm", console="ttyS0", second_port="",
    # On a busy host an emulated timer can be late, and the kernel's check of
    # it at boot ends in a panic.
    append="no_timer_check", image=_IMAGES["x86_64"])
AARCH64 = Arch(
    "aarch64", "virt", processor="neoverse-n1", console="ttyAMA0",
    second_port="", append="", image=_IMAGES["aarch64"],
    uefi=Path("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"))
RISCV64 = Arch(
    "riscv64", "virt", processor="rv64", console="ttyS0",
    second_port="pci-serial", append="", image=_IMAGES["riscv64"])
ALL: Tuple[Arch, ...] = (X86_64, AARCH64, RISCV64)
BY_NAME = {arch.name: arch for arch in ALL}
