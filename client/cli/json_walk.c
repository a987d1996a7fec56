#include "client/cli/json_walk.h"

static void skip_blanks(struct weir_slice text, size_t *at)
{
    while (*at < text.n && (text.p[*at] == ' ' || text.p[*at] == '\t' || text.p[*at] == '\n' ||
                            text.p[*at] == '\r')) {
        (*at)++;
    }
}

/* Moves behind the string that begins at *at. False if there is none, or, with *at at the text's
 * end, if it does not end. */
static bool skip_string(struct weir_slice text, size_t *at)
{
    if (*at >= text.n || text.p[*at] != '"') {
        return false;
    }
    for (size_t i = *at + 1; i < text.n; i++) {
        if (text.p[i] == '\\') {
            i++;
        } else if (text.p[i] == '"') {
            *at = i + 1;
            return true;
        }
    }
    *at = text.n;
    return false;
}

static bool is_value_end(uint8_t c)
{
    return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Moves behind an array or object. Only counts brackets; the value is checked as JSON later. */
static bool skip_nested(struct weir_slice text, size_t *at)
{
    size_t depth = 0;
    while (*at < text.n) {
        const uint8_t c = text.p[*at];
        if (c == '"') {
            if (!skip_string(text, at)) {
                return false;
            }
            continue;
        }
        (*at)++;
        if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return true;
        }
    }
    return false;
}

static bool skip_value(struct weir_slice text, size_t *at)
{
    if (*at >= text.n) {
        return false;
    }
    const uint8_t c = text.p[*at];
    if (c == '"') {
        return skip_string(text, at);
    }
    if (c == '{' || c == '[') {
        return skip_nested(text, at);
    }
    const size_t start = *at;
    while (*at < text.n && !is_value_end(text.p[*at])) {
        (*at)++;
    }
    return *at > start;
}

/* Returns the fault, or that the text ends too early: a truncated text shows the same faults as one
 * that is wrong at its end. */
static const char *fault_at(struct weir_slice text, size_t at, const char *fault)
{
    return at >= text.n ? "the text ends too early" : fault;
}

static const char *take_member(struct weir_slice text, size_t *at, struct weir_slice *key,
                               struct weir_slice *value)
{
    const size_t key_at = *at;
    if (!skip_string(text, at)) {
        return fault_at(text, *at, "a member has no name");
    }
    *key = weir_slice(text.p + key_at, *at - key_at);
    skip_blanks(text, at);
    if (*at >= text.n || text.p[*at] != ':') {
        return fault_at(text, *at, "a member has no ':'");
    }
    (*at)++;
    skip_blanks(text, at);
    const size_t value_at = *at;
    if (!skip_value(text, at)) {
        return fault_at(text, *at, "a member has no value");
    }
    *value = weir_slice(text.p + value_at, *at - value_at);
    return NULL;
}

/* Returns the fault unless only blanks follow. */
static const char *end_text(struct weir_slice text, size_t at, const char *fault)
{
    skip_blanks(text, &at);
    return at == text.n ? NULL : fault;
}

/* Moves to the next element, behind the opening bracket or a comma. False at the closing bracket,
 * with *fault NULL if nothing follows it, and, with the reason in *fault, if neither is there. */
static bool next_begins(struct weir_slice text, size_t *at, const char brackets[2],
                        const char **fault)
{
    const bool is_first = *at == 0;
    *fault = NULL;
    skip_blanks(text, at);
    const char c = *at < text.n ? (char)text.p[*at] : '\0';
    if (is_first && c != brackets[0]) {
        *fault = brackets[0] == '{' ? "not a JSON object" : "not a JSON array";
        return false;
    }
    size_t end = *at;
    if (is_first) {
        end++;
        skip_blanks(text, &end);
    }
    if (end < text.n && (char)text.p[end] == brackets[1]) {
        *fault = end_text(text, end + 1, "text follows the closing bracket");
        return false;
    }
    if (!is_first && c != ',') {
        *fault = fault_at(text, *at, "a member is not followed by ',' or a closing bracket");
        return false;
    }
    (*at)++;
    skip_blanks(text, at);
    return true;
}

bool json_next_member(struct weir_slice text, size_t *at, struct weir_slice *key,
                      struct weir_slice *value, const char **fault)
{
    if (!next_begins(text, at, "{}", fault)) {
        return false;
    }
    *fault = take_member(text, at, key, value);
    return *fault == NULL;
}

bool json_next_element(struct weir_slice text, size_t *at, struct weir_slice *value,
                       const char **fault)
{
    if (!next_begins(text, at, "[]", fault)) {
        return false;
    }
    const size_t begin = *at;
    if (!skip_value(text, at)) {
        *fault = fault_at(text, *at, "an element has no value");
        return false;
    }
    *value = weir_slice(text.p + begin, *at - begin);
    return true;
}
