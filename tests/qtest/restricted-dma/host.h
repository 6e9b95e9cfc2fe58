/*
 * Restricted DMA pools: what a driver costs its host
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_HOST_H
#define TESTS_RESTRICTED_DMA_HOST_H

#include "../libqtest.h"

/* The monitor answers within a second ... */
void rdp_assert_answers(QTestState *qts);
/* ... that began at @since, a time of g_get_monotonic_time() */
void rdp_assert_answers_since(QTestState *qts, int64_t since);

/*
 * A QEMU that hangs does not answer, and no function of libqtest waits for a
 * limited time only: between these two, the test ends if it takes longer than
 * RDP_WAIT_FOR() would.
 */
void rdp_begin_attack(void);
void rdp_assert_survived(QTestState *qts);

/* A file, which the option 2>PATH makes the log of QEMU ... */
char *rdp_log_new(void);
/* ... its lines so far ... */
char **rdp_log_lines(const char *path);
/* ... and its end */
void rdp_log_free(char *path);

/* The bytes that QEMU has of @what, as in /proc/PID/status: "VmData" ... */
int64_t rdp_memory(QTestState *qts, const char *what);

#endif
