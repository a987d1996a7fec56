/* Finds where the parts of a JSON text end, and reads numbers as exact decimals; used by the files
 * of this folder.
 *
 * The functions do not check the text: for an unchecked text their answers mean little, but they
 * read no byte beyond it. Positions are byte offsets in the text. Pure functions. */
#ifndef WEIR_RULES_JSON_SCAN_H
#define WEIR_RULES_JSON_SCAN_H

#include "weir/base/slice.h"

/* Returns the first position from `at` on that is not white space, or text.n. */
size_t weir_json_skip_blanks(struct weir_slice text, size_t at);

bool weir_json_begins_number(uint8_t c);

/* Returns the position behind the string, or the number, that begins at `at`; text.n if it does not
 * end. */
size_t weir_json_string_end(struct weir_slice text, size_t at);
size_t weir_json_number_end(struct weir_slice text, size_t at);

/* Returns the position behind the string, number or word that begins at `at`; `at` itself if none
 * begins there. */
size_t weir_json_scalar_end(struct weir_slice text, size_t at);

/* Copies the text to `out`, which has room for all of it, with each plain string made empty. A
 * plain string is complete, ASCII, and has no escapes or control characters, so nothing in it can
 * be wrong. Returns the bytes written. */
size_t weir_json_leave_out_plain_strings(struct weir_slice text, uint8_t *out);

/* ± d.ddd × 10^exponent, where neither the first nor the last digit is 0. Zero has no digits, no
 * sign and exponent 0, however it is written. */
struct weir_json_decimal {
    bool is_negative;
    int64_t exponent;          // the written one is clamped to ±10^15
    struct weir_slice digits;  // part of the text, may hold one '.'; absent for zero
};

void weir_json_decimal_read(struct weir_slice number, struct weir_json_decimal *d);
bool weir_json_decimal_equal(const struct weir_json_decimal *a, const struct weir_json_decimal *b);

#endif
