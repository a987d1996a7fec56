/* The transaction of a group. */
#include "store/sqlite/sqlite_write.h"

#include "store/append_rules.h"

#include "weir/rules/time_text.h"

enum {
    WAIT_MAX_US = 300,         // more writes are not waited for longer than this
    BUSY_TURN_US = 100 * 1000  // while another process has the lock, who is late is told so often
};

/* ---- which writes of the group are still to be done ---- */

static bool is_open(const struct weir_write *write)
{
    return write->err->status == WEIR_OK;
}

static bool is_any_open(const struct weir_write *group)
{
    while (group != NULL && !is_open(group)) {
        group = group->next;
    }
    return group != NULL;
}

static bool refuse_if_late(struct weir_write *write, int64_t now_us)
{
    if (write->deadline_us > now_us) {
        return false;
    }
    weir_fail_not_started(write->err);
    return true;
}

static void refuse_late(struct weir_write *group)
{
    const int64_t now_us = weir_monotonic_us();
    for (; group != NULL; group = group->next) {
        if (is_open(group)) {
            (void)refuse_if_late(group, now_us);
        }
    }
}

/* What a write of the group was told is void when the group is not committed: a refusal or a
 * duplicate may rest on another write of the group. */
static void fail_group(struct weir_write *group, const struct weir_error *err)
{
    for (; group != NULL; group = group->next) {
        if (group->err->status != WEIR_DEADLINE_EXCEEDED) {
            weir_error_copy(group->err, err);
        }
    }
}

/* ---- the transaction ---- */

/* Tells those of the group, and of the queue behind it, whose deadline has passed. They leave: each
 * belongs to its client again. Not under the lock of a database in memory, which is never busy. */
static void tell_late(struct sqlite_session *session, struct weir_write **group)
{
    if (session->memory != NULL) {
        return;
    }
    while (*group != NULL) {
        struct weir_write *write = *group;
        if (is_open(write)) {
            group = &write->next;
            continue;
        }
        *group = write->next;
        write->next = NULL;
        weir_group_finish(write);
    }
    weir_backend_waits(&session->backend->base);
}

static int64_t end_of_turn(const struct weir_write *group, int64_t until_us)
{
    const int64_t earliest_us = weir_group_deadline(group);
    const int64_t turn_us = weir_monotonic_us() + BUSY_TURN_US;
    const int64_t most_us = turn_us < until_us ? turn_us : until_us;
    return earliest_us < most_us ? earliest_us : most_us;
}

/* Waits for the write lock no longer than each write may. SQLITE_BUSY where it is not got. */
static int begin(struct sqlite_session *session, struct weir_write **group)
{
    const int64_t until_us = weir_monotonic_us() + WEIR_SQLITE_BUSY_US;
    int rc = SQLITE_BUSY;
    refuse_late(*group);
    while (is_any_open(*group)) {
        session->busy_until_us = end_of_turn(*group, until_us);
        rc = weir_sqlite_do(session, STATEMENT_BEGIN);
        refuse_late(*group);
        if ((rc & 0xff) != SQLITE_BUSY) {
            break;
        }
        tell_late(session, group);
        if (weir_monotonic_us() >= until_us) {
            break;
        }
    }
    return rc;
}

static int apply(struct sqlite_session *session, struct weir_write *write)
{
    switch (write->kind) {
    case WEIR_WRITE_APPEND:
        return weir_sqlite_append(session, write);
    case WEIR_WRITE_IMPORT:
        return weir_sqlite_import(session, write);
    case WEIR_WRITE_CLEAR:
        return weir_sqlite_clear(session, write);
    }
    return SQLITE_MISUSE;
}

/* Those who wait meanwhile lose no more than they would by one commit more. */
static int64_t wait_us(const struct sqlite_session *session)
{
    return session->commit_us < WAIT_MAX_US ? session->commit_us : WAIT_MAX_US;
}

/* What is queued while the group is applied joins it: to wait for the next commit would cost a sync
 * more. */
static struct weir_write *next_of(const struct sqlite_session *session, struct weir_write *write)
{
    return write->next != NULL ? write->next : weir_group_join(write, wait_us(session));
}

static int apply_group(struct sqlite_session *session, struct weir_write *group)
{
    int rc = SQLITE_OK;
    struct weir_write *w = group;
    while (rc == SQLITE_OK && w != NULL) {
        if (is_open(w) && !refuse_if_late(w, weir_monotonic_us())) {
            rc = apply(session, w);
        }
        w = rc == SQLITE_OK ? next_of(session, w) : NULL;
    }
    return rc != SQLITE_OK ? rc : weir_sqlite_group_flush(session);
}

