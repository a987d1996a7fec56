/* Appends and retries: what the store promises, on SQLite on disk and in memory. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "weir/rules/limits.h"

#include <stdio.h>

/* ---- positions ---- */

START_TEST(positions_count_from_zero_and_global_positions_from_one)
{
    struct weir_written written[2];
    const struct weir_new_message first[] = {message_of(1, "{\"a\":1}"), message_of(2, "null")};
    ck_assert_int_eq(append(fx.ns, "account-1", ANY, first, 2, written), WEIR_OK);
    ck_assert_int_eq(written[0].position, 0);
    ck_assert_int_eq(written[1].position, 1);
    ck_assert_int_eq(written[0].global_position, 1);
    ck_assert_int_eq(written[1].global_position, 2);
    ck_assert_int_gt(written[0].time_us, 1600000000000000);

    const struct weir_new_message next = message_of(3, "[1]");
    ck_assert_int_eq(append(fx.ns, "account-2", NO_STREAM, &next, 1, written), WEIR_OK);
    ck_assert_int_eq(written[0].position, 0);
    ck_assert_int_eq(written[0].global_position, 3);
    ck_assert_int_eq(must_version(fx.ns, "account-1"), 1);
    ck_assert_int_eq(must_version(fx.ns, "account-2"), 0);
    ck_assert_int_eq(must_version(fx.ns, "account-3"), -1);
    ck_assert_int_eq(must_head(fx.ns), 3);
}
END_TEST

START_TEST(every_field_comes_back)
{
    struct weir_new_message message = message_of(7, "{\"a\":1}");
    message.metadata = weir_slice_of("{}");
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "account-1", ANY, &message, 1, &written), WEIR_OK);
    const struct weir_query query = query_stream("account-1");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    const struct weir_row *row = &fx.rows.rows[0];
    ck_assert_mem_eq(&row->id, &message.id, sizeof row->id);
    ck_assert(weir_slice_is(row->stream, "account-1"));
    ck_assert(weir_slice_is(row->type, "Happened"));
    ck_assert(weir_slice_is(row->data, "{\"a\":1}"));
    ck_assert(weir_slice_is(row->metadata, "{}"));
    ck_assert_int_eq(row->position, 0);
    ck_assert_int_eq(row->global_position, 1);
    ck_assert_int_eq(row->time_us, written.time_us);
}
END_TEST

START_TEST(absent_and_empty_stay_apart)
{
    struct weir_new_message messages[2] = {message_of(1, NULL), message_of(2, "\"\"")};
    struct weir_written written[2];
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 2, written), WEIR_OK);
    const struct weir_query query = query_stream("a-1");
    must_read(fx.ns, &query);
    ck_assert_ptr_null(fx.rows.rows[0].data.p);
    ck_assert_ptr_null(fx.rows.rows[0].metadata.p);
    ck_assert(weir_slice_is(fx.rows.rows[1].data, "\"\""));
}
END_TEST

START_TEST(names_are_bytes)
{
    /* Upper and lower case, SQL wildcards, combining marks and the empty category all name
     * different streams. */
    static const char *const names[] = {"a-1",        "A-1",         "a-%",     "a-_", "-x",
                                        "a-\xc3\xa9", "a-e\xcc\x81", "a-'; --", "a",   "a-"};
    for (size_t i = 0; i < WEIR_COUNTOF(names); i++) {
        must_put(fx.ns, names[i], i + 1);
    }
    for (size_t i = 0; i < WEIR_COUNTOF(names); i++) {
        ck_assert_int_eq(must_version(fx.ns, names[i]), (int64_t)i);
    }
}
END_TEST

/* ---- expectations ---- */

