/* What the files of this folder share: the backend, its connections, namespaces and sessions.
 *
 * A session holds no connection: each call takes one from the pool and gives it back, so that the
 * sessions of many namespaces, the registry and pings share the few connections there are, down to
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

/* How often a thread that waits for the database, or for a connection, calls weir_backend_waits. */
enum { WEIR_PG_PATROL_US = 100 * 1000 };

/* ---- names ---- */

enum {
    WEIR_PG_SCHEMA_DIGEST_BYTES = 28,                               // of the id's digest
    WEIR_PG_SCHEMA_BYTES = 5 + 2 * WEIR_PG_SCHEMA_DIGEST_BYTES + 1  // "weir_", the digits, a NUL
};

/* Where a namespace lives. One that is created anew under the same id has the same schema and
 * lock. */
struct pg_namespace {
    char schema[WEIR_PG_SCHEMA_BYTES];
    int64_t lock_key;  // the key of its advisory lock
    /* From the registry: */
    int64_t created_at_us;
    const struct pg_layout *layout;
    uint64_t owner;  // names its prepared statements
};

/* Sets schema and lock_key, which derive from the id, and no other field. */
void weir_pg_namespace_name(struct weir_slice id, struct pg_namespace *ns);

/* Returns a copy of a SQL text in which the marks of pg_dialect.h are replaced. The caller frees
 * it; NULL if out of memory. */
char *weir_pg_expand(const struct pg_namespace *ns, const char *text);

/* ---- the pool of connections (pg_pool.c) ---- */

enum { WEIR_PG_WAIT_MAX_US = 30 * 1000 * 1000 };  // longest wait for a connection or a lock

struct pg_waiter;

struct pg_pool {
    struct pg_backend *backend;
    size_t max;
    pthread_mutex_t mutex;  // guards the fields below
    pthread_cond_t changed;
    size_t open;           // connections that are lent, idle, being opened or being closed
    size_t opening;        // those being opened, which `open` includes
    int64_t open_from_us;  // before it, one is opened only if no other is open; monotonic
    struct pg_conn *idle;  // idle connections, the one used last first
    struct pg_waiter *first, *last;
};

void weir_pg_pool_init(struct pg_pool *pool, struct pg_backend *backend, size_t max);
void weir_pg_pool_fini(struct pg_pool *pool);

/* Lends a connection, if possible one that last ran statements of `owner`, with its limit set to
 * the deadline. The caller that has waited longest is served first. The caller returns the
 * connection with weir_pg_release. DEADLINE_EXCEEDED, BACKEND_UNAVAILABLE. */
weir_status weir_pg_acquire(struct pg_backend *backend, uint64_t owner, int64_t deadline_us,
                            struct pg_conn **conn, struct weir_error *err);

/* Returns a connection to the pool, or closes it if it is of no further use. NULL is legal. */
void weir_pg_release(struct pg_conn *conn);

/* Adds the connection that was opened before any thread used the pool. */
void weir_pg_pool_adopt(struct pg_pool *pool, struct pg_conn *conn);

/* ---- the backend (pg_store.c) ---- */

enum { WEIR_PG_KNOWN = 256 };

struct pg_backend {
    struct weir_backend base;
    const struct pg_dialect *dialect;
    struct pg_url url;
    bool is_durability_normal;
    uint64_t hash_seed;           // of hash tables of names and ids
    atomic_size_t good_host;      // the one reached last
    atomic_llong last_report_us;  // when a failed connection was last reported; monotonic
    struct pg_pool pool;

    /* Namespaces that are known to have an up-to-date schema. */
    pthread_mutex_t known_mutex;
    struct pg_namespace known[WEIR_PG_KNOWN];  // at lock_key modulo the size; schema "" if free
    struct pg_session *sessions;               // all that are open; guarded by known_mutex
};

const struct pg_layout *weir_pg_find_layout(const struct pg_dialect *dialect,
                                            struct weir_slice name);

/* ---- work that may be done again (pg_work.c) ---- */

enum {
    WEIR_PG_ATTEMPTS = 3,
    WEIR_PG_GRACE_US = 500 * 1000,         // least time for a statement that has begun
    WEIR_PG_GROUP_GRACE_US = 1000 * 1000,  // least time for one that serves several calls
    WEIR_PG_CALL_US = 10 * 1000 * 1000     // for calls without a deadline
};

