/* Which texts are accepted, and what is found out about them on the way. */
#include "weir/rules/json_scan.h"
#include "weir/rules/json_text.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

enum { EXPONENT_MAX = 308, EXPONENT_MIN = -324 };

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
static bool find_facts(const json_t *root, struct weir_json_facts *facts)
{
    const json_t *name = json_object_get(root, "correlationStreamName");
    const bool is_named = json_is_string(name);
    const size_t n = is_named ? json_string_length(name) : 0;
    if (n > facts->area_n) {
        return false;
    }
    if (n > 0) {
        memcpy(facts->area, json_string_value(name), n);
    }
    facts->correlation_stream = !is_named ? weir_slice(NULL, 0)
                                : n == 0  ? weir_slice("", 0)
                                          : weir_slice(facts->area, n);
    return true;
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
    const struct weir_slice in_short =
        weir_slice(room, weir_json_leave_out_plain_strings(text, room));
    *fault = limit_fault(in_short);
    if (*fault == NULL && is_accepted != NULL) {
        *is_accepted = is_parsed(in_short);
    }
    free(room);
    return true;
}

weir_status weir_json_check(struct weir_slice text, const char *field,
                            struct weir_json_facts *facts, struct weir_error *err)
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
    const bool fits = facts == NULL || find_facts(root, facts);
    json_decref(root);
    if (!fits) {
        return weir_fail_field(err, field, "correlationStreamName is longer than %zu bytes",
                               facts->area_n);
    }
    return WEIR_OK;
}
