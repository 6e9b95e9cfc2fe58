# SPDX-License-Identifier: GPL-2.0-or-later
"""A running QEMU, and the sockets that connect us to it."""

import socket
import subprocess
from pathlib import Path
from typing import Dict, Iterable, List, TypeVar

from . import places
from .failure import Failure
from .machine import Machine
from .qmp import Qmp

EXIT_SECONDS = 60
Self = TypeVar("Self", bound="Process")


class Process:
    """Starts QEMU with one connected socket for each named chardev.

    The sockets are connected, not listening: nothing has to be polled for, no
    name can clash, and every reader notices when QEMU ends.
    """

    def __init__(self, machine: Machine, log: Path,
                 chardevs: Iterable[str] = ()):
        self.log = log
        self._sockets: Dict[str, socket.socket] = {}
        theirs: List[socket.socket] = []
        arguments = machine.arguments()
        for name in ["qmp", *chardevs]:
            ours, other = socket.socketpair()
            self._sockets[name] = ours
            theirs.append(other)
            arguments += ["-chardev",
                          f"socket,id={name},fd={other.fileno()}"]
        arguments += ["-mon", "chardev=qmp,mode=control"]

        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as out:
            out.write(" ".join(arguments) + "\n")
            out.flush()
            self._popen = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                pass_fds=[other.fileno() for other in theirs])
        for other in theirs:
            other.close()
        try:
            self.qmp = Qmp(self._sockets["qmp"])
        except Failure:
            self.stop()
            raise Failure(f"QEMU did not start: {self.last_line()} "
                          f"(see {places.shown(log)})") from None

    @property
    def pid(self) -> int:
        return self._popen.pid

    def socket(self, name: str) -> socket.socket:
        return self._sockets[name]

    def last_line(self) -> str:
        return self.log.read_text(errors="replace").rstrip().split("\n")[-1]

    def wait(self) -> None:
        """Waits until QEMU has ended of its own accord."""
        try:
            status = self._popen.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure("QEMU does not end "
                          f"(see {places.shown(self.log)})") from None
        if status:
            raise Failure(f"QEMU ended with status {status}: "
                          f"{self.last_line()} "
                          f"(see {places.shown(self.log)})")

    def stop(self) -> None:
        """Ends QEMU, whatever it is doing."""
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()
        for sock in self._sockets.values():
            sock.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
