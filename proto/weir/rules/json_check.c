/* Checks JSON texts (json_text.h) and finds facts about them on the way.
 *
 * jansson does the parsing. Its own limits come too late or are missing, so limit_fault() looks for
 * deep nesting and bad numbers first. jansson also takes each byte of a string several times over;
 * so a text is first copied without its plain strings, in which nothing can be wrong, and the whole
 * text is parsed only for facts or to locate a fault. */
#include "weir/rules/json_scan.h"
#include "weir/rules/json_text.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

enum { EXPONENT_MIN = -324 };

/* Returns why a number is refused, NULL for a good one. The parser checks whether it is well-formed
 * and whether it is too large for a double. */
static const char *number_fault(struct weir_slice number)
{
    size_t digits = 0;
    for (size_t i = 0; i < number.n; i++) {
        digits += number.p[i] >= '0' && number.p[i] <= '9';
    }
    if (digits > WEIR_JSON_DIGITS_MAX) {
        _Static_assert(WEIR_JSON_DIGITS_MAX == 1000, "the text names the limit");
        return "a number has more than 1000 digits";
    }
    struct weir_json_decimal d;
    weir_json_decimal_read(number, &d);
    return d.exponent < EXPONENT_MIN ? "a number is too close to zero" : NULL;
}

/* Returns why a text is beyond the limits, NULL if it is not. The parser does not limit numbers,
 * which it converts to double, and limits nesting too late: it recurses once for each level. */
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
            _Static_assert(WEIR_JSON_DEPTH_MAX == 512, "the text names the limit");
            return "nested more than 512 levels deep";
        }
        depth -= (c == ']' || c == '}') && depth > 0;
        at++;
    }
    return NULL;
}

/* Takes a random seed: with a known one a client could put all members into one bucket. */
static void seed_hashing(void)
{
    json_object_seed(0);
}

/* An allocation of this thread's check has failed. */
static _Thread_local bool has_no_memory;

/* jansson 2.14 does not check whether its buffer for a token could grow, and then reads beyond it.
 * It does check the next allocation, the one for the token's value: so once an allocation has
 * failed, the next one fails as well. */
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

/* Describes the parser's fault. The parser's own text would quote the message's contents. */
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
        return "text follows the value";
    case json_error_numeric_overflow:
        return "a number is too large";
    default:
        return "malformed";
    }
}

static weir_status fail_memory(struct weir_error *err)
{
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory while checking JSON");
}

static weir_status fail_parse(const char *field, const json_error_t *error, struct weir_error *err)
{
    /* The parser leaves its text empty only when it is out of memory. */
    if (has_no_memory || error->text[0] == '\0' ||
        json_error_code(error) == json_error_out_of_memory) {
        return fail_memory(err);
    }
    return weir_fail_field(err, field, "not valid JSON: %s, near byte %d", parser_fault(error),
                           error->position);
}

/* Fills in the facts. False if the stream name does not fit into the area. */
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

/* INT_AS_REAL makes the parser accept integers beyond 64 bits. */
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

/* Checks the text without its plain strings. Without them it is within the limits, and accepted by
 * the parser, if and only if the whole text is; and most bytes of a message are in such strings.
 * Sets *fault to the limit that is exceeded or NULL and, unless `is_accepted` is NULL, *is_accepted
 * to the parser's verdict. False when out of memory. */
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
        return weir_fail_field(err, field, "not valid JSON: empty");
    }
    /* The parser skips a NUL byte behind a number. */
    if (memchr(text.p, '\0', text.n) != NULL) {
        return weir_fail_field(err, field, "not valid JSON: U+0000 in the text");
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
    /* Parse the whole text: for the facts, or for the fault and its position. */
    json_error_t error;
    json_t *root = parse(text, &error);
    if (root == NULL) {
        return fail_parse(field, &error, err);
    }
    const bool fits = facts == NULL || find_facts(root, facts);
    json_decref(root);
    if (!fits) {
        return weir_fail_field(
            err, field, "correlationStreamName is longer than %zu bytes (--max-correlation-bytes)",
            facts->area_n);
    }
    return WEIR_OK;
}
