# SPDX-License-Identifier: GPL-2.0-or-later
"""Pools that are too small, or out of a device's reach."""

import hashlib
from typing import List

from restricted import DEFAULT_POOL, GuestTest

from testbed import disk, places, pools, scenes
from testbed.guest import Guest
from testbed.units import KIB, MIB

SLOT = 2048             # bytes
READERS = 16
WRITERS = 16
BLOCKS = 8              # of 1 MiB, which each of them reads or writes
PATIENCE = 240          # seconds for all of them; most machines take ten
# Beyond the reach of a 32-bit device
HIGH = 0x200000000


class Limits(GuestTest):
    def test_more_requests_than_pool(self) -> None:
        """16 readers together need 16 MiB of a pool of 2 MiB.

        They wait for each other, all of them finish, and what they read is
        right.
        """
        with self.boot(pool="2M") as guest:
            scenes.check_restricted(guest)
            guest.run(f"{self.read('vda')}; wait")
            self.assertEqual(self.sums(guest), self.wanted_sums())
            scenes.verify_files(guest)
            scenes.check_pool(guest)
            guest.power_off()

    def wanted_sums(self) -> List[str]:
        with places.DISK.open("rb") as image:
            return [hashlib.sha256(image.read(BLOCKS * MIB)).hexdigest()
                    for _ in range(READERS)]

    def full_pool(self, pool: str, virtio: str,
                  ring_may_fill_first: bool = False) -> None:
        """16 readers and 16 writers need more than the pool.

        Requests that find no room are made again, none of the others is
        damaged, and all data is right, on the disk and as it is read back.
        Where each piece of a request takes a descriptor of the ring, that may
        have no room either, and then nobody asks the full pool.
        """
        scratch = self.file("scratch.img")
        written = [disk.pattern(seed, BLOCKS * MIB)
                   for seed in range(1, WRITERS + 1)]
        with scratch.open("wb") as image:
            image.truncate(WRITERS * BLOCKS * MIB)
        machine = self.our_machine(pool=pool, virtio=virtio)
        machine.disk(places.DISK, writable=False)
        # Slow enough for requests to pile up
        machine.add("-drive", "if=none,id=scratch,format=raw,"
                              f"file={scratch},"
                              f"throttling.bps-total={32 * MIB}")
        machine.virtio("blk", "disk1", "drive=scratch")
        with self.start(machine) as guest:
            write = (f"for i in $(seq {WRITERS}); do pattern $i "
                     f"{BLOCKS * MIB} | dd of=/dev/vdb bs=1M iflag=fullblock "
                     f"oflag=direct seek=$(((i - 1) * {BLOCKS})) conv=notrunc "
                     "2>/dev/null || echo $i failed & done")
            self.assertEqual(guest.try_run(
                f"{write}; {self.read('vda')}; wait", PATIENCE), (0, []))
            self.assertEqual(self.sums(guest), self.wanted_sums())
            guest.run(f"{self.read('vdb')}; wait")
            self.assertEqual(self.sums(guest),
                             [hashlib.sha256(data).hexdigest()
                              for data in written])
            self.assertEqual(pools.check_used(guest, 2),
                             pools.only(guest)["size"],
                             "the pool was never full")
            if not ring_may_fill_first:
                self.assertGreater(self.failed_mappings(guest), 0,
                                   "no request had to wait")
            guest.power_off()
        self.assertEqual(scratch.read_bytes(), b"".join(written))

    def read(self, device: str) -> str:
        """The command that starts the readers of a disk."""
        return (f"for i in $(seq 0 {READERS - 1}); do dd if=/dev/{device} "
                f"bs=1M count={BLOCKS} skip=$((i * {BLOCKS})) iflag=direct "
                "2>/dev/null | sha256sum >/tmp/sum.$i & done")

    def sums(self, guest: Guest) -> List[str]:
        """What the readers have read."""
        lines = guest.run(f"for i in $(seq 0 {READERS - 1}); do "
                          "cat /tmp/sum.$i; done")
        return [line.split()[0] for line in lines]

    def failed_mappings(self, guest: Guest) -> int:
        lines = guest.run("cat /sys/kernel/debug/swiotlb/*@*/io_tlb_failures")
        return sum(int(line.split()[1]) for line in lines)

    def test_full_pool_split(self) -> None:
        self.full_pool("2M", "")

    def test_full_pool_packed(self) -> None:
        self.full_pool("2M", "packed=on")

    def test_full_larger_pool_packed(self) -> None:
        self.full_pool("8M", "packed=on")

    def test_full_pool_packed_no_indirect(self) -> None:
        self.full_pool("2M", "packed=on,indirect_desc=off",
                       ring_may_fill_first=True)

    def test_receive_buffers_leave_room(self) -> None:
        """A network card keeps receive buffers of 68 KiB, but not everywhere.

        They take less than half of the pool.  The disk that shares it is read
        in requests as large as it takes, and the card sends and receives.
        """
        machine = self.our_machine(pool="2M")
        machine.disk(places.DISK, writable=False).user_network()
        machine.virtio("net", "net0", "netdev=user0,mrg_rxbuf=off")
        with self.start(machine) as guest:
            before = self.used(guest)
            guest.run("net-up")
            self.assertGreater(self.used(guest), before + 68 * KIB)
            self.assertLess(self.used(guest), MIB)
            self.assertEqual(guest.try_run(f"{self.read('vda')}; wait",
                                           PATIENCE), (0, []))
            self.assertEqual(self.sums(guest), self.wanted_sums())
            scenes.download(guest)
            guest.power_off()

    def used(self, guest: Guest) -> int:
        """The bytes of the pool that are in use."""
        return SLOT * int(pools.check_found(guest)["io_tlb_used"])

    def test_larger_files_than_the_pool(self) -> None:
        """Files of a 9p share are read in requests that fit into the pool."""
        share = self.file("share")
        share.mkdir()
        data = disk.pattern(1, 4 * MIB)
        for name in "abcd":
            (share / name).write_bytes(data)
        machine = self.our_machine(pool="2M")
        machine.share(share, "readonly=on")
        with self.start(machine) as guest:
            scenes.mount_share(guest, "msize=262144")
            status, sums = guest.try_run(
                "for i in a b c d; do sha256sum </share/$i >/tmp/$i & done; "
                "wait; cat /tmp/[abcd]", PATIENCE)
            self.assertEqual(status, 0)
            self.assertEqual([line.split()[0] for line in sums],
                             [hashlib.sha256(data).hexdigest()] * 4)
            guest.power_off()

    def test_pool_out_of_reach(self) -> None:
        """A 32-bit network card cannot reach a default pool above 4 GiB.

        The kernel says so, and the card is unusable.  A disk that reaches the
        pool works.
        """
        machine = self.our_machine(pool=f"{DEFAULT_POOL},addr={HIGH:#x}")
        machine.user_network().other_device("i82557b", "netdev=user0")
        machine.nvme(places.DISK, writable=False)
        with self.start(machine) as guest:
            self.assertRegex(
                guest.kernel_log(),
                "e100 .*restricted DMA: 32-bit DMA does not reach the "
                f"pool .*{HIGH:x}")
            self.assertNotIn("eth0", guest.run("ls /sys/class/net"))
            scenes.verify_files(guest, "/dev/nvme0n1")
            guest.power_off()

    def test_more_devices_than_pool(self) -> None:
        """The rings of 49 disks do not fit into 2 MiB.

        Disks that find no room are unusable; the others work.
        """
        machine = self.full_machine(pool="2M")
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
