/* Warnings at a commit: the warning that no standby has confirmed the commit must be heeded, even
 * if the role receives errors only. Other warnings must not be mistaken for it. */
#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

#include "weir/base/monotonic.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { KINDS = 3, CHANGES = 4 };

/* A write of each kind, in its own memory. */
struct one_write {
    pthread_t thread;
    struct weir_new_message message;
    struct weir_import_record record;
    struct weir_stream_append part;
    struct weir_written written;
    struct weir_write write;
    weir_status status;
    atomic_bool is_done;
};

static void set_up(struct one_write *one, int kind)
{
    *one = (struct one_write){.message = message_of(7, "1"), .record = record_of(8, "b-1", 0, 100)};
    switch (kind) {
    case 0:
        one->write = write_of(&one->part, "a-1", ANY, &one->message, &one->written);
        break;
    case 1:
        one->write = (struct weir_write){.kind = WEIR_WRITE_IMPORT,
                                         .of.import = {.records = &one->record, .n = 1}};
        break;
    default:
        one->write = (struct weir_write){.kind = WEIR_WRITE_CLEAR};
        break;
    }
    one->write.deadline_us = weir_monotonic_us() + INT64_C(60) * 1000000;
}

static void *commit(void *context)
{
    struct one_write *one = context;
    one->status = commit_write(fx.ns, &one->write);
    atomic_store(&one->is_done, true);
    return NULL;
}

static void nap(void)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

/* Returns a process, other than `but`, that waits for a standby. */
static int64_t find_waiting(int64_t but)
{
    return sql_int("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
                   " AND backend_type = 'client backend' AND pid <> %lld",
                   (long long)but);
}

static int64_t await_waiting(const atomic_bool *is_done, int64_t but)
{
    int64_t pid = 0;
    while (pid == 0 && !atomic_load(is_done)) {
        nap();
        pid = find_waiting(but);
    }
    return pid;
}

static void cancel(int64_t pid)
{
    sql("SELECT pg_cancel_backend(%lld)", (long long)pid);
}

/* Configures a missing standby. The server applies the setting with a delay, so this waits until
 * another program's commits block. */
static void want_a_standby_that_is_not_there(void)
{
    PGconn *other = sql_connect();
    const int64_t pid = PQbackendPID(other);
    sql_on(other, "CREATE TABLE IF NOT EXISTS public.other (n int)");
    sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    sql("SELECT pg_reload_conf()");
    bool is_waiting = false;
    while (!is_waiting) {
        ck_assert_int_eq(PQsendQuery(other, "INSERT INTO public.other VALUES (1)"), 1);
        while (!is_waiting && PQconsumeInput(other) == 1 && PQisBusy(other) == 1) {
            nap();
            is_waiting = find_waiting(0) == pid;
        }
        if (is_waiting) {
            cancel(pid);
        }
        for (PGresult *result = PQgetResult(other); result != NULL; result = PQgetResult(other)) {
            PQclear(result);
        }
    }
    PQfinish(other);
}

static void want_no_standby(void)
{
    sql("ALTER SYSTEM RESET synchronous_standby_names");
    sql("SELECT pg_reload_conf()");
}

static void begin(void)
{
    sql("ALTER ROLE postgres SET client_min_messages = error");
    fixture_on_disk();
    must_put(fx.ns, "warm-1", 2);
}

static void end(void)
{
    want_no_standby();
    sql("ALTER ROLE postgres RESET ALL");
    fixture_end();
}

/* An administrator ends the wait for the missing standby. A commit on the primary alone is not
 * acknowledged; the store waits for the standby once more. */
START_TEST(what_no_standby_has_confirmed_is_not_acknowledged)
{
    struct one_write one;
    want_a_standby_that_is_not_there();
    set_up(&one, _i);
    ck_assert_int_eq(pthread_create(&one.thread, NULL, commit, &one), 0);
    const int64_t pid = await_waiting(&one.is_done, 0);
    cancel(pid);
    const int64_t again = await_waiting(&one.is_done, pid);
    const bool was_acknowledged = atomic_load(&one.is_done);
    want_no_standby();
    (void)pthread_join(one.thread, NULL);
    ck_assert(!was_acknowledged && again != 0);
    ck_assert_msg(one.status == WEIR_OK, "%s", fx.err.text);
}
END_TEST

/* ---- chunks ---- */

struct chunk_call {
    pthread_t thread;
    struct weir_chunk_query query;
    struct weir_chunk_list list;
    weir_status status;
    atomic_bool is_done;
};

static void *change_chunks(void *context)
{
    struct chunk_call *call = context;
    call->status = weir_chunks(fx.ns, &call->query, &fx.arena, &call->list, &fx.err);
    atomic_store(&call->is_done, true);
    return NULL;
}

/* Imports a message of 1970, whose chunk no job compresses meanwhile. */
static void make_old_chunk(void)
{
    struct weir_import_record record = record_of(8, "b-1", 0, 100);
    record.time_us = 1;
    sql("SELECT _timescaledb_functions.stop_background_workers()");
    ck_assert_msg(import(fx.ns, &record, 1, NULL) == WEIR_OK, "%s", fx.err.text);
}

