/* A host's name with an address of each family: the server has the second one, or both. */
#include "tests/client/scripted.h"

#include "tests/lib/check_main.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <nng/nng.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char host_name[] = "both.families.test";
static const char served_name[] = "served.families.test";  // the server has both

static struct addrinfo *loopback(int family, const char *service, struct addrinfo *next)
{
    struct {
        struct addrinfo info;
        struct sockaddr_storage address;
    } *one = calloc(1, sizeof *one);  // as the C library's freeaddrinfo() frees it
    ck_assert_ptr_nonnull(one);
    const in_port_t port = htons((uint16_t)(service == NULL ? 0 : strtoul(service, NULL, 10)));
    if (family == AF_INET) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        memcpy(&one->address, &v4, sizeof v4);
        one->info.ai_addrlen = sizeof v4;
    } else {
        const struct sockaddr_in6 v6 = {
            .sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        memcpy(&one->address, &v6, sizeof v6);
        one->info.ai_addrlen = sizeof v6;
    }
    one->info.ai_family = family;
    one->info.ai_socktype = SOCK_STREAM;
    one->info.ai_addr = (struct sockaddr *)&one->address;
    one->info.ai_next = next;
    return &one->info;
}

/* Replaces the C library's function, through which nng finds all hosts. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    const bool is_named = node != NULL && strcmp(node, host_name) == 0;
    *result = NULL;
    if (node != NULL && strcmp(node, served_name) == 0) {
        /* Any address will do for an IPv6 address that answers. */
        *result = loopback(AF_INET, service, NULL);
        return 0;
    }
    if (hints->ai_family != AF_INET6) {
        *result = loopback(AF_INET, service, NULL);
    }
    if (is_named && hints->ai_family != AF_INET) {
        *result = loopback(AF_INET6, service, *result);
    }
    return *result == NULL ? EAI_NONAME : 0;
}

/* ---- which dialers connect again ---- */

enum { DIALERS_MAX = 64, CONNECTIONS = 2, AGAIN_MS_MAX = 1000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char scheme[8];
    bool rests;
} dialers[DIALERS_MAX];  // by their number
static size_t connected_n;
static nng_pipe_cb library_callback;

int __real_nng_dialer_create(nng_dialer *dialer, nng_socket socket, const char *url);
int __wrap_nng_dialer_create(nng_dialer *dialer, nng_socket socket, const char *url);
int __real_nng_dialer_set_ms(nng_dialer dialer, const char *option, nng_duration ms);
int __wrap_nng_dialer_set_ms(nng_dialer dialer, const char *option, nng_duration ms);
int __real_nng_pipe_notify(nng_socket socket, nng_pipe_ev event, nng_pipe_cb callback, void *arg);
int __wrap_nng_pipe_notify(nng_socket socket, nng_pipe_ev event, nng_pipe_cb callback, void *arg);

int __wrap_nng_dialer_create(nng_dialer *dialer, nng_socket socket, const char *url)
{
    const int rv = __real_nng_dialer_create(dialer, socket, url);
    (void)pthread_mutex_lock(&mutex);
    if (rv == 0 && dialer->id < DIALERS_MAX) {
        (void)snprintf(dialers[dialer->id].scheme, sizeof dialers[0].scheme, "%.4s", url);
    }
    (void)pthread_mutex_unlock(&mutex);
    return rv;
}

int __wrap_nng_dialer_set_ms(nng_dialer dialer, const char *option, nng_duration ms)
{
    (void)pthread_mutex_lock(&mutex);
    if (dialer.id < DIALERS_MAX) {
        dialers[dialer.id].rests |= ms > AGAIN_MS_MAX;
    }
    (void)pthread_mutex_unlock(&mutex);
    return __real_nng_dialer_set_ms(dialer, option, ms);
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)pthread_mutex_lock(&mutex);
    const nng_pipe_cb callback = library_callback;
    (void)pthread_mutex_unlock(&mutex);
    callback(pipe, event, arg);
    (void)pthread_mutex_lock(&mutex);
    connected_n++;
    (void)pthread_mutex_unlock(&mutex);
}

