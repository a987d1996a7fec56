/* Sessions: opening and closing them, their prepared statements, SQLite's callbacks, and the errors
 * of calls.
 *
 * Opening races with other processes that delete the namespace and make a new one of its id. So an
 * obstacle met by opening the files counts only if the registry still lists the namespace that it
 * listed before; otherwise the session starts over. */
#include "store/sqlite/sqlite_session.h"

#include "store/read_rules.h"
#include "store/sqlite/sqlite_alloc.h"
#include "store/sqlite/sqlite_connect.h"
#include "store/sqlite/sqlite_location.h"
#include "store/sqlite/sqlite_memory.h"
#include "store/sqlite/sqlite_reading.h"
#include "store/sqlite/sqlite_registry.h"
#include "store/sqlite/sqlite_status.h"
#include "store/sqlite/sqlite_value.h"
#include "store/sqlite/sqlite_wal_file.h"
#include "store/sqlite/sqlite_write.h"

#include "weir/base/monotonic.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STATEMENT_TEXT(name, text) [STATEMENT_##name] = text,
static const char *const statement_texts[STATEMENT_COUNT] = {
    WEIR_SQLITE_STATEMENTS(STATEMENT_TEXT)};
#undef STATEMENT_TEXT

enum {
    PROGRESS_STEPS = 2000,  // of SQLite's virtual machine between checks of the clock: some 50 µs
    TELL_EVERY_US = 100 * 1000,  // how often a long read calls weir_backend_waits
    BUSY_NAP_MAX_US = 5000,
    FILES_OF_SESSION = 3  // the database, its WAL and the WAL's index
};

/* ---- statements ---- */

int weir_sqlite_statement(struct sqlite_session *session, enum sqlite_statement which,
                          sqlite3_stmt **statement)
{
    sqlite3_stmt **kept = &session->statements[which];
    if (*kept == NULL) {
        const int rc = sqlite3_prepare_v3(session->db, statement_texts[which], -1,
                                          SQLITE_PREPARE_PERSISTENT, kept, NULL);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    *statement = *kept;
    return SQLITE_OK;
}

int weir_sqlite_run(sqlite3_stmt *statement)
{
    const int rc = sqlite3_step(statement);
    (void)sqlite3_reset(statement);  // repeats the code of the step
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int weir_sqlite_do(struct sqlite_session *session, enum sqlite_statement which)
{
    sqlite3_stmt *statement = NULL;
    const int rc = weir_sqlite_statement(session, which, &statement);
    return rc != SQLITE_OK ? rc : weir_sqlite_run(statement);
}

int weir_sqlite_bind_text(sqlite3_stmt *statement, int at, struct weir_slice text)
{
    if (text.p == NULL) {
        return sqlite3_bind_null(statement, at);
    }
    return sqlite3_bind_text64(statement, at, (const char *)text.p, text.n, SQLITE_STATIC,
                               SQLITE_UTF8);
}

bool weir_sqlite_text(sqlite3_stmt *statement, int column, struct weir_slice *text)
{
    return weir_sqlite_value_text(sqlite3_column_value(statement, column), text);
}

/* ---- failing ---- */

/* Whether a read could not wait longer for another process's lock, because of its deadline. The
 * writes of a commit have deadlines of their own. */
static bool is_read_late(const struct sqlite_session *session, int rc)
{
    return (rc & 0xff) == SQLITE_BUSY && !session->is_committing &&
           weir_monotonic_us() >= session->base.deadline_us;
}

weir_status weir_sqlite_session_fail(struct sqlite_session *session, int rc, const char *what,
                                     struct weir_error *err)
{
    if (is_read_late(session, rc)) {
        return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                         "the deadline passed while another process had the namespace locked");
    }
    const weir_status status = weir_sqlite_fail(err, rc, what);
    const bool is_breaking = weir_sqlite_is_breaking(rc);
    session->base.is_broken = session->base.is_broken || is_breaking;
    if (status == WEIR_BACKEND_ERROR || status == WEIR_DATA_CORRUPT || is_breaking ||
        (rc & 0xff) == SQLITE_FULL) {
        weir_backend_report(&session->backend->base, "%s: %s: %s (%d)", session->name, what,
                            sqlite3_errmsg(session->db), rc);
    }
    return status;
}

weir_status weir_sqlite_session_damaged(const struct sqlite_session *session,
                                        int64_t global_position, struct weir_error *err)
{
    weir_backend_report(&session->backend->base,
                        "%s: the message at global position %lld is damaged", session->name,
                        (long long)global_position);
    return weir_fail_damaged(err, global_position);
}

weir_status weir_sqlite_session_miscounts(const struct sqlite_session *session,
                                          struct weir_error *err)
{
    weir_backend_report(&session->backend->base, "%s: the counters are damaged", session->name);
    return weir_fail(err, WEIR_DATA_CORRUPT, "the namespace's counters are damaged");
}

weir_status weir_sqlite_session_is_deleted(struct sqlite_session *session, struct weir_error *err)
{
    session->base.is_broken = true;
    weir_sqlite_identity_renew(session->backend, session->name, 0);
    return weir_fail(err, WEIR_NAMESPACE_NOT_FOUND, "the namespace has been deleted");
}

weir_status weir_sqlite_session_step_counters(struct sqlite_session *session, int rc,
                                              sqlite3_stmt *statement, const char *what,
                                              struct weir_error *err)
{
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc == SQLITE_DONE) {
        return weir_sqlite_session_is_deleted(session, err);
    }
    return rc == SQLITE_ROW ? WEIR_OK : weir_sqlite_session_fail(session, rc, what, err);
}

