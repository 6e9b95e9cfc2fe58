# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts a fresh store in the place of the stored one.

Each file changes at once, new ones come first, and what leaves goes last, when
the list of patches no longer names it.  So a store whose writer is killed can
still be read, but may keep what was to leave: a journal outside the store
names that until the end.
"""

import contextlib
import os
import re
import shutil
import stat
from collections import Counter
from pathlib import Path
from typing import Iterable, List, NamedTuple, Set

from patchstore import Store
from testbed.failure import Failure
from testbed.places import shown

NUMBER = re.compile(r"\A\d+-")


class Placed(NamedTuple):
    """What the store has no more, by names from its root."""
    gone: List[str]
    overwritten: List[str]


def replace(store: Store, fresh: Store, journal: Path,
            overwrite: bool) -> Placed:
    """Makes store the same as fresh.

    A file that is in the place of a new one, but not part of the series, is
    overwritten only on request."""
    new, old = fresh.parts(), store.parts()
    old += sorted(left_over(journal) - {*old, *new})
    leaving = [name for name in old if name not in new]
    for name in new:
        require_way(store.root, name, set(leaving))
    foreign = [name for name in new if name not in old
               and not (store.root / name).is_dir()
               and not same(fresh.root / name, store.root / name)]
    if foreign and not overwrite:
        raise Failure(f"{shown(store.root / foreign[0])} exists and differs: "
                      "move it away, or refresh --force")
    journal.write_bytes(b"".join(os.fsencode(f"{name}\n")
                                 for name in leaving))
    for name in leaving:
        if any(nested(name, other) for other in new):
            remove(store.root, name)
    for name in new:
        place(fresh.root / name, store.root / name)
    for name in leaving:
        remove(store.root, name)
    journal.unlink()
    return Placed(gone(old, new), foreign)


def left_over(journal: Path) -> Set[str]:
    """What the last call had yet to remove, if it was killed."""
    if not journal.exists():
        return set()
    # without what has no end of line: it was being written
    return set(os.fsdecode(journal.read_bytes()).split("\n")[:-1])


def gone(old: Iterable[str], new: Iterable[str]) -> List[str]:
    """The old names without a new one; the number of a patch may change."""
    rest = Counter(NUMBER.sub("", name) for name in new)
    names = []
    for name in old:
        title = NUMBER.sub("", name)
        if not rest[title]:
            names.append(name)
        rest[title] -= bool(rest[title])
    return names


def nested(one: str, two: str) -> bool:
    """Whether one of the two would be a folder with the other in it."""
    return one.startswith(f"{two}/") or two.startswith(f"{one}/")


def require_way(root: Path, name: str, leaving: Set[str]) -> None:
    """Fails where something that stays makes name impossible."""
    target = root / name
    if target.is_dir() and not target.is_symlink():
        inside = {str(path.relative_to(root)) for path in target.rglob("*")
                  if path.is_symlink() or not path.is_dir()}
        if not inside or inside - leaving:
            raise Failure(f"{shown(target)} is a folder, but a file in the "
                          "tree: move it away")
    for folder in list(Path(name).parents)[:-1]:
        full = root / folder
        if os.path.lexists(full) and not full.is_dir() \
                and str(folder) not in leaving:
            raise Failure(f"{shown(full)} is a file, but a folder in the "
                          "tree: move it away")


def same(source: Path, target: Path) -> bool:
    """Whether target may become source without loss: equal or not there."""
    if not os.path.lexists(target):
        return True

    def key(path: Path):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return os.readlink(path)
        # a folder, which is only ever a target, equals no file
        return None if stat.S_ISDIR(mode) else \
            (bool(mode & stat.S_IXUSR), path.read_bytes())

    return key(source) == key(target)


def place(source: Path, target: Path) -> None:
    """Copies source to target; a target that is equal keeps its time."""
    if os.path.lexists(target) and same(source, target):
        return
    target.parent.resolve().mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.new")
    with contextlib.suppress(FileNotFoundError):
        partial.unlink()
    shutil.copy2(source, partial, follow_symlinks=False)
    os.replace(partial, target)


def remove(root: Path, name: str) -> None:
    """Removes a file, and the folders that this leaves empty."""
    full = root / name
    if full.is_dir() and not full.is_symlink():
        return      # what the name stands for by now
    if os.path.lexists(full):
        full.unlink()
    folder = full.parent
    while folder not in (root, root / "files") and folder.is_dir() \
            and not folder.is_symlink() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
