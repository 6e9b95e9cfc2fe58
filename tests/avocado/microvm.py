# SPDX-License-Identifier: GPL-2.0-or-later
"""The small machine microvm, whose only firmware interface is ACPI."""

from restricted import GuestTest

from testbed import pools

# Where ACPI says "hardware-reduced", Linux uses no legacy timer.  Then it has
# nothing to calibrate an emulated TSC with.  No test depends on this value.
TCG_APPEND = "tsc_early_khz=2000000"


class Microvm(GuestTest):
    def test_pool(self) -> None:
        """The guest finds the host's pool.

        It does not use it: under TCG this machine's timers stop now and then.
        """
        machine = self.our_machine(TCG_APPEND if self.accel == "tcg" else "",
                                   kind="microvm,acpi=on,pcie=on")
        with self.start(machine) as guest:
            pools.check_found(guest)
            guest.power_off()
