/* The files of a store: creation, recognition, deletion, and many at once. */
#include "tests/lib/check_main.h"
#include "tests/store/store_fixture.h"

#include "store/sqlite/sqlite_backend.h"
#include "store/sqlite/sqlite_memory.h"
#include "store/store_int.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- making and opening ---- */

START_TEST(a_missing_directory_is_made_for_its_owner_alone)
{
    char url[256];
    (void)snprintf(url, sizeof url, "sqlite:%s/deep/er", fx.dir);
    weir_store_close(open_store(url, 1));
    struct stat status;
    ck_assert_int_eq(stat(path_in_dir("deep/er"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0700);
    ck_assert_int_eq(stat(path_in_dir("deep/er/registry.db"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
}
END_TEST

START_TEST(names_that_a_uri_would_bend_are_plain_directories)
{
    char url[256];
    (void)snprintf(url, sizeof url, "sqlite:%s/a?b#c%%20:d", fx.dir);
    weir_store_close(open_store(url, 1));
    ck_assert_int_eq(access(path_in_dir("a?b#c%20:d/registry.db"), F_OK), 0);
}
END_TEST

/* Every directory synced so far. */
static struct sqlite_file_id synced[64];
static size_t synced_n;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    struct stat status;
    ck_assert_int_eq(fstat(fd, &status), 0);
    if (S_ISDIR(status.st_mode) && synced_n < WEIR_COUNTOF(synced)) {
        synced[synced_n++] = (struct sqlite_file_id){status.st_dev, status.st_ino};
    }
    return __real_fsync(fd);
}

static bool is_synced(const char *path)
{
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    bool is_found = false;
    for (size_t s = 0; s < synced_n; s++) {
        is_found =
            is_found || (synced[s].device == status.st_dev && synced[s].inode == status.st_ino);
    }
    return is_found;
}

/* A store is lost if a power failure can remove its directory. */
START_TEST(what_is_made_is_written_in_every_directory_above_it)
{
    char url[256];
    synced_n = 0;
    (void)snprintf(url, sizeof url, "sqlite:%s/deep//er/", fx.dir);
    weir_store_close(open_store(url, 1));
    ck_assert(is_synced(fx.dir));
    ck_assert(is_synced(path_in_dir("deep")));
    ck_assert(is_synced(path_in_dir("deep/er")));
}
END_TEST

static int64_t synchronous_of(const struct sqlite_registry_connection *connection)
{
    sqlite3_stmt *statement = NULL;
    ck_assert_int_eq(sqlite3_prepare_v2(connection->db, "PRAGMA synchronous", -1, &statement, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    const int64_t level = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return level;
}

/* The token of `default` is in a file that is synced. */
START_TEST(the_list_of_namespaces_is_durable_whatever_messages_are)
{
    enum { FULL = 2 };
    const struct weir_store_options options = {
        .url = fx.url, .max_sessions = 1, .is_durability_normal = true};
    ck_assert_int_eq(weir_store_open(&options, &fx.store, &fx.err), WEIR_OK);
    const struct sqlite_backend *backend = (const struct sqlite_backend *)fx.store->backend;
    ck_assert_int_eq(synchronous_of(&backend->changes), FULL);
}
END_TEST

/* Synced before the list of files to remove is cleared. */
START_TEST(the_files_of_a_deleted_namespace_stay_away)
{
    int64_t deleted = 0;
    synced_n = 0;
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    ck_assert(is_synced(fx.dir));
}
END_TEST

static const char *const memory_urls[] = {"sqlite://:memory:", "sqlite:///:memory:"};

START_TEST(memory_as_a_path_is_told_its_name)
{
    struct weir_store *store = NULL;
    ck_assert_int_eq(try_open_store(memory_urls[_i], 1, &store), WEIR_INVALID_REQUEST);
    ck_assert_ptr_nonnull(strstr(fx.err.text, "sqlite::memory:"));
}
END_TEST

START_TEST(a_directory_may_be_called_as_memory_is)
{
    char url[256];
    (void)snprintf(url, sizeof url, "sqlite:%s/:memory:", fx.dir);
    weir_store_close(open_store(url, 1));
    ck_assert_int_eq(access(path_in_dir(":memory:/registry.db"), F_OK), 0);
}
END_TEST

static const char *const bad_urls[] = {"", "sqlite:", "sqlite", "mysql://x", "SQLITE:/tmp", "/tmp"};

START_TEST(an_unknown_url_is_refused)
{
    struct weir_store *store = NULL;
    ck_assert_int_eq(try_open_store(bad_urls[_i], 1, &store), WEIR_INVALID_REQUEST);
    ck_assert_ptr_null(store);
}
END_TEST

START_TEST(a_url_tells_the_traits_of_its_store)
{
    const struct weir_store_traits in_dir = weir_store_traits("sqlite:./some/dir");
    ck_assert(in_dir.is_local && !in_dir.is_in_memory);
    ck_assert_str_eq(in_dir.directory, "./some/dir");
    ck_assert_uint_eq(in_dir.files_of_session, 3);
    const struct weir_store_traits in_memory = weir_store_traits("sqlite::memory:");
    ck_assert(in_memory.is_local && in_memory.is_in_memory);
    ck_assert_ptr_null(in_memory.directory);
    static const char *const elsewhere[] = {"postgresql:///db", "timescaledb:///db", "other:db"};
    for (size_t i = 0; i < WEIR_COUNTOF(elsewhere); i++) {
        const struct weir_store_traits traits = weir_store_traits(elsewhere[i]);
        ck_assert(!traits.is_local && !traits.is_in_memory);
        ck_assert_ptr_null(traits.directory);
        ck_assert_uint_eq(traits.files_of_session, 0);
    }
    ck_assert_ptr_null(weir_store_traits("sqlite:").directory);
}
END_TEST

START_TEST(a_directory_that_cannot_be_made_is_named)
{
    write_file(path_in_dir("file"), "x", 1);
    char url[256];
    (void)snprintf(url, sizeof url, "sqlite:%s/file/below", fx.dir);
    struct weir_store *store = NULL;
    ck_assert_int_eq(try_open_store(url, 1, &store), WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(fx.err.text, "file/below"));
}
END_TEST

START_TEST(everything_is_there_after_closing)
{
    must_put(fx.ns, "a-1", 3);
    must_put(fx.ns, "b-1", 1);
    reopen();
    ck_assert_int_eq(must_version(fx.ns, "a-1"), 2);
    ck_assert_int_eq(must_head(fx.ns), 4);
    must_put(fx.ns, "a-1", 1);
    ck_assert_int_eq(must_head(fx.ns), 5);
    close_all();
    ck_assert_uint_eq(files_in_dir(), 2);  // neither a WAL nor a draft is left
}
END_TEST

START_TEST(a_new_namespace_is_a_whole_file_in_wal_mode)
{
    struct weir_namespace_record record = {.id = weir_slice_of("other")};
    bool is_same = false;
    ck_assert_int_eq(weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err),
                     WEIR_OK);
    char name[WEIR_SQLITE_NAME_BYTES];
    weir_sqlite_database_name(record.id, name);
    uint8_t *bytes = NULL;
    size_t n = 0;
    ck_assert(file_bytes(path_in_dir(name), &bytes, &n));
    ck_assert_uint_ge(n, 4096);
    ck_assert_uint_eq(bytes[18], 2);
    ck_assert_uint_eq(bytes[19], 2);
    free(bytes);
    check_integrity(path_in_dir(name));
}
END_TEST

/* ---- files that are not ours ---- */

enum foreign { TEXT_FILE, EMPTY_FILE, OTHER_DATABASE, EMPTY_DATABASE, WAL_DATABASE, NEWER_SCHEMA };

static void make_foreign(const char *path, enum foreign kind)
{
    switch (kind) {
    case TEXT_FILE:
        write_file(path,
                   "registry of births and deaths, 1881 to 1902, first volume of seven, "
                   "with an index of names and places and a preface\n",
                   117);
        break;
    case EMPTY_FILE:
        write_file(path, "", 0);
        break;
    case OTHER_DATABASE:
        run_sql(path, "CREATE TABLE namespaces (id)");
        break;
    case EMPTY_DATABASE:
        run_sql(path, "CREATE TABLE t (a); DROP TABLE t");
        break;
    case WAL_DATABASE:
        run_sql(path, "PRAGMA journal_mode = WAL; CREATE TABLE t (a)");
        break;
    case NEWER_SCHEMA:
        weir_store_close(open_store(fx.url, 1));
        run_sql(path, "PRAGMA user_version = 2");
        break;
    }
}

START_TEST(another_programs_registry_is_refused_and_left_as_it_was)
{
    const char *path = path_in_dir("registry.db");
    make_foreign(path, (enum foreign)_i);
    uint8_t *before = NULL;
    uint8_t *after = NULL;
    size_t before_n = 0;
    size_t after_n = 0;
    ck_assert(file_bytes(path, &before, &before_n));
    struct weir_store *store = NULL;
    ck_assert_int_eq(try_open_store(fx.url, 1, &store), WEIR_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(fx.err.text, "registry.db"));
    ck_assert_ptr_nonnull(strstr(fx.err.text, "another directory"));
    ck_assert(file_bytes(path, &after, &after_n));
    ck_assert_uint_eq(before_n, after_n);
    ck_assert_int_eq(memcmp(before, after, before_n), 0);
    ck_assert_uint_eq(files_in_dir(), 1);
    free(before);
    free(after);
}
END_TEST

START_TEST(a_newer_version_in_the_wal_alone_is_seen)
{
    close_all();
    const char *path = path_in_dir("registry.db");
    /* Keeps the WAL from being moved into the file. */
    sqlite3 *other = start_program(path, "PRAGMA user_version = 2");
    struct weir_store *store = NULL;
    ck_assert_int_eq(try_open_store(fx.url, 1, &store), WEIR_PRECONDITION);
    end_program(other);
    run_sql(path, "PRAGMA user_version = 1");
}
END_TEST

START_TEST(namespaces_without_a_registry_are_not_given_a_new_one)
{
    close_all();
    ck_assert_int_eq(unlink(path_in_dir("registry.db")), 0);
    struct weir_store *store = NULL;
    ck_assert_int_eq(try_open_store(fx.url, 1, &store), WEIR_PRECONDITION);
    ck_assert_uint_eq(files_in_dir(), 1);
}
END_TEST

START_TEST(a_namespace_that_cannot_be_used_does_not_harm_the_others)
{
    must_put(fx.ns, "a-1", 1);
    const char *path = namespace_path();
    close_all();
    if (_i == 0) {
        run_sql(path, "PRAGMA user_version = 1000");
    } else if (_i == 1) {
        write_file(path, "gone", 4);
    } else {
        ck_assert_int_eq(unlink(path), 0);
    }
    fx.store = open_store(fx.url, 4);
    struct weir_namespace *ns = NULL;
    ck_assert_int_eq(weir_namespace_open(fx.store, weir_slice_of("test"), INT64_MAX, &ns, &fx.err),
                     WEIR_BACKEND_UNAVAILABLE);
    ck_assert_ptr_null(strstr(fx.err.text, fx.dir));
    must_create(fx.store, "other");
    fx.ns = must_open(fx.store, "other");
    must_put(fx.ns, "a-1", 1);
    int64_t deleted = -1;
    const weir_status status =
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err);
    if (_i == 0) {  // a newer server may have the file open
        ck_assert_int_eq(status, WEIR_PRECONDITION);
        ck_assert_ptr_null(strstr(fx.err.text, fx.dir));
        ck_assert_int_eq(access(path, F_OK), 0);
        return;
    }
    ck_assert_int_eq(status, WEIR_OK);
    ck_assert_int_eq(deleted, 0);
    must_create(fx.store, "test");
    weir_namespace_release(must_open(fx.store, "test"));
}
END_TEST

/* ---- namespaces ---- */

static struct weir_namespace_record find(const char *id)
{
    struct weir_namespace_record record = {.id = weir_slice_of(id)};
    ck_assert_int_eq(weir_namespace_find(fx.store, &record, INT64_MAX, &fx.arena, &fx.err),
                     WEIR_OK);
    return record;
}

START_TEST(a_namespace_keeps_its_record)
{
    struct weir_namespace_record record = {.id = weir_slice_of("n"),
                                           .description = weir_slice_of("d"),
                                           .metadata = weir_slice_of("{}"),
                                           .token_hash = {{7}}};
    bool is_same = true;
    ck_assert_int_eq(weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err),
                     WEIR_OK);
    const int64_t created_at_us = record.created_at_us;
    ck_assert_int_gt(created_at_us, 1600000000000000);
    const struct weir_namespace_record found = find("n");
    ck_assert(weir_slice_is(found.description, "d"));
    ck_assert(weir_slice_is(found.metadata, "{}"));
    ck_assert_int_eq(found.created_at_us, created_at_us);
    ck_assert_int_eq(found.token_hash.bytes[0], 7);
    ck_assert_ptr_null(find("test").description.p);

    record.created_at_us = 0;
    ck_assert_int_eq(weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err),
                     WEIR_NAMESPACE_EXISTS);
    ck_assert(is_same);
    ck_assert_int_eq(record.created_at_us, created_at_us);
    record.token_hash.bytes[31] = 1;
    ck_assert_int_eq(weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err),
                     WEIR_NAMESPACE_EXISTS);
    ck_assert(!is_same);

    ck_assert_int_eq(
        weir_namespace_set_token(fx.store, record.id, &record.token_hash, INT64_MAX, &fx.err),
        WEIR_OK);
    ck_assert_int_eq(find("n").token_hash.bytes[31], 1);
    ck_assert_int_eq(weir_namespace_set_token(fx.store, weir_slice_of("none"), &record.token_hash,
                                              INT64_MAX, &fx.err),
                     WEIR_NAMESPACE_NOT_FOUND);
    record.id = weir_slice_of("none");
    ck_assert_int_eq(weir_namespace_find(fx.store, &record, INT64_MAX, &fx.arena, &fx.err),
                     WEIR_NAMESPACE_NOT_FOUND);
}
END_TEST

START_TEST(namespaces_are_listed_bytewise_in_pages)
{
    static const char *const ids[] = {"\xc3\xa9", "b", "a/../b", "B", "a b", "test-", "a'"};
    for (size_t i = 0; i < WEIR_COUNTOF(ids); i++) {
        must_create(fx.store, ids[i]);
    }
    static const char *const sorted[] = {"B", "a b",  "a'",    "a/../b",
                                         "b", "test", "test-", "\xc3\xa9"};
    struct weir_registry_query query = {.limit = 3, .max_bytes = 1000, .deadline_us = INT64_MAX};
    struct weir_registry_page page = {.is_more = true};
    size_t seen = 0;
    while (page.is_more) {
        ck_assert_int_eq(weir_namespace_list(fx.store, &query, &fx.arena, &page, &fx.err), WEIR_OK);
        ck_assert_uint_le(page.n, 3);
        for (size_t i = 0; i < page.n; i++) {
            ck_assert(weir_slice_is(page.records[i].id, sorted[seen++]));
        }
        query.after = page.records[page.n - 1].id;
    }
    ck_assert_uint_eq(seen, WEIR_COUNTOF(sorted));
}
END_TEST

START_TEST(a_deleted_namespace_is_gone_with_its_files)
{
    must_put(fx.ns, "a-1", 5);
    int64_t deleted = 0;
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err),
        WEIR_OK);
    ck_assert_int_eq(deleted, 5);
    struct weir_head head;
    ck_assert_int_eq(weir_head(fx.ns, INT64_MAX, &head, &fx.err), WEIR_NAMESPACE_NOT_FOUND);
    ck_assert_int_eq(
        weir_namespace_delete(fx.store, weir_slice_of("test"), INT64_MAX, &deleted, &fx.err),
        WEIR_NAMESPACE_NOT_FOUND);
    must_create(fx.store, "test");
    struct weir_namespace *again = must_open(fx.store, "test");
    must_put(again, "a-1", 1);
    ck_assert_int_eq(must_head(again), 1);
    weir_namespace_release(again);
}
END_TEST

