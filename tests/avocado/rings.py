# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk and network work with every form of ring, on both x86 machines."""

from restricted import GuestTest

from testbed import scenes
from testbed.units import MIB

# bits of the features that a device may offer
INDIRECT_DESC, EVENT_IDX, PACKED = 28, 29, 34
BYTES = 16 * MIB


class Rings(GuestTest):
    """
    :avocado: tags=rings
    """

    def io(self, kind: str, virtio: str, bit: int, wanted: str) -> None:
        """Does I/O; the feature bit of each device must be as wanted."""
        with self.boot(kind=kind, virtio=virtio) as guest:
            bits = guest.run("cat /sys/bus/virtio/devices/*/features")
            self.assertEqual([word[bit] for word in bits],
                             [wanted] * scenes.DEVICES)
            scenes.verify_files(guest)
            scenes.write_pattern(guest, BYTES)
            scenes.download(guest, BYTES)
            scenes.check_pool(guest)
            guest.power_off()

    def test_split_q35(self) -> None:
        self.io("q35", "", PACKED, "0")

    def test_split_pc(self) -> None:
        self.io("pc", "", PACKED, "0")

    def test_packed_q35(self) -> None:
        self.io("q35", "packed=on", PACKED, "1")

    def test_packed_pc(self) -> None:
        self.io("pc", "packed=on", PACKED, "1")

    def test_no_indirect_q35(self) -> None:
        self.io("q35", "indirect_desc=off", INDIRECT_DESC, "0")

    def test_no_indirect_pc(self) -> None:
        self.io("pc", "indirect_desc=off", INDIRECT_DESC, "0")

    def test_no_event_idx_q35(self) -> None:
        self.io("q35", "event_idx=off", EVENT_IDX, "0")

    def test_no_event_idx_pc(self) -> None:
        self.io("pc", "event_idx=off", EVENT_IDX, "0")

    def test_packed_no_indirect_q35(self) -> None:
        self.io("q35", "packed=on,indirect_desc=off", INDIRECT_DESC, "0")
