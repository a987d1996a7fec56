/* The store's public interface: namespaces, writes committed in groups, and reads into arrays that
 * are sized before the first row is fetched.
 *
 * One `struct weir_store` serves a process and is thread-safe; so is a `struct weir_namespace`, the
 * handle of an opened namespace. Backend sessions (connections) stay hidden: each call borrows one
 * from a pool for as long as it runs.
 *
 * Ownership. Slices passed in are borrowed until the call returns (writes: until `done`). Slices
 * passed out live in the caller's arena. Nothing else is allocated for the caller.
 *
 * Checks. The caller has checked the syntax of client input (names, types, sizes, JSON); the store
 * asserts ranges and judges state: ids, expectations, positions.
 *
 * Ordering. Within a namespace, groups of writes are committed one after the other; global
 * positions are allotted in commit order. A message is visible to every read that starts after its
 * write's `done`, and once a read has shown a global position nothing appears below it later,
 * imports excepted. */
#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include "weir/base/arena.h"
#include "weir/base/fail.h"
#include "weir/rules/token_hash.h"
#include "weir/rules/uuid.h"

struct weir_store;
struct weir_namespace;

struct weir_store_options {
    const char *url;  // "sqlite:DIR", "sqlite::memory:", "postgresql://…", "timescaledb://…"
    /* False: a write is acknowledged when it would survive a power loss; true: when it would
     * survive a crash of the process. */
    bool is_durability_normal;
    size_t max_sessions;  // connections at most, >= 1; opened when needed, closed when idle and
                          // others need them
    /* Receives texts for the operator about events that no call returns (a failed checkpoint, a
     * damaged file). Called from any thread; NULL drops the texts. */
    void (*report)(void *context, const char *text);
    void *report_context;
};

/* What the URL of a store tells before the store is opened. */
struct weir_store_traits {
    bool is_local;  // its calls wait at most for this machine's disk, never for another machine
    bool is_in_memory;
    const char *directory;    // that holds its files, within the URL; NULL: none
    size_t files_of_session;  // that each connection keeps open, and so limits their number; 0: the
                              // number is the operator's to choose
};

/* Returns the traits of the store that a URL names; all absent for a URL that weir_store_open
 * refuses. Pure. */
struct weir_store_traits weir_store_traits(const char *url);

/* Opens the store, creating it if none exists. A store that cannot be opened, belongs to another
 * program or has a newer schema is left unchanged. Fails with BACKEND_UNAVAILABLE, PRECONDITION or
 * INVALID_REQUEST (the URL) and a text that says what to do. Blocks. */
weir_status weir_store_open(const struct weir_store_options *options, struct weir_store **store,
                            struct weir_error *err);

/* Sets a callback that runs about ten times a second on each thread whose call waits for another
 * machine or process, or reads for long in files of this one; the thread holds no lock then. Must
 * be called before a second thread uses the store. */
void weir_store_on_wait(struct weir_store *store, void (*waits)(void *context), void *context);

/* Closes the store and its connections. No call may be under way, and every namespace handle must
 * have been released. NULL is allowed. */
void weir_store_close(struct weir_store *store);

/* Return "sqlite", "postgresql" or "timescaledb", and the schema's version. */
const char *weir_store_backend_name(const struct weir_store *store);
int weir_store_schema_version(const struct weir_store *store);

/* Return these traits of an open store. */
bool weir_store_is_local(const struct weir_store *store);
bool weir_store_is_in_memory(const struct weir_store *store);

/* Sends the backend a trivial query. OK if the backend answers before the deadline (monotonic
 * microseconds). */
weir_status weir_store_ping(struct weir_store *store, int64_t deadline_us, struct weir_error *err);

/* ---- namespaces ---- */

struct weir_namespace_record {
    struct weir_slice id;
    struct weir_slice description;  // absent if none
    struct weir_slice metadata;     // JSON object; absent if none
    struct weir_token_hash token_hash;
    int64_t created_at_us;
};

/* The registry is the backend's list of namespaces. An arena with this cap has room for any of its
 * entries. */
enum { WEIR_NAMESPACE_RECORD_BYTES_MAX = 32 * 1024 * 1024 };

/* Deadlines are monotonic microseconds, INT64_MAX for none. No change is begun after its deadline.
 * A change that had begun by then and whose outcome is unknown fails with DEADLINE_EXCEEDED and a
 * text that says so. */