/* Returns the deadline of a call about the registry: WEIR_PG_CALL_US from now if it brings none
 * (INT64_MAX). */
int64_t weir_pg_call_deadline(int64_t deadline_us);

/* Limits the statements that follow to the deadline, but to no less than `grace_us` from now:
 * giving up a statement that was sent costs the connection, so a call that is nearly out of time
 * waits a little longer instead. */
void weir_pg_limit_with_grace(struct pg_conn *conn, int64_t deadline_us, int64_t grace_us);

/* Begins a transaction whose statements may take as long as the connection's limit, and not only as
 * long as the session's statement_timeout. */
weir_status weir_pg_begin_long(struct pg_conn *conn, struct weir_error *err);

struct pg_work {
    weir_status (*run)(struct pg_conn *conn, void *context, struct weir_error *err);
    void *context;
};

/* Runs the work on a connection of the pool. Runs it again, WEIR_PG_ATTEMPTS times in all, if the
 * connection broke or the transaction gave way to others, and until the deadline if a lock was not
 * obtained. For work that may be repeated. Returns the status of the last attempt. */
weir_status weir_pg_run(struct pg_backend *backend, uint64_t owner, int64_t deadline_us,
                        const struct pg_work *work, struct weir_error *err);

/* ---- poolers (pg_pooler.c) ---- */

/* Refuses a pooler that does not keep the connection's session, as far as a second connection,
 * which is closed again, can show that. PRECONDITION. */
weir_status weir_pg_check_pooler(struct pg_conn *conn, struct weir_error *err);

/* ---- the schemas (pg_schema.c) ---- */

/* How long a statement waits for a lock unless it says otherwise. */
#define WEIR_PG_LOCK_TIMEOUT "'5s'"

/* Refuses a database that lacks the extension of the dialect: PRECONDITION. Reports to the operator
 * if other roles may create functions in the extension's schema. */
weir_status weir_pg_check_extension(struct pg_conn *conn, struct weir_error *err);

/* Creates the registry unless there is one. PRECONDITION if it is newer than this program, or if
 * the database has a schema of its name that is not weir's or does not let weir create one. */
weir_status weir_pg_registry_prepare(struct pg_conn *conn, struct weir_error *err);

/* Waits for the lock of the namespace's writers, which is then held until the transaction ends. The
 * wait is as short as that of writers, because a waiter holds a connection. */
weir_status weir_pg_namespace_lock(struct pg_conn *conn, const struct pg_namespace *ns,
                                   struct weir_error *err);

/* Brings the namespace's schema, of `version` (0: empty), up to date inside the caller's
 * transaction. */
weir_status weir_pg_bring_up_to_date(struct pg_conn *conn, const struct pg_namespace *ns,
                                     int version, struct weir_error *err);

/* Finds a registered namespace and brings its schema up to date. A namespace in the cache is not
 * looked up again. NAMESPACE_NOT_FOUND; BACKEND_UNAVAILABLE if this program cannot use the
 * namespace. */
weir_status weir_pg_namespace_locate(struct pg_backend *backend, struct weir_slice id,
                                     int64_t deadline_us, struct pg_namespace *ns,
                                     struct weir_error *err);

/* ---- the registry (pg_registry.c) ---- */

/* What a new namespace's metadata asks of the store (pg_metadata.c). */
struct pg_wishes {
    bool is_adoption;           // of Message DB's schema
    int64_t chunk_interval_us;  // 0: the layout's own
};

/* Reads the metadata. Returns false if it asks for something that this store does not have
 * (INVALID_REQUEST). Stores without chunks ignore the interval of chunks. */
bool weir_pg_read_metadata(struct weir_slice metadata, const struct pg_dialect *dialect,
                           struct pg_wishes *wishes, struct weir_error *err);

/* Checks that the database has a schema of Message DB that weir may adopt. PRECONDITION if there is
 * none, its version is another, or weir's role lacks rights. */
weir_status weir_pg_check_adoption(struct pg_conn *conn, struct weir_error *err);

/* Rolls back a transaction that has failed, and keeps the remedy. If that fails too, the connection
 * is of no further use. */
void weir_pg_roll_back(struct pg_conn *conn);

/* Makes the next call that needs the namespace, and the next call of each session of its id, ask
 * the registry again. */
