/* Message ids: their text, and version 7 with a clock controlled by the test. */
#include "weir/rules/uuid.h"

#include "tests/lib/check_main.h"
#include "weir/rules/time_text.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, IDS_PER_THREAD = 5000, IDS = 10000 };

/* Replaces the clock of time_text.c, which the linker then leaves out. */
static int64_t now_us;

int64_t weir_now_us(void)
{
    return now_us;
}

/* Each test starts at a later time than all tests before it, also within one process. */
static void set_up(void)
{
    static int64_t start_us = INT64_C(1700000000000000);
    now_us = start_us;
    start_us += INT64_C(1000000000000000);
}

#define DASHED "0189abcd-ef01-7234-8abc-def012345678"
#define PLAIN  "0189abcdef0172348abcdef012345678"

static const char *const accepted[] = {
    DASHED,
    PLAIN,
    "{" DASHED "}",
    "{" PLAIN "}",
    "0189ABCD-EF01-7234-8ABC-DEF012345678",
    "0189abcdEF0172348abcDEF012345678",
};

START_TEST(every_form_is_one_id)
{
    struct weir_uuid id;
    char text[WEIR_UUID_TEXT + 1];
    ck_assert(weir_uuid_parse(weir_slice_of(accepted[_i]), &id));
    weir_uuid_format(&id, text);
    ck_assert_str_eq(text, DASHED);
}
END_TEST

static const char *const any_version[] = {
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "12345678-9abc-0def-0123-456789abcdef",
};

START_TEST(any_version_is_an_id)
{
    struct weir_uuid id;
    char text[WEIR_UUID_TEXT + 1];
    ck_assert(weir_uuid_parse(weir_slice_of(any_version[_i]), &id));
    weir_uuid_format(&id, text);
    ck_assert_str_eq(text, any_version[_i]);
}
END_TEST

static const char *const refused[] = {
    NULL,
    "",
    "{}",
    "0",
    " " DASHED,
    DASHED " ",
    DASHED "0",
    "{" DASHED,
    DASHED "}",
    "{" DASHED "{",
    "{" PLAIN "0",
    "{{" PLAIN "}}",
    "(" PLAIN ")",
    "urn:uuid:" DASHED,
    "0189abcd-ef01-7234-8abc-def01234567",
    "0189abcd-ef01-7234-8abc-def01234567g",
    "0189abcd-ef01-7234-8abcd-ef012345678",
    "0189abcd_ef01_7234_8abc_def012345678",
    "0189abcdef01-7234-8abc-def012345678-",
    "0189abcd-ef01-7234-8abcdef0-12345678",
    "0189abcdef0172348abcdef01234567-",
    "0189abcd-ef0172348abcdef01234567",
    "0189abcdef0172348abcdef01234567:",
    "0189abcdef0172348abcdef01234567`",
};

START_TEST(anything_else_is_no_id)
{
    struct weir_uuid id;
    memset(&id, 0x5A, sizeof id);
    const struct weir_uuid before = id;
    ck_assert(!weir_uuid_parse(weir_slice_of(refused[_i]), &id));
    ck_assert_mem_eq(&id, &before, sizeof id);
}
END_TEST

START_TEST(nul_is_no_digit)
{
    char text[] = PLAIN;
    struct weir_uuid id;
    text[5] = '\0';
    ck_assert(!weir_uuid_parse(weir_slice(text, sizeof text - 1), &id));
}
END_TEST

static struct weir_uuid make(void)
{
    struct weir_uuid id;
    ck_assert(weir_uuid_make_v7(&id));
    return id;
}

static int64_t ms_of(const struct weir_uuid *id)
{
    int64_t ms = 0;
    for (size_t i = 0; i < 6; i++) {
        ms = ms << 8 | id->bytes[i];
    }
    return ms;
}

