/* The lines that weir prints, imports and exports. */
#include "client/cli/record.h"
#include "weir/rules/limits.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct weir_arena arena;
static struct weir_error err;
static Weir__V1__ImportedMessage message;

static void setup(void)
{
    weir_arena_init(&arena, 64 << 20, 0);
    weir_error_init(&err);
}

static void teardown(void)
{
    weir_arena_fini(&arena);
}

static weir_status parse(const char *line)
{
    return record_parse(weir_slice_of(line), false, &arena, &message, &err);
}

#define ID   "\"id\":\"A5EB2A97-84D9-4CCF-8A56-7160338B11E2\""
#define HEAD ID ",\"stream\":\"a-1\",\"type\":\"T\",\"pos\":0,\"gpos\":1"
#define TIME "\"time\":\"2025-01-15T10:00:00.123456Z\""

static bool data_is(const char *json)
{
    return message.has_data && weir_slice_is(weir_slice(message.data.data, message.data.len), json);
}

START_TEST(a_whole_record_is_read)
{
    ck_assert_msg(parse("{" HEAD ",\"data\":{\"n\": 1.10 },\"meta\":null," TIME "}") == WEIR_OK,
                  "%s", err.text);
    ck_assert_str_eq(message.id, "A5EB2A97-84D9-4CCF-8A56-7160338B11E2");
    ck_assert_str_eq(message.stream_name, "a-1");
    ck_assert_str_eq(message.type, "T");
    ck_assert_int_eq(message.position, 0);
    ck_assert_int_eq(message.global_position, 1);
    ck_assert_int_eq(message.time_us, 1736935200123456);
    ck_assert(data_is("{\"n\": 1.10 }"));
    ck_assert(message.has_metadata);
}
END_TEST

START_TEST(absent_and_null_are_kept_apart)
{
    ck_assert_int_eq(parse("{" HEAD "," TIME "}"), WEIR_OK);
    ck_assert(!message.has_data && !message.has_metadata);
    const char *line = "{" HEAD ",\"data\":null,\"meta\":null," TIME "}";
    ck_assert_int_eq(record_parse(weir_slice_of(line), true, &arena, &message, &err), WEIR_OK);
    ck_assert(data_is("null"));
    ck_assert(!message.has_metadata);
}
END_TEST

/* The text after the common beginning, and the expected error. */
static const struct {
    const char *line;
    const char *reason;
} refused[] = {
    {"", "not a JSON object"},
    {"[]", "not a JSON object"},
    {"{1", "no name"},
    {"{}", "id: missing"},
    {"{" HEAD "}", "time: missing"},
    {"{" HEAD "," TIME "} x", "text follows"},
    {"{" HEAD "," TIME ",}", "no name"},
    {"{" HEAD " " TIME "}", "',' or a closing"},
    {"{" HEAD "," TIME ",\"data\"}", "no ':'"},
    {"{" HEAD "," TIME ",\"data\":}", "no value"},
    {"{" HEAD "," TIME ",\"data\":{]}", "data: "},
    {"{" HEAD "," TIME ",\"data\":[1,]}", "data: "},
    {"{" HEAD "," TIME ",\"data\":x,\"data\":1}", "data: "},
    {"{" HEAD "," TIME ",\"data\":nul}", "data: "},
    {"{" HEAD "," TIME ",\"data\":\"\\ud800\"}", "data: "},
    {"{" HEAD "," TIME ",\"data\":\"\xff\"}", "data: "},
    {"{" HEAD "," TIME ",\"data\":\"\\u0000\"}", "data: "},
    {"{" HEAD "," TIME ",\"meta\":01}", "meta: "},
    {"{" HEAD "," TIME ",\"other\":[}", "unknown member"},
    {"{" HEAD "," TIME ",\"other\":[", "ends too early"},
    {"{", "ends too early"},
    {"{\"id", "ends too early"},
    {"{\"id\"", "ends too early"},
    {"{\"id\":", "ends too early"},
    {"{\"id\":\"a", "ends too early"},
    {"{" HEAD, "ends too early"},
    {"{" HEAD ",", "ends too early"},
    {"{" HEAD "," TIME ",\"other\":{]}", "unknown member"},
    {"{" HEAD "," TIME ",\"a\\x\":1}", "name"},
    {"{" HEAD "," TIME ",\"id\":\"\"}", "id: not a UUID"},
    {"{" HEAD "," TIME ",\"id\":7}", "id: not a string"},
    {"{" HEAD "," TIME ",\"stream\":\"\"}", "stream: must not be empty"},
    {"{" HEAD "," TIME ",\"stream\":\"a\\u0000b\"}", "stream"},
    {"{" HEAD "," TIME ",\"type\":null}", "type: not a string"},
    {"{" HEAD "," TIME ",\"pos\":-1}", "pos: "},
    {"{" HEAD "," TIME ",\"pos\":1.0}", "pos: "},
    {"{" HEAD "," TIME ",\"pos\":\"1\"}", "pos: "},
    {"{" HEAD "," TIME ",\"pos\":01}", "pos: "},
    {"{" HEAD "," TIME ",\"pos\":4611686018427387905}", "pos: "},
    {"{" HEAD "," TIME ",\"pos\":99999999999999999999}", "pos: "},
    {"{" HEAD "," TIME ",\"gpos\":0}", "gpos: "},
    {"{" HEAD "," TIME ",\"gpos\":null}", "gpos: "},
    {"{" HEAD "," TIME ",\"time\":\"yesterday\"}", "time: "},
    {"{" HEAD "," TIME ",\"time\":1736935200}", "time: "},
};

