/* Lists, compresses and drops chunks: the pieces, by time, in which some layouts keep messages. */
#include "store/postgres/pg_chunks.h"

#include "store/postgres/pg_write.h"

#include <stdio.h>

/* Columns of PG_FIXED_LIST_CHUNKS; PG_FIXED_DROP_CHUNKS has only the first. */
enum { CHUNK_NAME, CHUNK_START, CHUNK_END, CHUNK_COMPRESSED, CHUNK_BYTES, CHUNK_ROWS };

/* Columns of PG_FIXED_UNCOMPRESSED. */
enum { UNCOMPRESSED_IS_OFFERED, UNCOMPRESSED_NAME, UNCOMPRESSED_SQL };

enum {
    /* How often a listing is repeated because another process dropped a chunk; each time there is
     * one chunk less to be dropped. */
    OVERTAKEN_MAX = 100,
    LOCK_BYTES = 160
};

struct chunk_work {
    struct pg_session *session;
    const struct weir_chunk_query *query;
    struct weir_arena *arena;
    struct weir_chunk_list *list;  // the chunks listed, compressed or dropped
    char sqlstate[6];              // of the last statement
    bool is_in_doubt;              // the last commit was sent and not answered, or not confirmed
    bool must_confirm;             // an earlier one was
};

static bool has_failed_by(const struct chunk_work *work, const char *sqlstate)
{
    return strcmp(work->sqlstate, sqlstate) == 0;
}

static weir_status fail_licence(struct weir_error *err)
{
    return weir_fail(err, WEIR_FEATURE_UNSUPPORTED,
                     "this TimescaleDB's licence (timescaledb.license) does not include this "
                     "feature: it needs the Timescale licence");
}

/* ---- statements ---- */

static weir_status run(struct chunk_work *work, struct pg_conn *conn, enum pg_fixed which,
                       const struct pg_params *params, PGresult **result, struct weir_error *err)
{
    const weir_status status = weir_pg_run_fixed(work->session, conn, which, params, result, err);
    memcpy(work->sqlstate, conn->sqlstate, sizeof work->sqlstate);
    return status;
}

/* Begins a transaction that waits for a lock until an autovacuum gives way. */
static weir_status begin_long(struct pg_conn *conn, struct weir_error *err)
{
    char text[LOCK_BYTES];
    (void)snprintf(text, sizeof text,
                   "SELECT set_config('lock_timeout', (%d + " WEIR_PG_DEADLOCK_MS ")::text, true)",
                   WEIR_PG_LOCK_SLICE_MS);
    const weir_status status = weir_pg_begin_long(conn, err);
    return status == WEIR_OK ? weir_pg_script(conn, text, err) : status;
}

/* Runs the statement in a transaction of its own that may take as long as the call. */
static weir_status run_at_length(struct chunk_work *work, struct pg_conn *conn, enum pg_fixed which,
                                 const struct pg_params *params, PGresult **result,
                                 struct weir_error *err)
{
    work->sqlstate[0] = '\0';
    work->is_in_doubt = false;
    weir_status status = begin_long(conn, err);
    if (status == WEIR_OK) {
        status = run(work, conn, which, params, result, err);
    }
    if (status == WEIR_OK) {
        status = weir_pg_check_confirmed(conn, weir_pg_script(conn, "COMMIT", err), err);
        work->is_in_doubt = status != WEIR_OK && conn->remedy == PG_REMEDY_RECONNECT;
        work->must_confirm = work->must_confirm || work->is_in_doubt;
    }
    if (status != WEIR_OK) {
        weir_pg_roll_back(conn);
    }
    return status;
}

/* ---- the list ---- */

/* Makes room for `n` more chunks. */
static weir_status make_room(struct chunk_work *work, size_t n, struct weir_error *err)
{
    struct weir_chunk_list *list = work->list;
    struct weir_chunk *chunks = weir_arena_array(work->arena, list->n + n, sizeof *chunks);
    if (chunks == NULL) {
        return weir_arena_fail(work->arena, err);
    }
    if (list->n > 0) {
        memcpy(chunks, list->chunks, list->n * sizeof *chunks);
    }
    list->chunks = chunks;
    return WEIR_OK;
}

