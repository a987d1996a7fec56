/* Appends that cannot simply be done: recognises retries of stored appends, and otherwise finds the
 * reason to refuse the append. */
#include "store/sqlite/sqlite_write.h"

#include "store/append_rules.h"
#include "store/sqlite/sqlite_reading.h"

int weir_sqlite_find_id(struct sqlite_session *session, const struct weir_uuid *id,
                        sqlite3_stmt **statement, struct weir_row *row, enum sqlite_found *found)
{
    *found = FOUND_NOTHING;
    int rc = weir_sqlite_statement(session, STATEMENT_MESSAGE_BY_ID, statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_blob(*statement, 1, id->bytes, sizeof id->bytes, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(*statement);
    }
    if (rc == SQLITE_ROW) {
        *found = weir_sqlite_current_row(*statement, row) ? FOUND_ROW : FOUND_DAMAGED;
    }
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void weir_sqlite_refuse_damaged(const struct sqlite_session *session, struct weir_write *write)
{
    weir_backend_report(
        &session->backend->base,
        "%s: a stream's version is damaged: it differs from the position of its newest message",
        session->name);
    (void)weir_fail(write->err, WEIR_DATA_CORRUPT,
                    "the version of a stream of this write is damaged");
}

static int look_up(struct sqlite_session *session, struct weir_write *write,
                   const struct weir_stream_append *part, size_t m, struct weir_retry *retry)
{
    sqlite3_stmt *statement = NULL;
    struct weir_row row;
    enum sqlite_found found = FOUND_NOTHING;
    const int rc = weir_sqlite_find_id(session, &part->messages[m].id, &statement, &row, &found);
    if (rc == SQLITE_OK && found == FOUND_DAMAGED) {
        (void)weir_sqlite_session_damaged(session, row.global_position, write->err);
    } else if (rc == SQLITE_OK) {
        weir_retry_look(retry, write, part, m, found == FOUND_ROW ? &row : NULL);
    }
    (void)sqlite3_reset(statement);
    return rc;
}

/* Looks up the ids of all messages. The group is flushed first, so that its own messages are found
 * by SQL too. */
static int look_up_all(struct sqlite_session *session, struct weir_write *write,
                       struct weir_retry *retry)
{
    const struct weir_append *append = &write->of.append;
    int rc = weir_sqlite_group_flush(session);
    for (size_t s = 0; rc == SQLITE_OK && s < append->n; s++) {
        const struct weir_stream_append *part = &append->streams[s];
        for (size_t m = 0; rc == SQLITE_OK && write->err->status == WEIR_OK && m < part->n; m++) {
            rc = look_up(session, write, part, m, retry);
        }
    }
    return rc;
}

/* Refuses an append of which no id is stored. */
static void settle_new(const struct sqlite_session *session, struct weir_write *write,
                       const int64_t *versions, bool is_taken)
{
    if (weir_refuse_versions(write, versions)) {
        return;
    }
    if (!is_taken) {
        (void)weir_fail(write->err, WEIR_OUT_OF_POSITIONS, "no position is left");
    } else if (weir_append_has_twin(&write->of.append)) {
        (void)weir_fail_field(write->err, "messages", "one id is given twice");
    } else {  // a position beyond the stream's version is taken
        weir_sqlite_refuse_damaged(session, write);
    }
}

static bool is_any_id_given(const struct weir_append *append)
{
    bool is_any = false;
    for (size_t s = 0; s < append->n; s++) {
        for (size_t m = 0; m < append->streams[s].n; m++) {
            is_any = is_any || append->streams[s].messages[m].is_id_given;
        }
    }
    return is_any;
}

int weir_sqlite_settle(struct sqlite_session *session, struct weir_write *write,
                       const struct append_streams *known, bool is_taken)
{
    int64_t versions[WEIR_WRITE_STREAMS_MAX];
    for (size_t s = 0; s < write->of.append.n; s++) {
        versions[s] = known->streams[s]->version;
    }
    struct weir_retry retry;
    weir_retry_begin(&retry);
    if (is_taken || is_any_id_given(&write->of.append)) {
        const int rc = look_up_all(session, write, &retry);
        if (rc != SQLITE_OK || write->err->status != WEIR_OK) {
            return rc;
        }
    }
    if (retry.found == 0) {
        settle_new(session, write, versions, is_taken);
    } else {
        weir_retry_settle(&retry, write, versions);
    }
    return SQLITE_OK;
}