START_TEST(a_record_that_cannot_be_used_is_refused)
{
    const char *line = refused[_i].line;
    ck_assert_msg(parse(line) == WEIR_INVALID_RECORD, "accepted: %s", line);
    ck_assert_msg(strstr(err.text, refused[_i].reason) != NULL, "%s: %s", line, err.text);
    ck_assert_ptr_nonnull(weir_error_get_detail(&err, "reason"));
}
END_TEST

START_TEST(every_prefix_of_a_record_is_refused)
{
    const char *line = "{" HEAD ",\"data\":{\"n\":[1,\"\\u00e9\"]}, \"x\":{}," TIME " }";
    ck_assert_int_eq(parse(line), WEIR_OK);
    for (size_t n = 0; n < strlen(line); n++) {
        /* Copies into an allocation of the exact size, so that AddressSanitizer detects
         * overreads. */
        char *copy = malloc(n + 1);
        memcpy(copy, line, n);
        struct weir_slice text = weir_slice(copy, n);
        ck_assert_int_eq(record_parse(text, false, &arena, &message, &err), WEIR_INVALID_RECORD);
        free(copy);
    }
}
END_TEST

START_TEST(the_highest_positions_are_accepted)
{
    ck_assert_int_eq(
        parse("{" HEAD "," TIME ",\"pos\":4611686018427387904,\"gpos\":4611686018427387904}"),
        WEIR_OK);
    ck_assert_int_eq(message.position, WEIR_IMPORT_POSITION_MAX);
}
END_TEST

START_TEST(data_may_be_nested_as_deeply_as_in_a_write)
{
    char line[2048];
    char *at = line + snprintf(line, sizeof line, "{%s,%s,\"data\":", HEAD, TIME);
    const int depth = 512 + _i;
    memset(at, '[', (size_t)depth);
    memset(at + depth, ']', (size_t)depth);
    memcpy(at + 2 * depth, "}", 2);
    ck_assert_int_eq(parse(line), _i == 0 ? WEIR_OK : WEIR_INVALID_RECORD);
}
END_TEST

START_TEST(escapes_and_unknown_members_are_understood)
{
    ck_assert_int_eq(parse(" { \"ne\\u0077\" : { \"a\":[1,\"}\"] } , \"ID\":1, " HEAD
                           ", \"str\\u0065am\":\"b\\/\\u00e9\\ud83d\\ude00\", \"type\":\"\", " TIME
                           "}\t"),
                     WEIR_OK);
    ck_assert_str_eq(message.stream_name, "b/é😀");
    ck_assert_str_eq(message.type, "");
}
END_TEST

/* ---- writing ---- */

