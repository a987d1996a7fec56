/* Appends: sends a run as one call of the namespace's append function, and tells each write the
 * outcome that the function returns. Writes with an id that is stored already are judged
 * afterwards, by the stored messages. */
#include "store/postgres/pg_sending.h"

#include "store/append_rules.h"
#include "store/postgres/pg_read.h"
#include "weir/base/monotonic.h"
#include "weir/rules/limits.h"

#include <stdlib.h>

/* Outcomes of an entry, as the function returns them. */
enum { OUTCOME_APPENDED, OUTCOME_REFUSED, OUTCOME_ID_IS_THERE };

/* Columns of the function's result. */
enum {
    RESULT_HEAD,
    RESULT_TIME,
    RESULT_OUTCOMES,
    RESULT_VERSIONS,
    RESULT_IS_CURRENT,
    RESULT_CHANGED
};

/* ---- outcomes ---- */

struct verdicts {
    int64_t head;  // highest global position handed out so far
    int64_t time_us;
    int64_t begun_us;         // when the run began, or earlier, by the clock of time_us
    const uint8_t *outcomes;  // by entry; NULL: all are appended
    const uint8_t *versions;
    bool is_current;  // the versions that the session knew were right
    int32_t changed;  // the transaction's number; 0 if it changed nothing
};

static bool read_verdicts(const struct pg_sending *s, const PGresult *result,
                          struct verdicts *verdicts)
{
    const int64_t taken_us = weir_monotonic_us() - s->run->begun_us;
    *verdicts = (struct verdicts){.changed = 0};
    if (PQntuples(result) != 1 || !weir_pg_int8(result, 0, RESULT_HEAD, &verdicts->head)) {
        return false;
    }
    verdicts->is_current = weir_pg_bool(result, 0, RESULT_IS_CURRENT);
    const bool has_time = weir_pg_time(result, 0, RESULT_TIME, &verdicts->time_us);
    verdicts->begun_us = verdicts->time_us - taken_us;
    return has_time &&
           weir_pg_elements(result, 0, RESULT_VERSIONS, s->entries_n, 8, &verdicts->versions) &&
           (PQgetisnull(result, 0, RESULT_CHANGED) ||
            weir_pg_int4(result, 0, RESULT_CHANGED, &verdicts->changed)) &&
           (PQgetisnull(result, 0, RESULT_OUTCOMES) ||
            weir_pg_elements(result, 0, RESULT_OUTCOMES, s->entries_n, 4, &verdicts->outcomes));
}

static int32_t outcome_of(const struct verdicts *verdicts, size_t entry)
{
    return verdicts->outcomes == NULL ? OUTCOME_APPENDED
                                      : weir_pg_element_int4(verdicts->outcomes, entry);
}

static void tell_written(const struct weir_append *append, const int64_t *versions,
                         struct verdicts *verdicts)
{
    for (size_t s = 0; s < append->n; s++) {
        const struct weir_stream_append *part = &append->streams[s];
        for (size_t m = 0; m < part->n; m++) {
            verdicts->head++;
            part->written[m] = (struct weir_written){.id = part->messages[m].id,
                                                     .position = versions[s] + 1 + (int64_t)m,
                                                     .global_position = verdicts->head,
                                                     .time_us = verdicts->time_us};
        }
    }
}

/* Tells the writes that need no look at stored messages; returns the number of ids to look up. */
static size_t tell(const struct pg_sending *s, struct verdicts *verdicts)
{
    size_t ids = 0;
    int64_t versions[WEIR_WRITE_STREAMS_MAX];
    for (size_t e = 0; e < s->entries_n; e += s->entries[e].write->of.append.n) {
        struct weir_write *write = s->entries[e].write;
        struct weir_append *append = &write->of.append;
        for (size_t p = 0; p < append->n; p++) {
            versions[p] = weir_pg_element_int8(verdicts->versions, e + p);
        }
        append->is_duplicate = false;
        switch (outcome_of(verdicts, e)) {
        case OUTCOME_APPENDED:
            tell_written(append, versions, verdicts);
            break;
        case OUTCOME_REFUSED:
            (void)weir_refuse_versions(write, versions);
            break;
        default:
            for (size_t p = 0; p < append->n; p++) {
                ids += append->streams[p].n;
            }
            break;
        }
    }
    return ids;
}

