/*
 * Restricted DMA pools: migration from one QEMU to another
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "migration.h"

void rdp_migration_files_init(RdpMigrationFiles *files)
{
    char *dir = g_dir_make_tmp("restricted-dma-XXXXXX", NULL);

    g_assert_nonnull(dir);
    *files = (RdpMigrationFiles) {
        .dir = dir,
        .stream = g_build_filename(dir, "stream", NULL),
        .socket = g_build_filename(dir, "socket", NULL),
        .errors = g_build_filename(dir, "errors", NULL),
    };
}

void rdp_migration_files_cleanup(RdpMigrationFiles *files)
{
    unlink(files->stream);
    unlink(files->socket);
    unlink(files->errors);
    g_assert_cmpint(rmdir(files->dir), ==, 0);
    g_free(files->dir);
    g_free(files->stream);
    g_free(files->socket);
    g_free(files->errors);
}

char *rdp_destination_options(const RdpMigrationFiles *files)
{
    return g_strdup_printf("-incoming defer 2>%s", files->errors);
}

RdpGuest *rdp_start_destination(const RdpMigrationFiles *files,
                                const char *machine, const char *devices)
{
    g_autofree char *options = rdp_destination_options(files);

    return rdp_start(machine, "%s -S %s", devices, options);
}

bool rdp_state_is(QTestState *qts, const char *wanted)
{
    QDict *info = qtest_qmp_assert_success_ref(qts,
                                               "{'execute': 'query-status'}");
    bool is = !strcmp(qdict_get_str(info, "status"), wanted);

    qobject_unref(info);
    return is;
}

static bool migration_is(QTestState *qts, const char *wanted)
{
    QDict *info = qtest_qmp_assert_success_ref(
        qts, "{'execute': 'query-migrate'}");
    const char *status = qdict_get_try_str(info, "status") ?: "none";
    bool is = !strcmp(status, wanted);
    bool over = !strcmp(status, "completed") || !strcmp(status, "failed");

    g_test_message("migration is %s", status);
    g_assert_true(is || !over);
    qobject_unref(info);
    return is;
}

void rdp_wait_migration(QTestState *qts, const char *wanted)
{
    RDP_WAIT_FOR(migration_is(qts, wanted));
}

static void start_outgoing(QTestState *qts, const char *kind, const char *path)
{
    g_autofree char *uri = g_strdup_printf("%s:%s", kind, path);

    qtest_qmp_assert_success(qts, "{'execute': 'migrate',"
                             " 'arguments': {'uri': %s}}", uri);
}

/* A destination that fails stays, so that it can be asked */
static void start_incoming(QTestState *qts, const char *kind, const char *path)
{
    g_autofree char *uri = g_strdup_printf("%s:%s", kind, path);

    qtest_qmp_assert_success(qts, "{'execute': 'migrate-incoming',"
                             " 'arguments': {'uri': %s,"
                             " 'exit-on-error': false}}", uri);
}

void rdp_save(const RdpMigrationFiles *files, QTestState *from)
{
    start_outgoing(from, "file", files->stream);
    rdp_wait_migration(from, "completed");
}

void rdp_load(const RdpMigrationFiles *files, QTestState *to,
              const char *outcome)
{
    start_incoming(to, "file", files->stream);
    rdp_wait_migration(to, outcome);
}

void rdp_begin_live(const RdpMigrationFiles *files, QTestState *from,
                    QTestState *to)
{
    start_incoming(to, "unix", files->socket);
    start_outgoing(from, "unix", files->socket);
}

static void assert_errors_mention(const RdpMigrationFiles *files,
                                  const char *words)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(files->errors, &text, NULL, NULL));
    g_test_message("looking for '%s' in: %s", words, text);
    g_assert_nonnull(strstr(text, words));
}

void rdp_assert_stream_refused(const RdpMigrationFiles *files, QTestState *to,
                               const char *words)
{
    rdp_load(files, to, "failed");
    g_assert_true(rdp_state_is(to, "inmigrate"));
    assert_errors_mention(files, words);
}

unsigned rdp_replace_in_stream(const RdpMigrationFiles *files, uint64_t old,
                               uint64_t new)
{
    g_autofree char *stream = NULL;
    uint64_t from = cpu_to_be64(old);
    unsigned n = 0;
    char *at;
    size_t len;

    g_assert_true(g_file_get_contents(files->stream, &stream, &len, NULL));
    for (at = stream;
         (at = memmem(at, stream + len - at, &from, sizeof(from))); at++) {
        stq_be_p(at, new);
        n++;
    }
    g_assert_true(g_file_set_contents(files->stream, stream, len, NULL));
    return n;
}

void rdp_patch_stream(const RdpMigrationFiles *files,
                      const void *key, size_t key_len, ptrdiff_t offset,
                      const void *value, size_t len)
{
    g_autofree char *stream = NULL;
    char *at, *last = NULL;
    size_t stream_len;

    g_assert_true(g_file_get_contents(files->stream, &stream, &stream_len,
                                      NULL));
    for (at = stream;
         (at = memmem(at, stream + stream_len - at, key, key_len)); at++) {
        last = at;
    }
    g_assert_nonnull(last);
    g_assert_cmpint(last - stream + offset, >=, 0);
    g_assert_cmpint(last - stream + offset + len, <=, stream_len);
    memcpy(last + offset, value, len);
    g_assert_true(g_file_set_contents(files->stream, stream, stream_len, NULL));
}
