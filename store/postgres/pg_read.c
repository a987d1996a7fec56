/* Reads of messages, page by page: the statement and parameters of a page, its rows, and whether
 * another page follows. Rows are copied from the result into the caller's arena.
 *
 * A page is limited so that its messages fit into PAGE_BYTES even if each is as large as the
 * largest one of the namespace. Once that limit has cut a page short, the session's pages are
 * measured: their SELECT sums up the sizes first, and ends where the reply is full. */
#include "store/postgres/pg_read.h"

#include "store/postgres/pg_reading.h"
#include "store/postgres/pg_select.h"
#include "store/read_rules.h"

enum {
    /* Bytes that one result may hold if the sizes of its messages are not summed up first. */
    PAGE_BYTES = 32 * 1024 * 1024
};

static int messages_of(const PGresult *page)
{
    const int rows = PQntuples(page);
    return rows > 0 && PQgetisnull(page, rows - 1, PG_COLUMN_ID) ? rows - 1 : rows;
}

static bool has_head(const PGresult *page)
{
    return messages_of(page) < PQntuples(page);
}

static bool is_stream(const struct weir_query *query)
{
    return query->selector == WEIR_SELECT_STREAM;
}

/* Returns whether the window bounds the times in which the read looks for messages. Other reads
 * look into all chunks: for them the window only tells whether a chunk has changed. */
static bool is_bounded(const struct weir_query *query)
{
    return !is_stream(query) && !query->is_backward;
}

/* ---- asking ---- */

bool weir_pg_reading_must_settle(const struct pg_reading *r)
{
    return r->session->ns.layout->is_adopted && r->query->selector == WEIR_SELECT_ALL;
}

static weir_status settle(struct pg_reading *r, struct pg_conn *conn, struct weir_error *err)
{
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_int4(&params, WEIR_PG_LOCK_SLICE_MS);
    PGresult *result = NULL;
    weir_status status =
        weir_pg_run_fixed(r->session, conn, PG_FIXED_SETTLE, &params, &result, err);
    if (status == WEIR_OK && (PQntuples(result) != 1 || !weir_pg_int8(result, 0, 0, &r->settled))) {
        status = weir_fail(err, WEIR_DATA_CORRUPT, "the namespace's counters are missing");
    }
    PQclear(result);
    return status;
}

static struct pg_shape shape_of(const struct pg_reading *r)
{
    const struct weir_query *query = r->query;
    return (struct pg_shape){.selector = query->selector,
                             .is_backward = query->is_backward,
                             .is_from_global = query->is_from_global,
                             .is_headers_only = query->is_headers_only,
                             .is_measured = r->is_measured,
                             .has_correlation = query->correlation.p != NULL,
                             .has_group = query->group_size > 0,
                             .has_types = query->types_n > 0,
                             .is_settled = weir_pg_reading_must_settle(r),
                             .is_spanned = r->is_spanned,
                             .since_s = r->is_spanned && is_bounded(query) ? r->window.since_s : 0};
}

static void bind_types(const struct weir_query *query, struct pg_params *params)
{
    size_t bytes = 0;
    for (size_t t = 0; t < query->types_n; t++) {
        bytes += query->types[t].n;
    }
    struct pg_array array = weir_pg_array_open(params, PG_TEXT, query->types_n, bytes);
    for (size_t t = 0; t < query->types_n; t++) {
        weir_pg_array_slice(&array, query->types[t]);
    }
    weir_pg_array_close(params, &array);
}

/* Binds in the order of the parameters of weir_pg_select_text. */
weir_status weir_pg_reading_bind(const struct pg_reading *r, struct pg_params *params,
                                 struct weir_error *err)
{
    const struct weir_query *query = r->query;
    weir_pg_params_init(params, r->arena);
    weir_pg_param_slice(params,
                        query->selector == WEIR_SELECT_ALL ? weir_slice(NULL, 0) : query->name);
    weir_pg_param_int8(params, r->from);
    weir_pg_param_int8(params, r->wanted);
    if (r->is_measured) {
        const size_t left = query->max_bytes > r->bytes ? query->max_bytes - r->bytes : 0;
        weir_pg_param_int8(params, left > INT64_MAX ? INT64_MAX : (int64_t)left);
    } else {
        weir_pg_param_int8(params, query->is_headers_only ? INT64_MAX : PAGE_BYTES);
    }
    if (query->correlation.p != NULL) {
        weir_pg_param_slice(params, query->correlation);
    }
    if (r->is_spanned) {
        weir_pg_param_int8(params, r->window.version);
    }
    if (query->group_size > 0) {
        weir_pg_param_int8(params, query->group_size);
        weir_pg_param_int8(params, query->group_member);
    }
    if (query->types_n > 0) {
        bind_types(query, params);
    }
    if (weir_pg_reading_must_settle(r)) {
        weir_pg_param_int8(params, r->settled);
    }
    return weir_pg_params_check(params, err);
}

