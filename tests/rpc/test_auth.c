/* Permissions: every kind of caller against every kind of method. */
#include "tests/rpc/rpc_fixture.h"

#include "tests/lib/check_main.h"
#include "weir/rules/token.h"

static struct rpc_reply reply;
static char tenant_token[WEIR_TOKEN_MAX_BYTES + 1];

static weir_status create(const char *id, const char *token)
{
    Weir__V1__CreateNamespaceRequest create = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    create.namespace_ = (char *)(uintptr_t)id;
    create.token = (char *)(uintptr_t)token;
    const struct rpc_request request = {.method = "weir.v1.Namespaces/CreateNamespace",
                                        .token = ADMIN_TOKEN,
                                        .message = &create.base};
    rpc_call(&request, &reply);
    const weir_status st = reply.status;
    rpc_free(&reply);
    return st;
}

static void make_tenant(void)
{
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_eq(weir_token_make(weir_slice_of("tenant"), tenant_token, &err), WEIR_OK);
    ck_assert_int_eq(create("tenant", tenant_token), WEIR_OK);
}

static void set_up(void)
{
    rpc_start(NULL);
    make_tenant();
}

/* ---- callers ---- */

enum caller {
    NOBODY,            // no token
    EMPTY,             // an empty one
    NONSENSE,          // text that is not a token
    ALMOST,            // a truncated token
    STRANGER,          // the token of a namespace that does not exist
    IMPOSTOR,          // the namespace's id with a wrong secret
    TENANT,            // the namespace's token
    OTHER,             // the token of namespace default
    ADMIN,             // the admin token, without a namespace
    ADMIN_OF,          // the admin token, in this namespace
    ADMIN_OF_NONE,     // the admin token, in a namespace that does not exist
    ADMIN_OF_NOTHING,  // the admin token, with an invalid namespace id
    TENANT_ELSEWHERE   // the namespace's token, but naming default
};

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static const char *token_of(enum caller caller)
{
    switch (caller) {
    case NOBODY:
        return NULL;
    case EMPTY:
        return "";
    case NONSENSE:
        return "secret";
    case ALMOST:
        return "ns_dGVuYW50_00";
    case STRANGER:
        return "ns_c3RyYW5nZXI_" ZEROS;
    case IMPOSTOR:
        return "ns_dGVuYW50_" ZEROS;
    case TENANT:
    case TENANT_ELSEWHERE:
        return tenant_token;
    case OTHER:
        return DEFAULT_TOKEN;
    case ADMIN:
    case ADMIN_OF:
    case ADMIN_OF_NONE:
    case ADMIN_OF_NOTHING:
        break;
    }
    return ADMIN_TOKEN;
}

static const char *namespace_of(enum caller caller)
{
    return caller == ADMIN_OF           ? "tenant"
           : caller == ADMIN_OF_NONE    ? "stranger"
           : caller == ADMIN_OF_NOTHING ? ".."
           : caller == TENANT_ELSEWHERE ? "default"
                                        : NULL;
}

/* ---- methods, one of each access ---- */

static const ProtobufCMessage *public_request(void)
{
    static Weir__V1__CheckHealthRequest in = WEIR__V1__CHECK_HEALTH_REQUEST__INIT;
    return &in.base;
}

static const ProtobufCMessage *namespace_request(void)
{
    static Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "s-1";
    return &in.base;
}

static const ProtobufCMessage *owner_request(void)
{
    static Weir__V1__GetNamespaceRequest in = WEIR__V1__GET_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "tenant";
    return &in.base;
}

static const ProtobufCMessage *admin_request(void)
{
    static Weir__V1__ListNamespacesRequest in = WEIR__V1__LIST_NAMESPACES_REQUEST__INIT;
    return &in.base;
}

