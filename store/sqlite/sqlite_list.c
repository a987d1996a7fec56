/* Listings and totals, read from the tables of streams, categories and counters, never by scanning
 * messages. */
#include "store/sqlite/sqlite_reading.h"

#include "store/sqlite/sqlite_memory.h"
#include "store/sqlite/sqlite_packed.h"
#include "store/sqlite/sqlite_value.h"

/* ---- totals ---- */

/* Reads the numbers of messages and streams. Leaves the statement open: what is read before it is
 * reset is of the same snapshot. */
static weir_status read_counts(struct sqlite_session *session, sqlite3_stmt **statement,
                               struct weir_namespace_totals *totals, struct weir_error *err)
{
    const int rc = weir_sqlite_statement(session, STATEMENT_SCOPE_ALL, statement);
    const weir_status status =
        weir_sqlite_session_step_counters(session, rc, *statement, "read", err);
    if (status != WEIR_OK) {
        return status;
    }
    totals->message_count = sqlite3_column_int64(*statement, 1);
    totals->stream_count = sqlite3_column_int64(*statement, 2);
    return totals->message_count < 0 || totals->stream_count < 0
               ? weir_sqlite_session_miscounts(session, err)
               : WEIR_OK;
}

/* Reads the time of the newest message; 0 if there is none. */
static weir_status read_newest_time(struct sqlite_session *session, int64_t *time_us,
                                    struct weir_error *err)
{
    sqlite3_stmt *statement = NULL;
    struct weir_slice packed;
    struct weir_row row = {.time_us = 0};
    int rc = weir_sqlite_statement(session, STATEMENT_NEWEST, &statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    if (rc == SQLITE_ROW && (!weir_sqlite_value_blob(sqlite3_column_value(statement, 0), &packed) ||
                             !weir_sqlite_unpack_head(packed, &row))) {
        rc = SQLITE_CORRUPT;
    }
    *time_us = row.time_us;
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE
               ? WEIR_OK
               : weir_sqlite_session_fail(session, rc, "read", err);
}

weir_status weir_sqlite_totals(struct weir_session *base, struct weir_namespace_totals *totals,
                               struct weir_error *err)
{
    struct sqlite_session *session = (struct sqlite_session *)base;
    sqlite3_stmt *statement = NULL;
    weir_sqlite_memory_begin(session->memory, WEIR_SESSION_READ);
    weir_status status = read_counts(session, &statement, totals, err);
    if (status == WEIR_OK) {
        status = read_newest_time(session, &totals->last_activity_us, err);
    }
    (void)sqlite3_reset(statement);
    weir_sqlite_memory_end(session->memory);
    return status;
}

/* ---- streams ---- */

static bool begins_with(struct weir_slice name, struct weir_slice prefix)
{
    return name.n >= prefix.n && (prefix.n == 0 || memcmp(name.p, prefix.p, prefix.n) == 0);
}

struct listing {
    const struct weir_page_query *query;
    struct weir_arena *arena;
    struct weir_stream_page *page;
    size_t room;  // entries in the page's array: the limit, or all streams if those are fewer
};

static weir_status fail_streams(struct weir_error *err)
{
    return weir_fail(err, WEIR_DATA_CORRUPT, "the list of streams is damaged");
}

/* Takes the current row into the page; *is_end if it does not belong to the page any more. */
static weir_status take_stream(const struct listing *listing, sqlite3_stmt *statement, bool *is_end,
                               struct weir_error *err)
{
    struct weir_stream_page *page = listing->page;
    struct weir_slice name;
    if (!weir_sqlite_text(statement, 0, &name) || name.p == NULL) {
        return fail_streams(err);
    }
    const bool is_in = begins_with(name, listing->query->prefix);
    page->is_more = is_in && page->n == listing->query->limit;
    *is_end = !is_in || page->is_more;
    if (*is_end) {
        return WEIR_OK;
    }
    if (page->n == listing->room) {  // more streams than the counters say
        return fail_streams(err);
    }
    struct weir_stream_info *info = &page->streams[page->n];
    if (!weir_arena_copy(listing->arena, name, &info->name)) {
        return weir_arena_fail(listing->arena, err);
    }
    info->version = sqlite3_column_int64(statement, 1);
    info->last_activity_us = sqlite3_column_int64(statement, 2);
    page->n++;
    return WEIR_OK;
}

/* Compares bytewise, as the index orders names. */
static bool is_before(struct weir_slice a, struct weir_slice b)
{
    const size_t n = a.n < b.n ? a.n : b.n;
    const int order = n == 0 ? 0 : memcmp(a.p, b.p, n);
    return order < 0 || (order == 0 && a.n < b.n);
}

/* Names with a common prefix are neighbours in the index, from the prefix itself on. So the search
 * begins at the prefix, or at `after`, which is left out, and ends at the first name without the
 * prefix. */
static weir_status step_streams(struct sqlite_session *session, sqlite3_stmt *statement,
                                const struct listing *listing, struct weir_error *err)
{
    const struct weir_slice prefix = listing->query->prefix;
    const struct weir_slice after = listing->query->after;
    int rc = weir_sqlite_bind_text(statement, 1, is_before(prefix, after) ? after : prefix);
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_bind_text(statement, 2, after);
    }
    (void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)listing->query->limit + 1);
    bool is_end = false;
    while (rc == SQLITE_OK && !is_end && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const weir_status status = take_stream(listing, statement, &is_end, err);
        if (status != WEIR_OK) {
            return status;
        }
        rc = SQLITE_OK;
    }
    return rc == SQLITE_OK || rc == SQLITE_DONE
               ? WEIR_OK
               : weir_sqlite_session_fail(session, rc, "list streams", err);
}

