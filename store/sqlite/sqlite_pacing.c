/* For sync_file_range, which only Linux has, and because SQLite's offsets always have 64 bits. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "store/sqlite/sqlite_pacing.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stddef.h>
#include <unistd.h>

/* A few dozen pages, which a disk writes in about the time of a commit's sync. */
enum { PIECE_BYTES = 128 * 1024 };

/* The range of a file written since the last piece went to the disk. A checkpoint writes its pages
 * in the order of the file, so few other pages lie in between. */
struct piece {
    int fd;
    size_t bytes;
    off_t from, to;
};

static _Thread_local bool is_paced;
static _Thread_local bool is_awaited = true;  // the thread waits for each piece
static _Thread_local struct piece piece;

static void add(int fd, size_t n, off_t at)
{
    const off_t end = at + (off_t)n;
    if (piece.bytes == 0 || piece.fd != fd) {
        piece = (struct piece){.fd = fd, .from = at, .to = end};
    }
    piece.bytes += n;
    piece.from = at < piece.from ? at : piece.from;
    piece.to = end > piece.to ? end : piece.to;
}

/* The system reports a failure of the disk only once for each open file description. It is reported
 * here, so SQLite must learn of it from here: its own sync would succeed. */
bool weir_sqlite_pace_out(void)
{
    if (piece.bytes == 0) {
        return true;
    }
    const unsigned waits = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER;
    const unsigned flags = SYNC_FILE_RANGE_WRITE | (is_awaited ? waits : 0);
    const struct piece whole = piece;
    piece.bytes = 0;
    return sync_file_range(whole.fd, whole.from, whole.to - whole.from, flags) == 0 ||
           errno == ENOSYS;
}

void weir_sqlite_pace_waits(bool waits)
{
    is_awaited = waits;
}

static ssize_t paced_write(int fd, const void *bytes, size_t n, off_t at)
{
    const ssize_t written = pwrite(fd, bytes, n, at);
    if (!is_paced || written <= 0) {
        return written;
    }
    add(fd, (size_t)written, at);
    return piece.bytes < PIECE_BYTES || weir_sqlite_pace_out() ? written : -1;
}

void weir_sqlite_pacing_install(void)
{
    /* How SQLite was built decides which of the two it calls. */
    static const char *const names[] = {"pwrite", "pwrite64"};
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    if (vfs == NULL || vfs->iVersion < 3 || vfs->xSetSystemCall == NULL) {
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)vfs->xSetSystemCall(vfs, names[i], (sqlite3_syscall_ptr)paced_write);
    }
}

void weir_sqlite_pace_begin(void)
{
    is_paced = true;
}

/* Forgets the piece of a pass that has failed: its file is about to be closed, and another file may
 * get the descriptor. */
void weir_sqlite_pace_end(void)
{
    is_paced = false;
    piece.bytes = 0;
}
