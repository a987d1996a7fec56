/* Opening connections. The header of a file is examined before SQLite touches the file, and its
 * schema is brought up to date before the connection is handed out. */
#include "store/sqlite/sqlite_connect.h"

#include "store/sqlite/sqlite_checkpoint.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/sqlite_memory.h"
#include "store/sqlite/sqlite_status.h"
#include "store/sqlite/sqlite_wal_file.h"

#include "weir/base/monotonic.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Offsets in SQLite's file format: big-endian integers in the first page. */
enum { HEADER_BYTES = 100, USER_VERSION_AT = 60, APPLICATION_ID_AT = 68 };

/* ---- recognising ---- */

static int integer_at(const uint8_t *at)
{
    return (int)((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
}

static int read_header(const char *path, uint8_t header[HEADER_BYTES])
{
    struct sqlite_raw_file raw;
    int rc = weir_sqlite_raw_open(&raw, path, SQLITE_OPEN_READONLY);
    if (rc == SQLITE_OK) {
        rc = raw.file->pMethods->xRead(raw.file, header, HEADER_BYTES, 0);
    }
    weir_sqlite_raw_close(&raw);
    return rc;
}

/* SQLite would keep the WAL of a linked file where the link leads to. */
static enum sqlite_presence find(const char *path)
{
    struct stat status;
    const bool is_there = lstat(path, &status) == 0;
    if (is_there && !S_ISREG(status.st_mode)) {
        return WEIR_SQLITE_NO_FILE;
    }
    if (is_there && access(path, R_OK) == 0) {
        return WEIR_SQLITE_OURS;
    }
    return errno == ENOENT || errno == ENOTDIR ? WEIR_SQLITE_MISSING : WEIR_SQLITE_UNREADABLE;
}

/* Examines the header without a connection, which might change the file (recovery, WAL). The
 * application id is written before a file gets its name, so it is never in the WAL alone. A newer
 * schema version may be in the WAL alone, and is then found by weir_sqlite_migrate. */
static enum sqlite_presence recognise(const char *path, const struct sqlite_schema *schema)
{
    static const char magic[16] = "SQLite format 3";
    uint8_t header[HEADER_BYTES];
    const enum sqlite_presence found = find(path);
    if (found != WEIR_SQLITE_OURS) {
        return found;
    }
    const int rc = read_header(path, header);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ) {
        errno = rc == SQLITE_NOMEM ? ENOMEM : EIO;
        return WEIR_SQLITE_UNREADABLE;
    }
    if (rc != SQLITE_OK || memcmp(header, magic, sizeof magic) != 0 ||
        integer_at(header + APPLICATION_ID_AT) != schema->application_id) {
        return WEIR_SQLITE_FOREIGN;
    }
    return integer_at(header + USER_VERSION_AT) > schema->version ? WEIR_SQLITE_NEWER
                                                                  : WEIR_SQLITE_OURS;
}

/* ---- connecting ---- */

/* NOMUTEX, because every connection is used by one thread at a time. */
static int open_flags(int flags)
{
    return flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
}

static int set_up(const struct sqlite_backend *backend, int busy_ms, sqlite3 *db)
{
    (void)sqlite3_busy_timeout(db, busy_ms);
    /* The schema of a file that has been tampered with must not run functions or reach outside. */
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    char text[256];
    (void)snprintf(text, sizeof text,
                   "PRAGMA cache_size = -%zu; PRAGMA temp_store = MEMORY; PRAGMA synchronous = %s; "
                   "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %d",
                   backend->cache_kib, backend->is_durability_normal ? "NORMAL" : "FULL",
                   WEIR_SQLITE_WAL_PAGES_KEPT * 4096);
    return sqlite3_exec(db, text, NULL, NULL, NULL);
}

static const char *vfs_of(const struct sqlite_backend *backend)
{
    if (backend->dir == NULL) {
        return "memdb";
    }
    return backend->is_durability_normal ? NULL : weir_sqlite_wal_vfs();
}

/* SQLite wants a connection closed even if opening it has failed. */
int weir_sqlite_open(const struct sqlite_backend *backend, const char *path, int flags, int busy_ms,
                     sqlite3 **db)
{
    sqlite3 *opened = NULL;
    int rc = sqlite3_open_v2(path, &opened, open_flags(flags), vfs_of(backend));
    if (rc == SQLITE_OK) {
        weir_sqlite_wal_watch(opened);
        rc = set_up(backend, busy_ms, opened);
    }
    if (rc != SQLITE_OK) {
        (void)sqlite3_close(opened);
        return rc;
    }
    *db = opened;
    return SQLITE_OK;
}

static weir_status fail_presence(const struct sqlite_backend *backend, const char *name,
                                 enum sqlite_presence presence, struct weir_error *err)
{
    switch (presence) {
    case WEIR_SQLITE_FOREIGN:
        return weir_fail(err, WEIR_PRECONDITION,
                         "%s/%s was not made by weir: move it away, or use another directory",
                         backend->dir, name);
    case WEIR_SQLITE_NEWER:
        return weir_fail(
            err, WEIR_PRECONDITION,
            "%s/%s was written by a newer weir-server: use that version, or another directory",
            backend->dir, name);
    case WEIR_SQLITE_NO_FILE:
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                         "%s/%s is a link or a directory: put the file itself there", backend->dir,
                         name);
    case WEIR_SQLITE_UNREADABLE:
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot read %s/%s: %s", backend->dir, name,
                         strerror(errno));
    default:
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "%s/%s is missing", backend->dir, name);
    }
}

