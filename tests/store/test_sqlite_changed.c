/* SQLite files changed by another program: damage is reported by name, impossible numbers are never
 * used in calculations, and counters at the end of their range fail cleanly. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

/* ---- writes ---- */

START_TEST(time_does_not_go_back)
{
    must_put(fx.ns, "a-1", 1);
    /* Deletes the counters unless they hold the time of the newest write; without counters the
     * append below would fail. */
    tamper("DELETE FROM counters WHERE printf('%016X', last_write_us) <> "
           "(SELECT max(hex(substr(packed, 17, 8))) FROM messages)");
    tamper("UPDATE counters SET last_write_us = 4102444800000000");  // in the year 2100
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    ck_assert_int_eq(written.time_us, 4102444800000000);
}
END_TEST

START_TEST(global_positions_run_out_cleanly)
{
    must_put(fx.ns, "a-1", 1);
    tamper("UPDATE counters SET next_global_position = 9223372036854775805");
    const struct weir_new_message messages[] = {message_of(1, "1"), message_of(2, "2"),
                                                message_of(3, "3")};
    struct weir_written written[3];
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 3, written), WEIR_OUT_OF_POSITIONS);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 2, written), WEIR_OK);
    ck_assert_int_eq(written[1].global_position, INT64_MAX - 1);
    ck_assert_int_eq(append(fx.ns, "a-2", ANY, &messages[2], 1, written), WEIR_OUT_OF_POSITIONS);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 2, written), WEIR_OK);  // a retry
    ck_assert_int_eq(written[0].position, 1);
    struct weir_query query = query_all();
    query.from = 2;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 2);
    ck_assert_int_eq(fx.rows.next_position, INT64_MAX);
}
END_TEST

START_TEST(positions_of_a_stream_run_out_cleanly)
{
    must_put(fx.ns, "a-1", 1);
    tamper("UPDATE streams SET version = 9223372036854775805");
    const struct weir_new_message messages[] = {message_of(1, "1"), message_of(2, "2")};
    struct weir_written written[2];
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 2, written), WEIR_OUT_OF_POSITIONS);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages, 1, written), WEIR_OK);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, messages + 1, 1, written), WEIR_OUT_OF_POSITIONS);
    ck_assert_int_eq(append(fx.ns, "a-2", ANY, messages + 1, 1, written), WEIR_OK);
}
END_TEST

static const char *const wrong_counters[] = {
    "UPDATE counters SET next_global_position = -9223372036854775807 - 1",
    "UPDATE counters SET message_count = 9223372036854775807",
    "UPDATE counters SET message_count = -1",
    "UPDATE counters SET stream_count = 9223372036854775807",
    "UPDATE counters SET stream_count = -1",
    "UPDATE streams SET version = 9223372036854775807 WHERE name = 'a-1'",
    "UPDATE streams SET version = -2 WHERE name = 'a-1'",
    "UPDATE streams SET stream_id = 9223372036854775807 WHERE name = 'b-1'",
    "UPDATE categories SET category_id = 9223372036854775807 WHERE name = 'b'",
};

START_TEST(damaged_counters_are_not_calculated_with)
{
    must_put(fx.ns, "a-1", 1);
    must_put(fx.ns, "b-1", 1);
    tamper(wrong_counters[_i]);
    struct weir_new_message messages[] = {message_of(1, "1"), message_of(2, "2")};
    struct weir_written written[2];
    struct weir_stream_append parts[] = {{weir_slice_of("a-1"), ANY, &messages[0], 1, &written[0]},
                                         {weir_slice_of("c-1"), ANY, &messages[1], 1, &written[1]}};
    struct weir_write write = {.kind = WEIR_WRITE_APPEND, .of.append = {.streams = parts, .n = 2}};
    ck_assert_int_eq(commit_write(fx.ns, &write), WEIR_DATA_CORRUPT);
}
END_TEST

enum { ITS_RETRY, ITS_STREAM, ITS_POSITION, ITS_ID };

/* Cuts the packed message but keeps the id that the index has. */
#define CUT_FIRST "UPDATE messages SET packed = substr(packed, 1, 20) WHERE global_position = 1"

