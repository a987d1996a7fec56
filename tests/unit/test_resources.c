/* How the server divides its resources, by the process's limit of open files. */
#include "server/operation/resources.h"

#include "server/transport/pending_replies.h"
#include "tests/lib/check_main.h"

#include <sys/resource.h>

static rlim_t files_max(void)
{
    struct rlimit files;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    return files.rlim_max;
}

START_TEST(clients_have_no_descriptor_about_which_nothing_is_known)
{
    const rlim_t most = files_max();
    const int below = weir_resources_connections_below();
    ck_assert_int_gt(below, 0);
    ck_assert_int_le(below, WEIR_DESCRIPTORS_MAX);
    ck_assert_uint_lt((rlim_t)below, most);
    if (most >= 2 * WEIR_DESCRIPTORS_MAX) {
        ck_assert_int_eq(below, WEIR_DESCRIPTORS_MAX);
    }
}
END_TEST

START_TEST(http_has_some_of_those_that_clients_have_not)
{
    const rlim_t left = files_max() - (rlim_t)weir_resources_connections_below();
    ck_assert_uint_eq(weir_resources_http_connections(1), 1);
    ck_assert_uint_ge(weir_resources_http_connections(SIZE_MAX), 1);
    ck_assert_uint_le(weir_resources_http_connections(SIZE_MAX), left / 2);
}
END_TEST

static Suite *resources_suite(void)
{
    Suite *suite = suite_create("resources");
    TCase *tcase = tcase_create("resources");
    tcase_add_test(tcase, clients_have_no_descriptor_about_which_nothing_is_known);
    tcase_add_test(tcase, http_has_some_of_those_that_clients_have_not);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(resources_suite());
}
