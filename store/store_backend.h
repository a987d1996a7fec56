/* What authors of backends see: the two tables a backend fills, and the base of its objects. Nobody
 * else includes it.
 *
 * A backend is shared and thread-safe. A session is one connection to one namespace, used by one
 * thread at a time, so it needs no locks of its own; the session pool (session_pool.h) opens,
 * lends, keeps and closes them. Every slot is mandatory. Semantics are those of store.h and are
 * proved by the conformance suite; `struct weir_error` rules as there.
 *
 * A session on which something happened that makes its further use unsafe (a failed fsync, a lost
 * connection) sets is_broken; the pool closes it instead of lending it again. A backend that learns
 * of a session, lent or idle, that its namespace is not there any more sets is_stale, which does
 * the same. */
#ifndef WEIR_STORE_STORE_BACKEND_H
#define WEIR_STORE_STORE_BACKEND_H

#include "store/store.h"

#include <stdatomic.h>

struct weir_backend;
struct weir_session;

/* What a session is lent for; it may be lent for the other next time. Of a namespace only one at a
 * time is lent for writing, to its lane. */
enum weir_session_kind { WEIR_SESSION_READ, WEIR_SESSION_WRITE };

struct weir_store_ops {
    const char *name;  // "sqlite"

    weir_status (*open)(const struct weir_store_options *options, struct weir_backend **backend,
                        struct weir_error *err);
    void (*close)(struct weir_backend *backend);
    int (*schema_version)(const struct weir_backend *backend);
    weir_status (*ping)(struct weir_backend *backend, int64_t deadline_us, struct weir_error *err);

    /* The registry; thread-safe, semantics as the functions of store.h. */
    weir_status (*namespace_create)(struct weir_backend *backend,
                                    struct weir_namespace_record *record, int64_t deadline_us,
                                    bool *is_same, struct weir_error *err);
    weir_status (*namespace_find)(struct weir_backend *backend,
                                  struct weir_namespace_record *record, int64_t deadline_us,
                                  struct weir_arena *arena, struct weir_error *err);
    weir_status (*namespace_set_token)(struct weir_backend *backend, struct weir_slice id,
                                       const struct weir_token_hash *hash, int64_t deadline_us,
                                       struct weir_error *err);
    weir_status (*namespace_list)(struct weir_backend *backend,
                                  const struct weir_registry_query *query, struct weir_arena *arena,
                                  struct weir_registry_page *page, struct weir_error *err);
    /* Called when no session of the namespace is open in this process. */
    weir_status (*namespace_delete)(struct weir_backend *backend, struct weir_slice id,
                                    int64_t deadline_us, int64_t *messages_deleted,
                                    struct weir_error *err);

    /* Connects to a registered namespace, applying pending schema steps, whatever their time. Where
     * the process has no file left it sets is_short_of_files: then one that is idle makes room. */
    weir_status (*session_open)(struct weir_backend *backend, struct weir_slice id,
                                int64_t deadline_us, struct weir_session **session,
                                struct weir_error *err);
};

struct weir_session_ops {
    void (*close)(struct weir_session *session);

    /* Commits a group (linked by `next`, at least one) in one transaction and sets every write's
     * err. Writes past their deadline are refused before they start. A refused write leaves no
     * trace. What weir_group_join adds to the group meanwhile is committed with it. It does not
     * call `done`, unless it has to wait for long: a write whose deadline passes meanwhile it may
     * take off the group and end with weir_group_finish, and leaves it alone from then on. */
    void (*commit)(struct weir_session *session, struct weir_write **group);

