/* Opening a store on PostgreSQL, and the obstacles to it. */
#include "tests/lib/check_main.h"
#include "tests/lib/pg_proxy.h"
#include "tests/lib/remove_tree.h"
#include "tests/postgres/pg_fixture.h"

#include "weir/base/monotonic.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void begin(void)
{
    sql("DROP SCHEMA IF EXISTS weir_registry CASCADE");
    weir_error_init(&fx.err);
    weir_arena_init(&fx.arena, 64 << 20, 1 << 20);
}

static void end(void)
{
    weir_arena_fini(&fx.arena);
}

static const char *test_store(void)
{
    return getenv("WEIR_TEST_STORE");
}

/* Checks that opening fails with a single line that names the remedy. */
static void assert_refused(const char *url, weir_status status, const char *hint)
{
    struct weir_store *store = NULL;
    ck_assert_int_eq(try_open_store(url, 4, &store), status);
    ck_assert_msg(strstr(fx.err.text, hint) != NULL, "%s", fx.err.text);
    ck_assert_ptr_null(strchr(fx.err.text, '\n'));
    ck_assert_ptr_null(strstr(fx.err.text, "open sesame"));
    ck_assert_ptr_null(strstr(fx.err.text, "secret"));
    ck_assert_ptr_null(strstr(fx.report, "secret"));
}

START_TEST(a_server_that_is_not_there_is_named)
{
    assert_refused("postgresql://u:secret@127.0.0.1:1/weir", WEIR_BACKEND_UNAVAILABLE,
                   "cannot connect to PostgreSQL");
    assert_refused("postgresql:///weir?host=/nowhere&password=secret", WEIR_BACKEND_UNAVAILABLE,
                   "/nowhere");
}
END_TEST

/* The proxy accepts connections and never answers. */
START_TEST(a_server_that_does_not_answer_is_given_up)
{
    char dir[64];
    char url[256];
    make_dir(dir);
    struct pg_proxy *silent = pg_proxy_start(server_dir(), dir);
    pg_proxy_set(silent, PROXY_HOLDS, 0);
    (void)snprintf(url, sizeof url, "postgresql://u:secret@/weir?host=%s&connect_timeout=1", dir);
    const int64_t start_us = weir_monotonic_us();
    assert_refused(url, WEIR_BACKEND_UNAVAILABLE, "in time");
    ck_assert_int_lt(weir_monotonic_us() - start_us, 5000000);
    /* A second host in the URL is used instead. */
    (void)snprintf(url, sizeof url, "postgresql://postgres@/weir?host=%s,%s&connect_timeout=1", dir,
                   server_dir());
    weir_store_close(open_store(url, 1));
    pg_proxy_stop(silent);
    remove_tree(dir);
}
END_TEST

/* A pooler that keeps sessions is acceptable. One that does not would give the session of a single
 * connection to other programs. */
START_TEST(a_pooler_that_does_not_keep_sessions_is_refused)
{
    char dir[64];
    char url[256];
    make_dir(dir);
    struct pg_proxy *pooler = pg_proxy_start(server_dir(), dir);
    (void)snprintf(url, sizeof url, "postgresql://postgres@/weir?host=%s", dir);
    pg_proxy_set(pooler, PROXY_POOLS_TRANSACTIONS, 0);
    assert_refused(url, WEIR_PRECONDITION, "pool_mode = session");
    struct weir_store *single = NULL;
    ck_assert_int_eq(try_open_store(url, 1, &single), WEIR_PRECONDITION);
    ck_assert_str_eq(sql("SELECT to_regnamespace('weir_registry')"), "");
    pg_proxy_set(pooler, PROXY_POOLS_SESSIONS, 0);
    weir_store_close(open_store(url, 4));
    pg_proxy_stop(pooler);
    remove_tree(dir);
}
END_TEST