/* Registers a namespace, creates its storage and sets record->created_at_us to the stored value.
 * Waits first for a deletion of the same id that is under way in this process. NAMESPACE_EXISTS if
 * the id is taken: *is_same then tells whether the existing namespace has the token hash of
 * `record` (a repeated create), and record->created_at_us is the existing one's. */
weir_status weir_namespace_create(struct weir_store *store, struct weir_namespace_record *record,
                                  int64_t deadline_us, bool *is_same, struct weir_error *err);

/* Reads the registry entry of record->id. All slices of *record, the id included, then point into
 * `arena`. NAMESPACE_NOT_FOUND if there is no such entry. */
weir_status weir_namespace_find(struct weir_store *store, struct weir_namespace_record *record,
                                int64_t deadline_us, struct weir_arena *arena,
                                struct weir_error *err);

/* Replaces the hash of the namespace's token. NAMESPACE_NOT_FOUND if the id is not registered. */
weir_status weir_namespace_set_token(struct weir_store *store, struct weir_slice id,
                                     const struct weir_token_hash *hash, int64_t deadline_us,
                                     struct weir_error *err);

struct weir_registry_query {
    struct weir_slice after;  // ids > after; absent or empty = from the start
    size_t limit;             // entries at most, >= 1
    size_t max_bytes;         // of the entries' texts; one entry is returned whatever its size
    int64_t deadline_us;
};

struct weir_registry_page {
    struct weir_namespace_record *records;
    size_t n;
    bool is_more;  // further entries follow
};

/* Returns the bytes of an entry that count against weir_registry_query.max_bytes. */
static inline size_t weir_namespace_record_bytes(const struct weir_namespace_record *record)
{
    return record->id.n + record->description.n + record->metadata.n;
}

/* Lists registry entries in ascending bytewise order of their ids. The page and its texts live in
 * `arena`. */
weir_status weir_namespace_list(struct weir_store *store, const struct weir_registry_query *query,
                                struct weir_arena *arena, struct weir_registry_page *page,
                                struct weir_error *err);

/* Removes a namespace and all its data. Waits until the deadline for the calls that are under way
 * in the namespace. Calls that arrive during the deletion fail with BACKEND_UNAVAILABLE, because
 * the deletion may still fail; later calls fail with NAMESPACE_NOT_FOUND. Open handles stay valid
 * until they are released.
 *
 * NAMESPACE_NOT_FOUND if the id is not registered. After any other failure the namespace may exist
 * as before. */
weir_status weir_namespace_delete(struct weir_store *store, struct weir_slice id,
                                  int64_t deadline_us, int64_t *messages_deleted,
                                  struct weir_error *err);

/* Returns a reference-counted handle, to be released with weir_namespace_release. Cheap if the
 * namespace is open already. The first caller may have to migrate an old file, which ignores its
 * deadline; callers that arrive during the opening wait for half a second of it at most and then
 * fail with BACKEND_UNAVAILABLE. Callers that arrive during a deletion fail so at once.
 *
 * NAMESPACE_NOT_FOUND; BACKEND_UNAVAILABLE or DATA_CORRUPT if this namespace's storage cannot be
 * used (other namespaces are not affected). */
weir_status weir_namespace_open(struct weir_store *store, struct weir_slice id, int64_t deadline_us,
                                struct weir_namespace **ns, struct weir_error *err);

/* Gives a handle back. NULL is allowed. */
void weir_namespace_release(struct weir_namespace *ns);

struct weir_namespace_totals {
    int64_t message_count;
    int64_t stream_count;
    int64_t last_activity_us;  // time of the newest message; meaningful where message_count > 0
};

/* Reads the totals of a namespace. Blocks on the backend. */
weir_status weir_namespace_totals(struct weir_namespace *ns, int64_t deadline_us,
                                  struct weir_namespace_totals *totals, struct weir_error *err);

/* ---- writing ---- */

struct weir_new_message {
    struct weir_uuid id;
    bool is_id_given;               // chosen by the client: an existing id may mean a retry
    struct weir_slice type;         // 1..512 bytes (imports: 0..512)
    struct weir_slice data;         // JSON text; absent if none
    struct weir_slice metadata;     // JSON text; absent if none
    struct weir_slice correlation;  // category of metadata.correlationStreamName; absent if none
};