/* ---- opening and closing ---- */

/* Ends a read at its deadline, and says that it keeps its thread; under the lock of a database in
 * memory it says nothing. The writes of a commit have deadlines of their own. */
static int on_progress(void *context)
{
    struct sqlite_session *session = context;
    if (session->base.deadline_us == INT64_MAX) {
        return 0;
    }
    const int64_t now_us = weir_monotonic_us();
    if (session->memory == NULL && now_us - session->told_us >= TELL_EVERY_US) {
        session->told_us = now_us;
        weir_backend_waits(&session->backend->base);
    }
    return now_us >= session->base.deadline_us;
}

/* Waits for another process's lock, a little longer each time. */
static int on_busy(void *context, int tries)
{
    struct sqlite_session *session = context;
    const int64_t now_us = weir_monotonic_us();
    if (tries == 0 && !session->is_committing) {  // a commit sets busy_until_us itself
        const int64_t until_us = now_us + WEIR_SQLITE_BUSY_US;
        const int64_t deadline_us = session->base.deadline_us;
        session->busy_until_us = deadline_us < until_us ? deadline_us : until_us;
    }
    const int64_t left_us = session->busy_until_us - now_us;
    if (left_us <= 0) {
        return 0;
    }
    int64_t nap_us = tries < 6 ? INT64_C(100) << tries : BUSY_NAP_MAX_US;
    nap_us = nap_us < left_us ? nap_us : left_us;
    const struct timespec nap = {.tv_nsec = (long)nap_us * 1000};
    (void)nanosleep(&nap, NULL);
    return 1;
}

static int on_wal(void *context, sqlite3 *db, const char *schema, int pages)
{
    (void)db;
    (void)schema;
    struct sqlite_session *session = context;
    session->wal_pages = pages;
    return SQLITE_OK;
}

