/* JSON texts: what is accepted, when two are equal, and where a member stands.
 *
 * A text is one RFC 8259 value of any kind, in UTF-8. Refused are malformed, empty or trailing
 * text, NaN, comments, byte-order marks, invalid UTF-8, unpaired surrogates, U+0000 in a string or
 * key, nesting beyond WEIR_JSON_DEPTH_MAX (a container at the top is level 1), and numbers of more
 * than WEIR_JSON_DIGITS_MAX digits (those of the exponent count), beyond the largest finite double
 * or, if not zero, below 1e-324. A key may stand twice in an object; the last one counts.
 *
 * All functions are thread-safe. Those that take a "checked" text want one that weir_json_check()
 * accepted; on others they answer anything, but read nothing beyond the text. */
#ifndef WEIR_RULES_JSON_TEXT_H
#define WEIR_RULES_JSON_TEXT_H

#include "weir/base/status.h"

enum { WEIR_JSON_DEPTH_MAX = 512, WEIR_JSON_DIGITS_MAX = 1000 };

/* What a check finds out on the way. */
struct weir_json_facts {
    uint8_t *area;  // the caller's, for the name below
    size_t area_n;
    /* The string value of the top-level member "correlationStreamName" (the last, if given twice),
     * unescaped, NUL-free, in `area`; absent where it is missing or no string. */
    struct weir_slice correlation_stream;
};

/* For programs, whose process is their own, before the first check: lends the JSON parser's
 * allocations to this file, which makes a check without memory safe. The parser goes on where its
 * buffer could not grow, and then reads and writes beyond what it has. */
void weir_json_take_over_memory(void);

/* Checks one text. OK, or INVALID_REQUEST on `field` (an absent text counts as an empty one), or
 * BACKEND_UNAVAILABLE without memory. The error's text never quotes the JSON. `facts` may be NULL;
 * otherwise a correlation stream's name that does not fit into the area is INVALID_REQUEST on
 * `field` naming the limit. What is found is set only on OK. Uses the heap for a while: time and
 * memory are linear in the text, memory at most about 100 bytes for each byte of it. */
weir_status weir_json_check(struct weir_slice text, const char *field,
                            struct weir_json_facts *facts, struct weir_error *err);

/* Whether two texts, both checked, are the same JSON value: members in any order, the last of equal
 * keys counts, numbers compared as exact decimals (1.10 = 1.1 = 11e-1, 0 = -0), strings after
 * unescaping, white space ignored. Two absent slices are equal; an absent one equals nothing else.
 * *equal is set only on OK. BACKEND_UNAVAILABLE without memory; DATA_CORRUPT where a text is found
 * not to have been checked. Texts of equal bytes are equal at once; otherwise n log n time and up
 * to about 60 bytes of heap for each byte of text. */
weir_status weir_json_equal(struct weir_slice a, struct weir_slice b, bool *equal,
                            struct weir_error *err);

/* Rewrites, in a checked text, each zero that has an exponent as 0 and blanks: the same value, and
 * as many bytes. Other stores have bounds for exponents that do not ask what they scale. */
void weir_json_plain_zeros(uint8_t *text, size_t n);

/* Whether a checked text is an object. */
bool weir_json_is_object(struct weir_slice text);

/* Walks the top-level members of a checked object, in the text's order, duplicates included: `key`
 * is the raw text between the quotes, still escaped, and `value` the raw text of the value without
 * surrounding blanks. Start with *at = 0; false after the last, or where the text is no object. */
bool weir_json_next_member(struct weir_slice text, size_t *at, struct weir_slice *key,
                           struct weir_slice *value);

/* Unescapes a checked JSON string, given with its quotes, into `out` (room for text.n bytes); the
 * length into *out_n. False where the text is no string. */
bool weir_json_unescape(struct weir_slice text, uint8_t *out, size_t *out_n);

#endif
