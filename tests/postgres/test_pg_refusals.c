/* Held locks, statements that the database refuses, and damaged or missing schemas: each has its
 * own outcome and affects no other call. */
#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

#include "weir/base/monotonic.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void begin(void)
{
    fixture_on_disk();
    must_put(fx.ns, "warm-1", 1);  // prepares the statements
}

static void begin_with_one_connection(void)
{
    begin();
    close_all();
    fx.store = open_store(fx.url, 1);
    fx.ns = must_open(fx.store, "test");
}

/* ---- locks ---- */

static PGconn *hold_lock(const char *id)
{
    PGconn *holder = sql_connect();
    char text[160];
    (void)snprintf(text, sizeof text, "BEGIN; SELECT %s.lock(5000, NULL)", schema_of(id));
    sql_on(holder, text);
    return holder;
}

START_TEST(a_write_waits_for_the_lock_until_its_deadline)
{
    PGconn *holder = hold_lock("test");
    const struct weir_new_message message = message_of(7, "1");
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "a-1", ANY, &message, &written);
    const int64_t start_us = weir_monotonic_us();
    write.deadline_us = start_us + 800000;
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_lt(weir_monotonic_us() - start_us, 2500000);
    sql_on(holder, "COMMIT");
    PQfinish(holder);
    ck_assert_int_eq(stored("a-1"), 0);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
}
END_TEST

/* No kind of write may take its positions out of turn. */
START_TEST(every_kind_of_write_waits_for_the_lock)
{
    struct weir_stream_append part;
    struct weir_written written;
    const struct weir_new_message message = message_of(1, "1");
    const struct weir_import_record record = record_of(2, "a-2", 0, 100);
    struct weir_write writes[] = {
        write_of(&part, "a-1", ANY, &message, &written),
        {.kind = WEIR_WRITE_IMPORT, .of.import = {.records = &record, .n = 1}},
        {.kind = WEIR_WRITE_CLEAR},
    };
    PGconn *holder = hold_lock("test");
    for (size_t i = 0; i < WEIR_COUNTOF(writes); i++) {
        writes[i].deadline_us = weir_monotonic_us() + 300 * 1000;
        ck_assert_int_eq(commit_write(fx.ns, &writes[i]), WEIR_DEADLINE_EXCEEDED);
    }
    sql_on(holder, "ROLLBACK");
    PQfinish(holder);
    for (size_t i = 0; i < WEIR_COUNTOF(writes); i++) {
        writes[i].deadline_us = INT64_MAX;
        ck_assert_int_eq(commit_write(fx.ns, &writes[i]), WEIR_OK);
    }
    ck_assert_int_ge(writes[2].of.clear.messages_deleted, 2);
}
END_TEST

static void wait_until_waited_for(void)
{
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    while (sql_int("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0) {
        (void)nanosleep(&pause, NULL);
    }
}

struct waiting {
    pthread_t thread;
    struct weir_namespace *ns;
    struct weir_error err;
};

static void nothing(struct weir_write *write)
{
    (void)write;
}

static void *write_one(void *context)
{
    struct waiting *waiting = context;
    const struct weir_new_message message = message_of(99, "1");
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "slow-1", ANY, &message, &written);
    write.deadline_us = weir_monotonic_us() + 20000000;
    write.err = &waiting->err;
    write.done = nothing;
    (void)weir_write_submit(waiting->ns, &write);
    (void)weir_lane_run(waiting->ns);
    return NULL;
}

static void *delete_one(void *context)
{
    struct waiting *waiting = context;
    int64_t deleted = 0;
    (void)weir_namespace_delete(fx.store, weir_slice_of("slow"), weir_monotonic_us() + 20000000,
                                &deleted, &waiting->err);
    return NULL;
}

/* With one connection for everything, a call that waits for a lock repeatedly lets others
 * through. */
