/* A read in progress: the steps that a read alone (pg_read.c) and a read in a group
 * (pg_read_group.c) have in common. Pages are asked for and taken one after the other; more than
 * one is rare. A reading belongs to the thread that has the session. */
#ifndef WEIR_STORE_POSTGRES_PG_READING_H
#define WEIR_STORE_POSTGRES_PG_READING_H

#include "store/postgres/pg_session.h"

struct pg_reading {
    /* Set by the caller: */
    struct pg_session *session;
    const struct weir_query *query;
    struct weir_arena *arena;
    struct weir_rows *rows;
    /* State of the read: */
    int64_t from;             // where the next page starts
    int64_t wanted;           // rows still wanted; one beyond the batch if is_unlimited
    size_t bytes;             // of the rows so far, about as packed
    bool is_measured;         // the page ends by bytes
    bool is_full;             // a row did not fit into the reply
    bool is_exhausted;        // there are no more rows
    int64_t end;              // newest position on the scale of next_position; -1 if unknown
    bool is_spanned;          // the page is limited to the window and says if it is outdated
    struct pg_window window;  // valid if is_spanned
    int64_t settled;          // adopted namespaces: up to here nothing more can appear
    struct weir_slice stream;
    struct weir_arena_mark mark;  // of the arena, before the first page
};

/* Prepares a reading in which the caller has set its fields and zeroed the others. Fails if the
 * arena does. */
weir_status weir_pg_reading_init(struct pg_reading *r, struct weir_error *err);

/* Begins, or begins again after a failed attempt, with the first page; rows of the failed attempt
 * are given back to the arena. */
void weir_pg_reading_begin(struct pg_reading *r);

/* Returns whether the read needs PG_FIXED_SETTLE first. A read of all categories of an adopted
 * namespace does: other programs write there, each with the lock of its category only, so the read
 * must end where everything is committed. */
bool weir_pg_reading_must_settle(const struct pg_reading *r);

/* Finds the window of the next page, if the layout has spans, and lets the connection make its
 * plans anew if it may have old ones. */
weir_status weir_pg_reading_find_window(struct pg_reading *r, struct pg_conn *conn,
                                        struct weir_error *err);

/* Prepare the next page's statement, unless the connection has it, and bind its parameters. */
weir_status weir_pg_reading_prepare(struct pg_reading *r, struct pg_conn *conn, struct pg_key *key,
                                    struct weir_error *err);
weir_status weir_pg_reading_bind(const struct pg_reading *r, struct pg_params *params,
                                 struct weir_error *err);

/* Returns whether the spans have changed since the window was found. Rows may then be missing from
 * the page: it is to be discarded, the session forgets the window, and the connection's plans are
 * old. */
bool weir_pg_reading_is_outdated(struct pg_reading *r, struct pg_conn *conn, const PGresult *page);

/* Adds the page's messages to the rows; the next page starts after the last of them. DATA_CORRUPT;
 * fails if the arena does. */
weir_status weir_pg_reading_take(struct pg_reading *r, const PGresult *page,
                                 struct weir_error *err);

/* Returns whether there is no further page. */
bool weir_pg_reading_is_over(const struct pg_reading *r);

/* Sets the next position and whether the rows are truncated, once the read is over. */
void weir_pg_reading_end(const struct pg_reading *r);

#endif
