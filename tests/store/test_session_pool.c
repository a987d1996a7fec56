/* The session pool: which session serves a call, how many there are at once, and who waits. */
#include "tests/store/fake_fixture.h"

#include "store/store_int.h"

#include "tests/lib/check_main.h"
#include "weir/base/monotonic.h"

START_TEST(one_session_serves_call_after_call)
{
    open_with(8);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    }
    ck_assert_uint_eq(fake.opened, 1);
}
END_TEST

START_TEST(where_nothing_happens_at_once_one_session_reads_and_writes)
{
    open_with(8);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(write_one(fx.ns, INT64_MAX), WEIR_OK);
        ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    }
    ck_assert_uint_eq(fake.opened, 1);
}
END_TEST

START_TEST(with_one_session_reads_and_writes_take_turns)
{
    open_with(1);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(write_one(fx.ns, INT64_MAX), WEIR_OK);
        ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    }
    ck_assert_uint_eq(fake.open_most, 1);
}
END_TEST

START_TEST(a_broken_session_is_closed)
{
    open_with(8);
    fake.breaks = true;
    ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    ck_assert_uint_eq(fake.open, 0);
    ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    ck_assert_uint_eq(fake.opened, 2);
}
END_TEST

static struct weir_session *must_borrow(enum weir_session_kind kind)
{
    struct weir_session *session = NULL;
    ck_assert_int_eq(
        weir_session_borrow(&fx.store->pool, &fx.ns->shelf, kind, INT64_MAX, &session, &fx.err),
        WEIR_OK);
    return session;
}

START_TEST(a_session_that_is_stale_when_it_comes_back_is_closed)
{
    open_with(8);
    struct weir_session *session = must_borrow(WEIR_SESSION_READ);
    atomic_store(&session->is_stale, true);
    weir_session_return(&fx.store->pool, session);
    ck_assert_uint_eq(fake.open, 0);
    ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    ck_assert_uint_eq(fake.opened, 2);
}
END_TEST

/* The new session takes the place of the stale one, and remains the only one that writes. */
START_TEST(a_session_that_has_become_stale_is_closed_and_not_lent)
{
    open_with(2);
    weir_session_return(&fx.store->pool, must_borrow(WEIR_SESSION_WRITE));
    atomic_store(&WEIR_LINKED(fx.ns->shelf.idle.before, struct weir_session, at_shelf)->is_stale,
                 true);
    struct weir_session *writes = must_borrow(WEIR_SESSION_WRITE);
    ck_assert_uint_eq(fake.opened, 2);
    ck_assert_uint_eq(fake.open_most, 1);
    struct weir_session *session = NULL;
    ck_assert_int_eq(weir_session_borrow(&fx.store->pool, &fx.ns->shelf, WEIR_SESSION_WRITE, 1,
                                         &session, &fx.err),
                     WEIR_DEADLINE_EXCEEDED);
    weir_session_return(&fx.store->pool, must_borrow(WEIR_SESSION_READ));
    weir_session_return(&fx.store->pool, writes);
    ck_assert_int_eq(try_delete("test", INT64_MAX), WEIR_OK);
}
END_TEST

START_TEST(a_session_that_cannot_be_opened_takes_no_place)
{
    open_with(1);
    fake.breaks = true;
    ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    fake.open_fails = WEIR_BACKEND_UNAVAILABLE;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(call(INT64_MAX), WEIR_BACKEND_UNAVAILABLE);
    }
    fake.open_fails = WEIR_OK;
    ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
}
END_TEST

START_TEST(the_session_idle_longest_makes_room_for_another_namespace)
{
    open_with(2);
    must_create("b");
    must_create("c");
    struct weir_namespace *b = must_open("b");
    struct weir_namespace *c = must_open("c");
    ck_assert_uint_eq(fake.open_most, 2);
    ck_assert_uint_eq(fake.opened, 3);
    ck_assert_int_eq(call(INT64_MAX), WEIR_OK);  // the session of "test" was closed for that of "c"
    ck_assert_uint_eq(fake.opened, 4);
    ck_assert_int_eq(call_in(c), WEIR_OK);  // the session of "c" is still open
    ck_assert_uint_eq(fake.opened, 4);
    weir_namespace_release(b);
    weir_namespace_release(c);
}
END_TEST

START_TEST(a_namespace_whose_session_made_room_can_be_deleted)
{
    open_with(1);
    must_create("b");
    struct weir_namespace *b = must_open("b");
    ck_assert_int_eq(try_delete("test", INT64_MAX), WEIR_OK);
    ck_assert_uint_eq(fake.deleted, 1);
    ck_assert_int_eq(call_in(b), WEIR_OK);
    weir_namespace_release(b);
}
END_TEST

/* ---- no file left ---- */

