# SPDX-License-Identifier: GPL-2.0-or-later
"""Network cards receive in the pool while an XDP program runs, too."""

import hashlib

from restricted import DEFAULT_POOL, GuestTest

from testbed import disk, memory, pools, scenes
from testbed.guest import Guest
from testbed.units import KIB, MIB
from testbed.webserver import WebServer

BYTES = 16 * MIB
PACKET = 1500
PAGE = 4 * KIB


class Xdp(GuestTest):
    def test_virtio_net(self) -> None:
        machine = self.our_machine()
        machine.network()
        with self.start(machine) as guest:
            self.receive(guest)
            self.assertEqual(pools.only(guest)["violations"], 0)
            guest.power_off()

    def test_page_pool(self) -> None:
        """vmxnet3 maps pages once, and syncs the part that a packet fills."""
        machine = self.our_machine(pool=DEFAULT_POOL)
        machine.user_network().other_device("vmxnet3", "netdev=user0")
        with self.start(machine) as guest:
            self.receive(guest)
            guest.power_off()

    def receive(self, guest: Guest) -> None:
        """What was sent arrives, and went through the pool."""
        sent = disk.pattern(scenes.SEED, BYTES)
        with WebServer(sent) as server:
            found = guest.values(f"xdp-pass eth0 download {server.url}")
        self.assertEqual(found["sha256"], hashlib.sha256(sent).hexdigest())
        self.assertGreater(int(found["packets"]), BYTES // PACKET)
        pool = memory.backing(guest, pools.only(guest)["size"])
        held = pool.read_bytes()
        self.assertTrue(any(sent[start:start + 64] in held for start in
                            reversed(range(0, BYTES, PAGE))),
                        "the pool holds nothing of what was sent")