static bool is_listed(const struct weir_chunk_list *list, struct weir_slice name)
{
    bool is_found = false;
    for (size_t c = 0; !is_found && c < list->n; c++) {
        is_found = weir_slice_equal(list->chunks[c].name, name);
    }
    return is_found;
}

/* Adds a chunk unless it is listed. Chunks of an attempt whose commit was not answered stay listed:
 * what that attempt did not do, the next one does, and it may bring their names again. */
static weir_status add(struct chunk_work *work, struct weir_slice name, struct weir_error *err)
{
    if (name.p == NULL) {
        return weir_fail(err, WEIR_DATA_CORRUPT, "the list of chunks is damaged");
    }
    if (is_listed(work->list, name)) {
        return WEIR_OK;
    }
    struct weir_chunk *chunk = &work->list->chunks[work->list->n];
    if (!weir_arena_copy(work->arena, name, &chunk->name)) {
        return weir_arena_fail(work->arena, err);
    }
    work->list->n++;
    return WEIR_OK;
}

static weir_status add_all(struct chunk_work *work, const PGresult *result, struct weir_error *err)
{
    const int n = PQntuples(result);
    weir_status status = make_room(work, (size_t)n, err);
    for (int row = 0; status == WEIR_OK && row < n; row++) {
        status = add(work, weir_pg_slice(result, row, CHUNK_NAME), err);
    }
    return status;
}

/* ---- listing ---- */

static bool read_chunk(const PGresult *result, int row, struct weir_chunk *chunk)
{
    chunk->is_compressed = weir_pg_bool(result, row, CHUNK_COMPRESSED);
    return weir_pg_time(result, row, CHUNK_START, &chunk->range_start_us) &&
           weir_pg_time(result, row, CHUNK_END, &chunk->range_end_us) &&
           weir_pg_int8(result, row, CHUNK_BYTES, &chunk->size_bytes) &&
           weir_pg_int8(result, row, CHUNK_ROWS, &chunk->row_count);
}

/* Whether another process dropped a chunk during the listing: its name is then read as a number,
 * which is a syntax error, or its table is not found. */
static bool is_gone(const struct chunk_work *work)
{
    return has_failed_by(work, PG_STATE_SYNTAX_ERROR) ||
           has_failed_by(work, PG_STATE_UNDEFINED_TABLE);
}

static weir_status list(struct chunk_work *work, struct pg_conn *conn, struct weir_error *err)
{
    struct pg_params none;
    weir_pg_params_init(&none, NULL);
    PGresult *result = NULL;
    weir_status status = WEIR_OK;
    int n = 0;
    do {
        status = run(work, conn, PG_FIXED_LIST_CHUNKS, &none, &result, err);
    } while (status != WEIR_OK && is_gone(work) && ++n < OVERTAKEN_MAX);
    work->list->n = 0;
    if (status == WEIR_OK) {
        status = add_all(work, result, err);
    }
    for (size_t c = 0; status == WEIR_OK && c < work->list->n; c++) {
        if (!read_chunk(result, (int)c, &work->list->chunks[c])) {
            status = weir_fail(err, WEIR_DATA_CORRUPT, "the list of chunks is damaged");
        }
    }
    PQclear(result);
    return status;
}

/* ---- compressing ---- */

/* Whether another process, perhaps the policy's job, compressed or dropped the chunk first. */
static bool is_done_by_another(const struct chunk_work *work)
{
    return has_failed_by(work, PG_STATE_DUPLICATE_OBJECT) ||
           has_failed_by(work, PG_STATE_UNDEFINED_OBJECT) ||
           has_failed_by(work, PG_STATE_UNDEFINED_TABLE);
}

