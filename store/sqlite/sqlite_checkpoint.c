/* Checkpoints: moving pages from the WAL into the database file, on the thread of a checkpointer,
 * so that no write waits for it.
 *
 * A WAL can begin anew only once all of it has been moved, which a thread beside a writer that
 * never pauses does not achieve. So the checkpointer passes over the WAL repeatedly as long as that
 * pays, and leaves the last few pages to the writer. It matters that the WAL begins anew: a write
 * over blocks that a file has is synced in half the time of one that lengthens the file.
 *
 * A request waits in `requests`, is `under_way` while the checkpointer works on it, and then stands
 * in `ended` until the writer takes it; it is dropped if the checkpoint has failed or has left more
 * than a few pages. A database has at most one request in each of the three.
 *
 * A database whose WAL readers keep from being moved stands in `held` as well. Where no more can be
 * moved for longer than the writer would wait, that is one long reader. The WAL grows for as long,
 * and the writer leaves all of it to the checkpointer, also when the reader has ended: moving
 * hundreds of MiB takes seconds, for which no write should wait. Short readers that overlap leave
 * as much behind, but the writer can wait for them. */
#include "store/sqlite/sqlite_checkpoint.h"

#include "store/sqlite/sqlite_connect.h"
#include "store/sqlite/sqlite_identity.h"
#include "store/sqlite/sqlite_pacing.h"
#include "store/sqlite/sqlite_wal_index.h"

#include "weir/base/monotonic.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PASSES_MAX = 8,
    LET_WORK_US = 100 * 1000,
    FEW_PAGES = 200,  // pages that a writer moves in about the time of a commit
    /* A pass that leaves fewer was kept from moving them by a short read. */
    MANY_PAGES = WEIR_SQLITE_CHECKPOINT_PAGES / 2
};

struct request {
    struct request *next;
    /* In `held` only: */
    int moved;         // pages that were moved after the last pass
    int64_t since_us;  // the first time that no more were, monotonic
    int64_t seen_us;   // the last time
    int told;          // length of the WAL that the operator was told of; 0: none
    char name[WEIR_SQLITE_NAME_BYTES];
};

struct sqlite_checkpointer {
    struct sqlite_backend *backend;
    pthread_t thread;
    pthread_mutex_t mutex;      // guards the fields below; a leaf of the lock order
    pthread_cond_t changed;     // a request has come or ended, or is_stopping was set
    struct request *requests;   // oldest first
    struct request *under_way;  // NULL if none
    struct request *ended;
    struct request *held;
    atomic_size_t ended_n;  // length of `ended`, read without the mutex
    bool is_stopping;
};

static void report_failure(struct sqlite_backend *backend, const char *name, const char *why)
{
    weir_backend_report(&backend->base, "%s: the checkpoint failed: %s", name, why);
}

/* Handles a checkpoint that the disk has failed: pages that it has not taken may pass for written
 * at the next sync, so the WAL's pages are declared unmoved. */
static void fail_checkpoint(struct sqlite_backend *backend, const char *name, sqlite3 *db,
                            const char *why)
{
    report_failure(backend, name, why);
    if (!weir_sqlite_declare_unmoved(db)) {
        weir_backend_report(&backend->base,
                            "%s: what was moved out of the WAL may not be on the disk: stop all "
                            "servers that use the store, and start them again",
                            name);
    }
}

/* A connection that reads during a checkpoint, to work around a bug of SQLite before 3.51.3: its
 * checkpoint reads the WAL's length first and then how much of it is moved. If a writer begins the
 * WAL anew in between, the length is that of the old WAL; as many pages of the new WAL pass for
 * moved and never reach the database.
 *
 * The WAL does not begin anew while a connection reads from it. If this connection finds all pages
 * moved it reads from the database alone; the WAL may begin anew then, but the checkpoint moves
 * nothing, because a reader uses the pages that it would overwrite. */
struct reader {
    sqlite3 *db;
    sqlite3_stmt *statement;  // on its first row
};

