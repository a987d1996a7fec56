/* Appends. Most can simply be done: the expectations hold, and the inserts meet no existing id or
 * position. All others go to sqlite_retry.c, which tells retries from conflicts. */
#include "store/sqlite/sqlite_write.h"

#include "store/append_rules.h"
#include "store/sqlite/sqlite_packed.h"

#include "weir/rules/time_text.h"

#include <assert.h>
#include <stdlib.h>

static int find_streams(struct sqlite_session *session, struct weir_write *write,
                        struct append_streams *known)
{
    const struct weir_append *append = &write->of.append;
    int rc = SQLITE_OK;
    bool is_damaged = false;
    for (size_t s = 0; rc == SQLITE_OK && s < append->n; s++) {
        rc = weir_sqlite_group_stream(session, append->streams[s].stream, &known->streams[s]);
        is_damaged = is_damaged || (rc == SQLITE_OK && known->streams[s]->is_damaged);
    }
    if (rc == SQLITE_OK && is_damaged) {
        weir_sqlite_refuse_damaged(session, write);
    }
    return rc;
}

/* INT64_MAX is never allotted: once it is a rowid, SQLite picks the following rowids at random. */
static bool is_room(int64_t next, size_t n)
{
    return (uint64_t)n <= (uint64_t)(INT64_MAX - next);
}

static bool may_append(const struct sqlite_group *group, const struct weir_append *append,
                       const struct append_streams *known)
{
    size_t messages = 0;
    for (size_t s = 0; s < append->n; s++) {
        const struct weir_stream_append *part = &append->streams[s];
        const int64_t version = known->streams[s]->version;
        if (!weir_expectation_is_met(&part->expectation, version) ||
            !is_room(version + 1, part->n)) {
            return false;
        }
        messages += part->n;
    }
    return is_room(group->next_global_position, messages);
}

/* Binds data and metadata as one blob. If only one of them has bytes it is bound as it is;
 * otherwise both are copied. */
static int bind_large(sqlite3_stmt *statement, int at, const struct weir_row *row)
{
    const size_t n = row->data.n + row->metadata.n;
    if (row->data.n == 0 || row->metadata.n == 0) {
        const struct weir_slice *only = row->data.n > 0 ? &row->data : &row->metadata;
        return sqlite3_bind_blob64(statement, at, only->p, n, SQLITE_STATIC);
    }
    uint8_t *bytes = malloc(n);
    if (bytes == NULL) {
        return SQLITE_NOMEM;
    }
    weir_sqlite_pack_large(row, bytes);
    return sqlite3_bind_blob64(statement, at, bytes, n, free);
}

int weir_sqlite_insert(struct sqlite_session *session, const struct group_stream *stream,
                       const struct weir_new_message *message, const struct weir_written *written)
{
    const struct weir_row row = {.id = message->id,
                                 .time_us = written->time_us,
                                 .stream = stream->name,
                                 .type = message->type,
                                 .data = message->data,
                                 .metadata = message->metadata};
    struct sqlite_packed packed;
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_statement(session, STATEMENT_MESSAGE_ADD, &statement);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (!weir_sqlite_pack(&row, &packed)) {
        return SQLITE_TOOBIG;
    }
    (void)sqlite3_bind_int64(statement, 1, written->global_position);
    (void)sqlite3_bind_int64(statement, 2, stream->stream_id);
    (void)sqlite3_bind_int64(statement, 3, written->position);
    (void)sqlite3_bind_int64(statement, 4, stream->category_id);
    rc = weir_sqlite_bind_text(statement, 5, message->correlation);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_blob(statement, 6, packed.bytes, (int)packed.n, SQLITE_STATIC);
        rc = packed.is_large ? bind_large(statement, 7, &row) : sqlite3_bind_null(statement, 7);
    }
    return rc != SQLITE_OK ? rc : weir_sqlite_run(statement);
}

/* Inserts one stream's messages from *global_position on, and advances it. */
static int insert_part(struct sqlite_session *session, const struct weir_stream_append *part,
                       struct group_stream *stream, int64_t time_us, int64_t *global_position)
{
    int rc = weir_sqlite_group_name_ids(session, stream);
    for (size_t m = 0; rc == SQLITE_OK && m < part->n; m++) {
        part->written[m] = (struct weir_written){.id = part->messages[m].id,
                                                 .position = stream->version + 1 + (int64_t)m,
                                                 .global_position = *global_position,
                                                 .time_us = time_us};
        rc = weir_sqlite_insert(session, stream, &part->messages[m], &part->written[m]);
        *global_position += rc == SQLITE_OK;
    }
    return rc;
}

/* Deletes the rows of a refused append, all those from global position `first` on. They are the
 * last rows of the table, so no savepoint is needed, which would cost every append of several
 * messages. */
static int undo(struct sqlite_session *session, int64_t first)
{
    sqlite3_stmt *statement = NULL;
    const int rc = weir_sqlite_statement(session, STATEMENT_MESSAGES_UNDO, &statement);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(statement, 1, first);
    return weir_sqlite_run(statement);
}

static void count(struct sqlite_group *group, const struct weir_append *append,
                  const struct append_streams *known, int64_t time_us)
{
    for (size_t s = 0; s < append->n; s++) {
        const int64_t n = (int64_t)append->streams[s].n;
        if (n > 0) {
            struct group_stream *stream = known->streams[s];
            weir_sqlite_group_count(group, stream, stream->version + n, n, time_us);
        }
    }
    group->last_write_us = time_us;
}

/* Returns the time of a write: the clock, read while the write lock is held, but never a time
 * before that of the last write. */
static int64_t write_time(const struct sqlite_group *group)
{
    const int64_t now_us = weir_now_us();
    return now_us > group->last_write_us ? now_us : group->last_write_us;
}

static int insert_all(struct sqlite_session *session, const struct weir_append *append,
                      const struct append_streams *known)
{
    struct sqlite_group *group = session->group;
    const int64_t time_us = write_time(group);
    int64_t global_position = group->next_global_position;
    int rc = SQLITE_OK;
    for (size_t s = 0; rc == SQLITE_OK && s < append->n; s++) {
        if (append->streams[s].n > 0) {
            rc = insert_part(session, &append->streams[s], known->streams[s], time_us,
                             &global_position);
        }
    }
    if (rc == SQLITE_OK) {
        count(group, append, known, time_us);
        group->next_global_position = global_position;
    } else if (rc == SQLITE_CONSTRAINT_UNIQUE && global_position > group->next_global_position) {
        const int undo_rc = undo(session, group->next_global_position);
        rc = undo_rc != SQLITE_OK ? undo_rc : rc;
    }
    return rc;
}

int weir_sqlite_append(struct sqlite_session *session, struct weir_write *write)
{
    struct weir_append *append = &write->of.append;
    assert(append->n >= 1 && append->n <= WEIR_WRITE_STREAMS_MAX);
    append->is_duplicate = false;
    struct append_streams known;
    int rc = find_streams(session, write, &known);
    if (rc != SQLITE_OK || write->err->status != WEIR_OK) {
        return rc;
    }
    if (!may_append(session->group, append, &known)) {
        return weir_sqlite_settle(session, write, &known, false);
    }
    rc = insert_all(session, append, &known);
    if (rc == SQLITE_CONSTRAINT_UNIQUE) {
        return weir_sqlite_settle(session, write, &known, true);
    }
    return rc;
}
