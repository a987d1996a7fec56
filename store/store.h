/* The store as its callers see it: namespaces, writes that are grouped, reads into arrays sized
 * before the rows come.
 *
 * One `struct weir_store` serves a process and is thread-safe; so is a `struct weir_namespace`, the
 * handle of an opened namespace. Behind them stand backend sessions (connections), which callers
 * never see: a call borrows one for as long as it runs.
 *
 * Ownership. Slices handed in are borrowed until the call returns (writes: until `done`). Slices
 * handed out live in the arena that the caller gave. Nothing else is allocated for the caller.
 *
 * Checks. The caller has checked the syntax of what a client sent (names, types, sizes, JSON); the
 * store asserts ranges and judges state: ids, expectations, positions.
 *
 * Ordering. Within a namespace, writes are committed one group after the other; allotment order of
 * global positions is commit order. A message is visible to every read that starts after its
 * write's `done`, and once a read has shown a global position nothing appears below it later,
 * imports excepted. */
#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include "weir/base/arena.h"
#include "weir/base/status.h"
#include "weir/rules/token.h"
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
    /* Told about what happens outside of any call (a checkpoint that fails, a file that is
     * damaged). May be called from any thread; NULL to drop it. */
    void (*report)(void *context, const char *text);
    void *report_context;
};

/* Opens the store, creating it where there is none. A store that cannot be opened, is another
 * program's or of a newer schema is left as it was. BACKEND_UNAVAILABLE, PRECONDITION or
 * INVALID_REQUEST (the URL) with a text that says what to do. Blocks. */
weir_status weir_store_open(const struct weir_store_options *options, struct weir_store **store,
                            struct weir_error *err);

/* Sets what a thread does now and then, about ten times a second, while a call of it waits for
 * another machine or process; it holds no lock then. Before the store is used by more than one
 * thread. */
void weir_store_on_wait(struct weir_store *store, void (*waits)(void *context), void *context);

/* Closes everything. No call may be under way and every namespace handle must have been released.
 */
void weir_store_close(struct weir_store *store);

/* "sqlite", "postgresql" or "timescaledb", and the version of the schema. */
const char *weir_store_backend_name(const struct weir_store *store);
int weir_store_schema_version(const struct weir_store *store);

/* Whether its calls wait for this machine's disk at most, and for nothing that another one does. */
bool weir_store_is_local(const struct weir_store *store);

/* Asks the backend a question; OK where it answers before the deadline (monotonic microseconds). */
weir_status weir_store_ping(struct weir_store *store, int64_t deadline_us, struct weir_error *err);

/* ---- namespaces ---- */

struct weir_namespace_record {
    struct weir_slice id;
    struct weir_slice description;  // absent if none
    struct weir_slice metadata;     // JSON object; absent if none
    struct weir_token_hash token_hash;
    int64_t created_at_us;
};

/* An arena with this cap has room for any entry of the registry. */
enum { WEIR_NAMESPACE_RECORD_BYTES_MAX = 32 * 1024 * 1024 };

/* What follows takes a deadline: monotonic microseconds, INT64_MAX if there is none. A change is
 * not begun after it; one that has begun by then, and of which nothing is known, is
 * DEADLINE_EXCEEDED with a text that says so. */

/* Registers a namespace and creates its storage; `record->created_at_us` is set to the stored
 * value. NAMESPACE_EXISTS where there is one; *is_same then tells whether it has this very token
 * hash (a repeated create), and record->created_at_us is that of the one that exists. */
weir_status weir_namespace_create(struct weir_store *store, struct weir_namespace_record *record,
                                  int64_t deadline_us, bool *is_same, struct weir_error *err);

/* Reads the registry entry of record->id; what it says lives in `arena`, its id too.
 * NAMESPACE_NOT_FOUND. */
weir_status weir_namespace_find(struct weir_store *store, struct weir_namespace_record *record,
                                int64_t deadline_us, struct weir_arena *arena,
                                struct weir_error *err);

