/* Writing: the commit of a group in one transaction, and the writes that it applies one after the
 * other. Used by the thread that leads the namespace's lane.
 *
 * Functions that return int return SQLite's result codes: SQLITE_OK if the write is done or has
 * been refused (its err then says why, and it has left no trace), any other code if the whole group
 * has failed. */
#ifndef WEIR_STORE_SQLITE_WRITE_H
#define WEIR_STORE_SQLITE_WRITE_H

#include "store/sqlite/sqlite_group.h"

#include "weir/rules/limits.h"

/* The commit of `struct weir_session_ops`. */
void weir_sqlite_commit(struct weir_session *base, struct weir_write **first);

/* The streams of an append, in its order. */
struct append_streams {
    struct group_stream *streams[WEIR_WRITE_STREAMS_MAX];
};

/* Apply one write to the open transaction of the session's group. */
int weir_sqlite_append(struct sqlite_session *session, struct weir_write *write);
int weir_sqlite_import(struct sqlite_session *session, struct weir_write *write);
int weir_sqlite_clear(struct sqlite_session *session, struct weir_write *write);

/* Inserts one message of a stream that has its ids. Returns the extended result code. */
int weir_sqlite_insert(struct sqlite_session *session, const struct group_stream *stream,
                       const struct weir_new_message *message, const struct weir_written *written);

/* Decides about an append that cannot be done as it stands: an expectation does not hold, positions
 * have run out, or (`is_taken`) an insert met an existing id or position. Ids are examined first,
 * because the append may be a retry. */
int weir_sqlite_settle(struct sqlite_session *session, struct weir_write *write,
                       const struct append_streams *known, bool is_taken);

/* Refuses a write to a stream whose stored version cannot be right; the other writes of the group
 * are not affected. */
void weir_sqlite_refuse_damaged(const struct sqlite_session *session, struct weir_write *write);

/* The result of a search for a row. Of a damaged row only global_position is meaningful. */
enum sqlite_found { FOUND_NOTHING, FOUND_ROW, FOUND_DAMAGED };

/* Finds the stored message of an id, with its stream's name. The row is valid until the caller
 * resets *statement. */
int weir_sqlite_find_id(struct sqlite_session *session, const struct weir_uuid *id,
                        sqlite3_stmt **statement, struct weir_row *row, enum sqlite_found *found);

#endif
