/*
 * 9p: what the requests of a client can make the server allocate
 *
 * A client can have as many fids as there are numbers, with paths as long as
 * the exported tree is deep.  A transport that does not trust its client with
 * that has a fid_memory_limit: fids are charged for the most that they can take
 * until they are freed, and no path is longer than V9FS_PATH_MAX.  With the
 * length of a path known, so is the memory of the requests in flight.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/units.h"
#include "9p-limits.h"

/*
 * The server collects directory entries before it replies.  They take up to 9
 * times the bytes that they have in the reply, in each of MAX_REQ requests.
 */
#define V9FS_READDIR_MAX        (16 * KiB)

static size_t v9fs_fid_memory_limit(V9fsState *s)
{
    return s->transport->fid_memory_limit ?
           s->transport->fid_memory_limit(s) : SIZE_MAX;
}

bool v9fs_is_limited(V9fsState *s)
{
    return v9fs_fid_memory_limit(s) != SIZE_MAX;
}

int v9fs_fid_charge(V9fsState *s, V9fsFidState *f, size_t bytes)
{
    size_t limit = v9fs_fid_memory_limit(s);

    if (s->fid_memory > limit || bytes > limit - s->fid_memory) {
        return -ENFILE;
    }
    f->memory += bytes;
    s->fid_memory += bytes;
    return 0;
}

void v9fs_fid_uncharge_open(V9fsState *s, V9fsFidState *f)
{
    s->fid_memory -= f->memory - V9FS_FID_MEMORY;
    f->memory = V9FS_FID_MEMORY;
}

void v9fs_fid_uncharge(V9fsState *s, V9fsFidState *f)
{
    s->fid_memory -= f->memory;
    f->memory = 0;
}

bool v9fs_name_fits(V9fsState *s, const V9fsString *name)
{
    return name->size < V9FS_PATH_MAX || !v9fs_is_limited(s);
}

bool v9fs_stat_fits(V9fsState *s, const V9fsStat *stat)
{
    return v9fs_name_fits(s, &stat->name) && v9fs_name_fits(s, &stat->uid) &&
           v9fs_name_fits(s, &stat->gid) && v9fs_name_fits(s, &stat->muid) &&
           v9fs_name_fits(s, &stat->extension);
}

bool v9fs_path_fits(V9fsState *s, const V9fsPath *dir, const char *name)
{
    return dir->size + 1 + strlen(name) <= V9FS_PATH_MAX || !v9fs_is_limited(s);
}

bool v9fs_rename_fits(V9fsState *s, V9fsPath *old, size_t len)
{
    GHashTableIter iter;
    V9fsFidState *f;

    if (!v9fs_is_limited(s)) {
        return true;
    }
    g_hash_table_iter_init(&iter, s->fids);
    while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&f)) {
        if (v9fs_path_is_ancestor(old, &f->path) &&
            f->path.size - old->size + len > V9FS_PATH_MAX) {
            return false;
        }
    }
    return true;
}

size_t v9fs_readdir_max(V9fsState *s)
{
    return v9fs_is_limited(s) ? V9FS_READDIR_MAX : SIZE_MAX;
}
