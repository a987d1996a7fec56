/* The session pool and the namespace handles above it, on a backend that counts calls. */
#include "store/store_int.h"

#include "tests/lib/check_main.h"
#include "tests/lib/fake_backend.h"
#include "weir/base/monotonic.h"

#include <poll.h>
#include <sched.h>
#include <stdatomic.h>

static struct weir_store *store;
static struct weir_namespace *ns;
static struct weir_error err;

static void open_with(size_t max_sessions)
{
    store = fake_store_open(max_sessions);
    ck_assert_int_eq(weir_namespace_open(store, weir_slice_of("test"), INT64_MAX, &ns, &err),
                     WEIR_OK);
}

static void set_up(void)
{
    weir_error_init(&err);
    fake_backend_reset();
    store = NULL;
    ns = NULL;
}

static void tear_down(void)
{
    weir_namespace_release(ns);
    weir_store_close(store);
    ck_assert_uint_eq(fake.open, 0);
    ck_assert_uint_eq(fake.opened, fake.closed);
}

static weir_status call(int64_t deadline_us)
{
    struct weir_head head;
    return weir_head(ns, deadline_us, &head, &err);
}

static struct weir_namespace *must_open(const char *id)
{
    struct weir_namespace *opened = NULL;
    ck_assert_int_eq(weir_namespace_open(store, weir_slice_of(id), INT64_MAX, &opened, &err),
                     WEIR_OK);
    return opened;
}

static void must_create(const char *id)
{
    struct weir_namespace_record record = {.id = weir_slice_of(id)};
    bool is_same = false;
    ck_assert_int_eq(weir_namespace_create(store, &record, INT64_MAX, &is_same, &err), WEIR_OK);
}

/* ---- one thread ---- */

START_TEST(one_session_serves_call_after_call)
{
    open_with(8);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    }
    ck_assert_uint_eq(fake.opened, 1);
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
    ck_assert_int_eq(weir_session_borrow(&store->pool, &ns->shelf, kind, INT64_MAX, &session, &err),
                     WEIR_OK);
    return session;
}

START_TEST(a_session_that_is_stale_when_it_comes_back_is_closed)
{
    open_with(8);
    struct weir_session *session = must_borrow(WEIR_SESSION_READ);
    atomic_store(&session->is_stale, true);
    weir_session_return(&store->pool, session);
    ck_assert_uint_eq(fake.open, 0);
    ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    ck_assert_uint_eq(fake.opened, 2);
}
END_TEST

/* The new session takes the place of the stale one, and remains the only one that writes. */
START_TEST(a_session_that_has_become_stale_is_closed_and_not_lent)
{
    open_with(2);
    weir_session_return(&store->pool, must_borrow(WEIR_SESSION_WRITE));
    atomic_store(&WEIR_LINKED(ns->shelf.idle.before, struct weir_session, at_shelf)->is_stale,
                 true);
    struct weir_session *writes = must_borrow(WEIR_SESSION_WRITE);
    ck_assert_uint_eq(fake.opened, 2);
    ck_assert_uint_eq(fake.open_most, 1);
    struct weir_session *session = NULL;
    ck_assert_int_eq(
        weir_session_borrow(&store->pool, &ns->shelf, WEIR_SESSION_WRITE, 1, &session, &err),
        WEIR_DEADLINE_EXCEEDED);
    weir_session_return(&store->pool, must_borrow(WEIR_SESSION_READ));
    weir_session_return(&store->pool, writes);
    int64_t deleted = 0;
    ck_assert_int_eq(weir_namespace_delete(store, weir_slice_of("test"), INT64_MAX, &deleted, &err),
                     WEIR_OK);
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
    struct weir_head head;
    ck_assert_int_eq(weir_head(c, INT64_MAX, &head, &err),
                     WEIR_OK);  // the session of "c" is still open
    ck_assert_uint_eq(fake.opened, 4);
    weir_namespace_release(b);
    weir_namespace_release(c);
}
END_TEST

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
    struct weir_head head;
    ck_assert_int_eq(weir_head(c, INT64_MAX, &head, &err), WEIR_OK);
    ck_assert_int_eq(weir_head(c, INT64_MAX, &head, &err), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(weir_head(c, INT64_MAX, &head, &err), WEIR_OK);
    weir_namespace_release(c);
    for (int i = 0; i < 8; i++) {  // no place in the pool has been lost
        ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    }
}
END_TEST