weir_status weir_pg_reading_prepare(struct pg_reading *r, struct pg_conn *conn, struct pg_key *key,
                                    struct weir_error *err)
{
    const struct pg_shape shape = shape_of(r);
    *key = (struct pg_key){r->session->ns.owner, weir_pg_select_kind(&shape), shape.since_s};
    if (weir_pg_is_prepared(conn, *key)) {
        return WEIR_OK;
    }
    char text[WEIR_PG_SELECT_BYTES];
    weir_pg_select_text(r->session->ns.layout, &shape, text);
    return weir_pg_session_prepare(r->session, conn, *key, text, err);
}

static weir_status fetch_page(struct pg_reading *r, struct pg_conn *conn, PGresult **result,
                              struct weir_error *err)
{
    *result = NULL;
    struct pg_key key;
    struct pg_params params;
    weir_status status = weir_pg_reading_prepare(r, conn, &key, err);
    if (status == WEIR_OK) {
        status = weir_pg_reading_bind(r, &params, err);
    }
    if (status == WEIR_OK) {
        status = weir_pg_execute(conn, key, &params, result, err);
        conn->has_old_plans = conn->has_old_plans || status != WEIR_OK;
    }
    return status;
}

/* A chunk that is compressed is read from its compressed form alone until a message is imported
 * into it. A session that is making a plan at that moment does not hear of the change, and keeps
 * the plan until the chunk changes once more. The page that the plan was made for is outdated then,
 * or has failed, so this is the time to let all plans be made anew. */
static weir_status discard_old_plans(struct pg_conn *conn, struct weir_error *err)
{
    const weir_status status =
        conn->has_old_plans ? weir_pg_script(conn, "DISCARD PLANS", err) : WEIR_OK;
    conn->has_old_plans = status != WEIR_OK;
    return status;
}

weir_status weir_pg_reading_find_window(struct pg_reading *r, struct pg_conn *conn,
                                        struct weir_error *err)
{
    const struct pg_window *known = &r->session->window;
    r->is_spanned = weir_pg_has_spans(r->session);
    if (!r->is_spanned) {
        return WEIR_OK;
    }
    const int64_t any = known->version != 0 ? known->upto : 1;
    weir_status status = discard_old_plans(conn, err);
    if (status == WEIR_OK) {
        status = weir_pg_find_window(r->session, conn, is_bounded(r->query) ? r->from : any, err);
    }
    r->window = r->session->window;
    return status;
}

bool weir_pg_reading_is_outdated(struct pg_reading *r, struct pg_conn *conn, const PGresult *page)
{
    if (!r->is_spanned || !has_head(page) ||
        PQgetisnull(page, messages_of(page), PG_COLUMN_STREAM)) {
        return false;
    }
    r->session->window.version = 0;
    conn->has_old_plans = true;
    return true;
}

static weir_status fetch_from_window(struct pg_reading *r, struct pg_conn *conn, PGresult **result,
                                     struct weir_error *err)
{
    const weir_status status = weir_pg_reading_find_window(r, conn, err);
    return status == WEIR_OK ? fetch_page(r, conn, result, err) : status;
}

/* Fetches the page while the namespace's writers wait, so that its window stays right. */
static weir_status fetch_undisturbed(struct pg_reading *r, struct pg_conn *conn, PGresult **result,
                                     struct weir_error *err)
{
    PGresult *ignored = NULL;
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_int4(&params, WEIR_PG_LOCK_SLICE_MS);
    weir_status status = weir_pg_script(conn, "BEGIN", err);
    if (status == WEIR_OK) {
        status =
            weir_pg_run_fixed(r->session, conn, PG_FIXED_KEEP_OUT_WRITERS, &params, &ignored, err);
        PQclear(ignored);
    }
    if (status == WEIR_OK) {
        status = fetch_from_window(r, conn, result, err);
    }
    if (status == WEIR_OK) {
        status = weir_pg_script(conn, "COMMIT", err);
    }
    if (status != WEIR_OK) {
        weir_pg_roll_back(conn);
    }
    return status;
}

/* Fetches the page from the chunks of its window. Where many imports follow each other, the windows
 * of a few attempts may be outdated, and the last attempt keeps writers out. */
