/* Texts with explicit lengths for test tables, since they may contain NULs. */
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
