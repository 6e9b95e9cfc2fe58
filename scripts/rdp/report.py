# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks of the demo: announced, timed, and listed in one table."""

import time
from contextlib import contextmanager
from typing import List, NamedTuple

from .failure import Failure

WIDTH = 47


class Row(NamedTuple):
    check: str
    amount: str
    seconds: float
    failure: str


class Check:
    """One running check; what it says here goes into the table."""

    def __init__(self, amount: str):
        self.amount = amount


class Report:
    def __init__(self):
        self._rows: List[Row] = []

    @contextmanager
    def check(self, what: str, amount: str = ""):
        """Runs its block as one check; a Failure ends the part it is in."""
        print(f"  {what} ... ", end="", flush=True)
        check, start, failure = Check(amount), time.monotonic(), ""
        try:
            yield check
        except Failure as error:
            failure = str(error)
            raise
        finally:
            seconds = time.monotonic() - start
            self._rows.append(Row(what, check.amount, seconds, failure))
            print("FAILED" if failure else f"{seconds:.1f} s", flush=True)

    @contextmanager
    def part(self, title: str):
        """A group of checks; the first that fails ends the group only."""
        print(title)
        try:
            yield
        except Failure as error:
            print(f"  {error}")

    def failures(self) -> int:
        return sum(1 for row in self._rows if row.failure)

    def table(self) -> str:
        rule = "-" * 78
        lines = [rule, f"{'checked':{WIDTH}} {'amount':>14} "
                       f"{'seconds':>7} {'result':>7}", rule]
        lines += [f"{row.check:{WIDTH}} {row.amount:>14} "
                  f"{row.seconds:7.1f} {'FAILED' if row.failure else 'ok':>7}"
                  for row in self._rows]
        return "\n".join([*lines, rule])
