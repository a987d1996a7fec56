#include "client/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { FIRST_BYTES = 256 << 10, GZ_BUFFER_BYTES = 128 << 10 };

struct lines {
    gzFile file;
    bool must_be_gzip;
    bool is_at_end;
    char *buffer;
    size_t size;   // of the buffer
    size_t begin;  // first byte not yet returned
    size_t end;    // behind the last byte read
    long long number;
    weir_status failure;
    struct weir_error err;  // why
};

static weir_status fail_open(struct weir_error *err, const char *path, int number)
{
    return weir_fail(err, WEIR_INVALID_REQUEST, "'%s': %s", path, strerror(number));
}

weir_status lines_open(const char *path, bool must_be_gzip, struct lines **lines_out,
                       struct weir_error *err)
{
    const bool is_standard_input = path == NULL || strcmp(path, "-") == 0;
    const int fd =
        is_standard_input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return fail_open(err, is_standard_input ? "standard input" : path, errno);
    }
    struct lines *lines = calloc(1, sizeof *lines);
    char *buffer = malloc(FIRST_BYTES);
    gzFile file = lines == NULL || buffer == NULL ? NULL : gzdopen(fd, "rb");
    if (file == NULL) {
        (void)close(fd);
        free(buffer);
        free(lines);
        return fail_open(err, is_standard_input ? "standard input" : path, ENOMEM);
    }
    (void)gzbuffer(file, GZ_BUFFER_BYTES);
    lines->file = file;
    lines->must_be_gzip = must_be_gzip;
    lines->buffer = buffer;
    lines->size = FIRST_BYTES;
    *lines_out = lines;
    return WEIR_OK;
}

static weir_status fail(struct lines *lines, const char *text)
{
    lines->failure = weir_fail(&lines->err, WEIR_INVALID_RECORD, "%s", text);
    weir_error_detail(&lines->err, "reason", "%s", text);
    return lines->failure;
}

/* zlib's own words for what is wrong with the input. */
static weir_status fail_read(struct lines *lines)
{
    int code = Z_OK;
    const char *text = gzerror(lines->file, &code);
    if (code == Z_ERRNO) {
        return fail(lines, strerror(errno));
    }
    if (code == Z_BUF_ERROR) {
        return fail(lines, "the gzip stream ends too early");
    }
    char reason[256];
    (void)snprintf(reason, sizeof reason, "the gzip stream is damaged: %s", text);
    return fail(lines, reason);
}

/* Room for more behind what is kept. */
static bool make_room(struct lines *lines)
{
    if (lines->begin > 0) {
        memmove(lines->buffer, lines->buffer + lines->begin, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
    }
    if (lines->end < lines->size) {
        return true;
    }
    const size_t size = lines->size * 2;
    char *buffer = realloc(lines->buffer, size);
    if (buffer == NULL) {
        return false;
    }
    lines->buffer = buffer;
    lines->size = size;
    return true;
}

static weir_status read_more(struct lines *lines)
{
    if (lines->end - lines->begin > LINE_BYTES_MAX) {
        return fail(lines, "the line is too long");
    }
    if (!make_room(lines)) {
        return fail(lines, "out of memory");
    }
    const int n =
        gzread(lines->file, lines->buffer + lines->end, (unsigned)(lines->size - lines->end));
    int code = Z_OK;
    (void)gzerror(lines->file, &code);
    if (n < 0 || (n == 0 && code != Z_OK && code != Z_STREAM_END)) {
        return fail_read(lines);
    }
    if (lines->must_be_gzip && gzdirect(lines->file)) {
        return fail(lines, "the input is not gzip");
    }
    lines->end += (size_t)n;
    lines->is_at_end = n == 0;
    return WEIR_OK;
}

/* The line that begins at `begin` and is followed by `skip` bytes of line end. */
static void take_line(struct lines *lines, size_t n, size_t skip, struct weir_slice *line)
{
    const char *at = lines->buffer + lines->begin;
    lines->begin += n + skip;
    lines->number++;
    if (n > 0 && at[n - 1] == '\r') {
        n--;
    }
    *line = weir_slice(at, n);
}

weir_status lines_next(struct lines *lines, struct weir_slice *line, struct weir_error *err)
{
    *line = weir_slice(NULL, 0);
    size_t searched = 0;
    while (lines->failure == WEIR_OK) {
        const size_t n = lines->end - lines->begin;
        const char *at = lines->buffer + lines->begin;
        const char *end = memchr(at + searched, '\n', n - searched);
        if (end != NULL) {
            take_line(lines, (size_t)(end - at), 1, line);
            return WEIR_OK;
        }
        if (lines->is_at_end) {
            if (n > 0) {
                take_line(lines, n, 0, line);
            }
            return WEIR_OK;
        }
        searched = n;
        (void)read_more(lines);
    }
    weir_error_copy(err, &lines->err);
    return lines->failure;
}

long long lines_number(const struct lines *lines)
{
    return lines->number;
}

void lines_close(struct lines *lines)
{
    if (lines == NULL) {
        return;
    }
    (void)gzclose(lines->file);
    free(lines->buffer);
    free(lines);
}
