# SPDX-License-Identifier: GPL-2.0-or-later
"""Network cards receive in the pool with an XDP program as well."""

import hashlib

from avocado import fail_on
from restricted import GuestTest

from testbed import disk, memory, scenes
from testbed.failure import Failure
from testbed.webserver import WebServer

BYTES = 16 * scenes.MIB
PACKET = 1500
PAGE = 4096


class Xdp(GuestTest):
    @fail_on(Failure)
    def test_virtio_net(self):
        machine = scenes.our_machine(self.accel)
        machine.network()
        with self.start(machine) as guest:
            self.receive(guest)
            self.assertEqual(scenes.pool_of(guest)["violations"], 0)
            guest.power_off()

    @fail_on(Failure)
    def test_page_pool(self):
        """vmxnet3 maps pages once, and syncs what a packet fills of them."""
        machine = scenes.our_machine(self.accel, pool="64M,dma-default=on")
        machine.user_network().other_device("vmxnet3", "netdev=user0")
        with self.start(machine) as guest:
            self.receive(guest)
            guest.power_off()

    def receive(self, guest):
        """What was sent arrives, and has gone through the pool."""
        sent = disk.pattern(scenes.SEED, BYTES)
        with WebServer(sent) as server:
            found = guest.values(f"xdp-pass eth0 download {server.url}")
        self.assertEqual(found["sha256"], hashlib.sha256(sent).hexdigest())
        self.assertGreater(int(found["packets"]), BYTES // PACKET)
        pool = memory.backing(guest, scenes.pool_of(guest)["size"])
        held = pool.read_bytes()
        self.assertTrue(any(sent[start:start + 64] in held for start in
                            reversed(range(0, BYTES, PAGE))),
                        "the pool holds nothing of what was sent")
