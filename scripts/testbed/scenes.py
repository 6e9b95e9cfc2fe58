# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest with restricted devices does, and what it finds.

Each function is one act that the demo shows and that the tests repeat under
other conditions.  They fail with one line, and return how much they moved.
"""

import hashlib
import os
from pathlib import Path
from typing import Dict, Optional

from . import disk, places
from .arch import Arch, X86_64
from .failure import expect
from .guest import Guest
from .machine import Machine
from .process import Process
from .webserver import WebServer

MIB = 1 << 20
SEED = 2026
WRITE_BYTES = 256 * MIB
DOWNLOAD_BYTES = 64 * MIB
RANDOM_BYTES = 4096
PORT_BYTES = 64 * 1024

ACCESS_PLATFORM_BIT = 33
RESTRICTED_DMA_BIT = 45
DEVICES = 4


def our_machine(accel: str, append: str = "", kernel: Optional[Path] = None,
                arch: Arch = X86_64, **options) -> Machine:
    """Our kernel on a machine without devices; options are those of Machine.
    """
    kernel = kernel or arch.kernel
    places.require(arch.qemu, kernel, arch.initramfs, places.DISK,
                   places.PATTERN)
    machine = Machine(accel, arch=arch, **options)
    return machine.kernel(kernel, arch.initramfs, append)


def full_machine(accel: str, image: Path, writable: bool = True,
                 append: str = "", **options) -> Machine:
    """Our kernel on a machine with all four kinds of device.

    Wants a chardev 'port'; options are those of Machine.
    """
    machine = our_machine(accel, append, **options)
    return machine.disk(image, writable).network().random().port("port")


def accepted(guest: Guest, bit: int) -> int:
    """On how many of the devices the guest's drivers accepted a feature."""
    bits = guest.run("cat /sys/bus/virtio/devices/*/features")
    expect(len(bits) == DEVICES,
           f"the guest has {len(bits)} virtio devices and not {DEVICES}")
    return sum(word[bit] == "1" for word in bits)


def check_bound(guest: Guest) -> None:
    """The guest's drivers accepted the feature on each of its devices."""
    refused = DEVICES - accepted(guest, RESTRICTED_DMA_BIT)
    expect(refused == 0,
           f"{refused} of {DEVICES} drivers run without RESTRICTED_DMA")


def check_unaware(guest: Guest) -> None:
    """The guest's drivers use the DMA API, and do not know the feature."""
    expect(accepted(guest, RESTRICTED_DMA_BIT) == 0,
           "a driver accepted RESTRICTED_DMA")
    expect(accepted(guest, ACCESS_PLATFORM_BIT) == DEVICES,
           "a driver runs without ACCESS_PLATFORM")


def verify_files(guest: Guest, mount: str = "-t ext4 /dev/vda"
                 ) -> Dict[str, int]:
    """Every file of the disk has the SHA-256 of the manifest.

    mount: options and device; it is left mounted at /mnt.
    """
    wanted = disk.info()
    guest.run(f"mount {mount} /mnt")
    files = int(guest.values("verify-files")["files"])
    expect(files == wanted["files"],
           f"the guest verified {files} files and not {wanted['files']}")
    return wanted


def write_pattern(guest: Guest, size: int = WRITE_BYTES) -> int:
    """Writes to the mounted file system, syncs and unmounts."""
    guest.run(f"write-pattern {SEED} {size}")
    guest.run("umount /mnt")
    return size


def download(guest: Guest, size: int = DOWNLOAD_BYTES) -> int:
    """Downloads a page from this host; it arrives as it was sent."""
    page = disk.pattern(SEED + 1, size)
    with WebServer(page) as server:
        found = guest.values(f"download {server.url}")["sha256"]
    expect(found == hashlib.sha256(page).hexdigest(),
           "the download has another SHA-256 in the guest than on the host")
    return size


def read_random(guest: Guest, size: int = RANDOM_BYTES) -> int:
    """Random numbers come from the virtio device, and are no constant."""
    found = guest.values(f"read-rng {size}")
    expect(found["source"].startswith("virtio_rng"),
           f"/dev/hwrng reads from {found['source']} and not from virtio")
    expect(int(found["bytes"]) == size,
           f"/dev/hwrng gave {found['bytes']} bytes and not {size}")
    expect(int(found["gzipped"]) >= size,
           "what /dev/hwrng gave is no noise: it can be compressed")
    return size


def talk(guest: Guest, size: int = PORT_BYTES) -> int:
    """Sends bytes to the virtio console port; the same bytes come back."""
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
           "the console port brought back other bytes than it was sent")
    return 2 * size


def pool_of(qemu: Process) -> dict:
    """What QEMU says of its only pool."""
    pools = qemu.qmp.command("query-restricted-dma-pools")
    expect(len(pools) == 1, f"QEMU has {len(pools)} pools and not one")
    return pools[0]


def check_pool(guest: Guest) -> int:
    """Guest and host agree on a pool that was used, and not misused.

    Returns the most bytes that the guest ever held in it.
    """
    host = pool_of(guest)
    inside = guest.values("pool-stats")
    expect(inside.get("pool") == f"restricted-dma-pool@{host['base']:x}",
           f"the guest's pool is {inside.get('pool', 'missing')}, the host's "
           f"is at {host['base']:#x}")
    expect(len(host["devices"]) == DEVICES,
           f"QEMU has {len(host['devices'])} devices on the pool and not "
           f"{DEVICES}")
    expect(host["violations"] == 0,
           f"QEMU counts {host['violations']} accesses outside the pool")
    slot = host["size"] // int(inside["io_tlb_nslabs"])
    most = int(inside["io_tlb_used_hiwater"]) * slot
    expect(most > 0, "the guest's devices never used the pool")
    return most


def work(guest: Guest, size: int) -> None:
    """Each device works in the pool, disk and network with so many bytes."""
    verify_files(guest)
    write_pattern(guest, size)
    download(guest, size)
    read_random(guest)
    talk(guest)
    check_pool(guest)


def use_all(guest: Guest, size: int) -> None:
    """Drivers that accepted the feature work with their devices."""
    check_bound(guest)
    work(guest, size)
