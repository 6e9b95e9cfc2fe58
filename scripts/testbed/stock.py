# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots the distribution's own kernel, which knows no restricted devices."""

from pathlib import Path
from typing import Any

from . import places
from .failure import expect
from .guest import Guest
from .machine import Machine

REFUSAL = "device refuses features"
OPEN_DISK = "open"


def boot(accel: str, image: Path, name: str, logs: Path = places.LOGS,
         **options: Any) -> Guest:
    """Boots it with one image as two disks, one of them attached to a pool.

    The other disk shows that kernel and image work, so that only the pool can
    keep the first one away.  Options are those of Machine.
    """
    places.require(places.QEMU, places.STOCK_KERNEL, places.STOCK_INITRAMFS,
                   places.DISK)
    machine = Machine(accel, **options)
    machine.kernel(places.STOCK_KERNEL, places.STOCK_INITRAMFS)
    machine.disk(image, writable=False)
    machine.image("image1", image, writable=False)
    machine.device("virtio-blk-pci", "disk1",
                   f"drive=image1,serial={OPEN_DISK}", pooled=False)
    return Guest(machine, name, logs=logs)


def check_refused(guest: Guest) -> str:
    """Checks that the guest has only the open disk and logs one refusal.

    Returns the message.
    """
    serials = guest.run("cat /sys/block/vd*/serial")
    expect(serials == [OPEN_DISK],
           f"the stock kernel sees the disks {serials}, not only the one "
           "without a pool")
    said = guest.run("dmesg | sed -n "
                     f"'s/^\\[[^]]*\\] \\(.*{REFUSAL}.*\\)/\\1/p'")
    expect(len(said) == 1,
           f"the stock kernel reports {len(said)} refusals, not one")
    return said[0]
