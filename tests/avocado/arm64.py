# SPDX-License-Identifier: GPL-2.0-or-later
"""64-bit Arm: pools that a device tree describes, or UEFI's ACPI tables."""

from architecture import SIZE, ArchTest
from avocado import fail_on

from testbed import addresses, places, scenes
from testbed.arch import AARCH64
from testbed.failure import Failure

GIB = 1024 * scenes.MIB


class Arm64(ArchTest):
    arch = AARCH64

    def check_default_pool(self, **options):
        """A device that is not virtio uses the pool because it is the default.

        options: those of Machine.
        """
        machine = scenes.our_machine(self.accel, arch=self.arch,
                                     pool="64M,dma-default=on", **options)
        machine.image("nvme", places.DISK, writable=False)
        machine.other_device("nvme", "drive=nvme,serial=1")
        with self.start(machine) as guest:
            addresses.watch(guest)
            guest.run("rebind nvme")
            scenes.verify_files(guest, "-t ext4 /dev/nvme0n1")
            pool = scenes.pool_of(guest)
            guest.power_off()
        addresses.check_inside(guest.log, pool, "pci_nvme")


class DeviceTree(Arm64):
    """
    :avocado: tags=arch
    """

    @fail_on(Failure)
    def test_pci(self):
        self.check_guest()

    @fail_on(Failure)
    def test_mmio(self):
        self.check_guest(bus="mmio")

    @fail_on(Failure)
    def test_bindings(self):
        self.check_bindings()
        self.check_bindings(bus="mmio")

    @fail_on(Failure)
    def test_above_4_gib(self):
        pool = self.check_guest(memory="4G")
        self.assertGreaterEqual(pool["base"], 4 * GIB)

    @fail_on(Failure)
    def test_default_pool(self):
        self.check_default_pool()


class Uefi(Arm64):
    """
    :avocado: tags=arch
    """

    @fail_on(Failure)
    def test_pci(self):
        self.check_guest(uefi=True)

    @fail_on(Failure)
    def test_mmio(self):
        self.check_guest(uefi=True, bus="mmio")

    @fail_on(Failure)
    def test_default_pool(self):
        self.check_default_pool(uefi=True)


class LargePages(Arm64):
    """A kernel with pages of 64 KiB.

    :avocado: tags=arch,slow
    """

    kernel = AARCH64.kernel_in("linux", "64k")

    @fail_on(Failure)
    def test_device_tree(self):
        self.check_guest(kernel=self.kernel)

    @fail_on(Failure)
    def test_mmio(self):
        self.check_guest(kernel=self.kernel, bus="mmio")

    @fail_on(Failure)
    def test_neighbours(self):
        """A pool of 2 MiB, and one right after it: a disk works in each.

        Rings take at least a page, and the struct pages of the two pools
        share one.
        """
        machine = scenes.our_machine(self.accel, arch=self.arch, uefi=True,
                                     kernel=self.kernel, pool="2M")
        machine.add_pool("pool1", "64M")
        machine.disk(places.DISK, writable=False)
        machine.image("image1", places.DISK, writable=False)
        machine.device("virtio-blk-pci", "disk1", "drive=image1", pool="pool1")
        with self.start(machine) as guest:
            for disk in ("/dev/vda", "/dev/vdb"):
                scenes.verify_files(guest, f"-t ext4 {disk}")
                guest.run("umount /mnt")
            pools = guest.qmp.command("query-restricted-dma-pools")
            self.assertEqual([(len(pool["devices"]), pool["violations"])
                              for pool in pools], [(1, 0), (1, 0)])
            guest.power_off()

    @fail_on(Failure)
    def test_large_pool(self):
        """With a device tree the kernel would clear all of it, and the host
        would have to have so much memory."""
        self.check_guest(kernel=self.kernel, uefi=True, pool="16G")


class Stock(Arm64):
    """Linux without the series knows pools in device trees, and no feature.

    The devices do not offer the feature then, and are restricted all the same.

    :avocado: tags=arch,slow
    """

    def check_stock(self, bus):
        kernel = AARCH64.kernel_in("base/linux")
        with self.boot(kernel=kernel, bus=bus, negotiate=False) as guest:
            scenes.check_unaware(guest)
            scenes.work(guest, SIZE)
            guest.power_off()

    @fail_on(Failure)
    def test_pci(self):
        self.check_stock("pci")

    @fail_on(Failure)
    def test_mmio(self):
        self.check_stock("mmio")
