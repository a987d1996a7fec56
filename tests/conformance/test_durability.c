/* Acknowledged messages survive a stop and a kill of the server. */
#include "tests/conformance/fixture.h"

static void assert_all_there(void)
{
    const StreamReply *r = read_stream("s-1");
    ck_assert_uint_eq(r->n_messages, 250);
    assert_positions(r->messages, 250, 0);
    assert_data(r->messages[99], "{\"n\":99}");
    ck_assert_uint_eq(read_category("s")->n_messages, 250);
    ck_assert_int_eq(version_of("s-1"), 249);
    const struct msg message = {.data = "{}"};
    const Written *w = must_write("s-1", EXPECT(249), &message, 1);
    ck_assert_int_gt(w->written[0]->global_position, r->messages[249]->global_position);
}

START_TEST(everything_is_there_after_a_stop)
{
    put_many("s-1", 250);
    conf_restart();
    assert_all_there();
}
END_TEST

START_TEST(everything_is_there_after_a_kill)
{
    put_many("s-1", 250);
    conf_kill_and_restart();
    assert_all_there();
}
END_TEST

START_TEST(a_retry_over_a_restart_is_the_same_write)
{
    const struct msg message = {.id = "11111111-1111-4111-8111-111111111111", .data = "{}"};
    const Written *first = must_write("s-1", EXPECT_NO_STREAM, &message, 1);
    conf_restart();
    const Written *again = must_write("s-1", EXPECT_NO_STREAM, &message, 1);
    ck_assert(again->duplicate);
    ck_assert_int_eq(again->written[0]->global_position, first->written[0]->global_position);
    ck_assert_int_eq(again->written[0]->time_us, first->written[0]->time_us);
}
END_TEST

TCase *conf_durability_case(void)
{
    TCase *tc = conf_case("durability");
    tcase_add_test(tc, everything_is_there_after_a_stop);
    tcase_add_test(tc, everything_is_there_after_a_kill);
    tcase_add_test(tc, a_retry_over_a_restart_is_the_same_write);
    return tc;
}
