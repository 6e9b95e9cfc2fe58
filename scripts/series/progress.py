# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tool says: results, and how far it is with what takes long."""

import subprocess
import sys
import tempfile
import time
from typing import Callable, List, TextIO

from testbed.failure import Failure

WIDTH = 78
TERMINAL_SECONDS = 0.1
PIPE_SECONDS = 20
ERASE = "\r\033[K"


class Progress:
    """How far the tool is.

    On a terminal this is one line, which is written over and goes away at the
    end; elsewhere it is a new line now and then."""

    def __init__(self, stream: TextIO,
                 clock: Callable[[], float] = time.monotonic):
        self._stream = stream
        self._clock = clock
        self._live = stream.isatty()
        self._step = ""
        self._shown = clock()

    def show(self, step: str, amount: str = "") -> None:
        """Says what is being done, and how much of it is."""
        passed = self._clock() - self._shown
        if self._live:
            if passed < TERMINAL_SECONDS and step == self._step:
                return
        elif passed < PIPE_SECONDS:
            return
        self._step, self._shown = step, self._clock()
        text = f"{step}: {amount}" if amount else step
        self._stream.write(f"{ERASE}{text[:WIDTH]}" if self._live
                           else f"  {text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Makes room for a line that stays."""
        if self._live and self._step:
            self._stream.write(ERASE)
            self._stream.flush()
        self._step = ""


progress = Progress(sys.stderr)


def say(text: str) -> None:
    progress.clear()
    print(text, flush=True)


def complain(text: str) -> None:
    progress.clear()
    print(f"series: {text}", file=sys.stderr)


def run_counted(step: str, command: List[str], total: int = 0,
                **options) -> int:
    """Runs a command that prints a line for each file it has dealt with.

    Shows how many there are so far; returns how many there were."""
    count = 0
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors,
                              **options) as process:
            for line in process.stdout or ():
                if line.endswith(b"/\n"):
                    continue    # a folder
                count += 1
                progress.show(step, f"{count} of {total} files" if total
                              else f"{count} files")
        if process.returncode:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").splitlines()
            raise Failure(f"{command[0]}: " + (
                lines[0] if lines else f"exit {process.returncode}"))
    return count
