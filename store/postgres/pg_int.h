/* What the files of this folder share: the backend, its connections, namespaces and sessions.
 *
 * A session is a name, not a connection: each call takes a connection from the pool and gives it
 * back, so sessions of many namespaces, the registry and pings share the few there are, down to
 * one.
 *
 * Lock order: the mutexes of the pool and of the cache of namespaces are leaves; neither is held
 * while the database is asked. */
#ifndef WEIR_STORE_POSTGRES_PG_INT_H
#define WEIR_STORE_POSTGRES_PG_INT_H

#include "store/postgres/pg_conn.h"
#include "store/postgres/pg_dialect.h"
#include "store/postgres/pg_url.h"

#include <pthread.h>
#include <stdatomic.h>

/* While it waits for the database, or for a connection to it, a thread looks so often after those
 * who wait for it. */
enum { WEIR_PG_PATROL_US = 100 * 1000 };

/* ---- names ---- */

enum {
    WEIR_PG_SCHEMA_DIGEST_BYTES = 28,                               // of the id's digest
    WEIR_PG_SCHEMA_BYTES = 5 + 2 * WEIR_PG_SCHEMA_DIGEST_BYTES + 1  // "weir_", their digits, a NUL
};

/* Where a namespace lives. What is made anew under the same id has the same schema and lock. */
struct pg_namespace {
    char schema[WEIR_PG_SCHEMA_BYTES];
    int64_t lock_key;  // of its advisory lock
    /* As the registry says. */
    int64_t created_at_us;
    const struct pg_layout *layout;
    uint64_t owner;  // of its prepared statements
};

/* Fills schema and lock_key from the id. */
void weir_pg_namespace_name(struct weir_slice id, struct pg_namespace *ns);

/* Replaces what pg_dialect.h says of SQL texts. The text is the caller's to free; NULL without
 * memory. */
char *weir_pg_expand(const struct pg_namespace *ns, const char *text);

/* ---- the pool of connections (pg_pool.c) ---- */

enum { WEIR_PG_WAIT_MAX_US = 30 * 1000 * 1000 };  // nobody waits longer for a connection or a lock

struct pg_waiter;

struct pg_pool {
    struct pg_backend *backend;
    size_t max;
    pthread_mutex_t mutex;  // guards what follows
    pthread_cond_t changed;
    size_t open;           // connections that are lent, idle, being opened or being closed
    size_t opening;        // of these
    int64_t open_from_us;  // before it another is opened only where there is none
    struct pg_conn *idle;  // the one used last first
    struct pg_waiter *first, *last;
};

weir_status weir_pg_pool_init(struct pg_pool *pool, struct pg_backend *backend, size_t max,
                              struct weir_error *err);
void weir_pg_pool_fini(struct pg_pool *pool);

/* Lends a connection, one that has served `owner` before if there is a choice, with its limit set.
 * Whoever waits longest gets the next one. DEADLINE_EXCEEDED, BACKEND_UNAVAILABLE. */
weir_status weir_pg_acquire(struct pg_backend *backend, uint64_t owner, int64_t deadline_us,
                            struct pg_conn **conn, struct weir_error *err);

/* Takes it back, or closes it where it is of no further use. NULL is legal. */
void weir_pg_release(struct pg_conn *conn);

/* Adds the connection that was opened before the pool was used. */
void weir_pg_pool_adopt(struct pg_pool *pool, struct pg_conn *conn);

/* ---- the backend (pg_store.c) ---- */

enum { WEIR_PG_KNOWN = 256 };

struct pg_backend {
    struct weir_backend base;
    const struct pg_dialect *dialect;
    struct pg_url url;
    bool is_durability_normal;
    uint64_t hash_seed;           // of tables by names
    atomic_size_t good_host;      // where the last connection was made
    atomic_llong last_report_us;  // of a failing connection, so that not each is reported
    struct pg_pool pool;

    /* Namespaces whose schema has been found and is up to date. */
    pthread_mutex_t known_mutex;
    struct pg_namespace known[WEIR_PG_KNOWN];  // by lock_key modulo the size; schema "" if free
    struct pg_session *sessions;               // that are open; guarded by the same
};

const struct pg_layout *weir_pg_find_layout(const struct pg_dialect *dialect,
                                            struct weir_slice name);

/* ---- work that may be done again (pg_work.c) ---- */

enum {
    WEIR_PG_ATTEMPTS = 3,
    WEIR_PG_GRACE_US = 500 * 1000,         // what has begun is waited for so long at least
    WEIR_PG_GROUP_GRACE_US = 1000 * 1000,  // what serves several calls at once
    WEIR_PG_CALL_US = 10 * 1000 * 1000     // for calls that bring no deadline
};

/* The deadline of a call about the registry, which may bring none. */
int64_t weir_pg_call_deadline(int64_t deadline_us);

/* Limits what follows on the connection to the deadline, but not to less than the grace: a
 * statement that has been sent costs the connection when it is not waited for, so what is nearly
 * over waits a little longer rather than that. */
