/* What a group of writes knows of the namespace while its transaction is open: the counters, and
 * the streams and categories that it touches, each read once and written once.
 *
 * A write first judges, then inserts its messages, then counts them here; so a refused write leaves
 * nothing to take back. weir_sqlite_group_flush brings the tables up to date: at the end, and
 * before anything that reads them by SQL. Names are borrowed from the writes. One thread; every
 * function returns a SQLite result code, and any failure is one of the whole group. */
#ifndef WEIR_STORE_SQLITE_GROUP_H
#define WEIR_STORE_SQLITE_GROUP_H

#include "store/sqlite/sqlite_session.h"

struct group_category {
    struct group_category *next_in_bucket;
    struct group_category *next_touched;
    struct weir_slice name;
    uint64_t hash;
    int64_t category_id;
    bool is_stored;
    int64_t streams_added;  // not yet in the table
    int64_t messages_added;
};

struct group_stream {
    struct group_stream *next_in_bucket;
    struct group_stream *next_touched;
    struct weir_slice name;
    uint64_t hash;
    int64_t stream_id;                // 0 while none is allotted
    struct group_category *category;  // NULL while no stream_id is allotted
    int64_t category_id;              // of a stored stream
    bool is_stored;
    bool is_damaged;         // its version cannot be, and is not to be calculated with
    int64_t version;         // -1: no messages
    int64_t messages_added;  // not yet in the table
    int64_t last_time_us;    // of the message at `version`
};

enum { GROUP_BUCKETS = 1024 };

struct sqlite_group {
    struct weir_arena arena;
    uint64_t hash_seed;

    int64_t next_global_position;
    int64_t last_write_us;
    int64_t message_count;
    int64_t stream_count;
    bool is_changed;  // the counters are to be written

    int64_t next_stream_id;  // 0 while not known
    int64_t next_category_id;
    bool is_empty;  // nothing in the tables below
    struct group_stream *touched_streams;
    struct group_category *touched_categories;
    struct group_stream *streams[GROUP_BUCKETS];
    struct group_category *categories[GROUP_BUCKETS];
};

struct sqlite_group *weir_sqlite_group_new(void);
void weir_sqlite_group_free(struct sqlite_group *group);

/* Forgets everything and reads the counters; *is_there is false where they are missing. */
int weir_sqlite_group_begin(struct sqlite_session *session, bool *is_there);

int weir_sqlite_group_stream(struct sqlite_session *session, struct weir_slice name,
                             struct group_stream **stream);

/* Allots ids to a stream that has none yet, and to its category. */
int weir_sqlite_group_name_ids(struct sqlite_session *session, struct group_stream *stream);

/* Counts messages that have been inserted: the newest of them is at `version`. */
void weir_sqlite_group_count(struct sqlite_group *group, struct group_stream *stream,
                             int64_t version, int64_t messages, int64_t last_time_us);

int weir_sqlite_group_flush(struct sqlite_session *session);

/* For emptied tables: no messages and no streams, the positions go on where they were. */
int weir_sqlite_group_clear(struct sqlite_session *session);

#endif
