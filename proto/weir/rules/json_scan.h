/* Where the parts of a JSON text end, and numbers as exact decimals, for this folder's files.
 *
 * Nothing here checks a text: on one that was never checked the answers mean little, but no byte
 * beyond the text is read. Positions count bytes from the text's start. Pure functions. */
#ifndef WEIR_RULES_JSON_SCAN_H
#define WEIR_RULES_JSON_SCAN_H

#include "weir/base/slice.h"

/* The first position from `at` on that is no blank, or text.n. */
size_t weir_json_skip_blanks(struct weir_slice text, size_t at);

bool weir_json_begins_number(uint8_t c);

/* Behind the string, or the number, that begins at `at`; text.n where it does not end. */
size_t weir_json_string_end(struct weir_slice text, size_t at);
size_t weir_json_number_end(struct weir_slice text, size_t at);

/* Behind the string, number or word that begins at `at`; `at` itself where none does. */
size_t weir_json_scalar_end(struct weir_slice text, size_t at);

/* Copies the text to `out`, which has room for all of it, with each plain string left empty: one
 * that is whole and in which nothing can be wrong, as it is ASCII without escapes and control
 * characters. Returns what it takes there. */
size_t weir_json_leave_out_plain_strings(struct weir_slice text, uint8_t *out);

/* ± d.ddd × 10^exponent, with neither first nor last digit 0. Zero has no digits, no sign and
 * exponent 0, however it is written. */
struct weir_json_decimal {
    bool is_negative;
    int64_t exponent;          // bounded by ±10^15; further ones are given as that
    struct weir_slice digits;  // of the text; may hold one '.'; absent for zero
};

void weir_json_decimal_read(struct weir_slice number, struct weir_json_decimal *d);
bool weir_json_decimal_equal(const struct weir_json_decimal *a, const struct weir_json_decimal *b);

#endif
