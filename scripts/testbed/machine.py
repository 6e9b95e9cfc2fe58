# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of a machine with restricted devices.

QEMU's options for machines and their usual devices are spelled here only.
Virtio devices are attached to one pool, 'pool0', unless they are added with
pooled=False or the machine has no pool.
"""

from pathlib import Path
from typing import List, Optional

from . import places
from .arch import Arch, X86_64
from .failure import Failure

# How the name of a virtio device ends on each bus
BUSES = {"pci": "pci", "mmio": "device"}


def accelerator(accel: str, arch: Arch) -> List[str]:
    return {"tcg": ["-accel", "tcg,thread=multi", "-cpu", arch.processor],
            # Time passes with each instruction, a nanosecond, and in idleness
            "icount": ["-accel", "tcg,thread=single", "-icount", "shift=0",
                       "-cpu", arch.processor],
            "kvm": ["-accel", "kvm", "-cpu", "max"],
            "qtest": ["-accel", "qtest"]}[accel]


class Machine:
    def __init__(self, accel: str, kind: str = "", memory: str = "1G",
                 pool: Optional[str] = "64M", virtio: str = "",
                 qemu: Optional[Path] = None, arch: Arch = X86_64,
                 bus: str = "pci", negotiate: bool = True,
                 uefi: bool = False):
        """
        kind: QEMU's machine type; by default the architecture's usual one.
        pool: the size of pool0, which may be followed by other properties.
        virtio: properties of every virtio device, such as "packed=on".
        bus: of the virtio devices, "pci" or "mmio".
        negotiate: whether restricted devices offer the feature.
        uefi: start with UEFI, which describes the machine with ACPI.
        """
        kind = kind or arch.machine
        self.arch = arch
        self.pool = pool
        self._qemu = qemu or arch.qemu
        self._kind = kind
        self._virtio = virtio
        self._bus = bus
        self._negotiate = negotiate
        self._arguments = [
            "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-machine", kind, "-smp", "2", "-m", memory,
            *accelerator(accel, arch)]
        if pool:
            self.add_pool("pool0", pool)
        if bus == "mmio":
            self._set_up_mmio()
        if uefi:
            self._set_up_uefi()

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
        """Adds a virtio device, attached to the pool if it is pooled.

        With mmio every device is: the transports name the pool.
        """
        words = [name, f"id={ident}", options, self._virtio]
        if pooled and self._bus == "pci":
            words += self._restrict(pool)
        return self.add("-device", ",".join(filter(None, words)))

    def virtio(self, kind: str, ident: str, options: str = "") -> "Machine":
        """Adds a virtio device of this kind on the machine's virtio bus."""
        return self.device(f"virtio-{kind}-{BUSES[self._bus]}", ident, options)

    def _restrict(self, pool: str) -> List[str]:
        """The properties that restrict a device to a pool."""
        words = [f"restricted-dma-pool={pool}"] if self.pool else []
        if words and not self._negotiate:
            words.append("restricted-dma-negotiate=off")
        return words

    def _set_up_mmio(self) -> None:
        for word in ["force-legacy=false", *self._restrict("pool0")]:
            self.add("-global", f"virtio-mmio.{word}")

    def _set_up_uefi(self) -> None:
        firmware = self.arch.uefi
        if not firmware:
            raise Failure(f"no UEFI firmware is known for {self.arch.name}")
        places.require(firmware, arch=self.arch.name)
        self.add("-bios", str(firmware))

    def other_device(self, name: str, options: str = "") -> "Machine":
        """Adds a device that is not virtio and cannot name a pool."""
        return self.add("-device", ",".join(filter(None, (name, options))))

    def kernel(self, kernel: Path, initramfs: Path,
               append: str = "") -> "Machine":
        words = [f"console={self.arch.console}", "panic=-1", self.arch.append,
                 append]
        return self.add("-kernel", str(kernel), "-initrd", str(initramfs),
                        "-append", " ".join(filter(None, words)))

    def share_memory(self, size: str) -> "Machine":
        """Backs all RAM by one file; the size must be the machine's."""
        return self.add("-object", "memory-backend-memfd,id=ram,share=on,"
                                   f"size={size}",
                        "-machine", "memory-backend=ram")

    def nodes(self, *sizes: str) -> "Machine":
        """Splits RAM into NUMA nodes; the sizes must add up to all of it."""
        for number, size in enumerate(sizes):
            self.add("-object",
                     f"memory-backend-ram,id=ram{number},size={size}",
                     "-numa", f"node,memdev=ram{number}")
        return self

    def image(self, ident: str, path: Path, writable: bool) -> "Machine":
        """Adds a disk image; what is written to it is kept if writable."""
        keep = "" if writable else ",snapshot=on"
        return self.add("-drive",
                        f"if=none,id={ident},format=raw,file={path}{keep}")

    def disk(self, path: Path, writable: bool = True) -> "Machine":
        self.image("image0", path, writable)
        return self.virtio("blk", "disk0", "drive=image0")

    def vhost_disk(self, ident: str, path: Path, pooled: bool = True,
                   options: str = "") -> "Machine":
        """Adds a disk whose back end listens on a socket.

        Without the pool, it needs all memory: see share_memory().
        """
        self._back_end(ident, path)
        words = [f"chardev={ident}-socket,num-queues=1", options]
        return self.device("vhost-user-blk-pci", ident,
                           ",".join(filter(None, words)), pooled=pooled)

    def vhost_network(self, ident: str, path: Path) -> "Machine":
        """Adds a network card whose back end listens on a socket."""
        self._back_end(ident, path)
        self.add("-netdev",
                 f"vhost-user,id={ident}-netdev,chardev={ident}-socket")
        return self.virtio("net", ident, f"netdev={ident}-netdev")

    def _back_end(self, ident: str, path: Path) -> None:
        self.add("-chardev", f"socket,id={ident}-socket,path={path},"
                             "reconnect-ms=100")

    def nvme(self, path: Path, writable: bool = True) -> "Machine":
        """Adds an NVMe disk, which is not a virtio device."""
        self.image("nvme", path, writable)
        return self.other_device("nvme", "drive=nvme,serial=1")

    def user_network(self) -> "Machine":
        """Adds the network that a card with netdev=user0 connects to."""
        return self.add("-netdev", "user,id=user0")

    def network(self) -> "Machine":
        self.user_network()
        return self.virtio("net", "net0", "netdev=user0")

    def random(self) -> "Machine":
        return self.virtio("rng", "rng0")

    def share(self, folder: Path, options: str = "") -> "Machine":
        """Adds a 9p share of a folder of the host; see scenes.mount_share()."""
        words = [f"local,id=share,path={folder},security_model=none", options]
        self.add("-fsdev", ",".join(filter(None, words)))
        return self.virtio("9p", "files", "fsdev=share,mount_tag=share")

    def serial_ports(self, first: str, second: str) -> "Machine":
        """Connects two serial ports to chardevs."""
        self.add("-serial", f"chardev:{first}")
        other = self.arch.second_port
        if self._kind.startswith("microvm"):    # it has only one built in
            other = "isa-serial,index=1"
        if other:
            return self.add("-device", f"{other},chardev={second}")
        return self.add("-serial", f"chardev:{second}")

    def port(self, chardev: str) -> "Machine":
        """Adds a virtio console device with one port, named rdp.port."""
        self.virtio("serial", "console0")
        return self.add("-device", "virtserialport,bus=console0.0,"
                                   f"name=rdp.port,chardev={chardev}")
