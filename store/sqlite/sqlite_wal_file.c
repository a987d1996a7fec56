/* Files of the WAL. Consecutive writes are gathered in a buffer, which is written when it is full,
 * when a write belongs elsewhere, before the file is read, truncated or measured, and at the sync.
 * A failure of such a write is kept in `failure` until SQLite has been told. */
#include "store/sqlite/sqlite_wal_file.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    HEADER_BYTES = 32,  // of the WAL; the header of a frame is shorter, and a page follows it
    GATHERED_BYTES = 64 * 1024,
    ROOM_PIECES_MAX = 4  // most pieces of GATHERED_BYTES by which a file is lengthened at once
};

/* The file of the real VFS follows in the same allocation. */
struct wal_file {
    sqlite3_file base;
    uint8_t *gathered;  // GATHERED_BYTES, or NULL while nothing is gathered
    int gathered_n;
    sqlite3_int64 at;    // offset in the file of the gathered bytes
    int failure;         // of writing gathered bytes there, until SQLite has been told
    sqlite3_int64 room;  // known length of the file; 0 if it may be shorter
    /* Offset at which the transaction under way began to write, or to write on after a sync; -1 if
     * it has not. */
    sqlite3_int64 begun;
};

static sqlite3_vfs *behind;
static sqlite3_vfs vfs;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return (sqlite3_file *)((struct wal_file *)file + 1);
}

static void forget(struct wal_file *wal)
{
    sqlite3_free(wal->gathered);
    wal->gathered = NULL;
    wal->gathered_n = 0;
}

/* Writes the gathered bytes; bytes that cannot be written are lost. SQLite gets the failure at once
 * and, in case it ignores that, again at the sync that would make the bytes durable. */
static int write_gathered(struct wal_file *wal)
{
    if (wal->gathered_n == 0) {
        return wal->failure;
    }
    sqlite3_file *real = real_of(&wal->base);
    wal->failure = real->pMethods->xWrite(real, wal->gathered, wal->gathered_n, wal->at);
    if (wal->failure == SQLITE_OK) {
        wal->at += wal->gathered_n;
    }
    wal->gathered_n = 0;
    return wal->failure;
}

/* Returns whether the buffer has room for n bytes that belong at offset `at` of the file. */
static bool can_gather(struct wal_file *wal, int n, sqlite3_int64 at)
{
    if (wal->gathered == NULL) {
        wal->gathered = sqlite3_malloc(GATHERED_BYTES);
        wal->at = at;
    }
    return wal->gathered != NULL && at == wal->at + wal->gathered_n &&
           n <= GATHERED_BYTES - wal->gathered_n;
}

static int wal_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    struct wal_file *wal = (struct wal_file *)file;
    /* A write at or before the failed one belongs to a new transaction: after a failure SQLite
     * rolls back, and the next transaction begins no later in the file. */
    if (at <= wal->at) {
        wal->failure = SQLITE_OK;
    }
    wal->begun = wal->begun < 0 ? at : wal->begun;
    if (!can_gather(wal, n, at)) {
        const int rc = write_gathered(wal);
        if (rc != SQLITE_OK) {
            return rc;
        }
        wal->at = at;
        if (!can_gather(wal, n, at)) {
            return real_of(file)->pMethods->xWrite(real_of(file), from, n, at);
        }
    }
    memcpy(wal->gathered + wal->gathered_n, from, (size_t)n);
    wal->gathered_n += n;
    return SQLITE_OK;
}

/* Lengthens the file by zeros behind its end, which no valid frame of a WAL consists of: by about
 * as much as it has, but 1 to ROOM_PIECES_MAX pieces. The following commits then overwrite blocks
 * that the file has, whose sync is one write to the disk; while a file grows, the sync of each
 * commit also writes its length and its blocks, one after the other.
 *
 * Runs during a commit's sync, behind the write lock, so no other process writes there. A failure
 * is ignored: no data is lost, and the next commit tries again. */
static void make_room(struct wal_file *wal, sqlite3_int64 end)
{
    sqlite3_file *real = real_of(&wal->base);
    sqlite3_int64 size = 0;
    if (real->pMethods->xFileSize(real, &size) != SQLITE_OK || size > end) {
        wal->room = size;
        return;
    }
    int pieces = (int)(end / GATHERED_BYTES);
    pieces = pieces < 1 ? 1 : pieces > ROOM_PIECES_MAX ? ROOM_PIECES_MAX : pieces;
    memset(wal->gathered, 0, GATHERED_BYTES);
    int rc = SQLITE_OK;
    wal->room = end;
    for (int i = 0; i < pieces && rc == SQLITE_OK; i++) {
        rc = real->pMethods->xWrite(real, wal->gathered, GATHERED_BYTES, wal->room);
        wal->room += rc == SQLITE_OK ? GATHERED_BYTES : 0;
    }
}