static const struct {
    const char *damage;
    int meets;
} met_damages[] = {
    {CUT_FIRST, ITS_RETRY},
    {CUT_FIRST, ITS_POSITION},
    {CUT_FIRST, ITS_ID},
    {"UPDATE streams SET version = -2 WHERE name = 'a-1'", ITS_STREAM},
    {"UPDATE streams SET version = 0 WHERE name = 'a-1'", ITS_STREAM},
    {"UPDATE streams SET version = -2 WHERE name = 'a-1'", ITS_POSITION},
};

/* The second write of a group of three meets the damage. */
START_TEST(what_is_damaged_fails_nobody_else_of_the_group)
{
    const int meets = met_damages[_i].meets;
    const struct weir_new_message stored[] = {message_of(1, "1"), message_of(2, "1")};
    const struct weir_new_message fresh[] = {message_of(3, "1"), message_of(4, "1"),
                                             message_of(5, "1")};
    struct weir_written written[3];
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, stored, 2, written), WEIR_OK);
    tamper(met_damages[_i].damage);
    const struct weir_import_record record =
        record_of(meets == ITS_ID ? 1 : 6, "a-1", 7, meets == ITS_ID ? 9 : 1);
    struct weir_stream_append parts[3];
    struct weir_error errors[3];
    struct weir_write writes[3];
    for (size_t w = 0; w < 3; w++) {
        writes[w] = write_of(&parts[w], w == 1 ? "a-1" : "b-1", ANY, &fresh[w], &written[w]);
    }
    if (meets == ITS_RETRY) {
        parts[1].messages = &stored[0];
    } else if (meets != ITS_STREAM) {
        writes[1] = (struct weir_write){.kind = WEIR_WRITE_IMPORT,
                                        .of.import = {.records = &record, .n = 1}};
    }
    commit_group(fx.ns, writes, errors, 3);
    ck_assert_int_eq(errors[0].status, WEIR_OK);
    ck_assert_int_eq(errors[1].status, WEIR_DATA_CORRUPT);
    ck_assert_int_eq(errors[2].status, WEIR_OK);
    ck_assert_ptr_nonnull(strstr(fx.report, "damaged"));
    ck_assert_int_eq(written[2].global_position, 4);
    ck_assert_int_eq(must_version(fx.ns, "b-1"), 1);
}
END_TEST

START_TEST(a_counter_that_lies_is_not_believed)
{
    must_put(fx.ns, "a-1", 3);
    tamper("UPDATE counters SET next_global_position = 2");
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-2", ANY, &message, 1, &written), WEIR_BACKEND_ERROR);
    ck_assert_ptr_null(strstr(fx.err.text, "messages"));  // clients see no SQL
    const struct weir_query query = query_stream("a-1");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 3);
    tamper("UPDATE counters SET next_global_position = 4");  // no session has it locked
    ck_assert_int_eq(append(fx.ns, "a-2", ANY, &message, 1, &written), WEIR_OK);
    ck_assert_int_eq(written.global_position, 4);
}
END_TEST

/* ---- reads ---- */

START_TEST(the_lowest_hash_has_a_member)
{
    must_put(fx.ns, "g-1", 1);
    tamper("UPDATE streams SET cardinal_hash = -9223372036854775807 - 1");
    struct weir_query query = query_category("g");
    query.group_size = 3;
    query.group_member = 2;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
}
END_TEST

/* Makes the tables as in a file that has lost its STRICT types. */
#define WITHOUT_TYPES                                                \
    "PRAGMA writable_schema = ON; "                                  \
    "UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')'); " \
    "PRAGMA writable_schema = RESET; "

static const char *const damaged_messages[] = {
    "UPDATE messages SET packed = x'00' WHERE global_position = 2",
    "UPDATE messages SET packed = x'' WHERE global_position = 2",
    "UPDATE messages SET packed = CAST(packed || 'x' AS BLOB) WHERE global_position = 2",
    "UPDATE messages SET large = x'41' WHERE global_position = 2",
    WITHOUT_TYPES "UPDATE messages SET packed = CAST(packed AS TEXT) WHERE global_position = 2",
    WITHOUT_TYPES "UPDATE messages SET large = 'x' WHERE global_position = 2",
};

