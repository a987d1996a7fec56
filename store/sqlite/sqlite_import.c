/* Imports, whose records bring their positions, ids and times along; and the removal of all
 * messages. */
#include "store/sqlite/sqlite_write.h"

#include "store/append_rules.h"
#include "store/sqlite/sqlite_reading.h"

#include <assert.h>

/* ---- a record whose insert meets an existing row ---- */

static bool is_taken(int rc)
{
    return rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
           rc == SQLITE_CONSTRAINT_ROWID;
}

/* Sets *identical to whether the row at the record's global position equals it in every field. */
static weir_status is_identical(const struct weir_import_record *record, const struct weir_row *row,
                                bool *identical, struct weir_error *err)
{
    *identical = memcmp(&record->message.id, &row->id, sizeof row->id) == 0 &&
                 record->position == row->position && record->time_us == row->time_us &&
                 weir_slice_equal(record->stream, row->stream);
    return *identical ? weir_message_is_same(&record->message, row, identical, err) : WEIR_OK;
}

enum meeting { MEETS_NOTHING, MEETS_ITSELF, MEETS_ANOTHER };

static int look_at_global_position(struct sqlite_session *session,
                                   const struct weir_import_record *record, enum meeting *meeting,
                                   struct weir_error *err)
{
    *meeting = MEETS_NOTHING;
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_statement(session, STATEMENT_MESSAGE_BY_GLOBAL, &statement);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(statement, 1, record->global_position);
    rc = sqlite3_step(statement);
    struct weir_row row;
    if (rc == SQLITE_ROW && weir_sqlite_current_row(statement, &row)) {
        bool identical = false;
        (void)is_identical(record, &row, &identical, err);
        *meeting = identical ? MEETS_ITSELF : MEETS_ANOTHER;
    } else if (rc == SQLITE_ROW) {
        (void)weir_sqlite_session_damaged(session, row.global_position, err);
    }
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int look_at_position(struct sqlite_session *session, int64_t stream_id, int64_t position,
                            bool *is_there)
{
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_statement(session, STATEMENT_MESSAGE_IS_AT, &statement);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(statement, 1, stream_id);
    (void)sqlite3_bind_int64(statement, 2, position);
    rc = sqlite3_step(statement);
    *is_there = rc == SQLITE_ROW;
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int look_at_id(struct sqlite_session *session, struct weir_write *write, size_t at)
{
    const struct weir_uuid *id = &write->of.import.records[at].message.id;
    sqlite3_stmt *statement = NULL;
    struct weir_row row;
    enum sqlite_found found = FOUND_NOTHING;
    int rc = weir_sqlite_find_id(session, id, &statement, &row, &found);
    if (rc == SQLITE_OK && found == FOUND_ROW) {
        weir_fail_id(write->err, id, &row);
        weir_error_detail(write->err, "record", "%zu", at + 1);
    } else if (rc == SQLITE_OK && found == FOUND_DAMAGED) {
        (void)weir_sqlite_session_damaged(session, row.global_position, write->err);
    } else if (rc == SQLITE_OK) {
        rc = SQLITE_CORRUPT;  // the insert met a row that cannot be found
    }
    (void)sqlite3_reset(statement);
    return rc;
}

/* Decides about record `at`, whose insert met an existing row: the row is the record itself
 * (*is_skipped), or the import is refused (err). */
static int settle(struct sqlite_session *session, struct weir_write *write, size_t at,
                  const struct group_stream *stream, bool *is_skipped)
{
    const struct weir_import_record *record = &write->of.import.records[at];
    /* So that the records of this import are found by SQL too. */
    int rc = weir_sqlite_group_flush(session);
    enum meeting meeting = MEETS_NOTHING;
    if (rc == SQLITE_OK) {
        rc = look_at_global_position(session, record, &meeting, write->err);
    }
    *is_skipped = meeting == MEETS_ITSELF;
    if (rc != SQLITE_OK || *is_skipped || write->err->status != WEIR_OK) {
        return rc;
    }
    bool is_position_taken = meeting == MEETS_ANOTHER;
    if (!is_position_taken) {
        rc = look_at_position(session, stream->stream_id, record->position, &is_position_taken);
    }
    if (rc == SQLITE_OK && is_position_taken) {
        weir_fail_position(write->err, record, at + 1);
        return SQLITE_OK;
    }
    return rc != SQLITE_OK ? rc : look_at_id(session, write, at);
}

/* ---- all records ---- */

static void count(struct sqlite_group *group, struct group_stream *stream,
                  const struct weir_import_record *record)
{
    weir_sqlite_group_count(group, stream, record->position, 1, record->time_us);
    /* The counter never goes back: positions that it has passed are never allotted again. */
    if (record->global_position >= group->next_global_position) {
        group->next_global_position = record->global_position + 1;
    }
}

static int import_record(struct sqlite_session *session, struct weir_write *write, size_t at)
{
    struct weir_import *import = &write->of.import;
    const struct weir_import_record *record = &import->records[at];
    assert(record->position >= 0 && record->position <= WEIR_IMPORT_POSITION_MAX);
    assert(record->global_position >= 1 && record->global_position <= WEIR_IMPORT_POSITION_MAX);
    struct group_stream *stream = NULL;
    int rc = weir_sqlite_group_stream(session, record->stream, &stream);
    if (rc == SQLITE_OK && stream->is_damaged) {
        weir_sqlite_refuse_damaged(session, write);
        return SQLITE_OK;
    }
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_group_name_ids(session, stream);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    const struct weir_written written = {.position = record->position,
                                         .global_position = record->global_position,
                                         .time_us = record->time_us};
    rc = weir_sqlite_insert(session, stream, &record->message, &written);
    if (rc == SQLITE_OK) {
        count(session->group, stream, record);
        import->imported++;
    } else if (is_taken(rc)) {
        bool is_skipped = false;
        rc = settle(session, write, at, stream, &is_skipped);
        import->skipped_identical += is_skipped;
    }
    return rc;
}

static int import_all(struct sqlite_session *session, struct weir_write *write)
{
    const size_t n = write->of.import.n;
    int rc = SQLITE_OK;
    for (size_t r = 0; rc == SQLITE_OK && write->err->status == WEIR_OK && r < n; r++) {
        rc = import_record(session, write, r);
    }
    return rc;
}

/* Runs inside a savepoint, so that a refused import does not affect the rest of its group. */
int weir_sqlite_import(struct sqlite_session *session, struct weir_write *write)
{
    write->of.import.imported = 0;
    write->of.import.skipped_identical = 0;
    int rc = weir_sqlite_group_flush(session);
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_do(session, STATEMENT_SAVEPOINT);
    }
    if (rc == SQLITE_OK) {
        rc = import_all(session, write);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (write->err->status == WEIR_OK) {
        return weir_sqlite_do(session, STATEMENT_SAVEPOINT_END);
    }
    rc = weir_sqlite_do(session, STATEMENT_SAVEPOINT_UNDO);
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_do(session, STATEMENT_SAVEPOINT_END);
    }
    /* Reads the group's state anew from the tables, which are as they were before the import. */
    bool is_there = false;
    return rc != SQLITE_OK ? rc : weir_sqlite_group_begin(session, &is_there);
}

/* ---- the removal of all messages ---- */

int weir_sqlite_clear(struct sqlite_session *session, struct weir_write *write)
{
    static const enum sqlite_statement steps[] = {STATEMENT_CLEAR_MESSAGES, STATEMENT_CLEAR_STREAMS,
                                                  STATEMENT_CLEAR_CATEGORIES};
    write->of.clear.messages_deleted = session->group->message_count;
    int rc = SQLITE_OK;
    for (size_t s = 0; rc == SQLITE_OK && s < WEIR_COUNTOF(steps); s++) {
        rc = weir_sqlite_do(session, steps[s]);
    }
    return rc != SQLITE_OK ? rc : weir_sqlite_group_clear(session);
}
