/* The pool of connections: a database that accepts fewer than the store may open, whose existing
 * ones are shared, namespaces that each want many, and a database that falls silent. */
#include "store/postgres/pg_backend.h"
#include "store/store_int.h"

#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

#include "weir/base/monotonic.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

enum { ALLOWED = 1, WANTED = 4, CALL_US = 20 * 1000 * 1000, SHORT_US = 200 * 1000 };

static struct weir_store *store;
static struct weir_namespace *ns;
static struct pg_pool *pool;

static void begin(void)
{
    char url[256];
    fixture_on_disk();
    sql("GRANT postgres TO locked; ALTER ROLE locked CONNECTION LIMIT %d", ALLOWED);
    (void)snprintf(url, sizeof url, "postgresql://locked:open%%20sesame@/weir?host=%s",
                   server_dir());
    store = open_store(url, WANTED);
    ns = must_open(store, "test");
    pool = &((struct pg_backend *)store->backend)->pool;
}

static void end(void)
{
    weir_namespace_release(ns);
    weir_store_close(store);
    fixture_end();
}

struct caller {
    weir_status (*call)(struct weir_error *err);
    struct weir_error err;
    weir_status status;
};

static weir_status read_something(struct weir_error *err)
{
    struct weir_query query = query_all();
    query.deadline_us = weir_monotonic_us() + CALL_US;
    return weir_read(ns, &query, &fx.arena, &fx.rows, err);
}

static weir_status write_something(struct weir_error *err)
{
    const struct weir_new_message message = message_of(1, "1");
    struct weir_stream_append part;
    struct weir_written written;
    struct weir_write write = write_of(&part, "a-1", ANY, &message, &written);
    const weir_status status = commit_write(ns, &write);
    weir_error_copy(err, &fx.err);
    return status;
}

static weir_status ask_for_health(struct weir_error *err)
{
    return weir_store_ping(store, weir_monotonic_us() + CALL_US, err);
}

static void *call(void *context)
{
    struct caller *caller = context;
    weir_error_init(&caller->err);
    caller->status = caller->call(&caller->err);
    return NULL;
}

static bool has_been_refused(void)
{
    (void)pthread_mutex_lock(&pool->mutex);
    const bool is_so = pool->open_from_us != 0;
    (void)pthread_mutex_unlock(&pool->mutex);
    return is_so;
}

START_TEST(who_is_refused_a_connection_waits_for_one_that_is_there)
{
    static weir_status (*const calls[])(struct weir_error * err) = {read_something, write_something,
                                                                    ask_for_health};
    struct caller caller = {.call = calls[_i]};
    struct pg_conn *only = NULL;
    pthread_t thread;
    ck_assert_int_eq(weir_pg_acquire(pool->backend, 1, INT64_MAX, &only, &fx.err), WEIR_OK);
    ck_assert_int_eq(pthread_create(&thread, NULL, call, &caller), 0);
    while (!has_been_refused()) {
        (void)sched_yield();
    }
    weir_pg_release(only);
    (void)pthread_join(thread, NULL);
    ck_assert_msg(caller.status == WEIR_OK, "%s", caller.err.text);
}
END_TEST

/* In that case there is no connection to wait for. */
START_TEST(who_is_refused_the_only_connection_is_told)
{
    struct weir_error err;
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'locked'");
    sql("ALTER ROLE locked NOLOGIN");
    weir_error_init(&err);
    const weir_status status = read_something(&err);
    sql("ALTER ROLE locked LOGIN");
    ck_assert_int_eq(status, WEIR_BACKEND_UNAVAILABLE);
    weir_error_init(&err);
    ck_assert_msg(read_something(&err) == WEIR_OK, "%s", err.text);
}
END_TEST

/* ---- waking ---- */

enum { CALLERS = 8, CALLS_EACH = 5 };

static atomic_bool is_counting;
static atomic_uint wakes;

bool __real_weir_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us);
bool __wrap_weir_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us);

bool __wrap_weir_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us)
{
    const bool is_woken = __real_weir_cond_wait_until(cond, mutex, until_us);
    if (is_woken && mutex == &pool->mutex && atomic_load(&is_counting)) {
        atomic_fetch_add(&wakes, 1);
    }
    return is_woken;
}

