# SPDX-License-Identifier: GPL-2.0-or-later
"""./run series bisect: whether a later 'git bisect' can build every patch.

It is not called bisect.py because Python's own library has a module bisect.
"""

import os
import shutil
import subprocess
from argparse import Namespace
from pathlib import Path
from typing import Iterator, List, Tuple

from base import opened
from plumbing import git, subject
from progress import say
from testbed import places
from testbed.failure import Failure
from tree import SCRIPTS, Tree

QTESTS = "tests/qtest/restricted-dma-*-test.c"


def bisect(args: Namespace) -> None:
    """Builds after every patch, and runs those of our tests that are there.

    It takes hours, so it goes on behind the commits that passed before: equal
    patches behind equal patches are equal commits.

    The names of the source and build folders are those of build/TREE and
    build/TREE-build, one folder down: so the compiler cache knows most of
    what is built."""
    tree = opened(args.tree)
    top = places.BUILD / "bisect"
    folder = top / tree.name
    passed = places.BUILD / f"bisect-{tree.name}-passed"
    known = set(passed.read_text().split()) if passed.exists() else set()
    commits = tree.store.commits(tree.path, tree.base)
    env = {**os.environ, "RDP_TOP": str(places.TOP), "RDP_BUILD": str(top)}
    try:
        with tree.checkout(folder, tree.base):
            for number, commit in enumerate(commits, 1):
                name = subject(tree.path, commit)
                if commit in known:
                    say(f"[{number}/{len(commits)}] {name}: passed before")
                    continue
                say(f"[{number}/{len(commits)}] {name}")
                git(folder, "checkout", "-q", "--detach", commit)
                for fault, command in steps(tree, folder):
                    if subprocess.run(command, check=False,
                                      env=env).returncode:
                        raise Failure(f"{fault} at {name}")
                with passed.open("a") as file:
                    file.write(f"{commit}\n")
    finally:
        shutil.rmtree(build_of(folder), ignore_errors=True)
    say(f"{tree.name}: each of {len(commits)} patches builds and passes the "
        "tests that exist by then")


def steps(tree: Tree, folder: Path) -> Iterator[Tuple[str, List[str]]]:
    """What has to succeed after a patch: (what it means if not, command)."""
    yield "the build fails", [str(SCRIPTS / "build" / f"build-{tree.name}"),
                              str(folder), str(build_of(folder))]
    if any(folder.glob(QTESTS)):
        yield "a qtest fails", [str(SCRIPTS / "check" / "test-qtest"),
                                "restricted-dma"]


def build_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-build")
