/* TimescaleDB under the Apache licence: everything but compression. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "weir/rules/time_text.h"

#include <string.h>

#define DAY_US (INT64_C(86400) * 1000000)

static struct weir_chunk_list listed;

static weir_status act(enum weir_chunk_action action, int64_t before_us)
{
    const struct weir_chunk_query query = {
        .action = action, .before_us = before_us, .deadline_us = INT64_MAX};
    weir_error_init(&fx.err);
    return weir_chunks(fx.ns, &query, &fx.arena, &listed, &fx.err);
}

static void assert_refuses_to_compress(int64_t before_us)
{
    ck_assert_int_eq(act(WEIR_CHUNKS_COMPRESS, before_us), WEIR_FEATURE_UNSUPPORTED);
    ck_assert_msg(strstr(fx.err.text, "licence") != NULL, "%s", fx.err.text);
}

static void import_old(void)
{
    struct weir_import_record record = record_of(1, "a-1", 0, 1);
    record.time_us = weir_now_us() - 100 * DAY_US;
    ck_assert_msg(import(fx.ns, &record, 1, NULL) == WEIR_OK, "%s", fx.err.text);
}

START_TEST(chunks_are_not_compressed)
{
    assert_refuses_to_compress(weir_now_us());
    import_old();
    must_put(fx.ns, "a-1", 1);
    assert_refuses_to_compress(weir_now_us());
    ck_assert_int_eq(act(WEIR_CHUNKS_LIST, 0), WEIR_OK);
    ck_assert_uint_eq(listed.n, 2);
    ck_assert(!listed.chunks[0].is_compressed && !listed.chunks[1].is_compressed);
}
END_TEST

START_TEST(all_else_is_there)
{
    import_old();
    must_put(fx.ns, "a-1", 1);
    ck_assert_msg(act(WEIR_CHUNKS_DROP, weir_now_us() - 50 * DAY_US) == WEIR_OK, "%s", fx.err.text);
    ck_assert_uint_eq(listed.n, 1);
    ck_assert_int_eq(must_version(fx.ns, "a-1"), 1);
    const struct weir_query query = query_category("a");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    struct weir_namespace_record record = {
        .id = weir_slice_of("daily"), .metadata = weir_slice_of("{\"chunk_interval\":\"1d\"}")};
    bool is_same = false;
    ck_assert_msg(weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err) == WEIR_OK,
                  "%s", fx.err.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ts_licence");
    TCase *tcase = tcase_create("apache");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, fixture_on_disk, fixture_end);
    tcase_add_test(tcase, chunks_are_not_compressed);
    tcase_add_test(tcase, all_else_is_there);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
