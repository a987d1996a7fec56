/* Fails the Nth allocation and the Nth file operation during each call of the store, for N = 1, 2,
 * … until nothing fails. In every case the call's outcome reports the failure, nothing leaks, the
 * store remains usable, and it holds exactly what was acknowledged. */
#include "tests/lib/alloc_count.h"
#include "tests/lib/check_main.h"
#include "tests/lib/faulty_vfs.h"
#include "tests/lib/remove_tree.h"
#include "tests/store/store_fixture.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

enum injector { ALLOCATION, FILE_ONCE, FILE_LASTING };

/* Only opening and creating stores allocates more often than EACH_UP_TO, because SQLite parses the
 * schema. */
enum { RUNS_MAX = 10000, EACH_UP_TO = 600, THEN_EACH = 13 };

/* ---- the calls ---- */

static struct weir_written written[4];
static struct weir_write pending;
static struct weir_stream_append parts[3];
static struct weir_new_message messages[4];
static struct weir_import_record records[3];

/* As commit_write, but without assertions, which allocate. */
static void ignore(struct weir_write *done)
{
    (void)done;
}

static weir_status commit(void)
{
    pending.err = &fx.err;
    pending.done = ignore;
    pending.arena = &fx.arena;
    pending.deadline_us = INT64_MAX;
    if (!weir_write_submit(fx.ns, &pending) || weir_lane_run(fx.ns)) {
        abort();
    }
    return fx.err.status;
}

/* The contents before each call: k-1 with ids 901 and 902, k-2 with id 903. The directory is made
 * once per sweep and copied for each run. */
static char pattern[sizeof fx.dir];

static void make_pattern(void)
{
    fixture_on_disk();
    const struct weir_new_message first[] = {message_of(901, "1"), message_of(902, "2")};
    ck_assert_int_eq(append(fx.ns, "k-1", ANY, first, 2, written), WEIR_OK);
    const struct weir_new_message second = message_of(903, "{\"a\":[1,2]}");
    ck_assert_int_eq(append(fx.ns, "k-2", ANY, &second, 1, written), WEIR_OK);
    close_all();
    (void)snprintf(pattern, sizeof pattern, "%s", fx.dir);
    fx.dir[0] = '\0';
    fixture_end();
}

static void copy_pattern(void)
{
    DIR *dir = opendir(pattern);
    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            char from[500];
            uint8_t *bytes = NULL;
            size_t n = 0;
            (void)snprintf(from, sizeof from, "%s/%s", pattern, entry->d_name);
            ck_assert(file_bytes(from, &bytes, &n));
            write_file(path_in_dir(entry->d_name), bytes, n);
            free(bytes);
        }
    }
    (void)closedir(dir);
}

static void prepare_closed(void)
{
    fixture_dir_only();
    copy_pattern();
}

static void prepare(void)
{
    prepare_closed();
    fx.store = open_store(fx.url, 4);
    fx.ns = must_open(fx.store, "test");
}

/* Also opens the namespace in a second store, as another process would. */
static void prepare_two(void)
{
    prepare();
    open_second();
    (void)must_head(fx.second_ns);
}

static weir_status act_open(void)
{
    weir_status status = try_open_store(fx.url, 4, &fx.store);
    if (status == WEIR_OK) {
        status = weir_namespace_open(fx.store, weir_slice_of("test"), INT64_MAX, &fx.ns, &fx.err);
    }
    return status;
}

static weir_status act_open_fresh(void)
{
    return try_open_store(fx.url, 4, &fx.store);
}

static weir_status act_create(void)
{
    struct weir_namespace_record record = {.id = weir_slice_of("other")};
    bool is_same = false;
    return weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err);
}

static weir_status act_find(void)
{
    struct weir_namespace_record record = {.id = weir_slice_of("test")};
    struct weir_arena arena;
    weir_arena_init(&arena, 1 << 16, 0);
    const weir_status status = weir_namespace_find(fx.store, &record, INT64_MAX, &arena, &fx.err);
    weir_arena_fini(&arena);
    return status;
}

static weir_status act_list_namespaces(void)
{
    const struct weir_registry_query query = {
        .limit = 10, .max_bytes = 1000000, .deadline_us = INT64_MAX};
    struct weir_registry_page page;
    return weir_namespace_list(fx.store, &query, &fx.arena, &page, &fx.err);
}

static weir_status act_set_token(void)
{
    const struct weir_token_hash hash = {{1}};
    return weir_namespace_set_token(fx.store, weir_slice_of("test"), &hash, INT64_MAX, &fx.err);
}

static weir_status act_delete(void)
{
    int64_t deleted = 0;
    const weir_status status =
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err);
    return status;
}

