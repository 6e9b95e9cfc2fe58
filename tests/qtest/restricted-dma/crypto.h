/*
 * Restricted DMA pools: requests of virtio-crypto
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_CRYPTO_H
#define TESTS_RESTRICTED_DMA_CRYPTO_H

#include "standard-headers/linux/virtio_crypto.h"

#define RDP_AES_BLOCK   16          /* and a key, and a vector */

/* Make a session for a cipher; the key comes behind that */
struct virtio_crypto_op_ctrl_req rdp_crypto_session(uint32_t algo, uint32_t op);
/* Encrypt or decrypt @len bytes; vector, source and result come behind that */
struct virtio_crypto_op_data_req rdp_crypto_cipher(uint32_t opcode,
                                                   uint32_t algo,
                                                   uint64_t session,
                                                   uint32_t vector_len,
                                                   uint32_t len);

#endif
