#include "tests/store/model.h"

#include "weir/rules/json_text.h"
#include "weir/rules/stream_name.h"

#include <stdlib.h>

/* ---- comparing ---- */

int model_compare(struct weir_slice a, struct weir_slice b)
{
    const size_t n = a.n < b.n ? a.n : b.n;
    const int order = n == 0 ? 0 : memcmp(a.p, b.p, n);
    return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

bool model_is_same_json(struct weir_slice a, struct weir_slice b)
{
    struct weir_error err;
    weir_error_init(&err);
    bool is_same = false;
    return weir_json_equal(a, b, &is_same, &err) == WEIR_OK && is_same;
}

static bool is_same_message(const struct weir_new_message *a, const struct weir_new_message *b)
{
    return weir_slice_equal(a->type, b->type) && model_is_same_json(a->data, b->data) &&
           model_is_same_json(a->metadata, b->metadata);
}

static bool is_same_id(const struct weir_uuid *a, const struct weir_uuid *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* ---- looking up ---- */

static const struct weir_import_record *find_id(const struct model *model,
                                                const struct weir_uuid *id)
{
    for (size_t m = 0; m < model->n; m++) {
        if (is_same_id(&model->messages[m].message.id, id)) {
            return &model->messages[m];
        }
    }
    return NULL;
}

static const struct weir_import_record *find_global(const struct model *model,
                                                    int64_t global_position)
{
    for (size_t m = 0; m < model->n; m++) {
        if (model->messages[m].global_position == global_position) {
            return &model->messages[m];
        }
    }
    return NULL;
}

static bool is_position_taken(const struct model *model, struct weir_slice stream, int64_t position)
{
    bool is_taken = false;
    for (size_t m = 0; m < model->n; m++) {
        is_taken = is_taken || (model->messages[m].position == position &&
                                weir_slice_equal(model->messages[m].stream, stream));
    }
    return is_taken;
}

int64_t model_version(const struct model *model, struct weir_slice stream)
{
    int64_t version = -1;
    for (size_t m = 0; m < model->n; m++) {
        const struct weir_import_record *message = &model->messages[m];
        if (weir_slice_equal(message->stream, stream) && message->position > version) {
            version = message->position;
        }
    }
    return version;
}

/* ---- writing ---- */

static void add(struct model *model, const struct weir_import_record *message)
{
    size_t at = model->n++;
    if (model->n > MODEL_MESSAGES_MAX) {
        abort();
    }
    while (at > 0 && model->messages[at - 1].global_position > message->global_position) {
        model->messages[at] = model->messages[at - 1];
        at--;
    }
    model->messages[at] = *message;
    if (message->global_position > model->head) {
        model->head = message->global_position;
    }
}

static bool is_met(const struct weir_expectation *expectation, int64_t version)
{
    switch (expectation->kind) {
    case WEIR_EXPECT_ANY:
        return true;
    case WEIR_EXPECT_EXACT:
        return version == expectation->version;
    case WEIR_EXPECT_NO_STREAM:
        return version == -1;
    default:
        return version >= 0;
    }
}

/* What the model already holds of an append's messages. */
struct stored {
    size_t messages;
    size_t found;
    bool is_same;        // the stored messages equal those to be written
    bool is_admissible;  // the expectations admit the messages at their stored positions
};

static void look(const struct model *model, const struct weir_stream_append *part,
                 struct weir_written *expected, struct stored *stored)
{
    for (size_t m = 0; m < part->n; m++) {
        const struct weir_import_record *found = find_id(model, &part->messages[m].id);
        stored->messages++;
        if (found == NULL) {
            continue;
        }
        stored->found++;
        expected[m] = (struct weir_written){found->message.id, found->position,
                                            found->global_position, found->time_us};
        stored->is_same =
            stored->is_same && weir_slice_equal(found->stream, part->stream) &&
            is_same_message(&found->message, &part->messages[m]) &&
            (m == 0 || (expected[m].position == expected[m - 1].position + 1 &&
                        expected[m].global_position > expected[m - 1].global_position));
    }
    if (part->n > 0 && !is_met(&part->expectation, expected[0].position - 1)) {
        stored->is_admissible = false;
    }
}

static void append_part(struct model *model, const struct weir_stream_append *part,
                        struct weir_written *expected)
{
    for (size_t m = 0; m < part->n; m++) {
        const struct weir_import_record message = {.message = part->messages[m],
                                                   .stream = part->stream,
                                                   .position =
                                                       model_version(model, part->stream) + 1,
                                                   .global_position = model->head + 1,
                                                   .time_us = part->written[m].time_us};
        expected[m] = (struct weir_written){message.message.id, message.position,
                                            message.global_position, message.time_us};
        add(model, &message);
    }
}

weir_status model_append(struct model *model, const struct weir_append *append,
                         struct weir_written *expected, bool *is_duplicate)
{
    struct stored stored = {.is_same = true, .is_admissible = true};
    bool is_expected = true;
    size_t before = 0;
    for (size_t s = 0; s < append->n; s++) {
        const struct weir_stream_append *part = &append->streams[s];
        look(model, part, expected + before, &stored);
        before += part->n;
        is_expected = is_expected && is_met(&part->expectation, model_version(model, part->stream));
    }
    *is_duplicate = stored.found > 0 && stored.found == stored.messages && stored.is_same;
    if (*is_duplicate) {
        return stored.is_admissible ? WEIR_OK : WEIR_STREAM_VERSION_CONFLICT;
    }
    if (stored.found > 0) {
        return WEIR_MESSAGE_ID_CONFLICT;
    }
    if (!is_expected) {
        return WEIR_STREAM_VERSION_CONFLICT;
    }
    before = 0;
    for (size_t s = 0; s < append->n; s++) {
        append_part(model, &append->streams[s], expected + before);
        before += append->streams[s].n;
    }
    return WEIR_OK;
}

static weir_status import_one(struct model *model, const struct weir_import_record *record,
                              int64_t *imported, int64_t *skipped)
{
    const struct weir_import_record *there = find_global(model, record->global_position);
    if (there != NULL && is_same_id(&there->message.id, &record->message.id) &&
        weir_slice_equal(there->stream, record->stream) && there->position == record->position &&
        there->time_us == record->time_us && is_same_message(&there->message, &record->message)) {
        ++*skipped;
        return WEIR_OK;
    }
    if (there != NULL || is_position_taken(model, record->stream, record->position)) {
        return WEIR_POSITION_EXISTS;
    }
    if (find_id(model, &record->message.id) != NULL) {
        return WEIR_MESSAGE_ID_CONFLICT;
    }
    add(model, record);
    ++*imported;
    return WEIR_OK;
}

weir_status model_import(struct model *model, const struct weir_import *import, int64_t *imported,
                         int64_t *skipped)
{
    static struct model before;
    before = *model;
    *imported = 0;
    *skipped = 0;
    for (size_t r = 0; r < import->n; r++) {
        const weir_status status = import_one(model, &import->records[r], imported, skipped);
        if (status != WEIR_OK) {
            *model = before;
            return status;
        }
    }
    return WEIR_OK;
}

int64_t model_clear(struct model *model)
{
    const int64_t deleted = (int64_t)model->n;
    model->n = 0;
    return deleted;
}

/* ---- reading ---- */

static bool is_type_wanted(const struct weir_query *query, struct weir_slice type)
{
    bool is_wanted = query->types_n == 0;
    for (size_t t = 0; t < query->types_n; t++) {
        is_wanted = is_wanted || weir_slice_equal(query->types[t], type);
    }
    return is_wanted;
}

static bool is_selected(const struct weir_query *query, const struct weir_import_record *message)
{
    switch (query->selector) {
    case WEIR_SELECT_STREAM:
        return weir_slice_equal(message->stream, query->name);
    case WEIR_SELECT_CATEGORY:
        return weir_slice_equal(weir_name_category(message->stream), query->name);
    default:
        return true;
    }
}

static bool is_wanted(const struct weir_query *query, const struct weir_import_record *message)
{
    const struct weir_slice correlation = message->message.correlation;
    return is_selected(query, message) && is_type_wanted(query, message->message.type) &&
           (query->correlation.p == NULL ||
            (correlation.p != NULL && weir_slice_equal(correlation, query->correlation))) &&
           (query->group_size == 0 ||
            weir_name_member(message->stream, query->group_size) == query->group_member);
}

static bool is_by_position(const struct weir_query *query)
{
    return query->selector == WEIR_SELECT_STREAM && !query->is_from_global;
}

static bool is_behind_start(const struct weir_query *query,
                            const struct weir_import_record *message)
{
    const int64_t at = is_by_position(query) ? message->position : message->global_position;
    if (query->is_backward) {
        return query->is_from_newest || at <= query->from;
    }
    return at >= query->from;
}

static int64_t place_of(const struct weir_query *query, const struct weir_import_record *message)
{
    return query->selector == WEIR_SELECT_STREAM ? message->position : message->global_position;
}

/* Inserts a message in the order of the query. */
static void insert(const struct weir_query *query, struct model_rows *rows,
                   const struct weir_import_record *message)
{
    const int64_t place = place_of(query, message);
    size_t at = rows->n++;
    while (at > 0) {
        const int64_t before = place_of(query, rows->rows[at - 1]);
        if (query->is_backward ? before > place : before < place) {
            break;
        }
        rows->rows[at] = rows->rows[at - 1];
        at--;
    }
    rows->rows[at] = message;
}

static int64_t next_forward(const struct weir_query *query, int64_t end, bool is_all)
{
    const int64_t lowest = is_by_position(query) ? 0 : 1;
    int64_t start = query->from > lowest ? query->from : lowest;
    if (query->selector == WEIR_SELECT_STREAM && query->is_from_global) {
        start = 0;
    }
    return is_all && end + 1 > start ? end + 1 : start;
}

static int64_t next_of(const struct weir_query *query, const struct model_rows *rows, int64_t end,
                       bool is_all)
{
    const struct weir_import_record *last = rows->n > 0 ? rows->rows[rows->n - 1] : NULL;
    if (query->is_backward && last == NULL) {
        return query->is_from_newest                                            ? end
               : query->selector == WEIR_SELECT_STREAM && query->is_from_global ? -1
                                                                                : query->from;
    }
    if (query->is_backward) {
        return place_of(query, last) - 1;
    }
    return last != NULL && !is_all ? place_of(query, last) + 1 : next_forward(query, end, is_all);
}

void model_read(const struct model *model, const struct weir_query *query, struct model_rows *rows)
{
    *rows = (struct model_rows){.n = 0, .next_position = query->from};
    if (query->max_messages == 0) {
        return;
    }
    for (size_t m = 0; m < model->n; m++) {
        const struct weir_import_record *message = &model->messages[m];
        if (is_wanted(query, message) && is_behind_start(query, message)) {
            insert(query, rows, message);
        }
    }
    const size_t matching = rows->n;
    const size_t batch = (size_t)query->max_messages;
    const size_t most = query->max_bytes == 0 && batch > 1 ? 1 : batch;
    rows->n = matching < most ? matching : most;
    const bool is_more = matching > rows->n;
    rows->is_truncated = is_more && (query->is_unlimited || rows->n < batch);
    const int64_t end =
        query->selector == WEIR_SELECT_STREAM ? model_version(model, query->name) : model->head;
    rows->next_position = next_of(query, rows, end, !rows->is_truncated && rows->n < batch);
}

/* ---- listing ---- */

static size_t add_name(struct weir_slice *names, size_t n, struct weir_slice name)
{
    size_t at = 0;
    while (at < n && model_compare(names[at], name) < 0) {
        at++;
    }
    if (at < n && model_compare(names[at], name) == 0) {
        return n;
    }
    memmove(names + at + 1, names + at, (n - at) * sizeof *names);
    names[at] = name;
    return n + 1;
}

size_t model_streams(const struct model *model, struct weir_slice *names)
{
    size_t n = 0;
    for (size_t m = 0; m < model->n; m++) {
        n = add_name(names, n, model->messages[m].stream);
    }
    return n;
}

size_t model_categories(const struct model *model, struct weir_slice *names)
{
    size_t n = 0;
    for (size_t m = 0; m < model->n; m++) {
        n = add_name(names, n, weir_name_category(model->messages[m].stream));
    }
    return n;
}
