/* Readers that follow a load by many writers from its start: each sees exactly the messages of its
 * selection, in order.
 *
 * WEIR_FOLLOW_MESSAGES sets the number of messages of the load. */
#include "client/weir.h"
#include "tests/lib/check_main.h"
#include "tests/lib/open_client.h"
#include "tests/lib/server_process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { WRITERS = 16, STREAMS = 24, QUIET_MS = 1500, BATCH = 5 };

static struct server_process server;
static struct weir_client *client;
static atomic_int left;  // batches not yet written
static atomic_bool is_over;

static void setup(void)
{
    server_directory(&server);
    server_start(&server);
    client = open_client(server.urls[0], server.default_token);
}

static void teardown(void)
{
    weir_client_close(client);
    ck_assert_int_eq(server_stop(&server), 0);
    server_remove(&server);
}

/* ---- writers ---- */

struct writer {
    pthread_t thread;
    weir_status failed;
};

static weir_status write_batch(int number)
{
    char stream[32];
    (void)snprintf(stream, sizeof stream, "%s-%d", number % 3 == 0 ? "odd" : "load",
                   number % STREAMS);
    const char *metadata = number % 4 == 0 ? "{\"correlationStreamName\":\"flow-1\"}" : "{}";
    Weir__V1__NewMessage messages[BATCH];
    Weir__V1__NewMessage *pointers[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        weir__v1__new_message__init(&messages[i]);
        messages[i].type = (number + (int)i) % 2 == 0 ? "Even" : "Odd";
        messages[i].has_metadata = true;
        messages[i].metadata.data = (uint8_t *)(uintptr_t)metadata;
        messages[i].metadata.len = strlen(metadata);
        pointers[i] = &messages[i];
    }
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    request.stream_name = stream;
    request.messages = pointers;
    request.n_messages = BATCH;
    struct weir_error err;
    weir_error_init(&err);
    Weir__V1__WriteMessagesResponse *response = NULL;
    const weir_status st =
        weir_message_store_write_messages(client, &request, NULL, &response, &err);
    weir_response_free(response);
    return st;
}

static void *write_share(void *context)
{
    struct writer *w = context;
    for (int number = atomic_fetch_sub(&left, 1); number > 0 && w->failed == WEIR_OK;
         number = atomic_fetch_sub(&left, 1)) {
        w->failed = write_batch(number);
    }
    return NULL;
}

/* ---- followers ---- */

struct follower {
    struct weir_subscription_options options;
    pthread_t thread;
    struct weir_client *client;
    int64_t *seen;  // in order of arrival: global positions, or those of the stream
    size_t n;
    size_t capacity;
    weir_status failed;
};

static int64_t place_of(const struct follower *f, const Weir__V1__Message *message)
{
    return f->options.stream_name == NULL ? message->global_position : message->position;
}

static void *follow(void *context)
{
    struct follower *f = context;
    struct weir_error err;
    weir_error_init(&err);
    struct weir_subscription *subscription = NULL;
    f->failed = weir_subscription_open(f->client, &f->options, &subscription, &err);
    while (f->failed == WEIR_OK) {
        const bool was_over = atomic_load(&is_over);
        const Weir__V1__Message *message = NULL;
        f->failed = weir_subscription_next(subscription, QUIET_MS, &message, &err);
        if (message != NULL && f->n < f->capacity) {
            f->seen[f->n++] = place_of(f, message);
        } else if (message == NULL && was_over) {
            break;
        }
    }
    weir_subscription_close(subscription);
    return NULL;
}

