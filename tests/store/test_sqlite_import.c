/* Imports: messages that carry their positions. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "weir/rules/limits.h"

#include <stdio.h>

START_TEST(everything_is_kept_as_given)
{
    struct weir_import_record record = record_of(1, "-x", 7, 100);
    record.message.type = weir_slice_of("");
    record.message.metadata = weir_slice_of("null");
    record.time_us = -5;
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.ns, &record, 1, &outcome), WEIR_OK);
    ck_assert_int_eq(outcome.imported, 1);
    ck_assert_int_eq(outcome.skipped_identical, 0);
    const struct weir_query query = query_all();
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    const struct weir_row *row = &fx.rows.rows[0];
    ck_assert(weir_slice_is(row->stream, "-x"));
    ck_assert(weir_slice_is(row->type, ""));
    ck_assert(weir_slice_is(row->data, "{\"a\":1}"));
    ck_assert(weir_slice_is(row->metadata, "null"));
    ck_assert_int_eq(row->position, 7);
    ck_assert_int_eq(row->global_position, 100);
    ck_assert_int_eq(row->time_us, -5);
    ck_assert_mem_eq(&row->id, &record.message.id, sizeof row->id);
}
END_TEST

START_TEST(any_order_and_gaps_are_legal_and_writes_go_on_behind)
{
    const struct weir_import_record records[] = {
        record_of(1, "a-1", 9, 100), record_of(2, "a-1", 2, 70), record_of(3, "b-1", 0, 85)};
    ck_assert_int_eq(import(fx.ns, records, 3, NULL), WEIR_OK);
    ck_assert_int_eq(must_version(fx.ns, "a-1"), 9);
    ck_assert_int_eq(must_head(fx.ns), 100);
    const struct weir_new_message message = message_of(4, "1");
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-1", EXACT(9), &message, 1, &written), WEIR_OK);
    ck_assert_int_eq(written.position, 10);
    ck_assert_int_eq(written.global_position, 101);
    ck_assert_int_gt(written.time_us, 1600000000000000);

    const struct weir_import_record later = record_of(5, "a-1", 3, 71);
    ck_assert_int_eq(import(fx.ns, &later, 1, NULL), WEIR_OK);
    ck_assert_int_eq(must_version(fx.ns, "a-1"), 10);
    ck_assert_int_eq(must_head(fx.ns), 101);
    const struct weir_query query = query_stream("a-1");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 4);
    ck_assert_int_eq(fx.rows.rows[1].position, 3);
    ck_assert_int_eq(fx.rows.next_position, 11);
}
END_TEST

START_TEST(the_highest_positions_can_be_imported)
{
    const struct weir_import_record record =
        record_of(1, "a-1", WEIR_IMPORT_POSITION_MAX, WEIR_IMPORT_POSITION_MAX);
    ck_assert_int_eq(import(fx.ns, &record, 1, NULL), WEIR_OK);
    must_put(fx.ns, "a-1", 1);
    ck_assert_int_eq(must_head(fx.ns), WEIR_IMPORT_POSITION_MAX + 1);
    ck_assert_int_eq(must_version(fx.ns, "a-1"), WEIR_IMPORT_POSITION_MAX + 1);
}
END_TEST

START_TEST(what_is_there_already_is_skipped)
{
    struct weir_import_record records[] = {record_of(1, "a-1", 0, 1), record_of(2, "a-1", 1, 2),
                                           record_of(3, "b", 0, 3)};
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.ns, records, 2, NULL), WEIR_OK);
    records[0].message.data = weir_slice_of(" { \"a\" : 1.0 } ");  // an equal JSON value
    ck_assert_int_eq(import(fx.ns, records, 3, &outcome), WEIR_OK);
    ck_assert_int_eq(outcome.imported, 1);
    ck_assert_int_eq(outcome.skipped_identical, 2);
    ck_assert_int_eq(import(fx.ns, records, 3, &outcome), WEIR_OK);
    ck_assert_int_eq(outcome.skipped_identical, 3);
    ck_assert_int_eq(must_head(fx.ns), 3);
}
END_TEST

/* Stored before: id 1 at a-1/0, global position 10, and id 2 at a-1/1, global position 11. Each
 * record is sent after a valid one. */
