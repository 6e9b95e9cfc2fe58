/*
 * ACPI description of restricted DMA pools
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_ACPI_RESTRICTED_DMA_H
#define HW_ACPI_RESTRICTED_DMA_H

#include "hw/acpi/bios-linker-loader.h"

/**
 * restricted_dma_build_acpi: describe all pools in an SSDT of their own
 * @table_offsets: offsets of the tables that the RSDT names
 * @table_data: blob to append the SSDT to
 * @linker: the linker of the blob
 * @oem_id: OEM id of the machine
 *
 * Adds nothing if there are no pools.
 */
void restricted_dma_build_acpi(GArray *table_offsets, GArray *table_data,
                               BIOSLinker *linker, const char *oem_id);

#endif