START_TEST(a_slow_namespace_does_not_delay_another_for_long)
{
    must_create(fx.store, "slow");
    must_create(fx.store, "other");
    struct weir_namespace *other = must_open(fx.store, "other");
    PGconn *holder = hold_lock(_i == 0 ? "test" : "slow");
    struct waiting waiting = {.ns = fx.ns};
    weir_error_init(&waiting.err);
    ck_assert_int_eq(
        pthread_create(&waiting.thread, NULL, _i == 0 ? write_one : delete_one, &waiting), 0);
    for (uint64_t k = 0; k < 5; k++) {
        const int64_t start_us = weir_monotonic_us();
        const struct weir_new_message message = message_of(k + 1, "1");
        struct weir_written written;
        ck_assert_int_eq(append(other, "a-1", ANY, &message, 1, &written), WEIR_OK);
        ck_assert_int_lt(weir_monotonic_us() - start_us, 2000000);
        wait_until_waited_for();
    }
    sql_on(holder, "COMMIT");
    PQfinish(holder);
    (void)pthread_join(waiting.thread, NULL);
    ck_assert_int_eq(waiting.err.status, WEIR_OK);
    weir_namespace_release(other);
}
END_TEST

/* ---- refusals ---- */

/* Makes a function in the namespace's schema that fails this many times with an internal error,
 * like an object that is being dropped. */
static void make_failing(const char *schema, int times)
{
    sql("CREATE SEQUENCE %s.calls", schema);
    sql("CREATE FUNCTION %1$s.is_fine() RETURNS bool LANGUAGE plpgsql AS"
        " 'BEGIN IF nextval(''%1$s.calls'') <= %2$d THEN RAISE EXCEPTION ''lost'' USING ERRCODE ="
        " ''XX000''; END IF; RETURN true; END'",
        schema, times);
}

static void refuse_by_check(const char *schema)
{
    sql("ALTER TABLE %s.stored ADD CHECK (type <> 'Poison') NOT VALID", schema);
}

static void refuse_by_index(const char *schema)
{
    sql("CREATE UNIQUE INDEX only_one ON %s.stored (type) WHERE type = 'Poison'", schema);
}

static void refuse_by_internal_error(const char *schema)
{
    make_failing(schema, 1000);
    sql("ALTER TABLE %1$s.stored ADD CHECK (type <> 'Poison' OR %1$s.is_fine()) NOT VALID", schema);
}

static const struct {
    void (*refuse)(const char *schema);
    const char *report;
} refusals[] = {{refuse_by_check, "check constraint"},
                {refuse_by_index, "only_one"},
                {refuse_by_internal_error, "lost"}};

static struct weir_new_message poison_of(uint64_t id)
{
    struct weir_new_message message = message_of(id, "1");
    message.type = weir_slice_of("Poison");
    return message;
}

START_TEST(a_write_that_the_database_refuses_leaves_its_group_alone)
{
    struct weir_new_message messages[3] = {message_of(10, "1"), poison_of(11), message_of(12, "1")};
    struct weir_written written[3];
    struct weir_stream_append parts[3];
    struct weir_write writes[3];
    struct weir_error errors[3];
    const struct weir_new_message earlier = poison_of(9);
    ck_assert_int_eq(append(fx.ns, "b-1", ANY, &earlier, 1, written), WEIR_OK);
    refusals[_i].refuse(schema_of("test"));
    for (size_t w = 0; w < 3; w++) {
        writes[w] = write_of(&parts[w], "a-1", ANY, &messages[w], &written[w]);
        weir_error_init(&errors[w]);
    }
    commit_group(fx.ns, writes, errors, 3);
    ck_assert_int_eq(errors[0].status, WEIR_OK);
    ck_assert_int_eq(errors[1].status, WEIR_BACKEND_ERROR);
    ck_assert_int_eq(errors[2].status, WEIR_OK);
    ck_assert_int_eq(written[2].position, 1);
    /* Neither SQL nor table names reach the client. */
    ck_assert_ptr_null(strstr(errors[1].text, "stored"));
    ck_assert_ptr_null(strstr(errors[1].text, "weir_"));
    ck_assert_msg(strstr(fx.report, refusals[_i].report) != NULL, "%s", fx.report);
}
END_TEST

