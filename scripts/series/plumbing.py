# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs git so that nobody's own settings change what it does."""

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Union

from testbed.failure import Failure

Env = Dict[str, str]

GIT_ENV = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_NO_REPLACE_OBJECTS": "1", "GIT_TERMINAL_PROMPT": "0",
           "LC_ALL": "C.UTF-8", "TZ": "UTC"}
# A hook, an alias or 'git rebase -x' would lead git to their repository.
for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR",
             "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
             "GIT_NAMESPACE", "GIT_PREFIX", "GIT_CONFIG_PARAMETERS",
             "GIT_CONFIG_COUNT"):
    os.environ.pop(name, None)


def git(tree: Path, *args: Union[str, Path], data: Optional[bytes] = None,
        env: Optional[Env] = None) -> bytes:
    """Runs git in tree and returns its standard output."""
    done = subprocess.run(["git", *args], cwd=tree, input=data,
                          stdin=subprocess.DEVNULL if data is None else None,
                          env={**os.environ, **GIT_ENV, **(env or {})},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        text = lines[0] if lines else f"exit {done.returncode}"
        if text.endswith(":") and lines[1:]:
            text += f" {lines[1].strip()}"
        raise Failure(f"git {args[0]}: {text}")
    return done.stdout


def git_text(tree: Path, *args: Union[str, Path],
             data: Optional[bytes] = None, env: Optional[Env] = None) -> str:
    """As git(), for text, without white space around it."""
    return os.fsdecode(git(tree, *args, data=data, env=env)).strip()


def git_list(tree: Path, *args: str) -> List[str]:
    """As git(), for a list in which -z ends each entry with a NUL."""
    return os.fsdecode(git(tree, *args)).split("\0")[:-1]


def identity(name: str, email: str, date: str = "",
             roles: Sequence[str] = ("AUTHOR", "COMMITTER")) -> Env:
    """The environment that tells git who is author or committer."""
    env = {}
    for role in roles:
        env[f"GIT_{role}_NAME"] = name
        env[f"GIT_{role}_EMAIL"] = email
        if date:
            env[f"GIT_{role}_DATE"] = date
    return env


def rev(tree: Path, name: str) -> Optional[str]:
    """The object that name stands for, or None."""
    try:
        return git_text(tree, "rev-parse", "--verify", "--quiet", name)
    except Failure:
        return None


def config(tree: Path, key: str) -> str:
    """A setting of this tree, empty if it has none."""
    return git_text(tree, "config", "--default", "", key)


def commits_between(tree: Path, base: str, head: str) -> List[str]:
    """The commits after base, the oldest first."""
    return git_text(tree, "rev-list", "--reverse", f"{base}..{head}").split()


def subject(tree: Path, commit: str) -> str:
    """How messages name a commit."""
    return git_text(tree, "log", "-1", "--abbrev=12", '--format=%h ("%s")',
                    commit)


@contextlib.contextmanager
def private_index(tree: Path, commit: str) -> Iterator[Env]:
    """The environment for an index of its own, which holds commit."""
    with tempfile.TemporaryDirectory(prefix="series-") as folder:
        env = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
        git(tree, "read-tree", commit, env=env)
        yield env


class Change(NamedTuple):
    """What one commit does to one path."""
    path: str
    mode: str
    blob: str


def changes(tree: Path, commit: str) -> List[Change]:
    fields = git_list(tree, "diff-tree", "-r", "--raw", "-z", "--no-abbrev",
                       "--no-renames", "--no-commit-id", commit)
    found = []
    for meta, path in zip(fields[::2], fields[1::2]):
        _, mode, _, blob, _ = meta.split()
        found.append(Change(path, mode, blob))
    return found
