# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of a machine with restricted devices.

This is the only place that spells QEMU options.  Devices are on one pool,
'pool0', unless they are added with pooled=False or the machine has no pool.
"""

from pathlib import Path
from typing import List, Optional

from . import places

TCG = ["-accel", "tcg,thread=multi",
       # without erms and fsrm the kernel copies with plain loads and stores,
       # which TCG translates far better than the string instructions
       "-cpu", "max,-erms,-fsrm"]
KVM = ["-accel", "kvm", "-cpu", "max"]
QTEST = ["-accel", "qtest"]
ACCELERATORS = {"tcg": TCG, "kvm": KVM, "qtest": QTEST}


class Machine:
    def __init__(self, accel: str, kind: str = "q35", memory: str = "1G",
                 pool: Optional[str] = "64M", virtio: str = "",
                 qemu: Path = places.QEMU):
        """
        pool: size of pool0, which may be followed by options of it.
        virtio: options for every virtio device, such as "packed=on".
        """
        self.pool = pool
        self._qemu = qemu
        self._kind = kind
        self._virtio = virtio
        self._arguments = [
            "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-machine", kind, "-smp", "2", "-m", memory,
            *ACCELERATORS[accel]]
        if pool:
            self.add_pool("pool0", pool)

    def arguments(self) -> List[str]:
        return [str(self._qemu), *self._arguments]

    def add(self, *arguments: str) -> "Machine":
        self._arguments += arguments
        return self

    def add_pool(self, ident: str, size: str) -> "Machine":
        return self.add("-object",
                        f"restricted-dma-pool,id={ident},size={size}")

    def device(self, name: str, ident: str, options: str = "",
               pooled: bool = True, pool: str = "pool0") -> "Machine":
        """Adds a virtio device, on the pool if it is pooled."""
        words = [name, f"id={ident}", options, self._virtio]
        if pooled and self.pool:
            words.append(f"restricted-dma-pool={pool}")
        return self.add("-device", ",".join(filter(None, words)))

    def other_device(self, name: str, options: str = "") -> "Machine":
        """Adds a device that is not virtio and cannot name a pool."""
        return self.add("-device", ",".join(filter(None, (name, options))))

    def kernel(self, kernel: Path, initramfs: Path,
               append: str = "") -> "Machine":
        # On a busy host an emulated timer can be late, and the kernel's check
        # of it at boot ends in a panic.
        return self.add("-kernel", str(kernel), "-initrd", str(initramfs),
                        "-append", "console=ttyS0 panic=-1 no_timer_check "
                                   f"{append}".strip())

    def share_memory(self, size: str) -> "Machine":
        """Backs all RAM, of the size given to the machine, by one file."""
        return self.add("-object", "memory-backend-memfd,id=ram,share=on,"
                                   f"size={size}",
                        "-machine", "memory-backend=ram")

    def image(self, ident: str, path: Path, writable: bool) -> "Machine":
        """Adds a disk image; one that is not writable is left as it is."""
        keep = "" if writable else ",snapshot=on"
        return self.add("-drive",
                        f"if=none,id={ident},format=raw,file={path}{keep}")

    def disk(self, path: Path, writable: bool = True) -> "Machine":
        self.image("image0", path, writable)
        return self.device("virtio-blk-pci", "disk0", "drive=image0")

    def user_network(self) -> "Machine":
        """The network behind a card with netdev=user0."""
        return self.add("-netdev", "user,id=user0")

    def network(self) -> "Machine":
        self.user_network()
        return self.device("virtio-net-pci", "net0", "netdev=user0")

    def random(self) -> "Machine":
        return self.device("virtio-rng-pci", "rng0")

    def serial_ports(self, first: str, second: str) -> "Machine":
        """Connects two serial ports to chardevs."""
        self.add("-serial", f"chardev:{first}")
        if self._kind.startswith("microvm"):    # it comes with one only
            return self.add("-device", f"isa-serial,index=1,chardev={second}")
        return self.add("-serial", f"chardev:{second}")

    def port(self, chardev: str) -> "Machine":
        """Adds a virtio console device with one port, named rdp.port."""
        self.device("virtio-serial-pci", "console0")
        return self.add("-device", "virtserialport,bus=console0.0,"
                                   f"name=rdp.port,chardev={chardev}")
