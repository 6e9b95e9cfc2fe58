# SPDX-License-Identifier: GPL-2.0-or-later
"""The form in which a patch series is kept: small patches and plain files.

A store is a folder with

  series             the patches in order, one name a line, '#' comments; those
                     below '# Part fixes' repair upstream, and come first
  NNNN-subject.patch a git-format-patch mail whose diff touches only files
                     that upstream has; between '---' and the diff it names
                     the files that are new with it: 'New-file: path'
  files/             every new file, complete, at its upstream path

A new file belongs to one patch and no later patch changes it, so that
the file that is read here is the file that the patch adds.

Store.fresh() turns commits into this form, Store.commits() turns it back.
Both work on git objects only: no work tree is touched, and equal input gives
equal commit ids on every machine (the committer is the author).
"""

import contextlib
import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

from plumbing import (Change, Env, changes, commits_between, git, git_list,
                      git_text, identity, private_index, subject)
from progress import progress
from testbed.failure import Failure
from testbed.places import shown

NEW_FILE = b"New-file: "
PART = "# Part "
# What upstream's stable trees take: such commits can be sent by themselves.
FIX = re.compile(rb"^(Fixes: [0-9a-f]{8,}|Cc: .*\bstable@(nongnu|vger\.kernel|"
                 rb"kernel)\.org)", re.M)
SERIES_HEAD = (b"# SPDX-License-Identifier: GPL-2.0-or-later\n"
               b"# Written by ./run series refresh.\n")
DIFF = ("--no-color", "--no-ext-diff", "--no-renames", "--no-textconv",
        "--abbrev=12", "--unified=3", "--diff-algorithm=myers",
        "--src-prefix=a/", "--dst-prefix=b/")
LENIENT = ("--allow-empty", "--whitespace=nowarn")
FORM = "--format=%T%n%an%n%ae%n%at%n%B"


