# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives QEMU and guests with restricted DMA, for demo, shell and tests."""
