# SPDX-License-Identifier: GPL-2.0-or-later
"""Validates device trees against the proposal's bindings, with dt-schema."""

import re
import subprocess
from pathlib import Path
from typing import List

from . import places
from .failure import expect

BINDINGS = places.TOP / "spec" / "devicetree" / "schema"
NEEDS = "needs dt-schema 2023.9 or newer"
# dt-validate names the binding on the line after each objection.
BINDING_LINE = "from schema $id"


def _run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, check=False)


def available() -> bool:
    """Whether this machine has a dt-schema that knows restricted pools."""
    told = _run("sh", "-c", "dt-validate --version")
    version = re.search(r"(\d+)\.(\d+)", told.stdout)
    return (not told.returncode and version is not None
            and tuple(map(int, version.groups())) >= (2023, 9))


def compile_bindings(target: Path) -> None:
    told = _run("dt-mk-schema", "-j", "-o", str(target), str(BINDINGS))
    expect(told.returncode == 0, f"dt-mk-schema fails: {told.stdout}")


def objections(bindings: Path, tree: Path) -> List[str]:
    """What dt-validate has against a tree (.dtb), one line each."""
    lines = _run("dt-validate", "-s", str(bindings),
                 str(tree)).stdout.splitlines()
    return [said for said, where in zip(lines, lines[1:])
            if BINDING_LINE in where]
