/* A session: one connection to a namespace's database with its prepared statements. Used by one
 * thread at a time, except for the fields that the backend's sessions_mutex guards and is_stale. */
#ifndef WEIR_STORE_SQLITE_SESSION_H
#define WEIR_STORE_SQLITE_SESSION_H

#include "store/sqlite/sqlite_backend.h"
#include "store/sqlite/sqlite_identity.h"

/* X(name, text): the statements whose text does not depend on a query; each is prepared when first
 * needed. */
#define WEIR_SQLITE_STATEMENTS(X)                                                                  \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(COUNTERS_GET,                                                                                \
      "SELECT next_global_position, last_write_us, message_count, stream_count FROM counters "     \
      "WHERE one = 1")                                                                             \
    X(COUNTERS_SET,                                                                                \
      "UPDATE counters SET next_global_position = ?1, last_write_us = ?2, message_count = ?3, "    \
      "stream_count = ?4 WHERE one = 1")                                                           \
    X(STREAM_GET,                                                                                  \
      "SELECT stream_id, category_id, version, last_time_us FROM streams WHERE name = ?1")         \
    X(STREAM_ADD,                                                                                  \
      "INSERT INTO streams (stream_id, name, category_id, cardinal_hash, version, message_count, " \
      "last_time_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                         \
    X(STREAM_SET,                                                                                  \
      "UPDATE streams SET version = ?2, message_count = message_count + ?3, last_time_us = ?4 "    \
      "WHERE stream_id = ?1")                                                                      \
    X(STREAM_LAST_ID, "SELECT max(stream_id) FROM streams")                                        \
    X(CATEGORY_GET, "SELECT category_id FROM categories WHERE name = ?1")                          \
    X(CATEGORY_ADD, "INSERT INTO categories (category_id, name, stream_count, message_count) "     \
                    "VALUES (?1, ?2, ?3, ?4)")                                                     \
    X(CATEGORY_SET,                                                                                \
      "UPDATE categories SET stream_count = stream_count + ?2, message_count = message_count + "   \
      "?3 WHERE category_id = ?1")                                                                 \
    X(CATEGORY_LAST_ID, "SELECT max(category_id) FROM categories")                                 \
    X(MESSAGE_ADD,                                                                                 \
      "INSERT INTO messages (global_position, stream_id, position, category_id, correlation, "     \
      "packed, large) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                        \
    X(MESSAGES_UNDO, "DELETE FROM messages WHERE global_position >= ?1")                           \
    X(MESSAGE_BY_ID, "SELECT m.global_position, m.position, m.packed, m.large FROM messages AS m " \
                     "INDEXED BY messages_by_id WHERE substr(m.packed, 1, 16) = ?1")               \
    X(MESSAGE_BY_GLOBAL,                                                                           \
      "SELECT m.global_position, m.position, m.packed, m.large FROM messages AS m "                \
      "WHERE m.global_position = ?1")                                                              \
    X(MESSAGE_IS_AT, "SELECT 1 FROM messages WHERE stream_id = ?1 AND position = ?2")              \
    X(SAVEPOINT, "SAVEPOINT import")                                                               \
    X(SAVEPOINT_UNDO, "ROLLBACK TO import")                                                        \
    X(SAVEPOINT_END, "RELEASE import")                                                             \
    X(CLEAR_MESSAGES, "DELETE FROM messages")                                                      \
    X(CLEAR_STREAMS, "DELETE FROM streams")                                                        \
    X(CLEAR_CATEGORIES, "DELETE FROM categories")                                                  \
    X(SCOPE_STREAM, "SELECT c.next_global_position - 1, s.message_count, s.stream_id, s.version "  \
                    "FROM counters AS c LEFT JOIN streams AS s ON s.name = ?1 WHERE c.one = 1")    \
    X(SCOPE_CATEGORY,                                                                              \
      "SELECT c.next_global_position - 1, k.message_count, k.category_id, c.message_count "        \
      "FROM counters AS c LEFT JOIN categories AS k ON k.name = ?1 WHERE c.one = 1")               \
    X(SCOPE_ALL,                                                                                   \
      "SELECT next_global_position - 1, message_count, stream_count FROM counters WHERE one = 1")  \
    X(NEWEST, "SELECT packed FROM messages ORDER BY global_position DESC LIMIT 1")                 \
    X(LIST_STREAMS,                                                                                \
      "SELECT name, version, last_time_us FROM streams WHERE name >= ?1 AND name <> ?2 "           \
      "ORDER BY name LIMIT ?3")                                                                    \
    X(LIST_CATEGORIES, "SELECT name, stream_count, message_count FROM categories ORDER BY name")   \
    X(COUNT_CATEGORIES, "SELECT (SELECT count(*) FROM categories) FROM counters WHERE one = 1")

#define WEIR_SQLITE_STATEMENT_ENUM(name, text) STATEMENT_##name,
enum sqlite_statement { WEIR_SQLITE_STATEMENTS(WEIR_SQLITE_STATEMENT_ENUM) STATEMENT_COUNT };
#undef WEIR_SQLITE_STATEMENT_ENUM

enum { WEIR_SQLITE_SELECTS = 16 };  // kept prepared by a session

/* A prepared SELECT of sqlite_select.c. */
struct sqlite_select {
    uint32_t key;  // of its shape; 0: the entry is free
    sqlite3_stmt *statement;
};

struct sqlite_group;
struct sqlite_reading;

struct sqlite_session {
    struct weir_session base;
    struct sqlite_backend *backend;
    sqlite3 *db;
    size_t cache_kib;
    struct sqlite_memory *memory;  // NULL on disk
    int64_t busy_until_us;         // end of the wait for a lock, monotonic
    int64_t told_us;               // when a read last called weir_backend_waits, monotonic
    int64_t commit_us;             // duration of the last commit; 0 in memory
    int wal_pages;                 // length of the WAL after the last commit
    int wal_asked;                 // length of the WAL when a checkpoint was last asked for
    int64_t asked_at_us;           // when that was, monotonic
    int64_t busy_since_us;         // when commits began to wait for another process
    int64_t busy_at_us;            // when they last waited; 0: the last one did not
    bool is_lock_told;             // the operator has been told of that wait
    char name[WEIR_SQLITE_NAME_BYTES];
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct sqlite_select selects[WEIR_SQLITE_SELECTS];
    size_t next_select;              // index of the entry to be replaced next
    struct sqlite_reading *reading;  // read under way, which WEIR_SQLITE_TAKE takes rows for
    struct sqlite_group *group;      // NULL until the first commit
    bool is_committing;

    /* On disk only. */
    int64_t created_at_us;  // of the namespace, by the registry when the session was opened
    struct sqlite_file_id file, wal;
    bool is_nameless;       // the file or its WAL has lost its name
    struct weir_link open;  // among the open sessions; guarded by the backend's sessions_mutex
};

/* The session_open of `struct weir_store_ops`. */
weir_status weir_sqlite_session_open(struct weir_backend *base, struct weir_slice id,
                                     int64_t deadline_us, struct weir_session **session,
                                     bool *is_short_of_files, struct weir_error *err);

/* Sets *statement to the prepared statement, reset and ready to be bound. Returns a result code. */
int weir_sqlite_statement(struct sqlite_session *session, enum sqlite_statement which,
                          sqlite3_stmt **statement);

/* Runs a bound statement whose rows are not needed, and resets it. Returns SQLITE_OK once it is
 * done, another result code otherwise. */
int weir_sqlite_run(sqlite3_stmt *statement);

/* Prepares and runs a statement without parameters as weir_sqlite_run does. */
int weir_sqlite_do(struct sqlite_session *session, enum sqlite_statement which);

/* Binds text, which must outlive the statement's run; an absent slice is bound as NULL. */
int weir_sqlite_bind_text(sqlite3_stmt *statement, int at, struct weir_slice text);

/* Sets *text to the bytes of a column, valid until the next step; absent for NULL. False for a
 * column that is neither text nor NULL. */
bool weir_sqlite_text(sqlite3_stmt *statement, int column, struct weir_slice *text);

/* Fails a call of this session by a result code, marks the session as broken if it cannot be used
 * any more, and reports to the operator what the caller does not see. */
weir_status weir_sqlite_session_fail(struct sqlite_session *session, int rc, const char *what,
                                     struct weir_error *err);

/* Fails a call that has met an unreadable row: DATA_CORRUPT naming the message's global position,
 * also reported to the operator. */
weir_status weir_sqlite_session_damaged(const struct sqlite_session *session,
                                        int64_t global_position, struct weir_error *err);

/* Fails a call that has met impossible counters: DATA_CORRUPT, also reported to the operator. */
weir_status weir_sqlite_session_miscounts(const struct sqlite_session *session,
                                          struct weir_error *err);

/* Fails a call that has found the counters missing, because another process has deleted the
 * namespace: NAMESPACE_NOT_FOUND. Marks the session as broken and the namespace's others as stale.
 */
weir_status weir_sqlite_session_is_deleted(struct sqlite_session *session, struct weir_error *err);

/* Steps a statement that reads the counters to its row, given the result code `rc` of preparing it;
 * `what` was to be done. Leaves it there: what is read before it is reset is of the same snapshot.
 * Fails as weir_sqlite_session_is_deleted where there is no row, else as weir_sqlite_session_fail.
 */
weir_status weir_sqlite_session_step_counters(struct sqlite_session *session, int rc,
                                              sqlite3_stmt *statement, const char *what,
                                              struct weir_error *err);

#endif
