/* Bytes as hexadecimal digits, in lower case. */
#ifndef WEIR_RULES_HEX_H
#define WEIR_RULES_HEX_H

#include "weir/base/slice.h"

/* The two digits of each byte, one after the other. */
extern const char weir_hex_pairs[];

/* Writes 2 n digits and no NUL; gives the place behind them. */
static inline char *weir_hex_write(char *to, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(to + 2 * i, weir_hex_pairs + (size_t)2 * bytes[i], 2);
    }
    return to + 2 * n;
}

#endif
