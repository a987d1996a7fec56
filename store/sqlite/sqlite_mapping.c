/* For fallocate and SEEK_HOLE, and because SQLite's offsets always have 64 bits. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "store/sqlite/sqlite_mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file system that does not tell where blocks are missing says that there are none missing. */
static bool has_blocks(int fd, size_t n, off_t at)
{
    return lseek(fd, at, SEEK_HOLE) >= at + (off_t)n;
}

/* Only a lack of room, or a disk that fails, keeps the file from being mapped: a file system that
 * cannot allot blocks ahead says so by other codes. A full XFS refuses to allot blocks even where
 * the file has them, so these are not asked for. */
static bool has_room(int fd, size_t n, off_t at)
{
    int rc = 0;
    if (has_blocks(fd, n, at)) {
        return true;
    }
    do {
        rc = fallocate(fd, 0, at, (off_t)n);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 || (errno != ENOSPC && errno != EDQUOT && errno != EIO);
}

static void *mapped(void *address, size_t n, int protection, int flags, int fd, off_t at)
{
    if ((protection & PROT_WRITE) != 0 && !has_room(fd, n, at)) {
        return MAP_FAILED;
    }
    return mmap(address, n, protection, flags, fd, at);
}

void weir_sqlite_mapping_install(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    if (vfs != NULL && vfs->iVersion >= 3 && vfs->xSetSystemCall != NULL) {
        (void)vfs->xSetSystemCall(vfs, "mmap", (sqlite3_syscall_ptr)mapped);
    }
}
