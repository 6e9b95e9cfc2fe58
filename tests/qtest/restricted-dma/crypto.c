/*
 * Restricted DMA pools: requests of virtio-crypto
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "crypto.h"

struct virtio_crypto_op_ctrl_req rdp_crypto_session(uint32_t algo, uint32_t op)
{
    return (struct virtio_crypto_op_ctrl_req) {
        .header = {
            .opcode = cpu_to_le32(VIRTIO_CRYPTO_CIPHER_CREATE_SESSION),
            .algo = cpu_to_le32(algo),
        },
        .u.sym_create_session = {
            .u.cipher.para = {
                .algo = cpu_to_le32(algo),
                .keylen = cpu_to_le32(RDP_AES_BLOCK),
                .op = cpu_to_le32(op),
            },
            .op_type = cpu_to_le32(VIRTIO_CRYPTO_SYM_OP_CIPHER),
        },
    };
}

struct virtio_crypto_op_data_req rdp_crypto_cipher(uint32_t opcode,
                                                   uint32_t algo,
                                                   uint64_t session,
                                                   uint32_t vector_len,
                                                   uint32_t len)
{
    return (struct virtio_crypto_op_data_req) {
        .header = {
            .opcode = cpu_to_le32(opcode),
            .algo = cpu_to_le32(algo),
            .session_id = session,      /* as the device has written it */
        },
        .u.sym_req = {
            .u.cipher.para = {
                .iv_len = cpu_to_le32(vector_len),
                .src_data_len = cpu_to_le32(len),
                .dst_data_len = cpu_to_le32(len),
            },
            .op_type = cpu_to_le32(VIRTIO_CRYPTO_SYM_OP_CIPHER),
        },
    };
}
