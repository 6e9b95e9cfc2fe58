# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest used its memory for before does not get into the pool."""

from typing import Tuple

from restricted import DEFAULT_POOL, GuestTest

from testbed import memory, pools, scenes
from testbed.guest import Guest
from testbed.machine import Machine
from testbed.units import MIB

POOL = 64 * MIB
MARKER = b"restricted-marker"
# In MiB: what is marked at a time, and how often; most of the guest's memory
CHUNK, CHUNKS = 16, 14
# What a disk returns without writing a byte of it
READ = 64
DOWNLOADED = 16 * MIB

# QEMU's device, its options, and how the guest finds it
DISKS: Tuple[Tuple[str, str, str], ...] = (
    ("virtio-blk-pci", "", "echo /dev/vda"),
    ("scsi-hd", "bus=scsi0.0", "find-disk scsi"),
    ("nvme", "serial=1", "find-disk nvme"),
    ("ide-hd", "bus=ide.0", "find-disk ata"),
    ("usb-storage", "bus=usb0.0", "find-disk usb"),
)


class Secrecy(GuestTest):
    def test_old_memory_stays_outside(self) -> None:
        """Disks that write nothing, and all others, find no old memory.

        The guest writes a marker to most of its memory and frees it.  Then it
        reads from each disk into newly allocated pages, which have the marker
        in them, reads from a 9p share, and downloads something with each card.
        Finally it writes the marker to a disk, to show that the test would
        have noticed.
        """
        with self.start(self.machine_with_all()) as guest:
            guest.run(f"yes {MARKER.decode()} | head -c {CHUNK * MIB} "
                      ">/tmp/chunk")
            for kind, _, find in DISKS:
                self.mark(guest)
                disk = guest.run(find)[0]
                guest.run(f"dd if={disk} of=/dev/null bs=1M count={READ}")
                self.check(guest, kind)
            scenes.mount_share(guest)
            self.mark(guest)
            guest.run("dd if=/share/zeros of=/dev/null bs=1M")
            self.check(guest, "9p")
            for card in ("first", "second"):
                self.mark(guest)
                scenes.download(guest, DOWNLOADED)
                self.check(guest, f"{card} card")
                guest.run("ip link set eth0 down; ip link set eth0 name used; "
                          "ip link set eth1 name eth0 || :")
            scenes.read_random(guest)
            scenes.talk(guest)
            self.check(guest, "rng and console")

            guest.run("dd if=/tmp/chunk of=/dev/vda bs=1M count=1")
            self.assertGreater(self.marked(guest), 0)
            self.assertEqual(pools.only(guest)["violations"], 0)
            guest.power_off()

    def machine_with_all(self) -> Machine:
        machine = self.our_machine(pool=DEFAULT_POOL, memory="384M")
        machine.device("virtio-scsi-pci", "scsi0")
        machine.other_device("qemu-xhci", "id=usb0")
        for number, (kind, options, _) in enumerate(DISKS):
            node = f"null{number}"
            machine.add("-blockdev", f"driver=null-co,node-name={node},"
                                     f"size={2 * READ * MIB}")
            words = ",".join(filter(None, (f"drive={node}", options)))
            if kind.startswith("virtio"):
                machine.device(kind, "disk0", words)
            else:
                machine.other_device(kind, words)
        share = self.file("share")
        share.mkdir()
        with (share / "zeros").open("wb") as zeros:
            zeros.truncate(READ * MIB)
        machine.share(share).network().random().port("port")
        machine.add("-netdev", "user,id=user1")
        return machine.other_device("e1000e", "netdev=user1")

    def mark(self, guest: Guest) -> None:
        """Fills free memory with the marker, and frees it again."""
        guest.run("mkdir -p /tmp/marked; echo 3 >/proc/sys/vm/drop_caches")
        guest.run("mount -t tmpfs -o size=256M none /tmp/marked")
        guest.run(f"for i in $(seq {CHUNKS}); do cat /tmp/chunk; done "
                  ">/tmp/marked/file; umount /tmp/marked")

    def check(self, guest: Guest, what: str) -> None:
        self.assertEqual(self.marked(guest), 0, f"old memory, after {what}")

    def marked(self, guest: Guest) -> int:
        """How often the marker is in the pool."""
        return memory.backing(guest, POOL).read_bytes().count(MARKER)
