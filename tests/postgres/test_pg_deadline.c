/* A PostgreSQL server that does not answer: each call ends at about its own deadline, whatever the
 * deadlines of other calls.
 *
 * The store reaches PostgreSQL through a proxy (tests/lib/pg_proxy.h) that holds all data back. */
#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

#include "store/store_int.h"
#include "weir/base/monotonic.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void begin(void)
{
    fixture_through_proxy(1);
    must_put(fx.ns, "warm-1", 1);  // prepares the statements
}

/* ---- the list of namespaces ---- */

enum { SHORT_US = 300 * 1000, LIMIT_US = 1500 * 1000 };

/* Makes one request about the registry, with a short deadline. */
static weir_status ask_registry(int which, int64_t deadline_us)
{
    struct weir_namespace_record record = {.id = weir_slice_of("test")};
    const struct weir_registry_query query = {
        .limit = 1, .max_bytes = 100, .deadline_us = deadline_us};
    struct weir_registry_page page;
    struct weir_namespace *ns = NULL;
    bool is_same = false;
    int64_t deleted = 0;
    weir_error_init(&fx.err);
    switch (which) {
    case 0:
        return weir_namespace_find(fx.store, &record, deadline_us, &fx.arena, &fx.err);
    case 1:
        return weir_namespace_list(fx.store, &query, &fx.arena, &page, &fx.err);
    case 2:
        return weir_namespace_set_token(fx.store, record.id, &record.token_hash, deadline_us,
                                        &fx.err);
    case 3:
        return weir_namespace_delete(fx.store, record.id, deadline_us, &deleted, &fx.err);
    case 4:
        record.id = weir_slice_of("new");
        return weir_namespace_create(fx.store, &record, deadline_us, &is_same, &fx.err);
    default:
        return weir_namespace_open(fx.store, weir_slice_of("other"), deadline_us, &ns, &fx.err);
    }
}

