/* Checks whether the files that a session has open still have their names. If a namespace's file or
 * its WAL is removed, renamed or replaced under a server, SQLite goes on writing to the file that
 * it has open: acknowledged writes would then be lost when the process ends, or missing for every
 * process that opens the file by its name.
 *
 * So the files are checked after each commit, before it is acknowledged. Reads go on. */
#define _GNU_SOURCE  // statx
#include "store/sqlite/sqlite_identity.h"

#include "store/sqlite/sqlite_checkpoint.h"
#include "store/sqlite/sqlite_files.h"
#include "store/sqlite/sqlite_session.h"

#include "weir/base/monotonic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Asks for the inode number alone: once a file's times have been read, Linux (from 6.13 on) gives
 * the next write a time stamp of its own, and each commit then writes the inode as well. */
bool weir_sqlite_file_id(const char *path, struct sqlite_file_id *id)
{
    struct statx status;
    if (statx(AT_FDCWD, path, 0, STATX_INO, &status) != 0) {
        return false;
    }
    *id = (struct sqlite_file_id){makedev(status.stx_dev_major, status.stx_dev_minor),
                                  status.stx_ino};
    return true;
}

/* While a file is open no other file gets its inode number. A path that cannot be examined, for
 * other reasons than that nothing is there, passes for the file. */
bool weir_sqlite_is_file(const char *path, struct sqlite_file_id id)
{
    struct sqlite_file_id found;
    if (!weir_sqlite_file_id(path, &found)) {
        return errno != ENOENT && errno != ENOTDIR;
    }
    return found.device == id.device && found.inode == id.inode;
}

static const char *path_of(const struct sqlite_session *session)
{
    return sqlite3_db_filename(session->db, "main");
}

/* ---- opening and closing ---- */

/* Returns the list with the open sessions of a database, and perhaps of a few others. Each lookup
 * of a token searches one list, which therefore must not hold the sessions of all databases. */
static struct weir_link *list_of(struct sqlite_backend *backend, const char *name)
{
    unsigned sum = 0;
    for (const char *c = name; *c != '\0'; c++) {
        sum = sum * 31 + (unsigned char)*c;
    }
    return &backend->sessions[sum % WEIR_SQLITE_SESSION_LISTS];
}

static bool is_of(const struct sqlite_session *session, const char *name)
{
    return strcmp(session->name, name) == 0;
}

void weir_sqlite_identity_renew(struct sqlite_backend *backend, const char *name,
                                int64_t created_at_us)
{
    struct weir_link *list = list_of(backend, name);
    (void)pthread_mutex_lock(&backend->sessions_mutex);
    for (struct weir_link *at = list->next; at != list; at = at->next) {
        struct sqlite_session *s = WEIR_LINKED(at, struct sqlite_session, open);
        if (is_of(s, name) && s->created_at_us != created_at_us) {
            atomic_store(&s->base.is_stale, true);
        }
    }
    (void)pthread_mutex_unlock(&backend->sessions_mutex);
}

/* Copies the file ids of an open session of the database that is not stale; false if there is
 * none. */
static bool find_files(struct sqlite_backend *backend, const char *name,
                       struct sqlite_file_id *file, struct sqlite_file_id *wal)
{
    struct weir_link *list = list_of(backend, name);
    (void)pthread_mutex_lock(&backend->sessions_mutex);
    bool is_found = false;
    for (struct weir_link *at = list->next; at != list && !is_found; at = at->next) {
        const struct sqlite_session *s = WEIR_LINKED(at, struct sqlite_session, open);
        is_found = is_of(s, name) && !atomic_load(&s->base.is_stale);
        if (is_found) {
            *file = s->file;
            *wal = s->wal;
        }
    }
    (void)pthread_mutex_unlock(&backend->sessions_mutex);
    return is_found;
}

bool weir_sqlite_identity_may_open(struct sqlite_backend *backend, const char *name)
{
    struct sqlite_file_id file;
    struct sqlite_file_id wal;
    if (backend->dir == NULL || !find_files(backend, name, &file, &wal)) {
        return true;
    }
    char *path = weir_sqlite_path(backend, name);
    char *wal_path = weir_sqlite_wal_path(backend, name);
    const bool may_open = path != NULL && wal_path != NULL && weir_sqlite_is_file(path, file) &&
                          weir_sqlite_is_file(wal_path, wal);
    free(path);
    free(wal_path);
    return may_open;
}

bool weir_sqlite_identity_is_open(struct sqlite_backend *backend, const char *name)
{
    struct sqlite_file_id file;
    struct sqlite_file_id wal;
    return find_files(backend, name, &file, &wal);
}

bool weir_sqlite_identity_enter(struct sqlite_session *session)
{
    const char *path = path_of(session);
    struct sqlite_backend *backend = session->backend;
    if (!weir_sqlite_file_id(path, &session->file) ||
        !weir_sqlite_file_id(sqlite3_filename_wal(path), &session->wal)) {
        return false;
    }
    (void)pthread_mutex_lock(&backend->sessions_mutex);
    weir_link_append(list_of(backend, session->name), &session->open);
    (void)pthread_mutex_unlock(&backend->sessions_mutex);
    return true;
}

void weir_sqlite_identity_leave(struct sqlite_session *session)
{
    struct sqlite_backend *backend = session->backend;
    (void)pthread_mutex_lock(&backend->sessions_mutex);
    weir_link_remove(&session->open);
    (void)pthread_mutex_unlock(&backend->sessions_mutex);
}

/* ---- checking ---- */

static void report_file(const struct sqlite_session *session)
{
    weir_backend_report(&session->backend->base,
                        "%s has been removed, renamed or replaced while it is in use, and takes no "
                        "more writes: put it back, or export the namespace, which can still be "
                        "read, before the server is started again",
                        session->name);
}

/* Moves the pages of a WAL that has lost its name into the database while the WAL is still open;
 * waits a while for readers. */
static void rescue_wal(struct sqlite_session *session)
{
    session->busy_until_us = weir_monotonic_us() + WEIR_SQLITE_READERS_WAIT_US;
    (void)weir_sqlite_checkpoint(session->backend, session->name, session->db,
                                 SQLITE_CHECKPOINT_FULL, NULL);
    weir_backend_report(&session->backend->base,
                        "%s-wal has been removed, renamed or replaced while it is in use, and "
                        "takes no more writes: stop the server with SIGTERM, so that nothing is "
                        "lost of what was in it, and start it again",
                        session->name);
}

weir_status weir_sqlite_identity_check(struct sqlite_session *session, struct weir_error *err)
{
    const char *path = path_of(session);
    const bool has_file = weir_sqlite_is_file(path, session->file);
    const bool has_wal = weir_sqlite_is_file(sqlite3_filename_wal(path), session->wal);
    const bool was_nameless = session->is_nameless;
    session->is_nameless = !has_file || !has_wal;
    if (!session->is_nameless) {
        return WEIR_OK;
    }
    if (!was_nameless && !has_file) {
        report_file(session);
    } else if (!was_nameless) {
        rescue_wal(session);
    }
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                     "the namespace's files have been moved or replaced since they were opened");
}
