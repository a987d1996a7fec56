/* A growing text in an arena: the contents of a generated file.
 *
 * Appending reports no failure: a text that could not grow is marked as broken, and the caller
 * checks that at the end. */
#ifndef WEIR_PLUGIN_TEXT_H
#define WEIR_PLUGIN_TEXT_H

#include "weir/base/arena.h"

struct text {
    struct weir_arena *arena;
    char *p;         // NUL-terminated once anything was appended
    size_t n;        // bytes without the NUL
    size_t cap;      // bytes at p
    bool is_broken;  // memory ran out; the text is incomplete
};

void text_init(struct text *text, struct weir_arena *arena);
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends a comment of a .proto file as a C block comment; nothing for an empty comment. Separates
 * the characters of comment marks inside it. */
void text_add_comment(struct text *text, const char *comment);

/* Appends a C string literal with its quotes. */
void text_add_literal(struct text *text, const char *value);

#endif
