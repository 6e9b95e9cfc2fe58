# SPDX-License-Identifier: GPL-2.0-or-later
"""Disk and network work with every form of ring, on both x86 machines."""

from avocado import fail_on
from restricted import GuestTest

from testbed import scenes
from testbed.failure import Failure

INDIRECT_DESC, EVENT_IDX, PACKED = 28, 29, 34
BYTES = 16 * scenes.MIB


class Rings(GuestTest):
    """
    :avocado: tags=rings
    """

    def io(self, kind, virtio, bit, wanted):
        """Does I/O where each device has the feature bit as wanted."""
        with self.boot(kind=kind, virtio=virtio) as guest:
            bits = guest.run("cat /sys/bus/virtio/devices/*/features")
            self.assertEqual([word[bit] for word in bits],
                             [wanted] * scenes.DEVICES)
            scenes.verify_files(guest)
            scenes.write_pattern(guest, BYTES)
            scenes.download(guest, BYTES)
            scenes.check_pool(guest)
            guest.power_off()

    @fail_on(Failure)
    def test_split_q35(self):
        self.io("q35", "", PACKED, "0")

    @fail_on(Failure)
    def test_split_pc(self):
        self.io("pc", "", PACKED, "0")

    @fail_on(Failure)
    def test_packed_q35(self):
        self.io("q35", "packed=on", PACKED, "1")

    @fail_on(Failure)
    def test_packed_pc(self):
        self.io("pc", "packed=on", PACKED, "1")

    @fail_on(Failure)
    def test_no_indirect_q35(self):
        self.io("q35", "indirect_desc=off", INDIRECT_DESC, "0")

    @fail_on(Failure)
    def test_no_indirect_pc(self):
        self.io("pc", "indirect_desc=off", INDIRECT_DESC, "0")

    @fail_on(Failure)
    def test_no_event_idx_q35(self):
        self.io("q35", "event_idx=off", EVENT_IDX, "0")

    @fail_on(Failure)
    def test_no_event_idx_pc(self):
        self.io("pc", "event_idx=off", EVENT_IDX, "0")

    @fail_on(Failure)
    def test_packed_no_indirect_q35(self):
        self.io("q35", "packed=on,indirect_desc=off", INDIRECT_DESC, "0")
