# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices of a guest that other processes serve, which have the pool only."""

from contextlib import ExitStack
from pathlib import Path
from typing import List, Type

from restricted import GuestTest

from testbed import disk, scenes
from testbed.back_end import BackEnd, Bridge, StorageDaemon
from testbed.failure import expect
from testbed.guest import Destination, Guest
from testbed.machine import Machine
from testbed.units import MIB

POOL_MIB = 64
BYTES = 32 * MIB
RESTARTS = 5
MEMORY = "1G"
FOLDERS = ["/mnt", "/other"]
SECTORS_WRITTEN = "awk '{ print $7 }' /sys/block/vda/stat"


class Vhost(GuestTest):
    def machine(self, daemons: List[StorageDaemon]) -> Machine:
        """The first disk is confined, and the others are not."""
        machine = self.our_machine(memory=MEMORY, pool=f"{POOL_MIB}M")
        machine.share_memory(MEMORY)
        for number, daemon in enumerate(daemons):
            machine.vhost_disk(f"disk{number}", daemon.socket_path,
                               pooled=number == 0)
        return machine

    def daemon(self, image: Path, name: str,
               options: str = "locking=auto") -> StorageDaemon:
        return StorageDaemon(f"file,filename={image},{options}",
                             self.logs / f"{name}.log")

    def guest(self, *daemons: StorageDaemon) -> Guest:
        return Guest(self.machine(list(daemons)), "guest", (), self.logs)

    def check_memory(self, back_end: BackEnd) -> None:
        """The process has mapped the pool, and can map nothing else."""
        shared = back_end.shared_files()
        expect(len(shared) == 1 and "restricted-dma-pool.pool0" in shared[0]
               and shared[0].startswith(f"{POOL_MIB * MIB} "),
               f"the process shares {shared}, not the pool alone")
        others = [name for name in back_end.open_files() if "memfd" in name
                  or "memory-backend" in name]
        expect(not others, f"the process has {others} open")

    def test_memory(self) -> None:
        """A confined disk and one that is not, each with a process of its own.
        """
        image, other = self.disk_copy(), disk.copy(self.file("other.img"))
        with self.daemon(image, "confined") as confined, \
                self.daemon(other, "free") as free, \
                self.guest(confined, free) as guest:
            scenes.verify_files(guest)
            scenes.write_pattern(guest, BYTES)
            scenes.verify_files(guest, "/dev/vdb")
            guest.run("umount /mnt")
            self.check_memory(confined)
            expect(any("memory-backend" in name
                       for name in free.shared_files()),
                   "the other daemon has no memory of the guest")
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    def test_restart(self) -> None:
        """The process dies again and again while the guest writes."""
        image = self.disk_copy()
        with self.daemon(image, "daemon") as daemon, \
                self.guest(daemon) as guest:
            scenes.verify_files(guest)
            scenes.begin_writing(guest, BYTES, "/mnt")
            for _ in range(RESTARTS):
                written = int(guest.run(SECTORS_WRITTEN)[0])
                # QEMU connects at once, and waits for an answer
                daemon.kill()
                daemon.start()
                guest.wait_until(f"[ $({SECTORS_WRITTEN}) -gt "
                                 f"{written + 2 * BYTES // 512} ]")
                self.check_memory(daemon)
            scenes.end_writing(guest, "/mnt")
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    def test_migration(self) -> None:
        """A guest migrates while it writes to both disks, confined and not.

        Each side has daemons of its own, which use the same images.
        """
        images = [self.disk_copy(), disk.copy(self.file("other.img"))]
        with ExitStack() as stack:
            source = self.side(stack, images, "source", Guest)
            guest = self.side(stack, images, "destination", Destination,
                              "-incoming", "defer")
            for device, folder in zip(("/dev/vda", "/dev/vdb"), FOLDERS):
                scenes.verify_files(source, device, folder=folder)
            scenes.begin_writing(source, BYTES, *FOLDERS)
            scenes.migrate(source, guest)
            written = int(guest.run(SECTORS_WRITTEN)[0])
            guest.wait_until(f"[ $({SECTORS_WRITTEN}) -gt "
                             f"{written + 2 * BYTES // 512} ]")
            scenes.end_writing(guest, *FOLDERS)
            guest.power_off()
        for image in images:
            disk.check_written(image, scenes.SEED, BYTES)

    def side(self, stack: ExitStack, images: List[Path], name: str,
             kind: Type[Guest], *options: str) -> Guest:
        """A machine with a daemon for each image, which others use as well."""
        daemons = [stack.enter_context(
            self.daemon(image, f"{name}{number}", "locking=off"))
            for number, image in enumerate(images)]
        machine = self.machine(daemons).add(*options)
        return stack.enter_context(kind(machine, name, (), self.logs))

    def test_network(self) -> None:
        """A page is downloaded through a network card."""
        machine = self.our_machine(memory=MEMORY, pool=f"{POOL_MIB}M")
        with Bridge(self.logs / "bridge.log") as bridge:
            machine.vhost_network("net0", bridge.socket_path)
            with Guest(machine, "guest", (), self.logs) as guest:
                scenes.download(guest, BYTES)
                self.check_memory(bridge)
                guest.power_off()