static const struct {
    const char *method;
    const ProtobufCMessage *(*request)(void);
} methods[] = {
    {"weir.v1.System/CheckHealth", public_request},
    {"weir.v1.MessageStore/GetStreamVersion", namespace_request},
    {"weir.v1.Namespaces/GetNamespace", owner_request},
    {"weir.v1.Namespaces/ListNamespaces", admin_request},
};

static const struct {
    enum caller caller;
    weir_status outcome[WEIR_COUNTOF(methods)];  // in the order of `methods`
} matrix[] = {
    {NOBODY, {WEIR_OK, WEIR_AUTH_REQUIRED, WEIR_AUTH_REQUIRED, WEIR_AUTH_REQUIRED}},
    {EMPTY, {WEIR_OK, WEIR_AUTH_REQUIRED, WEIR_AUTH_REQUIRED, WEIR_AUTH_REQUIRED}},
    {NONSENSE,
     {WEIR_OK, WEIR_AUTH_INVALID_TOKEN, WEIR_AUTH_INVALID_TOKEN, WEIR_AUTH_INVALID_TOKEN}},
    {ALMOST, {WEIR_OK, WEIR_AUTH_INVALID_TOKEN, WEIR_AUTH_INVALID_TOKEN, WEIR_AUTH_INVALID_TOKEN}},
    {STRANGER, {WEIR_OK, WEIR_AUTH_UNAUTHORIZED, WEIR_AUTH_UNAUTHORIZED, WEIR_AUTH_UNAUTHORIZED}},
    {IMPOSTOR, {WEIR_OK, WEIR_AUTH_UNAUTHORIZED, WEIR_AUTH_UNAUTHORIZED, WEIR_AUTH_UNAUTHORIZED}},
    {TENANT, {WEIR_OK, WEIR_OK, WEIR_OK, WEIR_AUTH_UNAUTHORIZED}},
    {OTHER, {WEIR_OK, WEIR_OK, WEIR_AUTH_UNAUTHORIZED, WEIR_AUTH_UNAUTHORIZED}},
    {ADMIN, {WEIR_OK, WEIR_INVALID_REQUEST, WEIR_OK, WEIR_OK}},
    {ADMIN_OF, {WEIR_OK, WEIR_OK, WEIR_OK, WEIR_OK}},
    {ADMIN_OF_NONE, {WEIR_OK, WEIR_NAMESPACE_NOT_FOUND, WEIR_OK, WEIR_OK}},
    {ADMIN_OF_NOTHING, {WEIR_OK, WEIR_INVALID_REQUEST, WEIR_OK, WEIR_OK}},
    {TENANT_ELSEWHERE,
     {WEIR_OK, WEIR_AUTH_UNAUTHORIZED, WEIR_AUTH_UNAUTHORIZED, WEIR_AUTH_UNAUTHORIZED}},
};

static void call_as(enum caller caller, size_t method)
{
    const struct rpc_request request = {.method = methods[method].method,
                                        .token = token_of(caller),
                                        .namespace_id = namespace_of(caller),
                                        .message = methods[method].request()};
    rpc_call(&request, &reply);
}

START_TEST(a_caller_may_do_what_is_his)
{
    for (size_t method = 0; method < WEIR_COUNTOF(methods); method++) {
        call_as(matrix[_i].caller, method);
        const weir_status want = matrix[_i].outcome[method];
        ck_assert_msg(reply.status == want, "caller %d, %s: %s (%s)", (int)matrix[_i].caller,
                      methods[method].method,
                      reply.status == WEIR_OK ? "OK" : weir_status_name(reply.status),
                      reply.err.text);
        rpc_free(&reply);
    }
}
END_TEST

START_TEST(unknown_namespace_and_wrong_secret_look_the_same)
{
    struct weir_error stranger;
    weir_error_init(&stranger);
    call_as(STRANGER, 1);
    weir_error_copy(&stranger, &reply.err);
    rpc_free(&reply);
    call_as(IMPOSTOR, 1);
    ck_assert_str_eq(reply.err.text, stranger.text);
    ck_assert_uint_eq(reply.err.details_n, stranger.details_n);
    rpc_free(&reply);
}
END_TEST

