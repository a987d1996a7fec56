/* Durations as text: a decimal number and one of s, m, h, d, w, as in "90d". */
#ifndef WEIR_RULES_DURATION_H
#define WEIR_RULES_DURATION_H

#include "weir/base/slice.h"

#define WEIR_DURATION_FORM "a number and one of s, m, h, d, w, as in 90d"

/* Parses a duration of at most 5,000 years, so that the time which lies so far back is one that
 * PostgreSQL knows (from 4713 BC). False for anything else; sets *duration_us only on true. */
bool weir_duration_parse(struct weir_slice text, int64_t *duration_us);

#endif
