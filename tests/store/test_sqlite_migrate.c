/* Files of older schema versions: opening them upgrades them and keeps all their contents. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "store/sqlite/sqlite_backend.h"
#include "store/sqlite/sqlite_packed.h"
#include "store/sqlite/sqlite_value.h"
#include "weir/base/monotonic.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- a file of an older version ---- */

static void run(sqlite3 *db, const char *sql)
{
    char *text = NULL;
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &text) == SQLITE_OK, "%s: %s", sql, text);
}

/* Returns the number that a query gives on a file, named by path or URI. */
static int64_t number_in(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    const int64_t number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return number;
}

static void give(sqlite3_context *context, struct weir_slice text)
{
    if (text.p != NULL) {
        sqlite3_result_text(context, (const char *)text.p, (int)text.n, SQLITE_TRANSIENT);
    }
}

/* SQL function part(packed, large, column): returns what was once a column of its own. */
static void part(sqlite3_context *context, int values_n, sqlite3_value **values)
{
    struct weir_slice packed;
    struct weir_slice large;
    struct weir_row row;
    ck_assert_int_eq(values_n, 3);
    ck_assert(weir_sqlite_value_blob(values[0], &packed));
    ck_assert(weir_sqlite_value_blob(values[1], &large));
    ck_assert(weir_sqlite_unpack(packed, large, &row));
    const char *column = (const char *)sqlite3_value_text(values[2]);
    if (strcmp(column, "id") == 0) {
        sqlite3_result_blob(context, row.id.bytes, WEIR_UUID_BYTES, SQLITE_TRANSIENT);
    } else if (strcmp(column, "time_us") == 0) {
        sqlite3_result_int64(context, row.time_us);
    } else {
        give(context, column[0] == 't'   ? row.type
                      : column[0] == 's' ? row.stream
                      : column[0] == 'd' ? row.data
                                         : row.metadata);
    }
}

static const char *const old_messages[] = {
    [1] = "INSERT INTO messages (global_position, stream_id, position, category_id, correlation, "
          "id, time_us, type, data, metadata) "
          "SELECT global_position, stream_id, position, category_id, correlation, "
          "part(packed, large, 'id'), part(packed, large, 'time_us'), "
          "part(packed, large, 'type'), part(packed, large, 'data'), "
          "part(packed, large, 'metadata') FROM now.messages",
    [2] = "INSERT INTO messages (global_position, stream_id, position, category_id, correlation, "
          "id, time_us, type, stream_name, data, metadata) "
          "SELECT global_position, stream_id, position, category_id, correlation, "
          "part(packed, large, 'id'), part(packed, large, 'time_us'), "
          "part(packed, large, 'type'), part(packed, large, 'stream_name'), "
          "part(packed, large, 'data'), part(packed, large, 'metadata') FROM now.messages",
};

/* Replaces the namespace's file by one of an older version with the same contents. */
static void put_back_to_version(int version)
{
    const char *path = namespace_path();
    const char *draft = path_in_dir("draft");
    char sql[600];
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(draft, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_create_function(db, "part", 3, SQLITE_UTF8, NULL, part, NULL, NULL),
                     SQLITE_OK);
    for (int step = 0; step < version; step++) {
        run(db, weir_sqlite_namespace_schema.steps[step]);
    }
    (void)snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   weir_sqlite_namespace_schema.application_id, version);
    run(db, sql);
    (void)snprintf(sql, sizeof sql, "ATTACH '%s' AS now", path);
    run(db, sql);
    run(db, "DELETE FROM counters; INSERT INTO counters SELECT * FROM now.counters;"
            "INSERT INTO categories SELECT * FROM now.categories;"
            "INSERT INTO streams SELECT * FROM now.streams");
    run(db, old_messages[version]);
    run(db, "DETACH now; PRAGMA journal_mode = WAL");
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    ck_assert_int_eq(rename(draft, path), 0);
    ck_assert_int_eq(number_in(path, "PRAGMA user_version"), version);
}

/* ---- contents ---- */

enum { LONG_BYTES = 9000 };  // more than a page, hence on overflow pages

static char long_data[LONG_BYTES + 1];

/* Writes to streams in turn: with and without ids, of two categories, with a correlation, without
 * data and with long data, and positions with gaps, as imports leave them. */
