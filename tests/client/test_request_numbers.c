/* nng numbers the requests of a socket starting from a random number, and numbers them incorrectly
 * after the last one (client/lib/link.h). This test controls the random number. */
#define _GNU_SOURCE
#include "client/lib/client.h"
#include "tests/client/scripted.h"
#include "tests/lib/check_main.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALLS = 1000, FEW = 100, FIRST_NUMBERS = 1 << 30, PATIENCE_MS = 2000 };

/* The number of requests that the next socket can number correctly. */
static atomic_uint numbers_left = FIRST_NUMBERS;

/* Replaces getrandom: only nng requests this many bytes. nng takes the number modulo 2^31. */
ssize_t getrandom(void *to, size_t n, unsigned flags)
{
    if (n != sizeof(uint32_t)) {
        return (ssize_t)syscall(SYS_getrandom, to, n, flags);
    }
    const uint32_t number = (UINT32_C(1) << 31) - atomic_load(&numbers_left);
    memcpy(to, &number, n);
    return (ssize_t)n;
}

static void set_up(void)
{
    scripted_setup();
    scripted.server = fake_server_start(&answer_version, 1);
}

static void tear_down(void)
{
    scripted_teardown();
    atomic_store(&numbers_left, FIRST_NUMBERS);
}

static void open_client_with(unsigned numbers)
{
    atomic_store(&numbers_left, numbers);
    scripted_open_client(fake_server_url(scripted.server), PATIENCE_MS);
    atomic_store(&numbers_left, FIRST_NUMBERS);
}

static uint64_t count_sockets(void)
{
    return atomic_load(&scripted.client->links.number);
}

static void call_one_by_one(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t version = 0;
        ck_assert_msg(scripted_get_version(NULL, &version) == WEIR_OK, "call %zu: %s", i,
                      scripted.err.text);
    }
}

START_TEST(a_socket_near_its_last_number_is_not_used)
{
    open_client_with(FEW);
    call_one_by_one(3 * FEW);
    ck_assert_uint_eq(count_sockets(), 2);
}
END_TEST

START_TEST(a_socket_is_replaced_before_its_last_number)
{
    open_client_with(LINKS_SPARE_NUMBERS + FEW);
    call_one_by_one(FEW / 2);
    ck_assert_uint_eq(count_sockets(), 1);
    call_one_by_one(FEW);
    ck_assert_uint_eq(count_sockets(), 2);
}
END_TEST

/* Replaces sockets repeatedly: the socket before the previous one is closed once it is unused. */
START_TEST(sockets_are_replaced_for_ever)
{
    open_client_with(LINKS_SPARE_NUMBERS + FEW);
    atomic_store(&numbers_left, LINKS_SPARE_NUMBERS + FEW);
    call_one_by_one(5 * FEW);
    ck_assert_uint_ge(count_sockets(), 5);
}
END_TEST

static atomic_size_t good;
static atomic_size_t ended;

enum { THREADS = 4, CALLS_EACH = 2 * FEW };

static void *call_from_a_thread(void *context)
{
    char stream[] = "account-1";
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = stream;
    (void)context;
    for (size_t i = 0; i < CALLS_EACH; i++) {
        Weir__V1__GetStreamVersionResponse *response = NULL;
        struct weir_error err;
        weir_error_init(&err);
        const weir_status status =
            weir_message_store_get_stream_version(scripted.client, &request, NULL, &response, &err);
        atomic_fetch_add(&good, status == WEIR_OK);
        weir_response_free(response);
    }
    return NULL;
}

START_TEST(threads_that_call_together_replace_sockets_under_each_other)
{
    pthread_t threads[THREADS];
    atomic_store(&good, 0);
    open_client_with(LINKS_SPARE_NUMBERS + FEW);
    atomic_store(&numbers_left, LINKS_SPARE_NUMBERS + FEW);
    for (size_t t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, call_from_a_thread, NULL), 0);
    }
    for (size_t t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
    }
    ck_assert_uint_eq(atomic_load(&good), (size_t)THREADS * CALLS_EACH);
    ck_assert_uint_ge(count_sockets(), 5);
}
END_TEST

static void count(void *context, weir_status status, Weir__V1__GetStreamVersionResponse *response,
                  const struct weir_error *error)
{
    (void)context;
    (void)error;
    atomic_fetch_add(&good, status == WEIR_OK);
    weir_response_free(response);
    atomic_fetch_add(&ended, 1);
}

/* Each request is sent once; requests on the replaced socket are not moved. */
START_TEST(what_is_in_flight_meanwhile_is_answered)
{
    char stream[] = "account-1";
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = stream;
    atomic_store(&good, 0);
    atomic_store(&ended, 0);
    open_client_with(LINKS_SPARE_NUMBERS + CALLS / 2);
    for (size_t i = 0; i < CALLS; i++) {
        ck_assert_int_eq(weir_message_store_get_stream_version_async(
                             scripted.client, &request, NULL, count, NULL, &scripted.err),
                         WEIR_OK);
    }
    while (atomic_load(&ended) < CALLS) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(atomic_load(&good), CALLS);
    ck_assert_uint_eq(fake_server_requests(scripted.server), CALLS);
    ck_assert_uint_eq(count_sockets(), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("request numbers");
    TCase *tcase = tcase_create("request numbers");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_socket_near_its_last_number_is_not_used);
    tcase_add_test(tcase, a_socket_is_replaced_before_its_last_number);
    tcase_add_test(tcase, sockets_are_replaced_for_ever);
    tcase_add_test(tcase, threads_that_call_together_replace_sockets_under_each_other);
    tcase_add_test(tcase, what_is_in_flight_meanwhile_is_answered);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
