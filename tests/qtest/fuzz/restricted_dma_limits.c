/*
 * Restricted DMA pools: a fuzzer that stops when the host waits, or runs full
 *
 * A driver may make QEMU work, but each step and each iteration of the main
 * loop has to end; the rest is for the next one.  Time of the processor counts,
 * not that on the wall, so that a busy host is no fault of the device.  Memory
 * is what the process has allocated, and the log is what it has written to
 * stderr.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/atomic.h"
#include "qemu/memfd.h"
#include "qemu/rcu.h"
#include "qemu/units.h"
#include "restricted_dma_limits.h"

/* One second, times three because sanitizers make QEMU slow */
#define TICK_NS         (100 * 1000 * 1000)
#define TICKS_MAX       30
#define GROWTH_MAX      (256 * MiB)
#define LOG_MAX         (64 * KiB)      /* of one input */

/* There with AddressSanitizer only; without it, nothing measures growth */
size_t __attribute__((weak)) __sanitizer_get_current_allocated_bytes(void);

/* The signal handler reads these ... */
static const char *current_step;
static unsigned entered;
/* ... and these are its own */
static unsigned seen, ticks;
static size_t allocated_before;
static bool has_log;

void rdp_limits_abort(const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, format);
    text = g_strdup_vprintf(format, ap);
    va_end(ap);
    /* libFuzzer has closed stderr, or rdp_limits_init() has taken it */
    dprintf(STDOUT_FILENO, "restricted DMA: %s\n", text);
    abort();
}

bool rdp_limits_left_out(const char *name)
{
    const char *list = getenv("RESTRICTED_DMA_FUZZ_WITHOUT");

    return list && strstr(list, name);
}

static void tell(const char *text)
{
    if (write(STDOUT_FILENO, text, strlen(text)) < 0) {
        /* then the stack has to tell */
    }
}

static void tick(int sig)
{
    unsigned now = qatomic_read(&entered);

    if (seen != now || !qatomic_read(&current_step)) {
        seen = now;
        ticks = 0;
    } else if (++ticks == TICKS_MAX) {
        tell("restricted DMA: does not come back to the main loop from: ");
        tell(current_step);
        tell("\n");
        abort();
    }
}

static void start_clock(void)
{
    struct itimerspec period = {
        .it_interval.tv_nsec = TICK_NS,
        .it_value.tv_nsec = TICK_NS,
    };
    struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD_ID,
        .sigev_signo = SIGVTALRM,
    };
    timer_t timer;

    event._sigev_un._tid = qemu_get_thread_id();
    g_assert_cmpint(sigaction(SIGVTALRM, &action, NULL), ==, 0);
    g_assert_cmpint(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer), ==,
                    0);
    g_assert_cmpint(timer_settime(timer, 0, &period, NULL), ==, 0);
}

static size_t allocated(void)
{
    return __sanitizer_get_current_allocated_bytes
           ? __sanitizer_get_current_allocated_bytes() : 0;
}

/* Take stderr if libFuzzer was told to do without it (-close_fd_mask=2) */
static void take_log(void)
{
    struct stat fd, null;
    int log;

    if (rdp_limits_left_out("log") ||
        fstat(STDERR_FILENO, &fd) || stat("/dev/null", &null) ||
        fd.st_rdev != null.st_rdev) {
        return;
    }
    log = qemu_memfd_create("log", 0, false, 0, 0, &error_abort);
    g_assert_cmpint(dup2(log, STDERR_FILENO), ==, STDERR_FILENO);
    close(log);
    has_log = true;
}

void rdp_limits_init(void)
{
    start_clock();
    take_log();
    allocated_before = allocated();
}

void rdp_limits_enter(const char *step)
{
    qatomic_set(&current_step, step);
    qatomic_set(&entered, entered + 1);
}

static bool has_grown(size_t now)
{
    return now > allocated_before && now - allocated_before > GROWTH_MAX;
}

void rdp_limits_check(void)
{
    size_t now = allocated();

    if (has_grown(now)) {
        /* This thread holds the BQL, which keeps RCU from freeing anything */
        drain_call_rcu();
        now = allocated();
    }
    if (has_grown(now)) {
        rdp_limits_abort("%zu MiB allocated in %s",
                         (now - allocated_before) / (size_t)MiB, current_step);
    }
}

void rdp_limits_end(void)
{
    off_t length;

    qatomic_set(&current_step, NULL);
    if (!has_log) {
        return;
    }
    length = lseek(STDERR_FILENO, 0, SEEK_CUR);
    if (length > LOG_MAX) {
        rdp_limits_abort("%" PRId64 " bytes in the log", (int64_t)length);
    }
    if (length) {
        lseek(STDERR_FILENO, 0, SEEK_SET);
    }
}
