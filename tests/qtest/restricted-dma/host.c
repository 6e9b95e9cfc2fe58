/*
 * Restricted DMA pools: what a driver costs its host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <glib/gstdio.h>
#include "guest.h"
#include "host.h"

#define ANSWER_USEC     G_USEC_PER_SEC
#define ATTACK_SEC      (RDP_WAIT_USEC / G_USEC_PER_SEC + 30)

void rdp_assert_answers_since(QTestState *qts, int64_t since)
{
    qtest_qmp_assert_success(qts, "{'execute': 'query-status'}");
    g_assert_cmpint(g_get_monotonic_time() - since, <, ANSWER_USEC);
}

void rdp_assert_answers(QTestState *qts)
{
    rdp_assert_answers_since(qts, g_get_monotonic_time());
}

void rdp_begin_attack(void)
{
    alarm(ATTACK_SEC);
}

void rdp_assert_survived(QTestState *qts)
{
    rdp_assert_answers(qts);
    alarm(0);
}

char *rdp_log_new(void)
{
    char *path;
    int fd = g_file_open_tmp("restricted-dma-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    return path;
}

char **rdp_log_lines(const char *path)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return g_strsplit(text, "\n", -1);
}

void rdp_log_free(char *path)
{
    g_unlink(path);
    g_free(path);
}

int64_t rdp_memory(QTestState *qts, const char *what)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status",
                                            (int)qtest_pid(qts));
    g_autofree char *key = g_strdup_printf("\n%s:", what);
    g_autofree char *status = NULL;
    const char *line;

    g_assert_true(g_file_get_contents(path, &status, NULL, NULL));
    line = strstr(status, key);
    g_assert_nonnull(line);
    return g_ascii_strtoll(line + strlen(key), NULL, 10) * KiB;
}