static void fill(void)
{
    static const char *const streams[] = {"a-1", "b-1", "a-2", "a", "a-1"};
    memset(long_data, '7', LONG_BYTES);
    for (uint64_t m = 0; m < 40; m++) {
        struct weir_new_message message = message_of(m + 1, m % 7 == 0 ? long_data : "{\"a\":1}");
        if (m % 5 == 0) {
            message.data = weir_slice(NULL, 0);
        }
        if (m % 3 == 0) {
            message.metadata = weir_slice_of("{\"correlationStreamName\":\"c-1\"}");
            message.correlation = weir_slice_of("c");
        }
        struct weir_written written;
        ck_assert_int_eq(append(fx.ns, streams[m % 5], ANY, &message, 1, &written), WEIR_OK);
    }
    const struct weir_import_record record = record_of(99, "b-2", 17, 1000);
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.ns, &record, 1, &outcome), WEIR_OK);
}

enum { READS = 6 };

static struct weir_query read_of(int number)
{
    struct weir_query query = number < 2   ? query_all()
                              : number < 5 ? query_category("a")
                                           : query_stream("a-1");
    if (number == 1 || number == 3) {
        query.correlation = weir_slice_of("c");
    }
    query.group_size = number == 4 ? 2 : 0;
    return query;
}

/* Returns everything that a read returns, as text. */
static char *text_of_read(int number)
{
    const struct weir_query query = read_of(number);
    char *text = NULL;
    size_t n = 0;
    must_read(fx.ns, &query);
    ck_assert_uint_ge(fx.rows.n, 3);
    FILE *out = open_memstream(&text, &n);
    ck_assert_ptr_nonnull(out);
    for (size_t i = 0; i < fx.rows.n; i++) {
        const struct weir_row *row = &fx.rows.rows[i];
        (void)fprintf(out, "%lld %lld %lld %d %.*s %.*s", (long long)row->global_position,
                      (long long)row->position, (long long)row->time_us, row->id.bytes[15],
                      (int)row->stream.n, (const char *)row->stream.p, (int)row->type.n,
                      (const char *)row->type.p);
        (void)fprintf(out, " %d:%.*s %d:%.*s\n", row->data.p != NULL, (int)row->data.n,
                      (const char *)row->data.p, row->metadata.p != NULL, (int)row->metadata.n,
                      (const char *)row->metadata.p);
    }
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

START_TEST(an_older_file_keeps_everything)
{
    char *before[READS];
    fill();
    for (int r = 0; r < READS; r++) {
        before[r] = text_of_read(r);
    }
    close_all();
    put_back_to_version(_i);
    reopen();
    for (int r = 0; r < READS; r++) {
        char *after = text_of_read(r);
        ck_assert_msg(strcmp(after, before[r]) == 0, "read %d gives something else", r);
        free(after);
        free(before[r]);
    }
    close_all();
    const char *path = namespace_path();
    ck_assert_int_eq(number_in(path, "PRAGMA user_version"), weir_sqlite_namespace_schema.version);
    ck_assert_int_eq(number_in(path, "SELECT count(*) FROM pragma_integrity_check "
                                     "WHERE integrity_check <> 'ok'"),
                     0);
    ck_assert_ptr_nonnull(strstr(fx.report, "migrated to schema version"));
}
END_TEST

START_TEST(after_the_step_ids_are_known_and_writes_go_on)
{
    fill();
    close_all();
    put_back_to_version(_i);
    reopen();
    const struct weir_new_message again = message_of(3, "{\"a\":1}");  // the first message of a-2
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-2", NO_STREAM, &again, 1, &written), WEIR_OK);
    ck_assert_int_eq(written.position, 0);
    ck_assert_int_eq(written.global_position, 3);
    ck_assert_int_eq(append(fx.ns, "b-1", ANY, &again, 1, &written), WEIR_MESSAGE_ID_CONFLICT);
    struct weir_import outcome;
    const struct weir_import_record record = record_of(99, "b-2", 17, 1000);
    ck_assert_int_eq(import(fx.ns, &record, 1, &outcome), WEIR_OK);
    ck_assert_int_eq(outcome.skipped_identical, 1);

    must_put(fx.ns, "a-2", 1);
    const struct weir_query query = query_stream("a-2");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 9);
    ck_assert_int_eq(fx.rows.rows[8].global_position, 1001);
}
END_TEST

