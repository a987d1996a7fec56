/* What the files share that write: pg_commit.c, pg_append.c, pg_import.c.
 *
 * A write is open while its error is WEIR_OK. The functions that send something tell each open write
 * its outcome and return WEIR_OK; or the transaction as a whole has failed: then they return its
 * status, the remedy of the connection says what may be done, and no write has been told anything. */
#ifndef WEIR_STORE_POSTGRES_PG_WRITE_H
#define WEIR_STORE_POSTGRES_PG_WRITE_H

#include "store/postgres/pg_int.h"

static inline bool weir_pg_is_open(const struct weir_write *write)
{
    return write->err->status == WEIR_OK;
}

/* The open appends from `first` to before `end`. `is_again`: an earlier attempt may have been
 * committed. */
weir_status weir_pg_append(struct pg_session *session, struct pg_conn *conn,
                           struct weir_write *first, const struct weir_write *end, bool is_again,
                           struct weir_error *err);

weir_status weir_pg_import(struct pg_session *session, struct pg_conn *conn,
                           struct weir_write *write, struct weir_error *err);

/* *clears is what the namespace counted before the first attempt; -1 before that. */
weir_status weir_pg_clear(struct pg_session *session, struct pg_conn *conn,
                          struct weir_write *write, int64_t *clears, struct weir_error *err);

/* A committed transaction of which a warning came: a standby may not have confirmed it. Asking again
 * waits for it. */
weir_status weir_pg_fail_unconfirmed(struct pg_conn *conn, struct weir_error *err);

/* Bytes of a message, about as packed. */
size_t weir_pg_message_size(const struct weir_new_message *message, struct weir_slice stream);

/* Adds hash_64 of the name's cardinal id; NULL where it has no id. */
void weir_pg_array_hash(struct pg_array *array, struct weir_slice name);

#endif
