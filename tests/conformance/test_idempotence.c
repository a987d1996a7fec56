/* Message ids in WriteMessages: a retry is recognised as the same write. */
#include "tests/conformance/fixture.h"

#include <string.h>

#define ID1 "11111111-1111-4111-8111-111111111111"
#define ID2 "22222222-2222-4222-8222-222222222222"
#define ID3 "33333333-3333-4333-8333-333333333333"

static const struct msg one = {
    .id = ID1, .type = "T", .data = "{\"a\":1,\"b\":[1.10]}", .metadata = "{\"m\":1}"};

static void assert_same(const Written *again, const Written *first)
{
    ck_assert(again->duplicate);
    ck_assert_uint_eq(again->n_written, first->n_written);
    for (size_t i = 0; i < first->n_written; i++) {
        ck_assert_str_eq(again->written[i]->id, first->written[i]->id);
        ck_assert_int_eq(again->written[i]->position, first->written[i]->position);
        ck_assert_int_eq(again->written[i]->global_position, first->written[i]->global_position);
        ck_assert_int_eq(again->written[i]->time_us, first->written[i]->time_us);
    }
}

START_TEST(a_retry_gets_the_original_result)
{
    const Written *first = must_write("s-1", EXPECT_NO_STREAM, &one, 1);
    ck_assert(!first->duplicate);
    put("s-1", "{}");
    assert_same(must_write("s-1", EXPECT_NO_STREAM, &one, 1), first);
    assert_same(must_write("s-1", EXPECT(-1), &one, 1), first);
    assert_same(must_write("s-1", EXPECT_ANY, &one, 1), first);
    ck_assert_int_eq(version_of("s-1"), 1);
}
END_TEST

START_TEST(a_retry_consumes_no_position)
{
    must_write("s-1", EXPECT_ANY, &one, 1);
    for (int i = 0; i < 5; i++) {
        must_write("s-1", EXPECT_ANY, &one, 1);
    }
    const struct msg next = {.data = "{}"};
    const Written *w = must_write("s-1", EXPECT(0), &next, 1);
    ck_assert_int_eq(w->written[0]->position, 1);
    ck_assert_uint_eq(read_category("")->n_messages, 2);
}
END_TEST

START_TEST(equal_json_in_another_spelling_is_the_same_write)
{
    const Written *first = must_write("s-1", EXPECT_ANY, &one, 1);
    const struct msg respelt = {.id = "{11111111-1111-4111-8111-111111111111}",
                                .type = "T",
                                .data = " {\"b\":[11e-1],\"a\":1.0} ",
                                .metadata = "{\"m\":2,\"m\":1}"};
    assert_same(must_write("s-1", EXPECT_ANY, &respelt, 1), first);
}
END_TEST

/* Ways in which a second write with the same id differs. */
static const struct {
    const char *stream;
    struct msg message;
} different_rows[] = {
    {"s-2", {.id = ID1, .type = "T", .data = "{\"a\":1,\"b\":[1.10]}", .metadata = "{\"m\":1}"}},
    {"s-1", {.id = ID1, .type = "t", .data = "{\"a\":1,\"b\":[1.10]}", .metadata = "{\"m\":1}"}},
    {"s-1", {.id = ID1, .type = "T", .data = "{\"a\":1,\"b\":[1.11]}", .metadata = "{\"m\":1}"}},
    {"s-1", {.id = ID1, .type = "T", .data = NULL, .metadata = "{\"m\":1}"}},
    {"s-1", {.id = ID1, .type = "T", .data = "{\"a\":1,\"b\":[1.10]}", .metadata = "{\"m\":2}"}},
    {"s-1", {.id = ID1, .type = "T", .data = "{\"a\":1,\"b\":[1.10]}", .metadata = NULL}},
    {"s-1", {.id = ID1, .type = "T", .data = "{\"a\":1,\"b\":[1.10]}", .metadata = "null"}},
};

START_TEST(a_different_write_under_the_id_conflicts)
{
    must_write("s-0", EXPECT_ANY, &(struct msg){.data = "{}"}, 1);
    must_write("s-1", EXPECT_ANY, &one, 1);
    const weir_status st =
        try_write(different_rows[_i].stream, EXPECT_ANY, &different_rows[_i].message, 1, NULL);
    assert_failed(st, WEIR_MESSAGE_ID_CONFLICT);
    assert_detail("stream", "s-1");
    assert_detail("position", "0");
    assert_detail("global_position", "2");
    ck_assert_uint_eq(read_category("")->n_messages, 2);
}
END_TEST

/* The conflict of the id is reported even if the expectation fails too. */
START_TEST(the_id_is_judged_before_the_expectation)
{
    must_write("s-1", EXPECT_ANY, &one, 1);
    const struct msg other = {.id = ID1, .type = "Other"};
    assert_failed(try_write("s-1", EXPECT(77), &other, 1, NULL), WEIR_MESSAGE_ID_CONFLICT);
}
END_TEST

static const struct {
    struct expect expect;
    bool would_have_been_let_in;
} placed_rows[] = {
    {{ANY, 0}, true},
    {{EXACT, 0}, true},
    {{STREAM_EXISTS, 0}, true},
    {{EXACT, 1}, false},
    {{EXACT, -1}, false},
    {{NO_STREAM, 0}, false},
    {{EXACT, INT64_MAX}, false},
    {{EXACT, INT64_MIN}, false},
};

