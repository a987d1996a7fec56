/* Several small reads in one exchange: a pipeline of their prepared statements, so that neither
 * side wakes the other for each of them. Every statement has a snapshot of its own.
 *
 * The pipeline serves reads that go well. A read is done alone afterwards, and gets its error
 * there, if its statement was refused or skipped behind a refused one, if its window of chunks was
 * outdated, or if one page does not complete it. If the connection breaks, the pipeline is tried
 * again with all reads that are not answered.
 *
 * Each read is answered as soon as its result is there, while the database works on the next
 * ones. */
#include "store/postgres/pg_read.h"

#include "store/postgres/pg_reading.h"
#include "weir/base/monotonic.h"

struct member {
    struct weir_read *read;
    struct pg_reading r;
    struct pg_key key;
    bool is_sent;
    bool is_answered;
};

struct group {
    struct pg_session *session;
    size_t n;
    struct member members[WEIR_READ_GROUP_MAX];
};

/* Hands the read back; nothing may touch it afterwards. */
static void answer(struct member *member)
{
    member->is_answered = true;
    member->read->done(member->read);
}

static size_t count_open(const struct group *group)
{
    size_t n = 0;
    for (size_t m = 0; m < group->n; m++) {
        n += !group->members[m].is_answered;
    }
    return n;
}

static void fail_open(struct group *group, const struct weir_error *err)
{
    for (size_t m = 0; m < group->n; m++) {
        struct member *member = &group->members[m];
        if (!member->is_answered) {
            weir_error_copy(member->read->err, err);
            answer(member);
        }
    }
}

static void refuse_late(struct group *group)
{
    const int64_t now_us = weir_monotonic_us();
    for (size_t m = 0; m < group->n; m++) {
        struct member *member = &group->members[m];
        if (!member->is_answered && member->read->query.deadline_us <= now_us) {
            (void)weir_fail(member->read->err, WEIR_DEADLINE_EXCEEDED, "the deadline passed");
            answer(member);
        }
    }
}

static int64_t earliest_deadline(const struct group *group)
{
    int64_t earliest_us = INT64_MAX;
    for (size_t m = 0; m < group->n; m++) {
        const struct member *member = &group->members[m];
        if (!member->is_answered && member->read->query.deadline_us < earliest_us) {
            earliest_us = member->read->query.deadline_us;
        }
    }
    return earliest_us;
}

/* ---- one exchange ---- */

/* Finds windows and prepares statements, which takes exchanges of its own, before the pipeline. */
static weir_status prepare(struct group *group, struct pg_conn *conn, struct weir_error *err)
{
    weir_status status = WEIR_OK;
    for (size_t m = 0; status == WEIR_OK && m < group->n; m++) {
        struct member *member = &group->members[m];
        member->is_sent = false;
        if (member->is_answered) {
            continue;
        }
        weir_pg_reading_begin(&member->r);
        status = weir_pg_reading_find_window(&member->r, conn, err);
        if (status == WEIR_OK) {
            status = weir_pg_reading_prepare(&member->r, conn, &member->key, err);
        }
    }
    return status;
}

static weir_status send(struct group *group, struct pg_conn *conn, struct weir_error *err)
{
    weir_status status = weir_pg_pipeline_begin(conn, err);
    for (size_t m = 0; status == WEIR_OK && m < group->n; m++) {
        struct member *member = &group->members[m];
        if (member->is_answered || weir_pg_reading_must_settle(&member->r)) {
            continue;
        }
        struct pg_params params;
        if (weir_pg_reading_bind(&member->r, &params, member->read->err) != WEIR_OK) {
            answer(member);
            continue;
        }
        member->is_sent = true;
        status = weir_pg_pipeline_add(conn, member->key, &params, err);
    }
    return status == WEIR_OK ? weir_pg_pipeline_send(conn, err) : status;
}

static void take(struct member *member, struct pg_conn *conn, const PGresult *result)
{
    if (weir_pg_reading_is_outdated(&member->r, conn, result)) {
        return;
    }
    const weir_status status = weir_pg_reading_take(&member->r, result, member->read->err);
    if (status == WEIR_OK && !weir_pg_reading_is_over(&member->r)) {
        return;
    }
    if (status == WEIR_OK) {
        weir_pg_reading_end(&member->r);
    }
    answer(member);
}

