#include "server/base/log.h"

#include "weir/base/fail.h"
#include "weir/rules/time_text.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* LINE_BYTES has room for the longest sentence with every byte escaped. */
enum { LINE_BYTES = 4096, TAIL_BYTES = 2, SENTENCE_BYTES = 640, VALUE_BYTES_MAX = 1000 };

_Static_assert(LINE_BYTES <= PIPE_BUF, "a pipe that can be written to has room for a line");

struct line {
    char text[LINE_BYTES];
    size_t n;
    bool is_full;  // something did not fit since the flag was last cleared
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_priorities[] = {"<7>", "<6>", "<4>", "<3>"};

static void put_char(struct line *line, char c)
{
    if (line->n + TAIL_BYTES >= sizeof line->text) {
        line->is_full = true;
        return;
    }
    line->text[line->n++] = c;
}

static void put_text(struct line *line, const char *text)
{
    for (; *text != '\0'; text++) {
        put_char(line, *text);
    }
}

static void put_escape(struct line *line, uint8_t byte)
{
    char escape[8];
    (void)snprintf(escape, sizeof escape, "\\u%04x", byte);
    put_text(line, escape);
}

/* Writes the inside of a JSON string, cut at VALUE_BYTES_MAX; the text form uses it as well. */
static void put_escaped(struct line *line, struct weir_slice value)
{
    const size_t n = value.n > VALUE_BYTES_MAX
                         ? weir_utf8_whole((const char *)value.p, VALUE_BYTES_MAX)
                         : value.n;
    for (size_t i = 0; i < n; i++) {
        const uint8_t byte = value.p[i];
        if (byte == '"' || byte == '\\') {
            put_char(line, '\\');
            put_char(line, (char)byte);
        } else if (byte == '\n') {
            put_text(line, "\\n");
        } else if (byte < 0x20 || byte == 0x7f) {
            put_escape(line, byte);
        } else {
            put_char(line, (char)byte);
        }
    }
    if (n < value.n) {
        put_text(line, "...");
    }
}

static void put_quoted(struct line *line, struct weir_slice value)
{
    put_char(line, '"');
    put_escaped(line, value);
    put_char(line, '"');
}

/* Whether the text form writes the value without quotes: it has no blanks, quotes, backslashes or
 * control characters. */
static bool is_plain(struct weir_slice value)
{
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] <= ' ' || value.p[i] == '"' || value.p[i] == '\\' || value.p[i] == 0x7f) {
            return false;
        }
    }
    return value.n > 0 && value.n <= VALUE_BYTES_MAX;
}

static void put_key_and_value(struct line *line, enum weir_log_format format,
                              const struct weir_log_field *field)
{
    if (format == WEIR_LOG_JSON) {
        put_text(line, ",\"");
        put_text(line, field->key);
        put_text(line, "\":");
    } else {
        put_char(line, ' ');
        put_text(line, field->key);
        put_char(line, '=');
    }
    if (field->is_number || (format == WEIR_LOG_TEXT && is_plain(field->value))) {
        put_escaped(line, field->value);
    } else {
        put_quoted(line, field->value);
    }
}

/* Writes a field, or nothing of it where it does not fit. */
static void put_field(struct line *line, enum weir_log_format format,
                      const struct weir_log_field *field)
{
    const size_t before = line->n;
    put_key_and_value(line, format, field);
    if (line->is_full) {
        line->n = before;
        line->is_full = false;
    }
}

static void put_head(struct line *line, const struct weir_log *log, enum weir_log_level level,
                     struct weir_slice event)
{
    char time[WEIR_TIME_TEXT + 1] = "";
    (void)weir_time_format(weir_now_us(), time);
    if (log->is_journal) {
        put_text(line, level_priorities[level]);
    }
    if (log->format == WEIR_LOG_JSON) {
        put_text(line, "{\"time\":\"");
        put_text(line, time);
        put_text(line, "\",\"level\":\"");
        put_text(line, level_names[level]);
        put_text(line, "\",\"event\":");
        put_quoted(line, event);
        return;
    }
    put_text(line, time);
    put_char(line, ' ');
    put_text(line, level_names[level]);
    put_char(line, ' ');
    put_escaped(line, event);
}

static void put_tail(struct line *line, enum weir_log_format format)
{
    if (format == WEIR_LOG_JSON) {
        line->text[line->n++] = '}';
    }
    line->text[line->n++] = '\n';
}

/* ---- writing ---- */

/* The variable holds the device and the inode, because a process may have redirected the descriptor
 * since systemd made it. */
bool weir_log_is_journal(int fd)
{
    const char *journal = getenv("JOURNAL_STREAM");
    struct stat file;
    if (journal == NULL || fstat(fd, &file) != 0) {
        return false;
    }
    char stream[48];
    (void)snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)file.st_dev,
                   (uintmax_t)file.st_ino);
    return strcmp(journal, stream) == 0;
}

/* Held while the output is asked for room and written to, so that no other thread fills it. */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

static atomic_ulong lost;  // lines dropped since the last line that was written

static bool has_room(int fd)
{
    struct pollfd output = {.fd = fd, .events = POLLOUT};
    return poll(&output, 1, 0) != 0;
}

static void put_lost(struct line *line, enum weir_log_format format, unsigned long n)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lu", n);
    const struct weir_log_field field = {
        .key = "lost", .value = weir_slice_of(text), .is_number = true};
    put_field(line, format, &field);
}

/* Returns false where the output has no room for the line. A failure to write the log cannot be
 * reported. */
static bool write_line(int fd, const struct line *line)
{
    (void)pthread_mutex_lock(&writing);
    const bool is_written = has_room(fd);
    if (is_written) {
        ssize_t written = write(fd, line->text, line->n);
        (void)written;
    }
    (void)pthread_mutex_unlock(&writing);
    return is_written;
}

void weir_log_event(const struct weir_log *log, enum weir_log_level level, const char *event,
                    const struct weir_log_field *fields, size_t n)
{
    if (!weir_log_has(log, level)) {
        return;
    }
    struct line line;
    line.n = 0;
    line.is_full = false;
    put_head(&line, log, level, weir_slice_of(event));
    const unsigned long lost_before = atomic_exchange(&lost, 0);
    if (lost_before > 0) {
        put_lost(&line, log->format, lost_before);
    }
    for (size_t i = 0; i < n; i++) {
        if (fields[i].value.p != NULL) {
            put_field(&line, log->format, &fields[i]);
        }
    }
    put_tail(&line, log->format);
    if (!write_line(log->fd, &line)) {
        (void)atomic_fetch_add(&lost, lost_before + 1);
    }
}

void weir_log_say(const struct weir_log *log, enum weir_log_level level, const char *format, ...)
{
    if (!weir_log_has(log, level)) {
        return;
    }
    char sentence[SENTENCE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    weir_log_event(log, level, sentence, NULL, 0);
}
