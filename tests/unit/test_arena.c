/* The arena, the memory of a call. */
#include "weir/base/arena.h"

#include "tests/lib/check_main.h"

#include <stdalign.h>
#include <stdlib.h>

enum { CAP_BYTES = 100000, KEEP_BYTES = 20000 };

static struct weir_arena arena;

static void set_up(void)
{
    weir_arena_init(&arena, CAP_BYTES, KEEP_BYTES);
}

static void tear_down(void)
{
    weir_arena_fini(&arena);
}

START_TEST(allocations_are_apart_and_aligned)
{
    static const size_t sizes[] = {1, 7, 8, 100, 3000, 5000, 1, 20000};
    uint8_t *parts[WEIR_COUNTOF(sizes)];
    for (size_t i = 0; i < WEIR_COUNTOF(sizes); i++) {
        parts[i] = weir_arena_alloc(&arena, sizes[i]);
        ck_assert_ptr_nonnull(parts[i]);
        ck_assert_uint_eq((uintptr_t)parts[i] % alignof(max_align_t), 0);
        memset(parts[i], (int)i, sizes[i]);
        ck_assert_ptr_nonnull(weir_arena_bytes(&arena, 1));
    }
    for (size_t i = 0; i < WEIR_COUNTOF(sizes); i++) {
        for (size_t b = 0; b < sizes[i]; b++) {
            ck_assert_uint_eq(parts[i][b], i);
        }
    }
}
END_TEST

START_TEST(no_bytes_are_a_pointer_too)
{
    ck_assert_ptr_nonnull(weir_arena_bytes(&arena, 0));
    ck_assert_ptr_nonnull(weir_arena_alloc(&arena, 0));
    ck_assert_ptr_nonnull(weir_arena_array(&arena, 0, 8));
    ck_assert_ptr_nonnull(weir_arena_array(&arena, 8, 0));
}
END_TEST

START_TEST(the_cap_holds)
{
    ck_assert_ptr_null(weir_arena_bytes(&arena, CAP_BYTES + 1));
    ck_assert_uint_eq(weir_arena_left(&arena), CAP_BYTES);
    ck_assert_ptr_nonnull(weir_arena_bytes(&arena, CAP_BYTES));
    ck_assert_uint_eq(weir_arena_left(&arena), 0);
    ck_assert_ptr_null(weir_arena_bytes(&arena, 1));
    weir_arena_reset(&arena);
    ck_assert_uint_eq(weir_arena_left(&arena), CAP_BYTES);
    ck_assert_ptr_nonnull(weir_arena_bytes(&arena, CAP_BYTES));
}
END_TEST

START_TEST(the_cap_holds_in_small_steps)
{
    size_t given = 0;
    while (weir_arena_bytes(&arena, 10) != NULL) {
        given += 10;
        ck_assert_uint_le(given, CAP_BYTES);
    }
    ck_assert_uint_eq(given, CAP_BYTES);
}
END_TEST

START_TEST(padding_counts_towards_the_cap)
{
    ck_assert_ptr_nonnull(weir_arena_bytes(&arena, 1));
    ck_assert_ptr_null(weir_arena_alloc(&arena, CAP_BYTES - 1));
    ck_assert_uint_eq(weir_arena_left(&arena), CAP_BYTES - 1);
}
END_TEST

START_TEST(what_the_cap_refuses_is_told_with_sizes)
{
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_ptr_nonnull(weir_arena_bytes(&arena, 100));
    ck_assert_ptr_null(weir_arena_bytes(&arena, CAP_BYTES));
    ck_assert_ptr_nonnull(
        weir_arena_bytes(&arena, 1));  // the failed one of the two allocations is counted
    ck_assert_int_eq(weir_arena_fail(&arena, &err), WEIR_LIMIT_EXCEEDED);
    ck_assert_int_eq(atoi(weir_error_get_detail(&err, "limit")), CAP_BYTES);
    ck_assert_int_eq(atoi(weir_error_get_detail(&err, "actual")), CAP_BYTES + 101);
    ck_assert_ptr_null(weir_arena_array(&arena, SIZE_MAX, 2));
    ck_assert_int_eq(weir_arena_fail(&arena, &err), WEIR_LIMIT_EXCEEDED);
}
END_TEST

