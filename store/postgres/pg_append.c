/* Appends: a run of writes becomes one call of the namespace's append function. */
#include "store/postgres/pg_write.h"

#include "store/append_judge.h"

#include "weir/rules/limits.h"
#include "weir/rules/stream_name.h"

#include <limits.h>
#include <stdlib.h>

/* The kinds of expectation that the function knows. */
enum { EXPECT_ANYTHING, EXPECT_VERSION, EXPECT_STREAM };

/* What it says of an entry. */
enum { OUTCOME_APPENDED, OUTCOME_REFUSED, OUTCOME_ID_IS_THERE };

/* The columns of its result. */
enum {
    RESULT_HEAD,
    RESULT_TIME,
    RESULT_OUTCOMES,
    RESULT_VERSIONS,
    RESULT_IS_CURRENT,
    RESULT_CHANGED
};

/* The part of a write that belongs to one stream. */
struct entry {
    struct weir_write *write;
    struct weir_stream_append *part;
    int32_t write_number;
    int32_t stream;  // from 1
    int32_t before;  // messages of the stream in the entries before
};

/* Distinct names, numbered from 1 by a hash table of their numbers. */
struct names {
    struct weir_slice *names;
    int32_t *table;
    size_t places;
    size_t n;
    size_t bytes;
};

struct stream {
    int32_t category;  // from 1
    int32_t messages;
};

struct sending {
    const struct pg_run *run;
    struct pg_session *session;
    struct weir_arena *arena;
    struct entry *entries;
    size_t entries_n;
    size_t messages_n;
    struct names streams;
    struct names categories;
    struct stream *by_stream;
    size_t text_bytes[4];  // of types, correlations, data and metadata
    size_t largest;
};

enum { TEXT_TYPE, TEXT_CORRELATION, TEXT_DATA, TEXT_METADATA };

/* ---- entries and streams ---- */

static void count(struct sending *s, const struct weir_stream_append *part)
{
    s->messages_n += part->n;
    for (size_t m = 0; m < part->n; m++) {
        const struct weir_new_message *message = &part->messages[m];
        s->text_bytes[TEXT_TYPE] += message->type.n;
        s->text_bytes[TEXT_CORRELATION] += message->correlation.n;
        s->text_bytes[TEXT_DATA] += message->data.n;
        s->text_bytes[TEXT_METADATA] += message->metadata.n;
        const size_t size = weir_pg_message_size(message, part->stream);
        s->largest = size > s->largest ? size : s->largest;
    }
}

static size_t count_entries(const struct pg_run *run)
{
    size_t n = 0;
    for (const struct weir_write *w = run->first; w != run->end; w = w->next) {
        n += weir_pg_is_open(w) ? w->of.append.n : 0;
    }
    return n;
}

static void list_entries(struct sending *s)
{
    int32_t number = 0;
    for (struct weir_write *w = s->run->first; w != s->run->end; w = w->next) {
        if (!weir_pg_is_open(w)) {
            continue;
        }
        number++;
        for (size_t p = 0; p < w->of.append.n; p++) {
            struct weir_stream_append *part = &w->of.append.streams[p];
            s->entries[s->entries_n++] = (struct entry){w, part, number, 0, 0};
            count(s, part);
        }
    }
}

/* The table is twice as large as the names can be, and hashed with a seed that nobody knows,
 * because clients choose them. */
static bool names_init(struct sending *s, struct names *names)
{
    names->places = 4;
    while (names->places < 2 * s->entries_n) {
        names->places *= 2;
    }
    names->table = weir_arena_array(s->arena, names->places, sizeof *names->table);
    names->names = weir_arena_array(s->arena, s->entries_n, sizeof *names->names);
    return names->table != NULL && names->names != NULL;
}

static int32_t number_of(const struct sending *s, struct names *names, struct weir_slice name)
{
    size_t at = (size_t)weir_pg_hash(s->session->backend, name) % names->places;
    while (names->table[at] != 0 && !weir_slice_equal(names->names[names->table[at] - 1], name)) {
        at = (at + 1) % names->places;
    }
    if (names->table[at] == 0) {
        names->names[names->n++] = name;
        names->bytes += name.n;
        names->table[at] = (int32_t)names->n;
    }
    return names->table[at];
}

