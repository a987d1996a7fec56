#include "tests/store/store_fixture.h"

#include "tests/lib/remove_tree.h"

#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

struct fixture fx;

static uint64_t last_id;

/* ---- the store ---- */

static pthread_mutex_t report_mutex = PTHREAD_MUTEX_INITIALIZER;

static void keep_report(void *context, const char *text)
{
    (void)context;
    (void)pthread_mutex_lock(&report_mutex);
    (void)snprintf(fx.report, sizeof fx.report, "%s", text);
    (void)pthread_mutex_unlock(&report_mutex);
}

weir_status try_open_store(const char *url, size_t max_sessions, struct weir_store **store)
{
    const struct weir_store_options options = {
        .url = url, .max_sessions = max_sessions, .report = keep_report};
    weir_error_init(&fx.err);
    return weir_store_open(&options, store, &fx.err);
}

struct weir_store *open_store(const char *url, size_t max_sessions)
{
    struct weir_store *store = NULL;
    ck_assert_msg(try_open_store(url, max_sessions, &store) == WEIR_OK, "%s", fx.err.text);
    return store;
}

void must_create(struct weir_store *store, const char *id)
{
    struct weir_namespace_record record = {.id = weir_slice_of(id)};
    bool is_same = false;
    ck_assert_msg(weir_namespace_create(store, &record, INT64_MAX, &is_same, &fx.err) == WEIR_OK,
                  "%s", fx.err.text);
}

struct weir_namespace *must_open(struct weir_store *store, const char *id)
{
    struct weir_namespace *ns = NULL;
    ck_assert_msg(weir_namespace_open(store, weir_slice_of(id), INT64_MAX, &ns, &fx.err) == WEIR_OK,
                  "%s", fx.err.text);
    return ns;
}

static void begin(void)
{
    fx = (struct fixture){.store = NULL};
    weir_error_init(&fx.err);
    weir_arena_init(&fx.arena, 256 << 20, 64 << 20);
}

void fixture_dir_only(void)
{
    begin();
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(fx.dir, sizeof fx.dir, "%s/weir-store-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    ck_assert_ptr_nonnull(mkdtemp(fx.dir));
    (void)snprintf(fx.url, sizeof fx.url, "sqlite:%s", fx.dir);
}

static bool is_busy(weir_status status)
{
    return status == WEIR_BACKEND_UNAVAILABLE || status == WEIR_DEADLINE_EXCEEDED;
}

/* Deletes a namespace. Background jobs of the database may block the deletion longer than one call
 * waits, so it is retried. */
static void must_delete(struct weir_slice id)
{
    weir_status status = WEIR_BACKEND_UNAVAILABLE;
    for (int i = 0; i < 20 && is_busy(status); i++) {
        int64_t messages = 0;
        status = weir_namespace_delete(fx.store, id, INT64_MAX, &messages, &fx.err);
    }
    ck_assert_msg(status == WEIR_OK, "%s", fx.err.text);
}

/* Empties a store that all tests share. */
static void delete_namespaces(void)
{
    const struct weir_registry_query all = {
        .limit = 1000, .max_bytes = SIZE_MAX / 2, .deadline_us = INT64_MAX};
    struct weir_registry_page page;
    ck_assert_int_eq(weir_namespace_list(fx.store, &all, &fx.arena, &page, &fx.err), WEIR_OK);
    for (size_t r = 0; r < page.n; r++) {
        must_delete(page.records[r].id);
    }
}

static void open_test_namespace(void)
{
    fx.store = open_store(fx.url, 8);
    delete_namespaces();
    must_create(fx.store, "test");
    fx.ns = must_open(fx.store, "test");
}

void fixture_on_disk(void)
{
    const char *given = getenv("WEIR_TEST_STORE");
    if (given == NULL) {
        fixture_dir_only();
    } else {
        begin();
        (void)snprintf(fx.url, sizeof fx.url, "%s", given);
    }
    open_test_namespace();
}

void fixture_in_memory(void)
{
    begin();
    (void)snprintf(fx.url, sizeof fx.url, "sqlite::memory:");
    open_test_namespace();
}

void close_all(void)
{
    weir_namespace_release(fx.ns);
    weir_store_close(fx.store);
    fx.ns = NULL;
    fx.store = NULL;
}

void reopen(void)
{
    close_all();
    fx.store = open_store(fx.url, 8);
    fx.ns = must_open(fx.store, "test");
}

void open_second(void)
{
    fx.second = open_store(fx.url, 4);
    fx.second_ns = must_open(fx.second, "test");
}

void close_second(void)
{
    weir_namespace_release(fx.second_ns);
    weir_store_close(fx.second);
    fx.second_ns = NULL;
    fx.second = NULL;
}

void fixture_end(void)
{
    close_second();
    close_all();
    weir_arena_fini(&fx.arena);
    if (fx.dir[0] != '\0') {
        remove_tree(fx.dir);
    }
}

/* ---- files ---- */

const char *path_in_dir(const char *name)
{
    static char areas[4][400];
    static size_t next;
    char *area = areas[next++ % WEIR_COUNTOF(areas)];
    (void)snprintf(area, sizeof areas[0], "%s/%s", fx.dir, name);
    return area;
}

const char *namespace_path(void)
{
    const char *path = NULL;
    DIR *dir = opendir(fx.dir);
    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        const size_t n = strlen(entry->d_name);
        if (strncmp(entry->d_name, "ns-", 3) == 0 && strcmp(entry->d_name + n - 3, ".db") == 0) {
            ck_assert_ptr_null(path);
            path = path_in_dir(entry->d_name);
        }
    }
    (void)closedir(dir);
    ck_assert_ptr_nonnull(path);
    return path;
}

