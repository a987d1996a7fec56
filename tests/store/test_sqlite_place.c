/* A store that goes away under the server. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Twice a second it is looked at. */
static weir_status put_until_refused(struct weir_namespace *ns)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    weir_status status = WEIR_OK;
    for (uint64_t n = 1; status == WEIR_OK && n < 200; n++) {
        const struct weir_new_message message = message_of(1000 + n, "1");
        struct weir_written written;
        (void)nanosleep(&pause, NULL);
        status = append(ns, "a-1", ANY, &message, 1, &written);
    }
    return status;
}

static void ping_until_refused(void)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    struct weir_error err;
    weir_error_init(&err);
    while (weir_store_ping(fx.store, INT64_MAX, &err) == WEIR_OK) {
        (void)nanosleep(&pause, NULL);
    }
    ck_assert_int_eq(err.status, WEIR_BACKEND_UNAVAILABLE);
}

/* Renamed, and the registry removed. */
START_TEST(a_store_that_is_not_where_it_was_takes_no_writes)
{
    char away[sizeof fx.dir + 8];
    (void)snprintf(away, sizeof away, "%s-away", fx.dir);
    must_put(fx.ns, "a-1", 1);
    ck_assert_int_eq(_i == 0 ? rename(fx.dir, away) : unlink(path_in_dir("registry.db")), 0);
    ck_assert_int_eq(put_until_refused(fx.ns), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(fx.report, "has been removed, renamed or replaced"));
    ck_assert_ptr_null(strstr(fx.err.text, fx.dir));
    ping_until_refused();

    /* It is not asked again whether it has come back. */
    ck_assert(_i != 0 || rename(away, fx.dir) == 0);
    ck_assert_int_eq(put_until_refused(fx.ns), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(weir_store_ping(fx.store, INT64_MAX, &fx.err), WEIR_BACKEND_UNAVAILABLE);
    struct weir_namespace_record record = {.id = weir_slice_of("new")};
    bool is_same = false;
    ck_assert_int_eq(weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err),
                     WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_ge(must_head(fx.ns), 1);
    if (_i == 0) {
        reopen();
        must_put(fx.ns, "a-1", 1);
    }
}
END_TEST

static Suite *sqlite_place_suite(void)
{
    Suite *suite = suite_create("sqlite_place");
    TCase *tcase = tcase_create("place");
    tcase_add_checked_fixture(tcase, fixture_on_disk, fixture_end);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_store_that_is_not_where_it_was_takes_no_writes, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(sqlite_place_suite());
}
