/* Work that a thread has deferred while the store makes it wait, on a thread with the name of nng's
 * task threads. */
#include "tests/rpc/rpc_fixture.h"

#include "server/transport/deferred.h"
#include "tests/lib/check_main.h"
#include "tests/lib/fake_backend.h"
#include "tests/lib/task_thread.h"

#include <poll.h>
#include <pthread.h>

static atomic_uint run;
static atomic_uint handed_on;

static void do_it(void *context)
{
    (void)context;
    atomic_fetch_add(&run, 1);
}

static void hand_on(void *context)
{
    (void)context;
    atomic_fetch_add(&handed_on, 1);
}

static void *defer_and_ask_store(void *context)
{
    struct weir_namespace *ns = context;
    struct weir_error err;
    int64_t version = 0;
    weir_error_init(&err);
    task_thread_become();
    ck_assert(weir_defer(do_it, hand_on, NULL));
    ck_assert_int_eq(weir_stream_version(ns, weir_slice_of("s-1"), INT64_MAX, &version, &err),
                     WEIR_OK);
    weir_deferred_run();
    return NULL;
}

/* No other thread signals a task meanwhile. */
START_TEST(what_is_deferred_is_handed_on_while_the_store_waits)
{
    pthread_t thread;
    struct weir_namespace *ns = NULL;
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_eq(
        weir_namespace_open(rpc.server->store, weir_slice_of("test"), INT64_MAX, &ns, &err),
        WEIR_OK);
    fake_gate_shut();
    ck_assert_int_eq(pthread_create(&thread, NULL, defer_and_ask_store, ns), 0);
    while (atomic_load(&handed_on) == 0) {
        (void)poll(NULL, 0, 1);
    }
    fake_gate_open();
    (void)pthread_join(thread, NULL);
    ck_assert_uint_eq(atomic_load(&handed_on), 1);
    ck_assert_uint_eq(atomic_load(&run), 0);
    weir_namespace_release(ns);
}
END_TEST

static void set_up(void)
{
    fake_backend_reset();
    rpc_start_on(fake_store_open(2), NULL);
}

int main(void)
{
    Suite *suite = suite_create("rpc_kept_waiting");
    TCase *tcase = tcase_create("deferred");
    tcase_add_checked_fixture(tcase, set_up, rpc_stop);
    tcase_add_test(tcase, what_is_deferred_is_handed_on_while_the_store_waits);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
