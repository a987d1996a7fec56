/* Wraps SQLite's default VFS and its files. While counting is on, each operation that can fail has
 * a number; the operation with the chosen number fails without reaching the real VFS, except that a
 * write stores a part first. */
#include "tests/lib/faulty_vfs.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>

static sqlite3_vfs *real_vfs;
static sqlite3_vfs faulty;

static atomic_bool is_counting;
static atomic_bool has_fired;
static atomic_bool is_sticky;
static atomic_uint_fast64_t counted;
static atomic_uint_fast64_t fail_number;

void faulty_vfs_start(uint64_t fail_at, bool is_lasting)
{
    counted = 0;
    fail_number = fail_at;
    has_fired = false;
    is_sticky = is_lasting;
    is_counting = true;
}

uint64_t faulty_vfs_stop(bool *has_failed)
{
    is_counting = false;
    if (has_failed != NULL) {
        *has_failed = has_fired;
    }
    return counted;
}

static bool fails(void)
{
    if (!is_counting) {
        return false;
    }
    const uint64_t number = atomic_fetch_add(&counted, 1) + 1;
    const bool is_hit = number == fail_number || (is_sticky && has_fired);
    has_fired = has_fired || is_hit;
    return is_hit;
}

/* ---- files: the wrapper's struct precedes the real file ---- */

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)file)->real;
}

static int file_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int file_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
    return fails() ? SQLITE_IOERR_READ : real_of(file)->pMethods->xRead(real_of(file), to, n, at);
}

/* A failing write stores part of the data first. */
static int file_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
    if (fails()) {
        (void)real_of(file)->pMethods->xWrite(real_of(file), from, n / 2, at);
        return SQLITE_IOERR_WRITE;
    }
    return real_of(file)->pMethods->xWrite(real_of(file), from, n, at);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fails() ? SQLITE_IOERR_TRUNCATE
                   : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    return fails() ? SQLITE_IOERR_FSYNC : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return fails() ? SQLITE_IOERR_FSTAT : real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int file_lock(sqlite3_file *file, int level)
{
    return fails() ? SQLITE_IOERR_LOCK : real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_check_reserved_lock(sqlite3_file *file, int *is_reserved)
{
    return fails() ? SQLITE_IOERR_CHECKRESERVEDLOCK
                   : real_of(file)->pMethods->xCheckReservedLock(real_of(file), is_reserved);
}

static int file_control(sqlite3_file *file, int op, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, argument);
}

static int file_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_device_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **at)
{
    return fails() ? SQLITE_IOERR_SHMMAP
                   : real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, at);
}

static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    if ((flags & SQLITE_SHM_UNLOCK) == 0 && fails()) {
        return SQLITE_IOERR_SHMLOCK;
    }
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int is_deleting)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), is_deleting);
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_device_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* ---- the VFS; methods that are not overridden are the real ones ---- */

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                    int *out_flags)
{
    (void)vfs;
    struct faulty_file *shim = (struct faulty_file *)file;
    shim->base.pMethods = NULL;
    shim->real = (sqlite3_file *)(shim + 1);
    if (fails()) {
        return SQLITE_CANTOPEN;
    }
    const int rc = real_vfs->xOpen(real_vfs, name, shim->real, flags, out_flags);
    if (rc == SQLITE_OK) {
        shim->base.pMethods = &file_methods;
    }
    return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int is_dir_synced)
{
    (void)vfs;
    return fails() ? SQLITE_IOERR_DELETE : real_vfs->xDelete(real_vfs, name, is_dir_synced);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *answer)
{
    (void)vfs;
    return fails() ? SQLITE_IOERR_ACCESS : real_vfs->xAccess(real_vfs, name, flags, answer);
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int n, char *to)
{
    (void)vfs;
    return real_vfs->xFullPathname(real_vfs, name, n, to);
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *to)
{
    (void)vfs;
    return real_vfs->xRandomness(real_vfs, n, to);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return real_vfs->xSleep(real_vfs, us);
}

static int vfs_current_time(sqlite3_vfs *vfs, sqlite3_int64 *time)
{
    (void)vfs;
    return real_vfs->xCurrentTimeInt64(real_vfs, time);
}

static int vfs_get_last_error(sqlite3_vfs *vfs, int n, char *to)
{
    (void)vfs;
    return real_vfs->xGetLastError(real_vfs, n, to);
}

void faulty_vfs_install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    faulty = (sqlite3_vfs){.iVersion = 2,
                           .szOsFile = (int)sizeof(struct faulty_file) + real_vfs->szOsFile,
                           .mxPathname = real_vfs->mxPathname,
                           .zName = "faulty",
                           .xOpen = vfs_open,
                           .xDelete = vfs_delete,
                           .xAccess = vfs_access,
                           .xFullPathname = vfs_full_pathname,
                           .xRandomness = vfs_randomness,
                           .xSleep = vfs_sleep,
                           .xGetLastError = vfs_get_last_error,
                           .xCurrentTimeInt64 = vfs_current_time};
    (void)sqlite3_vfs_register(&faulty, 1);
}
