/* What weir-load takes for a wrong reply: every check, by a reply that is right but for one thing.
 */
#include "bench/load/write_request.h"

#include "tests/lib/check_main.h"

#include <string.h>

enum { DATA_BYTES = 64, MESSAGES = 3 };

/* ---- writes ---- */

static struct write_request write_of;
static Weir__V1__WriteMessagesResponse response;
static Weir__V1__WrittenMessage written[MESSAGES];
static Weir__V1__WrittenMessage *written_pointers[MESSAGES];

/* A write to a stream of version 4, and what a server answers where another one came before. */
static void write_setup(void)
{
    ck_assert(write_request_init(&write_of, MESSAGES, DATA_BYTES));
    ck_assert(write_request_fill(&write_of, MESSAGES, 7));
    weir__v1__write_messages_response__init(&response);
    for (int m = 0; m < MESSAGES; m++) {
        weir__v1__written_message__init(&written[m]);
        written[m].id = write_of.messages[m].id;
        written[m].has_position = written[m].has_global_position = written[m].has_time_us = true;
        written[m].position = 6 + m;
        written[m].global_position = 20 + 2 * m;
        written[m].time_us = 1;
        written_pointers[m] = &written[m];
    }
    response.n_written = MESSAGES;
    response.written = written_pointers;
}

static void write_teardown(void)
{
    write_request_fini(&write_of);
}

START_TEST(a_write_may_stand_anywhere_behind_what_was_acknowledged)
{
    ck_assert_ptr_null(write_request_check(&write_of, &response, 5));
    ck_assert_ptr_null(write_request_check(&write_of, &response, 6));
    ck_assert_ptr_nonnull(write_request_check(&write_of, &response, 7));
}
END_TEST

START_TEST(a_write_that_expects_a_version_stands_right_behind_it)
{
    write_request_expect(&write_of, 5);
    ck_assert_ptr_null(write_request_check(&write_of, &response, 6));
    write_request_expect(&write_of, 4);
    ck_assert_ptr_nonnull(write_request_check(&write_of, &response, 5));
}
END_TEST

static void lose_one(void)
{
    response.n_written = MESSAGES - 1;
}
static void be_duplicate(void)
{
    response.has_duplicate = response.duplicate = true;
}
static void swap_ids(void)
{
    written[0].id = write_of.messages[1].id;
    written[1].id = write_of.messages[0].id;
}
static void lose_id(void)
{
    written[1].id = NULL;
}
static void leave_gap(void)
{
    written[2].position++;
}
static void lose_position(void)
{
    written[2].has_position = false;
}
static void repeat_global_position(void)
{
    written[1].global_position = written[0].global_position;
}
static void lose_global_position(void)
{
    written[1].has_global_position = false;
}
static void lose_time(void)
{
    written[1].has_time_us = false;
}
static void (*const write_faults[])(void) = {lose_one,
                                             be_duplicate,
                                             swap_ids,
                                             lose_id,
                                             leave_gap,
                                             lose_position,
                                             repeat_global_position,
                                             lose_global_position,
                                             lose_time};

START_TEST(a_wrong_answer_to_a_write_is_seen)
{
    write_faults[_i]();
    ck_assert_ptr_nonnull(write_request_check(&write_of, &response, 5));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("load_checks");
    TCase *writes = tcase_create("writes");
    tcase_add_checked_fixture(writes, write_setup, write_teardown);
    tcase_add_test(writes, a_write_may_stand_anywhere_behind_what_was_acknowledged);
    tcase_add_test(writes, a_write_that_expects_a_version_stands_right_behind_it);
    tcase_add_loop_test(writes, a_wrong_answer_to_a_write_is_seen, 0,
                        (int)(sizeof write_faults / sizeof write_faults[0]));
    suite_add_tcase(suite, writes);
    return check_main(suite);
}