START_TEST(wrong_credentials_are_said_so)
{
    char url[256];
    (void)snprintf(url, sizeof url, "postgresql://locked:secret@/weir?host=%s", server_dir());
    assert_refused(url, WEIR_BACKEND_UNAVAILABLE, "password authentication failed");
    (void)snprintf(url, sizeof url, "postgresql://postgres@/nothing?host=%s", server_dir());
    assert_refused(url, WEIR_BACKEND_UNAVAILABLE, "\"nothing\" does not exist");
    ck_assert_str_eq(sql("SELECT to_regnamespace('weir_registry')"), "");
}
END_TEST

START_TEST(a_url_that_is_none_is_refused)
{
    assert_refused("postgresql://u:secret%zz@h/x", WEIR_INVALID_REQUEST, "postgresql://");
    assert_refused("postgresql://u:secret@h/x?pgbouncer=true", WEIR_INVALID_REQUEST,
                   "no parameters that libpq");
}
END_TEST

START_TEST(the_short_form_of_the_scheme_is_taken)
{
    char url[256];
    (void)snprintf(url, sizeof url, "postgres://postgres@/weir?host=%s", server_dir());
    weir_store_close(open_store(url, 1));
}
END_TEST

START_TEST(what_is_warned_of_while_connecting_is_reported)
{
    char url[256];
    (void)snprintf(url, sizeof url, "postgresql://locked:open%%20sesame@/weir?host=%s",
                   server_dir());
    sql("GRANT CREATE ON DATABASE weir TO locked");
    sql("ALTER ROLE locked SET role = 'postgres'");
    weir_store_close(open_store(url, 1));
    sql("ALTER ROLE locked RESET role");
    sql("REVOKE CREATE ON DATABASE weir FROM locked");
    ck_assert_ptr_nonnull(strstr(fx.report, "permission denied to set role"));
}
END_TEST

START_TEST(a_database_that_only_reads_is_told_from_one_that_is_away)
{
    char url[256];
    (void)snprintf(url, sizeof url, "postgresql://locked:open%%20sesame@/weir?host=%s",
                   server_dir());
    sql("ALTER ROLE locked SET default_transaction_read_only = on");
    assert_refused(url, WEIR_BACKEND_UNAVAILABLE, "for writing");
    sql("ALTER ROLE locked RESET default_transaction_read_only");
    ck_assert_ptr_nonnull(strstr(fx.err.text, "read-only"));
}
END_TEST

START_TEST(another_encoding_is_refused)
{
    sql("DROP DATABASE IF EXISTS latin");
    sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
    char url[256];
    (void)snprintf(url, sizeof url, "postgresql://postgres@/latin?host=%s", server_dir());
    assert_refused(url, WEIR_PRECONDITION, "LATIN1");
    sql("DROP DATABASE latin");
}
END_TEST

START_TEST(a_newer_schema_is_left_alone)
{
    weir_store_close(open_store(test_store(), 2));
    sql("UPDATE weir_registry.about SET schema_version = 99");
    assert_refused(test_store(), WEIR_PRECONDITION, "99");
    ck_assert_int_eq(sql_int("SELECT schema_version FROM weir_registry.about"), 99);
}
END_TEST

START_TEST(a_foreign_schema_of_that_name_is_left_alone)
{
    sql("CREATE SCHEMA weir_registry");
    assert_refused(test_store(), WEIR_PRECONDITION, "another database");
    ck_assert_int_eq(sql_int("SELECT count(*) FROM pg_tables WHERE schemaname = 'weir_registry'"),
                     0);
}
END_TEST

START_TEST(a_user_who_may_not_make_schemas_is_told)
{
    char url[256];
    (void)snprintf(url, sizeof url, "postgresql://locked:open%%20sesame@/weir?host=%s",
                   server_dir());
    assert_refused(url, WEIR_PRECONDITION, "GRANT CREATE");
}
END_TEST

