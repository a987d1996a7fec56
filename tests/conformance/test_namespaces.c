/* Namespaces are isolated, accept only their own tokens, and are created and deleted as a whole. */
#include "tests/conformance/fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { TOKEN_MAX = 512 };

static weir_status try_create(const char *id, const char *token, char made[TOKEN_MAX])
{
    Weir__V1__CreateNamespaceRequest request = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = (char *)(uintptr_t)id;
    request.token = (char *)(uintptr_t)token;
    Weir__V1__CreateNamespaceResponse *response = NULL;
    weir_error_init(&conf.err);
    const weir_status st =
        weir_namespaces_create_namespace(conf.admin, &request, NULL, &response, &conf.err);
    if (st == WEIR_OK && made != NULL) {
        ck_assert_str_eq(response->namespace_, id);
        ck_assert_int_gt(response->created_at_us, 0);
        (void)snprintf(made, TOKEN_MAX, "%s", response->token);
    }
    weir_response_free(response);
    return st;
}

static weir_status try_delete(struct weir_client *client, const char *id, int64_t *deleted)
{
    Weir__V1__DeleteNamespaceRequest request = WEIR__V1__DELETE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = (char *)(uintptr_t)id;
    Weir__V1__DeleteNamespaceResponse *response = NULL;
    weir_error_init(&conf.err);
    const weir_status st =
        weir_namespaces_delete_namespace(client, &request, NULL, &response, &conf.err);
    if (st == WEIR_OK && deleted != NULL) {
        *deleted = response->messages_deleted;
    }
    weir_response_free(response);
    return st;
}

static weir_status try_get(struct weir_client *client, const char *id,
                           Weir__V1__GetNamespaceResponse **response)
{
    Weir__V1__GetNamespaceRequest request = WEIR__V1__GET_NAMESPACE_REQUEST__INIT;
    request.namespace_ = (char *)(uintptr_t)id;
    weir_error_init(&conf.err);
    return weir_namespaces_get_namespace(client, &request, NULL, response, &conf.err);
}

/* Makes an id that is unique among the tests that share a store. */
static const char *unique(const char *tail, char id[128])
{
    (void)snprintf(id, 128, "%.60s%s", conf.namespace_id, tail);
    return id;
}

static weir_status put_as(const char *token, const char *stream)
{
    struct weir_client *client = conf_client(token);
    const struct msg message = {.data = "{}"};
    const struct write write = {stream, EXPECT_ANY, &message, 1};
    Written *written = NULL;
    const weir_status st = try_write_as(client, &write, &written, &conf.err);
    if (st == WEIR_OK) {
        ck_assert_int_ge(written->written[0]->global_position, 1);
    }
    weir_response_free(written);
    weir_client_close(client);
    return st;
}

START_TEST(a_namespace_is_created_described_and_deleted)
{
    char id[128];
    char token[TOKEN_MAX];
    unique("-x", id);
    assert_failed(try_create(id, NULL, token), WEIR_OK);
    assert_failed(put_as(token, "a-1"), WEIR_OK);
    assert_failed(put_as(token, "a-2"), WEIR_OK);
    assert_failed(put_as(token, "a-2"), WEIR_OK);
    Weir__V1__GetNamespaceResponse *info = NULL;
    assert_failed(try_get(conf.admin, id, &info), WEIR_OK);
    ck_assert_int_eq(info->message_count, 3);
    ck_assert_int_eq(info->stream_count, 2);
    ck_assert(info->has_last_activity_us);
    weir_response_free(info);
    int64_t deleted = -1;
    assert_failed(try_delete(conf.admin, id, &deleted), WEIR_OK);
    ck_assert_int_eq(deleted, 3);
    assert_failed(put_as(token, "a-1"), WEIR_AUTH_UNAUTHORIZED);
    assert_failed(try_get(conf.admin, id, &info), WEIR_NAMESPACE_NOT_FOUND);
    assert_failed(try_delete(conf.admin, id, NULL), WEIR_NAMESPACE_NOT_FOUND);
}
END_TEST

