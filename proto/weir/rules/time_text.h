/* The time of day, and times as text: written as RFC 3339 in UTC with six fraction digits, read
 * with any offset and 0..9 fraction digits. */
#ifndef WEIR_RULES_TIME_TEXT_H
#define WEIR_RULES_TIME_TEXT_H

#include "weir/base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR_TIME_TEXT = 27 };

/* Writes the time as in "2025-01-15T10:00:00.123456Z" and a NUL. False, with the text unchanged,
 * for times outside the years 0000..9999. */
bool weir_time_format(int64_t time_us, char text[WEIR_TIME_TEXT + 1]);

/* Parses an RFC 3339 time: 't', 'z' and a blank for 'T' are accepted, second 60 of any minute
 * counts as 59.999999, digits below microseconds are cut off. False for anything else, for more
 * than nine fraction digits, and for times outside the years 0000..9999 in UTC, so that
 * weir_time_format() can write every accepted time. Sets *time_us only on true. */
bool weir_time_parse(struct weir_slice text, int64_t *time_us);

/* Parses a time as weir_time_parse() does, or a date YYYY-MM-DD, which means 00:00:00Z. */
bool weir_time_or_date_parse(struct weir_slice text, int64_t *time_us);

/* Returns the time in microseconds since 1970-01-01T00:00:00Z. */
int64_t weir_now_us(void);

#ifdef __cplusplus
}
#endif

#endif
