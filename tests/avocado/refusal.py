# SPDX-License-Identifier: GPL-2.0-or-later
"""Who does not keep to the pool gets no device."""

from avocado import fail_on
from restricted import GuestTest

from testbed import hostile, places, stock
from testbed.failure import Failure


class Refusal(GuestTest):
    @fail_on(Failure)
    def test_stock_kernel_q35(self):
        self.stock("q35")

    @fail_on(Failure)
    def test_stock_kernel_pc(self):
        self.stock("pc")

    @fail_on(Failure)
    def test_stock_kernel_default_pool(self):
        """It takes no notice of a default pool either."""
        self.stock("q35", pool="64M,dma-default=on")

    @fail_on(Failure)
    def test_hostile_driver_q35(self):
        hostile.attack(places.DISK, "hostile", self.logs, "q35")

    @fail_on(Failure)
    def test_hostile_driver_pc(self):
        hostile.attack(places.DISK, "hostile", self.logs, "pc")

    def stock(self, kind, **options):
        with stock.boot(self.accel, places.DISK, "stock", self.logs,
                        kind=kind, **options) as guest:
            stock.check_refused(guest)
            guest.power_off()