START_TEST(a_namespace_whose_session_made_room_can_be_deleted)
{
    open_with(1);
    must_create("b");
    struct weir_namespace *b = must_open("b");
    int64_t deleted = 0;
    ck_assert_int_eq(weir_namespace_delete(store, weir_slice_of("test"), INT64_MAX, &deleted, &err),
                     WEIR_OK);
    ck_assert_uint_eq(fake.deleted, 1);
    struct weir_head head;
    ck_assert_int_eq(weir_head(b, INT64_MAX, &head, &err), WEIR_OK);
    weir_namespace_release(b);
}
END_TEST

START_TEST(an_unknown_namespace_is_not_opened_and_leaves_nothing)
{
    open_with(8);
    struct weir_namespace *none = NULL;
    ck_assert_int_eq(weir_namespace_open(store, weir_slice_of("none"), INT64_MAX, &none, &err),
                     WEIR_NAMESPACE_NOT_FOUND);
    must_create("none");
    weir_namespace_release(must_open("none"));
}
END_TEST

/* ---- writes ---- */

static void count_done(struct weir_write *write)
{
    ++*(size_t *)write->context;
}

static struct weir_write clear_of(size_t *done, struct weir_error *outcome, int64_t deadline_us)
{
    return (struct weir_write){.kind = WEIR_WRITE_CLEAR,
                               .deadline_us = deadline_us,
                               .err = outcome,
                               .done = count_done,
                               .context = done};
}

START_TEST(with_one_session_reads_and_writes_take_turns)
{
    open_with(1);
    for (int i = 0; i < 3; i++) {
        size_t done = 0;
        struct weir_write write = clear_of(&done, &err, INT64_MAX);
        ck_assert(weir_write_submit(ns, &write));
        ck_assert(!weir_lane_run(ns));
        ck_assert_uint_eq(done, 1);
        ck_assert_int_eq(err.status, WEIR_OK);
        ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    }
    ck_assert_uint_eq(fake.open_most, 1);
}
END_TEST

START_TEST(where_nothing_happens_at_once_one_session_reads_and_writes)
{
    open_with(8);
    for (int i = 0; i < 3; i++) {
        size_t done = 0;
        struct weir_write write = clear_of(&done, &err, INT64_MAX);
        ck_assert(weir_write_submit(ns, &write));
        ck_assert(!weir_lane_run(ns));
        ck_assert_uint_eq(done, 1);
        ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    }
    ck_assert_uint_eq(fake.opened, 1);
}
END_TEST

START_TEST(a_group_that_fails_fails_each_of_its_writes)
{
    open_with(8);
    fake_calls_fail(WEIR_BACKEND_UNAVAILABLE);
    size_t done = 0;
    struct weir_error errors[2];
    struct weir_write writes[2] = {clear_of(&done, &errors[0], INT64_MAX),
                                   clear_of(&done, &errors[1], INT64_MAX)};
    ck_assert(weir_write_submit(ns, &writes[0]));
    ck_assert(!weir_write_submit(ns, &writes[1]));
    ck_assert(!weir_lane_run(ns));
    ck_assert_uint_eq(done, 2);
    ck_assert_uint_eq(fake.group_sizes[0], 2);
    ck_assert_int_eq(errors[0].status, WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(errors[1].status, WEIR_BACKEND_UNAVAILABLE);
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
                               .err = &err,
                               .done = release_handle,
                               .context = ns};
    ck_assert(weir_write_submit(ns, &write));
    ck_assert(!weir_lane_run(ns));
    ns = NULL;
}
END_TEST

/* ---- waiting ---- */

static void *call_in_thread(void *context)
{
    struct weir_head head;
    struct weir_error own;
    weir_error_init(&own);
    *(weir_status *)context = weir_head(ns, INT64_MAX, &head, &own);
    return NULL;
}

START_TEST(a_call_waits_for_a_session_no_longer_than_its_deadline)
{
    open_with(1);
    fake_gate_shut();
    weir_status status = WEIR_COUNTOF(fake.namespaces);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, call_in_thread, &status), 0);
    fake_gate_wait(1);
    ck_assert_int_eq(call(weir_monotonic_us() + 2000), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_eq(call(0), WEIR_DEADLINE_EXCEEDED);

    size_t done = 0;
    struct weir_write write = clear_of(&done, &err, weir_monotonic_us() + 2000);
    ck_assert(weir_write_submit(ns, &write));
    ck_assert(!weir_lane_run(ns));
    ck_assert_uint_eq(done, 1);
    ck_assert_int_eq(err.status, WEIR_DEADLINE_EXCEEDED);
    fake_gate_open();
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(status, WEIR_OK);
}
END_TEST