static int order(const struct weir_uuid *a, const struct weir_uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

START_TEST(v7_has_time_version_and_variant)
{
    now_us += INT64_C(12345678901999);
    const struct weir_uuid id = make();
    ck_assert_int_eq(ms_of(&id), now_us / 1000);
    ck_assert_uint_eq(id.bytes[6] >> 4, 7);
    ck_assert_uint_eq(id.bytes[8] >> 6, 2);
}
END_TEST

START_TEST(v7_increases_within_a_millisecond)
{
    struct weir_uuid last = make();
    for (int i = 0; i < IDS; i++) {
        const struct weir_uuid id = make();
        ck_assert_int_lt(order(&last, &id), 0);
        ck_assert_uint_eq(id.bytes[6] >> 4, 7);
        ck_assert_uint_eq(id.bytes[8] >> 6, 2);
        last = id;
    }
    /* No id had to take a later time than the clock's. */
    ck_assert_int_eq(ms_of(&last), now_us / 1000);
}
END_TEST

START_TEST(v7_increases_as_time_passes)
{
    struct weir_uuid last = make();
    for (int i = 0; i < IDS; i++) {
        now_us += 137;
        const struct weir_uuid id = make();
        ck_assert_int_lt(order(&last, &id), 0);
        ck_assert_int_eq(ms_of(&id), now_us / 1000);
        last = id;
    }
}
END_TEST

START_TEST(v7_increases_when_the_clock_goes_back)
{
    const int64_t start_us = now_us;
    const struct weir_uuid first = make();
    now_us -= INT64_C(3600000000);
    const struct weir_uuid second = make();
    now_us = -5;
    const struct weir_uuid third = make();
    ck_assert_int_lt(order(&first, &second), 0);
    ck_assert_int_lt(order(&second, &third), 0);
    now_us = start_us + 1000;
    const struct weir_uuid fourth = make();
    ck_assert_int_eq(ms_of(&fourth), now_us / 1000);
}
END_TEST

/* Returns the counter within a millisecond. */
static uint64_t counter_of(const struct weir_uuid *id)
{
    uint64_t counter = (uint64_t)(id->bytes[6] & 0x0F) << 8 | id->bytes[7];
    counter = counter << 6 | (id->bytes[8] & 0x3F);
    for (size_t i = 9; i < 12; i++) {
        counter = counter << 8 | id->bytes[i];
    }
    return counter;
}

/* The counter restarts in each millisecond at a random number in the lower half of its range. */
START_TEST(v7_counters_begin_at_random_numbers)
{
    enum { BITS = 42, TIMES = 100 };
    const uint64_t lower_half = (UINT64_C(1) << (BITS - 1)) - 1;
    uint64_t ever_set = 0;
    uint64_t always_set = UINT64_MAX;
    for (int i = 0; i < TIMES; i++) {
        now_us += 1000;
        const struct weir_uuid id = make();
        ever_set |= counter_of(&id);
        always_set &= counter_of(&id);
    }
    ck_assert_uint_eq(ever_set, lower_half);
    ck_assert_uint_eq(always_set, 0);
}
END_TEST

START_TEST(v7_tails_are_random)
{
    uint8_t any[4] = {0};
    uint8_t all[4] = {0xFF, 0xFF, 0xFF, 0xFF};
    for (int i = 0; i < 256; i++) {
        const struct weir_uuid id = make();
        for (size_t b = 0; b < sizeof any; b++) {
            any[b] |= id.bytes[12 + b];
            all[b] &= id.bytes[12 + b];
        }
    }
    /* Each of the 32 bits has been seen as 0 and as 1; the chance of a false failure is below
     * 2^-250. */
    for (size_t b = 0; b < sizeof any; b++) {
        ck_assert_uint_eq(any[b], 0xFF);
        ck_assert_uint_eq(all[b], 0);
    }
}
END_TEST

static struct weir_uuid made[THREADS * IDS_PER_THREAD];

static void *make_many(void *argument)
{
    struct weir_uuid *ids = argument;
    for (size_t i = 0; i < IDS_PER_THREAD; i++) {
        if (!weir_uuid_make_v7(&ids[i])) {
            return NULL;
        }
    }
    return argument;
}

static int by_bytes(const void *a, const void *b)
{
    return order(a, b);
}

START_TEST(v7_of_threads_never_meet)
{
    pthread_t threads[THREADS];
    for (size_t t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, make_many, &made[t * IDS_PER_THREAD]),
                         0);
    }
    for (size_t t = 0; t < THREADS; t++) {
        void *result = NULL;
        ck_assert_int_eq(pthread_join(threads[t], &result), 0);
        ck_assert_ptr_nonnull(result);
    }
    for (size_t i = 1; i < WEIR_COUNTOF(made); i++) {
        if (i % IDS_PER_THREAD != 0) {
            ck_assert_int_lt(order(&made[i - 1], &made[i]), 0);
        }
    }
    qsort(made, WEIR_COUNTOF(made), sizeof made[0], by_bytes);
    for (size_t i = 1; i < WEIR_COUNTOF(made); i++) {
        ck_assert_int_lt(order(&made[i - 1], &made[i]), 0);
    }
}
END_TEST

