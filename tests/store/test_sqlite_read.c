/* Reads and listings on SQLite: selection, next position, truncation. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "store/read_rules.h"
#include "weir/base/monotonic.h"
#include "weir/rules/limits.h"
#include "weir/rules/stream_name.h"

#include <stdio.h>

/* ---- what the tests read: 12 messages ----
 *
 * global  1    2    3    4    5    6    7    8    9    10   11   12
 * stream  a-1  a-1  b-1  a-2  a-1  a    b-1  a-1  a-2  -x   a-1  b-1
 * type    A    B    A    A    A    B    B    A    B    A    B    A
 * corr.   -    w    w    -    v    w    -    -    w    w    -    ""   */

struct example {
    const char *stream;
    const char *type;
    const char *correlation;
};

static const struct example examples[] = {
    {"a-1", "A", NULL}, {"a-1", "B", "w"}, {"b-1", "A", "w"},  {"a-2", "A", NULL},
    {"a-1", "A", "v"},  {"a", "B", "w"},   {"b-1", "B", NULL}, {"a-1", "A", NULL},
    {"a-2", "B", "w"},  {"-x", "A", "w"},  {"a-1", "B", NULL}, {"b-1", "A", ""},
};

static void put_examples(void)
{
    for (size_t i = 0; i < WEIR_COUNTOF(examples); i++) {
        struct weir_new_message message = message_of(i + 1, "{}");
        message.type = weir_slice_of(examples[i].type);
        message.correlation = weir_slice_of(examples[i].correlation);
        struct weir_written written;
        ck_assert_int_eq(append(fx.ns, examples[i].stream, ANY, &message, 1, &written), WEIR_OK);
    }
}

static void assert_globals(const int64_t *globals, size_t n)
{
    ck_assert_uint_eq(fx.rows.n, n);
    for (size_t i = 0; i < n; i++) {
        const struct weir_row *row = &fx.rows.rows[i];
        ck_assert_int_eq(row->global_position, globals[i]);
        ck_assert(weir_slice_is(row->stream, examples[globals[i] - 1].stream));
        ck_assert(weir_slice_is(row->type, examples[globals[i] - 1].type));
    }
}

/* ---- selection and next position ---- */

enum { STREAM = WEIR_SELECT_STREAM, CATEGORY = WEIR_SELECT_CATEGORY, ALL = WEIR_SELECT_ALL };
enum { NEWEST = 1, BACK = 2, GLOBAL = 4, UNLIMITED = 8 };

