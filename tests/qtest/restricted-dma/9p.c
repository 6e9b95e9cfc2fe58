/*
 * Restricted DMA pools: messages of 9p
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "9p.h"

#define NO_TAG      UINT16_MAX
#define NO_AFID     UINT32_MAX

void rdp_9p_put(GByteArray *msg, uint64_t value, unsigned bytes)
{
    value = cpu_to_le64(value);
    g_byte_array_append(msg, (uint8_t *)&value, bytes);
    if (msg->len >= RDP_9P_HEADER) {
        stl_le_p(msg->data, msg->len);
    }
}

void rdp_9p_put_string(GByteArray *msg, const char *string)
{
    rdp_9p_put(msg, strlen(string), 2);
    while (*string) {
        rdp_9p_put(msg, *string++, 1);
    }
}

GByteArray *rdp_9p_message(uint8_t type)
{
    GByteArray *msg = g_byte_array_new();

    rdp_9p_put(msg, 0, 4);
    rdp_9p_put(msg, type, 1);
    rdp_9p_put(msg, type == RDP_9P_TVERSION ? NO_TAG : 0, 2);
    return msg;
}

GByteArray *rdp_9p_fid(uint8_t type, uint32_t fid)
{
    GByteArray *msg = rdp_9p_message(type);

    rdp_9p_put(msg, fid, 4);
    return msg;
}

GByteArray *rdp_9p_version(uint32_t msize, const char *version)
{
    GByteArray *msg = rdp_9p_message(RDP_9P_TVERSION);

    rdp_9p_put(msg, msize, 4);
    rdp_9p_put_string(msg, version);
    return msg;
}

GByteArray *rdp_9p_attach(uint32_t fid)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TATTACH, fid);

    rdp_9p_put(msg, NO_AFID, 4);
    rdp_9p_put_string(msg, "");
    rdp_9p_put_string(msg, "");
    rdp_9p_put(msg, 0, 4);
    return msg;
}

GByteArray *rdp_9p_walk_from(uint32_t fid, uint32_t newfid, const char *name)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TWALK, fid);

    rdp_9p_put(msg, newfid, 4);
    rdp_9p_put(msg, *name ? 1 : 0, 2);
    if (*name) {
        rdp_9p_put_string(msg, name);
    }
    return msg;
}

GByteArray *rdp_9p_walk(uint32_t fid, const char *name)
{
    return rdp_9p_walk_from(RDP_9P_ROOT, fid, name);
}

GByteArray *rdp_9p_lopen(uint32_t fid)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TLOPEN, fid);

    rdp_9p_put(msg, 0, 4);
    return msg;
}

GByteArray *rdp_9p_read(uint32_t fid, uint32_t count)
{
    GByteArray *msg = rdp_9p_fid(RDP_9P_TREAD, fid);

    rdp_9p_put(msg, 0, 8);
    rdp_9p_put(msg, count, 4);
    return msg;
}
