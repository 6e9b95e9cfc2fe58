# SPDX-License-Identifier: GPL-2.0-or-later
"""Large packets, which a network card divides for the guest."""

import hashlib
import socket
import threading
from typing import List
from urllib.request import urlopen

from restricted import GuestTest

from testbed import disk, pools, tap
from testbed.guest import Guest
from testbed.machine import Machine
from testbed.units import KIB, MIB

BYTES = 8 * MIB + 12345
SENDERS = 4
PORT = 5000
PATIENCE = 120
# Bytes in a packet that nobody has to divide
MTU = 1500


class Offload(GuestTest):
    def setUp(self) -> None:
        super().setUp()
        try:
            tap.enter()
        except OSError as error:
            self.cancel(f"no tap interface: {error}")

    def test_split(self) -> None:
        self.send("64M", "")

    def test_small_pool_packed(self) -> None:
        self.send("2M", "packed=on")

    def send(self, pool: str, virtio: str) -> None:
        """All bytes arrive, in packets of more than one piece.

        The guest sends from several sockets at the same time, and pages of a
        file as they are in the page cache.
        """
        with self.start(self.machine(pool, virtio)) as guest:
            guest.run(f"ip link set eth0 up; "
                      f"ip addr add {tap.GUEST}/24 dev eth0")
            before = self.sent(guest)
            self.check_streams(guest)
            self.check_file(guest)
            packets, size = (after - first for after, first
                             in zip(self.sent(guest), before))
            self.assertGreater(size / packets, 2 * MTU)
            self.assertEqual(pools.only(guest)["violations"], 0)
            guest.power_off()

    def machine(self, pool: str, virtio: str) -> Machine:
        machine = self.our_machine(pool=pool, virtio=virtio)
        machine.add("-netdev", f"tap,id=tap0,ifname={tap.NAME},script=no,"
                               "downscript=no,vhost=off")
        return machine.virtio("net", "net0", "netdev=tap0")

    def sent(self, guest: Guest) -> List[int]:
        """How many packets the card has sent, and bytes."""
        return [int(word) for word in guest.run(
            "cd /sys/class/net/eth0/statistics; cat tx_packets tx_bytes")]

    def check_streams(self, guest: Guest) -> None:
        with socket.create_server((tap.HOST, PORT)) as server:
            server.settimeout(PATIENCE)
            found: List[str] = []
            receiver = threading.Thread(target=self.receive,
                                        args=[server, found])
            receiver.start()
            guest.run("; ".join(
                f"(pattern {seed} {BYTES} | nc {tap.HOST} {PORT}) &"
                for seed in range(SENDERS)).replace("&;", "&") + " wait")
            receiver.join()
        self.assertEqual(sorted(found), sorted(
            hashlib.sha256(disk.pattern(seed, BYTES)).hexdigest()
            for seed in range(SENDERS)))

    def receive(self, server: socket.socket, found: List[str]) -> None:
        """Notes what each sender has sent."""
        streams = [server.accept()[0] for _ in range(SENDERS)]
        for stream in streams:
            seen = hashlib.sha256()
            with stream:
                while data := stream.recv(256 * KIB):
                    seen.update(data)
            found.append(seen.hexdigest())

    def check_file(self, guest: Guest) -> None:
        guest.run(f"mkdir /tmp/www; pattern 9 {BYTES} >/tmp/www/file; "
                  "httpd -h /tmp/www")
        with urlopen(f"http://{tap.GUEST}/file", timeout=PATIENCE) as answer:
            self.assertEqual(hashlib.sha256(answer.read()).hexdigest(),
                             hashlib.sha256(disk.pattern(9, BYTES))
                             .hexdigest())
