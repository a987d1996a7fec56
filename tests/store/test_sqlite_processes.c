/* Two processes on one directory, simulated by two stores. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "store/store_int.h"

#include "weir/base/monotonic.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void two_stores(void)
{
    fixture_on_disk();
    open_second();
}

START_TEST(two_stores_see_each_others_writes)
{
    must_put(fx.ns, "a-1", 1);
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    ck_assert_int_eq(append(fx.second_ns, "a-1", EXACT(0), &message, 1, &written), WEIR_OK);
    ck_assert_int_eq(written.global_position, 2);
    ck_assert_int_eq(append(fx.ns, "a-1", EXACT(0), &message, 1, &written), WEIR_OK);  // a retry
    const struct weir_new_message other = message_of(2, "1");
    ck_assert_int_eq(append(fx.ns, "a-1", EXACT(0), &other, 1, &written),
                     WEIR_STREAM_VERSION_CONFLICT);
    ck_assert_int_eq(must_head(fx.ns), 2);
    must_create(fx.second, "new");
    weir_namespace_release(must_open(fx.store, "new"));
}
END_TEST

START_TEST(what_another_store_deletes_is_gone_here)
{
    must_put(fx.ns, "a-1", 1);
    must_put(fx.second_ns, "a-1", 1);  // has a session open
    ck_assert_int_eq(must_head(fx.second_ns), 2);
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    ck_assert_int_eq(deleted, 2);
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    const struct weir_query query = query_all();
    if (_i == 0) {
        ck_assert_int_eq(append(fx.second_ns, "a-1", ANY, &message, 1, &written),
                         WEIR_NAMESPACE_NOT_FOUND);
    } else {
        ck_assert_int_eq(weir_read(fx.second_ns, &query, &fx.arena, &fx.rows, &fx.err),
                         WEIR_NAMESPACE_NOT_FOUND);
    }
    ck_assert_int_eq(weir_read(fx.second_ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_NAMESPACE_NOT_FOUND);
    must_create(fx.store, "test");
    must_read(fx.second_ns, &query);  // the re-created namespace has the same id
    ck_assert_uint_eq(fx.rows.n, 0);
}
END_TEST

/* Leaves three idle sessions, as concurrent calls do. */
static void have_idle_sessions(struct weir_namespace *ns)
{
    struct weir_session_pool *pool = &ns->store->pool;
    struct weir_session *sessions[3];
    for (size_t s = 0; s < WEIR_COUNTOF(sessions); s++) {
        const enum weir_session_kind kind = s == 0 ? WEIR_SESSION_WRITE : WEIR_SESSION_READ;
        ck_assert_int_eq(
            weir_session_borrow(pool, &ns->shelf, kind, INT64_MAX, &sessions[s], &fx.err), WEIR_OK);
    }
    for (size_t s = 0; s < WEIR_COUNTOF(sessions); s++) {
        weir_session_return(pool, sessions[s]);
    }
}

static weir_status write_there(void)
{
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    return append(fx.second_ns, "b-1", ANY, &message, 1, &written);
}

static weir_status read_there(void)
{
    const struct weir_query query = query_all();
    weir_arena_reset(&fx.arena);
    return weir_read(fx.second_ns, &query, &fx.arena, &fx.rows, &fx.err);
}

static weir_status ask_version_there(void)
{
    int64_t version = 0;
    return weir_stream_version(fx.second_ns, weir_slice_of("a-1"), INT64_MAX, &version, &fx.err);
}

static weir_status ask_head_there(void)
{
    struct weir_head head;
    return weir_head(fx.second_ns, INT64_MAX, &head, &fx.err);
}

static weir_status ask_totals_there(void)
{
    struct weir_namespace_totals totals;
    return weir_namespace_totals(fx.second_ns, INT64_MAX, &totals, &fx.err);
}

static weir_status list_streams_there(void)
{
    const struct weir_page_query query = {.limit = 10, .deadline_us = INT64_MAX};
    struct weir_stream_page page;
    return weir_list_streams(fx.second_ns, &query, &fx.arena, &page, &fx.err);
}

static weir_status list_categories_there(void)
{
    struct weir_category_list list;
    return weir_list_categories(fx.second_ns, INT64_MAX, &fx.arena, &list, &fx.err);
}

static weir_status (*const calls_there[])(void) = {
    write_there,      read_there,         ask_version_there,    ask_head_there,
    ask_totals_there, list_streams_there, list_categories_there};

