#include "weir/rules/json_scan.h"

static const int64_t exponent_max = 1000000000000000;

size_t weir_json_skip_blanks(struct weir_slice text, size_t at)
{
    while (at < text.n &&
           (text.p[at] == ' ' || text.p[at] == '\n' || text.p[at] == '\t' || text.p[at] == '\r')) {
        at++;
    }
    return at;
}

size_t weir_json_string_end(struct weir_slice text, size_t at)
{
    at++;
    while (at < text.n && text.p[at] != '"') {
        at += text.p[at] == '\\' ? 2 : 1;
    }
    return at < text.n ? at + 1 : text.n;
}

bool weir_json_begins_number(uint8_t c)
{
    return c == '-' || (c >= '0' && c <= '9');
}

static bool is_number_byte(uint8_t c)
{
    return weir_json_begins_number(c) || c == '+' || c == '.' || c == 'e' || c == 'E';
}

size_t weir_json_number_end(struct weir_slice text, size_t at)
{
    while (at < text.n && is_number_byte(text.p[at])) {
        at++;
    }
    return at;
}

size_t weir_json_scalar_end(struct weir_slice text, size_t at)
{
    if (at < text.n && text.p[at] == '"') {
        return weir_json_string_end(text, at);
    }
    if (at < text.n && weir_json_begins_number(text.p[at])) {
        return weir_json_number_end(text, at);
    }
    while (at < text.n && text.p[at] >= 'a' && text.p[at] <= 'z') {
        at++;
    }
    return at;
}

/* Reads the exponent behind 'e': an optional sign and digits. */
static int64_t read_exponent(struct weir_slice text)
{
    size_t at = 0;
    const bool is_negative = text.n > 0 && text.p[0] == '-';
    if (text.n > 0 && (text.p[0] == '-' || text.p[0] == '+')) {
        at = 1;
    }
    int64_t value = 0;
    for (; at < text.n && text.p[at] >= '0' && text.p[at] <= '9'; at++) {
        value = value * 10 + (text.p[at] - '0');
        if (value > exponent_max) {
            value = exponent_max;
        }
    }
    return is_negative ? -value : value;
}

static bool is_significant(uint8_t c)
{
    return c >= '1' && c <= '9';
}

/* Returns the position of 'e', or the end. */
static size_t mantissa_end(struct weir_slice number)
{
    size_t at = 0;
    while (at < number.n && number.p[at] != 'e' && number.p[at] != 'E') {
        at++;
    }
    return at;
}

void weir_json_decimal_read(struct weir_slice number, struct weir_json_decimal *d)
{
    *d = (struct weir_json_decimal){.is_negative = false};
    const size_t end = mantissa_end(number);
    const uint8_t *point_at = end == 0 ? NULL : memchr(number.p, '.', end);
    const size_t point = point_at == NULL ? end : (size_t)(point_at - number.p);
    size_t first = 0;
    while (first < end && !is_significant(number.p[first])) {
        first++;
    }
    if (first == end) {
        return;
    }
    size_t last = end;
    while (!is_significant(number.p[last - 1])) {
        last--;
    }
    d->is_negative = number.p[0] == '-';
    d->digits = weir_slice(number.p + first, last - first);
    /* The digit before the point has exponent 0, the digit behind it -1. */
    d->exponent = first < point ? (int64_t)(point - first) - 1 : -(int64_t)(first - point);
    if (end < number.n) {
        d->exponent += read_exponent(weir_slice(number.p + end + 1, number.n - end - 1));
    }
}

/* Whether the digits are equal, ignoring a point in either. */
static bool same_digits(struct weir_slice a, struct weir_slice b)
{
    size_t i = 0;
    size_t j = 0;
    for (;;) {
        i += i < a.n && a.p[i] == '.';
        j += j < b.n && b.p[j] == '.';
        if (i == a.n || j == b.n) {
            return i == a.n && j == b.n;
        }
        if (a.p[i] != b.p[j]) {
            return false;
        }
        i++;
        j++;
    }
}

bool weir_json_decimal_equal(const struct weir_json_decimal *a, const struct weir_json_decimal *b)
{
    return a->is_negative == b->is_negative && a->exponent == b->exponent &&
           same_digits(a->digits, b->digits);
}

/* ---- plain strings ---- */

/* Returns a word with the high bit set in each byte that is `c`, and maybe in bytes above the first
 * such byte. */
static uint64_t bytes_equal(uint64_t word, uint8_t c)
{
    const uint64_t ones = 0x0101010101010101;
    const uint64_t differences = word ^ ones * c;
    return (differences - ones) & ~differences & ones << 7;
}

/* Whether the next eight bytes are ASCII that stands for itself in a string. */
static bool is_plain_in_string(const uint8_t *p)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t word = 0;
    memcpy(&word, p, sizeof word);
    const uint64_t controls = (word - ones * ' ') & ~word & ones << 7;
    return (controls | (word & ones << 7) | bytes_equal(word, '"') | bytes_equal(word, '\\')) == 0;
}

/* Returns the position behind the string that begins at `at` if it is plain, else `at`. */
static size_t plain_string_end(struct weir_slice text, size_t at)
{
    size_t i = at + 1;
    while (text.n - i >= sizeof(uint64_t) && is_plain_in_string(text.p + i)) {
        i += sizeof(uint64_t);
    }
    while (i < text.n && text.p[i] >= ' ' && text.p[i] < 0x80 && text.p[i] != '\\') {
        if (text.p[i] == '"') {
            return i + 1;
        }
        i++;
    }
    return at;
}

size_t weir_json_leave_out_plain_strings(struct weir_slice text, uint8_t *out)
{
    size_t n = 0;
    size_t at = 0;
    while (at < text.n) {
        const uint8_t *quote = memchr(text.p + at, '"', text.n - at);
        const size_t begin = quote == NULL ? text.n : (size_t)(quote - text.p);
        size_t end = begin == text.n ? begin : plain_string_end(text, begin);
        const bool is_plain = end > begin;
        if (!is_plain && begin < text.n) {
            end = weir_json_string_end(text, begin);
        }
        const size_t copied = (is_plain ? begin : end) - at;
        memcpy(out + n, text.p + at, copied);
        n += copied;
        if (is_plain) {
            out[n++] = '"';
            out[n++] = '"';
        }
        at = end;
    }
    return n;
}
