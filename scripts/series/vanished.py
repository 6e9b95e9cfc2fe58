# SPDX-License-Identifier: GPL-2.0-or-later
"""Which stored patches are gone from the tree.

A stored patch is still there

- if a commit of the tree has its subject,
- or its author and date, which survive an amend and a rebase,
- or if the last commit has its whole change, because it was squashed into
  another.

Where several patches share a subject, or author and date, it counts only if
as many commits have it too.

This is a guess: a commit may have the subject of another patch, or a change
may fit in two places.  So refresh also names each file that leaves the store.
"""

from collections import Counter
from pathlib import Path
from typing import Callable, List, NamedTuple, Tuple

from patchstore import Store
from plumbing import git_list, private_index


class Mark(NamedTuple):
    """What a patch is recognized by."""
    subject: str
    author: str
    email: str
    date: str


KEYS: Tuple[Callable[[Mark], object], ...] = (
    lambda mark: mark,
    lambda mark: mark.subject,
    lambda mark: mark[1:],
)


def vanished(store: Store, tree: Path, base: str, head: str) -> List[str]:
    """The subjects of the stored patches that are not in base..head."""
    patches = {name: mark_of(store, tree, name) for name in store.patches()}
    commits = marks(tree, base, head)
    for key in KEYS:
        wanted = Counter(map(key, patches.values()))
        found = Counter(map(key, commits))
        patches = {name: mark for name, mark in patches.items()
                   if wanted[key(mark)] > found[key(mark)]}
        commits = [mark for mark in commits
                   if wanted[key(mark)] == 0
                   or wanted[key(mark)] > found[key(mark)]]
    with private_index(tree, head) as env:
        return [mark.subject for name, mark in patches.items()
                if not store.is_in(tree, name, env)]


def mark_of(store: Store, tree: Path, name: str) -> Mark:
    head = store.head(tree, name)
    return Mark(head.get("Subject", name), head.get("Author", ""),
                head.get("Email", ""), head.get("Date", ""))


def marks(tree: Path, base: str, head: str) -> List[Mark]:
    """What the commits base..head are recognized by."""
    fields = git_list(tree, "log", "-z", "--format=%s%x00%an%x00%ae%x00%aD",
                      f"{base}..{head}")
    return [Mark(*four) for four in zip(*[iter(fields)] * 4)]