void weir_pg_limit_with_grace(struct pg_conn *conn, int64_t deadline_us, int64_t grace_us);

/* Begins a transaction whose statements may take as long as the call may, and not only as long as
 * others. */
weir_status weir_pg_begin_long(struct pg_conn *conn, struct weir_error *err);

struct pg_work {
    weir_status (*run)(struct pg_conn *conn, void *context, struct weir_error *err);
    void *context;
};

/* Does the work on a connection of the pool, and again on another one where that broke or where it
 * gave way to others; a lock is waited for until the deadline. For work that may be repeated. */
weir_status weir_pg_run(struct pg_backend *backend, uint64_t owner, int64_t deadline_us,
                        const struct pg_work *work, struct weir_error *err);

/* ---- poolers (pg_pooler.c) ---- */

/* Refuses a pooler that does not keep the connection's session, where that can be seen by a second
 * connection, which is closed again. PRECONDITION. */
weir_status weir_pg_check_pooler(struct pg_conn *conn, struct weir_error *err);

/* ---- the schemas (pg_schema.c) ---- */

/* How long statements wait for locks, if nothing else is said. */
#define WEIR_PG_LOCK_TIMEOUT "'5s'"

extern const char weir_pg_sql_registry_001[];
extern const char weir_pg_sql_adopted_001[];
extern const char weir_pg_sql_adopted_003[];
extern const char weir_pg_sql_adopted_008[];
extern const char weir_pg_sql_adopted_functions[];
extern const char weir_pg_sql_drop_earlier_signatures[];
extern const char weir_pg_sql_rows_001[];

/* Refuses a database that lacks the extension of the dialect. PRECONDITION. Where others may make
 * functions in its schema, the operator is told. */
weir_status weir_pg_check_extension(struct pg_conn *conn, struct weir_error *err);

/* Makes the registry where there is none. PRECONDITION where it is newer than this program. */
weir_status weir_pg_registry_prepare(struct pg_conn *conn, struct weir_error *err);

/* Waits for the lock of the namespace's writers, which is held until the transaction ends. The wait
 * is short, as that of writers is: who waits holds a connection. */
weir_status weir_pg_namespace_lock(struct pg_conn *conn, const struct pg_namespace *ns,
                                   struct weir_error *err);

/* Brings the namespace's schema, which is of `version` (0: empty), up to date; inside a transaction
 * of the caller's. */
weir_status weir_pg_bring_up_to_date(struct pg_conn *conn, const struct pg_namespace *ns,
                                     int version, struct weir_error *err);

/* Finds a registered namespace and brings its schema up to date. NAMESPACE_NOT_FOUND;
 * BACKEND_UNAVAILABLE where this program cannot use it. What is known is not asked for again. */
weir_status weir_pg_namespace_locate(struct pg_backend *backend, struct weir_slice id,
                                     int64_t deadline_us, struct pg_namespace *ns,
                                     struct weir_error *err);

/* ---- the registry (pg_registry.c) ---- */

/* What a new namespace's metadata asks for (pg_metadata.c). */
struct pg_wishes {
    bool is_adoption;           // of Message DB's schema
    int64_t chunk_interval_us;  // 0: the layout's own
};

/* False where it asks for what there is not (INVALID_REQUEST). Stores without chunks do not look at
 * the interval of chunks. */
bool weir_pg_read_metadata(struct weir_slice metadata, const struct pg_dialect *dialect,
                           struct pg_wishes *wishes, struct weir_error *err);

/* PRECONDITION where there is no such schema, or another version of it. */
weir_status weir_pg_check_adoption(struct pg_conn *conn, struct weir_error *err);

/* Ends a transaction that has failed; where that fails too, the connection is of no further use. */
void weir_pg_roll_back(struct pg_conn *conn);

/* The next one who asks looks at the registry again, and so does the next call of each session of
 * the id. */
void weir_pg_namespace_forget(struct pg_backend *backend, const struct pg_namespace *ns);

/* The same where what is known is not the namespace that was created then, as the registry says. */
void weir_pg_namespace_check(struct pg_backend *backend, const struct pg_namespace *ns,
                             int64_t created_at_us);

/* ---- sessions (pg_session.c) ---- */

/* What a session knows of the spans of its namespace: before `since_s` (seconds since 1970; 0 if
 * there is no bound) no message has a position from `below` + 1 to `upto` or higher. */
struct pg_window {
    int64_t version;  // of the spans; 0 if nothing is known
    int64_t since_s;
    int64_t below;
    int64_t upto;
};

/* Versions of streams as the session's last append left them. They hold while nobody else has
 * written: then the namespace's counters were last changed by the transaction `changed`, at
 * `time_us`, and have the head `head`. The append function looks at that before it uses them. */
struct pg_versions {
    struct pg_known_version *slots;  // by a hash of the name; NULL before the first
    uint32_t generation;             // of the slots that count
    int32_t changed;                 // 0: nothing is known
    int64_t head;
    int64_t time_us;
};

