/* Reads input into a buffer, through zlib if it is gzip, and cuts lines from it. The buffer grows
 * with the longest line. The first failure is kept and returned again. */
#include "client/cli/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { FIRST_BYTES = 256 << 10, INPUT_BYTES = 128 << 10, GZIP_WINDOW_BITS = 15 + 16 };

struct lines {
    int fd;
    bool must_be_gzip;
    bool is_gzip;
    bool is_in_member;  // inside a gzip member; there may be several
    bool has_ended;     // the input is at its end; a terminal must not be read again
    bool is_at_end;     // no more text will come
    z_stream z;         // its input is what has been read and not yet used, gzip or not
    char *buffer;
    size_t size;   // of the buffer
    size_t begin;  // first byte not yet returned
    size_t end;    // behind the last byte read
    long long number;
    weir_status failure;
    struct weir_error err;  // of the failure
    uint8_t input[INPUT_BYTES];
};

static weir_status fail_open(struct weir_error *err, const char *path, int number)
{
    return weir_fail(err, WEIR_INVALID_REQUEST, "'%s': %s", path, strerror(number));
}

/* Reads up to `size` bytes; *n is 0 at the end. False with errno set on failure. */
static bool read_bytes(int fd, void *to, size_t size, size_t *n)
{
    ssize_t got = 0;
    do {
        got = read(fd, to, size);
    } while (got < 0 && errno == EINTR);
    *n = got < 0 ? 0 : (size_t)got;
    return got >= 0;
}

/* Reads the first bytes, at least the two that mark gzip; no text begins with them. */
static bool read_first(struct lines *lines)
{
    size_t n = 0;
    size_t got = 0;
    do {
        if (!read_bytes(lines->fd, lines->input + n, INPUT_BYTES - n, &got)) {
            return false;
        }
        n += got;
    } while (n < 2 && got > 0);
    lines->has_ended = got == 0;
    lines->is_gzip = n >= 2 && lines->input[0] == 0x1F && lines->input[1] == 0x8B;
    lines->z.next_in = lines->input;
    lines->z.avail_in = (uInt)n;
    return true;
}

static struct lines *lines_new(int fd)
{
    struct lines *lines = calloc(1, sizeof *lines);
    char *buffer = malloc(FIRST_BYTES);
    if (lines == NULL || buffer == NULL || inflateInit2(&lines->z, GZIP_WINDOW_BITS) != Z_OK) {
        free(buffer);
        free(lines);
        return NULL;
    }
    lines->fd = fd;
    lines->buffer = buffer;
    lines->size = FIRST_BYTES;
    return lines;
}

weir_status lines_open(const char *path, bool must_be_gzip, struct lines **lines_out,
                       struct weir_error *err)
{
    const bool is_standard_input = path == NULL || strcmp(path, "-") == 0;
    const char *name = is_standard_input ? "standard input" : path;
    const int fd =
        is_standard_input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return fail_open(err, name, errno);
    }
    struct lines *lines = lines_new(fd);
    if (lines == NULL) {
        (void)close(fd);
        return fail_open(err, name, ENOMEM);
    }
    if (!read_first(lines)) {
        const int number = errno;
        lines_close(lines);
        return fail_open(err, name, number);
    }
    lines->must_be_gzip = must_be_gzip;
    *lines_out = lines;
    return WEIR_OK;
}

static weir_status fail(struct lines *lines, const char *text)
{
    lines->failure = weir_fail(&lines->err, WEIR_INVALID_RECORD, "%s", text);
    weir_error_detail(&lines->err, "reason", "%s", text);
    return lines->failure;
}

/* Fails with zlib's own description. */
static weir_status fail_gzip(struct lines *lines, int code)
{
    char reason[256];
    (void)snprintf(reason, sizeof reason, "the gzip stream is damaged: %s",
                   lines->z.msg == NULL ? zError(code) : lines->z.msg);
    return fail(lines, reason);
}

/* Makes room behind the bytes not yet returned. False when out of memory. */
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

static weir_status read_text(struct lines *lines, uint8_t *to, size_t room, size_t *n)
{
    z_stream *z = &lines->z;
    if (z->avail_in == 0 && lines->has_ended) {
        *n = 0;
        return WEIR_OK;
    }
    if (z->avail_in == 0) {
        return read_bytes(lines->fd, to, room, n) ? WEIR_OK : fail(lines, strerror(errno));
    }
    *n = z->avail_in < room ? z->avail_in : room;
    memcpy(to, z->next_in, *n);
    z->next_in += *n;
    z->avail_in -= (uInt)*n;
    return WEIR_OK;
}

/* Inflates until there is output. Only another member may follow a member: zlib's own gzread skips
 * anything else, and so a member with a damaged header. */
static weir_status read_gzip(struct lines *lines, uint8_t *to, size_t room, size_t *n)
{
    z_stream *z = &lines->z;
    z->next_out = to;
    z->avail_out = (uInt)room;
    while (z->avail_out == room) {
        if (z->avail_in == 0) {
            size_t got = 0;
            if (!read_bytes(lines->fd, lines->input, INPUT_BYTES, &got)) {
                return fail(lines, strerror(errno));
            }
            if (got == 0) {
                break;
            }
            z->next_in = lines->input;
            z->avail_in = (uInt)got;
        }
        if (!lines->is_in_member) {
            (void)inflateReset(z);
        }
        const int code = inflate(z, Z_NO_FLUSH);
        if (code != Z_OK && code != Z_STREAM_END) {
            return fail_gzip(lines, code);
        }
        lines->is_in_member = code == Z_OK;
    }
    *n = room - z->avail_out;
    return *n == 0 && lines->is_in_member ? fail(lines, "the gzip stream ends too early") : WEIR_OK;
}

static weir_status read_more(struct lines *lines)
{
    if (lines->must_be_gzip && !lines->is_gzip) {
        const bool is_empty = lines->has_ended && lines->z.avail_in == 0;
        return fail(lines,
                    is_empty ? "the input is empty, so it is not gzip" : "the input is not gzip");
    }
    if (lines->end - lines->begin > LINE_BYTES_MAX) {
        return fail(lines, "the line is too long");
    }
    if (!make_room(lines)) {
        return fail(lines, "out of memory");
    }
    uint8_t *to = (uint8_t *)lines->buffer + lines->end;
    const size_t room = lines->size - lines->end;
    size_t n = 0;
    const weir_status st =
        lines->is_gzip ? read_gzip(lines, to, room, &n) : read_text(lines, to, room, &n);
    lines->end += n;
    lines->is_at_end = st == WEIR_OK && n == 0;
    return st;
}

/* Takes the line of `n` bytes at `begin` and skips the `skip` bytes of its line end. */
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

bool line_is_blank(struct weir_slice line)
{
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] != ' ' && line.p[i] != '\t') {
            return false;
        }
    }
    return true;
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
    (void)inflateEnd(&lines->z);
    (void)close(lines->fd);
    free(lines->buffer);
    free(lines);
}
