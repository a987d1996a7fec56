/* Declares dl_iterate_phdr, a glibc extension. */
#define _GNU_SOURCE

#include "bench/read/heap_count.h"

#include <stddef.h>
#include <stdlib.h>

#ifdef WEIR_BENCH_HEAP_COUNT

#include <errno.h>
#include <link.h>
#include <string.h>

/* The C library's allocator under its internal names. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

static _Thread_local struct heap_count own;

/* Address range of the driver's code. */
static uintptr_t driver_low;
static uintptr_t driver_high;

static void count(size_t n, const void *caller)
{
    const uintptr_t at = (uintptr_t)caller;
    if (at >= driver_low && at < driver_high) {
        own.driver_calls++;
    } else {
        own.calls++;
        own.bytes += n;
    }
}

static int take_range(struct dl_phdr_info *info, size_t size, void *library)
{
    (void)size;
    const char *name = strrchr(info->dlpi_name, '/');
    if (name == NULL || strncmp(name + 1, library, strlen(library)) != 0) {
        return 0;
    }
    driver_low = UINTPTR_MAX;
    for (size_t s = 0; s < info->dlpi_phnum; s++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[s];
        const uintptr_t low = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD) {
            driver_low = low < driver_low ? low : driver_low;
            driver_high =
                low + segment->p_memsz > driver_high ? low + segment->p_memsz : driver_high;
        }
    }
    return 1;
}

void heap_count_driver(const char *library)
{
    (void)dl_iterate_phdr(take_range, (void *)(uintptr_t)library);
}

void *malloc(size_t n)
{
    count(n, __builtin_return_address(0));
    return __libc_malloc(n);
}

void *calloc(size_t items, size_t size)
{
    count(items * size, __builtin_return_address(0));
    return __libc_calloc(items, size);
}

void *realloc(void *p, size_t n)
{
    count(n, __builtin_return_address(0));
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    count(n, __builtin_return_address(0));
    return __libc_memalign(alignment, n);
}

int posix_memalign(void **p, size_t alignment, size_t n)
{
    count(n, __builtin_return_address(0));
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

void heap_count_driver(const char *library)
{
    (void)library;
}

struct heap_count heap_count_now(void)
{
    return (struct heap_count){0};
}

bool heap_count_works(void)
{
    return false;
}

#endif
