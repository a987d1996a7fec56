/* Database files: recognised before they are touched, made whole under another name, removed. */
#include "store/sqlite/sqlite_int.h"
#include "store/sqlite/sqlite_wal_file.h"

#include "weir/rules/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char weir_sqlite_registry_name[] = "registry.db";

/* Of SQLite's file format: big-endian integers in the first page. */
enum { HEADER_BYTES = 100, USER_VERSION_AT = 60, APPLICATION_ID_AT = 68 };

enum { BUSY_MS = 5000 };

static weir_status out_of_memory(struct weir_error *err)
{
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
}

/* "<dir>/<name><suffix>", to be freed; in memory what the memdb VFS takes for a shared database. */
static char *path_of(const struct sqlite_backend *backend, const char *name, const char *suffix)
{
    char own[64];
    const char *dir = backend->dir;
    if (dir == NULL) {
        (void)snprintf(own, sizeof own, "/weir-%ld-%u", (long)getpid(), backend->number);
        dir = own;
    }
    const size_t size = strlen(dir) + 1 + strlen(name) + strlen(suffix) + 1;
    char *path = malloc(size);
    if (path != NULL) {
        (void)snprintf(path, size, "%s%c%s%s", dir, backend->dir == NULL ? '-' : '/', name, suffix);
    }
    return path;
}

char *weir_sqlite_path(const struct sqlite_backend *backend, const char *name)
{
    return path_of(backend, name, "");
}

/* ---- recognising ---- */

enum recognised { OURS, MISSING, FOREIGN, NEWER, UNREADABLE };

static int integer_at(const uint8_t *at)
{
    return (int)((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
}

/* A file is opened by SQLite's VFS and not by a descriptor of our own: to close that would take
 * from every connection of this process to the same file the lock which tells other programs that
 * it is in use. The last of those to close it would then remove the WAL under our connections. */
struct raw_file {
    sqlite3_filename name;
    sqlite3_file *file;
};

static int open_raw(struct raw_file *raw, const char *path, int flags)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    raw->name = sqlite3_create_filename(path, "", "", 0, NULL);
    raw->file = calloc(1, (size_t)vfs->szOsFile);
    if (raw->name == NULL || raw->file == NULL) {
        return SQLITE_NOMEM;
    }
    flags |= SQLITE_OPEN_MAIN_DB;
    return vfs->xOpen(vfs, raw->name, raw->file, flags, &flags);
}

/* Also one whose opening failed. */
static void close_raw(struct raw_file *raw)
{
    if (raw->file != NULL && raw->file->pMethods != NULL) {
        (void)raw->file->pMethods->xClose(raw->file);
    }
    free(raw->file);
    sqlite3_free_filename(raw->name);
}

static int read_header(const char *path, uint8_t header[HEADER_BYTES])
{
    struct raw_file raw;
    int rc = open_raw(&raw, path, SQLITE_OPEN_READONLY);
    if (rc == SQLITE_OK) {
        rc = raw.file->pMethods->xRead(raw.file, header, HEADER_BYTES, 0);
    }
    close_raw(&raw);
    return rc;
}

/* Looks at the header without a connection, which might change a file by looking (recovery, WAL).
 * The application id is written before a file gets its name, so it is never in the WAL alone; a
 * newer version may be, and is then seen when the schema is brought up to date. */
static enum recognised recognise(const char *path, const struct sqlite_schema *schema)
{
    static const char magic[16] = "SQLite format 3";
    uint8_t header[HEADER_BYTES];
    if (access(path, R_OK) != 0) {
        return errno == ENOENT || errno == ENOTDIR ? MISSING : UNREADABLE;
    }
    const int rc = read_header(path, header);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ) {
        errno = rc == SQLITE_NOMEM ? ENOMEM : EIO;
        return UNREADABLE;
    }
    if (rc != SQLITE_OK || memcmp(header, magic, sizeof magic) != 0 ||
        integer_at(header + APPLICATION_ID_AT) != schema->application_id) {
        return FOREIGN;
    }
    return integer_at(header + USER_VERSION_AT) > schema->version ? NEWER : OURS;
}

