/* Writes. pg_commit.c divides a group into runs, each one transaction, and decides what follows a
 * failed attempt; pg_append.c, pg_import.c and pg_clear.c send a run; pg_versions.c remembers
 * versions of streams, and pg_write.c has what they share. pg_registry.c commits too.
 *
 * A write is open while its error is WEIR_OK. weir_pg_append, weir_pg_import and weir_pg_clear tell
 * each open write its outcome and return WEIR_OK; or the transaction as a whole has failed: then
 * they return its status, no write has been told anything, and the connection's remedy says what
 * may be done. */
#ifndef WEIR_STORE_POSTGRES_PG_WRITE_H
#define WEIR_STORE_POSTGRES_PG_WRITE_H

#include "store/postgres/pg_session.h"

/* The slot `commit` of struct weir_session_ops. */
void weir_pg_commit(struct weir_session *base, struct weir_write **group);

static inline bool weir_pg_is_open(const struct weir_write *write)
{
    return write->err->status == WEIR_OK;
}

/* Writes that are sent together: appends, or one write of another kind. */
struct pg_run {
    struct pg_session *session;
    struct weir_write **first;     // the link to the first write
    const struct weir_write *end;  // the first write behind the run, or NULL
    int64_t begun_us;              // before the first attempt; monotonic
    int64_t until_us;              // no attempt begins later; monotonic
    int64_t pause_us;              // before the next attempt to reach the database
    int64_t clears;  // count of clears before the last attempt of a clear; -1 before the first
    int64_t head;    // known before the first attempt: no attempt stored anything up to here
    bool has_met_internal;  // an attempt has met PG_REMEDY_INTERNAL
    bool is_in_doubt;       // an attempt was sent and not answered
};

weir_status weir_pg_append(const struct pg_run *run, struct pg_conn *conn, struct weir_error *err);
weir_status weir_pg_import(const struct pg_run *run, struct pg_conn *conn, struct weir_error *err);
weir_status weir_pg_clear(struct pg_run *run, struct pg_conn *conn, struct weir_error *err);

/* Returns the status of a transaction, or fails one that was committed with a warning: a standby
 * may not have confirmed it. Another attempt waits for the confirmation. */
weir_status weir_pg_check_confirmed(struct pg_conn *conn, weir_status status,
                                    struct weir_error *err);

/* Acknowledges what an earlier attempt did, whose answer was lost, by a commit of its own, which a
 * synchronous standby must confirm like the first one. */
weir_status weir_pg_confirm(struct pg_session *session, struct pg_conn *conn,
                            struct weir_error *err);

/* Explains the failure of one write that exceeded a limit of the database: where it is known which
 * limit that was, `err` gets the usual text and details. */
void weir_pg_explain_limit(const struct pg_run *run, struct weir_error *err);

/* Begins the parameters of a function that writes: the time it may wait for the lock, and the
 * creation time of the namespace that is meant, because the id may belong to another one by
 * then. */
void weir_pg_params_begin(const struct pg_session *session, struct weir_arena *arena,
                          struct pg_params *params);

/* Returns the bytes of a message, about as packed. */
size_t weir_pg_message_size(const struct weir_new_message *message, struct weir_slice stream);

/* Adds hash_64 of the stream name's cardinal id; NULL if the name has no id. */
void weir_pg_array_hash(struct pg_array *array, struct weir_slice name);

#endif