static void make_test_anew(void)
{
    int64_t deleted = 0;
    must_put(fx.ns, "a-1", 1);
    have_idle_sessions(fx.second_ns);
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    must_create(fx.store, "test");
}

/* No call shows deleted messages, and only the first call fails, regardless of the number of
 * sessions. */
START_TEST(the_first_call_finds_out_that_another_store_has_made_it_anew)
{
    make_test_anew();
    ck_assert_int_eq(calls_there[_i](), WEIR_NAMESPACE_NOT_FOUND);
    for (size_t c = 0; c < WEIR_COUNTOF(calls_there); c++) {
        weir_error_init(&fx.err);
        ck_assert_msg(calls_there[c]() == WEIR_OK, "call %zu: %s", c, fx.err.text);
    }
    ck_assert_int_eq(must_head(fx.second_ns), 1);
}
END_TEST

/* A caller that asks the registry, as for an unknown token, need not fail even once. */
START_TEST(what_the_registry_says_is_made_anew_is_used_at_once)
{
    make_test_anew();
    struct weir_namespace_record record = {.id = weir_slice_of("test")};
    ck_assert_int_eq(weir_namespace_find(fx.second, &record, INT64_MAX, &fx.arena, &fx.err),
                     WEIR_OK);
    for (size_t c = 0; c < WEIR_COUNTOF(calls_there); c++) {
        ck_assert_msg(calls_there[c]() == WEIR_OK, "call %zu: %s", c, fx.err.text);
    }
}
END_TEST

/* This also holds if the namespace did not exist when the registry was asked. */
START_TEST(what_the_registry_did_not_list_is_opened_anew)
{
    int64_t deleted = 0;
    must_put(fx.ns, "a-1", 1);
    have_idle_sessions(fx.second_ns);
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    struct weir_namespace_record record = {.id = weir_slice_of("test")};
    ck_assert_int_eq(weir_namespace_find(fx.second, &record, INT64_MAX, &fx.arena, &fx.err),
                     WEIR_NAMESPACE_NOT_FOUND);
    weir_error_init(&fx.err);
    must_create(fx.store, "test");
    for (size_t c = 0; c < WEIR_COUNTOF(calls_there); c++) {
        ck_assert_msg(calls_there[c]() == WEIR_OK, "call %zu: %s", c, fx.err.text);
    }
}
END_TEST

static weir_status append_by(int64_t deadline_us)
{
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    struct weir_stream_append part;
    struct weir_write write = write_of(&part, "a-1", ANY, &message, &written);
    write.deadline_us = deadline_us;
    return commit_write(fx.ns, &write);
}

