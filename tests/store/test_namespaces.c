/* Namespace handles: their writes, and who waits while a namespace is opened or deleted. */
#include "tests/store/fake_fixture.h"

#include "tests/lib/check_main.h"
#include "weir/base/monotonic.h"

#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

/* ---- writes ---- */

static void note_done(struct weir_write *write)
{
    atomic_fetch_add((atomic_int *)write->context, 1);
}

static struct weir_write write_of(atomic_int *done, struct weir_error *err, int64_t deadline_us)
{
    atomic_store(done, 0);
    return (struct weir_write){.kind = WEIR_WRITE_CLEAR,
                               .deadline_us = deadline_us,
                               .err = err,
                               .done = note_done,
                               .context = done};
}

START_TEST(a_group_that_fails_fails_each_of_its_writes)
{
    open_with(8);
    fake_calls_fail(WEIR_BACKEND_UNAVAILABLE);
    atomic_int done[2];
    struct weir_error errors[2];
    struct weir_write writes[2] = {write_of(&done[0], &errors[0], INT64_MAX),
                                   write_of(&done[1], &errors[1], INT64_MAX)};
    ck_assert(weir_write_submit(fx.ns, &writes[0]));
    ck_assert(!weir_write_submit(fx.ns, &writes[1]));
    ck_assert(!weir_lane_run(fx.ns));
    ck_assert_uint_eq(fake.group_sizes[0], 2);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(atomic_load(&done[i]), 1);
        ck_assert_int_eq(errors[i].status, WEIR_BACKEND_UNAVAILABLE);
    }
}
END_TEST

static void release_handle(struct weir_write *write)
{
    weir_namespace_release(write->context);
}

START_TEST(done_may_release_the_last_handle)
{
    open_with(8);
    struct weir_write write = {.kind = WEIR_WRITE_CLEAR,
                               .deadline_us = INT64_MAX,
                               .err = &fx.err,
                               .done = release_handle,
                               .context = fx.ns};
    ck_assert(weir_write_submit(fx.ns, &write));
    ck_assert(!weir_lane_run(fx.ns));
    fx.ns = NULL;
}
END_TEST

static void *lead_in_thread(void *context)
{
    (void)context;
    (void)weir_lane_run(fx.ns);
    return NULL;
}

/* Each write in a group that waits for a session waits only until its own deadline; the others go
 * on. */
START_TEST(a_group_loses_the_write_whose_time_is_up)
{
    enum { N = 3 };
    struct fake_call caller;
    pthread_t leader;
    atomic_int done[N];
    struct weir_error errors[N];
    struct weir_write writes[N];
    open_with(1);
    begin_call(&caller);
    for (size_t i = 0; i < N; i++) {
        writes[i] = write_of(&done[i], &errors[i], i == 1 ? weir_monotonic_us() + 2000 : INT64_MAX);
        ck_assert_int_eq(weir_write_submit(fx.ns, &writes[i]), i == 0);
    }
    ck_assert_int_eq(pthread_create(&leader, NULL, lead_in_thread, NULL), 0);
    while (atomic_load(&done[1]) == 0) {
        (void)sched_yield();
    }
    ck_assert_int_eq(errors[1].status, WEIR_DEADLINE_EXCEEDED);
    end_calls(&caller, 1);
    (void)pthread_join(leader, NULL);
    ck_assert(atomic_load(&done[0]) == 1 && atomic_load(&done[2]) == 1);
    ck_assert(errors[0].status == WEIR_OK && errors[2].status == WEIR_OK);
}
END_TEST

/* ---- opening ---- */

START_TEST(an_unknown_namespace_is_not_opened_and_leaves_nothing)
{
    open_with(8);
    struct weir_namespace *none = NULL;
    ck_assert_int_eq(
        weir_namespace_open(fx.store, weir_slice_of("none"), INT64_MAX, &none, &fx.err),
        WEIR_NAMESPACE_NOT_FOUND);
    must_create("none");
    weir_namespace_release(must_open("none"));
}
END_TEST

static weir_status try_open(void)
{
    return weir_namespace_open(fx.store, weir_slice_of("test"), INT64_MAX, &fx.ns, &fx.err);
}

START_TEST(a_namespace_that_could_not_be_opened_is_opened_by_the_next)
{
    fx.store = fake_store_open(8);
    fake.open_fails = WEIR_BACKEND_UNAVAILABLE;
    ck_assert_int_eq(try_open(), WEIR_BACKEND_UNAVAILABLE);
    fake.open_fails = WEIR_OK;
    ck_assert_int_eq(try_open(), WEIR_OK);
}
END_TEST

/* Starts a thread that opens the namespace and hangs at the gate. */
static void begin_open(struct fake_open *opening)
{
    fx.store = fake_store_open(8);
    fake.opens_wait = true;
    fake_gate_shut();
    start_open(opening, "test");
    fake_gate_wait(1);
}