START_TEST(the_list_of_namespaces_is_asked_no_longer_than_the_deadline)
{
    must_create(fx.store, "other");
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    const int64_t start_us = weir_monotonic_us();
    ck_assert_int_eq(ask_registry(_i, start_us + SHORT_US), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_lt(weir_monotonic_us() - start_us, LIMIT_US);
    if (_i == 2) {  // the request was sent and not answered
        ck_assert_ptr_nonnull(strstr(fx.err.text, "not known"));
    }
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    must_put(fx.ns, "a-1", 1);
}
END_TEST

/* Creating a namespace takes many statements, and the database may stop answering at any of
 * them. */
START_TEST(a_namespace_is_not_made_for_longer_than_the_deadline)
{
    sql("CREATE FUNCTION public.sleep() RETURNS event_trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(4); END'");
    sql("CREATE EVENT TRIGGER sleep ON ddl_command_start WHEN TAG IN ('CREATE FUNCTION')"
        " EXECUTE FUNCTION public.sleep()");
    const int64_t start_us = weir_monotonic_us();
    const weir_status status = ask_registry(4, start_us + SHORT_US);
    const int64_t end_us = weir_monotonic_us();
    sql("DROP EVENT TRIGGER sleep; DROP FUNCTION public.sleep()");
    ck_assert_int_eq(status, WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_lt(end_us - start_us, LIMIT_US);
    ck_assert_ptr_null(strstr(fx.err.text, "not known"));
    must_create(fx.store, "new");
}
END_TEST

/* ---- writes ---- */

static void nap(void)
{
    const struct timespec pause = {.tv_nsec = 2 * 1000 * 1000};
    (void)nanosleep(&pause, NULL);
}

/* A write in its own memory, which may be reused once the write is done. */
struct own_write {
    struct weir_write write;
    struct weir_error err;
    struct weir_new_message message;
    struct weir_written written;
    struct weir_stream_append part;
    struct outcome *outcome;
};

struct outcome {
    weir_status status;
    char text[sizeof((struct weir_error *)0)->text];
    int64_t at_us;
    atomic_bool is_done;
};

static void note_and_free(struct weir_write *write)
{
    struct own_write *own = write->context;
    struct outcome *outcome = own->outcome;
    outcome->status = own->err.status;
    (void)snprintf(outcome->text, sizeof outcome->text, "%s", own->err.text);
    outcome->at_us = weir_monotonic_us();
    memset(own, 0xa5, sizeof *own);
    free(own);
    atomic_store(&outcome->is_done, true);
}

/* Submits a write. Returns whether the caller must lead. */
static bool submit_own(uint64_t id, int64_t deadline_us, struct outcome *outcome)
{
    struct own_write *own = calloc(1, sizeof *own);
    ck_assert_ptr_nonnull(own);
    *outcome = (struct outcome){.status = WEIR_OK};
    own->message = message_of(id, "1");
    own->write = write_of(&own->part, "own-1", ANY, &own->message, &own->written);
    own->write.deadline_us = deadline_us;
    own->write.arena = &fx.arena;
    own->write.err = &own->err;
    own->write.done = note_and_free;
    own->write.context = own;
    own->outcome = outcome;
    return weir_write_submit(fx.ns, &own->write);
}

static void await(const struct outcome *outcome)
{
    while (!atomic_load(&outcome->is_done)) {
        nap();
    }
}

/* Waits until everything submitted has left the queue. */
static void await_taken(void)
{
    struct weir_lane *lane = &fx.ns->lane;
    size_t queued = 1;
    while (queued > 0) {
        nap();
        (void)pthread_mutex_lock(&lane->mutex);
        queued = lane->queued;
        (void)pthread_mutex_unlock(&lane->mutex);
    }
}

static void *lead(void *context)
{
    (void)context;
    while (weir_lane_run(fx.ns)) {
    }
    return NULL;
}

enum { PATIENT_US = 4000 * 1000 };

/* One write has been sent and is not answered, others are queued behind it: each late write ends at
 * its own deadline, and the remaining ones succeed. */
START_TEST(a_write_does_not_wait_for_the_deadline_of_another_that_hangs)
{
    struct outcome first;
    struct outcome late[2];
    struct outcome last;
    pthread_t leader;
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    const int64_t start_us = weir_monotonic_us();
    ck_assert(submit_own(1, start_us + PATIENT_US, &first));
    ck_assert_int_eq(pthread_create(&leader, NULL, lead, NULL), 0);
    await_taken();
    ck_assert(!submit_own(2, start_us + SHORT_US, &late[0]));
    ck_assert(!submit_own(3, INT64_MAX, &last));
    ck_assert(!submit_own(4, start_us + SHORT_US, &late[1]));
    await(&late[0]);
    await(&late[1]);
    ck_assert(!atomic_load(&first.is_done) && !atomic_load(&last.is_done));
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    (void)pthread_join(leader, NULL);
    for (size_t w = 0; w < 2; w++) {
        ck_assert_int_eq(late[w].status, WEIR_DEADLINE_EXCEEDED);
        ck_assert_ptr_nonnull(strstr(late[w].text, "before the write was started"));
        ck_assert_int_lt(late[w].at_us - start_us, LIMIT_US);
    }
    ck_assert_int_eq(first.status, WEIR_OK);
    ck_assert_int_eq(last.status, WEIR_OK);
    ck_assert_int_eq(stored("own-1"), 2);
}
END_TEST

/* The writes are sent together. */
START_TEST(a_write_does_not_wait_for_the_deadline_of_another_of_its_group)
{
    struct outcome outcomes[3];
    pthread_t leader;
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    const int64_t start_us = weir_monotonic_us();
    for (int w = 0; w < 3; w++) {
        const bool is_late = w == _i;
        ck_assert(submit_own(10 + (uint64_t)w, start_us + (is_late ? SHORT_US : PATIENT_US),
                             &outcomes[w]) == (w == 0));
    }
    ck_assert_int_eq(pthread_create(&leader, NULL, lead, NULL), 0);
    await(&outcomes[_i]);
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    (void)pthread_join(leader, NULL);
    ck_assert_int_eq(outcomes[_i].status, WEIR_DEADLINE_EXCEEDED);
    ck_assert_ptr_nonnull(strstr(outcomes[_i].text, "is not known"));
    ck_assert_int_lt(outcomes[_i].at_us - start_us, LIMIT_US);
    for (int w = 0; w < 3; w++) {
        ck_assert(w == _i || outcomes[w].status == WEIR_OK);
    }
    ck_assert_int_ge(stored("own-1"), 2);
}
END_TEST

/* The write finds its function missing, and the list of namespaces, which tells why, is locked. */
START_TEST(a_write_asks_why_something_is_missing_no_longer_than_its_deadline)
{
    struct outcome outcome;
    PGconn *other = sql_connect();
    sql("DROP SCHEMA %s CASCADE", schema_of("test"));
    sql_on(other, "BEGIN; LOCK TABLE weir_registry.namespaces");
    const int64_t start_us = weir_monotonic_us();
    ck_assert(submit_own(1, start_us + SHORT_US, &outcome));
    (void)lead(NULL);
    PQfinish(other);
    ck_assert_int_eq(outcome.status, WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_lt(outcome.at_us - start_us, LIMIT_US);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_deadline");
    TCase *tcase = tcase_create("one connection");
    tcase_add_checked_fixture(tcase, begin, fixture_through_proxy_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, the_list_of_namespaces_is_asked_no_longer_than_the_deadline, 0, 6);
    tcase_add_test(tcase, a_namespace_is_not_made_for_longer_than_the_deadline);
    tcase_add_test(tcase, a_write_does_not_wait_for_the_deadline_of_another_that_hangs);
    tcase_add_loop_test(tcase, a_write_does_not_wait_for_the_deadline_of_another_of_its_group, 0,
                        3);
    tcase_add_test(tcase, a_write_asks_why_something_is_missing_no_longer_than_its_deadline);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