static const struct {
    int failures;
    weir_status outcome;
} internal_errors[] = {{1, WEIR_OK}, {1000, WEIR_BACKEND_ERROR}};

START_TEST(a_read_that_meets_an_internal_error_is_tried_again)
{
    const char *schema = schema_of("test");
    make_failing(schema, internal_errors[_i].failures);
    sql("ALTER TABLE %s.categories RENAME TO kept", schema);
    sql("CREATE VIEW %1$s.categories AS SELECT * FROM %1$s.kept WHERE %1$s.is_fine()", schema);
    struct weir_category_list list;
    ck_assert_int_eq(weir_list_categories(fx.ns, INT64_MAX, &fx.arena, &list, &fx.err),
                     internal_errors[_i].outcome);
}
END_TEST

START_TEST(a_write_that_meets_an_internal_error_is_tried_again)
{
    const struct weir_new_message message = message_of(7, "1");
    struct weir_written written;
    const char *schema = schema_of("test");
    make_failing(schema, internal_errors[_i].failures);
    sql("ALTER TABLE %1$s.stored ADD CHECK (%1$s.is_fine()) NOT VALID", schema);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), internal_errors[_i].outcome);
    ck_assert_int_eq(stored("a-1"), internal_errors[_i].outcome == WEIR_OK);
    ck_assert_int_le(sql_int("SELECT last_value FROM %s.calls", schema), 3);
}
END_TEST

/* Deleting many tables may take longer than the limit of other statements. */
START_TEST(a_deletion_may_take_as_long_as_its_call)
{
    sql("CREATE TABLE public.seen (ms text);"
        "CREATE FUNCTION public.see() RETURNS event_trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.seen SELECT setting FROM pg_settings"
        "  WHERE name = ''statement_timeout''; END';"
        "CREATE EVENT TRIGGER see ON ddl_command_start WHEN TAG IN ('DROP SCHEMA')"
        " EXECUTE FUNCTION public.see()");
    must_create(fx.store, "many");
    int64_t deleted = 0;
    const weir_status status = weir_namespace_delete(
        fx.store, weir_slice_of("many"), weir_monotonic_us() + 300000000, &deleted, &fx.err);
    sql("DROP EVENT TRIGGER see");
    const int64_t seen_ms = sql_int("SELECT ms FROM public.seen");
    sql("DROP TABLE public.seen; DROP FUNCTION public.see()");
    ck_assert_int_eq(status, WEIR_OK);
    ck_assert_int_gt(seen_ms, 200000);
    ck_assert_int_le(seen_ms, 300000);
}
END_TEST

/* The deadline exceeds PostgreSQL's largest timeout. */
START_TEST(a_deletion_may_have_all_the_time_there_is)
{
    int64_t deleted = 0;
    must_create(fx.store, "late");
    const weir_status status =
        weir_namespace_delete(fx.store, weir_slice_of("late"),
                              weir_monotonic_us() + INT64_C(1000) * UINT32_MAX, &deleted, &fx.err);
    ck_assert_msg(status == WEIR_OK, "%s", fx.err.text);
}
END_TEST

START_TEST(a_hint_of_the_database_is_reported)
{
    const struct weir_new_message message = message_of(7, "1");
    struct weir_written written;
    const char *schema = schema_of("test");
    sql("CREATE FUNCTION %s.is_fine() RETURNS bool LANGUAGE plpgsql AS"
        " 'BEGIN RAISE EXCEPTION ''out of shared memory'' USING ERRCODE = ''53200'', HINT ="
        " ''You might need to increase max_locks_per_transaction.''; END'",
        schema);
    sql("ALTER TABLE %1$s.stored ADD CHECK (%1$s.is_fine()) NOT VALID", schema);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_msg(strstr(fx.report, "max_locks_per_transaction") != NULL, "%s", fx.report);
}
END_TEST