START_TEST(what_a_namespace_was_created_with_is_kept)
{
    char id[128];
    static char metadata[] = "{\"owner\":\"billing\",\"tiers\":[1,2.5,null]}";
    Weir__V1__CreateNamespaceRequest request = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = (char *)(uintptr_t)unique("-kept", id);
    request.description = (char *)(uintptr_t) "Rechnungen, größere";
    request.has_metadata = true;
    request.metadata.data = (uint8_t *)metadata;
    request.metadata.len = strlen(metadata);
    Weir__V1__CreateNamespaceResponse *made = NULL;
    Weir__V1__CreateNamespaceResponse *again = NULL;
    Weir__V1__GetNamespaceResponse *info = NULL;
    assert_failed(weir_namespaces_create_namespace(conf.admin, &request, NULL, &made, &conf.err),
                  WEIR_OK);
    request.token = made->token;
    assert_failed(weir_namespaces_create_namespace(conf.admin, &request, NULL, &again, &conf.err),
                  WEIR_OK);
    ck_assert_int_eq(again->created_at_us, made->created_at_us);
    assert_failed(try_get(conf.admin, id, &info), WEIR_OK);
    ck_assert_str_eq(info->description, request.description);
    ck_assert_uint_eq(info->metadata.len, request.metadata.len);
    ck_assert_mem_eq(info->metadata.data, metadata, request.metadata.len);
    ck_assert_int_eq(info->created_at_us, made->created_at_us);
    ck_assert(!info->has_last_activity_us);
    weir_response_free(info);
    weir_response_free(again);
    weir_response_free(made);
}
END_TEST

START_TEST(the_last_activity_is_the_newest_messages_time)
{
    const struct msg messages[] = {{.data = "{}"}, {.data = "{}"}};
    const Written *w = must_write("a-1", EXPECT_ANY, messages, 2);
    Weir__V1__GetNamespaceResponse *info = NULL;
    assert_failed(try_get(conf.client, conf.namespace_id, &info), WEIR_OK);
    ck_assert_int_eq(info->last_activity_us, w->written[1]->time_us);
    weir_response_free(info);
}
END_TEST

/* ---- concurrent creations of one id ---- */

enum { CREATORS = 16 };

static struct creator {
    pthread_t thread;
    char token[TOKEN_MAX];
    weir_status outcome;
} creators[CREATORS];

static char contested[128];

static void *create_contested(void *context)
{
    struct creator *creator = context;
    struct weir_error err;
    weir_error_init(&err);
    Weir__V1__CreateNamespaceRequest request = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    request.namespace_ = contested;
    request.token = creator->token;
    Weir__V1__CreateNamespaceResponse *response = NULL;
    creator->outcome =
        weir_namespaces_create_namespace(conf.admin, &request, NULL, &response, &err);
    weir_response_free(response);
    return NULL;
}

static void make_tokens(void)
{
    for (size_t i = 0; i < CREATORS; i++) {
        struct weir_error err;
        weir_error_init(&err);
        ck_assert_int_eq(weir_token_make(weir_slice_of(contested), creators[i].token, &err),
                         WEIR_OK);
    }
}

START_TEST(one_of_many_creates_a_namespace_and_its_token_alone_opens_it)
{
    size_t winner = CREATORS;
    (void)unique("-contested", contested);
    make_tokens();
    for (size_t i = 0; i < CREATORS; i++) {
        ck_assert_int_eq(pthread_create(&creators[i].thread, NULL, create_contested, &creators[i]),
                         0);
    }
    for (size_t i = 0; i < CREATORS; i++) {
        ck_assert_int_eq(pthread_join(creators[i].thread, NULL), 0);
        if (creators[i].outcome == WEIR_OK) {
            ck_assert_uint_eq(winner, CREATORS);
            winner = i;
        } else {
            ck_assert_int_eq(creators[i].outcome, WEIR_NAMESPACE_EXISTS);
        }
    }
    ck_assert_uint_lt(winner, CREATORS);
    for (size_t i = 0; i < CREATORS; i++) {
        assert_failed(put_as(creators[i].token, "a-1"),
                      i == winner ? WEIR_OK : WEIR_AUTH_UNAUTHORIZED);
    }
}
END_TEST

