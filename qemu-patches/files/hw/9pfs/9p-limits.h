/*
 * 9p: what the requests of a client can make the server allocate
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef QEMU_9P_LIMITS_H
#define QEMU_9P_LIMITS_H

#include "9p.h"

/* Bytes of a path, with a limit */
#define V9FS_PATH_MAX           4096
/* A fid with its path; and what more it takes if it is open */
#define V9FS_FID_MEMORY         (sizeof(V9fsFidState) + V9FS_PATH_MAX + 128)
#define V9FS_OPEN_MEMORY        (8 * V9FS_FID_MEMORY)

/* Does the device have a restricted DMA pool, or max-fids? */
bool v9fs_is_limited(V9fsState *s);

/**
 * v9fs_fid_charge: account for @bytes that @f is about to take
 *
 * Returns: 0, or -ENFILE if all fids together would take too much
 */
int v9fs_fid_charge(V9fsState *s, V9fsFidState *f, size_t bytes);
/* @f is not open after all: it takes no more than V9FS_FID_MEMORY */
void v9fs_fid_uncharge_open(V9fsState *s, V9fsFidState *f);
/* @f is being freed */
void v9fs_fid_uncharge(V9fsState *s, V9fsFidState *f);

/* Whether a name from the client is short enough to be looked up at all */
bool v9fs_name_fits(V9fsState *s, const V9fsString *name);
/* The same for all texts of a Twstat, which are kept while it is served */
bool v9fs_stat_fits(V9fsState *s, const V9fsStat *stat);
/* Whether a fid can have the path of @name in @dir */
bool v9fs_path_fits(V9fsState *s, const V9fsPath *dir, const char *name);
/* The same for all fids at and below @old when @len bytes replace it */
bool v9fs_rename_fits(V9fsState *s, V9fsPath *old, size_t len);

/* The bytes that one Rreaddir can have */
size_t v9fs_readdir_max(V9fsState *s);

#endif
