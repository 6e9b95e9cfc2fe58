/*
 * Decoder for the ACPI table that describes restricted DMA pools
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_AML_H
#define TESTS_RESTRICTED_DMA_AML_H

/* A pool as its ACPI device describes it */
typedef struct RdpAcpiPool {
    char name[5];               /* of the device, below \_SB */
    uint64_t uid;
    uint64_t base;
    uint64_t size;
    bool dma_default;
} RdpAcpiPool;

/**
 * rdp_decode_ssdt: decode a table of pools
 * @ssdt: the table, with its header
 * @len: its bytes
 * @pools: receives the pools
 * @max: number of elements of @pools
 *
 * The table has only one form.  Asserts that every byte conforms to it.
 *
 * Returns: the number of pools.
 */
unsigned rdp_decode_ssdt(const uint8_t *ssdt, size_t len, RdpAcpiPool *pools,
                         unsigned max);

#endif
