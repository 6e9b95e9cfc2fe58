# SPDX-License-Identifier: GPL-2.0-or-later
"""Announces and times the demo's checks, then lists them in one table."""

import time
from contextlib import contextmanager
from typing import Iterator, List, NamedTuple

from .failure import Failure

WIDTH = 47


class Row(NamedTuple):
    check: str
    amount: str
    seconds: float
    passed: bool


class Check:
    """A running check; it may set the amount that the table shows."""

    def __init__(self, amount: str):
        self.amount = amount


class Report:
    def __init__(self) -> None:
        self._rows: List[Row] = []
        self.parts = 0
        self.failures = 0

    @contextmanager
    def check(self, what: str, amount: str = "") -> Iterator[Check]:
        """Runs its block as one check within a part."""
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
    def part(self, title: str) -> Iterator[None]:
        """Runs its block as a group of checks; the first failure ends it."""
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