int __wrap_nng_pipe_notify(nng_socket socket, nng_pipe_ev event, nng_pipe_cb callback, void *arg)
{
    if (event != NNG_PIPE_EV_ADD_POST) {
        return __real_nng_pipe_notify(socket, event, callback, arg);
    }
    (void)pthread_mutex_lock(&mutex);
    library_callback = callback;
    (void)pthread_mutex_unlock(&mutex);
    return __real_nng_pipe_notify(socket, event, on_pipe, arg);
}

static void await_connections(size_t n)
{
    size_t found = 0;
    while (found < n) {
        (void)sched_yield();
        (void)pthread_mutex_lock(&mutex);
        found = connected_n;
        (void)pthread_mutex_unlock(&mutex);
    }
}

static size_t count(const char *scheme, bool rests)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&mutex);
    for (size_t d = 0; d < DIALERS_MAX; d++) {
        n += strcmp(dialers[d].scheme, scheme) == 0 && dialers[d].rests == rests;
    }
    (void)pthread_mutex_unlock(&mutex);
    return n;
}

static void open_url(const char *url)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    (void)pthread_mutex_lock(&mutex);
    memset(dialers, 0, sizeof dialers);
    connected_n = 0;
    (void)pthread_mutex_unlock(&mutex);
    options.url = url;
    options.connections = CONNECTIONS;
    options.timeout_ms = 20000;
    ck_assert_int_eq(weir_client_open(&options, &scripted.client, &scripted.err), WEIR_OK);
}

static void open_client(const char *host)
{
    char url[64];
    scripted.server = fake_server_start(&answer_version, 1);
    (void)snprintf(url, sizeof url, "tcp://%s%s", host,
                   strrchr(fake_server_url(scripted.server), ':'));
    open_url(url);
}

START_TEST(the_family_that_the_server_has_is_found)
{
    int64_t version = 0;
    open_client(host_name);
    ck_assert_msg(scripted_get_version(NULL, &version) == WEIR_OK, "%s", scripted.err.text);
    ck_assert_int_eq(version, 41);
    while (count("tcp6", true) < CONNECTIONS) {
        (void)sched_yield();
    }
    ck_assert_uint_eq(count("tcp4", false), CONNECTIONS);
    ck_assert_uint_eq(count("tcp4", true), 0);
}
END_TEST

/* The dialers of the other family rest, although they have connected as well. */
START_TEST(the_family_that_connects_first_goes_on)
{
    open_client(served_name);
    ck_assert_msg(scripted_get_version(NULL, NULL) == WEIR_OK, "%s", scripted.err.text);
    await_connections(2 * CONNECTIONS);
    ck_assert_uint_eq(count("tcp4", true) + count("tcp6", true), CONNECTIONS);
    ck_assert_uint_eq(count("tcp4", false) + count("tcp6", false), CONNECTIONS);
}
END_TEST

START_TEST(an_address_is_dialled_alone)
{
    int64_t version = 0;
    open_client("127.0.0.1");
    ck_assert_msg(scripted_get_version(NULL, &version) == WEIR_OK, "%s", scripted.err.text);
    await_connections(CONNECTIONS);
    ck_assert_uint_eq(count("tcp:", false), CONNECTIONS);
}
END_TEST

/* nng has one scheme for both families. */
START_TEST(websocket_is_dialled_alone)
{
    open_url("ws://both.families.test:7117/weir");
    ck_assert_uint_eq(count("ws:/", false), CONNECTIONS);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("host_name");
    TCase *tcase = tcase_create("families");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, scripted_setup, scripted_teardown);
    tcase_add_test(tcase, the_family_that_the_server_has_is_found);
    tcase_add_test(tcase, the_family_that_connects_first_goes_on);
    tcase_add_test(tcase, an_address_is_dialled_alone);
    tcase_add_test(tcase, websocket_is_dialled_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