/* ---- connecting ---- */

/* NOMUTEX: one thread at a time, as sqlite_int.h says. */
static int open_flags(int flags)
{
    return flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
}

static int set_up(const struct sqlite_backend *backend, sqlite3 *db)
{
    (void)sqlite3_busy_timeout(db, BUSY_MS);
    /* A file that somebody has tampered with runs nothing and cannot reach outside. */
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

/* A connection that fails to open must be closed all the same. */
static int open_database(const struct sqlite_backend *backend, const char *path, int flags,
                         sqlite3 **db)
{
    sqlite3 *opened = NULL;
    int rc = sqlite3_open_v2(path, &opened, open_flags(flags), vfs_of(backend));
    if (rc == SQLITE_OK) {
        weir_sqlite_wal_watch(opened);
        rc = set_up(backend, opened);
    }
    if (rc != SQLITE_OK) {
        (void)sqlite3_close(opened);
        return rc;
    }
    *db = opened;
    return SQLITE_OK;
}

static weir_status fail_recognised(const struct sqlite_backend *backend, const char *name,
                                   enum recognised recognised, struct weir_error *err)
{
    switch (recognised) {
    case FOREIGN:
        return weir_fail(err, WEIR_PRECONDITION,
                         "%s/%s is not a file of weir's: move it away, or use another directory",
                         backend->dir, name);
    case NEWER:
        return weir_fail(err, WEIR_PRECONDITION,
                         "%s/%s was written by a newer weir-server: use that, or another directory",
                         backend->dir, name);
    case UNREADABLE:
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "%s/%s cannot be read: %s", backend->dir,
                         name, strerror(errno));
    default:
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "%s/%s is missing", backend->dir, name);
    }
}

/* SQLite opens what it may not write as if it might, and fails over it in other words later. */
static weir_status fail_open(const struct sqlite_backend *backend, const char *path, int rc,
                             struct weir_error *err)
{
    const weir_status status = weir_sqlite_fail(err, rc, "open a database");
    if (backend->dir == NULL) {
        return status;
    }
    if (access(path, W_OK) != 0) {
        return weir_fail(err, status, "%s cannot be written: %s", path, strerror(errno));
    }
    if (access(backend->dir, W_OK | X_OK) != 0) {
        return weir_fail(err, status, "no file can be made in %s: %s", backend->dir,
                         strerror(errno));
    }
    return weir_fail(err, status, "%s cannot be opened: %s", path, sqlite3_errstr(rc));
}

