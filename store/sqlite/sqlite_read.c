/* Reads of messages, and single numbers.
 *
 * A read first opens the scope: the row of counters of the stream, category or namespace. The
 * statement of that row stays open during the read, which makes both one snapshot, and its counts
 * bound the number of rows, so that their array is allocated once. Then a single step of the SELECT
 * hands row after row to the SQL function WEIR_SQLITE_TAKE, which copies it into the arena. */
#include "store/sqlite/sqlite_reading.h"

#include "store/read_rules.h"
#include "store/sqlite/sqlite_memory.h"
#include "store/sqlite/sqlite_packed.h"
#include "store/sqlite/sqlite_value.h"

/* ---- where to read ---- */

/* The stream, category or namespace that is read, by the kept counts of the snapshot. */
struct scope {
    sqlite3_stmt *statement;  // on the row of the counts
    int64_t head;             // highest global position allotted
    bool exists;              // the stream or category
    int64_t id;               // of the stream or category; 0 for the whole namespace
    int64_t count;            // messages in the scope
    int64_t version;          // of a stream; -1 if it does not exist
    bool is_all;              // a category that holds every message of the namespace
};

static const enum sqlite_statement scope_statements[] = {
    [WEIR_SELECT_STREAM] = STATEMENT_SCOPE_STREAM,
    [WEIR_SELECT_CATEGORY] = STATEMENT_SCOPE_CATEGORY,
    [WEIR_SELECT_ALL] = STATEMENT_SCOPE_ALL,
};

static void take_scope(sqlite3_stmt *statement, enum weir_selector selector, struct scope *scope)
{
    scope->head = sqlite3_column_int64(statement, 0);
    scope->exists = sqlite3_column_type(statement, 1) != SQLITE_NULL;
    scope->count = sqlite3_column_int64(statement, 1);
    scope->id = selector == WEIR_SELECT_ALL ? 0 : sqlite3_column_int64(statement, 2);
    scope->version =
        selector == WEIR_SELECT_STREAM && scope->exists ? sqlite3_column_int64(statement, 3) : -1;
    scope->is_all =
        selector == WEIR_SELECT_CATEGORY && scope->count == sqlite3_column_int64(statement, 3);
}

/* Returns whether the counts are possible values; damaged ones must not be calculated with. */
static bool is_scope_sound(const struct scope *scope)
{
    return scope->head >= 0 && scope->count >= 0 && scope->version >= -1 &&
           scope->version < INT64_MAX;
}

/* Reads the counts and leaves scope->statement on its row: a statement that is not reset keeps the
 * read transaction open, so that the following reads belong to the same snapshot, without a BEGIN
 * and a COMMIT. */
static weir_status open_scope(struct sqlite_session *session, enum weir_selector selector,
                              struct weir_slice name, struct scope *scope, struct weir_error *err)
{
    scope->statement = NULL;
    int rc = weir_sqlite_statement(session, scope_statements[selector], &scope->statement);
    if (rc == SQLITE_OK && selector != WEIR_SELECT_ALL) {
        rc = weir_sqlite_bind_text(scope->statement, 1, name);
    }
    const weir_status status =
        weir_sqlite_session_step_counters(session, rc, scope->statement, "read", err);
    if (status != WEIR_OK) {
        return status;
    }
    take_scope(scope->statement, selector, scope);
    return is_scope_sound(scope) ? WEIR_OK : weir_sqlite_session_miscounts(session, err);
}

/* ---- a read ---- */

struct sqlite_reading {
    struct sqlite_session *session;
    const struct weir_query *query;
    struct weir_arena *arena;
    struct weir_rows *rows;
    struct weir_error *err;
    struct scope scope;
    int64_t from;              // start, clamped to the positions that can exist
    size_t room;               // rows that fit into the array
    size_t bytes;              // of the rows so far, about as packed
    struct weir_slice stream;  // name, in the arena, of a stream that is read
    weir_status status;        // of taking rows
    bool is_cut;               // a row matched that does not fit into the reply
};

/* Returns the newest position on the scale of `from`. */
static int64_t newest(const struct sqlite_reading *r)
{
    return weir_query_is_by_position(r->query) ? r->scope.version : r->scope.head;
}

static void clamp_from(struct sqlite_reading *r)
{
    const struct weir_query *query = r->query;
    if (query->is_backward) {
        r->from = query->is_from_newest || query->from > newest(r) ? newest(r) : query->from;
    } else {
        r->from = weir_query_start(query);
    }
}

/* Returns the number of positions from `first` to `last`; 0 for an empty range, such as that of a
 * backward start below the first position. */
static int64_t span(int64_t first, int64_t last)
{
    return first > last ? 0 : last - first + 1;
}

/* Returns the largest possible number of rows: the least of the batch, the messages in the scope
 * and the positions between start and end. */
static size_t capacity(const struct sqlite_reading *r)
{
    const int64_t between = r->query->is_backward ? span(weir_query_lowest(r->query), r->from)
                                                  : span(r->from, newest(r));
    int64_t most = r->query->max_messages;
    most = r->scope.count < most ? r->scope.count : most;
    most = between < most ? between : most;
    return (size_t)most;
}

