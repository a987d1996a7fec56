/* Commits a group of writes, run by run, and decides what to do when a transaction fails.
 *
 * Appends that follow each other are one run: one call and one commit. No client is told anything
 * before the outcome of its write is known. If a connection breaks, the transaction may or may not
 * have been committed, and the run is sent again on another connection. Ids make that safe:
 * messages that are stored already are recognised and acknowledged with their original positions,
 * and the others are written. If one write may be the reason that a transaction fails, each write
 * is sent alone. */
#include "store/postgres/pg_write.h"

#include "store/append_rules.h"

#include "weir/base/monotonic.h"
#include "weir/base/table_hash.h"

#include <time.h>

enum {
    COMMIT_MAX_US = 30 * 1000 * 1000,  // for writes without a deadline
    PAUSE_MIN_US = 10 * 1000,          // between attempts to reach the database again
    PAUSE_MAX_US = 500 * 1000
};

/* ---- open writes ---- */

static size_t count_open(const struct pg_run *run)
{
    size_t n = 0;
    for (const struct weir_write *w = *run->first; w != run->end; w = w->next) {
        n += weir_pg_is_open(w);
    }
    return n;
}

/* Ends the writes whose deadline has passed, so that none waits for another's. They leave the
 * group, because a write that is done belongs to its client again. */
static void end_expired(struct pg_run *run)
{
    const int64_t now_us = weir_monotonic_us();
    for (struct weir_write **at = run->first; *at != run->end;) {
        struct weir_write *w = *at;
        if (!weir_pg_is_open(w) || w->deadline_us > now_us) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = NULL;
        if (run->is_in_doubt) {
            (void)weir_fail(w->err, WEIR_DEADLINE_EXCEEDED,
                            "the deadline passed; whether the write was done is not known");
        } else {
            weir_fail_not_started(w->err);
        }
        weir_group_finish(w);
    }
}

static int64_t earliest_deadline(const struct pg_run *run)
{
    int64_t earliest_us = run->until_us;
    for (const struct weir_write *w = *run->first; w != run->end; w = w->next) {
        if (weir_pg_is_open(w) && w->deadline_us < earliest_us) {
            earliest_us = w->deadline_us;
        }
    }
    return earliest_us;
}

static void fail_open(struct pg_run *run, const struct weir_error *err)
{
    for (struct weir_write *w = *run->first; w != run->end; w = w->next) {
        if (weir_pg_is_open(w)) {
            weir_error_copy(w->err, err);
        }
    }
}

/* ---- one attempt ---- */

static weir_status send_run(struct pg_run *run, struct pg_conn *conn, struct weir_error *err)
{
    switch ((*run->first)->kind) {
    case WEIR_WRITE_APPEND:
        return weir_pg_append(run, conn, err);
    case WEIR_WRITE_IMPORT:
        return weir_pg_import(run, conn, err);
    case WEIR_WRITE_CLEAR:
        return weir_pg_clear(run, conn, err);
    }
    return weir_fail(err, WEIR_BACKEND_ERROR, "a write of an unknown kind");
}

static bool is_nothing_done(const struct pg_conn *conn)
{
    /* A standby refuses at once. */
    return strcmp(conn->sqlstate, PG_STATE_READ_ONLY_SQL_TRANSACTION) == 0;
}

/* Makes one attempt. *is_sent: it got so far that the transaction may have been committed. */
static weir_status attempt(struct pg_run *run, enum pg_remedy *remedy, bool *is_sent,
                           struct weir_error *err)
{
    struct pg_session *session = run->session;
    struct pg_conn *conn = NULL;
    *is_sent = false;
    *remedy = PG_REMEDY_NONE;
    weir_status status =
        weir_pg_acquire(session->backend, session->ns.owner, earliest_deadline(run), &conn, err);
    if (status != WEIR_OK) {
        return status;
    }
    /* The writes of a group have different deadlines, and giving up costs all of them the
     * connection. */
    weir_pg_limit_with_grace(conn, earliest_deadline(run), WEIR_PG_GROUP_GRACE_US);
    status = send_run(run, conn, err);
    *remedy = status == WEIR_OK ? PG_REMEDY_NONE : conn->remedy;
    *is_sent = *remedy == PG_REMEDY_RECONNECT && !is_nothing_done(conn);
    weir_pg_release(conn);
    return status;
}

