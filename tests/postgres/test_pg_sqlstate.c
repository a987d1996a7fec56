/* The mapping of SQLSTATEs to outcomes and remedies, and URL parsing; no server is needed. */
#include "store/postgres/pg_sqlstate.h"
#include "store/postgres/pg_url.h"

#include "tests/lib/check_main.h"

#include <check.h>

/* ---- codes ---- */

static const struct {
    const char *code;
    weir_status status;
    enum pg_remedy remedy;
} codes[] = {
    {NULL, WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"08000", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"08006", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"22003", WEIR_OUT_OF_POSITIONS, PG_REMEDY_NONE},
    {"22021", WEIR_INVALID_REQUEST, PG_REMEDY_NONE},
    {"22P02", WEIR_BACKEND_ERROR, PG_REMEDY_NONE},
    {"23505", WEIR_BACKEND_ERROR, PG_REMEDY_UNIQUE},
    {"23502", WEIR_BACKEND_ERROR, PG_REMEDY_NONE},
    {"25006", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"25P02", WEIR_BACKEND_ERROR, PG_REMEDY_NONE},
    {"25P03", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"25P04", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"28P01", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"3D000", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_NONE},
    {"3F000", WEIR_BACKEND_ERROR, PG_REMEDY_MISSING},
    {"40001", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_AGAIN},
    {"40003", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"40P01", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_AGAIN},
    {"42501", WEIR_BACKEND_ERROR, PG_REMEDY_NONE},
    {"42601", WEIR_BACKEND_ERROR, PG_REMEDY_NONE},
    {"42703", WEIR_BACKEND_ERROR, PG_REMEDY_MISSING},
    {"42883", WEIR_BACKEND_ERROR, PG_REMEDY_MISSING},
    {"42P01", WEIR_BACKEND_ERROR, PG_REMEDY_MISSING},
    {"42P06", WEIR_BACKEND_ERROR, PG_REMEDY_INTERNAL},
    {"53100", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_NONE},
    {"53200", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_NONE},
    {"53300", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_NONE},
    {"54000", WEIR_LIMIT_EXCEEDED, PG_REMEDY_NONE},
    {"55P03", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_WAIT},
    {"57014", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_NONE},
    {"57P01", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"57P02", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"57P03", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT},
    {"58030", WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_NONE},
    {"WR001", WEIR_POSITION_EXISTS, PG_REMEDY_RAISED},
    {"XX000", WEIR_BACKEND_ERROR, PG_REMEDY_INTERNAL},
    {"XX001", WEIR_DATA_CORRUPT, PG_REMEDY_NONE},
    {"XX002", WEIR_DATA_CORRUPT, PG_REMEDY_NONE},
    {"99999", WEIR_BACKEND_ERROR, PG_REMEDY_NONE},
    {"5", WEIR_BACKEND_ERROR, PG_REMEDY_NONE},
};

START_TEST(every_code_has_its_meaning)
{
    const struct pg_verdict verdict = weir_pg_sqlstate(codes[_i].code);
    ck_assert_msg(verdict.status == codes[_i].status && verdict.remedy == codes[_i].remedy,
                  "%s is %s, %d", codes[_i].code == NULL ? "NULL" : codes[_i].code,
                  weir_status_name(verdict.status), (int)verdict.remedy);
}
END_TEST

/* ---- URLs ---- */

static struct weir_error err;

static const char *value_of(const struct pg_target *target, const char *keyword)
{
    const char *value = NULL;
    for (size_t k = 0; k < target->n; k++) {
        if (strcmp(target->keywords[k], keyword) == 0) {
            value = target->values[k];
        }
    }
    return value;
}

static weir_status parse(const char *text, struct pg_url *url)
{
    weir_error_init(&err);
    return weir_pg_url_parse(text, "timescaledb://", url, &err);
}