static int64_t next_position(const struct sqlite_reading *r, bool is_all_examined)
{
    const bool is_stream = r->query->selector == WEIR_SELECT_STREAM;
    return weir_rows_next_position(r->query, r->rows, is_stream ? r->scope.version : r->scope.head,
                                   is_all_examined);
}

/* Copies a row's texts into one piece of the arena and adds it to the reply. When one stream is
 * read, its name is there already. */
static weir_status keep_row(struct sqlite_reading *r, struct weir_row *row)
{
    const bool is_one_stream = r->query->selector == WEIR_SELECT_STREAM;
    const size_t n =
        (is_one_stream ? 0 : row->stream.n) + row->type.n + row->data.n + row->metadata.n;
    uint8_t *to = weir_arena_bytes(r->arena, n);
    if (to == NULL) {
        return weir_arena_fail(r->arena, r->err);
    }
    weir_row_move(row, !is_one_stream, &to);
    r->rows->rows[r->rows->n++] = *row;
    return WEIR_OK;
}

/* Returns whether a row follows the last one in the order of positions. SQLite gives rows out of
 * order if an index is damaged, above all; such rows must not reach the reply. */
static bool is_in_order(const struct sqlite_reading *r, const struct weir_row *row)
{
    if (r->rows->n == 0) {
        return true;
    }
    const struct weir_row *last = &r->rows->rows[r->rows->n - 1];
    const bool is_stream = r->query->selector == WEIR_SELECT_STREAM;
    const int64_t from = is_stream ? last->position : last->global_position;
    const int64_t to = is_stream ? row->position : row->global_position;
    return r->query->is_backward ? to < from : to > from;
}

static bool is_sound(const struct sqlite_reading *r, struct weir_row *row)
{
    if (r->query->selector == WEIR_SELECT_STREAM) {
        row->stream = r->stream;
    }
    return is_in_order(r, row);
}

/* Takes a row into the reply; returns whether the read goes on. */
static bool take_row(struct sqlite_reading *r, sqlite3_value *const *values)
{
    struct weir_row row;
    r->is_cut = r->rows->n == r->room;
    if (r->is_cut) {
        return false;
    }
    if (!weir_sqlite_row(values, r->query->is_headers_only, &row) || !is_sound(r, &row)) {
        r->status = weir_sqlite_session_damaged(r->session, row.global_position, r->err);
        return false;
    }
    const size_t bytes =
        row.type.n + row.data.n + row.metadata.n + row.stream.n + WEIR_PACKED_REST_BYTES;
    r->is_cut = weir_rows_are_full(r->query, r->rows->n, r->bytes, bytes);
    if (r->is_cut) {
        return false;
    }
    r->bytes += bytes;
    r->status = keep_row(r, &row);
    /* An unlimited read looks for one row more than fits: if there is one the reply is
     * truncated. */
    return r->status == WEIR_OK && (r->rows->n < r->room || r->query->is_unlimited);
}

static void take(sqlite3_context *context, int values_n, sqlite3_value **values)
{
    (void)values_n;
    struct sqlite_session *session = sqlite3_user_data(context);
    sqlite3_result_int(context, !take_row(session->reading, values));
}

static bool is_of_types(const struct weir_query *query, struct weir_slice type)
{
    size_t t = 0;
    while (t < query->types_n && !weir_slice_equal(query->types[t], type)) {
        t++;
    }
    return t < query->types_n;
}

/* A damaged message has every type, so that it reaches take_row, which reports it. */
static void has_type(sqlite3_context *context, int values_n, sqlite3_value **values)
{
    (void)values_n;
    const struct sqlite_session *session = sqlite3_user_data(context);
    struct weir_slice packed;
    struct weir_row row;
    sqlite3_result_int(context, !weir_sqlite_value_blob(values[0], &packed) ||
                                    !weir_sqlite_unpack_head(packed, &row) ||
                                    is_of_types(session->reading->query, row.type));
}

int weir_sqlite_read_prepare(struct sqlite_session *session)
{
    /* DIRECTONLY: the schema of a file, which may have been tampered with, cannot call them. */
    const int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY;
    const int rc = sqlite3_create_function_v2(session->db, WEIR_SQLITE_TAKE, COLUMNS, flags,
                                              session, take, NULL, NULL, NULL);
    return rc != SQLITE_OK ? rc
                           : sqlite3_create_function_v2(session->db, WEIR_SQLITE_HAS_TYPE, 1, flags,
                                                        session, has_type, NULL, NULL, NULL);
}

static int bind(const struct sqlite_reading *r, sqlite3_stmt *statement)
{
    const struct weir_query *query = r->query;
    (void)sqlite3_bind_int64(statement, PARAMETER_SCOPE, r->scope.is_all ? 0 : r->scope.id);
    (void)sqlite3_bind_int64(statement, PARAMETER_FROM, r->from);
    int rc = SQLITE_OK;
    if (query->correlation.p != NULL) {
        rc = weir_sqlite_bind_text(statement, PARAMETER_CORRELATION, query->correlation);
    }
    if (query->group_size > 0) {
        (void)sqlite3_bind_int64(statement, PARAMETER_GROUP_SIZE, query->group_size);
        (void)sqlite3_bind_int64(statement, PARAMETER_GROUP_MEMBER, query->group_member);
    }
    return rc;
}

