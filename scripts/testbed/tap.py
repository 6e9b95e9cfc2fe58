# SPDX-License-Identifier: GPL-2.0-or-later
"""A network that takes large packets, which QEMU's user network does not.

It is a tap interface in a network namespace of its own, so it meets no other
network of the host.
"""

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

NAME, HOST, GUEST = "rdptap", "10.9.0.1", "10.9.0.2"
DEVICE = Path("/dev/net/tun")
CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x1000, 0x4000
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
IFF_UP = 0x1


def enter() -> None:
    """Moves this thread, and what it starts, to a namespace with the tap.

    An OSError says why that is not possible: it takes root, and the device.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "a network namespace")
    _create()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for request, address in ((SIOCSIFADDR, HOST),
                                 (SIOCSIFNETMASK, "255.255.255.0")):
            fcntl.ioctl(any_socket, request,
                        _ifreq(struct.pack("HH4s", socket.AF_INET, 0,
                                           socket.inet_aton(address))))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, _ifreq(struct.pack("H", IFF_UP)))


def _create() -> None:
    """Makes the tap, which stays as long as the namespace."""
    tun = os.open(DEVICE, os.O_RDWR)
    try:
        fcntl.ioctl(tun, TUNSETIFF, _ifreq(struct.pack(
            "H", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)))
        fcntl.ioctl(tun, TUNSETPERSIST, 1)
    finally:
        os.close(tun)


def _ifreq(value: bytes) -> bytes:
    return struct.pack("16s24s", NAME.encode(), value)
