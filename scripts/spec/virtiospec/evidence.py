# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the code that an entry of spec/clauses.json names exist, and the tests?

And have these tests passed?  Tests have the names of meson's log.
"""

import ast
import re
import sys
from pathlib import Path
from typing import Dict, Iterator, List

from testbed import places

sys.path.append(str(places.TOP / "scripts" / "check"))
from mesonlog import PASSED, SKIPPED, cases  # noqa: E402

STORES = {"qemu": places.TOP / "qemu-patches",
          "linux": places.TOP / "guest-driver"}
TESTS = places.TOP / "tests"
FORMAT = re.compile(r'"(/restricted-dma/[^"]*)"((?:\s*"[^"]*")*)')
STRINGS = re.compile(r'"([^"\n]*)"')
SHARED = re.compile(r'^#include "(restricted-dma[^"]*\.h)"', re.M)


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
    and every part of the path has to be in a string of the same test or of a
    file that it shares with others.
    """
    path = re.sub(r"^/[^/]*", "", test)
    for source in (TESTS / "qtest").glob("*-test.c"):
        text = read(source)
        if not any(re.fullmatch(form, path) for form in path_formats(text)):
            continue
        strings = " ".join(STRINGS.findall(text + shared(source, text)))
        if all(part in strings for part in path.split("/")):
            return True
    return False


def path_formats(text: str) -> Iterator[str]:
    """What the formats of test paths in a C file match, as patterns."""
    for first, more in FORMAT.findall(text):
        form = re.escape(first + "".join(STRINGS.findall(more)))
        yield re.sub("%[a-z]", "(.*)", form.replace(re.escape("%"), "%"))


def shared(source: Path, text: str) -> str:
    """The text of the shared files whose headers a qtest includes."""
    headers = (source.parent / name for name in SHARED.findall(text))
    files = (header.with_suffix(suffix) for header in headers
             for suffix in (".h", ".c"))
    return "".join(read(file) for file in files if file.exists())


def python_test_exists(folder: Path, test: str) -> bool:
    """Is 'file.py:Class.method' or 'file.Class.method' in that folder?"""
    name = re.fullmatch(r"([\w-]+)(?:\.py)?[:.](\w+)\.(\w+)", test)
    return name is not None and has_method(folder, *name.groups())


def has_method(folder: Path, module: str, case: str, method: str) -> bool:
    """Does a class have a method, its own or one of a base in the folder?"""
    source = folder / f"{module}.py"
    if not source.exists():
        return False
    statements = ast.parse(read(source)).body
    origins = {alias.name: one.module for one in statements
               if isinstance(one, ast.ImportFrom) for alias in one.names}
    for one in statements:
        if isinstance(one, ast.ClassDef) and one.name == case:
            return (any(isinstance(part, ast.FunctionDef) and
                        part.name == method for part in one.body) or
                    any(has_method(folder, origins.get(base.id) or module,
                                   base.id, method)
                        for base in one.bases if isinstance(base, ast.Name)))
    return False


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