static const struct {
    int selector;
    const char *name;
    int flags;
    int64_t from;
    int64_t max;
    const char *types;        // one letter for each type
    const char *correlation;  // NULL: no filter
    int64_t globals[8];       // expected; 0 ends the list
    int64_t next;
    bool is_truncated;
} reads[] = {
    /* Streams: positions 0..4 of a-1 have the global positions 1 2 5 8 11 */
    {STREAM, "a-1", 0, 0, 100, "", NULL, {1, 2, 5, 8, 11}, 5, false},
    {STREAM, "a-1", 0, 0, 2, "", NULL, {1, 2}, 2, false},
    {STREAM, "a-1", 0, 0, 5, "", NULL, {1, 2, 5, 8, 11}, 5, false},
    {STREAM, "a-1", 0, 3, 100, "", NULL, {8, 11}, 5, false},
    {STREAM, "a-1", 0, 5, 100, "", NULL, {0}, 5, false},
    {STREAM, "a-1", 0, 99, 100, "", NULL, {0}, 99, false},
    {STREAM, "a-1", 0, INT64_MAX, 100, "", NULL, {0}, INT64_MAX, false},
    {STREAM, "a-1", 0, -7, 1, "", NULL, {1}, 1, false},
    {STREAM, "a-1", 0, INT64_MIN, 1, "", NULL, {1}, 1, false},
    {STREAM, "a-1", 0, 2, 0, "", NULL, {0}, 2, false},
    {STREAM, "none", 0, 0, 100, "", NULL, {0}, 0, false},
    {STREAM, "none", 0, 6, 100, "", NULL, {0}, 6, false},
    {STREAM, "a-1", 0, 0, 100, "B", NULL, {2, 11}, 5, false},
    {STREAM, "a-1", 0, 0, 2, "B", NULL, {2, 11}, 5, false},
    {STREAM, "a-1", 0, 0, 1, "B", NULL, {2}, 2, false},
    {STREAM, "a-1", 0, 2, 3, "C", NULL, {0}, 5, false},
    {STREAM, "a-1", 0, 0, 100, "CAB", NULL, {1, 2, 5, 8, 11}, 5, false},
    {STREAM, "a-1", UNLIMITED, 0, 3, "", NULL, {1, 2, 5}, 3, true},
    {STREAM, "a-1", UNLIMITED, 0, 5, "", NULL, {1, 2, 5, 8, 11}, 5, false},
    {STREAM, "a-1", UNLIMITED, 0, 1, "B", NULL, {2}, 2, true},
    /* Streams from a global position: next_position is still a position in the stream */
    {STREAM, "a-1", GLOBAL, 3, 100, "", NULL, {5, 8, 11}, 5, false},
    {STREAM, "a-1", GLOBAL, 2, 2, "", NULL, {2, 5}, 3, false},
    {STREAM, "a-1", GLOBAL, 12, 100, "", NULL, {0}, 5, false},
    {STREAM, "a-1", GLOBAL, 1000, 100, "", NULL, {0}, 5, false},
    {STREAM, "a-1", GLOBAL, -1, 1, "", NULL, {1}, 1, false},
    {STREAM, "none", GLOBAL, 3, 100, "", NULL, {0}, 0, false},
    {STREAM, "a-1", GLOBAL | BACK, 6, 100, "", NULL, {5, 2, 1}, -1, false},
    /* Streams backward */
    {STREAM, "a-1", BACK, 2, 100, "", NULL, {5, 2, 1}, -1, false},
    {STREAM, "a-1", BACK, 2, 2, "", NULL, {5, 2}, 0, false},
    {STREAM, "a-1", BACK, 99, 1, "", NULL, {11}, 3, false},
    {STREAM, "a-1", BACK, INT64_MAX, 1, "", NULL, {11}, 3, false},
    {STREAM, "a-1", BACK, -1, 100, "", NULL, {0}, -1, false},
    {STREAM, "a-1", BACK, INT64_MIN, 100, "", NULL, {0}, INT64_MIN, false},
    {STREAM, "a-1", BACK | NEWEST, 0, 1, "", NULL, {11}, 3, false},
    {STREAM, "a-1", BACK | NEWEST, 0, 1, "A", NULL, {8}, 2, false},
    {STREAM, "a-1", BACK, 3, 1, "C", NULL, {0}, 3, false},
    {STREAM, "none", BACK | NEWEST, 0, 1, "", NULL, {0}, -1, false},
    {STREAM, "a-1", BACK | UNLIMITED, 4, 4, "", NULL, {11, 8, 5, 2}, 0, true},
    /* Categories */
    {CATEGORY, "a", 0, 1, 100, "", NULL, {1, 2, 4, 5, 6, 8, 9, 11}, 13, false},
    {CATEGORY, "a", 0, 0, 3, "", NULL, {1, 2, 4}, 5, false},
    {CATEGORY, "a", 0, INT64_MIN, 1, "", NULL, {1}, 2, false},
    {CATEGORY, "a", 0, 9, 100, "", NULL, {9, 11}, 13, false},
    {CATEGORY, "a", 0, 12, 100, "", NULL, {0}, 13, false},
    {CATEGORY, "a", 0, 13, 100, "", NULL, {0}, 13, false},
    {CATEGORY, "a", 0, 500, 100, "", NULL, {0}, 500, false},
    {CATEGORY, "a", 0, 5, 0, "", NULL, {0}, 5, false},
    {CATEGORY, "none", 0, 1, 100, "", NULL, {0}, 13, false},
    {CATEGORY, "A", 0, 1, 100, "", NULL, {0}, 13, false},
    {CATEGORY, "", 0, 1, 100, "", NULL, {10}, 13, false},
    {CATEGORY, "a", 0, 1, 100, "B", NULL, {2, 6, 9, 11}, 13, false},
    {CATEGORY, "a", 0, 1, 2, "B", NULL, {2, 6}, 7, false},
    {CATEGORY, "a", 0, 1, 100, "", "w", {2, 6, 9}, 13, false},
    {CATEGORY, "a", 0, 3, 1, "", "w", {6}, 7, false},
    {CATEGORY, "a", 0, 1, 100, "B", "v", {0}, 13, false},
    {CATEGORY, "b", 0, 1, 100, "", "", {12}, 13, false},
    {CATEGORY, "a", UNLIMITED, 1, 3, "", "w", {2, 6, 9}, 10, false},
    {CATEGORY, "a", UNLIMITED, 1, 2, "", "w", {2, 6}, 7, true},
    {CATEGORY, "a", BACK | NEWEST, 0, 2, "", NULL, {11, 9}, 8, false},
    {CATEGORY, "a", BACK, 8, 100, "", "w", {6, 2}, 1, false},
    {CATEGORY, "a", BACK, 0, 100, "", NULL, {0}, 0, false},
    {CATEGORY, "none", BACK | NEWEST, 0, 100, "", NULL, {0}, 12, false},
    /* The whole namespace */
    {ALL, NULL, 0, 1, 3, "", NULL, {1, 2, 3}, 4, false},
    {ALL, NULL, 0, 10, 100, "", NULL, {10, 11, 12}, 13, false},
    {ALL, NULL, 0, 13, 100, "", NULL, {0}, 13, false},
    {ALL, NULL, 0, 1, 100, "", "w", {2, 3, 6, 9, 10}, 13, false},
    {ALL, NULL, 0, 4, 2, "B", "w", {6, 9}, 10, false},
    {ALL, NULL, BACK | NEWEST, 0, 2, "", NULL, {12, 11}, 10, false},
    {ALL, NULL, BACK, 3, 100, "A", NULL, {3, 1}, 0, false},
};