static weir_status receive(struct group *group, struct pg_conn *conn, struct weir_error *err)
{
    weir_status status = WEIR_OK;
    for (size_t m = 0; status == WEIR_OK && m < group->n; m++) {
        struct member *member = &group->members[m];
        PGresult *result = NULL;
        if (member->is_sent) {
            status = weir_pg_pipeline_take(conn, &result, err);
        }
        if (result != NULL) {
            take(member, conn, result);
        } else if (member->is_sent) {
            conn->has_old_plans = true;
        }
        PQclear(result);
    }
    return status == WEIR_OK ? weir_pg_pipeline_end(conn, err) : status;
}

/* Runs one pipeline; returns whether to try again. */
static bool attempt(struct group *group)
{
    struct weir_error err;
    weir_error_init(&err);
    struct pg_session *session = group->session;
    struct pg_conn *conn = NULL;
    weir_status status =
        weir_pg_acquire(session->backend, session->ns.owner, earliest_deadline(group), &conn, &err);
    if (status == WEIR_DEADLINE_EXCEEDED) {
        return true;
    }
    if (status != WEIR_OK) {
        fail_open(group, &err);
        return false;
    }
    weir_pg_limit_with_grace(conn, earliest_deadline(group), WEIR_PG_GROUP_GRACE_US);
    status = prepare(group, conn, &err);
    if (status == WEIR_OK) {
        status = send(group, conn, &err);
    }
    if (status == WEIR_OK) {
        status = receive(group, conn, &err);
    }
    const bool is_lost = status != WEIR_OK && conn->remedy == PG_REMEDY_RECONNECT;
    weir_pg_release(conn);
    return is_lost;
}

/* ---- the group ---- */

static void collect(struct group *group, struct weir_read *first)
{
    struct weir_read *next = NULL;
    for (struct weir_read *read = first; read != NULL; read = next) {
        next = read->next;
        struct member *member = &group->members[group->n++];
        *member = (struct member){.read = read,
                                  .r = {.session = group->session,
                                        .query = &read->query,
                                        .arena = read->arena,
                                        .rows = &read->rows}};
        if (weir_pg_reading_init(&member->r, read->err) != WEIR_OK) {
            answer(member);
        }
    }
}

/* Returns the unanswered read with the earliest deadline; NULL if all are answered. */
static struct member *find_most_urgent(struct group *group)
{
    struct member *found = NULL;
    for (size_t m = 0; m < group->n; m++) {
        struct member *member = &group->members[m];
        if (!member->is_answered &&
            (found == NULL || member->read->query.deadline_us < found->read->query.deadline_us)) {
            found = member;
        }
    }
    return found;
}

/* Does the reads that are left one by one, in order of their deadlines, so that none waits for a
 * later one's if the database does not answer. */
static void read_the_rest(struct group *group)
{
    struct member *member = NULL;
    while ((member = find_most_urgent(group)) != NULL) {
        member->is_answered = true;
        weir_arena_rewind(member->read->arena, &member->r.mark);
        member->read->next = NULL;
        weir_read_singly(&group->session->base, member->read);
    }
}

void weir_pg_read_group(struct weir_session *base, struct weir_read *first)
{
    if (first->next == NULL) {
        weir_read_singly(base, first);
        return;
    }
    struct group group;
    struct weir_error err;
    group.session = (struct pg_session *)base;
    group.n = 0;
    collect(&group, first);
    weir_error_init(&err);
    const weir_status status =
        weir_pg_session_begin(group.session, earliest_deadline(&group), &err);
    if (status != WEIR_OK && status != WEIR_DEADLINE_EXCEEDED) {
        fail_open(&group, &err);
        return;
    }
    bool is_to_try = status == WEIR_OK;
    for (int tries = 0; is_to_try && tries < WEIR_PG_ATTEMPTS; tries++) {
        refuse_late(&group);
        is_to_try = count_open(&group) > 0 && attempt(&group);
    }
    read_the_rest(&group);
}
