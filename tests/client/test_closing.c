/* What closing a client, or one of its sockets, waits for and releases. The linker's --wrap lets
 * the test hold threads at chosen points and observe them. */
#include "client/lib/link.h"
#include "client/weir.h"
#include "weir/base/monotonic.h"

#include <check.h>
#include <nng/protocol/reqrep0/rep.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

enum { PATIENCE_MS = 20000 };

void __real_nng_ctx_send(nng_ctx ctx, nng_aio *aio);
void __wrap_nng_ctx_send(nng_ctx ctx, nng_aio *aio);
int __real_nng_ctx_close(nng_ctx ctx);
int __wrap_nng_ctx_close(nng_ctx ctx);
int __real_nng_dialer_set_ms(nng_dialer dialer, const char *option, nng_duration ms);
int __wrap_nng_dialer_set_ms(nng_dialer dialer, const char *option, nng_duration ms);
int __real_nng_dialer_set_ptr(nng_dialer dialer, const char *option, void *value);
int __wrap_nng_dialer_set_ptr(nng_dialer dialer, const char *option, void *value);
int __wrap_nng_pipe_get_addr(nng_pipe pipe, const char *option, nng_sockaddr *address);
int __real_nng_pipe_close(nng_pipe pipe);
int __wrap_nng_pipe_close(nng_pipe pipe);
void __real_nng_sleep_aio(nng_duration ms, nng_aio *aio);
void __wrap_nng_sleep_aio(nng_duration ms, nng_aio *aio);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *arg);
int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result);

/* ---- a call that ends before the function that starts it ---- */

static bool holds_sends;
static sem_t has_ended;   // the call, including its callback
static sem_t may_return;  // the send that started the call
static atomic_bool has_returned;

static void on_info(void *context, weir_status status, Weir__V1__GetServerInfoResponse *response,
                    const struct weir_error *err)
{
    (void)context;
    (void)err;
    ck_assert_int_eq(status, WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_null(response);
    (void)sem_post(&has_ended);
}

void __wrap_nng_ctx_send(nng_ctx ctx, nng_aio *aio)
{
    __real_nng_ctx_send(ctx, aio);
    if (holds_sends) {
        (void)sem_wait(&may_return);
        (void)poll(NULL, 0, 200);
        atomic_store(&has_returned, true);
    }
}

static void *start_call(void *client)
{
    const Weir__V1__GetServerInfoRequest request = WEIR__V1__GET_SERVER_INFO_REQUEST__INIT;
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    struct weir_error err;
    weir_error_init(&err);
    options.timeout_ms = 1;
    ck_assert_int_eq(
        weir_system_get_server_info_async(client, &request, &options, on_info, NULL, &err),
        WEIR_OK);
    return NULL;
}

START_TEST(a_call_is_not_freed_under_the_thread_that_starts_it)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    struct weir_client *client = NULL;
    struct weir_error err;
    pthread_t starter;
    weir_error_init(&err);
    options.url = "inproc://weir-closing-nobody";
    ck_assert_int_eq(sem_init(&has_ended, 0, 0), 0);
    ck_assert_int_eq(sem_init(&may_return, 0, 0), 0);
    atomic_store(&has_returned, false);
    ck_assert_int_eq(weir_client_open(&options, &client, &err), WEIR_OK);
    holds_sends = true;
    ck_assert_int_eq(pthread_create(&starter, NULL, start_call, client), 0);
    (void)sem_wait(&has_ended);
    (void)sem_post(&may_return);
    weir_client_close(client);
    ck_assert(atomic_load(&has_returned));
    holds_sends = false;
    ck_assert_int_eq(__real_pthread_join(starter, NULL), 0);
}
END_TEST

/* ---- replaced sockets ---- */

static size_t joined_n;
static bool has_blocked_signals;  // in the thread created last, from its start

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *arg)
{
    sigset_t mask;
    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
    has_blocked_signals = sigismember(&mask, SIGTERM) == 1;
    return __real_pthread_create(thread, attributes, run, arg);
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    joined_n++;
    return __real_pthread_join(thread, result);
}

