# SPDX-License-Identifier: GPL-2.0-or-later
"""./run series check: whether upstream would take each mail."""

import os
import re
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import List, Tuple

from base import opened
from checkpatch import checkpatch, forget_old
from export import COMMITTER, write_mails
from plumbing import commits_between, git, rev
from progress import say
from testbed import places
from testbed.failure import Failure
from tree import Tree

PREFIX = re.compile(r"[A-Za-z0-9_./,{}*+-]+( [A-Za-z0-9_./-]+)?: \S")
TITLE_MAX = 76


def check(args: Namespace) -> int:
    """Judges every patch, in a work tree of its own; reports as TAP."""
    tree = opened(args.tree)
    folder = places.BUILD / f"check-{tree.name}"
    bad = 0
    with tempfile.TemporaryDirectory(prefix="series-") as name:
        mails = write_mails(tree, Path(name))[1:]
        with tree.checkout(folder, tree.base):
            commits = am(tree, folder, mails)
            for number, (mail, commit) in enumerate(zip(mails, commits), 1):
                good, report = judge(tree, folder, mail, commit)
                bad += not good
                say(f"{'ok' if good else 'not ok'} {number} {mail.name}")
                for line in report:
                    say(f"#   {line}".rstrip())
    forget_old()
    say(f"1..{len(mails)}")
    return 1 if bad else 0


def am(tree: Tree, folder: Path, mails: List[Path]) -> List[str]:
    """Applies the mails as a maintainer would; gives the commits."""
    git(folder, "am", "-q", "--committer-date-is-author-date", *mails,
        env=COMMITTER)
    head = rev(folder, "HEAD") or ""
    if not tree.same(head, tree.made()):
        raise Failure("git am gives another tree than apply")
    return commits_between(folder, tree.base, head)


def judge(tree: Tree, folder: Path, mail: Path,
          commit: str) -> Tuple[bool, List[str]]:
    """Whether a patch is good, and all that there is to say about it."""
    faults = form_faults(tree, commit)
    errors, report = checkpatch(tree, folder, mail)
    return not faults and not errors, faults + report


def form_faults(tree: Tree, commit: str) -> List[str]:
    """What is wrong with the message of a commit."""
    title, author, body = os.fsdecode(git(
        tree.path, "log", "-1", "--format=%s%x00%an <%ae>%x00%B",
        commit)).split("\0")
    faults = []
    if not PREFIX.match(title):
        faults.append("the subject has no 'subsystem: ' in front")
    if len(title) > TITLE_MAX:
        faults.append(f"the subject is longer than {TITLE_MAX}")
    if f"\nSigned-off-by: {author}\n" not in body:
        faults.append(f"Signed-off-by of the author {author} is missing")
    return faults
