# SPDX-License-Identifier: GPL-2.0-or-later
"""ACPI tables with restricted pools that no sane firmware would describe."""

import subprocess
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from .failure import expect

# The UUID of device properties in _DSD
PROPERTIES = "daffd814-6eba-4d8c-8a91-bc9bbf4aa301"


class Pool(NamedTuple):
    """One device; ranges are pairs of start and size, node is of NUMA."""
    ranges: List[Tuple[int, int]]
    properties: Tuple[str, ...] = ()
    node: Optional[int] = None

    def asl(self, number: int) -> str:
        # without a range there is no _CRS at all
        crs = "Name (_CRS, ResourceTemplate () {%s})" % "".join(
            f"""
              QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed,
                           Cacheable, ReadWrite, 0, {start:#x},
                           {start + size - 1:#x}, 0, {size:#x})"""
            for start, size in self.ranges) if self.ranges else ""
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
    """What QEMU's node for the PCI function in a slot names as its pool."""
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


def make(path: Path, pools: List[Pool], regions: List[Region] = ()) -> Path:
    """Compiles a table with these pools, which are PRP0001:00 and so on.

    In the table they are \\_SB.RDP0 and so on."""
    source = path.with_suffix(".asl")
    devices = "".join(pool.asl(number) for number, pool in enumerate(pools))
    named = "".join(region.asl() for region in regions)
    source.write_text('DefinitionBlock ("", "SSDT", 2, "RDP", "POOLS", 1) {\n'
                      f"    Scope (\\_SB) {{{devices}\n    }}{named}\n}}\n")
    iasl = subprocess.run(["iasl", "-p", str(path.with_suffix("")),
                           str(source)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    expect(iasl.returncode == 0, f"iasl does not take {source}: "
           + iasl.stdout.decode(errors="replace"))
    return path