/* Takes all rows in one step, which returns at the row that ends the read, or at the end. */
static weir_status read_rows(struct sqlite_reading *r, sqlite3_stmt *statement)
{
    r->session->reading = r;
    const int rc = sqlite3_step(statement);
    r->session->reading = NULL;
    if (r->status != WEIR_OK) {
        return r->status;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return weir_sqlite_session_fail(r->session, rc, "read", r->err);
    }
    r->rows->is_truncated = r->is_cut;
    const bool is_batch_full = (int64_t)r->rows->n == r->query->max_messages;
    r->rows->next_position = next_position(r, !r->is_cut && !is_batch_full);
    return WEIR_OK;
}

/* Returns the selector to search by. A category that holds every message of the namespace is read
 * as the whole namespace: the rows are the same, and the table's own order saves the detour over
 * the index by category. The counts that tell so belong to the snapshot that is read. */
static enum weir_selector source(const struct sqlite_reading *r)
{
    return r->scope.is_all ? WEIR_SELECT_ALL : r->query->selector;
}

static weir_status select_rows(struct sqlite_reading *r)
{
    const struct weir_query *query = r->query;
    const struct sqlite_shape shape = {.selector = source(r),
                                       .is_backward = query->is_backward,
                                       .is_from_global = query->is_from_global,
                                       .is_headers_only = query->is_headers_only,
                                       .has_correlation = query->correlation.p != NULL,
                                       .has_group = query->group_size > 0,
                                       .has_types = query->types_n > 0};
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_select(r->session, &shape, &statement);
    if (rc == SQLITE_OK) {
        rc = bind(r, statement);
    }
    const weir_status status = rc == SQLITE_OK
                                   ? read_rows(r, statement)
                                   : weir_sqlite_session_fail(r->session, rc, "read", r->err);
    (void)sqlite3_reset(statement);
    return status;
}

static weir_status make_room(struct sqlite_reading *r)
{
    r->rows->rows = weir_arena_alloc(r->arena, r->room * sizeof *r->rows->rows);
    if (r->rows->rows == NULL) {
        return weir_arena_fail(r->arena, r->err);
    }
    if (r->query->selector == WEIR_SELECT_STREAM &&
        !weir_arena_copy(r->arena, r->query->name, &r->stream)) {
        return weir_arena_fail(r->arena, r->err);
    }
    return WEIR_OK;
}

static weir_status read_scope(struct sqlite_reading *r)
{
    clamp_from(r);
    r->room = capacity(r);
    if (r->query->max_messages == 0) {
        r->rows->next_position = r->query->from;
        return WEIR_OK;
    }
    if (r->room == 0) {
        r->rows->next_position = next_position(r, true);
        return WEIR_OK;
    }
    const weir_status status = make_room(r);
    return status == WEIR_OK ? select_rows(r) : status;
}

weir_status weir_sqlite_read(struct weir_session *base, const struct weir_query *query,
                             struct weir_arena *arena, struct weir_rows *rows,
                             struct weir_error *err)
{
    struct sqlite_session *session = (struct sqlite_session *)base;
    *rows = (struct weir_rows){.rows = NULL};
    struct sqlite_reading r = {
        .session = session, .query = query, .arena = arena, .rows = rows, .err = err};
    weir_sqlite_memory_begin(session->memory, WEIR_SESSION_READ);
    weir_status status = open_scope(session, query->selector, query->name, &r.scope, err);
    if (status == WEIR_OK) {
        status = read_scope(&r);
    }
    (void)sqlite3_reset(r.scope.statement);
    weir_sqlite_memory_end(session->memory);
    return status;
}

/* ---- single numbers ---- */

static weir_status read_counts(struct weir_session *base, enum weir_selector selector,
                               struct weir_slice name, struct scope *scope, struct weir_error *err)
{
    struct sqlite_session *session = (struct sqlite_session *)base;
    weir_sqlite_memory_begin(session->memory, WEIR_SESSION_READ);
    const weir_status status = open_scope(session, selector, name, scope, err);
    (void)sqlite3_reset(scope->statement);
    weir_sqlite_memory_end(session->memory);
    return status;
}

weir_status weir_sqlite_stream_version(struct weir_session *base, struct weir_slice stream,
                                       int64_t *version, struct weir_error *err)
{
    struct scope scope;
    const weir_status status = read_counts(base, WEIR_SELECT_STREAM, stream, &scope, err);
    if (status == WEIR_OK) {
        *version = scope.version;
    }
    return status;
}

weir_status weir_sqlite_head(struct weir_session *base, struct weir_head *head,
                             struct weir_error *err)
{
    struct scope scope;
    const weir_status status = read_counts(base, WEIR_SELECT_ALL, weir_slice(NULL, 0), &scope, err);
    if (status == WEIR_OK) {
        *head = (struct weir_head){
            .position = scope.head, .messages = scope.count, .is_in_order = true};
    }
    return status;
}
