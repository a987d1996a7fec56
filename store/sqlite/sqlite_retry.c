/* Appends that cannot simply be done: is it a retry, and if not, what is in the way? */
#include "store/sqlite/sqlite_write.h"

#include "weir/rules/json_text.h"

#include <stdio.h>

/* ---- stored messages ---- */

int weir_sqlite_find_id(struct sqlite_session *session, const struct weir_uuid *id,
                        sqlite3_stmt **statement, struct weir_row *row, bool *is_found)
{
    int rc = weir_sqlite_statement(session, STATEMENT_MESSAGE_BY_ID, statement);
    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_blob(*statement, 1, id->bytes, sizeof id->bytes, SQLITE_STATIC);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(*statement);
    }
    *is_found = rc == SQLITE_ROW;
    if (rc == SQLITE_DONE) {
        return SQLITE_OK;
    }
    if (rc != SQLITE_ROW) {
        return rc;
    }
    return weir_sqlite_row(*statement, row) &&
                   weir_sqlite_text(*statement, COLUMN_STREAM, &row->stream)
               ? SQLITE_OK
               : SQLITE_CORRUPT;
}

/* Most retries repeat the very bytes. */
static weir_status is_same_json(struct weir_slice a, struct weir_slice b, bool *is_same,
                                struct weir_error *err)
{
    if (weir_slice_equal(a, b)) {
        *is_same = true;
        return WEIR_OK;
    }
    return weir_json_equal(a, b, is_same, err);
}

weir_status weir_sqlite_is_same(const struct weir_new_message *message, const struct weir_row *row,
                                bool *is_same, struct weir_error *err)
{
    *is_same = weir_slice_equal(message->type, row->type);
    weir_status status = WEIR_OK;
    if (*is_same) {
        status = is_same_json(message->data, row->data, is_same, err);
    }
    if (status == WEIR_OK && *is_same) {
        status = is_same_json(message->metadata, row->metadata, is_same, err);
    }
    return status;
}

/* ---- refusals ---- */

void weir_sqlite_fail_id(struct weir_error *err, const struct weir_uuid *id,
                         const struct weir_row *row)
{
    char text[WEIR_UUID_TEXT + 1];
    weir_uuid_format(id, text);
    (void)weir_fail(err, WEIR_MESSAGE_ID_CONFLICT, "id %s belongs to another message", text);
    weir_error_detail_slice(err, "stream", row->stream);
    weir_error_detail(err, "position", "%lld", (long long)row->position);
    weir_error_detail(err, "global_position", "%lld", (long long)row->global_position);
}

static void format_expected(const struct weir_expectation *expectation, char text[24])
{
    if (expectation->kind == WEIR_EXPECT_NO_STREAM) {
        (void)snprintf(text, 24, "no_stream");
    } else if (expectation->kind == WEIR_EXPECT_STREAM_EXISTS) {
        (void)snprintf(text, 24, "stream_exists");
    } else {
        (void)snprintf(text, 24, "%lld", (long long)expectation->version);
    }
}

/* "stream" for the first, "stream.1", "stream.2" … for those that follow. */
static void add_conflict(struct weir_error *err, size_t at, const struct weir_stream_append *part,
                         int64_t actual)
{
    char suffix[24] = "";
    if (at > 0) {
        (void)snprintf(suffix, sizeof suffix, ".%zu", at);
    }
    char expected[24];
    format_expected(&part->expectation, expected);
    char key[40];
    (void)snprintf(key, sizeof key, "stream%s", suffix);
    weir_error_detail_slice(err, key, part->stream);
    (void)snprintf(key, sizeof key, "expected%s", suffix);
    weir_error_detail(err, key, "%s", expected);
    (void)snprintf(key, sizeof key, "actual%s", suffix);
    weir_error_detail(err, key, "%lld", (long long)actual);
}

/* Room for the details of `append`'s streams, each with three keys and two numbers. Without memory
 * those that do not fit are left out. */
