# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices of a guest that other processes serve, which have the pool only."""

from pathlib import Path
from typing import List

from restricted import GuestTest

from testbed import disk, scenes
from testbed.back_end import BackEnd, Bridge, StorageDaemon
from testbed.failure import expect
from testbed.guest import Guest
from testbed.machine import Machine
from testbed.units import MIB

POOL_MIB = 64
BYTES = 32 * MIB
RESTARTS = 5
MEMORY = "1G"
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

    def daemon(self, image: Path, name: str) -> StorageDaemon:
        return StorageDaemon(f"file,filename={image}",
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
            guest.run("(status=0; until [ -e /tmp/stop -o $status != 0 ]; do "
                      f"write-pattern {scenes.SEED} {BYTES}; status=$?; "
                      "done; echo $status >/tmp/stopped) &")
            for _ in range(RESTARTS):
                written = int(guest.run(SECTORS_WRITTEN)[0])
                # QEMU connects at once, and waits for an answer
                daemon.kill()
                daemon.start()
                guest.wait_until(f"[ $({SECTORS_WRITTEN}) -gt "
                                 f"{written + 2 * BYTES // 512} ]")
                self.check_memory(daemon)
            guest.run("touch /tmp/stop; "
                      "until [ -s /tmp/stopped ]; do usleep 100000; done; "
                      "umount /mnt; exit $(cat /tmp/stopped)")
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)

    def test_network(self) -> None:
        """A page is downloaded through a network card."""
        machine = self.our_machine(memory=MEMORY, pool=f"{POOL_MIB}M")
        with Bridge(self.logs / "bridge.log") as bridge:
            machine.vhost_network("net0", bridge.socket_path)
            with Guest(machine, "guest", (), self.logs) as guest:
                scenes.download(guest, BYTES)
                self.check_memory(bridge)
                guest.power_off()