class Store:
    def __init__(self, root: Path):
        self.root = root

    def read(self, name: str) -> bytes:
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            raise Failure(f"{shown(self.root / name)} is missing") from None

    def patches(self) -> List[str]:
        """Names of the patches, in order; none where there is no series."""
        if not (self.root / "series").exists():
            return []
        lines = os.fsdecode(self.read("series")).splitlines()
        return [line.strip() for line in lines
                if line.strip() and not line.startswith("#")]

    def part(self, part: str) -> List[str]:
        """Names of the patches in a part of the series, which begins it."""
        names, inside = [], False
        for line in os.fsdecode(self.read("series")).splitlines():
            if line.startswith(PART):
                inside = line[len(PART):].strip() == part
            elif inside and line.strip() and not line.startswith("#"):
                names.append(line.strip())
        if not names or self.patches()[:len(names)] != names:
            raise Failure(f"{shown(self.root / 'series')} does not begin with "
                          f"patches below '{PART}{part}'")
        return names

    def new_files(self, name: str) -> List[str]:
        """Upstream paths of the files that come new with a patch."""
        head = self.read(name).split(b"\ndiff --git ", 1)[0]
        return [os.fsdecode(line[len(NEW_FILE):])
                for line in head.rpartition(b"\n---\n")[2].splitlines()
                if line.startswith(NEW_FILE)]

    def parts(self) -> List[str]:
        """Everything that is the series, by names from root, the list last."""
        patches = self.patches()
        files = {f"files/{path}" for name in patches
                 for path in self.new_files(name)}
        return [*sorted(files), *patches, "series"]

    def content(self, path: str) -> Tuple[str, bytes]:
        """(git mode, content) of a new file."""
        full = self.root / "files" / path
        try:
            mode = full.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            raise Failure(f"{shown(full)} is missing") from None
        if stat.S_ISLNK(mode):
            return "120000", os.fsencode(os.readlink(full))
        if stat.S_ISDIR(mode):
            raise Failure(f"{shown(full)} is a folder instead of a file")
        return "100755" if mode & stat.S_IXUSR else "100644", full.read_bytes()

    def digest(self) -> str:
        """A hash of everything that the commits are made from."""
        total = hashlib.sha256()

        def add(*parts: bytes) -> None:
            for part in parts:
                total.update(b"%d:" % len(part) + part)

        for name in self.patches():
            add(os.fsencode(name), self.read(name))
            for path in self.new_files(name):
                mode, content = self.content(path)
                add(os.fsencode(path), mode.encode(), content)
        return total.hexdigest()

    def condition(self) -> str:
        """What shows that the store changed: its digest, or why it has none."""
        try:
            return self.digest()
        except Failure as failure:
            return str(failure)

    def commits(self, tree: Path, base: str) -> List[str]:
        """Makes the commits of the series on top of base, in order."""
        made: List[str] = []
        with private_index(tree, base) as env:
            names = self.patches()
            for number, name in enumerate(names, 1):
                progress.show(f"applying patch {number} of {len(names)}")
                made.append(self._commit(tree, made[-1] if made else base,
                                         name, env))
        return made

    def tip(self, tree: Path, base: str) -> str:
        """Makes the commits; gives the last of them, or base."""
        return [base, *self.commits(tree, base)][-1]

    def _commit(self, tree: Path, parent: str, name: str, env: Env) -> str:
        head, message = self._apply(tree, name, env)
        for path in self.new_files(name):
            mode, content = self.content(path)
            blob = git_text(tree, "hash-object", "-w", "--stdin", data=content)
            git(tree, "update-index", "--add", "--cacheinfo",
                f"{mode},{blob},{path}", env=env)
        return git_text(tree, "commit-tree", "-p", parent,
                        git_text(tree, "write-tree", env=env), data=message,
                        env=identity(head["Author"], head["Email"],
                                     head["Date"]))

    def _apply(self, tree: Path, name: str,
               env: Env) -> Tuple[Dict[str, str], bytes]:
        """Applies a mail to the index; gives its head and commit message."""
        with self._split(tree, name) as (head, body, diff):
            try:
                git(tree, "apply", "--cached", *LENIENT, diff, env=env)
            except Failure as failure:
                raise Failure(f"{shown(self.root / name)} does not apply: "
                              f"{failure}") from None
            return head, git(tree, "stripspace", data=b"%s\n\n%s" % (
                os.fsencode(head["Subject"]), body.read_bytes()))

    @contextlib.contextmanager
    def _split(self, tree: Path,
               name: str) -> Iterator[Tuple[Dict[str, str], Path, Path]]:
        """The head of a mail, and files with its body and its diff."""
        with tempfile.TemporaryDirectory(prefix="series-") as folder:
            body, diff = Path(folder, "message"), Path(folder, "diff")
            info = os.fsdecode(git(tree, "mailinfo", "--encoding=UTF-8", body,
                                   diff, data=self.read(name)))
            yield dict(line.split(": ", 1) for line in info.splitlines()
                       if ": " in line), body, diff

    def head(self, tree: Path, name: str) -> Dict[str, str]:
        """Author, Email, Date and Subject of a patch."""
        with self._split(tree, name) as (head, _, _):
            return head

    def is_in(self, tree: Path, name: str, env: Env) -> bool:
        """Whether the index has the whole change that a patch makes."""
        with self._split(tree, name) as (_, _, diff):
            text = diff.read_bytes()
            # git apply does not insist on modes
            if b"\nold mode " in text or not (
                    self.new_files(name) or b"\ndiff --git " in text):
                return False
            try:
                git(tree, "apply", "--cached", "--check", "--reverse",
                    *LENIENT, diff, env=env)
            except Failure:
                return False
        for path in self.new_files(name):
            try:
                mode, content = self.content(path)
            except Failure:
                return False
            blob = git_text(tree, "hash-object", "--stdin", data=content)
            entry = git_text(tree, "ls-files", "--stage", path, env=env)
            if not entry.startswith(f"{mode} {blob} "):
                return False
        return True

    @contextlib.contextmanager
    def fresh(self, tree: Path, base: str, head: str) -> Iterator["Store"]:
        """The commits base..head as a store, in a temporary folder."""
        with tempfile.TemporaryDirectory(prefix="series-") as folder:
            store = Store(Path(folder))
            store._fill(tree, base, head)
            store._compare(tree, base, head)
            yield store

    def _fill(self, tree: Path, base: str, head: str) -> None:
        if git(tree, "rev-list", "--merges", f"{base}..{head}"):
            raise Failure(f"{shown(tree)}: the series has a merge; rebase it "
                          "onto 'base'")
        upstream = set(git_list(tree, "ls-tree", "-r", "-z", "--name-only",
                                 base))
        owner: Dict[str, str] = {}
        names: List[str] = []
        fixes = 0
        for commit in commits_between(tree, base, head):
            new, old = [], []
            for change in changes(tree, commit):
                if change.path in upstream:
                    old.append(change.path)
                    continue
                if change.path in owner:
                    raise Failure(
                        f"commit {subject(tree, commit)} changes "
                        f"{change.path}, which is new with "
                        f"{subject(tree, owner[change.path])}: squash them: "
                        "a new file has to come complete in one commit")
                owner[change.path] = commit
                new.append(change)
            fixes += fixes == len(names) and is_fix(tree, commit)
            slug = git_text(tree, "log", "-1", "--format=%f", commit)[:52]
            names.append(f"{len(names) + 1:04}-{slug.rstrip('-.')}.patch")
            self._put(names[-1], mail(tree, commit, new, old))
            for change in new:
                self._put(f"files/{change.path}",
                          git(tree, "cat-file", "blob", change.blob),
                          change.mode)
        self._put("series", SERIES_HEAD + b"".join(
            os.fsencode(line) + b"\n" for line in in_parts(names, fixes)))

    def _put(self, name: str, content: bytes, mode: str = "100644") -> None:
        full = self.root / name
        full.parent.mkdir(parents=True, exist_ok=True)
        if mode == "120000":
            full.symlink_to(os.fsdecode(content))
            return
        full.write_bytes(content)
        full.chmod(0o755 if mode == "100755" else 0o644)

    def _compare(self, tree: Path, base: str, head: str) -> None:
        """Fails unless the patches give back the commits they came from."""
        for old, new in zip(commits_between(tree, base, head),
                            self.commits(tree, base)):
            if git(tree, "log", "-1", FORM, old) != \
                    git(tree, "log", "-1", FORM, new):
                raise Failure(
                    f"commit {subject(tree, old)} does not survive as a mail: "
                    "is there a line '---' in its message, a line that starts "
                    "a diff, or a subject in [brackets]?")


def is_fix(tree: Path, commit: str) -> bool:
    return bool(FIX.search(git(tree, "log", "-1", "--format=%B", commit)))


def in_parts(names: List[str], fixes: int) -> List[str]:
    """The lines of a series whose first patches, fixes of them, are fixes."""
    if not fixes:
        return names
    return [f"{PART}fixes", *names[:fixes],
            *([f"{PART}feature", *names[fixes:]] if names[fixes:] else [])]


def mail(tree: Path, commit: str, new: List[Change], old: List[str]) -> bytes:
    """A commit as a patch: new files by name, old ones by their diff."""
    head = git(tree, "log", "-1", "--no-notes", "--format=email", "-s", commit)
    head = re.sub(rb"\AFrom [0-9a-f]+", b"From " + b"0" * 40, head)
    text = head.rstrip(b"\n") + b"\n---\n"
    text += b"".join(NEW_FILE + os.fsencode(change.path) + b"\n"
                     for change in new)
    if old:
        text += b"\n" + git(tree, "diff-tree", "-p", "--binary",
                            "--no-commit-id", *DIFF, commit, "--", *old)
    return text
