/*
 * Restricted DMA pools: migration from one QEMU to another
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_MIGRATION_H
#define TESTS_RESTRICTED_DMA_MIGRATION_H

#include "guest.h"

/* What source and destination share, in a folder of their own */
typedef struct RdpMigrationFiles {
    char *dir;
    char *stream;
    char *socket;
    char *errors;               /* what the destination has to say */
} RdpMigrationFiles;

void rdp_migration_files_init(RdpMigrationFiles *files);
void rdp_migration_files_cleanup(RdpMigrationFiles *files);

/* A machine that waits for a stream, and then for rdp_continue() */
RdpGuest *rdp_start_destination(const RdpMigrationFiles *files,
                                const char *machine, const char *devices);
/* Options that make a destination of any QEMU; they have to come last */
char *rdp_destination_options(const RdpMigrationFiles *files);

/* Whether the state of the machine is @wanted */
bool rdp_state_is(QTestState *qts, const char *wanted);
/* Wait until a migration is @wanted; fail if it ends in another state */
void rdp_wait_migration(QTestState *qts, const char *wanted);

/* Write the stream to a file ... */
void rdp_save(const RdpMigrationFiles *files, QTestState *from);
/* ... and read it; @outcome is "completed" or "failed" */
void rdp_load(const RdpMigrationFiles *files, QTestState *to,
              const char *outcome);

/* Begin a live migration through a socket */
void rdp_begin_live(const RdpMigrationFiles *files, QTestState *from,
                    QTestState *to);

/* The destination refuses the stream before the guest runs, and says @words */
void rdp_assert_stream_refused(const RdpMigrationFiles *files, QTestState *to,
                               const char *words);

/*
 * Find the last @key in the stream, and put @value @offset bytes behind its
 * begin.  Memory of the guest, which may contain @key, comes before devices.
 */
void rdp_patch_stream(const RdpMigrationFiles *files,
                      const void *key, size_t key_len, ptrdiff_t offset,
                      const void *value, size_t len);

/*
 * Replace each @old in the stream by @new, as a hostile source would, and
 * return how many there were.  Numbers of virtio devices are big endian.
 */
unsigned rdp_replace_in_stream(const RdpMigrationFiles *files, uint64_t old,
                               uint64_t new);

#endif
