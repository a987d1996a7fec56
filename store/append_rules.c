#include "store/append_rules.h"

#include "weir/rules/json_text.h"
#include "weir/rules/limits.h"

#include <stdio.h>

enum {
    NAME_SHOWN_BYTES = 200,  // of a stream's name, in texts for people
    EXPECTED_BYTES = 24,
    CONFLICT_REST_BYTES = 128,  // three keys with their numbers, two values
    KEY_BYTES = 40
};

bool weir_expectation_is_met(const struct weir_expectation *expectation, int64_t version)
{
    switch (expectation->kind) {
    case WEIR_EXPECT_ANY:
        return true;
    case WEIR_EXPECT_EXACT:
        return version == expectation->version;
    case WEIR_EXPECT_NO_STREAM:
        return version == -1;
    case WEIR_EXPECT_STREAM_EXISTS:
        return version >= 0;
    }
    return false;
}

weir_status weir_message_is_same(const struct weir_new_message *message, const struct weir_row *row,
                                 bool *is_same, struct weir_error *err)
{
    *is_same = weir_slice_equal(message->type, row->type);
    weir_status status = WEIR_OK;
    if (*is_same) {
        status = weir_json_equal(message->data, row->data, is_same, err);
    }
    if (status == WEIR_OK && *is_same) {
        status = weir_json_equal(message->metadata, row->metadata, is_same, err);
    }
    if (status == WEIR_DATA_CORRUPT) {
        weir_error_detail(err, "global_position", "%lld", (long long)row->global_position);
    }
    return status;
}

/* ---- refusals ---- */

void weir_fail_not_started(struct weir_error *err)
{
    (void)weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                    "the deadline passed before the write was started");
}

static int shown(struct weir_slice name)
{
    return name.n > NAME_SHOWN_BYTES ? (int)weir_utf8_whole((const char *)name.p, NAME_SHOWN_BYTES)
                                     : (int)name.n;
}

void weir_fail_id(struct weir_error *err, const struct weir_uuid *id, const struct weir_row *row)
{
    char text[WEIR_UUID_TEXT + 1];
    weir_uuid_format(id, text);
    (void)weir_fail(err, WEIR_MESSAGE_ID_CONFLICT, "id %s belongs to another message", text);
    weir_error_detail_slice(err, "stream", row->stream);
    weir_error_detail(err, "position", "%lld", (long long)row->position);
    weir_error_detail(err, "global_position", "%lld", (long long)row->global_position);
}

void weir_fail_position(struct weir_error *err, const struct weir_import_record *record,
                        size_t number)
{
    (void)weir_fail(err, WEIR_POSITION_EXISTS,
                    "global position %lld or position %lld of stream '%.*s' is taken",
                    (long long)record->global_position, (long long)record->position,
                    shown(record->stream), (const char *)record->stream.p);
    weir_error_detail(err, "gpos", "%lld", (long long)record->global_position);
    weir_error_detail_slice(err, "stream", record->stream);
    weir_error_detail(err, "pos", "%lld", (long long)record->position);
    weir_error_detail(err, "record", "%zu", number);
}

static void format_expected(const struct weir_expectation *expectation, char text[EXPECTED_BYTES])
{
    if (expectation->kind == WEIR_EXPECT_NO_STREAM) {
        (void)snprintf(text, EXPECTED_BYTES, "no_stream");
    } else if (expectation->kind == WEIR_EXPECT_STREAM_EXISTS) {
        (void)snprintf(text, EXPECTED_BYTES, "stream_exists");
    } else {
        (void)snprintf(text, EXPECTED_BYTES, "%lld", (long long)expectation->version);
    }
}

/* Adds the details of one conflict: keys "stream", "expected", "actual" for the first (`at` is 0),
 * "stream.1", "stream.2", … for those that follow. */
static void add_conflict(struct weir_error *err, size_t at, const struct weir_stream_append *part,
                         int64_t actual)
{
    char suffix[EXPECTED_BYTES] = "";
    if (at > 0) {
        (void)snprintf(suffix, sizeof suffix, ".%zu", at);
    }
    char expected[EXPECTED_BYTES];
    format_expected(&part->expectation, expected);
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof key, "stream%s", suffix);
    weir_error_detail_slice(err, key, part->stream);
    (void)snprintf(key, sizeof key, "expected%s", suffix);
    weir_error_detail(err, key, "%s", expected);
    (void)snprintf(key, sizeof key, "actual%s", suffix);
    weir_error_detail(err, key, "%lld", (long long)actual);
}

/* Enlarges the error's room for details to what all conflicts may need. Without memory the details
 * that do not fit are left out. */
static void make_room(struct weir_write *write)
{
    const struct weir_append *append = &write->of.append;
    size_t bytes = 0;
    for (size_t s = 0; s < append->n; s++) {
        bytes += append->streams[s].stream.n + CONFLICT_REST_BYTES;
    }
    if (bytes <= write->err->details_cap || write->arena == NULL) {
        return;
    }
    uint8_t *area = weir_arena_bytes(write->arena, bytes);
    if (area != NULL) {
        weir_error_enlarge(write->err, (char *)area, bytes);
    }
}