START_TEST(a_namespace_of_a_newer_schema_or_another_layout_is_unusable_alone)
{
    struct weir_store *store = open_store(test_store(), 2);
    must_create(store, "newer");
    must_create(store, "other");
    must_create(store, "good");
    weir_store_close(store);
    sql("UPDATE weir_registry.namespaces SET schema_version = 99 WHERE id = 'newer'");
    sql("UPDATE weir_registry.namespaces SET layout = 'odd' WHERE id = 'other'");
    store = open_store(test_store(), 2);
    struct weir_namespace *ns = NULL;
    ck_assert_int_eq(weir_namespace_open(store, weir_slice_of("newer"), INT64_MAX, &ns, &fx.err),
                     WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(weir_namespace_open(store, weir_slice_of("other"), INT64_MAX, &ns, &fx.err),
                     WEIR_BACKEND_UNAVAILABLE);
    ns = must_open(store, "good");
    must_put(ns, "a-1", 1);
    weir_namespace_release(ns);
    weir_store_close(store);
}
END_TEST

START_TEST(a_schema_that_nobody_lists_is_not_taken_over)
{
    struct weir_store *store = open_store(test_store(), 2);
    must_create(store, "lost");
    struct weir_namespace *ns = must_open(store, "lost");
    must_put(ns, "a-1", 3);
    weir_namespace_release(ns);
    const char *schema = schema_of("lost");
    sql("DELETE FROM weir_registry.namespaces");
    struct weir_namespace_record record = {.id = weir_slice_of("lost")};
    bool is_same = false;
    ck_assert_int_eq(weir_namespace_create(store, &record, INT64_MAX, &is_same, &fx.err),
                     WEIR_PRECONDITION);
    ck_assert_int_eq(sql_int("SELECT count(*) FROM %s.stored", schema), 3);
    ck_assert_int_eq(sql_int("SELECT count(*) FROM weir_registry.namespaces"), 0);
    weir_store_close(store);
    sql("DROP SCHEMA %s CASCADE", schema);
}
END_TEST

/* If the public schema were in the search path, a function there whose argument types match exactly
 * would take precedence over PostgreSQL's own. */
START_TEST(a_function_of_another_role_is_not_called)
{
    sql("CREATE TABLE public.caught (who text);"
        "CREATE FUNCTION public.concat_ws(text, text, text) RETURNS text LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.caught VALUES (current_user); RETURN ''public''; END';"
        "CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.caught VALUES (current_user); RETURN $1; END'");
    weir_store_close(open_store(test_store(), 2));
    const int64_t caught = sql_int("SELECT count(*) FROM public.caught");
    sql("DROP TABLE public.caught; DROP FUNCTION public.concat_ws(text, text, text);"
        " DROP FUNCTION public.quote_ident(name)");
    ck_assert_int_eq(caught, 0);
}
END_TEST

/* ---- together ---- */

enum { TOGETHER = 6 };

static void *open_one(void *context)
{
    struct weir_error err;
    weir_error_init(&err);
    const struct weir_store_options options = {.url = test_store(), .max_sessions = 2};
    struct weir_store **store = context;
    if (weir_store_open(&options, store, &err) != WEIR_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        *store = NULL;
    }
    return NULL;
}

START_TEST(servers_may_start_together_on_an_empty_database)
{
    pthread_t threads[TOGETHER];
    struct weir_store *stores[TOGETHER];
    for (size_t t = 0; t < TOGETHER; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, open_one, &stores[t]), 0);
    }
    for (size_t t = 0; t < TOGETHER; t++) {
        (void)pthread_join(threads[t], NULL);
        ck_assert_ptr_nonnull(stores[t]);
        weir_store_close(stores[t]);
    }
    ck_assert_int_eq(sql_int("SELECT count(*) FROM weir_registry.about"), 1);
}
END_TEST

/* Returns a setting of the store's sessions, which a trigger of another program sees. */
static const char *seen(struct weir_store *store, const char *setting)
{
    must_create(store, "test");
    struct weir_namespace *ns = must_open(store, "test");
    sql("CREATE TABLE IF NOT EXISTS public.seen (setting text); TRUNCATE public.seen;"
        "CREATE OR REPLACE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.seen VALUES (current_setting(''%s'')); RETURN NULL; END';"
        "CREATE TRIGGER see AFTER INSERT ON %s.stored EXECUTE FUNCTION public.see()",
        setting, schema_of("test"));
    must_put(ns, "a-1", 1);
    weir_namespace_release(ns);
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err), WEIR_OK);
    return sql("SELECT setting FROM public.seen");
}