static const struct {
    struct weir_expectation expectation;
    int64_t version;       // before the append
    const char *conflict;  // detail "expected"; NULL: the append succeeds
} expectations[] = {
    {{WEIR_EXPECT_ANY, 0}, -1, NULL},
    {{WEIR_EXPECT_ANY, 0}, 1, NULL},
    {{WEIR_EXPECT_EXACT, -1}, -1, NULL},
    {{WEIR_EXPECT_EXACT, -1}, 0, "-1"},
    {{WEIR_EXPECT_EXACT, 0}, -1, "0"},
    {{WEIR_EXPECT_EXACT, 0}, 0, NULL},
    {{WEIR_EXPECT_EXACT, 0}, 1, "0"},
    {{WEIR_EXPECT_EXACT, 1}, 0, "1"},
    {{WEIR_EXPECT_EXACT, -2}, -1, "-2"},
    {{WEIR_EXPECT_EXACT, INT64_MIN}, -1, "-9223372036854775808"},
    {{WEIR_EXPECT_EXACT, INT64_MAX}, 0, "9223372036854775807"},
    {{WEIR_EXPECT_NO_STREAM, 0}, -1, NULL},
    {{WEIR_EXPECT_NO_STREAM, 0}, 0, "no_stream"},
    {{WEIR_EXPECT_STREAM_EXISTS, 0}, -1, "stream_exists"},
    {{WEIR_EXPECT_STREAM_EXISTS, 0}, 0, NULL},
};

START_TEST(an_expectation_is_judged)
{
    const int64_t version = expectations[_i].version;
    if (version >= 0) {
        must_put(fx.ns, "s-1", (size_t)version + 1);
    }
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    const weir_status status =
        append(fx.ns, "s-1", expectations[_i].expectation, &message, 1, &written);
    if (expectations[_i].conflict == NULL) {
        ck_assert_int_eq(status, WEIR_OK);
        ck_assert_int_eq(written.position, version + 1);
        return;
    }
    char actual[24];
    (void)snprintf(actual, sizeof actual, "%lld", (long long)version);
    ck_assert_int_eq(status, WEIR_STREAM_VERSION_CONFLICT);
    assert_detail("stream", "s-1");
    assert_detail("expected", expectations[_i].conflict);
    assert_detail("actual", actual);
    ck_assert_int_eq(must_version(fx.ns, "s-1"), version);
    ck_assert_int_eq(must_head(fx.ns), version + 1);
}
END_TEST

/* ---- retries ---- */

static struct weir_written retry_original;

/* Writes message 5 at position 1 of a-1, with messages before and after it. */
static void put_original(void)
{
    must_put(fx.ns, "a-1", 1);
    struct weir_new_message message = message_of(5, "{\"x\":1.10,\"y\":[true]}");
    message.metadata = weir_slice_of("{\"m\":1}");
    ck_assert_int_eq(append(fx.ns, "a-1", EXACT(0), &message, 1, &retry_original), WEIR_OK);
    must_put(fx.ns, "a-1", 3);
}

static const struct {
    const char *stream;
    const char *type;
    const char *data;
    const char *metadata;
    struct weir_expectation expectation;
    weir_status status;
} retries[] = {
    {"a-1", "T", "{\"x\":1.10,\"y\":[true]}", "{\"m\":1}", {WEIR_EXPECT_ANY, 0}, WEIR_OK},
    {"a-1", "T", "{\"x\":1.10,\"y\":[true]}", "{\"m\":1}", {WEIR_EXPECT_EXACT, 0}, WEIR_OK},
    {"a-1", "T", "{\"y\":[true], \"x\":1.1}", "{\"m\":1e0}", {WEIR_EXPECT_ANY, 0}, WEIR_OK},
    {"a-1", "T", "{\"x\":1.10,\"y\":[true]}", "{\"m\":1}", {WEIR_EXPECT_STREAM_EXISTS, 0}, WEIR_OK},
    {"a-1",
     "T",
     "{\"x\":1.10,\"y\":[true]}",
     "{\"m\":1}",
     {WEIR_EXPECT_NO_STREAM, 0},
     WEIR_STREAM_VERSION_CONFLICT},
    {"a-1",
     "T",
     "{\"x\":1.10,\"y\":[true]}",
     "{\"m\":1}",
     {WEIR_EXPECT_EXACT, 4},  // the current version: it must not be applied to the retry
     WEIR_STREAM_VERSION_CONFLICT},
    {"a-2", "T", "{\"x\":1.10,\"y\":[true]}", "{\"m\":1}", {0}, WEIR_MESSAGE_ID_CONFLICT},
    {"a-1", "U", "{\"x\":1.10,\"y\":[true]}", "{\"m\":1}", {0}, WEIR_MESSAGE_ID_CONFLICT},
    {"a-1", "T", "{\"x\":1.11,\"y\":[true]}", "{\"m\":1}", {0}, WEIR_MESSAGE_ID_CONFLICT},
    {"a-1", "T", NULL, "{\"m\":1}", {0}, WEIR_MESSAGE_ID_CONFLICT},
    {"a-1", "T", "{\"x\":1.10,\"y\":[true]}", NULL, {0}, WEIR_MESSAGE_ID_CONFLICT},
    {"a-1",
     "T",
     "{\"x\":2}",
     NULL,
     {WEIR_EXPECT_EXACT, 99},  // the id is checked before the expectation
     WEIR_MESSAGE_ID_CONFLICT},
};

