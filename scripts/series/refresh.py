# SPDX-License-Identifier: GPL-2.0-or-later
"""./run series refresh: from the tree to the store."""

from argparse import Namespace

from losses import lost_in_store
from plumbing import commits_between, git_text
from placing import replace
from progress import say
from testbed.failure import Failure
from tree import BRANCH, STORES, Tree, locked
from vanished import vanished


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
    condition = tree.store.condition()
    head = git_text(tree.path, "rev-parse", "HEAD^{commit}")
    if commits_between(tree.path, head, tree.base):
        raise Failure(f"{tree}: HEAD is not on top of the tag 'base'")
    if not args.force:
        require_no_loss(tree, head)
    dropped = vanished(tree.store, tree.path, tree.base, head)
    if dropped and not args.drop:
        for subject in dropped:
            say(subject)
        raise Failure(f"{tree} no longer has the patches above: bring them "
                      "back ('git reflog' has them), or let them go with "
                      "'refresh --drop'")
    if tree.dirty():
        say(f"{tree} has changes that are not committed: they are not stored")
    count = write(tree, head, condition, args.force)
    say(f"{STORES[tree.name]}: {count} patches"
        + (f", {len(dropped)} dropped" if dropped else ""))


def write(tree: Tree, head: str, condition: str, overwrite: bool) -> int:
    """Stores the commits up to head, and says what the store has no more.

    condition: that of the store when it was judged."""
    with tree.store.fresh(tree.path, tree.base, head) as fresh:
        if tree.store.condition() != condition:
            raise Failure(f"{STORES[tree.name]} changed while refresh worked: "
                          "nothing is stored; refresh again")
        placed = replace(tree.store, fresh, tree.journal, overwrite)
        tree.in_step(head, fresh.digest())
        count = len(fresh.patches())
    for name in placed.overwritten:
        say(f"overwritten, was not of the series: {name}")
    for name in placed.gone:
        say(f"gone: {name}")
    return count


def require_branch(tree: Tree) -> None:
    """Fails where HEAD is not the branch of the series."""
    head = git_text(tree.path, "rev-parse", "--symbolic-full-name", "HEAD")
    if head != BRANCH:
        where = "on no branch" if head == "HEAD" else \
            f"on the branch '{head.partition('refs/heads/')[2]}'"
        raise Failure(f"{tree} is {where}: 'git checkout series' goes back to "
                      "the series, 'git checkout -B series' makes this the "
                      "series")


def require_no_loss(tree: Tree, head: str) -> None:
    """Fails where storing head would overwrite a change of the store."""
    hint = "'refresh --force' overwrites it"
    if tree.journal.exists():
        hint = f"a refresh was broken off before: {hint}"
    try:
        lost = lost_in_store(tree, head)
    except Failure as failure:
        raise Failure(f"{failure}: {hint}") from None
    if lost:
        raise Failure(f"{lost} changed in {STORES[tree.name]} since {tree} "
                      f"was in step with it: {hint}")
