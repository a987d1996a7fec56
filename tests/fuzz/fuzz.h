/* Shared by the fuzz targets: an assertion that aborts, and a growing buffer. */
#ifndef WEIR_TESTS_FUZZ_H
#define WEIR_TESTS_FUZZ_H

#include "weir/base/slice.h"

#include <stdio.h>
#include <stdlib.h>

/* The entry point that every target defines. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_fail(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

#define require(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

/* A growing buffer. Initialise with zeros; release with free(text.p). */
struct fuzz_text {
    uint8_t *p;
    size_t n;
    size_t cap;
};

static inline void fuzz_put(struct fuzz_text *text, struct weir_slice bytes)
{
    if (bytes.n > text->cap - text->n || text->p == NULL) {
        text->cap = (text->n + bytes.n) * 2 + 64;
        text->p = realloc(text->p, text->cap);
        require(text->p != NULL);
    }
    if (bytes.n > 0) {
        memcpy(text->p + text->n, bytes.p, bytes.n);
    }
    text->n += bytes.n;
}

static inline void fuzz_puts(struct fuzz_text *text, const char *bytes)
{
    fuzz_put(text, weir_slice_of(bytes));
}

static inline struct weir_slice fuzz_slice(const struct fuzz_text *text)
{
    return weir_slice(text->p, text->n);
}

/* Returns a copy in an allocation of the exact size, so that AddressSanitizer detects overreads;
 * one byte longer for a trailing NUL. The caller frees it. */
static inline uint8_t *fuzz_copy(struct weir_slice bytes, bool with_nul)
{
    uint8_t *copy = malloc(bytes.n + 1);
    require(copy != NULL);
    if (bytes.n > 0) {
        memcpy(copy, bytes.p, bytes.n);
    }
    copy[bytes.n] = 0;
    if (!with_nul && bytes.n > 0) {
        copy = realloc(copy, bytes.n);
        require(copy != NULL);
    }
    return copy;
}

static inline bool fuzz_is_inside(struct weir_slice part, struct weir_slice whole)
{
    return part.p >= whole.p && part.p <= whole.p + whole.n &&
           part.n <= (size_t)(whole.p + whole.n - part.p);
}

#endif
