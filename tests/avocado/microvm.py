# SPDX-License-Identifier: GPL-2.0-or-later
"""The small machine, which has ACPI but no other firmware to speak of."""

from pathlib import Path

from avocado import fail_on
from restricted import GuestTest

from rdp import disk, scenes
from rdp.failure import Failure

BYTES = 4 * scenes.MIB
# Linux uses no legacy timer where ACPI says "hardware-reduced", so that there
# is nothing to measure an emulated TSC with. Nothing here depends on its value.
TCG_APPEND = "tsc_early_khz=2000000"


class Microvm(GuestTest):
    @fail_on(Failure)
    def test_devices(self):
        """All devices work, in the pool that the guest finds by ACPI."""
        image = disk.copy(Path(self.workdir) / "disk.img")
        with self.boot(image, kind="microvm,acpi=on,pcie=on",
                       append=TCG_APPEND if self.accel == "tcg" else ""
                       ) as guest:
            pool = scenes.pool_of(guest)
            self.assertEqual(guest.values("pool-stats").get("pool"),
                             f"restricted-dma-pool@{pool['base']:x}")
            scenes.use_all(guest, BYTES)
            guest.power_off()
        disk.check_written(image, scenes.SEED, BYTES)
