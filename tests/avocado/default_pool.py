# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices that name no pool, most of them not virtio, use the default pool."""

from pathlib import Path

from avocado import fail_on
from restricted import GuestTest

from testbed import addresses, disk, places, scenes, xfs
from testbed.failure import Failure

MIB = scenes.MIB
WRITE = 16 * MIB
DOWNLOAD = 16 * MIB
POOL = "64M,dma-default=on"


class DefaultPool(GuestTest):
    @fail_on(Failure)
    def test_devices_of_other_kinds(self):
        """NVMe with xfs, SATA and USB storage with ext4, and e1000e.

        The files come from the host with their SHA-256, go from one disk to
        the other, and the host looks at what arrived on each of them.
        """
        images = Path(self.workdir)
        sata = disk.copy(images / "sata.img")
        usb = disk.copy(images / "usb.img")
        nvme = xfs.make(images / "nvme.img")
        machine = scenes.our_machine(self.accel, pool=POOL)
        machine.image("sata", sata, writable=True)
        machine.image("usb", usb, writable=True)
        machine.image("nvme", nvme, writable=True)
        machine.other_device("ide-hd", "bus=ide.0,drive=sata")
        machine.other_device("qemu-xhci")
        machine.other_device("usb-storage", "drive=usb")
        machine.other_device("nvme", "drive=nvme,serial=1")
        machine.user_network()
        machine.other_device("e1000e", "netdev=user0")
        with self.start(machine) as guest:
            addresses.watch(guest)
            guest.run("rebind nvme ahci xhci_hcd e1000e")
            self.copy_files(guest, "ata", "nvme")
            scenes.verify_files(guest, self.found(guest, "nvme", "xfs"))
            scenes.write_pattern(guest, WRITE)
            for bus in ("ata", "usb"):
                scenes.verify_files(guest, self.found(guest, bus, "ext4"))
                scenes.write_pattern(guest, WRITE)
            scenes.download(guest, DOWNLOAD)
            pool = scenes.pool_of(guest)
            self.check_statistics(guest, pool)
            guest.power_off()
        addresses.check_inside(guest.log, pool)
        for image in (sata, usb):
            disk.check_written(image, scenes.SEED, WRITE)
        xfs.check_written(nvme, scenes.SEED, WRITE)

    @fail_on(Failure)
    def test_device_behind_an_iommu(self):
        """It is confined by the IOMMU, and has no need of the pool."""
        machine = scenes.our_machine(self.accel, "intel_iommu=on", pool=POOL)
        machine.other_device("intel-iommu")
        machine.image("nvme", places.DISK, writable=False)
        machine.other_device("nvme", "drive=nvme,serial=1")
        with self.start(machine) as guest:
            function = guest.run("readlink -f /sys/class/nvme/nvme0/device")[0]
            self.assertIn("iommu", guest.run(f"ls {function}"))
            scenes.verify_files(guest, "-t ext4 /dev/nvme0n1")
            users = guest.run("cat /sys/kernel/debug/swiotlb/*/devices")
            self.assertFalse([user for user in users if "nvme" in user])
            stats = guest.values("pool-stats")
            self.assertEqual(int(stats["io_tlb_used_hiwater"]), 0)
            guest.power_off()

    def found(self, guest, bus, file_system):
        device = guest.run(f"find-disk {bus}")[0]
        return f"-t {file_system} {device}"

    def copy_files(self, guest, source, target):
        guest.run("mkdir -p /target")
        guest.run(f"mount {self.found(guest, source, 'ext4')} /mnt")
        guest.run(f"mount {self.found(guest, target, 'xfs')} /target")
        guest.run("cp -r /mnt/. /target/")
        guest.run("umount /mnt /target")

    def check_statistics(self, guest, pool):
        """The pool held what the devices had, and no other memory did."""
        stats = guest.values("pool-stats")
        self.assertEqual(stats["pool"],
                         f"restricted-dma-pool@{pool['base']:x}")
        self.assertGreater(int(stats["io_tlb_used_hiwater"]), 0)
        self.assertGreater(int(stats["io_tlb_used"]), 0,
                           "rings are not in the pool")
