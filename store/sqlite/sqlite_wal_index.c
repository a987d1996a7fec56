/* Declaring the pages of a WAL unmoved after a failed checkpoint.
 *
 * The number of pages that have been moved from a WAL into its database stands in the WAL's index,
 * which all connections of all processes share. SQLite raises it after each checkpoint, even after
 * one that has not synced the database because more was left to move. If the disk then loses some
 * of the moved pages, only one sync reports it; the next one succeeds as if they had been written,
 * and the WAL that still has them begins anew.
 *
 * So after a failed checkpoint the number is set to 0: readers take pages from the WAL again, and
 * the next checkpoint moves all of them. SQLite does the same when it rebuilds the index, but only
 * once all processes have closed the file. The place of the number is part of SQLite's file format,
 * and cannot change while processes with different versions of SQLite share an index. */
#include "store/sqlite/sqlite_wal_index.h"

#include <stddef.h>
#include <stdint.h>

enum {
    VERSION_AT = 0,
    VERSION = 3007000,
    MOVED_AT = 96,  // nBackfill
    INDEX_PART_BYTES = 32 * 1024,
    LOCK_OF_CHECKPOINTS = 1,
    LOCK_TRIES = 5000,  // one each millisecond, while another checkpoint holds the lock
};

static volatile uint32_t *number_at(volatile void *index, size_t at)
{
    return (volatile uint32_t *)((volatile uint8_t *)index + at);
}

static int lock(sqlite3_file *file)
{
    int rc = SQLITE_BUSY;
    for (int n = 0; rc == SQLITE_BUSY && n < LOCK_TRIES; n++) {
        if (n > 0) {
            (void)sqlite3_sleep(1);
        }
        rc = file->pMethods->xShmLock(file, LOCK_OF_CHECKPOINTS, 1,
                                      SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
    }
    return rc;
}

static void unlock(sqlite3_file *file)
{
    (void)file->pMethods->xShmLock(file, LOCK_OF_CHECKPOINTS, 1,
                                   SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
}

bool weir_sqlite_declare_unmoved(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    volatile void *index = NULL;
    int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (rc != SQLITE_OK || file->pMethods == NULL || file->pMethods->iVersion < 2) {
        return false;
    }
    rc = file->pMethods->xShmMap(file, 0, INDEX_PART_BYTES, 0, &index);
    if (rc != SQLITE_OK || index == NULL || *number_at(index, VERSION_AT) != VERSION ||
        lock(file) != SQLITE_OK) {
        return false;
    }
    __atomic_store_n(number_at(index, MOVED_AT), 0, __ATOMIC_SEQ_CST);
    unlock(file);
    return true;
}