START_TEST(a_long_token_is_no_token)
{
    char token[2000];
    memset(token, 'a', sizeof token - 1);
    token[sizeof token - 1] = '\0';
    const struct rpc_request request = {
        .method = methods[1].method, .token = token, .message = namespace_request()};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_AUTH_INVALID_TOKEN);
    rpc_free(&reply);
}
END_TEST

/* ---- changes take effect at once ---- */

static weir_status rotate(const char *with_token, const char *new_token)
{
    Weir__V1__RotateTokenRequest in = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "tenant";
    in.new_token = (char *)(uintptr_t)new_token;
    const struct rpc_request request = {
        .method = "weir.v1.Namespaces/RotateToken", .token = with_token, .message = &in.base};
    rpc_call(&request, &reply);
    const weir_status st = reply.status;
    rpc_free(&reply);
    return st;
}

static weir_status try_token(const char *token)
{
    const struct rpc_request request = {
        .method = methods[1].method, .token = token, .message = namespace_request()};
    rpc_call(&request, &reply);
    const weir_status st = reply.status;
    rpc_free(&reply);
    return st;
}

START_TEST(a_rotated_token_is_dead_at_once_and_the_new_one_works)
{
    const char *fresh =
        "ns_dGVuYW50_1111111111111111111111111111111111111111111111111111111111111111";
    ck_assert_int_eq(try_token(tenant_token), WEIR_OK);
    ck_assert_int_eq(rotate(tenant_token, fresh), WEIR_OK);
    ck_assert_int_eq(try_token(tenant_token), WEIR_AUTH_UNAUTHORIZED);
    ck_assert_int_eq(try_token(fresh), WEIR_OK);
}
END_TEST

/* The first reply was lost, so the client repeats the request with the token it had. */
START_TEST(a_repeated_rotation_succeeds)
{
    const char *fresh =
        "ns_dGVuYW50_1111111111111111111111111111111111111111111111111111111111111111";
    ck_assert_int_eq(rotate(tenant_token, fresh), WEIR_OK);
    ck_assert_int_eq(rotate(tenant_token, fresh), WEIR_OK);
    ck_assert_int_eq(try_token(fresh), WEIR_OK);
    ck_assert_int_eq(rotate("ns_dGVuYW50_" ZEROS, "ns_dGVuYW50_" ZEROS), WEIR_AUTH_UNAUTHORIZED);
    ck_assert_int_eq(rotate(tenant_token, "ns_dGVuYW50_" ZEROS), WEIR_AUTH_UNAUTHORIZED);
}
END_TEST

START_TEST(a_token_of_another_namespace_is_no_new_token)
{
    ck_assert_int_eq(rotate(tenant_token, DEFAULT_TOKEN), WEIR_INVALID_REQUEST);
    ck_assert_int_eq(try_token(tenant_token), WEIR_OK);
}
END_TEST

START_TEST(a_deleted_namespace_and_its_token_are_dead_at_once)
{
    Weir__V1__DeleteNamespaceRequest in = WEIR__V1__DELETE_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "tenant";
    const struct rpc_request request = {
        .method = "weir.v1.Namespaces/DeleteNamespace", .token = tenant_token, .message = &in.base};
    ck_assert_int_eq(try_token(tenant_token), WEIR_OK);
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
    ck_assert_int_eq(try_token(tenant_token), WEIR_AUTH_UNAUTHORIZED);
    ck_assert_int_eq(create("tenant", tenant_token), WEIR_OK);
    ck_assert_int_eq(try_token(tenant_token), WEIR_OK);
}
END_TEST

