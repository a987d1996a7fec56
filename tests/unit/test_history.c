/* The linearizability checker: sound histories, and one of each unsound kind. */
#include "tests/lib/check_main.h"
#include "tests/lib/history.h"

enum { OPERATIONS_MAX = 5 };

static const struct {
    struct history_operation
        operations[OPERATIONS_MAX];  // the list ends at the first that began at 0
    bool is_linearizable;
} histories[] = {
    /* Sequential operations. */
    {{{true, 0, 1, 2}, {false, 0, 3, 4}, {true, 1, 5, 6}, {false, 1, 7, 8}}, true},
    /* Overlapping writes in any order. */
    {{{true, 1, 1, 9}, {true, 0, 2, 8}}, true},
    /* A look during a write may see either state. */
    {{{true, 0, 1, 9}, {false, -1, 2, 3}, {false, 0, 4, 5}}, true},
    /* A write without an answer that is seen much later. */
    {{{true, 0, 1, INT64_MAX}, {false, -1, 5, 6}, {false, 0, 7, 8}}, true},
    /* A look at a state that has passed. */
    {{{true, 0, 1, 2}, {false, -1, 3, 4}}, false},
    /* A look at a write that has not begun. */
    {{{false, 0, 1, 2}, {true, 0, 3, 4}}, false},
    /* Looks that go back in time. */
    {{{true, 0, 1, 9}, {false, 0, 2, 3}, {false, -1, 4, 5}}, false},
    /* A later write at a lower version. */
    {{{true, 1, 1, 2}, {true, 0, 3, 4}}, false},
    /* Two writes at the same version. */
    {{{true, 0, 1, 2}, {true, 0, 3, 4}}, false},
};

START_TEST(a_history_is_judged)
{
    struct history history = {.n = 0};
    for (size_t i = 0; i < OPERATIONS_MAX && histories[_i].operations[i].began_us != 0; i++) {
        history_add(&history, &histories[_i].operations[i]);
    }
    char fault[200] = "";
    ck_assert_int_eq(history_is_linearizable(&history, fault, sizeof fault),
                     histories[_i].is_linearizable);
    ck_assert_int_eq(fault[0] == '\0', histories[_i].is_linearizable);
    history_free(&history);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("history");
    TCase *tc = tcase_create("history");
    tcase_add_loop_test(tc, a_history_is_judged, 0, (int)(sizeof histories / sizeof histories[0]));
    suite_add_tcase(suite, tc);
    return check_main(suite);
}
