/* What an import learns about the server's size limit from the outcomes of its calls. */
#include "client/cli/request_size.h"
#include "tests/lib/check_main.h"
#include "weir/base/fail.h"

enum { RECORDS = 1000 };

static struct request_size size;
static struct weir_error err;
static char stream[4001];
static Weir__V1__ImportedMessage record;
static Weir__V1__ImportedMessage *records[RECORDS];
static Weir__V1__ImportMessagesRequest request;

/* Records of about 4 KB each. */
static void setup(void)
{
    memset(stream, 's', sizeof stream - 1);
    weir__v1__imported_message__init(&record);
    record.stream_name = stream;
    for (size_t i = 0; i < RECORDS; i++) {
        records[i] = &record;
    }
    weir__v1__import_messages_request__init(&request);
    request.messages = records;
    weir_error_init(&err);
    request_size_begin(&size, 64 << 20);
}

static size_t cut(size_t n)
{
    request.n_messages = n;
    const size_t bytes = request_size_cut(&size, &request.base, &request.n_messages);
    ck_assert_uint_eq(bytes, protobuf_c_message_get_packed_size(&request.base));
    return request.n_messages;
}

static uint32_t attempts(size_t n)
{
    request.n_messages = n;
    return request_size_attempts(&size, protobuf_c_message_get_packed_size(&request.base));
}

static enum request_again learn(size_t n)
{
    request.n_messages = n;
    const enum request_again again =
        request_size_learn(&size, protobuf_c_message_get_packed_size(&request.base), n, &err);
    weir_error_init(&err);
    return again;
}

static enum request_again lose(size_t n)
{
    request.n_messages = n;
    (void)weir_fail(&err, WEIR_BACKEND_UNAVAILABLE, "lost");
    weir_error_detail(&err, "request_bytes", "%zu",
                      protobuf_c_message_get_packed_size(&request.base) + 100);
    weir_error_detail(&err, "url", "tcp://127.0.0.1:1");
    return learn(n);
}

START_TEST(after_a_loss_requests_are_as_small_as_any_server_reads)
{
    ck_assert_uint_eq(cut(RECORDS), RECORDS);
    ck_assert_uint_eq(attempts(RECORDS), 1);
    ck_assert_int_eq(lose(RECORDS), REQUEST_AGAIN_SMALLER);
    ck_assert_uint_eq(cut(RECORDS), 15);
    ck_assert_uint_eq(attempts(15), 0);
    ck_assert_int_eq(learn(15), REQUEST_NOT_AGAIN);
    ck_assert_uint_eq(cut(17), 8);
}
END_TEST

START_TEST(what_has_been_answered_is_read_again)
{
    ck_assert_int_eq(learn(500), REQUEST_NOT_AGAIN);
    ck_assert_uint_eq(attempts(500), 0);
    ck_assert_int_eq(lose(500), REQUEST_NOT_AGAIN);
    ck_assert_uint_eq(cut(RECORDS), RECORDS);
    ck_assert_uint_eq(attempts(501), 1);
    ck_assert_int_eq(lose(RECORDS), REQUEST_AGAIN_SMALLER);
    ck_assert_uint_eq(cut(RECORDS), 500);
}
END_TEST

START_TEST(a_busy_server_has_read_the_request)
{
    (void)weir_fail(&err, WEIR_BACKEND_UNAVAILABLE, "busy");
    ck_assert_int_eq(learn(RECORDS), REQUEST_AGAIN);
    ck_assert_uint_eq(attempts(RECORDS), 0);
    (void)weir_fail(&err, WEIR_BACKEND_UNAVAILABLE, "busy");
    ck_assert_int_eq(learn(RECORDS), REQUEST_NOT_AGAIN);
}
END_TEST

/* The envelope counts too: a request nearly as large as any server reads is retried as well. */
START_TEST(a_small_request_whose_connection_is_lost_is_sent_again)
{
    ck_assert_uint_eq(attempts(16), 1);
    ck_assert_int_eq(lose(16), REQUEST_AGAIN);
    ck_assert_uint_eq(attempts(16), 0);
    ck_assert_uint_eq(cut(RECORDS), RECORDS);
}
END_TEST

START_TEST(a_server_that_is_not_there_tells_nothing)
{
    (void)weir_fail(&err, WEIR_BACKEND_UNAVAILABLE, "no connection");
    weir_error_detail(&err, "url", "tcp://127.0.0.1:1");
    ck_assert_int_eq(learn(RECORDS), REQUEST_NOT_AGAIN);
    ck_assert_uint_eq(attempts(RECORDS), 1);
    ck_assert_uint_eq(cut(RECORDS), RECORDS);
}
END_TEST

START_TEST(a_single_message_is_not_made_smaller)
{
    static char large[70000];
    memset(large, 's', sizeof large - 1);
    record.stream_name = large;
    ck_assert_uint_eq(attempts(1), 1);
    ck_assert_int_eq(lose(1), REQUEST_NOT_AGAIN);
    ck_assert_uint_eq(cut(2), 1);
}
END_TEST

static Suite *request_size_suite(void)
{
    Suite *suite = suite_create("request_size");
    TCase *sizes = tcase_create("sizes");
    tcase_add_checked_fixture(sizes, setup, NULL);
    tcase_add_test(sizes, after_a_loss_requests_are_as_small_as_any_server_reads);
    tcase_add_test(sizes, what_has_been_answered_is_read_again);
    tcase_add_test(sizes, a_busy_server_has_read_the_request);
    tcase_add_test(sizes, a_small_request_whose_connection_is_lost_is_sent_again);
    tcase_add_test(sizes, a_server_that_is_not_there_tells_nothing);
    tcase_add_test(sizes, a_single_message_is_not_made_smaller);
    suite_add_tcase(suite, sizes);
    return suite;
}

int main(void)
{
    return check_main(request_size_suite());
}