/* Replaces the token's hash. NAMESPACE_NOT_FOUND. */
weir_status weir_namespace_set_token(struct weir_store *store, struct weir_slice id,
                                     const struct weir_token_hash *hash, int64_t deadline_us,
                                     struct weir_error *err);

struct weir_registry_query {
    struct weir_slice after;  // only ids > after; all for an empty slice
    size_t limit;             // >= 1
    size_t max_bytes;         // of the entries' texts; one entry fits at any rate
    int64_t deadline_us;
};

struct weir_registry_page {
    struct weir_namespace_record *records;
    size_t n;
    bool is_more;  // others follow
};

/* The bytes that count against max_bytes. */
static inline size_t weir_namespace_record_bytes(const struct weir_namespace_record *record)
{
    return record->id.n + record->description.n + record->metadata.n;
}

/* Registry entries, ascending bytewise. All of the page lives in `arena`. */
weir_status weir_namespace_list(struct weir_store *store, const struct weir_registry_query *query,
                                struct weir_arena *arena, struct weir_registry_page *page,
                                struct weir_error *err);

/* Removes a namespace and all its data. Calls inside it complete before or fail after with
 * NAMESPACE_NOT_FOUND; open handles stay valid until released. The calls that are under way are
 * waited for, until the deadline; those that come meanwhile are BACKEND_UNAVAILABLE, since it may
 * fail. NAMESPACE_NOT_FOUND where there is none; where another outcome is told it may be there as
 * before. */
weir_status weir_namespace_delete(struct weir_store *store, struct weir_slice id,
                                  int64_t deadline_us, int64_t *messages_deleted,
                                  struct weir_error *err);

/* A handle, counted: cheap where the namespace is open already. The first to open it may have to
 * bring an old file up to date, whatever his deadline; who comes meanwhile is told
 * BACKEND_UNAVAILABLE after half a second of it at the latest, and who comes while it is being
 * deleted at once. NAMESPACE_NOT_FOUND; BACKEND_UNAVAILABLE or DATA_CORRUPT where this namespace's
 * storage cannot be used (others are not affected). */
weir_status weir_namespace_open(struct weir_store *store, struct weir_slice id, int64_t deadline_us,
                                struct weir_namespace **ns, struct weir_error *err);
void weir_namespace_release(struct weir_namespace *ns);

struct weir_namespace_totals {
    int64_t message_count;
    int64_t stream_count;
    int64_t last_activity_us;  // time of the newest message; meaningful where message_count > 0
};

weir_status weir_namespace_totals(struct weir_namespace *ns, int64_t deadline_us,
                                  struct weir_namespace_totals *totals, struct weir_error *err);

/* ---- writing ---- */

struct weir_new_message {
    struct weir_uuid id;
    bool is_id_given;               // by the client: then an id that exists may be a retry
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
    int64_t version;  // with WEIR_EXPECT_EXACT; any value, below -1 never holds
};

struct weir_written {
    struct weir_uuid id;
    int64_t position;
    int64_t global_position;
    int64_t time_us;
};

/* Messages for one stream; with none it is a check of the stream's version. */
struct weir_stream_append {
    struct weir_slice stream;
    struct weir_expectation expectation;
    const struct weir_new_message *messages;
    size_t n;
    struct weir_written *written;  // out: room for n, filled on OK
};

/* One or more streams, all or nothing. */
struct weir_append {
    struct weir_stream_append *streams;  // distinct names
    size_t n;
    bool is_duplicate;  // out: it had been stored before; `written` is the original result
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

/* A write on its way. The submitter owns it and everything it points at, and leaves both alone
 * until `done`. */
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
    /* Called once, never under a lock, on the thread that leads the lane or the one that was given
     * the group to finish. It may release the write, and writes nothing itself. */
    void (*done)(struct weir_write *write);
    void *context;            // the submitter's
    struct weir_write *next;  // the lane's
};