START_TEST(a_damaged_message_is_named)
{
    must_put(fx.ns, "a-1", 3);
    close_all();
    tamper(damaged_messages[_i]);
    fx.store = open_store(fx.url, 8);
    fx.ns = must_open(fx.store, "test");
    struct weir_query query = query_category("a");
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err), WEIR_DATA_CORRUPT);
    assert_detail("global_position", "2");
    const struct weir_slice type = weir_slice_of("NoSuchType");
    query.types = &type;
    query.types_n = 1;
    const bool is_head_damaged =
        _i < 2 || _i == 4;  // otherwise the damage is behind the type, which does not match
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     is_head_damaged ? WEIR_DATA_CORRUPT : WEIR_OK);
    struct weir_query rest = query_category("a");
    rest.from = 3;
    must_read(fx.ns, &rest);
    ck_assert_uint_eq(fx.rows.n, 1);
}
END_TEST

/* Its data are no JSON, so that nobody can tell whether a write with its id repeats it. */
START_TEST(a_damaged_message_that_a_write_is_compared_with_is_named)
{
    const struct weir_new_message damaged = message_of(900, "{");
    const struct weir_new_message again = message_of(900, "{}");
    struct weir_written written;
    must_put(fx.ns, "a-1", 3);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &damaged, 1, &written), WEIR_OK);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &again, 1, &written), WEIR_DATA_CORRUPT);
    ck_assert_str_eq(weir_error_get_detail(&fx.err, "global_position"), "4");
}
END_TEST

#define LOWEST  "-9223372036854775807 - 1"
#define HIGHEST "9223372036854775807"

static const struct {
    const char *damage;
    enum weir_selector selector;
} wrong_numbers[] = {
    {"UPDATE counters SET next_global_position = 0", WEIR_SELECT_ALL},
    {"UPDATE counters SET message_count = " LOWEST, WEIR_SELECT_ALL},
    {"UPDATE categories SET message_count = " LOWEST, WEIR_SELECT_CATEGORY},
    {"UPDATE streams SET message_count = " LOWEST, WEIR_SELECT_STREAM},
    {"UPDATE streams SET version = " LOWEST, WEIR_SELECT_STREAM},
    {"UPDATE streams SET version = " HIGHEST, WEIR_SELECT_STREAM},
    {"UPDATE messages SET position = " LOWEST " WHERE position = 0", WEIR_SELECT_STREAM},
    {"UPDATE messages SET global_position = " LOWEST " WHERE global_position = 1",
     WEIR_SELECT_CATEGORY},
    {"UPDATE messages SET position = " HIGHEST " WHERE position = 1", WEIR_SELECT_CATEGORY},
};

/* The numbers that determine the room for rows and the next position. */
START_TEST(damaged_numbers_are_not_calculated_with)
{
    must_put(fx.ns, "a-1", 2);
    must_put(fx.ns, "b-1", 1);
    close_all();
    tamper(wrong_numbers[_i].damage);
    fx.store = open_store(fx.url, 8);
    fx.ns = must_open(fx.store, "test");
    struct weir_query query = wrong_numbers[_i].selector == WEIR_SELECT_STREAM ? query_stream("a-1")
                              : wrong_numbers[_i].selector == WEIR_SELECT_ALL  ? query_all()
                                                                              : query_category("a");
    query.is_backward = true;
    query.is_from_newest = true;
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err), WEIR_DATA_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fx.report, "damaged"));
}
END_TEST

static const char *const wrong_totals[] = {"UPDATE counters SET message_count = -1",
                                           "UPDATE counters SET stream_count = " LOWEST};

START_TEST(damaged_totals_are_not_told)
{
    must_put(fx.ns, "a-1", 1);
    tamper(wrong_totals[_i]);
    struct weir_namespace_totals totals;
    ck_assert_int_eq(weir_namespace_totals(fx.ns, INT64_MAX, &totals, &fx.err), WEIR_DATA_CORRUPT);
    ck_assert_ptr_nonnull(strstr(fx.report, "damaged"));
}
END_TEST