START_TEST(an_id_that_is_there_is_a_retry_or_a_conflict)
{
    put_original();
    struct weir_new_message message = message_of(5, retries[_i].data);
    message.metadata = weir_slice_of(retries[_i].metadata);
    message.type = weir_slice_of(retries[_i].type[0] == 'T' ? "Happened" : "Other");
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write write =
        write_of(&part, retries[_i].stream, retries[_i].expectation, &message, &written);
    ck_assert_int_eq(commit_write(fx.ns, &write), retries[_i].status);
    ck_assert_int_eq(must_head(fx.ns), 5);
    ck_assert_int_eq(must_version(fx.ns, "a-1"), 4);
    ck_assert_int_eq(must_version(fx.ns, "a-2"), -1);
    ck_assert(write.of.append.is_duplicate == (retries[_i].status == WEIR_OK));
    if (retries[_i].status == WEIR_OK) {
        ck_assert_int_eq(written.position, 1);
        ck_assert_int_eq(written.global_position, 2);
        ck_assert_int_eq(written.time_us, retry_original.time_us);
        ck_assert_mem_eq(&written.id, &message.id, sizeof written.id);
    } else if (retries[_i].status == WEIR_MESSAGE_ID_CONFLICT) {
        assert_detail("stream", "a-1");
        assert_detail("position", "1");
        assert_detail("global_position", "2");
    } else {
        assert_detail("actual", "4");
    }
}
END_TEST

/* Writes messages 10, 11, 12 at positions 0..2 of b-1, and another message after them. */
static void put_batch(void)
{
    const struct weir_new_message batch[] = {message_of(10, "0"), message_of(11, "1"),
                                             message_of(12, "2")};
    struct weir_written written[3];
    ck_assert_int_eq(append(fx.ns, "b-1", NO_STREAM, batch, 3, written), WEIR_OK);
    must_put(fx.ns, "b-1", 1);
}

static const struct {
    uint64_t ids[4];
    weir_status status;
    const char *position;  // detail "position" of the conflict
} batches[] = {
    {{10, 11, 12}, WEIR_OK, NULL},
    {{10, 11}, WEIR_OK, NULL},
    {{10, 11, 12, 13}, WEIR_MESSAGE_ID_CONFLICT, "0"},
    {{9, 10, 11, 12}, WEIR_MESSAGE_ID_CONFLICT, "0"},
    {{13, 11}, WEIR_MESSAGE_ID_CONFLICT, "1"},
    {{11, 10}, WEIR_MESSAGE_ID_CONFLICT, NULL},
    {{10, 12}, WEIR_MESSAGE_ID_CONFLICT, NULL},
    {{20, 21, 20}, WEIR_INVALID_REQUEST, NULL},
    {{20, 20}, WEIR_INVALID_REQUEST, NULL},
};

START_TEST(a_batch_is_a_retry_as_a_whole_or_not_at_all)
{
    put_batch();
    static const char *const data[] = {"0", "1", "2"};
    struct weir_new_message messages[4];
    size_t n = 0;
    for (; n < 4 && batches[_i].ids[n] != 0; n++) {
        const uint64_t id = batches[_i].ids[n];
        messages[n] = message_of(id, id >= 10 && id <= 12 ? data[id - 10] : "9");
    }
    struct weir_written written[4];
    ck_assert_int_eq(append(fx.ns, "b-1", ANY, messages, n, written), batches[_i].status);
    if (batches[_i].status == WEIR_OK) {
        ck_assert_int_eq(written[n - 1].position, (int64_t)n - 1);
    }
    if (batches[_i].position != NULL) {
        assert_detail("position", batches[_i].position);
    }
    ck_assert_int_eq(must_version(fx.ns, "b-1"), 3);
    ck_assert_int_eq(must_head(fx.ns), 4);
    must_put(fx.ns, "b-1", 1);  // no position was consumed
    ck_assert_int_eq(must_head(fx.ns), 5);
}
END_TEST

