/* The server's statistics over RPC and over HTTP; clients cannot block the HTTP listener. */
#include "tests/rpc/rpc_fixture.h"

#include "server/operation/http.h"
#include "tests/lib/check_main.h"
#include "weir/base/monotonic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_BYTES = 65536 };

static struct rpc_reply reply;
static char text[TEXT_BYTES];

static void set_up(void)
{
    static const char *const arguments[] = {"--http", "http://127.0.0.1:0", NULL};
    rpc_start(arguments);
}

/* ---- a client ---- */

static void connect_http(int fd)
{
    const char *url = weir_http_url(rpc.server->http);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1)),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
}

static int dial_http(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    connect_http(fd);
    return fd;
}

/* Reads until the server closes the connection, at most 20 s. */
static void read_all(int fd)
{
    size_t n = 0;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    while (poll(&poll_fd, 1, RPC_TIMEOUT_MS) == 1) {
        const ssize_t got = recv(fd, text + n, sizeof text - 1 - n, 0);
        if (got <= 0) {
            text[n] = '\0';
            (void)close(fd);
            return;
        }
        n += (size_t)got;
    }
    ck_abort_msg("the connection is held open");
}

static void ask(const char *request)
{
    const int fd = dial_http();
    ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    read_all(fd);
}

static void assert_status(const char *status)
{
    ck_assert_msg(strncmp(text, status, strlen(status)) == 0, "it says: %.60s", text);
}

static double value_of(const char *sample)
{
    const char *at = text;
    while ((at = strstr(at, sample)) != NULL && (at == text || at[-1] != '\n')) {
        at++;
    }
    ck_assert_msg(at != NULL, "there is no %s", sample);
    return strtod(at + strlen(sample), NULL);
}

/* Waits for `n` groups: a group is counted once all its replies have left. */
static void wait_for_groups(uint64_t n)
{
    struct weir_histogram_view view;
    do {
        (void)poll(NULL, 0, 1);
        weir_histogram_read(&rpc.server->metrics.group_writes, &weir_scale_sizes, &view);
    } while (view.cumulative[weir_scale_sizes.n] < n);
}

/* ---- HTTP ---- */

START_TEST(metrics_count_what_happens)
{
    rpc_write("a-1", 10);
    rpc_write("a-1", 10);
    const struct rpc_request bad = {.method = "weir.v1.MessageStore/WriteMessages",
                                    .token = DEFAULT_TOKEN};
    rpc_call(&bad, &reply);
    rpc_free(&reply);
    const struct rpc_request unknown = {.method = "x"};
    rpc_call(&unknown, &reply);
    rpc_free(&reply);
    wait_for_groups(2);
    ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_status("HTTP/1.1 200 OK");
    ck_assert_ptr_nonnull(strstr(text, "Content-Type: text/plain; version=0.0.4"));
    ck_assert_double_eq(
        value_of("weir_requests_total{method=\"MessageStore/WriteMessages\",code=\"OK\"}"), 2);
    ck_assert_double_eq(
        value_of(
            "weir_requests_total{method=\"MessageStore/WriteMessages\",code=\"INVALID_REQUEST\"}"),
        1);
    ck_assert_double_eq(
        value_of("weir_requests_total{method=\"unknown\",code=\"METHOD_NOT_FOUND\"}"), 1);
    ck_assert_double_eq(
        value_of("weir_request_duration_seconds_count{method=\"MessageStore/WriteMessages\"}"), 3);
    ck_assert_double_eq(value_of("weir_messages_written_total"), 2);
    ck_assert_double_eq(value_of("weir_commit_group_writes_count"), 2);
    ck_assert_double_eq(value_of("weir_namespaces_open"), 1);
    ck_assert_double_eq(value_of("weir_connections"), 1);
    ck_assert_double_gt(value_of("process_resident_memory_bytes"), 0);
    ck_assert_ptr_nonnull(strstr(text, "weir_build_info{version=\""));
}
END_TEST

START_TEST(metrics_count_the_messages_that_are_read)
{
    Weir__V1__GetStreamMessagesRequest in = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "a-1";
    const struct rpc_request read = {.method = "weir.v1.MessageStore/GetStreamMessages",
                                     .token = DEFAULT_TOKEN,
                                     .message = &in.base};
    rpc_write("a-1", 10);
    rpc_write("a-1", 10);
    for (size_t i = 0; i < 2; i++) {
        rpc_call(&read, &reply);
        rpc_assert_status(&reply, WEIR_OK);
        rpc_free(&reply);
    }
    ask("GET /metrics HTTP/1.1\r\n\r\n");
    ck_assert_double_eq(value_of("weir_messages_read_total"), 4);
    Weir__V1__GetLastStreamMessageRequest last = WEIR__V1__GET_LAST_STREAM_MESSAGE_REQUEST__INIT;
    static const char *const streams[] = {"a-1", "missing-1"};
    for (size_t i = 0; i < WEIR_COUNTOF(streams); i++) {
        last.stream_name = (char *)(uintptr_t)streams[i];
        const struct rpc_request read_last = {.method = "weir.v1.MessageStore/GetLastStreamMessage",
                                              .token = DEFAULT_TOKEN,
                                              .message = &last.base};
        rpc_call(&read_last, &reply);
        rpc_assert_status(&reply, WEIR_OK);
        rpc_free(&reply);
    }
    ask("GET /metrics HTTP/1.1\r\n\r\n");
    ck_assert_double_eq(value_of("weir_messages_read_total"), 5);
}
END_TEST