/* A namespace that another server re-creates during a call must not be reported as damaged. */
START_TEST(what_is_made_anew_meanwhile_is_not_called_damaged)
{
    struct weir_store *other = open_store(getenv("WEIR_TEST_STORE"), 1);
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(other, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err), WEIR_OK);
    must_create(other, "test");
    sql("ALTER TABLE %s.counters RENAME TO kept", schema_of("test"));  // as during its creation
    fx.report[0] = '\0';
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_msg(strstr(fx.report, "damaged") == NULL, "%s", fx.report);
    sql("ALTER TABLE %s.kept RENAME TO counters", schema_of("test"));
    weir_error_init(&fx.err);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    weir_store_close(other);
}
END_TEST

/* A server of an older version re-creates the namespace, whose tables lack a column then. */
START_TEST(what_an_older_server_makes_anew_is_brought_up_to_date_at_a_read)
{
    struct weir_store *other = open_store(getenv("WEIR_TEST_STORE"), 1);
    const struct weir_new_message message = message_of(1, "1");
    const struct weir_query query = query_all();
    struct weir_written written;
    int64_t deleted = 0;
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    must_read(fx.ns, &query);
    ck_assert_int_eq(
        weir_namespace_delete(other, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err), WEIR_OK);
    must_create(other, "test");
    sql("ALTER TABLE %1$s.counters DROP COLUMN era, DROP COLUMN born;"
        " ALTER TABLE %1$s.categories DROP COLUMN era;"
        " UPDATE weir_registry.namespaces SET schema_version = 2 WHERE id = 'test'",
        schema_of("test"));
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_BACKEND_UNAVAILABLE);
    weir_error_init(&fx.err);
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 0);
    weir_store_close(other);
}
END_TEST

/* Another server re-creates the namespace unnoticed by this server, whose write is meant for the
 * old one. */
START_TEST(nothing_lands_in_a_namespace_made_anew)
{
    struct weir_store *other = open_store(getenv("WEIR_TEST_STORE"), 1);
    const struct weir_new_message message = message_of(1, "1");
    const struct weir_import_record record = record_of(2, "a-2", 0, 100);
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write writes[] = {
        write_of(&part, "a-1", ANY, &message, &written),
        {.kind = WEIR_WRITE_IMPORT, .of.import = {.records = &record, .n = 1}},
        {.kind = WEIR_WRITE_CLEAR},
    };
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(other, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err), WEIR_OK);
    must_create(other, "test");
    struct weir_namespace *anew = must_open(other, "test");
    must_put(anew, "b-1", 1);
    ck_assert_int_eq(commit_write(fx.ns, &writes[_i]), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(sql_int("SELECT count(*) FROM %s.stored", schema_of("test")), 1);
    ck_assert_int_eq(stored("b-1"), 1);
    /* The server has noticed by this time. */
    weir_error_init(&fx.err);
    ck_assert_int_eq(commit_write(fx.ns, &writes[_i]), WEIR_OK);
    weir_namespace_release(anew);
    weir_store_close(other);
}
END_TEST

/* The highest number is never a position, so that each message has a next position. */
START_TEST(global_positions_run_out_cleanly)
{
    sql("UPDATE %s.counters SET head = 9223372036854775805", schema_of("test"));
    const struct weir_new_message messages[] = {message_of(1, "1"), message_of(2, "2")};
    struct weir_written written[2];
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 2, written), WEIR_OUT_OF_POSITIONS);
    ck_assert_str_eq(fx.err.text, "no position is left");
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 1, written), WEIR_OK);
    ck_assert_int_eq(written[0].global_position, INT64_MAX - 1);
    ck_assert_int_eq(append(fx.ns, "a-2", ANY, messages + 1, 1, written), WEIR_OUT_OF_POSITIONS);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 1, written), WEIR_OK);  // a retry
    ck_assert_int_eq(written[0].global_position, INT64_MAX - 1);
    struct weir_query query = query_all();
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 2);
    ck_assert_int_eq(fx.rows.next_position, INT64_MAX);
    query.max_messages = 2;
    must_read(fx.ns, &query);
    ck_assert_int_eq(fx.rows.next_position, INT64_MAX);
}
END_TEST

