# SPDX-License-Identifier: GPL-2.0-or-later
"""The distribution's own kernel, which does not know restricted devices."""

from pathlib import Path

from . import places
from .failure import expect
from .guest import Guest
from .machine import Machine

REFUSAL = "device refuses features"
OPEN_DISK = "open"


def boot(accel: str, image: Path, name: str, logs: Path = places.LOGS,
         **options) -> Guest:
    """Boots it with one image as two disks, of which one has a pool.

    The disk without a pool shows that kernel and image are well, so that
    nothing but the pool keeps the other one away.
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
    """The guest has the open disk only, and says why; returns what it says."""
    serials = guest.run("cat /sys/block/vd*/serial")
    expect(serials == [OPEN_DISK],
           f"the stock kernel sees the disks {serials} and not the open one "
           "alone")
    said = guest.run("dmesg | sed -n "
                     f"'s/^\\[[^]]*\\] \\(.*{REFUSAL}.*\\)/\\1/p'")
    expect(len(said) == 1,
           f"the stock kernel reports {len(said)} refusals and not one")
    return said[0]
