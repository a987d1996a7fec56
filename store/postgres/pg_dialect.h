/* A dialect holds, as constant data, what differs between the databases that this backend serves:
 * schema files, SQL texts and the extension that is required. The code that reads and writes is
 * common to all.
 *
 * weir_pg_expand replaces these marks in SQL texts:
 *   @.            the namespace's schema and a dot
 *   @name@        the name of that schema
 *   @lock@        the key of the namespace's advisory lock
 *   @first_time@  the layout's first_time
 *   @keys@        the table that holds ids and positions
 *   @side{…}@     text for layouts where that is a table of its own
 *   @plain{…}@    text for the other layouts
 *
 * Schema name and lock key come from a digest of the id. Nothing else is ever put into a text:
 * values of clients are bound. */
#ifndef WEIR_STORE_POSTGRES_PG_DIALECT_H
#define WEIR_STORE_POSTGRES_PG_DIALECT_H

#include "store/postgres/pg_sql.h"
#include "store/read_rules.h"
#include "store/store_backend.h"

/* The statements whose text does not depend on a query. */
enum pg_fixed {
    PG_FIXED_APPEND,
    PG_FIXED_IMPORT,
    PG_FIXED_CLEAR,
    PG_FIXED_CLEARS,        // the count of clears, and how many messages the last one removed
    PG_FIXED_CONFIRM,       // a commit that changes nothing
    PG_FIXED_BY_IDS,        // the messages with the ids in $1
    PG_FIXED_VERSION,       // version of stream $1
    PG_FIXED_HEAD,          // as in struct weir_head
    PG_FIXED_SETTLE,        // adopted namespaces: the position up to which nothing more can appear
    PG_FIXED_TOTALS,        // messages, streams, time of the newest message
    PG_FIXED_LIST_STREAMS,  // from $1 on, after $2, at most $3, prefix $4: name, version, time
    PG_FIXED_LIST_CATEGORIES,  // name, streams, messages
    /* Of layouts with spans, else NULL. Where the messages from global position $1 on are: the
     * version of the spans; the time before which there are none (NULL: no bound); the two ends,
     * the first exclusive, of the range of positions with the same answer; and whether the version
     * is still $2, or the transaction that last changed the counters is over. */
    PG_FIXED_SINCE,
    /* Of layouts with spans, else NULL. Keeps the namespace's writers out until the transaction
     * ends; waits for them for $1 milliseconds. */
    PG_FIXED_KEEP_OUT_WRITERS,
    PG_FIXED_LIST_CHUNKS,  // NULL in layouts without chunks, as are the three below
    /* For each uncompressed chunk that is older than $1: whether the edition can compress, the
     * chunk's name, and its name in SQL. Gives at least one row; without such chunks its names are
     * NULL. */
    PG_FIXED_UNCOMPRESSED,
    PG_FIXED_COMPRESS_CHUNK,  // the chunk whose name in SQL is $1
    PG_FIXED_DROP_CHUNKS,
    PG_FIXED_COUNT
};

/* A change to the tables, indexes, data or types of a schema; each schema gets it once. */
struct pg_step {
    int version;
    const char *text;
};

/* How the messages of a namespace are kept. The registry refers to the layout by its name, which
 * therefore keeps its meaning for ever; a namespace keeps the layout it was created with.
 *
 * A schema of an older version gets the steps of the later versions and then all functions.
 * Functions hold no data: their texts are edited in place, and `version` is raised by one in each
 * layout that has them. Any other change is a new step, also with a new version. */
struct pg_layout {
    const char *name;
    int version;                  // of a schema that is up to date
    const struct pg_step *steps;  // in order of version; the first, 1, is for an empty schema
    size_t steps_n;
    const char *const *functions;  // files, in order; no function is in two of them
    size_t functions_n;
    bool has_side_tables;  // ids and positions are in a table beside that of the messages
    bool is_adopted;       // other programs write the table too, with locks of their own
    const char *fixed[PG_FIXED_COUNT];