/* Makes a connection for the current socket, exchanges a message and closes the other end. */
static void connect_once(struct links *links)
{
    nng_socket server;
    nng_ctx ctx;
    uint64_t number = 0;
    nng_aio *aio = NULL;
    nng_msg *msg = NULL;
    ck_assert_int_eq(nng_rep0_open(&server), 0);
    ck_assert_int_eq(nng_listen(server, links->url, NULL, 0), 0);
    ck_assert_int_eq(links_open_ctx(links, &ctx, &number), 0);
    ck_assert_int_eq(nng_aio_alloc(&aio, NULL, NULL), 0);
    ck_assert_int_eq(nng_msg_alloc(&msg, 1), 0);
    nng_aio_set_msg(aio, msg);
    nng_aio_set_timeout(aio, PATIENCE_MS);
    nng_ctx_send(ctx, aio);
    nng_aio_wait(aio);
    ck_assert_int_eq(nng_aio_result(aio), 0);
    nng_aio_free(aio);
    /* Received before anything is closed: ThreadSanitizer does not see nng's reference count of a
     * message. */
    ck_assert_int_eq(nng_recvmsg(server, &msg, 0), 0);
    nng_msg_free(msg);
    (void)nng_ctx_close(ctx);
    (void)nng_close(server);
}

/* Waits until the socket, which cannot connect, has been replaced. */
static void wait_for_replacement(struct links *links, uint64_t number)
{
    const int64_t until_us = weir_monotonic_us() + PATIENCE_MS * INT64_C(1000);
    atomic_store(&links->waiting_since_us, 0);
    while (atomic_load(&links->number) == number) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        if (links_has_waited(links)) {
            links_replace_lost(links, UINT64_MAX);
        }
        (void)poll(NULL, 0, 10);
    }
}

START_TEST(sockets_that_were_replaced_leave_nothing_behind)
{
    struct links links = {
        .url = "inproc://weir-closing-again", .connections = 1, .max_reply_bytes = 1000};
    struct weir_error err;
    weir_error_init(&err);
    joined_n = 0;
    ck_assert_int_eq(links_open(&links, &err), WEIR_OK);
    for (uint64_t number = 1; number <= 4; number++) {
        connect_once(&links);
        wait_for_replacement(&links, number);
    }
    /* The thread of the socket closed last has not been joined yet. */
    ck_assert_uint_ge(joined_n, 2);
    links_close(&links);
    ck_assert_uint_eq(joined_n, 5);
}
END_TEST

START_TEST(what_closes_a_socket_takes_no_signals)
{
    struct links links = {
        .url = "inproc://weir-closing-signals", .connections = 1, .max_reply_bytes = 1000};
    struct weir_error err;
    sigset_t mask;
    weir_error_init(&err);
    has_blocked_signals = false;
    ck_assert_int_eq(links_open(&links, &err), WEIR_OK);
    links_close(&links);
    ck_assert(has_blocked_signals);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
    ck_assert_int_eq(sigismember(&mask, SIGTERM), 0);
}
END_TEST

static void replace_lost(struct links *links, uint64_t oldest)
{
    const uint64_t number = atomic_load(&links->number);
    atomic_store(&links->waiting_since_us, weir_monotonic_us() - 60000000);
    links_replace_lost(links, oldest);
    ck_assert_uint_eq(atomic_load(&links->number), number + 1);
}

/* ---- connections of replaced sockets ---- */

enum { DAY_MS = 86400000 };
static size_t never_n[2];  // dialers whose minimum, maximum pause exceeds a day

int __wrap_nng_dialer_set_ms(nng_dialer dialer, const char *option, nng_duration ms)
{
    const size_t which = strcmp(option, NNG_OPT_RECONNMAXT) == 0;
    ck_assert(which == 1 || strcmp(option, NNG_OPT_RECONNMINT) == 0);
    const int rv = __real_nng_dialer_set_ms(dialer, option, ms);
    nng_duration is_ms = 0;
    ck_assert_int_eq(nng_dialer_get_ms(dialer, option, &is_ms), 0);
    never_n[which] += is_ms > DAY_MS;
    return rv;
}

