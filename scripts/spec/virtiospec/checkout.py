# SPDX-License-Identifier: GPL-2.0-or-later
"""A git checkout of the virtio specification."""

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Dict, Iterable, Tuple

from testbed.failure import Failure


class Checkout:
    def __init__(self, path: Path):
        self.path = path.resolve()
        if not (self.path / "conformance.tex").is_file():
            raise Failure(f"{path} is no checkout of the virtio "
                          "specification: it has no conformance.tex")

    def git(self, *words: str, data: str = "") -> str:
        return self._git(*words, data=data.encode()).decode().strip()

    def _git(self, *words: str, data: bytes = b"") -> bytes:
        done = subprocess.run(["git", *words], cwd=self.path, input=data,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
        if done.returncode:
            lines = done.stderr.decode().strip().splitlines() or ["failed"]
            raise Failure(f"git {words[0]} in {self.path}: {lines[0]}")
        return done.stdout

    def has(self, commit: str) -> bool:
        """Is the commit part of the history of this checkout?"""
        return not subprocess.run(
            ["git", "merge-base", "--is-ancestor", commit, "HEAD"],
            cwd=self.path, stderr=subprocess.DEVNULL, check=False).returncode

    def require_base(self, base: str) -> None:
        if not self.has(base):
            raise Failure(f"{self.path} does not contain the base "
                          f"{base[:12]}: fetch and check out master of "
                          "oasis-tcs/virtio-spec")

    def require_clean(self) -> None:
        if self.git("status", "--porcelain", "--untracked-files=no"):
            raise Failure(f"{self.path} has changes that are not committed: "
                          "commit or stash them")

    def texts(self, revision: str = "HEAD") -> Dict[str, str]:
        """{path: text} of all TeX files of a revision."""
        data = self._git("archive", revision)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return {member.name: archive.extractfile(member).read().decode()
                    for member in archive if member.isfile()
                    and member.name.endswith(".tex")}

    def commit(self, commits: Iterable[Tuple[str, Dict[str, str]]]) -> None:
        """Makes commits of (message, {path: text}), all or none."""
        self.git("var", "GIT_COMMITTER_IDENT")
        before = self.git("rev-parse", "HEAD")
        try:
            for message, changed in commits:
                for path, text in changed.items():
                    (self.path / path).write_text(text, encoding="utf-8")
                self.git("add", "--", *changed)
                self.git("commit", "-q", "-s", "-F", "-", data=message)
        except BaseException:
            self.git("reset", "-q", "--hard", before)
            raise
