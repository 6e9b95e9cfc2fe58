# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes in bytes."""

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