static weir_status fetch_window_page(struct pg_reading *r, struct pg_conn *conn, PGresult **result,
                                     struct weir_error *err)
{
    enum { TRIES = 3 };
    for (int attempt = 1; attempt <= TRIES; attempt++) {
        *result = NULL;
        const weir_status status = attempt < TRIES ? fetch_from_window(r, conn, result, err)
                                                   : fetch_undisturbed(r, conn, result, err);
        if (status == WEIR_OK && !weir_pg_reading_is_outdated(r, conn, *result)) {
            return WEIR_OK;
        }
        PQclear(*result);
        *result = NULL;
        if (status != WEIR_OK) {
            return status;
        }
    }
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the namespace changed while it was read");
}

/* ---- rows ---- */

bool weir_pg_row(const PGresult *result, int at, struct weir_row *row)
{
    *row = (struct weir_row){.global_position = 0};
    if (!weir_pg_int8(result, at, PG_COLUMN_GLOBAL_POSITION, &row->global_position) ||
        !weir_pg_int8(result, at, PG_COLUMN_POSITION, &row->position) ||
        !weir_pg_time(result, at, PG_COLUMN_TIME, &row->time_us) ||
        !weir_pg_uuid(result, at, PG_COLUMN_ID, &row->id)) {
        return false;
    }
    row->stream = weir_pg_slice(result, at, PG_COLUMN_STREAM);
    row->type = weir_pg_slice(result, at, PG_COLUMN_TYPE);
    row->data = weir_pg_slice(result, at, PG_COLUMN_DATA);
    row->metadata = weir_pg_slice(result, at, PG_COLUMN_METADATA);
    return row->stream.p != NULL && row->type.p != NULL;
}

static weir_status fail_corrupt(const struct pg_session *session, int64_t global_position,
                                struct weir_error *err)
{
    weir_backend_report(&session->backend->base,
                        "%s: the message at global position %lld is damaged", session->ns.schema,
                        (long long)global_position);
    return weir_fail_damaged(err, global_position);
}

/* Counts the messages of the result that belong to the reply, and the bytes of their texts. */
static size_t count_rows(struct pg_reading *r, const PGresult *result, int messages, size_t *texts)
{
    size_t n = 0;
    *texts = 0;
    for (int at = 0; at < messages; at++, n++) {
        const size_t name = (size_t)PQgetlength(result, at, PG_COLUMN_STREAM);
        const size_t rest = (size_t)PQgetlength(result, at, PG_COLUMN_TYPE) +
                            (size_t)PQgetlength(result, at, PG_COLUMN_DATA) +
                            (size_t)PQgetlength(result, at, PG_COLUMN_METADATA);
        const size_t bytes = name + rest + WEIR_PACKED_REST_BYTES;
        r->is_full = (int64_t)(r->rows->n + n) == r->query->max_messages ||
                     weir_rows_are_full(r->query, r->rows->n + n, r->bytes, bytes);
        if (r->is_full) {
            break;
        }
        r->bytes += bytes;
        *texts += rest + (is_stream(r->query) ? 0 : name);
    }
    return n;
}

static weir_status copy_rows(struct pg_reading *r, const PGresult *result, size_t n, uint8_t *to,
                             struct weir_error *err)
{
    for (size_t k = 0; k < n; k++) {
        struct weir_row *row = &r->rows->rows[r->rows->n];
        if (!weir_pg_row(result, (int)k, row)) {
            return fail_corrupt(r->session, row->global_position, err);
        }
        row->stream = is_stream(r->query) ? r->stream : row->stream;
        weir_row_move(row, !is_stream(r->query), &to);
        r->rows->n++;
    }
    return WEIR_OK;
}

/* Makes room for the rows of this page and of those before it; more than one page is rare. */
static weir_status make_room(struct pg_reading *r, size_t n, size_t texts, uint8_t **bytes,
                             struct weir_error *err)
{
    const size_t size = (r->rows->n + n) * sizeof *r->rows->rows;
    struct weir_row *rows = weir_arena_alloc(r->arena, size);
    *bytes = rows == NULL ? NULL : weir_arena_bytes(r->arena, texts);
    if (*bytes == NULL) {
        return weir_arena_fail(r->arena, err);
    }
    if (r->rows->n > 0) {
        memcpy(rows, r->rows->rows, r->rows->n * sizeof *rows);
    }
    r->rows->rows = rows;
    return WEIR_OK;
}

/* ---- pages ---- */

/* Returns whether the database gave fewer rows than asked for because of their sizes. A measured
 * page ends with the row that crosses the budget; if it is the first of the reply it is kept. */
static bool is_cut(const struct pg_reading *r, size_t got, int64_t largest)
{
    if (r->query->is_headers_only || r->is_full || (int64_t)got >= r->wanted) {
        return false;
    }
    if (r->is_measured) {
        return got > 0 && r->bytes > r->query->max_bytes;
    }
    const int64_t fit = PAGE_BYTES / (largest > 1 ? largest : 1);
    return (int64_t)got >= (fit > 1 ? fit : 1);
}

