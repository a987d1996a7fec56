/* libweir-count.so: counts the heap allocations and disk syncs of an unmodified process. Load it
 * with LD_PRELOAD. WEIR_COUNT_FILE names an existing file that receives the counts; without it the
 * counts are lost. */
#include "bench/lib/count_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library's allocator under its internal names. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);
long syscall(long number, ...);

static struct count_file lost;
static struct count_file *counts = &lost;

__attribute__((constructor)) static void map_file(void)
{
    const char *path = getenv(COUNT_FILE_VARIABLE);
    const int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)sizeof *counts) != 0) {
        return;
    }
    void *mapped = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (mapped != MAP_FAILED) {
        counts = mapped;
    }
}

static void count(size_t n)
{
    (void)atomic_fetch_add_explicit(&counts->heap_calls, 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&counts->heap_bytes, n, memory_order_relaxed);
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

int fdatasync(int fd)
{
    (void)atomic_fetch_add_explicit(&counts->syncs, 1, memory_order_relaxed);
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    (void)atomic_fetch_add_explicit(&counts->syncs, 1, memory_order_relaxed);
    return (int)syscall(SYS_fsync, fd);
}