START_TEST(of_a_batch_the_message_that_differs_is_told)
{
    put_batch();
    const struct weir_new_message messages[] = {message_of(10, "0"), message_of(11, "other"),
                                                message_of(12, "other")};
    struct weir_written written[3];
    ck_assert_int_eq(append(fx.ns, "b-1", ANY, messages, 3, written), WEIR_MESSAGE_ID_CONFLICT);
    assert_detail("position", "1");
    assert_detail("global_position", "2");
}
END_TEST

START_TEST(a_made_up_id_is_not_looked_up_where_the_expectation_fails)
{
    struct weir_new_message message = message_of(1, "1");
    message.is_id_given = false;
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-1", EXACT(3), &message, 1, &written),
                     WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_int_eq(append(fx.ns, "a-1", EXACT(-1), &message, 1, &written), WEIR_OK);
}
END_TEST

/* ---- several streams ---- */

static struct weir_write streams_of(struct weir_stream_append *parts, size_t n)
{
    return (struct weir_write){.kind = WEIR_WRITE_APPEND, .of.append = {.streams = parts, .n = n}};
}

struct two {
    struct weir_new_message messages[3];
    struct weir_written written[3];
    struct weir_stream_append parts[3];
};

/* A write of two messages for x-1 and one for y-1, with an expectation on z-1. */
static void make_two(struct two *two)
{
    two->messages[0] = message_of(30, "0");
    two->messages[1] = message_of(31, "1");
    two->messages[2] = message_of(32, "2");
    two->parts[0] = (struct weir_stream_append){weir_slice_of("x-1"), NO_STREAM, two->messages, 2,
                                                two->written};
    two->parts[1] = (struct weir_stream_append){weir_slice_of("y-1"), EXACT(-1), two->messages + 2,
                                                1, two->written + 2};
    two->parts[2] = (struct weir_stream_append){weir_slice_of("z-1"), NO_STREAM, NULL, 0, NULL};
}

START_TEST(several_streams_are_written_at_once)
{
    struct two two;
    make_two(&two);
    struct weir_write write = streams_of(two.parts, 3);
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_OK);
    ck_assert(!write.of.append.is_duplicate);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(two.written[i].global_position, (int64_t)i + 1);
    }
    ck_assert_int_eq(two.written[1].position, 1);
    ck_assert_int_eq(two.written[2].position, 0);
    ck_assert_int_eq(must_version(fx.ns, "z-1"), -1);
}
END_TEST

START_TEST(several_streams_sent_again_give_the_original_result)
{
    struct two two;
    make_two(&two);
    struct weir_write write = streams_of(two.parts, 3);
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_OK);
    must_put(fx.ns, "x-1", 1);
    must_put(fx.ns, "z-1", 1);  // a retry does not check an expectation without messages again
    memset(two.written, 0, sizeof two.written);
    write = streams_of(two.parts, 3);
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_OK);
    ck_assert(write.of.append.is_duplicate);
    ck_assert_int_eq(two.written[2].global_position, 3);

    two.parts[1].expectation = EXACT(0);  // would not have admitted the message
    write = streams_of(two.parts, 3);
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_STREAM_VERSION_CONFLICT);
    assert_detail("stream", "y-1");
    ck_assert_ptr_null(weir_error_get_detail(&fx.err, "stream.1"));

    two.messages[2].id = id_of(99);  // one of the three ids is new
    write = streams_of(two.parts, 3);
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_MESSAGE_ID_CONFLICT);
    ck_assert_int_eq(must_head(fx.ns), 5);
}
END_TEST

START_TEST(every_failed_expectation_is_reported)
{
    must_put(fx.ns, "x-1", 1);
    must_put(fx.ns, "z-1", 2);
    struct two two;
    make_two(&two);
    struct weir_write write = streams_of(two.parts, 3);
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_STREAM_VERSION_CONFLICT);
    assert_detail("stream", "x-1");
    assert_detail("expected", "no_stream");
    assert_detail("actual", "0");
    assert_detail("stream.1", "z-1");
    assert_detail("expected.1", "no_stream");
    assert_detail("actual.1", "1");
    ck_assert_ptr_null(weir_error_get_detail(&fx.err, "stream.2"));
    ck_assert_int_eq(must_version(fx.ns, "y-1"), -1);
    ck_assert_int_eq(must_head(fx.ns), 3);
}
END_TEST

