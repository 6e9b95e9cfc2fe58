/*
 * Restricted DMA pools: a fuzzer that stops when the host waits, or runs full
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef RESTRICTED_DMA_LIMITS_H
#define RESTRICTED_DMA_LIMITS_H

/* Begin to watch this thread; what it has now is not counted */
void rdp_limits_init(void);
/* The thread is well: it came back from the last step and begins another */
void rdp_limits_enter(const char *step);
/* Abort if the driver has made the process take too much */
void rdp_limits_check(void);
/* The same for the log, at the end of an input; then it is forgotten */
void rdp_limits_end(void);
/*
 * Whether RESTRICTED_DMA_FUZZ_WITHOUT has the name of this step or limit: what
 * is known to end in a crash can be left out, to find other things.
 */
bool rdp_limits_left_out(const char *name);
/* Tell the developer, not the log, and abort */
G_NORETURN void rdp_limits_abort(const char *format, ...)
    G_GNUC_PRINTF(1, 2);

#endif
