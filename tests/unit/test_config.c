/* Options, environment variables and token files of weir-server. */
#include "server/base/config.h"

#include "server/base/log.h"
#include "server/operation/http.h"
#include "server/transport/listen_url.h"
#include "store/store.h"
#include "tests/lib/check_main.h"

#include <stdio.h>
#include <unistd.h>

enum { ARGS_MAX = 8 };

static struct weir_config config;
static struct weir_error err;
static char path[64];

/* With CK_FORK=no all tests share one environment. */
static void clear_environment(void)
{
    static const char *const variables[] = {
        "WEIR_LOG_LEVEL", "WEIR_LOG_FORMAT",      "WEIR_TEST_MODE",
        "WEIR_LISTEN",    "WEIR_MAX_REPLY_BYTES", "WEIR_STORE",
        "WEIR_MAX_CALLS", "WEIR_ADMIN_TOKEN",     "WEIR_DEFAULT_TOKEN"};
    for (size_t i = 0; i < WEIR_COUNTOF(variables); i++) {
        (void)unsetenv(variables[i]);
    }
}

static void set_up(void)
{
    clear_environment();
    weir_error_init(&err);
    (void)snprintf(path, sizeof path, "/tmp/weir-config-XXXXXX");
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
}

static void tear_down(void)
{
    weir_config_fini(&config);
    (void)unlink(path);
}