static void *lead_in_thread(void *context)
{
    (void)context;
    (void)weir_lane_run(ns);
    return NULL;
}

static void note_done(struct weir_write *write)
{
    atomic_fetch_add((atomic_int *)write->context, 1);
}

/* Each write in a group that waits for a session waits only until its own deadline; the others go
 * on. */
START_TEST(a_group_loses_the_write_whose_time_is_up)
{
    open_with(1);
    fake_gate_shut();
    weir_status status = WEIR_COUNTOF(fake.namespaces);
    pthread_t caller;
    pthread_t leader;
    ck_assert_int_eq(pthread_create(&caller, NULL, call_in_thread, &status), 0);
    fake_gate_wait(1);
    enum { N = 3 };
    atomic_int done[N] = {0};
    struct weir_error errors[N];
    struct weir_write writes[N];
    for (size_t i = 0; i < N; i++) {
        writes[i] =
            (struct weir_write){.kind = WEIR_WRITE_CLEAR,
                                .deadline_us = i == 1 ? weir_monotonic_us() + 2000 : INT64_MAX,
                                .err = &errors[i],
                                .done = note_done,
                                .context = &done[i]};
        ck_assert_int_eq(weir_write_submit(ns, &writes[i]), i == 0);
    }
    ck_assert_int_eq(pthread_create(&leader, NULL, lead_in_thread, NULL), 0);
    const int64_t until_us = weir_monotonic_us() + 10 * 1000 * 1000;
    while (atomic_load(&done[1]) == 0) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        (void)sched_yield();
    }
    ck_assert_int_eq(errors[1].status, WEIR_DEADLINE_EXCEEDED);
    fake_gate_open();
    (void)pthread_join(leader, NULL);
    (void)pthread_join(caller, NULL);
    ck_assert(atomic_load(&done[0]) == 1 && atomic_load(&done[2]) == 1);
    ck_assert(errors[0].status == WEIR_OK && errors[2].status == WEIR_OK);
}
END_TEST

START_TEST(a_session_given_back_goes_to_one_who_waits)
{
    open_with(1);
    fake_gate_shut();
    weir_status statuses[3];
    pthread_t threads[3];
    for (size_t t = 0; t < 3; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, call_in_thread, &statuses[t]), 0);
    }
    fake_gate_wait(1);
    fake_gate_open();
    for (size_t t = 0; t < 3; t++) {
        (void)pthread_join(threads[t], NULL);
        ck_assert_int_eq(statuses[t], WEIR_OK);
    }
    ck_assert_uint_eq(fake.open_most, 1);
}
END_TEST

/* ---- opening ---- */

static void *delete_in_thread(void *context)
{
    int64_t deleted = 0;
    struct weir_error own;
    weir_error_init(&own);
    *(weir_status *)context =
        weir_namespace_delete(store, weir_slice_of("test"), INT64_MAX, &deleted, &own);
    return NULL;
}

struct opening {
    const char *id;
    weir_status status;
};

static void *open_in_thread(void *context)
{
    struct opening *opening = context;
    struct weir_namespace *opened = NULL;
    struct weir_error own;
    weir_error_init(&own);
    opening->status =
        weir_namespace_open(store, weir_slice_of(opening->id), INT64_MAX, &opened, &own);
    if (opening->status == WEIR_OK) {
        weir_namespace_release(opened);
    }
    return NULL;
}

/* Starts a thread that opens the namespace and hangs at the gate. */
static void begin_open(pthread_t *thread, struct opening *opening)
{
    store = fake_store_open(8);
    fake.opens_wait = true;
    fake_gate_shut();
    opening->id = "test";
    ck_assert_int_eq(pthread_create(thread, NULL, open_in_thread, opening), 0);
    fake_gate_wait(1);
}

static weir_status try_open(void)
{
    return weir_namespace_open(store, weir_slice_of("test"), INT64_MAX, &ns, &err);
}

