/* What a thread does first with a request that arrives, on a thread with the name of nng's task
 * threads. The test provides everything around admission.c. */
#include "server/calls/admission.h"
#include "server/calls/auth.h"
#include "server/calls/server_parts.h"
#include "server/transport/exchange.h"

#include "server/calls/dispatch.h"
#include "server/transport/deferred.h"
#include "tests/lib/check_main.h"
#include "tests/lib/task_thread.h"
#include "weir/base/monotonic.h"

#include <pthread.h>

static struct weir_config config;
static struct weir_server server;
static int64_t arrived_us;
static uint8_t room[1024];
static int done;
static int done_when_answered;

/* ---- the environment of admission.c ---- */

struct weir_slice weir_exchange_request(const struct weir_exchange *exchange)
{
    (void)exchange;
    return weir_slice("", 0);
}

struct weir_job *weir_exchange_job(struct weir_exchange *exchange)
{
    static struct weir_job job;
    (void)exchange;
    return &job;
}

uint32_t weir_auth_owner_of(struct weir_slice request)
{
    (void)request;
    return 0;
}

int64_t weir_exchange_arrived_us(const struct weir_exchange *exchange)
{
    (void)exchange;
    return arrived_us;
}

uint8_t *weir_exchange_reply_room(struct weir_exchange *exchange, size_t n)
{
    (void)exchange;
    ck_assert_uint_le(n, sizeof room);
    return room;
}

void weir_exchange_send(struct weir_exchange *exchange)
{
    (void)exchange;
    done_when_answered = done;
}

void weir_exchange_abandon(struct weir_exchange *exchange, bool is_fatal)
{
    (void)exchange;
    (void)is_fatal;
    ck_abort();
}

void weir_exchange_unread(const struct weir_exchange *exchange, size_t *own, size_t *all)
{
    (void)exchange;
    *own = 0;
    *all = 0;
}

void weir_exchange_recount_unread(struct weir_exchange *exchange)
{
    (void)exchange;
}

void weir_metrics_refused(struct weir_metrics *metrics, weir_status st)
{
    (void)metrics;
    (void)st;
}

void weir_dispatch_arrived(struct weir_server *to, struct weir_exchange *exchange)
{
    (void)to;
    weir_exchange_send(exchange);
}

/* ---- the thread ---- */

static void do_it(void *context)
{
    (void)context;
    done++;
}

static void hand_on(void *context)
{
    (void)context;
}

static void take_in(int64_t at_us, int want_done)
{
    done_when_answered = -1;
    arrived_us = at_us;
    weir_admission_arrived(&server, NULL);
    ck_assert_int_eq(done_when_answered, want_done);
}

static void *take_requests_in(void *context)
{
    (void)context;
    task_thread_become();
    const int64_t before_us = weir_monotonic_us();
    ck_assert(weir_defer(do_it, hand_on, NULL));
    take_in(before_us, 0);
    take_in(weir_monotonic_us() + WEIR_DEFER_MAX_US + 1, 1);
    return NULL;
}

/* Takes requests in, also while there is room for no call, or the server stops. Deferred work is
 * done first in every case. */
static void check(bool is_full, bool is_stopping)
{
    pthread_t thread;
    done = 0;
    server.config = &config;
    weir_places_init(&server.call_places, 1);
    ck_assert(!is_full || weir_places_take(&server.call_places, 0));
    atomic_store(&server.is_stopping, is_stopping);
    ck_assert_int_eq(pthread_create(&thread, NULL, take_requests_in, NULL), 0);
    (void)pthread_join(thread, NULL);
}

START_TEST(who_refuses_requests_does_what_he_has_put_off)
{
    check(true, false);
}
END_TEST

START_TEST(who_refuses_requests_at_the_end_does_so)
{
    check(false, true);
}
END_TEST

START_TEST(who_takes_requests_does_so)
{
    check(false, false);
}
END_TEST

static Suite *intake_suite(void)
{
    Suite *suite = suite_create("intake");
    TCase *tcase = tcase_create("intake");
    tcase_add_test(tcase, who_refuses_requests_does_what_he_has_put_off);
    tcase_add_test(tcase, who_refuses_requests_at_the_end_does_so);
    tcase_add_test(tcase, who_takes_requests_does_so);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(intake_suite());
}
