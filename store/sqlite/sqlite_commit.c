/* The commit of a group of writes in one transaction, on the thread that leads the namespace's
 * lane.
 *
 * Order of a commit: finish a checkpoint that has little left, wait for the write lock, apply write
 * after write (a refused one leaves no trace; writes that are queued meanwhile join), COMMIT, check
 * that the files still have their names, ask for a checkpoint if the WAL has grown. If the
 * transaction fails, all writes of the group fail with it. */
#include "store/sqlite/sqlite_write.h"

#include "store/append_rules.h"
#include "store/sqlite/sqlite_checkpoint.h"
#include "store/sqlite/sqlite_identity.h"
#include "store/sqlite/sqlite_location.h"
#include "store/sqlite/sqlite_memory.h"

#include "weir/base/monotonic.h"

enum {
    WAIT_MAX_US = 300,          // longest wait for more writes to join a group
    BUSY_TURN_US = 100 * 1000,  // interval of ending late writes while another process has the lock
    BUSY_TOLD_US = 2 * 1000 * 1000,  // wait for the lock after which the operator is told
    ASK_AGAIN_US = 5 * 1000 * 1000   // interval of checkpoints of a WAL that stays long
};

/* ---- writes of the group that are not decided yet ---- */

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

/* Fails all writes of a group that is not committed. Their outcomes so far are void, because a
 * refusal or a duplicate may depend on another write of the group; only a passed deadline
 * stands. */
static void fail_group(struct weir_write *group, const struct weir_error *err)
{
    for (; group != NULL; group = group->next) {
        if (group->err->status != WEIR_DEADLINE_EXCEEDED) {
            weir_error_copy(group->err, err);
        }
    }
}

/* ---- the transaction ---- */

/* Finishes the writes of the group, and of the queue behind it, whose deadline has passed, and
 * takes them off: each belongs to its submitter again. Does nothing under the lock of a database in
 * memory, which is never busy. */
static void finish_late(struct sqlite_session *session, struct weir_write **group)
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

/* Tells the operator, once, when writes have waited for another process for long. Deadlines may end
 * group after group before a wait is so long, and their calls are not reported. */
static void note_lock(struct sqlite_session *session)
{
    const int64_t now_us = weir_monotonic_us();
    if (now_us - session->busy_at_us > BUSY_TOLD_US) {
        session->busy_since_us = now_us;  // nothing is known of the time before
    }
    session->busy_at_us = now_us;
    if (!session->is_lock_told && now_us - session->busy_since_us >= BUSY_TOLD_US) {
        session->is_lock_told = true;
        weir_backend_report(&session->backend->base,
                            "%s takes no writes: another process has locked it for long; end that "
                            "process or its transaction",
                            session->name);
    }
}

static void note_no_lock(struct sqlite_session *session)
{
    session->busy_at_us = 0;
    if (session->is_lock_told) {
        session->is_lock_told = false;
        weir_backend_report(&session->backend->base, "%s takes writes again", session->name);
    }
}

/* Begins the transaction. No write waits for the write lock beyond its deadline. SQLITE_BUSY if
 * another process holds the lock for too long. */
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
            note_no_lock(session);
            break;
        }
        note_lock(session);
        finish_late(session, group);
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

/* Returns how long to wait for more writes: at most as long as the last commit took, so that the
 * waiting writes lose no more than one further commit would cost them. */
static int64_t wait_us(const struct sqlite_session *session)
{
    return session->commit_us < WAIT_MAX_US ? session->commit_us : WAIT_MAX_US;
}

/* Returns the next write to apply. Writes that are queued while the group is applied join it: a
 * commit of their own would cost one more sync. */
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

/* Ends a transaction that has failed. If the rollback fails too, the session must not be used any
 * more: its page cache may differ from the file. After a failure of the disk
 * weir_sqlite_session_fail has marked the session already. */
static void roll_back(struct sqlite_session *session)
{
    if (sqlite3_get_autocommit(session->db) == 0 &&
        sqlite3_exec(session->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK) {
        session->base.is_broken = true;
    }
}

static int checkpoint_now(struct sqlite_session *session, int mode)
{
    return weir_sqlite_checkpoint(session->backend, session->name, session->db, mode, NULL);
}

/* Moves the last pages of a checkpoint, so that the next write begins the WAL anew. Called before a
 * group rather than after one, so that no write that is already committed waits for it. */
static void end_checkpoint(struct sqlite_session *session)
{
    struct sqlite_checkpointer *checkpointer = session->backend->checkpointer;
    if (session->wal_pages >= WEIR_SQLITE_WAL_PAGES_MAX) {
        weir_sqlite_checkpointer_let_work(checkpointer, session->name);
    }
    if (weir_sqlite_checkpointer_take(checkpointer, session->name)) {
        (void)checkpoint_now(session, SQLITE_CHECKPOINT_PASSIVE);
    }
}

/* Returns whether the WAL has grown by WEIR_SQLITE_CHECKPOINT_PAGES since a checkpoint was last
 * asked for. */
static bool has_grown(struct sqlite_session *session)
{
    if (session->wal_pages < session->wal_asked) {
        session->wal_asked = 0;  // the WAL has begun anew
    }
    if (session->wal_pages - session->wal_asked < WEIR_SQLITE_CHECKPOINT_PAGES) {
        return false;
    }
    session->wal_asked = session->wal_pages;
    return true;
}

/* Asks for a checkpoint each time the WAL has grown, and now and then while it stays long, because
 * the reader that kept the last checkpoint from moving it may have ended. If short readers, one
 * after the other, keep the WAL from beginning anew until it has WEIR_SQLITE_WAL_PAGES_MAX, the
 * writer itself waits a little for them and makes the checkpoint, so that the WAL stays bounded. */
static void begin_checkpoint(struct sqlite_session *session)
{
    struct sqlite_checkpointer *checkpointer = session->backend->checkpointer;
    if (session->wal_pages < WEIR_SQLITE_CHECKPOINT_PAGES) {
        return;
    }
    const int64_t now_us = weir_monotonic_us();
    const bool is_due = has_grown(session);
    if (!is_due && now_us - session->asked_at_us < ASK_AGAIN_US) {
        return;
    }
    session->asked_at_us = now_us;
    if (!is_due || session->wal_pages < WEIR_SQLITE_WAL_PAGES_MAX ||
        weir_sqlite_checkpointer_is_held(checkpointer, session->name)) {
        weir_sqlite_checkpointer_ask(checkpointer, session->name);
        return;
    }
    session->busy_until_us = now_us + WEIR_SQLITE_READERS_WAIT_US;
    if (checkpoint_now(session, SQLITE_CHECKPOINT_RESTART) != SQLITE_OK) {
        weir_sqlite_checkpointer_ask(checkpointer, session->name);  // finds out how long they stay
    }
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

/* Prepares a commit: allocates the group's memory, and refuses the commit if the store is not where
 * it was opened or a file of the session has lost its name. */
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
