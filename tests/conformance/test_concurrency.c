/* Guarantees under concurrency: positions without gaps or duplicates, one winner of each expected
 * version, and no message that appears behind a reader. */
#include "tests/conformance/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITERS = 32, STREAMS = 4, SEEN_MAX = 65536 };

/* Threads record their results, and the test checks them after the join: a failed Check assertion
 * would end the process from any thread. */
struct writer {
    pthread_t thread;
    int number;
    int writes;
    int won;
    int conflicts;
    weir_status failed;  // first outcome other than success and conflict
    char text[WEIR_ERROR_TEXT_BYTES];
    const char *stream;  // NULL: each stream in turn
};

static void start(struct writer *writers, int n, void *(*run)(void *))
{
    for (int i = 0; i < n; i++) {
        writers[i].number = i;
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, run, &writers[i]), 0);
    }
}

static void join(struct writer *writers, int n)
{
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(pthread_join(writers[i].thread, NULL), 0);
        ck_assert_msg(writers[i].failed == WEIR_OK, "writer %d: %s: %s", i,
                      weir_status_name(writers[i].failed), writers[i].text);
    }
}

static void note(struct writer *w, weir_status st, const struct weir_error *err)
{
    if (st == WEIR_OK) {
        w->won++;
    } else if (st == WEIR_STREAM_VERSION_CONFLICT) {
        w->conflicts++;
    } else if (w->failed == WEIR_OK) {
        w->failed = st;
        memcpy(w->text, err->text, sizeof w->text);
    }
}

static void *write_any(void *context)
{
    struct writer *w = context;
    for (int i = 0; i < w->writes; i++) {
        char stream[32];
        (void)snprintf(stream, sizeof stream, "c%d-%d", i % 2, (i + w->number) % STREAMS);
        const struct msg messages[] = {
            {.data = "{\"k\":1}"},
            {.data = "{\"k\":2}", .metadata = "{\"correlationStreamName\":\"flow-1\"}"}};
        Written *written = NULL;
        struct weir_error err;
        const struct write write = {w->stream == NULL ? stream : w->stream, EXPECT_ANY, messages,
                                    (size_t)(1 + i % 2)};
        note(w, try_write_as(conf.client, &write, &written, &err), &err);
        weir_response_free(written);
    }
    return NULL;
}

START_TEST(positions_have_no_gap_and_no_double)
{
    struct writer writers[WRITERS] = {{0}};
    for (int i = 0; i < WRITERS; i++) {
        writers[i].writes = 40;
        writers[i].stream = "hot-1";
    }
    start(writers, WRITERS, write_any);
    join(writers, WRITERS);
    const StreamReply *r = read_stream("hot-1");
    ck_assert_uint_eq(r->n_messages, WRITERS * 60);
    assert_positions(r->messages, r->n_messages, 0);
    assert_ascending(r->messages, r->n_messages);
    ck_assert_int_eq(version_of("hot-1"), WRITERS * 60 - 1);
}
END_TEST

/* Competes with the other writers to write the next version. */
static void *write_exact(void *context)
{
    struct writer *w = context;
    for (int64_t version = -1; version < w->writes - 1; version++) {
        const struct msg message = {.data = "{}"};
        Written *written = NULL;
        struct weir_error err;
        const struct write write = {"race-1", EXPECT(version), &message, 1};
        note(w, try_write_as(conf.client, &write, &written, &err), &err);
        weir_response_free(written);
    }
    return NULL;
}

START_TEST(one_of_many_wins_an_expectation)
{
    enum { VERSIONS = 30 };
    struct writer writers[WRITERS] = {{0}};
    for (int i = 0; i < WRITERS; i++) {
        writers[i].writes = VERSIONS;
    }
    start(writers, WRITERS, write_exact);
    join(writers, WRITERS);
    int won = 0;
    int conflicts = 0;
    for (int i = 0; i < WRITERS; i++) {
        won += writers[i].won;
        conflicts += writers[i].conflicts;
    }
    const int64_t version = version_of("race-1");
    ck_assert_int_eq(won, version + 1);
    ck_assert_int_eq(won + conflicts, WRITERS * VERSIONS);
    assert_positions(read_stream("race-1")->messages, (size_t)won, 0);
}
END_TEST

enum { SAME = 25 };

/* The replies to one writer, for each of the writes that all writers send. */
static struct told {
    int64_t position;
    int64_t global_position;
    int64_t time_us;
    bool is_duplicate;
} told[WRITERS][SAME];

static void *write_same(void *context)
{
    struct writer *w = context;
    for (int i = 0; i < SAME; i++) {
        char id[40];
        (void)snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", i);
        const struct msg message = {.id = id, .data = "{\"same\":true}"};
        Written *written = NULL;
        struct weir_error err;
        const struct write write = {"same-1", EXPECT_ANY, &message, 1};
        note(w, try_write_as(conf.client, &write, &written, &err), &err);
        if (written != NULL) {
            const Weir__V1__WrittenMessage *first = written->written[0];
            told[w->number][i] = (struct told){first->position, first->global_position,
                                               first->time_us, written->duplicate};
        }
        weir_response_free(written);
    }
    return NULL;
}

/* One writer is told that it wrote; all others that the message exists, at the same position. */
static void assert_told_alike(int i)
{
    int originals = 0;
    for (int w = 0; w < WRITERS; w++) {
        ck_assert_int_eq(told[w][i].position, told[0][i].position);
        ck_assert_int_eq(told[w][i].global_position, told[0][i].global_position);
        ck_assert_int_eq(told[w][i].time_us, told[0][i].time_us);
        originals += !told[w][i].is_duplicate;
    }
    ck_assert_int_eq(originals, 1);
}

