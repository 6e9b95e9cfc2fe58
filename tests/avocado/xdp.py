# SPDX-License-Identifier: GPL-2.0-or-later
"""Network cards receive in the pool while an XDP program runs, too."""

import hashlib

from restricted import DEFAULT_POOL, GuestTest

from testbed import disk, memory, pools, scenes
from testbed.guest import Guest
from testbed.units import MIB
from testbed.webserver import WebServer

BYTES = 16 * MIB
PACKET = 1500
MARKER, GAP = 32, 256


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
        """What was sent arrives, and goes through the pool."""
        data = disk.pattern(scenes.SEED, BYTES)
        # several in each packet
        marker = data[:MARKER]
        sent = b"".join(marker + data[start:start + GAP]
                        for start in range(0, BYTES, GAP))
        pool = memory.backing(guest, pools.only(guest)["size"])
        with WebServer(sent) as server:
            guest.run(f"(xdp-pass eth0 download {server.url} >/tmp/part; "
                      "mv /tmp/part /tmp/found) &")
            # while it arrives: the guest soon fills the slots with zeros
            while marker not in pool.read_bytes():
                ended, _ = guest.try_run("[ ! -e /tmp/found ]")
                self.assertFalse(ended, "the pool had nothing of what was sent")
            guest.wait_until("[ -e /tmp/found ]")
        found = guest.values("cat /tmp/found")
        self.assertEqual(found["sha256"], hashlib.sha256(sent).hexdigest())
        self.assertGreater(int(found["packets"]), len(sent) // PACKET)