static weir_status compress_one(struct chunk_work *work, struct pg_conn *conn,
                                const PGresult *found, int row, struct weir_error *err)
{
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_slice(&params, weir_pg_slice(found, row, UNCOMPRESSED_SQL));
    PGresult *result = NULL;
    weir_status status = run_at_length(work, conn, PG_FIXED_COMPRESS_CHUNK, &params, &result, err);
    PQclear(result);
    if (status == WEIR_OK || work->is_in_doubt) {
        const weir_status added = add(work, weir_pg_slice(found, row, UNCOMPRESSED_NAME), err);
        status = added == WEIR_OK ? status : added;
    }
    return is_done_by_another(work) ? WEIR_OK : status;
}

/* Compresses each chunk in a transaction of its own and without the namespace's lock: writes go on,
 * as they do beside the policy's job, and chunks that are done when the deadline passes stay so. */
static weir_status compress(struct chunk_work *work, struct pg_conn *conn, struct weir_error *err)
{
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_int8(&params, weir_pg_time_to_binary(work->query->before_us));
    PGresult *found = NULL;
    weir_status status = run(work, conn, PG_FIXED_UNCOMPRESSED, &params, &found, err);
    if (status == WEIR_OK && !weir_pg_bool(found, 0, UNCOMPRESSED_IS_OFFERED)) {
        status = fail_licence(err);
    }
    if (status == WEIR_OK) {
        status = make_room(work, (size_t)PQntuples(found), err);
    }
    for (int row = 0; status == WEIR_OK && row < PQntuples(found); row++) {
        if (!PQgetisnull(found, row, UNCOMPRESSED_NAME)) {
            status = compress_one(work, conn, found, row, err);
        }
    }
    PQclear(found);
    return status;
}

/* ---- dropping ---- */

static weir_status drop(struct chunk_work *work, struct pg_conn *conn, struct weir_error *err)
{
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_int4(&params, WEIR_PG_LOCK_SLICE_MS);
    weir_pg_param_int8(&params, weir_pg_time_to_binary(work->query->before_us));
    PGresult *result = NULL;
    weir_status status = run_at_length(work, conn, PG_FIXED_DROP_CHUNKS, &params, &result, err);
    if (status == WEIR_OK || work->is_in_doubt) {
        const weir_status added = add_all(work, result, err);
        status = added == WEIR_OK ? status : added;
    }
    PQclear(result);
    return status;
}

/* ---- the call ---- */

/* Safe to repeat: chunks that are compressed or dropped already are left out. */
static weir_status run_action(struct pg_conn *conn, void *context, struct weir_error *err)
{
    struct chunk_work *work = context;
    weir_status status = WEIR_OK;
    switch (work->query->action) {
    case WEIR_CHUNKS_LIST:
        status = list(work, conn, err);
        break;
    case WEIR_CHUNKS_COMPRESS:
        status = compress(work, conn, err);
        break;
    case WEIR_CHUNKS_DROP:
        status = drop(work, conn, err);
        break;
    }
    if (status == WEIR_OK && work->must_confirm) {
        status = weir_pg_confirm(work->session, conn, err);
    }
    /* The licence of this edition does not cover the function. */
    const bool is_unlicensed = has_failed_by(work, PG_STATE_FEATURE_NOT_SUPPORTED);
    return status != WEIR_OK && is_unlicensed ? fail_licence(err) : status;
}

weir_status weir_pg_chunks(struct weir_session *base, const struct weir_chunk_query *query,
                           struct weir_arena *arena, struct weir_chunk_list *list,
                           struct weir_error *err)
{
    struct pg_session *session = (struct pg_session *)base;
    if (session->ns.layout->fixed[PG_FIXED_LIST_CHUNKS] == NULL) {
        return weir_chunks_unsupported(base, query, arena, list, err);
    }
    struct chunk_work work = {.session = session, .query = query, .arena = arena, .list = list};
    *list = (struct weir_chunk_list){.chunks = NULL};
    const struct pg_work pg_work = {run_action, &work};
    return weir_pg_session_run(session, &pg_work, err);
}
