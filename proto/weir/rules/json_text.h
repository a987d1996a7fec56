/* JSON texts: checks them, compares two, walks members, unescapes strings.
 *
 * A text is one RFC 8259 value of any kind, in UTF-8. Refused are malformed, empty or trailing
 * text, NaN, comments, byte-order marks, invalid UTF-8, unpaired surrogates, U+0000 in a string or
 * key, nesting beyond WEIR_JSON_DEPTH_MAX (a container at the top is level 1), and numbers of more
 * than WEIR_JSON_DIGITS_MAX digits (those of the exponent count), beyond the largest finite double
 * or, if not zero, below 1e-324. A key may occur twice in an object; the last one counts.
 *
 * All functions are thread-safe. A "checked" text is one that weir_json_check() has accepted; for
 * any other text the result is arbitrary, but no byte beyond the text is read. */
#ifndef WEIR_RULES_JSON_TEXT_H
#define WEIR_RULES_JSON_TEXT_H

#include "weir/base/fail.h"

enum { WEIR_JSON_DEPTH_MAX = 512, WEIR_JSON_DIGITS_MAX = 1000 };

/* Facts that a check finds. */
struct weir_json_facts {
    uint8_t *area;  // the caller's, for the name below
    size_t area_n;
    /* The string value of the top-level member "correlationStreamName" (the last, if given twice),
     * unescaped, without NUL, in `area`; absent if it is missing or not a string. */
    struct weir_slice correlation_stream;
};

/* Makes checks safe when out of memory, by replacing the JSON parser's allocation functions in the
 * whole process: the parser ignores that its buffer could not grow, and then reads and writes
 * beyond it. For programs, not for a library; called before the first check. */
void weir_json_take_over_memory(void);

/* Checks one text: OK, INVALID_REQUEST on `field` (also for an absent text), or BACKEND_UNAVAILABLE
 * when out of memory. The error's text never quotes the JSON. `facts` may be NULL; if given, they
 * are set only on OK, and a correlation stream name that does not fit into the area is
 * INVALID_REQUEST on `field` naming the limit. Allocates temporarily: time and memory are linear in
 * the text, memory at most about 100 bytes for each byte of it. */
weir_status weir_json_check(struct weir_slice text, const char *field,
                            struct weir_json_facts *facts, struct weir_error *err);

/* Tells whether two checked texts are the same JSON value: members in any order, of equal keys the
 * last one counts, numbers compared as exact decimals (1.10 = 1.1 = 11e-1, 0 = -0), strings after
 * unescaping, white space ignored. An absent slice equals only another absent one. Sets *equal only
 * on OK. BACKEND_UNAVAILABLE when out of memory; DATA_CORRUPT if a text turns out not to have been
 * checked. Texts of equal bytes are equal at once; otherwise the comparison takes n log n time and
 * up to about 60 bytes of heap for each byte of text. */
weir_status weir_json_equal(struct weir_slice a, struct weir_slice b, bool *equal,
                            struct weir_error *err);

/* Rewrites each zero with an exponent in a checked text as 0 and blanks, which keeps the value and
 * the length. Other stores limit exponents even of zero. */
void weir_json_plain_zeros(uint8_t *text, size_t n);

/* Whether a checked text is an object. */
bool weir_json_is_object(struct weir_slice text);

/* Walks the top-level members of a checked object, in the text's order, including duplicates: `key`
 * is the raw text between the quotes, still escaped, `value` the raw text of the value without
 * surrounding blanks. Start with *at = 0; false after the last, or if the text is no object. */
bool weir_json_next_member(struct weir_slice text, size_t *at, struct weir_slice *key,
                           struct weir_slice *value);

/* Unescapes a checked JSON string, given with its quotes, into `out`, which has room for text.n
 * bytes, and sets *out_n to the length. False if the text is no string. */
bool weir_json_unescape(struct weir_slice text, uint8_t *out, size_t *out_n);

#endif
