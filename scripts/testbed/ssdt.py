# SPDX-License-Identifier: GPL-2.0-or-later
"""Compiles ACPI tables with pools that no sane firmware would describe."""

import subprocess
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

from .failure import expect

# The UUID that marks device properties in _DSD
PROPERTIES = "daffd814-6eba-4d8c-8a91-bc9bbf4aa301"


class Pool(NamedTuple):
    """A pool's device: its (start, size) ranges and its NUMA node."""
    ranges: List[Tuple[int, int]]
    properties: Tuple[str, ...] = ()
    node: Optional[int] = None

    def asl(self, number: int) -> str:
        ranges = "".join(f"""
              QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed,
                           Cacheable, ReadWrite, 0, {start:#x},
                           {start + size - 1:#x}, 0, {size:#x},
                           , , , AddressRangeReserved, TypeStatic)"""
                         for start, size in self.ranges)
        # Without a range the device has no _CRS at all.
        crs = f"Name (_CRS, ResourceTemplate () {{{ranges}}})" \
            if ranges else ""
        pxm = "" if self.node is None else f"Name (_PXM, {self.node})"
        more = "".join(f', Package () {{ "{name}", 1 }}'
                       for name in self.properties)
        return f"""
        Device (RDP{number:X}) {{
            Name (_HID, "PRP0001")
            Name (_UID, {number})
            Name (_STA, 0xf)
            Name (_CCA, 1)
            {crs}
            {pxm}
            Name (_DSD, Package () {{
                ToUUID ("{PROPERTIES}"),
                Package () {{
                    Package () {{ "compatible", "restricted-dma-pool" }}{more}
                }}
            }})
        }}"""


class Region(NamedTuple):
    """Makes the PCI function in a slot name a pool, or something else."""
    slot: int
    target: str

    def asl(self) -> str:
        node = f"\\_SB.PCI0.S{self.slot << 3:02X}"
        return f"""
    External ({node}, DeviceObj)
    Scope ({node}) {{
        Name (_DSD, Package () {{
            ToUUID ("{PROPERTIES}"),
            Package () {{ Package () {{ "memory-region", {self.target} }} }}
        }})
    }}"""


def make(path: Path, pools: Sequence[Pool],
         regions: Sequence[Region] = ()) -> Path:
    """Compiles a table with these pools.

    Linux calls them PRP0001:00 and so on, the table \\_SB.RDP0 and so on.
    """
    source = path.with_suffix(".asl")
    devices = "".join(pool.asl(number) for number, pool in enumerate(pools))
    named = "".join(region.asl() for region in regions)
    source.write_text('DefinitionBlock ("", "SSDT", 2, "RDP", "POOLS", 1) {\n'
                      f"    Scope (\\_SB) {{{devices}\n    }}{named}\n}}\n")
    iasl = subprocess.run(["iasl", "-p", str(path.with_suffix("")),
                           str(source)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    expect(iasl.returncode == 0, f"iasl rejects {source}: "
           + iasl.stdout.decode(errors="replace"))
    return path
