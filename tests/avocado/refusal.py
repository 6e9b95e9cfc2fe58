# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver that does not keep to the pool gets no device."""

from typing import Any

from restricted import DEFAULT_POOL, GuestTest

from testbed import hostile, places, stock


class Refusal(GuestTest):
    def test_stock_kernel_q35(self) -> None:
        self.stock("q35")

    def test_stock_kernel_pc(self) -> None:
        self.stock("pc")

    def test_stock_kernel_default_pool(self) -> None:
        """The stock kernel ignores a default pool as well."""
        self.stock("q35", pool=DEFAULT_POOL)

    def test_hostile_driver_q35(self) -> None:
        hostile.attack(places.DISK, "hostile", self.logs, "q35")

    def test_hostile_driver_pc(self) -> None:
        hostile.attack(places.DISK, "hostile", self.logs, "pc")

    def stock(self, kind: str, **options: Any) -> None:
        with stock.boot(self.accel, places.DISK, "stock", self.logs,
                        kind=kind, **options) as guest:
            stock.check_refused(guest)
            guest.power_off()