static void make_room(struct weir_write *write)
{
    const struct weir_append *append = &write->of.append;
    size_t bytes = 0;
    for (size_t s = 0; s < append->n; s++) {
        bytes += append->streams[s].stream.n + 128;
    }
    if (bytes <= write->err->details_cap || write->arena == NULL) {
        return;
    }
    uint8_t *area = weir_arena_bytes(write->arena, bytes);
    if (area != NULL) {
        weir_error_enlarge(write->err, (char *)area, bytes);
    }
}

/* Reports the parts marked in `failed`; false where none is. */
static bool fail_versions(struct weir_write *write, const struct append_streams *known,
                          const bool *failed)
{
    const struct weir_append *append = &write->of.append;
    size_t found = 0;
    for (size_t s = 0; s < append->n; s++) {
        if (!failed[s]) {
            continue;
        }
        const struct weir_stream_append *part = &append->streams[s];
        const int64_t actual = known->streams[s]->version;
        if (found == 0) {
            char expected[24];
            format_expected(&part->expectation, expected);
            (void)weir_fail(write->err, WEIR_STREAM_VERSION_CONFLICT,
                            "stream '%.*s' has version %lld, expected %s",
                            part->stream.n > 200 ? 200 : (int)part->stream.n,
                            (const char *)part->stream.p, (long long)actual, expected);
            make_room(write);
        }
        add_conflict(write->err, found, part, actual);
        found++;
    }
    return found > 0;
}

/* ---- is it a retry? ---- */

/* What the ids of an append say. */
struct finding {
    size_t found;
    bool is_consecutive;        // each stream's messages stand one after the other
    bool is_same;               // every one found is the message of the append
    struct weir_uuid first_id;  // of those found
};

static bool is_next(const struct weir_written *before, const struct weir_row *row)
{
    return row->position == before->position + 1 && row->global_position > before->global_position;
}

static int look_up(struct sqlite_session *session, struct weir_write *write,
                   const struct weir_stream_append *part, size_t m, struct finding *finding)
{
    const struct weir_new_message *message = &part->messages[m];
    sqlite3_stmt *statement = NULL;
    struct weir_row row;
    bool is_found = false;
    int rc = weir_sqlite_find_id(session, &message->id, &statement, &row, &is_found);
    if (rc != SQLITE_OK || !is_found) {
        (void)sqlite3_reset(statement);
        return rc;
    }
    bool is_same = weir_slice_equal(part->stream, row.stream);
    if (is_same) {
        (void)weir_sqlite_is_same(message, &row, &is_same, write->err);
    }
    finding->is_consecutive =
        finding->is_consecutive && (m == 0 || is_next(&part->written[m - 1], &row));
    /* The first one that is another message is the one reported; else, in a mixture, the first. */
    if (finding->found == 0 || (finding->is_same && !is_same)) {
        finding->first_id = message->id;
    }
    finding->is_same = finding->is_same && is_same;
    finding->found++;
    part->written[m] = (struct weir_written){.id = message->id,
                                             .position = row.position,
                                             .global_position = row.global_position,
                                             .time_us = row.time_us};
    (void)sqlite3_reset(statement);
    return SQLITE_OK;
}

static int look_up_all(struct sqlite_session *session, struct weir_write *write,
                       struct finding *finding)
{
    const struct weir_append *append = &write->of.append;
    int rc = SQLITE_OK;
    for (size_t s = 0; rc == SQLITE_OK && s < append->n; s++) {
        const struct weir_stream_append *part = &append->streams[s];
        for (size_t m = 0; rc == SQLITE_OK && m < part->n && write->err->status == WEIR_OK; m++) {
            rc = look_up(session, write, part, m, finding);
        }
    }
    return rc;
}

