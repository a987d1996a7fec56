/* Reads the lines of a file or of standard input, plain or gzip. */
#ifndef WEIR_CLIENT_LINES_H
#define WEIR_CLIENT_LINES_H

#include "weir/base/fail.h"

enum {
    /* Longer than any record: 16 MiB of data and metadata, whose bytes JSON may write as six. */
    LINE_BYTES_MAX = 100 << 20
};

struct lines;

/* Opens `path`, or standard input for NULL or "-". gzip is recognised by itself; `must_be_gzip`
 * refuses everything else, as gzip -d does, a file that is empty included. INVALID_REQUEST with
 * name and reason where it cannot be opened or nothing be read of it. */
weir_status lines_open(const char *path, bool must_be_gzip, struct lines **lines,
                       struct weir_error *err);

/* Gives the next line without its end ("\n" or "\r\n"), valid until the next call; absent after the
 * last one. INVALID_RECORD for a line beyond LINE_BYTES_MAX, for input that cannot be read, and for
 * a gzip stream that is damaged, ends too early or is followed by anything but another one. After a
 * failure every further call fails. */
weir_status lines_next(struct lines *lines, struct weir_slice *line, struct weir_error *err);

/* Whether a line consists of blanks. */
bool line_is_blank(struct weir_slice line);

/* Returns the number of the line last returned, from 1. */
long long lines_number(const struct lines *lines);

/* Closes the input and frees `lines`. NULL is allowed. */
void lines_close(struct lines *lines);

#endif
