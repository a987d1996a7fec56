/* Making databases. A file is written and synced whole under the name of a draft before it gets its
 * own name, so that no other process sees it incomplete. Drafts that a crash has left are removed
 * when the store is opened. */
#include "store/sqlite/sqlite_create.h"

#include "store/sqlite/sqlite_connect.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/sqlite_image.h"
#include "store/sqlite/sqlite_memory.h"
#include "store/sqlite/sqlite_status.h"

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

/* Writes and syncs the whole database, before the file gets its name. */
static weir_status write_image(const char *path, const struct sqlite_image *image,
                               struct weir_error *err)
{
    struct sqlite_raw_file raw;
    int rc = weir_sqlite_raw_open(&raw, path, SQLITE_OPEN_READWRITE);
    if (rc == SQLITE_OK) {
        rc = raw.file->pMethods->xWrite(raw.file, image->bytes, (int)image->n, 0);
    }
    if (rc == SQLITE_OK) {
        rc = raw.file->pMethods->xSync(raw.file, SQLITE_SYNC_NORMAL);
    }
    weir_sqlite_raw_close(&raw);
    return rc == SQLITE_OK ? WEIR_OK : weir_sqlite_fail(err, rc, "create a database");
}

static weir_status write_database(struct sqlite_backend *backend, const char *path,
                                  const struct sqlite_schema *schema, struct weir_error *err)
{
    if (schema == &weir_sqlite_namespace_schema) {
        const struct sqlite_image *image = NULL;
        const weir_status status = weir_sqlite_image_of_namespace(backend, &image, err);
        return status == WEIR_OK ? write_image(path, image, err) : status;
    }
    struct sqlite_image image;
    weir_status status = weir_sqlite_image_make(schema, &image, err);
    if (status == WEIR_OK) {
        status = write_image(path, &image, err);
        weir_sqlite_image_free(&image);
    }
    return status;
}

/* Gives the finished file its name, unless a file of that name exists (*is_there). */
static weir_status publish(const struct sqlite_backend *backend, const char *from, const char *to,
                           bool *is_there, struct weir_error *err)
{
    *is_there = false;
    if (link(from, to) != 0) {
        if (errno == EEXIST) {
            *is_there = true;
            return WEIR_OK;
        }
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot create a file in %s: %s",
                         backend->dir, strerror(errno));
    }
    if (weir_sqlite_sync_dir(backend->dir) != 0) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot sync %s: %s", backend->dir,
                         strerror(errno));
    }
    return WEIR_OK;
}

/* Makes an empty file that only its owner can read, as it will hold messages. SQLite gives its side
 * files the mode of the database. */
static bool make_empty(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd >= 0 && close(fd) == 0;
}

enum {
    DRAFT_NAME_BYTES = WEIR_SQLITE_NAME_BYTES + 32,
    DRAFT_AGE_S = 3600  // older than any draft that is still being written
};

static const char draft_suffix[] = ".new";

/* Makes a draft name that no other process uses. A random number, because process ids are not
 * unique across containers. */
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
           (weir_sqlite_is_database_name(name) ||
            strncmp(name, weir_sqlite_registry_name, strlen(weir_sqlite_registry_name)) == 0);
}

static bool is_left_behind(const struct sqlite_backend *backend, const char *draft)
{
    struct stat status;
    char *path = weir_sqlite_path(backend, draft);
    const bool is_old =
        path != NULL && stat(path, &status) == 0 && time(NULL) - status.st_mtime > DRAFT_AGE_S;
    free(path);
    return is_old;
}

/* Removes old drafts only, because another process may be writing a recent one. A process that was
 * suspended so long that its draft is gone fails to publish it, and says so. */
void weir_sqlite_sweep_drafts(const struct sqlite_backend *backend)
{
    DIR *dir = opendir(backend->dir);
    if (dir == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (is_draft(entry->d_name) && is_left_behind(backend, entry->d_name)) {
            (void)weir_sqlite_unlink(backend, entry->d_name);
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
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot get random bytes from the system");
    }
    weir_status status = WEIR_OK;
    char *from = weir_sqlite_path(backend, draft);
    char *to = weir_sqlite_path(backend, name);
    if (from == NULL || to == NULL) {
        status = weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    } else if (!make_empty(from)) {
        status = weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot create a file in %s: %s",
                           backend->dir, strerror(errno));
    } else {
        status = write_database(backend, from, schema, err);
    }
    if (status == WEIR_OK) {
        status = publish(backend, from, to, is_there, err);
    }
    (void)weir_sqlite_unlink(backend, draft);
    free(from);
    free(to);
    return status;
}

static weir_status create_in_memory(struct sqlite_backend *backend, const char *name,
                                    const struct sqlite_schema *schema, struct weir_error *err)
{
    char *path = weir_sqlite_path(backend, name);
    if (path == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    sqlite3 *db = NULL;
    const int rc = weir_sqlite_open(backend, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                    weir_sqlite_busy_ms(INT64_MAX), &db);
    free(path);
    if (rc != SQLITE_OK) {
        return weir_sqlite_fail(err, rc, "create a database");
    }
    const weir_status status = weir_sqlite_migrate(db, schema, NULL, NULL, err);
    if (status != WEIR_OK) {
        (void)sqlite3_close(db);
        return status;
    }
    if (!weir_sqlite_memory_add(backend, name, db)) {
        (void)sqlite3_close(db);
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
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
