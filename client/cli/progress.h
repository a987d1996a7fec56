/* The progress of a long command on standard error: on a terminal one line that is overwritten,
 * elsewhere a new line each second. */
#ifndef WEIR_CLIENT_PROGRESS_H
#define WEIR_CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_terminal;
    bool has_open_line;
    int64_t started_us;
    int64_t shown_us;
};

void progress_begin(struct progress *progress);

double progress_seconds(const struct progress *progress);

/* Returns the average per second of `done` things since the beginning. */
double progress_rate(const struct progress *progress, int64_t done);

/* Whether enough time has passed since progress was last shown. */
bool progress_is_due(const struct progress *progress);

void progress_show(struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends the progress line on a terminal, if there is one, so that other output can follow. */
void progress_end_line(struct progress *progress);

#endif
