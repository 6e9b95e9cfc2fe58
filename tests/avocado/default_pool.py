# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices that name no pool, most of them not virtio, use the default pool."""

from pathlib import Path

from restricted import DEFAULT_POOL, GuestTest

from testbed import addresses, disk, places, pools, scenes, xfs
from testbed.guest import Guest
from testbed.machine import Machine
from testbed.units import MIB

BYTES = 16 * MIB


class DefaultPool(GuestTest):
    def test_devices_of_other_kinds(self) -> None:
        """NVMe with xfs, SATA and USB storage with ext4, and an e1000e card.

        The guest checks the SHA-256 of files from the host, copies them from
        one disk to another, and writes to each disk.  The host then checks
        what arrived there.
        """
        sata, usb = (disk.copy(self.file(name))
                     for name in ("sata.img", "usb.img"))
        nvme = xfs.make(self.file("nvme.img"))
        with self.start(self.machine_with(sata, usb, nvme)) as guest:
            addresses.watch(guest)
            guest.run("rebind nvme ahci xhci_hcd e1000e")
            self.copy_files(guest)
            for bus, file_system in (("nvme", "xfs"), ("ata", "ext4"),
                                     ("usb", "ext4")):
                scenes.verify_files(guest, self.disk_on(guest, bus),
                                    file_system)
                scenes.write_pattern(guest, BYTES)
            scenes.download(guest, BYTES)
            pool = pools.only(guest)
            self.check_statistics(guest)
            guest.power_off()
        addresses.check_inside(guest.log, pool)
        for image in (sata, usb):
            disk.check_written(image, scenes.SEED, BYTES)
        xfs.check_written(nvme, scenes.SEED, BYTES)

    def test_device_behind_an_iommu(self) -> None:
        """The IOMMU confines it, so it does not need the pool."""
        machine = self.our_machine("intel_iommu=on", pool=DEFAULT_POOL)
        machine.other_device("intel-iommu")
        machine.nvme(places.DISK, writable=False)
        with self.start(machine) as guest:
            function = guest.run("readlink -f /sys/class/nvme/nvme0/device")[0]
            self.assertIn("iommu", guest.run(f"ls {function}"))
            scenes.verify_files(guest, "/dev/nvme0n1")
            users = guest.run("cat /sys/kernel/debug/swiotlb/*/devices")
            self.assertFalse([user for user in users if "nvme" in user])
            stats = guest.values("pool-stats")
            self.assertEqual(int(stats["io_tlb_used_hiwater"]), 0)
            guest.power_off()

    def test_device_behind_an_iommu_that_does_not_translate(self) -> None:
        """It reaches all memory, so it uses the pool until that changes.

        The domain of the device can be changed while no driver is bound.
        """
        machine = self.our_machine("intel_iommu=on iommu=pt",
                                   pool=DEFAULT_POOL)
        machine.other_device("intel-iommu")
        machine.nvme(places.DISK, writable=False)
        with self.start(machine) as guest:
            self.check_domain(guest, "identity", pooled=True)
            self.change_domain(guest, "DMA")
            self.check_domain(guest, "DMA", pooled=False)
            self.change_domain(guest, "identity")
            self.check_domain(guest, "identity", pooled=True)
            guest.power_off()

    def change_domain(self, guest: Guest, domain: str) -> None:
        """Gives the NVMe disk another domain and binds it again."""
        driver = "/sys/bus/pci/drivers/nvme"
        name = guest.run(f"ls {driver} | grep :")[0]
        guest.run(f"echo {name} >{driver}/unbind")
        guest.run(f"echo {domain} "
                  f">/sys/bus/pci/devices/{name}/iommu_group/type")
        guest.run("cd /sys/kernel/debug/swiotlb/*@*; "
                  "echo 0 >io_tlb_used_hiwater")
        guest.run(f"echo {name} >{driver}/bind")
        guest.wait_until("[ -b /dev/nvme0n1 ]")

    def check_domain(self, guest: Guest, domain: str, pooled: bool) -> None:
        """The NVMe disk has this domain, works, and uses the pool or not."""
        device = "/sys/bus/pci/drivers/nvme/*:*"
        self.assertEqual(guest.run(f"cat {device}/iommu_group/type"), [domain])
        scenes.verify_files(guest, "/dev/nvme0n1")
        guest.run("umount /mnt")
        users = guest.run("cat /sys/kernel/debug/swiotlb/*/devices")
        self.assertEqual(any("nvme" in user for user in users), pooled)
        most = int(guest.values("pool-stats")["io_tlb_used_hiwater"])
        self.assertEqual(most > 0, pooled)

    def machine_with(self, sata: Path, usb: Path, nvme: Path) -> Machine:
        """A machine with these disks and a network card, none of them virtio.
        """
        machine = self.our_machine(pool=DEFAULT_POOL)
        machine.image("sata", sata, writable=True)
        machine.image("usb", usb, writable=True)
        machine.other_device("ide-hd", "bus=ide.0,drive=sata")
        machine.other_device("qemu-xhci")
        machine.other_device("usb-storage", "drive=usb")
        machine.nvme(nvme)
        machine.user_network()
        return machine.other_device("e1000e", "netdev=user0")

    def disk_on(self, guest: Guest, bus: str) -> str:
        return guest.run(f"find-disk {bus}")[0]

    def copy_files(self, guest: Guest) -> None:
        """Copies all files from the SATA disk to the NVMe disk."""
        guest.run("mkdir -p /target")
        guest.run(f"mount -t ext4 {self.disk_on(guest, 'ata')} /mnt")
        guest.run(f"mount -t xfs {self.disk_on(guest, 'nvme')} /target")
        guest.run("cp -r /mnt/. /target/")
        guest.run("umount /mnt /target")

    def check_statistics(self, guest: Guest) -> None:
        """The guest's pool holds rings, and held buffers."""
        stats = pools.check_found(guest)
        self.assertGreater(int(stats["io_tlb_used_hiwater"]), 0)
        self.assertGreater(int(stats["io_tlb_used"]), 0,
                           "rings are not in the pool")
