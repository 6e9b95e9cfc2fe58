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
    passed: bool


class Check:
    """One running check; what it says here goes into the table."""

    def __init__(self, amount: str):
        self.amount = amount


class Report:
    def __init__(self):
        self._rows: List[Row] = []
        self.parts = 0
        self.failures = 0

    @contextmanager
    def check(self, what: str, amount: str = ""):
        """Runs its block as one check of the part around it."""
        print(f"  {what} ... ", end="", flush=True)
        check, start, passed = Check(amount), time.monotonic(), False
        try:
            yield check
            passed = True
        finally:
            seconds = time.monotonic() - start
            self._rows.append(Row(what, check.amount, seconds, passed))
            print(f"{seconds:.1f} s" if passed else "FAILED", flush=True)

    @contextmanager
    def part(self, title: str):
        """A group of checks, which ends with the first that fails."""
        self.parts += 1
        print(title)
        try:
            yield
        except Failure as failure:
            self.failures += 1
            print(f"  {failure}")

    def table(self) -> str:
        rule = "-" * 78
        lines = [rule, f"{'checked':{WIDTH}} {'amount':>14} "
                       f"{'seconds':>7} {'result':>7}", rule]
        lines += [f"{row.check:{WIDTH}} {row.amount:>14} "
                  f"{row.seconds:7.1f} {'ok' if row.passed else 'FAILED':>7}"
                  for row in self._rows]
        return "\n".join([*lines, rule])