START_TEST(a_repeated_create_succeeds_and_another_does_not)
{
    ck_assert_int_eq(create("tenant", tenant_token), WEIR_OK);
    ck_assert_int_eq(create("tenant", NULL), WEIR_NAMESPACE_EXISTS);
    ck_assert_int_eq(create("tenant", "ns_dGVuYW50_" ZEROS), WEIR_NAMESPACE_EXISTS);
    ck_assert_int_eq(create("tenant2", tenant_token), WEIR_INVALID_REQUEST);
    ck_assert_int_eq(create("..", NULL), WEIR_INVALID_REQUEST);
    ck_assert_int_eq(try_token(tenant_token), WEIR_OK);
}
END_TEST

/* ---- without an admin token ---- */

static void set_up_without_admin(void)
{
    rpc_start(NULL);
    make_tenant();
    rpc.config.has_admin_token = false;
}

static weir_status describe(const char *token, const char *id)
{
    Weir__V1__GetNamespaceRequest in = WEIR__V1__GET_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t)id;
    const struct rpc_request request = {
        .method = "weir.v1.Namespaces/GetNamespace", .token = token, .message = &in.base};
    rpc_call(&request, &reply);
    return reply.status;
}

START_TEST(the_token_of_default_is_an_admins_where_there_is_none)
{
    static const struct {
        const char *token;
        const char *id;
        weir_status status;
    } rows[] = {
        {DEFAULT_TOKEN, "default", WEIR_OK},
        {DEFAULT_TOKEN, "tenant", WEIR_OK},
        {DEFAULT_TOKEN, "missing", WEIR_NAMESPACE_NOT_FOUND},
        {tenant_token, "tenant", WEIR_OK},
        {tenant_token, "default", WEIR_AUTH_UNAUTHORIZED},
        {ADMIN_TOKEN, "tenant", WEIR_AUTH_INVALID_TOKEN},
    };
    for (size_t i = 0; i < WEIR_COUNTOF(rows); i++) {
        ck_assert_int_eq(describe(rows[i].token, rows[i].id), rows[i].status);
        if (rows[i].status == WEIR_NAMESPACE_NOT_FOUND) {
            ck_assert_str_eq(weir_error_get_detail(&reply.err, "namespace"), rows[i].id);
        }
        rpc_free(&reply);
    }
    /* Admin methods, and methods on another namespace. */
    static const enum caller callers[] = {OTHER, TENANT};
    for (size_t i = 0; i < WEIR_COUNTOF(callers); i++) {
        call_as(callers[i], 3);
        rpc_assert_status(&reply, callers[i] == OTHER ? WEIR_OK : WEIR_AUTH_UNAUTHORIZED);
        rpc_free(&reply);
    }
    const struct rpc_request elsewhere = {.method = methods[1].method,
                                          .token = DEFAULT_TOKEN,
                                          .namespace_id = "tenant",
                                          .message = namespace_request()};
    rpc_call(&elsewhere, &reply);
    rpc_assert_status(&reply, WEIR_OK);
    rpc_free(&reply);
}
END_TEST

static Suite *auth_suite(void)
{
    Suite *suite = suite_create("auth");
    TCase *tcase = tcase_create("auth");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, rpc_stop);
    tcase_add_loop_test(tcase, a_caller_may_do_what_is_his, 0, (int)WEIR_COUNTOF(matrix));
    tcase_add_test(tcase, unknown_namespace_and_wrong_secret_look_the_same);
    tcase_add_test(tcase, a_long_token_is_no_token);
    tcase_add_test(tcase, a_rotated_token_is_dead_at_once_and_the_new_one_works);
    tcase_add_test(tcase, a_repeated_rotation_succeeds);
    tcase_add_test(tcase, a_token_of_another_namespace_is_no_new_token);
    tcase_add_test(tcase, a_deleted_namespace_and_its_token_are_dead_at_once);
    tcase_add_test(tcase, a_repeated_create_succeeds_and_another_does_not);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("without_admin");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up_without_admin, rpc_stop);
    tcase_add_test(tcase, the_token_of_default_is_an_admins_where_there_is_none);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(auth_suite());
}
