/* The token of namespace default and the file that holds it. */
#include "tests/rpc/rpc_fixture.h"

#include "server/namespaces/default_namespace.h"
#include "tests/lib/check_main.h"
#include "tests/lib/remove_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_ROOM = 256 };

static struct rpc_reply reply;

static char directory[64];
static char store_url[80];
static char token_path[96];

static void set_up_directory(void)
{
    (void)snprintf(directory, sizeof directory, "/tmp/weir-first-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(store_url, sizeof store_url, "sqlite:%s/data", directory);
    (void)snprintf(token_path, sizeof token_path, "%s/data/default.token", directory);
}

static void tear_down_directory(void)
{
    remove_tree(directory);
}

/* Starts and stops a server on the directory. */
static weir_status start_once(const char *configured_token, struct weir_error *err)
{
    struct weir_config config;
    struct weir_server *server = NULL;
    char *argv[] = {(char *)(uintptr_t) "weir-server", (char *)(uintptr_t) "--store", store_url,
                    (char *)(uintptr_t) "--listen=inproc://weir-first", NULL};
    (void)unsetenv("WEIR_ADMIN_TOKEN");
    (void)setenv("WEIR_DEFAULT_TOKEN", configured_token, 1);
    weir_error_init(err);
    ck_assert_int_eq(weir_config_parse(&config, 4, argv, err), WEIR_OK);
    const weir_status st = weir_server_start(&config, &server, err);
    if (st == WEIR_OK) {
        ck_assert(weir_server_stop(server, RPC_TIMEOUT_MS));
    }
    weir_config_fini(&config);
    return st;
}

static const char *read_token_file(void)
{
    static char token[256];
    FILE *file = fopen(token_path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(token, sizeof token, file));
    (void)fclose(file);
    token[strcspn(token, "\n")] = '\0';
    return token;
}

START_TEST(the_first_token_is_kept_in_a_file_of_the_owner)
{
    struct weir_error err;
    struct stat st;
    char first[256];
    ck_assert_msg(start_once("", &err) == WEIR_OK, "%s", err.text);
    ck_assert_int_eq(stat(token_path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    (void)snprintf(first, sizeof first, "%s", read_token_file());
    /* Another start leaves the file unchanged and uses its token. */
    ck_assert_int_eq(start_once("", &err), WEIR_OK);
    ck_assert_str_eq(read_token_file(), first);
    ck_assert_int_eq(start_once(first, &err), WEIR_OK);
}
END_TEST

START_TEST(a_token_that_is_not_the_namespaces_own_stops_the_start)
{
    struct weir_error err;
    ck_assert_int_eq(start_once(DEFAULT_TOKEN, &err), WEIR_OK);
    ck_assert_int_ne(access(token_path, F_OK), 0);
    ck_assert_int_eq(
        start_once("ns_ZGVmYXVsdA_00000000000000000000000000000000000000000000000000000"
                   "00000000000",
                   &err),
        WEIR_PRECONDITION);
    ck_assert_ptr_null(strstr(err.text, "000000"));
    ck_assert_int_eq(start_once("", &err), WEIR_OK);
}
END_TEST

/* A start that died after it wrote the file and before it created the namespace is completed by the
 * next start. */
START_TEST(a_token_that_was_written_but_not_used_is_used)
{
    struct weir_error err;
    char path[80];
    (void)snprintf(path, sizeof path, "%s/data", directory);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    FILE *file = fopen(token_path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(DEFAULT_TOKEN "\n", file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_msg(start_once("", &err) == WEIR_OK, "%s", err.text);
    ck_assert_int_eq(start_once(DEFAULT_TOKEN, &err), WEIR_OK);
}
END_TEST

/* Starts a server on the directory whose first start generated this token. */
static void start_with_first_token(char first[TOKEN_ROOM])
{
    struct weir_error err;
    ck_assert_int_eq(start_once("", &err), WEIR_OK);
    (void)snprintf(first, TOKEN_ROOM, "%s", read_token_file());
    const char *const arguments[] = {"--store", store_url, NULL};
    rpc_start_with_token(arguments, first);
}

static weir_status call_delete_default(void)
{
    Weir__V1__DeleteNamespaceRequest delete = WEIR__V1__DELETE_NAMESPACE_REQUEST__INIT;
    delete.namespace_ = (char *)(uintptr_t) "default";
    delete.has_force = delete.force = true;
    return rpc_call_as(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/DeleteNamespace", &delete.base);
}

static void delete_default(void)
{
    ck_assert_msg(call_delete_default() == WEIR_OK, "%s", reply.err.text);
    rpc_free(&reply);
}

static void assert_default_token(const char *token)
{
    Weir__V1__GetNamespaceRequest in = WEIR__V1__GET_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "default";
    rpc_must_call(&reply, token, "weir.v1.Namespaces/GetNamespace", &in.base);
    rpc_free(&reply);
}

static const char *rotated_path(void)
{
    static char path[sizeof token_path + 16];
    (void)snprintf(path, sizeof path, "%s.rotated", token_path);
    return path;
}

START_TEST(rotating_the_default_token_rewrites_its_file)
{
    char first[TOKEN_ROOM];
    start_with_first_token(first);
    Weir__V1__RotateTokenRequest in = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "default";
    rpc_must_call(&reply, first, "weir.v1.Namespaces/RotateToken", &in.base);
    Weir__V1__RotateTokenResponse *out =
        rpc_unpack(&reply, &weir__v1__rotate_token_response__descriptor);
    ck_assert_str_ne(out->token, first);
    ck_assert_str_eq(out->token, read_token_file());
    ck_assert_int_ne(access(rotated_path(), F_OK), 0);
    rpc_free_message(out);
    rpc_stop();
}
END_TEST

static void set_default_token(const char *token)
{
    struct weir_error err;
    struct weir_token_hash hash;
    weir_error_init(&err);
    weir_token_hash(weir_slice_of(token), &hash);
    ck_assert_int_eq(weir_namespace_set_token(rpc.server->store, weir_slice_of("default"), &hash,
                                              INT64_MAX, &err),
                     WEIR_OK);
}

static void prepare_rotation(void)
{
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_eq(weir_default_namespace_prepare_rotation(&rpc.config, DEFAULT_TOKEN, &err),
                     WEIR_OK);
}

START_TEST(a_crash_during_a_rotation_leaves_the_token_that_counts)
{
    char first[TOKEN_ROOM];
    struct weir_error err;
    start_with_first_token(first);
    prepare_rotation();
    set_default_token(DEFAULT_TOKEN);
    rpc_stop();
    ck_assert_str_eq(first, read_token_file());
    ck_assert_msg(start_once("", &err) == WEIR_OK, "%s", err.text);
    ck_assert_str_eq(DEFAULT_TOKEN, read_token_file());
    ck_assert_int_ne(access(rotated_path(), F_OK), 0);
}
END_TEST

START_TEST(a_rotation_that_a_crash_has_prevented_leaves_the_file)
{
    char first[TOKEN_ROOM];
    struct weir_error err;
    start_with_first_token(first);
    prepare_rotation();
    rpc_stop();
    ck_assert_int_eq(start_once("", &err), WEIR_OK);
    ck_assert_str_eq(first, read_token_file());
    ck_assert_int_ne(access(rotated_path(), F_OK), 0);
}
END_TEST

/* With concurrent rotations, the token that is last in the store is also last in the file. */
START_TEST(rotations_at_once_leave_the_token_that_counts)
{
    enum { ROUNDS = 30, AT_ONCE = 8 };
    char first[TOKEN_ROOM];
    uint8_t room[1024];
    start_with_first_token(first);
    Weir__V1__RotateTokenRequest in = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "default";
    const struct rpc_request request = {
        .method = "weir.v1.Namespaces/RotateToken", .token = ADMIN_TOKEN, .message = &in.base};
    const struct weir_slice packed = rpc_pack(&request, room, sizeof room);
    for (int round = 0; round < ROUNDS; round++) {
        struct rpc_pending pending[AT_ONCE];
        for (size_t p = 0; p < AT_ONCE; p++) {
            rpc_begin(&pending[p], packed);
        }
        rpc_end_all(pending, AT_ONCE, WEIR_OK);
        assert_default_token(read_token_file());
    }
    rpc_stop();
}
END_TEST

/* A late write of a replaced token must not change the file. */
START_TEST(a_token_that_has_been_replaced_does_not_come_to_the_file)
{
    char first[TOKEN_ROOM];
    struct weir_error err;
    start_with_first_token(first);
    weir_error_init(&err);
    ck_assert_int_eq(
        weir_default_namespace_keep_token(&rpc.config, rpc.server->store, DEFAULT_TOKEN, &err),
        WEIR_OK);
    ck_assert_str_eq(first, read_token_file());
    ck_assert_int_eq(weir_default_namespace_prepare_token(&rpc.config, &err), WEIR_OK);
    ck_assert_int_eq(
        weir_default_namespace_take_prepared_token(&rpc.config, rpc.server->store, &err), WEIR_OK);
    ck_assert_str_eq(first, read_token_file());
    delete_default();
    ck_assert_str_ne(first, read_token_file());
    (void)snprintf(first, sizeof first, "%s", read_token_file());
    ck_assert_int_eq(
        weir_default_namespace_keep_token(&rpc.config, rpc.server->store, DEFAULT_TOKEN, &err),
        WEIR_OK);
    ck_assert_str_eq(first, read_token_file());
    rpc_stop();
}
END_TEST

/* Creating the namespace again changes the file too. */
START_TEST(another_default_namespace_rewrites_the_file)
{
    char first[TOKEN_ROOM];
    start_with_first_token(first);
    delete_default();
    Weir__V1__CreateNamespaceRequest in = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "default";
    rpc_must_call(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/CreateNamespace", &in.base);
    rpc_free(&reply);
    ck_assert_str_ne(first, read_token_file());
    assert_default_token(read_token_file());
    rpc_stop();
}
END_TEST

START_TEST(a_token_that_died_with_the_default_namespace_stays_dead)
{
    char first[TOKEN_ROOM];
    struct weir_error err;
    start_with_first_token(first);
    delete_default();
    rpc_stop();
    ck_assert_int_eq(start_once("", &err), WEIR_OK);
    ck_assert_int_eq(start_once(first, &err), WEIR_PRECONDITION);
    ck_assert_str_ne(first, read_token_file());
    ck_assert_int_eq(start_once(read_token_file(), &err), WEIR_OK);
}
END_TEST

/* This also holds if the server dies right after the namespace has been deleted. */
START_TEST(a_crash_does_not_bring_the_token_of_a_deleted_default_back)
{
    char first[TOKEN_ROOM];
    int64_t messages = 0;
    struct weir_error err;
    start_with_first_token(first);
    weir_error_init(&err);
    ck_assert_int_eq(weir_default_namespace_prepare_token(&rpc.config, &err), WEIR_OK);
    ck_assert_int_eq(weir_namespace_delete(rpc.server->store, weir_slice_of("default"), INT64_MAX,
                                           &messages, &err),
                     WEIR_OK);
    rpc_stop();
    ck_assert_str_eq(first, read_token_file());
    ck_assert_msg(start_once("", &err) == WEIR_OK, "%s", err.text);
    ck_assert_str_ne(first, read_token_file());
    ck_assert_int_eq(start_once(first, &err), WEIR_PRECONDITION);
    ck_assert_int_eq(start_once(read_token_file(), &err), WEIR_OK);
}
END_TEST

/* The next token is written first, so that a failure to write it prevents the deletion. */
START_TEST(the_next_token_is_there_before_the_default_namespace_goes)
{
    char first[TOKEN_ROOM];
    char next[TOKEN_ROOM];
    start_with_first_token(first);
    (void)snprintf(next, sizeof next, "%s.next", token_path);
    ck_assert_int_eq(mkdir(next, 0700), 0);
    ck_assert_int_eq(call_delete_default(), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_null(strstr(reply.err.text, directory));
    rpc_free(&reply);
    assert_default_token(first);
    ck_assert_int_eq(rmdir(next), 0);
    delete_default();
    ck_assert_int_ne(access(next, F_OK), 0);
    rpc_stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rpc_default_token");
    TCase *tcase = tcase_create("first_token");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up_directory, tear_down_directory);
    tcase_add_test(tcase, the_first_token_is_kept_in_a_file_of_the_owner);
    tcase_add_test(tcase, a_token_that_is_not_the_namespaces_own_stops_the_start);
    tcase_add_test(tcase, a_token_that_was_written_but_not_used_is_used);
    tcase_add_test(tcase, rotating_the_default_token_rewrites_its_file);
    tcase_add_test(tcase, a_crash_during_a_rotation_leaves_the_token_that_counts);
    tcase_add_test(tcase, a_rotation_that_a_crash_has_prevented_leaves_the_file);
    tcase_add_test(tcase, rotations_at_once_leave_the_token_that_counts);
    tcase_add_test(tcase, a_token_that_has_been_replaced_does_not_come_to_the_file);
    tcase_add_test(tcase, another_default_namespace_rewrites_the_file);
    tcase_add_test(tcase, a_token_that_died_with_the_default_namespace_stays_dead);
    tcase_add_test(tcase, a_crash_does_not_bring_the_token_of_a_deleted_default_back);
    tcase_add_test(tcase, the_next_token_is_there_before_the_default_namespace_goes);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
