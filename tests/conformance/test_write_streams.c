/* WriteStreams writes to several streams or to none. */
#include "tests/conformance/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define ID1 "11111111-1111-4111-8111-111111111111"
#define ID2 "22222222-2222-4222-8222-222222222222"

enum { ENTRIES_MAX = 101 };

struct entry {
    const char *stream;
    struct expect expect;
    const struct msg *messages;
    size_t n;
};

static Weir__V1__WriteStreamsResponse *last;

static weir_status try_streams(const struct entry *entries, size_t n)
{
    static Weir__V1__StreamWrite writes[ENTRIES_MAX];
    static Weir__V1__StreamWrite *pointers[ENTRIES_MAX];
    static Weir__V1__Expectation expectations[ENTRIES_MAX];
    for (size_t i = 0; i < n; i++) {
        weir__v1__stream_write__init(&writes[i]);
        fill_expectation(&expectations[i], entries[i].expect);
        writes[i].stream_name = (char *)(uintptr_t)entries[i].stream;
        writes[i].messages = fill_messages(entries[i].messages, entries[i].n);
        writes[i].n_messages = entries[i].n;
        writes[i].expectation = entries[i].expect.kind == ANY ? NULL : &expectations[i];
        pointers[i] = &writes[i];
    }
    Weir__V1__WriteStreamsRequest request = WEIR__V1__WRITE_STREAMS_REQUEST__INIT;
    request.writes = pointers;
    request.n_writes = n;
    /* The details of a hundred conflicts exceed the room inside weir_error. */
    static char details[256 * 1024];
    weir_error_init(&conf.err);
    weir_error_enlarge(&conf.err, details, sizeof details);
    weir_response_free(last);
    last = NULL;
    const weir_status st =
        weir_message_store_write_streams(conf.client, &request, NULL, &last, &conf.err);
    for (size_t i = 0; i < n; i++) {
        free_messages(writes[i].messages);
    }
    return st;
}

static const struct msg a1 = {.id = ID1, .data = "{\"a\":1}"};
static const struct msg b1 = {.id = ID2, .data = "{\"b\":1}"};

START_TEST(streams_are_written_together)
{
    const struct msg two[] = {{.data = "1"}, {.data = "2"}};
    const struct entry entries[] = {{"a-1", {NO_STREAM, 0}, two, 2}, {"b-1", {ANY, 0}, &b1, 1}};
    assert_failed(try_streams(entries, 2), WEIR_OK);
    ck_assert_uint_eq(last->n_results, 2);
    ck_assert_uint_eq(last->results[0]->n_written, 2);
    ck_assert_uint_eq(last->results[1]->n_written, 1);
    ck_assert_int_eq(last->results[0]->written[1]->position, 1);
    ck_assert_int_eq(version_of("a-1"), 1);
    ck_assert_int_eq(version_of("b-1"), 0);
}
END_TEST

START_TEST(one_failed_expectation_refuses_all_and_all_are_told)
{
    put("a-1", "{}");
    put("c-1", "{}");
    const struct entry entries[] = {{"a-1", {NO_STREAM, 0}, &a1, 1},
                                    {"b-1", {ANY, 0}, &b1, 1},
                                    {"c-1", {EXACT, 4}, NULL, 0},
                                    {"d-1", {STREAM_EXISTS, 0}, NULL, 0}};
    assert_failed(try_streams(entries, 4), WEIR_STREAM_VERSION_CONFLICT);
    assert_detail("stream", "a-1");
    assert_detail("expected", "no_stream");
    assert_detail("actual", "0");
    assert_detail("stream.1", "c-1");
    assert_detail("expected.1", "4");
    assert_detail("actual.1", "0");
    assert_detail("stream.2", "d-1");
    assert_detail("expected.2", "stream_exists");
    assert_detail("actual.2", "-1");
    ck_assert_uint_eq(read_category("")->n_messages, 2);
}
END_TEST

START_TEST(a_hundred_failed_expectations_of_long_names_are_all_told)
{
    static char names[100][1025];
    static struct entry entries[100];
    for (size_t i = 0; i < 100; i++) {
        memset(names[i], 'n', 1024);
        names[i][0] = (char)('A' + i % 50);
        names[i][1] = (char)('A' + i / 50);
        entries[i] = (struct entry){names[i], {EXACT, (int64_t)i}, i == 0 ? &a1 : NULL, i == 0};
    }
    assert_failed(try_streams(entries, 100), WEIR_STREAM_VERSION_CONFLICT);
    assert_detail("stream.99", names[99]);
    assert_detail("expected.99", "99");
    assert_detail("actual.99", "-1");
}
END_TEST

START_TEST(a_check_lets_the_write_through)
{
    put("account-1", "{}");
    const struct entry entries[] = {{"account-1", {EXACT, 0}, NULL, 0},
                                    {"ledger-1", {ANY, 0}, &a1, 1}};
    assert_failed(try_streams(entries, 2), WEIR_OK);
    ck_assert_uint_eq(last->results[0]->n_written, 0);
    ck_assert_int_eq(version_of("account-1"), 0);
    ck_assert_int_eq(version_of("ledger-1"), 0);
}
END_TEST

