# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the single cases out of meson's testlog.json.

Meson itself forgets the cases of a test that also ends badly.
"""

import json
import re
from pathlib import Path
from typing import Iterator, Tuple, Union

PASSED, FAILED, SKIPPED = range(3)
GOOD = {"OK", "EXPECTEDFAIL"}
CASE = re.compile(r"^(not )?ok\b *\d* *-? *(.*?) *(?:# *(SKIP|TODO)\b *(.*))?$",
                  re.M | re.I)
PLAN = re.compile(r"^1\.\.\d+", re.M)
NOTHING = re.compile(r"^1\.\.0 *# *SKIP", re.M | re.I)

Case = Tuple[str, str, int, str]


def cases(path: Union[str, Path]) -> Iterator[Case]:
    """Yields (test, case, outcome, reason for a skip), in order.

    A test that reports no cases, or that ended badly without a failed case,
    counts as one case without a name."""
    with open(path, encoding="utf-8") as log:
        for line in log:
            yield from cases_of(json.loads(line))


def cases_of(test: dict) -> Iterator[Case]:
    """The cases of one test, as meson recorded it."""
    name = test["name"].split(" / ")[-1]
    output = test.get("stdout") or ""
    outcomes = set()
    if PLAN.search(output):
        for bad, case, word, why in CASE.findall(output):
            outcome = outcome_of(bool(bad), word.upper())
            outcomes.add(outcome)
            yield name, case, outcome, why
    if test["result"] == "SKIP":
        if not outcomes:
            yield name, "", SKIPPED if says_skip(test) else FAILED, ""
    elif test["result"] not in GOOD:
        if FAILED not in outcomes:
            yield name, "", FAILED, ""
    elif not outcomes:
        yield name, "", PASSED, ""


def outcome_of(bad: bool, word: str) -> int:
    """A case that is still to do is expected to fail."""
    if word == "TODO":
        return PASSED if bad else FAILED
    return FAILED if bad else SKIPPED if word else PASSED


def says_skip(test: dict) -> bool:
    """Whether the test itself says so: meson also skips one that is silent."""
    return test.get("returncode") != 0 \
        or bool(NOTHING.search(test.get("stdout") or ""))
