# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu-storage-daemon, as the process behind a vhost-user-blk device."""

import os
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, List

from . import places
from .failure import Failure
from .process import EXIT_SECONDS


class StorageDaemon:
    """Exports an image through a socket; starts again if it is told to.

    The socket belongs to us: QEMU can connect to it before the daemon runs.
    """

    def __init__(self, image: Path, log: Path):
        places.require(places.STORAGE_DAEMON)
        # A socket's name must be short, and the folder of a test is not.
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "socket"
        self._image = image
        self._log = log
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self.start()

    def start(self) -> None:
        fd = self._listener.fileno()
        with self._log.open("a") as out:
            self._popen = subprocess.Popen(
                [str(places.STORAGE_DAEMON),
                 "--blockdev", "file,node-name=disk,locking=off,"
                               f"filename={self._image}",
                 "--export", "vhost-user-blk,id=export,node-name=disk,"
                             f"writable=on,addr.type=fd,addr.str={fd}"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                pass_fds=[fd])

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self._popen.kill()
        self._popen.wait()

    def shared_files(self) -> List[str]:
        """The files that it has mapped and shares with others.

        For each mapping, what /proc says of its size and name.
        """
        files = []
        maps = Path(f"/proc/{self._popen.pid}/maps").read_text()
        for line in maps.splitlines():
            where, mode, _, _, _, *name = line.split(maxsplit=5)
            start, end = (int(word, 16) for word in where.split("-"))
            if mode.endswith("s"):
                files.append(f"{end - start} {' '.join(name)}")
        return files

    def open_files(self) -> List[str]:
        """The names of the files that it has open."""
        folder = Path(f"/proc/{self._popen.pid}/fd")
        return [os.readlink(link) for link in folder.iterdir()]

    def __enter__(self) -> "StorageDaemon":
        return self

    def __exit__(self, kind: Any, *rest: Any) -> None:
        """Ends it in order; what it has to say then is an error."""
        self._popen.terminate()
        try:
            status = self._popen.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            status = -1
        self._listener.close()
        self._folder.cleanup()
        if status and kind is None:
            raise Failure(f"qemu-storage-daemon ended with status {status} "
                          f"(see {places.shown(self._log)})")
