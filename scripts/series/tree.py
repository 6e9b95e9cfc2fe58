# SPDX-License-Identifier: GPL-2.0-or-later
"""The git tree in which a series is worked on, and what ties it to its store.

build/TREE has upstream's source as one commit tagged 'base', and the series
as commits on the branch 'series'. refs/series/in-step is the commit at which
tree and store last agreed, and series.digest in the tree's settings is the
store's digest then. By these two, apply and refresh know which side changed,
and neither overwrites the work of the other.
"""

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from typing import Iterator, Optional

from patchstore import FORM, Store
from plumbing import config, git, rev
from testbed import places
from testbed.failure import Failure

SCRIPTS = Path(__file__).resolve().parents[1]
STORES = {"qemu": "qemu-patches", "linux": "guest-driver"}
BRANCH = "refs/heads/series"
IN_STEP = "refs/series/in-step"
# What git keeps in its folder while it waits for its user. A rebase comes
# first because it picks and merges as it goes.
OPERATIONS = {
    "rebase-merge": "a rebase",
    "rebase-apply/applying": "git am",
    "rebase-apply": "a rebase",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "sequencer": "a cherry-pick or revert",
    "BISECT_START": "a bisect",
}


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Waits until no other process holds this name, then holds it."""
    folder = places.BUILD / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Tree:
    def __init__(self, name: str):
        self.name = name
        self.path = places.BUILD / name
        self.store = Store(places.TOP / STORES[name])
        self.base = ""

    @property
    def source(self) -> Optional[str]:
        """The user's own source tree to start from."""
        return os.environ.get(f"RDP_{self.name.upper()}_SRC")

    def __str__(self) -> str:
        return places.shown(self.path)

    def exists(self) -> bool:
        return self.path.exists()

    def open(self) -> None:
        """Sets base."""
        base = (self.path / ".git").is_dir() and rev(
            self.path, "refs/tags/base^{commit}")
        if not base or rev(self.path, f"{base}^"):
            raise Failure(f"{self} is not a tree made by './run series apply "
                          f"{self.name}': move it away")
        self.base = base

    def require_settled(self) -> None:
        """Fails while git is in the middle of something."""
        for name, what in OPERATIONS.items():
            if (self.path / ".git" / name).exists():
                raise Failure(f"{what} is going on in {self}: finish or abort "
                              "it first; 'git status' there says how")

    def made(self) -> str:
        """The last commit of the stored series, made in this tree."""
        return self.store.tip(self.path, self.base)

    def dirty(self) -> bool:
        return bool(git(self.path, "status", "--porcelain",
                        "--untracked-files=no"))

    def same(self, one: str, two: str) -> bool:
        return rev(self.path, f"{one}^{{tree}}") == \
            rev(self.path, f"{two}^{{tree}}")

    def form(self, commit: str) -> bytes:
        """The commits after base, the last one first, to be compared.

        FORM takes the tree, the message, and the author's name, address and
        time, but not the time's zone.  Committer and notes never count."""
        return git(self.path, "log", FORM, f"{self.base}..{commit}")

    @property
    def journal(self) -> Path:
        """Where refresh notes what it has yet to remove from the store."""
        return self.path / ".git" / "series-leaving"

    def store_changed(self) -> bool:
        """Whether the store is not what it was when last in step."""
        return self.agreed_digest() != self.store.digest()

    def agreed_digest(self) -> str:
        return config(self.path, "series.digest")

    def in_step(self, commit: str, digest: str) -> None:
        """Notes that this commit and a store with this digest agree."""
        git(self.path, "update-ref", IN_STEP, commit)
        git(self.path, "config", "series.digest", digest)

    @contextlib.contextmanager
    def checkout(self, folder: Path, commit: str) -> Iterator[None]:
        """Has commit in folder, a work tree of its own, for a while."""
        with locked(f"tree-{folder.parent.name}-{folder.name}"):
            self._remove(folder)
            git(self.path, "worktree", "add", "-q", "--detach", folder, commit)
            try:
                yield
            finally:
                self._remove(folder)

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        git(self.path, "worktree", "prune")
