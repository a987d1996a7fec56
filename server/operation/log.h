/* The server's log: one line per event on standard error, as text or JSON.
 *
 * A line is put together on the caller's stack and written by one write(2), so lines of several
 * threads do not mix and no lock is held. Control characters are escaped, long values cut. Nothing
 * that is logged may hold a token. The struct is set up once and only read afterwards. */
#ifndef WEIR_SERVER_LOG_H
#define WEIR_SERVER_LOG_H

#include "weir/base/slice.h"

enum weir_log_level { WEIR_LOG_DEBUG, WEIR_LOG_INFO, WEIR_LOG_WARN, WEIR_LOG_ERROR };
enum weir_log_format { WEIR_LOG_TEXT, WEIR_LOG_JSON };

struct weir_log {
    int fd;                     // where lines go
    enum weir_log_level level;  // the least that is written
    enum weir_log_format format;
};

/* One fact of an event. An absent value leaves the field out. */
struct weir_log_field {
    const char *key;  // lower case, without blanks
    struct weir_slice value;
};

static inline bool weir_log_has(const struct weir_log *log, enum weir_log_level level)
{
    return level >= log->level;
}

/* Writes an event: a short text that is the same each time, and facts. */
void weir_log_event(const struct weir_log *log, enum weir_log_level level, const char *event,
                    const struct weir_log_field *fields, size_t n);

/* Writes an event that is told in one sentence. */
void weir_log_say(const struct weir_log *log, enum weir_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