/* Later callers do not open a second session, and do not wait once opening has taken long. */
START_TEST(who_comes_while_a_namespace_is_opened_for_long_is_refused)
{
    pthread_t thread;
    struct opening opening;
    begin_open(&thread, &opening);
    ck_assert_int_eq(try_open(), WEIR_BACKEND_UNAVAILABLE);
    const int64_t before_us = weir_monotonic_us();
    ck_assert_int_eq(try_open(), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_lt(weir_monotonic_us() - before_us, 250 * 1000);
    fake_gate_open();
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(opening.status, WEIR_OK);
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

START_TEST(who_comes_while_a_namespace_is_opened_waits_a_little)
{
    pthread_t threads[2];
    struct opening opening;
    begin_open(&threads[0], &opening);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, open_gate_in_thread, NULL), 0);
    const weir_status own = try_open();
    (void)pthread_join(threads[0], NULL);
    (void)pthread_join(threads[1], NULL);
    ck_assert_int_eq(opening.status, WEIR_OK);
    ck_assert_int_eq(own, WEIR_OK);
    ck_assert_uint_eq(fake.opened, 1);
}
END_TEST

START_TEST(a_namespace_that_could_not_be_opened_is_opened_by_the_next)
{
    store = fake_store_open(8);
    fake.open_fails = WEIR_BACKEND_UNAVAILABLE;
    ck_assert_int_eq(try_open(), WEIR_BACKEND_UNAVAILABLE);
    fake.open_fails = WEIR_OK;
    ck_assert_int_eq(try_open(), WEIR_OK);
}
END_TEST

/* Both learn that before either closes a session. */
START_TEST(two_who_find_no_file_left_close_a_session_each)
{
    pthread_t threads[2];
    struct opening openings[] = {{.id = "c"}, {.id = "d"}};
    open_with(8);
    must_create("b");
    must_create("c");
    must_create("d");
    weir_namespace_release(must_open("b"));
    fake.opens_short = 2;
    fake.opens_wait = true;
    fake_gate_shut();
    for (size_t t = 0; t < 2; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, open_in_thread, &openings[t]), 0);
    }
    fake_gate_wait(2);
    fake_gate_open();
    for (size_t t = 0; t < 2; t++) {
        (void)pthread_join(threads[t], NULL);
        ck_assert_int_eq(openings[t].status, WEIR_OK);
    }
    ck_assert_uint_eq(fake.closed, 2);
}
END_TEST

START_TEST(a_deletion_waits_for_an_opening)
{
    pthread_t threads[2];
    struct opening opening;
    weir_status deleted = WEIR_BACKEND_ERROR;
    begin_open(&threads[0], &opening);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, delete_in_thread, &deleted), 0);
    do {
        ck_assert_int_eq(try_open(), WEIR_BACKEND_UNAVAILABLE);
    } while (strstr(err.text, "being deleted") == NULL);
    ck_assert_uint_eq(fake.deleted, 0);
    fake_gate_open();
    (void)pthread_join(threads[0], NULL);
    (void)pthread_join(threads[1], NULL);
    ck_assert(opening.status == WEIR_OK && deleted == WEIR_OK);
    ck_assert_uint_eq(fake.deleted, 1);
    ck_assert(!fake.is_deleted_while_open);
}
END_TEST

/* ---- deleting ---- */

/* Waits until calls are refused because of the deletion. */
static void wait_until_deleting(void)
{
    struct weir_namespace *again = NULL;
    while (weir_namespace_open(store, weir_slice_of("test"), INT64_MAX, &again, &err) == WEIR_OK) {
        weir_namespace_release(again);
    }
}

/* A deletion that waits for a call in flight. */
struct deletion {
    pthread_t caller;
    pthread_t deleter;
    weir_status called;
    weir_status deleted;
};

static void begin_deletion(struct deletion *deletion)
{
    open_with(8);
    fake_gate_shut();
    ck_assert_int_eq(pthread_create(&deletion->caller, NULL, call_in_thread, &deletion->called), 0);
    fake_gate_wait(1);
    ck_assert_int_eq(pthread_create(&deletion->deleter, NULL, delete_in_thread, &deletion->deleted),
                     0);
    wait_until_deleting();
}

static void end_deletion(const struct deletion *deletion)
{
    fake_gate_open();
    (void)pthread_join(deletion->caller, NULL);
    (void)pthread_join(deletion->deleter, NULL);
    ck_assert_int_eq(deletion->called, WEIR_OK);
    ck_assert_int_eq(deletion->deleted, WEIR_OK);
}

