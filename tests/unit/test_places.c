/* Who may have a place of a limited number. */
#include "server/base/places.h"

#include "tests/lib/check_main.h"

static struct weir_places places;

/* Takes as many places as the owner may have. */
static size_t take_all(uint32_t owner)
{
    size_t n = 0;
    while (weir_places_take(&places, owner)) {
        n++;
    }
    return n;
}

static const struct {
    size_t most_of_one;
    size_t beside_it;  // what the next two may have when one has its most
    size_t beside_both;
} limits[] = {{0, 0, 0}, {1, 1, 0},  {2, 1, 0},   {3, 1, 0},
              {4, 1, 1}, {12, 3, 1}, {64, 16, 4}, {1024, 256, 64}};

START_TEST(one_has_its_most_and_leaves_some_to_others)
{
    weir_places_init(&places, limits[_i].most_of_one);
    ck_assert_uint_eq(take_all(7), limits[_i].most_of_one);
    ck_assert_uint_eq(take_all(8), limits[_i].beside_it);
    ck_assert_uint_eq(take_all(9), limits[_i].beside_both);
    ck_assert(!weir_places_take(&places, 7));
}
END_TEST

START_TEST(a_place_that_was_given_back_is_free)
{
    weir_places_init(&places, 4);
    (void)take_all(1);
    weir_places_end(&places, 1);
    ck_assert_uint_eq(atomic_load(&places.taken), 3);
    ck_assert_uint_eq(take_all(1), 1);
}
END_TEST

START_TEST(a_refusal_says_what_the_limit_is)
{
    struct weir_error err;
    weir_error_init(&err);
    weir_places_init(&places, 8);
    (void)take_all(1);
    ck_assert_int_eq(weir_places_fail(&places, 1, "calls in flight", "--max-calls", &err),
                     WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(err.text, "calls in flight (--max-calls): 9, but the limit is 8");
    weir_error_init(&err);
    (void)take_all(2);
    ck_assert_int_eq(weir_places_fail(&places, 2, "calls in flight", "--max-calls", &err),
                     WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(err.text, "calls in flight (beside those of other namespaces): 3, but the "
                               "limit is 2");
}
END_TEST

static Suite *places_suite(void)
{
    Suite *suite = suite_create("places");
    TCase *tcase = tcase_create("places");
    tcase_add_loop_test(tcase, one_has_its_most_and_leaves_some_to_others, 0,
                        (int)WEIR_COUNTOF(limits));
    tcase_add_test(tcase, a_place_that_was_given_back_is_free);
    tcase_add_test(tcase, a_refusal_says_what_the_limit_is);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(places_suite());
}