START_TEST(another_processs_lock_is_waited_for_until_the_deadline)
{
    must_put(fx.ns, "a-1", 1);
    sqlite3 *other = start_program(namespace_path(), "BEGIN IMMEDIATE");
    const int64_t deadline_us = weir_monotonic_us() + 20000;
    ck_assert_int_eq(append_by(deadline_us), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_lt(weir_monotonic_us(), deadline_us + 4 * 1000 * 1000);
    const struct weir_query query = query_all();
    must_read(fx.ns, &query);  // reads are not affected
    ck_assert_uint_eq(fx.rows.n, 1);
    end_program(other);
    ck_assert_int_eq(append_by(INT64_MAX), WEIR_OK);
}
END_TEST

static weir_status create_by(int64_t deadline_us)
{
    struct weir_namespace_record record = {.id = weir_slice_of("new")};
    bool is_same = false;
    return weir_namespace_create(fx.store, &record, deadline_us, &is_same, &fx.err);
}

static weir_status set_token_by(int64_t deadline_us)
{
    const struct weir_token_hash hash = {{1}};
    return weir_namespace_set_token(fx.store, weir_slice_of("test"), &hash, deadline_us, &fx.err);
}

static weir_status delete_by(int64_t deadline_us)
{
    int64_t deleted = 0;
    return weir_namespace_delete(fx.store, weir_slice_of("test"), deadline_us, &deleted, &fx.err);
}

/* A change that came later would be one that its caller has given up. */
static void change_by(weir_status (*change)(int64_t deadline_us), int64_t deadline_us)
{
    weir_error_init(&fx.err);
    ck_assert_int_eq(change(deadline_us), WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_lt(weir_monotonic_us(), deadline_us + 4 * 1000 * 1000);
}

START_TEST(a_locked_list_of_namespaces_is_waited_for_until_the_deadline)
{
    static weir_status (*const changes[])(int64_t deadline_us) = {create_by, set_token_by,
                                                                  delete_by};
    int64_t wait_us = 20000;
    sqlite3 *other = start_program(path_in_dir("registry.db"), "BEGIN IMMEDIATE");
    change_by(changes[_i], weir_monotonic_us() + wait_us);
    while (strstr(fx.err.text, "another process") == NULL) {  // it was too late even to ask
        wait_us *= 2;
        change_by(changes[_i], weir_monotonic_us() + wait_us);
    }
    end_program(other);
    weir_error_init(&fx.err);
    must_put(fx.ns, "a-1", 1);
    ck_assert_int_eq(changes[_i](INT64_MAX), WEIR_OK);
}
END_TEST

static void *set_token_in_thread(void *context)
{
    const struct weir_token_hash hash = {{2}};
    struct weir_error err;
    weir_error_init(&err);
    *(weir_status *)context =
        weir_namespace_set_token(fx.store, weir_slice_of("test"), &hash, INT64_MAX, &err);
    return NULL;
}

/* The thread has the store's one connection for changes from some moment on. */
START_TEST(a_change_that_waits_for_another_process_holds_up_no_other_beyond_its_deadline)
{
    pthread_t thread;
    weir_status status = WEIR_BACKEND_ERROR;
    sqlite3 *other = start_program(path_in_dir("registry.db"), "BEGIN IMMEDIATE");
    ck_assert_int_eq(pthread_create(&thread, NULL, set_token_in_thread, &status), 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(set_token_by(weir_monotonic_us() + 20000), WEIR_DEADLINE_EXCEEDED);
    }
    end_program(other);
    (void)pthread_join(thread, NULL);
    ck_assert_int_eq(status, WEIR_OK);
}
END_TEST

/* Calls that end by their deadline are not reported one by one. */
START_TEST(a_lock_that_lasts_is_reported_once_and_when_it_ends)
{
    must_put(fx.ns, "a-1", 1);
    fx.report[0] = '\0';
    sqlite3 *other = start_program(namespace_path(), "BEGIN IMMEDIATE");
    for (int i = 0; i < 4; i++) {
        ck_assert_str_eq(fx.report, "");
        ck_assert_int_eq(append_by(weir_monotonic_us() + 550000), WEIR_DEADLINE_EXCEEDED);
    }
    ck_assert_msg(strstr(fx.report, "another process has locked it") != NULL, "%s", fx.report);
    fx.report[0] = '\0';
    ck_assert_int_eq(append_by(weir_monotonic_us() + 20000), WEIR_DEADLINE_EXCEEDED);
    ck_assert_str_eq(fx.report, "");
    end_program(other);
    ck_assert_int_eq(append_by(INT64_MAX), WEIR_OK);
    ck_assert_msg(strstr(fx.report, "takes writes again") != NULL, "%s", fx.report);
    fx.report[0] = '\0';
    ck_assert_int_eq(append_by(INT64_MAX), WEIR_OK);
    ck_assert_str_eq(fx.report, "");
}
END_TEST

/* The locks of a recovery in the index of a WAL, and the index's two headers. */
enum { RECOVERY_LOCKS_FIRST = 120, RECOVERY_LOCKS_SIZE = 3, WAL_INDEX_HEADERS = 2 * 48 };

/* Begins what another process does that finds the index of the WAL unusable, as after a crash: it
 * makes the index anew, and nobody reads meanwhile. Ends with the returned process. */
static pid_t begin_recovery(void)
{
    char path[256];
    int begun[2];
    (void)snprintf(path, sizeof path, "%s-shm", namespace_path());
    ck_assert_int_eq(pipe(begun), 0);
    const pid_t child = fork();
    if (child == 0) {
        static const uint8_t nothing[WAL_INDEX_HEADERS];
        struct flock lock = {.l_type = F_WRLCK,
                             .l_whence = SEEK_SET,
                             .l_start = RECOVERY_LOCKS_FIRST,
                             .l_len = RECOVERY_LOCKS_SIZE};
        const int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 &&
            pwrite(fd, nothing, sizeof nothing, 0) == sizeof nothing &&
            write(begun[1], "", 1) == 1) {
            (void)pause();
        }
        _exit(1);
    }
    char byte = 0;
    (void)close(begun[1]);
    ck_assert_int_eq(read(begun[0], &byte, 1), 1);
    (void)close(begun[0]);
    return child;
}

START_TEST(a_read_that_another_process_locks_out_ends_with_its_deadline)
{
    must_put(fx.ns, "a-1", 1);
    const pid_t other = begin_recovery();
    struct weir_query query = query_all();
    query.deadline_us = weir_monotonic_us() + 20000;
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_DEADLINE_EXCEEDED);
    ck_assert_int_ge(weir_monotonic_us(), query.deadline_us);
    ck_assert_int_eq(kill(other, SIGKILL), 0);
    ck_assert_int_eq(waitpid(other, NULL, 0), other);
    query.deadline_us = INT64_MAX;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
}
END_TEST

