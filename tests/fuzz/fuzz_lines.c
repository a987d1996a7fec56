/* Lines of a plain or gzip file. The first byte chooses how the rest becomes a file: unchanged;
 * compressed, which must give the same lines; or compressed and then truncated or followed by other
 * data, which must fail after correct lines. Any input must end or fail permanently. */
#include "client/cli/lines.h"
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum { GZIP_WINDOW = 15 + 16, MODES = 5 };

/* Makes a file in memory and returns its /proc path. */
static int make_file(struct weir_slice bytes, char path[64])
{
    const int fd = memfd_create("fuzz_lines", 0);
    require(fd >= 0);
    require(bytes.n == 0 || write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n);
    require(lseek(fd, 0, SEEK_SET) == 0);
    (void)snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static struct fuzz_text compress_text(struct weir_slice bytes)
{
    z_stream z = {0};
    require(deflateInit2(&z, 1, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    const size_t room = deflateBound(&z, bytes.n) + 64;
    struct fuzz_text out = {.p = malloc(room), .cap = room};
    require(out.p != NULL);
    z.next_in = (Bytef *)(uintptr_t)bytes.p;
    z.avail_in = (uInt)bytes.n;
    z.next_out = out.p;
    z.avail_out = (uInt)room;
    require(deflate(&z, Z_FINISH) == Z_STREAM_END);
    out.n = z.total_out;
    require(deflateEnd(&z) == Z_OK);
    return out;
}

/* Returns the expected next line of a text; absent after the last. */
static struct weir_slice expected_line(struct weir_slice text, size_t *at)
{
    if (*at >= text.n) {
        return weir_slice(NULL, 0);
    }
    const uint8_t *begin = text.p + *at;
    const uint8_t *end = memchr(begin, '\n', text.n - *at);
    size_t n = end == NULL ? text.n - *at : (size_t)(end - begin);
    *at += n + 1;
    n -= n > 0 && begin[n - 1] == '\r';
    return weir_slice(begin, n);
}

/* Reads all lines and compares them with those of the text, if given. */
static weir_status read_all(struct weir_slice file, bool must_be_gzip, struct weir_slice text)
{
    char path[64];
    const int fd = make_file(file, path);
    struct weir_error err;
    weir_error_init(&err);
    struct lines *lines = NULL;
    require(lines_open(path, must_be_gzip, &lines, &err) == WEIR_OK);
    struct weir_slice line;
    size_t at = 0;
    long long n = 0;
    weir_status st = lines_next(lines, &line, &err);
    for (; st == WEIR_OK && line.p != NULL; st = lines_next(lines, &line, &err)) {
        require(lines_number(lines) == ++n);
        require(text.p == NULL || weir_slice_equal(line, expected_line(text, &at)));
    }
    require(st == WEIR_OK || weir_error_get_detail(&err, "reason") != NULL);
    require(lines_next(lines, &line, &err) == st && line.p == NULL);
    require(text.p == NULL || st != WEIR_OK || at >= text.n);
    lines_close(lines);
    (void)close(fd);
    return st;
}

static bool looks_like_gzip(struct weir_slice bytes)
{
    return bytes.n >= 1 && bytes.p[0] == 0x1F && (bytes.n < 2 || bytes.p[1] == 0x8B);
}

/* Reads the compressed text followed by the text itself, which may happen to be another gzip
 * member. */
static void read_followed(const struct fuzz_text *packed, struct weir_slice bytes)
{
    struct fuzz_text file = {.p = malloc(packed->n + bytes.n), .n = packed->n + bytes.n};
    require(file.p != NULL);
    memcpy(file.p, packed->p, packed->n);
    if (bytes.n > 0) {
        memcpy(file.p + packed->n, bytes.p, bytes.n);
    }
    const bool is_member = looks_like_gzip(bytes);
    const weir_status st =
        read_all(fuzz_slice(&file), true, is_member ? weir_slice(NULL, 0) : bytes);
    require(is_member || st == (bytes.n == 0 ? WEIR_OK : WEIR_INVALID_RECORD));
    free(file.p);
}

static void run(unsigned mode, struct weir_slice bytes)
{
    const struct weir_slice unknown = {NULL, 0};
    struct fuzz_text packed = compress_text(bytes);
    if (mode == 0) {
        const bool is_plain = !looks_like_gzip(bytes);
        const weir_status st = read_all(bytes, false, is_plain ? bytes : unknown);
        require(!is_plain || st == WEIR_OK);
        require(!is_plain || bytes.n == 0 || read_all(bytes, true, unknown) == WEIR_INVALID_RECORD);
    } else if (mode == 1) {
        require(read_all(fuzz_slice(&packed), true, bytes) == WEIR_OK);
    } else if (mode == 4) {
        read_followed(&packed, bytes);
    } else {
        /* A cut within the last bytes, or anywhere after the header. */
        const size_t cut = 10 + (bytes.n > 0 ? bytes.p[0] : 0U) % (packed.n - 10);
        const struct weir_slice part = weir_slice(packed.p, mode == 2 ? cut : packed.n - 1);
        require(read_all(part, true, bytes) == WEIR_INVALID_RECORD);
    }
    free(packed.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        uint8_t *copy = fuzz_copy(weir_slice(data + 1, size - 1), false);
        run(data[0] % MODES, weir_slice(copy, size - 1));
        free(copy);
    }
    return 0;
}
