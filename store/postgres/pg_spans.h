/* Windows of reads, in layouts that keep messages in chunks by time: a read from a position on need
 * not look into chunks that are older than the span of time in which that position can be. */
#ifndef WEIR_STORE_POSTGRES_PG_SPANS_H
#define WEIR_STORE_POSTGRES_PG_SPANS_H

#include "store/postgres/pg_conn.h"

struct pg_session;

/* What a session knows of its namespace's spans: a read from a position between `below` + 1 and
 * `upto` finds no message before `since_s` (seconds since 1970; 0: no bound). */
struct pg_window {
    int64_t version;  // of the spans; 0: nothing is known
    int64_t since_s;
    int64_t below;
    int64_t upto;
};

/* Returns whether the namespace's layout has spans. */
bool weir_pg_has_spans(const struct pg_session *session);

/* Sets session->window to one for reads from position `from` on, unless it is that already. Waits
 * for a transaction that has changed the spans and is not over; DEADLINE_EXCEEDED. */
weir_status weir_pg_find_window(struct pg_session *session, struct pg_conn *conn, int64_t from,
                                struct weir_error *err);

#endif
