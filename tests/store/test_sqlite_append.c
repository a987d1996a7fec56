/* Appends, retries, imports and the removal of all: what the store promises about writes, on SQLite
 * on disk and in memory. */
#include "tests/store/store_fixture.h"

#include <stdlib.h>

/* ---- appending ---- */

START_TEST(append_counts_positions_from_zero_and_global_positions_from_one)
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

START_TEST(read_gives_back_every_field)
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
    ck_assert_int_eq(fx.rows.next_position, 1);
    ck_assert(!fx.rows.is_truncated);
}
END_TEST

static void add(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, fixture_end);
    tcase_add_test(tcase, append_counts_positions_from_zero_and_global_positions_from_one);
    tcase_add_test(tcase, read_gives_back_every_field);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("sqlite_append");
    add(suite, "on disk", fixture_on_disk);
    add(suite, "in memory", fixture_in_memory);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
