# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts the fragments of spec/virtio where manifest.json says.

Each edit works on the text of one section, see document.py. Nothing here
touches a file: the whole proposal is computed before any of it is written.
"""

import json
import re
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

from testbed.failure import Failure

from . import document

LIST_END = re.compile(r"^[ \t]*\\end\{(?:itemize|enumerate|description|"
                      r"longtable)\}", re.M)
ITEM_END = re.compile(r"\s*^[ \t]*(?:\\item\b|\\end\{)", re.M)

Edit = Dict[str, str]


def fragment(path: Path, ours: str = "%") -> str:
    """The text of a fragment, without our own comments and marks."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(ours))


def only(pattern: str, body: str, what: str) -> "re.Match[str]":
    """The one match of a pattern."""
    found = list(re.finditer(pattern, body, re.M))
    if len(found) != 1:
        raise Failure(f"{what} occurs {len(found)} times in its section, not "
                      "once: the proposal does not fit this checkout")
    return found[0]


def end_of_section(body: str, new: str, _: Edit) -> str:
    new = new.strip("\n")
    return f"{body.rstrip()}\n\n{new}\n\n"


def end_of_list(body: str, new: str, edit: Edit) -> str:
    ends = list(LIST_END.finditer(body))
    if not ends:
        raise Failure(f"no list ends in section '{edit['label']}': the "
                      "proposal does not fit this checkout")
    before = body[:ends[-1].start()]
    at = len(before.rstrip()) + 1
    return before[:at] + new.rstrip("\n") + "\n" + body[at:]


def end_of_item(body: str, new: str, edit: Edit) -> str:
    name = f"[{edit['item']}]"
    item = only(re.escape(f"\\item{name}"), body, f"item {name}")
    at = ITEM_END.search(body, item.end()).start()
    return body[:at].rstrip() + "\n" + new.rstrip("\n") + body[at:]


def beside_line(body: str, new: str, edit: Edit) -> str:
    line = only(rf"^.*{re.escape(edit['line'])}.*\n", body,
                f"line '{edit['line']}'")
    at = line.end() if edit["place"] == "after line" else line.start()
    return body[:at] + new + body[at:]


def replace(body: str, _: str, edit: Edit) -> str:
    words = r"\s+".join(map(re.escape, edit["old"].split()))
    old = only(words, body, f"text '{edit['old']}'")
    return body[:old.start()] + edit["new"] + body[old.end():]


PLACES = {"end of section": end_of_section, "end of list": end_of_list,
          "end of item": end_of_item, "after line": beside_line,
          "before line": beside_line, "replace": replace}


def change(files: Dict[str, str], edit: Edit, folder: Path) -> str:
    """Makes one edit in {path: text}; gives the path that changed."""
    new = fragment(folder / edit["text"]) if "text" in edit else ""
    if "new_file" in edit:
        path = edit["new_file"]
        if path in files:
            raise Failure(f"{path} is in the checkout already: the proposal "
                          "was applied before")
        files[path] = new
        return path
    section = document.find(files, edit.get("label"), edit.get("title"))
    text = files[section.path]
    if edit["place"] == "before":
        text = (f"{text[:section.start]}{edit['line']}\n\n"
                f"{text[section.start:]}")
    else:
        body = PLACES[edit["place"]](text[section.body:section.end], new, edit)
        text = text[:section.body] + body + text[section.end:]
    end = len(files[section.path].rstrip("\n"))
    files[section.path] = text.rstrip("\n") + files[section.path][end:]
    return section.path


class Proposal:
    """spec/virtio: the manifest, and what it makes of a specification."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.manifest = json.loads(
            (folder / "manifest.json").read_text(encoding="utf-8"))

    @property
    def base(self) -> str:
        return self.manifest["base"]["commit"]

    def fragments(self) -> List[Path]:
        """The path of every fragment, in order."""
        return [self.folder / commit["folder"] / edit["text"]
                for commit in self.manifest["commits"]
                for edit in commit["edits"] if "text" in edit]

    def commits(self, files: Dict[str, str]
                ) -> Iterator[Tuple[str, Dict[str, str]]]:
        """Gives (message, {path: text} of what changed) of each commit."""
        files = dict(files)
        for commit in self.manifest["commits"]:
            folder = self.folder / commit["folder"]
            changed = [change(files, edit, folder)
                       for edit in commit["edits"]]
            yield (fragment(folder / "message", "#"),
                   {path: files[path] for path in changed})
