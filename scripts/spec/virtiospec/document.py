# SPDX-License-Identifier: GPL-2.0-or-later
"""Places in the TeX text of the specification, found by label or title.

A section here is a heading and the text up to the next heading of any level,
so "the end of a section" comes before its first subsection.
"""

import re
from typing import Dict, List, Optional, Set, Tuple

from testbed.failure import Failure

HEADING = re.compile(
    r"^[ \t]*\\(?:(drivernormative|devicenormative|conformance)\s*"
    r"\{\\[a-z]+\}|(?:chapter|(?:sub)*section|(?:sub)?paragraph)\*?)\s*(?=\{)",
    re.M)
LABEL = re.compile(r"\s*\\label\s*(?=\{)")
NORMATIVE = ("drivernormative", "devicenormative")


def flat(text: str) -> str:
    """Text with each run of white space as one space: labels span lines."""
    return " ".join(text.split())


def group(text: str, at: int) -> Tuple[str, int]:
    """The content of the brace group that begins at text[at], and its end."""
    depth = 0
    for end in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if not depth:
            return text[at + 1:end], end + 1
    raise Failure("a '{' of the specification is never closed")


class Section:
    """A heading, and where its own text is in the file."""

    def __init__(self, path: str, text: str, heading: "re.Match[str]"):
        self.path = path
        self.start = heading.start()
        title, at = group(text, heading.end())
        self.title = flat(title)
        self.label: Optional[str] = None
        if heading[1] in NORMATIVE:
            label, at = group(text, at)
            self.label = f"{heading[1]}:{flat(label)}"
        else:
            mark = LABEL.match(text, at)
            if mark:
                label, at = group(text, mark.end())
                self.label = flat(label)
        self.body = at
        following = HEADING.search(text, at)
        self.end = following.start() if following else len(text)


def sections(path: str, text: str) -> List[Section]:
    return [Section(path, text, heading) for heading in HEADING.finditer(text)]


def normative_labels(files: Dict[str, str]) -> Set[str]:
    """The labels of all normative sections in {path: text}."""
    return {section.label for path, text in files.items()
            for section in sections(path, text)
            if section.label and section.label.startswith(NORMATIVE)}


def find(files: Dict[str, str], label: Optional[str] = None,
         title: Optional[str] = None) -> Section:
    """The one section of {path: text} with this label, or else this title."""
    found = [section for path, text in sorted(files.items())
             for section in sections(path, text)
             if (section.label == flat(label) if label
                 else section.title == title)]
    if len(found) != 1:
        wanted = f"label '{label}'" if label else f"title '{title}'"
        raise Failure(f"{len(found) or 'no'} sections have the {wanted}: the "
                      "proposal does not fit this checkout")
    return found[0]
