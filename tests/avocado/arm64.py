# SPDX-License-Identifier: GPL-2.0-or-later
"""64-bit Arm: a device tree or UEFI's ACPI tables describe the pools."""

from typing import Any

from architecture import BYTES, ArchTest, DeviceTreeTest
from restricted import DEFAULT_POOL

from testbed import addresses, places, pools, scenes
from testbed.arch import AARCH64
from testbed.units import GIB


class Arm64(ArchTest):
    arch = AARCH64

    def check_default_pool(self, **options: Any) -> None:
        """An NVMe disk, which is not virtio, uses the default pool."""
        machine = self.our_machine(pool=DEFAULT_POOL, **options)
        machine.nvme(places.DISK, writable=False)
        with self.start(machine) as guest:
            addresses.watch(guest)
            guest.run("rebind nvme")
            scenes.verify_files(guest, "/dev/nvme0n1")
            pool = pools.only(guest)
            guest.power_off()
        addresses.check_inside(guest.log, pool, "pci_nvme")


class DeviceTree(Arm64, DeviceTreeTest):
    """
    :avocado: tags=arch
    """

    def test_above_4_gib(self) -> None:
        pool = self.check_guest(memory="4G")
        self.assertGreaterEqual(pool["base"], 4 * GIB)

    def test_default_pool(self) -> None:
        self.check_default_pool()


class Uefi(Arm64):
    """
    :avocado: tags=arch
    """

    def test_pci(self) -> None:
        self.check_guest(uefi=True)

    def test_mmio(self) -> None:
        self.check_guest(uefi=True, bus="mmio")

    def test_default_pool(self) -> None:
        self.check_default_pool(uefi=True)


class LargePages(Arm64):
    """A kernel with pages of 64 KiB.

    :avocado: tags=arch,slow
    """

    kernel = AARCH64.kernel_in("linux", "64k")

    def test_device_tree(self) -> None:
        self.check_guest(kernel=self.kernel)

    def test_mmio(self) -> None:
        self.check_guest(kernel=self.kernel, bus="mmio")

    def test_neighbours(self) -> None:
        """A disk works in a pool of 2 MiB, and one in the pool right after it.

        A ring takes at least a page.  The struct pages of the two pools share
        a page.
        """
        machine = self.our_machine(uefi=True, kernel=self.kernel, pool="2M")
        machine.add_pool("pool1", "64M")
        machine.disk(places.DISK, writable=False)
        machine.image("image1", places.DISK, writable=False)
        machine.device("virtio-blk-pci", "disk1", "drive=image1", pool="pool1")
        with self.start(machine) as guest:
            for disk in ("/dev/vda", "/dev/vdb"):
                scenes.verify_files(guest, disk)
                guest.run("umount /mnt")
            self.assertEqual([(len(pool["devices"]), pool["violations"])
                              for pool in pools.every(guest)],
                             [(1, 0), (1, 0)])
            guest.power_off()

    def test_large_pool(self) -> None:
        """UEFI only: with a device tree the kernel clears the whole pool.

        Then the host would need as much memory.
        """
        self.check_guest(kernel=self.kernel, uefi=True, pool="16G")


class Stock(Arm64):
    """Linux without the series: it knows pools in device trees.

    It does not know the feature.  The devices do not offer it here, and are
    restricted all the same.

    :avocado: tags=arch,slow
    """

    def check_stock(self, bus: str) -> None:
        kernel = AARCH64.kernel_in("base/linux")
        with self.boot(kernel=kernel, bus=bus, negotiate=False) as guest:
            scenes.check_unaware(guest)
            scenes.work(guest, BYTES)
            guest.power_off()

    def test_pci(self) -> None:
        self.check_stock("pci")

    def test_mmio(self) -> None:
        self.check_stock("mmio")