/* Queues a write on the namespace's lane. True where the lane was idle: the caller then leads and
 * must call weir_lane_commit or weir_lane_run (now, or on another thread) until that returns false.
 * Never blocks.
 *
 * Outcomes (write->err): STREAM_VERSION_CONFLICT (details stream, expected, actual; further failed
 * expectations of the same write as stream.1, …), MESSAGE_ID_CONFLICT (stream, position,
 * global_position), POSITION_EXISTS (gpos, stream, pos, record), OUT_OF_POSITIONS,
 * DEADLINE_EXCEEDED, NAMESPACE_NOT_FOUND (deleted meanwhile), BACKEND_UNAVAILABLE, BACKEND_ERROR. A
 * refused write leaves the others of its group alone and changes nothing itself. */
bool weir_write_submit(struct weir_namespace *ns, struct weir_write *write);

/* Commits what is queued, as one group and one transaction. *group is what was committed or
 * refused, linked by `next`, and for the caller, or whoever he asks, to finish; NULL if none is
 * left to be. Where the backend does not answer, those whose deadline passes are finished here, of
 * the group and of the queue behind it. True where more has queued up meanwhile: the caller still
 * leads, and the next group need not wait until this one is finished. With false another thread may
 * lead already. So the outcomes of one group may be told after those of the next, though never
 * before they are true. The bound on a group is the store's. The caller holds a handle. Blocks on
 * the backend. */
bool weir_lane_commit(struct weir_namespace *ns, struct weir_write **group);

/* Calls the `done` of every write of a group, in the order of the lane. */
void weir_group_finish(struct weir_write *group);

/* For the leader, while another thread is to commit in its place and has not come: ends the writes
 * that are queued and whose deadline has passed. It leads on, also where none is left. */
void weir_lane_end_late(struct weir_namespace *ns);

/* Both, one after the other. What weir_lane_commit would return. */
bool weir_lane_run(struct weir_namespace *ns);

/* ---- reading ---- */

/* A stored message. The slices point into the arena of the read. */
struct weir_row {
    struct weir_uuid id;
    struct weir_slice stream;
    struct weir_slice type;
    struct weir_slice data;      // absent if none was written, and in headers_only reads
    struct weir_slice metadata;  // the same
    int64_t position;
    int64_t global_position;
    int64_t time_us;
    size_t packed_n;  // the caller's, for its size when packed; backends leave it alone
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
    bool is_unlimited;     // stopping at max_messages although more match counts as truncation
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
    struct weir_row *rows;  // sized once, before the first one, by the batch and what can be there
    size_t n;
    int64_t next_position;  // where to go on, as the protocol defines it
    /* Cut by max_bytes (or by max_messages of an unlimited read) although more match. */
    bool is_truncated;
};

/* Reads in one snapshot; a backend may take a reply that is very large in parts, each in a snapshot
 * that is not older than that of the one before. Together they are without gaps and in order all
 * the same, because nothing appears below what has been read, imports excepted; a clear between two
 * parts shows as it would between two reads. Filters apply before max_messages. A missing stream or
 * category is OK with n == 0. DEADLINE_EXCEEDED, BACKEND_UNAVAILABLE, LIMIT_EXCEEDED (the arena's
 * cap), DATA_CORRUPT (detail global_position); *rows is meaningful on OK only. Blocks on the
 * backend. Heap allocations do not depend on the number of rows. */
weir_status weir_read(struct weir_namespace *ns, const struct weir_query *query,
                      struct weir_arena *arena, struct weir_rows *rows, struct weir_error *err);

/* Whether reads of one namespace that are on their way at once cost less as a group. */
bool weir_store_groups_reads(const struct weir_store *store);

enum {
    WEIR_READ_GROUP_MAX = 32,         // reads of a group
    WEIR_READ_GROUP_MESSAGES = 1000,  // and messages that they ask for together
    WEIR_READ_SMALL_MESSAGES = 50     // a small read asks for
};

/* Whether a read is one for a group: it asks for few messages (with many, the way is not what it
 * costs), and examines hardly more than it returns, so that none of the others waits for it. */
bool weir_query_is_small(const struct weir_query *query);

