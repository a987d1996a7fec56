/* Namespaces and listings through the server; test mode. */
#include "tests/rpc/rpc_fixture.h"

#include "tests/lib/check_main.h"
#include "tests/lib/remove_tree.h"

#include <stdio.h>
#include <stdlib.h>

static struct rpc_reply reply;

static void set_up(void)
{
    rpc_start(NULL);
}

static void create_with(const char *id, const char *metadata)
{
    Weir__V1__CreateNamespaceRequest in = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t)id;
    in.description = (char *)(uintptr_t) "a place";
    in.has_metadata = true;
    in.metadata.data = (uint8_t *)(uintptr_t)metadata;
    in.metadata.len = strlen(metadata);
    rpc_must_call(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/CreateNamespace", &in.base);
    rpc_free(&reply);
}

static void create(const char *id)
{
    create_with(id, "{\"k\":1}");
}

/* ---- namespaces ---- */

START_TEST(a_namespace_is_described)
{
    rpc_write("a-1", 5);
    rpc_write("a-2", 5);
    rpc_write("a-2", 5);
    Weir__V1__GetNamespaceRequest in = WEIR__V1__GET_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "default";
    rpc_must_call(&reply, DEFAULT_TOKEN, "weir.v1.Namespaces/GetNamespace", &in.base);
    Weir__V1__GetNamespaceResponse *out =
        rpc_unpack(&reply, &weir__v1__get_namespace_response__descriptor);
    ck_assert_str_eq(out->namespace_, "default");
    ck_assert(out->has_created_at_us && out->created_at_us > 0);
    ck_assert_int_eq(out->message_count, 3);
    ck_assert_int_eq(out->stream_count, 2);
    ck_assert(out->has_last_activity_us && out->last_activity_us > out->created_at_us);
    rpc_free_message(out);
    create("empty");
    in.namespace_ = (char *)(uintptr_t) "empty";
    rpc_must_call(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/GetNamespace", &in.base);
    out = rpc_unpack(&reply, &weir__v1__get_namespace_response__descriptor);
    ck_assert_str_eq(out->description, "a place");
    ck_assert_uint_eq(out->metadata.len, 7);
    ck_assert(!out->has_last_activity_us);
    rpc_free_message(out);
    in.namespace_ = (char *)(uintptr_t) "missing";
    ck_assert_int_eq(rpc_call_as(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/GetNamespace", &in.base),
                     WEIR_NAMESPACE_NOT_FOUND);
    ck_assert_str_eq(weir_error_get_detail(&reply.err, "namespace"), "missing");
    rpc_free(&reply);
}
END_TEST

/* Checks that all fields of a namespace are set: of default, which holds one message, or of a new
 * namespace. */
static void assert_described(const Weir__V1__NamespaceInfo *info)
{
    const bool is_default = strcmp(info->namespace_, "default") == 0;
    ck_assert(info->has_created_at_us && info->created_at_us > 0);
    ck_assert(info->has_message_count && info->message_count == is_default);
    ck_assert(info->has_stream_count && info->stream_count == is_default);
    ck_assert_int_eq(info->has_last_activity_us, is_default);
    ck_assert_int_eq(info->has_metadata, !is_default);
    ck_assert_int_eq(info->description != NULL, !is_default);
}

START_TEST(namespaces_are_listed_page_by_page)
{
    /* In bytewise order: upper case before lower case, default in its place. */
    static const char *const ids[] = {"Z", "a", "a-b", "default", "x"};
    create("a");
    create("Z");
    create("x");
    create("a-b");
    rpc_write("a-1", 5);
    Weir__V1__ListNamespacesRequest in = WEIR__V1__LIST_NAMESPACES_REQUEST__INIT;
    in.has_limit = true;
    in.limit = 2;
    char cursor[128] = "";
    for (size_t at = 0; at < WEIR_COUNTOF(ids); at += 2) {
        in.cursor = cursor;
        rpc_must_call(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/ListNamespaces", &in.base);
        Weir__V1__ListNamespacesResponse *out =
            rpc_unpack(&reply, &weir__v1__list_namespaces_response__descriptor);
        const size_t left = WEIR_COUNTOF(ids) - at;
        ck_assert_uint_eq(out->n_namespaces, left < 2 ? left : 2);
        for (size_t i = 0; i < out->n_namespaces; i++) {
            ck_assert_str_eq(out->namespaces[i]->namespace_, ids[at + i]);
            assert_described(out->namespaces[i]);
        }
        ck_assert_int_eq(out->next_cursor[0] != '\0', left > 2);
        (void)snprintf(cursor, sizeof cursor, "%s", out->next_cursor);
        rpc_free_message(out);
    }
}
END_TEST

/* Namespaces whose metadata have the maximum length do not fit on one page together, and remain
 * usable. */
START_TEST(a_page_of_namespaces_is_bounded)
{
    enum { METADATA_BYTES = 1048576, N = 20 };
    static char metadata[METADATA_BYTES + 1];
    (void)memset(metadata, ' ', METADATA_BYTES);
    metadata[0] = '{';
    metadata[METADATA_BYTES - 1] = '}';
    char id[8];
    for (int i = 0; i < N; i++) {
        (void)snprintf(id, sizeof id, "a%02d", i);
        create_with(id, metadata);
    }
    Weir__V1__ListNamespacesRequest in = WEIR__V1__LIST_NAMESPACES_REQUEST__INIT;
    char cursor[128] = "";
    size_t seen = 0;
    size_t pages = 0;
    do {
        in.cursor = cursor;
        rpc_must_call(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/ListNamespaces", &in.base);
        ck_assert_uint_le(reply.payload.n, 17 * METADATA_BYTES);
        Weir__V1__ListNamespacesResponse *out =
            rpc_unpack(&reply, &weir__v1__list_namespaces_response__descriptor);
        seen += out->n_namespaces;
        pages++;
        (void)snprintf(cursor, sizeof cursor, "%s", out->next_cursor);
        rpc_free_message(out);
    } while (cursor[0] != '\0');
    ck_assert_uint_eq(seen, N + 1);
    ck_assert_uint_eq(pages, 2);
}
END_TEST

START_TEST(clearing_needs_the_name_twice_and_keeps_the_counter)
{
    rpc_write("a-1", 5);
    Weir__V1__ClearNamespaceRequest in = WEIR__V1__CLEAR_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "default";
    ck_assert_int_eq(
        rpc_call_as(&reply, DEFAULT_TOKEN, "weir.v1.Namespaces/ClearNamespace", &in.base),
        WEIR_PRECONDITION);
    rpc_free(&reply);
    in.confirm = (char *)(uintptr_t) "Default";
    ck_assert_int_eq(
        rpc_call_as(&reply, DEFAULT_TOKEN, "weir.v1.Namespaces/ClearNamespace", &in.base),
        WEIR_PRECONDITION);
    rpc_free(&reply);
    in.confirm = (char *)(uintptr_t) "default";
    rpc_must_call(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/ClearNamespace", &in.base);
    Weir__V1__ClearNamespaceResponse *cleared =
        rpc_unpack(&reply, &weir__v1__clear_namespace_response__descriptor);
    ck_assert_int_eq(cleared->messages_deleted, 1);
    rpc_free_message(cleared);
    Weir__V1__GetNamespaceRequest get = WEIR__V1__GET_NAMESPACE_REQUEST__INIT;
    get.namespace_ = (char *)(uintptr_t) "default";
    rpc_must_call(&reply, DEFAULT_TOKEN, "weir.v1.Namespaces/GetNamespace", &get.base);
    Weir__V1__GetNamespaceResponse *empty =
        rpc_unpack(&reply, &weir__v1__get_namespace_response__descriptor);
    ck_assert(empty->message_count == 0 && empty->stream_count == 0);
    ck_assert(!empty->has_last_activity_us);
    rpc_free_message(empty);
    rpc_write("a-1", 5);
    Weir__V1__GetLastStreamMessageRequest last = WEIR__V1__GET_LAST_STREAM_MESSAGE_REQUEST__INIT;
    last.stream_name = (char *)(uintptr_t) "a-1";
    rpc_must_call(&reply, DEFAULT_TOKEN, "weir.v1.MessageStore/GetLastStreamMessage", &last.base);
    Weir__V1__GetLastStreamMessageResponse *out =
        rpc_unpack(&reply, &weir__v1__get_last_stream_message_response__descriptor);
    ck_assert_int_eq(out->message->position, 0);
    ck_assert_int_eq(out->message->global_position, 2);
    rpc_free_message(out);
}
END_TEST

START_TEST(the_default_namespace_is_deleted_with_force_only)
{
    Weir__V1__DeleteNamespaceRequest in = WEIR__V1__DELETE_NAMESPACE_REQUEST__INIT;
    in.namespace_ = (char *)(uintptr_t) "default";
    ck_assert_int_eq(
        rpc_call_as(&reply, DEFAULT_TOKEN, "weir.v1.Namespaces/DeleteNamespace", &in.base),
        WEIR_PRECONDITION);
    rpc_free(&reply);
    in.has_force = true;
    ck_assert_int_eq(
        rpc_call_as(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/DeleteNamespace", &in.base),
        WEIR_PRECONDITION);
    rpc_free(&reply);
    rpc_write("a-1", 5);
    in.force = true;
    rpc_must_call(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/DeleteNamespace", &in.base);
    Weir__V1__DeleteNamespaceResponse *out =
        rpc_unpack(&reply, &weir__v1__delete_namespace_response__descriptor);
    ck_assert_int_eq(out->messages_deleted, 1);
    ck_assert(out->has_deleted_at_us);
    rpc_free_message(out);
    ck_assert_int_eq(
        rpc_call_as(&reply, ADMIN_TOKEN, "weir.v1.Namespaces/DeleteNamespace", &in.base),
        WEIR_NAMESPACE_NOT_FOUND);
    rpc_free(&reply);
}
END_TEST

/* ---- streams and categories ---- */

START_TEST(streams_and_categories_are_listed)
{
    static const char *const names[] = {"a", "a-1", "a-10", "a-2", "b_1", "b-1"};
    static const char *const sorted[] = {"a", "a-1", "a-10", "a-2", "b-1", "b_1"};
    for (size_t i = 0; i < WEIR_COUNTOF(names); i++) {
        rpc_write(names[i], 5);
    }
    Weir__V1__ListStreamsRequest in = WEIR__V1__LIST_STREAMS_REQUEST__INIT;
    rpc_must_call(&reply, DEFAULT_TOKEN, "weir.v1.Namespaces/ListStreams", &in.base);
    Weir__V1__ListStreamsResponse *out =
        rpc_unpack(&reply, &weir__v1__list_streams_response__descriptor);
    ck_assert_uint_eq(out->n_streams, WEIR_COUNTOF(names));
    for (size_t i = 0; i < out->n_streams; i++) {
        ck_assert_str_eq(out->streams[i]->stream_name, sorted[i]);
        ck_assert_int_eq(out->streams[i]->version, 0);
    }
    ck_assert_str_eq(out->next_cursor, "");
    rpc_free_message(out);
    in.prefix = (char *)(uintptr_t) "a-1";
    in.has_limit = true;
    in.limit = 1;
    rpc_must_call(&reply, DEFAULT_TOKEN, "weir.v1.Namespaces/ListStreams", &in.base);
    out = rpc_unpack(&reply, &weir__v1__list_streams_response__descriptor);
    ck_assert_uint_eq(out->n_streams, 1);
    ck_assert_str_eq(out->next_cursor, "a-1");
    rpc_free_message(out);
    Weir__V1__ListCategoriesRequest of = WEIR__V1__LIST_CATEGORIES_REQUEST__INIT;
    rpc_must_call(&reply, DEFAULT_TOKEN, "weir.v1.Namespaces/ListCategories", &of.base);
    Weir__V1__ListCategoriesResponse *categories =
        rpc_unpack(&reply, &weir__v1__list_categories_response__descriptor);
    ck_assert_uint_eq(categories->n_categories, 3);
    ck_assert_str_eq(categories->categories[0]->category, "a");
    ck_assert_int_eq(categories->categories[0]->stream_count, 4);
    ck_assert_int_eq(categories->categories[0]->message_count, 4);
    rpc_free_message(categories);
}
END_TEST

/* Messages written under longer limits are still listed and read. */
START_TEST(a_lower_limit_hides_nothing)
{
    enum { LENGTH = 100 };
    char names[2][LENGTH + 1] = {{'\0'}};
    (void)memset(names[0], 'a', LENGTH);
    (void)memset(names[1], 'b', LENGTH);
    char directory[] = "/tmp/weir-limits-XXXXXX";
    char store_url[64];
    ck_assert_ptr_nonnull(mkdtemp(directory));
    (void)snprintf(store_url, sizeof store_url, "sqlite:%s/data", directory);
    const char *const wide[] = {"--store", store_url, NULL};
    rpc_start(wide);
    rpc_write(names[0], 5);
    rpc_write(names[1], 5);
    rpc_stop();
    const char *const narrow[] = {"--store", store_url, "--max-stream-name-bytes", "64", NULL};
    rpc_start(narrow);
    Weir__V1__ListStreamsRequest in = WEIR__V1__LIST_STREAMS_REQUEST__INIT;
    in.has_limit = true;
    in.limit = 1;
    in.cursor = names[0];
    rpc_must_call(&reply, DEFAULT_TOKEN, "weir.v1.Namespaces/ListStreams", &in.base);
    Weir__V1__ListStreamsResponse *out =
        rpc_unpack(&reply, &weir__v1__list_streams_response__descriptor);
    ck_assert_uint_eq(out->n_streams, 1);
    ck_assert_str_eq(out->streams[0]->stream_name, names[1]);
    rpc_free_message(out);
    Weir__V1__GetStreamVersionRequest version = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    version.stream_name = names[1];
    rpc_must_call(&reply, DEFAULT_TOKEN, "weir.v1.MessageStore/GetStreamVersion", &version.base);
    rpc_free(&reply);
    rpc_stop();
    remove_tree(directory);
}
END_TEST

/* ---- test mode ---- */

static void set_up_test_mode(void)
{
    static const char *const arguments[] = {"--test-mode", NULL};
    rpc_start(arguments);
}

START_TEST(in_test_mode_tokens_are_believed)
{
    Weir__V1__GetStreamVersionRequest in = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    in.stream_name = (char *)(uintptr_t) "a-1";
    rpc_write("a-1", 5);
    static const struct {
        const char *token;
        int64_t version;
    } rows[] = {
        {NULL, 0},
        {"nonsense", 0},
        {"ns_ZGVmYXVsdA_0000000000000000000000000000000000000000000000000000000000000000", 0},
        {"ns_dGVuYW50_0000000000000000000000000000000000000000000000000000000000000000", -1},
        {"ns_dGVuYW50_1111111111111111111111111111111111111111111111111111111111111111", -1},
    };
    for (size_t i = 0; i < WEIR_COUNTOF(rows); i++) {
        rpc_must_call(&reply, rows[i].token, "weir.v1.MessageStore/GetStreamVersion", &in.base);
        Weir__V1__GetStreamVersionResponse *out =
            rpc_unpack(&reply, &weir__v1__get_stream_version_response__descriptor);
        ck_assert_int_eq(out->version, rows[i].version);
        rpc_free_message(out);
    }
    /* If an admin token is configured, only that token has admin rights. */
    const Weir__V1__ListNamespacesRequest list = WEIR__V1__LIST_NAMESPACES_REQUEST__INIT;
    const char *method = "weir.v1.Namespaces/ListNamespaces";
    ck_assert_int_eq(rpc_call_as(&reply, DEFAULT_TOKEN, method, &list.base),
                     WEIR_AUTH_UNAUTHORIZED);
    rpc_free(&reply);
    rpc_must_call(&reply, ADMIN_TOKEN, method, &list.base);
    rpc_free(&reply);
}
END_TEST

START_TEST(test_mode_needs_memory_and_this_machine)
{
    static const char *const wrong[][3] = {
        {"--test-mode", "--store=sqlite:/tmp/x", "--listen=inproc://x"},
        {"--test-mode", "--store=sqlite::memory:", "--listen=tcp://0.0.0.0:0"},
    };
    for (size_t i = 0; i < WEIR_COUNTOF(wrong); i++) {
        char *argv[] = {(char *)(uintptr_t) "weir-server", (char *)(uintptr_t)wrong[i][0],
                        (char *)(uintptr_t)wrong[i][1], (char *)(uintptr_t)wrong[i][2], NULL};
        struct weir_config config;
        struct weir_server *server = NULL;
        struct weir_error err;
        weir_error_init(&err);
        ck_assert_int_eq(weir_config_parse(&config, 4, argv, &err), WEIR_OK);
        ck_assert_int_eq(weir_server_start(&config, &server, &err), WEIR_INVALID_REQUEST);
        ck_assert_ptr_nonnull(strstr(err.text, "--test-mode"));
        weir_config_fini(&config);
    }
}
END_TEST

static Suite *namespaces_suite(void)
{
    Suite *suite = suite_create("namespaces");
    TCase *tcase = tcase_create("namespaces");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, rpc_stop);
    tcase_add_test(tcase, a_namespace_is_described);
    tcase_add_test(tcase, namespaces_are_listed_page_by_page);
    tcase_add_test(tcase, a_page_of_namespaces_is_bounded);
    tcase_add_test(tcase, clearing_needs_the_name_twice_and_keeps_the_counter);
    tcase_add_test(tcase, the_default_namespace_is_deleted_with_force_only);
    tcase_add_test(tcase, streams_and_categories_are_listed);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("limits");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_lower_limit_hides_nothing);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("test_mode");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up_test_mode, rpc_stop);
    tcase_add_test(tcase, in_test_mode_tokens_are_believed);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("test_mode_start");
    tcase_add_test(tcase, test_mode_needs_memory_and_this_machine);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(namespaces_suite());
}
