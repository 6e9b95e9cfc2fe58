# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's qtest protocol: we take the place of the machine's processor.

No guest code runs: we make every access to memory, ports and PCI.
"""

import socket
from typing import Union

from .failure import Failure
from .lines import Closed, Lines, Overdue

REPLY_SECONDS = 30
PCI_ADDRESS, PCI_DATA = 0xcf8, 0xcfc


class Qtest:
    def __init__(self, sock: socket.socket):
        self._lines = Lines(sock)

    def _call(self, *words: Union[int, str]) -> str:
        command = " ".join(hex(w) if isinstance(w, int) else w for w in words)
        try:
            self._lines.send(command)
            reply = self._lines.receive(REPLY_SECONDS)
        except (Closed, Overdue):
            raise Failure("QEMU did not answer the qtest command "
                          f"'{command}'") from None
        if not reply.startswith("OK"):
            raise Failure(f"QEMU answered '{command}' with '{reply}'")
        return reply[2:].strip()

    def load(self, address: int, size: int) -> int:
        """Reads 1, 2, 4 or 8 bytes as one access."""
        return int(self._call("read" + "bwlq"[size.bit_length() - 1],
                              address), 16)

    def store(self, address: int, value: int, size: int) -> None:
        self._call("write" + "bwlq"[size.bit_length() - 1], address, value)

    def read(self, address: int, size: int) -> bytes:
        return bytes.fromhex(self._call("read", address, size)[2:])

    def write(self, address: int, data: bytes) -> None:
        self._call("write", address, len(data), "0x" + data.hex())

    def out32(self, port: int, value: int) -> None:
        self._call("outl", port, value)

    def config_read(self, slot: int, offset: int) -> int:
        """Reads an aligned 32-bit word of PCI configuration space on bus 0."""
        self._call("outl", PCI_ADDRESS, 1 << 31 | slot << 11 | offset)
        return int(self._call("inl", PCI_DATA), 16)

    def config_write(self, slot: int, offset: int, value: int) -> None:
        self._call("outl", PCI_ADDRESS, 1 << 31 | slot << 11 | offset)
        self._call("outl", PCI_DATA, value)
