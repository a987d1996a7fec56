/* Turns a run of appends into the parameters of the append function (schema/functions.sql), whose
 * comment says what each parameter means. */
#include "store/postgres/pg_sending.h"

#include "weir/base/table_hash.h"
#include "weir/rules/stream_name.h"

/* Kinds of expectation, as the function numbers them. */
enum { EXPECT_ANYTHING, EXPECT_VERSION, EXPECT_STREAM };

enum { TEXT_TYPE, TEXT_CORRELATION, TEXT_DATA, TEXT_METADATA };

/* ---- entries and streams ---- */

static void count(struct pg_sending *s, const struct weir_stream_append *part)
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
    for (const struct weir_write *w = *run->first; w != run->end; w = w->next) {
        n += weir_pg_is_open(w) ? w->of.append.n : 0;
    }
    return n;
}

static void list_entries(struct pg_sending *s)
{
    int32_t number = 0;
    for (struct weir_write *w = *s->run->first; w != s->run->end; w = w->next) {
        if (!weir_pg_is_open(w)) {
            continue;
        }
        number++;
        for (size_t p = 0; p < w->of.append.n; p++) {
            struct weir_stream_append *part = &w->of.append.streams[p];
            s->entries[s->entries_n++] = (struct pg_entry){w, part, number, 0, 0};
            count(s, part);
        }
    }
}

/* Makes a table with at least twice as many places as there can be names. */
static bool names_init(struct pg_sending *s, struct pg_names *names)
{
    names->places = 4;
    while (names->places < 2 * s->entries_n) {
        names->places *= 2;
    }
    names->table = weir_arena_array(s->arena, names->places, sizeof *names->table);
    names->names = weir_arena_array(s->arena, s->entries_n, sizeof *names->names);
    return names->table != NULL && names->names != NULL;
}

static int32_t number_of(const struct pg_sending *s, struct pg_names *names, struct weir_slice name)
{
    size_t at = (size_t)weir_table_hash(s->session->backend->hash_seed, name) % names->places;
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

static bool number_streams(struct pg_sending *s)
{
    s->by_stream = weir_arena_array(s->arena, s->entries_n, sizeof *s->by_stream);
    if (s->by_stream == NULL || !names_init(s, &s->streams) || !names_init(s, &s->categories)) {
        return false;
    }
    for (size_t e = 0; e < s->entries_n; e++) {
        struct pg_entry *entry = &s->entries[e];
        entry->stream = number_of(s, &s->streams, entry->part->stream);
        struct pg_sent_stream *stream = &s->by_stream[entry->stream - 1];
        if (stream->category == 0) {
            stream->category =
                number_of(s, &s->categories, weir_name_category(entry->part->stream));
        }
        entry->before = stream->messages;
        stream->messages += (int32_t)entry->part->n;
    }
    return true;
}

bool weir_pg_sending_gather(struct pg_sending *s, const struct pg_run *run)
{
    *s = (struct pg_sending){.run = run, .session = run->session, .arena = &run->session->arena};
    weir_arena_reset(s->arena);
    s->entries = weir_arena_array(s->arena, count_entries(s->run), sizeof *s->entries);
    if (s->entries == NULL) {
        return false;
    }
    list_entries(s);
    return number_streams(s);
}

/* ---- parameters ---- */

static void bind_names(const struct pg_names *names, struct pg_params *params)
{
    struct pg_array array = weir_pg_array_open(params, PG_TEXT, names->n, names->bytes);
    for (size_t n = 0; n < names->n; n++) {
        weir_pg_array_slice(&array, names->names[n]);
    }
    weir_pg_array_close(params, &array);
}

static void bind_hashes(const struct pg_sending *s, struct pg_params *params)
{
    struct pg_array array = weir_pg_array_open(params, PG_INT8, s->streams.n, 8 * s->streams.n);
    for (size_t n = 0; n < s->streams.n; n++) {
        weir_pg_array_hash(&array, s->streams.names[n]);
    }
    weir_pg_array_close(params, &array);
}

static void bind_known_versions(const struct pg_sending *s, struct pg_params *params)
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

static void bind_stream_numbers(const struct pg_sending *s, struct pg_params *params)
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

static void bind_streams(const struct pg_sending *s, struct pg_params *params)
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

static int32_t entry_value(const struct pg_entry *entry, enum entry_field field)
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

static void bind_entry_field(const struct pg_sending *s, struct pg_params *params,
                             enum entry_field field)
{
    struct pg_array array = weir_pg_array_open(params, PG_INT4, s->entries_n, 4 * s->entries_n);
    for (size_t e = 0; e < s->entries_n; e++) {
        weir_pg_array_int4(&array, entry_value(&s->entries[e], field));
    }
    weir_pg_array_close(params, &array);
}

static void bind_versions(const struct pg_sending *s, struct pg_params *params)
{
    struct pg_array array = weir_pg_array_open(params, PG_INT8, s->entries_n, 8 * s->entries_n);
    for (size_t e = 0; e < s->entries_n; e++) {
        int64_t version = 0;
        (void)expectation_kind(&s->entries[e].part->expectation, &version);
        weir_pg_array_int8(&array, version);
    }
    weir_pg_array_close(params, &array);
}

/* Binds the entry of each message, or the message's number in its entry; both count from 1. */
static void bind_message_numbers(const struct pg_sending *s, struct pg_params *params,
                                 bool of_entry)
{
    struct pg_array array = weir_pg_array_open(params, PG_INT4, s->messages_n, 4 * s->messages_n);
    for (size_t e = 0; e < s->entries_n; e++) {
        for (size_t m = 0; m < s->entries[e].part->n; m++) {
            weir_pg_array_int4(&array, (int32_t)(of_entry ? e : m) + 1);
        }
    }
    weir_pg_array_close(params, &array);
}

static void bind_ids(const struct pg_sending *s, struct pg_params *params)
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

static void bind_texts(const struct pg_sending *s, struct pg_params *params, int which)
{
    struct pg_array array =
        weir_pg_array_open(params, PG_TEXT, s->messages_n, s->text_bytes[which]);
    const bool is_json = which == TEXT_DATA || which == TEXT_METADATA;
    for (size_t e = 0; e < s->entries_n; e++) {
        const struct weir_stream_append *part = s->entries[e].part;
        for (size_t m = 0; m < part->n; m++) {
            const struct weir_slice text = text_of(&part->messages[m], which);
            if (is_json) {
                weir_pg_array_json(&array, text);
            } else {
                weir_pg_array_slice(&array, text);
            }
        }
    }
    weir_pg_array_close(params, &array);
}

/* Binds in the order of the function's parameters. */
void weir_pg_sending_bind(const struct pg_sending *s, struct pg_params *params)
{
    weir_pg_params_begin(s->session, s->arena, params);
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
