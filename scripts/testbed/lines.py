# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of text over a socket, each with a deadline.

QMP, the qtest protocol and a guest's control channel all work that way.
"""

import socket
import time


class Closed(Exception):
    """The other side closed the connection."""


class Overdue(Exception):
    """No line came in time."""


class Lines:
    def __init__(self, sock: socket.socket):
        self._sock = sock
        self._buffer = b""

    def send(self, line: str) -> None:
        try:
            self._sock.settimeout(None)
            self._sock.sendall(line.encode() + b"\n")
        except OSError as error:
            raise Closed() from error

    def receive(self, seconds: float) -> str:
        end = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            self._fill(end - time.monotonic())
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")

    def _fill(self, seconds: float) -> None:
        if seconds <= 0:
            raise Overdue()
        self._sock.settimeout(seconds)
        try:
            data = self._sock.recv(65536)
        except socket.timeout as error:
            raise Overdue() from error
        except OSError as error:
            raise Closed() from error
        if not data:
            raise Closed()
        self._buffer += data