START_TEST(one_write_sent_by_many_is_stored_once)
{
    struct writer writers[WRITERS] = {{0}};
    start(writers, WRITERS, write_same);
    join(writers, WRITERS);
    const StreamReply *r = read_stream("same-1");
    ck_assert_uint_eq(r->n_messages, SAME);
    assert_positions(r->messages, SAME, 0);
    for (int i = 0; i < SAME; i++) {
        assert_told_alike(i);
    }
}
END_TEST

/* A reader that follows a selection from its start while messages are written. */
struct tail {
    pthread_t thread;
    const char *category;     // "" = all
    const char *correlation;  // NULL: all
    int64_t group_size;       // 0: no group; else the reader is member 0
    atomic_bool *is_over;     // set after the writers have finished
    int64_t *seen;            // global positions in the order of arrival
    size_t n;
    const char *fault;
};

static CategoryQuery select_tail(const struct tail *t, Weir__V1__ConsumerGroup *group,
                                 int64_t batch_size)
{
    weir__v1__consumer_group__init(group);
    group->has_member = group->has_size = true;
    group->size = t->group_size;
    CategoryQuery query = query_category(t->category);
    query.correlation = (char *)(uintptr_t)t->correlation;
    query.consumer_group = t->group_size == 0 ? NULL : group;
    query.has_batch_size = true;
    query.batch_size = batch_size;
    return query;
}

static bool tail_once(struct tail *t, int64_t *next)
{
    Weir__V1__ConsumerGroup group;
    CategoryQuery query = select_tail(t, &group, 50);
    query.has_position = true;
    query.position = *next;
    CategoryReply *reply = NULL;
    struct weir_error err;
    weir_error_init(&err);
    if (weir_message_store_get_category_messages(conf.client, &query, NULL, &reply, &err) !=
        WEIR_OK) {
        t->fault = "a read failed";
        return false;
    }
    for (size_t i = 0; i < reply->n_messages && t->n < SEEN_MAX; i++) {
        t->seen[t->n++] = reply->messages[i]->global_position;
    }
    const bool is_more = reply->n_messages > 0;
    if (reply->next_position < *next) {
        t->fault = "next_position went back";
    }
    *next = reply->next_position;
    weir_response_free(reply);
    return is_more;
}

static void *follow(void *context)
{
    struct tail *t = context;
    int64_t next = 1;
    while (t->fault == NULL) {
        const bool was_over = atomic_load(t->is_over);
        if (!tail_once(t, &next) && was_over) {
            break;
        }
    }
    return NULL;
}

/* Checks that the reader saw exactly the messages stored at the end, in order. */
static void assert_saw_everything(const struct tail *t)
{
    ck_assert_msg(t->fault == NULL, "%s", t->fault);
    Weir__V1__ConsumerGroup group;
    const CategoryQuery query = select_tail(t, &group, 10000);
    const CategoryReply *all = must_read_category(&query);
    ck_assert_uint_eq(t->n, all->n_messages);
    for (size_t i = 0; i < t->n; i++) {
        ck_assert_int_eq(t->seen[i], all->messages[i]->global_position);
    }
}

START_TEST(tailing_readers_miss_nothing)
{
    atomic_bool is_over = false;
    struct tail tails[] = {{.category = ""},
                           {.category = "c0"},
                           {.category = "c1"},
                           {.category = "", .group_size = 2},
                           {.category = "", .correlation = "flow"}};
    struct writer writers[WRITERS] = {{0}};
    for (size_t i = 0; i < WEIR_COUNTOF(tails); i++) {
        tails[i].is_over = &is_over;
        tails[i].seen = calloc(SEEN_MAX, sizeof(int64_t));
        ck_assert_ptr_nonnull(tails[i].seen);
        ck_assert_int_eq(pthread_create(&tails[i].thread, NULL, follow, &tails[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        writers[i].writes = 60;
    }
    start(writers, WRITERS, write_any);
    join(writers, WRITERS);
    atomic_store(&is_over, true);
    for (size_t i = 0; i < WEIR_COUNTOF(tails); i++) {
        ck_assert_int_eq(pthread_join(tails[i].thread, NULL), 0);
        assert_saw_everything(&tails[i]);
        free(tails[i].seen);
    }
}
END_TEST

START_TEST(a_write_is_seen_by_a_read_on_another_connection)
{
    struct weir_client *other = conf_client(conf_token());
    for (int i = 0; i < 100; i++) {
        put("s-1", "{}");
        Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
        request.stream_name = "s-1";
        Weir__V1__GetStreamVersionResponse *response = NULL;
        const weir_status st =
            weir_message_store_get_stream_version(other, &request, NULL, &response, &conf.err);
        assert_failed(st, WEIR_OK);
        ck_assert_int_eq(response->version, i);
        weir_response_free(response);
    }
    weir_client_close(other);
}
END_TEST

TCase *conf_concurrency_case(void)
{
    TCase *tc = conf_case("concurrency");
    tcase_add_test(tc, positions_have_no_gap_and_no_double);
    tcase_add_test(tc, one_of_many_wins_an_expectation);
    tcase_add_test(tc, one_write_sent_by_many_is_stored_once);
    tcase_add_test(tc, tailing_readers_miss_nothing);
    tcase_add_test(tc, a_write_is_seen_by_a_read_on_another_connection);
    return tc;
}
