/* Message DB's own schema adopted as a namespace: its functions and weir read each other's
 * writes. */
#include "tests/lib/check_main.h"
#include "tests/postgres/adopt_fixture.h"
#include "tests/postgres/pg_fixture.h"

#include "weir/rules/stream_name.h"
#include "weir/rules/utf8.h"

#include <stdio.h>

START_TEST(what_message_db_has_written_is_read)
{
    struct weir_query query = query_all();
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 2);
    ck_assert_int_eq(fx.rows.next_position, 3);
    ck_assert(weir_slice_is(fx.rows.rows[0].stream, "a-1"));
    ck_assert(weir_slice_is(fx.rows.rows[0].data, "{\"n\": 1}"));
    ck_assert_ptr_null(fx.rows.rows[1].metadata.p);
    ck_assert_int_eq(fx.rows.rows[1].global_position, 2);
    query = query_category("b");
    query.group_size = 3;
    query.group_member = weir_name_member(weir_slice_of("b-1"), 3);
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    query = query_category("a");
    query.correlation = weir_slice_of("flow");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    query = query_stream("a-1");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
    ck_assert_int_eq(must_version(fx.ns, "a-1"), 0);
    ck_assert_int_eq(must_head(fx.ns), 2);
}
END_TEST

START_TEST(both_write_one_stream)
{
    const struct weir_new_message messages[2] = {message_of(11, "{\"n\":1}"),
                                                 message_of(12, "{\"n\":2}")};
    struct weir_written written[2];
    ck_assert_int_eq(append(fx.ns, "a-1", EXACT(0), messages, 2, written), WEIR_OK);
    ck_assert_int_eq(written[1].position, 2);
    ck_assert_int_eq(written[1].global_position, 4);
    ck_assert_int_eq(sql_int(MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'a-1', 'T',"
                                        " '{}', NULL, 2)"),
                     3);
    ck_assert_int_eq(sql_int(MESSAGE_DB "SELECT stream_version('a-1')"), 3);
    ck_assert_int_eq(sql_int(MESSAGE_DB "SELECT max(global_position) FROM messages"), 5);
    ck_assert_int_eq(sql_int(MESSAGE_DB "SELECT count(*) FROM get_stream_messages('a-1')"), 4);
    ck_assert_int_eq(append(fx.ns, "a-1", EXACT(2), messages, 2, written),
                     WEIR_STREAM_VERSION_CONFLICT);
    weir_error_init(&fx.err);
    ck_assert_int_eq(append(fx.ns, "a-1", EXACT(0), messages, 2, written), WEIR_OK);  // a retry
    ck_assert_int_eq(written[0].position, 1);
    const struct weir_new_message other = message_of(11, "{\"n\":3}");
    ck_assert_int_eq(append(fx.ns, "b-1", ANY, &other, 1, written), WEIR_MESSAGE_ID_CONFLICT);
    weir_error_init(&fx.err);
    ck_assert_int_eq(append(fx.ns, "a-1", EXACT(3), &other, 1, written), WEIR_MESSAGE_ID_CONFLICT);
}
END_TEST

/* Message DB may store the highest number, which weir never does. */
START_TEST(nothing_is_behind_the_highest_position)
{
    sql(MESSAGE_DB "INSERT INTO messages (id, stream_name, type, position, data)"
                   " VALUES (gen_random_uuid(), 'a-1', 'T', 9223372036854775807, '{}')");
    struct weir_query query = query_stream("a-1");
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 2);
    ck_assert_int_eq(fx.rows.next_position, INT64_MAX);
    query.max_messages = 2;
    must_read(fx.ns, &query);
    ck_assert_int_eq(fx.rows.next_position, INT64_MAX);
    const struct weir_new_message message = message_of(11, "1");
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OUT_OF_POSITIONS);
    ck_assert_int_eq(append(fx.ns, "b-1", ANY, &message, 1, &written), WEIR_OK);
}
END_TEST

START_TEST(a_record_that_is_refused_is_not_told_what_a_later_one_got)
{
    const struct weir_import_record first = record_of(21, "c-1", 0, 100);
    const struct weir_import_record batch[2] = {record_of(21, "d-1", 0, 101),
                                                record_of(22, "d-1", 0, 102)};
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.ns, &first, 1, &outcome), WEIR_OK);
    ck_assert_int_eq(import(fx.ns, batch, 2, &outcome), WEIR_MESSAGE_ID_CONFLICT);
}
END_TEST

