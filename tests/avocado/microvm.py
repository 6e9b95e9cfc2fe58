# SPDX-License-Identifier: GPL-2.0-or-later
"""The small machine, which has ACPI but no other firmware to speak of."""

from avocado import fail_on
from restricted import GuestTest

from testbed import scenes
from testbed.failure import Failure
from testbed.guest import Guest

# Linux uses no legacy timer where ACPI says "hardware-reduced", so that there
# is nothing to measure an emulated TSC with. Nothing here depends on its value.
TCG_APPEND = "tsc_early_khz=2000000"


class Microvm(GuestTest):
    @fail_on(Failure)
    def test_pool(self):
        """The guest finds the pool of the host.

        It does not use it: emulated, the timers of this machine's guests stop
        now and then.
        """
        machine = scenes.our_machine(
            self.accel, TCG_APPEND if self.accel == "tcg" else "",
            kind="microvm,acpi=on,pcie=on")
        with Guest(machine, "guest", logs=self.logs) as guest:
            pool = scenes.pool_of(guest)
            self.assertEqual(guest.values("pool-stats").get("pool"),
                             f"restricted-dma-pool@{pool['base']:x}")
            guest.power_off()
