/* The tenants: how long registry entries are cached, and which entries are evicted. */
#include "server/namespaces/tenants.h"

#include "tests/lib/check_main.h"
#include "tests/lib/fake_backend.h"
#include "weir/base/monotonic.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { LONG_US = 60 * 1000 * 1000 };

static struct weir_store *store;
static struct weir_tenants *tenants;
static struct weir_arena arena;

/* ---- the registry ---- */

static size_t asked;
static struct weir_token_hash its_hash;
static int64_t its_created_at_us;
static bool changes_now;
static bool is_overtaken_now;
static bool is_renewed_now;
static int64_t read_us;

static void wait_for_clock(void)
{
    const int64_t now_us = weir_monotonic_us();
    while (weir_monotonic_us() == now_us) {
    }
}

static void find_another_token(void);
static void find_while_renewed(void);

/* Finds every id. With changes_now the entry changes after it has been read; with is_overtaken_now
 * another server changes it, and the change is read before this result is returned. */
static weir_status find_any(struct weir_namespace_record *record, struct weir_error *err)
{
    (void)err;
    asked++;
    wait_for_clock();
    read_us = weir_monotonic_us();
    record->token_hash = its_hash;
    record->created_at_us = its_created_at_us;
    if (is_overtaken_now) {
        is_overtaken_now = false;
        find_another_token();
    }
    if (is_renewed_now) {
        is_renewed_now = false;
        find_while_renewed();
    }
    if (changes_now) {
        changes_now = false;
        its_hash.bytes[0]++;
        weir_tenants_forget(tenants, record->id);
    }
    return WEIR_OK;
}

static weir_status find_nobody(struct weir_namespace_record *record, struct weir_error *err)
{
    asked++;
    return weir_fail_no_namespace(err, record->id);
}

/* The tenant that change was reported for, and the number of reports. */
static size_t told;
static struct weir_tenant *told_of;

static void note(void *context, struct weir_tenant *tenant)
{
    (void)context;
    told++;
    told_of = tenant;
}

static void set_up(void)
{
    fake_backend_reset();
    fake.find = find_any;
    store = fake_store_open(1);
    tenants = weir_tenants_new(store);
    ck_assert_ptr_nonnull(tenants);
    weir_tenants_on_change(tenants, note, NULL);
    weir_arena_init(&arena, 65536, 0);
    asked = told = 0;
    its_hash = (struct weir_token_hash){{0}};
    its_created_at_us = 1;
    changes_now = is_overtaken_now = is_renewed_now = false;
}

static void tear_down(void)
{
    weir_tenants_free(tenants);
    weir_store_close(store);
    weir_arena_fini(&arena);
}

/* ---- looking up ---- */

static weir_status try_find(const char *id, struct weir_tenant_lookup *lookup)
{
    struct weir_error err;
    weir_error_init(&err);
    return weir_tenants_find(tenants, weir_slice_of(id), &arena, lookup, &err);
}

/* Finds a tenant whose entry is at most max_age_us old. Takes a reference. */
static struct weir_tenant *find(const char *id, int64_t max_age_us, bool *is_fresh)
{
    struct weir_tenant_lookup lookup = {.max_age_us = max_age_us};
    ck_assert_int_eq(try_find(id, &lookup), WEIR_OK);
    *is_fresh = lookup.is_fresh;
    return lookup.tenant;
}

static bool must_be_asked_for(const char *id)
{
    bool is_fresh = false;
    weir_tenant_release(find(id, LONG_US, &is_fresh));
    return is_fresh;
}

START_TEST(what_the_registry_said_counts_for_its_time)
{
    bool is_fresh = false;
    struct weir_tenant *tenant = find("a", LONG_US, &is_fresh);
    ck_assert(is_fresh);
    weir_tenant_release(tenant);
    ck_assert_ptr_eq(find("a", LONG_US, &is_fresh), tenant);
    ck_assert(!is_fresh && asked == 1);
    weir_tenant_release(tenant);
    ck_assert_ptr_eq(find("a", 0, &is_fresh), tenant);
    ck_assert(is_fresh && asked == 2);
    weir_tenant_release(tenant);
    ck_assert_uint_eq(told, 0);
}
END_TEST