/* A read on its way with others. The caller owns it and everything it points at, and leaves both
 * alone until `done`. */
struct weir_read {
    struct weir_query query;   // a small one
    struct weir_arena *arena;  // its own
    struct weir_rows rows;     // out: meaningful where err->status is WEIR_OK
    struct weir_error *err;    // out: err->status is the outcome
    /* Called once, on the thread that reads the group. It may release the read. Does not block. */
    void (*done)(struct weir_read *read);
    void *context;           // the caller's
    struct weir_read *next;  // of its group
};

/* Reads each, in a snapshot of its own that is taken after the call has begun, with the outcomes of
 * weir_read. They have nothing to do with each other: one that fails leaves the others alone, and
 * each has its own deadline. All are done when it returns. Blocks on the backend. */
void weir_read_group(struct weir_namespace *ns, struct weir_read *group);

/* The read of the message with the highest position of the stream `query->name`, or the highest
 * among one type: query->types has one at most, and an empty one is any. Of the query also
 * is_headers_only and deadline_us count. It gives one row or none. */
struct weir_query weir_query_of_last(const struct weir_query *query);

/* -1 where the stream does not exist. */
weir_status weir_stream_version(struct weir_namespace *ns, struct weir_slice stream,
                                int64_t deadline_us, int64_t *version, struct weir_error *err);

struct weir_head {
    int64_t position;  // the highest global position ever allotted in the namespace, 0 for none
    /* How many there are. Where that is not kept: how many there would be if of all positions but
     * the newest ones each was taken. */
    int64_t messages;
};

/* What a waiting reader watches: cheap wherever the namespace is kept and however large it is. What
 * is written moves the position; what gets in below it, or is removed, moves the number. */
weir_status weir_head(struct weir_namespace *ns, int64_t deadline_us, struct weir_head *head,
                      struct weir_error *err);

/* ---- listing ---- */

struct weir_stream_info {
    struct weir_slice name;
    int64_t version;
    int64_t last_activity_us;
};

struct weir_page_query {
    struct weir_slice prefix;  // literal; absent or empty = all
    struct weir_slice after;   // names > after; absent or empty = from the start
    size_t limit;              // 1..WEIR_LIST_LIMIT_MAX
    int64_t deadline_us;
};

struct weir_stream_page {
    struct weir_stream_info *streams;
    size_t n;
    bool is_more;  // others follow
};

/* Streams that hold messages, ascending bytewise. */
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

/* All categories that hold messages, ascending bytewise. From kept counts, not by scanning
 * messages. */
weir_status weir_list_categories(struct weir_namespace *ns, int64_t deadline_us,
                                 struct weir_arena *arena, struct weir_category_list *list,
                                 struct weir_error *err);

/* ---- chunks ---- */

/* A piece, by time, of a namespace that is kept in such pieces (TimescaleDB). */
struct weir_chunk {
    struct weir_slice name;
    /* Of a listing only. */
    int64_t range_start_us;  // inclusive
    int64_t range_end_us;    // exclusive
    bool is_compressed;
    int64_t size_bytes;
    int64_t row_count;
};

enum weir_chunk_action { WEIR_CHUNKS_LIST, WEIR_CHUNKS_COMPRESS, WEIR_CHUNKS_DROP };

struct weir_chunk_query {
    enum weir_chunk_action action;
    int64_t before_us;  // act on those that end before it; listing: not looked at
    int64_t deadline_us;
};

struct weir_chunk_list {
    struct weir_chunk *chunks;
    size_t n;
};

/* Lists the chunks, or compresses those that are not yet, or drops them with their messages
 * (streams keep their versions, ids are forgotten). Gives the chunks that were listed, compressed
 * or dropped, oldest first. FEATURE_UNSUPPORTED where there is no such thing. */
weir_status weir_chunks(struct weir_namespace *ns, const struct weir_chunk_query *query,
                        struct weir_arena *arena, struct weir_chunk_list *list,
                        struct weir_error *err);

#endif