static const struct {
    uint64_t id;
    const char *stream;
    int64_t position;
    int64_t global_position;
    const char *type;
    int64_t time_shift;
    weir_status status;
} collisions[] = {
    {9, "z-1", 0, 10, "Happened", 0, WEIR_POSITION_EXISTS},
    {9, "a-1", 0, 30, "Happened", 0, WEIR_POSITION_EXISTS},
    {1, "z-1", 0, 30, "Happened", 0, WEIR_MESSAGE_ID_CONFLICT},
    {1, "a-1", 0, 30, "Happened", 0,
     WEIR_POSITION_EXISTS},  // identical except for the global position
    {1, "a-1", 7, 10, "Happened", 0, WEIR_POSITION_EXISTS},  // except for the position
    {9, "a-1", 0, 10, "Happened", 0, WEIR_POSITION_EXISTS},  // except for the id
    {1, "a-1", 0, 10, "Other", 0, WEIR_POSITION_EXISTS},     // except for the type
    {1, "a-1", 0, 10, "Happened", 1, WEIR_POSITION_EXISTS},  // except for the time
    {1, "b-1", 0, 10, "Happened", 0, WEIR_POSITION_EXISTS},  // except for the stream
    {2, "a-1", 0, 40, "Happened", 0,
     WEIR_POSITION_EXISTS},  // id of one message, position of another
    {20, "z-2", 0, 40, "Happened", 0, WEIR_MESSAGE_ID_CONFLICT},  // within the same import
    {21, "z-1", 5, 40, "Happened", 0, WEIR_POSITION_EXISTS},      // within the same import
    {21, "z-2", 0, 20, "Happened", 0, WEIR_POSITION_EXISTS},      // within the same import
};

START_TEST(a_collision_refuses_the_whole_import_and_names_the_record)
{
    const struct weir_import_record before[] = {record_of(1, "a-1", 0, 10),
                                                record_of(2, "a-1", 1, 11)};
    ck_assert_int_eq(import(fx.ns, before, 2, NULL), WEIR_OK);
    struct weir_import_record records[] = {record_of(20, "z-1", 5, 20),
                                           record_of(collisions[_i].id, collisions[_i].stream,
                                                     collisions[_i].position,
                                                     collisions[_i].global_position),
                                           record_of(22, "z-9", 0, 60)};
    records[1].message.type = weir_slice_of(collisions[_i].type);
    records[1].time_us += collisions[_i].time_shift;
    ck_assert_int_eq(import(fx.ns, records, 3, NULL), collisions[_i].status);
    assert_detail("record", "2");
    if (collisions[_i].status == WEIR_POSITION_EXISTS) {
        assert_detail("stream", collisions[_i].stream);
        ck_assert_ptr_nonnull(weir_error_get_detail(&fx.err, "gpos"));
        ck_assert_ptr_nonnull(weir_error_get_detail(&fx.err, "pos"));
    } else {
        ck_assert_ptr_nonnull(weir_error_get_detail(&fx.err, "global_position"));
    }
    const struct weir_query query = query_all();
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 2);
    ck_assert_int_eq(must_head(fx.ns), 11);
    ck_assert_int_eq(must_version(fx.ns, "z-1"), -1);
}
END_TEST

START_TEST(a_record_twice_in_one_import_is_skipped)
{
    const struct weir_import_record records[] = {record_of(1, "a-1", 0, 1),
                                                 record_of(1, "a-1", 0, 1)};
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.ns, records, 2, &outcome), WEIR_OK);
    ck_assert_int_eq(outcome.imported, 1);
    ck_assert_int_eq(outcome.skipped_identical, 1);
}
END_TEST

