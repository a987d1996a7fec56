#include "tests/lib/alloc_count.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);
char *__wrap_strdup(const char *text);

static atomic_bool is_counting;
static atomic_bool has_fired;
static atomic_uint_fast64_t counted;
static atomic_uint_fast64_t fail_number;
static atomic_int_fast64_t outstanding;

void alloc_count_start(uint64_t fail_at)
{
    counted = 0;
    fail_number = fail_at;
    has_fired = false;
    is_counting = true;
}

uint64_t alloc_count_stop(bool *has_failed)
{
    is_counting = false;
    if (has_failed != NULL) {
        *has_failed = has_fired;
    }
    return counted;
}

int64_t alloc_outstanding(void)
{
    return outstanding;
}

static bool is_refused(void)
{
    if (!is_counting) {
        return false;
    }
    if (atomic_fetch_add(&counted, 1) + 1 == fail_number) {
        has_fired = true;
        return true;
    }
    return false;
}

static void *note(void *p)
{
    outstanding += p != NULL;
    return p;
}

/* ---- our code, through the linker ---- */

void *__wrap_malloc(size_t n)
{
    return is_refused() ? NULL : note(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return is_refused() ? NULL : note(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
    if (is_refused()) {
        return NULL;
    }
    void *moved = __real_realloc(p, n);
    outstanding += p == NULL && moved != NULL;
    return moved;
}

void __wrap_free(void *p)
{
    outstanding -= p != NULL;
    __real_free(p);
}

char *__wrap_strdup(const char *text)
{
    const size_t n = strlen(text) + 1;
    char *copy = __wrap_malloc(n);
    return copy == NULL ? NULL : memcpy(copy, text, n);
}

/* ---- SQLite's allocations, with their size in front ---- */

enum { HEADER = 16 };

static void *sqlite_malloc(int n)
{
    uint8_t *p = __wrap_malloc((size_t)n + HEADER);
    if (p == NULL) {
        return NULL;
    }
    memcpy(p, &n, sizeof n);
    return p + HEADER;
}

static void sqlite_free(void *p)
{
    __wrap_free((uint8_t *)p - HEADER);
}

static void *sqlite_realloc(void *p, int n)
{
    uint8_t *moved = __wrap_realloc((uint8_t *)p - HEADER, (size_t)n + HEADER);
    if (moved == NULL) {
        return NULL;
    }
    memcpy(moved, &n, sizeof n);
    return moved + HEADER;
}

static int sqlite_size(void *p)
{
    int n = 0;
    if (p != NULL) {
        memcpy(&n, (uint8_t *)p - HEADER, sizeof n);
    }
    return n;
}

static int sqlite_roundup(int n)
{
    return (n + 7) & ~7;
}

static int sqlite_init(void *context)
{
    (void)context;
    return SQLITE_OK;
}

static void sqlite_shutdown(void *context)
{
    (void)context;
}

void alloc_count_install(void)
{
    static const sqlite3_mem_methods methods = {.xMalloc = sqlite_malloc,
                                                .xFree = sqlite_free,
                                                .xRealloc = sqlite_realloc,
                                                .xSize = sqlite_size,
                                                .xRoundup = sqlite_roundup,
                                                .xInit = sqlite_init,
                                                .xShutdown = sqlite_shutdown};
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}
