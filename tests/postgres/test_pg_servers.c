/* Two real servers on one PostgreSQL and many writers of one stream, while connections are
 * terminated, a server is stopped, and a primary dies. Every acknowledged message exists once, at
 * the reported position, and the stream has no gap. */
#include "client/weir.h"
#include "tests/lib/check_main.h"
#include "tests/lib/open_client.h"
#include "tests/lib/server_process.h"

#include <check.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SERVERS = 2,
    WRITERS = 32,
    WRITES_PER_KILL = 100,
    STOPS = 4,
    CALL_MS = 60000,
    STANDARD_WRITES = 3200  // of all writers together; WEIR_TEST_WRITES overrides it
};

static struct server_process servers[SERVERS];
static struct weir_client *clients[SERVERS];
static char token[256];
static int writes;  // per writer
static atomic_int acknowledged;
static atomic_int acknowledged_by_first;  // through the first server

/* ---- servers ---- */

static void make_namespace(void)
{
    struct weir_client *admin = open_client(servers[0].urls[0], SERVER_ADMIN_TOKEN);
    char id[48];
    (void)snprintf(id, sizeof id, "servers-%lld", (long long)weir_now_us());
    Weir__V1__CreateNamespaceRequest request = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = id;
    Weir__V1__CreateNamespaceResponse *response = NULL;
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_msg(weir_namespaces_create_namespace(admin, &request, NULL, &response, &err) ==
                      WEIR_OK,
                  "%s", err.text);
    (void)snprintf(token, sizeof token, "%s", response->token);
    weir_response_free(response);
    weir_client_close(admin);
}

static void begin(void)
{
    const char *given = getenv("WEIR_TEST_WRITES");
    writes = (given == NULL ? STANDARD_WRITES : atoi(given)) / WRITERS;
    atomic_store(&acknowledged, 0);
    atomic_store(&acknowledged_by_first, 0);
    for (size_t s = 0; s < SERVERS; s++) {
        server_directory(&servers[s]);
        server_start(&servers[s]);
    }
    make_namespace();
    for (size_t s = 0; s < SERVERS; s++) {
        clients[s] = open_client(servers[s].urls[0], token);
    }
}

static void end(void)
{
    for (size_t s = 0; s < SERVERS; s++) {
        weir_client_close(clients[s]);
        ck_assert_int_eq(server_stop(&servers[s]), 0);
        server_remove(&servers[s]);
    }
}

/* ---- writers ---- */

struct writer {
    pthread_t thread;
    int number;
    int64_t *positions;  // of the acknowledged messages
    weir_status failed;
    char text[WEIR_ERROR_TEXT_BYTES];
};

static weir_status write_one(const struct writer *writer, int k, int64_t *position,
                             struct weir_error *err)
{
    char data[48];
    (void)snprintf(data, sizeof data, "{\"w\":%d,\"k\":%d}", writer->number, k);
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    message.type = "Written";
    message.has_data = true;
    message.data.data = (uint8_t *)data;
    message.data.len = strlen(data);
    Weir__V1__NewMessage *messages[] = {&message};
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    request.stream_name = "shared-1";
    request.messages = messages;
    request.n_messages = 1;
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.timeout_ms = CALL_MS;
    Weir__V1__WriteMessagesResponse *response = NULL;
    const weir_status st = weir_message_store_write_messages(clients[writer->number % SERVERS],
                                                             &request, &options, &response, err);
    if (st == WEIR_OK) {
        *position = response->written[0]->position;
        weir_response_free(response);
    }
    return st;
}

static void *write_all(void *context)
{
    struct writer *writer = context;
    for (int k = 0; k < writes && writer->failed == WEIR_OK; k++) {
        struct weir_error err;
        weir_error_init(&err);
        writer->failed = write_one(writer, k, &writer->positions[k], &err);
        memcpy(writer->text, err.text, sizeof writer->text);
        atomic_fetch_add(&acknowledged, 1);
        atomic_fetch_add(&acknowledged_by_first, writer->number % SERVERS == 0);
    }
    return NULL;
}