/* The store keeps one session, so that the namespace has none when it is to be read. */
START_TEST(a_session_that_another_process_delays_beyond_the_deadline_is_not_reported)
{
    must_put(fx.ns, "a-1", 1);
    char path[256];
    (void)snprintf(path, sizeof path, "%s", namespace_path());
    close_second();
    close_all();
    fx.store = open_store(fx.url, 1);
    fx.ns = must_open(fx.store, "test");
    must_create(fx.store, "other");
    weir_namespace_release(must_open(fx.store, "other"));
    sqlite3 *other = start_program(path, "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE");
    struct weir_query query = query_all();
    query.deadline_us = weir_monotonic_us() + 20000;
    ck_assert_int_eq(weir_read(fx.ns, &query, &fx.arena, &fx.rows, &fx.err),
                     WEIR_DEADLINE_EXCEEDED);
    ck_assert_str_eq(fx.report, "");
    end_program(other);
    query.deadline_us = INT64_MAX;
    must_read(fx.ns, &query);
    ck_assert_uint_eq(fx.rows.n, 1);
}
END_TEST

static int64_t until_us;

/* Delays the preparation of BEGIN, which is the start of a transaction, beyond the deadline. */
static int on_begin(void *context, int action, const char *what, const char *second,
                    const char *schema, const char *trigger)
{
    (void)context;
    (void)second;
    (void)schema;
    (void)trigger;
    while (action == SQLITE_TRANSACTION && strcmp(what, "BEGIN") == 0 &&
           weir_monotonic_us() < until_us) {
        (void)sqlite3_sleep(1);
    }
    return SQLITE_OK;
}

static int watch(sqlite3 *db, char **text, const void *api)
{
    (void)text;
    (void)api;
    return sqlite3_set_authorizer(db, on_begin, NULL);
}

START_TEST(a_lock_that_is_got_too_late_is_given_back)
{
    ck_assert_int_eq(sqlite3_auto_extension((void (*)(void))watch), SQLITE_OK);
    reopen();
    until_us = weir_monotonic_us() + 50000;
    ck_assert_int_eq(append_by(until_us), WEIR_DEADLINE_EXCEEDED);
    (void)sqlite3_cancel_auto_extension((void (*)(void))watch);
    end_program(start_program(namespace_path(), "BEGIN IMMEDIATE"));
    must_put(fx.ns, "a-1", 1);
    ck_assert_int_eq(must_head(fx.ns), 1);
}
END_TEST

/* Without a deadline the wait for the lock is limited to a client's patience. */
START_TEST(another_processs_lock_is_not_waited_for_for_ever)
{
    must_put(fx.ns, "a-1", 1);
    sqlite3 *program = start_program(namespace_path(), "BEGIN IMMEDIATE");
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_BACKEND_UNAVAILABLE);
    end_program(program);
    ck_assert_int_eq(append(fx.ns, "a-1", ANY, &message, 1, &written), WEIR_OK);
    ck_assert_int_eq(must_head(fx.ns), 2);
}
END_TEST

static int do_not_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int (*sleep_of_vfs)(sqlite3_vfs *vfs, int us);

/* Writes of the test below: the first stays in the group, the second misses its deadline in the
 * group, the third is queued behind the group and misses its deadline too. */
struct waiting_write {
    struct weir_write write;
    struct weir_error err;
    struct weir_new_message message;
    struct weir_written written;
    struct weir_stream_append part;
    bool is_done;
};

static struct waiting_write waiting[3];
static sqlite3 *holder;  // connection that holds the lock

static void note_told(struct weir_write *write)
{
    struct waiting_write *told = write->context;
    told->is_done = true;
    memset(&told->write, 0xa5, sizeof told->write);  // the write may be reused from here on
}

