#include "client/lib/json_out.h"

#include <unistd.h>

enum put_mode { PUT_STRING, PUT_PLAIN, PUT_TEXT, PUT_PLAIN_TEXT };

/* Returns the bytes at `i` that must be escaped: 1 or 2, 0 if none. U+0080..U+009F are C2 80 .. C2
 * 9F in UTF-8. */
static size_t special_bytes(struct weir_slice text, size_t i, enum put_mode mode)
{
    const uint8_t c = text.p[i];
    if (mode == PUT_TEXT) {
        return c < 0x20 ? 1 : 0;
    }
    if (c < 0x20 || c == 0x7F || (mode == PUT_STRING && (c == '"' || c == '\\'))) {
        return 1;
    }
    return c == 0xC2 && i + 1 < text.n && text.p[i + 1] >= 0x80 && text.p[i + 1] <= 0x9F ? 2 : 0;
}

static const char *short_escape(uint8_t c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

/* `c` is the code point. */
static void put_special(FILE *out, uint8_t c, enum put_mode mode)
{
    const char *escape = short_escape(c);
    if ((mode == PUT_TEXT || mode == PUT_PLAIN_TEXT) && (c == '\n' || c == '\r' || c == '\t')) {
        (void)fputc(' ', out);
    } else if (escape != NULL) {
        (void)fputs(escape, out);
    } else {
        (void)fprintf(out, "\\u%04x", c);
    }
}

static void put(FILE *out, struct weir_slice text, enum put_mode mode)
{
    size_t start = 0;
    size_t i = 0;
    while (i < text.n) {
        const size_t n = special_bytes(text, i, mode);
        if (n == 0) {
            i++;
            continue;
        }
        (void)fwrite(text.p + start, 1, i - start, out);
        put_special(out, text.p[i + n - 1], mode);
        i += n;
        start = i;
    }
    if (start < text.n) {
        (void)fwrite(text.p + start, 1, text.n - start, out);
    }
}

void json_put_string(FILE *out, struct weir_slice text)
{
    (void)fputc('"', out);
    put(out, text, PUT_STRING);
    (void)fputc('"', out);
}

void json_put_plain(FILE *out, struct weir_slice text)
{
    put(out, text, PUT_PLAIN);
}

static bool is_terminal(FILE *out)
{
    const int fd = fileno(out);
    return fd >= 0 && isatty(fd) == 1;
}

void json_put_text(FILE *out, struct weir_slice json)
{
    put(out, json, is_terminal(out) ? PUT_PLAIN_TEXT : PUT_TEXT);
}

void json_put_plain_text(FILE *out, struct weir_slice json)
{
    put(out, json, PUT_PLAIN_TEXT);
}