static void session_close(struct weir_session *base)
{
    struct sqlite_session *session = (struct sqlite_session *)base;
    for (size_t s = 0; s < STATEMENT_COUNT; s++) {
        (void)sqlite3_finalize(session->statements[s]);
    }
    for (size_t s = 0; s < WEIR_SQLITE_SELECTS; s++) {
        (void)sqlite3_finalize(session->selects[s].statement);
    }
    weir_sqlite_group_free(session->group);
    /* The names of a deleted namespace's files may belong to its successor: no checkpoint is made,
     * and SQLite must not remove a WAL by its name. */
    if (atomic_load(&base->is_stale)) {
        (void)sqlite3_db_config(session->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    const int rc = sqlite3_close(session->db);
    assert(rc == SQLITE_OK);
    (void)rc;
    weir_sqlite_identity_leave(session);
    weir_sqlite_cache_give_back(session->backend, session->cache_kib);
    free(session);
    weir_sqlite_alloc_closed();
}

static const struct weir_session_ops session_ops = {
    .close = session_close,
    .commit = weir_sqlite_commit,
    .read = weir_sqlite_read,
    .read_group = weir_read_singly,
    .stream_version = weir_sqlite_stream_version,
    .head = weir_sqlite_head,
    .totals = weir_sqlite_totals,
    .list_streams = weir_sqlite_list_streams,
    .list_categories = weir_sqlite_list_categories,
    .chunks = weir_chunks_unsupported,
};

/* Makes durable what an earlier process has left in the WAL, which a retry and a read are about to
 * find. Where another session is open, that was done before it entered the list. */
static weir_status sync_wal(const struct sqlite_session *session, struct weir_error *err)
{
    struct sqlite_backend *backend = session->backend;
    if (session->memory != NULL || backend->is_durability_normal ||
        weir_sqlite_identity_is_open(backend, session->name)) {
        return WEIR_OK;
    }
    const int rc = weir_sqlite_wal_sync(session->db);
    return rc == SQLITE_OK ? WEIR_OK : weir_sqlite_fail(err, rc, "sync a namespace's WAL");
}

enum obstacle { NO_OBSTACLE, OTHER_FILES, NO_FILE, BAD_FILE };

/* Opens the namespace's files; returns what keeps them from being opened. `err` is set for NO_FILE
 * and BAD_FILE. */
static enum obstacle connect_files(struct sqlite_session *session, struct weir_error *err)
{
    if (!weir_sqlite_identity_may_open(session->backend, session->name)) {
        return OTHER_FILES;
    }
    const struct sqlite_wanted wanted = {session->name, &weir_sqlite_namespace_schema,
                                         session->base.deadline_us};
    enum sqlite_presence presence = WEIR_SQLITE_OURS;
    session->memory = weir_sqlite_memory_find(session->backend, session->name);
    weir_sqlite_memory_begin(session->memory, WEIR_SESSION_READ);
    const weir_status status =
        weir_sqlite_connect(session->backend, &wanted, &session->db, &presence, err);
    weir_sqlite_memory_end(session->memory);
    if (status != WEIR_OK) {
        return presence == WEIR_SQLITE_MISSING ? NO_FILE : BAD_FILE;
    }
    if (sync_wal(session, err) != WEIR_OK) {
        return BAD_FILE;
    }
    return session->memory == NULL && !weir_sqlite_identity_enter(session) ? OTHER_FILES
                                                                           : NO_OBSTACLE;
}

/* Turns an obstacle into the client's error. Names of files go to the operator only. */
static weir_status fail_connect(const struct sqlite_session *session, enum obstacle obstacle,
                                struct weir_error *err)
{
    const struct weir_backend *backend = &session->backend->base;
    switch (obstacle) {
    case NO_OBSTACLE:
        return WEIR_OK;
    case OTHER_FILES:
        weir_backend_report(backend, "%s or its WAL has been replaced while in use", session->name);
        return weir_fail(
            err, WEIR_BACKEND_UNAVAILABLE,
            "the namespace's files have been moved or replaced since they were opened");
    case NO_FILE:
        weir_backend_report(
            backend, "%s: the namespace's file is missing: put it back, or delete the namespace",
            session->name);
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the namespace's storage is missing");
    case BAD_FILE:
        break;
    }
    /* Not reported: another process may have locked the file for a moment that is only longer than
     * a short deadline. A fault of the file is met again. */
    if (err->status == WEIR_BACKEND_UNAVAILABLE &&
        weir_monotonic_us() >= session->base.deadline_us) {
        return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                         "the deadline passed while the namespace was being opened");
    }
    weir_backend_report(backend, "%s", err->text);
    return weir_fail(err, err->status == WEIR_PRECONDITION ? WEIR_BACKEND_UNAVAILABLE : err->status,
                     "the namespace's storage cannot be used");
}

static weir_status connect_session(struct sqlite_session *session, struct weir_slice id,
                                   struct weir_error *err)
{
    struct sqlite_backend *backend = session->backend;
    const int64_t deadline_us = session->base.deadline_us;
    /* So that no session reads from another store that now has the path. */
    if (weir_sqlite_location_check(backend, err) != WEIR_OK) {
        return err->status;
    }
    for (;;) {
        if (weir_sqlite_check_listed(backend, id, deadline_us, &session->created_at_us, err) !=
            WEIR_OK) {
            return err->status;
        }
        const enum obstacle obstacle = connect_files(session, err);
        if (obstacle == NO_OBSTACLE ||
            !weir_sqlite_was_deleted(backend, id, deadline_us, session->created_at_us)) {
            return fail_connect(session, obstacle, err);
        }
        weir_sqlite_close_without_checkpoint(session->db);
        session->db = NULL;
        weir_error_init(err);
    }
}

/* Sets the size of the page cache. If that fails the cache keeps the size that every connection
 * begins with. */
static void size_cache(struct sqlite_session *session)
{
    session->cache_kib = weir_sqlite_cache_take(session->backend);
    if (session->cache_kib < session->backend->cache_kib) {
        char text[64];
        (void)snprintf(text, sizeof text, "PRAGMA cache_size = -%zu", session->cache_kib);
        (void)sqlite3_exec(session->db, text, NULL, NULL, NULL);
    }
}

/* Returns whether the process has fewer file descriptors left than a session needs. */
static bool lacks_files(const struct sqlite_backend *backend)
{
    int files[FILES_OF_SESSION];
    size_t n = 0;
    while (n < FILES_OF_SESSION &&
           (files[n] = open(backend->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
        n++;
    }
    const bool is_short = n < FILES_OF_SESSION && (errno == EMFILE || errno == ENFILE);
    for (size_t i = 0; i < n; i++) {
        (void)close(files[i]);
    }
    return is_short;
}

weir_status weir_sqlite_session_open(struct weir_backend *base, struct weir_slice id,
                                     int64_t deadline_us, struct weir_session **session,
                                     bool *is_short_of_files, struct weir_error *err)
{
    struct sqlite_session *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    opened->base.ops = &session_ops;
    opened->base.deadline_us = deadline_us;
    weir_link_init(&opened->open);
    opened->backend = (struct sqlite_backend *)base;
    weir_sqlite_database_name(id, opened->name);
    const weir_status status = connect_session(opened, id, err);
    if (status != WEIR_OK) {
        (void)sqlite3_close(opened->db);
        *is_short_of_files = status == WEIR_BACKEND_UNAVAILABLE && opened->backend->dir != NULL &&
                             lacks_files(opened->backend);
        free(opened);
        return status;
    }
    size_cache(opened);
    const int rc = weir_sqlite_read_prepare(opened);
    if (rc != SQLITE_OK) {
        session_close(&opened->base);
        return weir_sqlite_fail(err, rc, "open a database");
    }
    (void)sqlite3_busy_handler(opened->db, on_busy, opened);
    sqlite3_progress_handler(opened->db, PROGRESS_STEPS, on_progress, opened);
    (void)sqlite3_wal_hook(opened->db, on_wal, opened);
    *session = &opened->base;
    return WEIR_OK;
}