START_TEST(a_read_selects_and_says_where_to_go_on)
{
    put_examples();
    struct weir_slice types[8];
    struct weir_query query = {.selector = (enum weir_selector)reads[_i].selector,
                               .name = weir_slice_of(reads[_i].name),
                               .is_backward = (reads[_i].flags & BACK) != 0,
                               .is_from_newest = (reads[_i].flags & NEWEST) != 0,
                               .is_from_global = (reads[_i].flags & GLOBAL) != 0,
                               .is_unlimited = (reads[_i].flags & UNLIMITED) != 0,
                               .from = reads[_i].from,
                               .max_messages = reads[_i].max,
                               .max_bytes = SIZE_MAX,
                               .types = types,
                               .types_n = strlen(reads[_i].types),
                               .correlation = weir_slice_of(reads[_i].correlation),
                               .deadline_us = INT64_MAX};
    for (size_t t = 0; t < query.types_n; t++) {
        types[t] = weir_slice(reads[_i].types + t, 1);
    }
    size_t n = 0;
    while (reads[_i].globals[n] != 0 && ++n < WEIR_COUNTOF(reads[_i].globals)) {
    }
    must_read(fx.ns, &query);
    assert_globals(reads[_i].globals, n);
    ck_assert_int_eq(fx.rows.next_position, reads[_i].next);
    ck_assert(fx.rows.is_truncated == reads[_i].is_truncated);
}
END_TEST

