/*
 * Restricted DMA pools: what QEMU says about its command line
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef TESTS_RESTRICTED_DMA_COMMAND_LINE_H
#define TESTS_RESTRICTED_DMA_COMMAND_LINE_H

/* QEMU refuses these options with one line, which the caller frees */
char *rdp_assert_options_refused(const char *format, ...)
    G_GNUC_PRINTF(1, 2);
/* QEMU takes them, and has nothing to say */
void rdp_assert_options_accepted(const char *format, ...)
    G_GNUC_PRINTF(1, 2);

#endif