static weir_status act_append(void)
{
    messages[0] = message_of(1, "{\"n\":1}");
    pending = write_of(&parts[0], "k-1", EXACT(1), &messages[0], written);
    return commit();
}

/* Writes to a new stream of a new category and to a known stream, with an expectation on a
 * third. */
static weir_status act_append_streams(void)
{
    for (uint64_t m = 0; m < 3; m++) {
        messages[m] = message_of(m + 1, "[]");
    }
    parts[0] = (struct weir_stream_append){weir_slice_of("new-1"), NO_STREAM, messages, 2, written};
    parts[1] =
        (struct weir_stream_append){weir_slice_of("k-1"), EXACT(1), messages + 2, 1, written + 2};
    parts[2] = (struct weir_stream_append){weir_slice_of("k-2"), STREAM_EXISTS, NULL, 0, NULL};
    pending =
        (struct weir_write){.kind = WEIR_WRITE_APPEND, .of.append = {.streams = parts, .n = 3}};
    return commit();
}

static weir_status act_retry(void)
{
    messages[0] = message_of(903, "{\"a\":[1.0,2]}");
    pending = write_of(&parts[0], "k-2", ANY, &messages[0], written);
    return commit();
}

/* A write whose refusal rolls rows back. */
static weir_status act_refused(void)
{
    messages[0] = message_of(1, "1");
    messages[1] = message_of(903, "1");
    pending = write_of(&parts[0], "k-1", ANY, messages, written);
    parts[0].n = 2;
    return commit();
}

static weir_status act_import(void)
{
    records[0] = record_of(1, "k-1", 7, 70);
    records[1] = record_of(2, "i-1", 0, 60);
    records[2] = records[0];
    pending =
        (struct weir_write){.kind = WEIR_WRITE_IMPORT, .of.import = {.records = records, .n = 3}};
    return commit();
}

static weir_status act_refused_import(void)
{
    records[0] = record_of(1, "k-1", 7, 70);
    records[1] = record_of(2, "i-1", 0, 1);
    pending =
        (struct weir_write){.kind = WEIR_WRITE_IMPORT, .of.import = {.records = records, .n = 2}};
    return commit();
}

/* A group and the outcome of each write without a fault: a new message, an expectation that is not
 * met, an import that is rolled back, the first write again, a write whose second message rolls the
 * first back, and a write to two streams. */
static const struct {
    const char *stream;
    struct weir_expectation expectation;
    uint64_t ids[2];  // message ids; 0: none
    weir_status outcome;
} in_group[] = {
    {"k-1", {WEIR_EXPECT_EXACT, 1}, {1, 0}, WEIR_OK},
    {"k-1", {WEIR_EXPECT_NO_STREAM, 0}, {2, 0}, WEIR_STREAM_VERSION_CONFLICT},
    {NULL, {WEIR_EXPECT_ANY, 0}, {3, 4}, WEIR_POSITION_EXISTS},
    {"k-1", {WEIR_EXPECT_EXACT, 1}, {1, 0}, WEIR_OK},
    {"k-2", {WEIR_EXPECT_ANY, 0}, {5, 903}, WEIR_MESSAGE_ID_CONFLICT},
    {"new-1", {WEIR_EXPECT_ANY, 0}, {6, 7}, WEIR_OK},
};

enum { GROUP = WEIR_COUNTOF(in_group) };

static struct weir_write group[GROUP];
static struct weir_error group_errors[GROUP];

static void prepare_in_group(size_t w, struct weir_stream_append *part,
                             struct weir_new_message of_part[2], struct weir_written put[2])
{
    group[w] =
        (struct weir_write){.kind = WEIR_WRITE_IMPORT, .of.import = {.records = records, .n = 2}};
    if (in_group[w].stream != NULL) {
        group[w] = write_of(part, in_group[w].stream, in_group[w].expectation, of_part, put);
        part->n = in_group[w].ids[1] != 0 ? 2 : 1;
    }
    for (size_t m = 0; m < 2; m++) {
        of_part[m] = message_of(in_group[w].ids[m], "1");
    }
    weir_error_init(&group_errors[w]);
    group[w].err = &group_errors[w];
    group[w].done = ignore;
    group[w].arena = &fx.arena;
    group[w].deadline_us = INT64_MAX;
}

/* Checks that either every write has its expected outcome or all have failed; a mixture is an
 * error. Only writes whose ids exist may fail alone, without memory to compare their data. */