/* A message without its stream has no name, and one with an id of another length cannot be packed.
 * The migration must not drop such messages. */
static const char *const damages[] = {
    [1] = "DELETE FROM streams WHERE name = 'b-1'",
    [2] = "UPDATE messages SET id = x'00' WHERE global_position = 3",
};

/* Otherwise the first write would have to wait for a checkpoint. */
START_TEST(what_the_step_has_written_is_moved_into_the_file)
{
    char uri[450];
    fill();
    close_all();
    put_back_to_version(_i);
    fx.store = open_store(fx.url, 4);
    fx.ns = must_open(fx.store, "test");
    (void)snprintf(uri, sizeof uri, "file:%s?immutable=1", namespace_path());  // ignores the WAL
    ck_assert_int_eq(number_in(uri, "PRAGMA user_version"), weir_sqlite_namespace_schema.version);
    ck_assert_int_eq(number_in(uri, "SELECT count(*) FROM messages"), 41);
}
END_TEST

START_TEST(a_step_that_fails_leaves_the_file_as_it_was)
{
    fill();
    close_all();
    put_back_to_version(_i);
    const char *path = namespace_path();
    tamper(damages[_i]);
    fx.store = open_store(fx.url, 4);
    ck_assert_int_ne(
        weir_namespace_open(fx.store, weir_slice_of("test"), INT64_MAX, &fx.ns, &fx.err), WEIR_OK);
    ck_assert_str_ne(fx.report, "");
    ck_assert_int_eq(number_in(path, "PRAGMA user_version"), _i);
    ck_assert_int_eq(number_in(path, "SELECT count(*) FROM messages"), 41);
    ck_assert_int_eq(number_in(path, "SELECT count(*) FROM pragma_table_info('messages')"),
                     _i == 1 ? 10 : 11);
}
END_TEST

/* The last message cannot be migrated, when most of the WAL is written. */
static const char *const late_damages[] = {
    [1] = "DELETE FROM streams WHERE name = 'last-1'",
    [2] = "UPDATE messages SET id = x'00' "
          "WHERE global_position = (SELECT max(global_position) FROM messages)",
};

/* On a full disk the WAL of the migration would be in the way of all other namespaces. */
START_TEST(a_step_that_fails_leaves_no_wal)
{
    enum { MORE = 400 };  // exceeds the page cache
    char wal[450];
    fill();
    for (uint64_t m = 0; m < MORE; m++) {
        const struct weir_new_message message = message_of(1000 + m, long_data);
        struct weir_written written;
        ck_assert_int_eq(append(fx.ns, "long-1", ANY, &message, 1, &written), WEIR_OK);
    }
    must_put(fx.ns, "last-1", 1);
    close_all();
    put_back_to_version(_i);
    tamper(late_damages[_i]);
    (void)snprintf(wal, sizeof wal, "%s-wal", namespace_path());
    fx.store = open_store(fx.url, 4);
    ck_assert_int_ne(
        weir_namespace_open(fx.store, weir_slice_of("test"), INT64_MAX, &fx.ns, &fx.err), WEIR_OK);
    ck_assert_int_ne(access(wal, F_OK), 0);
    ck_assert_int_eq(number_in(namespace_path(), "PRAGMA user_version"), _i);
}
END_TEST

START_TEST(an_older_file_can_be_deleted)
{
    fill();
    close_all();
    put_back_to_version(_i);
    fx.store = open_store(fx.url, 4);
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    ck_assert_int_eq(deleted, 41);
    ck_assert_str_eq(fx.report, "");
}
END_TEST

