# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of other architectures than x86-64 have in common."""

import subprocess
from pathlib import Path
from typing import Any

from restricted import GuestTest

from testbed import disk, dtschema, pools, scenes
from testbed.units import MIB

BYTES = 8 * MIB


class ArchTest(GuestTest):
    """Options of its methods are those of Machine."""

    def check_guest(self, **options: Any) -> dict:
        """All four devices work in the pool; returns QEMU's view of it."""
        image = self.disk_copy()
        with self.boot(image, **options) as guest:
            scenes.use_all(guest, BYTES)
            pool = pools.only(guest)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)
        return pool

    def check_bindings(self, **options: Any) -> None:
        """With pools the bindings object to nothing that they accept without.
        """
        if not dtschema.available():
            self.cancel(dtschema.NEEDS)
        bindings = self.file("bindings.json")
        dtschema.compile_bindings(bindings)
        with_pool = self.dump_tree(**options)
        said = dtschema.objections(bindings, with_pool)
        without = self.dump_tree(pool=None, **options)
        self.assertEqual(said, dtschema.objections(bindings, without))

    def dump_tree(self, **options: Any) -> Path:
        tree = self.file("machine.dtb")
        machine = self.our_machine(**options)
        machine.disk(self.disk_copy()).random()
        machine.add("-machine", f"dumpdtb={tree}")
        subprocess.run(machine.arguments(), check=True,
                       stdin=subprocess.DEVNULL)
        return tree


class DeviceTreeTest(ArchTest):
    """A device tree describes the pool.

    :avocado: disable
    """

    def test_pci(self) -> None:
        self.check_guest()

    def test_mmio(self) -> None:
        self.check_guest(bus="mmio")

    def test_bindings(self) -> None:
        self.check_bindings()
        self.check_bindings(bus="mmio")