void weir_pg_namespace_forget(struct pg_backend *backend, const struct pg_namespace *ns);

/* Does what weir_pg_namespace_forget does wherever the known namespace is not the one that was
 * created at created_at_us, according to the registry. */
void weir_pg_namespace_check(struct pg_backend *backend, const struct pg_namespace *ns,
                             int64_t created_at_us);

/* ---- sessions (pg_session.c) ---- */

/* What a session knows of its namespace's spans: a read from a position between `below` + 1 and
 * `upto` finds no message before `since_s` (seconds since 1970; 0: no bound). */
struct pg_window {
    int64_t version;  // of the spans; 0: nothing is known
    int64_t since_s;
    int64_t below;
    int64_t upto;
};

/* Versions of streams as the session's last append left them. They hold while nobody else has
 * written: then the namespace's counters were last changed by transaction `changed`, at `time_us`,
 * and have the head `head`. The append function checks that before it uses the versions. */
struct pg_versions {
    struct pg_known_version *slots;  // by hash of the name; NULL before the first version
    uint32_t generation;             // of the slots that are valid
    int32_t changed;                 // 0: nothing is known
    int64_t head;
    int64_t time_us;
};

struct pg_session {
    struct weir_session base;
    struct pg_backend *backend;
    struct pg_namespace ns;
    bool is_large;  // pages were too large: they are measured
    struct pg_window window;
    struct pg_versions versions;
    struct weir_arena arena;  // for the parameters of one write
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t id_n;

    atomic_bool is_outdated;  // the id may belong to another namespace
    /* Guarded by the backend's known_mutex. */
    int64_t created_at_us;  // that of `ns`
    struct pg_session *before, *after;
};

enum { WEIR_PG_LOCK_SLICE_MS = 500 };  // of a wait for a lock while holding a connection

/* Begins a call of the session. If its id may belong to another namespace by then, finds that one
 * and forgets what was known of the old one. */
weir_status weir_pg_session_begin(struct pg_session *session, int64_t deadline_us,
                                  struct weir_error *err);

/* Runs a statement of fixed text for the session's namespace, and prepares it first if the
 * connection does not have it. *result is NULL on failure. */
weir_status weir_pg_fixed(struct pg_session *session, struct pg_conn *conn, enum pg_fixed which,
                          const struct pg_params *params, PGresult **result,
                          struct weir_error *err);

/* Fails a call whose statement found a schema, table or function missing: NAMESPACE_NOT_FOUND if
 * the namespace was deleted meanwhile; BACKEND_UNAVAILABLE if it was created anew as well, or is
 * damaged, which is reported to the operator. */
weir_status weir_pg_fail_missing(struct pg_session *session, int64_t deadline_us,
                                 struct weir_error *err);

/* Runs the work of a session's call as weir_pg_run does, after weir_pg_session_begin, and with
 * weir_pg_fail_missing if something is missing. */
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

/* What the text of a SELECT depends on. */
struct pg_shape {
    enum weir_selector selector;
    bool is_backward;
    bool is_from_global;
    bool is_headers_only;
    bool is_measured;  // ends where the bytes do
    bool has_correlation;
    bool has_group;
    bool has_types;
    bool is_settled;  // ends at a position up to which everything is committed
    bool is_spanned;  // tells whether the version of the spans is still $5, or $6
    int64_t since_s;  // as in struct pg_window
};

enum { WEIR_PG_SELECT_BYTES = 4096 };

uint32_t weir_pg_select_kind(const struct pg_shape *shape);
void weir_pg_select_text(const struct pg_layout *layout, const struct pg_shape *shape,
                         char text[WEIR_PG_SELECT_BYTES]);

/* Whether the layout has spans (pg_spans.c), and the window of reads from a position on, which
 * becomes session->window. Waits for a transaction that has changed the spans and is not over. */
bool weir_pg_has_spans(const struct pg_session *session);
weir_status weir_pg_find_window(struct pg_session *session, struct pg_conn *conn, int64_t from,
                                struct weir_error *err);

weir_status weir_pg_prepare_select(struct pg_session *session, struct pg_conn *conn,
                                   struct pg_key key, const struct pg_shape *shape,
                                   struct weir_error *err);

/* Reads a row of the result; its slices live as long as the result. Returns false if a value has a
 * wrong form; then only global_position may be set. */
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