/* Returns the first id that a child process makes. */
static struct weir_uuid made_in_child(void)
{
    int ends[2];
    struct weir_uuid id = {{0}};
    ck_assert_int_eq(pipe(ends), 0);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        const bool ok =
            weir_uuid_make_v7(&id) && write(ends[1], &id, sizeof id) == (ssize_t)sizeof id;
        _exit(ok ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(read(ends[0], &id, sizeof id), (ssize_t)sizeof id);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return id;
}

START_TEST(v7_of_a_forked_child_are_its_own)
{
    const struct weir_uuid before = make();
    const struct weir_uuid childs = made_in_child();
    const struct weir_uuid other_childs = made_in_child();
    const struct weir_uuid parents = make();
    ck_assert_int_lt(order(&before, &childs), 0);
    /* Parent and child share neither the counter nor random bytes, although the clock stands
     * still. */
    ck_assert_mem_ne(childs.bytes + 6, parents.bytes + 6, 6);
    ck_assert_mem_ne(childs.bytes + 12, parents.bytes + 12, 4);
    ck_assert_mem_ne(childs.bytes + 6, other_childs.bytes + 6, 6);
    ck_assert_mem_ne(childs.bytes + 12, other_childs.bytes + 12, 4);
}
END_TEST

static Suite *uuid_suite(void)
{
    Suite *suite = suite_create("uuid");
    TCase *text = tcase_create("text");
    tcase_add_loop_test(text, every_form_is_one_id, 0, WEIR_COUNTOF(accepted));
    tcase_add_loop_test(text, any_version_is_an_id, 0, WEIR_COUNTOF(any_version));
    tcase_add_loop_test(text, anything_else_is_no_id, 0, WEIR_COUNTOF(refused));
    tcase_add_test(text, nul_is_no_digit);
    suite_add_tcase(suite, text);
    TCase *v7 = tcase_create("v7");
    tcase_add_checked_fixture(v7, set_up, NULL);
    tcase_add_test(v7, v7_increases_within_a_millisecond);
    tcase_add_test(v7, v7_increases_as_time_passes);
    tcase_add_test(v7, v7_has_time_version_and_variant);
    tcase_add_test(v7, v7_increases_when_the_clock_goes_back);
    tcase_add_test(v7, v7_counters_begin_at_random_numbers);
    tcase_add_test(v7, v7_tails_are_random);
    tcase_add_test(v7, v7_of_threads_never_meet);
    tcase_add_test(v7, v7_of_a_forked_child_are_its_own);
    suite_add_tcase(suite, v7);
    return suite;
}

int main(void)
{
    return check_main(uuid_suite());
}
