/* Chunks: the pieces, by time, of a namespace whose layout has them. */
#include "store/postgres/pg_int.h"

#include "weir/rules/time_text.h"

/* What list_chunks gives; the other two give names alone. */
enum { CHUNK_NAME, CHUNK_START, CHUNK_END, CHUNK_COMPRESSED, CHUNK_BYTES, CHUNK_ROWS };

/* How often others may be faster: each time there is one chunk less for them to be so with. */
enum { OVERTAKEN_MAX = 100 };

struct chunk_work {
    struct pg_session *session;
    const struct weir_chunk_query *query;
    PGresult *result;
};

static enum pg_fixed statement_of(enum weir_chunk_action action)
{
    switch (action) {
    case WEIR_CHUNKS_LIST:
        break;
    case WEIR_CHUNKS_COMPRESS:
        return PG_FIXED_COMPRESS_CHUNKS;
    case WEIR_CHUNKS_DROP:
        return PG_FIXED_DROP_CHUNKS;
    }
    return PG_FIXED_LIST_CHUNKS;
}

/* Whether somebody else, who may be the policy's job, has compressed or dropped a chunk meanwhile.
 * One that was compressed before is no failure, one that was while it was waited for here is. The
 * name of one that is gone reads as a number, if it is looked up, and else is not found. */
static bool is_overtaken(const struct chunk_work *chunks, const struct pg_conn *conn)
{
    switch (chunks->query->action) {
    case WEIR_CHUNKS_COMPRESS:
        return strcmp(conn->sqlstate, "42710") == 0;
    case WEIR_CHUNKS_LIST:
        return strcmp(conn->sqlstate, "42601") == 0 || strcmp(conn->sqlstate, "42P01") == 0;
    case WEIR_CHUNKS_DROP:
        break;
    }
    return false;
}

/* Repeating it is safe: what has been compressed or dropped is left out then. */
static weir_status work(struct pg_conn *conn, void *context, struct weir_error *err)
{
    struct chunk_work *chunks = context;
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    if (chunks->query->action != WEIR_CHUNKS_LIST) {
        weir_pg_param_int4(&params, WEIR_PG_LOCK_SLICE_MS);
        weir_pg_param_int8(&params, weir_pg_time_to_binary(chunks->query->before_us));
    }
    weir_status status = WEIR_OK;
    int n = 0;
    do {
        status = weir_pg_fixed(chunks->session, conn, statement_of(chunks->query->action), &params,
                               &chunks->result, err);
    } while (is_overtaken(chunks, conn) && ++n < OVERTAKEN_MAX);
    /* Functions that the licence of this edition does not cover. */
    if (status != WEIR_OK && strcmp(conn->sqlstate, "0A000") == 0) {
        return weir_fail(err, WEIR_FEATURE_UNSUPPORTED,
                         "the licence of this TimescaleDB (timescaledb.license) does not offer "
                         "that: the Timescale licence does");
    }
    return status;
}

static weir_status copy_chunk(const struct chunk_work *chunks, int row, struct weir_arena *arena,
                              struct weir_chunk *chunk, struct weir_error *err)
{
    const PGresult *result = chunks->result;
    const struct weir_slice name = weir_pg_slice(result, row, CHUNK_NAME);
    bool is_good = name.p != NULL;
    if (chunks->query->action == WEIR_CHUNKS_LIST) {
        const struct weir_slice compressed = weir_pg_slice(result, row, CHUNK_COMPRESSED);
        chunk->is_compressed = compressed.n == 1 && compressed.p[0] != 0;
        is_good = is_good && weir_pg_time(result, row, CHUNK_START, &chunk->range_start_us) &&
                  weir_pg_time(result, row, CHUNK_END, &chunk->range_end_us) &&
                  weir_pg_int8(result, row, CHUNK_BYTES, &chunk->size_bytes) &&
                  weir_pg_int8(result, row, CHUNK_ROWS, &chunk->row_count);
    }
    if (!is_good) {
        return weir_fail(err, WEIR_DATA_CORRUPT, "the list of chunks is damaged");
    }
    return weir_arena_copy(arena, name, &chunk->name) ? WEIR_OK : weir_arena_fail(arena, err);
}

static weir_status copy_chunks(const struct chunk_work *chunks, struct weir_arena *arena,
                               const struct weir_chunk_list *to, struct weir_error *err)
{
    weir_status status = WEIR_OK;
    for (size_t c = 0; status == WEIR_OK && c < to->n; c++) {
        status = copy_chunk(chunks, (int)c, arena, &to->chunks[c], err);
    }
    return status;
}

weir_status weir_pg_chunks(struct weir_session *base, const struct weir_chunk_query *query,
                           struct weir_arena *arena, struct weir_chunk_list *list,
                           struct weir_error *err)
{
    struct chunk_work context = {.session = (struct pg_session *)base, .query = query};
    if (context.session->ns.layout->fixed[PG_FIXED_LIST_CHUNKS] == NULL) {
        return weir_chunks_unsupported(base, query, arena, list, err);
    }
    const struct pg_work pg_work = {work, &context};
    weir_status status = weir_pg_session_run(context.session, &pg_work, err);
    if (status == WEIR_OK) {
        list->n = (size_t)PQntuples(context.result);
        list->chunks = weir_arena_array(arena, list->n, sizeof *list->chunks);
        status = list->chunks == NULL ? weir_arena_fail(arena, err)
                                      : copy_chunks(&context, arena, list, err);
    }
    PQclear(context.result);
    return status;
}