    weir_status (*read)(struct weir_session *session, const struct weir_query *query,
                        struct weir_arena *arena, struct weir_rows *rows, struct weir_error *err);
    /* As weir_read_group; the session's deadline is of no meaning here. */
    void (*read_group)(struct weir_session *session, struct weir_read *group);
    weir_status (*stream_version)(struct weir_session *session, struct weir_slice stream,
                                  int64_t *version, struct weir_error *err);
    weir_status (*head)(struct weir_session *session, struct weir_head *head,
                        struct weir_error *err);
    weir_status (*totals)(struct weir_session *session, struct weir_namespace_totals *totals,
                          struct weir_error *err);
    weir_status (*list_streams)(struct weir_session *session, const struct weir_page_query *query,
                                struct weir_arena *arena, struct weir_stream_page *page,
                                struct weir_error *err);
    weir_status (*list_categories)(struct weir_session *session, struct weir_arena *arena,
                                   struct weir_category_list *list, struct weir_error *err);
    weir_status (*chunks)(struct weir_session *session, const struct weir_chunk_query *query,
                          struct weir_arena *arena, struct weir_chunk_list *list,
                          struct weir_error *err);
};

/* First member of every backend's own structs. */
struct weir_backend {
    const struct weir_store_ops *ops;
    size_t max_sessions;            // how many may be open at once; 0: what the options say
    bool is_local;                  // its calls wait for this machine's disk at most
    bool groups_reads;              // a group of reads costs it less than one after the other
    atomic_bool is_short_of_files;  // see session_open
    /* Of the options; see weir_backend_report. */
    void (*report)(void *context, const char *text);
    void *report_context;
    /* Of weir_store_on_wait; see weir_backend_waits. */
    void (*waits)(void *context);
    void *waits_context;
};

/* Tells the operator what no caller is told, or not in these words: it may name paths. From any
 * thread. */
void weir_backend_report(const struct weir_backend *backend, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Who has waited in vain for a connection or a session: DEADLINE_EXCEEDED or BACKEND_UNAVAILABLE.
 */
weir_status weir_fail_connections_in_use(int64_t deadline_us, struct weir_error *err);

struct weir_shelf;

struct weir_session {
    const struct weir_session_ops *ops;
    bool is_broken;        // set by whoever has it
    atomic_bool is_stale;  // set by any thread
    int64_t deadline_us;   // of the borrower's call, monotonic; INT64_MAX if none. Set by the pool

    /* The pool's own; backends leave it alone. */
    struct weir_shelf *shelf;
    enum weir_session_kind kind;
    struct weir_session *older, *newer;  // among the idle ones
    struct weir_session *beside;         // among those of its shelf
};

/* For a `commit` that does one write of its group after the other, on the thread it was called on:
 * takes into the group what has been queued since it was begun, within a group's bounds, links it
 * behind the group's last write and gives back the first of it; NULL if there is none. Their order
 * is the lane's. Where many writes are on their way it may wait for them, for wait_us at most and
 * once for a group; 0: it does not. A backend that sends its group as one need not use it. */
struct weir_write *weir_group_join(struct weir_write *last, int64_t wait_us);

/* The earliest deadline of those writes of a group that have not been refused; INT64_MAX if none.
 */
int64_t weir_group_deadline(const struct weir_write *group);

/* For whatever waits for another machine or process, now and then: where this thread leads a lane,
 * ends the writes that are queued there and whose deadline has passed. Nothing has been begun for
 * them. And it does what the store's user wants done meanwhile. No lock may be held. */
void weir_backend_waits(const struct weir_backend *backend);

/* Opens a store on a given backend: what weir_store_open does once it has found one by its URL. */
weir_status weir_store_open_on(const struct weir_store_ops *ops,
                               const struct weir_store_options *options, struct weir_store **store,
                               struct weir_error *err);

/* `read_group` of the backends that gain nothing by it: one after the other. */
void weir_read_singly(struct weir_session *session, struct weir_read *group);

/* `chunks` of the backends that have none: FEATURE_UNSUPPORTED. */
weir_status weir_chunks_unsupported(struct weir_session *session,
                                    const struct weir_chunk_query *query, struct weir_arena *arena,
                                    struct weir_chunk_list *list, struct weir_error *err);

/* The backends of this build, each defined in its own folder. */
extern const struct weir_store_ops weir_sqlite_ops;
extern const struct weir_store_ops weir_postgres_ops;
extern const struct weir_store_ops weir_timescale_ops;

#endif
