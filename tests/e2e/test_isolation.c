/* A namespace whose writes are blocked delays no other namespace, and a slow reader delays no
 * writer. A second program holds the locks of a namespace's file as long as the test requires. */
#include "client/weir.h"
#include "tests/lib/check_main.h"
#include "tests/lib/open_client.h"
#include "tests/lib/server_process.h"

#include <glob.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>

static struct server_process server;
static struct weir_client *client;  // of namespace `default`
static struct weir_client *admin;
static sqlite3 *holder;  // the second program's connection to the file of `default`

static void setup(void)
{
    server_directory(&server);
    server_start(&server);
    client = open_client(server.urls[0], server.default_token);
    admin = open_client(server.urls[0], SERVER_ADMIN_TOKEN);
    char pattern[SERVER_TEXT_MAX + 32];
    glob_t files;
    (void)snprintf(pattern, sizeof pattern, "%s/data/ns-*.db", server.directory);
    ck_assert_int_eq(glob(pattern, 0, NULL, &files), 0);
    ck_assert_uint_eq(files.gl_pathc, 1);
    ck_assert_int_eq(sqlite3_open_v2(files.gl_pathv[0], &holder, SQLITE_OPEN_READWRITE, NULL),
                     SQLITE_OK);
    globfree(&files);
}

static void teardown(void)
{
    ck_assert_int_eq(sqlite3_close(holder), SQLITE_OK);
    weir_client_close(client);
    weir_client_close(admin);
    ck_assert_int_eq(server_stop(&server), 0);
    server_remove(&server);
}

static void hold(const char *sql)
{
    ck_assert_int_eq(sqlite3_exec(holder, sql, NULL, NULL, NULL), SQLITE_OK);
}

struct pending {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_over;
    weir_status status;
};

static void write_done(void *context, weir_status status, Weir__V1__WriteMessagesResponse *response,
                       const struct weir_error *err)
{
    struct pending *pending = context;
    (void)err;
    weir_response_free(response);
    (void)pthread_mutex_lock(&pending->mutex);
    pending->is_over = true;
    pending->status = status;
    (void)pthread_cond_signal(&pending->changed);
    (void)pthread_mutex_unlock(&pending->mutex);
}

/* Returns a request of one message, in static storage. */
static const Weir__V1__WriteMessagesRequest *one_message(void)
{
    static Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    static Weir__V1__NewMessage *messages[] = {&message};
    static Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    message.type = "T";
    request.stream_name = "s-1";
    request.messages = messages;
    request.n_messages = 1;
    return &request;
}

static void must_write(struct weir_client *by)
{
    Weir__V1__WriteMessagesResponse *response = NULL;
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st =
        weir_message_store_write_messages(by, one_message(), NULL, &response, &err);
    ck_assert_msg(st == WEIR_OK, "%s: %s", weir_status_name(st), err.text);
    weir_response_free(response);
}

static struct weir_client *open_other_namespace(void)
{
    Weir__V1__CreateNamespaceRequest request = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = "other";
    Weir__V1__CreateNamespaceResponse *response = NULL;
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_eq(weir_namespaces_create_namespace(admin, &request, NULL, &response, &err),
                     WEIR_OK);
    struct weir_client *other = open_client(server.urls[0], response->token);
    weir_response_free(response);
    return other;
}

START_TEST(a_stuck_namespace_delays_no_other)
{
    struct pending pending = {.status = WEIR_OK};
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_eq(pthread_mutex_init(&pending.mutex, NULL), 0);
    ck_assert_int_eq(pthread_cond_init(&pending.changed, NULL), 0);
    struct weir_client *other = open_other_namespace();
    hold("BEGIN IMMEDIATE");
    ck_assert_int_eq(weir_message_store_write_messages_async(client, one_message(), NULL,
                                                             write_done, &pending, &err),
                     WEIR_OK);
    for (int i = 0; i < 50; i++) {
        must_write(other);
    }
    (void)pthread_mutex_lock(&pending.mutex);
    ck_assert(!pending.is_over);
    (void)pthread_mutex_unlock(&pending.mutex);
    hold("ROLLBACK");
    (void)pthread_mutex_lock(&pending.mutex);
    while (!pending.is_over) {
        (void)pthread_cond_wait(&pending.changed, &pending.mutex);
    }
    (void)pthread_mutex_unlock(&pending.mutex);
    ck_assert_int_eq(pending.status, WEIR_OK);
    weir_client_close(other);
}
END_TEST

START_TEST(a_slow_reader_delays_no_writer)
{
    must_write(client);
    hold("BEGIN; SELECT count(*) FROM messages");
    for (int i = 0; i < 50; i++) {
        must_write(client);
    }
    hold("COMMIT");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("isolation");
    TCase *tc = tcase_create("isolation");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_stuck_namespace_delays_no_other);
    tcase_add_test(tc, a_slow_reader_delays_no_writer);
    suite_add_tcase(suite, tc);
    return check_main(suite);
}