static void pause_before_retry(struct pg_run *run)
{
    const int64_t left_us = earliest_deadline(run) - weir_monotonic_us();
    const int64_t nap_us = run->pause_us < left_us ? run->pause_us : left_us;
    if (nap_us > 0) {
        const struct timespec nap = {.tv_nsec = (long)nap_us * 1000};
        (void)nanosleep(&nap, NULL);
    }
    run->pause_us = run->pause_us * 2 < PAUSE_MAX_US ? run->pause_us * 2 : PAUSE_MAX_US;
}

/* ---- until the outcome is known ---- */

static void commit_run(struct pg_run *run);

/* Returns the link behind the run, even if no write of the run is left in the group. */
static struct weir_write **link_behind(const struct pg_run *run)
{
    struct weir_write **at = run->first;
    while (*at != run->end) {
        at = &(*at)->next;
    }
    return at;
}

/* Sends each write alone, to find the one that makes the transaction impossible. */
static void commit_singly(const struct pg_run *run)
{
    for (struct weir_write **at = run->first; *at != run->end;) {
        const struct weir_write *w = *at;
        struct pg_run single = *run;
        single.first = at;
        single.end = w->next;
        commit_run(&single);
        at = link_behind(&single);
    }
}

/* Whether one of the writes may have caused the failure, rather than the database or a deadline. */
static bool may_be_one_write(enum pg_remedy remedy, weir_status status)
{
    return remedy == PG_REMEDY_UNIQUE ||
           ((remedy == PG_REMEDY_NONE || remedy == PG_REMEDY_INTERNAL) &&
            status != WEIR_BACKEND_UNAVAILABLE && status != WEIR_DEADLINE_EXCEEDED);
}

static bool has_twin(const struct pg_run *run)
{
    bool is_found = false;
    for (const struct weir_write *w = *run->first; w != run->end && !is_found; w = w->next) {
        is_found = weir_pg_is_open(w) && w->kind == WEIR_WRITE_APPEND &&
                   weir_append_has_twin(&w->of.append);
    }
    return is_found;
}

/* Finds out why something was missing. No write waits for that beyond its deadline. */
static void explain_missing(struct pg_run *run, struct weir_error *err)
{
    while (count_open(run) > 0 && weir_monotonic_us() < run->until_us &&
           weir_pg_fail_missing(run->session, earliest_deadline(run), err) ==
               WEIR_DEADLINE_EXCEEDED) {
        end_expired(run);
    }
}

/* Ends the run after its last attempt: refuses its writes, or sends each alone if one of them may
 * have caused the failure. */
static void end_run(struct pg_run *run, enum pg_remedy remedy, struct weir_error *err)
{
    if (count_open(run) > 1 && may_be_one_write(remedy, err->status)) {
        commit_singly(run);
        return;
    }
    if (remedy == PG_REMEDY_MISSING) {
        explain_missing(run, err);
    }
    if (err->status == WEIR_LIMIT_EXCEEDED) {
        weir_pg_explain_limit(run, err);
    }
    if (remedy == PG_REMEDY_UNIQUE && has_twin(run)) {
        (void)weir_fail_field(err, "messages", "one id is given twice");
    }
    fail_open(run, err);
}

/* Whether to make another attempt. */
static bool should_retry(const struct pg_run *run, enum pg_remedy remedy, weir_status status)
{
    if (weir_monotonic_us() >= run->until_us) {
        return false;
    }
    switch (remedy) {
    case PG_REMEDY_WAIT:
    case PG_REMEDY_AGAIN:
    case PG_REMEDY_RECONNECT:
        return true;
    case PG_REMEDY_INTERNAL:
        return !run->has_met_internal;
    default:
        /* There was no connection. A client can repeat a write that was not sent; a write in doubt
         * is tried again here. After a deadline, writes with later ones go on. */
        return status == WEIR_DEADLINE_EXCEEDED ||
               (run->is_in_doubt && remedy == PG_REMEDY_NONE && status == WEIR_BACKEND_UNAVAILABLE);
    }
}

