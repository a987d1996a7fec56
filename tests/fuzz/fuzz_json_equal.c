/* Equality of two JSON texts, which an RS byte (0x1E) separates, since no JSON text contains one.
 * Equality must be an equivalence relation, survive changes that keep the value, notice changes of
 * the value, and agree with jansson where jansson compares numbers exactly. */
#include "tests/fuzz/fuzz.h"
#include "weir/rules/json_text.h"

#include <jansson.h>

enum { SEPARATOR = 0x1E, EXACT_DIGITS = 15, MEMBERS_MAX = 64 };

static bool is_accepted(struct weir_slice text)
{
    struct weir_error err;
    weir_error_init(&err);
    return weir_json_check(text, "data", NULL, &err) == WEIR_OK;
}

static bool is_equal(struct weir_slice a, struct weir_slice b)
{
    struct weir_error err;
    weir_error_init(&err);
    bool equal = false;
    bool reversed = false;
    require(weir_json_equal(a, b, &equal, &err) == WEIR_OK);
    require(weir_json_equal(b, a, &reversed, &err) == WEIR_OK);
    require(equal == reversed);
    return equal;
}

/* ---- other spellings of a value ---- */

static bool is_structure(uint8_t c)
{
    return c == '[' || c == ']' || c == '{' || c == '}' || c == ',' || c == ':';
}

/* Copies the text with blanks around all structure characters. */
static void put_spread(struct fuzz_text *out, struct weir_slice text)
{
    bool is_in_string = false;
    for (size_t i = 0; i < text.n; i++) {
        const uint8_t c = text.p[i];
        const bool is_escape = is_in_string && c == '\\';
        if (c == '"') {
            is_in_string = !is_in_string;
        }
        const bool is_spread = !is_in_string && is_structure(c);
        fuzz_puts(out, is_spread ? " \t" : "");
        fuzz_put(out, weir_slice(text.p + i, is_escape ? 2 : 1));
        fuzz_puts(out, is_spread ? "\r\n" : "");
        i += is_escape;
    }
}

struct members {
    struct weir_slice keys[MEMBERS_MAX];  // with quotes
    struct weir_slice values[MEMBERS_MAX];
    size_t n;
};

/* Returns false if the text is not an object, or one with too many members. */
static bool take_members(struct weir_slice text, struct members *m)
{
    size_t at = 0;
    struct weir_slice key;
    struct weir_slice value;
    m->n = 0;
    while (weir_json_next_member(text, &at, &key, &value)) {
        if (m->n == MEMBERS_MAX) {
            return false;
        }
        m->keys[m->n] = weir_slice(key.p - 1, key.n + 2);
        m->values[m->n++] = value;
    }
    return text.p[0] == '{';
}

static bool is_same_key(struct weir_slice a, struct weir_slice b)
{
    uint8_t *x = fuzz_copy(a, false);
    uint8_t *y = fuzz_copy(b, false);
    size_t x_n = 0;
    size_t y_n = 0;
    require(weir_json_unescape(a, x, &x_n) && weir_json_unescape(b, y, &y_n));
    const bool same = weir_slice_equal(weir_slice(x, x_n), weir_slice(y, y_n));
    free(x);
    free(y);
    return same;
}

static bool is_overridden(const struct members *m, size_t i)
{
    for (size_t later = i + 1; later < m->n; later++) {
        if (is_same_key(m->keys[i], m->keys[later])) {
            return true;
        }
    }
    return false;
}

/* Writes the members in reverse order, without those overridden by a later duplicate. */
static void put_reversed(struct fuzz_text *out, const struct members *m)
{
    const char *before = "{";
    for (size_t i = m->n; i > 0; i--) {
        if (!is_overridden(m, i - 1)) {
            fuzz_puts(out, before);
            fuzz_put(out, m->keys[i - 1]);
            fuzz_puts(out, ":");
            fuzz_put(out, m->values[i - 1]);
            before = ",";
        }
    }
    fuzz_puts(out, m->n == 0 ? "{}" : "}");
}