/* Message DB allows longer names. The loop runs with two names, one of which would be cut inside a
 * character. */
START_TEST(a_name_that_is_too_long_to_be_told_is_cut_between_characters)
{
    sql(MESSAGE_DB "SELECT write_message('%s', '%s-' || repeat('é', 800), 'T', '{}')",
        "00000000-0000-0000-0000-000000000015", _i == 0 ? "u" : "uu");
    const int64_t taken = must_head(fx.ns);
    struct weir_import_record record = record_of(21, "d-1", 0, taken + 1);
    record.message.id = (struct weir_uuid){.bytes = {[15] = 0x15}};
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.ns, &record, 1, &outcome), WEIR_MESSAGE_ID_CONFLICT);
    const char *name = weir_error_get_detail(&fx.err, "stream");
    ck_assert(name != NULL && weir_utf8_is_valid(weir_slice_of(name)));
}
END_TEST

/* A sequence is not rolled back with a failed transaction. */
START_TEST(an_import_that_is_refused_does_not_move_the_head)
{
    const struct weir_import_record first = record_of(21, "c-1", 0, 100);
    const struct weir_import_record batch[2] = {record_of(22, "c-1", 1, INT64_C(1) << 62),
                                                record_of(21, "d-1", 0, 102)};
    struct weir_import outcome;
    ck_assert_int_eq(import(fx.ns, &first, 1, &outcome), WEIR_OK);
    ck_assert_int_eq(import(fx.ns, batch, 2, &outcome), WEIR_MESSAGE_ID_CONFLICT);
    must_put(fx.ns, "c-1", 1);
    ck_assert_int_eq(must_head(fx.ns), 101);
    (void)sql(MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'c-1', 'T', '{}')");
    ck_assert_int_eq(must_head(fx.ns), 102);
}
END_TEST

START_TEST(imports_listings_and_the_clear_agree)
{
    const struct weir_import_record records[2] = {record_of(21, "c-1", 5, 100),
                                                  record_of(22, "c-1", 6, 90)};
    struct weir_import outcome;
    ck_assert_msg(import(fx.ns, records, 2, &outcome) == WEIR_OK, "%s", fx.err.text);
    ck_assert_int_eq(outcome.imported, 2);
    ck_assert_int_eq(import(fx.ns, records, 2, &outcome), WEIR_OK);
    ck_assert_int_eq(outcome.skipped_identical, 2);
    const struct weir_import_record taken = record_of(23, "c-1", 6, 200);
    ck_assert_int_eq(import(fx.ns, &taken, 1, &outcome), WEIR_POSITION_EXISTS);
    ck_assert_int_eq(sql_int(MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'c-1', 'T',"
                                        " '{}')"),
                     7);
    ck_assert_int_eq(must_head(fx.ns), 101);
    struct weir_stream_page page;
    const struct weir_page_query query = {.limit = 2, .deadline_us = INT64_MAX};
    weir_error_init(&fx.err);
    ck_assert_int_eq(weir_list_streams(fx.ns, &query, &fx.arena, &page, &fx.err), WEIR_OK);
    ck_assert_uint_eq(page.n, 2);
    ck_assert(page.is_more && weir_slice_is(page.streams[1].name, "b-1+x"));
    struct weir_namespace_totals totals;
    ck_assert_int_eq(weir_namespace_totals(fx.ns, INT64_MAX, &totals, &fx.err), WEIR_OK);
    ck_assert_int_eq(totals.message_count, 5);
    ck_assert_int_eq(totals.stream_count, 3);
    struct weir_write clear = {.kind = WEIR_WRITE_CLEAR};
    ck_assert_int_eq(commit_write(fx.ns, &clear), WEIR_OK);
    ck_assert_int_eq(clear.of.clear.messages_deleted, 5);
    ck_assert_int_eq(sql_int(MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'c-1', 'T',"
                                        " '{}')"),
                     0);
    ck_assert_int_eq(must_head(fx.ns), 102);
}
END_TEST

/* PostgreSQL refuses updates in tables that are published and have no replica identity. */
START_TEST(it_is_written_though_all_is_published)
{
    sql("CREATE PUBLICATION everything FOR ALL TABLES");
    const struct weir_new_message message = message_of(30, "1");
    struct weir_written written;
    const weir_status status = append(fx.ns, "c-1", ANY, &message, 1, &written);
    sql("DROP PUBLICATION everything");
    ck_assert_msg(status == WEIR_OK, "%s", fx.report);
}
END_TEST

