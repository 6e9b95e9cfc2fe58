# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest with restricted devices does, and how we check it.

Each function is one act, which the demo shows and the tests repeat under other
conditions.  An act fails with one line, or returns how much data it moved.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any, Dict, Optional

from . import disk, places, pools
from .arch import Arch, X86_64
from .failure import expect
from .guest import Guest
from .machine import Machine
from .units import KIB, MIB
from .webserver import WebServer

SEED = 2026
WRITE_BYTES = 256 * MIB
DOWNLOAD_BYTES = 64 * MIB
RANDOM_BYTES = 4 * KIB
PORT_BYTES = 64 * KIB
MIGRATION_SECONDS = 600

ACCESS_PLATFORM_BIT = 33
RESTRICTED_DMA_BIT = 45
DEVICES = 4


def our_machine(accel: str, append: str = "", kernel: Optional[Path] = None,
                arch: Arch = X86_64, **options: Any) -> Machine:
    """Our kernel on a machine without devices; options are Machine's."""
    kernel = kernel or arch.kernel
    places.require(arch.qemu, kernel, arch.initramfs, places.DISK,
                   places.PATTERN, arch=arch.name)
    machine = Machine(accel, arch=arch, **options)
    return machine.kernel(kernel, arch.initramfs, append)


def full_machine(accel: str, image: Path, writable: bool = True,
                 append: str = "", **options: Any) -> Machine:
    """Our kernel on a machine with all four kinds of device.

    Needs a chardev 'port'; options are Machine's.
    """
    machine = our_machine(accel, append, **options)
    return machine.disk(image, writable).network().random().port("port")


def accepted(guest: Guest, bit: int) -> int:
    """For how many devices the guest's drivers accepted a feature."""
    bits = guest.run("cat /sys/bus/virtio/devices/*/features")
    expect(len(bits) == DEVICES,
           f"the guest has {len(bits)} virtio devices, not {DEVICES}")
    return sum(word[bit] == "1" for word in bits)


def check_restricted(guest: Guest) -> None:
    """Checks that the guest's drivers accepted the feature everywhere."""
    refused = DEVICES - accepted(guest, RESTRICTED_DMA_BIT)
    expect(refused == 0,
           f"{refused} of {DEVICES} drivers run without RESTRICTED_DMA")


def check_unaware(guest: Guest) -> None:
    """Checks that the drivers use the DMA API and do not know the feature."""
    expect(accepted(guest, RESTRICTED_DMA_BIT) == 0,
           "a driver accepted RESTRICTED_DMA")
    expect(accepted(guest, ACCESS_PLATFORM_BIT) == DEVICES,
           "a driver runs without ACCESS_PLATFORM")


def verify_files(guest: Guest, device: str = "/dev/vda",
                 file_system: str = "ext4",
                 folder: str = "/mnt") -> Dict[str, int]:
    """Mounts the disk and checks every file against the manifest."""
    wanted = disk.info()
    guest.run(f"mkdir -p {folder}; mount -t {file_system} {device} {folder}")
    files = int(guest.values(f"verify-files {folder}")["files"])
    expect(files == wanted["files"],
           f"the guest verified {files} files, not {wanted['files']}")
    return wanted


def write_pattern(guest: Guest, size: int = WRITE_BYTES) -> int:
    """Writes to the mounted file system, syncs it and unmounts it."""
    guest.run(f"write-pattern {SEED} {size}")
    guest.run("umount /mnt")
    return size


def begin_writing(guest: Guest, size: int, *folders: str) -> None:
    """Has the guest write to the mounted disks until end_writing().

    It reads, too: all that the disks had before, again and again.
    """
    for number, folder in enumerate(folders):
        guest.run("(status=0; until [ -e /tmp/stop -o $status != 0 ]; do "
                  f"write-pattern {SEED} {size} {folder} && "
                  "echo 3 >/proc/sys/vm/drop_caches && "
                  f"verify-files {folder} >/dev/null; status=$?; "
                  f"done; echo $status >/tmp/stopped{number}) &")


def end_writing(guest: Guest, *folders: str) -> None:
    """Checks that all of it worked, and what the disks had before."""
    # one command: while the guest is this busy, its serial port may lose
    # characters of a second one
    guest.run("touch /tmp/stop; " + "".join(
        f"until [ -s /tmp/stopped{number} ]; do usleep 100000; done; "
        f"[ $(cat /tmp/stopped{number}) = 0 ] || exit 1; "
        for number in range(len(folders))))
    guest.run("echo 3 >/proc/sys/vm/drop_caches")
    for folder in folders:
        guest.run(f"verify-files {folder} && umount {folder}")


def migrate(source: Guest, destination: Guest) -> None:
    """Moves a running guest to a machine that waits for it."""
    # A socket's name must be short, and the folder of a test is not.
    with tempfile.TemporaryDirectory() as folder:
        uri = f"unix:{folder}/socket"
        destination.qmp.command("migrate-incoming", uri=uri)
        source.qmp.command("migrate-set-parameters", **{
            "downtime-limit": 2000, "max-bandwidth": 1 << 30})
        source.qmp.command("migrate", uri=uri)
        destination.qmp.event("RESUME", MIGRATION_SECONDS)


def download(guest: Guest, size: int = DOWNLOAD_BYTES) -> int:
    """Downloads a page from this host and compares checksums."""
    page = disk.pattern(SEED + 1, size)
    with WebServer(page) as server:
        found = guest.values(f"download {server.url}")["sha256"]
    expect(found == hashlib.sha256(page).hexdigest(),
           "the SHA-256 of the download differs between guest and host")
    return size


def mount_share(guest: Guest, options: str = "") -> None:
    """Mounts the machine's 9p share at /share."""
    words = ",".join(filter(None, ("trans=virtio", options)))
    guest.run(f"mkdir -p /share && mount -t 9p -o {words} share /share")


def read_random(guest: Guest, size: int = RANDOM_BYTES) -> int:
    """Checks that random numbers are random and come from virtio."""
    found = guest.values(f"read-rng {size}")
    expect(found["source"].startswith("virtio_rng"),
           f"/dev/hwrng reads from {found['source']}, not from virtio")
    expect(int(found["bytes"]) == size,
           f"/dev/hwrng gave {found['bytes']} bytes, not {size}")
    expect(int(found["gzipped"]) >= size,
           "what /dev/hwrng gave is not random: it can be compressed")
    return size


def talk(guest: Guest, size: int = PORT_BYTES) -> int:
    """Sends bytes to the virtio console port; the guest sends them back."""
    message = os.urandom(size)
    port = guest.socket("port")
    port.settimeout(None)
    port.sendall(message)
    guest.run(f"answer-port {size}")
    answer = b""
    while len(answer) < size:
        data = port.recv(size)
        expect(bool(data), "QEMU closed the console port")
        answer += data
    expect(answer == message,
           "the console port returned other bytes than it was sent")
    return 2 * size


def check_pool(guest: Guest) -> int:
    """Checks that all devices used the pool, and nothing but the pool.

    Returns the most bytes that the guest ever held in it.
    """
    return pools.check_used(guest, DEVICES)


def work(guest: Guest, size: Optional[int] = None) -> None:
    """Each device works in the pool.

    size: bytes for the disk and for the network; by default as in the demo.
    """
    verify_files(guest)
    write_pattern(guest, size or WRITE_BYTES)
    download(guest, size or DOWNLOAD_BYTES)
    read_random(guest)
    talk(guest)
    check_pool(guest)


def use_all(guest: Guest, size: Optional[int] = None) -> None:
    """Does the same with drivers that must have accepted the feature."""
    check_restricted(guest)
    work(guest, size)
