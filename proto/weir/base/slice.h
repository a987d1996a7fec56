/* Borrowed bytes: a pointer and a length, without a terminator.
 *
 * A slice with p == NULL is absent; one with p != NULL and n == 0 is present and empty. The
 * function that returns a slice defines how long its bytes live. All functions are pure. */
#ifndef WEIR_BASE_SLICE_H
#define WEIR_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct weir_slice {
    const uint8_t *p;  // NULL if absent
    size_t n;          // bytes
};

#define WEIR_COUNTOF(array) (sizeof(array) / sizeof((array)[0]))

/* Returns the slice of a C string without its terminator; absent for NULL. */
static inline struct weir_slice weir_slice_of(const char *text)
{
    struct weir_slice s = {(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
    return s;
}

static inline struct weir_slice weir_slice(const void *p, size_t n)
{
    struct weir_slice s = {(const uint8_t *)p, n};
    return s;
}

/* Whether the bytes are equal; an absent slice equals only another absent one. */
static inline bool weir_slice_equal(struct weir_slice a, struct weir_slice b)
{
    if ((a.p == NULL) != (b.p == NULL) || a.n != b.n) {
        return false;
    }
    return a.n == 0 || memcmp(a.p, b.p, a.n) == 0;
}

static inline bool weir_slice_is(struct weir_slice a, const char *text)
{
    return weir_slice_equal(a, weir_slice_of(text));
}

/* printf arguments for "%.*s"; at most 4096 bytes are printed. */
#define WEIR_SLICE_ARG(s) \
    (int)((s).n > 4096 ? 4096 : (s).n), (const char *)((s).n == 0 ? (const uint8_t *)"" : (s).p)

#endif
