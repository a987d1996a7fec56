/* WriteMessages: positions, expected versions, atomic batches (BEHAVIOUR, sections "Positions" and
 * "Write"). */
#include "tests/conformance/fixture.h"
#include "weir/rules/utf8.h"

#include <string.h>

START_TEST(positions_count_from_zero_without_gaps)
{
    ck_assert_int_eq(put("account-1", "{}"), 0);
    ck_assert_int_eq(put("account-1", "{}"), 1);
    ck_assert_int_eq(put("account-2", "{}"), 0);
    ck_assert_int_eq(put("account-1", "{}"), 2);
    ck_assert_int_eq(version_of("account-1"), 2);
    ck_assert_int_eq(version_of("account-2"), 0);
    ck_assert_int_eq(version_of("account-3"), -1);
}
END_TEST

START_TEST(global_positions_begin_at_one_and_increase)
{
    const struct msg three[] = {{.data = "1"}, {.data = "2"}, {.data = "3"}};
    const Written *first = must_write("a-1", EXPECT_ANY, three, 3);
    const Written *second = must_write("b-1", EXPECT_ANY, three, 3);
    ck_assert_int_eq(first->written[0]->global_position, 1);
    int64_t last = 0;
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_gt(first->written[i]->global_position, last);
        last = first->written[i]->global_position;
    }
    ck_assert_int_gt(second->written[0]->global_position, last);
}
END_TEST

