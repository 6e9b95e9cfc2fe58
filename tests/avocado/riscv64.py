# SPDX-License-Identifier: GPL-2.0-or-later
"""64-bit RISC-V: pools that a device tree describes."""

from architecture import ArchTest
from avocado import fail_on

from testbed.arch import RISCV64
from testbed.failure import Failure


class DeviceTree(ArchTest):
    """
    :avocado: tags=arch
    """

    arch = RISCV64

    @fail_on(Failure)
    def test_pci(self):
        self.check_guest()

    @fail_on(Failure)
    def test_mmio(self):
        self.check_guest(bus="mmio")

    @fail_on(Failure)
    def test_bindings(self):
        self.check_bindings()
        self.check_bindings(bus="mmio")
