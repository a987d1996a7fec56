/* What the files share that write: pg_commit.c, pg_append.c, pg_versions.c, pg_import.c,
 * pg_clear.c, and of pg_registry.c what commits; and pg_write.c, which has what is of none of them.
 *
 * A write is open while its error is WEIR_OK. The functions that send something tell each open
 * write its outcome and return WEIR_OK; or the transaction as a whole has failed: then they return
 * its status, the remedy of the connection says what may be done, and no write has been told
 * anything. */
#ifndef WEIR_STORE_POSTGRES_PG_WRITE_H
#define WEIR_STORE_POSTGRES_PG_WRITE_H

#include "store/postgres/pg_int.h"

static inline bool weir_pg_is_open(const struct weir_write *write)
{
    return write->err->status == WEIR_OK;
}

/* Writes that are sent together: appends, or one write of another kind. */
struct pg_run {
    struct pg_session *session;
    struct weir_write **first;     // where the first is linked
    const struct weir_write *end;  // the first that no longer belongs to it, or NULL
    int64_t begun_us;              // monotonic; before the first attempt
    int64_t until_us;              // then it is given up; monotonic
    int64_t pause_us;              // before the next attempt to reach the database
    int64_t clears;                // counted before the last attempt of a clear; -1 before that
    int64_t head;      // known before the first attempt: what is at or below it no attempt stored
    bool is_second;    // an attempt has met an internal error of the database's
    bool is_in_doubt;  // an attempt has been sent and not been answered
};

weir_status weir_pg_append(const struct pg_run *run, struct pg_conn *conn, struct weir_error *err);
weir_status weir_pg_import(const struct pg_run *run, struct pg_conn *conn, struct weir_error *err);
weir_status weir_pg_clear(struct pg_run *run, struct pg_conn *conn, struct weir_error *err);

/* A committed transaction of which a warning came: a standby may not have confirmed it. Asking
 * again waits for it. */
weir_status weir_pg_fail_unconfirmed(struct pg_conn *conn, struct weir_error *err);

/* One write that went beyond a limit of the database's: says of what it is known to have gone
 * beyond it, with the usual details. */
void weir_pg_explain_limit(const struct pg_run *run, struct weir_error *err);

/* Begins the parameters of a function that writes: how long it waits for the lock, and which
 * namespace is meant, where there may be another one of its id by then. */
void weir_pg_params_begin(const struct pg_session *session, struct weir_arena *arena,
                          struct pg_params *params);

/* Bytes of a message, about as packed. */
size_t weir_pg_message_size(const struct weir_new_message *message, struct weir_slice stream);

/* Adds hash_64 of the name's cardinal id; NULL where it has no id. */
void weir_pg_array_hash(struct pg_array *array, struct weir_slice name);

/* What the session knows of its streams (pg_versions.c). `keep` may have no room for one. */
bool weir_pg_versions_find(const struct pg_session *session, struct weir_slice name,
                           int64_t *version);
void weir_pg_versions_keep(struct pg_session *session, struct weir_slice name, int64_t version);
void weir_pg_versions_forget(struct pg_session *session);

#endif