START_TEST(more_streams_than_are_counted_are_not_listed)
{
    must_put(fx.ns, "a-1", 1);
    must_put(fx.ns, "a-2", 1);
    close_all();
    tamper("UPDATE counters SET stream_count = 1");
    fx.store = open_store(fx.url, 8);
    fx.ns = must_open(fx.store, "test");
    struct weir_page_query query = {.limit = 10, .deadline_us = INT64_MAX};
    struct weir_stream_page page;
    ck_assert_int_eq(weir_list_streams(fx.ns, &query, &fx.arena, &page, &fx.err),
                     WEIR_DATA_CORRUPT);
    query.limit = 1;
    ck_assert_int_eq(weir_list_streams(fx.ns, &query, &fx.arena, &page, &fx.err), WEIR_OK);
    ck_assert_uint_eq(page.n, 1);
    ck_assert(page.is_more);
}
END_TEST

START_TEST(a_damaged_newest_message_spoils_no_list_of_streams)
{
    must_put(fx.ns, "a-1", 2);
    close_all();
    tamper(damaged_messages[0]);
    fx.store = open_store(fx.url, 8);
    fx.ns = must_open(fx.store, "test");
    const struct weir_page_query query = {.limit = 10, .deadline_us = INT64_MAX};
    struct weir_stream_page page;
    ck_assert_int_eq(weir_list_streams(fx.ns, &query, &fx.arena, &page, &fx.err), WEIR_OK);
    ck_assert_uint_eq(page.n, 1);
    struct weir_namespace_totals totals;
    ck_assert_int_eq(weir_namespace_totals(fx.ns, INT64_MAX, &totals, &fx.err), WEIR_DATA_CORRUPT);
}
END_TEST

/* The index entries are in the reverse of the declared order. */
START_TEST(rows_out_of_order_are_not_given)
{
    must_put(fx.ns, "a-1", 3);
    close_all();
    tamper("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "
           "replace(sql, 'position)', 'position DESC)') WHERE name = 'messages_by_stream'; "
           "PRAGMA writable_schema = RESET");
    fx.store = open_store(fx.url, 8);
    fx.ns = must_open(fx.store, "test");
    const struct weir_query query = query_stream("a-1");
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err), WEIR_DATA_CORRUPT);
    assert_detail("global_position", "2");
}
END_TEST

static Suite *sqlite_changed_suite(void)
{
    Suite *suite = suite_create("sqlite_changed");
    TCase *tcase = tcase_create("on disk");
    tcase_add_checked_fixture(tcase, fixture_on_disk, fixture_end);
    tcase_add_test(tcase, time_does_not_go_back);
    tcase_add_test(tcase, global_positions_run_out_cleanly);
    tcase_add_test(tcase, positions_of_a_stream_run_out_cleanly);
    tcase_add_loop_test(tcase, damaged_counters_are_not_calculated_with, 0,
                        (int)WEIR_COUNTOF(wrong_counters));
    tcase_add_loop_test(tcase, what_is_damaged_fails_nobody_else_of_the_group, 0,
                        (int)WEIR_COUNTOF(met_damages));
    tcase_add_test(tcase, a_counter_that_lies_is_not_believed);
    tcase_add_test(tcase, the_lowest_hash_has_a_member);
    tcase_add_loop_test(tcase, a_damaged_message_is_named, 0, WEIR_COUNTOF(damaged_messages));
    tcase_add_test(tcase, a_damaged_message_that_a_write_is_compared_with_is_named);
    tcase_add_loop_test(tcase, damaged_numbers_are_not_calculated_with, 0,
                        (int)WEIR_COUNTOF(wrong_numbers));
    tcase_add_loop_test(tcase, damaged_totals_are_not_told, 0, (int)WEIR_COUNTOF(wrong_totals));
    tcase_add_test(tcase, more_streams_than_are_counted_are_not_listed);
    tcase_add_test(tcase, a_damaged_newest_message_spoils_no_list_of_streams);
    tcase_add_test(tcase, rows_out_of_order_are_not_given);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(sqlite_changed_suite());
}