START_TEST(hosts_are_taken_one_by_one)
{
    struct pg_url url;
    struct pg_target target;
    ck_assert_int_eq(parse("postgresql://u:p%20w@a:1,b:2,c/db?connect_timeout=3", &url), WEIR_OK);
    ck_assert_uint_eq(url.hosts, 3);
    ck_assert_int_eq(url.connect_timeout_us, 3000000);
    static const char *const hosts[] = {"a", "b", "c"};
    static const char *const ports[] = {"1", "2", ""};
    for (size_t h = 0; h < 3; h++) {
        weir_pg_url_target(&url, h, &target);
        ck_assert_str_eq(value_of(&target, "host"), hosts[h]);
        ck_assert_str_eq(value_of(&target, "port"), ports[h]);
        ck_assert_str_eq(value_of(&target, "dbname"), "db");
        ck_assert_str_eq(value_of(&target, "password"), "p w");
        ck_assert_str_eq(value_of(&target, "target_session_attrs"), "read-write");
        ck_assert_str_eq(value_of(&target, "client_encoding"), "UTF8");
        ck_assert_str_eq(value_of(&target, "keepalives_interval"), "10");
        ck_assert_str_eq(value_of(&target, "tcp_user_timeout"), "10000");
        ck_assert_ptr_null(target.keywords[target.n]);
    }
    weir_pg_url_free(&url);
}
END_TEST

START_TEST(what_the_url_says_is_kept)
{
    struct pg_url url;
    struct pg_target target;
    ck_assert_int_eq(parse("timescaledb:///d?host=/a/b&port=9&target_session_attrs=any"
                           "&application_name=mine&client_encoding=LATIN1&tcp_user_timeout=0",
                           &url),
                     WEIR_OK);
    ck_assert_uint_eq(url.hosts, 1);
    ck_assert_int_eq(url.connect_timeout_us, INT64_MAX);
    weir_pg_url_target(&url, 0, &target);
    ck_assert_str_eq(value_of(&target, "host"), "/a/b");
    ck_assert_str_eq(value_of(&target, "port"), "9");
    ck_assert_str_eq(value_of(&target, "target_session_attrs"), "any");
    ck_assert_str_eq(value_of(&target, "application_name"), "mine");
    ck_assert_str_eq(value_of(&target, "tcp_user_timeout"), "0");
    ck_assert_str_eq(value_of(&target, "client_encoding"), "UTF8");
    weir_pg_url_free(&url);
}
END_TEST

START_TEST(one_port_serves_all_hosts)
{
    struct pg_url url;
    struct pg_target target;
    ck_assert_int_eq(parse("postgresql:///d?host=a,b&port=7", &url), WEIR_OK);
    weir_pg_url_target(&url, 1, &target);
    ck_assert_str_eq(value_of(&target, "host"), "b");
    ck_assert_str_eq(value_of(&target, "port"), "7");
    weir_pg_url_free(&url);
}
END_TEST

static const char *const bad_urls[] = {
    "postgresql://secret:secret@host:secret:port/db",
    "postgresql://u:sec@ret@host/db",
    "postgresql://u:12/secret@host/db",
    "postgresql://u:secret/x@host/db",
    "postgresql://u:a?secret@secret@host/db",
    "postgresql://u:secret@h/db?secret=1",
    "postgresql://u:%zzsecret@h/db",
    "postgresql://u:secret@[::1/db",
    "postgresql:///d?host=a,b,c&port=1,2&password=secret",
    "postgresql:///d?host=a,b&hostaddr=1.1.1.1&password=secret",
};

START_TEST(a_url_that_is_none_is_refused_without_repeating_it)
{
    struct pg_url url;
    ck_assert_int_eq(parse(bad_urls[_i], &url), WEIR_INVALID_REQUEST);
    ck_assert_ptr_null(strstr(err.text, "secret"));
    ck_assert_ptr_null(strchr(err.text, '\n'));
}
END_TEST

START_TEST(passwords_are_taken_out_of_texts)
{
    struct pg_url url;
    ck_assert_int_eq(parse("postgresql://u:hunter2@h/db", &url), WEIR_OK);
    char text[] = "x hunter2hunter2\nhunter hunter2";
    weir_pg_url_redact(&url, text);
    ck_assert_str_eq(text, "x ************** hunter *******");
    weir_pg_url_free(&url);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_sqlstate");
    TCase *tcase = tcase_create("tables");
    tcase_add_loop_test(tcase, every_code_has_its_meaning, 0, (int)WEIR_COUNTOF(codes));
    tcase_add_test(tcase, hosts_are_taken_one_by_one);
    tcase_add_test(tcase, what_the_url_says_is_kept);
    tcase_add_test(tcase, one_port_serves_all_hosts);
    tcase_add_loop_test(tcase, a_url_that_is_none_is_refused_without_repeating_it, 0,
                        (int)WEIR_COUNTOF(bad_urls));
    tcase_add_test(tcase, passwords_are_taken_out_of_texts);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
