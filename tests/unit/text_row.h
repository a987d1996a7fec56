/* Texts in tables of tests, with their lengths: there may be NULs in them. */
#ifndef WEIR_TESTS_UNIT_TEXT_ROW_H
#define WEIR_TESTS_UNIT_TEXT_ROW_H

#include <stddef.h>

struct text_row {
    const char *bytes;
    size_t n;
};

#define TEXT(literal)                \
    {                                \
        literal, sizeof(literal) - 1 \
    }

#endif
