# SPDX-License-Identifier: GPL-2.0-or-later
"""./run series apply: from the store to the tree."""

from argparse import Namespace
from pathlib import Path
from typing import List, Optional

from base import create
from plumbing import config, git, git_text, identity, rev
from progress import say
from testbed.failure import Failure
from tree import BRANCH, IN_STEP, STORES, Tree, locked


def apply(args: Namespace) -> None:
    with locked(f"series-{args.tree}"):
        _apply(args, Tree(args.tree))


def _apply(args: Namespace, tree: Tree) -> None:
    source = own_source(tree, args.src)
    if not tree.exists():
        create(tree, source)
        return
    tree.open()
    if source and source != config(tree.path, "series.source"):
        raise Failure(f"{tree} was made from another source than {source}: "
                      "move it away first")
    digest = tree.store.digest()
    changed = tree.agreed_digest() != digest
    head, agreed = rev(tree.path, "HEAD"), rev(tree.path, IN_STEP)
    if not changed and head == agreed and not tree.dirty():
        return
    made = tree.made() if changed else agreed
    work = has_work(tree, made)
    if work and args.keep and not changed:
        say(f"{tree} is used as it is: it has work that is not in "
            f"{STORES[tree.name]}")
        return
    tree.require_settled()
    if work and not args.force:
        raise Failure(
            f"{tree} has work that is not in {STORES[tree.name]}: './run "
            f"series refresh {tree.name}' stores it, 'apply --force' drops it")
    if work:
        for name in backup(tree):
            say(f"what {tree} had is kept in its branch {name}")
        git(tree.path, "reset", "-q", "--hard")
    # Writes only files that differ, so that builds stay incremental; fails
    # where a file that git does not know is in the way.
    git(tree.path, "checkout", "-q", "--no-overwrite-ignore", "-B", "series",
        made)
    tree.in_step(made, digest)
    say(f"{tree}: {len(tree.store.patches())} patches")


def own_source(tree: Tree, given: Optional[str]) -> Optional[str]:
    """The folder that the user wants upstream's source to be taken from."""
    source = given or tree.source
    if not source:
        return None
    if not Path(source).is_dir():
        raise Failure(f"{source} is not a folder")
    return str(Path(source).absolute())


def has_work(tree: Tree, made: str) -> bool:
    """Whether the tree is neither as the store has it nor as it last was."""
    agreed = rev(tree.path, IN_STEP) or "base"
    return tree.dirty() or on_another_branch(tree) or not (
        tree.form("HEAD") in (tree.form(made), tree.form(agreed)))


def on_another_branch(tree: Tree) -> bool:
    """Whether the branch of the series has commits that HEAD need not have."""
    return rev(tree.path, BRANCH) not in (None, rev(tree.path, "HEAD"))


def backup(tree: Tree) -> List[str]:
    """Keeps what --force is about to drop; gives the names of the branches."""
    commits = [git_text(tree.path, "stash", "create",
                        env=identity("series", "series")) or "HEAD"]
    if on_another_branch(tree):
        commits.append(BRANCH)
    names = []
    for commit in commits:
        short = git_text(tree.path, "rev-parse", "--short", commit)
        names.append(f"backup-{short}")
        git(tree.path, "branch", "--force", names[-1], commit)
    return names