START_TEST(positions_of_a_stream_run_out_cleanly)
{
    sql("DO $$ BEGIN UPDATE %1$s.stored SET position = 9223372036854775805;"
        " UPDATE %1$s.counters SET head = head; END $$",  // no version is known any more
        schema_of("test"));
    const struct weir_new_message messages[] = {message_of(1, "1"), message_of(2, "2")};
    struct weir_written written[2];
    ck_assert_int_eq(append(fx.ns, "warm-1", ANY, messages, 2, written), WEIR_OUT_OF_POSITIONS);
    ck_assert_int_eq(append(fx.ns, "warm-1", ANY, messages, 1, written), WEIR_OK);
    ck_assert_int_eq(written[0].position, INT64_MAX - 1);
    ck_assert_int_eq(append(fx.ns, "warm-1", ANY, messages + 1, 1, written), WEIR_OUT_OF_POSITIONS);
    reopen();
    ck_assert_int_eq(append(fx.ns, "warm-1", ANY, messages + 1, 1, written), WEIR_OUT_OF_POSITIONS);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages + 1, 1, written), WEIR_OK);
    struct weir_query query = query_stream("warm-1");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 2);
    ck_assert_int_eq(fx.rows.next_position, INT64_MAX);
    query.from = INT64_MAX;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 0);
    ck_assert_int_eq(fx.rows.next_position, INT64_MAX);
}
END_TEST

/* No name is known that has this hash. */
START_TEST(the_lowest_hash_has_a_member_too)
{
    sql("UPDATE %s.stored SET cardinal_hash = -9223372036854775808", schema_of("test"));
    struct weir_query query = query_category("warm");
    query.group_size = 3;
    for (query.group_member = 0; query.group_member < 3; query.group_member++) {
        must_read(fx.ns, &query);
        ck_assert_uint_eq(fx.rows.n, query.group_member == 2);
    }
}
END_TEST

START_TEST(a_damaged_schema_is_unavailable_and_can_be_deleted)
{
    const char *schema = schema_of("test");
    sql("DROP TABLE %s.stored CASCADE; DROP TABLE %s.counters", schema, schema);
    const struct weir_query query = query_all();
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_BACKEND_UNAVAILABLE);
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    weir_error_init(&fx.err);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_BACKEND_UNAVAILABLE);
    int64_t deleted = -1;
    weir_error_init(&fx.err);
    ck_assert_msg(weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted,
                                        &fx.err) == WEIR_OK,
                  "%s", fx.err.text);
    ck_assert_int_eq(deleted, 0);
    must_create(fx.store, "test");
    weir_namespace_release(fx.ns);
    fx.ns = must_open(fx.store, "test");
    must_put(fx.ns, "a-1", 1);
}
END_TEST

/* As if another database had been restored in its place. */
START_TEST(a_database_without_the_list_of_namespaces_does_not_serve)
{
    sql("ALTER SCHEMA weir_registry RENAME TO elsewhere");
    const weir_status status = weir_store_ping(fx.store, INT64_MAX, &fx.err);
    sql("ALTER SCHEMA elsewhere RENAME TO weir_registry");
    ck_assert_int_eq(status, WEIR_BACKEND_ERROR);
    weir_error_init(&fx.err);
    ck_assert_int_eq(weir_store_ping(fx.store, INT64_MAX, &fx.err), WEIR_OK);
}
END_TEST

