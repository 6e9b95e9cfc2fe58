# SPDX-License-Identifier: GPL-2.0-or-later
# What the fuzzer has beside q35: the devices that have targets. It is all that
# is compiled of hw/, so that a second QEMU takes less to build.

CONFIG_Q35=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_GPU=y
CONFIG_VIRTIO_NET=y
CONFIG_VIRTIO_RNG=y
CONFIG_VIRTIO_SCSI=y
CONFIG_VIRTIO_SERIAL=y