START_TEST(a_hundred_failed_expectations_of_long_names_are_all_reported)
{
    static char names[WEIR_WRITE_STREAMS_MAX][1025];
    struct weir_stream_append parts[WEIR_WRITE_STREAMS_MAX];
    for (size_t s = 0; s < WEIR_WRITE_STREAMS_MAX; s++) {
        memset(names[s], 'n', 1024);
        (void)snprintf(names[s], 8, "%03zu-", s);
        names[s][4] = 'n';
        parts[s] =
            (struct weir_stream_append){weir_slice(names[s], 1024), STREAM_EXISTS, NULL, 0, NULL};
    }
    struct weir_write write = streams_of(parts, WEIR_WRITE_STREAMS_MAX);
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_STREAM_VERSION_CONFLICT);
    assert_detail("stream.99", names[99]);
    assert_detail("actual.99", "-1");
    weir_error_init(&fx.err);  // the error's details lie in the arena
}
END_TEST

START_TEST(an_id_met_in_a_later_stream_takes_the_earlier_ones_back)
{
    must_put(fx.ns, "q-1", 1);
    const struct weir_new_message taken = message_of(32, "taken");
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "q-1", ANY, &taken, 1, &written), WEIR_OK);
    struct two two;
    make_two(&two);
    struct weir_write write = streams_of(two.parts, 3);
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_MESSAGE_ID_CONFLICT);
    assert_detail("stream", "q-1");
    const struct weir_query query = query_all();
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 2);
    ck_assert_int_eq(must_version(fx.ns, "x-1"), -1);
    must_put(fx.ns, "x-1", 1);
    ck_assert_int_eq(must_head(fx.ns), 3);
}
END_TEST

/* ---- groups ---- */

START_TEST(one_id_in_two_writes_of_a_group_is_stored_once)
{
    const struct weir_new_message message = message_of(1, "1");
    const struct weir_new_message other = message_of(1, "2");
    struct weir_written written[3];
    struct weir_stream_append parts[3];
    struct weir_write writes[3] = {write_of(&parts[0], "a-1", ANY, &message, &written[0]),
                                   write_of(&parts[1], "a-1", NO_STREAM, &message, &written[1]),
                                   write_of(&parts[2], "a-1", ANY, &other, &written[2])};
    struct weir_error errors[3];
    commit_group(fx.ns, writes, errors, 3);
    ck_assert_int_eq(errors[0].status, WEIR_OK);
    ck_assert_int_eq(errors[1].status, WEIR_OK);
    ck_assert_int_eq(errors[2].status, WEIR_MESSAGE_ID_CONFLICT);
    ck_assert(!writes[0].of.append.is_duplicate);
    ck_assert(writes[1].of.append.is_duplicate);
    ck_assert_int_eq(written[1].global_position, 1);
    ck_assert_int_eq(must_version(fx.ns, "a-1"), 0);
}
END_TEST

/* To recognise a retry, the group must first write out the messages before it. */
START_TEST(what_a_group_adds_is_counted_once)
{
    const struct weir_new_message messages[] = {message_of(1, "1"), message_of(2, "2")};
    struct weir_written written[4];
    struct weir_stream_append parts[4];
    struct weir_write writes[4] = {write_of(&parts[0], "a-1", ANY, &messages[0], &written[0]),
                                   write_of(&parts[1], "a-1", ANY, &messages[0], &written[1]),
                                   write_of(&parts[2], "a-1", ANY, &messages[1], &written[2]),
                                   write_of(&parts[3], "a-1", ANY, &messages[1], &written[3])};
    struct weir_error errors[4];
    commit_group(fx.ns, writes, errors, 4);
    struct weir_category_list list;
    struct weir_namespace_totals totals;
    ck_assert_int_eq(weir_list_categories(fx.ns, INT64_MAX, &fx.arena, &list, &fx.err), WEIR_OK);
    ck_assert_uint_eq(list.n, 1);
    ck_assert_int_eq(list.categories[0].stream_count, 1);
    ck_assert_int_eq(list.categories[0].message_count, 2);
    ck_assert_int_eq(weir_namespace_totals(fx.ns, INT64_MAX, &totals, &fx.err), WEIR_OK);
    ck_assert(totals.stream_count == 1 && totals.message_count == 2);
}
END_TEST