START_TEST(what_another_server_deletes_is_gone_here)
{
    struct weir_store *other = open_store(getenv("WEIR_TEST_STORE"), 1);
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(other, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err), WEIR_OK);
    ck_assert_int_eq(deleted, 1);
    const struct weir_query query = query_all();
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_NAMESPACE_NOT_FOUND);
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    weir_error_init(&fx.err);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_NAMESPACE_NOT_FOUND);
    must_create(other, "test");
    weir_error_init(&fx.err);
    must_read(fx.ns, &query);  // the re-created namespace has the same id
    ck_assert_uint_eq(fx.rows.n, 0);
    weir_store_close(other);
}
END_TEST

static void hide_rows(const char *table)
{
    sql("ALTER TABLE %s ENABLE ROW LEVEL SECURITY; ALTER TABLE %s FORCE ROW LEVEL SECURITY", table,
        table);
}

/* Row-level security, without a policy, shows a role no row at all. */
START_TEST(what_is_hidden_is_not_taken_for_missing)
{
    char url[256];
    char table[80];
    sql("GRANT postgres TO locked");
    (void)snprintf(url, sizeof url, "postgresql://locked:open%%20sesame@/weir?host=%s",
                   server_dir());
    struct weir_store *other = open_store(url, 1);
    struct weir_namespace *ns = must_open(other, "test");
    const struct weir_query query = query_stream("warm-1");
    must_read(ns, &query);
    (void)snprintf(table, sizeof table, "%s.stored", schema_of("test"));
    hide_rows(table);
    ck_assert_int_eq(weir_read(ns, &query, &fx.arena, &fx.rows, &fx.err), WEIR_BACKEND_ERROR);
    weir_error_init(&fx.err);
    hide_rows("weir_registry.namespaces");
    struct weir_namespace_record record = {.id = weir_slice_of("test")};
    const weir_status status = weir_namespace_find(other, &record, INT64_MAX, &fx.arena, &fx.err);
    sql("ALTER TABLE weir_registry.namespaces DISABLE ROW LEVEL SECURITY");
    ck_assert_int_eq(status, WEIR_BACKEND_ERROR);
    weir_namespace_release(ns);
    weir_store_close(other);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, fixture_end);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_refusals");
    TCase *tcase = add_case(suite, "refusals", begin);
    tcase_add_test(tcase, a_write_waits_for_the_lock_until_its_deadline);
    tcase_add_test(tcase, every_kind_of_write_waits_for_the_lock);
    tcase_add_loop_test(tcase, a_write_that_the_database_refuses_leaves_its_group_alone, 0, 3);
    tcase_add_loop_test(tcase, a_read_that_meets_an_internal_error_is_tried_again, 0, 2);
    tcase_add_loop_test(tcase, a_write_that_meets_an_internal_error_is_tried_again, 0, 2);
    tcase_add_test(tcase, a_deletion_may_take_as_long_as_its_call);
    tcase_add_test(tcase, a_deletion_may_have_all_the_time_there_is);
    tcase_add_test(tcase, a_hint_of_the_database_is_reported);
    tcase_add_test(tcase, what_is_made_anew_meanwhile_is_not_called_damaged);
    tcase_add_test(tcase, what_an_older_server_makes_anew_is_brought_up_to_date_at_a_read);
    tcase_add_loop_test(tcase, nothing_lands_in_a_namespace_made_anew, 0, 3);
    tcase_add_test(tcase, global_positions_run_out_cleanly);
    tcase_add_test(tcase, positions_of_a_stream_run_out_cleanly);
    tcase_add_test(tcase, the_lowest_hash_has_a_member_too);
    tcase_add_test(tcase, a_damaged_schema_is_unavailable_and_can_be_deleted);
    tcase_add_test(tcase, a_database_without_the_list_of_namespaces_does_not_serve);
    tcase_add_test(tcase, what_another_server_deletes_is_gone_here);
    tcase_add_test(tcase, what_is_hidden_is_not_taken_for_missing);
    tcase = add_case(suite, "one connection", begin_with_one_connection);
    tcase_add_loop_test(tcase, a_slow_namespace_does_not_delay_another_for_long, 0, 2);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
