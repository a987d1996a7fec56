/* One read on its way: the steps that a read alone (pg_read.c) and one of a group
 * (pg_read_group.c) have in common. A page is asked for and taken; there is rarely more than one.
 */
#ifndef WEIR_STORE_POSTGRES_PG_READING_H
#define WEIR_STORE_POSTGRES_PG_READING_H

#include "store/postgres/pg_int.h"

struct pg_reading {
    /* Given: */
    struct pg_session *session;
    const struct weir_query *query;
    struct weir_arena *arena;
    struct weir_rows *rows;
    /* Its own: */
    int64_t from;       // where the next page starts
    int64_t wanted;     // rows still to be got; one more than the batch where a cut is to be seen
    size_t bytes;       // of the rows so far, about as packed
    bool is_measured;   // the page is asked for by bytes
    bool is_full;       // a row did not fit any more
    bool is_exhausted;  // there are no more rows
    int64_t end;        // newest position on the scale of next_position; -1 if not asked
    bool is_spanned;    // only chunks that can hold the page are looked at, and no other has come
    bool is_unsure;     // it may lack a chunk that came this moment
    struct pg_window window;  // which ones, where it is
    int64_t settled;          // of an adopted namespace: nothing appears below it any more
    struct weir_slice stream;
    struct weir_arena_mark mark;  // what the arena had before the first page
};

/* Makes ready a reading that has what is given, and is empty otherwise. */
weir_status weir_pg_reading_init(struct pg_reading *r, struct weir_error *err);

/* Begins with the first page, also where an attempt before has come to nothing; what that had got
 * is given back. */
void weir_pg_reading_begin(struct pg_reading *r);

/* Where others write with locks of their own, one for each category, a read of all categories ends
 * where everything is committed, which takes a question of its own. */
bool weir_pg_reading_must_settle(const struct pg_reading *r);

/* Finds the window of the next page where the read can have one. */
weir_status weir_pg_reading_aim(struct pg_reading *r, struct pg_conn *conn, struct weir_error *err);

/* The statement of the next page, prepared where it is not yet, and its parameters. */
weir_status weir_pg_reading_prepare(struct pg_reading *r, struct pg_conn *conn, struct pg_key *key,
                                    struct weir_error *err);
weir_status weir_pg_reading_bind(const struct pg_reading *r, struct pg_params *params,
                                 struct weir_error *err);

/* The spans have changed since the window was found, so that the page may lack rows: it is of no
 * use, and the session forgets the window. */
bool weir_pg_reading_is_outdated(struct pg_reading *r, const PGresult *page);

/* Adds the page to the rows. */
weir_status weir_pg_reading_take(struct pg_reading *r, const PGresult *page,
                                 struct weir_error *err);

/* No page is left to be asked for. */
bool weir_pg_reading_is_over(const struct pg_reading *r);

/* Completes the rows. */
void weir_pg_reading_end(const struct pg_reading *r);

#endif