START_TEST(a_socket_that_was_replaced_makes_no_more_connections)
{
    struct links links = {
        .url = "inproc://weir-closing-dialers", .connections = 3, .max_reply_bytes = 1000};
    struct weir_error err;
    weir_error_init(&err);
    memset(never_n, 0, sizeof never_n);
    ck_assert_int_eq(links_open(&links, &err), WEIR_OK);
    ck_assert_uint_eq(never_n[0] + never_n[1], 0);
    replace_lost(&links, UINT64_MAX);
    ck_assert_uint_eq(never_n[0], 3);
    ck_assert_uint_eq(never_n[1], 3);
    links_close(&links);
}
END_TEST

/* A call on the socket could time out at the moment it is closed. */
START_TEST(a_socket_is_not_closed_while_a_call_is_on_it)
{
    struct links links = {
        .url = "inproc://weir-closing-in-use", .connections = 1, .max_reply_bytes = 1000};
    struct weir_error err;
    nng_ctx ctx;
    uint64_t number = 0;
    nng_aio *aio = NULL;
    nng_msg *msg = NULL;
    weir_error_init(&err);
    ck_assert_int_eq(links_open(&links, &err), WEIR_OK);
    ck_assert_int_eq(links_open_ctx(&links, &ctx, &number), 0);
    ck_assert_int_eq(nng_aio_alloc(&aio, NULL, NULL), 0);
    ck_assert_int_eq(nng_msg_alloc(&msg, 1), 0);
    nng_aio_set_msg(aio, msg);
    nng_ctx_send(ctx, aio);
    replace_lost(&links, UINT64_MAX);  // not at once either
    replace_lost(&links, number);
    (void)poll(NULL, 0, 200);
    nng_aio_cancel(aio);
    nng_aio_wait(aio);
    ck_assert_int_eq(nng_aio_result(aio), NNG_ECANCELED);
    nng_ctx_send(ctx, aio);
    replace_lost(&links, number + 1);
    nng_aio_wait(aio);
    ck_assert_int_eq(nng_aio_result(aio), NNG_ECLOSED);
    nng_msg_free(nng_aio_get_msg(aio));
    nng_aio_free(aio);
    links_close(&links);
}
END_TEST

/* ---- contexts ---- */

static size_t closed_n;

int __wrap_nng_ctx_close(nng_ctx ctx)
{
    closed_n++;
    return __real_nng_ctx_close(ctx);
}

static void use_numbers_up(struct links *links)
{
    atomic_store(&links->numbers_left, 0);
    ck_assert(!links_take_number(links));
    links_replace_used_up(links, UINT64_MAX);
}

/* Another thread may be closing the socket at the same moment. */
START_TEST(a_context_is_not_closed_beside_its_socket)
{
    struct links links = {
        .url = "inproc://weir-closing-contexts", .connections = 1, .max_reply_bytes = 1000};
    struct weir_error err;
    nng_ctx contexts[3];
    weir_error_init(&err);
    ck_assert_int_eq(links_open(&links, &err), WEIR_OK);
    for (size_t i = 0; i < WEIR_COUNTOF(contexts); i++) {
        uint64_t number = 0;
        ck_assert_int_eq(links_open_ctx(&links, &contexts[i], &number), 0);
        ck_assert_uint_eq(number, i + 1);
        if (i + 1 < WEIR_COUNTOF(contexts)) {
            use_numbers_up(&links);
        }
    }
    closed_n = 0;
    links_close_ctx(&links, contexts[0], 1);
    ck_assert_uint_eq(closed_n, 0);
    links_close_ctx(&links, contexts[1], 2);
    links_close_ctx(&links, contexts[2], 3);
    ck_assert_uint_eq(closed_n, 2);
    links_close(&links);
}
END_TEST

/* ---- connections that have ended unnoticed ---- */