/* Whether the stream has messages. Where messages are dropped a stream may have a version and no
 * messages; the function is not given that version, so that it notices the stream's return. */
static bool has_messages(const struct pg_sending *s, const struct weir_stream_append *part,
                         bool is_appended)
{
    return !s->session->ns.layout->has_side_tables || (is_appended && part->n > 0);
}

/* Keeps the streams' versions for the next append; verdicts->head is the highest global position
 * by then. */
static void keep_versions(const struct pg_sending *s, const struct verdicts *verdicts)
{
    if (!verdicts->is_current) {
        weir_pg_versions_forget(s->session);
    }
    if (verdicts->changed == 0) {
        return;
    }
    for (size_t e = 0; e < s->entries_n; e++) {
        const struct weir_stream_append *part = s->entries[e].part;
        const int64_t version = weir_pg_element_int8(verdicts->versions, e);
        const bool is_appended = outcome_of(verdicts, e) == OUTCOME_APPENDED;
        if (has_messages(s, part, is_appended)) {
            weir_pg_versions_keep(s->session, part->stream,
                                  is_appended ? version + (int64_t)part->n : version);
        }
    }
    s->session->versions.head = verdicts->head;
    s->session->versions.time_us = verdicts->time_us;
    s->session->versions.changed = verdicts->changed;
}

/* ---- ids that are stored already ---- */

struct stored {
    PGresult *result;
    struct weir_row *rows;  // in order of id
    size_t n;
};

static int compare_rows(const void *a, const void *b)
{
    const struct weir_row *x = a;
    const struct weir_row *y = b;
    return memcmp(x->id.bytes, y->id.bytes, WEIR_UUID_BYTES);
}

static const struct weir_row *find_row(const struct stored *stored, const struct weir_uuid *id)
{
    struct weir_row key = {.id = *id};
    return stored->n == 0
               ? NULL
               : bsearch(&key, stored->rows, stored->n, sizeof *stored->rows, compare_rows);
}

static bool is_id_there(const struct verdicts *verdicts, size_t entry)
{
    return outcome_of(verdicts, entry) == OUTCOME_ID_IS_THERE;
}

static void bind_known_ids(const struct pg_sending *s, const struct verdicts *verdicts, size_t ids,
                           struct pg_params *params)
{
    weir_pg_params_init(params, s->arena);
    struct pg_array array = weir_pg_array_open(params, PG_UUID, ids, WEIR_UUID_BYTES * ids);
    for (size_t e = 0; e < s->entries_n; e++) {
        const struct weir_stream_append *part = s->entries[e].part;
        for (size_t m = 0; is_id_there(verdicts, e) && m < part->n; m++) {
            weir_pg_array_slice(&array, weir_slice(part->messages[m].id.bytes, WEIR_UUID_BYTES));
        }
    }
    weir_pg_array_close(params, &array);
}

/* Loads the stored messages that have ids of the writes. Stored messages never change, so they are
 * read after the transaction that met them. */
static weir_status load_stored(const struct pg_sending *s, struct pg_conn *conn,
                               const struct pg_params *params, struct stored *stored,
                               struct weir_error *err)
{
    weir_status status = weir_pg_params_check(params, err);
    if (status == WEIR_OK) {
        status = weir_pg_run_fixed(s->session, conn, PG_FIXED_BY_IDS, params, &stored->result, err);
    }
    if (status != WEIR_OK) {
        return status;
    }
    const size_t n = (size_t)PQntuples(stored->result);
    stored->rows = weir_arena_array(s->arena, n, sizeof *stored->rows);
    if (stored->rows == NULL) {
        return weir_arena_fail(s->arena, err);
    }
    for (size_t k = 0; k < n; k++) {
        if (!weir_pg_row(stored->result, (int)k, &stored->rows[k])) {
            return weir_fail(err, WEIR_DATA_CORRUPT, "a stored message is damaged");
        }
    }
    stored->n = n;
    qsort(stored->rows, n, sizeof *stored->rows, compare_rows);
    return WEIR_OK;
}