/* Allocates the page, with room for its limit or for all streams if those are fewer, and fills
 * it. */
static weir_status list_page(struct sqlite_session *session, struct listing *listing,
                             int64_t streams, struct weir_error *err)
{
    struct weir_stream_page *page = listing->page;
    const size_t limit = listing->query->limit;
    listing->room = (uint64_t)streams < limit ? (size_t)streams : limit;
    *page = (struct weir_stream_page){
        .streams = weir_arena_array(listing->arena, listing->room, sizeof *page->streams)};
    if (page->streams == NULL) {
        return weir_arena_fail(listing->arena, err);
    }
    sqlite3_stmt *statement = NULL;
    const int rc = weir_sqlite_statement(session, STATEMENT_LIST_STREAMS, &statement);
    const weir_status status = rc == SQLITE_OK
                                   ? step_streams(session, statement, listing, err)
                                   : weir_sqlite_session_fail(session, rc, "list streams", err);
    (void)sqlite3_reset(statement);
    return status;
}

weir_status weir_sqlite_list_streams(struct weir_session *base, const struct weir_page_query *query,
                                     struct weir_arena *arena, struct weir_stream_page *page,
                                     struct weir_error *err)
{
    struct sqlite_session *session = (struct sqlite_session *)base;
    struct listing listing = {.query = query, .arena = arena, .page = page};
    struct weir_namespace_totals totals = {.stream_count = 0};
    sqlite3_stmt *statement = NULL;
    weir_sqlite_memory_begin(session->memory, WEIR_SESSION_READ);
    weir_status status = read_counts(session, &statement, &totals, err);
    if (status == WEIR_OK) {
        status = list_page(session, &listing, totals.stream_count, err);
    }
    (void)sqlite3_reset(statement);
    weir_sqlite_memory_end(session->memory);
    return status;
}

/* ---- categories ---- */

static weir_status take_category(sqlite3_stmt *statement, struct weir_arena *arena,
                                 struct weir_category_info *info, struct weir_error *err)
{
    struct weir_slice name;
    if (!weir_sqlite_text(statement, 0, &name) || name.p == NULL) {
        return weir_fail(err, WEIR_DATA_CORRUPT, "the list of categories is damaged");
    }
    if (!weir_arena_copy(arena, name, &info->name)) {
        return weir_arena_fail(arena, err);
    }
    info->stream_count = sqlite3_column_int64(statement, 1);
    info->message_count = sqlite3_column_int64(statement, 2);
    return WEIR_OK;
}

static weir_status step_categories(struct sqlite_session *session, struct weir_arena *arena,
                                   struct weir_category_list *list, size_t room,
                                   struct weir_error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_statement(session, STATEMENT_LIST_CATEGORIES, &statement);
    weir_status status = WEIR_OK;
    list->n = 0;
    while (rc == SQLITE_OK && status == WEIR_OK && list->n < room &&
           (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        status = take_category(statement, arena, &list->categories[list->n], err);
        list->n++;
        rc = SQLITE_OK;
    }
    (void)sqlite3_reset(statement);
    if (status == WEIR_OK && rc != SQLITE_OK && rc != SQLITE_DONE) {
        status = weir_sqlite_session_fail(session, rc, "list categories", err);
    }
    return status;
}

static weir_status list_all_categories(struct sqlite_session *session, sqlite3_stmt **statement,
                                       struct weir_arena *arena, struct weir_category_list *list,
                                       struct weir_error *err)
{
    const int rc = weir_sqlite_statement(session, STATEMENT_COUNT_CATEGORIES, statement);
    const weir_status status =
        weir_sqlite_session_step_counters(session, rc, *statement, "list categories", err);
    if (status != WEIR_OK) {
        return status;
    }
    const size_t room = (size_t)sqlite3_column_int64(*statement, 0);
    list->categories = weir_arena_array(arena, room, sizeof *list->categories);
    if (list->categories == NULL) {
        return weir_arena_fail(arena, err);
    }
    return step_categories(session, arena, list, room, err);
}

weir_status weir_sqlite_list_categories(struct weir_session *base, struct weir_arena *arena,
                                        struct weir_category_list *list, struct weir_error *err)
{
    struct sqlite_session *session = (struct sqlite_session *)base;
    sqlite3_stmt *statement = NULL;
    weir_sqlite_memory_begin(session->memory, WEIR_SESSION_READ);
    const weir_status status = list_all_categories(session, &statement, arena, list, err);
    (void)sqlite3_reset(statement);
    weir_sqlite_memory_end(session->memory);
    return status;
}
