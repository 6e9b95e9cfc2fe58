/*
 * Two restricted DMA pools, as in the annex of the proposal: the first is for
 * the devices that name it, the second for all devices that name none.
 *
 * The memory map lists both ranges as reserved.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
DefinitionBlock ("", "SSDT", 2, "RSTDMA", "DMAPOOLS", 0x00000001)
{
    Scope (\_SB)
    {
        Device (RDP0)
        {
            Name (_HID, "PRP0001")
            Name (_UID, Zero)
            Name (_STA, 0x0F)
            Name (_CCA, One)
            Name (_CRS, ResourceTemplate ()
            {
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed,
                    Cacheable, ReadWrite,
                    0x0000000000000000, // granularity
                    0x0000000280000000, // base
                    0x0000000283FFFFFF, // last byte
                    0x0000000000000000, // translation
                    0x0000000004000000, // length: 64 MiB
                    , , , AddressRangeReserved, TypeStatic)
            })
            Name (_DSD, Package ()
            {
                ToUUID ("daffd814-6eba-4d8c-8a91-bc9bbf4aa301"),
                Package ()
                {
                    Package () { "compatible", "restricted-dma-pool" }
                }
            })
        }

        Device (RDP1)
        {
            Name (_HID, "PRP0001")
            Name (_UID, One)
            Name (_STA, 0x0F)
            Name (_CCA, One)
            Name (_PXM, One)
            Name (_CRS, ResourceTemplate ()
            {
                QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed,
                    Cacheable, ReadWrite,
                    0x0000000000000000,
                    0x0000000284000000,
                    0x0000000293FFFFFF,
                    0x0000000000000000,
                    0x0000000010000000, // 256 MiB
                    , , , AddressRangeReserved, TypeStatic)
            })
            Name (_DSD, Package ()
            {
                ToUUID ("daffd814-6eba-4d8c-8a91-bc9bbf4aa301"),
                Package ()
                {
                    Package () { "compatible", "restricted-dma-pool" },
                    Package () { "linux,dma-default", One }
                }
            })
        }
    }
}
