# SPDX-License-Identifier: GPL-2.0-or-later
"""Which accelerator works here.

A usable /dev/kvm does not mean much: guests may hang or die at their first
instructions, so the question is only answered by booting one.  The answer
holds until the host boots again.
"""

import os
from pathlib import Path

from . import places
from .arch import Arch, X86_64
from .failure import Failure
from .guest import Guest
from .machine import Machine

ANSWER = places.BUILD / "accel"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROBE_SECONDS = 20


def choose(arch: Arch = X86_64) -> str:
    """kvm or tcg; guests of other architectures are emulated."""
    if arch is not X86_64:
        return "tcg"
    boot = BOOT_ID.read_text().strip()
    try:
        known, answer = ANSWER.read_text().split()
    except (OSError, ValueError):
        known, answer = "", ""
    if known != boot or answer not in ("kvm", "tcg"):
        answer = "kvm" if kvm_works() else "tcg"
        ANSWER.write_text(f"{boot} {answer}\n")
    return answer


def kvm_works() -> bool:
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    places.require(places.QEMU, places.KERNEL, places.INITRAMFS)
    machine = Machine("kvm", pool=None)
    machine.kernel(places.KERNEL, places.INITRAMFS)
    try:
        with Guest(machine, "kvm-probe", boot_seconds=PROBE_SECONDS) as guest:
            guest.power_off()
    except Failure:
        return False
    return True