START_TEST(durability_is_what_was_asked_for)
{
    static const struct {
        bool is_normal;
        const char *standard;
        const char *want;
    } cases[] = {{false, "off", "on"},
                 {false, "on", "on"},
                 {false, "remote_apply", "remote_apply"},
                 {false, "local", "on"},
                 {true, "on", "off"}};
    for (size_t c = 0; c < WEIR_COUNTOF(cases); c++) {
        char url[400];
        (void)snprintf(url, sizeof url, "%s&options=-csynchronous_commit%%3D%s", test_store(),
                       cases[c].standard);
        const struct weir_store_options options = {
            .url = url, .max_sessions = 1, .is_durability_normal = cases[c].is_normal};
        struct weir_store *store = NULL;
        ck_assert_int_eq(weir_store_open(&options, &store, &fx.err), WEIR_OK);
        ck_assert_str_eq(seen(store, "synchronous_commit"), cases[c].want);
        weir_store_close(store);
    }
}
END_TEST

/* PostgreSQL has the setting from version 17 on. */
START_TEST(transactions_have_no_limit_of_time)
{
    if (sql_int("SELECT current_setting('server_version_num')") < 170000) {
        return;
    }
    char url[400];
    (void)snprintf(url, sizeof url, "%s&options=-ctransaction_timeout%%3D30s", test_store());
    struct weir_store *store = open_store(url, 1);
    ck_assert_str_eq(seen(store, "transaction_timeout"), "0");
    weir_store_close(store);
}
END_TEST

START_TEST(readers_of_message_db_find_its_shape)
{
    struct weir_store *store = open_store(test_store(), 2);
    must_create(store, "test");
    struct weir_namespace *ns = must_open(store, "test");
    must_put(ns, "account-1", 2);
    const char *schema = schema_of("test");
    ck_assert_int_eq(sql_int("SELECT (data ->> 'n')::int FROM %s.messages WHERE stream_name ="
                             " 'account-1' AND position = 1 AND type = 'Happened' AND"
                             " global_position = 2 AND time <= now() AT TIME ZONE 'UTC'",
                             schema),
                     1);
    ck_assert_str_eq(sql("SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod),"
                         " ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid ="
                         " '%s.messages'::regclass AND attnum > 0",
                         schema),
                     "id uuid, stream_name text, type text, position bigint, global_position "
                     "bigint, data jsonb, metadata jsonb, time timestamp without time zone");
    weir_namespace_release(ns);
    weir_store_close(store);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_start");
    TCase *tcase = tcase_create("start");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, a_server_that_is_not_there_is_named);
    tcase_add_test(tcase, a_server_that_does_not_answer_is_given_up);
    tcase_add_test(tcase, a_pooler_that_does_not_keep_sessions_is_refused);
    tcase_add_test(tcase, wrong_credentials_are_said_so);
    tcase_add_test(tcase, a_url_that_is_none_is_refused);
    tcase_add_test(tcase, the_short_form_of_the_scheme_is_taken);
    tcase_add_test(tcase, what_is_warned_of_while_connecting_is_reported);
    tcase_add_test(tcase, a_database_that_only_reads_is_told_from_one_that_is_away);
    tcase_add_test(tcase, another_encoding_is_refused);
    tcase_add_test(tcase, a_newer_schema_is_left_alone);
    tcase_add_test(tcase, a_foreign_schema_of_that_name_is_left_alone);
    tcase_add_test(tcase, a_user_who_may_not_make_schemas_is_told);
    tcase_add_test(tcase, a_namespace_of_a_newer_schema_or_another_layout_is_unusable_alone);
    tcase_add_test(tcase, a_schema_that_nobody_lists_is_not_taken_over);
    tcase_add_test(tcase, a_function_of_another_role_is_not_called);
    tcase_add_test(tcase, servers_may_start_together_on_an_empty_database);
    tcase_add_test(tcase, durability_is_what_was_asked_for);
    tcase_add_test(tcase, transactions_have_no_limit_of_time);
    tcase_add_test(tcase, readers_of_message_db_find_its_shape);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