    /* Pieces of the SELECTs of messages. */
    const char *columns;        // global_position … metadata, in the order of enum pg_column
    const char *headers;        // the same with NULL for data and metadata
    const char *table;          // the table they are columns of, as m
    const char *keys;           // the table that gives a stream's version, as m
    const char *category;       // the expression that the index by category is built on
    const char *correlation;    // the category of the correlation stream
    const char *cardinal_hash;  // hash_64 of the cardinal id
    const char *size;           // bytes of message p, about as packed
    const char *counters;       // table expression: one row with `head` and `largest`

    /* Of layouts with spans, else NULL: no message has an earlier time. */
    const char *first_time;

    /* Sets the width of an empty namespace's chunks to $1 microseconds; NULL without chunks. */
    const char *set_chunk_interval;
};

struct pg_dialect {
    const char *scheme;  // "postgresql://"
    /* The layouts it serves; a new namespace gets the first. */
    const struct pg_layout *const *layouts;
    size_t layouts_n;
    const char *extension;  // the database must have it; NULL if none
};

/* Milliseconds that a lock must be waited for until an autovacuum gives way. */
#define WEIR_PG_DEADLOCK_MS \
    "(1000 * extract(epoch FROM current_setting('deadlock_timeout')::interval))::int4"

/* The row of the counters, by its index, because many old versions of the row may still exist. The
 * first macro is the end of a SELECT of columns of `c`. The second is a table expression, with
 * which a read of ten messages costs a tenth more. */
#define WEIR_PG_COUNTERS_ROW "@.counters AS c ORDER BY c.era DESC LIMIT 1"
#define WEIR_PG_COUNTERS     "(SELECT c.* FROM " WEIR_PG_COUNTERS_ROW ")"

/* Statements and texts that several layouts have in common. */
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
#define WEIR_PG_FIXED_BY_IDS                                                            \
    [PG_FIXED_BY_IDS] = "SELECT " WEIR_PG_COLUMNS " FROM unnest($1::uuid[]) AS i (id)," \
                        " LATERAL (SELECT s.* FROM @.stored AS s"                       \
                        "  WHERE s.id = i.id OFFSET 0) AS m"
#define WEIR_PG_COLUMNS \
    "m.global_position, m.position, m.time, m.id, m.stream_name, m.type, m.data, m.metadata"
#define WEIR_PG_HEADERS                                                                       \
    "m.global_position, m.position, m.time, m.id, m.stream_name, m.type, NULL::text AS data," \
    " NULL::text AS metadata"
/* As weir_pg_message_size() counts. */
#define WEIR_PG_SIZE                                          \
    "octet_length(p.type) + octet_length(p.stream_name) + 72" \
    " + coalesce(octet_length(p.data), 0) + coalesce(octet_length(p.metadata), 0)"
_Static_assert(WEIR_PACKED_REST_BYTES == 72, "WEIR_PG_SIZE has the number in its text");

/* PG_FIXED_LIST_STREAMS of layouts whose @keys@ has an index by stream name. */
extern const char weir_pg_list_streams_text[];

/* The layout in which a namespace is one table with its indexes. */
extern const struct pg_layout weir_pg_rows_layout;

/* The layout of a namespace that is Message DB's own schema, adopted. */
extern const struct pg_layout weir_pg_adopted_layout;

/* Returns the dialect's layout of that name; NULL if it has none. */
const struct pg_layout *weir_pg_find_layout(const struct pg_dialect *dialect,
                                            struct weir_slice name);

/* The functions of a dialect's struct weir_store_ops: only `name` and `open` differ. */
weir_status weir_pg_open(const struct pg_dialect *dialect, const struct weir_store_ops *ops,
                         const struct weir_store_options *options, struct weir_backend **backend,
                         struct weir_error *err);
void weir_pg_traits(const char *url, struct weir_store_traits *traits);
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
                                 bool *is_short_of_files, struct weir_error *err);
#define WEIR_PG_SHARED_OPS                                                                        \
    .traits = weir_pg_traits, .close = weir_pg_close, .schema_version = weir_pg_schema_version,   \
    .ping = weir_pg_ping, .namespace_create = weir_pg_namespace_create,                           \
    .namespace_find = weir_pg_namespace_find, .namespace_set_token = weir_pg_namespace_set_token, \
    .namespace_list = weir_pg_namespace_list, .namespace_delete = weir_pg_namespace_delete,       \
    .session_open = weir_pg_session_open

#endif