static weir_status connect_path(struct sqlite_backend *backend, const char *path,
                                const struct sqlite_schema *schema, sqlite3 **db,
                                struct weir_error *err)
{
    sqlite3 *opened = NULL;
    const int rc = open_database(backend, path, SQLITE_OPEN_READWRITE, &opened);
    if (rc != SQLITE_OK) {
        return fail_open(backend, path, rc, err);
    }
    const weir_status status = weir_sqlite_migrate(opened, schema, err);
    if (status != WEIR_OK) {
        /* Closing must not write to a file that is of a newer schema. */
        (void)sqlite3_db_config(opened, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        (void)sqlite3_close(opened);
        return status;
    }
    *db = opened;
    return WEIR_OK;
}

weir_status weir_sqlite_connect(struct sqlite_backend *backend, const char *name,
                                const struct sqlite_schema *schema, sqlite3 **db, bool *is_missing,
                                struct weir_error *err)
{
    char *path = path_of(backend, name, "");
    if (path == NULL) {
        return out_of_memory(err);
    }
    weir_status status = WEIR_OK;
    enum recognised recognised = OURS;
    if (backend->dir != NULL) {
        recognised = recognise(path, schema);
    } else if (schema != &weir_sqlite_registry_schema &&
               weir_sqlite_memory_find(backend, name) == NULL) {
        recognised = MISSING;
    }
    if (recognised == OURS) {
        status = connect_path(backend, path, schema, db, err);
    } else {
        status = fail_recognised(backend, name, recognised, err);
    }
    if (is_missing != NULL) {
        *is_missing = recognised == MISSING;
    }
    free(path);
    return status;
}

/* ---- making ---- */

/* All is in the file itself before anybody sees it. */
static int write_image(const char *path, const struct sqlite_image *image)
{
    struct raw_file raw;
    int rc = open_raw(&raw, path, SQLITE_OPEN_READWRITE);
    if (rc == SQLITE_OK) {
        rc = raw.file->pMethods->xWrite(raw.file, image->bytes, (int)image->n, 0);
    }
    if (rc == SQLITE_OK) {
        rc = raw.file->pMethods->xSync(raw.file, SQLITE_SYNC_NORMAL);
    }
    close_raw(&raw);
    return rc;
}

static weir_status write_database(const char *path, const struct sqlite_schema *schema,
                                  struct weir_error *err)
{
    struct sqlite_image image;
    const weir_status status = weir_sqlite_image_make(schema, &image, err);
    if (status != WEIR_OK) {
        return status;
    }
    const int rc = write_image(path, &image);
    weir_sqlite_image_free(&image);
    return rc == SQLITE_OK ? WEIR_OK : weir_sqlite_fail(err, rc, "make a database");
}

static int sync_dir(const char *dir)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    const int rc = fsync(fd);
    (void)close(fd);
    return rc;
}

/* A file system that is read-only says so also of what is not there. */
static bool unlink_path(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT ||
           (errno == EROFS && access(path, F_OK) != 0 && errno == ENOENT);
}

static bool unlink_one(const struct sqlite_backend *backend, const char *name, const char *suffix)
{
    char *path = path_of(backend, name, suffix);
    const bool is_gone = path != NULL && unlink_path(path);
    if (path != NULL && !is_gone) {
        weir_sqlite_report(backend, "%s: cannot be removed: %s", path, strerror(errno));
    }
    free(path);
    return is_gone;
}

/* What SQLite keeps beside a database. A new database that finds those of an old one of the same
 * name takes them for its own. */
static bool unlink_side_files(const struct sqlite_backend *backend, const char *name)
{
    const bool is_journal_gone = unlink_one(backend, name, "-journal");
    const bool is_wal_gone = unlink_one(backend, name, "-wal");
    return unlink_one(backend, name, "-shm") && is_wal_gone && is_journal_gone;
}

/* The database itself goes last: while it is there, nobody makes another one beside old files. */
static bool unlink_database(const struct sqlite_backend *backend, const char *name)
{
    return unlink_side_files(backend, name) && unlink_one(backend, name, "");
}

/* Gives the finished file its name, unless there is one of that name. */
static weir_status publish(const struct sqlite_backend *backend, const char *from, const char *to,
                           bool *is_there, struct weir_error *err)
{
    *is_there = false;
    if (link(from, to) != 0) {
        if (errno == EEXIST) {
            *is_there = true;
            return WEIR_OK;
        }
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "a file cannot be made in %s: %s",
                         backend->dir, strerror(errno));
    }
    if (sync_dir(backend->dir) != 0) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "%s cannot be synced: %s", backend->dir,
                         strerror(errno));
    }
    return WEIR_OK;
}

/* Messages are the owner's alone. SQLite gives its side files the mode of the database. */
static bool make_empty(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0;
}

enum {
    DRAFT_NAME_BYTES = WEIR_SQLITE_NAME_BYTES + 32,
    DRAFT_AGE_S = 3600  // older than any that is still being written
};

static const char draft_suffix[] = ".new";