/* Two sessions are idle; closing the first does not free enough descriptors. */
START_TEST(idle_sessions_make_room_where_the_process_has_no_file_left)
{
    open_with(8);
    must_create("b");
    must_create("c");
    struct weir_namespace *b = must_open("b");
    fake.opens_short = 2;
    struct weir_namespace *c = must_open("c");
    ck_assert_uint_eq(fake.closed, 2);
    ck_assert_uint_eq(fake.open, 1);
    weir_namespace_release(b);

    /* Without an idle session the error is reported. */
    fake.breaks = true;
    fake.opens_short = 1;
    ck_assert_int_eq(call_in(c), WEIR_OK);
    ck_assert_int_eq(call_in(c), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(call_in(c), WEIR_OK);
    weir_namespace_release(c);
    for (int i = 0; i < 8; i++) {  // no place in the pool has been lost
        ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    }
}
END_TEST

/* Both learn that before either closes a session. */
START_TEST(two_who_find_no_file_left_close_a_session_each)
{
    struct fake_open openings[2];
    open_with(8);
    must_create("b");
    must_create("c");
    must_create("d");
    weir_namespace_release(must_open("b"));
    fake.opens_short = 2;
    fake.opens_wait = true;
    fake_gate_shut();
    start_open(&openings[0], "c");
    start_open(&openings[1], "d");
    fake_gate_wait(2);
    fake_gate_open();
    end_open(&openings[0]);
    end_open(&openings[1]);
    ck_assert_uint_eq(fake.closed, 2);
}
END_TEST

/* ---- waiting ---- */

START_TEST(a_call_waits_for_a_session_no_longer_than_its_deadline)
{
    struct fake_call holder;
    open_with(1);
    begin_call(&holder);
    ck_assert_int_eq(call(weir_monotonic_us() + 2000), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_eq(call(0), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_eq(write_one(fx.ns, weir_monotonic_us() + 2000), WEIR_DEADLINE_EXCEEDED);
    end_calls(&holder, 1);
}
END_TEST

START_TEST(a_session_given_back_goes_to_one_who_waits)
{
    struct fake_call calls[3];
    open_with(1);
    begin_call(&calls[0]);
    start_call(&calls[1]);
    start_call(&calls[2]);
    end_calls(calls, 3);
    ck_assert_uint_eq(fake.open_most, 1);
}
END_TEST

/* ---- many threads ---- */

enum { THREADS = 6, CALLS_EACH = 300 };

static void *mix(void *context)
{
    static char *const ids[] = {"test", "b", "c"};
    /* A thread alone leads its write, so that no other one is given a write of its stack. */
    static pthread_mutex_t lanes[WEIR_COUNTOF(ids)] = {
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
    const size_t seed = *(const size_t *)context;
    for (size_t i = 0; i < CALLS_EACH; i++) {
        const size_t which = (seed + i) % WEIR_COUNTOF(ids);
        struct weir_namespace *to = must_open(ids[which]);
        if (i % 3 == 0) {
            (void)pthread_mutex_lock(&lanes[which]);
            ck_assert_int_eq(write_one(to, INT64_MAX), WEIR_OK);
            (void)pthread_mutex_unlock(&lanes[which]);
        } else {
            ck_assert_int_eq(call_in(to), WEIR_OK);
        }
        weir_namespace_release(to);
    }
    return NULL;
}

START_TEST(many_threads_on_few_sessions_stay_within_the_bound)
{
    open_with((size_t)_i);
    must_create("b");
    must_create("c");
    pthread_t threads[THREADS];
    size_t seeds[THREADS];
    for (size_t t = 0; t < THREADS; t++) {
        seeds[t] = t;
        ck_assert_int_eq(pthread_create(&threads[t], NULL, mix, &seeds[t]), 0);
    }
    for (size_t t = 0; t < THREADS; t++) {
        (void)pthread_join(threads[t], NULL);
    }
    ck_assert_uint_le(fake.open_most, (size_t)_i);
}
END_TEST

static Suite *session_pool_suite(void)
{
    Suite *suite = suite_create("session_pool");
    TCase *tcase = tcase_create("session_pool");
    tcase_add_checked_fixture(tcase, fake_fixture_begin, fake_fixture_end);
    tcase_add_test(tcase, one_session_serves_call_after_call);
    tcase_add_test(tcase, where_nothing_happens_at_once_one_session_reads_and_writes);
    tcase_add_test(tcase, with_one_session_reads_and_writes_take_turns);
    tcase_add_test(tcase, a_broken_session_is_closed);
    tcase_add_test(tcase, a_session_that_is_stale_when_it_comes_back_is_closed);
    tcase_add_test(tcase, a_session_that_has_become_stale_is_closed_and_not_lent);
    tcase_add_test(tcase, a_session_that_cannot_be_opened_takes_no_place);
    tcase_add_test(tcase, the_session_idle_longest_makes_room_for_another_namespace);
    tcase_add_test(tcase, a_namespace_whose_session_made_room_can_be_deleted);
    tcase_add_test(tcase, idle_sessions_make_room_where_the_process_has_no_file_left);
    tcase_add_test(tcase, two_who_find_no_file_left_close_a_session_each);
    tcase_add_test(tcase, a_call_waits_for_a_session_no_longer_than_its_deadline);
    tcase_add_test(tcase, a_session_given_back_goes_to_one_who_waits);
    tcase_add_loop_test(tcase, many_threads_on_few_sessions_stay_within_the_bound, 1, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(session_pool_suite());
}