static struct weir_reader *read_again(const struct follower *f)
{
    Weir__V1__ConsumerGroup group = WEIR__V1__CONSUMER_GROUP__INIT;
    Weir__V1__GetStreamMessagesRequest stream = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    Weir__V1__GetCategoryMessagesRequest category = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    struct weir_reader *reader = NULL;
    struct weir_error err;
    weir_error_init(&err);
    if (f->options.stream_name != NULL) {
        stream.stream_name = (char *)(uintptr_t)f->options.stream_name;
        stream.has_batch_size = true;
        stream.batch_size = -1;
        ck_assert_int_eq(weir_reader_open_stream(client, &stream, NULL, &reader, &err), WEIR_OK);
        return reader;
    }
    group.has_member = group.has_size = true;
    group.member = f->options.group_member;
    group.size = f->options.group_size;
    category.category = (char *)(uintptr_t)f->options.category;
    category.correlation = (char *)(uintptr_t)f->options.correlation;
    category.consumer_group = f->options.group_size > 0 ? &group : NULL;
    category.types = (char **)(uintptr_t)f->options.types;
    category.n_types = f->options.types_n;
    category.has_batch_size = true;
    category.batch_size = -1;
    ck_assert_int_eq(weir_reader_open_category(client, &category, NULL, &reader, &err), WEIR_OK);
    return reader;
}

static void assert_saw_its_set(const struct follower *f, size_t number)
{
    ck_assert_msg(f->failed == WEIR_OK, "follower %zu: %s", number, weir_status_name(f->failed));
    struct weir_reader *reader = read_again(f);
    struct weir_error err;
    weir_error_init(&err);
    size_t n = 0;
    for (;; n++) {
        const Weir__V1__Message *message = NULL;
        ck_assert_int_eq(weir_reader_next(reader, &message, &err), WEIR_OK);
        if (message == NULL) {
            break;
        }
        ck_assert_msg(n < f->n && f->seen[n] == place_of(f, message),
                      "follower %zu saw %lld as number %zu, not %lld", number,
                      n < f->n ? (long long)f->seen[n] : -1, n, (long long)place_of(f, message));
    }
    ck_assert_uint_eq(f->n, n);
    ck_assert_uint_gt(n, 0);
    weir_reader_close(reader);
}

static const char *const even[] = {"Even"};

START_TEST(every_follower_sees_exactly_its_set_in_order)
{
    const char *given = getenv("WEIR_FOLLOW_MESSAGES");
    const size_t messages = given == NULL ? 5000 : strtoul(given, NULL, 10);
    struct follower followers[] = {
        {.options = {.all = true, .start = WEIR_START_BEGIN}},
        {.options =
             {.all = true, .start = WEIR_START_BEGIN, .headers_only = true, .batch_size = 7}},
        {.options = {.category = "load"}},
        {.options = {.category = "odd", .types = even, .types_n = 1}},
        {.options = {.category = "load", .correlation = "flow"}},
        {.options = {.category = "load", .group_member = 0, .group_size = 3}},
        {.options = {.category = "load", .group_member = 1, .group_size = 3}},
        {.options = {.category = "load", .group_member = 2, .group_size = 3}},
        {.options = {.stream_name = "load-1"}},
    };
    struct writer writers[WRITERS] = {{0}};
    struct weir_client *own = open_client(server.urls[0], server.default_token);
    atomic_store(&left, (int)(messages / BATCH));
    for (size_t i = 0; i < WEIR_COUNTOF(followers); i++) {
        followers[i].client = own;
        followers[i].capacity = messages;
        followers[i].seen = calloc(messages, sizeof(int64_t));
        ck_assert_ptr_nonnull(followers[i].seen);
        ck_assert_int_eq(pthread_create(&followers[i].thread, NULL, follow, &followers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, write_share, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        ck_assert_int_eq(pthread_join(writers[i].thread, NULL), 0);
        ck_assert_int_eq(writers[i].failed, WEIR_OK);
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < WEIR_COUNTOF(followers); i++) {
        ck_assert_int_eq(pthread_join(followers[i].thread, NULL), 0);
        assert_saw_its_set(&followers[i], i);
        free(followers[i].seen);
    }
    printf("%zu messages by %d writers; each of %zu followers saw exactly its set, in order\n",
           messages, WRITERS, WEIR_COUNTOF(followers));
    weir_client_close(own);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("follow");
    TCase *tc = tcase_create("follow");
    tcase_set_timeout(tc, 600);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_follower_sees_exactly_its_set_in_order);
    suite_add_tcase(suite, tc);
    return check_main(suite);
}
