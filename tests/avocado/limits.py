# SPDX-License-Identifier: GPL-2.0-or-later
"""Pools that are too small or out of reach."""

import hashlib

from avocado import fail_on
from restricted import GuestTest

from testbed import places, scenes
from testbed.failure import Failure

MIB = scenes.MIB
READERS = 16
READ = 8 * MIB
# Beyond what a 32-bit device reaches
HIGH = 0x200000000


class Limits(GuestTest):
    @fail_on(Failure)
    def test_more_requests_than_pool(self):
        """16 readers ask for 16 MiB at once from a pool of 2 MiB.

        They wait for each other, all of them end, and what they read is
        right.
        """
        with self.boot(pool="2M") as guest:
            scenes.check_bound(guest)
            guest.run("cd /tmp; for i in $(seq 0 %d); do "
                      "dd if=/dev/vda bs=1M count=%d skip=$((i * %d)) "
                      "iflag=direct 2>/dev/null | sha256sum >sum.$i & "
                      "done; wait" % (READERS - 1, READ // MIB, READ // MIB))
            found = [line.split()[0] for line in guest.run(
                "cd /tmp; for i in $(seq 0 %d); do cat sum.$i; done"
                % (READERS - 1))]
            self.assertEqual(found, self.wanted())
            scenes.verify_files(guest)
            scenes.check_pool(guest)
            guest.power_off()

    def wanted(self):
        with places.DISK.open("rb") as image:
            return [hashlib.sha256(image.read(READ)).hexdigest()
                    for _ in range(READERS)]

    @fail_on(Failure)
    def test_pool_out_of_reach(self):
        """A card that knows 32-bit addresses, and the default pool above.

        It says so and stays away; a disk that reaches the pool works.
        """
        machine = scenes.our_machine(
            self.accel, pool=f"64M,dma-default=on,addr={HIGH:#x}")
        machine.user_network().other_device("i82557b", "netdev=user0")
        machine.image("nvme", places.DISK, writable=False)
        machine.other_device("nvme", "drive=nvme,serial=1")
        with self.start(machine) as guest:
            log = "\n".join(guest.run("dmesg"))
            self.assertRegex(
                log, "e100 .*32-bit DMA does not reach the restricted DMA "
                     f"pool .*{HIGH:x}")
            self.assertNotIn("eth0", guest.run("ls /sys/class/net"))
            scenes.verify_files(guest, "-t ext4 /dev/nvme0n1")
            guest.power_off()

    @fail_on(Failure)
    def test_more_devices_than_pool(self):
        """The rings of 49 disks do not fit into 2 MiB.

        Disks that come too late stay away; the others work.
        """
        machine = scenes.full_machine(self.accel, places.DISK, writable=False,
                                      pool="2M")
        for slot in range(0x10, 0x16):
            for function in range(8):
                name = f"null{slot:x}{function}"
                machine.add("-blockdev", f"driver=null-co,node-name={name},"
                                         "size=1048576,read-zeroes=on")
                machine.device(
                    "virtio-blk-pci", f"disk-{name}",
                    f"drive={name},addr={slot:x}.{function},multifunction=on,"
                    "queue-size=1024,num-queues=2")
        with self.start(machine) as guest:
            disks = guest.run("ls /sys/block")
            self.assertLess(len(disks), 49)
            for disk in disks:
                guest.run(f"dd if=/dev/{disk} of=/dev/null bs=256k count=1 "
                          "iflag=direct")
            scenes.verify_files(guest)
            guest.power_off()
