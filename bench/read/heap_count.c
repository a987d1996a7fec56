#include "bench/read/heap_count.h"

#include <stddef.h>
#include <stdlib.h>

#ifdef WEIR_BENCH_HEAP_COUNT

#include <errno.h>

/* The C library's own, under the names by which it lets itself be reached. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

static _Thread_local struct heap_count own;

static void count(size_t n)
{
    own.calls++;
    own.bytes += n;
}

void *malloc(size_t n)
{
    count(n);
    return __libc_malloc(n);
}

void *calloc(size_t items, size_t size)
{
    count(items * size);
    return __libc_calloc(items, size);
}

void *realloc(void *p, size_t n)
{
    count(n);
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    count(n);
    return __libc_memalign(alignment, n);
}

int posix_memalign(void **p, size_t alignment, size_t n)
{
    count(n);
    void *got = __libc_memalign(alignment, n);
    if (got == NULL) {
        return ENOMEM;
    }
    *p = got;
    return 0;
}

struct heap_count heap_count_now(void)
{
    return own;
}

bool heap_count_works(void)
{
    const uint64_t before = own.calls;
    void *volatile p = malloc(1);
    free(p);
    return own.calls > before;
}

#else

struct heap_count heap_count_now(void)
{
    return (struct heap_count){0};
}

bool heap_count_works(void)
{
    return false;
}

#endif