static bool number_streams(struct sending *s)
{
    s->by_stream = weir_arena_array(s->arena, s->entries_n, sizeof *s->by_stream);
    if (s->by_stream == NULL || !names_init(s, &s->streams) || !names_init(s, &s->categories)) {
        return false;
    }
    for (size_t e = 0; e < s->entries_n; e++) {
        struct entry *entry = &s->entries[e];
        entry->stream = number_of(s, &s->streams, entry->part->stream);
        struct stream *stream = &s->by_stream[entry->stream - 1];
        if (stream->category == 0) {
            stream->category =
                number_of(s, &s->categories, weir_name_category(entry->part->stream));
        }
        entry->before = stream->messages;
        stream->messages += (int32_t)entry->part->n;
    }
    return true;
}

static bool gather(struct sending *s)
{
    s->entries = weir_arena_array(s->arena, count_entries(s->run), sizeof *s->entries);
    if (s->entries == NULL) {
        return false;
    }
    list_entries(s);
    return number_streams(s);
}

/* ---- parameters ---- */

static void bind_names(const struct names *names, struct pg_params *params)
{
    struct pg_array array = weir_pg_array_open(params, PG_TEXT, names->n, names->bytes);
    for (size_t n = 0; n < names->n; n++) {
        weir_pg_array_slice(&array, names->names[n]);
    }
    weir_pg_array_close(params, &array);
}

static void bind_hashes(const struct sending *s, struct pg_params *params)
{
    struct pg_array array = weir_pg_array_open(params, PG_INT8, s->streams.n, 8 * s->streams.n);
    for (size_t n = 0; n < s->streams.n; n++) {
        weir_pg_array_hash(&array, s->streams.names[n]);
    }
    weir_pg_array_close(params, &array);
}

static void bind_known_versions(const struct sending *s, struct pg_params *params)
{
    struct pg_array array = weir_pg_array_open(params, PG_INT8, s->streams.n, 8 * s->streams.n);
    for (size_t n = 0; n < s->streams.n; n++) {
        int64_t version = 0;
        if (weir_pg_versions_find(s->session, s->streams.names[n], &version)) {
            weir_pg_array_int8(&array, version);
        } else {
            weir_pg_array_null(&array);
        }
    }
    weir_pg_array_close(params, &array);
}

static void bind_stream_numbers(const struct sending *s, struct pg_params *params)
{
    struct pg_array categories =
        weir_pg_array_open(params, PG_INT4, s->streams.n, 4 * s->streams.n);
    for (size_t n = 0; n < s->streams.n; n++) {
        weir_pg_array_int4(&categories, s->by_stream[n].category);
    }
    weir_pg_array_close(params, &categories);
    struct pg_array messages = weir_pg_array_open(params, PG_INT4, s->streams.n, 4 * s->streams.n);
    for (size_t n = 0; n < s->streams.n; n++) {
        weir_pg_array_int4(&messages, s->by_stream[n].messages);
    }
    weir_pg_array_close(params, &messages);
}

static void bind_streams(const struct sending *s, struct pg_params *params)
{
    weir_pg_param_int8(params, s->session->versions.head);
    weir_pg_param_int8(params, weir_pg_time_to_binary(s->session->versions.time_us));
    weir_pg_param_int4(params, s->session->versions.changed);
    bind_names(&s->streams, params);
    bind_hashes(s, params);
    bind_known_versions(s, params);
    bind_stream_numbers(s, params);
    bind_names(&s->categories, params);
}

static int32_t expectation_kind(const struct weir_expectation *expectation, int64_t *version)
{
    *version = -1;
    switch (expectation->kind) {
    case WEIR_EXPECT_ANY:
        return EXPECT_ANYTHING;
    case WEIR_EXPECT_EXACT:
        *version = expectation->version;
        return EXPECT_VERSION;
    case WEIR_EXPECT_NO_STREAM:
        return EXPECT_VERSION;
    case WEIR_EXPECT_STREAM_EXISTS:
        return EXPECT_STREAM;
    }
    return EXPECT_ANYTHING;
}

enum entry_field { ENTRY_WRITE, ENTRY_STREAM, ENTRY_EXPECT, ENTRY_BEFORE, ENTRY_COUNT };

static int32_t entry_value(const struct entry *entry, enum entry_field field)
{
    int64_t version = 0;
    switch (field) {
    case ENTRY_WRITE:
        return entry->write_number;
    case ENTRY_STREAM:
        return entry->stream;
    case ENTRY_EXPECT:
        return expectation_kind(&entry->part->expectation, &version);
    case ENTRY_BEFORE:
        return entry->before;
    case ENTRY_COUNT:
        return (int32_t)entry->part->n;
    }
    return 0;
}

