# SPDX-License-Identifier: GPL-2.0-or-later
"""./run series export: the store as mails that 'git am' takes."""

from argparse import Namespace
from pathlib import Path
from typing import List

from base import opened
from plumbing import git_text, identity
from progress import say
from testbed.failure import Failure
from tree import STORES, Tree

# Mails are the same whoever writes them.
COMMITTER = identity("series", "series", roles=["COMMITTER"])


def export(args: Namespace) -> None:
    names = write_mails(opened(args.tree), Path(args.dir))
    say(f"{args.dir}: {len(names)} mails")


def write_mails(tree: Tree, folder: Path) -> List[Path]:
    """Exports the stored series; gives its mails in order, the cover first."""
    made = tree.made()
    if made == tree.base:
        raise Failure(f"the series in {STORES[tree.name]} is empty")
    folder.mkdir(parents=True, exist_ok=True)
    mails = [Path(name) for name in git_text(
        tree.path, "format-patch", "--cover-letter", "--binary",
        "--no-renames", "-o", folder.absolute(), f"{tree.base}..{made}",
        env=COMMITTER).splitlines()]
    cover = tree.store.root / "cover-letter"
    if cover.exists():
        title, _, blurb = cover.read_text(encoding="utf-8").partition("\n")
        text = mails[0].read_text(encoding="utf-8")
        text = text.replace("*** SUBJECT HERE ***", title)
        text = text.replace("*** BLURB HERE ***", blurb.strip())
        mails[0].write_text(text, encoding="utf-8")
    return mails