static atomic_uint asked_pipe;  // of which the peer was asked last
static atomic_uint asked_n;     // how often
static atomic_uint ended_pipe;  // which has no peer any more
static atomic_uint ended_n;     // how often that was told
static atomic_uint closed_pipe;
static atomic_uint told_n;  // ended_n when it was closed

/* The connection need not be one of TLS. */
int __wrap_nng_dialer_set_ptr(nng_dialer dialer, const char *option, void *value)
{
    return strcmp(option, NNG_OPT_TLS_CONFIG) == 0
               ? 0
               : __real_nng_dialer_set_ptr(dialer, option, value);
}

int __wrap_nng_pipe_get_addr(nng_pipe pipe, const char *option, nng_sockaddr *address)
{
    (void)option;
    (void)address;
    if (atomic_exchange(&asked_pipe, pipe.id) != pipe.id) {
        atomic_store(&asked_n, 0);
    }
    atomic_fetch_add(&asked_n, 1);
    if (atomic_load(&ended_pipe) != pipe.id) {
        return 0;
    }
    atomic_fetch_add(&ended_n, 1);
    return NNG_ECLOSED;
}

int __wrap_nng_pipe_close(nng_pipe pipe)
{
    atomic_store(&told_n, atomic_load(&ended_n));
    atomic_store(&closed_pipe, pipe.id);
    return __real_nng_pipe_close(pipe);
}

/* The looks come a hundred times as often. */
void __wrap_nng_sleep_aio(nng_duration ms, nng_aio *aio)
{
    __real_nng_sleep_aio(ms / 100, aio);
}

/* Waits until a connection is looked at that has not ended. It is asked twice when it is made. */
static unsigned await_look(void)
{
    const int64_t until_us = weir_monotonic_us() + PATIENCE_MS * INT64_C(1000);
    while (atomic_load(&asked_pipe) == atomic_load(&ended_pipe) || atomic_load(&asked_n) < 3) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        (void)poll(NULL, 0, 1);
    }
    return atomic_load(&asked_pipe);
}

static void await_closed(unsigned pipe)
{
    const int64_t until_us = weir_monotonic_us() + PATIENCE_MS * INT64_C(1000);
    while (atomic_load(&closed_pipe) != pipe) {
        ck_assert_int_lt(weir_monotonic_us(), until_us);
        (void)poll(NULL, 0, 1);
    }
}

/* At the second look, by which nng has taken what was received before the end; so is the connection
 * that takes its place. */
START_TEST(a_connection_of_tls_that_has_ended_unnoticed_is_closed)
{
    static int tls;
    struct links links = {.url = "inproc://weir-closing-tls",
                          .tls = (nng_tls_config *)&tls,
                          .connections = 1,
                          .max_reply_bytes = 1000};
    struct weir_error err;
    nng_socket server;
    weir_error_init(&err);
    ck_assert_int_eq(nng_rep0_open(&server), 0);
    ck_assert_int_eq(nng_listen(server, links.url, NULL, 0), 0);
    ck_assert_int_eq(links_open(&links, &err), WEIR_OK);
    for (size_t i = 0; i < 3; i++) {
        const unsigned pipe = await_look();
        atomic_store(&ended_n, 0);
        atomic_store(&ended_pipe, pipe);
        await_closed(pipe);
        ck_assert_uint_eq(atomic_load(&told_n), 2);
    }
    links_close(&links);
    (void)nng_close(server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("closing");
    TCase *closing = tcase_create("closing");
    tcase_set_timeout(closing, 60);
    tcase_add_test(closing, a_call_is_not_freed_under_the_thread_that_starts_it);
    tcase_add_test(closing, sockets_that_were_replaced_leave_nothing_behind);
    tcase_add_test(closing, what_closes_a_socket_takes_no_signals);
    tcase_add_test(closing, a_socket_that_was_replaced_makes_no_more_connections);
    tcase_add_test(closing, a_socket_is_not_closed_while_a_call_is_on_it);
    tcase_add_test(closing, a_context_is_not_closed_beside_its_socket);
    tcase_add_test(closing, a_connection_of_tls_that_has_ended_unnoticed_is_closed);
    suite_add_tcase(suite, closing);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