START_TEST(a_retry_gets_the_original_result)
{
    put("check-1", "{}");
    const struct entry entries[] = {{"a-1", {NO_STREAM, 0}, &a1, 1},
                                    {"b-1", {EXACT, -1}, &b1, 1},
                                    {"check-1", {EXACT, 0}, NULL, 0}};
    assert_failed(try_streams(entries, 3), WEIR_OK);
    const int64_t global = last->results[1]->written[0]->global_position;
    /* A retry does not evaluate the expectation on "check-1" again, which is no longer met. */
    put("check-1", "{}");
    put("a-1", "{}");
    assert_failed(try_streams(entries, 3), WEIR_OK);
    ck_assert(last->duplicate);
    ck_assert_int_eq(last->results[1]->written[0]->global_position, global);
    ck_assert_int_eq(version_of("b-1"), 0);
}
END_TEST

START_TEST(a_mixture_of_known_and_new_ids_conflicts)
{
    const struct entry first[] = {{"a-1", {ANY, 0}, &a1, 1}};
    assert_failed(try_streams(first, 1), WEIR_OK);
    const struct entry mixed[] = {{"a-1", {ANY, 0}, &a1, 1}, {"b-1", {ANY, 0}, &b1, 1}};
    assert_failed(try_streams(mixed, 2), WEIR_MESSAGE_ID_CONFLICT);
    ck_assert_int_eq(version_of("b-1"), -1);
}
END_TEST

START_TEST(requests_without_sense_are_invalid)
{
    const struct entry twice[] = {{"a-1", {ANY, 0}, &a1, 1}, {"a-1", {ANY, 0}, &b1, 1}};
    assert_invalid(try_streams(twice, 2), "writes[1].stream_name");
    const struct entry idle[] = {{"a-1", {ANY, 0}, NULL, 0}, {"b-1", {ANY, 0}, &b1, 1}};
    assert_invalid(try_streams(idle, 2), "writes[0].expectation");
    const struct entry only_checks[] = {{"a-1", {NO_STREAM, 0}, NULL, 0}};
    assert_invalid(try_streams(only_checks, 1), "writes");
    assert_invalid(try_streams(NULL, 0), "writes");
    const struct entry same_id[] = {{"a-1", {ANY, 0}, &a1, 1}, {"b-1", {ANY, 0}, &a1, 1}};
    assert_invalid(try_streams(same_id, 2), "writes");
    const struct entry nameless[] = {{"a-1", {ANY, 0}, &a1, 1}, {"", {ANY, 0}, &b1, 1}};
    assert_invalid(try_streams(nameless, 2), "writes[1].stream_name");
    ck_assert_uint_eq(read_category("")->n_messages, 0);
}
END_TEST

START_TEST(more_than_a_hundred_streams_are_invalid)
{
    static char names[ENTRIES_MAX][16];
    static struct entry entries[ENTRIES_MAX];
    static const struct msg any = {.data = "{}"};
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "s-%zu", i);
        entries[i] = (struct entry){names[i], {ANY, 0}, &any, 1};
    }
    assert_invalid(try_streams(entries, ENTRIES_MAX), "writes");
    assert_failed(try_streams(entries, ENTRIES_MAX - 1), WEIR_OK);
    ck_assert_uint_eq(read_category("")->n_messages, ENTRIES_MAX - 1);
}
END_TEST

/* ---- concurrent readers ---- */

enum { TRIPLES = 200 };

static struct {
    pthread_t thread;
    atomic_bool is_over;
    weir_status outcome;  // of the first failed read
} triples;

static void *write_triples(void *context)
{
    (void)context;
    const struct msg message = {.data = "{}"};
    const struct entry entries[] = {{"a-1", {ANY, 0}, &message, 1},
                                    {"b-1", {ANY, 0}, &message, 1},
                                    {"c-1", {ANY, 0}, &message, 1}};
    for (int i = 0; i < TRIPLES && triples.outcome == WEIR_OK; i++) {
        triples.outcome = try_streams(entries, 3);
    }
    atomic_store(&triples.is_over, true);
    return NULL;
}

/* Counts all messages of the namespace in one read. */
static size_t count_all(void)
{
    CategoryQuery query = query_category("");
    query.has_batch_size = true;
    query.batch_size = 3 * TRIPLES + 1;
    CategoryReply *reply = NULL;
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_eq(
        weir_message_store_get_category_messages(conf.client, &query, NULL, &reply, &err), WEIR_OK);
    const size_t n = reply->n_messages;
    weir_response_free(reply);
    return n;
}

START_TEST(no_reader_sees_a_part_of_a_write)
{
    ck_assert_int_eq(pthread_create(&triples.thread, NULL, write_triples, NULL), 0);
    while (!atomic_load(&triples.is_over)) {
        ck_assert_uint_eq(count_all() % 3, 0);
    }
    ck_assert_int_eq(pthread_join(triples.thread, NULL), 0);
    ck_assert_int_eq(triples.outcome, WEIR_OK);
    ck_assert_uint_eq(count_all(), 3 * TRIPLES);
}
END_TEST

TCase *conf_write_streams_case(void)
{
    TCase *tc = conf_case("write_streams");
    tcase_add_test(tc, streams_are_written_together);
    tcase_add_test(tc, one_failed_expectation_refuses_all_and_all_are_told);
    tcase_add_test(tc, a_hundred_failed_expectations_of_long_names_are_all_told);
    tcase_add_test(tc, a_check_lets_the_write_through);
    tcase_add_test(tc, a_retry_gets_the_original_result);
    tcase_add_test(tc, a_mixture_of_known_and_new_ids_conflicts);
    tcase_add_test(tc, requests_without_sense_are_invalid);
    tcase_add_test(tc, more_than_a_hundred_streams_are_invalid);
    tcase_add_test(tc, no_reader_sees_a_part_of_a_write);
    return tc;
}