static void find_while_renewed(void)
{
    bool is_fresh = true;
    weir_tenant_release(find("a", WEIR_TENANT_TTL_US, &is_fresh));
    ck_assert(!is_fresh);
}

/* A caller that must not block leaves the question to one that may; only one does so. */
START_TEST(after_half_its_time_one_asks_and_the_others_need_not)
{
    bool is_fresh = false;
    struct weir_tenant_lookup lookup = {.max_age_us = WEIR_TENANT_TTL_US, .must_not_block = true};
    struct weir_tenant *tenant = find("a", WEIR_TENANT_TTL_US, &is_fresh);
    tenant->read_at_us -= WEIR_TENANT_TTL_US / 2;
    ck_assert_int_eq(try_find("a", &lookup), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_int_eq(try_find("a", &lookup), WEIR_OK);
    weir_tenant_release(tenant);
    ck_assert_uint_eq(asked, 1);
    is_renewed_now = true;
    ck_assert_ptr_eq(find("a", WEIR_TENANT_TTL_US, &is_fresh), tenant);
    ck_assert(is_fresh && asked == 2 && !is_renewed_now);
    weir_tenant_release(tenant);
    ck_assert_ptr_eq(find("a", WEIR_TENANT_TTL_US, &is_fresh), tenant);
    ck_assert(!is_fresh && asked == 2);
    weir_tenant_release(tenant);
    weir_tenant_release(tenant);
}
END_TEST

START_TEST(whoever_must_not_block_asks_nobody)
{
    struct weir_tenant_lookup lookup = {.max_age_us = LONG_US, .must_not_block = true};
    ck_assert_int_eq(try_find("a", &lookup), WEIR_BACKEND_UNAVAILABLE);
    ck_assert(lookup.tenant == NULL && asked == 0);
}
END_TEST

START_TEST(what_is_forgotten_is_asked_for_and_told)
{
    bool is_fresh = false;
    struct weir_tenant *tenant = find("a", LONG_US, &is_fresh);
    weir_tenants_forget(tenants, weir_slice_of("a"));
    ck_assert(told == 1 && told_of == tenant);
    ck_assert(must_be_asked_for("a"));
    weir_tenant_release(tenant);
}
END_TEST

START_TEST(what_is_gone_is_forgotten_and_told)
{
    bool is_fresh = false;
    struct weir_tenant_lookup lookup = {.max_age_us = 0};
    struct weir_tenant *tenant = find("a", LONG_US, &is_fresh);
    fake.find = find_nobody;
    ck_assert_int_eq(try_find("a", &lookup), WEIR_NAMESPACE_NOT_FOUND);
    ck_assert(told == 1 && told_of == tenant);
    lookup.max_age_us = LONG_US;
    ck_assert_int_eq(try_find("a", &lookup), WEIR_NAMESPACE_NOT_FOUND);
    weir_tenant_release(tenant);
}
END_TEST

/* A token that is replaced while the registry is read must not count as the current one. */
START_TEST(an_entry_that_changes_while_it_is_read_is_read_again)
{
    struct weir_tenant_lookup lookup = {.max_age_us = LONG_US};
    changes_now = true;
    ck_assert_int_eq(try_find("a", &lookup), WEIR_OK);
    ck_assert_uint_eq(asked, 2);
    ck_assert(weir_token_hash_equal(&lookup.tenant->token_hash, &its_hash));
    weir_tenant_release(lookup.tenant);
    ck_assert(!must_be_asked_for("a"));
}
END_TEST

START_TEST(a_namespace_with_another_token_is_another_tenant)
{
    bool is_fresh = false;
    struct weir_tenant *tenant = find("a", LONG_US, &is_fresh);
    its_hash.bytes[31] = 1;
    ck_assert(weir_tenant_is_current(tenant));
    struct weir_tenant *other = find("a", 0, &is_fresh);
    ck_assert(weir_token_hash_equal(&other->token_hash, &its_hash));
    ck_assert(told == 1 && told_of == tenant);
    ck_assert(weir_tenant_is_current(other) && !weir_tenant_is_current(tenant));
    weir_tenant_release(other);
    weir_tenant_release(tenant);
}
END_TEST

START_TEST(a_namespace_made_anew_is_another_tenant)
{
    bool is_fresh = false;
    struct weir_tenant *tenant = find("a", LONG_US, &is_fresh);
    its_created_at_us = 2;
    struct weir_tenant *other = find("a", 0, &is_fresh);
    ck_assert(other != tenant && other->created_at_us == 2);
    ck_assert(told == 1 && told_of == tenant);
    weir_tenant_release(other);
    weir_tenant_release(tenant);
}
END_TEST

/* The entry may have changed between the question and the answer. */
START_TEST(an_entry_is_as_old_as_the_question)
{
    bool is_fresh = false;
    struct weir_tenant *tenant = find("a", LONG_US, &is_fresh);
    ck_assert(weir_tenant_is_from_before(tenant, read_us));
    weir_tenant_release(find("a", 0, &is_fresh));
    ck_assert(weir_tenant_is_from_before(tenant, read_us));
    weir_tenant_release(tenant);
}
END_TEST

static void find_another_token(void)
{
    bool is_fresh = false;
    its_hash.bytes[31]++;
    weir_tenant_release(find("a", 0, &is_fresh));
}

START_TEST(an_answer_that_comes_late_does_not_undo_a_newer_one)
{
    bool is_fresh = false;
    for (size_t round = 0; round < 2; round++) {
        told = 0;
        is_overtaken_now = true;
        struct weir_tenant *tenant = find("a", 0, &is_fresh);
        ck_assert(is_fresh && weir_token_hash_equal(&tenant->token_hash, &its_hash));
        ck_assert_uint_eq(told, round);
        ck_assert(!must_be_asked_for("a"));
        weir_tenant_release(tenant);
    }
}
END_TEST

/* ---- room ---- */

START_TEST(the_unused_one_that_was_read_longest_ago_makes_room)
{
    bool is_fresh = false;
    struct weir_tenant *held = find("held", LONG_US, &is_fresh);
    weir_tenant_release(find("first", LONG_US, &is_fresh));
    wait_for_clock();
    weir_tenant_release(find("second", LONG_US, &is_fresh));
    for (size_t n = 3; n < WEIR_TENANTS_CACHED_MAX - 1; n++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%zu", n);
        wait_for_clock();
        weir_tenant_release(find(id, LONG_US, &is_fresh));
    }
    wait_for_clock();
    weir_tenant_release(find("first", 0, &is_fresh));
    weir_tenant_release(find("last", LONG_US, &is_fresh));
    ck_assert(!must_be_asked_for("second"));
    weir_tenant_release(find("one too many", LONG_US, &is_fresh));
    ck_assert(!must_be_asked_for("first"));
    ck_assert(!must_be_asked_for("held"));
    ck_assert(!must_be_asked_for("3"));
    ck_assert(must_be_asked_for("second"));
    weir_tenant_release(held);
}
END_TEST

START_TEST(a_namespace_is_open_until_its_tenant_is_used_no_more)
{
    bool is_fresh = false;
    struct weir_error err;
    weir_error_init(&err);
    fake.namespaces[0] = "opened";
    struct weir_tenant *tenant = find("opened", LONG_US, &is_fresh);
    ck_assert_uint_eq(weir_tenants_open_count(tenants), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(weir_tenant_open(tenant, INT64_MAX, &err) == WEIR_OK, "%s", err.text);
        ck_assert_uint_eq(weir_tenants_open_count(tenants), 1);
    }
    weir_tenants_forget(tenants, weir_slice_of("opened"));
    ck_assert_uint_eq(weir_tenants_open_count(tenants), 1);
    weir_tenant_release(tenant);
    ck_assert_uint_eq(weir_tenants_open_count(tenants), 0);
}
END_TEST

/* ---- threads ---- */

static weir_status find_the_same(struct weir_namespace_record *record, struct weir_error *err)
{
    (void)err;
    record->created_at_us = 1;
    return WEIR_OK;
}

static struct weir_tenant *held;
static atomic_bool is_over;

static void find_and_release(void)
{
    struct weir_tenant_lookup lookup = {.max_age_us = LONG_US};
    struct weir_arena own;
    struct weir_error err;
    weir_error_init(&err);
    weir_arena_init(&own, 65536, 0);
    if (weir_tenants_find(tenants, weir_slice_of("shared"), &own, &lookup, &err) != WEIR_OK) {
        abort();
    }
    weir_tenant_release(lookup.tenant);
    weir_arena_fini(&own);
}

static void hold_and_release(void)
{
    weir_tenant_hold(held);
    weir_tenant_release(held);
}

static void look(void)
{
    (void)weir_tenant_is_current(held);
}

struct repeated {
    void (*call)(void);
};

static void *repeat(void *context)
{
    const struct repeated *repeated = context;
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        repeated->call();
    }
    return NULL;
}

