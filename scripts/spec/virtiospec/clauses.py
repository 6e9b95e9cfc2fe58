# SPDX-License-Identifier: GPL-2.0-or-later
"""Which code implements a clause of the proposal, and which test shows it.

A fragment marks a clause with a line '%clause NAME' before its sentences.
spec/clauses.json has an entry for each: the functions that implement it, the
tests by the names that the test log has, or 'open' with a reason.
"""
import json
import os
import re
import sys

from .edits import Proposal

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                             "..", "..", "check"))
from mesonlog import PASSED, SKIPPED, cases  # noqa: E402

KEYWORD = re.compile(r"\b(?:MUST|SHALL|REQUIRED|SHOULD|RECOMMENDED|MAY|"
                     r"OPTIONAL)\b")
MARK = re.compile(r"^%clause (\S+)$")
# Where each tree keeps what is new, what it changes, and its own name
TREES = {"qemu": "qemu-patches", "linux": "guest-driver"}
FORMAT = re.compile(r'"(/restricted-dma/[^"]*)"((?:\s*"[^"]*")*)')
STRINGS = re.compile(r'"([^"\n]*)"')


class Clauses:
    def __init__(self, top):
        self.top = top
        with open(os.path.join(top, "spec", "clauses.json"),
                  encoding="utf-8") as file:
            self.entries = json.load(file)["clauses"]
        self.paths = Proposal(os.path.join(top, "spec", "virtio")).fragments()
        self.paths += [os.path.join(top, "spec", path) for path in (
            "acpi/annex.tex", "devicetree/annex.tex", "proposal/host.tex")]

    def texts(self):
        """{clause: its text}, in order; marked twice: the text is None."""
        texts = {}
        for path in self.paths:
            for clause, text in marked(path):
                if clause:
                    texts[clause] = None if clause in texts else text
        return texts


def marked(path):
    """Gives (clause or None, text) for each part of a fragment."""
    clause, lines = None, []
    with open(path, encoding="utf-8") as file:
        for line in file:
            mark = MARK.match(line)
            if mark or re.match(r"\s*(\\\w*(section|normative)|$)", line):
                yield clause, " ".join(" ".join(lines).split())
                clause, lines = mark and mark[1], []
            if not line.startswith("%"):
                lines.append(line)
    yield clause, " ".join(" ".join(lines).split())


def load(top):
    return Clauses(top)


def unmarked(clauses):
    """Sentences with a key word of RFC 2119 that belong to no clause."""
    return ["%s: %s" % (os.path.relpath(path, clauses.top), text)
            for path in clauses.paths for clause, text in marked(path)
            if not clause and KEYWORD.search(text)]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def code_is_there(top, place):
    """Is a 'tree:file:function' in the stored series?

    A new file has to define it, as a function or as data; of what upstream
    has, a hunk has to be in it or to call it.
    """
    tree, path, function = place.split(":")
    store = os.path.join(top, TREES[tree])
    name = re.compile(r"\b%s\b\s*[(\[]" % re.escape(function))
    new = os.path.join(store, "files", path)
    if os.path.exists(new):
        return bool(re.search(r"^(?:[\w][^;#]*?\W)?%s\s*[(\[=]" %
                              re.escape(function), read(new), re.M))
    for patch in sorted(os.listdir(store)):
        if patch.endswith(".patch"):
            text = read(os.path.join(store, patch))
            for diff in text.split("\ndiff --git ")[1:]:
                if diff.startswith("a/%s " % path) and name.search(diff):
                    return True
    return False


def qtest_is_there(top, test):
    """Could the sources of the qtests give a test this path?

    Paths are put together at run time: there has to be a format that fits,
    and every part of the path has to be in a string of the same file.
    """
    path = re.sub(r"^/[^/]*", "", test)
    folder = os.path.join(top, "tests", "qtest")
    for name in os.listdir(folder):
        if not name.endswith("-test.c"):
            continue
        text = read(os.path.join(folder, name))
        strings = " ".join(STRINGS.findall(text))
        for first, more in FORMAT.findall(text):
            form = first + "".join(STRINGS.findall(more))
            parts = re.sub("%[a-z]", "(.*)", re.escape(form).replace(
                re.escape("%"), "%"))
            if re.fullmatch(parts, path) and all(
                    part in strings for part in path.split("/")):
                return True
    return False


