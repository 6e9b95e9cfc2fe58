# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests with restricted DMA: shared by the demo, the shell and the tests."""