START_TEST(an_empty_namespace_is_read)
{
    struct weir_query query = query_all();
    query.from = 1;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 0);
    ck_assert_int_eq(fx.rows.next_position, 1);
    query.is_backward = true;
    query.is_from_newest = true;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 0);
    ck_assert_int_eq(fx.rows.next_position, 0);
    ck_assert_int_eq(must_head(fx.ns), 0);
}
END_TEST

static void assert_category(const char *category, size_t n, int64_t next_position)
{
    struct weir_query query = query_category(category);
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, n);
    ck_assert_int_eq(fx.rows.next_position, next_position);
    query.is_backward = true;
    query.is_from_newest = true;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, n);
}

/* The same session has read the category before, when it was the whole namespace. */
START_TEST(a_category_is_itself_also_when_it_is_no_longer_all)
{
    must_put(fx.ns, "a-1", 2);
    must_put(fx.ns, "a-2", 1);
    assert_category("a", 3, 4);
    assert_category("b", 0, 4);
    must_put(fx.ns, "b-1", 1);
    assert_category("a", 3, 5);
    assert_category("b", 1, 5);
    must_put(fx.ns, "a-1", 1);
    assert_category("a", 4, 6);
    assert_category("b", 1, 6);
}
END_TEST

START_TEST(many_types_are_one_filter)
{
    put_examples();
    char names[WEIR_READ_TYPES_MAX][8];
    struct weir_slice types[WEIR_READ_TYPES_MAX];
    for (size_t t = 0; t < WEIR_READ_TYPES_MAX; t++) {
        (void)snprintf(names[t], sizeof names[t], "X%zu", t);
        types[t] = weir_slice_of(names[t]);
    }
    types[(size_t)_i - 1] = weir_slice_of("B");
    struct weir_query query = query_category("a");
    query.types = types;
    query.types_n = (size_t)_i;
    must_read(fx.ns, &query);
    static const int64_t globals[] = {2, 6, 9, 11};
    assert_globals(globals, 4);
}
END_TEST

START_TEST(headers_leave_data_and_metadata_out)
{
    put_examples();
    struct weir_query query = query_category("a");
    query.is_headers_only = true;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 8);
    ck_assert_ptr_null(fx.rows.rows[0].data.p);
    ck_assert(weir_slice_is(fx.rows.rows[1].type, "B"));
}
END_TEST

/* Short data are stored in the row, long data separately, and longer data on their own pages. A
 * retry is compared with the data read. */
START_TEST(data_and_metadata_of_any_length_come_back)
{
    static const size_t lengths[] = {0, 3, 1500, 5000};
    enum { LENGTHS = WEIR_COUNTOF(lengths), MESSAGES = LENGTHS * LENGTHS };
    static char data[5000];
    static char metadata[5000];
    struct weir_new_message messages[MESSAGES];
    struct weir_written written;
    memset(data, '1', sizeof data);
    memset(metadata, '2', sizeof metadata);
    for (size_t m = 0; m < MESSAGES; m++) {
        const size_t data_n = lengths[m / LENGTHS];
        const size_t metadata_n = lengths[m % LENGTHS];
        messages[m] = message_of(m + 1, NULL);
        messages[m].data = weir_slice(data_n == 0 ? NULL : data, data_n);
        messages[m].metadata = weir_slice(metadata_n == 0 ? NULL : metadata, metadata_n);
        ck_assert_int_eq(append(fx.ns, "a-1", ANY, &messages[m], 1, &written), WEIR_OK);
    }
    struct weir_query query = _i == 0 ? query_category("a") : query_stream("a-1");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, MESSAGES);
    for (size_t m = 0; m < MESSAGES; m++) {
        ck_assert(weir_slice_equal(fx.rows.rows[m].data, messages[m].data));
        ck_assert(weir_slice_equal(fx.rows.rows[m].metadata, messages[m].metadata));
        ck_assert_int_eq(append(fx.ns, "a-1", ANY, &messages[m], 1, &written), WEIR_OK);
        ck_assert_int_eq(written.position, (int64_t)m);
    }
    query.is_headers_only = true;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, MESSAGES);
    for (size_t m = 0; m < MESSAGES; m++) {
        ck_assert_ptr_null(fx.rows.rows[m].data.p);
        ck_assert_ptr_null(fx.rows.rows[m].metadata.p);
        ck_assert(weir_slice_is(fx.rows.rows[m].stream, "a-1"));
    }
}
END_TEST