enum weir_expect {
    WEIR_EXPECT_ANY,
    WEIR_EXPECT_EXACT,
    WEIR_EXPECT_NO_STREAM,
    WEIR_EXPECT_STREAM_EXISTS
};

struct weir_expectation {
    enum weir_expect kind;
    int64_t version;  // with WEIR_EXPECT_EXACT; any value, one below -1 never holds
};

struct weir_written {
    struct weir_uuid id;
    int64_t position;
    int64_t global_position;
    int64_t time_us;
};

/* Messages for one stream. Without messages it only checks the stream's version. */
struct weir_stream_append {
    struct weir_slice stream;
    struct weir_expectation expectation;
    const struct weir_new_message *messages;
    size_t n;
    struct weir_written *written;  // out: room for n, filled on OK
};

/* An append to one or more streams, all or nothing. */
struct weir_append {
    struct weir_stream_append *streams;  // distinct names
    size_t n;
    bool is_duplicate;  // out: the append was stored before; `written` is the original result
};

struct weir_import_record {
    struct weir_new_message message;  // is_id_given is true
    struct weir_slice stream;
    int64_t position;         // 0..2^62
    int64_t global_position;  // 1..2^62
    int64_t time_us;
};

struct weir_import {
    const struct weir_import_record *records;
    size_t n;
    int64_t imported;           // out
    int64_t skipped_identical;  // out
};

struct weir_clear {
    int64_t messages_deleted;  // out
};

enum weir_write_kind { WEIR_WRITE_APPEND, WEIR_WRITE_IMPORT, WEIR_WRITE_CLEAR };

/* A submitted write. The submitter owns the write and everything it points at, and leaves both
 * alone until `done`. */
struct weir_write {
    enum weir_write_kind kind;
    union {
        struct weir_append append;
        struct weir_import import;
        struct weir_clear clear;
    } of;
    int64_t deadline_us;       // monotonic; INT64_MAX if none. A write is not started after it.
    struct weir_arena *arena;  // room for the details of many conflicts
    struct weir_error *err;    // out: err->status is the outcome, WEIR_OK once it is durable
    /* Called once, without any lock held, on the thread that leads the lane or the thread that
     * calls weir_group_finish. May release the write, and submits none itself. */
    void (*done)(struct weir_write *write);
    void *context;            // the submitter's
    struct weir_write *next;  // the lane's
};

/* Queues a write on the namespace's lane, its queue of writes (lane.h). Returns true if the lane
 * was idle: the caller is then the lane's leader and must call weir_lane_commit or weir_lane_run
 * (immediately, or on another thread) until that returns false. Never blocks.
 *
 * Outcomes (write->err): STREAM_VERSION_CONFLICT (details stream, expected, actual; further failed
 * expectations of the same write as stream.1, …), MESSAGE_ID_CONFLICT (stream, position,
 * global_position), POSITION_EXISTS (gpos, stream, pos, record), OUT_OF_POSITIONS, INVALID_REQUEST
 * (an id given twice in one append), LIMIT_EXCEEDED (of the backend), DEADLINE_EXCEEDED,
 * NAMESPACE_NOT_FOUND (deleted meanwhile), DATA_CORRUPT, BACKEND_UNAVAILABLE, BACKEND_ERROR. A
 * refused write changes nothing and does not affect the other writes of its group. */
bool weir_write_submit(struct weir_namespace *ns, struct weir_write *write);

/* Commits the queued writes, up to the bounds of a group, in one transaction. Called by the lane's
 * leader, which holds a handle. Blocks on the backend.
 *
 * *group is set to the committed and refused writes, linked by `next`, NULL if none is left; the
 * caller, or a thread it chooses, passes them to weir_group_finish. While the backend does not
 * answer, writes of the group and of the queue behind it are finished by this function when their
 * deadline passes.
 *
 * Returns true if more writes have queued up: the caller still leads, and may commit the next group
 * before this one is finished. Returns false if the caller has ceased to lead; another thread may
 * lead already. So the outcomes of a group may be reported after those of the next one, but never
 * before they are true. */
bool weir_lane_commit(struct weir_namespace *ns, struct weir_write **group);

/* Calls `done` of every write of a group, in the order of the lane. */
void weir_group_finish(struct weir_write *group);

