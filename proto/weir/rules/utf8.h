/* UTF-8. Pure functions. */
#ifndef WEIR_RULES_UTF8_H
#define WEIR_RULES_UTF8_H

#include "weir/base/slice.h"

/* Whether the bytes are well-formed UTF-8 (RFC 3629) without U+0000; true for an empty text. */
bool weir_utf8_is_valid(struct weir_slice text);

#endif