static weir_status group_outcome(void)
{
    size_t as_wanted = 0;
    size_t failed = 0;
    size_t alone = 0;
    for (size_t w = 0; w < GROUP; w++) {
        as_wanted += group_errors[w].status == in_group[w].outcome;
        failed += group_errors[w].status == WEIR_BACKEND_UNAVAILABLE;
        alone += group_errors[w].status == WEIR_BACKEND_UNAVAILABLE && (w == 3 || w == 4);
    }
    if (as_wanted == GROUP) {
        return WEIR_OK;
    }
    return failed == GROUP || as_wanted + alone == GROUP ? WEIR_BACKEND_UNAVAILABLE
                                                         : WEIR_BACKEND_ERROR;
}

static weir_status act_group(void)
{
    static struct weir_stream_append group_parts[GROUP];
    static struct weir_new_message group_messages[GROUP][2];
    static struct weir_written group_written[GROUP][2];
    records[0] = record_of(in_group[2].ids[0], "i-1", 0, 60);
    records[1] = record_of(in_group[2].ids[1], "i-1", 1, 1);
    for (size_t w = 0; w < GROUP; w++) {
        prepare_in_group(w, &group_parts[w], group_messages[w], group_written[w]);
    }
    for (size_t w = 0; w < GROUP; w++) {
        if (weir_write_submit(fx.ns, &group[w]) != (w == 0)) {
            abort();
        }
    }
    if (weir_lane_run(fx.ns)) {
        abort();
    }
    return group_outcome();
}

static weir_status act_clear(void)
{
    pending = (struct weir_write){.kind = WEIR_WRITE_CLEAR};
    return commit();
}

static weir_status act_read_stream(void)
{
    const struct weir_query query = query_stream("k-1");
    weir_arena_reset(&fx.arena);
    return weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err);
}

static weir_status act_read_category(void)
{
    struct weir_query query = query_category("k");
    const struct weir_slice types[] = {weir_slice_of("Happened"), weir_slice_of("Else")};
    query.types = types;
    query.types_n = 2;
    query.group_size = 1;
    weir_arena_reset(&fx.arena);
    return weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err);
}

static struct weir_stream_page streams_listed;
static struct weir_category_list categories_listed;

static weir_status act_list(void)
{
    const struct weir_page_query page = {.limit = 10, .deadline_us = INT64_MAX};
    weir_arena_reset(&fx.arena);
    weir_status status = weir_list_streams(fx.ns, &page, &fx.arena, &streams_listed, &fx.err);
    if (status == WEIR_OK) {
        status = weir_list_categories(fx.ns, INT64_MAX, &fx.arena, &categories_listed, &fx.err);
    }
    return status;
}

/* ---- checks afterwards ---- */

/* Checks that the namespace is consistent and has these counts. */
static void check_content(size_t n, int64_t k_1, int64_t k_2)
{
    const struct weir_query query = query_all();
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, n);
    struct weir_namespace_totals totals;
    ck_assert_int_eq(weir_namespace_totals(fx.ns, INT64_MAX, &totals, &fx.err), WEIR_OK);
    ck_assert_int_eq(totals.message_count, (int64_t)n);
    ck_assert_int_eq(must_version(fx.ns, "k-1"), k_1);
    ck_assert_int_eq(must_version(fx.ns, "k-2"), k_2);
}

static void check_unchanged(void)
{
    check_content(3, 1, 0);
    ck_assert_int_eq(must_head(fx.ns), 3);
}

/* Repeats the call, as a client would, and checks that its effect exists once. */
static void check_append(weir_status status)
{
    if (status != WEIR_OK) {
        ck_assert_int_eq(act_append(), WEIR_OK);
    }
    check_content(4, 2, 0);
    reopen();
    check_content(4, 2, 0);
}

static void check_append_streams(weir_status status)
{
    if (status != WEIR_OK) {
        ck_assert_int_eq(act_append_streams(), WEIR_OK);
    }
    check_content(6, 2, 0);
    ck_assert_int_eq(must_version(fx.ns, "new-1"), 1);
}

static void check_group(weir_status status)
{
    if (status != WEIR_OK) {
        ck_assert_int_eq(act_group(), WEIR_OK);
    }
    ck_assert(group[3].of.append.is_duplicate);
    check_content(6, 2, 0);
    reopen();
    check_content(6, 2, 0);
    ck_assert_int_eq(must_version(fx.ns, "new-1"), 1);
    ck_assert_int_eq(must_version(fx.ns, "i-1"), -1);
    ck_assert_int_eq(must_head(fx.ns), 6);
}

static void check_retry(weir_status status)
{
    (void)status;
    check_unchanged();
    ck_assert_int_eq(act_retry(), WEIR_OK);
    ck_assert(pending.of.append.is_duplicate);
    check_unchanged();
}