START_TEST(sizes_do_not_overflow)
{
    struct weir_slice copy;
    (void)weir_arena_bytes(&arena, 3);
    ck_assert_ptr_null(weir_arena_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_null(weir_arena_bytes(&arena, SIZE_MAX));
    ck_assert_ptr_null(weir_arena_array(&arena, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(weir_arena_array(&arena, SIZE_MAX / 8 + 2, 8));
    ck_assert(!weir_arena_copy(&arena, weir_slice("", SIZE_MAX), &copy));
}
END_TEST

START_TEST(arrays_are_zeroed)
{
    memset(weir_arena_alloc(&arena, 4000), 0xFF, 4000);
    weir_arena_reset(&arena);
    const uint8_t *p = weir_arena_array(&arena, 100, 40);
    ck_assert_ptr_nonnull(p);
    for (size_t i = 0; i < 4000; i++) {
        ck_assert_uint_eq(p[i], 0);
    }
}
END_TEST

START_TEST(copies_are_terminated)
{
    struct weir_slice copy;
    ck_assert(weir_arena_copy(&arena, weir_slice("a\0b", 3), &copy));
    ck_assert_uint_eq(copy.n, 3);
    ck_assert_mem_eq(copy.p, "a\0b", 4);
    ck_assert(weir_arena_copy(&arena, weir_slice("", 0), &copy));
    ck_assert_ptr_nonnull(copy.p);
    ck_assert_uint_eq(copy.n, 0);
    ck_assert_uint_eq(copy.p[0], 0);
    ck_assert(weir_arena_copy(&arena, weir_slice(NULL, 0), &copy));
    ck_assert_ptr_null(copy.p);
    ck_assert(!weir_arena_copy(&arena, weir_slice("", CAP_BYTES), &copy));
}
END_TEST

START_TEST(what_was_taken_since_a_mark_is_given_back)
{
    struct weir_arena_mark mark = weir_arena_mark(&arena);
    for (int again = 0; again < 2; again++) {
        ck_assert_ptr_nonnull(weir_arena_bytes(&arena, CAP_BYTES));
        weir_arena_rewind(&arena, &mark);
        ck_assert_uint_eq(weir_arena_left(&arena), CAP_BYTES);
    }
    uint8_t *kept = weir_arena_bytes(&arena, 100);
    memset(kept, 7, 100);
    mark = weir_arena_mark(&arena);
    memset(weir_arena_bytes(&arena, 50), 0, 50);
    memset(weir_arena_bytes(&arena, 50000), 0, 50000);
    weir_arena_rewind(&arena, &mark);
    memset(weir_arena_bytes(&arena, CAP_BYTES - 100), 0, CAP_BYTES - 100);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(kept[i], 7);
    }
}
END_TEST

START_TEST(an_unused_arena_can_be_reset)
{
    weir_arena_reset(&arena);
    weir_arena_fini(&arena);
    weir_arena_fini(&arena);
    ck_assert_uint_eq(weir_arena_left(&arena), CAP_BYTES);
}
END_TEST

#ifndef WEIR_ARENA_POISON
/* Returns the bytes that can be allocated without another block. */
static size_t room_in_block(void)
{
    return arena.blocks == NULL ? 0 : arena.left;
}

START_TEST(a_reset_keeps_one_block)
{
    for (int i = 0; i < 15; i++) {
        ck_assert_ptr_nonnull(weir_arena_bytes(&arena, 1000));
    }
    weir_arena_reset(&arena);
    ck_assert_uint_ge(room_in_block(), 15000);
    ck_assert_uint_le(room_in_block(), KEEP_BYTES);
    const struct weir_arena_block *kept = arena.blocks;
    for (int call = 0; call < 3; call++) {
        for (int i = 0; i < 15; i++) {
            ck_assert_ptr_nonnull(weir_arena_bytes(&arena, 1000));
        }
        ck_assert_ptr_eq(arena.blocks, kept);
        weir_arena_reset(&arena);
        ck_assert_ptr_eq(arena.blocks, kept);
    }
}
END_TEST

START_TEST(a_reset_keeps_no_more_than_agreed)
{
    ck_assert_ptr_nonnull(weir_arena_bytes(&arena, 4 * KEEP_BYTES));
    weir_arena_reset(&arena);
    ck_assert_uint_eq(room_in_block(), KEEP_BYTES);
}
END_TEST

START_TEST(an_arena_may_keep_nothing)
{
    weir_arena_init(&arena, CAP_BYTES, 0);
    ck_assert_ptr_nonnull(weir_arena_bytes(&arena, 100));
    weir_arena_reset(&arena);
    ck_assert_ptr_null(arena.blocks);
}
END_TEST
#endif

static Suite *arena_suite(void)
{
    Suite *suite = suite_create("arena");
    TCase *c = tcase_create("arena");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, allocations_are_apart_and_aligned);
    tcase_add_test(c, no_bytes_are_a_pointer_too);
    tcase_add_test(c, the_cap_holds);
    tcase_add_test(c, the_cap_holds_in_small_steps);
    tcase_add_test(c, padding_counts_towards_the_cap);
    tcase_add_test(c, what_the_cap_refuses_is_told_with_sizes);
    tcase_add_test(c, sizes_do_not_overflow);
    tcase_add_test(c, arrays_are_zeroed);
    tcase_add_test(c, copies_are_terminated);
    tcase_add_test(c, what_was_taken_since_a_mark_is_given_back);
    tcase_add_test(c, an_unused_arena_can_be_reset);
#ifndef WEIR_ARENA_POISON
    tcase_add_test(c, a_reset_keeps_one_block);
    tcase_add_test(c, a_reset_keeps_no_more_than_agreed);
    tcase_add_test(c, an_arena_may_keep_nothing);
#endif
    suite_add_tcase(suite, c);
    return suite;
}

int main(void)
{
    return check_main(arena_suite());
}