static void bind_entry_field(const struct sending *s, struct pg_params *params,
                             enum entry_field field)
{
    struct pg_array array = weir_pg_array_open(params, PG_INT4, s->entries_n, 4 * s->entries_n);
    for (size_t e = 0; e < s->entries_n; e++) {
        weir_pg_array_int4(&array, entry_value(&s->entries[e], field));
    }
    weir_pg_array_close(params, &array);
}

static void bind_versions(const struct sending *s, struct pg_params *params)
{
    struct pg_array array = weir_pg_array_open(params, PG_INT8, s->entries_n, 8 * s->entries_n);
    for (size_t e = 0; e < s->entries_n; e++) {
        int64_t version = 0;
        (void)expectation_kind(&s->entries[e].part->expectation, &version);
        weir_pg_array_int8(&array, version);
    }
    weir_pg_array_close(params, &array);
}

/* The entry of each message, or its number within that. */
static void bind_message_numbers(const struct sending *s, struct pg_params *params, bool of_entry)
{
    struct pg_array array = weir_pg_array_open(params, PG_INT4, s->messages_n, 4 * s->messages_n);
    for (size_t e = 0; e < s->entries_n; e++) {
        for (size_t m = 0; m < s->entries[e].part->n; m++) {
            weir_pg_array_int4(&array, (int32_t)(of_entry ? e : m) + 1);
        }
    }
    weir_pg_array_close(params, &array);
}

static void bind_ids(const struct sending *s, struct pg_params *params)
{
    struct pg_array array =
        weir_pg_array_open(params, PG_UUID, s->messages_n, WEIR_UUID_BYTES * s->messages_n);
    for (size_t e = 0; e < s->entries_n; e++) {
        const struct weir_stream_append *part = s->entries[e].part;
        for (size_t m = 0; m < part->n; m++) {
            weir_pg_array_slice(&array, weir_slice(part->messages[m].id.bytes, WEIR_UUID_BYTES));
        }
    }
    weir_pg_array_close(params, &array);
}

static struct weir_slice text_of(const struct weir_new_message *message, int which)
{
    switch (which) {
    case TEXT_TYPE:
        return message->type;
    case TEXT_CORRELATION:
        return message->correlation;
    case TEXT_DATA:
        return message->data;
    default:
        return message->metadata;
    }
}

static void bind_texts(const struct sending *s, struct pg_params *params, int which)
{
    struct pg_array array =
        weir_pg_array_open(params, PG_TEXT, s->messages_n, s->text_bytes[which]);
    for (size_t e = 0; e < s->entries_n; e++) {
        const struct weir_stream_append *part = s->entries[e].part;
        for (size_t m = 0; m < part->n; m++) {
            weir_pg_array_slice(&array, text_of(&part->messages[m], which));
        }
    }
    weir_pg_array_close(params, &array);
}

/* In the order of the function's parameters. */
static void bind(const struct sending *s, struct pg_params *params)
{
    weir_pg_params_init(params, s->arena);
    weir_pg_param_int4(params, WEIR_PG_LOCK_SLICE_MS);
    weir_pg_param_int4(params, s->largest > INT32_MAX ? INT32_MAX : (int32_t)s->largest);
    bind_streams(s, params);
    bind_entry_field(s, params, ENTRY_WRITE);
    bind_entry_field(s, params, ENTRY_STREAM);
    bind_entry_field(s, params, ENTRY_EXPECT);
    bind_versions(s, params);
    bind_entry_field(s, params, ENTRY_BEFORE);
    bind_entry_field(s, params, ENTRY_COUNT);
    bind_message_numbers(s, params, true);
    bind_message_numbers(s, params, false);
    bind_ids(s, params);
    bind_texts(s, params, TEXT_TYPE);
    bind_texts(s, params, TEXT_CORRELATION);
    bind_texts(s, params, TEXT_DATA);
    bind_texts(s, params, TEXT_METADATA);
}

/* ---- outcomes ---- */

struct verdicts {
    int64_t head;  // of what has been handed out so far
    int64_t time_us;
    const uint8_t *outcomes;  // NULL: all are appended
    const uint8_t *versions;
    bool is_current;  // what the session knew of the streams was right
    int32_t changed;  // the transaction; 0 where it has changed nothing
};