START_TEST(of_equal_expectations_in_a_group_one_holds)
{
    enum { N = 5 };
    struct weir_new_message messages[N];
    struct weir_written written[N];
    struct weir_stream_append parts[N];
    struct weir_write writes[N];
    struct weir_error errors[N];
    for (size_t w = 0; w < N; w++) {
        messages[w] = message_of(w + 1, "1");
        writes[w] = write_of(&parts[w], "a-1", NO_STREAM, &messages[w], &written[w]);
    }
    commit_group(fx.ns, writes, errors, N);
    ck_assert_int_eq(errors[0].status, WEIR_OK);
    for (size_t w = 1; w < N; w++) {
        ck_assert_int_eq(errors[w].status, WEIR_STREAM_VERSION_CONFLICT);
    }
    ck_assert_int_eq(must_head(fx.ns), 1);
}
END_TEST

START_TEST(a_refused_write_leaves_its_group_alone)
{
    const struct weir_new_message messages[] = {message_of(1, "1"), message_of(2, "2"),
                                                message_of(3, "3"), message_of(1, "other")};
    const struct weir_new_message refused[] = {message_of(8, "8"), message_of(1, "other")};
    struct weir_written written[5];
    struct weir_stream_append parts[4];
    struct weir_import_record records[] = {record_of(20, "i-1", 0, 50), record_of(1, "i-1", 1, 51)};
    struct weir_write writes[5] = {
        write_of(&parts[0], "a-1", ANY, &messages[0], &written[0]),
        write_of(&parts[1], "n-1", ANY, refused, &written[1]),
        write_of(&parts[2], "a-1", EXACT(0), &messages[1], &written[3]),
        {.kind = WEIR_WRITE_IMPORT, .of.import = {.records = records, .n = 2}},
        write_of(&parts[3], "n-1", NO_STREAM, &messages[2], &written[4])};
    parts[1].n = 2;
    struct weir_error errors[5];
    commit_group(fx.ns, writes, errors, 5);
    ck_assert_int_eq(errors[0].status, WEIR_OK);
    ck_assert_int_eq(errors[1].status, WEIR_MESSAGE_ID_CONFLICT);
    ck_assert_int_eq(errors[2].status, WEIR_OK);
    ck_assert_int_eq(errors[3].status, WEIR_MESSAGE_ID_CONFLICT);
    ck_assert_int_eq(errors[4].status, WEIR_OK);
    ck_assert_int_eq(written[3].global_position, 2);
    ck_assert_int_eq(written[4].global_position, 3);
    ck_assert_int_eq(written[4].position, 0);
    ck_assert_int_eq(must_version(fx.ns, "i-1"), -1);

    struct weir_namespace_totals totals;
    ck_assert_int_eq(weir_namespace_totals(fx.ns, INT64_MAX, &totals, &fx.err), WEIR_OK);
    ck_assert_int_eq(totals.message_count, 3);
    ck_assert_int_eq(totals.stream_count, 2);
}
END_TEST

