/* A growing text in an arena: what one generated file will hold.
 *
 * Appending never reports a failure; a text that could not grow is marked and refused at the end.
 */
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

/* A C block comment of what a .proto file says, however many lines; nothing for an empty text. What
 * would open or close a comment inside it is pulled apart. */
void text_add_comment(struct text *text, const char *comment);

/* A C string literal, quotes included. */
void text_add_literal(struct text *text, const char *value);

#endif
