# SPDX-License-Identifier: GPL-2.0-or-later
"""./run series export: the store as mails that 'git am' takes."""

from argparse import Namespace
from pathlib import Path
from typing import List, Optional

from base import opened
from plumbing import git_text, identity
from progress import say
from testbed.failure import Failure
from tree import STORES, Tree

# Mails are the same whoever writes them.
COMMITTER = identity("series", "series", roles=["COMMITTER"])


def export(args: Namespace) -> None:
    names = write_mails(opened(args.tree), Path(args.dir), args.part)
    say(f"{args.dir}: {len(names)} mails")


def write_mails(tree: Tree, folder: Path,
                part: Optional[str] = None) -> List[Path]:
    """Exports the stored series; gives its mails in order, the cover first.

    part: only these patches, which apply to upstream by themselves."""
    made = [tree.base, *tree.store.commits(tree.path, tree.base)]
    tip = made[len(tree.store.part(part)) if part else -1]
    if tip == tree.base:
        raise Failure(f"the series in {STORES[tree.name]} is empty")
    folder.mkdir(parents=True, exist_ok=True)
    mails = [Path(name) for name in git_text(
        tree.path, "format-patch", "--cover-letter", "--binary",
        "--no-renames", "-o", folder.absolute(), f"{tree.base}..{tip}",
        env=COMMITTER).splitlines()]
    cover = tree.store.root / "-".join(filter(None, ["cover-letter", part]))
    if cover.exists():
        fill_in(mails[0], cover)
    return mails


def fill_in(mail: Path, cover: Path) -> None:
    """Gives the cover its title and text; '#' lines come before both."""
    said = cover.read_text(encoding="utf-8")
    while said.startswith("#"):
        said = said.partition("\n")[2]
    title, _, blurb = said.partition("\n")
    text = mail.read_text(encoding="utf-8")
    text = text.replace("*** SUBJECT HERE ***", title)
    text = text.replace("*** BLURB HERE ***", blurb.strip())
    mail.write_text(text, encoding="utf-8")