START_TEST(a_write_past_its_deadline_is_not_started)
{
    const struct weir_new_message messages[] = {message_of(1, "1"), message_of(2, "2")};
    struct weir_written written[2];
    struct weir_stream_append parts[2];
    struct weir_write writes[2] = {write_of(&parts[0], "a-1", ANY, &messages[0], &written[0]),
                                   write_of(&parts[1], "a-1", ANY, &messages[1], &written[1])};
    writes[0].deadline_us = 1;
    struct weir_error errors[2];
    commit_group(fx.ns, writes, errors, 2);
    ck_assert_int_eq(errors[0].status, WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_eq(errors[1].status, WEIR_OK);
    ck_assert_int_eq(written[1].position, 0);

    struct weir_write alone = write_of(&parts[0], "a-1", ANY, &messages[0], &written[0]);
    alone.deadline_us = 1;
    ck_assert_int_eq(commit_write(fx.ns, &alone), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_eq(must_head(fx.ns), 1);
}
END_TEST

/* ---- clearing ---- */

START_TEST(clearing_removes_all_but_the_counter)
{
    put_batch();
    must_put(fx.ns, "c-1", 2);
    struct weir_write clear = {.kind = WEIR_WRITE_CLEAR};
    ck_assert_int_eq(commit_write(fx.ns, &clear), WEIR_OK);
    ck_assert_int_eq(clear.of.clear.messages_deleted, 6);
    ck_assert_int_eq(must_version(fx.ns, "b-1"), -1);
    ck_assert_int_eq(must_head(fx.ns), 6);
    struct weir_category_list list = {.n = 1};
    ck_assert_int_eq(weir_list_categories(fx.ns, INT64_MAX, &fx.arena, &list, &fx.err), WEIR_OK);
    ck_assert_uint_eq(list.n, 0);
    put_batch();  // the ids may be used again
    ck_assert_int_eq(must_head(fx.ns), 10);
}
END_TEST

START_TEST(clearing_stands_in_its_place_in_the_group)
{
    const struct weir_new_message messages[] = {message_of(1, "1"), message_of(1, "1")};
    struct weir_written written[2];
    struct weir_stream_append parts[2];
    struct weir_write writes[3] = {
        write_of(&parts[0], "a-1", ANY, &messages[0], &written[0]),
        {.kind = WEIR_WRITE_CLEAR},
        write_of(&parts[1], "a-1", NO_STREAM, &messages[1], &written[1])};
    struct weir_error errors[3];
    commit_group(fx.ns, writes, errors, 3);
    ck_assert_int_eq(errors[2].status, WEIR_OK);
    ck_assert_int_eq(writes[1].of.clear.messages_deleted, 1);
    ck_assert(!writes[2].of.append.is_duplicate);
    ck_assert_int_eq(written[1].position, 0);
    ck_assert_int_eq(written[1].global_position, 2);
}
END_TEST

static void add_case(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, fixture_end);
    tcase_add_test(tcase, positions_count_from_zero_and_global_positions_from_one);
    tcase_add_test(tcase, every_field_comes_back);
    tcase_add_test(tcase, absent_and_empty_stay_apart);
    tcase_add_test(tcase, names_are_bytes);
    tcase_add_loop_test(tcase, an_expectation_is_judged, 0, WEIR_COUNTOF(expectations));
    tcase_add_loop_test(tcase, an_id_that_is_there_is_a_retry_or_a_conflict, 0,
                        WEIR_COUNTOF(retries));
    tcase_add_loop_test(tcase, a_batch_is_a_retry_as_a_whole_or_not_at_all, 0,
                        WEIR_COUNTOF(batches));
    tcase_add_test(tcase, of_a_batch_the_message_that_differs_is_told);
    tcase_add_test(tcase, a_made_up_id_is_not_looked_up_where_the_expectation_fails);
    tcase_add_test(tcase, several_streams_are_written_at_once);
    tcase_add_test(tcase, several_streams_sent_again_give_the_original_result);
    tcase_add_test(tcase, every_failed_expectation_is_reported);
    tcase_add_test(tcase, a_hundred_failed_expectations_of_long_names_are_all_reported);
    tcase_add_test(tcase, an_id_met_in_a_later_stream_takes_the_earlier_ones_back);
    tcase_add_test(tcase, one_id_in_two_writes_of_a_group_is_stored_once);
    tcase_add_test(tcase, what_a_group_adds_is_counted_once);
    tcase_add_test(tcase, of_equal_expectations_in_a_group_one_holds);
    tcase_add_test(tcase, a_refused_write_leaves_its_group_alone);
    tcase_add_test(tcase, a_write_past_its_deadline_is_not_started);
    tcase_add_test(tcase, clearing_removes_all_but_the_counter);
    tcase_add_test(tcase, clearing_stands_in_its_place_in_the_group);
    suite_add_tcase(suite, tcase);
}

static Suite *sqlite_append_suite(void)
{
    Suite *suite = suite_create("sqlite_append");
    add_case(suite, "on disk", fixture_on_disk);
    add_case(suite, "in memory", fixture_in_memory);
    return suite;
}

int main(void)
{
    return check_main(sqlite_append_suite());
}
