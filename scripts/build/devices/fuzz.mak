# SPDX-License-Identifier: GPL-2.0-or-later
# What the fuzzer has: the devices that have targets, q35 for PCI and microvm for
# MMIO. It is all that is compiled of hw/, so that a second QEMU takes less to
# build.

CONFIG_Q35=y
CONFIG_MICROVM=y
CONFIG_PCIE_PORT=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_9P=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_CRYPTO=y
CONFIG_VIRTIO_GPU=y
CONFIG_VIRTIO_INPUT=y
CONFIG_VIRTIO_NET=y
CONFIG_VIRTIO_RNG=y
CONFIG_VIRTIO_SCSI=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_VIRTIO_SND=y