/* Later callers do not open a second session, and do not wait once opening has taken long. */
START_TEST(who_comes_while_a_namespace_is_opened_for_long_is_refused)
{
    struct fake_open opening;
    begin_open(&opening);
    ck_assert_int_eq(try_open(), WEIR_BACKEND_UNAVAILABLE);
    int64_t fastest_us = INT64_MAX;  // a busy machine delays some
    for (int i = 0; i < 10; i++) {
        const int64_t before_us = weir_monotonic_us();
        ck_assert_int_eq(try_open(), WEIR_BACKEND_UNAVAILABLE);
        const int64_t took_us = weir_monotonic_us() - before_us;
        fastest_us = took_us < fastest_us ? took_us : fastest_us;
    }
    ck_assert_int_lt(fastest_us, 100 * 1000);
    fake_gate_open();
    end_open(&opening);
    ck_assert_int_eq(try_open(), WEIR_OK);
    ck_assert_uint_eq(fake.opened, 1);
}
END_TEST

static void *open_gate_in_thread(void *context)
{
    (void)context;
    (void)poll(NULL, 0, 20);
    fake_gate_open();
    return NULL;
}

static weir_status try_open_while_it_is_opened(void)
{
    pthread_t opener;
    struct fake_open opening;
    begin_open(&opening);
    ck_assert_int_eq(pthread_create(&opener, NULL, open_gate_in_thread, NULL), 0);
    const weir_status status = try_open();
    (void)pthread_join(opener, NULL);
    end_open(&opening);
    ck_assert_uint_eq(fake.opened, 1);
    return status;
}

/* A busy machine may take longer over one opening than is waited for. */
START_TEST(who_comes_while_a_namespace_is_opened_waits_a_little)
{
    int tries = 1;
    while (try_open_while_it_is_opened() != WEIR_OK) {
        ck_assert_int_lt(tries++, 10);
        fake_fixture_end();
        fake_fixture_begin();
    }
}
END_TEST

/* ---- deleting ---- */

/* A deletion of "test" in a thread of its own. */
struct deletion {
    pthread_t thread;
    weir_status status;
};

static void *delete_in_thread(void *context)
{
    *(weir_status *)context = try_delete("test", INT64_MAX);
    return NULL;
}

static void start_deletion(struct deletion *deletion)
{
    ck_assert_int_eq(pthread_create(&deletion->thread, NULL, delete_in_thread, &deletion->status),
                     0);
}

static void end_deletion(const struct deletion *deletion, weir_status want)
{
    (void)pthread_join(deletion->thread, NULL);
    ck_assert_int_eq(deletion->status, want);
}

/* Starts a deletion that waits for a call in flight. Returns when others are refused because of
 * it. */
static void begin_deletion(struct fake_call *caller, struct deletion *deletion)
{
    open_with(8);
    begin_call(caller);
    start_deletion(deletion);
    struct weir_namespace *again = NULL;
    while (weir_namespace_open(fx.store, weir_slice_of("test"), INT64_MAX, &again, &fx.err) ==
           WEIR_OK) {
        weir_namespace_release(again);
    }
    ck_assert_int_eq(fx.err.status, WEIR_BACKEND_UNAVAILABLE);
}

START_TEST(a_deletion_waits_for_an_opening)
{
    struct fake_open opening;
    struct deletion deletion;
    begin_open(&opening);
    start_deletion(&deletion);
    do {
        ck_assert_int_eq(try_open(), WEIR_BACKEND_UNAVAILABLE);
    } while (strstr(fx.err.text, "being deleted") == NULL);
    ck_assert_uint_eq(fake.deleted, 0);
    fake_gate_open();
    end_open(&opening);
    end_deletion(&deletion, WEIR_OK);
    ck_assert_uint_eq(fake.deleted, 1);
    ck_assert(!fake.is_deleted_while_open);
}
END_TEST

