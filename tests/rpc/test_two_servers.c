/* Two servers on the same files: the clients of one see the changes made through the other. */
#include "tests/rpc/polls.h"

#include "tests/lib/check_main.h"
#include "tests/lib/remove_tree.h"
#include "weir/base/monotonic.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct rpc_reply reply;
static char directory[64];
static char store_url[80];
static struct weir_server *other;

static void set_up_two(void)
{
    (void)snprintf(directory, sizeof directory, "/tmp/weir-waiting-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(store_url, sizeof store_url, "sqlite:%s/data", directory);
    const char *const arguments[] = {"--store", store_url, NULL};
    rpc_start(arguments);
    static struct weir_config config;
    config = rpc.config;
    config.listen[0] = "inproc://weir-rpc-test-other";
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_msg(weir_server_start(&config, &other, &err) == WEIR_OK, "%s", err.text);
}

static void tear_down_two(void)
{
    ck_assert(weir_server_stop(other, RPC_TIMEOUT_MS));
    rpc_stop();
    remove_tree(directory);
}

/* Sends the fixture's calls to the other server, or back to the first. */
static void use_other(bool is_other)
{
    static nng_socket mine;
    if (is_other) {
        mine = rpc.client;
        rpc.client = rpc_connect("inproc://weir-rpc-test-other");
    } else {
        (void)nng_close(rpc.client);
        rpc.client = mine;
    }
}

START_TEST(another_servers_write_is_seen_within_a_second)
{
    put("a-1");
    for (int64_t round = 1; round <= 3; round++) {
        begin(0, &(struct poll_of){.stream = "a-1", .from = round, .wait_ms = LONG_MS});
        wait_until(1);
        use_other(true);
        const int64_t before_us = weir_monotonic_us();
        put("a-1");
        end_with(0, 1, round + 1);
        ck_assert_int_lt(weir_monotonic_us() - before_us, 2 * 1000 * 1000);
        use_other(false);
    }
}
END_TEST

/* ---- waits that another server's write wakes ---- */

enum { CONCERNED = 3, OTHERS = 40, WAITING = CONCERNED + OTHERS, IMPORTED_MANY = 1000 };

static atomic_size_t resumed;

void __real_weir_dispatch_woken(struct weir_server *server, struct weir_exchange *exchange);
void __wrap_weir_dispatch_woken(struct weir_server *server, struct weir_exchange *exchange);

/* Counts the polls that read again. */
void __wrap_weir_dispatch_woken(struct weir_server *server, struct weir_exchange *exchange)
{
    atomic_fetch_add(&resumed, 1);
    __real_weir_dispatch_woken(server, exchange);
}

/* Begins polls of categories a and b, which hold nothing yet, and waits until the poller's first
 * look at the namespace, which wakes all of the polls once, is over. */
static void wait_in_two_categories(void)
{
    put("c-1");
    for (size_t i = 0; i < WAITING; i++) {
        begin(i, &(struct poll_of){.category = i < CONCERNED ? "a" : "b", .wait_ms = LONG_MS});
    }
    wait_until(WAITING);
    (void)poll(NULL, 0, 1500);
    wait_until(WAITING);
    atomic_store(&resumed, 0);
}

static void end_many(size_t first, size_t end, int64_t next_position)
{
    for (size_t i = first; i < end; i++) {
        end_with(i, 1, next_position);
    }
}

START_TEST(another_servers_write_wakes_those_whom_it_concerns)
{
    wait_in_two_categories();
    use_other(true);
    put("c-1");
    put("a-1");
    end_many(0, CONCERNED, 4);
    ck_assert_uint_eq(atomic_load(&resumed), CONCERNED);
    put("b-1");
    end_many(CONCERNED, WAITING, 5);
    ck_assert_uint_eq(atomic_load(&resumed), WAITING);
    use_other(false);
}
END_TEST

static void import_from(int64_t global_position, size_t n)
{
    static Weir__V1__ImportedMessage records[IMPORTED_MANY];
    static Weir__V1__ImportedMessage *list[IMPORTED_MANY];
    static char ids[IMPORTED_MANY][64];
    Weir__V1__ImportMessagesRequest in = WEIR__V1__IMPORT_MESSAGES_REQUEST__INIT;
    for (size_t i = 0; i < n; i++) {
        weir__v1__imported_message__init(&records[i]);
        (void)snprintf(ids[i], sizeof ids[i], "11111111-1111-4111-8111-%012zu", i);
        records[i].id = ids[i];
        records[i].stream_name = (char *)(uintptr_t) "c-2";
        records[i].type = (char *)(uintptr_t) "T";
        records[i].has_position = records[i].has_global_position = records[i].has_time_us = true;
        records[i].position = (int64_t)i;
        records[i].global_position = global_position + (int64_t)i;
        list[i] = &records[i];
    }
    in.messages = list;
    in.n_messages = n;
    ck_assert_int_eq(
        rpc_call_as(&reply, DEFAULT_TOKEN, "weir.v1.MessageStore/ImportMessages", &in.base),
        WEIR_OK);
    rpc_free(&reply);
}

static void import_behind_a_gap(void)
{
    import_from(1000, 1);
}

static void import_many(void)
{
    import_from(2, IMPORTED_MANY);
}

static void clear_default(void)
{
    Weir__V1__ClearNamespaceRequest in = WEIR__V1__CLEAR_NAMESPACE_REQUEST__INIT;
    in.namespace_ = in.confirm = (char *)(uintptr_t) "default";
    ck_assert_int_eq(
        rpc_call_as(&reply, DEFAULT_TOKEN, "weir.v1.Namespaces/ClearNamespace", &in.base), WEIR_OK);
    rpc_free(&reply);
}

/* Where another server has done more than append a few messages. */
START_TEST(what_else_another_server_does_wakes_all_waits)
{
    static void (*const does[])(void) = {import_behind_a_gap, import_many, clear_default};
    const int64_t head = (const int64_t[]){1000, IMPORTED_MANY + 1, 1}[_i];
    wait_in_two_categories();
    use_other(true);
    does[_i]();
    const int64_t until_us = weir_monotonic_us() + 2 * 1000 * 1000;
    while (atomic_load(&resumed) < WAITING && weir_monotonic_us() < until_us) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(atomic_load(&resumed), WAITING);
    put("a-1");
    end_many(0, CONCERNED, head + 2);
    put("b-1");
    end_many(CONCERNED, WAITING, head + 3);
    use_other(false);
}
END_TEST

START_TEST(another_servers_rotation_ends_the_wait)
{
    create_tenant();
    begin(0, &(struct poll_of){.stream = "a-1", .wait_ms = LONG_MS, .token = TENANT});
    wait_until(1);
    use_other(true);
    rotate_tenant();
    const int64_t before_us = weir_monotonic_us();
    end_failed(0, WEIR_AUTH_UNAUTHORIZED);
    ck_assert_int_lt(weir_monotonic_us() - before_us, 2 * 1000 * 1000);
    use_other(false);
}
END_TEST

/* A cached token must not lock out the new one that another server has set. */
START_TEST(another_servers_new_token_works_at_once)
{
    create_tenant();
    write_as(TENANT, "a-1", "T", NULL);
    use_other(true);
    rotate_tenant();
    use_other(false);
    write_as(FRESH, "a-1", "T", NULL);
}
END_TEST

static weir_status try_version(const char *token)
{
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "a-1";
    const weir_status outcome =
        rpc_call_as(&reply, token, "weir.v1.MessageStore/GetStreamVersion", &in.base);
    rpc_free(&reply);
    return outcome;
}

/* A token is cached for one second; the rest of the limit allows for a busy machine. */
START_TEST(another_servers_rotation_ends_the_old_token)
{
    create_tenant();
    write_as(TENANT, "a-1", "T", NULL);
    use_other(true);
    rotate_tenant();
    use_other(false);
    const int64_t before_us = weir_monotonic_us();
    while (try_version(TENANT) == WEIR_OK) {
        ck_assert_int_lt(weir_monotonic_us() - before_us, 3 * 1000 * 1000);
    }
    ck_assert_int_eq(try_version(TENANT), WEIR_AUTH_UNAUTHORIZED);
}
END_TEST

/* The open handle of the old namespace must not lock out the new token either. */
START_TEST(the_token_of_what_another_server_makes_anew_works_at_once)
{
    create_tenant();
    write_as(TENANT, "a-1", "T", NULL);
    use_other(true);
    delete_tenant();
    create_tenant();
    rotate_tenant();
    use_other(false);
    write_as(FRESH, "a-1", "T", NULL);
}
END_TEST

static void ask_version(const char *token, const char *namespace_id, int64_t want)
{
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "a-1";
    const struct rpc_request request = {.method = "weir.v1.MessageStore/GetStreamVersion",
                                        .token = token,
                                        .namespace_id = namespace_id,
                                        .message = &in.base};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_OK);
    Weir__V1__GetStreamVersionResponse *out =
        weir__v1__get_stream_version_response__unpack(NULL, reply.payload.n, reply.payload.p);
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(out->exists ? out->version : -1, want);
    weir__v1__get_stream_version_response__free_unpacked(out, NULL);
    rpc_free(&reply);
}