static bool read_verdicts(const struct sending *s, const PGresult *result,
                          struct verdicts *verdicts)
{
    *verdicts = (struct verdicts){.changed = 0};
    if (PQntuples(result) != 1 || !weir_pg_int8(result, 0, RESULT_HEAD, &verdicts->head)) {
        return false;
    }
    const struct weir_slice is_current = weir_pg_slice(result, 0, RESULT_IS_CURRENT);
    verdicts->is_current = is_current.n == 1 && is_current.p[0] != 0;
    return weir_pg_time(result, 0, RESULT_TIME, &verdicts->time_us) &&
           weir_pg_elements(result, 0, RESULT_VERSIONS, s->entries_n, 8, &verdicts->versions) &&
           (PQgetisnull(result, 0, RESULT_CHANGED) ||
            weir_pg_int4(result, 0, RESULT_CHANGED, &verdicts->changed)) &&
           (PQgetisnull(result, 0, RESULT_OUTCOMES) ||
            weir_pg_elements(result, 0, RESULT_OUTCOMES, s->entries_n, 4, &verdicts->outcomes));
}

static int32_t outcome_of(const struct verdicts *verdicts, size_t entry)
{
    return verdicts->outcomes == NULL ? OUTCOME_APPENDED
                                      : weir_pg_element_int4(verdicts->outcomes, entry);
}

static void tell_written(const struct weir_append *append, const int64_t *versions,
                         struct verdicts *verdicts)
{
    for (size_t s = 0; s < append->n; s++) {
        const struct weir_stream_append *part = &append->streams[s];
        for (size_t m = 0; m < part->n; m++) {
            verdicts->head++;
            part->written[m] = (struct weir_written){.id = part->messages[m].id,
                                                     .position = versions[s] + 1 + (int64_t)m,
                                                     .global_position = verdicts->head,
                                                     .time_us = verdicts->time_us};
        }
    }
}

/* Tells the writes that need no further look; returns how many ids there are to look up. */
static size_t tell(const struct sending *s, struct verdicts *verdicts)
{
    size_t ids = 0;
    int64_t versions[WEIR_WRITE_STREAMS_MAX];
    for (size_t e = 0; e < s->entries_n; e += s->entries[e].write->of.append.n) {
        struct weir_write *write = s->entries[e].write;
        struct weir_append *append = &write->of.append;
        for (size_t p = 0; p < append->n; p++) {
            versions[p] = weir_pg_element_int8(verdicts->versions, e + p);
        }
        append->is_duplicate = false;
        switch (outcome_of(verdicts, e)) {
        case OUTCOME_APPENDED:
            tell_written(append, versions, verdicts);
            break;
        case OUTCOME_REFUSED:
            (void)weir_refuse_versions(write, versions);
            break;
        default:
            for (size_t p = 0; p < append->n; p++) {
                ids += append->streams[p].n;
            }
            break;
        }
    }
    return ids;
}

/* What is known from here on of the streams; verdicts->head is the highest global position by now.
 */
static void keep_versions(const struct sending *s, const struct verdicts *verdicts)
{
    if (!verdicts->is_current) {
        weir_pg_versions_forget(s->session);
    }
    if (verdicts->changed == 0) {
        return;
    }
    for (size_t e = 0; e < s->entries_n; e++) {
        const struct weir_stream_append *part = s->entries[e].part;
        const int64_t version = weir_pg_element_int8(verdicts->versions, e);
        const bool is_appended = outcome_of(verdicts, e) == OUTCOME_APPENDED;
        weir_pg_versions_keep(s->session, part->stream,
                              is_appended ? version + (int64_t)part->n : version);
    }
    s->session->versions.head = verdicts->head;
    s->session->versions.time_us = verdicts->time_us;
    s->session->versions.changed = verdicts->changed;
}

/* ---- ids that are there ---- */

struct stored {
    PGresult *result;
    struct weir_row *rows;  // by id
    size_t n;
};

static int compare_rows(const void *a, const void *b)
{
    const struct weir_row *x = a;
    const struct weir_row *y = b;
    return memcmp(x->id.bytes, y->id.bytes, WEIR_UUID_BYTES);
}

static const struct weir_row *find_row(const struct stored *stored, const struct weir_uuid *id)
{
    struct weir_row key = {.id = *id};
    return stored->n == 0
               ? NULL
               : bsearch(&key, stored->rows, stored->n, sizeof *stored->rows, compare_rows);
}

static bool is_id_there(const struct verdicts *verdicts, size_t entry)
{
    return outcome_of(verdicts, entry) == OUTCOME_ID_IS_THERE;
}

static void bind_known_ids(const struct sending *s, const struct verdicts *verdicts, size_t ids,
                           struct pg_params *params)
{
    weir_pg_params_init(params, s->arena);
    struct pg_array array = weir_pg_array_open(params, PG_UUID, ids, WEIR_UUID_BYTES * ids);
    for (size_t e = 0; e < s->entries_n; e++) {
        const struct weir_stream_append *part = s->entries[e].part;
        for (size_t m = 0; is_id_there(verdicts, e) && m < part->n; m++) {
            weir_pg_array_slice(&array, weir_slice(part->messages[m].id.bytes, WEIR_UUID_BYTES));
        }
    }
    weir_pg_array_close(params, &array);
}