static int commit_applied(struct sqlite_session *session)
{
    const int64_t from_us = weir_monotonic_us();
    const int rc = weir_sqlite_do(session, STATEMENT_COMMIT);
    if (session->memory == NULL) {
        session->commit_us = weir_monotonic_us() - from_us;
    }
    return rc;
}

/* Ends a transaction that has failed. Where even that fails, or where the failure was one of the
 * disk, nobody may go on with this connection: what it holds of the file may not be what is there.
 */
static void roll_back(struct sqlite_session *session)
{
    if (sqlite3_get_autocommit(session->db) == 0 &&
        sqlite3_exec(session->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK) {
        session->base.is_broken = true;
    }
}

static void checkpoint_now(struct sqlite_session *session, int mode)
{
    (void)weir_sqlite_checkpoint(session->backend, session->name, session->db, mode, NULL);
}

/* The last bit of a checkpoint, so that the next write begins the WAL anew. Before a group and not
 * after one: nobody who is about to be answered waits for it. */
static void end_checkpoint(struct sqlite_session *session)
{
    if (weir_sqlite_checkpointer_take(session->backend->checkpointer, session->name)) {
        checkpoint_now(session, SQLITE_CHECKPOINT_PASSIVE);
    }
}

/* Asks for a checkpoint each time the WAL has grown by so much. Where readers that stay keep it
 * from beginning anew, the writer waits a little for those of the moment in the end, so that the
 * WAL stays bounded. */
static void begin_checkpoint(struct sqlite_session *session)
{
    if (session->wal_pages < session->wal_asked) {
        session->wal_asked = 0;  // the WAL has begun anew
    }
    if (session->wal_pages - session->wal_asked < WEIR_SQLITE_CHECKPOINT_PAGES) {
        return;
    }
    session->wal_asked = session->wal_pages;
    if (session->wal_pages < WEIR_SQLITE_WAL_PAGES_MAX) {
        weir_sqlite_checkpointer_ask(session->backend->checkpointer, session->name);
        return;
    }
    session->busy_until_us = weir_monotonic_us() + WEIR_SQLITE_READERS_WAIT_US;
    checkpoint_now(session, SQLITE_CHECKPOINT_RESTART);
}

static void commit_locked(struct sqlite_session *session, struct weir_write **first)
{
    struct weir_error err;
    weir_error_init(&err);
    bool is_there = false;
    int rc = begin(session, first);
    struct weir_write *group = *first;
    if (!is_any_open(group)) {
        roll_back(session);
        return;
    }
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_group_begin(session, &is_there);
    }
    if (rc == SQLITE_OK && !is_there) {
        (void)weir_sqlite_session_is_deleted(session, &err);
    } else if (rc == SQLITE_OK) {
        rc = apply_group(session, group);
        rc = rc != SQLITE_OK ? rc : commit_applied(session);
        if (rc == SQLITE_OK && session->memory == NULL) {
            (void)weir_sqlite_identity_check(session, &err);
        }
    }
    if (rc != SQLITE_OK) {
        (void)weir_sqlite_session_fail(session, rc, "write", &err);
    }
    if (err.status != WEIR_OK) {
        roll_back(session);
        fail_group(group, &err);
    }
}

/* What a commit needs: the memory of a group, and a store that others will find. */
static weir_status prepare(struct sqlite_session *session, struct weir_error *err)
{
    session->group = session->group != NULL ? session->group : weir_sqlite_group_new();
    if (session->group == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    const weir_status status = weir_sqlite_location_check(session->backend, err);
    return status == WEIR_OK && session->is_nameless ? weir_sqlite_identity_check(session, err)
                                                     : status;
}

void weir_sqlite_commit(struct weir_session *base, struct weir_write **group)
{
    struct sqlite_session *session = (struct sqlite_session *)base;
    struct weir_error err;
    weir_error_init(&err);
    if (prepare(session, &err) != WEIR_OK) {
        fail_group(*group, &err);
        return;
    }
    session->is_committing = true;
    if (session->memory == NULL) {
        end_checkpoint(session);
    }
    weir_sqlite_memory_begin(session->memory, WEIR_SESSION_WRITE);
    commit_locked(session, group);
    weir_sqlite_memory_end(session->memory);
    if (session->memory == NULL && !session->base.is_broken && !session->is_nameless) {
        begin_checkpoint(session);
    }
    session->is_committing = false;
}