static void commit_run(struct pg_run *run)
{
    struct weir_error err;
    for (;;) {
        end_expired(run);
        if (count_open(run) == 0) {
            return;
        }
        weir_error_init(&err);
        enum pg_remedy remedy = PG_REMEDY_NONE;
        bool is_sent = false;
        const weir_status status = attempt(run, &remedy, &is_sent, &err);
        if (status == WEIR_OK) {
            return;
        }
        run->is_in_doubt = run->is_in_doubt || is_sent;
        if (!should_retry(run, remedy, status)) {
            end_run(run, remedy, &err);
            return;
        }
        run->has_met_internal = run->has_met_internal || remedy == PG_REMEDY_INTERNAL;
        weir_backend_waits(&run->session->backend->base);
        /* Nothing was sent, so the next attempt may end in the same way, as at a server that is
         * read-only until there is a new primary. */
        if (remedy == PG_REMEDY_NONE || (remedy == PG_REMEDY_RECONNECT && !is_sent)) {
            pause_before_retry(run);
        }
    }
}

/* ---- the group ---- */

/* The ids of a run's writes, as a hash table. */
struct id_set {
    const struct weir_uuid **places;
    size_t n;
};

/* Returns false if the set has the id already. */
static bool add_id(const struct pg_session *session, struct id_set *set, const struct weir_uuid *id)
{
    const struct weir_slice bytes = weir_slice(id->bytes, WEIR_UUID_BYTES);
    size_t at = (size_t)weir_table_hash(session->backend->hash_seed, bytes);
    for (at %= set->n; set->places[at] != NULL; at = (at + 1) % set->n) {
        if (memcmp(set->places[at], id, sizeof *id) == 0) {
            return false;
        }
    }
    set->places[at] = id;
    return true;
}

static bool add_ids(const struct pg_session *session, struct id_set *set,
                    const struct weir_append *append)
{
    bool is_new = true;
    for (size_t s = 0; s < append->n; s++) {
        for (size_t m = 0; m < append->streams[s].n; m++) {
            is_new = add_id(session, set, &append->streams[s].messages[m].id) && is_new;
        }
    }
    return is_new;
}

static size_t count_messages(const struct weir_append *append)
{
    size_t n = 0;
    for (size_t s = 0; s < append->n; s++) {
        n += append->streams[s].n;
    }
    return n;
}

/* Returns the end of the run of appends that begins with `first`: the first append that repeats an
 * id, because it is judged only once the append that brought the id is stored. Without memory for
 * the ids each append is a run of its own. */
static struct weir_write *end_of_appends(struct pg_session *session, struct weir_write *first)
{
    size_t messages = 0;
    for (const struct weir_write *w = first; w != NULL && w->kind == WEIR_WRITE_APPEND;
         w = w->next) {
        messages += count_messages(&w->of.append);
    }
    weir_arena_reset(&session->arena);
    struct id_set set = {.n = 2 * messages + 1};
    set.places = weir_arena_array(&session->arena, set.n, sizeof *set.places);
    if (set.places == NULL) {
        return first->next;
    }
    (void)add_ids(session, &set, &first->of.append);
    struct weir_write *w = first->next;
    while (w != NULL && w->kind == WEIR_WRITE_APPEND && add_ids(session, &set, &w->of.append)) {
        w = w->next;
    }
    return w;
}

/* Begins the session's call. Returns false if no write is left to be done; no write waits beyond
 * its deadline. */
static bool begin(struct pg_session *session, struct weir_write **group)
{
    struct pg_run all = {.first = group, .until_us = weir_monotonic_us() + COMMIT_MAX_US};
    while (count_open(&all) > 0) {
        struct weir_error err;
        weir_error_init(&err);
        const weir_status status = weir_pg_session_begin(session, earliest_deadline(&all), &err);
        if (status == WEIR_OK) {
            return true;
        }
        end_expired(&all);
        if (status != WEIR_DEADLINE_EXCEEDED || weir_monotonic_us() >= all.until_us) {
            fail_open(&all, &err);
            return false;
        }
    }
    return false;
}

void weir_pg_commit(struct weir_session *base, struct weir_write **group)
{
    struct pg_session *session = (struct pg_session *)base;
    if (!begin(session, group)) {
        return;
    }
    for (struct weir_write **at = group; *at != NULL;) {
        struct weir_write *w = *at;
        const int64_t now_us = weir_monotonic_us();
        struct pg_run run = {.session = session,
                             .first = at,
                             .end = w->kind == WEIR_WRITE_APPEND && w->next != NULL
                                        ? end_of_appends(session, w)
                                        : w->next,
                             .begun_us = now_us,
                             .until_us = now_us + COMMIT_MAX_US,
                             .pause_us = PAUSE_MIN_US,
                             .clears = -1,
                             .head = session->versions.head};
        commit_run(&run);
        at = link_behind(&run);
    }
}
