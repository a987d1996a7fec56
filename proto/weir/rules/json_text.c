/* Walks, unescapes and rewrites parts of checked texts. */
#include "weir/rules/json_text.h"

#include "weir/rules/hex.h"
#include "weir/rules/json_scan.h"

/* Whether 'e' follows a '0' somewhere. False for nearly all texts, and cheaper than finding their
 * numbers. */
static bool has_exponent_of_zero(const uint8_t *text, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if ((text[i] | 0x20) == 'e' && text[i - 1] == '0') {
            return true;
        }
    }
    return false;
}

void weir_json_plain_zeros(uint8_t *text, size_t n)
{
    const struct weir_slice whole = weir_slice(text, n);
    size_t at = has_exponent_of_zero(text, n) ? 0 : n;
    while (at < n) {
        if (text[at] == '"') {
            at = weir_json_string_end(whole, at);
            continue;
        }
        if (!weir_json_begins_number(text[at])) {
            at++;
            continue;
        }
        const size_t end = weir_json_number_end(whole, at);
        struct weir_json_decimal d;
        weir_json_decimal_read(weir_slice(text + at, end - at), &d);
        if (d.digits.p == NULL && has_exponent_of_zero(text + at, end - at)) {
            text[at] = '0';
            memset(text + at + 1, ' ', end - at - 1);
        }
        at = end;
    }
}

/* Returns the position behind the array or object that begins at `at`. */
static size_t container_end(struct weir_slice text, size_t at)
{
    size_t depth = 0;
    while (at < text.n) {
        const uint8_t c = text.p[at];
        if (c == '"') {
            at = weir_json_string_end(text, at);
            continue;
        }
        at++;
        depth += c == '[' || c == '{';
        if ((c == ']' || c == '}') && --depth == 0) {
            break;
        }
    }
    return at;
}

/* Returns the position behind the value that begins at `at`. */
static size_t value_end(struct weir_slice text, size_t at)
{
    const bool is_container = text.p[at] == '[' || text.p[at] == '{';
    return is_container ? container_end(text, at) : weir_json_scalar_end(text, at);
}

/* Moves behind `c` and the blanks around it. False if there is no `c` or nothing follows. */
static bool pass(struct weir_slice text, size_t *at, char c)
{
    *at = weir_json_skip_blanks(text, *at);
    if (*at >= text.n || text.p[*at] != c) {
        return false;
    }
    *at = weir_json_skip_blanks(text, *at + 1);
    return *at < text.n;
}

bool weir_json_is_object(struct weir_slice text)
{
    const size_t at = weir_json_skip_blanks(text, 0);
    return at < text.n && text.p[at] == '{';
}

bool weir_json_next_member(struct weir_slice text, size_t *at, struct weir_slice *key,
                           struct weir_slice *value)
{
    size_t i = *at;
    if (!pass(text, &i, i == 0 ? '{' : ',') || text.p[i] != '"') {
        return false;
    }
    const size_t key_end = weir_json_string_end(text, i);
    const struct weir_slice found = weir_slice(text.p + i + 1, key_end - i - 2);
    i = key_end;
    if (!pass(text, &i, ':')) {
        return false;
    }
    const size_t end = value_end(text, i);
    *key = found;
    *value = weir_slice(text.p + i, end - i);
    *at = end;
    return true;
}

static bool read_hex4(struct weir_slice text, size_t at, unsigned long *unit)
{
    if (at > text.n || text.n - at < 4) {
        return false;
    }
    *unit = 0;
    for (size_t i = at; i < at + 4; i++) {
        const int value = weir_hex_value(text.p[i]);
        if (value < 0) {
            return false;
        }
        *unit = *unit << 4 | (unsigned)value;
    }
    return true;
}

/* Writes one character as UTF-8; returns its length. */
static size_t put_utf8(unsigned long code, uint8_t *out)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    const size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = (uint8_t)(lead[n] | code);
    return n;
}

/* Reads the character of a \u escape whose digits begin at *at, or of a surrogate pair of two, and
 * moves *at behind it. A character in UTF-8 is never longer than its escape. */
static bool take_unicode(struct weir_slice text, size_t *at, unsigned long *code)
{
    if (!read_hex4(text, *at, code)) {
        return false;
    }
    *at += 4;
    if (*code < 0xD800 || *code > 0xDFFF) {
        return true;
    }
    unsigned long low = 0;
    if (*code > 0xDBFF || text.n - *at < 6 || text.p[*at] != '\\' || text.p[*at + 1] != 'u' ||
        !read_hex4(text, *at + 2, &low) || low < 0xDC00 || low > 0xDFFF) {
        return false;
    }
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    *at += 6;
    return true;
}

/* Reads the character of the escape whose letter is at *at, and moves *at behind the escape. */
static bool take_escape(struct weir_slice text, size_t *at, unsigned long *code)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char letter = (char)text.p[*at];
    (*at)++;
    if (letter == 'u') {
        return take_unicode(text, at, code);
    }
    const char *found = letter == '\0' ? NULL : strchr(letters, letter);
    if (found == NULL) {
        return false;
    }
    *code = (unsigned char)meanings[found - letters];
    return true;
}

bool weir_json_unescape(struct weir_slice text, uint8_t *out, size_t *out_n)
{
    if (text.n < 2 || text.p[0] != '"' || text.p[text.n - 1] != '"') {
        return false;
    }
    const struct weir_slice body = weir_slice(text.p + 1, text.n - 2);
    size_t n = 0;
    size_t at = 0;
    while (at < body.n) {
        if (body.p[at] != '\\') {
            out[n++] = body.p[at++];
            continue;
        }
        unsigned long code = 0;
        at++;
        if (at == body.n || !take_escape(body, &at, &code)) {
            return false;
        }
        n += put_utf8(code, out + n);
    }
    *out_n = n;
    return true;
}
