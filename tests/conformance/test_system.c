/* What a server reports about itself and about its store. */
#include "tests/conformance/fixture.h"

#include <stdlib.h>
#include <string.h>

/* Returns the store's name in GetServerInfo and CheckHealth, which is the scheme of its URL. */
static const char *backend_of_store(void)
{
    const char *url = getenv("WEIR_TEST_STORE");
    if (url == NULL || strncmp(url, "sqlite", 6) == 0) {
        return "sqlite";
    }
    return strncmp(url, "timescaledb", 11) == 0 ? "timescaledb" : "postgresql";
}

START_TEST(a_server_tells_its_versions_and_its_store)
{
    Weir__V1__GetServerInfoRequest request = WEIR__V1__GET_SERVER_INFO_REQUEST__INIT;
    Weir__V1__GetServerInfoResponse *info = NULL;
    struct weir_client *nobody = conf_client(NULL);
    assert_failed(weir_system_get_server_info(nobody, &request, NULL, &info, &conf.err), WEIR_OK);
    ck_assert_str_eq(info->backend, backend_of_store());
    ck_assert_str_eq(info->message_db_compat, "1.3.0");
    ck_assert_int_eq(info->protocol_version, 1);
    ck_assert_int_gt(info->schema_version, 0);
    ck_assert_uint_gt(strlen(info->server_version), 0);
    weir_response_free(info);
    weir_client_close(nobody);
}
END_TEST

static int64_t must_serve(struct weir_client *client)
{
    Weir__V1__CheckHealthRequest request = WEIR__V1__CHECK_HEALTH_REQUEST__INIT;
    Weir__V1__CheckHealthResponse *health = NULL;
    assert_failed(weir_system_check_health(client, &request, NULL, &health, &conf.err), WEIR_OK);
    ck_assert_int_eq(health->status, WEIR__V1__CHECK_HEALTH_RESPONSE__SERVING_STATUS__SERVING);
    ck_assert_str_eq(health->backend, backend_of_store());
    const int64_t uptime_us = health->uptime_us;
    weir_response_free(health);
    return uptime_us;
}

START_TEST(a_server_serves_and_grows_older)
{
    struct weir_client *nobody = conf_client(NULL);
    const int64_t before_us = must_serve(nobody);
    ck_assert_int_gt(before_us, 0);
    put("a-1", "{}");
    ck_assert_int_gt(must_serve(nobody), before_us);
    weir_client_close(nobody);
}
END_TEST

/* Statistics and chunks need the admin token on every store. */
START_TEST(what_is_the_admins_is_refused_to_a_tenant)
{
    Weir__V1__GetStatsRequest stats = WEIR__V1__GET_STATS_REQUEST__INIT;
    Weir__V1__GetStatsResponse *got = NULL;
    assert_failed(weir_system_get_stats(conf.client, &stats, NULL, &got, &conf.err),
                  WEIR_AUTH_UNAUTHORIZED);
    assert_failed(weir_system_get_stats(conf.admin, &stats, NULL, &got, &conf.err), WEIR_OK);
    ck_assert_uint_gt(got->n_metrics, 0);
    weir_response_free(got);
    Weir__V1__ListChunksRequest list = WEIR__V1__LIST_CHUNKS_REQUEST__INIT;
    Weir__V1__ListChunksResponse *chunks = NULL;
    assert_failed(weir_chunks_list_chunks(conf.client, &list, NULL, &chunks, &conf.err),
                  WEIR_AUTH_UNAUTHORIZED);
}
END_TEST

TCase *conf_system_case(void)
{
    TCase *tc = conf_case("system");
    tcase_add_test(tc, a_server_tells_its_versions_and_its_store);
    tcase_add_test(tc, a_server_serves_and_grows_older);
    tcase_add_test(tc, what_is_the_admins_is_refused_to_a_tenant);
    return tc;
}