/* ---- consumer groups ---- */

START_TEST(group_members_share_the_streams_with_ids)
{
    static const int64_t sizes[] = {1, 2, 3, 16, 40000, INT64_MAX};
    const int64_t size = sizes[_i];
    char name[32];
    for (int s = 0; s < 40; s++) {
        (void)snprintf(name, sizeof name, s == 7 ? "g" : s == 8 ? "g-" : "g-%d+%d", s, s % 3);
        must_put(fx.ns, name, 2);
    }
    struct weir_query query = query_category("g");
    query.group_size = size;
    size_t total = 0;
    const struct weir_slice ids[] = {weir_slice_of("3"), weir_slice_of("")};
    for (int64_t m = 0; m < (size < 20 ? size : 2); m++) {
        query.group_member = size < 20 ? m : weir_hash_member(weir_hash_64(ids[m]), size);
        must_read(fx.ns, &query);
        for (size_t i = 0; i < fx.rows.n; i++) {
            ck_assert_int_eq(weir_name_member(fx.rows.rows[i].stream, size), query.group_member);
        }
        total += fx.rows.n;
    }
    ck_assert_uint_eq(total, size < 20 ? 78 : 4);  // all but those of the stream "g"
}
END_TEST

START_TEST(a_group_is_filtered_before_the_batch_is_full)
{
    must_put(fx.ns, "g-1", 50);
    must_put(fx.ns, "g-2", 1);
    struct weir_query query = query_all();
    query.group_size = 1000;
    query.group_member = weir_name_member(weir_slice_of("g-2"), 1000);
    query.max_messages = 1;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    ck_assert_int_eq(fx.rows.rows[0].global_position, 51);
}
END_TEST

/* ---- limits ---- */

static size_t packed_bytes(const struct weir_row *row)
{
    return row->stream.n + row->type.n + row->data.n + row->metadata.n + WEIR_PACKED_REST_BYTES;
}

/* Every text of a message counts, and its fixed size: small messages with long names, and so on. A
 * reply has exactly as many messages as fit. */
START_TEST(a_reply_holds_what_fits_into_its_bytes)
{
    enum { MESSAGES = 24, LONG = 300 };
    char texts[4][LONG + 1];
    size_t sizes[MESSAGES];
    for (size_t i = 0; i < MESSAGES; i++) {
        for (size_t t = 0; t < 4; t++) {
            const size_t n = i % 4 == t ? LONG : 3;
            memset(texts[t], '7', n);
            texts[t][n] = '\0';
        }
        memcpy(texts[0], "a-", 2);
        struct weir_new_message message = message_of(i + 1, texts[2]);
        message.type = weir_slice_of(texts[1]);
        message.metadata = weir_slice_of(texts[3]);
        struct weir_written written;
        ck_assert_int_eq(append(fx.ns, texts[0], ANY, &message, 1, &written), WEIR_OK);
    }
    struct weir_query query = _i == 0 ? query_category("a") : query_all();
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, MESSAGES);
    for (size_t i = 0; i < MESSAGES; i++) {
        sizes[i] = packed_bytes(&fx.rows.rows[i]);
    }
    size_t bytes = sizes[0];
    for (size_t n = 1; n < MESSAGES; n++) {
        query.max_bytes = bytes + sizes[n] - 1;
        must_read(fx.ns, &query);
        ck_assert_uint_eq(fx.rows.n, n);
        ck_assert(fx.rows.is_truncated);
        bytes += sizes[n];
        query.max_bytes = bytes;
        must_read(fx.ns, &query);
        ck_assert_uint_eq(fx.rows.n, n + 1);
        ck_assert(fx.rows.is_truncated == (n + 1 < MESSAGES));
    }
}
END_TEST