START_TEST(a_deleted_id_may_be_created_again_and_is_empty)
{
    char id[128];
    char token[TOKEN_MAX];
    unique("-again", id);
    for (int round = 0; round < 3; round++) {
        assert_failed(try_create(id, NULL, token), WEIR_OK);
        struct weir_client *client = conf_client(token);
        const struct msg message = {.data = "{}"};
        const struct write write = {"a-1", EXPECT_NO_STREAM, &message, 1};
        Written *written = NULL;
        assert_failed(try_write_as(client, &write, &written, &conf.err), WEIR_OK);
        ck_assert_int_eq(written->written[0]->position, 0);
        ck_assert_int_eq(written->written[0]->global_position, 1);
        weir_response_free(written);
        weir_client_close(client);
        assert_failed(try_delete(conf.admin, id, NULL), WEIR_OK);
    }
}
END_TEST

START_TEST(a_second_create_is_refused_but_a_repetition_is_not)
{
    char id[128];
    char token[TOKEN_MAX];
    char again[TOKEN_MAX];
    unique("-twice", id);
    assert_failed(try_create(id, NULL, token), WEIR_OK);
    assert_failed(try_create(id, NULL, NULL), WEIR_NAMESPACE_EXISTS);
    assert_detail("namespace", id);
    assert_failed(try_create(id, token, again), WEIR_OK);
    ck_assert_str_eq(again, token);
}
END_TEST

START_TEST(a_supplied_token_must_name_the_namespace)
{
    char id[128];
    char other[128];
    char token[TOKEN_MAX];
    unique("-one", id);
    unique("-two", other);
    assert_failed(try_create(id, NULL, token), WEIR_OK);
    assert_invalid(try_create(other, token, NULL), "token");
    assert_invalid(try_create(other, "nonsense", NULL), "token");
}
END_TEST

/* Names that a careless mapping to files or schemas would confuse or let escape. */
static const char *const tails[] = {"-a",
                                    "_a",
                                    ".a",
                                    "/../x",
                                    "?mode=ro",
                                    "#",
                                    "%2e",
                                    " a",
                                    "é",
                                    "A",
                                    "-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1",
                                    "-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2"};

START_TEST(namespaces_do_not_see_each_other)
{
    enum { N = WEIR_COUNTOF(tails) };
    static char ids[N][128];
    static char tokens[N][TOKEN_MAX];
    for (size_t i = 0; i < N; i++) {
        assert_failed(try_create(unique(tails[i], ids[i]), NULL, tokens[i]), WEIR_OK);
        for (size_t k = 0; k <= i; k++) {
            assert_failed(put_as(tokens[i], "a-1"), WEIR_OK);
        }
    }
    for (size_t i = 0; i < N; i++) {
        Weir__V1__GetNamespaceResponse *info = NULL;
        assert_failed(try_get(conf.admin, ids[i], &info), WEIR_OK);
        ck_assert_int_eq(info->message_count, (int64_t)i + 1);
        weir_response_free(info);
        assert_failed(try_delete(conf.admin, ids[i], NULL), WEIR_OK);
    }
}
END_TEST

/* The same message id and stream name exist in both namespaces with different contents. */
START_TEST(ids_streams_and_listings_are_of_one_namespace)
{
    char id[128];
    char token[TOKEN_MAX];
    assert_failed(try_create(unique("-beside", id), NULL, token), WEIR_OK);
    struct weir_client *beside = conf_client(token);
    struct msg message = {.id = "11111111-1111-4111-8111-111111111111", .data = "{\"mine\":1}"};
    ck_assert(!must_write("a-1", EXPECT_NO_STREAM, &message, 1)->duplicate);
    message.data = "{\"theirs\":2}";
    const struct write write = {"a-1", EXPECT_NO_STREAM, &message, 1};
    Written *written = NULL;
    assert_failed(try_write_as(beside, &write, &written, &conf.err), WEIR_OK);
    ck_assert(!written->duplicate);
    weir_response_free(written);
    assert_data(read_stream("a-1")->messages[0], "{\"mine\":1}");
    assert_failed(put_as(token, "b-1"), WEIR_OK);
    Weir__V1__ListStreamsRequest list = WEIR__V1__LIST_STREAMS_REQUEST__INIT;
    Weir__V1__ListStreamsResponse *streams = NULL;
    assert_failed(weir_namespaces_list_streams(conf.client, &list, NULL, &streams, &conf.err),
                  WEIR_OK);
    ck_assert_uint_eq(streams->n_streams, 1);
    ck_assert_str_eq(streams->streams[0]->stream_name, "a-1");
    weir_response_free(streams);
    weir_client_close(beside);
}
END_TEST