static weir_status parse(const char *const *arguments)
{
    char *argv[ARGS_MAX + 1] = {(char *)(uintptr_t) "weir-server"};
    int argc = 1;
    while (arguments != NULL && arguments[argc - 1] != NULL) {
        argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
        argc++;
    }
    return weir_config_parse(&config, argc, argv, &err);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(without_options_the_defaults_hold)
{
    ck_assert_int_eq(parse(NULL), WEIR_OK);
    ck_assert_str_eq(config.store, "sqlite:./weir-data");
    ck_assert_str_eq(weir_store_traits(config.store).directory, "./weir-data");
    ck_assert_uint_eq(config.listen_n, 1);
    ck_assert_str_eq(config.listen[0], "tcp://127.0.0.1:7117");
    ck_assert_ptr_null(config.http);
    ck_assert_int_eq(config.store_connections, 8);
    ck_assert_int_eq(config.durability, 0);
    ck_assert_int_eq(config.log_level, WEIR_LOG_INFO);
    ck_assert_int_eq(config.ipc_permissions, 0660);
    ck_assert(!config.has_admin_token);
    const struct weir_limits limits = WEIR_LIMITS_DEFAULT;
    ck_assert_int_eq(memcmp(&config.limits, &limits, sizeof limits), 0);
}
END_TEST

START_TEST(options_and_variables_are_the_same)
{
    static const char *const arguments[] = {
        "--store=sqlite::memory:", "--log-level",       "debug", "--max-batch-size", "17",
        "--listen=inproc://x",     "--listen=ipc:///y", NULL};
    ck_assert_int_eq(setenv("WEIR_LOG_LEVEL", "error", 1), 0);
    ck_assert_int_eq(setenv("WEIR_LOG_FORMAT", "json", 1), 0);
    ck_assert_int_eq(setenv("WEIR_TEST_MODE", "yes", 1), 0);
    ck_assert_int_eq(setenv("WEIR_LISTEN", "tcp://a:1 tcp://b:2", 1), 0);
    ck_assert_int_eq(setenv("WEIR_MAX_REPLY_BYTES", "65536", 1), 0);
    ck_assert_int_eq(setenv("WEIR_STORE", "", 1), 0);
    ck_assert_int_eq(parse(arguments), WEIR_OK);
    ck_assert_int_eq(config.log_level, WEIR_LOG_DEBUG);
    ck_assert_int_eq(config.log_format, WEIR_LOG_JSON);
    ck_assert(config.is_test_mode);
    ck_assert_int_eq(config.limits.batch_size, 17);
    ck_assert_int_eq(config.limits.reply_bytes, 65536);
    ck_assert_uint_eq(config.listen_n, 2);
    ck_assert_str_eq(config.listen[1], "ipc:///y");
    ck_assert_ptr_null(weir_store_traits(config.store).directory);
}
END_TEST

START_TEST(a_list_of_the_environment_is_separated_by_blanks)
{
    ck_assert_int_eq(setenv("WEIR_LISTEN", "  tcp://a:1 \t tcp://b:2\n", 1), 0);
    ck_assert_int_eq(parse(NULL), WEIR_OK);
    ck_assert_uint_eq(config.listen_n, 2);
    ck_assert_str_eq(config.listen[0], "tcp://a:1");
    ck_assert_str_eq(config.listen[1], "tcp://b:2");
}
END_TEST

static const struct {
    const char *arguments[4];
    const char *says;
} wrong[] = {
    {{"--workers", "0"}, "--workers: '0'"},
    {{"--workers", "many"}, "--workers: 'many'"},
    {{"--workers", "3x"}, "--workers: '3x'"},
    {{"--workers", ""}, "--workers: ''"},
    {{"--workers", "\t3"}, "--workers: '\t3'"},
    {{"--workers", "99999999999999999999"}, "--workers:"},
    {{"--max-batch-size=100001"}, "--max-batch-size: '100001' is not a number from 1 to 100000"},
    {{"--durability", "sometimes"}, "--durability: 'sometimes' is not one of full|normal"},
    {{"--log-level", "inf"}, "--log-level:"},
    {{"--ipc-permissions", "888"}, "--ipc-permissions:"},
    {{"--ipc-permissions", "1777"}, "--ipc-permissions:"},
    {{"--store", ""}, "--store:"},
    {{"surplus"}, "unexpected argument 'surplus'"},
    {{"--tls-cert", "x"}, "--tls-cert and --tls-key must be given together"},
    {{"--tls-client-ca", "x"}, "--tls-client-ca requires"},
    {{"--max-message-bytes=1000000", "--max-request-bytes=65536"}, "--max-message-bytes is larger"},
    {{"--admin-token-file", "/nonexistent"}, "/nonexistent: No such file"},
    {{"--admin-token-file", "/"}, "token file /: Is a directory"},
};

START_TEST(a_wrong_value_is_named)
{
    ck_assert_int_eq(parse(wrong[_i].arguments), WEIR_INVALID_REQUEST);
    ck_assert_msg(strstr(err.text, wrong[_i].says) != NULL, "it says: %s", err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}
END_TEST

START_TEST(a_wrong_variable_is_named)
{
    ck_assert_int_eq(setenv("WEIR_MAX_CALLS", "none", 1), 0);
    ck_assert_int_eq(parse(NULL), WEIR_INVALID_REQUEST);
    ck_assert_ptr_nonnull(strstr(err.text, "WEIR_MAX_CALLS: 'none'"));
}
END_TEST

/* argp prints the error with the program's name; the server adds no second text. */
START_TEST(an_unknown_option_is_refused)
{
    static const char *const arguments[] = {"--bogus", NULL};
    ck_assert_int_eq(parse(arguments), WEIR_INVALID_REQUEST);
    ck_assert_str_eq(err.text, "");
}
END_TEST

/* ---- tokens ---- */

#define ADMIN    "0123456789abcdef0123456789abcdef"
#define SECRET   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DEFAULT  "ns_ZGVmYXVsdA_" SECRET
#define NOT_OURS "ns_YWNjb3VudA_" SECRET

START_TEST(an_admin_token_is_the_files_first_line)
{
    const char *const arguments[] = {"--admin-token-file", path, NULL};
    struct weir_token_hash hash;
    weir_token_hash(weir_slice_of(ADMIN), &hash);
    static const char *const texts[] = {ADMIN "\n", ADMIN, ADMIN "\r\nmore\n", ADMIN "\n\n",
                                        ADMIN " \t\n"};
    write_file(texts[_i]);
    ck_assert_int_eq(setenv("WEIR_ADMIN_TOKEN", "not the one of the file", 1), 0);
    ck_assert_int_eq(parse(arguments), WEIR_OK);
    ck_assert(config.has_admin_token);
    ck_assert(weir_token_hash_equal(&hash, &config.admin_token_hash));
}
END_TEST

START_TEST(a_token_that_is_none_is_refused_and_not_repeated)
{
    static const char *const texts[] = {"", "\n" ADMIN, "too-short", "with blank " ADMIN};
    const char *const arguments[] = {"--admin-token-file", path, NULL};
    write_file(texts[_i]);
    ck_assert_int_eq(parse(arguments), WEIR_INVALID_REQUEST);
    ck_assert_ptr_null(strstr(err.text, ADMIN));
    ck_assert_ptr_null(strstr(err.text, "too-short"));
}
END_TEST

START_TEST(the_default_token_names_its_namespace)
{
    ck_assert_int_eq(setenv("WEIR_DEFAULT_TOKEN", DEFAULT, 1), 0);
    ck_assert_int_eq(parse(NULL), WEIR_OK);
    ck_assert_str_eq(config.default_token, DEFAULT);
    ck_assert_int_eq(setenv("WEIR_DEFAULT_TOKEN", NOT_OURS, 1), 0);
    ck_assert_int_eq(parse(NULL), WEIR_INVALID_REQUEST);
    ck_assert_ptr_null(strstr(err.text, SECRET));
}
END_TEST

/* ---- URLs ---- */

static const struct {
    const char *text;
    const char *says;  // NULL: accepted
    int port;
    bool is_local;
    const char *formatted;  // with port 99
} urls[] = {
    {"tcp://127.0.0.1:7117", NULL, 7117, true, "tcp://127.0.0.1:99"},
    {"tcp://127.0.0.1:0", NULL, 0, true, "tcp://127.0.0.1:99"},
    {"tcp://0.0.0.0:1", NULL, 1, false, "tcp://0.0.0.0:99"},
    {"tcp://*:1", NULL, 1, false, "tcp://*:99"},
    {"tcp://[::1]:80", NULL, 80, true, "tcp://[::1]:99"},
    {"tcp://[::]:80", NULL, 80, false, "tcp://[::]:99"},
    {"tcp://localhost:65535", NULL, 65535, true, "tcp://localhost:99"},
    {"tcp://127.evil.example:1", NULL, 1, false, "tcp://127.evil.example:99"},
    {"tls+tcp://host:443", NULL, 443, false, "tls+tcp://host:99"},
    {"ws://127.0.0.1:0/weir", NULL, 0, true, "ws://127.0.0.1:99/weir"},
    {"ipc:///tmp/x", NULL, -1, true, "ipc:///tmp/x"},
    {"inproc://x", NULL, -1, true, "inproc://x"},
    {"tcp://127.0.0.1", "names no port", 0, false, NULL},
    {"tcp://[::1]", "names no port", 0, false, NULL},
    {"ws://127.0.0.1/weir", "names no port", 0, false, NULL},
    {"tcp://h:", "port", 0, false, NULL},
    {"tcp://h:65536", "port", 0, false, NULL},
    {"tcp://h:-1", "port", 0, false, NULL},
    {"tcp://h:1x", "port", 0, false, NULL},
    {"tcp://h:000001", "port", 0, false, NULL},
    {"tcp://h:1/path", "path", 0, false, NULL},
    {"ipc://", "nothing follows the scheme", 0, false, NULL},
    {"http://h:1", "its scheme is none of", 0, false, NULL},
    {"", "its scheme is none of", 0, false, NULL},
};

START_TEST(a_url_is_taken_apart_or_refused)
{
    struct weir_listen_url url;
    const weir_status st = weir_listen_url_parse(urls[_i].text, &url, &err);
    if (urls[_i].says != NULL) {
        ck_assert_int_eq(st, WEIR_INVALID_REQUEST);
        ck_assert_msg(strstr(err.text, urls[_i].says) != NULL, "it says: %s", err.text);
        return;
    }
    ck_assert_int_eq(st, WEIR_OK);
    ck_assert_int_eq(url.port, urls[_i].port);
    ck_assert_int_eq(weir_listen_url_is_local(&url), urls[_i].is_local);
    char text[WEIR_URL_BYTES_MAX];
    weir_listen_url_format(&url, 99, text);
    ck_assert_str_eq(text, urls[_i].formatted);
}
END_TEST

static const struct {
    const char *text;
    const char *says;  // NULL: accepted
} http_urls[] = {
    {"http://127.0.0.1:9117", NULL},
    {"http://[::1]:0", NULL},
    {"http://localhost:65535", NULL},
    {"http://127.0.0.1:65536", "the port"},
    {"http://127.0.0.1:99999", "the port"},
    {"http://127.0.0.1", "names no port"},
    {"http://127.0.0.1:0/metrics", "it has a path"},
    {"http://:80", "names no host"},
    {"http://[]:80", "names no host"},
    {"https://127.0.0.1:80", "is not http://HOST:PORT"},
    {"tcp://127.0.0.1:80", "is not http://HOST:PORT"},
};

START_TEST(a_url_for_http_is_taken_or_refused)
{
    const weir_status st = weir_http_check(http_urls[_i].text, &err);
    ck_assert_int_eq(st, http_urls[_i].says == NULL ? WEIR_OK : WEIR_INVALID_REQUEST);
    if (http_urls[_i].says != NULL) {
        ck_assert_msg(strstr(err.text, http_urls[_i].says) != NULL, "it says: %s", err.text);
    }
}
END_TEST

START_TEST(a_url_longer_than_nng_takes_is_refused)
{
    char text[300] = "ipc:///";
    memset(text + 7, 'x', 200);
    struct weir_listen_url url;
    ck_assert_int_eq(weir_listen_url_parse(text, &url, &err), WEIR_INVALID_REQUEST);
}
END_TEST

static Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *tcase = tcase_create("config");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, without_options_the_defaults_hold);
    tcase_add_test(tcase, options_and_variables_are_the_same);
    tcase_add_test(tcase, a_list_of_the_environment_is_separated_by_blanks);
    tcase_add_loop_test(tcase, a_wrong_value_is_named, 0, (int)WEIR_COUNTOF(wrong));
    tcase_add_test(tcase, a_wrong_variable_is_named);
    tcase_add_test(tcase, an_unknown_option_is_refused);
    tcase_add_loop_test(tcase, an_admin_token_is_the_files_first_line, 0, 5);
    tcase_add_loop_test(tcase, a_token_that_is_none_is_refused_and_not_repeated, 0, 4);
    tcase_add_test(tcase, the_default_token_names_its_namespace);
    tcase_add_loop_test(tcase, a_url_is_taken_apart_or_refused, 0, (int)WEIR_COUNTOF(urls));
    tcase_add_loop_test(tcase, a_url_for_http_is_taken_or_refused, 0, (int)WEIR_COUNTOF(http_urls));
    tcase_add_test(tcase, a_url_longer_than_nng_takes_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(config_suite());
}
