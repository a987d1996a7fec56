/* What a long command says on standard error while it runs: on a terminal one line that is written
 * over and over, elsewhere a line of its own each second. */
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

/* Of so many things that have been done since the beginning, how many in a second. */
double progress_rate(const struct progress *progress, int64_t done);

/* Whether enough time has passed since it was last shown. */
bool progress_is_due(const struct progress *progress);

void progress_show(struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends the line on a terminal, where there is one, so that something else can be said. */
void progress_end_line(struct progress *progress);

#endif
