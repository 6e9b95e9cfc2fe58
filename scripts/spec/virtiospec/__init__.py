# SPDX-License-Identifier: GPL-2.0-or-later
"""The proposal for the virtio specification: placing, building, tracing."""
