# SPDX-License-Identifier: GPL-2.0-or-later
"""Chooses the accelerator: KVM where it really works, otherwise TCG.

A usable /dev/kvm proves little: a guest may still hang or die at its first
instructions.  So we boot one, and remember the answer until the host reboots.
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
    """Returns "kvm" or "tcg"; only x86-64 guests ever get KVM."""
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