START_TEST(imported_ids_are_known_to_later_writes)
{
    const struct weir_import_record record = record_of(1, "a-1", 3, 50);
    ck_assert_int_eq(import(fx.ns, &record, 1, NULL), WEIR_OK);
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-1", EXACT(2), &record.message, 1, &written), WEIR_OK);
    ck_assert_int_eq(written.position, 3);
    ck_assert_int_eq(written.time_us, record.time_us);
    ck_assert_int_eq(append(fx.ns, "b-1", ANY, &record.message, 1, &written),
                     WEIR_MESSAGE_ID_CONFLICT);
}
END_TEST

START_TEST(counts_and_activity_follow)
{
    const struct weir_import_record records[] = {
        record_of(1, "a-1", 5, 90), record_of(2, "a-1", 4, 95), record_of(3, "a", 0, 20)};
    ck_assert_int_eq(import(fx.ns, records, 3, NULL), WEIR_OK);
    struct weir_namespace_totals totals;
    ck_assert_int_eq(weir_namespace_totals(fx.ns, INT64_MAX, &totals, &fx.err), WEIR_OK);
    ck_assert_int_eq(totals.message_count, 3);
    ck_assert_int_eq(totals.stream_count, 2);
    ck_assert_int_eq(totals.last_activity_us, records[1].time_us);
    const struct weir_page_query query = {.limit = 10, .deadline_us = INT64_MAX};
    struct weir_stream_page page;
    ck_assert_int_eq(weir_list_streams(fx.ns, &query, &fx.arena, &page, &fx.err), WEIR_OK);
    ck_assert_uint_eq(page.n, 2);
    ck_assert_int_eq(page.streams[1].version, 5);
    ck_assert_int_eq(page.streams[1].last_activity_us, records[0].time_us);
}
END_TEST

START_TEST(an_import_of_many_streams_is_one_write)
{
    enum { N = 10000 };
    static struct weir_import_record records[N];
    static char names[N][24];
    for (size_t r = 0; r < N; r++) {
        (void)snprintf(names[r], sizeof names[r], "c%zu-%zu", r % 50, r);
        records[r] = record_of(r + 1, names[r], 0, (int64_t)r + 1);
    }
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.ns, records, N, &outcome), WEIR_OK);
    ck_assert_int_eq(outcome.imported, N);
    ck_assert_int_eq(must_head(fx.ns), N);
    struct weir_category_list list;
    ck_assert_int_eq(weir_list_categories(fx.ns, INT64_MAX, &fx.arena, &list, &fx.err), WEIR_OK);
    ck_assert_uint_eq(list.n, 50);
    ck_assert_int_eq(list.categories[7].stream_count, 200);
    ck_assert_int_eq(list.categories[7].message_count, 200);
}
END_TEST

static void add_case(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, fixture_end);
    tcase_add_test(tcase, everything_is_kept_as_given);
    tcase_add_test(tcase, any_order_and_gaps_are_legal_and_writes_go_on_behind);
    tcase_add_test(tcase, the_highest_positions_can_be_imported);
    tcase_add_test(tcase, what_is_there_already_is_skipped);
    tcase_add_loop_test(tcase, a_collision_refuses_the_whole_import_and_names_the_record, 0,
                        WEIR_COUNTOF(collisions));
    tcase_add_test(tcase, a_record_twice_in_one_import_is_skipped);
    tcase_add_test(tcase, imported_ids_are_known_to_later_writes);
    tcase_add_test(tcase, counts_and_activity_follow);
    tcase_add_test(tcase, an_import_of_many_streams_is_one_write);
    suite_add_tcase(suite, tcase);
}

static Suite *sqlite_import_suite(void)
{
    Suite *suite = suite_create("sqlite_import");
    add_case(suite, "on disk", fixture_on_disk);
    add_case(suite, "in memory", fixture_in_memory);
    return suite;
}

int main(void)
{
    return check_main(sqlite_import_suite());
}
