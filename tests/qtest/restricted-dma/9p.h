/*
 * Restricted DMA pools: messages of 9p
 *
 * They are packed, little endian, and begin with their size.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_9P_H
#define TESTS_RESTRICTED_DMA_9P_H

/* The type of an answer is that of its request, plus 1 */
#define RDP_9P_RLERROR      7
#define RDP_9P_TLOPEN       12
#define RDP_9P_TLCREATE     14
#define RDP_9P_TRENAME      20
#define RDP_9P_TGETATTR     24
#define RDP_9P_TXATTRWALK   30
#define RDP_9P_TXATTRCREATE 32
#define RDP_9P_TREADDIR     40
#define RDP_9P_TRENAMEAT    74
#define RDP_9P_TVERSION     100
#define RDP_9P_TATTACH      104
#define RDP_9P_RERROR       107     /* of 9P2000.u */
#define RDP_9P_TFLUSH       108
#define RDP_9P_TWALK        110
#define RDP_9P_TOPEN        112     /* of 9P2000.u */
#define RDP_9P_TCREATE      114     /* the same */
#define RDP_9P_TREAD        116
#define RDP_9P_TCLUNK       120
#define RDP_9P_TREMOVE      122
#define RDP_9P_TWSTAT       126     /* the same */

/* Offsets */
#define RDP_9P_TYPE         4
#define RDP_9P_TAG          5
#define RDP_9P_HEADER       7       /* behind it */

#define RDP_9P_MSIZE        8192
#define RDP_9P_ROOT         0       /* the fid of the root */

/* A message without contents; the caller frees it */
GByteArray *rdp_9p_message(uint8_t type);
void rdp_9p_put(GByteArray *msg, uint64_t value, unsigned bytes);
void rdp_9p_put_string(GByteArray *msg, const char *string);

GByteArray *rdp_9p_version(uint32_t msize, const char *version);
GByteArray *rdp_9p_attach(uint32_t fid);
/* @name is that of something in @fid, or "" for that itself ... */
GByteArray *rdp_9p_walk_from(uint32_t fid, uint32_t newfid, const char *name);
/* ... or in the root */
GByteArray *rdp_9p_walk(uint32_t fid, const char *name);
GByteArray *rdp_9p_lopen(uint32_t fid);
GByteArray *rdp_9p_read(uint32_t fid, uint32_t count);
/* A request of which nothing is known but its fid */
GByteArray *rdp_9p_fid(uint8_t type, uint32_t fid);

#endif