/* With the same token, which is cached, or with the admin token; a read, or a write. */
START_TEST(what_another_server_makes_anew_is_found_at_once)
{
    create_tenant();
    for (int round = 0; round < 5; round++) {
        write_as(TENANT, "a-1", "T", NULL);
        ask_version(TENANT, NULL, 0);
        use_other(true);
        delete_tenant();
        create_tenant();
        use_other(false);
        if (_i == 0) {
            ask_version(TENANT, NULL, -1);
        } else if (_i == 1) {
            ask_version(ADMIN_TOKEN, "tenant", -1);
        }
    }
}
END_TEST

/* A reader that continued at its position would miss the first messages of the new namespace. Only
 * the admin learns the reason. */
START_TEST(another_server_makes_the_namespace_anew)
{
    create_tenant();
    write_as(TENANT, "a-1", "T", NULL);
    struct poll_of poll = {.category = "", .from = 2, .wait_ms = LONG_MS, .token = TENANT};
    begin(0, &poll);
    poll.token = ADMIN_TOKEN;
    poll.namespace_id = "tenant";
    begin(1, &poll);
    wait_until(2);
    use_other(true);
    delete_tenant();
    create_tenant();
    use_other(false);
    const int64_t before_us = weir_monotonic_us();
    end_failed(0, WEIR_AUTH_UNAUTHORIZED);
    end_failed(1, WEIR_NAMESPACE_NOT_FOUND);
    ck_assert_int_lt(weir_monotonic_us() - before_us, 2 * 1000 * 1000);
}
END_TEST

