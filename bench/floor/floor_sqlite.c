/* Measures SQLite alone: inserts rows into weir's schema with prepared statements, a fixed number
 * per transaction. Nothing is looked up: the program knows every id, version and count, which a
 * server cannot. */
#include "bench/floor/floor.h"

#include "bench/lib/payload.h"
#include "bench/lib/scratch.h"
#include "store/sqlite/sqlite_packed.h"
#include "weir/rules/time_text.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { CATEGORY = 1, CHECKPOINT_PAGES = 4000, STREAM_NAME_BYTES = 32 };

static const char *const texts[] = {
    "BEGIN IMMEDIATE",
    "INSERT INTO messages (global_position, stream_id, position, category_id, packed, large) "
    "VALUES (?1, ?2, ?3, 1, ?4, ?5)",
    "UPDATE streams SET version = ?2, message_count = message_count + ?3, last_time_us = ?4 "
    "WHERE stream_id = ?1",
    "UPDATE categories SET message_count = message_count + ?1 WHERE category_id = 1",
    "UPDATE counters SET next_global_position = ?1, last_write_us = ?2, message_count = ?1 - 1 "
    "WHERE one = 1",
    "COMMIT",
};

enum { BEGIN, ADD_MESSAGE, SET_STREAM, SET_CATEGORY, SET_COUNTERS, COMMIT, STATEMENTS };

struct stream {
    char name[STREAM_NAME_BYTES];
    int64_t version;
    int64_t added;  // messages added in this transaction
};

struct alone {
    const struct floor_options *options;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct stream *streams;
    char *data;
    int64_t global_position;
};

/* ---- a transaction ---- */