static void check_refused(weir_status status)
{
    (void)status;
    check_unchanged();
    ck_assert_int_eq(act_refused(), WEIR_MESSAGE_ID_CONFLICT);
    check_unchanged();
}

static void check_import(weir_status status)
{
    if (status != WEIR_OK) {
        ck_assert_int_eq(act_import(), WEIR_OK);
    }
    check_content(5, 7, 0);
    reopen();
    check_content(5, 7, 0);
}

static void check_refused_import(weir_status status)
{
    (void)status;
    check_unchanged();
    ck_assert_int_eq(act_refused_import(), WEIR_POSITION_EXISTS);
    check_unchanged();
}

static void check_clear(weir_status status)
{
    if (status != WEIR_OK) {
        ck_assert_int_eq(act_clear(), WEIR_OK);
    }
    check_content(0, -1, -1);
    ck_assert_int_eq(must_head(fx.ns), 3);
}

static void check_reads(weir_status status)
{
    (void)status;
    ck_assert_int_eq(act_read_stream(), WEIR_OK);
    ck_assert_uint_eq(fx.rows.n, 2);
    ck_assert_int_eq(act_read_category(), WEIR_OK);
    ck_assert_uint_eq(fx.rows.n, 3);
    ck_assert_int_eq(act_list(), WEIR_OK);
    ck_assert_uint_eq(streams_listed.n, 2);
    ck_assert_uint_eq(categories_listed.n, 1);
    check_unchanged();
}

static void check_opened(weir_status status)
{
    (void)status;
    close_all();
    fx.store = open_store(fx.url, 4);
    fx.ns = must_open(fx.store, "test");
    check_unchanged();
    must_put(fx.ns, "k-1", 1);
}

static void check_opened_fresh(weir_status status)
{
    (void)status;
    close_all();
    fx.store = open_store(fx.url, 4);
    must_create(fx.store, "test");
    fx.ns = must_open(fx.store, "test");
    must_put(fx.ns, "k-1", 1);
}

static void check_registry(weir_status status)
{
    (void)status;
    ck_assert_int_eq(act_find(), WEIR_OK);
    ck_assert_int_eq(act_list_namespaces(), WEIR_OK);
    ck_assert_int_eq(act_set_token(), WEIR_OK);
    check_unchanged();
}

static void check_created(weir_status status)
{
    if (status != WEIR_OK) {
        const weir_status again = act_create();
        ck_assert(again == WEIR_OK || again == WEIR_NAMESPACE_EXISTS);
    }
    struct weir_namespace *other = must_open(fx.store, "other");
    must_put(other, "k-1", 1);
    weir_namespace_release(other);
    check_unchanged();
}

/* Checks that the namespace exists completely or not at all. */
static void check_deleted(weir_status status)
{
    struct weir_namespace *again = NULL;
    const weir_status opened =
        weir_namespace_open(fx.store, weir_slice_of("test"), INT64_MAX, &again, &fx.err);
    if (status == WEIR_OK) {
        ck_assert_int_eq(opened, WEIR_NAMESPACE_NOT_FOUND);
    } else if (opened == WEIR_OK) {
        check_unchanged();
        weir_namespace_release(again);
        ck_assert_int_eq(act_delete(), WEIR_OK);
    } else {
        ck_assert_int_eq(opened, WEIR_NAMESPACE_NOT_FOUND);
    }
    close_all();
    fx.store = open_store(fx.url, 4);  // the next start removes what is left
    must_create(fx.store, "test");
    fx.ns = must_open(fx.store, "test");
    ck_assert_int_eq(must_head(fx.ns), 0);
}

/* Checks that a later write of the other process is either refused or stored. */
static void check_deleted_for_two(weir_status status)
{
    struct weir_written put;
    const struct weir_new_message message = message_of(1, "1");
    check_deleted(status);
    weir_error_init(&fx.err);
    const weir_status outcome = append(fx.second_ns, "k-1", ANY, &message, 1, &put);
    ck_assert(outcome == WEIR_OK || outcome == WEIR_NAMESPACE_NOT_FOUND);
    ck_assert_int_eq(must_head(fx.ns), outcome == WEIR_OK ? 1 : 0);
    close_second();
}

/* ---- the sweep ---- */