static void start_writers(struct writer *writers)
{
    for (int w = 0; w < WRITERS; w++) {
        writers[w] = (struct writer){.number = w};
        writers[w].positions = calloc((size_t)writes, sizeof *writers[w].positions);
        ck_assert_ptr_nonnull(writers[w].positions);
        ck_assert_int_eq(pthread_create(&writers[w].thread, NULL, write_all, &writers[w]), 0);
    }
}

static void join_writers(struct writer *writers)
{
    for (int w = 0; w < WRITERS; w++) {
        (void)pthread_join(writers[w].thread, NULL);
        ck_assert_msg(writers[w].failed == WEIR_OK, "%s: %s", weir_status_name(writers[w].failed),
                      writers[w].text);
    }
}

/* Waits until this percentage of the writes has been acknowledged, so that the following step
 * happens under load. */
static void wait_for(int percent)
{
    while (atomic_load(&acknowledged) < writes * WRITERS / 100 * percent) {
        (void)sched_yield();
    }
}

/* ---- stored messages ---- */

/* Reads the stream through one server and records which writer wrote each position. */
static int read_stream(struct weir_client *client, int (*stored)[2], int room)
{
    int n = 0;
    for (bool is_more = true; is_more;) {
        Weir__V1__GetStreamMessagesRequest query = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
        query.stream_name = "shared-1";
        query.has_position = true;
        query.position = n;
        Weir__V1__GetStreamMessagesResponse *reply = NULL;
        struct weir_error err;
        weir_error_init(&err);
        ck_assert_msg(weir_message_store_get_stream_messages(client, &query, NULL, &reply, &err) ==
                          WEIR_OK,
                      "%s", err.text);
        for (size_t i = 0; i < reply->n_messages; i++, n++) {
            ck_assert_int_lt(n, room);
            ck_assert_int_eq(reply->messages[i]->position, n);
            char data[48];
            (void)snprintf(data, sizeof data, "%.*s", (int)reply->messages[i]->data.len,
                           (const char *)reply->messages[i]->data.data);
            ck_assert_int_eq(sscanf(data, "{\"w\":%d,\"k\":%d}", &stored[n][0], &stored[n][1]), 2);
        }
        is_more = reply->n_messages > 0;
        weir_response_free(reply);
    }
    return n;
}

static void assert_all_is_well(struct writer *writers)
{
    const int all = writes * WRITERS;
    int(*stored)[2] = calloc((size_t)all + 1, sizeof *stored);
    for (size_t s = 0; s < SERVERS; s++) {
        ck_assert_int_eq(read_stream(clients[s], stored, all + 1), all);
    }
    for (int w = 0; w < WRITERS; w++) {
        for (int k = 0; k < writes; k++) {
            const int64_t position = writers[w].positions[k];
            ck_assert(position >= 0 && position < all);
            ck_assert(stored[position][0] == w && stored[position][1] == k);
        }
        free(writers[w].positions);
    }
    free(stored);
}

/* ---- readers that follow ---- */

struct tail {
    pthread_t thread;
    struct weir_client *client;
    int seen;
    bool is_in_order;
};

static void *follow(void *context)
{
    struct tail *tail = context;
    int64_t next = 0;
    int64_t last = 0;
    tail->is_in_order = true;
    while (tail->seen < writes * WRITERS && tail->is_in_order) {
        Weir__V1__GetCategoryMessagesRequest query = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
        query.category = "";
        query.has_position = true;
        query.position = next;
        query.has_wait_ms = true;
        query.wait_ms = 5000;
        Weir__V1__GetCategoryMessagesResponse *reply = NULL;
        struct weir_error err;
        weir_error_init(&err);
        if (weir_message_store_get_category_messages(tail->client, &query, NULL, &reply, &err) !=
            WEIR_OK) {
            break;
        }
        for (size_t i = 0; i < reply->n_messages; i++, tail->seen++) {
            tail->is_in_order = tail->is_in_order && reply->messages[i]->global_position > last;
            last = reply->messages[i]->global_position;
        }
        next = reply->next_position;
        weir_response_free(reply);
    }
    return NULL;
}