START_TEST(a_deletion_waits_for_calls_and_refuses_later_ones)
{
    struct deletion deletion;
    begin_deletion(&deletion);
    ck_assert_int_eq(err.status, WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(call(INT64_MAX), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_uint_eq(fake.deleted, 0);
    end_deletion(&deletion);
    ck_assert(!fake.is_deleted_while_open);

    /* The old handle refers to the deleted namespace; a new namespace with the same id gets another
     * handle. */
    ck_assert_int_eq(call(INT64_MAX), WEIR_NAMESPACE_NOT_FOUND);
    size_t done = 0;
    struct weir_write write = clear_of(&done, &err, INT64_MAX);
    ck_assert(weir_write_submit(ns, &write));
    ck_assert(!weir_lane_run(ns));
    ck_assert_int_eq(err.status, WEIR_NAMESPACE_NOT_FOUND);
    must_create("test");
    struct weir_namespace *fresh = must_open("test");
    ck_assert_ptr_ne(fresh, ns);
    weir_namespace_release(fresh);
}
END_TEST

struct creation {
    atomic_bool is_begun;
    weir_status status;
};

static void *create_in_thread(void *context)
{
    struct creation *creation = context;
    struct weir_namespace_record record = {.id = weir_slice_of("test")};
    struct weir_error own;
    bool is_same = false;
    weir_error_init(&own);
    atomic_store(&creation->is_begun, true);
    creation->status = weir_namespace_create(store, &record, INT64_MAX, &is_same, &own);
    return NULL;
}

/* A namespace created during the deletion of its id exists afterwards. */
START_TEST(a_creation_waits_for_the_deletion_of_its_id)
{
    struct deletion deletion;
    struct creation creation = {.is_begun = false};
    pthread_t creator;
    begin_deletion(&deletion);
    ck_assert_int_eq(pthread_create(&creator, NULL, create_in_thread, &creation), 0);
    while (!atomic_load(&creation.is_begun)) {
        (void)sched_yield();
    }
    /* Without waiting, the creation would have found the old namespace by this time. */
    (void)poll(NULL, 0, 20);
    end_deletion(&deletion);
    (void)pthread_join(creator, NULL);
    ck_assert_int_eq(creation.status, WEIR_OK);
    weir_namespace_release(must_open("test"));
}
END_TEST

static weir_status delete_test(int64_t deadline_us)
{
    int64_t deleted = 0;
    return weir_namespace_delete(store, weir_slice_of("test"), deadline_us, &deleted, &err);
}

/* A long call delays a deletion only until its deadline, and the namespace remains usable. */
START_TEST(a_deletion_waits_for_calls_no_longer_than_its_deadline)
{
    open_with(8);
    weir_status called = WEIR_COUNTOF(fake.namespaces);
    pthread_t caller;
    fake_gate_shut();
    ck_assert_int_eq(pthread_create(&caller, NULL, call_in_thread, &called), 0);
    fake_gate_wait(1);
    ck_assert_int_eq(delete_test(weir_monotonic_us() + 2000), WEIR_DEADLINE_EXCEEDED);
    fake.heads_pass = true;
    ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
    fake_gate_open();
    (void)pthread_join(caller, NULL);
    ck_assert_int_eq(called, WEIR_OK);
    ck_assert_uint_eq(fake.deleted, 0);
    ck_assert_int_eq(delete_test(INT64_MAX), WEIR_OK);
}
END_TEST

/* Each of the two callers learns which one deleted the namespace. */
START_TEST(a_second_deletion_waits_for_the_first)
{
    struct deletion deletion;
    pthread_t thread;
    weir_status status = WEIR_OK;
    begin_deletion(&deletion);
    ck_assert_int_eq(delete_test(weir_monotonic_us() + 2000), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_eq(pthread_create(&thread, NULL, delete_in_thread, &status), 0);
    end_deletion(&deletion);
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(status, WEIR_NAMESPACE_NOT_FOUND);
    ck_assert_uint_eq(fake.deleted, 1);
}
END_TEST

START_TEST(a_deletion_that_fails_leaves_the_namespace_in_use)
{
    open_with(8);
    fake.delete_fails = WEIR_BACKEND_UNAVAILABLE;
    int64_t deleted = 0;
    ck_assert_int_eq(weir_namespace_delete(store, weir_slice_of("test"), INT64_MAX, &deleted, &err),
                     WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(call(INT64_MAX), WEIR_OK);
}
END_TEST

START_TEST(what_does_not_exist_cannot_be_deleted)
{
    open_with(8);
    int64_t deleted = 0;
    ck_assert_int_eq(weir_namespace_delete(store, weir_slice_of("none"), INT64_MAX, &deleted, &err),
                     WEIR_NAMESPACE_NOT_FOUND);
    ck_assert_int_eq(weir_namespace_delete(store, weir_slice_of("test"), INT64_MAX, &deleted, &err),
                     WEIR_OK);
    ck_assert_int_eq(weir_namespace_delete(store, weir_slice_of("test"), INT64_MAX, &deleted, &err),
                     WEIR_NAMESPACE_NOT_FOUND);
}
END_TEST

/* ---- many threads ---- */

enum { THREADS = 6, CALLS_EACH = 300 };

static const char *const ids[] = {"test", "b", "c"};

static void write_once(struct weir_namespace *to, size_t which)
{
    size_t done = 0;
    struct weir_error own;
    struct weir_write write = clear_of(&done, &own, INT64_MAX);
    /* The write lives on this stack, so this thread must lead until the write is done. The mutex
     * keeps other threads off the lane meanwhile. */
    static pthread_mutex_t lanes[WEIR_COUNTOF(ids)] = {
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
    pthread_mutex_t *lane = &lanes[which];
    (void)pthread_mutex_lock(lane);
    if (weir_write_submit(to, &write)) {
        while (weir_lane_run(to)) {
        }
    }
    (void)pthread_mutex_unlock(lane);
    ck_assert_uint_eq(done, 1);
}

static void *mix(void *context)
{
    const size_t seed = *(const size_t *)context;
    for (size_t i = 0; i < CALLS_EACH; i++) {
        const size_t which = (seed + i) % WEIR_COUNTOF(ids);
        struct weir_namespace *to = must_open(ids[which]);
        struct weir_head head;
        struct weir_error own;
        weir_error_init(&own);
        if (i % 3 == 0) {
            write_once(to, which);
        } else {
            ck_assert_int_eq(weir_head(to, INT64_MAX, &head, &own), WEIR_OK);
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
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, one_session_serves_call_after_call);
    tcase_add_test(tcase, a_broken_session_is_closed);
    tcase_add_test(tcase, a_session_that_is_stale_when_it_comes_back_is_closed);
    tcase_add_test(tcase, a_session_that_has_become_stale_is_closed_and_not_lent);
    tcase_add_test(tcase, a_session_that_cannot_be_opened_takes_no_place);
    tcase_add_test(tcase, the_session_idle_longest_makes_room_for_another_namespace);
    tcase_add_test(tcase, idle_sessions_make_room_where_the_process_has_no_file_left);
    tcase_add_test(tcase, a_namespace_whose_session_made_room_can_be_deleted);
    tcase_add_test(tcase, an_unknown_namespace_is_not_opened_and_leaves_nothing);
    tcase_add_test(tcase, with_one_session_reads_and_writes_take_turns);
    tcase_add_test(tcase, where_nothing_happens_at_once_one_session_reads_and_writes);
    tcase_add_test(tcase, a_group_that_fails_fails_each_of_its_writes);
    tcase_add_test(tcase, done_may_release_the_last_handle);
    tcase_add_test(tcase, a_call_waits_for_a_session_no_longer_than_its_deadline);
    tcase_add_test(tcase, a_group_loses_the_write_whose_time_is_up);
    tcase_add_test(tcase, a_session_given_back_goes_to_one_who_waits);
    tcase_add_test(tcase, who_comes_while_a_namespace_is_opened_for_long_is_refused);
    tcase_add_test(tcase, who_comes_while_a_namespace_is_opened_waits_a_little);
    tcase_add_test(tcase, a_namespace_that_could_not_be_opened_is_opened_by_the_next);
    tcase_add_test(tcase, two_who_find_no_file_left_close_a_session_each);
    tcase_add_test(tcase, a_deletion_waits_for_an_opening);
    tcase_add_test(tcase, a_deletion_waits_for_calls_and_refuses_later_ones);
    tcase_add_test(tcase, a_creation_waits_for_the_deletion_of_its_id);
    tcase_add_test(tcase, a_deletion_waits_for_calls_no_longer_than_its_deadline);
    tcase_add_test(tcase, a_second_deletion_waits_for_the_first);
    tcase_add_test(tcase, a_deletion_that_fails_leaves_the_namespace_in_use);
    tcase_add_test(tcase, what_does_not_exist_cannot_be_deleted);
    tcase_add_loop_test(tcase, many_threads_on_few_sessions_stay_within_the_bound, 1, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(session_pool_suite());
}