struct pg_session {
    struct weir_session base;
    struct pg_backend *backend;
    struct pg_namespace ns;
    bool is_large;  // messages here are so large that reads are measured
    struct pg_window window;
    struct pg_versions versions;
    struct weir_arena arena;  // what a write is put together in
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t id_n;

    atomic_bool is_outdated;  // there may be another namespace of the id
    /* Guarded by the backend's known_mutex. */
    int64_t created_at_us;  // as in `ns`
    struct pg_session *before, *after;
};

enum { WEIR_PG_LOCK_SLICE_MS = 500 };  // a lock is waited for so long while holding a connection

/* Begins a call of the session. Where there may be another namespace of its id it looks, and if so
 * forgets all it knows. */
weir_status weir_pg_session_begin(struct pg_session *session, int64_t deadline_us,
                                  struct weir_error *err);

/* Runs a statement of the session's namespace, prepared where it is not yet. */
weir_status weir_pg_fixed(struct pg_session *session, struct pg_conn *conn, enum pg_fixed which,
                          const struct pg_params *params, PGresult **result,
                          struct weir_error *err);

/* After a statement found a schema, table or function missing: NAMESPACE_NOT_FOUND where the
 * namespace has been deleted meanwhile, else BACKEND_UNAVAILABLE: it has been made anew as well, or
 * is damaged, which the operator is told. */
weir_status weir_pg_fail_missing(struct pg_session *session, int64_t deadline_us,
                                 struct weir_error *err);

/* weir_pg_run for a session's call. */
weir_status weir_pg_session_run(struct pg_session *session, const struct pg_work *work,
                                struct weir_error *err);

/* ---- reading (pg_read.c, pg_read_group.c, pg_select.c, pg_list.c) ---- */

/* The columns of every SELECT that gives messages. */
enum pg_column {
    PG_COLUMN_GLOBAL_POSITION,
    PG_COLUMN_POSITION,
    PG_COLUMN_TIME,
    PG_COLUMN_ID,
    PG_COLUMN_STREAM,
    PG_COLUMN_TYPE,
    PG_COLUMN_DATA,
    PG_COLUMN_METADATA
};

/* What a SELECT depends on. */
struct pg_shape {
    enum weir_selector selector;
    bool is_backward;
    bool is_from_global;
    bool is_headers_only;
    bool is_measured;  // ends where the bytes do
    bool has_correlation;
    bool has_group;
    bool has_types;
    bool is_settled;  // up to a position that others' writers cannot get below any more
    bool is_spanned;  // says whether the version of the spans is another than $5, or $6
    int64_t since_s;  // as in struct pg_window
};

enum { WEIR_PG_SELECT_BYTES = 4096 };

uint32_t weir_pg_select_kind(const struct pg_shape *shape);
void weir_pg_select_text(const struct pg_layout *layout, const struct pg_shape *shape,
                         char text[WEIR_PG_SELECT_BYTES]);

/* The spans (pg_spans.c): whether the layout has them, and sets session->window for reads from the
 * position on. */
bool weir_pg_has_spans(const struct pg_session *session);
weir_status weir_pg_find_window(struct pg_session *session, struct pg_conn *conn, int64_t from,
                                struct weir_error *err);

weir_status weir_pg_prepare_select(struct pg_session *session, struct pg_conn *conn,
                                   struct pg_key key, const struct pg_shape *shape,
                                   struct weir_error *err);

/* The row as it stands in the result; slices are valid as long as that. False where a value is of a
 * wrong form; only global_position is set then. */
bool weir_pg_row(const PGresult *result, int at, struct weir_row *row);

weir_status weir_pg_read(struct weir_session *base, const struct weir_query *query,
                         struct weir_arena *arena, struct weir_rows *rows, struct weir_error *err);
void weir_pg_read_group(struct weir_session *base, struct weir_read *first);
weir_status weir_pg_stream_version(struct weir_session *base, struct weir_slice stream,
                                   int64_t *version, struct weir_error *err);
weir_status weir_pg_head(struct weir_session *base, struct weir_head *head, struct weir_error *err);
weir_status weir_pg_totals(struct weir_session *base, struct weir_namespace_totals *totals,
                           struct weir_error *err);
weir_status weir_pg_list_streams(struct weir_session *base, const struct weir_page_query *query,
                                 struct weir_arena *arena, struct weir_stream_page *page,
                                 struct weir_error *err);
weir_status weir_pg_list_categories(struct weir_session *base, struct weir_arena *arena,
                                    struct weir_category_list *list, struct weir_error *err);

weir_status weir_pg_chunks(struct weir_session *base, const struct weir_chunk_query *query,
                           struct weir_arena *arena, struct weir_chunk_list *list,
                           struct weir_error *err);

/* ---- writing (pg_commit.c) ---- */

void weir_pg_commit(struct weir_session *base, struct weir_write **group);

#endif
