/* Fixture of the store tests: a store for each test and helpers for writing and reading.
 *
 * The store is a temporary directory, removed at the end, or lives in memory. WEIR_TEST_STORE can
 * name a store of any backend instead, which is emptied first; the cases named "on disk" run on it.
 * Functions named must_… fail the test if the call fails. Rows of a read live in `fx.arena` until
 * the next read. */
#ifndef WEIR_TESTS_STORE_FIXTURE_H
#define WEIR_TESTS_STORE_FIXTURE_H

#include "store/store.h"

#include <check.h>

struct fixture {
    char dir[128];  // "" for a store in memory
    char url[256];
    struct weir_store *store;
    struct weir_namespace *ns;  // "test"
    struct weir_arena arena;
    struct weir_error err;
    struct weir_rows rows;             // of the last read
    char report[1024];                 // last report of the store
    struct weir_store *second;         // store of a second server on the same directory; NULL: none
    struct weir_namespace *second_ns;  // namespace "test" of `second`
};

extern struct fixture fx;

void fixture_on_disk(void);
void fixture_in_memory(void);
void fixture_end(void);

/* Makes only the directory and the arena; the test opens the store. */
void fixture_dir_only(void);

/* Opens a second store on the same directory, as another server would, and its "test" namespace.
 * fixture_end closes it. */
void open_second(void);
void close_second(void);

struct weir_store *open_store(const char *url, size_t max_sessions);
weir_status try_open_store(const char *url, size_t max_sessions, struct weir_store **store);
void close_all(void);
void reopen(void);

void must_create(struct weir_store *store, const char *id);
struct weir_namespace *must_open(struct weir_store *store, const char *id);

/* Returns a path in the test's directory, in one of four rotating static buffers. */
const char *path_in_dir(const char *name);
/* Returns the path of the only namespace file. */
const char *namespace_path(void);
/* Returns the number of files in the test's directory. */
size_t files_in_dir(void);

/* Run SQL on a file, as another program would, and on the namespace's file. */
void run_sql(const char *path, const char *sql);
void tamper(const char *sql);

/* Runs SQL as another program that stays connected, with its open transaction, until
 * end_program. */
struct sqlite3 *start_program(const char *path, const char *sql);
void end_program(struct sqlite3 *program);

/* Runs SQLite's integrity check on a file. */
void check_integrity(const char *path);

/* Closes the store and leaves the directory as after a crash during a deletion, before the
 * namespace's file `path` is removed. */
void crash_in_deletion(const char *path);
bool file_bytes(const char *path, uint8_t **bytes, size_t *n);
void write_file(const char *path, const void *bytes, size_t n);

/* ---- writing ---- */

struct weir_uuid id_of(uint64_t number);  // never the nil id
struct weir_new_message message_of(uint64_t id, const char *data);

/* Commits one write on this thread. Returns its outcome, also stored in fx.err. */
weir_status commit_write(struct weir_namespace *ns, struct weir_write *write);

weir_status append(struct weir_namespace *ns, const char *stream,
                   struct weir_expectation expectation, const struct weir_new_message *messages,
                   size_t n, struct weir_written *written);

#define ANY           ((struct weir_expectation){WEIR_EXPECT_ANY, 0})
#define EXACT(v)      ((struct weir_expectation){WEIR_EXPECT_EXACT, (v)})
#define NO_STREAM     ((struct weir_expectation){WEIR_EXPECT_NO_STREAM, 0})
#define STREAM_EXISTS ((struct weir_expectation){WEIR_EXPECT_STREAM_EXISTS, 0})

/* Commits several writes as one group. Stores their outcomes in `errors`. */
void commit_group(struct weir_namespace *ns, struct weir_write *writes, struct weir_error *errors,
                  size_t n);

/* Makes an append of one message to one stream, in memory of the caller. */
struct weir_write write_of(struct weir_stream_append *part, const char *stream,
                           struct weir_expectation expectation,
                           const struct weir_new_message *message, struct weir_written *written);

/* Appends a message with the id id_of(`id`) to the stream a-1 of the namespace "test". */
weir_status put_one(uint64_t id);

/* Appends `n` messages with new ids in one write. */
void must_put(struct weir_namespace *ns, const char *stream, size_t n);

struct weir_import_record record_of(uint64_t id, const char *stream, int64_t position,
                                    int64_t global_position);
weir_status import(struct weir_namespace *ns, const struct weir_import_record *records, size_t n,
                   struct weir_import *outcome);

/* ---- reading ---- */

struct weir_query query_stream(const char *stream);
struct weir_query query_category(const char *category);
struct weir_query query_all(void);
void must_read(struct weir_namespace *ns, const struct weir_query *query);
int64_t must_version(struct weir_namespace *ns, const char *stream);
int64_t must_head(struct weir_namespace *ns);

void assert_detail(const char *key, const char *value);

#endif