START_TEST(a_deletion_that_was_cut_short_is_finished_at_the_next_start)
{
    must_put(fx.ns, "a-1", 1);
    const char *path = namespace_path();
    crash_in_deletion(path);
    fx.store = open_store(fx.url, 1);
    ck_assert_int_ne(access(path, F_OK), 0);
    must_create(fx.store, "test");
    fx.ns = must_open(fx.store, "test");
    ck_assert_int_eq(must_head(fx.ns), 0);
}
END_TEST

START_TEST(a_creation_that_was_cut_short_can_be_repeated)
{
    if (_i == 1) {
        must_put(fx.ns, "a-1", 1);
    }
    close_all();
    run_sql(path_in_dir("registry.db"), "DELETE FROM namespaces");
    fx.store = open_store(fx.url, 1);
    struct weir_namespace_record record = {.id = weir_slice_of("test")};
    bool is_same = false;
    const weir_status status =
        weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err);
    /* A file with messages is never replaced. */
    ck_assert_int_eq(status, _i == 1 ? WEIR_PRECONDITION : WEIR_OK);
    ck_assert_ptr_nonnull(namespace_path());
}
END_TEST

static const struct {
    const char *name;
    bool is_old;
    bool is_kept;
} drafts[] = {
    {"ns-00.db.17-0.new", true, false},
    {"ns-00.db.17-0.new-wal", true, false},
    {"ns-11.db.0123456789abcdef.new", true, false},
    {"registry.db.17-0.new", true, false},
    {"ns-22.db.0123456789abcdef.new", false, true},  // another process may be writing it
    {"registry.db.0123456789abcdef.new", false, true},
    {"notes.new", true, true},
};