static bool submit_waiting(size_t w, int64_t deadline_us)
{
    struct waiting_write *to = &waiting[w];
    to->message = message_of(w + 1, "1");
    to->write = write_of(&to->part, "a-1", ANY, &to->message, &to->written);
    to->write.err = &to->err;
    to->write.arena = &fx.arena;
    to->write.deadline_us = deadline_us;
    to->write.done = note_told;
    to->write.context = to;
    to->is_done = false;
    return weir_write_submit(fx.ns, &to->write);
}

/* Runs on the leader's thread while it waits for the lock. */
static void queue_behind_and_let_go(void *context)
{
    size_t *calls = context;
    if ((*calls)++ == 0) {
        ck_assert(!submit_waiting(2, weir_monotonic_us()));
    }
    if (holder != NULL && waiting[1].is_done && waiting[2].is_done) {
        end_program(holder);
        holder = NULL;
    }
}

START_TEST(those_who_cannot_wait_for_another_processs_lock_are_told_meanwhile)
{
    size_t calls = 0;
    must_put(fx.ns, "a-1", 1);
    weir_store_on_wait(fx.store, queue_behind_and_let_go, &calls);
    holder = start_program(namespace_path(), "BEGIN IMMEDIATE");
    ck_assert(submit_waiting(0, INT64_MAX));
    ck_assert(!submit_waiting(1, weir_monotonic_us() + 20000));
    ck_assert(!weir_lane_run(fx.ns));
    ck_assert_int_eq(waiting[0].err.status, WEIR_OK);
    ck_assert(waiting[0].is_done);
    for (size_t w = 1; w < 3; w++) {
        ck_assert_int_eq(waiting[w].err.status, WEIR_DEADLINE_EXCEEDED);
    }
    ck_assert_int_eq(must_head(fx.ns), 2);
}
END_TEST

/* Locks the namespace as another process in a long write does. SQLite adds up its sleeps instead of
 * reading the clock, so they are skipped. */
static sqlite3 *lock_namespace(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find("weir");
    sleep_of_vfs = vfs->xSleep;
    vfs->xSleep = do_not_sleep;
    return start_program(namespace_path(), "BEGIN IMMEDIATE");
}

static void unlock_namespace(sqlite3 *other)
{
    end_program(other);
    sqlite3_vfs_find("weir")->xSleep = sleep_of_vfs;
}

static weir_status delete_test(int64_t *deleted)
{
    return weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, deleted, &fx.err);
}

static weir_status create_test(void)
{
    struct weir_namespace_record record = {.id = weir_slice_of("test")};
    bool is_same = false;
    return weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err);
}

START_TEST(what_another_process_writes_to_is_not_deleted)
{
    must_put(fx.ns, "a-1", 1);
    must_put(fx.second_ns, "a-1", 1);
    sqlite3 *other = lock_namespace();
    int64_t deleted = -1;
    ck_assert_int_eq(delete_test(&deleted), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(fx.err.text, "another process"));
    ck_assert_ptr_null(strstr(fx.err.text, fx.dir));
    unlock_namespace(other);
    must_put(fx.ns, "a-1", 1);  // nothing has changed
    must_put(fx.second_ns, "a-1", 1);
    ck_assert_int_eq(delete_test(&deleted), WEIR_OK);
    ck_assert_int_eq(deleted, 4);
}
END_TEST

/* A crash has left the file of a deleted namespace, which another process still uses. */
START_TEST(what_is_doomed_is_not_removed_under_another_process)
{
    must_put(fx.second_ns, "a-1", 1);
    const char *path = namespace_path();
    sqlite3 *other = lock_namespace();
    crash_in_deletion(path);
    fx.store = open_store(fx.url, 4);
    ck_assert_ptr_nonnull(strstr(fx.report, "left to be removed"));
    ck_assert_int_eq(create_test(), WEIR_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(fx.err.text, "in the way"));
    ck_assert_ptr_nonnull(strstr(fx.report, "end the other processes"));
    ck_assert_int_eq(access(path, F_OK), 0);

    unlock_namespace(other);
    ck_assert_int_eq(create_test(), WEIR_OK);
    const struct weir_new_message message = message_of(1, "1");
    struct weir_written written;
    ck_assert_int_eq(append(fx.second_ns, "a-1", ANY, &message, 1, &written),
                     WEIR_NAMESPACE_NOT_FOUND);
    fx.ns = must_open(fx.store, "test");
    ck_assert_int_eq(must_head(fx.ns), 0);
}
END_TEST

