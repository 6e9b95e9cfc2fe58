# SPDX-License-Identifier: GPL-2.0-or-later
"""Places in the TeX text of the specification, found by label or title.

A section here is a heading with the text up to the next heading of whatever
level, so that "the end of a section" is before its first subsection.
"""
import re

from .failure import SpecError

HEADING = re.compile(
    r"^[ \t]*\\(?:(drivernormative|devicenormative|conformance)\s*"
    r"\{\\[a-z]+\}|(?:chapter|(?:sub)*section|(?:sub)?paragraph)\*?)\s*(?=\{)",
    re.M)
LABEL = re.compile(r"\s*\\label\s*(?=\{)")
NORMATIVE = ("drivernormative", "devicenormative")


def flat(text):
    """Text with each run of white space as one space: labels span lines."""
    return " ".join(text.split())


def group(text, at):
    """The content of the brace group that begins at text[at], and its end."""
    depth = 0
    for end in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if not depth:
            return text[at + 1:end], end + 1
    raise SpecError("a '{' of the specification is never closed")


class Section:
    """A heading and where its own text is in the file."""

    def __init__(self, path, text, heading):
        self.path = path
        self.start = heading.start()
        title, at = group(text, heading.end())
        self.title = flat(title)
        self.label = None
        if heading[1] in NORMATIVE:
            label, at = group(text, at)
            self.label = heading[1] + ":" + flat(label)
        else:
            label = LABEL.match(text, at)
            if label:
                content, at = group(text, label.end())
                self.label = flat(content)
        self.body = at
        following = HEADING.search(text, at)
        self.end = following.start() if following else len(text)


def sections(path, text):
    return [Section(path, text, heading) for heading in HEADING.finditer(text)]


def normative_labels(files):
    """The labels of all normative sections in {path: text}."""
    return {section.label for path, text in files.items()
            for section in sections(path, text)
            if section.label and section.label.startswith(NORMATIVE)}


def find(files, label=None, title=None):
    """The one section of {path: text} with this label, or else this title."""
    found = [section for path, text in sorted(files.items())
             for section in sections(path, text)
             if (section.label == flat(label) if label
                 else section.title == title)]
    if len(found) != 1:
        raise SpecError("%s sections have the %s '%s': this checkout is not "
                        "one that the proposal fits" %
                        (len(found) or "no", "label" if label else "title",
                         label or title))
    return found[0]