/* The message is at position 1, so the expectation must admit a message there. */
START_TEST(the_expectation_is_judged_where_the_message_stands)
{
    put("s-1", "{}");
    const Written *first = must_write("s-1", EXPECT(0), &one, 1);
    put("s-1", "{}");
    Written *again = NULL;
    const weir_status st = try_write("s-1", placed_rows[_i].expect, &one, 1, &again);
    if (placed_rows[_i].would_have_been_let_in) {
        assert_failed(st, WEIR_OK);
        assert_same(again, first);
    } else {
        assert_failed(st, WEIR_STREAM_VERSION_CONFLICT);
    }
    ck_assert_int_eq(version_of("s-1"), 2);
}
END_TEST

START_TEST(stream_exists_does_not_admit_the_first_message)
{
    must_write("s-1", EXPECT_ANY, &one, 1);
    assert_failed(try_write("s-1", EXPECT_STREAM_EXISTS, &one, 1, NULL),
                  WEIR_STREAM_VERSION_CONFLICT);
}
END_TEST

START_TEST(a_batch_is_retried_whole)
{
    const struct msg both[] = {{.id = ID1, .data = "1"}, {.id = ID2, .data = "2"}};
    const Written *first = must_write("s-1", EXPECT_NO_STREAM, both, 2);
    put("s-1", "{}");
    assert_same(must_write("s-1", EXPECT_NO_STREAM, both, 2), first);
}
END_TEST

/* Some ids known and some new, another order, a part of the batch, a gap: none of them is the same
 * write. */
START_TEST(a_mixture_conflicts_and_writes_nothing)
{
    const struct msg both[] = {{.id = ID1, .data = "1"}, {.id = ID2, .data = "2"}};
    must_write("s-1", EXPECT_ANY, both, 2);
    const struct msg with_new[] = {{.id = ID1, .data = "1"}, {.id = ID3, .data = "3"}};
    const struct msg new_first[] = {{.id = ID3, .data = "3"}, {.id = ID2, .data = "2"}};
    const struct msg turned[] = {{.id = ID2, .data = "2"}, {.id = ID1, .data = "1"}};
    assert_failed(try_write("s-1", EXPECT_ANY, with_new, 2, NULL), WEIR_MESSAGE_ID_CONFLICT);
    assert_failed(try_write("s-1", EXPECT_ANY, new_first, 2, NULL), WEIR_MESSAGE_ID_CONFLICT);
    assert_failed(try_write("s-1", EXPECT_ANY, turned, 2, NULL), WEIR_MESSAGE_ID_CONFLICT);
    ck_assert_uint_eq(read_stream("s-1")->n_messages, 2);
    const struct msg unused = {.id = ID3, .data = "{}"};
    ck_assert(!must_write("s-1", EXPECT(1), &unused, 1)->duplicate);
}
END_TEST

START_TEST(an_id_twice_in_one_request_is_invalid)
{
    const struct msg twice[] = {{.id = ID1, .data = "1"},
                                {.id = "1111111111114111 8111111111111111", .data = "2"}};
    const struct msg same[] = {{.id = ID1, .data = "1"},
                               {.id = "11111111111141118111111111111111", .data = "2"}};
    assert_invalid(try_write("s-1", EXPECT_ANY, twice, 2, NULL), "messages[1].id");
    assert_invalid(try_write("s-1", EXPECT_ANY, same, 2, NULL), "messages");
    ck_assert_int_eq(version_of("s-1"), -1);
}
END_TEST

START_TEST(ids_are_made_where_none_is_given)
{
    const struct msg three[] = {{.data = "1"}, {.data = "2"}, {.data = "3"}};
    const Written *w = must_write("s-1", EXPECT_ANY, three, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(strlen(w->written[i]->id), 36);
        ck_assert_int_eq(w->written[i]->id[14], '7');
        ck_assert(i == 0 || strcmp(w->written[i]->id, w->written[i - 1]->id) > 0);
    }
}
END_TEST

TCase *conf_idempotence_case(void)
{
    TCase *tc = conf_case("idempotence");
    tcase_add_test(tc, a_retry_gets_the_original_result);
    tcase_add_test(tc, a_retry_consumes_no_position);
    tcase_add_test(tc, equal_json_in_another_spelling_is_the_same_write);
    tcase_add_loop_test(tc, a_different_write_under_the_id_conflicts, 0,
                        (int)WEIR_COUNTOF(different_rows));
    tcase_add_test(tc, the_id_is_judged_before_the_expectation);
    tcase_add_loop_test(tc, the_expectation_is_judged_where_the_message_stands, 0,
                        (int)WEIR_COUNTOF(placed_rows));
    tcase_add_test(tc, stream_exists_does_not_admit_the_first_message);
    tcase_add_test(tc, a_batch_is_retried_whole);
    tcase_add_test(tc, a_mixture_conflicts_and_writes_nothing);
    tcase_add_test(tc, an_id_twice_in_one_request_is_invalid);
    tcase_add_test(tc, ids_are_made_where_none_is_given);
    return tc;
}
