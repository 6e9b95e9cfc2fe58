# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts the fragments of spec/virtio where manifest.json says.

Each edit works on the text of one section, see document.py. Nothing here
touches a file: the whole proposal is computed before any of it is written.
"""
import json
import os
import re

from . import document
from .failure import SpecError

LIST_END = re.compile(r"^[ \t]*\\end\{(?:itemize|enumerate|description|"
                      r"longtable)\}", re.M)
ITEM_END = re.compile(r"\s*^[ \t]*(?:\\item\b|\\end\{)", re.M)


def fragment(path, ours="%"):
    """The text of a fragment, without our own comments and marks."""
    with open(path, encoding="utf-8") as file:
        return "".join(line for line in file if not line.startswith(ours))


def only(found, what):
    if len(found) != 1:
        raise SpecError("%s: %s of it, not one" % (what, len(found) or "none"))
    return found[0]


def end_of_section(body, new, _):
    return "%s\n\n%s\n\n" % (body.rstrip(), new.strip("\n"))


def end_of_list(body, new, edit):
    ends = list(LIST_END.finditer(body))
    if not ends:
        raise SpecError("no list ends in section '%s'" % edit["label"])
    before = body[:ends[-1].start()]
    at = len(before.rstrip()) + 1
    return before[:at] + new.rstrip("\n") + "\n" + body[at:]


def end_of_item(body, new, edit):
    item = only(list(re.finditer(re.escape("\\item[%s]" % edit["item"]),
                                 body)), "item " + edit["item"])
    at = ITEM_END.search(body, item.end()).start()
    return body[:at].rstrip() + "\n" + new.rstrip("\n") + body[at:]


def beside_line(body, new, edit):
    found = list(re.finditer(r"^.*%s.*\n" % re.escape(edit["line"]), body,
                             re.M))
    line = only(found, "line '%s'" % edit["line"])
    at = line.end() if edit["place"] == "after line" else line.start()
    return body[:at] + new + body[at:]


def replace(body, _, edit):
    words = r"\s+".join(map(re.escape, edit["old"].split()))
    old = only(list(re.finditer(words, body)), "text '%s'" % edit["old"])
    return body[:old.start()] + edit["new"] + body[old.end():]


PLACES = {"end of section": end_of_section, "end of list": end_of_list,
          "end of item": end_of_item, "after line": beside_line,
          "before line": beside_line, "replace": replace}


def change(files, edit, folder):
    """Makes one edit in {path: text}; gives the path that changed."""
    new = (fragment(os.path.join(folder, edit["text"])) if "text" in edit
           else "")
    if "new_file" in edit:
        path = edit["new_file"]
        if path in files:
            raise SpecError("%s is in the checkout already: the proposal "
                            "was applied before" % path)
        files[path] = new
        return path
    section = document.find(files, edit.get("label"), edit.get("title"))
    text = files[section.path]
    if edit["place"] == "before":
        text = "%s%s\n\n%s" % (text[:section.start], edit["line"],
                               text[section.start:])
    else:
        body = PLACES[edit["place"]](text[section.body:section.end], new, edit)
        text = text[:section.body] + body + text[section.end:]
    end = len(files[section.path].rstrip("\n"))
    files[section.path] = text.rstrip("\n") + files[section.path][end:]
    return section.path


class Proposal:
    """spec/virtio: the manifest, and what it makes of a specification."""

    def __init__(self, folder):
        self.folder = folder
        with open(os.path.join(folder, "manifest.json"),
                  encoding="utf-8") as file:
            self.manifest = json.load(file)

    @property
    def base(self):
        return self.manifest["base"]["commit"]

    def fragments(self):
        """The path of every fragment, in order."""
        return [os.path.join(self.folder, commit["folder"], edit["text"])
                for commit in self.manifest["commits"]
                for edit in commit["edits"] if "text" in edit]

    def commits(self, files):
        """Gives (message, {path: text} of what changed) of each commit."""
        files = dict(files)
        for commit in self.manifest["commits"]:
            folder = os.path.join(self.folder, commit["folder"])
            changed = [change(files, edit, folder)
                       for edit in commit["edits"]]
            yield (fragment(os.path.join(folder, "message"), "#"),
                   {path: files[path] for path in changed})
