/* The server's log: one line per event on standard error, as text or JSON.
 *
 * A line is composed on the caller's stack and written by one write(2), so lines of several threads
 * do not mix. Control characters are escaped, long values cut. Tokens must not be logged.
 *
 * Any thread may log, nng's poller included, so no thread waits for the reader of a pipe, socket or
 * terminal: a line for which there is no room is dropped, and the next line that is written says in
 * the field `lost` how many were. The struct is set up once and only read afterwards. */
#ifndef WEIR_SERVER_LOG_H
#define WEIR_SERVER_LOG_H

#include "weir/base/slice.h"

#include <stdbool.h>

enum weir_log_level { WEIR_LOG_DEBUG, WEIR_LOG_INFO, WEIR_LOG_WARN, WEIR_LOG_ERROR };
enum weir_log_format { WEIR_LOG_TEXT, WEIR_LOG_JSON };

struct weir_log {
    int fd;                     // destination of the lines
    enum weir_log_level level;  // lowest level that is written
    enum weir_log_format format;
    bool is_journal;  // each line begins with its priority ("<4>"), for systemd's journal
};

/* One field of an event; left out where the value is absent. */
struct weir_log_field {
    const char *key;  // lower case, without blanks
    struct weir_slice value;
    bool is_number;  // the value is a number's text, which JSON has without quotes
};

/* Whether events of this level are written. */
static inline bool weir_log_has(const struct weir_log *log, enum weir_log_level level)
{
    return level >= log->level;
}

/* Whether systemd has connected this descriptor to its journal. */
bool weir_log_is_journal(int fd);

/* Writes an event: a short text that is the same each time, and its fields. */
void weir_log_event(const struct weir_log *log, enum weir_log_level level, const char *event,
                    const struct weir_log_field *fields, size_t n);

/* Writes an event that consists of one formatted sentence. */
void weir_log_say(const struct weir_log *log, enum weir_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