/* Whether the row may come from an attempt of this run whose answer was lost, and is no duplicate.
 * The known head may be old, and other servers write too; a message stored before the run began is
 * told apart by its time. */
static bool may_be_own(const struct pg_run *run, const struct verdicts *verdicts,
                       const struct weir_row *row)
{
    return run->is_in_doubt && row->global_position > run->head &&
           row->time_us >= verdicts->begun_us;
}

static void judge(const struct pg_sending *s, const struct verdicts *verdicts, size_t first,
                  const struct stored *stored)
{
    struct weir_write *write = s->entries[first].write;
    struct weir_append *append = &write->of.append;
    const struct weir_row *rows[WEIR_WRITE_MESSAGES_MAX];
    int64_t versions[WEIR_WRITE_STREAMS_MAX];
    size_t found = 0;
    size_t k = 0;
    for (size_t p = 0; p < append->n; p++) {
        versions[p] = weir_pg_element_int8(verdicts->versions, first + p);
        for (size_t m = 0; m < append->streams[p].n; m++, k++) {
            rows[k] = find_row(stored, &append->streams[p].messages[m].id);
            found += rows[k] != NULL;
        }
    }
    if (found == 0) {
        (void)weir_fail(write->err, WEIR_BACKEND_UNAVAILABLE,
                        "the namespace was cleared while the write was under way");
        return;
    }
    weir_retry_judge(write, rows, versions);
    append->is_duplicate = append->is_duplicate && !may_be_own(s->run, verdicts, rows[0]);
}

/* Judges the writes with an id that is stored already. Where the connection breaks, the run is sent
 * again: all its writes are stored or refused by then, and the next attempt finds them so. */
static weir_status look_up(const struct pg_sending *s, struct pg_conn *conn,
                           const struct verdicts *verdicts, size_t ids, struct weir_error *err)
{
    struct pg_params params;
    struct stored stored = {NULL, NULL, 0};
    bind_known_ids(s, verdicts, ids, &params);
    const weir_status status = load_stored(s, conn, &params, &stored, err);
    const bool is_lost = status != WEIR_OK && conn->remedy == PG_REMEDY_RECONNECT;
    for (size_t e = 0; !is_lost && e < s->entries_n; e += s->entries[e].write->of.append.n) {
        if (!is_id_there(verdicts, e)) {
            continue;
        }
        if (status == WEIR_OK) {
            judge(s, verdicts, e, &stored);
        } else {
            weir_error_copy(s->entries[e].write->err, err);
        }
    }
    PQclear(stored.result);
    return is_lost ? status : WEIR_OK;
}

/* ---- a run ---- */

weir_status weir_pg_append(const struct pg_run *run, struct pg_conn *conn, struct weir_error *err)
{
    struct pg_sending s;
    if (!weir_pg_sending_gather(&s, run)) {
        return weir_arena_fail(s.arena, err);
    }
    struct pg_params params;
    weir_pg_sending_bind(&s, &params);
    weir_status status = weir_pg_params_check(&params, err);
    PGresult *result = NULL;
    if (status == WEIR_OK) {
        status = weir_pg_run_fixed(s.session, conn, PG_FIXED_APPEND, &params, &result, err);
    }
    status = weir_pg_check_confirmed(conn, status, err);
    struct verdicts verdicts;
    if (status == WEIR_OK && !read_verdicts(&s, result, &verdicts)) {
        status =
            weir_fail(err, WEIR_BACKEND_ERROR, "the append function returned an unexpected result");
    }
    if (status == WEIR_OK) {
        const size_t ids = tell(&s, &verdicts);
        keep_versions(&s, &verdicts);
        status = ids > 0 ? look_up(&s, conn, &verdicts, ids, err) : WEIR_OK;
    }
    PQclear(result);
    return status;
}
