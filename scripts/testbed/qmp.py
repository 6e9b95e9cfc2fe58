# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP, QEMU's machine protocol, as far as the demo and the tests need it."""

import json
import socket
import time
from typing import Any, List

from .failure import Failure
from .lines import Closed, Lines, Overdue

REPLY_SECONDS = 60
CLOSED = "QEMU closed its QMP connection"


class Qmp:
    def __init__(self, sock: socket.socket):
        self._lines = Lines(sock)
        self._events: List[dict] = []
        self._message(REPLY_SECONDS)    # the greeting
        self.command("qmp_capabilities")

    def command(self, name: str, /, **arguments: Any) -> Any:
        """Runs a command and returns its result."""
        request: dict = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        self._send(request)
        while True:
            message = self._message(REPLY_SECONDS)
            if "event" in message:
                self._events.append(message)
            elif "error" in message:
                raise Failure(f"QEMU refused {name}: "
                              f"{message['error']['desc']}")
            else:
                return message["return"]

    def event(self, name: str, seconds: float = REPLY_SECONDS) -> dict:
        """Waits for the next event of that name and returns its data."""
        end = time.monotonic() + seconds
        while True:
            for message in self._events:
                if message["event"] == name:
                    self._events.remove(message)
                    return message.get("data", {})
            self._events.append(self._message(end - time.monotonic()))

    def _send(self, request: dict) -> None:
        try:
            self._lines.send(json.dumps(request))
        except Closed:
            raise Failure(CLOSED) from None

    def _message(self, seconds: float) -> dict:
        try:
            return json.loads(self._lines.receive(seconds))
        except Closed:
            raise Failure(CLOSED) from None
        except Overdue:
            raise Failure("QEMU did not answer in time on QMP") from None
