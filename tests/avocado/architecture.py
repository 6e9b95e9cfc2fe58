# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of other architectures than x86-64, which are always emulated."""

import subprocess
from pathlib import Path

from restricted import GuestTest

from testbed import disk, dtschema, scenes

SIZE = 8 * scenes.MIB


class ArchTest(GuestTest):
    def check_guest(self, **options) -> dict:
        """All four devices work in the pool and nowhere else.

        options: those of Machine.  Returns what QEMU says of the pool.
        """
        image = disk.copy(Path(self.workdir) / "disk.img")
        with self.boot(image, **options) as guest:
            scenes.use_all(guest, SIZE)
            pool = scenes.pool_of(guest)
            guest.power_off()
        disk.check_written(image, scenes.SEED, SIZE)
        return pool

    def check_bindings(self, **options) -> None:
        """The bindings have nothing against the tree, but without pools too.

        options: those of Machine.
        """
        if not dtschema.available():
            self.cancel(dtschema.NEEDS)
        bindings = Path(self.workdir) / "bindings.json"
        dtschema.compile_bindings(bindings)
        with_pool = self.dump_tree(**options)
        said = dtschema.objections(bindings, with_pool)
        without = self.dump_tree(pool=None, **options)
        self.assertEqual(said, dtschema.objections(bindings, without))

    def dump_tree(self, **options) -> Path:
        tree = Path(self.workdir) / "machine.dtb"
        machine = scenes.our_machine(self.accel, arch=self.arch, **options)
        machine.disk(disk.copy(Path(self.workdir) / "disk.img")).random()
        machine.add("-machine", f"dumpdtb={tree}")
        subprocess.run(machine.arguments(), check=True,
                       stdin=subprocess.DEVNULL)
        return tree
