/* What differs between the databases that this backend serves, as data: schema files, SQL texts,
 * and a check at start-up. The code that reads and writes is the same for all.
 *
 * In SQL texts "@." stands for the namespace's schema, "@name@" for its name and "@lock@" for the
 * number of its lock; all are made here, from a digest. "@keys@" stands for the table that holds
 * ids and positions; text in "@side{" and "}@" belongs to layouts where that is a table of its own,
 * text in "@plain{" and "}@" to the others. Nothing else is ever put into a text: values of clients
 * are bound. Everything here is constant. */
#ifndef WEIR_STORE_POSTGRES_PG_DIALECT_H
#define WEIR_STORE_POSTGRES_PG_DIALECT_H

#include "store/store_backend.h"

/* The statements whose texts do not depend on a query. */
enum pg_fixed {
    PG_FIXED_APPEND,
    PG_FIXED_IMPORT,
    PG_FIXED_CLEAR,
    PG_FIXED_CLEARS,        // the count of clears, and what the last one removed
    PG_FIXED_CONFIRM,       // changes nothing, by a commit of its own
    PG_FIXED_BY_IDS,        // messages of the ids of $1
    PG_FIXED_VERSION,       // of stream $1
    PG_FIXED_HEAD,          // as in struct weir_head
    PG_FIXED_SETTLE,        // of adopted namespaces: below the position it gives nothing appears
    PG_FIXED_TOTALS,        // messages, streams, time of the newest message
    PG_FIXED_LIST_STREAMS,  // from $1 on, after $2, at most $3, with prefix $4: name, version, time
    PG_FIXED_LIST_CATEGORIES,  // name, streams, messages
    /* Of layouts with spans, else NULL. From global position $1 on: their version, the time before
     * which no message can be (NULL if none), and between which positions that is the answer, the
     * first exclusive; and whether all that is not of version $2 is over. */
    PG_FIXED_SINCE,
    PG_FIXED_LIST_CHUNKS,  // NULL where there are none, as the three that follow
    /* Of each chunk that is older than $1 and not compressed: whether the edition compresses, the
     * name, and what SQL calls it. At least one row, with NULL for the names. */
    PG_FIXED_UNCOMPRESSED,
    PG_FIXED_COMPRESS_CHUNK,  // $1, as SQL calls it
    PG_FIXED_DROP_CHUNKS,
    PG_FIXED_COUNT
};

/* What a schema's tables, indexes, data or types get in one version. */
struct pg_step {
    int version;
    const char *text;
};

/* How the messages of a namespace are kept. The name stands in the registry and never changes its
 * meaning; a namespace keeps the layout it was made with.
 *
 * A schema of an older version gets the steps of those after it, and then all functions as they
 * are now. Functions hold nothing, so their texts are edited in place, and `version` raised by one
 * in each layout that has them; a change of anything else is a new step, of a new version too. */
struct pg_layout {
    const char *name;
    int version;                  // of a schema that is up to date
    const struct pg_step *steps;  // of rising versions; the first, of 1, is for an empty schema
    size_t steps_n;
    const char *const *functions;  // their texts, in order; none twice in the same layout
    size_t functions_n;
    bool has_side_tables;  // ids and positions are kept apart from the messages
    bool is_adopted;       // somebody else writes the table too, with other locks
    const char *fixed[PG_FIXED_COUNT];

    /* Pieces of the SELECTs of messages. */
    const char *columns;        // global_position … metadata, in the order of enum pg_column
    const char *headers;        // the same without data and metadata
    const char *table;          // what they are columns of
    const char *keys;           // the same, for a stream's version
    const char *category;       // the expression that the index by category is made of
    const char *correlation;    // the category of the correlation stream
    const char *cardinal_hash;  // hash_64 of the cardinal id
    const char *size;           // bytes of a message, about as packed
    const char *counters;       // table with `head` and `largest`, one row

    /* Makes chunks of an empty namespace $1 microseconds wide; NULL where there are none. */
    const char *set_chunk_interval;
};

struct pg_dialect {
    const char *name;    // "postgresql"
    const char *scheme;  // "postgresql://"
    /* The layouts it knows; the first is that of new namespaces. */
    const struct pg_layout *const *layouts;
    size_t layouts_n;
    const char *extension;  // that the database must have; NULL if none
};

/* How many milliseconds one must wait for a lock before a vacuum that the database has begun by
 * itself gives way. */
#define WEIR_PG_DEADLOCK_MS \
    "(1000 * extract(epoch FROM current_setting('deadlock_timeout')::interval))::int4"

/* The row of the counters, by an index: many versions of it may be lying about. The first is the
 * rest of a SELECT, of c's columns; the second is a table, which costs a read of ten a tenth more.
 */
