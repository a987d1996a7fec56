/* The order of direct and deferred work on a transport thread, run on a thread with the name of
 * nng's task threads. The test provides the store, the dispatch and the exchanges. */
#include "server/calls/admission.h"
#include "server/calls/dispatch.h"
#include "server/calls/server_parts.h"
#include "server/calls/write_lane.h"
#include "server/namespaces/tenants.h"
#include "server/transport/deferred.h"
#include "server/transport/exchange.h"
#include "server/waiting/wake.h"
#include "tests/lib/check_main.h"
#include "tests/lib/task_thread.h"

#include <pthread.h>

enum { TENANTS = 2, IN_MEMORY = 0, IN_FILES = 1 };

static struct weir_server server;
static struct weir_tenant tenants[TENANTS];
static struct weir_call calls[TENANTS];
static struct weir_call reading;

static bool is_store_in_memory;
static bool has_spot;
static size_t commits;
static size_t commits_at_read;
static size_t queued_at_read;
static size_t reads;

/* ---- the store ---- */

bool weir_store_is_local(const struct weir_store *store)
{
    (void)store;
    return true;
}

bool weir_store_is_in_memory(const struct weir_store *store)
{
    (void)store;
    return is_store_in_memory;
}

bool weir_write_submit(struct weir_namespace *ns, struct weir_write *write)
{
    (void)ns;
    (void)write;
    return true;
}

bool weir_lane_commit(struct weir_namespace *ns, struct weir_write **group)
{
    (void)ns;
    commits++;
    *group = NULL;
    return false;
}

void weir_group_finish(struct weir_write *group)
{
    (void)group;
}

void weir_lane_end_late(struct weir_namespace *ns)
{
    (void)ns;
}

bool weir_query_is_small(const struct weir_query *query)
{
    return query->max_messages <= WEIR_READ_SMALL_MESSAGES;
}

weir_status weir_read(struct weir_namespace *ns, const struct weir_query *query,
                      struct weir_arena *arena, struct weir_rows *rows, struct weir_error *err)
{
    (void)ns;
    (void)query;
    (void)arena;
    (void)rows;
    (void)err;
    reads++;
    commits_at_read = commits;
    queued_at_read = weir_queue_length(&server.queue);
    return WEIR_OK;
}

/* ---- the calls ---- */

bool weir_dispatch_is_on_the_spot(void)
{
    return has_spot;
}

bool weir_dispatch_take_spot(struct weir_server *of)
{
    const bool is_free = !has_spot && weir_queue_length(&of->queue) == 0;
    has_spot = has_spot || is_free;
    return is_free;
}

void weir_dispatch_leave_spot(struct weir_server *of)
{
    (void)of;
    has_spot = false;
}

int64_t weir_dispatch_store_deadline(const struct weir_call *call)
{
    return call->deadline_us;
}

void weir_dispatch_go_on(struct weir_call *call, weir_status st)
{
    (void)call;
    (void)st;
}

void weir_dispatch_finish(struct weir_call *call, weir_status st)
{
    (void)call;
    (void)st;
}

void weir_call_limit_read(struct weir_call *call, int64_t until_us)
{
    (void)call;
    (void)until_us;
}

bool weir_call_renew_read(struct weir_call *call)
{
    (void)call;
    return false;
}

void weir_call_fail_late_read(struct weir_call *call)
{
    (void)call;
}

void weir_call_take_late_reads(struct weir_link *queued, struct weir_link *late)
{
    (void)queued;
    (void)late;
}

void weir_call_end_taken_reads(struct weir_link *late, void (*end)(struct weir_call *call))
{
    (void)late;
    (void)end;
}

weir_status weir_admission_check_unread(const struct weir_server *of,
                                        struct weir_exchange *exchange, struct weir_error *err)
{
    (void)of;
    (void)exchange;
    (void)err;
    return WEIR_OK;
}

/* ---- the environment ---- */

void weir_exchange_announce(struct weir_exchange *exchange)
{
    (void)exchange;
}

int64_t weir_wake_committed(struct weir_wake *wake, struct weir_tenant *tenant,
                            const struct weir_write *write)
{
    (void)wake;
    (void)tenant;
    (void)write;
    return 0;
}