START_TEST(another_process_is_waited_for_no_longer_than_the_deadline)
{
    fill();
    close_all();
    put_back_to_version(_i);
    fx.store = open_store(fx.url, 4);
    sqlite3 *other = start_program(namespace_path(), "BEGIN IMMEDIATE");
    const int64_t from_us = weir_monotonic_us();
    ck_assert_int_eq(
        weir_namespace_open(fx.store, weir_slice_of("test"), from_us + 100 * 1000, &fx.ns, &fx.err),
        WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_lt(weir_monotonic_us() - from_us, WEIR_SQLITE_BUSY_US / 2);
    ck_assert_msg(strstr(fx.report, "migrating") == NULL, "%s", fx.report);
    end_program(other);
    fx.ns = must_open(fx.store, "test");
    ck_assert_int_eq(must_head(fx.ns), 1000);
}
END_TEST

/* ---- several at once ---- */

static pthread_barrier_t start;

static void *open_and_count(void *context)
{
    const struct weir_store_options options = {.url = fx.url, .max_sessions = 2};
    struct weir_store *store = NULL;
    struct weir_namespace *ns = NULL;
    struct weir_error err;
    weir_error_init(&err);
    weir_status status = weir_store_open(&options, &store, &err);
    (void)pthread_barrier_wait(&start);
    if (status == WEIR_OK) {
        status = weir_namespace_open(store, weir_slice_of("test"), INT64_MAX, &ns, &err);
    }
    if (status == WEIR_OK) {
        status = weir_head(ns, INT64_MAX, context, &err);
    }
    weir_namespace_release(ns);
    weir_store_close(store);
    return status == WEIR_OK ? context : NULL;
}

START_TEST(of_several_that_open_it_one_takes_the_step)
{
    enum { OPENERS = 3 };
    pthread_t threads[OPENERS];
    struct weir_head heads[OPENERS] = {{0}};
    fill();
    close_all();
    put_back_to_version(_i);
    ck_assert_int_eq(pthread_barrier_init(&start, NULL, OPENERS), 0);
    for (size_t t = 0; t < OPENERS; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, open_and_count, &heads[t]), 0);
    }
    for (size_t t = 0; t < OPENERS; t++) {
        void *result = NULL;
        ck_assert_int_eq(pthread_join(threads[t], &result), 0);
        ck_assert_ptr_nonnull(result);
        ck_assert_int_eq(heads[t].position, 1000);
    }
    (void)pthread_barrier_destroy(&start);
    ck_assert_int_eq(number_in(namespace_path(), "SELECT count(*) FROM messages"), 41);
}
END_TEST

/* Whether this process has a removed file of the directory open, as temporary files are. */
static bool has_temporary_file(const char *directory)
{
    char path[32];
    char target[256];
    bool has = false;
    for (int fd = 0; fd < 256 && !has; fd++) {
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        const ssize_t n = readlink(path, target, sizeof target - 1);
        target[n < 0 ? 0 : n] = '\0';
        has = strncmp(target, directory, strlen(directory)) == 0 &&
              strstr(target, "/etilqs_") != NULL;
    }
    return has;
}

/* A migration sorts with temp_store = FILE. Where the page cache is too small for a temporary
 * table, it goes to where sorts go. */
START_TEST(temporary_files_are_in_the_directory_of_the_store)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    run(db, "PRAGMA temp_store = FILE; CREATE TEMP TABLE t (x); PRAGMA temp.cache_size = 1;"
            "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
            "INSERT INTO t SELECT zeroblob(1000) FROM n");
    ck_assert(has_temporary_file(fx.dir));
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

static Suite *sqlite_migrate_suite(void)
{
    Suite *suite = suite_create("sqlite_migrate");
    TCase *tcase = tcase_create("older versions");
    const int end = weir_sqlite_namespace_schema.version;
    tcase_add_checked_fixture(tcase, fixture_on_disk, fixture_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, an_older_file_keeps_everything, 1, end);
    tcase_add_loop_test(tcase, after_the_step_ids_are_known_and_writes_go_on, 1, end);
    tcase_add_loop_test(tcase, what_the_step_has_written_is_moved_into_the_file, 1, end);
    tcase_add_loop_test(tcase, a_step_that_fails_leaves_the_file_as_it_was, 1, end);
    tcase_add_loop_test(tcase, a_step_that_fails_leaves_no_wal, 1, end);
    tcase_add_loop_test(tcase, an_older_file_can_be_deleted, 1, end);
    tcase_add_loop_test(tcase, another_process_is_waited_for_no_longer_than_the_deadline, 1, end);
    tcase_add_loop_test(tcase, of_several_that_open_it_one_takes_the_step, 1, end);
    tcase_add_test(tcase, temporary_files_are_in_the_directory_of_the_store);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(sqlite_migrate_suite());
}
