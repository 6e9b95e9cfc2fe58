# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes behind vhost-user devices, and what they have of a guest."""

import os
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, List, Sequence

from . import places
from .failure import Failure
from .process import EXIT_SECONDS


class BackEnd:
    """A process that QEMU reaches through a socket; see socket_path."""

    def __init__(self, log: Path):
        # A socket's name must be short, and the folder of a test is not.
        self._folder = tempfile.TemporaryDirectory()
        self.socket_path = Path(self._folder.name) / "socket"
        self._log = log

    def run(self, command: Sequence[str], fds: Sequence[int] = ()) -> None:
        with self._log.open("a") as out:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                pass_fds=fds)

    @property
    def pid(self) -> int:
        return self._popen.pid

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

    def close(self) -> None:
        """The process has ended."""
        self._folder.cleanup()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.kill()
        self.close()


class StorageDaemon(BackEnd):
    """Exports a block device; starts again if it is told to.

    The socket belongs to us, so QEMU can connect to it before the daemon runs.
    """

    def __init__(self, device: str, log: Path):
        """device: its driver and options, as --blockdev has them."""
        super().__init__(log)
        places.require(places.STORAGE_DAEMON)
        self._device = device
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket_path))
        self._listener.listen()
        self.start()

    def start(self) -> None:
        fd = self._listener.fileno()
        self.run([str(places.STORAGE_DAEMON),
                  "--blockdev", f"{self._device},node-name=disk",
                  "--export", "vhost-user-blk,id=export,node-name=disk,"
                              f"writable=on,addr.type=fd,addr.str={fd}"],
                 [fd])

    def __exit__(self, kind: Any, *rest: Any) -> None:
        """Lets it end in order, which must work."""
        self._popen.terminate()
        try:
            status = self._popen.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            status = -1
        self._listener.close()
        self.close()
        if status and kind is None:
            raise Failure(f"qemu-storage-daemon ended with status {status} "
                          f"(see {places.shown(self._log)})")


class Bridge(BackEnd):
    """A network card: QEMU's vhost-user-bridge, and behind it a user network.

    The bridge sends packets over UDP, to another QEMU that has nothing but the
    user network.  An address of their own keeps them apart from others.
    """

    def __init__(self, log: Path):
        super().__init__(log)
        places.require(places.BRIDGE)
        number = os.getpid()
        host = f"127.{number >> 16 & 127 | 128}.{number >> 8 & 255}." \
               f"{number & 255}"
        ours, theirs = f"{host}:4444", f"{host}:5555"
        self.run([str(places.BRIDGE), "-u", str(self.socket_path),
                  "-l", ours, "-r", theirs])
        with log.open("a") as out:
            self._network = subprocess.Popen(
                [str(places.QEMU), "-M", "none", "-nodefaults",
                 "-display", "none",
                 "-netdev", f"socket,id=bridge,udp={ours},localaddr={theirs}",
                 "-netdev", "user,id=user",
                 "-netdev", "hubport,id=port0,hubid=0,netdev=bridge",
                 "-netdev", "hubport,id=port1,hubid=0,netdev=user"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def close(self) -> None:
        self._network.kill()
        self._network.wait()
        super().close()