START_TEST(a_reply_is_cut_at_its_bytes_but_never_empty)
{
    char data[2001];
    memset(data, '1', 2000);
    data[2000] = '\0';
    for (uint64_t i = 0; i < 6; i++) {
        const struct weir_new_message message = message_of(i + 1, data);
        struct weir_written written;
        ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    }
    struct weir_query query = query_stream("a-1");
    static const struct {
        size_t max_bytes;
        size_t n;
        bool is_truncated;
    } cuts[] = {{0, 1, true},    {1, 1, true},         {4000, 1, true},
                {4400, 2, true}, {1u << 20, 6, false}, {SIZE_MAX, 6, false}};
    for (size_t c = 0; c < WEIR_COUNTOF(cuts); c++) {
        query.max_bytes = cuts[c].max_bytes;
        must_read(fx.ns, &query);
        ck_assert_uint_eq(fx.rows.n, cuts[c].n);
        ck_assert(fx.rows.is_truncated == cuts[c].is_truncated);
        ck_assert_int_eq(fx.rows.next_position, (int64_t)cuts[c].n);
    }
    query.max_bytes = 1;
    query.from = 5;  // the last message alone is not cut
    must_read(fx.ns, &query);
    ck_assert(!fx.rows.is_truncated);
    query.from = 0;
    query.max_messages = 1;  // neither is a full batch
    must_read(fx.ns, &query);
    ck_assert(!fx.rows.is_truncated);
}
END_TEST

START_TEST(room_is_taken_for_what_can_be_there)
{
    must_put(fx.ns, "a-1", 5);
    must_put(fx.ns, "a-2", 2);
    must_put(fx.ns, "b-1", 300);
    struct weir_query query = query_stream("a-1");
    query.max_messages = 10000;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 5);
    ck_assert_uint_lt(fx.arena.used_bytes, 5 * (sizeof(struct weir_row) + 64) + 64);
    query = query_category("a");
    query.max_messages = 10000;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 7);
    ck_assert_uint_lt(fx.arena.used_bytes, 7 * (sizeof(struct weir_row) + 64) + 64);
    query = query_all();
    query.from = 300;
    query.max_messages = 10000;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 8);
    ck_assert_uint_lt(fx.arena.used_bytes, 8 * (sizeof(struct weir_row) + 64) + 64);
    query = query_stream("b-1");
    query.from = 299;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    ck_assert_uint_lt(fx.arena.used_bytes, sizeof(struct weir_row) + 128);
}
END_TEST

START_TEST(a_full_arena_is_a_limit)
{
    must_put(fx.ns, "a-1", 50);
    struct weir_arena small;
    weir_arena_init(&small, (size_t)_i * 100, 0);
    const struct weir_query query = query_all();
    ck_assert_int_eq(weir_read(fx.ns, &query, &small, &fx.rows, &fx.err), WEIR_LIMIT_EXCEEDED);
    weir_arena_fini(&small);
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 50);
}
END_TEST

/* Nor does the read go on with smaller ones behind it. */
START_TEST(a_message_too_large_for_the_arena_is_not_passed_over)
{
    char large[20001];
    memset(large, '1', 20000);
    large[20000] = '\0';
    const char *const data[] = {"{}", large, "{}"};
    for (size_t i = 0; i < WEIR_COUNTOF(data); i++) {
        const struct weir_new_message message = message_of(i + 1, data[i]);
        struct weir_written written;
        ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    }
    struct weir_arena small;
    weir_arena_init(&small, 10000, 0);
    struct weir_query query = _i == 0 ? query_stream("a-1") : query_all();
    query.is_unlimited = _i == 0;
    ck_assert_int_eq(weir_read(fx.ns, &query, &small, &fx.rows, &fx.err), WEIR_LIMIT_EXCEEDED);
    weir_arena_fini(&small);
}
END_TEST

