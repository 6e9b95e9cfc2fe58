# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk image on the host: copies it, and checks what guests wrote."""

import os
import subprocess
from pathlib import Path
from typing import Dict

from . import places
from .failure import Failure, expect
from .units import MIB

WRITTEN = "/written"
ENVIRONMENT = {**os.environ, "PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"}


def info() -> Dict[str, int]:
    """The number of "files" on the disk, and their "bytes"."""
    lines = places.DISK_INFO.read_text().split()
    return {key: int(value)
            for key, value in (line.split("=") for line in lines)}


def copy(path: Path) -> Path:
    """Makes a copy that a guest may write to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "--sparse=always", "--reflink=auto",
                    str(places.DISK), str(path)], check=True)
    return path


def pattern(seed: int, size: int) -> bytes:
    """What write-pattern writes in a guest, given the same numbers."""
    return subprocess.run([str(places.PATTERN), str(seed), str(size)],
                          stdout=subprocess.PIPE, check=True).stdout


def check_written(image: Path, seed: int, size: int) -> None:
    """Checks the file system, and in it the pattern that the guest wrote."""
    fsck = subprocess.run(["e2fsck", "-fn", str(image)], env=ENVIRONMENT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    expect(fsck.returncode == 0, f"e2fsck finds errors in {image.name}: "
           + fsck.stdout.decode(errors="replace").strip().split("\n")[-1])
    with _stream("debugfs", "-R", f"cat {WRITTEN}", str(image)) as found, \
            _stream(str(places.PATTERN), str(seed), str(size)) as wanted:
        offset = 0
        while True:
            ours, theirs = wanted.stdout.read(MIB), found.stdout.read(MIB)
            if ours != theirs:
                raise Failure(f"{image.name}: what the guest wrote differs "
                              f"within the MiB at offset {offset}")
            if not ours:
                return
            offset += len(ours)


def _stream(*command: str) -> subprocess.Popen:
    return subprocess.Popen(command, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, env=ENVIRONMENT)