/* Nobody else's: the number of a process does not tell it from one in another container. */
static bool name_draft(const char *name, char draft[DRAFT_NAME_BYTES])
{
    uint64_t random = 0;
    if (!weir_random_bytes(&random, sizeof random)) {
        return false;
    }
    (void)snprintf(draft, DRAFT_NAME_BYTES, "%s.%016" PRIx64 "%s", name, random, draft_suffix);
    return true;
}

static bool is_draft(const char *name)
{
    const size_t n = strlen(name);
    const size_t suffix_n = sizeof draft_suffix - 1;
    return n > suffix_n && n < DRAFT_NAME_BYTES && strcmp(name + n - suffix_n, draft_suffix) == 0 &&
           (strncmp(name, "ns-", 3) == 0 ||
            strncmp(name, weir_sqlite_registry_name, strlen(weir_sqlite_registry_name)) == 0);
}

static bool is_left_behind(const struct sqlite_backend *backend, const char *draft)
{
    struct stat status;
    char *path = path_of(backend, draft, "");
    const bool is_old =
        path != NULL && stat(path, &status) == 0 && time(NULL) - status.st_mtime > DRAFT_AGE_S;
    free(path);
    return is_old;
}

/* A process that makes one at this moment needs it; where it is taken from one that was stopped for
 * so long, that cannot give it its name, and says so. */
void weir_sqlite_sweep_drafts(const struct sqlite_backend *backend)
{
    DIR *dir = opendir(backend->dir);
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (is_draft(entry->d_name) && is_left_behind(backend, entry->d_name)) {
            (void)unlink_database(backend, entry->d_name);
        }
    }
    (void)closedir(dir);
}

static weir_status create_file(struct sqlite_backend *backend, const char *name,
                               const struct sqlite_schema *schema, bool *is_there,
                               struct weir_error *err)
{
    char draft[DRAFT_NAME_BYTES];
    if (!name_draft(name, draft)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the system gives no random bytes");
    }
    weir_status status = WEIR_OK;
    char *from = path_of(backend, draft, "");
    char *to = path_of(backend, name, "");
    if (from == NULL || to == NULL) {
        status = out_of_memory(err);
    } else if (!make_empty(from)) {
        status = weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "a file cannot be made in %s: %s",
                           backend->dir, strerror(errno));
    } else {
        status = write_database(from, schema, err);
    }
    if (status == WEIR_OK) {
        status = publish(backend, from, to, is_there, err);
    }
    (void)unlink_database(backend, draft);
    free(from);
    free(to);
    return status;
}

static weir_status create_in_memory(struct sqlite_backend *backend, const char *name,
                                    const struct sqlite_schema *schema, struct weir_error *err)
{
    char *path = path_of(backend, name, "");
    if (path == NULL) {
        return out_of_memory(err);
    }
    sqlite3 *db = NULL;
    const int rc = open_database(backend, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db);
    free(path);
    if (rc != SQLITE_OK) {
        return weir_sqlite_fail(err, rc, "make a database");
    }
    const weir_status status = weir_sqlite_migrate(db, schema, err);
    if (status != WEIR_OK) {
        (void)sqlite3_close(db);
        return status;
    }
    if (!weir_sqlite_memory_add(backend, name, db)) {
        (void)sqlite3_close(db);
        return out_of_memory(err);
    }
    return WEIR_OK;
}

weir_status weir_sqlite_create(struct sqlite_backend *backend, const char *name,
                               const struct sqlite_schema *schema, bool *is_there,
                               struct weir_error *err)
{
    *is_there = false;
    if (backend->dir == NULL) {
        return create_in_memory(backend, name, schema, err);
    }
    return create_file(backend, name, schema, is_there, err);
}

/* ---- removing ---- */

/* What cannot be had now may be had later. All else is no database that anybody could use. */
static bool may_be_in_use(weir_status status, bool is_missing)
{
    return status == WEIR_BACKEND_UNAVAILABLE && !is_missing;
}