/* Ends the queued writes whose deadline has passed. Called by the lane's leader while it waits for
 * another thread to commit in its place; the leader keeps the lead even if the queue is now
 * empty. */
void weir_lane_end_late(struct weir_namespace *ns);

/* Commits one group and finishes it on the calling thread: weir_lane_commit, then
 * weir_group_finish. Returns what weir_lane_commit returns. For leaders that hand no group to
 * another thread, such as the tests and benchmarks of the store; holds a handle of its own, so a
 * `done` may release the caller's. */
bool weir_lane_run(struct weir_namespace *ns);

/* ---- reading ---- */

/* A stored message. The slices point into the arena of the read. */
struct weir_row {
    struct weir_uuid id;
    struct weir_slice stream;
    struct weir_slice type;
    struct weir_slice data;      // absent if none was written, and in headers_only reads
    struct weir_slice metadata;  // absent likewise
    int64_t position;
    int64_t global_position;
    int64_t time_us;
    size_t packed_n;  // scratch of the caller: the row's size when packed; backends ignore it
};

enum weir_selector { WEIR_SELECT_STREAM, WEIR_SELECT_CATEGORY, WEIR_SELECT_ALL };

struct weir_query {
    enum weir_selector selector;
    struct weir_slice name;  // of the stream or category
    bool is_backward;
    bool is_from_newest;   // with is_backward: start at the newest; `from` is ignored
    bool is_from_global;   // selector STREAM: `from` is a global position instead of a position
    int64_t from;          // inclusive; negative = from the beginning (backward: nothing)
    int64_t max_messages;  // >= 0
    bool is_unlimited;     // reaching max_messages although more match counts as truncation
    size_t max_bytes;      // of messages, about as packed; the first is returned whatever its size
    const struct weir_slice *types;  // keep only these types; at most WEIR_READ_TYPES_MAX
    size_t types_n;                  // 0 = all
    struct weir_slice correlation;   // only this correlation category; absent = all. Not for STREAM
    int64_t group_member;            // with group_size > 0. Not for STREAM
    int64_t group_size;              // 0 = no group
    bool is_headers_only;
    int64_t deadline_us;  // monotonic; INT64_MAX if none
};

struct weir_rows {
    struct weir_row *rows;  // sized once, before the first row, by the batch and the kept counts
    size_t n;
    int64_t next_position;  // start of the following read, as the protocol defines it
    /* Cut by max_bytes (or by max_messages of an unlimited read) although more messages match. */
    bool is_truncated;
};

/* Reads messages in one snapshot. A backend may read a very large reply in parts, each in a
 * snapshot no older than that of the part before. The parts together are still in order and without
 * gaps, because nothing appears below what has been read, imports excepted; a clear between two
 * parts shows as it would between two reads. Filters apply before max_messages. A missing stream or
 * category is OK with n == 0.
 *
 * DEADLINE_EXCEEDED, BACKEND_UNAVAILABLE, LIMIT_EXCEEDED (the arena's cap), DATA_CORRUPT (detail
 * global_position); *rows is meaningful on OK only. Blocks on the backend. The number of heap
 * allocations does not depend on the number of rows. */
weir_status weir_read(struct weir_namespace *ns, const struct weir_query *query,
                      struct weir_arena *arena, struct weir_rows *rows, struct weir_error *err);

/* Returns whether concurrent reads of one namespace cost less as a group. */
bool weir_store_groups_reads(const struct weir_store *store);

enum {
    WEIR_READ_GROUP_MAX = 32,         // reads of a group at most
    WEIR_READ_GROUP_MESSAGES = 1000,  // messages that the reads of a group ask for in all, at most
    WEIR_READ_SMALL_MESSAGES = 50     // messages that a small read asks for at most
};

/* Returns whether a read belongs in a group: it asks for few messages (with many, the round trip is
 * not the cost that counts), and examines hardly more rows than it returns, so that no other read
 * of the group waits for it. */
bool weir_query_is_small(const struct weir_query *query);

/* A read of a group. The caller owns the read and everything it points at, and leaves both alone
 * until `done`. */
struct weir_read {
    struct weir_query query;   // weir_query_is_small holds for it
    struct weir_arena *arena;  // of this read alone
    struct weir_rows rows;     // out: meaningful where err->status is WEIR_OK
    struct weir_error *err;    // out: err->status is the outcome
    /* Called once, on the thread that reads the group. May release the read; must not block. */
    void (*done)(struct weir_read *read);
    void *context;           // the caller's
    struct weir_read *next;  // of the group
};