static int fail_id(struct sqlite_session *session, const struct weir_uuid *id,
                   struct weir_error *err)
{
    sqlite3_stmt *statement = NULL;
    struct weir_row row;
    bool is_found = false;
    int rc = weir_sqlite_find_id(session, id, &statement, &row, &is_found);
    if (rc == SQLITE_OK && is_found) {
        weir_sqlite_fail_id(err, id, &row);
    } else if (rc == SQLITE_OK) {
        rc = SQLITE_CORRUPT;
    }
    (void)sqlite3_reset(statement);
    return rc;
}

/* Every expectation must have admitted the messages where they stand: the version before them is
 * judged. Checks of streams that are not written are not judged again. */
static void settle_retry(struct weir_write *write, const struct append_streams *known)
{
    struct weir_append *append = &write->of.append;
    bool failed[WEIR_WRITE_STREAMS_MAX] = {false};
    for (size_t s = 0; s < append->n; s++) {
        const struct weir_stream_append *part = &append->streams[s];
        failed[s] =
            part->n > 0 && !weir_sqlite_is_met(&part->expectation, part->written[0].position - 1);
    }
    append->is_duplicate = !fail_versions(write, known, failed);
}

/* ---- none of the ids is there ---- */

/* Whether the id stands once more behind message `m` of stream `s`. */
static bool is_repeated(const struct weir_append *append, size_t s, size_t m)
{
    const struct weir_uuid *id = &append->streams[s].messages[m].id;
    for (size_t k = m + 1; s < append->n; s++, k = 0) {
        for (; k < append->streams[s].n; k++) {
            if (memcmp(id, &append->streams[s].messages[k].id, sizeof *id) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool has_twin(const struct weir_append *append)
{
    for (size_t s = 0; s < append->n; s++) {
        for (size_t m = 0; m < append->streams[s].n; m++) {
            if (is_repeated(append, s, m)) {
                return true;
            }
        }
    }
    return false;
}

static int settle_new(struct weir_write *write, const struct append_streams *known, bool is_taken)
{
    const struct weir_append *append = &write->of.append;
    bool failed[WEIR_WRITE_STREAMS_MAX] = {false};
    for (size_t s = 0; s < append->n; s++) {
        failed[s] =
            !weir_sqlite_is_met(&append->streams[s].expectation, known->streams[s]->version);
    }
    if (fail_versions(write, known, failed)) {
        return SQLITE_OK;
    }
    if (!is_taken) {
        (void)weir_fail(write->err, WEIR_OUT_OF_POSITIONS, "there is no position left");
    } else if (has_twin(append)) {
        (void)weir_fail_field(write->err, "messages", "one id is given twice");
    } else {
        return SQLITE_CORRUPT;  // a position that the counters say is free is not
    }
    return SQLITE_OK;
}

static bool is_any_id_given(const struct weir_append *append, size_t *messages)
{
    bool is_any = false;
    *messages = 0;
    for (size_t s = 0; s < append->n; s++) {
        *messages += append->streams[s].n;
        for (size_t m = 0; m < append->streams[s].n; m++) {
            is_any = is_any || append->streams[s].messages[m].is_id_given;
        }
    }
    return is_any;
}

int weir_sqlite_settle(struct sqlite_session *session, struct weir_write *write,
                       const struct append_streams *known, bool is_taken)
{
    size_t messages = 0;
    struct finding finding = {.is_consecutive = true, .is_same = true};
    if (is_any_id_given(&write->of.append, &messages) || is_taken) {
        /* Messages of this very group are found by SQL too. */
        int rc = weir_sqlite_group_flush(session);
        if (rc == SQLITE_OK) {
            rc = look_up_all(session, write, &finding);
        }
        if (rc != SQLITE_OK || write->err->status != WEIR_OK) {
            return rc;
        }
    }
    if (finding.found == 0) {
        return settle_new(write, known, is_taken);
    }
    if (finding.found < messages || !finding.is_same || !finding.is_consecutive) {
        return fail_id(session, &finding.first_id, write->err);
    }
    settle_retry(write, known);
    return SQLITE_OK;
}
