/* The check of JSON texts and the walkers that rely on it. Apart from its own invariants, the check
 * is compared with jansson; it may be stricter only for reasons that this file recognises. */
#include "tests/fuzz/fuzz.h"
#include "weir/rules/json_text.h"
#include "weir/rules/utf8.h"

#include <float.h>
#include <jansson.h>
#include <math.h>

enum { AREA_BYTES = 16 };

static bool is_accepted(struct weir_slice text)
{
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st = weir_json_check(text, "data", NULL, &err);
    require(st == WEIR_OK || st == WEIR_INVALID_REQUEST);
    if (st != WEIR_OK) {
        require(strcmp(weir_error_get_detail(&err, "field"), "data") == 0);
        require(weir_error_get_detail(&err, "reason") != NULL);
    }
    return st == WEIR_OK;
}

static json_t *load(struct weir_slice text)
{
    return json_loadb((const char *)text.p, text.n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL,
                      NULL);
}

/* ---- reasons to be stricter than jansson ---- */

/* Reasons to refuse a text that jansson accepts. */
struct doubts {
    bool is_refused;
    bool is_uncertain;  // too close to a bound for long doubles to decide
    size_t depth;
};

/* Judges whether a number other than zero is too close to zero. */
static void judge_size(const char *number, struct doubts *doubts)
{
    const long double bound = 1e-324L;
    const long double size = fabsl(strtold(number, NULL));
    const bool is_wide = LDBL_MIN_10_EXP < -1000;
    if (size < 1e-322L && (!is_wide || fabsl(size / bound - 1) < 1e-15L)) {
        doubts->is_uncertain = true;
    } else {
        doubts->is_refused = doubts->is_refused || size < bound;
    }
}

/* Judges a number. Returns its end. */
static const char *judge_number(const char *number, struct doubts *doubts)
{
    size_t digits = 0;
    bool is_zero = true;
    bool is_mantissa = true;
    const char *c = number;
    for (; *c != '\0' && strchr("+-.eE0123456789", *c) != NULL; c++) {
        is_mantissa = is_mantissa && *c != 'e' && *c != 'E';
        digits += *c >= '0' && *c <= '9';
        is_zero = is_zero && !(is_mantissa && *c >= '1' && *c <= '9');
    }
    doubts->is_refused = doubts->is_refused || digits > WEIR_JSON_DIGITS_MAX;
    if (!is_zero) {
        judge_size(number, doubts);
    }
    return c;
}

static const char *behind_string(const char *quote)
{
    const char *c = quote + 1;
    while (*c != '"') {
        c += *c == '\\' ? 2 : 1;
    }
    return c + 1;
}

static struct doubts judge(const char *text)
{
    struct doubts doubts = {.depth = 0};
    size_t depth = 0;
    for (const char *c = text; *c != '\0';) {
        if (*c == '"') {
            c = behind_string(c);
        } else if (*c == '-' || (*c >= '0' && *c <= '9')) {
            c = judge_number(c, &doubts);
        } else {
            depth += *c == '[' || *c == '{';
            depth -= *c == ']' || *c == '}';
            doubts.depth = depth > doubts.depth ? depth : doubts.depth;
            c++;
        }
    }
    doubts.is_refused = doubts.is_refused || doubts.depth > WEIR_JSON_DEPTH_MAX;
    return doubts;
}

/* Compares the verdicts. Returns the depth of nesting. */
static size_t compare_verdicts(struct weir_slice text, bool accepted, bool jansson_accepts)
{
    if (!jansson_accepts || memchr(text.p, 0, text.n) != NULL) {
        require(!accepted);
        return 0;
    }
    char *terminated = (char *)fuzz_copy(text, true);
    const struct doubts doubts = judge(terminated);
    free(terminated);
    require(accepted == !doubts.is_refused || doubts.is_uncertain);
    return doubts.depth;
}

/* ---- invariants of an accepted text ---- */