size_t files_in_dir(void)
{
    size_t n = 0;
    DIR *dir = opendir(fx.dir);
    ck_assert_ptr_nonnull(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        n += entry->d_name[0] != '.';
    }
    (void)closedir(dir);
    return n;
}

enum { STARTS_WITHIN_MS = 20000 };

struct sqlite3 *start_program(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    char *text = NULL;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    /* SQLite locks out new readers for a moment while another connection is closed. */
    ck_assert_int_eq(sqlite3_busy_timeout(db, STARTS_WITHIN_MS), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &text) == SQLITE_OK, "%s", text);
    ck_assert_int_eq(sqlite3_busy_timeout(db, 0), SQLITE_OK);
    return db;
}

void end_program(struct sqlite3 *program)
{
    ck_assert_int_eq(sqlite3_close(program), SQLITE_OK);
}

void run_sql(const char *path, const char *sql)
{
    end_program(start_program(path, sql));
}

void tamper(const char *sql)
{
    run_sql(namespace_path(), sql);
}

void check_integrity(const char *path)
{
    run_sql(path, "CREATE TEMP TABLE whole (answer CHECK (answer = 'ok'));"
                  "INSERT INTO whole SELECT * FROM pragma_integrity_check");
}

void crash_in_deletion(const char *path)
{
    close_all();
    char sql[300];
    (void)snprintf(sql, sizeof sql,
                   "DELETE FROM namespaces; INSERT INTO doomed_files VALUES ('%s')",
                   strrchr(path, '/') + 1);
    run_sql(path_in_dir("registry.db"), sql);
}

bool file_bytes(const char *path, uint8_t **bytes, size_t *n)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    (void)fseek(file, 0, SEEK_END);
    *n = (size_t)ftell(file);
    rewind(file);
    *bytes = malloc(*n + 1);
    const bool is_read = *bytes != NULL && fread(*bytes, 1, *n, file) == *n;
    (void)fclose(file);
    return is_read;
}

void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

/* ---- writing ---- */

struct weir_uuid id_of(uint64_t number)
{
    struct weir_uuid id = {{0x0f}};
    for (size_t i = 0; i < 8; i++) {
        id.bytes[15 - i] = (uint8_t)(number >> (8 * i));
    }
    return id;
}

struct weir_new_message message_of(uint64_t id, const char *data)
{
    return (struct weir_new_message){.id = id_of(id),
                                     .is_id_given = true,
                                     .type = weir_slice_of("Happened"),
                                     .data = weir_slice_of(data)};
}

static void note_done(struct weir_write *write)
{
    *(bool *)write->context = true;
}

weir_status commit_write(struct weir_namespace *ns, struct weir_write *write)
{
    bool is_done = false;
    write->err = &fx.err;
    write->done = note_done;
    write->context = &is_done;
    write->arena = &fx.arena;
    if (write->deadline_us == 0) {
        write->deadline_us = INT64_MAX;
    }
    ck_assert(weir_write_submit(ns, write));
    ck_assert(!weir_lane_run(ns));
    ck_assert(is_done);
    return fx.err.status;
}

static void count_done(struct weir_write *write)
{
    ++*(size_t *)write->context;
}

void commit_group(struct weir_namespace *ns, struct weir_write *writes, struct weir_error *errors,
                  size_t n)
{
    size_t done = 0;
    for (size_t w = 0; w < n; w++) {
        writes[w].err = &errors[w];
        writes[w].done = count_done;
        writes[w].context = &done;
        writes[w].arena = &fx.arena;
        if (writes[w].deadline_us == 0) {
            writes[w].deadline_us = INT64_MAX;
        }
        ck_assert(weir_write_submit(ns, &writes[w]) == (w == 0));
    }
    ck_assert(!weir_lane_run(ns));
    ck_assert_uint_eq(done, n);
}

