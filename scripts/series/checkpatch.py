# SPDX-License-Identifier: GPL-2.0-or-later
"""The style checker of each tree, checkpatch.pl, and what it said before.

It judges a mail by its text and by the tree below the series. It takes seconds
for a large one, so verdicts are kept, and a mail whose text was judged before,
under any number, is not judged again.
"""

import hashlib
import os
import re
import subprocess
import time
from pathlib import Path
from typing import List, Tuple

from plumbing import rev
from testbed import places
from testbed.failure import Failure
from tree import Tree

ARGUMENTS = {"qemu": [], "linux": ["--strict", "--show-types"]}
KEPT = places.CACHE / "checkpatch"
KEPT_SECONDS = 30 * 24 * 3600
# What numbers a mail, and changes when another one is inserted
NUMBERS = re.compile(r"^From [0-9a-f]{40} |(?<=^Subject: )\[PATCH[^]]*\]", re.M)
NAME = "{mail}"


def checkpatch(tree: Tree, folder: Path,
               mail: Path) -> Tuple[int, List[str]]:
    """Judges a mail; gives (errors, lines of the report)."""
    place = KEPT / key(tree, mail)
    try:
        text = place.read_text()
        place.touch()
    except FileNotFoundError:
        text = run(tree, folder, mail)
        KEPT.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(f".{os.getpid()}")
        unfinished.write_text(text)
        unfinished.replace(place)
    errors, *report = text.replace(NAME, mail.name).splitlines()
    return int(errors), report


def key(tree: Tree, mail: Path) -> str:
    """All that a verdict depends on, as a name."""
    words = [rev(tree.path, f"{tree.base}^{{tree}}"), *ARGUMENTS[tree.name],
             NUMBERS.sub("", mail.read_text(errors="surrogateescape"))]
    return hashlib.sha256("\0".join(map(str, words)).encode(
        errors="surrogateescape")).hexdigest()


def run(tree: Tree, folder: Path, mail: Path) -> str:
    """Lets the tree's own script judge a mail: errors, then its report."""
    done = subprocess.run(
        ["perl", "scripts/checkpatch.pl", "--color=never",
         *ARGUMENTS[tree.name], mail], cwd=folder,
        # its helpers are written for the distribution's python3
        env={**os.environ, "PATH": f"/usr/bin:{os.environ['PATH']}"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    text = done.stdout.decode(errors="replace")
    total = re.search(r"^total: (\d+) errors", text, re.M)
    if not total:
        first, *_ = text.strip().split("\n")
        raise Failure(f"checkpatch gave no result for {mail}: {first}")
    return f"{total.group(1)}\n{text[:total.start()]}".replace(str(mail), NAME)


def forget_old() -> None:
    """Deletes verdicts that nobody has asked for in a month."""
    for place in KEPT.glob("*"):
        if place.stat().st_mtime < time.time() - KEPT_SECONDS:
            place.unlink()
