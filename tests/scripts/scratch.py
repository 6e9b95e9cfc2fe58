# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of scripts share: a temporary folder, and programs to run."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Dict, Union

TOP = Path(__file__).resolve().parents[2]
SCRIPTS = TOP / "scripts"
GIT_PLACES = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"}


def run(*command: Union[str, Path], **options) -> subprocess.CompletedProcess:
    """Runs a command that asks nothing; its output is in the result."""
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, universal_newlines=True,
                          **options)


def temporary_folder(test: unittest.TestCase) -> Path:
    """A folder that goes when the test ends."""
    folder = tempfile.TemporaryDirectory(
        prefix=f"test-{type(test).__name__.lower()}-")
    test.addCleanup(folder.cleanup)
    return Path(folder.name)


class Scratch(unittest.TestCase):
    """A test with a folder of its own, in which names are relative."""

    def setUp(self) -> None:
        self.top = temporary_folder(self)
        # a hook would lead git to the repository it belongs to
        self.env: Dict[str, str] = {
            name: value for name, value in os.environ.items()
            if name not in GIT_PLACES}

    def path(self, name: str) -> Path:
        return self.top / name

    def put(self, name: str, content: Union[str, bytes],
            executable: bool = False) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        if executable:
            path.chmod(0o755)

    def get(self, name: str) -> str:
        return self.path(name).read_text(encoding="utf-8")

    def call(self, *command: Union[str, Path],
             **options) -> subprocess.CompletedProcess:
        return run(*command, env=self.env, **options)
