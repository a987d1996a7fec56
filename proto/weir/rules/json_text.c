#include "weir/rules/json_text.h"

#include "weir/rules/json_scan.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

enum { EXPONENT_MAX = 308, EXPONENT_MIN = -324 };

/* How many bytes the character at text.p[at] has; 0 where none is well-formed there. The table of
 * RFC 3629: the second byte's range keeps out overlong forms, surrogates and what is above
 * U+10FFFF. */
static size_t character_bytes(struct weir_slice text, size_t at)
{
    const uint8_t lead = text.p[at];
    if (lead < 0x80) {
        return lead == 0 ? 0 : 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    const size_t n = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (text.n - at < n) {
        return 0;
    }
    const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (text.p[at + 1] < low || text.p[at + 1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((text.p[at + i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return n;
}

/* Whether the next eight bytes are all ASCII and none is NUL. */
static bool is_plain_word(const uint8_t *p)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t word = 0;
    memcpy(&word, p, sizeof word);
    /* Subtracting one borrows into the top bit where a byte was 0 or above 0x80. */
    return ((word | (word - ones)) & ones << 7) == 0;
}

bool weir_utf8_is_valid(struct weir_slice text)
{
    size_t at = 0;
    while (at < text.n) {
        if (text.n - at >= sizeof(uint64_t) && is_plain_word(text.p + at)) {
            at += sizeof(uint64_t);
            continue;
        }
        const size_t n = character_bytes(text, at);
        if (n == 0) {
            return false;
        }
        at += n;
    }
    return true;
}

/* Why a number is refused; NULL for a good one. Whether it is well-formed, and the last of the way
 * up to the largest double, is left to the parser. */
static const char *number_fault(struct weir_slice number)
{
    size_t digits = 0;
    for (size_t i = 0; i < number.n; i++) {
        digits += number.p[i] >= '0' && number.p[i] <= '9';
    }
    if (digits > WEIR_JSON_DIGITS_MAX) {
        return "a number has more than 1000 digits";
    }
    struct weir_json_decimal d;
    weir_json_decimal_read(number, &d);
    if (d.exponent > EXPONENT_MAX) {
        return "a number is too large";
    }
    return d.exponent < EXPONENT_MIN ? "a number is too close to zero" : NULL;
}

/* What the parser does not limit, or limits too late: it goes one level deeper into the stack with
 * each level of nesting, and it takes numbers through a double. */
static const char *limit_fault(struct weir_slice text)
{
    size_t depth = 0;
    size_t at = 0;
    while (at < text.n) {
        const uint8_t c = text.p[at];
        if (c == '"') {
            at = weir_json_string_end(text, at);
            continue;
        }
        if (weir_json_begins_number(c)) {
            const size_t end = weir_json_number_end(text, at);
            const char *fault = number_fault(weir_slice(text.p + at, end - at));
            if (fault != NULL) {
                return fault;
            }
            at = end;
            continue;
        }
        if ((c == '[' || c == '{') && ++depth > WEIR_JSON_DEPTH_MAX) {
            return "nested more than 512 levels deep";
        }
        depth -= (c == ']' || c == '}') && depth > 0;
        at++;
    }
    return NULL;
}

/* Without a seed that nobody can guess, members could be named so that all fall into one bucket. */
static void seed_hashing(void)
{
    json_object_seed(0);
}

/* Of this thread's check. */
static _Thread_local bool has_no_memory;

/* jansson 2.14 does not look whether its buffer for the text of a token could grow, and takes the
 * token's size from there and its end from its contents. It does look at the allocation that it
 * makes for the value: that one fails as well. */
static void *allocate_or_stop(size_t n)
{
    void *p = has_no_memory ? NULL : malloc(n);
    has_no_memory = p == NULL;
    return p;
}

void weir_json_take_over_memory(void)
{
    json_set_alloc_funcs(allocate_or_stop, free);
}

/* Our words for the parser's fault: its own text quotes the message's contents. */
static const char *parser_fault(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_invalid_utf8:
        return "invalid UTF-8";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "U+0000 in a string or key";
    case json_error_premature_end_of_input:
        return "the text ends too early";
    case json_error_end_of_input_expected:
        return "more text behind the value";
    case json_error_numeric_overflow:
        return "a number is too large";
    default:
        return "malformed";
    }
}

static weir_status fail_memory(struct weir_error *err)
{
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "no memory to check JSON");
}

static weir_status fail_parse(const char *field, const json_error_t *error, struct weir_error *err)
{
    /* The parser leaves its text empty in one case only. */
    if (has_no_memory || error->text[0] == '\0' ||
        json_error_code(error) == json_error_out_of_memory) {
        return fail_memory(err);
    }
    return weir_fail_field(err, field, "not JSON: %s, near byte %d", parser_fault(error),
                           error->position);
}

/* False where the name does not fit into the area. */
static bool find_facts(const json_t *root, struct weir_json_facts *facts, uint8_t *area,
                       size_t area_n)
{
    *facts = (struct weir_json_facts){.is_object = json_is_object(root)};
    const json_t *name = json_object_get(root, "correlationStreamName");
    if (!json_is_string(name)) {
        return true;
    }
    const size_t n = json_string_length(name);
    if (n > area_n) {
        return false;
    }
    if (n > 0) {
        memcpy(area, json_string_value(name), n);
    }
    facts->correlation_stream = weir_slice(n > 0 ? area : (const uint8_t *)"", n);
    return true;
}

/* A high bit for each byte of the word that is `c`, and maybe for those above the first. */
static uint64_t bytes_equal(uint64_t word, uint8_t c)
{
    const uint64_t ones = 0x0101010101010101;
    const uint64_t differences = word ^ ones * c;
    return (differences - ones) & ~differences & ones << 7;
}

/* Whether the next eight bytes stand for themselves in a string. */
static bool is_plain_in_string(const uint8_t *p)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t word = 0;
    memcpy(&word, p, sizeof word);
    const uint64_t controls = (word - ones * ' ') & ~word & ones << 7;
    return (controls | (word & ones << 7) | bytes_equal(word, '"') | bytes_equal(word, '\\')) == 0;
}

/* Behind the string that begins at `at`, if it is whole and nothing in it can be wrong: no escape,
 * and ASCII without control characters. Else `at`. */
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

/* Copies the text, plain strings as empty ones, to `out`, which has room for all of it; returns
 * what it takes there. */
static size_t leave_out_plain_strings(struct weir_slice text, uint8_t *out)
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

/* INT_AS_REAL: integers of any length, where the parser would else stop at 64 bits. */
static json_t *parse(struct weir_slice text, json_error_t *error)
{
    has_no_memory = false;
    return json_loadb((const char *)text.p, text.n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL,
                      error);
}

static bool is_parsed(struct weir_slice text)
{
    json_error_t error;
    json_t *root = parse(text, &error);
    json_decref(root);
    return root != NULL;
}

/* Looks at the text without its plain strings: it is within the limits, and accepted by the parser,
 * if and only if it is with them. The parser takes each byte of a string several times over, and
 * most of a message's data are such bytes. False without memory. */
static bool look_in_short(struct weir_slice text, const char **fault, bool *is_accepted)
{
    uint8_t *room = malloc(text.n);
    if (room == NULL) {
        return false;
    }
    const struct weir_slice in_short = weir_slice(room, leave_out_plain_strings(text, room));
    *fault = limit_fault(in_short);
    if (*fault == NULL && is_accepted != NULL) {
        *is_accepted = is_parsed(in_short);
    }
    free(room);
    return true;
}

weir_status weir_json_check(struct weir_slice text, const char *field,
                            struct weir_json_facts *facts, uint8_t *area, size_t area_n,
                            struct weir_error *err)
{
    static pthread_once_t is_seeded = PTHREAD_ONCE_INIT;
    (void)pthread_once(&is_seeded, seed_hashing);

    if (text.n == 0) {
        return weir_fail_field(err, field, "not JSON: empty");
    }
    /* The parser passes over a NUL byte that stands behind a number. */
    if (memchr(text.p, '\0', text.n) != NULL) {
        return weir_fail_field(err, field, "not JSON: U+0000 in the text");
    }
    const char *fault = NULL;
    bool is_accepted = false;
    if (!look_in_short(text, &fault, facts == NULL ? &is_accepted : NULL)) {
        return fail_memory(err);
    }
    if (fault != NULL) {
        return weir_fail_field(err, field, "%s", fault);
    }
    if (is_accepted) {
        return WEIR_OK;
    }
    /* The whole of it: for the facts, or for the fault and its place. */
    json_error_t error;
    json_t *root = parse(text, &error);
    if (root == NULL) {
        return fail_parse(field, &error, err);
    }
    const bool fits = facts == NULL || find_facts(root, facts, area, area_n);
    json_decref(root);
    if (!fits) {
        return weir_fail_field(err, field, "correlationStreamName is longer than %zu bytes",
                               area_n);
    }
    return WEIR_OK;
}

/* Whether an exponent may follow a zero somewhere; false for nearly all texts, and cheaper than to
 * look for their numbers. */
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

/* Behind the array or object that begins at `at`. */
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

/* Behind the value that begins at `at`. */
static size_t value_end(struct weir_slice text, size_t at)
{
    const bool is_container = text.p[at] == '[' || text.p[at] == '{';
    return is_container ? container_end(text, at) : weir_json_scalar_end(text, at);
}

/* Steps over blanks and one `c`; false where there is none. */
static bool pass(struct weir_slice text, size_t *at, char c)
{
    *at = weir_json_skip_blanks(text, *at);
    if (*at >= text.n || text.p[*at] != c) {
        return false;
    }
    *at = weir_json_skip_blanks(text, *at + 1);
    return *at < text.n;
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
        const uint8_t c = text.p[i];
        const uint8_t lower = c | 0x20;
        if (c >= '0' && c <= '9') {
            *unit = *unit << 4 | (c - (unsigned)'0');
        } else if (lower >= 'a' && lower <= 'f') {
            *unit = *unit << 4 | (lower - (unsigned)'a' + 10);
        } else {
            return false;
        }
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

/* The character of a \u escape whose digits begin at *at, both halves of a pair; *at moves behind
 * it. A character is never longer than its escape. */
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

/* The character of the escape whose letter stands at *at; *at moves behind it. */
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