/* The exponents are beyond the range of jsonb. */
START_TEST(zeros_of_any_form_are_taken)
{
    const struct weir_new_message message = message_of(31, "[0e-99999,1]");
    struct weir_written written;
    ck_assert_msg(append(fx.ns, "z-1", ANY, &message, 1, &written) == WEIR_OK, "%s", fx.err.text);
    ck_assert_int_eq(append(fx.ns, "z-1", ANY, &message, 1, &written), WEIR_OK);
    struct weir_import_record record = record_of(32, "z-1", 5, 100);
    record.message.data = weir_slice_of("{\"a\":-0.0E9999999999}");
    record.message.metadata = weir_slice_of("0e-16384");
    struct weir_import outcome;
    ck_assert_msg(import(fx.ns, &record, 1, &outcome) == WEIR_OK, "%s", fx.err.text);
    ck_assert_int_eq(import(fx.ns, &record, 1, &outcome), WEIR_OK);
    ck_assert_int_eq(outcome.skipped_identical, 1);
    ck_assert_int_eq(sql_int("SELECT count(*) FROM message_store.messages"
                             " WHERE data IN ('[0, 1]', '{\"a\": 0}')"),
                     2);
}
END_TEST

/* Returns metadata whose correlation consists of digits that do not compress. */
static const char *long_correlation(void)
{
    static char metadata[8000];
    uint32_t state = 1;
    size_t n = (size_t)snprintf(metadata, sizeof metadata, "{\"correlationStreamName\":[0");
    while (n < 6000) {
        state = state * 1664525 + 1013904223;
        n += (size_t)snprintf(metadata + n, sizeof metadata - n, ",%u", state >> 1);
    }
    (void)snprintf(metadata + n, sizeof metadata - n, "]}");
    return metadata;
}

/* A stream name has a limit; any other JSON value is limited only by Message DB's index. */
START_TEST(what_message_dbs_index_cannot_hold_is_told_with_both_sizes)
{
    struct weir_new_message message = message_of(51, "1");
    struct weir_written written;
    message.metadata = weir_slice_of(long_correlation());
    ck_assert_int_eq(append(fx.ns, "l-1", ANY, &message, 1, &written), WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&fx.err, "limit"), "1024");
    char actual[24];
    (void)snprintf(actual, sizeof actual, "%zu",
                   message.metadata.n - strlen("{\"correlationStreamName\":}"));
    ck_assert_str_eq(weir_error_get_detail(&fx.err, "actual"), actual);
    ck_assert_ptr_nonnull(strstr(fx.err.text, "correlationStreamName"));
    struct weir_import_record record = record_of(52, "l-1", 5, 100);
    struct weir_import outcome;
    record.message.metadata = message.metadata;
    weir_error_init(&fx.err);
    ck_assert_int_eq(import(fx.ns, &record, 1, &outcome), WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&fx.err, "actual"), actual);
    ck_assert_int_eq(must_version(fx.ns, "l-1"), -1);
}
END_TEST

/* Otherwise readers of the view would find no message at all. */
START_TEST(zeros_of_any_form_can_be_read_as_message_db_would)
{
    struct weir_namespace *ns = must_open(fx.store, "test");
    const struct weir_new_message message = message_of(41, "0e-99999");
    struct weir_written written;
    ck_assert_msg(append(ns, "z-1", ANY, &message, 1, &written) == WEIR_OK, "%s", fx.err.text);
    ck_assert_int_eq(sql_int("SELECT count(data) FROM %s.messages", schema_of("test")), 1);
    weir_namespace_release(ns);
}
END_TEST

START_TEST(one_namespace_adopts_and_deleting_it_harms_nothing)
{
    must_put(fx.ns, "a-1", 1);
    ck_assert_int_eq(try_adopt(fx.store, "second", "{\"adopt\": \"message_store\"}"),
                     WEIR_PRECONDITION);
    ck_assert_int_eq(try_adopt(fx.store, "second", "{\"adopt\": \"public\"}"),
                     WEIR_INVALID_REQUEST);
    int64_t deleted = -1;
    weir_error_init(&fx.err);
    ck_assert_msg(weir_namespace_delete(fx.store, weir_slice_of("adopted"), INT64_MAX, &deleted,
                                        &fx.err) == WEIR_OK,
                  "%s", fx.err.text);
    ck_assert_int_eq(deleted, 0);
    ck_assert_int_eq(sql_int("SELECT count(*) FROM message_store.messages"), 3);
    ck_assert_int_eq(sql_int(MESSAGE_DB "SELECT write_message(gen_random_uuid()::text, 'a-1', 'T',"
                                        " '{}')"),
                     2);
}
END_TEST

