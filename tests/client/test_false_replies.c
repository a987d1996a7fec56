/* The program weir against a server whose replies are incorrect or missing: the program ends and
 * reports why. */
#include "client/weir.h"
#include "tests/client/fake_server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static struct fake_server *server;
static char output[4096];  // of the program, both streams

static void teardown(void)
{
    fake_server_stop(server);
}

/* Runs weir and returns its exit status; timeout(1) returns 124 if weir hangs. */
static int run_weir(const char *command)
{
    char line[1024];
    const char *program = getenv("WEIR_PROGRAM");
    ck_assert_ptr_nonnull(program);
    (void)snprintf(line, sizeof line, "exec timeout -k 5 30 '%s' --server %s %s 2>&1", program,
                   fake_server_url(server), command);
    FILE *out = popen(line, "r");
    ck_assert_ptr_nonnull(out);
    const size_t n = fread(output, 1, sizeof output - 1, out);
    output[n] = '\0';
    while (fgetc(out) != EOF) {
        continue;
    }
    const int status = pclose(out);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The server returns the same page of streams, or of namespaces, forever. */
START_TEST(a_list_whose_pages_lead_nowhere_ends)
{
    char cursor[] = "again";
    Weir__V1__ListStreamsResponse streams = WEIR__V1__LIST_STREAMS_RESPONSE__INIT;
    Weir__V1__ListNamespacesResponse namespaces = WEIR__V1__LIST_NAMESPACES_RESPONSE__INIT;
    streams.next_cursor = cursor;
    namespaces.next_cursor = cursor;
    const struct fake_action page = {FAKE_ANSWER, _i == 0 ? &streams.base : &namespaces.base, NULL};
    server = fake_server_start(&page, 1);
    ck_assert_int_eq(run_weir(_i == 0 ? "streams" : "namespace list"), 1);
    ck_assert_ptr_nonnull(strstr(output, "weir: BACKEND_ERROR: "));
    ck_assert_uint_eq(fake_server_requests(server), 2);
}
END_TEST

/* A page with more rows than requested must not start another request. */
START_TEST(a_list_with_too_many_rows_ends)
{
    char cursor[] = "again";
    Weir__V1__StreamInfo info = WEIR__V1__STREAM_INFO__INIT;
    Weir__V1__StreamInfo *rows[] = {&info, &info, &info};
    Weir__V1__ListStreamsResponse streams = WEIR__V1__LIST_STREAMS_RESPONSE__INIT;
    streams.streams = rows;
    streams.n_streams = 3;
    streams.next_cursor = cursor;
    const struct fake_action page = {FAKE_ANSWER, &streams.base, NULL};
    server = fake_server_start(&page, 1);
    ck_assert_int_eq(run_weir("streams --limit 2"), 0);
    ck_assert_uint_eq(fake_server_requests(server), 1);
}
END_TEST

/* A command for a message needs its stream and type. */
START_TEST(a_message_without_its_names_is_handed_to_no_command)
{
    Weir__V1__GetServerInfoResponse info = WEIR__V1__GET_SERVER_INFO_RESPONSE__INIT;
    Weir__V1__Message message = WEIR__V1__MESSAGE__INIT;
    Weir__V1__Message *messages[] = {&message};
    Weir__V1__GetStreamMessagesResponse page = WEIR__V1__GET_STREAM_MESSAGES_RESPONSE__INIT;
    message.id = (char *)(uintptr_t) "00000000-0000-4000-8000-000000000001";
    page.messages = messages;
    page.n_messages = 1;
    page.has_next_position = true;
    page.next_position = 1;
    const struct fake_action script[] = {{FAKE_ANSWER, &info.base, NULL},
                                         {FAKE_ANSWER, &page.base, NULL}};
    server = fake_server_start(script, WEIR_COUNTOF(script));
    ck_assert_int_eq(run_weir("subscribe --stream s-1 --exec 'echo run' --limit 1"), 1);
    ck_assert_ptr_nonnull(strstr(output, "weir: BACKEND_ERROR: "));
    ck_assert_ptr_null(strstr(output, "run"));
}
END_TEST

/* Nothing that a server says controls the terminal. */
START_TEST(the_details_of_a_failure_are_escaped)
{
    struct weir_error odd;
    weir_error_init(&odd);
    (void)weir_fail(&odd, WEIR_PRECONDITION, "a text\x1b[31m");
    weir_error_detail(&odd, "a key\x1b[32m", "a value\x1b[33m");
    const struct fake_action refuse = {FAKE_FAIL, NULL, &odd};
    server = fake_server_start(&refuse, 1);
    ck_assert_int_eq(run_weir("version s-1"), 1);
    ck_assert_ptr_nonnull(strstr(output, "PRECONDITION: a text\\u001b[31m\n"));
    ck_assert_ptr_nonnull(strstr(output, "  a key\\u001b[32m: a value\\u001b[33m\n"));
    ck_assert_ptr_null(strchr(output, '\x1b'));
}
END_TEST

/* ---- calls that may have been carried out ---- */

static const char doubt_line[] = "it may have been done all the same; look before you repeat it\n";

static const struct {
    const char *command;
    bool is_told;
} doubtful[] = {
    {"write s-1 T", true},
    {"write s-1 T --id 00000000-0000-4000-8000-000000000001", false},  // is safe to repeat
    {"call WriteMessages '{\"stream_name\":\"s-1\",\"messages\":[{\"type\":\"T\"}]}'", true},
    {"namespace delete tenant", true},
    {"version s-1", false},
    {"call GetStreamVersion '{\"stream_name\":\"s-1\"}'", false},
};

START_TEST(a_write_that_may_have_been_done_is_told)
{
    struct weir_error failure;
    weir_error_init(&failure);
    (void)weir_fail(&failure, WEIR_BACKEND_ERROR, "something went wrong");
    const struct fake_action fail = {FAKE_FAIL, NULL, &failure};
    const struct fake_action disconnect = {FAKE_DISCONNECT, NULL, NULL};
    server = fake_server_start(_i % 2 == 0 ? &fail : &disconnect, 1);
    char command[256];
    (void)snprintf(command, sizeof command, "--timeout 0.5 %s", doubtful[_i / 2].command);
    ck_assert_int_eq(run_weir(command), _i % 2 == 0 ? 1 : 3);
    ck_assert_msg((strstr(output, doubt_line) != NULL) == doubtful[_i / 2].is_told, "%s", output);
}
END_TEST

/* ---- tokens that may be in force ---- */

static const char token_line[] = "if it was done all the same, the token is: ";

/* Copies the token of the first request. */
static void take_sent_token(char *token, size_t size)
{
    const struct fake_request *r = fake_server_request(server, 0);
    if (strstr(r->method, "CreateNamespace") != NULL) {
        Weir__V1__CreateNamespaceRequest *sent =
            weir__v1__create_namespace_request__unpack(NULL, r->payload_n, r->payload);
        (void)snprintf(token, size, "%s", sent->token);
        weir__v1__create_namespace_request__free_unpacked(sent, NULL);
    } else {
        Weir__V1__RotateTokenRequest *sent =
            weir__v1__rotate_token_request__unpack(NULL, r->payload_n, r->payload);
        (void)snprintf(token, size, "%s", sent->new_token);
        weir__v1__rotate_token_request__free_unpacked(sent, NULL);
    }
}

/* The token may be in force after a rotation whose reply was lost. */
START_TEST(a_token_that_may_be_in_force_is_told)
{
    static const char *const commands[] = {"namespace create tenant",
                                           "namespace rotate-token tenant"};
    struct weir_error unauthorized;
    weir_error_init(&unauthorized);
    (void)weir_fail(&unauthorized, WEIR_AUTH_UNAUTHORIZED, "the token opens nothing");
    const struct fake_action script[] = {{FAKE_DISCONNECT, NULL, NULL},
                                         {FAKE_FAIL, NULL, &unauthorized}};
    server = fake_server_start(script, WEIR_COUNTOF(script));
    ck_assert_int_eq(run_weir(commands[_i]), 3);
    char token[WEIR_TOKEN_MAX_BYTES + 1];
    take_sent_token(token, sizeof token);
    const char *told = strstr(output, token_line);
    ck_assert_msg(told != NULL, "%s", output);
    told += strlen(token_line);
    ck_assert_uint_eq(strcspn(told, "\n"), strlen(token));
    ck_assert_mem_eq(told, token, strlen(token));
}
END_TEST

START_TEST(a_token_that_is_not_in_force_is_not_told)
{
    struct weir_error unauthorized;
    weir_error_init(&unauthorized);
    (void)weir_fail(&unauthorized, WEIR_AUTH_UNAUTHORIZED, "the token opens nothing");
    const struct fake_action refuse = {FAKE_FAIL, NULL, &unauthorized};
    server = fake_server_start(&refuse, 1);
    ck_assert_int_eq(run_weir("namespace create tenant"), 1);
    ck_assert_ptr_null(strstr(output, "ns_"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("false replies");
    TCase *replies = tcase_create("replies");
    tcase_add_checked_fixture(replies, NULL, teardown);
    tcase_add_loop_test(replies, a_list_whose_pages_lead_nowhere_ends, 0, 2);
    tcase_add_test(replies, a_list_with_too_many_rows_ends);
    tcase_add_test(replies, a_message_without_its_names_is_handed_to_no_command);
    tcase_add_test(replies, the_details_of_a_failure_are_escaped);
    tcase_add_loop_test(replies, a_write_that_may_have_been_done_is_told, 0,
                        2 * WEIR_COUNTOF(doubtful));
    tcase_add_loop_test(replies, a_token_that_may_be_in_force_is_told, 0, 2);
    tcase_add_test(replies, a_token_that_is_not_in_force_is_not_told);
    suite_add_tcase(suite, replies);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