static void wrap(struct weir_slice text, size_t depth)
{
    static const char *const around[][2] = {{"[", "]"}, {" {\"a\":", "}\n"}, {"[0,", ",\"\"]"}};
    for (size_t i = 0; i < WEIR_COUNTOF(around); i++) {
        struct fuzz_text wrapped = {0};
        fuzz_puts(&wrapped, around[i][0]);
        fuzz_put(&wrapped, text);
        fuzz_puts(&wrapped, around[i][1]);
        require(is_accepted(fuzz_slice(&wrapped)) == (depth < WEIR_JSON_DEPTH_MAX));
        /* A truncated text is invalid. */
        require(!is_accepted(weir_slice(wrapped.p, wrapped.n - 1 - (i == 1))));
        free(wrapped.p);
    }
}

/* Returns the text of a quoted string, with a trailing NUL. */
static char *unescape(struct weir_slice quoted)
{
    uint8_t *out = fuzz_copy(quoted, false);
    size_t n = 0;
    require(weir_json_unescape(quoted, out, &n));
    require(n <= quoted.n - 2 && weir_utf8_is_valid(weir_slice(out, n)));
    char *text = (char *)fuzz_copy(weir_slice(out, n), true);
    free(out);
    return text;
}

/* The members found by the walk must form the object that jansson reads. */
static void walk_members(struct weir_slice text, const json_t *theirs)
{
    json_t *ours = json_object();
    size_t at = 0;
    struct weir_slice key;
    struct weir_slice value;
    while (weir_json_next_member(text, &at, &key, &value)) {
        require(fuzz_is_inside(key, text) && fuzz_is_inside(value, text) && at <= text.n);
        require(is_accepted(value));
        char *name = unescape(weir_slice(key.p - 1, key.n + 2));
        require(json_object_set_new(ours, name, load(value)) == 0);
        free(name);
    }
    require(json_equal(ours, theirs));
    json_decref(ours);
}

static void check_facts(struct weir_slice text, const json_t *root)
{
    const json_t *name = json_object_get(root, "correlationStreamName");
    const size_t n = json_string_length(name);
    uint8_t *area = malloc(AREA_BYTES);
    require(area != NULL);
    struct weir_json_facts facts = {.area = area, .area_n = AREA_BYTES};
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st = weir_json_check(text, "metadata", &facts, &err);
    require((st == WEIR_OK) == (n <= AREA_BYTES));
    if (st == WEIR_OK) {
        require(weir_slice_equal(facts.correlation_stream, weir_slice_of(json_string_value(name))));
    }
    free(area);
}

static void check_accepted(struct weir_slice text, const json_t *root, size_t depth)
{
    require(weir_utf8_is_valid(text));
    wrap(text, depth);
    check_facts(text, root);
    require(weir_json_is_object(text) == json_is_object(root));
    if (json_is_object(root)) {
        walk_members(text, root);
    }
    if (json_is_string(root) && text.p[0] == '"' && text.p[text.n - 1] == '"') {
        char *string = unescape(text);
        require(strcmp(string, json_string_value(root)) == 0);
        free(string);
    }
}

/* ---- any bytes ---- */

/* Walks a text that was never checked: any result is allowed, but no overread. */
static void walk_unchecked(struct weir_slice text)
{
    uint8_t *out = fuzz_copy(text, false);
    size_t at = 0;
    size_t n = 0;
    struct weir_slice key;
    struct weir_slice value;
    while (weir_json_next_member(text, &at, &key, &value)) {
        require(fuzz_is_inside(weir_slice(key.p - 1, key.n + 2), text));
        require(fuzz_is_inside(value, text) && at <= text.n);
        require(!weir_json_unescape(weir_slice(key.p - 1, key.n + 2), out, &n) || n <= key.n);
    }
    require(!weir_json_unescape(text, out, &n) || n <= text.n);
    free(out);
}

static void compare_utf8(struct weir_slice text)
{
    json_t *string = json_stringn(text.n == 0 ? "" : (const char *)text.p, text.n);
    const bool has_nul = text.n > 0 && memchr(text.p, 0, text.n) != NULL;
    require(weir_utf8_is_valid(text) == (string != NULL && !has_nul));
    json_decref(string);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct weir_slice text = weir_slice(data, size);
    compare_utf8(text);
    walk_unchecked(text);
    json_t *root = load(text);
    const bool accepted = is_accepted(text);
    const size_t depth = compare_verdicts(text, accepted, root != NULL);
    if (accepted) {
        check_accepted(text, root, depth);
    }
    json_decref(root);
    return 0;
}