/* Returns a query that examines many messages and finds none. */
static struct weir_query long_search(void)
{
    static struct weir_slice type;
    type = weir_slice_of("nothing");
    must_put(fx.ns, "a-1", 1000);
    must_put(fx.ns, "a-1", 1000);
    struct weir_query query = query_category("a");
    query.types = &type;
    query.types_n = 1;
    return query;
}

START_TEST(a_deadline_ends_a_long_search)
{
    struct weir_query query = long_search();
    query.deadline_us = 1;
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_DEADLINE_EXCEEDED);
    query.deadline_us = INT64_MAX;
    must_read(fx.ns, &query);  // the session remains usable
    ck_assert_uint_eq(fx.rows.n, 0);
}
END_TEST

static void count_call(void *context)
{
    ++*(size_t *)context;
}

/* Its thread ends other calls whose deadline passes meanwhile. In memory it holds the store's lock
 * and says nothing; for a database server the thread waits, as long as that takes. */
START_TEST(a_long_search_says_that_it_keeps_its_thread)
{
    size_t calls = 0;
    weir_store_on_wait(fx.store, count_call, &calls);
    struct weir_query query = long_search();
    query.deadline_us = weir_monotonic_us() + INT64_C(3600) * 1000000;
    must_read(fx.ns, &query);
    const bool is_in_memory = strcmp(fx.url, "sqlite::memory:") == 0;
    ck_assert(fx.dir[0] != '\0' ? calls > 0 : !is_in_memory || calls == 0);
}
END_TEST

/* ---- the last message, versions ---- */

START_TEST(the_last_message_is_found)
{
    put_examples();
    static const struct {
        const char *stream;
        const char *type;
        int64_t global;
    } lasts[] = {{"a-1", NULL, 11}, {"a-1", "", 11}, {"a-1", "A", 8},
                 {"a-1", "C", 0},   {"a", "B", 6},   {"none", NULL, 0}};
    for (size_t i = 0; i < WEIR_COUNTOF(lasts); i++) {
        const struct weir_slice type = weir_slice_of(lasts[i].type);
        struct weir_query query = query_stream(lasts[i].stream);
        query.types = &type;
        query.types_n = lasts[i].type != NULL;
        const struct weir_query last = weir_query_of_last(&query);
        ck_assert_int_eq(weir_read(fx.ns, &last, &fx.arena, &fx.rows, &fx.err), WEIR_OK);
        ck_assert_uint_eq(fx.rows.n, lasts[i].global > 0);
        if (fx.rows.n == 1) {
            ck_assert_int_eq(fx.rows.rows[0].global_position, lasts[i].global);
        }
    }
}
END_TEST

/* ---- listings ---- */

static const char *const listed[] = {"-x",  "A-1",  "a",   "a%b-1", "a-1", "a-10",
                                     "a-2", "aB-1", "a_b", "ab-1",  "b",   "\xc3\xa9-1"};

static const struct {
    const char *prefix;
    const char *after;
    size_t limit;
    size_t first;  // index in `listed`
    size_t n;
    bool is_more;
} pages[] = {
    {NULL, NULL, 100, 0, 12, false}, {"", "", 12, 0, 12, false},   {"", "", 11, 0, 11, true},
    {"", "a-1", 2, 5, 2, true},      {"a", "", 100, 2, 8, false},  {"a", "a-2", 100, 7, 3, false},
    {"a", "A", 1, 2, 1, true},       {"a", "b", 100, 0, 0, false}, {"a-", NULL, 3, 4, 3, false},
    {"a%", NULL, 3, 3, 1, false},    {"a_", NULL, 3, 8, 1, false}, {"zz", NULL, 3, 0, 0, false},
    {"\xc3", NULL, 3, 11, 1, false},
};