static const struct {
    void (*prepare)(void);
    weir_status (*act)(void);
    weir_status outcome;  // without a fault
    void (*check)(weir_status status);
} calls[] = {
    {fixture_dir_only, act_open_fresh, WEIR_OK, check_opened_fresh},
    {prepare_closed, act_open, WEIR_OK, check_opened},
    {prepare, act_find, WEIR_OK, check_registry},
    {prepare, act_list_namespaces, WEIR_OK, check_registry},
    {prepare, act_set_token, WEIR_OK, check_registry},
    {prepare, act_create, WEIR_OK, check_created},
    {prepare, act_delete, WEIR_OK, check_deleted},
    {prepare_two, act_delete, WEIR_OK, check_deleted_for_two},
    {prepare, act_append, WEIR_OK, check_append},
    {prepare, act_append_streams, WEIR_OK, check_append_streams},
    {prepare, act_group, WEIR_OK, check_group},
    {prepare, act_retry, WEIR_OK, check_retry},
    {prepare, act_refused, WEIR_MESSAGE_ID_CONFLICT, check_refused},
    {prepare, act_import, WEIR_OK, check_import},
    {prepare, act_refused_import, WEIR_POSITION_EXISTS, check_refused_import},
    {prepare, act_clear, WEIR_OK, check_clear},
    {prepare, act_read_stream, WEIR_OK, check_reads},
    {prepare, act_read_category, WEIR_OK, check_reads},
    {prepare, act_list, WEIR_OK, check_reads},
};

static void start(enum injector injector, uint64_t n)
{
    if (injector == ALLOCATION) {
        alloc_count_start(n);
    } else {
        faulty_vfs_start(n, injector == FILE_LASTING);
    }
}

static bool stop(enum injector injector)
{
    bool has_failed = false;
    if (injector == ALLOCATION) {
        (void)alloc_count_stop(&has_failed);
    } else {
        (void)faulty_vfs_stop(&has_failed);
    }
    return has_failed;
}

/* Runs one call with one fault. Returns whether a fault was injected. */
static bool run_once(size_t call, enum injector injector, uint64_t n)
{
    calls[call].prepare();
    weir_error_init(&fx.err);
    start(injector, n);
    const weir_status status = calls[call].act();
    const bool has_failed = stop(injector);
    if (!has_failed) {
        ck_assert_msg(status == calls[call].outcome, "run %d: %s", (int)n, fx.err.text);
    } else {
        ck_assert_msg(status == calls[call].outcome || status == WEIR_BACKEND_UNAVAILABLE,
                      "run %d: %s: %s", (int)n, weir_status_name(status), fx.err.text);
    }
    calls[call].check(status);
    fixture_end();
    return has_failed;
}

static void sweep(size_t call, enum injector injector)
{
    const int64_t outstanding = alloc_outstanding();
    make_pattern();
    uint64_t n = 1;
    while (n < RUNS_MAX && run_once(call, injector, n)) {
        n += n < EACH_UP_TO ? 1 : THEN_EACH;
    }
    ck_assert_uint_gt(n, 1);
    ck_assert_uint_lt(n, RUNS_MAX);
    remove_tree(pattern);
    ck_assert_int_eq(alloc_outstanding(), outstanding);
}

START_TEST(any_allocation_may_fail)
{
    sweep((size_t)_i, ALLOCATION);
}
END_TEST

START_TEST(any_file_operation_may_fail)
{
    sweep((size_t)_i, FILE_ONCE);
}
END_TEST

START_TEST(the_disk_may_go_away)
{
    sweep((size_t)_i, FILE_LASTING);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, test, 0, WEIR_COUNTOF(calls));
    suite_add_tcase(suite, tcase);
}

static Suite *sqlite_fault_suite(void)
{
    Suite *suite = suite_create("sqlite_fault");
    add_case(suite, "allocations", any_allocation_may_fail);
    add_case(suite, "files", any_file_operation_may_fail);
    add_case(suite, "disk", the_disk_may_go_away);
    return suite;
}

/* Lets the store configure SQLite, which it does when it is first opened, and then installs the
 * allocator and the VFS whose operations can fail. */
static bool start_sqlite(void)
{
    const struct weir_store_options options = {.url = "sqlite::memory:", .max_sessions = 1};
    struct weir_store *store = NULL;
    struct weir_error err;
    weir_error_init(&err);
    if (weir_store_open(&options, &store, &err) != WEIR_OK) {
        return false;
    }
    weir_store_close(store);
    if (sqlite3_shutdown() != SQLITE_OK) {
        return false;
    }
    alloc_count_install();
    faulty_vfs_install();
    return true;
}

int main(void)
{
    /* Uses a memory file system if there is one, since the test creates thousands of stores. */
    if (access("/dev/shm", W_OK) == 0) {
        (void)setenv("TMPDIR", "/dev/shm", 0);
    }
    return start_sqlite() ? check_main(sqlite_fault_suite()) : EXIT_FAILURE;
}
