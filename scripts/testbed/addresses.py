# SPDX-License-Identifier: GPL-2.0-or-later
"""DMA addresses of devices that are not virtio, taken from QEMU's traces.

QEMU does not confine these devices, but its models of them can trace the
addresses that they get.  So the traces show what the guest's kernel does
without being forced to.
"""

import re
from pathlib import Path
from typing import Dict, Iterator, NamedTuple

from .failure import Failure, expect
from .process import Process

HEX = "(0x[0-9a-f]+)"


class Access(NamedTuple):
    event: str
    address: int
    size: int


# The first group is an address; the second, if any, a number of bytes.
EVENTS = {
    "pci_nvme_mmio_asqaddr_hi": f"new_address={HEX}",
    "pci_nvme_mmio_acqaddr_hi": f"new_address={HEX}",
    "pci_nvme_create_sq": f"addr={HEX}",
    "pci_nvme_create_cq": f"addr={HEX}",
    "pci_nvme_map_addr": fr"addr {HEX} len (\d+)",
    "e1000e_rx_descr": f"PA: {HEX}",
    "e1000e_rx_desc_buff_write": fr"addr: {HEX}, .*length: (\d+)",
    # data descriptors only: context descriptors hold no address
    "e1000e_tx_descr": f"{HEX} : [0-9a-f]*[13579bdf][0-9a-f]{{5}} ",
    "usb_xhci_fetch_trb": f"addr {HEX}",
}
LINES = {event: re.compile(pattern) for event, pattern in EVENTS.items()}


def watch(qemu: Process) -> None:
    """Makes QEMU trace the addresses to its log from now on.

    Call it once the kernel runs: firmware uses disks too, and knows no pool.
    """
    for event in EVENTS:
        qemu.qmp.command("trace-event-set-state", name=event, enable=True)


def _accesses(log: Path) -> Iterator[Access]:
    with log.open(errors="replace") as lines:
        for line in lines:
            event, _, rest = line.partition(" ")
            found = event in LINES and LINES[event].search(rest)
            if found:
                address, size = (*found.groups(), "1")[:2]
                yield Access(event, int(address, 16), int(size))


def check_inside(log: Path, pool: dict, kind: str = "") -> Dict[str, int]:
    """Checks that every traced access lies inside the pool.

    Each event whose name begins with kind must occur.  Returns how often each
    event occurred.
    """
    count: Dict[str, int] = {}
    start, end = pool["base"], pool["base"] + pool["size"]
    for access in _accesses(log):
        count[access.event] = count.get(access.event, 0) + 1
        if not start <= access.address <= end - access.size:
            raise Failure(f"{access.event}: {access.size} bytes at "
                          f"{access.address:#x} are outside the pool")
    missing = sorted(event for event in EVENTS
                     if event.startswith(kind) and event not in count)
    expect(not missing, f"QEMU traced no {', '.join(missing)}")
    return count