/* To the holder of its token a deleted namespace looks as if it had never existed, from the first
 * call on. */
START_TEST(another_server_deletes_the_namespace)
{
    create_tenant();
    write_as(TENANT, "a-1", "T", NULL);
    use_other(true);
    delete_tenant();
    use_other(false);
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "a-1";
    struct rpc_request request = {
        .method = "weir.v1.MessageStore/GetStreamVersion", .token = TENANT, .message = &in.base};
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_AUTH_UNAUTHORIZED);
    rpc_free(&reply);
    request.token = ADMIN_TOKEN;
    request.namespace_id = "tenant";
    rpc_call(&request, &reply);
    rpc_assert_status(&reply, WEIR_NAMESPACE_NOT_FOUND);
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "namespace"), "tenant");
    rpc_free(&reply);
}
END_TEST

static weir_status clear(void)
{
    Weir__V1__ClearNamespaceRequest in = WEIR__V1__CLEAR_NAMESPACE_REQUEST__INIT;
    in.namespace_ = in.confirm = (char *)(uintptr_t) "tenant";
    return rpc_call_as(&reply, TENANT, "weir.v1.Namespaces/ClearNamespace", &in.base);
}

static weir_status erase(void)
{
    Weir__V1__DeleteNamespaceRequest in = WEIR__V1__DELETE_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "tenant";
    return rpc_call_as(&reply, TENANT, "weir.v1.Namespaces/DeleteNamespace", &in.base);
}

static weir_status rotate(void)
{
    Weir__V1__RotateTokenRequest in = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "tenant";
    return rpc_call_as(&reply, TENANT, "weir.v1.Namespaces/RotateToken", &in.base);
}

/* A cached token must not clear, delete or rotate a namespace that another server has re-created or
 * whose token it has rotated. */
START_TEST(a_token_that_another_server_has_ended_destroys_nothing)
{
    static weir_status (*const destroy[])(void) = {clear, erase, rotate};
    const bool is_made_anew = _i % 2 == 0;
    create_tenant();
    write_as(TENANT, "a-1", "T", NULL);
    use_other(true);
    if (is_made_anew) {
        delete_tenant();
        create_tenant();
    }
    rotate_tenant();
    write_as(FRESH, "b-1", "T", NULL);
    use_other(false);
    const weir_status outcome = destroy[_i / 2]();
    rpc_free(&reply);
    ck_assert_int_eq(outcome, WEIR_AUTH_UNAUTHORIZED);
    write_as(FRESH, "b-1", "T", NULL);
}
END_TEST

static Suite *two_servers_suite(void)
{
    Suite *suite = suite_create("two_servers");
    TCase *tcase = tcase_create("two_servers");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up_two, tear_down_two);
    tcase_add_test(tcase, another_servers_write_is_seen_within_a_second);
    tcase_add_test(tcase, another_servers_write_wakes_those_whom_it_concerns);
    tcase_add_loop_test(tcase, what_else_another_server_does_wakes_all_waits, 0, 3);
    tcase_add_test(tcase, another_servers_rotation_ends_the_wait);
    tcase_add_test(tcase, another_servers_new_token_works_at_once);
    tcase_add_test(tcase, another_servers_rotation_ends_the_old_token);
    tcase_add_test(tcase, the_token_of_what_another_server_makes_anew_works_at_once);
    tcase_add_loop_test(tcase, what_another_server_makes_anew_is_found_at_once, 0, 3);
    tcase_add_test(tcase, another_server_makes_the_namespace_anew);
    tcase_add_test(tcase, another_server_deletes_the_namespace);
    tcase_add_loop_test(tcase, a_token_that_another_server_has_ended_destroys_nothing, 0, 6);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(two_servers_suite());
}