/* Sets STREAM_VERSION_CONFLICT with the present version of each stream of the append that is marked
 * in `failed`. Returns false and leaves the error alone if none is. */
static bool fail_versions(struct weir_write *write, const bool *failed, const int64_t *versions)
{
    const struct weir_append *append = &write->of.append;
    size_t found = 0;
    for (size_t s = 0; s < append->n; s++) {
        if (!failed[s]) {
            continue;
        }
        const struct weir_stream_append *part = &append->streams[s];
        if (found == 0) {
            char expected[EXPECTED_BYTES];
            format_expected(&part->expectation, expected);
            (void)weir_fail(write->err, WEIR_STREAM_VERSION_CONFLICT,
                            "stream '%.*s' has version %lld, expected %s", shown(part->stream),
                            (const char *)part->stream.p, (long long)versions[s], expected);
            make_room(write);
        }
        add_conflict(write->err, found, part, versions[s]);
        found++;
    }
    return found > 0;
}

bool weir_refuse_versions(struct weir_write *write, const int64_t *versions)
{
    const struct weir_append *append = &write->of.append;
    bool failed[WEIR_WRITE_STREAMS_MAX] = {false};
    for (size_t s = 0; s < append->n; s++) {
        failed[s] = !weir_expectation_is_met(&append->streams[s].expectation, versions[s]);
    }
    return fail_versions(write, failed, versions);
}

/* ---- retries ---- */

void weir_retry_begin(struct weir_retry *retry)
{
    *retry = (struct weir_retry){.is_consecutive = true, .is_same = true};
    weir_error_init(&retry->conflict);
}

static bool is_next(const struct weir_written *before, const struct weir_row *row)
{
    return row->position == before->position + 1 && row->global_position > before->global_position;
}

void weir_retry_look(struct weir_retry *retry, struct weir_write *write,
                     const struct weir_stream_append *part, size_t m, const struct weir_row *row)
{
    const bool is_whole = retry->found == retry->messages;
    retry->messages++;
    if (row == NULL) {
        return;
    }
    bool is_same = weir_slice_equal(part->stream, row->stream);
    if (is_same) {
        (void)weir_message_is_same(&part->messages[m], row, &is_same, write->err);
    }
    retry->is_consecutive =
        retry->is_consecutive && is_whole && (m == 0 || is_next(&part->written[m - 1], row));
    /* The conflict reported is the first stored message that differs from the append's; in an
     * append of which some ids are stored and some are not, the first stored message. */
    if (retry->found == 0 || (retry->is_same && !is_same)) {
        weir_fail_id(&retry->conflict, &part->messages[m].id, row);
    }
    retry->is_same = retry->is_same && is_same;
    retry->found++;
    part->written[m] = (struct weir_written){.id = part->messages[m].id,
                                             .position = row->position,
                                             .global_position = row->global_position,
                                             .time_us = row->time_us};
}

/* Accepts the append as a retry if every expectation would have admitted the messages where they
 * stand: it is judged by the version before them. Checks of streams that get no messages are not
 * judged again. */
static void admit(struct weir_write *write, const int64_t *versions)
{
    struct weir_append *append = &write->of.append;
    bool failed[WEIR_WRITE_STREAMS_MAX] = {false};
    for (size_t s = 0; s < append->n; s++) {
        const struct weir_stream_append *part = &append->streams[s];
        failed[s] = part->n > 0 &&
                    !weir_expectation_is_met(&part->expectation, part->written[0].position - 1);
    }
    append->is_duplicate = !fail_versions(write, failed, versions);
}

void weir_retry_settle(const struct weir_retry *retry, struct weir_write *write,
                       const int64_t *versions)
{
    if (write->err->status != WEIR_OK) {
        return;
    }
    if (retry->found < retry->messages || !retry->is_same || !retry->is_consecutive) {
        weir_error_copy(write->err, &retry->conflict);
        return;
    }
    admit(write, versions);
}

void weir_retry_judge(struct weir_write *write, const struct weir_row *const *stored,
                      const int64_t *versions)
{
    const struct weir_append *append = &write->of.append;
    struct weir_retry retry;
    weir_retry_begin(&retry);
    size_t k = 0;
    for (size_t s = 0; s < append->n; s++) {
        for (size_t m = 0; m < append->streams[s].n; m++, k++) {
            weir_retry_look(&retry, write, &append->streams[s], m, stored[k]);
        }
    }
    weir_retry_settle(&retry, write, versions);
}

/* ---- ids within an append ---- */

/* Returns whether the id of message `m` of stream `s` occurs again behind it. */
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

bool weir_append_has_twin(const struct weir_append *append)
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
