/* Bytes as hexadecimal digits: written in lower case, read in either case. */
#ifndef WEIR_RULES_HEX_H
#define WEIR_RULES_HEX_H

#include "weir/base/slice.h"

/* The two digits of each byte value, one pair after the other. */
extern const char weir_hex_pairs[];

/* Writes 2 n digits without a NUL; returns the address behind them. */
static inline char *weir_hex_write(char *to, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(to + 2 * i, weir_hex_pairs + (size_t)2 * bytes[i], 2);
    }
    return to + 2 * n;
}

/* Returns the value of a digit, -1 for any other character. */
static inline int weir_hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

#endif