START_TEST(metrics_count_a_message_sent_again_once)
{
    struct rpc_one_write write;
    rpc_one_write_init(&write, "a-1");
    write.message.id = (char *)(uintptr_t) "11111111-1111-4111-8111-111111111111";
    const struct rpc_request request = {.method = "weir.v1.MessageStore/WriteMessages",
                                        .token = DEFAULT_TOKEN,
                                        .message = &write.in.base};
    for (size_t i = 0; i < 2; i++) {
        rpc_call(&request, &reply);
        rpc_assert_status(&reply, WEIR_OK);
        rpc_free(&reply);
    }
    ask("GET /metrics HTTP/1.1\r\n\r\n");
    ck_assert_double_eq(value_of("weir_messages_written_total"), 1);
}
END_TEST

/* Each metric has one HELP and one TYPE line before its samples. */
START_TEST(metrics_are_well_formed)
{
    rpc_write("a-1", 10);
    ask("GET /metrics HTTP/1.1\r\n\r\n");
    const char *line = strstr(text, "\r\n\r\n") + 4;
    char family[128] = "";
    char seen[TEXT_BYTES] = "";
    while (*line != '\0') {
        char type[128] = "";
        if (sscanf(line, "# TYPE %127s", type) == 1) {
            ck_assert_msg(strstr(seen, type) == NULL, "%s comes twice", type);
            (void)snprintf(family, sizeof family, "%s", type);
            strcat(seen, type);
            strcat(seen, " ");
        } else if (*line != '#') {
            ck_assert_int_eq(strncmp(line, family, strlen(family)), 0);
        }
        line += strcspn(line, "\n") + 1;
    }
}
END_TEST

START_TEST(health_is_told)
{
    ask("GET /healthz HTTP/1.0\r\n\r\n");
    assert_status("HTTP/1.1 200 OK");
    ck_assert_ptr_nonnull(strstr(text, "\r\n\r\nSERVING"));
}
END_TEST

static const struct {
    const char *request;
    const char *status;
} requests[] = {
    {"GET /nothing HTTP/1.1\r\n\r\n", "HTTP/1.1 404"},
    {"GET / HTTP/1.1\n\n", "HTTP/1.1 404"},
    {"GET /healthz?verbose HTTP/1.1\r\n\r\n", "HTTP/1.1 200"},
    {"GET http://weir.example:9117/healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200"},
    {"HEAD HTTP://[::1]/metrics?x=http://a/ HTTP/1.1\r\n\r\n", "HTTP/1.1 200"},
    {"GET http://healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 404"},
    {"GET http://weir.example/ HTTP/1.1\r\n\r\n", "HTTP/1.1 404"},
    {"GET http:///healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 404"},
    {"GET http://?/healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 404"},
    {"HEAD /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200"},
    {"POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405"},
    {"GET /metrics\r\n\r\n", "HTTP/1.1 400"},
    {"GET /metrics HTTP/2\r\n\r\n", "HTTP/1.1 400"},
    {"nonsense\r\n\r\n", "HTTP/1.1 400"},
    {"\r\n\r\n", "HTTP/1.1 400"},
};

START_TEST(a_request_gets_its_status)
{
    ask(requests[_i].request);
    assert_status(requests[_i].status);
}
END_TEST

START_TEST(a_head_without_end_is_refused)
{
    static char request[8192];
    memset(request, 'x', sizeof request - 1);
    const int fd = dial_http();
    (void)send(fd, request, 5000, MSG_NOSIGNAL);
    read_all(fd);
    assert_status("HTTP/1.1 431");
}
END_TEST

/* There are more idle connections than slots; a new request is still served at once. */
START_TEST(idle_connections_hold_up_nobody)
{
    enum { IDLE = 64 };
    int idle[IDLE];
    for (size_t i = 0; i < IDLE; i++) {
        idle[i] = dial_http();
        (void)send(idle[i], "GET", 3, MSG_NOSIGNAL);
    }
    const int64_t before_us = weir_monotonic_us();
    ask("GET /healthz HTTP/1.1\r\n\r\n");
    assert_status("HTTP/1.1 200");
    ck_assert_int_lt(weir_monotonic_us() - before_us, 2 * 1000 * 1000);
    for (size_t i = 0; i < IDLE; i++) {
        (void)close(idle[i]);
    }
}
END_TEST

