#include "plugin/text.h"

#include <stdarg.h>
#include <stdio.h>

enum { FIRST_BYTES = 8192, TEXT_BYTES_MAX = 16 << 20 };

void text_init(struct text *text, struct weir_arena *arena)
{
    *text = (struct text){.arena = arena};
}

/* Makes room for `more` bytes and a NUL. False, with the text broken, if that fails. */
static bool has_room(struct text *text, size_t more)
{
    if (text->is_broken || more > TEXT_BYTES_MAX - text->n) {
        text->is_broken = true;
        return false;
    }
    const size_t want = text->n + more + 1;
    if (want <= text->cap) {
        return true;
    }
    size_t cap = text->cap == 0 ? FIRST_BYTES : text->cap;
    while (cap < want) {
        cap *= 2;
    }
    char *p = weir_arena_alloc(text->arena, cap);
    if (p == NULL) {
        text->is_broken = true;
        return false;
    }
    if (text->n > 0) {
        memcpy(p, text->p, text->n);
    }
    text->p = p;
    text->cap = cap;
    return true;
}

static void add_bytes(struct text *text, const char *p, size_t n)
{
    if (has_room(text, n)) {
        memcpy(text->p + text->n, p, n);
        text->n += n;
        text->p[text->n] = '\0';
    }
}

void text_add(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !has_room(text, (size_t)n)) {
        text->is_broken = true;
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text->p + text->n, (size_t)n + 1, format, args);
    va_end(args);
    text->n += (size_t)n;
}

static void add_comment_line(struct text *text, const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const bool is_mark = i > 0 && ((line[i - 1] == '*' && line[i] == '/') ||
                                       (line[i - 1] == '/' && line[i] == '*'));
        if (is_mark) {
            add_bytes(text, " ", 1);
        }
        add_bytes(text, line + i, 1);
    }
}

void text_add_comment(struct text *text, const char *comment)
{
    const char *line = comment;
    const char *prefix = "/*";
    while (*line != '\0') {
        const size_t n = strcspn(line, "\n");
        add_bytes(text, prefix, strlen(prefix));
        /* A line that starts with a slash must not close the comment with the star before it. */
        if (n > 0 && line[0] != ' ') {
            add_bytes(text, " ", 1);
        }
        add_comment_line(text, line, n);
        prefix = "\n *";
        line += n;
        if (*line == '\n') {
            line++;
        }
    }
    if (line != comment) {
        add_bytes(text, "\n */\n", 5);
    }
}

void text_add_literal(struct text *text, const char *value)
{
    add_bytes(text, "\"", 1);
    for (const char *c = value; *c != '\0'; c++) {
        const unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\') {
            text_add(text, "\\%c", byte);
        } else if (byte < 0x20 || byte == 0x7f || byte == '?') {
            /* An octal escape ends after three digits. '?' is escaped because of trigraphs. */
            text_add(text, "\\%03o", byte);
        } else {
            add_bytes(text, c, 1);
        }
    }
    add_bytes(text, "\"", 1);
}
