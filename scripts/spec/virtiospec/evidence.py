# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the code that an entry of spec/clauses.json names exist, and the tests?

And have these tests passed?  Tests have the names of meson's log.
"""

import re
import sys
from pathlib import Path
from typing import Dict, List

from testbed import places

sys.path.append(str(places.TOP / "scripts" / "check"))
from mesonlog import PASSED, SKIPPED, cases  # noqa: E402

STORES = {"qemu": places.TOP / "qemu-patches",
          "linux": places.TOP / "guest-driver"}
TESTS = places.TOP / "tests"
FORMAT = re.compile(r'"(/restricted-dma/[^"]*)"((?:\s*"[^"]*")*)')
STRINGS = re.compile(r'"([^"\n]*)"')


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code_exists(place: str) -> bool:
    """Does the stored series have a 'tree:file:function'?

    A new file has to define it, as a function or as data. In a file of
    upstream, a hunk has to be in it or to call it.
    """
    tree, path, function = place.split(":")
    name = re.escape(function)
    new = STORES[tree] / "files" / path
    if new.exists():
        return bool(re.search(rf"^(?:[\w][^;#]*?\W)?{name}\s*[(\[=]",
                              read(new), re.M))
    used = re.compile(rf"\b{name}\b\s*[(\[]")
    return any(diff.startswith(f"a/{path} ") and used.search(diff)
               for patch in STORES[tree].glob("*.patch")
               for diff in read(patch).split("\ndiff --git ")[1:])


def qtest_exists(test: str) -> bool:
    """Could the sources of the qtests give a test this path?

    Paths are put together at run time: there has to be a format that fits,
    and every part of the path has to be in a string of the same file.
    """
    path = re.sub(r"^/[^/]*", "", test)
    for source in (TESTS / "qtest").glob("*-test.c"):
        text = read(source)
        strings = " ".join(STRINGS.findall(text))
        for first, more in FORMAT.findall(text):
            form = first + "".join(STRINGS.findall(more))
            parts = re.sub("%[a-z]", "(.*)", re.escape(form).replace(
                re.escape("%"), "%"))
            if re.fullmatch(parts, path) and all(
                    part in strings for part in path.split("/")):
                return True
    return False


def python_test_exists(folder: Path, test: str) -> bool:
    """Is 'file.py:Class.method' or 'file.Class.method' in that folder?"""
    name = re.fullmatch(r"([\w-]+)(?:\.py)?[:.](\w+)\.(\w+)", test)
    if not name or not (folder / f"{name[1]}.py").exists():
        return False
    text = read(folder / f"{name[1]}.py")
    return (re.search(rf"^class {name[2]}\b", text, re.M) is not None and
            re.search(rf"def {name[3]}\b", text) is not None)


def kunit_test_exists(test: str) -> bool:
    """Is the case of 'kunit KIND CASE' in the Linux series?"""
    case = re.compile(rf"KUNIT_CASE\w*\({test.split()[-1]}\b")
    return any(case.search(read(source)) for source in
               (STORES["linux"] / "files").rglob("*_test.c"))


def test_exists(test: str) -> bool:
    if test.startswith("/"):
        return qtest_exists(test)
    if test.startswith("kunit "):
        return kunit_test_exists(test)
    kind = "scripts" if test.startswith("test_") else "avocado"
    return python_test_exists(TESTS / kind, test)


def not_passed(wanted: List[str], testlog: Path) -> List[str]:
    """The tests that meson's log does not have as passed, and why."""
    outcomes: Dict[str, int] = {}
    for test, case, outcome, _ in cases(testlog):
        outcomes[case.split(" ")[-1].split("/tests/avocado/")[-1]] = outcome
        outcomes[f"{test} {case}"] = outcome
    why = {None: "did not run", SKIPPED: "skipped"}
    return [f"{test}: {why.get(outcomes.get(test), 'failed')}"
            for test in wanted if outcomes.get(test) != PASSED]