START_TEST(streams_are_listed_bytewise_by_literal_prefix)
{
    for (size_t i = WEIR_COUNTOF(listed); i-- > 0;) {
        must_put(fx.ns, listed[i], 1);
    }
    for (size_t p = 0; p < WEIR_COUNTOF(pages); p++) {
        const struct weir_page_query query = {.prefix = weir_slice_of(pages[p].prefix),
                                              .after = weir_slice_of(pages[p].after),
                                              .limit = pages[p].limit,
                                              .deadline_us = INT64_MAX};
        struct weir_stream_page page = {.is_more = !pages[p].is_more};
        ck_assert_int_eq(weir_list_streams(fx.ns, &query, &fx.arena, &page, &fx.err), WEIR_OK);
        ck_assert_uint_eq(page.n, pages[p].n);
        ck_assert(page.is_more == pages[p].is_more);
        for (size_t i = 0; i < page.n; i++) {
            ck_assert(weir_slice_is(page.streams[i].name, listed[pages[p].first + i]));
        }
    }
}
END_TEST

START_TEST(categories_are_listed_with_their_counts)
{
    put_examples();
    struct weir_category_list list;
    ck_assert_int_eq(weir_list_categories(fx.ns, INT64_MAX, &fx.arena, &list, &fx.err), WEIR_OK);
    const struct weir_category_info *infos = list.categories;
    ck_assert_uint_eq(list.n, 3);
    ck_assert(weir_slice_is(infos[0].name, ""));
    ck_assert(weir_slice_is(infos[1].name, "a"));
    ck_assert_int_eq(infos[1].stream_count, 3);
    ck_assert_int_eq(infos[1].message_count, 8);
    ck_assert(weir_slice_is(infos[2].name, "b"));
    ck_assert_int_eq(infos[2].message_count, 3);
}
END_TEST

static void add_case(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, fixture_end);
    tcase_add_loop_test(tcase, a_read_selects_and_says_where_to_go_on, 0, WEIR_COUNTOF(reads));
    tcase_add_test(tcase, an_empty_namespace_is_read);
    tcase_add_test(tcase, a_category_is_itself_also_when_it_is_no_longer_all);
    tcase_add_loop_test(tcase, many_types_are_one_filter, 1, WEIR_READ_TYPES_MAX + 1);
    tcase_add_test(tcase, headers_leave_data_and_metadata_out);
    tcase_add_loop_test(tcase, data_and_metadata_of_any_length_come_back, 0, 2);
    tcase_add_loop_test(tcase, group_members_share_the_streams_with_ids, 0, 6);
    tcase_add_test(tcase, a_group_is_filtered_before_the_batch_is_full);
    tcase_add_test(tcase, a_reply_is_cut_at_its_bytes_but_never_empty);
    tcase_add_loop_test(tcase, a_reply_holds_what_fits_into_its_bytes, 0, 2);
    tcase_add_test(tcase, room_is_taken_for_what_can_be_there);
    tcase_add_loop_test(tcase, a_full_arena_is_a_limit, 0, 60);
    tcase_add_loop_test(tcase, a_message_too_large_for_the_arena_is_not_passed_over, 0, 2);
    tcase_add_test(tcase, a_deadline_ends_a_long_search);
    tcase_add_test(tcase, a_long_search_says_that_it_keeps_its_thread);
    tcase_add_test(tcase, the_last_message_is_found);
    tcase_add_test(tcase, streams_are_listed_bytewise_by_literal_prefix);
    tcase_add_test(tcase, categories_are_listed_with_their_counts);
    suite_add_tcase(suite, tcase);
}

static Suite *sqlite_read_suite(void)
{
    Suite *suite = suite_create("sqlite_read");
    add_case(suite, "on disk", fixture_on_disk);
    add_case(suite, "in memory", fixture_in_memory);
    return suite;
}

int main(void)
{
    return check_main(sqlite_read_suite());
}