/* ThreadSanitizer reports a lock that is missing: each thread makes one kind of call, so that no
 * other lock puts its calls into an order. */
START_TEST(threads_share_a_tenant_that_is_forgotten_again_and_again)
{
    static struct repeated all[] = {
        {find_and_release}, {find_and_release}, {hold_and_release}, {hold_and_release}, {look}};
    pthread_t threads[WEIR_COUNTOF(all)];
    bool is_fresh = false;
    fake.find = find_the_same;
    weir_tenants_on_change(tenants, NULL, NULL);
    held = find("shared", LONG_US, &is_fresh);
    atomic_store(&is_over, false);
    for (size_t i = 0; i < WEIR_COUNTOF(all); i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, repeat, &all[i]), 0);
    }
    for (size_t i = 0; i < 500; i++) {
        weir_tenants_forget(tenants, weir_slice_of("shared"));
        (void)sched_yield();
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < WEIR_COUNTOF(all); i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    weir_tenant_release(held);
}
END_TEST

static Suite *tenants_suite(void)
{
    Suite *suite = suite_create("tenants");
    TCase *tcase = tcase_create("tenants");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, what_the_registry_said_counts_for_its_time);
    tcase_add_test(tcase, after_half_its_time_one_asks_and_the_others_need_not);
    tcase_add_test(tcase, whoever_must_not_block_asks_nobody);
    tcase_add_test(tcase, what_is_forgotten_is_asked_for_and_told);
    tcase_add_test(tcase, what_is_gone_is_forgotten_and_told);
    tcase_add_test(tcase, an_entry_that_changes_while_it_is_read_is_read_again);
    tcase_add_test(tcase, a_namespace_with_another_token_is_another_tenant);
    tcase_add_test(tcase, a_namespace_made_anew_is_another_tenant);
    tcase_add_test(tcase, an_entry_is_as_old_as_the_question);
    tcase_add_test(tcase, an_answer_that_comes_late_does_not_undo_a_newer_one);
    tcase_add_test(tcase, a_namespace_is_open_until_its_tenant_is_used_no_more);
    tcase_add_test(tcase, threads_share_a_tenant_that_is_forgotten_again_and_again);
    tcase_add_test(tcase, the_unused_one_that_was_read_longest_ago_makes_room);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(tenants_suite());
}