/* Fails with the reason that the operator needs. SQLite opens a file or directory that it may not
 * write without complaint, and fails later with an error that does not say so. */
static weir_status fail_open(const struct sqlite_backend *backend, const char *path, int rc,
                             struct weir_error *err)
{
    const weir_status status = weir_sqlite_fail(err, rc, "open a database");
    if (backend->dir == NULL) {
        return status;
    }
    if (access(path, W_OK) != 0) {
        return weir_fail(err, status, "cannot write %s: %s", path, strerror(errno));
    }
    if (access(backend->dir, W_OK | X_OK) != 0) {
        return weir_fail(err, status, "cannot create a file in %s: %s", backend->dir,
                         strerror(errno));
    }
    return weir_fail(err, status, "cannot open %s: %s", path, sqlite3_errstr(rc));
}

/* Rounds up, so that the deadline has passed when the wait ends. */
int weir_sqlite_busy_ms(int64_t deadline_us)
{
    const int64_t left_us = deadline_us - weir_monotonic_us();
    return left_us <= 0                    ? 0
           : left_us < WEIR_SQLITE_BUSY_US ? (int)((left_us + 999) / 1000)
                                           : WEIR_SQLITE_BUSY_US / 1000;
}

bool weir_sqlite_has_moved(sqlite3 *db)
{
    int moved = 0;
    return sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
           moved != 0;
}

void weir_sqlite_close_without_checkpoint(sqlite3 *db)
{
    if (db != NULL) {
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        (void)sqlite3_close(db);
    }
}

/* Closes a connection that cannot be used. One to a newer schema, or to a file that was replaced,
 * must not write. Elsewhere closing removes the WAL if nobody else has the file open: a migration
 * that has failed leaves one as long as the file, and other namespaces may need the space. */
static void close_unusable(sqlite3 *db, weir_status status)
{
    if (status == WEIR_PRECONDITION || weir_sqlite_has_moved(db)) {
        weir_sqlite_close_without_checkpoint(db);
    } else {
        (void)sqlite3_close(db);
    }
}

enum { MODE_NAP_MS = 5 };

static int note_mode(void *is_wal, int columns, char **values, char **names)
{
    (void)columns;
    (void)names;
    *(bool *)is_wal = strcmp(values[0], "wal") == 0;
    return 0;
}

/* Puts a database into WAL mode that is not: a copy that was made by VACUUM INTO, or a file whose
 * mode another program has changed while no server ran. *is_wal tells whether it is then. */
static int use_wal(sqlite3 *db, bool *is_wal)
{
    return sqlite3_exec(db, "PRAGMA journal_mode = WAL", note_mode, is_wal, NULL);
}

