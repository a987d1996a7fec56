#include "weir/base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>

enum { ALIGN = alignof(max_align_t), FIRST_BLOCK_BYTES = 4096 };

struct weir_arena_block {
    struct weir_arena_block *next;
    size_t size;  // usable bytes behind the header
    alignas(max_align_t) uint8_t bytes[];
};

void weir_arena_init(struct weir_arena *arena, size_t cap_bytes, size_t keep_bytes)
{
    assert(keep_bytes <= cap_bytes);
    *arena = (struct weir_arena){.cap_bytes = cap_bytes, .keep_bytes = keep_bytes};
}

static void free_blocks_until(struct weir_arena *arena, const struct weir_arena_block *last)
{
    while (arena->blocks != last) {
        struct weir_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}

static void free_blocks(struct weir_arena *arena)
{
    free_blocks_until(arena, NULL);
    arena->at = NULL;
    arena->left = 0;
}

void weir_arena_fini(struct weir_arena *arena)
{
    free_blocks(arena);
    arena->used_bytes = 0;
}

static bool add_block(struct weir_arena *arena, size_t size)
{
    struct weir_arena_block *block = malloc(sizeof *block + size);
    if (block == NULL) {
        return false;
    }
    block->next = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->at = block->bytes;
    arena->left = size;
    return true;
}

#ifdef WEIR_ARENA_POISON
void weir_arena_reset(struct weir_arena *arena)
{
    free_blocks(arena);
    arena->used_bytes = 0;
}
#else
/* Replaces several blocks by one of their total size, so that the next call needs a single
 * block. */
void weir_arena_reset(struct weir_arena *arena)
{
    size_t total = 0;
    for (const struct weir_arena_block *b = arena->blocks; b != NULL; b = b->next) {
        total += b->size;
    }
    const bool is_one_block = arena->blocks != NULL && arena->blocks->next == NULL;
    if (!is_one_block || total > arena->keep_bytes) {
        free_blocks(arena);
        const size_t size = total < arena->keep_bytes ? total : arena->keep_bytes;
        if (size > 0) {
            /* If this fails the next allocation tries again. */
            (void)add_block(arena, size);
        }
    } else {
        arena->at = arena->blocks->bytes;
        arena->left = arena->blocks->size;
    }
    arena->used_bytes = 0;
}
#endif

struct weir_arena_mark weir_arena_mark(const struct weir_arena *arena)
{
    return (struct weir_arena_mark){arena->blocks, arena->at, arena->left, arena->used_bytes};
}

void weir_arena_rewind(struct weir_arena *arena, const struct weir_arena_mark *mark)
{
    free_blocks_until(arena, mark->block);
    arena->at = mark->at;
    arena->left = mark->left;
    arena->used_bytes = mark->used_bytes;
}

size_t weir_arena_left(const struct weir_arena *arena)
{
    return arena->cap_bytes - arena->used_bytes;
}

/* Adds a block. Sizes double, so a call of any size makes few blocks; a large allocation gets a
 * block of its own size. */
static bool grow(struct weir_arena *arena, size_t n)
{
#ifdef WEIR_ARENA_POISON
    return add_block(arena, n);
#else
    size_t size = arena->blocks == NULL ? FIRST_BLOCK_BYTES : arena->blocks->size * 2;
    const size_t room = weir_arena_left(arena);
    if (size > room) {
        size = room;
    }
    return add_block(arena, size < n ? n : size);
#endif
}

/* Notes the refused size, 0 if the system is out of memory, and returns NULL. */
static void *refuse(struct weir_arena *arena, size_t n)
{
    arena->refused_bytes = n;
    return NULL;
}

weir_status weir_arena_fail(const struct weir_arena *arena, struct weir_error *err)
{
    const size_t refused = arena->refused_bytes;
    if (refused == 0) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    const size_t used = arena->used_bytes;
    return weir_fail_limit(err, "memory of the call in bytes", arena->cap_bytes,
                           refused > SIZE_MAX - used ? SIZE_MAX : used + refused);
}

static void *take(struct weir_arena *arena, size_t n, size_t padding)
{
    if (n > SIZE_MAX - padding || n + padding > weir_arena_left(arena)) {
        return refuse(arena, n > SIZE_MAX - padding ? n : n + padding);
    }
#ifdef WEIR_ARENA_POISON
    if (!grow(arena, n)) {
        return refuse(arena, 0);
    }
    padding = 0;
#else
    if (arena->blocks == NULL || n + padding > arena->left) {
        if (!grow(arena, n)) {
            return refuse(arena, 0);
        }
        padding = 0;  // blocks begin aligned
    }
#endif
    void *p = arena->at + padding;
    arena->at += n + padding;
    arena->left -= n + padding;
    arena->used_bytes += n + padding;
    return p;
}

void *weir_arena_alloc(struct weir_arena *arena, size_t n)
{
    const size_t padding = (ALIGN - (uintptr_t)arena->at % ALIGN) % ALIGN;
    return take(arena, n, padding);
}

uint8_t *weir_arena_bytes(struct weir_arena *arena, size_t n)
{
    return take(arena, n, 0);
}

void *weir_arena_array(struct weir_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        return refuse(arena, SIZE_MAX);
    }
    void *p = weir_arena_alloc(arena, count * size);
    if (p != NULL && count * size > 0) {
        memset(p, 0, count * size);
    }
    return p;
}

bool weir_arena_copy(struct weir_arena *arena, struct weir_slice from, struct weir_slice *to)
{
    if (from.p == NULL) {
        *to = from;
        return true;
    }
    if (from.n == SIZE_MAX) {
        return refuse(arena, SIZE_MAX) != NULL;
    }
    uint8_t *p = weir_arena_bytes(arena, from.n + 1);
    if (p == NULL) {
        return false;
    }
    if (from.n > 0) {
        memcpy(p, from.p, from.n);
    }
    p[from.n] = 0;
    *to = weir_slice(p, from.n);
    return true;
}
