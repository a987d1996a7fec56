/* Defines the C library calls that SQLite and the store use on database files. */
#define _GNU_SOURCE
#include "bench/floor/database_calls.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, FILES_MAX = 1024 };

static atomic_size_t begun;
static atomic_size_t ended;
static atomic_bool is_database[FILES_MAX];  // by file descriptor: kind of file, from the last write

struct database_calls database_calls_now(void)
{
    /* `ended` is read first, so that a call that ends between the two loads counts as in
     * progress. */
    const size_t ended_now = atomic_load(&ended);
    return (struct database_calls){.begun = atomic_load(&begun), .ended = ended_now};
}

bool database_calls_since(const struct database_calls *then)
{
    return then->begun != then->ended || atomic_load(&begun) != then->begun;
}

static bool is_known(int fd)
{
    return fd >= 0 && fd < FILES_MAX;
}

static long call(bool counts, long number, int fd, long a, long b, long c)
{
    if (counts) {
        (void)atomic_fetch_add(&begun, 1);
    }
    const long result = syscall(number, fd, a, b, c);
    if (counts) {
        (void)atomic_fetch_add(&ended, 1);
    }
    return result;
}

static bool concerns_database(int fd)
{
    return is_known(fd) && atomic_load(&is_database[fd]);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
    if (is_known(fd)) {
        atomic_store(&is_database[fd], n == PAGE && at % PAGE == 0);
    }
    return call(concerns_database(fd), SYS_pwrite64, fd, (long)bytes, (long)n, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    return pwrite64(fd, bytes, n, at);
}

int fdatasync(int fd)
{
    return (int)call(concerns_database(fd), SYS_fdatasync, fd, 0, 0, 0);
}

int ftruncate64(int fd, off64_t size)
{
    return (int)call(concerns_database(fd), SYS_ftruncate, fd, size, 0, 0);
}

int sync_file_range(int fd, off64_t from, off64_t n, unsigned flags)
{
    return (int)call(concerns_database(fd), SYS_sync_file_range, fd, from, n, (long)flags);
}