static int begin_reading(const struct sqlite_backend *backend, const char *path,
                         struct reader *reader)
{
    int rc = weir_sqlite_open(backend, path, SQLITE_OPEN_READWRITE, weir_sqlite_busy_ms(INT64_MAX),
                              &reader->db);
    if (rc == SQLITE_OK) {
        rc = sqlite3_prepare_v2(reader->db, "SELECT 1 FROM sqlite_schema", -1, &reader->statement,
                                NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(reader->statement);
    }
    return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

static void end_reading(struct reader *reader)
{
    (void)sqlite3_finalize(reader->statement);
    weir_sqlite_close_without_checkpoint(reader->db);
}

static bool has_failed(int rc)
{
    return rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY;
}

static int checkpoint_in_mode(struct sqlite_backend *backend, const char *name, sqlite3 *db,
                              int mode, struct sqlite_progress *progress)
{
    const int rc = sqlite3_wal_checkpoint_v2(db, NULL, mode, &progress->pages, &progress->moved);
    if (has_failed(rc)) {
        fail_checkpoint(backend, name, db, sqlite3_errstr(rc));
    }
    return rc;
}

/* If the reader cannot begin, nothing has been moved and the disk has lost nothing, so the failure
 * is only reported. */
static int checkpoint_beside_reader(struct sqlite_backend *backend, const char *name, sqlite3 *db,
                                    struct sqlite_progress *progress)
{
    struct reader reader = {.db = NULL};
    int rc = begin_reading(backend, sqlite3_db_filename(db, "main"), &reader);
    if (rc == SQLITE_OK) {
        rc = checkpoint_in_mode(backend, name, db, SQLITE_CHECKPOINT_PASSIVE, progress);
    } else if (has_failed(rc)) {
        report_failure(backend, name, sqlite3_errstr(rc));
    }
    end_reading(&reader);
    return rc;
}

/* Only the passive mode needs the reader: the other modes lock writers out, if they can, before
 * they read the WAL's state. */
int weir_sqlite_checkpoint(struct sqlite_backend *backend, const char *name, sqlite3 *db, int mode,
                           struct sqlite_progress *progress)
{
    struct sqlite_progress now = {.moved = 0};
    const int rc = mode == SQLITE_CHECKPOINT_PASSIVE
                       ? checkpoint_beside_reader(backend, name, db, &now)
                       : checkpoint_in_mode(backend, name, db, mode, &now);
    if (progress != NULL) {
        *progress = now;
    }
    return rc;
}

/* Brings the last piece of a pass to the disk. SQLite syncs the database only if nothing has been
 * added to the WAL meanwhile; otherwise a failure would be reported to the writer's sync. */
static bool flush_last_piece(struct sqlite_backend *backend, const char *name, sqlite3 *db)
{
    const bool is_out = weir_sqlite_pace_out();
    if (!is_out) {
        fail_checkpoint(backend, name, db, strerror(errno));
    }
    return is_out;
}

static bool pass(struct sqlite_backend *backend, const char *name, sqlite3 *db,
                 struct sqlite_progress *progress)
{
    const int rc = weir_sqlite_checkpoint(backend, name, db, SQLITE_CHECKPOINT_PASSIVE, progress);
    return rc == SQLITE_OK && flush_last_piece(backend, name, db);
}

static bool is_little_left(const struct sqlite_progress *progress)
{
    return progress->pages - progress->moved <= FEW_PAGES;
}

/* Returns the link to the request for a database in a list, or the link at the end of the list. */
static struct request **find_link(struct request **at, const char *name)
{
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

/* Takes the request for a database off a list; NULL if there is none. The caller frees it. */
static struct request *take_from(struct request **list, const char *name)
{
    struct request **at = find_link(list, name);
    struct request *taken = *at;
    if (taken != NULL) {
        *at = taken->next;
    }
    return taken;
}

/* ---- databases whose WAL is held ---- */

static bool is_much_left(const struct sqlite_progress *progress)
{
    return progress->pages - progress->moved > MANY_PAGES;
}

static bool is_long(const struct request *held)
{
    return held->seen_us - held->since_us >= WEIR_SQLITE_READERS_WAIT_US;
}

static bool is_held_locked(struct sqlite_checkpointer *checkpointer, const char *name)
{
    const struct request *held = *find_link(&checkpointer->held, name);
    return held != NULL && is_long(held);
}

/* Returns the entry in `held`, NULL if there is no memory for one. */
static struct request *hold_locked(struct sqlite_checkpointer *checkpointer, const char *name)
{
    struct request **at = find_link(&checkpointer->held, name);
    if (*at == NULL && (*at = calloc(1, sizeof **at)) != NULL) {
        (void)snprintf((*at)->name, sizeof(*at)->name, "%s", name);
        (*at)->moved = -1;
    }
    return *at;
}

/* Returns the length of the WAL that the operator is to be told of, or 0: each time that it has
 * doubled, from the length that it does not have without a long reader. */
static int note_held(struct request *held, const struct sqlite_progress *progress)
{
    held->seen_us = weir_monotonic_us();
    if (progress->moved != held->moved) {
        held->moved = progress->moved;
        held->since_us = held->seen_us;
    }
    const int least = held->told == 0 ? WEIR_SQLITE_WAL_PAGES_MAX : 2 * held->told;
    if (!is_long(held) || progress->pages < least) {
        return 0;
    }
    held->told = progress->pages;
    return progress->pages;
}

/* Notes whether the WAL is held, by how far a pass has come. */
static void note_reader(struct sqlite_checkpointer *checkpointer, const char *name,
                        const struct sqlite_progress *progress)
{
    int pages = 0;
    struct request *released = NULL;
    (void)pthread_mutex_lock(&checkpointer->mutex);
    if (is_much_left(progress)) {
        struct request *held = hold_locked(checkpointer, name);
        pages = held != NULL ? note_held(held, progress) : 0;
    } else {
        released = take_from(&checkpointer->held, name);
    }
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    if (pages > 0) {
        weir_backend_report(&checkpointer->backend->base,
                            "%s-wal has grown to %d MiB, because something has been reading the "
                            "file for long, such as a backup or a shell with an open transaction: "
                            "it grows with every write until that ends",
                            name, pages / 256);
    } else if (released != NULL && released->told > 0) {
        weir_backend_report(&checkpointer->backend->base,
                            "%s-wal is no longer held by a reader, and begins anew", name);
    }
    free(released);
}

bool weir_sqlite_checkpointer_is_held(struct sqlite_checkpointer *checkpointer, const char *name)
{
    (void)pthread_mutex_lock(&checkpointer->mutex);
    const bool is_held = is_held_locked(checkpointer, name);
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    return is_held;
}

/* Makes passes over the WAL; returns whether all but little of it has been moved.
 *
 * A writer that has just committed still reads from the frame before for a moment, and the frames
 * behind that stay for the next pass; a long reader keeps every pass from moving more.
 *
 * The WAL grows while a pass waits for the disk, so the last pass does not wait: its pages are on
 * their way to the disk when the writer, which waits for them, moves the rest. */
static bool make_passes(struct sqlite_backend *backend, const char *name, sqlite3 *db)
{
    struct sqlite_progress progress = {.moved = 0};
    for (int n = 0; n < PASSES_MAX; n++) {
        const int before = progress.moved;
        if (!pass(backend, name, db, &progress)) {
            return false;
        }
        note_reader(backend->checkpointer, name, &progress);
        if (progress.moved - before <= FEW_PAGES) {
            break;
        }
    }
    if (!is_little_left(&progress)) {
        return false;
    }
    weir_sqlite_pace_waits(false);
    const bool is_moved = pass(backend, name, db, &progress);
    weir_sqlite_pace_waits(true);
    return is_moved && is_little_left(&progress);
}

static bool checkpoint(struct sqlite_backend *backend, const char *name)
{
    sqlite3 *db = NULL;
    struct weir_error err;
    weir_error_init(&err);
    const struct sqlite_wanted wanted = {name, &weir_sqlite_namespace_schema, INT64_MAX};
    enum sqlite_presence presence = WEIR_SQLITE_OURS;
    if (!weir_sqlite_identity_may_open(backend, name)) {
        return false;
    }
    if (weir_sqlite_connect(backend, &wanted, &db, &presence, &err) != WEIR_OK) {
        if (presence != WEIR_SQLITE_MISSING) {
            report_failure(backend, name, err.text);
        }
        return false;
    }
    weir_sqlite_pace_begin();
    const bool is_done = make_passes(backend, name, db);
    weir_sqlite_pace_end();
    (void)sqlite3_close(db);
    return is_done;
}

/* ---- requests ---- */

static struct request *take_ended_locked(struct sqlite_checkpointer *checkpointer, const char *name)
{
    struct request *ended = take_from(&checkpointer->ended, name);
    if (ended != NULL) {
        atomic_fetch_sub_explicit(&checkpointer->ended_n, 1, memory_order_relaxed);
    }
    return ended;
}

/* Ends the request under way. Returns it, to be freed, unless it is kept for the writer. */
static struct request *end_locked(struct sqlite_checkpointer *checkpointer, bool is_done)
{
    struct request *request = checkpointer->under_way;
    checkpointer->under_way = NULL;
    struct request **at = find_link(&checkpointer->ended, request->name);
    if (!is_done || *at != NULL) {
        return request;
    }
    request->next = NULL;
    *at = request;
    atomic_fetch_add_explicit(&checkpointer->ended_n, 1, memory_order_relaxed);
    return NULL;
}

static struct request *wait_for_request(struct sqlite_checkpointer *checkpointer)
{
    (void)pthread_mutex_lock(&checkpointer->mutex);
    while (checkpointer->requests == NULL && !checkpointer->is_stopping) {
        (void)pthread_cond_wait(&checkpointer->changed, &checkpointer->mutex);
    }
    struct request *request = checkpointer->is_stopping ? NULL : checkpointer->requests;
    if (request != NULL) {
        checkpointer->requests = request->next;
        checkpointer->under_way = request;
    }
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    return request;
}

static void *run(void *context)
{
    struct sqlite_checkpointer *checkpointer = context;
    struct request *request = NULL;
    while ((request = wait_for_request(checkpointer)) != NULL) {
        const bool is_done = checkpoint(checkpointer->backend, request->name);
        (void)pthread_mutex_lock(&checkpointer->mutex);
        request = end_locked(checkpointer, is_done);
        (void)pthread_cond_broadcast(&checkpointer->changed);
        (void)pthread_mutex_unlock(&checkpointer->mutex);
        free(request);
    }
    return NULL;
}

struct sqlite_checkpointer *weir_sqlite_checkpointer_start(struct sqlite_backend *backend)
{
    struct sqlite_checkpointer *checkpointer = calloc(1, sizeof *checkpointer);
    if (checkpointer == NULL) {
        return NULL;
    }
    checkpointer->backend = backend;
    (void)pthread_mutex_init(&checkpointer->mutex, NULL);
    weir_cond_init(&checkpointer->changed);
    if (pthread_create(&checkpointer->thread, NULL, run, checkpointer) != 0) {
        (void)pthread_cond_destroy(&checkpointer->changed);
        (void)pthread_mutex_destroy(&checkpointer->mutex);
        free(checkpointer);
        return NULL;
    }
    return checkpointer;
}

static void free_all(struct request *list)
{
    while (list != NULL) {
        struct request *next = list->next;
        free(list);
        list = next;
    }
}

void weir_sqlite_checkpointer_stop(struct sqlite_checkpointer *checkpointer)
{
    if (checkpointer == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&checkpointer->mutex);
    checkpointer->is_stopping = true;
    (void)pthread_cond_broadcast(&checkpointer->changed);
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    (void)pthread_join(checkpointer->thread, NULL);
    free_all(checkpointer->requests);
    free_all(checkpointer->ended);
    free_all(checkpointer->held);
    (void)pthread_cond_destroy(&checkpointer->changed);
    (void)pthread_mutex_destroy(&checkpointer->mutex);
    free(checkpointer);
}

/* Without memory nothing happens; the writer asks again when the WAL has grown further. */
void weir_sqlite_checkpointer_ask(struct sqlite_checkpointer *checkpointer, const char *name)
{
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL) {
        return;
    }
    (void)snprintf(request->name, sizeof request->name, "%s", name);
    (void)pthread_mutex_lock(&checkpointer->mutex);
    struct request **at = find_link(&checkpointer->requests, name);
    if (*at == NULL) {
        *at = request;
        request = NULL;
        (void)pthread_cond_broadcast(&checkpointer->changed);
    }
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    free(request);
}

static bool is_under_way_locked(const struct sqlite_checkpointer *checkpointer, const char *name)
{
    return checkpointer->under_way != NULL && strcmp(checkpointer->under_way->name, name) == 0;
}

static bool is_pending_locked(struct sqlite_checkpointer *checkpointer, const char *name)
{
    return is_under_way_locked(checkpointer, name) ||
           *find_link(&checkpointer->requests, name) != NULL;
}

void weir_sqlite_checkpointer_let_work(struct sqlite_checkpointer *checkpointer, const char *name)
{
    const int64_t until_us = weir_monotonic_us() + LET_WORK_US;
    (void)pthread_mutex_lock(&checkpointer->mutex);
    while (is_pending_locked(checkpointer, name) && !is_held_locked(checkpointer, name) &&
           weir_cond_wait_until(&checkpointer->changed, &checkpointer->mutex, until_us)) {
    }
    (void)pthread_mutex_unlock(&checkpointer->mutex);
}

bool weir_sqlite_checkpointer_take(struct sqlite_checkpointer *checkpointer, const char *name)
{
    if (atomic_load_explicit(&checkpointer->ended_n, memory_order_relaxed) == 0) {
        return false;
    }
    (void)pthread_mutex_lock(&checkpointer->mutex);
    struct request *ended = take_ended_locked(checkpointer, name);
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    const bool is_ended = ended != NULL;
    free(ended);
    return is_ended;
}

bool weir_sqlite_checkpointer_forget(struct sqlite_checkpointer *checkpointer, const char *name,
                                     int64_t deadline_us)
{
    if (checkpointer == NULL) {
        return true;
    }
    bool is_in_time = true;
    (void)pthread_mutex_lock(&checkpointer->mutex);
    free(take_from(&checkpointer->requests, name));
    while (is_under_way_locked(checkpointer, name) && is_in_time) {
        is_in_time =
            weir_cond_wait_until(&checkpointer->changed, &checkpointer->mutex, deadline_us);
    }
    const bool is_idle = !is_under_way_locked(checkpointer, name);
    if (is_idle) {
        free(take_ended_locked(checkpointer, name));
        free(take_from(&checkpointer->held, name));
    }
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    return is_idle;
}