/* Takes a transaction back whose sync has failed, by zeros over its first frame, or over the header
 * that begins the WAL anew. SQLite only leaves it out of the WAL's index. But what has not reached
 * the disk is still in the system's cache, and what has may be found after a power loss: to a
 * process that makes the index anew, the transaction is committed. It would answer retries by
 * messages that the disk has lost, and commit behind them.
 *
 * A failure is ignored, since nothing better can be done. */
static void take_back(struct wal_file *wal)
{
    static const uint8_t zeros[HEADER_BYTES];
    sqlite3_file *real = real_of(&wal->base);
    if (wal->begun >= 0 &&
        real->pMethods->xWrite(real, zeros, sizeof zeros, wal->begun) == SQLITE_OK) {
        (void)real->pMethods->xSync(real, SQLITE_SYNC_NORMAL);
    }
}

static int wal_sync(sqlite3_file *file, int flags)
{
    struct wal_file *wal = (struct wal_file *)file;
    const sqlite3_int64 end = wal->at + wal->gathered_n;
    const bool is_longer = wal->gathered_n > 0 && end > wal->room;
    int rc = write_gathered(wal);
    if (rc == SQLITE_OK && is_longer) {
        make_room(wal, end);
    }
    wal->failure = SQLITE_OK;
    forget(wal);
    if (rc == SQLITE_OK) {
        rc = real_of(file)->pMethods->xSync(real_of(file), flags);
        if (rc != SQLITE_OK) {
            take_back(wal);
        }
    }
    wal->begun = -1;
    return rc;
}

static int wal_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    const int rc = write_gathered((struct wal_file *)file);
    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xRead(real_of(file), to, n, at);
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct wal_file *wal = (struct wal_file *)file;
    const int rc = write_gathered(wal);
    wal->room = 0;
    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int wal_size(sqlite3_file *file, sqlite3_int64 *size)
{
    const int rc = write_gathered((struct wal_file *)file);
    return rc != SQLITE_OK ? rc : real_of(file)->pMethods->xFileSize(real_of(file), size);
}

/* Drops gathered bytes: whatever has not been synced belongs to an uncommitted transaction. */
static int wal_close(sqlite3_file *file)
{
    forget((struct wal_file *)file);
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int wal_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int wal_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int wal_check_reserved_lock(sqlite3_file *file, int *is_reserved)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), is_reserved);
}

static int wal_control(sqlite3_file *file, int op, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

static int wal_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int wal_device_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* Version 1, without shared memory and mapped pages, which SQLite wants from the database's file
 * only. */
static const sqlite3_io_methods wal_methods = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_check_reserved_lock,
    .xFileControl = wal_control,
    .xSectorSize = wal_sector_size,
    .xDeviceCharacteristics = wal_device_characteristics,
};

static int open_wal(const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct wal_file *wal = (struct wal_file *)file;
    *wal = (struct wal_file){.failure = SQLITE_OK, .begun = -1};
    real_of(file)->pMethods = NULL;
    const int rc = behind->xOpen(behind, name, real_of(file), flags, out_flags);
    if (real_of(file)->pMethods != NULL) {
        wal->base.pMethods = &wal_methods;
    }
    return rc;
}

static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags,
                     int *out_flags)
{
    (void)self;
    return (flags & SQLITE_OPEN_WAL) != 0 ? open_wal(name, file, flags, out_flags)
                                          : behind->xOpen(behind, name, file, flags, out_flags);
}

static bool is_registered;

/* Copies the default VFS and replaces xOpen, so that everything but files of the WAL goes to the
 * real VFS, with its own data. */
static void set_up(void)
{
    behind = sqlite3_vfs_find(NULL);
    if (behind == NULL) {
        return;
    }
    vfs = *behind;
    vfs.zName = "weir";
    vfs.szOsFile = behind->szOsFile + (int)sizeof(struct wal_file);
    vfs.xOpen = open_file;
    is_registered = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
}

static void on_rollback(void *context)
{
    sqlite3_file *file = NULL;
    const int rc =
        sqlite3_file_control((sqlite3 *)context, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
    if (rc == SQLITE_OK && file != NULL && file->pMethods == &wal_methods) {
        struct wal_file *wal = (struct wal_file *)file;
        forget(wal);
        wal->failure = SQLITE_OK;
        wal->begun = -1;
    }
}

void weir_sqlite_wal_watch(sqlite3 *db)
{
    (void)sqlite3_rollback_hook(db, on_rollback, db);
}

int weir_sqlite_wal_sync(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
    if (rc != SQLITE_OK || file == NULL || file->pMethods == NULL) {
        return rc;
    }
    rc = file->pMethods->xFileSize(file, &size);
    return rc == SQLITE_OK && size > 0 ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : rc;
}

const char *weir_sqlite_wal_vfs(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, set_up);
    return is_registered ? vfs.zName : NULL;
}