/* Starts the next page beside the last message. Returns false if that has the highest position,
 * which another program may have stored in an adopted namespace. */
static bool move_on(struct pg_reading *r, size_t got)
{
    const struct weir_row *last = &r->rows->rows[r->rows->n - 1];
    const int64_t at = weir_query_is_by_position(r->query) ? last->position : last->global_position;
    if (!r->query->is_backward && at == INT64_MAX) {
        return false;
    }
    r->from = r->query->is_backward ? at - 1 : at + 1;
    r->wanted -= (int64_t)got;
    return true;
}

weir_status weir_pg_reading_take(struct pg_reading *r, const PGresult *result,
                                 struct weir_error *err)
{
    const size_t got = (size_t)messages_of(result);
    int64_t largest = 0;
    r->end = -1;
    if (has_head(result)) {
        (void)weir_pg_int8(result, (int)got, PG_HEAD_LARGEST, &largest);
        (void)weir_pg_int8(result, (int)got, PG_HEAD_END, &r->end);
    } else if ((int64_t)got < r->wanted) {
        return weir_fail(err, WEIR_DATA_CORRUPT, "the namespace's counters are missing");
    }
    r->end = weir_pg_reading_must_settle(r) ? r->settled : r->end;
    size_t texts = 0;
    uint8_t *bytes = NULL;
    const size_t n = count_rows(r, result, (int)got, &texts);
    weir_status status = make_room(r, n, texts, &bytes, err);
    if (status == WEIR_OK) {
        status = copy_rows(r, result, n, bytes, err);
    }
    if (status == WEIR_OK) {
        const bool is_more = is_cut(r, got, largest);
        r->session->is_large = r->session->is_large || is_more;
        r->is_exhausted = !r->is_full && !(is_more && move_on(r, got));
    }
    return status;
}

static int64_t start_of(const struct weir_query *query)
{
    if (query->is_backward) {
        return query->is_from_newest ? INT64_MAX : query->from;
    }
    return weir_query_start(query);
}

/* ---- a read ---- */

weir_status weir_pg_reading_init(struct pg_reading *r, struct weir_error *err)
{
    *r->rows = (struct weir_rows){.next_position = r->query->from};
    if (is_stream(r->query) && !weir_arena_copy(r->arena, r->query->name, &r->stream)) {
        return weir_arena_fail(r->arena, err);
    }
    r->mark = weir_arena_mark(r->arena);
    return WEIR_OK;
}

void weir_pg_reading_begin(struct pg_reading *r)
{
    const struct weir_query *query = r->query;
    weir_arena_rewind(r->arena, &r->mark);
    r->rows->n = 0;
    r->bytes = 0;
    r->from = start_of(query);
    r->wanted = query->max_messages;
    r->wanted += query->is_unlimited && r->wanted < INT64_MAX;
    r->is_full = false;
    r->is_exhausted = false;
    r->is_measured = r->session->is_large && !query->is_headers_only;
}

bool weir_pg_reading_is_over(const struct pg_reading *r)
{
    return r->is_full || r->is_exhausted;
}

void weir_pg_reading_end(const struct pg_reading *r)
{
    const bool is_batch_full = (int64_t)r->rows->n == r->query->max_messages;
    r->rows->is_truncated = r->is_full;
    r->rows->next_position =
        weir_rows_next_position(r->query, r->rows, r->end, r->is_exhausted && !is_batch_full);
}

static weir_status read_pages(struct pg_conn *conn, void *context, struct weir_error *err)
{
    struct pg_reading *r = context;
    weir_pg_reading_begin(r);
    weir_status status = weir_pg_reading_must_settle(r) ? settle(r, conn, err) : WEIR_OK;
    while (status == WEIR_OK && !weir_pg_reading_is_over(r)) {
        PGresult *result = NULL;
        status = fetch_window_page(r, conn, &result, err);
        if (status == WEIR_OK) {
            status = weir_pg_reading_take(r, result, err);
        }
        PQclear(result);
        r->is_measured = !r->query->is_headers_only;
    }
    return status;
}

weir_status weir_pg_read(struct weir_session *base, const struct weir_query *query,
                         struct weir_arena *arena, struct weir_rows *rows, struct weir_error *err)
{
    struct pg_session *session = (struct pg_session *)base;
    struct pg_reading r = {.session = session, .query = query, .arena = arena, .rows = rows};
    weir_status status = weir_pg_reading_init(&r, err);
    if (status != WEIR_OK || query->max_messages == 0) {
        return status;
    }
    const struct pg_work work = {read_pages, &r};
    status = weir_pg_session_run(session, &work, err);
    if (status == WEIR_OK) {
        weir_pg_reading_end(&r);
    }
    return status;
}
