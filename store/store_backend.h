/* The interface for authors of backends: the two tables of functions that a backend fills, and the
 * base structs of its objects. Outside of store/ only tests include it.
 *
 * A backend is shared and thread-safe. A session is one connection to one namespace, used by one
 * thread at a time, so it needs no locks of its own; the session pool (session_pool.h) opens,
 * lends, keeps and closes sessions. Every slot is mandatory. Semantics and the rules for `struct
 * weir_error` are those of store.h; the conformance suite (tests/conformance) checks them.
 *
 * A session that is unsafe to use further (after a failed fsync, a lost connection) sets is_broken;
 * the pool closes it instead of lending it again. A backend sets is_stale on every session, lent or
 * idle, whose namespace no longer exists; the pool closes such a session as well. */
#ifndef WEIR_STORE_STORE_BACKEND_H
#define WEIR_STORE_STORE_BACKEND_H

#include "store/store.h"
#include "weir/base/list.h"

#include <stdatomic.h>

struct weir_backend;
struct weir_session;

/* The use that a session is lent for; the next borrower may have the other use. A namespace has at
 * most one session lent for writing at a time, to its lane. */
enum weir_session_kind { WEIR_SESSION_READ, WEIR_SESSION_WRITE };

struct weir_store_ops {
    const char *name;  // "sqlite"

    /* Sets the traits of a store with this URL, which has the backend's scheme and may be refused
     * by `open`. They are all absent before. */
    void (*traits)(const char *url, struct weir_store_traits *traits);
    weir_status (*open)(const struct weir_store_options *options, struct weir_backend **backend,
                        struct weir_error *err);
    void (*close)(struct weir_backend *backend);
    int (*schema_version)(const struct weir_backend *backend);
    weir_status (*ping)(struct weir_backend *backend, int64_t deadline_us, struct weir_error *err);

    /* The registry of namespaces. Thread-safe; semantics as the functions of store.h. The query of
     * a list has a present `after`. */
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

    /* Connects to a registered namespace and applies pending schema steps, however long they take.
     * If it fails because the process has no file descriptors left, it sets *is_short_of_files,
     * which is false before: the pool then closes an idle session and tries again. */
    weir_status (*session_open)(struct weir_backend *backend, struct weir_slice id,
                                int64_t deadline_us, struct weir_session **session,
                                bool *is_short_of_files, struct weir_error *err);
};

struct weir_session_ops {
    void (*close)(struct weir_session *session);

    /* Commits a group (linked by `next`, at least one write) in one transaction and sets every
     * write's err. Writes past their deadline are refused before they start. A refused write leaves
     * no trace. Writes that weir_group_join adds to the group are committed with it.
     *
     * Leaves `done` to the caller, with one exception: during a long wait it may take a write whose
     * deadline has passed off the group and end it with weir_group_finish; it must not touch that
     * write afterwards. */
    void (*commit)(struct weir_session *session, struct weir_write **group);

    weir_status (*read)(struct weir_session *session, const struct weir_query *query,
                        struct weir_arena *arena, struct weir_rows *rows, struct weir_error *err);
    /* As weir_read_group; the deadlines are those of the reads, the session's is ignored. */
    void (*read_group)(struct weir_session *session, struct weir_read *group);
    weir_status (*stream_version)(struct weir_session *session, struct weir_slice stream,
                                  int64_t *version, struct weir_error *err);
    weir_status (*head)(struct weir_session *session, struct weir_head *head,
                        struct weir_error *err);
    weir_status (*totals)(struct weir_session *session, struct weir_namespace_totals *totals,
                          struct weir_error *err);
    /* The query has a present prefix and a present `after`. */
    weir_status (*list_streams)(struct weir_session *session, const struct weir_page_query *query,
                                struct weir_arena *arena, struct weir_stream_page *page,
                                struct weir_error *err);
    weir_status (*list_categories)(struct weir_session *session, struct weir_arena *arena,
                                   struct weir_category_list *list, struct weir_error *err);
    weir_status (*chunks)(struct weir_session *session, const struct weir_chunk_query *query,
                          struct weir_arena *arena, struct weir_chunk_list *list,
                          struct weir_error *err);
};

/* The base of a backend: the first member of its own struct. */
struct weir_backend {
    const struct weir_store_ops *ops;
    size_t max_sessions;  // open at once; 0: as weir_store_options.max_sessions says
    bool groups_reads;    // a group of reads costs less than the same reads one by one
    /* From weir_store_options; called by weir_backend_report. */
    void (*report)(void *context, const char *text);
    void *report_context;
    /* From weir_store_on_wait; called by weir_backend_waits. */
    void (*waits)(void *context);
    void *waits_context;
};

/* Reports to the operator what callers are not told, or not in these words: the text may name
 * paths. Thread-safe. */
void weir_backend_report(const struct weir_backend *backend, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Fails a call that has waited in vain for a connection or a session: DEADLINE_EXCEEDED if its
 * deadline has passed, BACKEND_UNAVAILABLE otherwise. */
weir_status weir_fail_connections_in_use(int64_t deadline_us, struct weir_error *err);

struct weir_shelf;

/* The base of a session: the first member of a backend's own struct. */
struct weir_session {
    const struct weir_session_ops *ops;
    bool is_broken;        // set by the thread that holds the session
    atomic_bool is_stale;  // set by any thread
    int64_t deadline_us;   // of the borrower's call, monotonic; INT64_MAX if none. Set by the pool

    /* Private to the pool; backends leave these fields alone. */
    struct weir_shelf *shelf;
    enum weir_session_kind kind;
    struct weir_link at_pool;   // among the idle sessions of the pool
    struct weir_link at_shelf;  // among those of the shelf
};

/* Adds to a group the writes that have been queued since it was begun, in the order of the lane and
 * within a group's bounds: links them behind `last`, the group's last write, and returns the first
 * of them, NULL if none. If many writes are under way it may wait for them, once for each group and
 * for wait_us at most; 0: it never waits.
 *
 * For a `commit` that applies the writes of its group one after the other; to be called on the
 * thread that `commit` was called on. A backend that sends its group in one piece need not use
 * it. */
struct weir_write *weir_group_join(struct weir_write *last, int64_t wait_us);

/* Returns the earliest deadline among the writes of a group that have not been refused; INT64_MAX
 * if there is none. */
int64_t weir_group_deadline(const struct weir_write *group);

/* To be called about ten times a second while a thread waits for another machine or process, or
 * reads for long. If the thread leads a lane, ends the writes queued there whose deadline has
 * passed; nothing has been begun for them. Then runs the callback of weir_store_on_wait. No lock
 * may be held. */
void weir_backend_waits(const struct weir_backend *backend);

/* Opens a store on the given backend; weir_store_open calls it with the backend that the URL
 * names. */
weir_status weir_store_open_on(const struct weir_store_ops *ops,
                               const struct weir_store_options *options, struct weir_store **store,
                               struct weir_error *err);

/* The `read_group` of backends that gain nothing from grouping: reads one after the other. */
void weir_read_singly(struct weir_session *session, struct weir_read *group);

/* The `chunks` of backends without chunks: FEATURE_UNSUPPORTED. */
weir_status weir_chunks_unsupported(struct weir_session *session,
                                    const struct weir_chunk_query *query, struct weir_arena *arena,
                                    struct weir_chunk_list *list, struct weir_error *err);

/* The backends of this build, each defined in its own folder. */
extern const struct weir_store_ops weir_sqlite_ops;
extern const struct weir_store_ops weir_postgres_ops;
extern const struct weir_store_ops weir_timescale_ops;

#endif