START_TEST(a_reply_tells_id_positions_and_time)
{
    const int64_t before = weir_now_us();
    const struct msg message = {.id = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", .data = "{}"};
    const Written *w = must_write("s-1", EXPECT_ANY, &message, 1);
    ck_assert(!w->duplicate);
    ck_assert_str_eq(w->written[0]->id, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
    ck_assert_int_ge(w->written[0]->time_us, before - 1000000);
    ck_assert_int_le(w->written[0]->time_us, weir_now_us() + 1000000);
    const StreamReply *r = read_stream("s-1");
    ck_assert_int_eq(r->messages[0]->time_us, w->written[0]->time_us);
    ck_assert_int_eq(r->messages[0]->global_position, w->written[0]->global_position);
}
END_TEST

START_TEST(a_message_comes_back_with_all_fields)
{
    const struct msg message = {
        .type = "Opened", .data = "{\"a\":1}", .metadata = "{\"m\":[true,null]}"};
    const Written *w = must_write("account-1", EXPECT_ANY, &message, 1);
    const StreamReply *r = read_stream("account-1");
    ck_assert_uint_eq(r->n_messages, 1);
    const Message *m = r->messages[0];
    ck_assert_str_eq(m->id, w->written[0]->id);
    ck_assert_str_eq(m->stream_name, "account-1");
    ck_assert_str_eq(m->type, "Opened");
    ck_assert_int_eq(m->position, 0);
    ck_assert(m->has_global_position && m->has_time_us && m->has_metadata);
    assert_data(m, "{\"a\":1}");
    ck_assert_uint_eq(m->metadata.len, strlen("{\"m\":[true,null]}"));
}
END_TEST

START_TEST(times_do_not_go_back)
{
    put_many("s-1", 300);
    const CategoryReply *r = read_category("");
    ck_assert_uint_eq(r->n_messages, 300);
    for (size_t i = 1; i < r->n_messages; i++) {
        ck_assert_int_ge(r->messages[i]->time_us, r->messages[i - 1]->time_us);
    }
}
END_TEST

START_TEST(a_batch_has_consecutive_positions)
{
    put("s-1", "{}");
    const struct msg three[] = {{.data = "1"}, {.data = "2"}, {.data = "3"}};
    const Written *w = must_write("s-1", EXPECT(0), three, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(w->written[i]->position, i + 1);
    }
    ck_assert_int_eq(version_of("s-1"), 3);
}
END_TEST

START_TEST(a_batch_of_a_thousand_is_written)
{
    static struct msg many[1000];
    for (size_t i = 0; i < 1000; i++) {
        many[i] = (struct msg){.data = "{}"};
    }
    const Written *w = must_write("s-1", EXPECT_NO_STREAM, many, 1000);
    ck_assert_int_eq(w->written[999]->position, 999);
    ck_assert_uint_eq(read_stream("s-1")->n_messages, 1000);
}
END_TEST

/* The stream's messages, the expected version, and whether the write is accepted. */
static const struct expectation_row {
    int stands;
    struct expect expect;
    bool is_let_in;
    const char *expected;
    const char *actual;
} expectation_rows[] = {
    {0, {ANY, 0}, true, "", ""},
    {2, {ANY, 0}, true, "", ""},
    {0, {EXACT, -1}, true, "", ""},
    {1, {EXACT, 0}, true, "", ""},
    {3, {EXACT, 2}, true, "", ""},
    {0, {EXACT, 0}, false, "0", "-1"},
    {1, {EXACT, -1}, false, "-1", "0"},
    {1, {EXACT, 1}, false, "1", "0"},
    {3, {EXACT, 1}, false, "1", "2"},
    {1, {EXACT, -2}, false, "-2", "0"},
    {0, {EXACT, -2}, false, "-2", "-1"},
    {1, {EXACT, INT64_MAX}, false, "9223372036854775807", "0"},
    {1, {EXACT, INT64_MIN}, false, "-9223372036854775808", "0"},
    {0, {NO_STREAM, 0}, true, "", ""},
    {1, {NO_STREAM, 0}, false, "no_stream", "0"},
    {1, {STREAM_EXISTS, 0}, true, "", ""},
    {0, {STREAM_EXISTS, 0}, false, "stream_exists", "-1"},
};

START_TEST(an_expectation_lets_in_or_conflicts)
{
    const struct expectation_row *row = &expectation_rows[_i];
    for (int i = 0; i < row->stands; i++) {
        put("s-1", "{}");
    }
    const struct msg message = {.data = "{\"late\":true}"};
    const weir_status st = try_write("s-1", row->expect, &message, 1, NULL);
    if (row->is_let_in) {
        assert_failed(st, WEIR_OK);
        ck_assert_int_eq(version_of("s-1"), row->stands);
        return;
    }
    assert_failed(st, WEIR_STREAM_VERSION_CONFLICT);
    assert_detail("stream", "s-1");
    assert_detail("expected", row->expected);
    assert_detail("actual", row->actual);
    ck_assert_int_eq(version_of("s-1"), row->stands - 1);
    ck_assert_uint_eq(read_category("")->n_messages, (size_t)row->stands);
}
END_TEST

/* The error text cuts a long name between two characters. */
START_TEST(the_text_of_a_conflict_is_utf8)
{
    char name[301] = "x";
    for (size_t n = 1; n < 299; n += 2) {
        memcpy(name + n, "\xc3\xa9", 2);
    }
    const struct msg message = {.data = "1"};
    assert_failed(try_write(name, EXPECT(5), &message, 1, NULL), WEIR_STREAM_VERSION_CONFLICT);
    ck_assert(weir_utf8_is_valid(weir_slice_of(conf.err.text)));
    assert_detail("stream", name);
}
END_TEST

START_TEST(a_conflicting_batch_writes_nothing)
{
    put("s-1", "{}");
    const struct msg three[] = {{.data = "1"}, {.data = "2"}, {.data = "3"}};
    assert_failed(try_write("s-1", EXPECT(5), three, 3, NULL), WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_uint_eq(read_category("")->n_messages, 1);
}
END_TEST

/* Legal names. Each is a separate stream, compared byte by byte. */
static const char *const legal_names[] = {
    "account",
    "account-",
    "account-+4",
    "a--b",
    "-x",
    "a b\tc-\n1",
    "100%_sure-1",
    "it's-\"q\"",
    "caf\xc3\xa9-1",
    "cafe\xcc\x81-1",
    "\xf0\x9f\x98\x80-1",
    "ACCOUNT-1",
    "account-1",
    "a:b+c-1+2",
};

START_TEST(every_legal_name_is_a_stream_of_its_own)
{
    const size_t n = WEIR_COUNTOF(legal_names);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(put(legal_names[i], "{}"), 0);
    }
    for (size_t i = 0; i < n; i++) {
        const StreamReply *r = read_stream(legal_names[i]);
        ck_assert_uint_eq(r->n_messages, 1);
        ck_assert_str_eq(r->messages[0]->stream_name, legal_names[i]);
    }
}
END_TEST

START_TEST(the_longest_name_and_type_are_written)
{
    char name[1025];
    char type[513];
    memset(name, 'n', 1024);
    memset(type, 't', 512);
    name[1024] = type[512] = '\0';
    name[500] = '-';
    ck_assert_int_eq(put_typed(name, type), 0);
    const StreamReply *r = read_stream(name);
    ck_assert_str_eq(r->messages[0]->stream_name, name);
    ck_assert_str_eq(r->messages[0]->type, type);
    name[500] = '\0';
    ck_assert_uint_eq(read_category(name)->n_messages, 1);
}
END_TEST

START_TEST(a_megabyte_is_written_and_one_more_byte_is_not)
{
    static char data[1048576 + 2];
    memset(data, 'x', sizeof data - 1);
    data[0] = '"';
    data[1048575] = '"';
    data[1048576] = '\0';
    ck_assert_int_eq(put("big-1", data), 0);
    const StreamReply *r = read_stream("big-1");
    ck_assert_uint_eq(r->messages[0]->data.len, 1048576);
    data[1048575] = 'x';
    data[1048576] = '"';
    data[1048577] = '\0';
    const struct msg message = {.data = data};
    assert_failed(try_write("big-1", EXPECT_ANY, &message, 1, NULL), WEIR_LIMIT_EXCEEDED);
    assert_detail("limit", "1048576");
    assert_detail("actual", "1048577");
    ck_assert_int_eq(version_of("big-1"), 0);
}
END_TEST

TCase *conf_write_case(void)
{
    TCase *tc = conf_case("write");
    tcase_add_test(tc, positions_count_from_zero_without_gaps);
    tcase_add_test(tc, global_positions_begin_at_one_and_increase);
    tcase_add_test(tc, a_reply_tells_id_positions_and_time);
    tcase_add_test(tc, a_message_comes_back_with_all_fields);
    tcase_add_test(tc, times_do_not_go_back);
    tcase_add_test(tc, a_batch_has_consecutive_positions);
    tcase_add_test(tc, a_batch_of_a_thousand_is_written);
    tcase_add_loop_test(tc, an_expectation_lets_in_or_conflicts, 0,
                        (int)WEIR_COUNTOF(expectation_rows));
    tcase_add_test(tc, the_text_of_a_conflict_is_utf8);
    tcase_add_test(tc, a_conflicting_batch_writes_nothing);
    tcase_add_test(tc, every_legal_name_is_a_stream_of_its_own);
    tcase_add_test(tc, the_longest_name_and_type_are_written);
    tcase_add_test(tc, a_megabyte_is_written_and_one_more_byte_is_not);
    return tc;
}