/* Runs the reads of a group, each in a snapshot of its own that is taken after the call has begun,
 * with the outcomes of weir_read. The reads are independent: each has its own deadline, and a
 * failure does not affect the others. `done` of every read has been called on return. Blocks on the
 * backend. */
void weir_read_group(struct weir_namespace *ns, struct weir_read *group);

/* Returns the query for the message with the highest position in the stream `query->name`, which
 * gives one row or none. query->types has one type at most, which the message must have; an empty
 * type is no filter. is_headers_only and deadline_us are taken from `query` as well. */
struct weir_query weir_query_of_last(const struct weir_query *query);

/* Sets *version to the stream's version, -1 if the stream does not exist. */
weir_status weir_stream_version(struct weir_namespace *ns, struct weir_slice stream,
                                int64_t deadline_us, int64_t *version, struct weir_error *err);

struct weir_head {
    int64_t position;  // the highest global position ever allotted in the namespace, 0 for none
    /* Number of messages. Where no such count is kept: the number there would be if every position
     * but the newest ones were taken. */
    int64_t messages;
    /* False where a message may still appear below `position` without an import. */
    bool is_in_order;
};

/* Reads the values that a waiting reader watches; cheap on every backend, however large the
 * namespace. Appends change the position; imports below it and removals change the number. */
weir_status weir_head(struct weir_namespace *ns, int64_t deadline_us, struct weir_head *head,
                      struct weir_error *err);

/* ---- listing ---- */

struct weir_stream_info {
    struct weir_slice name;
    int64_t version;
    int64_t last_activity_us;
};

struct weir_page_query {
    struct weir_slice prefix;  // literal; absent or empty = all streams
    struct weir_slice after;   // names > after; absent or empty = from the start
    size_t limit;              // 1..WEIR_LIST_LIMIT_MAX
    int64_t deadline_us;
};

struct weir_stream_page {
    struct weir_stream_info *streams;
    size_t n;
    bool is_more;  // further streams follow
};

/* Lists streams that hold messages, in ascending bytewise order. */
weir_status weir_list_streams(struct weir_namespace *ns, const struct weir_page_query *query,
                              struct weir_arena *arena, struct weir_stream_page *page,
                              struct weir_error *err);

struct weir_category_info {
    struct weir_slice name;
    int64_t stream_count;
    int64_t message_count;
};

struct weir_category_list {
    struct weir_category_info *categories;
    size_t n;
};

/* Lists all categories that hold messages, in ascending bytewise order. Reads kept counts; only a
 * database adopted from Message DB has none and is scanned. */
weir_status weir_list_categories(struct weir_namespace *ns, int64_t deadline_us,
                                 struct weir_arena *arena, struct weir_category_list *list,
                                 struct weir_error *err);

/* ---- chunks ---- */

/* A chunk of a namespace that is partitioned by time (TimescaleDB). */
struct weir_chunk {
    struct weir_slice name;
    /* The fields below are set by WEIR_CHUNKS_LIST only. */
    int64_t range_start_us;  // inclusive
    int64_t range_end_us;    // exclusive
    bool is_compressed;
    int64_t size_bytes;
    int64_t row_count;
};

enum weir_chunk_action { WEIR_CHUNKS_LIST, WEIR_CHUNKS_COMPRESS, WEIR_CHUNKS_DROP };

struct weir_chunk_query {
    enum weir_chunk_action action;
    int64_t before_us;  // act on chunks that end before it; ignored by WEIR_CHUNKS_LIST
    int64_t deadline_us;
};

struct weir_chunk_list {
    struct weir_chunk *chunks;
    size_t n;
};

/* Lists chunks, compresses those that are not compressed yet, or drops chunks with their messages
 * (streams keep their versions, ids are forgotten). *list is set to the chunks that were listed,
 * compressed or dropped, oldest first. FEATURE_UNSUPPORTED on a backend without chunks. */
weir_status weir_chunks(struct weir_namespace *ns, const struct weir_chunk_query *query,
                        struct weir_arena *arena, struct weir_chunk_list *list,
                        struct weir_error *err);

#endif
