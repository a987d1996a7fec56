/* The state of a group of writes while its transaction is open: the namespace's counters, and the
 * streams and categories that the group touches, each read once and written once.
 *
 * A write is first judged, then inserts its messages, then counts them here; so a refused write
 * leaves nothing to take back. weir_sqlite_group_flush brings the tables up to date: at the end,
 * and before any SQL that reads them. Names are borrowed from the writes. Used by one thread. The
 * functions return SQLite result codes, and any failure fails the whole group. */
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
    int64_t streams_added;   // not yet in the table
    int64_t messages_added;  // not yet in the table
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
    bool is_damaged;         // the stored version is impossible and must not be used
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
    bool is_changed;  // counters differ from the table

    int64_t next_stream_id;    // 0 while unknown
    int64_t next_category_id;  // 0 while unknown
    bool is_empty;             // the hash tables below hold nothing
    struct group_stream *touched_streams;
    struct group_category *touched_categories;
    struct group_stream *streams[GROUP_BUCKETS];
    struct group_category *categories[GROUP_BUCKETS];
};

/* Makes an empty group, which a session uses again for each of its commits; NULL without memory. */
struct sqlite_group *weir_sqlite_group_new(void);
void weir_sqlite_group_free(struct sqlite_group *group);

/* Empties the group and reads the counters; *is_there is false if their row is missing because the
 * namespace has been deleted. */
int weir_sqlite_group_begin(struct sqlite_session *session, bool *is_there);

/* Finds a stream by its name, reading it on first use. *stream belongs to the group. */
int weir_sqlite_group_stream(struct sqlite_session *session, struct weir_slice name,
                             struct group_stream **stream);

/* Allots ids to a stream that has none yet, and to its category. */
int weir_sqlite_group_name_ids(struct sqlite_session *session, struct group_stream *stream);

/* Counts inserted messages of a stream, the newest of which is at position `version`. */
void weir_sqlite_group_count(struct sqlite_group *group, struct group_stream *stream,
                             int64_t version, int64_t messages, int64_t last_time_us);

/* Writes the streams, categories and counters that have changed to their tables. */
int weir_sqlite_group_flush(struct sqlite_session *session);

/* Begins the group anew after its tables have been emptied: no messages and no streams; global
 * positions continue where they were. */
int weir_sqlite_group_clear(struct sqlite_session *session);

#endif