/* On TimescaleDB only: compressing, or dropping. */
START_TEST(a_change_of_chunks_that_no_standby_has_confirmed_is_not_acknowledged)
{
    if (strncmp(getenv("WEIR_TEST_STORE"), "timescaledb:", 12) != 0) {
        return;
    }
    struct chunk_call call = {
        .query = {.action = _i == 0 ? WEIR_CHUNKS_COMPRESS : WEIR_CHUNKS_DROP,
                  .before_us = INT64_C(1000) * 86400 * 1000000,
                  .deadline_us = weir_monotonic_us() + INT64_C(60) * 1000000}};
    make_old_chunk();
    want_a_standby_that_is_not_there();
    ck_assert_int_eq(pthread_create(&call.thread, NULL, change_chunks, &call), 0);
    const int64_t pid = await_waiting(&call.is_done, 0);
    cancel(pid);
    const int64_t again = await_waiting(&call.is_done, pid);
    const bool was_acknowledged = atomic_load(&call.is_done);
    want_no_standby();
    (void)pthread_join(call.thread, NULL);
    ck_assert(!was_acknowledged && again != 0);
    ck_assert_msg(call.status == WEIR_OK, "%s", fx.err.text);
    ck_assert_uint_eq(call.list.n, 1);
}
END_TEST

/* ---- the list of namespaces ---- */

/* Changes the existing namespace "other", or creates "new". */
struct change {
    pthread_t thread;
    int kind;
    weir_status status;
    bool is_same;
    struct weir_error err;
    atomic_bool is_done;
};

static weir_status make_change(struct change *change)
{
    const int64_t deadline_us = weir_monotonic_us() + INT64_C(60) * 1000000;
    struct weir_namespace_record record = {.id = weir_slice_of("other")};
    int64_t deleted = 0;
    switch (change->kind) {
    case 0:
        record.id = weir_slice_of("new");
        return weir_namespace_create(fx.store, &record, deadline_us, &change->is_same,
                                     &change->err);
    case 1:  // a repetition
        return weir_namespace_create(fx.store, &record, deadline_us, &change->is_same,
                                     &change->err);
    case 2:
        memset(&record.token_hash, 7, sizeof record.token_hash);
        return weir_namespace_set_token(fx.store, record.id, &record.token_hash, deadline_us,
                                        &change->err);
    default:
        return weir_namespace_delete(fx.store, record.id, deadline_us, &deleted, &change->err);
    }
}

static void *run_change(void *context)
{
    struct change *change = context;
    change->status = make_change(change);
    atomic_store(&change->is_done, true);
    return NULL;
}

START_TEST(a_change_of_the_list_that_no_standby_has_confirmed_is_not_acknowledged)
{
    struct change change = {.kind = _i};
    weir_error_init(&change.err);
    must_create(fx.store, "other");
    want_a_standby_that_is_not_there();
    ck_assert_int_eq(pthread_create(&change.thread, NULL, run_change, &change), 0);
    const int64_t pid = await_waiting(&change.is_done, 0);
    cancel(pid);
    const int64_t again = await_waiting(&change.is_done, pid);
    const bool was_acknowledged = atomic_load(&change.is_done);
    want_no_standby();
    (void)pthread_join(change.thread, NULL);
    ck_assert(!was_acknowledged && pid != 0 && again != 0);
    ck_assert_msg(change.status == (_i == 1 ? WEIR_NAMESPACE_EXISTS : WEIR_OK), "%s",
                  change.err.text);
    ck_assert(change.is_same == (_i < 2));
}
END_TEST

/* A trigger of the operator raises a warning. */
START_TEST(what_else_is_warned_of_is_no_doubt_about_the_commit)
{
    struct one_write one;
    const char *schema = schema_of("test");
    sql("ALTER ROLE postgres RESET client_min_messages");
    reopen();
    sql("CREATE OR REPLACE FUNCTION public.warn() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE WARNING ''mind the gap''; RETURN NULL; END'");
    sql("CREATE TRIGGER warn AFTER INSERT OR TRUNCATE ON %s.stored EXECUTE FUNCTION public.warn()",
        schema);
    set_up(&one, _i);
    one.write.deadline_us = weir_monotonic_us() + INT64_C(3) * 1000000;
    ck_assert_msg(commit_write(fx.ns, &one.write) == WEIR_OK, "%s", fx.err.text);
    ck_assert(!one.write.of.append.is_duplicate || _i != 0);
}
END_TEST

/* A PostgreSQL module reports a warning for every statement. */
START_TEST(plans_that_are_told_are_no_doubt_about_the_commit)
{
    struct one_write one;
    sql("ALTER ROLE postgres RESET client_min_messages;"
        "ALTER ROLE postgres SET session_preload_libraries = 'auto_explain';"
        "ALTER ROLE postgres SET auto_explain.log_min_duration = 0;"
        "ALTER ROLE postgres SET auto_explain.log_level = 'warning'");
    reopen();
    set_up(&one, _i);
    one.write.deadline_us = weir_monotonic_us() + INT64_C(3) * 1000000;
    ck_assert_msg(commit_write(fx.ns, &one.write) == WEIR_OK, "%s", fx.err.text);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_warnings");
    TCase *tcase = tcase_create("warnings");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, what_no_standby_has_confirmed_is_not_acknowledged, 0, KINDS);
    tcase_add_loop_test(tcase, a_change_of_chunks_that_no_standby_has_confirmed_is_not_acknowledged,
                        0, 2);
    tcase_add_loop_test(
        tcase, a_change_of_the_list_that_no_standby_has_confirmed_is_not_acknowledged, 0, CHANGES);
    tcase_add_loop_test(tcase, what_else_is_warned_of_is_no_doubt_about_the_commit, 0, KINDS);
    tcase_add_loop_test(tcase, plans_that_are_told_are_no_doubt_about_the_commit, 0, KINDS);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
