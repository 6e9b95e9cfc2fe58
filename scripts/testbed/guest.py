# SPDX-License-Identifier: GPL-2.0-or-later
"""A booted guest that runs commands for us.

Commands go over the second serial port, not over a virtio device, so that
they work even where the devices under test do not.  scripts/guest/init is the
other end.
"""

import re
import time
from pathlib import Path
from typing import Dict, Iterable, List, Tuple

from . import places
from .failure import Failure
from .lines import Closed, Lines, Overdue
from .machine import Machine
from .process import Process

BOOT_SECONDS = 240
COMMAND_SECONDS = 600
PREFIX = "RDP "
# A full pool is not listed: requests then wait, and the kernel may say so.
COMPLAINT = re.compile("WARNING:|BUG:|Oops|Call Trace|I/O error|UBSAN:|"
                       "INFO: task|DMA-API: .*disabl")


class Guest(Process):
    """A machine whose guest has booted and waits for commands.

    Logs: NAME.qemu.log holds what QEMU printed, NAME.console.log the guest's
    console.
    """

    def __init__(self, machine: Machine, name: str,
                 chardevs: Iterable[str] = (), logs: Path = places.LOGS,
                 boot_seconds: float = BOOT_SECONDS):
        self.console = logs / f"{name}.console.log"
        machine.add("-chardev", f"file,id=console,path={self.console}")
        machine.serial_ports("console", "control")
        super().__init__(machine, logs / f"{name}.qemu.log",
                         ["control", *chardevs])
        self._control = Lines(self.socket("control"))
        self._first_line = 0
        try:
            self.release = self._ready(boot_seconds)
        except Failure:
            self.stop()
            raise

    def try_run(self, command: str,
                seconds: float = COMMAND_SECONDS) -> Tuple[int, List[str]]:
        """Runs a shell command; returns its status and its lines of output."""
        self._send(command)
        end = time.monotonic() + seconds
        output: List[str] = []
        while True:
            kind, _, rest = self._next(command, end).partition(" ")
            if kind == "out":
                output.append(rest)
            elif kind == "exit":
                return int(rest), output

    def run(self, command: str) -> List[str]:
        """Runs a shell command that must succeed."""
        status, output = self.try_run(command)
        if status:
            raise self._failure(f"'{command}' failed with status {status}")
        return output

    def values(self, command: str) -> Dict[str, str]:
        """Runs a command that must succeed and prints KEY=VALUE lines."""
        lines = self.run(command)
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def wait_until(self, condition: str) -> None:
        """Waits until a shell command succeeds in the guest."""
        self.run(f"until {condition}; do usleep 100000; done")

    def kernel_log(self) -> str:
        """All that the kernel has logged since it booted."""
        return "\n".join(self.run("dmesg"))

    def restart(self, command: str, seconds: float = BOOT_SECONDS) -> None:
        """Runs a command that boots the guest again."""
        self._send(command)
        self.release = self._ready(seconds)

    def crash(self, seconds: float = BOOT_SECONDS) -> None:
        """Lets the kernel panic, and waits for the one that then boots.

        What the first one said in its panic is no complaint.
        """
        self._check()
        self.restart("echo c >/proc/sysrq-trigger", seconds)
        lines = self._console_lines()
        self._first_line = max(number for number, line in enumerate(lines)
                               if "Linux version" in line)

    def hibernate(self) -> None:
        """Lets the guest write its image, and waits for QEMU to end.

        With resume= a machine with the same disks goes on as 'Resumed'.
        """
        self._send("echo shutdown >/sys/power/disk; "
                   "echo disk >/sys/power/state")
        self.wait()
        self._check()

    def power_off(self) -> None:
        """Ends the guest; fails if its kernel ever complained."""
        self._send("poweroff -f")
        self.wait()
        self._check()

    def _check(self) -> None:
        for line in self.complaints():
            raise self._failure(f"the kernel says '{line}'")

    def complaints(self) -> List[str]:
        """Lines in which the kernel reports bugs or device errors."""
        return [line for line in self._console_lines()[self._first_line:]
                if COMPLAINT.search(line)]

    def _send(self, command: str) -> None:
        try:
            self._control.send(command)
        except Closed:
            raise self._failure(
                f"the guest ended before '{command}'") from None

    def _ready(self, seconds: float) -> str:
        end = time.monotonic() + seconds
        while True:
            kind, _, rest = self._next("boot", end).partition(" ")
            if kind == "ready":
                return rest

    def _next(self, doing: str, end: float) -> str:
        """The next line that init sent; a port may carry noise before it."""
        while True:
            try:
                line = self._control.receive(end - time.monotonic())
            except Closed:
                raise self._failure(
                    f"the guest ended during '{doing}'") from None
            except Overdue:
                raise self._failure(
                    f"no answer in time to '{doing}'") from None
            if line.startswith(PREFIX):
                return line[len(PREFIX):]

    def _failure(self, what: str) -> Failure:
        panics = [line for line in self._console_lines()
                  if "Kernel panic" in line]
        reason = f": {panics[0]}" if panics else ""
        return Failure(f"{what}{reason} (see {places.shown(self.console)})")

    def _console_lines(self) -> List[str]:
        text = self.console.read_text(errors="replace")
        return [line.strip() for line in text.splitlines()]


class Destination(Guest):
    """A machine that boots nothing: a running guest will migrate to it."""

    def _ready(self, seconds: float) -> str:
        return ""


class Resumed(Guest):
    """A machine that goes on where another one hibernated."""

    def _ready(self, seconds: float) -> str:
        """Waits for the end of the command that hibernated."""
        end = time.monotonic() + seconds
        while True:
            kind, _, rest = self._next("resume", end).partition(" ")
            if kind == "ready":
                raise self._failure("the guest has booted instead of resuming")
            if kind == "exit":
                return rest