void weir_metrics_written(struct weir_metrics *metrics, int64_t messages)
{
    (void)metrics;
    (void)messages;
}

void weir_metrics_group(struct weir_metrics *metrics, size_t writes)
{
    (void)metrics;
    (void)writes;
}

void weir_tenant_hold(struct weir_tenant *tenant)
{
    tenant->refs++;
}

void weir_tenant_release(struct weir_tenant *tenant)
{
    tenant->refs--;
}

/* ---- a thread ---- */

static weir_status has_read(struct weir_call *call, struct weir_error *err)
{
    (void)call;
    (void)err;
    return WEIR_OK;
}

static void set_up_in(int store)
{
    is_store_in_memory = store == IN_MEMORY;
    commits = 0;
    commits_at_read = 0;
    queued_at_read = 0;
    reads = 0;
    weir_queue_init(&server.queue, 1);
    for (size_t i = 0; i < TENANTS; i++) {
        calls[i] =
            (struct weir_call){.server = &server, .tenant = &tenants[i], .must_not_block = true};
    }
    reading = (struct weir_call){.server = &server, .tenant = &tenants[1], .on_read = has_read};
}

static void run_on_task_thread(void *(*body)(void *context))
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, body, NULL), 0);
    (void)pthread_join(thread, NULL);
    ck_assert(!has_spot);
    weir_queue_fini(&server.queue);
}

static void *write_to_both(void *context)
{
    (void)context;
    task_thread_become();
    weir_write_lane_start(&calls[0]);
    ck_assert_uint_eq(commits, 0);  // the commit is deferred
    weir_write_lane_start(&calls[1]);
    ck_assert_uint_eq(commits, 1);
    task_thread_find_none();
    return NULL;
}

START_TEST(of_two_leads_the_first_is_deferred)
{
    set_up_in(_i);
    run_on_task_thread(write_to_both);
    ck_assert_uint_eq(commits, 2);
    ck_assert_uint_eq(weir_queue_length(&server.queue), 0);
}
END_TEST

static void *write_and_read(void *context)
{
    (void)context;
    task_thread_become();
    weir_write_lane_start(&calls[0]);
    ck_assert_uint_eq(commits, 0);
    ck_assert(weir_dispatch_take_spot(&server));
    weir_slow_reads_start(&reading);
    weir_dispatch_leave_spot(&server);
    ck_assert_uint_eq(reads, 1);
    weir_deferred_run();
    return NULL;
}

START_TEST(in_memory_a_deferred_write_comes_before_a_large_read)
{
    set_up_in(IN_MEMORY);
    reading.read.query.max_messages = 1000;
    run_on_task_thread(write_and_read);
    ck_assert_uint_eq(commits_at_read, 1);
    ck_assert_uint_eq(queued_at_read, 0);
}
END_TEST

START_TEST(elsewhere_a_deferred_write_is_a_workers_before_a_large_read)
{
    set_up_in(IN_FILES);
    reading.read.query.max_messages = 1000;
    run_on_task_thread(write_and_read);
    ck_assert_uint_eq(commits_at_read, 0);
    ck_assert_uint_eq(queued_at_read, 1);
}
END_TEST

START_TEST(a_small_read_comes_before_a_deferred_write)
{
    set_up_in(_i);
    reading.read.query.max_messages = 10;
    run_on_task_thread(write_and_read);
    ck_assert_uint_eq(commits_at_read + queued_at_read, 0);
    ck_assert_uint_eq(commits, 1);
}
END_TEST

static Suite *spot_suite(void)
{
    Suite *suite = suite_create("spot");
    TCase *tcase = tcase_create("spot");
    tcase_add_loop_test(tcase, of_two_leads_the_first_is_deferred, 0, 2);
    tcase_add_test(tcase, in_memory_a_deferred_write_comes_before_a_large_read);
    tcase_add_test(tcase, elsewhere_a_deferred_write_is_a_workers_before_a_large_read);
    tcase_add_loop_test(tcase, a_small_read_comes_before_a_deferred_write, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(spot_suite());
}
