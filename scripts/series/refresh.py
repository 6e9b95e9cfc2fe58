# SPDX-License-Identifier: GPL-2.0-or-later
"""./run series refresh: from the tree to the store."""

from argparse import Namespace
from typing import Optional, Set

from plumbing import commits_between, git_list, git_text, rev
from progress import say
from testbed.failure import Failure
from tree import BRANCH, IN_STEP, STORES, Tree, locked
from vanished import vanished

TEXTS = "--format=%an%n%ae%n%at%n%B"


def refresh(args: Namespace) -> None:
    with locked(f"series-{args.tree}"):
        _refresh(args, Tree(args.tree))


def _refresh(args: Namespace, tree: Tree) -> None:
    if not tree.exists():
        raise Failure(f"there is no {tree} yet: './run series apply "
                      f"{tree.name}' makes it")
    tree.open()
    tree.require_settled()
    require_branch(tree)
    head = git_text(tree.path, "rev-parse", "HEAD^{commit}")
    if commits_between(tree.path, head, tree.base):
        raise Failure(f"{tree}: HEAD is not on top of the tag 'base'")
    if not args.force:
        lost = lost_in_store(tree, head)
        if lost:
            raise Failure(f"{lost} changed in {STORES[tree.name]} since "
                          f"{tree} was in step with it: 'refresh --force' "
                          "overwrites it")
    gone = vanished(tree.store, tree.path, tree.base)
    if gone and not args.drop:
        for subject in gone:
            say(subject)
        raise Failure(f"{tree} no longer has the patches above: bring them "
                      "back ('git reflog' has them), or let them go with "
                      "'refresh --drop'")
    if tree.dirty():
        say(f"{tree} has changes that are not committed: they are not stored")
    patches, digest = tree.store.write(tree.path, tree.base, head,
                                       overwrite=args.force)
    tree.in_step(head, digest)
    say(f"{STORES[tree.name]}: {len(patches)} patches"
        + (f", {len(gone)} dropped" if gone else ""))


def require_branch(tree: Tree) -> None:
    """Fails where HEAD is not the branch of the series."""
    head = git_text(tree.path, "rev-parse", "--symbolic-full-name", "HEAD")
    if head != BRANCH:
        where = "on no branch" if head == "HEAD" else \
            f"on the branch '{head.partition('refs/heads/')[2]}'"
        raise Failure(f"{tree} is {where}: 'git checkout series' goes back to "
                      "the series, 'git checkout -B series' makes this the "
                      "series")


def lost_in_store(tree: Tree, head: str) -> Optional[str]:
    """What changed in the store and is in neither head nor the last agreement.

    None where refresh overwrites nothing."""
    if not tree.store.patches() or not tree.store_changed():
        return None
    agreed = rev(tree.path, IN_STEP) or tree.base
    made = tree.made()
    paths = differing(tree, made, agreed) & differing(tree, made, head)
    if paths:
        return min(paths)
    texts = [tree.form(commit, TEXTS) for commit in (made, agreed, head)]
    return None if texts[0] in texts[1:] else "a message or the order"


def differing(tree: Tree, one: str, two: str) -> Set[str]:
    return set(git_list(tree.path, "diff-tree", "-r", "-z", "--name-only",
                         "--no-renames", one, two))