/* Another server re-creates the namespace; this server notices at its next look at the registry. */
START_TEST(a_namespace_that_comes_to_adopt_is_read_as_such)
{
    const struct weir_query query = query_all();
    struct weir_store *other = open_store(fx.url, 2);
    must_create(fx.store, "again");
    struct weir_namespace *again = must_open(fx.store, "again");
    must_put(again, "x-1", 1);
    must_read(again, &query);
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(other, weir_slice_of("adopted"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    ck_assert_int_eq(
        weir_namespace_delete(other, weir_slice_of("again"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    ck_assert_int_eq(try_adopt(other, "again", "{\"adopt\": \"message_store\"}"), WEIR_OK);
    struct weir_namespace_record record = {.id = weir_slice_of("again")};
    ck_assert_int_eq(weir_namespace_find(fx.store, &record, INT64_MAX, &fx.arena, &fx.err),
                     WEIR_OK);
    ck_assert_int_eq(must_head(again), 2);
    must_read(again, &query);
    ck_assert_int_eq(fx.rows.next_position,
                     3);  // the settled position; the counters are still empty
    must_put(again, "x-1", 1);
    ck_assert_int_eq(must_head(again), 3);
    weir_namespace_release(again);
    weir_store_close(other);
}
END_TEST

START_TEST(functions_of_message_db_stay_when_those_here_are_replaced)
{
    sql("CREATE FUNCTION message_store.append(int4) RETURNS int4 LANGUAGE sql AS 'SELECT 7'");
    sql("CREATE FUNCTION %1$s.settle(text) RETURNS int4 LANGUAGE sql AS 'SELECT 1';"
        " ALTER TABLE %1$s.counters DROP COLUMN born;"
        " UPDATE weir_registry.namespaces SET schema_version = 13"
        "  WHERE id = 'adopted'",
        schema_of("adopted"));
    close_all();
    fx.store = open_store(fx.url, 2);
    fx.ns = must_open(fx.store, "adopted");
    must_put(fx.ns, "a-1", 1);
    ck_assert_int_eq(sql_int("SELECT message_store.append(1)"), 7);
    ck_assert_int_eq(sql_int("SELECT count(*) FROM pg_proc WHERE pronamespace = '%s'::regnamespace"
                             " AND proname = 'settle'",
                             schema_of("adopted")),
                     1);
    sql("DROP FUNCTION message_store.append(int4)");
}
END_TEST

START_TEST(another_version_is_not_adopted)
{
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("adopted"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    PGconn *conn = sql_connect();
    sql_on(conn, "CREATE OR REPLACE FUNCTION message_store.message_store_version() RETURNS varchar"
                 " LANGUAGE sql AS 'SELECT ''1.2.6''::varchar'");
    ck_assert_int_eq(try_adopt(fx.store, "adopted", "{\"adopt\": \"message_store\"}"),
                     WEIR_PRECONDITION);
    sql_on(conn, "CREATE OR REPLACE FUNCTION message_store.message_store_version() RETURNS varchar"
                 " LANGUAGE sql AS 'SELECT ''1.3.0''::varchar'");
    PQfinish(conn);
}
END_TEST

/* The role may read and write, but not lock. */
START_TEST(a_role_without_the_rights_is_told)
{
    char url[256];
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("adopted"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    PGconn *conn = sql_connect();
    sql_on(conn, "GRANT CREATE ON DATABASE weir TO locked;"
                 "GRANT USAGE ON SCHEMA weir_registry TO locked;"
                 "GRANT ALL ON ALL TABLES IN SCHEMA weir_registry TO locked");
    (void)snprintf(url, sizeof url, "postgresql://locked:open%%20sesame@/weir?host=%s",
                   server_dir());
    struct weir_store *store = open_store(url, 1);
    ck_assert_int_eq(try_adopt(store, "mine", "{\"adopt\": \"message_store\"}"), WEIR_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(fx.err.text, "GRANT USAGE ON SCHEMA"));
    sql_on(conn, "GRANT USAGE ON SCHEMA message_store TO locked;"
                 "GRANT SELECT, INSERT ON message_store.messages TO locked");
    ck_assert_int_eq(try_adopt(store, "mine", "{\"adopt\": \"message_store\"}"), WEIR_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(fx.err.text, "GRANT SELECT, INSERT, TRUNCATE"));
    sql_on(conn, "GRANT TRUNCATE ON message_store.messages TO locked;"
                 "GRANT SELECT, UPDATE ON SEQUENCE message_store.messages_global_position_seq"
                 " TO locked");
    ck_assert_msg(try_adopt(store, "mine", "{\"adopt\": \"message_store\"}") == WEIR_OK, "%s",
                  fx.err.text);
    struct weir_namespace *ns = must_open(store, "mine");
    must_put(ns, "c-1", 1);
    const struct weir_query query = query_all();
    must_read(ns, &query);
    ck_assert_uint_eq(fx.rows.n, 3);
    struct weir_write clear = {.kind = WEIR_WRITE_CLEAR};
    ck_assert_msg(commit_write(ns, &clear) == WEIR_OK, "%s", fx.err.text);
    weir_namespace_release(ns);
    ck_assert_int_eq(
        weir_namespace_delete(store, weir_slice_of("mine"), INT64_MAX, &deleted, &fx.err), WEIR_OK);
    weir_store_close(store);
    sql_on(conn, "DROP OWNED BY locked");
    PQfinish(conn);
}
END_TEST

/* Adopted writes rely on triggers, which this setting switches off. */
START_TEST(triggers_work_whatever_the_role_says)
{
    sql("ALTER ROLE postgres SET session_replication_role = 'replica'");
    struct weir_store *other = open_store(fx.url, 1);
    sql("ALTER ROLE postgres RESET session_replication_role");
    struct weir_namespace *ns = must_open(other, "adopted");
    must_put(ns, "c-1", 1);
    ck_assert_int_eq(sql_int("SELECT count(*) FROM message_store.messages"), 3);
    ck_assert_int_eq(sql_int("SELECT last_value FROM message_store.messages_global_position_seq"),
                     3);
    weir_namespace_release(ns);
    weir_store_close(other);
}
END_TEST

/* The role's settings determine how names are written; the types are the same. */
START_TEST(it_is_known_however_names_are_written)
{
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("adopted"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    sql("ALTER ROLE postgres SET quote_all_identifiers = on");
    struct weir_store *quoting = open_store(fx.url, 1);
    sql("ALTER ROLE postgres RESET quote_all_identifiers");
    ck_assert_msg(try_adopt(quoting, "adopted", "{\"adopt\": \"message_store\"}") == WEIR_OK, "%s",
                  fx.err.text);
    weir_store_close(quoting);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_adopt");
    TCase *tcase = tcase_create("adopted");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, begin_adopted, fixture_end);
    tcase_add_test(tcase, what_message_db_has_written_is_read);
    tcase_add_test(tcase, both_write_one_stream);
    tcase_add_test(tcase, nothing_is_behind_the_highest_position);
    tcase_add_test(tcase, a_record_that_is_refused_is_not_told_what_a_later_one_got);
    tcase_add_loop_test(tcase, a_name_that_is_too_long_to_be_told_is_cut_between_characters, 0, 2);
    tcase_add_test(tcase, an_import_that_is_refused_does_not_move_the_head);
    tcase_add_test(tcase, imports_listings_and_the_clear_agree);
    tcase_add_test(tcase, it_is_written_though_all_is_published);
    tcase_add_test(tcase, zeros_of_any_form_are_taken);
    tcase_add_test(tcase, what_message_dbs_index_cannot_hold_is_told_with_both_sizes);
    tcase_add_test(tcase, zeros_of_any_form_can_be_read_as_message_db_would);
    tcase_add_test(tcase, one_namespace_adopts_and_deleting_it_harms_nothing);
    tcase_add_test(tcase, a_namespace_that_comes_to_adopt_is_read_as_such);
    tcase_add_test(tcase, functions_of_message_db_stay_when_those_here_are_replaced);
    tcase_add_test(tcase, another_version_is_not_adopted);
    tcase_add_test(tcase, a_role_without_the_rights_is_told);
    tcase_add_test(tcase, triggers_work_whatever_the_role_says);
    tcase_add_test(tcase, it_is_known_however_names_are_written);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
