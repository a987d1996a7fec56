/* Statuses and the error that carries one. */
#include "weir/base/fail.h"

#include "tests/lib/check_main.h"

#include <limits.h>
#include <stdio.h>

static struct weir_error err;

static void set_up(void)
{
    weir_error_init(&err);
}

struct status_row {
    weir_status status;
    const char *name;
    int grpc;
    bool retryable;
};

/* The list of statuses as clients know them, repeated on purpose. */
static const struct status_row statuses[] = {
    {WEIR_OK, "", 0, false},
    {WEIR_INVALID_REQUEST, "INVALID_REQUEST", 3, false},
    {WEIR_INVALID_RECORD, "INVALID_RECORD", 3, false},
    {WEIR_INVALID_JSON, "INVALID_JSON", 3, false},
    {WEIR_METHOD_NOT_FOUND, "METHOD_NOT_FOUND", 12, false},
    {WEIR_FEATURE_UNSUPPORTED, "FEATURE_UNSUPPORTED", 12, false},
    {WEIR_AUTH_REQUIRED, "AUTH_REQUIRED", 16, false},
    {WEIR_AUTH_INVALID_TOKEN, "AUTH_INVALID_TOKEN", 16, false},
    {WEIR_AUTH_UNAUTHORIZED, "AUTH_UNAUTHORIZED", 7, false},
    {WEIR_NAMESPACE_NOT_FOUND, "NAMESPACE_NOT_FOUND", 5, false},
    {WEIR_NAMESPACE_EXISTS, "NAMESPACE_EXISTS", 6, false},
    {WEIR_STREAM_VERSION_CONFLICT, "STREAM_VERSION_CONFLICT", 10, false},
    {WEIR_MESSAGE_ID_CONFLICT, "MESSAGE_ID_CONFLICT", 6, false},
    {WEIR_POSITION_EXISTS, "POSITION_EXISTS", 6, false},
    {WEIR_LIMIT_EXCEEDED, "LIMIT_EXCEEDED", 8, false},
    {WEIR_OUT_OF_POSITIONS, "OUT_OF_POSITIONS", 11, false},
    {WEIR_PRECONDITION, "PRECONDITION", 9, false},
    {WEIR_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", 4, true},
    {WEIR_CANCELLED, "CANCELLED", 1, false},
    {WEIR_BACKEND_UNAVAILABLE, "BACKEND_UNAVAILABLE", 14, true},
    {WEIR_SHUTTING_DOWN, "SHUTTING_DOWN", 14, true},
    {WEIR_BACKEND_ERROR, "BACKEND_ERROR", 13, false},
    {WEIR_DATA_CORRUPT, "DATA_CORRUPT", 15, false},
};

START_TEST(every_status_has_its_row)
{
    const struct status_row *row = &statuses[_i];
    ck_assert_int_eq((int)row->status, _i);
    ck_assert_str_eq(weir_status_name(row->status), row->name);
    ck_assert_int_eq(weir_status_grpc(row->status), row->grpc);
    ck_assert_int_eq(weir_status_retryable(row->status), row->retryable);
    ck_assert_int_eq(weir_status_from_name(weir_slice_of(row->name)), row->status);
}
END_TEST

START_TEST(every_status_is_tested)
{
    ck_assert_uint_eq(WEIR_COUNTOF(statuses), WEIR_STATUS_COUNT);
}
END_TEST

START_TEST(other_numbers_and_names_are_backend_errors)
{
    static const int others[] = {WEIR_STATUS_COUNT, WEIR_STATUS_COUNT + 1, -1, INT_MAX, INT_MIN};
    for (size_t i = 0; i < WEIR_COUNTOF(others); i++) {
        ck_assert_str_eq(weir_status_name((weir_status)others[i]), "BACKEND_ERROR");
        ck_assert_int_eq(weir_status_grpc((weir_status)others[i]), 13);
        ck_assert(!weir_status_retryable((weir_status)others[i]));
    }
    static const char *const names[] = {NULL, "OK", "invalid_request", "INVALID_REQUEST ", "X"};
    for (size_t i = 0; i < WEIR_COUNTOF(names); i++) {
        ck_assert_int_eq(weir_status_from_name(weir_slice_of(names[i])), WEIR_BACKEND_ERROR);
    }
}
END_TEST

START_TEST(a_failure_is_recorded)
{
    ck_assert_int_eq(weir_fail(&err, WEIR_PRECONDITION, "%s is %d", "x", 7), WEIR_PRECONDITION);
    ck_assert_int_eq(err.status, WEIR_PRECONDITION);
    ck_assert_str_eq(err.text, "x is 7");
    size_t at = 0;
    const char *key = NULL;
    const char *value = NULL;
    ck_assert(!weir_error_next_detail(&err, &at, &key, &value));
}
END_TEST

START_TEST(a_failure_drops_the_one_before)
{
    (void)weir_fail_field(&err, "data", "bad");
    (void)weir_fail(&err, WEIR_CANCELLED, "gone");
    ck_assert_int_eq(err.status, WEIR_CANCELLED);
    ck_assert_ptr_null(weir_error_get_detail(&err, "field"));
}
END_TEST

START_TEST(a_field_is_named)
{
    ck_assert_int_eq(weir_fail_field(&err, "messages[3].id", "no UUID of %d bytes", 5),
                     WEIR_INVALID_REQUEST);
    ck_assert_str_eq(err.text, "messages[3].id: no UUID of 5 bytes");
    ck_assert_str_eq(weir_error_get_detail(&err, "field"), "messages[3].id");
    ck_assert_str_eq(weir_error_get_detail(&err, "reason"), "no UUID of 5 bytes");
    ck_assert_ptr_null(weir_error_get_detail(&err, "limit"));
}
END_TEST

START_TEST(a_limit_is_given_in_numbers)
{
    ck_assert_int_eq(weir_fail_limit(&err, "data", 1048576, 18446744073709551615ULL),
                     WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(err.text, "data: 18446744073709551615, but the limit is 1048576");
    ck_assert_str_eq(weir_error_get_detail(&err, "limit"), "1048576");
    ck_assert_str_eq(weir_error_get_detail(&err, "actual"), "18446744073709551615");
    ck_assert(!weir_error_is_transient(&err));
}
END_TEST

START_TEST(a_full_queue_is_a_limit_that_passes)
{
    ck_assert_int_eq(weir_fail_full(&err, "calls in flight", "--max-calls", 4, 5),
                     WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(err.text, "calls in flight (--max-calls): 5, but the limit is 4");
    ck_assert_str_eq(weir_error_get_detail(&err, "queue"), "calls in flight");
    ck_assert_str_eq(weir_error_get_detail(&err, "limit"), "4");
    ck_assert(weir_error_is_transient(&err));
    (void)weir_fail(&err, WEIR_BACKEND_UNAVAILABLE, "away");
    ck_assert(weir_error_is_transient(&err));
    weir_error_init(&err);
    ck_assert(!weir_error_is_transient(&err));
}
END_TEST

static bool is_utf8_cut(const char *text)
{
    const size_t n = strlen(text);
    size_t tail = 0;
    while (tail < n && ((unsigned char)text[n - 1 - tail] & 0xC0) == 0x80) {
        tail++;
    }
    if (tail == n) {
        return n != 0;
    }
    const unsigned char lead = (unsigned char)text[n - 1 - tail];
    const size_t wanted = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    return tail != wanted;
}

/* Characters of 1 to 4 bytes after 0 to 3 bytes that shift the position of the cut. */
START_TEST(texts_are_cut_between_characters)
{
    static const char *const characters[] = {"a", "é", "€", "😀"};
    const char *character = characters[_i / 4];
    char text[2 * WEIR_ERROR_TEXT_BYTES];
    size_t n = (size_t)_i % 4;
    memset(text, '.', n);
    while (n < WEIR_ERROR_TEXT_BYTES + 20) {
        memcpy(text + n, character, strlen(character));
        n += strlen(character);
    }
    text[n] = '\0';
    (void)weir_fail(&err, WEIR_CANCELLED, "%s", text);
    const size_t kept = strlen(err.text);
    ck_assert_uint_gt(kept, WEIR_ERROR_TEXT_BYTES - 1 - strlen(character));
    ck_assert_uint_lt(kept, WEIR_ERROR_TEXT_BYTES);
    ck_assert_mem_eq(err.text, text, kept);
    ck_assert(!is_utf8_cut(err.text));
}
END_TEST

START_TEST(a_text_that_fits_is_whole)
{
    char text[WEIR_ERROR_TEXT_BYTES];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    memcpy(text + sizeof text - 4, "€", 3);
    (void)weir_fail(&err, WEIR_CANCELLED, "%s", text);
    ck_assert_str_eq(err.text, text);
}
END_TEST

START_TEST(a_long_reason_leaves_its_field)
{
    char reason[1000];
    memset(reason, 'r', sizeof reason);
    reason[sizeof reason - 1] = '\0';
    (void)weir_fail_field(&err, "data", "%s", reason);
    ck_assert_str_eq(weir_error_get_detail(&err, "field"), "data");
    ck_assert_uint_gt(strlen(weir_error_get_detail(&err, "reason")), 200);
    ck_assert_int_eq(strncmp(err.text, "data: rrrr", 10), 0);
}
END_TEST

START_TEST(details_are_walked_in_order)
{
    (void)weir_fail(&err, WEIR_MESSAGE_ID_CONFLICT, "x");
    weir_error_detail(&err, "stream", "%s", "a-1");
    weir_error_detail(&err, "position", "%lld", -5LL);
    weir_error_detail(&err, "empty", "%s", "");
    weir_error_detail_slice(&err, "absent", weir_slice(NULL, 0));
    static const char *const expected[][2] = {
        {"stream", "a-1"}, {"position", "-5"}, {"empty", ""}, {"absent", ""}};
    size_t at = 0;
    const char *key = NULL;
    const char *value = NULL;
    for (size_t i = 0; i < WEIR_COUNTOF(expected); i++) {
        ck_assert(weir_error_next_detail(&err, &at, &key, &value));
        ck_assert_str_eq(key, expected[i][0]);
        ck_assert_str_eq(value, expected[i][1]);
    }
    ck_assert(!weir_error_next_detail(&err, &at, &key, &value));
}
END_TEST

/* Two names of maximum length must fit. A detail that does not fit is left out; a later one may
 * fit. */
START_TEST(a_detail_fits_whole_or_not_at_all)
{
    char name[1025];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    (void)weir_fail(&err, WEIR_MESSAGE_ID_CONFLICT, "x");
    weir_error_detail(&err, "a", "%s", name);
    weir_error_detail(&err, "b", "%s", name);
    weir_error_detail(&err, "c", "%s", name);
    weir_error_detail(&err, "d", "%d", 4);
    ck_assert_str_eq(weir_error_get_detail(&err, "a"), name);
    ck_assert_str_eq(weir_error_get_detail(&err, "b"), name);
    ck_assert_ptr_null(weir_error_get_detail(&err, "c"));
    ck_assert_str_eq(weir_error_get_detail(&err, "d"), "4");
}
END_TEST

START_TEST(details_fill_their_area_to_the_last_byte)
{
    char value[WEIR_ERROR_DETAILS_BYTES];
    memset(value, 'v', sizeof value);
    (void)weir_fail(&err, WEIR_CANCELLED, "x");
    weir_error_detail_slice(&err, "k", weir_slice(value, WEIR_ERROR_DETAILS_BYTES - 2));
    ck_assert_uint_eq(err.details_n, 0);
    weir_error_detail_slice(&err, "k", weir_slice(value, WEIR_ERROR_DETAILS_BYTES - 3));
    ck_assert_uint_eq(err.details_n, WEIR_ERROR_DETAILS_BYTES);
    ck_assert_uint_eq(strlen(weir_error_get_detail(&err, "k")), WEIR_ERROR_DETAILS_BYTES - 3);
    weir_error_detail(&err, "", "%s", "");
    ck_assert_uint_eq(err.details_n, WEIR_ERROR_DETAILS_BYTES);
}
END_TEST

START_TEST(a_larger_area_takes_more_details)
{
    static char area[WEIR_ERROR_DETAILS_BYTES * 2];
    static char value[WEIR_ERROR_DETAILS_BYTES];
    memset(value, 'v', sizeof value);
    (void)weir_fail_field(&err, "data", "bad");
    weir_error_enlarge(&err, area, sizeof area);
    weir_error_detail_slice(&err, "long", weir_slice(value, sizeof value));
    ck_assert_str_eq(weir_error_get_detail(&err, "field"), "data");
    ck_assert_uint_eq(strlen(weir_error_get_detail(&err, "long")), sizeof value);
}
END_TEST

START_TEST(a_copy_stands_on_its_own)
{
    static char area[WEIR_ERROR_DETAILS_BYTES * 2];
    static char value[WEIR_ERROR_DETAILS_BYTES];
    memset(value, 'v', sizeof value);
    (void)weir_fail_field(&err, "data", "bad");
    weir_error_enlarge(&err, area, sizeof area);
    weir_error_detail_slice(&err, "long", weir_slice(value, sizeof value));
    weir_error_detail(&err, "last", "%d", 1);
    struct weir_error copy;
    weir_error_copy(&copy, &err);
    memset(area, 'z', sizeof area);
    weir_error_init(&err);
    ck_assert_int_eq(copy.status, WEIR_INVALID_REQUEST);
    ck_assert_str_eq(copy.text, "data: bad");
    ck_assert_str_eq(weir_error_get_detail(&copy, "field"), "data");
    ck_assert_ptr_null(weir_error_get_detail(&copy, "long"));
    ck_assert_str_eq(weir_error_get_detail(&copy, "last"), "1");
}
END_TEST

static Suite *status_suite(void)
{
    Suite *suite = suite_create("status");
    TCase *table = tcase_create("table");
    tcase_add_loop_test(table, every_status_has_its_row, 0, WEIR_COUNTOF(statuses));
    tcase_add_test(table, every_status_is_tested);
    tcase_add_test(table, other_numbers_and_names_are_backend_errors);
    suite_add_tcase(suite, table);
    TCase *texts = tcase_create("texts");
    tcase_add_checked_fixture(texts, set_up, NULL);
    tcase_add_test(texts, a_failure_is_recorded);
    tcase_add_test(texts, a_failure_drops_the_one_before);
    tcase_add_test(texts, a_field_is_named);
    tcase_add_test(texts, a_limit_is_given_in_numbers);
    tcase_add_test(texts, a_full_queue_is_a_limit_that_passes);
    tcase_add_loop_test(texts, texts_are_cut_between_characters, 0, 16);
    tcase_add_test(texts, a_text_that_fits_is_whole);
    tcase_add_test(texts, a_long_reason_leaves_its_field);
    suite_add_tcase(suite, texts);
    TCase *details = tcase_create("details");
    tcase_add_checked_fixture(details, set_up, NULL);
    tcase_add_test(details, details_are_walked_in_order);
    tcase_add_test(details, a_detail_fits_whole_or_not_at_all);
    tcase_add_test(details, details_fill_their_area_to_the_last_byte);
    tcase_add_test(details, a_larger_area_takes_more_details);
    tcase_add_test(details, a_copy_stands_on_its_own);
    suite_add_tcase(suite, details);
    return suite;
}

int main(void)
{
    return check_main(status_suite());
}