#define WEIR_PG_COUNTERS_ROW "@.counters AS c ORDER BY c.era DESC LIMIT 1"
#define WEIR_PG_COUNTERS     "(SELECT c.* FROM " WEIR_PG_COUNTERS_ROW ")"

/* What layouts have in common. */
#define WEIR_PG_FIXED_FUNCTIONS                                                                   \
    [PG_FIXED_APPEND] = "SELECT * FROM @.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"    \
                        " $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)", \
    [PG_FIXED_IMPORT] = "SELECT * FROM @.import($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"    \
                        " $12, $13)",                                                             \
    [PG_FIXED_CLEAR] = "SELECT * FROM @.clear($1 + " WEIR_PG_DEADLOCK_MS ", $2, $3)",             \
    [PG_FIXED_CLEARS] = "SELECT c.clears, c.last_cleared FROM " WEIR_PG_COUNTERS " AS c",         \
    [PG_FIXED_CONFIRM] = "UPDATE @.counters SET clears = clears"
#define WEIR_PG_FIXED_COUNTERS                                                         \
    [PG_FIXED_HEAD] = "SELECT c.head, c.message_count FROM " WEIR_PG_COUNTERS " AS c", \
    [PG_FIXED_LIST_CATEGORIES] =                                                       \
        "SELECT name, stream_count, message_count FROM @.categories ORDER BY name"
#define WEIR_PG_COLUMNS \
    "m.global_position, m.position, m.time, m.id, m.stream_name, m.type, m.data, m.metadata"
#define WEIR_PG_HEADERS                                                                       \
    "m.global_position, m.position, m.time, m.id, m.stream_name, m.type, NULL::text AS data," \
    " NULL::text AS metadata"
/* As weir_pg_message_size() has it; the number is WEIR_PACKED_REST_BYTES. */
#define WEIR_PG_SIZE                                          \
    "octet_length(p.type) + octet_length(p.stream_name) + 72" \
    " + coalesce(octet_length(p.data), 0) + coalesce(octet_length(p.metadata), 0)"

/* Steps that layouts have in common, and the functions that write. */
extern const char weir_pg_sql_counters_010[];
extern const char weir_pg_sql_categories_014[];
extern const char weir_pg_sql_born_016[];
extern const char weir_pg_sql_functions[];
extern const char weir_pg_sql_older_appends[];
extern const char weir_pg_sql_own_functions[];

/* PG_FIXED_LIST_STREAMS where streams stand in an index of @keys@. */
extern const char weir_pg_sql_list_streams[];

/* Namespaces as one table with its indexes. */
extern const struct pg_layout weir_pg_rows_layout;

/* Namespaces that are Message DB's own schema. */
extern const struct pg_layout weir_pg_adopted_layout;

/* The table of a dialect's store: everything is shared but `name` and `open`. */
weir_status weir_pg_open(const struct pg_dialect *dialect, const struct weir_store_ops *ops,
                         const struct weir_store_options *options, struct weir_backend **backend,
                         struct weir_error *err);
void weir_pg_close(struct weir_backend *base);
int weir_pg_schema_version(const struct weir_backend *base);
weir_status weir_pg_ping(struct weir_backend *base, int64_t deadline_us, struct weir_error *err);
weir_status weir_pg_namespace_create(struct weir_backend *base,
                                     struct weir_namespace_record *record, int64_t deadline_us,
                                     bool *is_same, struct weir_error *err);
weir_status weir_pg_namespace_find(struct weir_backend *base, struct weir_namespace_record *record,
                                   int64_t deadline_us, struct weir_arena *arena,
                                   struct weir_error *err);
weir_status weir_pg_namespace_set_token(struct weir_backend *base, struct weir_slice id,
                                        const struct weir_token_hash *hash, int64_t deadline_us,
                                        struct weir_error *err);
weir_status weir_pg_namespace_list(struct weir_backend *base,
                                   const struct weir_registry_query *query,
                                   struct weir_arena *arena, struct weir_registry_page *page,
                                   struct weir_error *err);
weir_status weir_pg_namespace_delete(struct weir_backend *base, struct weir_slice id,
                                     int64_t deadline_us, int64_t *messages_deleted,
                                     struct weir_error *err);
weir_status weir_pg_session_open(struct weir_backend *base, struct weir_slice id,
                                 int64_t deadline_us, struct weir_session **session,
                                 struct weir_error *err);
#define WEIR_PG_SHARED_OPS                                                                        \
    .close = weir_pg_close, .schema_version = weir_pg_schema_version, .ping = weir_pg_ping,       \
    .namespace_create = weir_pg_namespace_create, .namespace_find = weir_pg_namespace_find,       \
    .namespace_set_token = weir_pg_namespace_set_token, .namespace_list = weir_pg_namespace_list, \
    .namespace_delete = weir_pg_namespace_delete, .session_open = weir_pg_session_open

#endif
