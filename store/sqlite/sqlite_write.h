/* A group as one transaction, and the writes of it, one at a time, inside that.
 *
 * Each function but the first returns a SQLite result code: SQLITE_OK where the write is done or
 * refused (then its err says why, and it has left no trace), anything else where the whole group
 * has failed. */
#ifndef WEIR_STORE_SQLITE_WRITE_H
#define WEIR_STORE_SQLITE_WRITE_H

#include "store/sqlite/sqlite_group.h"
#include "store/sqlite/sqlite_reading.h"

#include "weir/rules/limits.h"

/* `commit` of the session. */
void weir_sqlite_commit(struct weir_session *base, struct weir_write **first);

/* What an append knows of its streams, in its order. */
struct append_streams {
    struct group_stream *streams[WEIR_WRITE_STREAMS_MAX];
};

int weir_sqlite_append(struct sqlite_session *session, struct weir_write *write);
int weir_sqlite_import(struct sqlite_session *session, struct weir_write *write);
int weir_sqlite_clear(struct sqlite_session *session, struct weir_write *write);

/* Inserts one message of a stream that has its ids; the extended result code. */
int weir_sqlite_insert(struct sqlite_session *session, const struct group_stream *stream,
                       const struct weir_new_message *message, const struct weir_written *written);

/* Decides about an append that cannot be done as it stands: because an expectation does not hold,
 * because positions have run out, or (`is_taken`) because the insert met something that is there.
 * Ids come first: it may be a retry. */
int weir_sqlite_settle(struct sqlite_session *session, struct weir_write *write,
                       const struct append_streams *known, bool is_taken);

/* Refuses a write to a stream whose version cannot be right. The others of the group have nothing
 * to do with it. */
void weir_sqlite_refuse_damaged(const struct sqlite_session *session, struct weir_write *write);

/* What is stored where something is looked for. Of a damaged row only global_position means
 * something. */
enum sqlite_found { FOUND_NOTHING, FOUND_ROW, FOUND_DAMAGED };

/* The stored message of an id, with its stream's name; the row is valid until the statement that is
 * handed out is reset. */
int weir_sqlite_find_id(struct sqlite_session *session, const struct weir_uuid *id,
                        sqlite3_stmt **statement, struct weir_row *row, enum sqlite_found *found);

#endif