START_TEST(writers_on_two_servers_and_readers_that_miss_nothing)
{
    static struct writer writers[WRITERS];
    struct tail tails[SERVERS];
    for (size_t s = 0; s < SERVERS; s++) {
        tails[s] = (struct tail){.client = clients[s]};
        ck_assert_int_eq(pthread_create(&tails[s].thread, NULL, follow, &tails[s]), 0);
    }
    start_writers(writers);
    join_writers(writers);
    for (size_t s = 0; s < SERVERS; s++) {
        (void)pthread_join(tails[s].thread, NULL);
        ck_assert(tails[s].is_in_order);
        ck_assert_int_eq(tails[s].seen, writes * WRITERS);
    }
    assert_all_is_well(writers);
}
END_TEST

/* ---- disturbances ---- */

static PGconn *sql_connect(const char *url)
{
    PGconn *conn = PQconnectdb(url);
    ck_assert_msg(PQstatus(conn) == CONNECTION_OK, "%s", PQerrorMessage(conn));
    return conn;
}

/* Terminates the connection of some server, as soon as one exists. The killer connects in advance,
 * since the writers do not wait. */
static int kill_connection(PGconn *killer)
{
    int killed = 0;
    while (killed == 0 && atomic_load(&acknowledged) < writes * WRITERS) {
        PGresult *result = PQexec(
            killer,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
            " current_database() AND application_name = 'weir-server' ORDER BY random() LIMIT 1");
        killed = PQntuples(result);
        PQclear(result);
    }
    return killed;
}

START_TEST(terminated_connections_and_a_stopped_server_lose_nothing)
{
    static struct writer writers[WRITERS];
    start_writers(writers);
    PGconn *killer = sql_connect(getenv("WEIR_TEST_SQL"));
    int killed = 0;
    const int kills = writes * WRITERS / WRITES_PER_KILL;
    for (int kill_number = 0; kill_number < kills; kill_number++) {
        wait_for(90 * kill_number / kills);
        killed += kill_connection(killer);
        if (kill_number % (kills / STOPS) == 0) {
            /* The writers of the other server continue. */
            ck_assert_int_eq(kill(servers[1].pid, SIGSTOP), 0);
            int until = atomic_load(&acknowledged_by_first) + WRITERS;
            const int all = writes * WRITERS / SERVERS;
            until = until < all ? until : all;
            while (atomic_load(&acknowledged_by_first) < until) {
                (void)sched_yield();
            }
            ck_assert_int_eq(kill(servers[1].pid, SIGCONT), 0);
        }
    }
    PQfinish(killer);
    join_writers(writers);
    ck_assert_int_ge(killed, kills / 2);
    assert_all_is_well(writers);
}
END_TEST

/* Ends the primary as a crash would. */
static void kill_primary(void)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/data/postmaster.pid", getenv("WEIR_TEST_PG_DIR"));
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    int pid = 0;
    ck_assert_int_eq(fscanf(file, "%d", &pid), 1);
    (void)fclose(file);
    ck_assert_int_eq(kill(pid, SIGQUIT), 0);
}

START_TEST(a_promoted_standby_has_all_that_was_acknowledged)
{
    static struct writer writers[WRITERS];
    start_writers(writers);
    wait_for(40);
    kill_primary();
    char url[512];
    (void)snprintf(url, sizeof url, "host=%s user=postgres dbname=weir",
                   getenv("WEIR_TEST_PG_STANDBY"));
    PGconn *standby = sql_connect(url);
    PQclear(PQexec(standby, "SELECT pg_promote()"));
    PQfinish(standby);
    join_writers(writers);
    assert_all_is_well(writers);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_servers");
    TCase *tcase = tcase_create("servers");
    tcase_set_timeout(tcase, 600);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, writers_on_two_servers_and_readers_that_miss_nothing);
    tcase_add_test(tcase, terminated_connections_and_a_stopped_server_lose_nothing);
    if (getenv("WEIR_TEST_PG_STANDBY") != NULL) {
        tcase_add_test(tcase, a_promoted_standby_has_all_that_was_acknowledged);
    }
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
