/* A run of appends in the form of the append function's parameters: the parts of its writes are
 * listed as entries, and the names of streams and categories are numbered. All of it is in the
 * session's arena and lives until the arena is reset. */
#ifndef WEIR_STORE_POSTGRES_PG_SENDING_H
#define WEIR_STORE_POSTGRES_PG_SENDING_H

#include "store/postgres/pg_write.h"

/* The part of a write that belongs to one stream. */
struct pg_entry {
    struct weir_write *write;
    struct weir_stream_append *part;
    int32_t write_number;
    int32_t stream;  // from 1
    int32_t before;  // messages of the stream in the entries before this one
};

/* Distinct names, numbered from 1; `table` is a hash table of the numbers. */
struct pg_names {
    struct weir_slice *names;
    int32_t *table;
    size_t places;
    size_t n;
    size_t bytes;
};

/* A stream of the run, by its number. */
struct pg_sent_stream {
    int32_t category;  // from 1
    int32_t messages;  // of the run, in this stream
};

struct pg_sending {
    const struct pg_run *run;
    struct pg_session *session;
    struct weir_arena *arena;
    struct pg_entry *entries;
    size_t entries_n;
    size_t messages_n;
    struct pg_names streams;
    struct pg_names categories;
    struct pg_sent_stream *by_stream;
    size_t text_bytes[4];  // of types, correlations, data and metadata
    size_t largest;        // bytes of the largest message
};

/* Resets the session's arena and gathers the run's open writes. Returns false if the arena
 * failed. */
bool weir_pg_sending_gather(struct pg_sending *s, const struct pg_run *run);

void weir_pg_sending_bind(const struct pg_sending *s, struct pg_params *params);

#endif
