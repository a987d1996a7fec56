/* Times as text: RFC 3339 in UTC with six fraction digits out, any offset and 0..9 fraction digits
 * in. */
#ifndef WEIR_RULES_TIME_TEXT_H
#define WEIR_RULES_TIME_TEXT_H

#include "weir/base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR_TIME_TEXT = 27 };

/* "2025-01-15T10:00:00.123456Z" and a NUL. Only for years 0000..9999; false otherwise. */
bool weir_time_format(int64_t time_us, char text[WEIR_TIME_TEXT + 1]);

/* An RFC 3339 time ('t', 'z' and a blank for 'T' accepted, second 60 of any minute taken as
 * 59.999999) of at most nine fraction digits; those below microseconds are cut off. False for
 * anything else, and for what falls outside years 0000..9999 once in UTC, so that
 * weir_time_format() has a text for every time accepted. *time_us is set only on true. */
bool weir_time_parse(struct weir_slice text, int64_t *time_us);

/* The same, or YYYY-MM-DD meaning 00:00:00Z. */
bool weir_time_or_date_parse(struct weir_slice text, int64_t *time_us);

/* Microseconds since 1970-01-01T00:00:00Z, and of a clock that never goes back. */
int64_t weir_now_us(void);
int64_t weir_monotonic_us(void);

#ifdef __cplusplus
}
#endif

#endif