static void *create_many(void *context)
{
    struct weir_store *store = context;
    size_t made = 0;
    for (int i = 0; i < 20; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "n%d", i);
        struct weir_namespace_record record = {.id = weir_slice_of(id)};
        struct weir_error err;
        weir_error_init(&err);
        bool is_same = false;
        const weir_status status = weir_namespace_create(store, &record, INT64_MAX, &is_same, &err);
        ck_assert(status == WEIR_OK || status == WEIR_NAMESPACE_EXISTS);
        made += status == WEIR_OK;
    }
    return (void *)made;
}

START_TEST(of_two_creations_of_one_id_one_succeeds)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, create_many, fx.second), 0);
    size_t made = (size_t)create_many(fx.store);
    void *others = NULL;
    (void)pthread_join(thread, &others);
    ck_assert_uint_eq(made + (size_t)others, 20);
}
END_TEST

static void *open_and_close(void *context)
{
    struct weir_store *store = NULL;
    const struct weir_store_options options = {.url = fx.url, .max_sessions = 1};
    struct weir_error *err = context;
    weir_error_init(err);
    if (weir_store_open(&options, &store, err) == WEIR_OK) {
        weir_store_close(store);
    }
    return NULL;
}

START_TEST(stores_may_be_opened_together_on_an_empty_directory)
{
    pthread_t threads[4];
    struct weir_error errors[4];
    for (size_t t = 0; t < 4; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, open_and_close, &errors[t]), 0);
    }
    for (size_t t = 0; t < 4; t++) {
        (void)pthread_join(threads[t], NULL);
        ck_assert_msg(errors[t].status == WEIR_OK, "%s", errors[t].text);
    }
    /* If two connections close at the same moment, SQLite considers neither the last, so the WAL
     * may remain until the next one closes. */
    (void)open_and_close(&errors[0]);
    ck_assert_uint_eq(files_in_dir(), 1);
}
END_TEST

static Suite *sqlite_processes_suite(void)
{
    Suite *suite = suite_create("sqlite_processes");
    TCase *two = tcase_create("two processes");
    tcase_add_checked_fixture(two, two_stores, fixture_end);
    tcase_set_timeout(two, 60);
    tcase_add_test(two, two_stores_see_each_others_writes);
    tcase_add_loop_test(two, what_another_store_deletes_is_gone_here, 0, 2);
    tcase_add_loop_test(two, the_first_call_finds_out_that_another_store_has_made_it_anew, 0,
                        (int)WEIR_COUNTOF(calls_there));
    tcase_add_test(two, what_the_registry_says_is_made_anew_is_used_at_once);
    tcase_add_test(two, what_the_registry_did_not_list_is_opened_anew);
    tcase_add_test(two, another_processs_lock_is_waited_for_until_the_deadline);
    tcase_add_loop_test(two, a_locked_list_of_namespaces_is_waited_for_until_the_deadline, 0, 3);
    tcase_add_test(two,
                   a_change_that_waits_for_another_process_holds_up_no_other_beyond_its_deadline);
    tcase_add_test(two, a_lock_that_lasts_is_reported_once_and_when_it_ends);
    tcase_add_test(two, a_read_that_another_process_locks_out_ends_with_its_deadline);
    tcase_add_test(two, a_session_that_another_process_delays_beyond_the_deadline_is_not_reported);
    tcase_add_test(two, a_lock_that_is_got_too_late_is_given_back);
    tcase_add_test(two, another_processs_lock_is_not_waited_for_for_ever);
    tcase_add_test(two, those_who_cannot_wait_for_another_processs_lock_are_told_meanwhile);
    tcase_add_test(two, what_another_process_writes_to_is_not_deleted);
    tcase_add_test(two, what_is_doomed_is_not_removed_under_another_process);
    tcase_add_test(two, of_two_creations_of_one_id_one_succeeds);
    suite_add_tcase(suite, two);
    TCase *fresh = tcase_create("fresh directory");
    tcase_add_checked_fixture(fresh, fixture_dir_only, fixture_end);
    tcase_set_timeout(fresh, 60);
    tcase_add_test(fresh, stores_may_be_opened_together_on_an_empty_directory);
    suite_add_tcase(suite, fresh);
    return suite;
}

int main(void)
{
    return check_main(sqlite_processes_suite());
}
