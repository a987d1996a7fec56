#include "client/cli/progress.h"

#include "weir/base/monotonic.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { TERMINAL_EVERY_US = 200 * 1000, ELSEWHERE_EVERY_US = 1000 * 1000 };

void progress_begin(struct progress *progress)
{
    const int64_t now_us = weir_monotonic_us();
    const bool is_terminal = isatty(STDERR_FILENO) == 1;
    /* In a log, a command that is over within a second shows no progress. */
    *progress = (struct progress){.is_terminal = is_terminal,
                                  .started_us = now_us,
                                  .shown_us = is_terminal ? now_us - TERMINAL_EVERY_US : now_us};
}

double progress_seconds(const struct progress *progress)
{
    return (double)(weir_monotonic_us() - progress->started_us) / 1e6;
}

double progress_rate(const struct progress *progress, int64_t done)
{
    const double seconds = progress_seconds(progress);
    return seconds > 0 ? (double)done / seconds : 0;
}

bool progress_is_due(const struct progress *progress)
{
    const int64_t every_us = progress->is_terminal ? TERMINAL_EVERY_US : ELSEWHERE_EVERY_US;
    return weir_monotonic_us() - progress->shown_us >= every_us;
}

void progress_show(struct progress *progress, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs(progress->is_terminal ? "\r" : "weir: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputs(progress->is_terminal ? "    " : "\n", stderr);
    va_end(args);
    progress->has_open_line = progress->is_terminal;
    progress->shown_us = weir_monotonic_us();
}

void progress_end_line(struct progress *progress)
{
    if (progress->has_open_line) {
        (void)fputc('\n', stderr);
        progress->has_open_line = false;
    }
}