START_TEST(a_deletion_waits_for_calls_and_refuses_later_ones)
{
    struct fake_call caller;
    struct deletion deletion;
    begin_deletion(&caller, &deletion);
    ck_assert_int_eq(call(INT64_MAX), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_uint_eq(fake.deleted, 0);
    end_calls(&caller, 1);
    end_deletion(&deletion, WEIR_OK);
    ck_assert(!fake.is_deleted_while_open);

    /* The old handle refers to the deleted namespace; a new namespace with the same id gets another
     * handle. */
    ck_assert_int_eq(call(INT64_MAX), WEIR_NAMESPACE_NOT_FOUND);
    ck_assert_int_eq(write_one(fx.ns, INT64_MAX), WEIR_NAMESPACE_NOT_FOUND);
    must_create("test");
    struct weir_namespace *fresh = must_open("test");
    ck_assert_ptr_ne(fresh, fx.ns);
    weir_namespace_release(fresh);
}
END_TEST

/* A long call delays a deletion only until its deadline, and the namespace remains usable. */
START_TEST(a_deletion_waits_for_calls_no_longer_than_its_deadline)
{
    struct fake_call caller;
    open_with(8);
    begin_call(&caller);
    ck_assert_int_eq(try_delete("test", weir_monotonic_us() + 2000), WEIR_DEADLINE_EXCEEDED);
    fake.heads_pass = true;
    ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    end_calls(&caller, 1);
    ck_assert_uint_eq(fake.deleted, 0);
    ck_assert_int_eq(try_delete("test", INT64_MAX), WEIR_OK);
}
END_TEST

/* Each of the two callers learns which one deleted the namespace. */
START_TEST(a_second_deletion_waits_for_the_first)
{
    struct fake_call caller;
    struct deletion first;
    struct deletion second;
    begin_deletion(&caller, &first);
    ck_assert_int_eq(try_delete("test", weir_monotonic_us() + 2000), WEIR_DEADLINE_EXCEEDED);
    start_deletion(&second);
    end_calls(&caller, 1);
    end_deletion(&first, WEIR_OK);
    end_deletion(&second, WEIR_NAMESPACE_NOT_FOUND);
    ck_assert_uint_eq(fake.deleted, 1);
}
END_TEST

static weir_status create_test(int64_t deadline_us)
{
    struct weir_namespace_record record = {.id = weir_slice_of("test")};
    struct weir_error err;
    bool is_same = false;
    return weir_namespace_create(fx.store, &record, deadline_us, &is_same, &err);
}

static void *create_in_thread(void *context)
{
    *(weir_status *)context = create_test(INT64_MAX);
    return NULL;
}

/* A namespace created during the deletion of its id exists afterwards. */
START_TEST(a_creation_waits_for_the_deletion_of_its_id)
{
    struct fake_call caller;
    struct deletion deletion;
    weir_status created = WEIR_BACKEND_ERROR;
    pthread_t creator;
    begin_deletion(&caller, &deletion);
    ck_assert_int_eq(create_test(weir_monotonic_us() + 2000), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_eq(pthread_create(&creator, NULL, create_in_thread, &created), 0);
    end_calls(&caller, 1);
    end_deletion(&deletion, WEIR_OK);
    (void)pthread_join(creator, NULL);
    ck_assert_int_eq(created, WEIR_OK);
    weir_namespace_release(must_open("test"));
}
END_TEST

START_TEST(a_deletion_that_fails_leaves_the_namespace_in_use)
{
    open_with(8);
    fake.delete_fails = WEIR_BACKEND_UNAVAILABLE;
    ck_assert_int_eq(try_delete("test", INT64_MAX), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
}
END_TEST

START_TEST(what_does_not_exist_cannot_be_deleted)
{
    open_with(8);
    ck_assert_int_eq(try_delete("none", INT64_MAX), WEIR_NAMESPACE_NOT_FOUND);
    ck_assert_int_eq(try_delete("test", INT64_MAX), WEIR_OK);
    ck_assert_int_eq(try_delete("test", INT64_MAX), WEIR_NAMESPACE_NOT_FOUND);
}
END_TEST

static Suite *namespaces_suite(void)
{
    Suite *suite = suite_create("namespaces");
    TCase *tcase = tcase_create("namespaces");
    tcase_add_checked_fixture(tcase, fake_fixture_begin, fake_fixture_end);
    tcase_add_test(tcase, a_group_that_fails_fails_each_of_its_writes);
    tcase_add_test(tcase, done_may_release_the_last_handle);
    tcase_add_test(tcase, a_group_loses_the_write_whose_time_is_up);
    tcase_add_test(tcase, an_unknown_namespace_is_not_opened_and_leaves_nothing);
    tcase_add_test(tcase, a_namespace_that_could_not_be_opened_is_opened_by_the_next);
    tcase_add_test(tcase, who_comes_while_a_namespace_is_opened_for_long_is_refused);
    tcase_add_test(tcase, who_comes_while_a_namespace_is_opened_waits_a_little);
    tcase_add_test(tcase, a_deletion_waits_for_an_opening);
    tcase_add_test(tcase, a_deletion_waits_for_calls_and_refuses_later_ones);
    tcase_add_test(tcase, a_deletion_waits_for_calls_no_longer_than_its_deadline);
    tcase_add_test(tcase, a_second_deletion_waits_for_the_first);
    tcase_add_test(tcase, a_creation_waits_for_the_deletion_of_its_id);
    tcase_add_test(tcase, a_deletion_that_fails_leaves_the_namespace_in_use);
    tcase_add_test(tcase, what_does_not_exist_cannot_be_deleted);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(namespaces_suite());
}