static char too_long[130];
static const char *const invalid_ids[] = {"",      ".",     "..",       "a\nb",
                                          "a\x7f", "a\xff", "\xc2\x85", too_long};

START_TEST(an_unfit_id_is_invalid)
{
    memset(too_long, 'n', 129);
    for (conf.row = 0; conf.row < WEIR_COUNTOF(invalid_ids); conf.row++) {
        assert_invalid(try_create(invalid_ids[conf.row], NULL, NULL), "namespace");
    }
}
END_TEST

START_TEST(a_token_opens_its_own_namespace_only)
{
    Weir__V1__GetNamespaceResponse *info = NULL;
    assert_failed(try_get(conf.client, conf.namespace_id, &info), WEIR_OK);
    weir_response_free(info);
    assert_failed(try_get(conf.client, "default", &info), WEIR_AUTH_UNAUTHORIZED);
    assert_failed(try_delete(conf.client, "default", NULL), WEIR_AUTH_UNAUTHORIZED);
    Weir__V1__ListNamespacesRequest list = WEIR__V1__LIST_NAMESPACES_REQUEST__INIT;
    Weir__V1__ListNamespacesResponse *listed = NULL;
    assert_failed(weir_namespaces_list_namespaces(conf.client, &list, NULL, &listed, &conf.err),
                  WEIR_AUTH_UNAUTHORIZED);
    assert_failed(put_as(NULL, "a-1"), WEIR_AUTH_REQUIRED);
    assert_failed(put_as("nonsense", "a-1"), WEIR_AUTH_INVALID_TOKEN);
    char forged[TOKEN_MAX];
    (void)snprintf(forged, sizeof forged, "%s", conf_token());
    forged[strlen(forged) - 1] = forged[strlen(forged) - 1] == '0' ? '1' : '0';
    assert_failed(put_as(forged, "a-1"), WEIR_AUTH_UNAUTHORIZED);
    assert_failed(try_delete(conf.admin, "default", NULL), WEIR_PRECONDITION);
}
END_TEST

START_TEST(an_admin_acts_on_the_namespace_it_names)
{
    put("a-1", "{}");
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.namespace_id = conf.namespace_id;
    const CategoryQuery query = query_category("a");
    CategoryReply *reply = NULL;
    assert_failed(
        weir_message_store_get_category_messages(conf.admin, &query, &options, &reply, &conf.err),
        WEIR_OK);
    ck_assert_uint_eq(reply->n_messages, 1);
    weir_response_free(reply);
    options.namespace_id = "there is no such one";
    assert_failed(
        weir_message_store_get_category_messages(conf.admin, &query, &options, &reply, &conf.err),
        WEIR_NAMESPACE_NOT_FOUND);
    assert_detail("namespace", "there is no such one");
}
END_TEST

START_TEST(a_rotated_token_is_dead_and_the_new_one_works)
{
    Weir__V1__RotateTokenRequest request = WEIR__V1__ROTATE_TOKEN_REQUEST__INIT;
    request.namespace_ = conf.namespace_id;
    Weir__V1__RotateTokenResponse *response = NULL;
    assert_failed(put_as(conf_token(), "a-1"), WEIR_OK);
    assert_failed(weir_namespaces_rotate_token(conf.client, &request, NULL, &response, &conf.err),
                  WEIR_OK);
    assert_failed(put_as(conf_token(), "a-1"), WEIR_AUTH_UNAUTHORIZED);
    assert_failed(put_as(response->token, "a-1"), WEIR_OK);
    weir_response_free(response);
}
END_TEST

static weir_status try_clear(const char *confirm, int64_t *deleted)
{
    Weir__V1__ClearNamespaceRequest request = WEIR__V1__CLEAR_NAMESPACE_REQUEST__INIT;
    request.namespace_ = conf.namespace_id;
    request.confirm = (char *)(uintptr_t)confirm;
    Weir__V1__ClearNamespaceResponse *response = NULL;
    weir_error_init(&conf.err);
    const weir_status st =
        weir_namespaces_clear_namespace(conf.client, &request, NULL, &response, &conf.err);
    if (st == WEIR_OK) {
        *deleted = response->messages_deleted;
    }
    weir_response_free(response);
    return st;
}

