/* Memory of one call: everything the call needs is cut from blocks that go away together.
 *
 * An arena belongs to one thread at a time. It has an absolute cap: past it an allocation returns
 * NULL, as it does where the system has no memory; weir_arena_fail says which. After a reset the
 * largest part of the memory is kept, in one block, up to `keep_bytes`, so that calls of a usual
 * size allocate nothing. With WEIR_ARENA_POISON (sanitizer builds) every allocation is a malloc of
 * its own, so that an overrun or a use after reset is seen. */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "weir/base/status.h"

#include <stdbool.h>
#include <stddef.h>

struct weir_arena_block;

struct weir_arena {
    struct weir_arena_block *blocks;  // newest first
    uint8_t *at;                      // free part of the newest block
    size_t left;                      // bytes at `at`
    size_t used_bytes;                // handed out since the last reset, padding included
    size_t cap_bytes;                 // never more than this
    size_t keep_bytes;                // kept over a reset
    size_t refused_bytes;             // by the cap, of what failed last; 0: there was no memory
};

/* No memory is taken before the first allocation. keep_bytes <= cap_bytes. */
void weir_arena_init(struct weir_arena *arena, size_t cap_bytes, size_t keep_bytes);
void weir_arena_fini(struct weir_arena *arena);

/* Forgets all allocations. */
void weir_arena_reset(struct weir_arena *arena);

/* `n` bytes aligned for any type, not initialised; for n == 0 a valid pointer. NULL past the cap or
 * without memory. */
void *weir_arena_alloc(struct weir_arena *arena, size_t n);

/* The same without alignment, for text and bytes. */
uint8_t *weir_arena_bytes(struct weir_arena *arena, size_t n);

/* `count` zeroed elements of `size` bytes; NULL also where the product overflows. */
void *weir_arena_array(struct weir_arena *arena, size_t count, size_t size);

/* A copy of the bytes, with a NUL behind it. An absent slice stays absent. false past the cap. */
bool weir_arena_copy(struct weir_arena *arena, struct weir_slice from, struct weir_slice *to);

/* A state of the arena that it can go back to; good until the next reset. */
struct weir_arena_mark {
    struct weir_arena_block *block;
    uint8_t *at;
    size_t left;
    size_t used_bytes;
};

struct weir_arena_mark weir_arena_mark(const struct weir_arena *arena);

/* Forgets the allocations since the mark. */
void weir_arena_rewind(struct weir_arena *arena, const struct weir_arena_mark *mark);

/* What an allocation that has just failed means: LIMIT_EXCEEDED past the cap, and without memory
 * BACKEND_UNAVAILABLE. */
weir_status weir_arena_fail(const struct weir_arena *arena, struct weir_error *err);

/* How much may still be handed out. */
size_t weir_arena_left(const struct weir_arena *arena);

#endif
