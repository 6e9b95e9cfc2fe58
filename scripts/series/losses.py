# SPDX-License-Identifier: GPL-2.0-or-later
"""What refresh would overwrite: changes of the store that the tree lacks.

Three commits are compared: agreed, at which store and tree were last in step;
made, what the store gives now; and head.  What made has and agreed has not is
a change of the store.  It is lost unless head has it too.
"""

from typing import Dict, List, Optional, Set

from plumbing import git, git_list, git_text, rev
from tree import IN_STEP, Tree

# What is stored of a commit apart from its changes, after its subject
TEXTS = "--format=%s%n%an%n%ae%n%at%n%B"


def lost_in_store(tree: Tree, head: str) -> Optional[str]:
    """Names such a change: a path, a patch or the order; None if all is kept."""
    if not tree.store.patches() or not tree.store_changed():
        return None
    agreed = rev(tree.path, IN_STEP) or tree.base
    made = tree.made()
    paths = differing(tree, made, agreed) & differing(tree, made, head)
    if paths:
        return min(paths)
    for look in (texts, changes):
        kept = {**look(tree, agreed), **look(tree, head)}
        for mark, subject in look(tree, made).items():
            if mark not in kept:
                return f'"{subject}"'
    ours, before, theirs = (list(texts(tree, commit))
                            for commit in (made, agreed, head))
    if in_order(ours, before) or in_order(ours, theirs):
        return None
    return "the order of the patches"


def differing(tree: Tree, one: str, two: str) -> Set[str]:
    return set(git_list(tree.path, "diff-tree", "-r", "-z", "--name-only",
                        "--no-renames", one, two))


def texts(tree: Tree, commit: str) -> Dict[str, str]:
    """Author and message of each commit after base, with its subject."""
    log = git_list(tree.path, "log", "-z", "--reverse", TEXTS,
                   f"{tree.base}..{commit}")
    return {text: text.partition("\n")[0] for text in log}


def changes(tree: Tree, commit: str) -> Dict[str, str]:
    """What each commit after base changes, wherever it is, with its subject."""
    log = git(tree.path, "log", "-p", "--binary", "--reverse",
              f"{tree.base}..{commit}")
    ids = git_text(tree.path, "patch-id", "--stable", data=log)
    return {mark: git_text(tree.path, "log", "-1", "--format=%s", one)
            for mark, one in map(str.split, ids.splitlines())}


def in_order(one: List[str], other: List[str]) -> bool:
    """Whether what both have comes in the same order."""
    return [mark for mark in one if mark in other] == \
        [mark for mark in other if mark in one]
