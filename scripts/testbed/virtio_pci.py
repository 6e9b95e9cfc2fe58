# SPDX-License-Identifier: GPL-2.0-or-later
"""A small driver for virtio-pci devices on bus 0, over qtest."""

from typing import Dict, Tuple

from .failure import Failure
from .qtest import Qtest

VENDOR = 0x1af4
MODERN_DEVICE = 0x1040

COMMAND, BAR0, CAPABILITIES = 0x04, 0x10, 0x34
COMMAND_MEMORY_AND_MASTER = 0x6
VENDOR_CAPABILITY = 0x09

# types of virtio capability
COMMON, NOTIFY = 1, 2

# fields of the common configuration: offset and size in bytes
Field = Tuple[int, int]
DEVICE_FEATURE_SELECT, DEVICE_FEATURE = (0x00, 4), (0x04, 4)
DRIVER_FEATURE_SELECT, DRIVER_FEATURE = (0x08, 4), (0x0c, 4)
STATUS = (0x14, 1)
QUEUE_SELECT, QUEUE_SIZE, QUEUE_ENABLE = (0x16, 2), (0x18, 2), (0x1c, 2)
QUEUE_NOTIFY_OFFSET = (0x1e, 2)
# 64-bit fields: offset
QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE = 0x20, 0x28, 0x30
POOL_BASE, POOL_SIZE = 0x40, 0x48

ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK = 0x01, 0x02, 0x04, 0x08
NEEDS_RESET = 0x40

F_RING_INDIRECT_DESC, F_RING_PACKED = 1 << 28, 1 << 34
F_VERSION_1, F_ACCESS_PLATFORM, F_RESTRICTED_DMA = 1 << 32, 1 << 33, 1 << 45


class VirtioPci:
    """The first virtio device of a type, with its registers mapped.

    window: where its memory BARs go, in the PCI hole below 4 GiB.
    """

    def __init__(self, qtest: Qtest, device_type: int, window: int):
        self._qtest = qtest
        self._slot = self._find(device_type)
        self._bars: Dict[int, int] = {}
        self._next_window = window
        self._structures: Dict[int, int] = {}
        self._notify_multiplier = 0
        self._read_capabilities()
        qtest.config_write(self._slot, COMMAND, COMMAND_MEMORY_AND_MASTER)

    def _find(self, device_type: int) -> int:
        wanted = (MODERN_DEVICE + device_type) << 16 | VENDOR
        for slot in range(32):
            if self._qtest.config_read(slot, 0) == wanted:
                return slot
        raise Failure(f"bus 0 has no modern virtio device of type "
                      f"{device_type}")

    def _read_capabilities(self) -> None:
        offset = self._qtest.config_read(self._slot, CAPABILITIES) & 0xfc
        while offset:
            word = self._qtest.config_read(self._slot, offset)
            kind = word >> 24
            if word & 0xff == VENDOR_CAPABILITY and kind in (COMMON, NOTIFY):
                bar = self._qtest.config_read(self._slot, offset + 4) & 0xff
                self._structures[kind] = self._map(bar) + \
                    self._qtest.config_read(self._slot, offset + 8)
                if kind == NOTIFY:
                    self._notify_multiplier = \
                        self._qtest.config_read(self._slot, offset + 16)
            offset = word >> 8 & 0xfc

    def _map(self, bar: int) -> int:
        if bar not in self._bars:
            register = BAR0 + 4 * bar
            self._qtest.config_write(self._slot, register, 0xffffffff)
            low = self._qtest.config_read(self._slot, register)
            size = -(low & 0xfffffff0) & 0xffffffff
            address = (self._next_window + size - 1) & -size
            self._qtest.config_write(self._slot, register, address)
            if low & 0x6 == 0x4:
                self._qtest.config_write(self._slot, register + 4, 0)
            self._bars[bar] = address
            self._next_window = address + size
        return self._bars[bar]

    def get(self, field: Field) -> int:
        offset, size = field
        return self._qtest.load(self._structures[COMMON] + offset, size)

    def set(self, field: Field, value: int) -> None:
        offset, size = field
        self._qtest.store(self._structures[COMMON] + offset, value, size)

    def get64(self, offset: int) -> int:
        return self.get((offset, 4)) | self.get((offset + 4, 4)) << 32

    def set64(self, offset: int, value: int) -> None:
        self.set((offset, 4), value & 0xffffffff)
        self.set((offset + 4, 4), value >> 32)

    def features(self) -> int:
        value = 0
        for half in (0, 1):
            self.set(DEVICE_FEATURE_SELECT, half)
            value |= self.get(DEVICE_FEATURE) << 32 * half
        return value

    def accept(self, features: int) -> None:
        """Resets the device and negotiates, up to writing FEATURES_OK."""
        self.set(STATUS, 0)
        self.set(STATUS, ACKNOWLEDGE | DRIVER)
        for half in (0, 1):
            self.set(DRIVER_FEATURE_SELECT, half)
            self.set(DRIVER_FEATURE, features >> 32 * half & 0xffffffff)
        self.set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)

    def enable_queue(self, size: int, desc: int, driver: int,
                     device: int, queue: int = 0) -> None:
        """Enables a queue whose three parts are at these addresses."""
        self.set(QUEUE_SELECT, queue)
        self.set(QUEUE_SIZE, size)
        self.set64(QUEUE_DESC, desc)
        self.set64(QUEUE_DRIVER, driver)
        self.set64(QUEUE_DEVICE, device)
        self.set(QUEUE_ENABLE, 1)

    def doorbell(self, queue: int) -> int:
        """The address to which a driver writes a queue's number."""
        self.set(QUEUE_SELECT, queue)
        offset = self.get(QUEUE_NOTIFY_OFFSET) * self._notify_multiplier
        return self._structures[NOTIFY] + offset

    def notify(self) -> None:
        self._qtest.store(self.doorbell(0), 0, 2)
