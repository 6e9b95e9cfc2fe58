# SPDX-License-Identifier: GPL-2.0-or-later
"""Offers a feature in the name of a vhost-user back end that does not know it.

A device without a pool of its own needs VIRTIO_F_ACCESS_PLATFORM, or its guest
does not copy its data through the default pool. Back ends that know nothing of
IOMMUs do not offer that. Where there is no IOMMU it means nothing to them, so
what stands between them and QEMU adds it to what they offer, and takes it away
from what they are told. Requests and data do not come this way.
"""

import socket
import struct
import tempfile
import threading
from pathlib import Path
from typing import Any, List, Tuple

HEADER = struct.Struct("<III")      # request, flags, size of what follows
FEATURES = struct.Struct("<Q")
GET_FEATURES, SET_FEATURES = 1, 2
ACCESS_PLATFORM = 1 << 33
MAX_FDS = 8


def receive(link: socket.socket) -> Tuple[int, bytes, List[int]]:
    """A message as its request, all its bytes and its descriptors."""
    header, fds, _, _ = socket.recv_fds(link, HEADER.size, MAX_FDS)
    if len(header) < HEADER.size:
        raise ConnectionError
    request, _, size = HEADER.unpack(header)
    body = link.recv(size, socket.MSG_WAITALL) if size else b""
    return request, header + body, list(fds)


class AccessPlatform:
    """Listens in the place of a back end; see socket_path."""

    def __init__(self, back_end: Path):
        self._folder = tempfile.TemporaryDirectory()
        self.socket_path = Path(self._folder.name) / "socket"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket_path))
        self._listener.listen()
        self._back_end = socket.socket(socket.AF_UNIX)
        self._back_end.connect(str(back_end))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        front_end, _ = self._listener.accept()
        for pair in ((front_end, self._back_end), (self._back_end, front_end)):
            threading.Thread(target=self._pass_on, args=pair,
                             daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while True:
                request, message, fds = receive(source)
                body = message[HEADER.size:]
                if len(body) == FEATURES.size and request in (GET_FEATURES,
                                                              SET_FEATURES):
                    features, = FEATURES.unpack(body)
                    features = features | ACCESS_PLATFORM \
                        if request == GET_FEATURES \
                        else features & ~ACCESS_PLATFORM
                    message = message[:HEADER.size] + FEATURES.pack(features)
                socket.send_fds(sink, [message], fds)
                for descriptor in fds:
                    socket.close(descriptor)
        except OSError:
            sink.close()

    def __enter__(self) -> "AccessPlatform":
        return self

    def __exit__(self, *_: Any) -> None:
        self._listener.close()
        self._back_end.close()
        self._folder.cleanup()
