# SPDX-License-Identifier: GPL-2.0-or-later
"""64-bit RISC-V: a device tree describes the pools."""

from architecture import DeviceTreeTest

from testbed.arch import RISCV64


class DeviceTree(DeviceTreeTest):
    """
    :avocado: tags=arch,slow
    """

    arch = RISCV64
