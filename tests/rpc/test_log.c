/* The log entry of a call: the caller, the outcome, and never a token. */
#include "tests/rpc/rpc_fixture.h"

#include "tests/lib/check_main.h"
#include "weir/rules/token.h"
#include "weir/wire/frame.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOG_MAX = 1 << 20, LOOKS = 500, LOOK_MS = 10 };

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static struct rpc_reply reply;
static FILE *file;
static int own_stderr;
static char text[LOG_MAX];

/* Redirects standard error, to which the server logs, to a file. */
static void redirect(void)
{
    file = tmpfile();
    ck_assert_ptr_nonnull(file);
    own_stderr = dup(STDERR_FILENO);
    ck_assert(own_stderr >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
}

static void restore(void)
{
    (void)dup2(own_stderr, STDERR_FILENO);
    (void)close(own_stderr);
    (void)fclose(file);
}

static const char *read_log(void)
{
    const ssize_t n = pread(fileno(file), text, sizeof text - 1, 0);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    return text;
}

static const char *const formats[] = {"text", "json"};

static void start(int format)
{
    const char *const arguments[] = {"--log-level", "debug", "--log-format", formats[format], NULL};
    rpc_start(arguments);
}

/* ---- tokens ---- */

/* Tokens sent or returned, which must not appear in the log. */
static char secrets[16][WEIR_TOKEN_MAX_BYTES + 1];
static size_t secrets_n;

static const char *keep(const char *token)
{
    ck_assert_uint_lt(secrets_n, WEIR_COUNTOF(secrets));
    (void)snprintf(secrets[secrets_n], sizeof secrets[0], "%s", token);
    return secrets[secrets_n++];
}

static const char *make(const char *id)
{
    char token[WEIR_TOKEN_MAX_BYTES + 1];
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_eq(weir_token_make(weir_slice_of(id), token, &err), WEIR_OK);
    return keep(token);
}

static void ask_version(const char *token, weir_status want)
{
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    ck_assert_int_eq(rpc_call_as(&reply, token, "weir.v1.MessageStore/GetStreamVersion", &in.base),
                     want);
    rpc_free(&reply);
}

/* Creates a namespace. Returns its token; NULL if the server refuses. */
static const char *create(const char *id, const char *token)
{
    Weir__V1__CreateNamespaceRequest in = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t)id;
    in.token = (char *)(uintptr_t)token;
    if (rpc_call_as(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/CreateNamespace", &in.base) !=
        WEIR_OK) {
        rpc_free(&reply);
        return NULL;
    }
    Weir__V1__CreateNamespaceResponse *out =
        rpc_unpack(&reply, &weir__v1__create_namespace_response__descriptor);
    const char *kept = keep(out->token);
    rpc_free_message(out);
    return kept;
}

static const char *rotate(const char *token, const char *new_token)
{
    Weir__V1__RotateTokenRequest in = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "tenant";
    in.new_token = (char *)(uintptr_t)new_token;
    if (rpc_call_as(&reply, token, "weir.v1.Namespaces/RotateToken", &in.base) != WEIR_OK) {
        rpc_free(&reply);
        return NULL;
    }
    Weir__V1__RotateTokenResponse *out =
        rpc_unpack(&reply, &weir__v1__rotate_token_response__descriptor);
    const char *kept = keep(out->token);
    rpc_free_message(out);
    return kept;
}

static void call_with_tokens(void)
{
    ask_version(keep(DEFAULT_TOKEN), WEIR_OK);
    ask_version(keep("a word that is no token"), WEIR_AUTH_INVALID_TOKEN);
    ask_version(keep("ns_ZGVmYXVsdA_" ZEROS), WEIR_AUTH_UNAUTHORIZED);
    ask_version(make("stranger"), WEIR_AUTH_UNAUTHORIZED);
    ask_version(keep(ADMIN_TOKEN), WEIR_INVALID_REQUEST);
    const char *chosen = make("tenant");
    ck_assert_str_eq(create("tenant", chosen), chosen);
    ck_assert_ptr_nonnull(create("another", NULL));
    ck_assert_ptr_null(create("third", make("another")));
    ck_assert_ptr_null(create("third", keep("too short a token")));
    const char *made = rotate(chosen, NULL);
    ck_assert_ptr_nonnull(made);
    ask_version(chosen, WEIR_AUTH_UNAUTHORIZED);
    ck_assert_ptr_null(rotate(made, keep("no token either")));
    ask_version(rotate(made, make("tenant")), WEIR_OK);
    ck_assert_int_eq(rpc_call_as(&reply, DEFAULT_TOKEN, "weir.v1.No/Method", NULL),
                     WEIR_METHOD_NOT_FOUND);
    rpc_free(&reply);
}

/* Checks that the start of the token's secret, its last 64 characters, is not in the log. */
static void assert_is_nowhere(const char *token)
{
    const size_t n = strlen(token);
    const char *end = n > 64 ? token + n - 64 : token;
    char clue[17];
    (void)snprintf(clue, sizeof clue, "%.16s", end);
    ck_assert_msg(strstr(text, clue) == NULL, "the log has '%s' of the token '%s'", clue, token);
}

START_TEST(no_token_is_in_the_log)
{
    secrets_n = 0;
    start(_i);
    call_with_tokens();
    rpc_stop();
    (void)read_log();
    ck_assert_ptr_nonnull(strstr(text, "RotateToken"));
    ck_assert_ptr_nonnull(strstr(text, "AUTH_INVALID_TOKEN"));
    for (size_t s = 0; s < secrets_n; s++) {
        assert_is_nowhere(secrets[s]);
    }
}
END_TEST

/* ---- a call's place in a trace ---- */

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void call_traced(const char *method, weir_status want)
{
    uint8_t room[1024];
    const struct weir_metadata_entry entry = {.key = weir_slice_of("traceparent"),
                                              .value = weir_slice_of(TRACE)};
    const struct weir_request_frame frame = {.method = weir_slice_of(method),
                                             .token = weir_slice_of(DEFAULT_TOKEN),
                                             .metadata_n = 1,
                                             .metadata = &entry};
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    const size_t payload_n = protobuf_c_message_get_packed_size(&in.base);
    const size_t n = weir_request_frame_size(&frame, payload_n);
    ck_assert_uint_le(n, sizeof room);
    weir_request_frame_pack(&frame, &in.base, payload_n, room);
    rpc_exchange(weir_slice(room, n), &reply);
    rpc_assert_status(&reply, want);
    rpc_free(&reply);
}

/* Waits for a line with both texts, since the reply may arrive before the line. */
static void assert_line_with(const char *one, const char *other)
{
    for (int look = 0; look < LOOKS; look++) {
        char *rest = NULL;
        (void)read_log();
        for (const char *line = strtok_r(text, "\n", &rest); line != NULL;
             line = strtok_r(NULL, "\n", &rest)) {
            if (strstr(line, one) != NULL && strstr(line, other) != NULL) {
                return;
            }
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
    ck_abort_msg("no line of the log has both '%s' and '%s'", one, other);
}

START_TEST(a_call_is_logged_with_its_trace)
{
    static const char *const traces[] = {"traceparent=" TRACE, "\"traceparent\":\"" TRACE "\""};
    start(_i);
    call_traced("weir.v1.MessageStore/GetStreamVersion", WEIR_OK);
    assert_line_with("MessageStore/GetStreamVersion", traces[_i]);
    call_traced("weir.v1.Namespaces/ListNamespaces", WEIR_AUTH_UNAUTHORIZED);
    assert_line_with("Namespaces/ListNamespaces", traces[_i]);
    rpc_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_checked_fixture(tests, redirect, restore);
    tcase_add_loop_test(tests, no_token_is_in_the_log, 0, (int)WEIR_COUNTOF(formats));
    tcase_add_loop_test(tests, a_call_is_logged_with_its_trace, 0, (int)WEIR_COUNTOF(formats));
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