static void *take_and_give_back(void *context)
{
    (void)context;
    for (size_t i = 0; i < CALLS_EACH; i++) {
        struct weir_error err;
        struct pg_conn *conn = NULL;
        weir_error_init(&err);
        ck_assert_int_eq(weir_pg_acquire(pool->backend, 1, INT64_MAX, &conn, &err), WEIR_OK);
        weir_pg_release(conn);
    }
    return NULL;
}

/* One connection, and no other may be opened. Each time it is given back one caller wakes. */
START_TEST(a_connection_that_is_given_back_wakes_one)
{
    pthread_t threads[CALLERS];
    struct pg_conn *only = NULL;
    ck_assert_int_eq(weir_pg_acquire(pool->backend, 1, INT64_MAX, &only, &fx.err), WEIR_OK);
    (void)pthread_mutex_lock(&pool->mutex);
    pool->open_from_us = INT64_MAX;
    (void)pthread_mutex_unlock(&pool->mutex);
    atomic_store(&wakes, 0);
    atomic_store(&is_counting, true);
    for (size_t i = 0; i < CALLERS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give_back, NULL), 0);
    }
    (void)poll(NULL, 0, 50);  // all wait
    weir_pg_release(only);
    for (size_t i = 0; i < CALLERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    atomic_store(&is_counting, false);
    ck_assert_uint_le(atomic_load(&wakes), CALLERS * CALLS_EACH + CALLERS);
}
END_TEST

/* ---- shares ---- */

enum { PLACES = 4 };

static void begin_with_places(void)
{
    fixture_through_proxy(PLACES);
    pool = &((struct pg_backend *)fx.store->backend)->pool;
}

static struct pg_conn *acquire_for(uint64_t owner, int64_t wait_us, weir_status want)
{
    struct pg_conn *conn = NULL;
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_eq(
        weir_pg_acquire(pool->backend, owner, weir_monotonic_us() + wait_us, &conn, &err), want);
    return conn;
}

/* A namespace whose calls hold their connections, as where its tables are locked. */
START_TEST(a_namespace_leaves_a_connection_to_others)
{
    struct pg_conn *lent[PLACES - 1];
    for (size_t i = 0; i < WEIR_COUNTOF(lent); i++) {
        lent[i] = acquire_for(1, CALL_US, WEIR_OK);
    }
    (void)acquire_for(1, SHORT_US, WEIR_DEADLINE_EXCEEDED);
    struct pg_conn *other = acquire_for(2, CALL_US, WEIR_OK);
    (void)acquire_for(3, SHORT_US, WEIR_DEADLINE_EXCEEDED);
    weir_pg_release(other);
    for (size_t i = 0; i < WEIR_COUNTOF(lent); i++) {
        weir_pg_release(lent[i]);
    }
    ck_assert_uint_eq(pool->held, 0);
}
END_TEST

static void *take_for_the_first(void *context)
{
    (void)context;
    weir_pg_release(acquire_for(1, CALL_US, WEIR_OK));
    return NULL;
}

static bool has_waiters(void)
{
    (void)pthread_mutex_lock(&pool->mutex);
    const bool has = !weir_link_is_alone(&pool->waiting);
    (void)pthread_mutex_unlock(&pool->mutex);
    return has;
}

START_TEST(who_may_hold_no_more_is_passed_and_served_later)
{
    struct pg_conn *lent[PLACES - 1];
    pthread_t thread;
    for (size_t i = 0; i < WEIR_COUNTOF(lent); i++) {
        lent[i] = acquire_for(1, CALL_US, WEIR_OK);
    }
    ck_assert_int_eq(pthread_create(&thread, NULL, take_for_the_first, NULL), 0);
    while (!has_waiters()) {
        (void)sched_yield();
    }
    weir_pg_release(acquire_for(2, CALL_US, WEIR_OK));
    ck_assert(has_waiters());
    weir_pg_release(lent[0]);
    (void)pthread_join(thread, NULL);
    for (size_t i = 1; i < WEIR_COUNTOF(lent); i++) {
        weir_pg_release(lent[i]);
    }
}
END_TEST

struct turn {
    uint64_t owner;
    size_t place;  // in the order in which the callers were served
};

static atomic_size_t served_n;