START_TEST(drafts_that_a_crash_has_left_are_removed_at_the_next_start)
{
    weir_store_close(open_store(fx.url, 1));
    const struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    for (size_t d = 0; d < WEIR_COUNTOF(drafts); d++) {
        write_file(path_in_dir(drafts[d].name), "", 0);
        if (drafts[d].is_old) {
            ck_assert_int_eq(utimensat(AT_FDCWD, path_in_dir(drafts[d].name), long_ago, 0), 0);
        }
    }
    weir_store_close(open_store(fx.url, 1));
    for (size_t d = 0; d < WEIR_COUNTOF(drafts); d++) {
        ck_assert_int_eq(access(path_in_dir(drafts[d].name), F_OK) == 0, drafts[d].is_kept);
    }
}
END_TEST

/* Processes in two containers may have the same process id. */
START_TEST(the_draft_of_another_process_of_this_number_is_left_alone)
{
    fx.store = open_store(fx.url, 1);
    const struct sqlite_backend *backend = (const struct sqlite_backend *)fx.store->backend;
    char name[WEIR_SQLITE_NAME_BYTES];
    char draft[WEIR_SQLITE_NAME_BYTES + 32];
    weir_sqlite_database_name(weir_slice_of("test"), name);
    (void)snprintf(draft, sizeof draft, "%s.%ld-%u.new", name, (long)getpid(), backend->number);
    write_file(path_in_dir(draft), "", 0);
    must_create(fx.store, "test");
    ck_assert_int_eq(access(path_in_dir(draft), F_OK), 0);
}
END_TEST