/* The messages stay as they are, so they may be looked at after the transaction that met them. */
static weir_status load_stored(const struct sending *s, struct pg_conn *conn,
                               const struct pg_params *params, struct stored *stored,
                               struct weir_error *err)
{
    weir_status status = weir_pg_params_check(params, err);
    if (status == WEIR_OK) {
        status = weir_pg_fixed(s->session, conn, PG_FIXED_BY_IDS, params, &stored->result, err);
    }
    if (status != WEIR_OK) {
        return status;
    }
    const size_t n = (size_t)PQntuples(stored->result);
    stored->rows = weir_arena_array(s->arena, n, sizeof *stored->rows);
    if (stored->rows == NULL) {
        return weir_arena_fail(s->arena, err);
    }
    for (size_t k = 0; k < n; k++) {
        if (!weir_pg_row(stored->result, (int)k, &stored->rows[k])) {
            return weir_fail(err, WEIR_DATA_CORRUPT, "a stored message is damaged");
        }
    }
    stored->n = n;
    qsort(stored->rows, n, sizeof *stored->rows, compare_rows);
    return WEIR_OK;
}

static void judge(const struct sending *s, const struct verdicts *verdicts, size_t first,
                  const struct stored *stored)
{
    struct weir_write *write = s->entries[first].write;
    struct weir_append *append = &write->of.append;
    const struct weir_row *rows[WEIR_WRITE_MESSAGES_MAX];
    int64_t versions[WEIR_WRITE_STREAMS_MAX];
    size_t found = 0;
    size_t k = 0;
    for (size_t p = 0; p < append->n; p++) {
        versions[p] = weir_pg_element_int8(verdicts->versions, first + p);
        for (size_t m = 0; m < append->streams[p].n; m++, k++) {
            rows[k] = find_row(stored, &append->streams[p].messages[m].id);
            found += rows[k] != NULL;
        }
    }
    if (found == 0) {
        (void)weir_fail(write->err, WEIR_BACKEND_UNAVAILABLE,
                        "the namespace was cleared while the write was under way");
        return;
    }
    weir_judge_retry(write, rows, versions);
    /* What an attempt with a lost answer has stored is no duplicate. */
    append->is_duplicate = append->is_duplicate && !s->run->is_in_doubt;
}

static weir_status look_up(const struct sending *s, struct pg_conn *conn,
                           const struct verdicts *verdicts, size_t ids, struct weir_error *err)
{
    struct pg_params params;
    struct stored stored = {NULL, NULL, 0};
    bind_known_ids(s, verdicts, ids, &params);
    const weir_status status = load_stored(s, conn, &params, &stored, err);
    for (size_t e = 0; e < s->entries_n; e += s->entries[e].write->of.append.n) {
        if (!is_id_there(verdicts, e)) {
            continue;
        }
        if (status == WEIR_OK) {
            judge(s, verdicts, e, &stored);
        } else {
            weir_error_copy(s->entries[e].write->err, err);
        }
    }
    PQclear(stored.result);
    return WEIR_OK;
}

/* ---- all of it ---- */

weir_status weir_pg_append(const struct pg_run *run, struct pg_conn *conn, struct weir_error *err)
{
    struct sending s = {.run = run, .session = run->session, .arena = &run->session->arena};
    weir_arena_reset(s.arena);
    if (!gather(&s)) {
        return weir_arena_fail(s.arena, err);
    }
    struct pg_params params;
    bind(&s, &params);
    weir_status status = weir_pg_params_check(&params, err);
    PGresult *result = NULL;
    if (status == WEIR_OK) {
        status = weir_pg_fixed(s.session, conn, PG_FIXED_APPEND, &params, &result, err);
    }
    if (status == WEIR_OK && conn->has_warned) {
        status = weir_pg_fail_unconfirmed(conn, err);
    }
    struct verdicts verdicts;
    if (status == WEIR_OK && !read_verdicts(&s, result, &verdicts)) {
        status = weir_fail(err, WEIR_BACKEND_ERROR, "the append function gives something else");
    }
    if (status == WEIR_OK) {
        const size_t ids = tell(&s, &verdicts);
        keep_versions(&s, &verdicts);
        status = ids > 0 ? look_up(&s, conn, &verdicts, ids, err) : WEIR_OK;
    }
    PQclear(result);
    return status;
}