static int run(sqlite3_stmt *statement)
{
    const int rc = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int add_message(struct alone *alone, size_t stream, int64_t now_us, uint64_t seed)
{
    sqlite3_stmt *statement = alone->statements[ADD_MESSAGE];
    const size_t data_bytes = (size_t)alone->options->data_bytes;
    struct sqlite_packed packed;
    struct weir_row row = {.time_us = now_us,
                           .stream = weir_slice_of(alone->streams[stream].name),
                           .type = weir_slice_of("Deposited"),
                           .data = weir_slice(alone->data, data_bytes)};
    payload_make(seed, alone->data, data_bytes);
    if (!weir_uuid_make_v7(&row.id) || !weir_sqlite_pack(&row, &packed)) {
        return SQLITE_ERROR;
    }
    alone->streams[stream].version++;
    alone->streams[stream].added++;
    (void)sqlite3_bind_int64(statement, 1, alone->global_position++);
    (void)sqlite3_bind_int64(statement, 2, (int64_t)stream + 1);
    (void)sqlite3_bind_int64(statement, 3, alone->streams[stream].version);
    (void)sqlite3_bind_blob(statement, 4, packed.bytes, (int)packed.n, SQLITE_STATIC);
    (void)sqlite3_bind_blob(statement, 5, packed.is_large ? alone->data : NULL, (int)data_bytes,
                            SQLITE_STATIC);
    return run(statement);
}

static int set_streams(struct alone *alone, int64_t now_us)
{
    sqlite3_stmt *statement = alone->statements[SET_STREAM];
    int rc = SQLITE_OK;
    for (int64_t s = 0; rc == SQLITE_OK && s < alone->options->streams; s++) {
        struct stream *stream = &alone->streams[s];
        if (stream->added > 0) {
            (void)sqlite3_bind_int64(statement, 1, s + 1);
            (void)sqlite3_bind_int64(statement, 2, stream->version);
            (void)sqlite3_bind_int64(statement, 3, stream->added);
            (void)sqlite3_bind_int64(statement, 4, now_us);
            rc = run(statement);
            stream->added = 0;
        }
    }
    return rc;
}

static int set_counts(struct alone *alone, int64_t n, int64_t now_us)
{
    (void)sqlite3_bind_int64(alone->statements[SET_CATEGORY], 1, n);
    (void)sqlite3_bind_int64(alone->statements[SET_COUNTERS], 1, alone->global_position);
    (void)sqlite3_bind_int64(alone->statements[SET_COUNTERS], 2, now_us);
    const int rc = run(alone->statements[SET_CATEGORY]);
    return rc == SQLITE_OK ? run(alone->statements[SET_COUNTERS]) : rc;
}

static struct load_outcome write_group(void *context, struct load_slot *slot)
{
    struct alone *alone = context;
    const int64_t n = alone->options->batch;
    const int64_t now_us = weir_now_us();
    int rc = run(alone->statements[BEGIN]);
    for (int64_t m = 0; rc == SQLITE_OK && m < n; m++) {
        const uint64_t chance = payload_random(&slot->random);
        rc = add_message(alone, chance % (uint64_t)alone->options->streams, now_us, chance);
    }
    rc = rc == SQLITE_OK ? set_streams(alone, now_us) : rc;
    rc = rc == SQLITE_OK ? set_counts(alone, n, now_us) : rc;
    rc = rc == SQLITE_OK ? run(alone->statements[COMMIT]) : rc;
    if (rc != SQLITE_OK) {
        return (struct load_outcome){.reason = "SQLITE", .text = sqlite3_errmsg(alone->db)};
    }
    return (struct load_outcome){.op = LOAD_WRITE, .messages = (uint64_t)n};
}

/* ---- the file ---- */

/* Creates a namespace through the store, so that the file has weir's schema. */
static weir_status make_namespace(const char *directory, struct weir_error *err)
{
    char url[SCRATCH_PATH_MAX + 16];
    (void)snprintf(url, sizeof url, "sqlite:%s", directory);
    const struct weir_store_options options = {.url = url, .max_sessions = 2};
    struct weir_store *store = NULL;
    weir_status status = weir_store_open(&options, &store, err);
    if (status == WEIR_OK) {
        struct weir_namespace_record record = {.id = weir_slice_of("bench")};
        bool is_same = false;
        status = weir_namespace_create(store, &record, INT64_MAX, &is_same, err);
        weir_store_close(store);
    }
    return status;
}

static bool find_file(const char *directory, char path[2 * SCRATCH_PATH_MAX])
{
    DIR *entries = opendir(directory);
    bool is_found = false;
    for (struct dirent *e = NULL; entries != NULL && (e = readdir(entries)) != NULL;) {
        const size_t n = strlen(e->d_name);
        if (strncmp(e->d_name, "ns-", 3) == 0 && n > 3 && strcmp(e->d_name + n - 3, ".db") == 0) {
            (void)snprintf(path, 2 * SCRATCH_PATH_MAX, "%s/%s", directory, e->d_name);
            is_found = true;
        }
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    return is_found;
}

/* Replaces the database by an in-memory copy. */
static int copy_to_memory(sqlite3 **db)
{
    sqlite3 *file = *db;
    int rc = sqlite3_open(":memory:", db);
    sqlite3_backup *copy = rc == SQLITE_OK ? sqlite3_backup_init(*db, "main", file, "main") : NULL;
    if (copy != NULL) {
        (void)sqlite3_backup_step(copy, -1);
        rc = sqlite3_backup_finish(copy);
    }
    (void)sqlite3_close(file);
    return copy == NULL ? SQLITE_ERROR : rc;
}

static int add_streams(struct alone *alone)
{
    int rc = sqlite3_exec(alone->db, "BEGIN; INSERT INTO categories VALUES (1, 'load', 0, 0)", NULL,
                          NULL, NULL);
    for (int64_t s = 1; rc == SQLITE_OK && s <= alone->options->streams; s++) {
        struct stream *stream = &alone->streams[s - 1];
        char text[160];
        (void)snprintf(stream->name, sizeof stream->name, "load-%06lld", (long long)s);
        (void)snprintf(text, sizeof text,
                       "INSERT INTO streams VALUES (%lld, '%s', 1, %lld, -1, 0, 0)", (long long)s,
                       stream->name, (long long)s);
        rc = sqlite3_exec(alone->db, text, NULL, NULL, NULL);
        stream->version = -1;
    }
    return rc == SQLITE_OK ? sqlite3_exec(alone->db, "COMMIT", NULL, NULL, NULL) : rc;
}

static int open_file(struct alone *alone, const char *path)
{
    char settings[200];
    (void)snprintf(settings, sizeof settings,
                   "PRAGMA cache_size = -65536; PRAGMA synchronous = %s; "
                   "PRAGMA wal_autocheckpoint = %d",
                   alone->options->is_durability_normal ? "NORMAL" : "FULL", CHECKPOINT_PAGES);
    int rc = sqlite3_open_v2(path, &alone->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK && alone->options->is_in_memory) {
        rc = copy_to_memory(&alone->db);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(alone->db, settings, NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = add_streams(alone);
    }
    for (size_t s = 0; rc == SQLITE_OK && s < STATEMENTS; s++) {
        rc = sqlite3_prepare_v3(alone->db, texts[s], -1, SQLITE_PREPARE_PERSISTENT,
                                &alone->statements[s], NULL);
    }
    return rc;
}

static void close_file(struct alone *alone)
{
    for (size_t s = 0; s < STATEMENTS; s++) {
        (void)sqlite3_finalize(alone->statements[s]);
    }
    (void)sqlite3_close(alone->db);
}

static int measure(const struct floor_options *options, const char *directory)
{
    struct weir_error err;
    char path[2 * SCRATCH_PATH_MAX];
    weir_error_init(&err);
    if (make_namespace(directory, &err) != WEIR_OK) {
        return floor_fail("%s", err.text);
    }
    if (!find_file(directory, path)) {
        return floor_fail("%s: holds no file of a namespace made by weir", directory);
    }
    struct alone alone = {.options = options, .global_position = 1};
    alone.streams = calloc((size_t)options->streams, sizeof *alone.streams);
    alone.data = malloc((size_t)options->data_bytes);
    struct floor_run run = {.options = options,
                            .profile = "SQLite alone",
                            .settings = floor_settings(options, 1),
                            .work = {.context = &alone, .run = write_group}};
    int status = EXIT_FAILURE;
    if (alone.streams == NULL || alone.data == NULL) {
        status = floor_fail("out of memory");
    } else if (open_file(&alone, path) != SQLITE_OK) {
        status = floor_fail("SQLite: %s", sqlite3_errmsg(alone.db));
    } else {
        status = floor_measure(&run);
    }
    close_file(&alone);
    free(alone.streams);
    free(alone.data);
    return status;
}

int floor_sqlite(const struct floor_options *options)
{
    char directory[SCRATCH_PATH_MAX];
    if (!scratch_make(options->directory, directory)) {
        return EXIT_FAILURE;
    }
    const int status = measure(options, directory);
    scratch_remove(directory);
    return status;
}