START_TEST(clearing_keeps_the_counter)
{
    int64_t deleted = -1;
    put_many("a-1", 10);
    assert_failed(try_clear("something else", &deleted), WEIR_PRECONDITION);
    assert_failed(try_clear(conf.namespace_id, &deleted), WEIR_OK);
    ck_assert_int_eq(deleted, 10);
    ck_assert_uint_eq(read_category("")->n_messages, 0);
    ck_assert_int_eq(version_of("a-1"), -1);
    Weir__V1__GetNamespaceResponse *info = NULL;
    assert_failed(try_get(conf.client, conf.namespace_id, &info), WEIR_OK);
    ck_assert(info->message_count == 0 && info->stream_count == 0);
    ck_assert(!info->has_last_activity_us);
    weir_response_free(info);
    const struct msg message = {.data = "{}"};
    const Written *w = must_write("a-1", EXPECT_NO_STREAM, &message, 1);
    ck_assert_int_eq(w->written[0]->position, 0);
    ck_assert_int_gt(w->written[0]->global_position, 10);
}
END_TEST

START_TEST(namespaces_are_listed_in_pages)
{
    char ids[5][128];
    for (size_t i = 0; i < 5; i++) {
        char tail[16];
        (void)snprintf(tail, sizeof tail, "-list-%zu", i);
        assert_failed(try_create(unique(tail, ids[i]), NULL, NULL), WEIR_OK);
    }
    size_t found = 0;
    char last[128] = "";
    char cursor[256] = "";
    for (bool is_more = true; is_more;) {
        Weir__V1__ListNamespacesRequest request = WEIR__V1__LIST_NAMESPACES_REQUEST__INIT;
        request.has_limit = true;
        request.limit = 2;
        request.cursor = cursor;
        Weir__V1__ListNamespacesResponse *page = NULL;
        assert_failed(weir_namespaces_list_namespaces(conf.admin, &request, NULL, &page, &conf.err),
                      WEIR_OK);
        ck_assert_uint_le(page->n_namespaces, 2);
        for (size_t i = 0; i < page->n_namespaces; i++) {
            ck_assert_int_gt(strcmp(page->namespaces[i]->namespace_, last), 0);
            (void)snprintf(last, sizeof last, "%s", page->namespaces[i]->namespace_);
            found += found < 5 && strcmp(last, ids[found]) == 0;
        }
        (void)snprintf(cursor, sizeof cursor, "%s", page->next_cursor);
        is_more = cursor[0] != '\0';
        weir_response_free(page);
    }
    ck_assert_uint_eq(found, 5);
}
END_TEST

TCase *conf_namespaces_case(void)
{
    TCase *tc = conf_case("namespaces");
    tcase_add_test(tc, a_namespace_is_created_described_and_deleted);
    tcase_add_test(tc, what_a_namespace_was_created_with_is_kept);
    tcase_add_test(tc, the_last_activity_is_the_newest_messages_time);
    tcase_add_test(tc, one_of_many_creates_a_namespace_and_its_token_alone_opens_it);
    tcase_add_test(tc, ids_streams_and_listings_are_of_one_namespace);
    tcase_add_test(tc, a_deleted_id_may_be_created_again_and_is_empty);
    tcase_add_test(tc, a_second_create_is_refused_but_a_repetition_is_not);
    tcase_add_test(tc, a_supplied_token_must_name_the_namespace);
    tcase_add_test(tc, namespaces_do_not_see_each_other);
    tcase_add_test(tc, an_unfit_id_is_invalid);
    tcase_add_test(tc, a_token_opens_its_own_namespace_only);
    tcase_add_test(tc, an_admin_acts_on_the_namespace_it_names);
    tcase_add_test(tc, a_rotated_token_is_dead_and_the_new_one_works);
    tcase_add_test(tc, clearing_keeps_the_counter);
    tcase_add_test(tc, namespaces_are_listed_in_pages);
    return tc;
}