static void *take_a_turn(void *context)
{
    struct turn *turn = context;
    struct pg_conn *conn = acquire_for(turn->owner, CALL_US, WEIR_OK);
    turn->place = atomic_fetch_add(&served_n, 1);
    weir_pg_release(conn);
    return NULL;
}

static size_t count_waiters(void)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&pool->mutex);
    for (struct weir_link *at = pool->waiting.next; at != &pool->waiting; at = at->next) {
        n++;
    }
    (void)pthread_mutex_unlock(&pool->mutex);
    return n;
}

/* One connection, which a call of the first owner holds. */
START_TEST(owners_alternate_at_the_only_connection)
{
    struct turn turns[] = {{.owner = 1}, {.owner = 1}, {.owner = 2}};
    pthread_t threads[WEIR_COUNTOF(turns)];
    struct pg_conn *only = acquire_for(1, CALL_US, WEIR_OK);
    (void)pthread_mutex_lock(&pool->mutex);
    pool->open_from_us = INT64_MAX;
    (void)pthread_mutex_unlock(&pool->mutex);
    atomic_store(&served_n, 0);
    for (size_t i = 0; i < WEIR_COUNTOF(turns); i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_a_turn, &turns[i]), 0);
        while (count_waiters() < i + 1) {
            (void)sched_yield();
        }
    }
    weir_pg_release(only);
    for (size_t i = 0; i < WEIR_COUNTOF(turns); i++) {
        (void)pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(turns[2].place, 0);
}
END_TEST

/* ---- silence ---- */

enum { CONNECTIONS = 3 };

static void begin_behind_proxy(void)
{
    fixture_through_proxy(CONNECTIONS);
    pool = &((struct pg_backend *)fx.store->backend)->pool;
}

/* Lends all connections, and takes them back but for one. */
static struct pg_conn *lend_one_of_all(void)
{
    struct pg_conn *lent[CONNECTIONS];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        ck_assert_int_eq(weir_pg_acquire(pool->backend, 1, INT64_MAX, &lent[i], &fx.err), WEIR_OK);
    }
    for (size_t i = 1; i < CONNECTIONS; i++) {
        weir_pg_release(lent[i]);
    }
    return lent[0];
}

static size_t count_open(void)
{
    (void)pthread_mutex_lock(&pool->mutex);
    const size_t n = pool->open;
    (void)pthread_mutex_unlock(&pool->mutex);
    return n;
}

/* What holds its bytes back may hold back those of the others as well. */
START_TEST(a_silent_connection_takes_the_idle_ones_with_it)
{
    struct weir_query query = query_all();
    weir_pg_release(lend_one_of_all());
    ck_assert_uint_eq(count_open(), CONNECTIONS);
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    query.deadline_us = weir_monotonic_us() + SHORT_US;
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_DEADLINE_EXCEEDED);
    ck_assert_uint_eq(count_open(), 0);
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    weir_error_init(&fx.err);
    query.deadline_us = INT64_MAX;
    must_read(fx.ns, &query);
}
END_TEST

START_TEST(they_stay_where_the_database_has_answered_since)
{
    const struct weir_query query = query_all();
    struct pg_conn *silent = lend_one_of_all();
    must_read(fx.ns, &query);
    silent->remedy = PG_REMEDY_RECONNECT;
    weir_pg_release(silent);
    ck_assert_uint_eq(count_open(), CONNECTIONS - 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_pool");
    TCase *tcase = tcase_create("pool");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, who_is_refused_a_connection_waits_for_one_that_is_there, 0, 3);
    tcase_add_test(tcase, who_is_refused_the_only_connection_is_told);
    tcase_add_test(tcase, a_connection_that_is_given_back_wakes_one);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("shares");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, begin_with_places, fixture_through_proxy_end);
    tcase_add_test(tcase, a_namespace_leaves_a_connection_to_others);
    tcase_add_test(tcase, who_may_hold_no_more_is_passed_and_served_later);
    tcase_add_test(tcase, owners_alternate_at_the_only_connection);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("silence");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, begin_behind_proxy, fixture_through_proxy_end);
    tcase_add_test(tcase, a_silent_connection_takes_the_idle_ones_with_it);
    tcase_add_test(tcase, they_stay_where_the_database_has_answered_since);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