struct weir_write write_of(struct weir_stream_append *part, const char *stream,
                           struct weir_expectation expectation,
                           const struct weir_new_message *message, struct weir_written *written)
{
    *part = (struct weir_stream_append){.stream = weir_slice_of(stream),
                                        .expectation = expectation,
                                        .messages = message,
                                        .n = 1,
                                        .written = written};
    return (struct weir_write){.kind = WEIR_WRITE_APPEND, .of.append = {.streams = part, .n = 1}};
}

weir_status append(struct weir_namespace *ns, const char *stream,
                   struct weir_expectation expectation, const struct weir_new_message *messages,
                   size_t n, struct weir_written *written)
{
    struct weir_stream_append part = {.stream = weir_slice_of(stream),
                                      .expectation = expectation,
                                      .messages = messages,
                                      .n = n,
                                      .written = written};
    struct weir_write write = {.kind = WEIR_WRITE_APPEND, .of.append = {.streams = &part, .n = 1}};
    return commit_write(ns, &write);
}

weir_status put_one(uint64_t id)
{
    const struct weir_new_message message = message_of(id, "1");
    struct weir_written written;
    weir_error_init(&fx.err);
    return append(fx.ns, "a-1", ANY, &message, 1, &written);
}

void must_put(struct weir_namespace *ns, const char *stream, size_t n)
{
    struct weir_new_message *messages = calloc(n, sizeof *messages);
    struct weir_written *written = calloc(n, sizeof *written);
    for (size_t m = 0; m < n; m++) {
        messages[m] = message_of((UINT64_C(1) << 40) + last_id++, "{\"n\":1}");
    }
    ck_assert_msg(append(ns, stream, ANY, messages, n, written) == WEIR_OK, "%s", fx.err.text);
    free(messages);
    free(written);
}

struct weir_import_record record_of(uint64_t id, const char *stream, int64_t position,
                                    int64_t global_position)
{
    return (struct weir_import_record){.message = message_of(id, "{\"a\":1}"),
                                       .stream = weir_slice_of(stream),
                                       .position = position,
                                       .global_position = global_position,
                                       .time_us = 1000000 + global_position};
}

weir_status import(struct weir_namespace *ns, const struct weir_import_record *records, size_t n,
                   struct weir_import *outcome)
{
    struct weir_write write = {.kind = WEIR_WRITE_IMPORT,
                               .of.import = {.records = records, .n = n}};
    const weir_status status = commit_write(ns, &write);
    if (outcome != NULL) {
        *outcome = write.of.import;
    }
    return status;
}

/* ---- reading ---- */

static struct weir_query query_of(enum weir_selector selector, const char *name)
{
    return (struct weir_query){.selector = selector,
                               .name = weir_slice_of(name),
                               .max_messages = 1000,
                               .max_bytes = SIZE_MAX,
                               .deadline_us = INT64_MAX};
}

struct weir_query query_stream(const char *stream)
{
    return query_of(WEIR_SELECT_STREAM, stream);
}

struct weir_query query_category(const char *category)
{
    return query_of(WEIR_SELECT_CATEGORY, category);
}

struct weir_query query_all(void)
{
    return query_of(WEIR_SELECT_ALL, NULL);
}

void must_read(struct weir_namespace *ns, const struct weir_query *query)
{
    weir_arena_reset(&fx.arena);
    ck_assert_msg(weir_read(ns, query, &fx.arena, &fx.rows, &fx.err) == WEIR_OK, "%s", fx.err.text);
}

int64_t must_version(struct weir_namespace *ns, const char *stream)
{
    int64_t version = -2;
    ck_assert_msg(weir_stream_version(ns, weir_slice_of(stream), INT64_MAX, &version, &fx.err) ==
                      WEIR_OK,
                  "%s", fx.err.text);
    return version;
}

int64_t must_head(struct weir_namespace *ns)
{
    struct weir_head head = {.position = -1};
    ck_assert_msg(weir_head(ns, INT64_MAX, &head, &fx.err) == WEIR_OK, "%s", fx.err.text);
    return head.position;
}

void assert_detail(const char *key, const char *value)
{
    const char *found = weir_error_get_detail(&fx.err, key);
    ck_assert_msg(found != NULL, "no detail %s", key);
    ck_assert_str_eq(found, value);
}