static char *written(const Weir__V1__Message *m)
{
    static char text[4096];
    FILE *out = fmemopen(text, sizeof text, "w");
    ck_assert_int_eq(record_write(out, m, &err), WEIR_OK);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static Weir__V1__Message sample(void)
{
    static char id[] = "a5eb2a97-84d9-4ccf-8a56-7160338b11e2";
    static char stream[] = "a-\"\\\n\x1b\x7f\xc2\x9bé";
    static char type[] = "T";
    Weir__V1__Message m = WEIR__V1__MESSAGE__INIT;
    m.id = id;
    m.stream_name = stream;
    m.type = type;
    m.position = 3;
    m.global_position = 9;
    m.time_us = 1736935200123456;
    return m;
}

START_TEST(a_message_is_one_line_that_can_be_read_again)
{
    Weir__V1__Message m = sample();
    uint8_t data[] = "{\r\n\t\"n\": \"\x7f\xc2\x85\" }";
    m.has_data = true;
    m.data.data = data;
    m.data.len = sizeof data - 1;
    char *line = written(&m);
    ck_assert_str_eq(line,
                     "{\"id\":\"a5eb2a97-84d9-4ccf-8a56-7160338b11e2\","
                     "\"stream\":\"a-\\\"\\\\\\n\\u001b\\u007f\\u009bé\",\"type\":\"T\",\"pos\":3,"
                     "\"gpos\":9,\"data\":{   \"n\": \"\x7f\xc2\x85\" },"
                     "\"time\":\"2025-01-15T10:00:00.123456Z\"}\n");
    line[strlen(line) - 1] = '\0';
    ck_assert_int_eq(parse(line), WEIR_OK);
    ck_assert_str_eq(message.stream_name, m.stream_name);
    ck_assert_int_eq(message.time_us, m.time_us);
}
END_TEST

/* Control characters must not reach a terminal. */
START_TEST(nothing_in_the_data_steers_a_terminal)
{
    Weir__V1__Message m = sample();
    uint8_t data[] = "\"\x7f\xc2\x9bé\"";
    m.has_data = true;
    m.data.data = data;
    m.data.len = sizeof data - 1;
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    FILE *terminal = fopen(ptsname(master), "w");
    ck_assert_ptr_nonnull(terminal);
    ck_assert_int_eq(record_write(terminal, &m, &err), WEIR_OK);
    ck_assert_int_eq(fflush(terminal), 0);
    char text[1024];
    const ssize_t n = read(master, text, sizeof text - 1);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    ck_assert_msg(strstr(text, "\"data\":\"\\u007f\\u009bé\"") != NULL, "%s", text);
    ck_assert_int_eq(fclose(terminal), 0);
    ck_assert_int_eq(close(master), 0);
}
END_TEST

START_TEST(a_time_without_a_text_is_no_record)
{
    static const int64_t times[] = {INT64_MIN, -62167219200000001, 253402300800000000, INT64_MAX};
    char text[64] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    Weir__V1__Message m = sample();
    m.time_us = times[_i];
    ck_assert_int_eq(record_write(out, &m, &err), WEIR_DATA_CORRUPT);
    ck_assert_str_eq(weir_error_get_detail(&err, "global_position"), "9");
    Weir__V1__WrittenMessage w = WEIR__V1__WRITTEN_MESSAGE__INIT;
    w.global_position = 10;
    w.time_us = times[_i];
    const struct record_written written = {"a-1", "T", &w, false};
    ck_assert_int_eq(record_write_written(out, &written, &err), WEIR_DATA_CORRUPT);
    ck_assert_str_eq(weir_error_get_detail(&err, "global_position"), "10");
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(empty_bytes_are_no_absent_ones)
{
    Weir__V1__Message m = sample();
    m.has_metadata = true;
    uint8_t text[] = "\"\"";
    m.metadata.data = text;
    m.metadata.len = 2;
    ck_assert_ptr_nonnull(strstr(written(&m), "\"meta\":\"\",\"time\""));
    ck_assert_ptr_null(strstr(written(&m), "\"data\""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *record = tcase_create("record");
    tcase_add_checked_fixture(record, setup, teardown);
    tcase_add_test(record, a_whole_record_is_read);
    tcase_add_test(record, absent_and_null_are_kept_apart);
    tcase_add_loop_test(record, a_record_that_cannot_be_used_is_refused, 0,
                        (int)WEIR_COUNTOF(refused));
    tcase_add_test(record, every_prefix_of_a_record_is_refused);
    tcase_add_test(record, the_highest_positions_are_accepted);
    tcase_add_loop_test(record, data_may_be_nested_as_deeply_as_in_a_write, 0, 2);
    tcase_add_test(record, escapes_and_unknown_members_are_understood);
    tcase_add_test(record, a_message_is_one_line_that_can_be_read_again);
    tcase_add_test(record, nothing_in_the_data_steers_a_terminal);
    tcase_add_loop_test(record, a_time_without_a_text_is_no_record, 0, 4);
    tcase_add_test(record, empty_bytes_are_no_absent_ones);
    suite_add_tcase(suite, record);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