def python_test_is_there(folder, test):
    """Is 'file.py:Class.method' or 'file.Class.method' in that folder?"""
    module, case, method = re.fullmatch(
        r"([\w-]+)(?:\.py)?[:.](\w+)\.(\w+)", test).groups()
    path = os.path.join(folder, module + ".py")
    return (os.path.exists(path) and
            re.search(r"^class %s\b" % case, read(path), re.M) and
            re.search(r"def %s\b" % method, read(path)) is not None)


def kunit_is_there(top, test):
    """Is the case of 'kunit KIND CASE' in the Linux series?"""
    case = test.split()[-1]
    folder = os.path.join(top, TREES["linux"], "files")
    return any(re.search(r"KUNIT_CASE\w*\(%s\b" % case,
                         read(os.path.join(where, name)))
               for where, _, names in os.walk(folder) for name in names
               if name.endswith("_test.c"))


def test_is_there(top, test):
    if test.startswith("/"):
        return qtest_is_there(top, test)
    if test.startswith("kunit "):
        return kunit_is_there(top, test)
    if test.startswith("test_"):
        return python_test_is_there(os.path.join(top, "tests", "scripts"),
                                    test)
    return python_test_is_there(os.path.join(top, "tests", "avocado"), test)


def problems(clauses):
    """What does not hold between the text, the entries, code and tests."""
    texts, entries, top = clauses.texts(), clauses.entries, clauses.top
    found = ["no clause: " + line for line in unmarked(clauses)]
    found += ["%s: marked twice" % name for name, text in texts.items()
              if text is None]
    found += ["%s: no entry in clauses.json" % name
              for name in texts if name not in entries]
    found += ["%s: an entry, but no text" % name
              for name in entries if name not in texts]
    for name, entry in entries.items():
        code, tests = entry.get("code", []), entry.get("tests", [])
        found += ["%s: no code %s" % (name, place) for place in code
                  if not code_is_there(top, place)]
        found += ["%s: no test %s" % (name, test) for test in tests
                  if not test_is_there(top, test)]
        if not entry.get("open") and not (code and tests):
            found.append("%s: neither code and tests, nor 'open'" % name)
    return found


def not_run(clauses, testlog):
    """Named tests that the log does not have as passed."""
    outcomes = {}
    for test, case, outcome, _ in cases(testlog):
        outcomes[case.split(" ")[-1].split("/tests/avocado/")[-1]] = outcome
        outcomes[test + " " + case] = outcome
    wanted = sorted({test for entry in clauses.entries.values()
                     for test in entry.get("tests", [])})
    return ["%s: %s" % (test, {None: "did not run", SKIPPED: "skipped"}.get(
        outcomes.get(test), "failed")) for test in wanted
            if outcomes.get(test) != PASSED]


def tex(text):
    return re.sub(r"([_&%#])", r"\\\1", text)


def tex_place(place):
    _, path, function = place.split(":")
    return "%s:\\newline\\mbox{}\\quad %s" % (tex(path), tex(function))


def write_table(clauses, path):
    """The table of clauses as TeX, for the document."""
    with open(path, "w", encoding="utf-8") as file:
        for name in clauses.texts():
            entry = clauses.entries.get(name, {})
            tests = "\\newline ".join(map(tex, entry.get("tests", [])))
            why = "Open: " + tex(entry["open"]) if "open" in entry else ""
            file.write("\\clauseentry{%s}{%s}{%s}{%s}\n" % (
                tex(name),
                "\\newline ".join(map(tex_place, entry.get("code", []))),
                tests + "\\newline " if tests and why else tests, why))
