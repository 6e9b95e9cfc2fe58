# SPDX-License-Identifier: GPL-2.0-or-later
"""What the host and a guest say of restricted DMA pools."""

from typing import Dict, List

from .failure import expect
from .guest import Guest
from .process import Process


def every(qemu: Process) -> List[dict]:
    """QEMU's description of each of its pools."""
    return qemu.qmp.command("query-restricted-dma-pools")


def only(qemu: Process) -> dict:
    """QEMU's description of its pool; fails unless there is exactly one."""
    found = every(qemu)
    expect(len(found) == 1, f"QEMU has {len(found)} pools, not one")
    return found[0]


def check_found(guest: Guest) -> Dict[str, str]:
    """Checks that the guest found the host's pool; returns its statistics."""
    base = only(guest)["base"]
    stats = guest.values("pool-stats")
    expect(stats.get("pool") == f"restricted-dma-pool@{base:x}",
           f"the guest's pool is {stats.get('pool', 'missing')}, but the "
           f"host's is at {base:#x}")
    return stats


def check_used(guest: Guest, devices: int) -> int:
    """Checks that all devices are attached to the pool and keep to it.

    Returns the most bytes that the guest ever held in it.
    """
    host, stats = only(guest), check_found(guest)
    attached = len(host["devices"])
    expect(attached == devices,
           f"{attached} devices are attached to QEMU's pool, not {devices}")
    expect(host["violations"] == 0,
           f"QEMU counts {host['violations']} accesses outside the pool")
    slot = host["size"] // int(stats["io_tlb_nslabs"])
    most = int(stats["io_tlb_used_hiwater"]) * slot
    expect(most > 0, "the guest's devices never used the pool")
    return most
