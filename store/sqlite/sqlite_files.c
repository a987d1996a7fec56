/* Database files as files: their paths, their bytes, their removal, and the store's directory. */
#include "store/sqlite/sqlite_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char weir_sqlite_registry_name[] = "registry.db";

/* Returns "<dir>/<name><suffix>", to be freed by the caller; in memory a name that the memdb VFS
 * takes for a shared database. NULL without memory. */
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

char *weir_sqlite_wal_path(const struct sqlite_backend *backend, const char *name)
{
    return path_of(backend, name, "-wal");
}

/* ---- bytes ---- */

int weir_sqlite_raw_open(struct sqlite_raw_file *raw, const char *path, int flags)
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

void weir_sqlite_raw_close(struct sqlite_raw_file *raw)
{
    if (raw->file != NULL && raw->file->pMethods != NULL) {
        (void)raw->file->pMethods->xClose(raw->file);
    }
    free(raw->file);
    sqlite3_free_filename(raw->name);
}

/* ---- removing ---- */

/* Returns whether the file is gone. On a read-only file system unlink fails with EROFS even for a
 * file that does not exist. */
static bool unlink_path(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT ||
           (errno == EROFS && access(path, F_OK) != 0 && errno == ENOENT);
}

static bool unlink_one(const struct sqlite_backend *backend, const char *path)
{
    const bool is_gone = unlink_path(path);
    if (!is_gone) {
        weir_backend_report(&backend->base, "cannot remove %s: %s", path, strerror(errno));
    }
    return is_gone;
}

/* Suffixes of the files that SQLite keeps beside a database, the longest one first. */
static const char *const side_suffixes[] = {"-journal", "-wal", "-shm"};

/* Removes the side files of a database: a new database of the same name would take them for its
 * own. `path` ends with the longest suffix and is changed in place, down to the database's own
 * path. Nothing is allocated in between, so no lack of memory can leave a database that others have
 * open without some of its side files. */
static bool unlink_side_files(const struct sqlite_backend *backend, char *path)
{
    char *suffix = path + strlen(path) - strlen(side_suffixes[0]);
    bool are_gone = true;
    for (size_t s = 0; s < WEIR_COUNTOF(side_suffixes); s++) {
        memcpy(suffix, side_suffixes[s], strlen(side_suffixes[s]) + 1);
        are_gone = unlink_one(backend, path) && are_gone;
    }
    *suffix = '\0';
    return are_gone;
}

bool weir_sqlite_unlink(const struct sqlite_backend *backend, const char *name)
{
    char *path = path_of(backend, name, side_suffixes[0]);
    const bool is_gone =
        path != NULL && unlink_side_files(backend, path) && unlink_one(backend, path);
    free(path);
    return is_gone;
}

bool weir_sqlite_unlink_leftovers(struct sqlite_backend *backend, const char *name)
{
    if (backend->dir == NULL) {
        return true;
    }
    char *path = weir_sqlite_path(backend, name);
    char *side = path_of(backend, name, side_suffixes[0]);
    const bool is_clear = path != NULL && side != NULL &&
                          (access(path, F_OK) == 0 || unlink_side_files(backend, side));
    free(path);
    free(side);
    return is_clear;
}

/* ---- the directory ---- */

int weir_sqlite_sync_dir(const char *dir)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    const int rc = fsync(fd);
    (void)close(fd);
    return rc;
}

/* Syncs the parent directory, which records that the directory exists. */
static int sync_above(const char *path)
{
    char above[PATH_MAX];
    const int n = snprintf(above, sizeof above, "%s/..", path);
    if (n < 0 || (size_t)n >= sizeof above) {
        return ENAMETOOLONG;
    }
    /* A directory that may be written but not read cannot be synced. */
    return weir_sqlite_sync_dir(above) == 0 || errno == EACCES ? 0 : errno;
}

/* Makes one directory durably, unless it exists. Returns 0 or an errno. */
static int make_one_dir(const char *path)
{
    struct stat status;
    if (mkdir(path, 0700) == 0) {
        return sync_above(path);
    }
    const int fault = errno;
    if (stat(path, &status) != 0) {
        return fault;
    }
    return S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
}

/* New directories are accessible to their owner alone, as they will hold messages. */
weir_status weir_sqlite_make_dir(const char *dir, struct weir_error *err)
{
    char *path = strdup(dir);
    if (path == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
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
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot create the directory %s: %s", dir,
                         strerror(fault));
    }
    return WEIR_OK;
}
