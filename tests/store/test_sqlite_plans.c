/* Query plans of SQLite: every statement of the store searches by the intended index. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "store/sqlite/sqlite_reading.h"

#include <stdio.h>

static sqlite3 *open_directly(void)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open_v2(namespace_path(), &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    return db;
}

/* Checks that no table is scanned, nothing is sorted, and the first step uses `index`. */
static void assert_plan(sqlite3 *db, const char *sql, const char *index)
{
    char text[WEIR_SQLITE_SELECT_BYTES + 32];
    (void)snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *statement = NULL;
    ck_assert_msg(sqlite3_prepare_v2(db, text, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    bool is_first = true;
    while (sqlite3_step(statement) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(statement, 3);
        ck_assert_msg(strncmp(step, "SEARCH", 6) == 0, "%s: %s", sql, step);
        ck_assert_msg(!is_first || strstr(step, index) != NULL, "%s: %s", sql, step);
        is_first = false;
    }
    ck_assert(!is_first);
    (void)sqlite3_finalize(statement);
}

static const char *index_of(const struct sqlite_shape *shape)
{
    if (shape->selector == WEIR_SELECT_STREAM) {
        return shape->is_from_global ? "messages_by_stream (stream_id=?)"
                                     : "messages_by_stream (stream_id=? AND position";
    }
    if (shape->has_correlation) {
        return "messages_by_correlation (correlation=? AND global_position";
    }
    return shape->selector == WEIR_SELECT_CATEGORY ? "messages_by_category (category_id=? AND rowid"
                                                   : "INTEGER PRIMARY KEY (rowid";
}

static void find_nothing(sqlite3_context *context, int values_n, sqlite3_value **values)
{
    (void)values_n;
    (void)values;
    sqlite3_result_int(context, 0);
}

START_TEST(every_read_searches_by_the_right_index)
{
    must_put(fx.ns, "a-1", 3);
    sqlite3 *db = open_directly();
    ck_assert_int_eq(sqlite3_create_function_v2(db, WEIR_SQLITE_TAKE, COLUMNS, SQLITE_UTF8, NULL,
                                                find_nothing, NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_create_function_v2(db, WEIR_SQLITE_HAS_TYPE, 1, SQLITE_UTF8, NULL,
                                                find_nothing, NULL, NULL, NULL),
                     SQLITE_OK);
    for (unsigned bits = 0; bits < 3u << 6; bits++) {
        const struct sqlite_shape shape = {.selector = (enum weir_selector)(bits >> 6),
                                           .is_backward = bits & 1,
                                           .is_from_global = (bits & 2) != 0,
                                           .is_headers_only = (bits & 4) != 0,
                                           .has_correlation = (bits & 8) != 0,
                                           .has_group = (bits & 16) != 0,
                                           .has_types = (bits & 32) != 0};
        const bool is_stream = shape.selector == WEIR_SELECT_STREAM;
        if (is_stream && (shape.has_correlation || shape.has_group)) {
            continue;
        }
        char text[WEIR_SQLITE_SELECT_BYTES];
        weir_sqlite_select_text(&shape, text);
        assert_plan(db, text, index_of(&shape));
    }
    (void)sqlite3_close(db);
}
END_TEST

#define STATEMENT_ROW(name, text) [STATEMENT_##name] = text,
static const char *const statements[STATEMENT_COUNT] = {WEIR_SQLITE_STATEMENTS(STATEMENT_ROW)};

static const struct {
    enum sqlite_statement statement;
    const char *index;
} searches[] = {
    {STATEMENT_COUNTERS_GET, "INTEGER PRIMARY KEY"},
    {STATEMENT_COUNTERS_SET, "INTEGER PRIMARY KEY"},
    {STATEMENT_STREAM_GET, "(name=?)"},
    {STATEMENT_STREAM_SET, "INTEGER PRIMARY KEY"},
    {STATEMENT_STREAM_LAST_ID, "streams"},
    {STATEMENT_CATEGORY_GET, "(name=?)"},
    {STATEMENT_CATEGORY_SET, "INTEGER PRIMARY KEY"},
    {STATEMENT_CATEGORY_LAST_ID, "categories"},
    {STATEMENT_MESSAGES_UNDO, "INTEGER PRIMARY KEY"},
    {STATEMENT_MESSAGE_BY_ID, "messages_by_id (<expr>=?)"},
    {STATEMENT_MESSAGE_BY_GLOBAL, "INTEGER PRIMARY KEY (rowid=?)"},
    {STATEMENT_MESSAGE_IS_AT, "messages_by_stream (stream_id=? AND position=?)"},
    {STATEMENT_SCOPE_STREAM, "INTEGER PRIMARY KEY"},
    {STATEMENT_SCOPE_CATEGORY, "INTEGER PRIMARY KEY"},
    {STATEMENT_SCOPE_ALL, "INTEGER PRIMARY KEY"},
    {STATEMENT_LIST_STREAMS, "(name>?)"},
};

START_TEST(every_other_statement_searches_too)
{
    sqlite3 *db = open_directly();
    for (size_t i = 0; i < WEIR_COUNTOF(searches); i++) {
        assert_plan(db, statements[searches[i].statement], searches[i].index);
    }
    (void)sqlite3_close(db);
}
END_TEST

START_TEST(a_category_that_is_all_is_read_without_its_index)
{
    must_put(fx.ns, "a-1", 3);
    close_all();
    tamper("DROP INDEX messages_by_category");
    fx.store = open_store(fx.url, 8);
    fx.ns = must_open(fx.store, "test");
    struct weir_query query = query_category("a");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 3);
    query.is_backward = true;
    query.is_from_newest = true;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 3);
    must_put(fx.ns, "b-1", 1);
    query = query_category("a");
    ck_assert_int_ne(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err), WEIR_OK);
}
END_TEST

static Suite *sqlite_plans_suite(void)
{
    Suite *suite = suite_create("sqlite_plans");
    TCase *tcase = tcase_create("on disk");
    tcase_add_checked_fixture(tcase, fixture_on_disk, fixture_end);
    tcase_add_test(tcase, every_read_searches_by_the_right_index);
    tcase_add_test(tcase, every_other_statement_searches_too);
    tcase_add_test(tcase, a_category_that_is_all_is_read_without_its_index);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(sqlite_plans_suite());
}