/* ---- many ---- */

static atomic_int trims;

/* Stands in for the C library's. */
int malloc_trim(size_t pad)
{
    (void)pad;
    (void)atomic_fetch_add(&trims, 1);
    return 0;
}

START_TEST(five_hundred_namespaces_live_with_few_files_open)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 256;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct weir_namespace *handles[500];
    fx.store = open_store(fx.url, 32);
    for (size_t i = 0; i < 500; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "n%zu", i);
        must_create(fx.store, id);
        handles[i] = must_open(fx.store, id);
        must_put(handles[i], "a-1", 1 + i % 3);
    }
    for (size_t i = 0; i < 500; i++) {
        ck_assert_int_eq(must_head(handles[i]), (int64_t)(1 + i % 3));
        weir_namespace_release(handles[i]);
    }
    ck_assert_int_gt(atomic_load(&trims), 0);  // what closed connections had is given back
}
END_TEST

/* The sessions of a namespace keep extra descriptors open if the namespace had more sessions
 * before. */
START_TEST(idle_sessions_give_way_where_no_file_is_left)
{
    enum { NAMESPACES = 20, FILES_LEFT = 24 };
    struct weir_namespace *handles[NAMESPACES];
    char ids[NAMESPACES][16];
    struct rlimit limit;
    fx.store = open_store(fx.url, 100);
    for (size_t i = 0; i < NAMESPACES; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "n%zu", i);
        must_create(fx.store, ids[i]);
    }
    const int next = dup(STDERR_FILENO);
    ck_assert_int_eq(close(next), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit low = {.rlim_cur = (rlim_t)next + FILES_LEFT, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (size_t i = 0; i < NAMESPACES; i++) {
        handles[i] = must_open(fx.store, ids[i]);
    }
    for (size_t i = 0; i < NAMESPACES; i++) {
        ck_assert_int_eq(must_head(handles[i]), 0);
        weir_namespace_release(handles[i]);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

/* ---- threads ---- */

enum { WRITERS = 3, READERS = 2, WRITES_EACH = 60, BATCH = 3 };

static pthread_mutex_t done_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done_changed = PTHREAD_COND_INITIALIZER;

static void tell_done(struct weir_write *write)
{
    (void)pthread_mutex_lock(&done_mutex);
    *(bool *)write->context = true;
    (void)pthread_cond_broadcast(&done_changed);
    (void)pthread_mutex_unlock(&done_mutex);
}

static void submit_and_wait(struct weir_write *write)
{
    bool is_done = false;
    write->done = tell_done;
    write->context = &is_done;
    write->deadline_us = INT64_MAX;
    if (weir_write_submit(fx.ns, write)) {
        while (weir_lane_run(fx.ns)) {
        }
    }
    (void)pthread_mutex_lock(&done_mutex);
    while (!is_done) {
        (void)pthread_cond_wait(&done_changed, &done_mutex);
    }
    (void)pthread_mutex_unlock(&done_mutex);
}

static void *write_many(void *context)
{
    const uint64_t writer = *(const uint64_t *)context;
    char stream[16];
    (void)snprintf(stream, sizeof stream, "w-%d", (int)(writer % 2));
    for (uint64_t w = 0; w < WRITES_EACH; w++) {
        struct weir_new_message messages[BATCH];
        struct weir_written written[BATCH];
        for (uint64_t m = 0; m < BATCH; m++) {
            messages[m] = message_of((writer << 32) + w * BATCH + m + 1, "1");
        }
        struct weir_stream_append part = {
            .stream = weir_slice_of(stream), .messages = messages, .n = BATCH, .written = written};
        struct weir_error err;
        struct weir_write write = {
            .kind = WEIR_WRITE_APPEND, .of.append = {.streams = &part, .n = 1}, .err = &err};
        submit_and_wait(&write);
        ck_assert_int_eq(err.status, WEIR_OK);
        ck_assert_int_eq(written[BATCH - 1].position, written[0].position + BATCH - 1);
    }
    return NULL;
}

/* Reads as a consumer: never sees a gap, a part of a batch, or a message below a position it has
 * passed. */
static void *follow(void *context)
{
    (void)context;
    struct weir_arena arena;
    weir_arena_init(&arena, 64 << 20, 1 << 20);
    int64_t next = 1;
    while (next <= (int64_t)WRITERS * WRITES_EACH * BATCH) {
        struct weir_query query = query_category("w");
        query.from = next;
        struct weir_rows rows;
        struct weir_error err;
        weir_error_init(&err);
        weir_arena_reset(&arena);
        ck_assert_int_eq(weir_read(fx.ns, &query, &arena, &rows, &err), WEIR_OK);
        ck_assert_uint_eq(rows.n % BATCH == 0 || rows.n == 1000, true);
        for (size_t i = 0; i < rows.n; i++) {
            ck_assert_int_eq(rows.rows[i].global_position, next + (int64_t)i);
        }
        ck_assert_int_eq(rows.next_position, next + (int64_t)rows.n);
        next = rows.next_position;
    }
    weir_arena_fini(&arena);
    return NULL;
}

START_TEST(writers_and_readers_work_side_by_side)
{
    pthread_t threads[WRITERS + READERS];
    uint64_t numbers[WRITERS];
    for (uint64_t w = 0; w < WRITERS; w++) {
        numbers[w] = w + 1;
        ck_assert_int_eq(pthread_create(&threads[w], NULL, write_many, &numbers[w]), 0);
    }
    for (size_t r = WRITERS; r < WRITERS + READERS; r++) {
        ck_assert_int_eq(pthread_create(&threads[r], NULL, follow, NULL), 0);
    }
    for (size_t t = 0; t < WRITERS + READERS; t++) {
        (void)pthread_join(threads[t], NULL);
    }
    ck_assert_int_eq(must_version(fx.ns, "w-0") + must_version(fx.ns, "w-1") + 2,
                     WRITERS * WRITES_EACH * BATCH);
}
END_TEST

START_TEST(a_namespace_in_memory_may_have_two_gigabytes)
{
    const struct sqlite_backend *backend = (const struct sqlite_backend *)fx.store->backend;
    sqlite3_int64 most = -1;
    ck_assert_int_eq(
        sqlite3_file_control(backend->memory->keeper, "main", SQLITE_FCNTL_SIZE_LIMIT, &most),
        SQLITE_OK);
    ck_assert_int_ge(most, 0x7ff00000);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, setup, fixture_end);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static void add_files(Suite *suite)
{
    TCase *fresh = add_case(suite, "fresh directory", fixture_dir_only);
    tcase_add_test(fresh, a_missing_directory_is_made_for_its_owner_alone);
    tcase_add_test(fresh, names_that_a_uri_would_bend_are_plain_directories);
    tcase_add_test(fresh, what_is_made_is_written_in_every_directory_above_it);
    tcase_add_test(fresh, the_list_of_namespaces_is_durable_whatever_messages_are);
    tcase_add_loop_test(fresh, an_unknown_url_is_refused, 0, WEIR_COUNTOF(bad_urls));
    tcase_add_test(fresh, a_url_tells_the_traits_of_its_store);
    tcase_add_loop_test(fresh, memory_as_a_path_is_told_its_name, 0, WEIR_COUNTOF(memory_urls));
    tcase_add_test(fresh, a_directory_may_be_called_as_memory_is);
    tcase_add_test(fresh, a_directory_that_cannot_be_made_is_named);
    tcase_add_loop_test(fresh, another_programs_registry_is_refused_and_left_as_it_was, 0,
                        NEWER_SCHEMA + 1);
    tcase_add_test(fresh, drafts_that_a_crash_has_left_are_removed_at_the_next_start);
    tcase_add_test(fresh, the_draft_of_another_process_of_this_number_is_left_alone);
    tcase_add_test(fresh, five_hundred_namespaces_live_with_few_files_open);
    tcase_add_test(fresh, idle_sessions_give_way_where_no_file_is_left);
    TCase *disk = add_case(suite, "files", fixture_on_disk);
    tcase_add_test(disk, everything_is_there_after_closing);
    tcase_add_test(disk, a_new_namespace_is_a_whole_file_in_wal_mode);
    tcase_add_test(disk, a_newer_version_in_the_wal_alone_is_seen);
    tcase_add_test(disk, namespaces_without_a_registry_are_not_given_a_new_one);
    tcase_add_loop_test(disk, a_namespace_that_cannot_be_used_does_not_harm_the_others, 0, 3);
    tcase_add_test(disk, the_files_of_a_deleted_namespace_stay_away);
    tcase_add_test(disk, a_deletion_that_was_cut_short_is_finished_at_the_next_start);
    tcase_add_loop_test(disk, a_creation_that_was_cut_short_can_be_repeated, 0, 2);
}

static TCase *add_shared(Suite *suite, const char *name, void (*setup)(void))
{
    TCase *tcase = add_case(suite, name, setup);
    tcase_add_test(tcase, a_namespace_keeps_its_record);
    tcase_add_test(tcase, namespaces_are_listed_bytewise_in_pages);
    tcase_add_test(tcase, a_deleted_namespace_is_gone_with_its_files);
    tcase_add_test(tcase, writers_and_readers_work_side_by_side);
    return tcase;
}

static Suite *sqlite_store_suite(void)
{
    Suite *suite = suite_create("sqlite_store");
    add_files(suite);
    (void)add_shared(suite, "on disk", fixture_on_disk);
    tcase_add_test(add_shared(suite, "in memory", fixture_in_memory),
                   a_namespace_in_memory_may_have_two_gigabytes);
    return suite;
}

int main(void)
{
    return check_main(sqlite_store_suite());
}