/* Where a file is to be put into WAL mode, SQLite fails at once while another connection writes it,
 * such as one that is just doing the same. */
static int wait_for_wal(sqlite3 *db, int busy_ms, bool *is_wal)
{
    const int64_t until_us = weir_monotonic_us() + (int64_t)busy_ms * 1000;
    int rc = use_wal(db, is_wal);
    while ((rc & 0xff) == SQLITE_BUSY && weir_monotonic_us() < until_us) {
        (void)sqlite3_sleep(MODE_NAP_MS);
        rc = use_wal(db, is_wal);
    }
    return rc;
}

static weir_status check_mode(const struct sqlite_backend *backend, const char *path, sqlite3 *db,
                              int64_t deadline_us, struct weir_error *err)
{
    bool is_wal = backend->dir == NULL;  // in memory there is no WAL
    const int rc = is_wal ? SQLITE_OK : wait_for_wal(db, weir_sqlite_busy_ms(deadline_us), &is_wal);
    if (rc != SQLITE_OK) {
        return fail_open(backend, path, rc, err);
    }
    return is_wal ? WEIR_OK
                  : weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot put %s into WAL mode", path);
}

/* Without this check SQLite would open a file that may not be written, for reading, and make a WAL
 * that may not be written either, which is still in the way when the file may be written again. */
static weir_status check_writable(const struct sqlite_backend *backend, const char *path,
                                  struct weir_error *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; backend->dir != NULL && i < WEIR_COUNTOF(suffixes); i++) {
        char name[PATH_MAX];
        const int n = snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        if (n < (int)sizeof name && access(name, W_OK) != 0 && errno == EACCES) {
            return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot write %s: %s", name,
                             strerror(errno));
        }
    }
    return WEIR_OK;
}

static weir_status connect_path(struct sqlite_backend *backend, const char *path,
                                const struct sqlite_wanted *wanted, sqlite3 **db,
                                struct weir_error *err)
{
    sqlite3 *opened = NULL;
    if (check_writable(backend, path, err) != WEIR_OK) {
        return err->status;
    }
    const int rc = weir_sqlite_open(backend, path, SQLITE_OPEN_READWRITE,
                                    weir_sqlite_busy_ms(wanted->deadline_us), &opened);
    if (rc != SQLITE_OK) {
        return fail_open(backend, path, rc, err);
    }
    weir_status status = check_mode(backend, path, opened, wanted->deadline_us, err);
    if (status == WEIR_OK) {
        status = weir_sqlite_migrate(opened, wanted->schema, &backend->base, path, err);
    }
    if (status == WEIR_OK && weir_sqlite_has_moved(opened)) {
        /* SQLite has opened the WAL by its name, which may belong to the file that replaced this
         * one. */
        status = weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                           "%s was removed or replaced while it was being opened", path);
    }
    if (status != WEIR_OK) {
        close_unusable(opened, status);
        return status;
    }
    *db = opened;
    return WEIR_OK;
}

weir_status weir_sqlite_connect(struct sqlite_backend *backend, const struct sqlite_wanted *wanted,
                                sqlite3 **db, enum sqlite_presence *presence,
                                struct weir_error *err)
{
    char *path = weir_sqlite_path(backend, wanted->name);
    if (path == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    weir_status status = WEIR_OK;
    enum sqlite_presence found = WEIR_SQLITE_OURS;
    if (backend->dir != NULL) {
        found = recognise(path, wanted->schema);
    } else if (wanted->schema != &weir_sqlite_registry_schema &&
               weir_sqlite_memory_find(backend, wanted->name) == NULL) {
        found = WEIR_SQLITE_MISSING;
    }
    if (found == WEIR_SQLITE_OURS) {
        status = connect_path(backend, path, wanted, db, err);
        found = status == WEIR_PRECONDITION ? WEIR_SQLITE_NEWER : found;
    } else {
        status = fail_presence(backend, wanted->name, found, err);
    }
    if (presence != NULL) {
        *presence = found;
    }
    free(path);
    return status;
}