/* Adds a member whose name is longer than any existing one. */
static void put_extended(struct fuzz_text *out, struct weir_slice text, const struct members *m)
{
    fuzz_puts(out, "{\"");
    for (size_t i = 0; i <= text.n; i++) {
        fuzz_puts(out, "k");
    }
    fuzz_puts(out, m->n == 0 ? "\":0" : "\":0,");
    const uint8_t *open = memchr(text.p, '{', text.n);
    fuzz_put(out, weir_slice(open + 1, text.n - (size_t)(open - text.p) - 1));
}

static void check_object(struct weir_slice text)
{
    struct members members;
    if (!take_members(text, &members)) {
        return;
    }
    struct fuzz_text reversed = {0};
    put_reversed(&reversed, &members);
    require(is_equal(text, fuzz_slice(&reversed)));
    free(reversed.p);
    struct fuzz_text extended = {0};
    put_extended(&extended, text, &members);
    require(!is_equal(text, fuzz_slice(&extended)));
    free(extended.p);
}

static void check_one(struct weir_slice text)
{
    require(is_equal(text, text));
    struct fuzz_text spread = {0};
    put_spread(&spread, text);
    require(is_accepted(fuzz_slice(&spread)) && is_equal(text, fuzz_slice(&spread)));
    free(spread.p);
    struct fuzz_text wrapped = {0};
    fuzz_puts(&wrapped, "[");
    fuzz_put(&wrapped, text);
    fuzz_puts(&wrapped, "]");
    if (is_accepted(fuzz_slice(&wrapped))) {
        require(!is_equal(text, fuzz_slice(&wrapped)));
    }
    free(wrapped.p);
    check_object(text);
}

/* ---- two texts ---- */

/* Returns whether doubles distinguish all different numbers of the text. */
static bool has_exact_numbers(struct weir_slice text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.n; i++) {
        const uint8_t c = text.p[i];
        const bool is_digit = c >= '0' && c <= '9';
        digits = is_digit || c == '.' ? digits + is_digit : 0;
        if (digits > EXACT_DIGITS || (digits > 0 && (c | 0x20) == 'e') ||
            ((c | 0x20) == 'e' && i > 0 && text.p[i - 1] >= '0' && text.p[i - 1] <= '9')) {
            return false;
        }
    }
    return true;
}

static json_t *load(struct weir_slice text)
{
    return json_loadb((const char *)text.p, text.n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL,
                      NULL);
}

static void check_two(struct weir_slice a, struct weir_slice b)
{
    const bool ours = is_equal(a, b);
    json_t *x = load(a);
    json_t *y = load(b);
    const bool theirs = json_equal(x, y);
    json_decref(x);
    json_decref(y);
    require(!ours || theirs);
    if (has_exact_numbers(a) && has_exact_numbers(b)) {
        require(ours == theirs);
    }
}

/* Compares unchecked texts: any result is allowed, but no overread. */
static void compare_unchecked(struct weir_slice a, struct weir_slice b)
{
    struct weir_error err;
    weir_error_init(&err);
    bool equal = false;
    const weir_status st = weir_json_equal(a, b, &equal, &err);
    require(st == WEIR_OK || st == WEIR_DATA_CORRUPT);
}

static void run(struct weir_slice a, struct weir_slice b)
{
    compare_unchecked(a, b);
    const bool has_a = is_accepted(a);
    const bool has_b = is_accepted(b);
    if (has_a) {
        check_one(a);
    }
    if (has_b) {
        check_one(b);
    }
    if (has_a && has_b) {
        check_two(a, b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *separator = size == 0 ? NULL : memchr(data, SEPARATOR, size);
    const size_t a_n = separator == NULL ? size : (size_t)(separator - data);
    const size_t b_at = separator == NULL ? size : a_n + 1;
    uint8_t *a = fuzz_copy(weir_slice(data, a_n), false);
    uint8_t *b = fuzz_copy(weir_slice(data + b_at, size - b_at), false);
    run(weir_slice(a, a_n), weir_slice(b, size - b_at));
    free(a);
    free(b);
    return 0;
}
