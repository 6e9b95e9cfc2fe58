# SPDX-License-Identifier: GPL-2.0-or-later
"""./run series refresh: from the tree to the store."""

from argparse import Namespace
from typing import Optional, Set

from plumbing import commits_between, git_paths, rev
from testbed.failure import Failure
from tree import IN_STEP, STORES, Tree, say


def refresh(args: Namespace) -> None:
    tree = Tree(args.tree)
    if not tree.exists():
        raise Failure(f"there is no {tree} yet: './run series apply "
                      f"{tree.name}' makes it")
    tree.open()
    if commits_between(tree.path, "HEAD", tree.base):
        raise Failure(f"{tree}: HEAD is not on top of the tag 'base'")
    if not args.force:
        lost = lost_in_store(tree)
        if lost:
            raise Failure(f"{lost} changed in {STORES[tree.name]} since "
                          f"{tree} was in step with it: 'refresh --force' "
                          "overwrites it")
    if tree.dirty():
        say(f"{tree} has changes that are not committed: they are not stored")
    patches = tree.store.write(tree.path, tree.base, "HEAD",
                               overwrite=args.force)
    tree.in_step("HEAD")
    say(f"{STORES[tree.name]}: {len(patches)} patches")


def lost_in_store(tree: Tree) -> Optional[str]:
    """A path whose stored change is in neither HEAD nor the last agreement.

    None where refresh overwrites nothing."""
    if not tree.store.patches() or not tree.store_changed():
        return None
    agreed = rev(tree.path, IN_STEP) or tree.base
    made = tree.made()
    return min(differing(tree, made, agreed) & differing(tree, made, "HEAD"),
               default=None)


def differing(tree: Tree, one: str, two: str) -> Set[str]:
    return set(git_paths(tree.path, "diff-tree", "-r", "-z", "--name-only",
                         "--no-renames", one, two))
