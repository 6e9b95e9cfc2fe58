# SPDX-License-Identifier: GPL-2.0-or-later
"""Device trees held against the bindings of the proposal, by dt-schema."""

import re
import subprocess
from pathlib import Path
from typing import List

from . import places
from .failure import expect

BINDINGS = places.TOP / "spec" / "devicetree" / "schema"
NEEDS = "needs dt-schema 2023.9 or newer"
# What it says of a property begins with a line, and names its binding in this
OBJECTION = "from schema $id"


def _run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, check=False)


def available() -> bool:
    """Is dt-schema on this machine, and does it know restricted pools?"""
    told = _run("sh", "-c", "dt-validate --version")
    version = re.search(r"(\d+)\.(\d+)", told.stdout)
    return (not told.returncode and version is not None
            and tuple(map(int, version.groups())) >= (2023, 9))


def compile_bindings(target: Path) -> None:
    told = _run("dt-mk-schema", "-j", "-o", str(target), str(BINDINGS))
    expect(told.returncode == 0, f"dt-mk-schema fails: {told.stdout}")


def objections(bindings: Path, tree: Path) -> List[str]:
    """What is wrong with a tree (.dtb), a line each."""
    lines = _run("dt-validate", "-s", str(bindings),
                 str(tree)).stdout.splitlines()
    return [said for said, where in zip(lines, lines[1:])
            if OBJECTION in where]
