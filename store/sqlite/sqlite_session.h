/* A session: one connection to a namespace, and its prepared statements. */
#ifndef WEIR_STORE_SQLITE_SESSION_H
#define WEIR_STORE_SQLITE_SESSION_H

#include "store/sqlite/sqlite_int.h"

/* X(name, text). The texts that do not depend on a query; each is prepared when first needed. */
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

enum { WEIR_SQLITE_SELECTS = 16 };  // kept prepared

/* A SELECT composed for a kind of query. */
struct sqlite_select {
    uint32_t key;  // 0: free
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
    int64_t busy_until_us;         // how long a lock is waited for
    int64_t commit_us;             // how long the last commit took; 0 in memory
    int wal_pages;                 // after the last commit
    int wal_asked;                 // its length when a checkpoint was last asked for
    char name[WEIR_SQLITE_NAME_BYTES];
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct sqlite_select selects[WEIR_SQLITE_SELECTS];
    size_t next_select;              // the one to be replaced next
    struct sqlite_reading *reading;  // under way, which rows are taken for
    struct sqlite_group *group;      // NULL until the first commit
    bool is_committing;

    /* On disk only. */
    int64_t created_at_us;  // of the namespace, as the registry had it when the session was opened
    struct sqlite_file_id file, wal;
    bool is_nameless;                       // a file was not found at its name
    struct sqlite_session *before, *after;  // guarded by the backend's sessions_mutex
};

weir_status weir_sqlite_session_open(struct weir_backend *base, struct weir_slice id,
                                     int64_t deadline_us, struct weir_session **session,
                                     struct weir_error *err);

/* The prepared statement, reset and ready to be bound; a result code otherwise. */
int weir_sqlite_statement(struct sqlite_session *session, enum sqlite_statement which,
                          sqlite3_stmt **statement);

/* Runs a statement that gives no rows: SQLITE_OK where it is done. Resets it. */
int weir_sqlite_run(sqlite3_stmt *statement);

/* The same for one that needs no values. */
int weir_sqlite_do(struct sqlite_session *session, enum sqlite_statement which);

/* Binds text that outlives the statement's run; absent is NULL. */
int weir_sqlite_bind_text(sqlite3_stmt *statement, int at, struct weir_slice text);

/* The bytes of a column, valid until the next step; absent for NULL, false for another type than
 * text. */
bool weir_sqlite_text(sqlite3_stmt *statement, int column, struct weir_slice *text);

/* Fails a call of this session, marks the session where it cannot be used any more, and tells the
 * operator what the caller does not see. */
weir_status weir_sqlite_session_fail(struct sqlite_session *session, int rc, const char *what,
                                     struct weir_error *err);

/* A message whose row cannot be read: DATA_CORRUPT that names it; the operator is told as well. */
weir_status weir_sqlite_session_damaged(const struct sqlite_session *session,
                                        int64_t global_position, struct weir_error *err);

/* The same where the counters are what they cannot be. */
weir_status weir_sqlite_session_miscounts(const struct sqlite_session *session,
                                          struct weir_error *err);

/* Where the counters are missing: the namespace has been deleted by another process. */
weir_status weir_sqlite_session_is_deleted(struct sqlite_session *session, struct weir_error *err);

#endif
