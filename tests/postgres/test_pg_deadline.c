/* A PostgreSQL that says nothing: each call ends at about its own deadline, whatever others have.
 *
 * The store reaches PostgreSQL through a proxy (tests/lib/pg_proxy.h) that holds all back. */
#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

#include "weir/rules/time_text.h"

static void begin(void)
{
    fixture_through_proxy(1);
    must_put(fx.ns, "warm-1", 1);  // statements are prepared
}

/* ---- the list of namespaces ---- */

enum { SHORT_US = 300 * 1000, LIMIT_US = 1500 * 1000 };

/* What is asked about the list of namespaces, each with a short deadline. */
static weir_status ask_registry(int which, int64_t deadline_us)
{
    struct weir_namespace_record record = {.id = weir_slice_of("test")};
    const struct weir_registry_query query = {
        .limit = 1, .max_bytes = 100, .deadline_us = deadline_us};
    struct weir_registry_page page;
    struct weir_namespace *ns = NULL;
    bool is_same = false;
    int64_t deleted = 0;
    weir_error_init(&fx.err);
    switch (which) {
    case 0:
        return weir_namespace_find(fx.store, &record, deadline_us, &fx.arena, &fx.err);
    case 1:
        return weir_namespace_list(fx.store, &query, &fx.arena, &page, &fx.err);
    case 2:
        return weir_namespace_set_token(fx.store, record.id, &record.token_hash, deadline_us,
                                        &fx.err);
    case 3:
        return weir_namespace_delete(fx.store, record.id, deadline_us, &deleted, &fx.err);
    case 4:
        record.id = weir_slice_of("new");
        return weir_namespace_create(fx.store, &record, deadline_us, &is_same, &fx.err);
    default:
        return weir_namespace_open(fx.store, weir_slice_of("other"), deadline_us, &ns, &fx.err);
    }
}

START_TEST(the_list_of_namespaces_is_asked_no_longer_than_the_deadline)
{
    must_create(fx.store, "other");
    pg_proxy_set(proxy, PROXY_HOLDS, 0);
    const int64_t start_us = weir_monotonic_us();
    ck_assert_int_eq(ask_registry(_i, start_us + SHORT_US), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_lt(weir_monotonic_us() - start_us, LIMIT_US);
    if (_i == 2) {  // sent, and not answered
        ck_assert_ptr_nonnull(strstr(fx.err.text, "not known"));
    }
    pg_proxy_set(proxy, PROXY_PASSES, 0);
    must_put(fx.ns, "a-1", 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_deadline");
    TCase *tcase = tcase_create("one connection");
    tcase_add_checked_fixture(tcase, begin, fixture_through_proxy_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, the_list_of_namespaces_is_asked_no_longer_than_the_deadline, 0, 6);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
