# SPDX-License-Identifier: GPL-2.0-or-later
# Of the boards of RISC-V, 'virt' and its devices alone: QEMU builds each of the
# others unless it is named here.

CONFIG_MICROCHIP_PFSOC=n
CONFIG_OPENTITAN=n
CONFIG_SHAKTI_C=n
CONFIG_SIFIVE_E=n
CONFIG_SIFIVE_U=n
CONFIG_SPIKE=n
