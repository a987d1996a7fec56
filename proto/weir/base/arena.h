/* Memory of one call: allocations are cut from blocks that are freed together.
 *
 * An arena belongs to one thread at a time. It has a hard cap: beyond it an allocation returns
 * NULL, as it does when the system is out of memory; weir_arena_fail tells which. A reset keeps up
 * to `keep_bytes` in one block, so that calls of a usual size do not allocate. With
 * WEIR_ARENA_POISON (sanitizer builds) every allocation is a malloc of its own, so that the
 * sanitizer sees an overrun or a use after reset. */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "weir/base/fail.h"

#include <stdbool.h>
#include <stddef.h>

struct weir_arena_block;

struct weir_arena {
    struct weir_arena_block *blocks;  // newest first
    uint8_t *at;                      // free part of the newest block
    size_t left;                      // bytes at `at`
    size_t used_bytes;                // handed out since the last reset, including padding
    size_t cap_bytes;                 // limit of used_bytes
    size_t keep_bytes;                // memory kept by a reset
    size_t refused_bytes;  // size of the allocation last refused by the cap; 0 = out of memory
};

/* Makes an empty arena, without allocating memory. keep_bytes <= cap_bytes. */
void weir_arena_init(struct weir_arena *arena, size_t cap_bytes, size_t keep_bytes);

/* Frees all memory of the arena. */
void weir_arena_fini(struct weir_arena *arena);

/* Ends the life of all allocations and keeps memory for the next ones. */
void weir_arena_reset(struct weir_arena *arena);

/* Allocates `n` bytes aligned for any type, uninitialised. For n == 0 returns a valid pointer; NULL
 * beyond the cap or when out of memory. */
void *weir_arena_alloc(struct weir_arena *arena, size_t n);

/* Allocates `n` bytes without alignment, for text and bytes; else as weir_arena_alloc. */
uint8_t *weir_arena_bytes(struct weir_arena *arena, size_t n);

/* Allocates `count` zeroed elements of `size` bytes. NULL as for weir_arena_alloc, and if the
 * product overflows. */
void *weir_arena_array(struct weir_arena *arena, size_t count, size_t size);

/* Copies the bytes and puts a NUL behind them. An absent slice stays absent. False beyond the cap
 * or when out of memory. */
bool weir_arena_copy(struct weir_arena *arena, struct weir_slice from, struct weir_slice *to);

/* A state of the arena to return to; valid until the next reset. */
struct weir_arena_mark {
    struct weir_arena_block *block;
    uint8_t *at;
    size_t left;
    size_t used_bytes;
};

struct weir_arena_mark weir_arena_mark(const struct weir_arena *arena);

/* Ends the life of the allocations made since the mark. */
void weir_arena_rewind(struct weir_arena *arena, const struct weir_arena_mark *mark);

/* Records why an allocation has just failed: LIMIT_EXCEEDED beyond the cap, BACKEND_UNAVAILABLE
 * when out of memory. */
weir_status weir_arena_fail(const struct weir_arena *arena, struct weir_error *err);

/* Returns the bytes left below the cap. */
size_t weir_arena_left(const struct weir_arena *arena);

#endif