/* Connections that cannot be accepted stay in the listener's queue; the thread must not spin on
 * them. */
START_TEST(without_descriptors_the_thread_rests)
{
    enum { FILLED = 512 };
    static int filler[FILLED];
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = {.rlim_cur = before.rlim_cur < FILLED ? before.rlim_cur : FILLED,
                               .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    size_t n = 0;
    while (n < FILLED && (filler[n] = dup(fd)) >= 0) {
        n++;
    }
    ck_assert_int_eq(errno, EMFILE);
    connect_http(fd);
    const clock_t from = clock();
    (void)poll(NULL, 0, 500);
    ck_assert_int_lt(clock() - from, CLOCKS_PER_SEC / 10);
    while (n > 0) {
        (void)close(filler[--n]);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    static const char request[] = "GET /healthz HTTP/1.1\r\n\r\n";
    ck_assert_int_eq(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    read_all(fd);
    assert_status("HTTP/1.1 200");
}
END_TEST

START_TEST(a_silent_connection_is_ended)
{
    const int fd = dial_http();
    read_all(fd);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(a_url_for_http_is_checked)
{
    static const char *const wrong[] = {"tcp://h:1",       "http://h",  "http://:1", "http://h:x",
                                        "http://h:1/path", "http://h:", ""};
    struct weir_error err;
    for (size_t i = 0; i < WEIR_COUNTOF(wrong); i++) {
        weir_error_init(&err);
        ck_assert_msg(weir_http_check(wrong[i], &err) == WEIR_INVALID_REQUEST, "%s", wrong[i]);
    }
    ck_assert_int_eq(weir_http_check("http://[::1]:80", &err), WEIR_OK);
}
END_TEST

/* ---- RPC ---- */

START_TEST(stats_are_the_same_numbers)
{
    rpc_write("a-1", 10);
    wait_for_groups(1);
    const struct rpc_request request = {.method = "weir.v1.System/GetStats", .token = ADMIN_TOKEN};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_OK);
    Weir__V1__GetStatsResponse *out =
        weir__v1__get_stats_response__unpack(NULL, reply.payload.n, reply.payload.p);
    ck_assert_ptr_nonnull(out);
    size_t found = 0;
    for (size_t i = 0; i < out->n_metrics; i++) {
        const Weir__V1__Metric *m = out->metrics[i];
        if (strcmp(m->name, "weir_messages_written_total") == 0) {
            ck_assert(m->has_value && m->histogram == NULL);
            ck_assert_double_eq(m->value, 1);
            found++;
        } else if (strcmp(m->name, "weir_commit_group_writes") == 0) {
            const Weir__V1__Histogram *h = m->histogram;
            ck_assert(h != NULL && !m->has_value);
            ck_assert_uint_eq(h->n_cumulative_counts, h->n_bounds + 1);
            ck_assert_uint_eq(h->count, 1);
            ck_assert_uint_eq(h->cumulative_counts[h->n_bounds], 1);
            found++;
        } else if (strcmp(m->name, "weir_build_info") == 0) {
            ck_assert_uint_eq(m->n_labels, 2);
            ck_assert_str_eq(m->labels[1]->key, "backend");
            ck_assert_str_eq(m->labels[1]->value, "sqlite");
            found++;
        }
    }
    ck_assert_uint_eq(found, 3);
    weir__v1__get_stats_response__free_unpacked(out, NULL);
    rpc_free(&reply);
}
END_TEST

START_TEST(stats_are_for_admins)
{
    const struct rpc_request request = {.method = "weir.v1.System/GetStats",
                                        .token = DEFAULT_TOKEN};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_AUTH_UNAUTHORIZED);
    rpc_free(&reply);
}
END_TEST

static Suite *stats_suite(void)
{
    Suite *suite = suite_create("stats");
    TCase *tcase = tcase_create("stats");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, rpc_stop);
    tcase_add_test(tcase, metrics_count_what_happens);
    tcase_add_test(tcase, metrics_count_the_messages_that_are_read);
    tcase_add_test(tcase, metrics_count_a_message_sent_again_once);
    tcase_add_test(tcase, metrics_are_well_formed);
    tcase_add_test(tcase, health_is_told);
    tcase_add_loop_test(tcase, a_request_gets_its_status, 0, (int)WEIR_COUNTOF(requests));
    tcase_add_test(tcase, a_head_without_end_is_refused);
    tcase_add_test(tcase, idle_connections_hold_up_nobody);
    tcase_add_test(tcase, without_descriptors_the_thread_rests);
    tcase_add_test(tcase, a_silent_connection_is_ended);
    tcase_add_test(tcase, a_url_for_http_is_checked);
    tcase_add_test(tcase, stats_are_the_same_numbers);
    tcase_add_test(tcase, stats_are_for_admins);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(stats_suite());
}
