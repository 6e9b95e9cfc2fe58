/*
 * Restricted DMA pools: what QEMU says about its command line
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "command-line.h"

/* Run QEMU; if it accepts its options it is told to quit, with status 0 */
static int run_qemu(const char *options, char **errors)
{
    g_autofree char *command = g_strdup_printf(
        "echo quit | \"$QTEST_QEMU_BINARY\" -S -nodefaults -display none "
        "-monitor stdio -accel qtest %s", options);
    const char *argv[] = { "/bin/sh", "-c", command, NULL };
    g_autoptr(GError) err = NULL;
    int status;

    g_test_message("%s", options);
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL,
                 NULL, NULL, errors, &status, &err);
    g_assert_no_error(err);
    g_assert_true(WIFEXITED(status));
    g_test_message("%s", *errors);
    return WEXITSTATUS(status);
}

char *rdp_assert_options_refused(const char *format, ...)
{
    g_autofree char *options = NULL;
    char *errors;
    va_list ap;

    va_start(ap, format);
    options = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_assert_cmpint(run_qemu(options, &errors), ==, 1);

    /* One line, with its end */
    g_assert_cmpuint(strlen(errors), >, 0);
    g_assert_true(strchr(errors, '\n') == errors + strlen(errors) - 1);
    return errors;
}

void rdp_assert_options_accepted(const char *format, ...)
{
    g_autofree char *options = NULL;
    g_autofree char *errors = NULL;
    va_list ap;
    int status;

    va_start(ap, format);
    options = g_strdup_vprintf(format, ap);
    va_end(ap);
    status = run_qemu(options, &errors);
    g_assert_cmpstr(errors, ==, "");
    g_assert_cmpint(status, ==, 0);
}