weir_status weir_sqlite_seize(struct sqlite_backend *backend, const char *name, sqlite3 **db,
                              struct weir_error *err)
{
    bool is_missing = false;
    *db = NULL;
    weir_status status =
        weir_sqlite_connect(backend, name, &weir_sqlite_doomed_schema, db, &is_missing, err);
    if (status == WEIR_OK) {
        const int rc = sqlite3_exec(*db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        status = rc == SQLITE_OK ? WEIR_OK : weir_sqlite_fail(err, rc, "lock a namespace");
    }
    if (status != WEIR_OK) {
        weir_sqlite_let_go(*db);
        *db = NULL;
    }
    if (may_be_in_use(status, is_missing)) {
        return status;
    }
    weir_error_init(err);
    return WEIR_OK;
}

/* What is to be removed need not be brought in order first. */
void weir_sqlite_let_go(sqlite3 *db)
{
    if (db != NULL) {
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        (void)sqlite3_close(db);
    }
}

static int delete_counters(sqlite3 *db, int64_t *messages)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "DELETE FROM counters RETURNING message_count", -1, &statement,
                                NULL);
    if (rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        *messages = sqlite3_column_int64(statement, 0);
    }
    const int end_rc = sqlite3_finalize(statement);
    rc = rc != SQLITE_OK ? rc : end_rc;
    return rc != SQLITE_OK ? rc : sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

bool weir_sqlite_bury(struct sqlite_backend *backend, const char *name, sqlite3 *db,
                      int64_t *messages)
{
    *messages = 0;
    if (db == NULL) {
        return true;
    }
    const int rc = delete_counters(db, messages);
    weir_sqlite_let_go(db);
    if (rc != SQLITE_OK) {
        weir_sqlite_report(backend, "%s: the deleted namespace cannot be marked: %s", name,
                           sqlite3_errstr(rc));
    }
    return !may_be_in_use(weir_sqlite_status(rc), false);
}

bool weir_sqlite_destroy(struct sqlite_backend *backend, const char *name)
{
    sqlite3 *db = NULL;
    int64_t messages = 0;
    struct weir_error err;
    weir_error_init(&err);
    bool is_dead = weir_sqlite_seize(backend, name, &db, &err) == WEIR_OK;
    if (!is_dead) {
        weir_sqlite_report(backend, "%s: of a deleted namespace, cannot be removed: %s", name,
                           err.text);
    } else {
        is_dead = weir_sqlite_bury(backend, name, db, &messages);
    }
    if (backend->dir == NULL) {  // nobody else has it
        weir_sqlite_memory_remove(backend, name);
        return true;
    }
    return is_dead && unlink_database(backend, name);
}

bool weir_sqlite_clear_place(struct sqlite_backend *backend, const char *name)
{
    if (backend->dir == NULL) {
        return true;
    }
    char *path = path_of(backend, name, "");
    const bool is_clear =
        path != NULL && (access(path, F_OK) == 0 || unlink_side_files(backend, name));
    free(path);
    return is_clear;
}

/* ---- the directory ---- */

/* What keeps it from being there; 0 where it is. */
static int make_one_dir(const char *path)
{
    struct stat status;
    if (mkdir(path, 0700) == 0) {
        return 0;
    }
    const int fault = errno;
    if (stat(path, &status) != 0) {
        return fault;
    }
    return S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
}

/* What is made is the owner's alone: messages are nobody else's business. */
weir_status weir_sqlite_make_dir(const char *dir, struct weir_error *err)
{
    char *path = strdup(dir);
    if (path == NULL) {
        return out_of_memory(err);
    }
    int fault = 0;
    for (char *end = path; fault == 0 && *end != '\0';) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        const char kept = *end;
        *end = '\0';
        fault = make_one_dir(path);
        *end = kept;
    }
    free(path);
    if (fault != 0) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the directory %s cannot be made: %s", dir,
                         strerror(fault));
    }
    return WEIR_OK;
}
