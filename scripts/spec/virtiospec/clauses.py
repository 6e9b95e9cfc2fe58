# SPDX-License-Identifier: GPL-2.0-or-later
"""The clauses of the proposal, and what spec/clauses.json says of each.

A fragment marks a clause with a line '%clause NAME' before its sentences.
spec/clauses.json has an entry for each: the functions that implement it and
the tests that show it, or 'open' with a reason. 'slow tests' are those of the
suite slow: they show it as well, but run only on request.
"""

import json
import re
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from testbed import places

from . import evidence
from .edits import Proposal

SPEC = places.TOP / "spec"
KEYWORD = re.compile(r"\b(?:MUST|SHALL|REQUIRED|SHOULD|RECOMMENDED|MAY|"
                     r"OPTIONAL)\b")
MARK = re.compile(r"^%clause (\S+)$")
BREAK = re.compile(r"\s*(\\\w*(section|normative)|$)")


def marked(path: Path) -> Iterator[Tuple[Optional[str], str]]:
    """Gives (clause or None, text) for each part of a fragment."""
    clause: Optional[str] = None
    lines: List[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        mark = MARK.match(line)
        if mark or BREAK.match(line):
            yield clause, " ".join(" ".join(lines).split())
            clause, lines = mark[1] if mark else None, []
        if not line.startswith("%"):
            lines.append(line)
    yield clause, " ".join(" ".join(lines).split())


class Clauses:
    def __init__(self) -> None:
        self.entries: Dict[str, dict] = json.loads(
            (SPEC / "clauses.json").read_text(encoding="utf-8"))["clauses"]
        self.paths = Proposal(SPEC / "virtio").fragments()
        self.paths += [SPEC / "acpi" / "annex.tex",
                       SPEC / "devicetree" / "annex.tex",
                       SPEC / "proposal" / "host.tex"]

    def texts(self) -> Dict[str, Optional[str]]:
        """{clause: its text}, in order; marked twice: the text is None."""
        texts: Dict[str, Optional[str]] = {}
        for path in self.paths:
            for clause, text in marked(path):
                if clause:
                    texts[clause] = None if clause in texts else text
        return texts

    def tests(self) -> List[str]:
        """Every test that an entry names, but for slow ones."""
        return sorted({test for entry in self.entries.values()
                       for test in entry.get("tests", [])})

    def unmarked(self) -> List[str]:
        """Sentences with a key word of RFC 2119 that belong to no clause."""
        return [f"no clause: {places.shown(path)}: {text}"
                for path in self.paths for clause, text in marked(path)
                if not clause and KEYWORD.search(text)]

    def problems(self) -> List[str]:
        """What does not hold between the text, the entries, code and tests."""
        texts = self.texts()
        found = self.unmarked()
        found += [f"{name}: marked twice" for name, text in texts.items()
                  if text is None]
        found += [f"{name}: no entry in clauses.json"
                  for name in texts if name not in self.entries]
        for name, entry in self.entries.items():
            if name not in texts:
                found.append(f"{name}: an entry, but no text")
            found += [f"{name}: {why}" for why in lacking(entry)]
        return found


def lacking(entry: dict) -> List[str]:
    """What an entry names that does not exist, or should name."""
    code, tests = entry.get("code", []), entry.get("tests", [])
    found = [f"no code {place}" for place in code
             if not evidence.code_exists(place)]
    found += [f"no test {test}"
              for test in tests + entry.get("slow tests", [])
              if not evidence.test_exists(test)]
    if not entry.get("open") and not (code and tests):
        found.append("neither code and tests, nor 'open'")
    return found
