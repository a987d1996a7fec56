#include "weir/rules/duration.h"

#define SECOND_US INT64_C(1000000)
#define MOST_US   (INT64_C(5000) * 366 * 86400 * SECOND_US)

/* Returns the microseconds of a unit; 0 for any other character. */
static int64_t unit_us(uint8_t unit)
{
    switch (unit) {
    case 's':
        return SECOND_US;
    case 'm':
        return 60 * SECOND_US;
    case 'h':
        return 3600 * SECOND_US;
    case 'd':
        return 86400 * SECOND_US;
    case 'w':
        return 604800 * SECOND_US;
    default:
        return 0;
    }
}

bool weir_duration_parse(struct weir_slice text, int64_t *duration_us)
{
    if (text.p == NULL || text.n < 2) {
        return false;
    }
    int64_t number = 0;
    for (size_t at = 0; at + 1 < text.n; at++) {
        if (text.p[at] < '0' || text.p[at] > '9') {
            return false;
        }
        number = number * 10 + (text.p[at] - '0');
        if (number > MOST_US / SECOND_US) {
            return false;
        }
    }
    const int64_t unit = unit_us(text.p[text.n - 1]);
    if (unit == 0 || number > MOST_US / unit) {
        return false;
    }
    *duration_us = number * unit;
    return true;
}
