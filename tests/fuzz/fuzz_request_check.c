/* The server's checks of requests. The first byte chooses a request and, if odd, the lowest
 * configurable limits; the rest is the payload. An accepted request is within the ranges that the
 * store relies on; a refused one is reported with a field of the request, a size and its limit, or
 * a record's number. */
#include "server/calls/server_parts.h"
#include "server/handlers/check_namespace.h"
#include "server/handlers/request_check.h"
#include "tests/fuzz/fuzz.h"
#include "weir/rules/json_text.h"
#include "weir/rules/stream_name.h"
#include "weir/wire/check.h"
#include "weir/wire/pb_arena.h"

enum { ELEMENTS_MAX = 4096, ARENA_BYTES = 32 << 20, NAME_BYTES = 64 };

#define LOWEST(member, option, standard, lowest, highest, what) .member = (lowest),

static struct weir_config config;
static struct weir_server server = {.config = &config};

static const struct weir_limits *limits(void)
{
    return &config.limits;
}

/* ---- refusals ---- */

/* Takes "name" or "name[7]", and a following '.', from the front of a path. */
static bool take_segment(const char **path, char name[NAME_BYTES], bool *is_indexed)
{
    const size_t n = strcspn(*path, "[.");
    if (n == 0 || n >= NAME_BYTES) {
        return false;
    }
    memcpy(name, *path, n);
    name[n] = '\0';
    *path += n;
    *is_indexed = **path == '[';
    if (*is_indexed) {
        const size_t digits = strspn(*path + 1, "0123456789");
        if (digits == 0 || (*path)[1 + digits] != ']') {
            return false;
        }
        *path += digits + 2;
    }
    if (**path != '.') {
        return **path == '\0';
    }
    *path += 1;
    return **path != '\0';
}

static bool is_path_of(const char *path, const ProtobufCMessageDescriptor *type)
{
    while (*path != '\0') {
        char name[NAME_BYTES];
        bool is_indexed = false;
        if (type == NULL || !take_segment(&path, name, &is_indexed)) {
            return false;
        }
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(type, name);
        if (field == NULL || (is_indexed && field->label != PROTOBUF_C_LABEL_REPEATED)) {
            return false;
        }
        type = field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
    }
    return true;
}

static void check_refusal(const struct weir_error *err, weir_status st,
                          const ProtobufCMessageDescriptor *type)
{
    const char *field = weir_error_get_detail(err, "field");
    const char *record = weir_error_get_detail(err, "record");
    require(err->status == st && err->text[0] != '\0');
    if (st == WEIR_INVALID_REQUEST) {
        require(field != NULL && is_path_of(field, type));
        require(weir_error_get_detail(err, "reason") != NULL);
    } else if (st == WEIR_LIMIT_EXCEEDED) {
        const char *limit = weir_error_get_detail(err, "limit");
        const char *actual = weir_error_get_detail(err, "actual");
        require(limit != NULL && actual != NULL && atoll(actual) > atoll(limit));
    } else {
        require(st == WEIR_INVALID_RECORD && record != NULL && atoll(record) >= 1);
        require(weir_error_get_detail(err, "reason") != NULL);
    }
}

/* ---- messages ---- */

static bool is_json(struct weir_slice text, struct weir_json_facts *facts)
{
    struct weir_error err;
    weir_error_init(&err);
    return weir_json_check(text, "data", facts, &err) == WEIR_OK;
}

static void check_message(const struct weir_new_message *m, size_t type_min)
{
    uint8_t area[1024];
    struct weir_json_facts facts = {.area = area, .area_n = (size_t)limits()->correlation_bytes};
    require(m->type.n >= type_min && m->type.n <= (size_t)limits()->type_bytes);
    require(m->data.n + m->metadata.n <= (size_t)limits()->message_bytes);
    require(m->data.p == NULL || is_json(m->data, NULL));
    require(m->metadata.p == NULL || is_json(m->metadata, &facts));
    require(weir_slice_equal(m->correlation, facts.correlation_stream.p == NULL
                                                 ? facts.correlation_stream
                                                 : weir_name_category(facts.correlation_stream)));
}

static void check_name(struct weir_slice name)
{
    require(name.n >= 1 && name.n <= (size_t)limits()->stream_name_bytes);
}

static bool is_given(const struct weir_append *append, const struct weir_uuid *id)
{
    size_t n = 0;
    for (size_t s = 0; s < append->n; s++) {
        for (size_t i = 0; i < append->streams[s].n; i++) {
            n += memcmp(append->streams[s].messages[i].id.bytes, id->bytes, WEIR_UUID_BYTES) == 0;
        }
    }
    return n == 1;
}

/* Checks a stream of an append. Returns the number of messages. */
static size_t check_stream(const struct weir_append *append, size_t at)
{
    const struct weir_stream_append *stream = &append->streams[at];
    check_name(stream->stream);
    require(stream->n > 0 || stream->expectation.kind != WEIR_EXPECT_ANY);
    require(stream->expectation.kind >= WEIR_EXPECT_ANY &&
            stream->expectation.kind <= WEIR_EXPECT_STREAM_EXISTS);
    for (size_t i = 0; i < at; i++) {
        require(!weir_slice_equal(stream->stream, append->streams[i].stream));
    }
    for (size_t i = 0; i < stream->n; i++) {
        check_message(&stream->messages[i], 1);
        require(is_given(append, &stream->messages[i].id));
        memset(&stream->written[i], 0, sizeof stream->written[i]);
    }
    return stream->n;
}

static void check_append(const struct weir_append *append)
{
    size_t messages_n = 0;
    require(append->n >= 1 && append->n <= WEIR_WRITE_STREAMS_MAX);
    for (size_t i = 0; i < append->n; i++) {
        messages_n += check_stream(append, i);
    }
    require(messages_n >= 1 && messages_n <= WEIR_WRITE_MESSAGES_MAX);
}

static void check_import(const struct weir_import *import)
{
    require(import->n >= 1 && import->n <= (size_t)limits()->import_records);
    for (size_t i = 0; i < import->n; i++) {
        const struct weir_import_record *r = &import->records[i];
        check_name(r->stream);
        check_message(&r->message, 0);
        require(r->message.is_id_given);
        require(r->position >= 0 && r->position <= WEIR_IMPORT_POSITION_MAX);
        require(r->global_position >= 1 && r->global_position <= WEIR_IMPORT_POSITION_MAX);
    }
}

/* ---- reads ---- */

static void check_types(const struct weir_query *query)
{
    require(query->types_n <= WEIR_READ_TYPES_MAX);
    for (size_t i = 0; i < query->types_n; i++) {
        require(query->types[i].n >= 1 && query->types[i].n <= WEIR_TYPE_BYTES_MAX);
    }
}

static void check_query(const struct weir_query *query, uint32_t wait_ms)
{
    require(query->max_messages >= 0 && query->max_messages <= limits()->batch_size);
    require(query->max_bytes == (size_t)limits()->reply_bytes);
    require(query->deadline_us == INT64_MAX);
    require(!query->is_unlimited || query->max_messages == limits()->batch_size);
    require(!query->is_from_newest || query->is_backward);
    require(wait_ms <= limits()->wait_ms && (wait_ms == 0 || !query->is_backward));
    check_types(query);
}

static void check_stream_query(const struct weir_query *query)
{
    require(query->selector == WEIR_SELECT_STREAM);
    require(query->name.n >= 1 && query->name.n <= WEIR_STREAM_NAME_BYTES_MAX);
    require(query->correlation.p == NULL && query->group_size == 0);
}

static bool is_category(struct weir_slice name, int64_t most)
{
    return name.n <= (size_t)most && (name.n == 0 || weir_name_is_category(name));
}

static void check_category_query(const struct weir_query *query)
{
    require(query->selector == (query->name.n > 0 ? WEIR_SELECT_CATEGORY : WEIR_SELECT_ALL));
    require(is_category(query->name, WEIR_STREAM_NAME_BYTES_MAX));
    require(is_category(query->correlation, WEIR_CORRELATION_BYTES_MAX));
    require(!query->is_from_global);
    require(query->group_size == 0 || (query->group_member >= 0 && query->group_size >= 1 &&
                                       query->group_member < query->group_size));
}

/* ---- the requests ---- */

#define RUN(name)                                                                    \
    static weir_status name(struct weir_call *call, const ProtobufCMessage *message, \
                            struct weir_error *err)

RUN(run_write_messages)
{
    const Weir__V1__WriteMessagesRequest *request = (const void *)message;
    struct weir_append append = {0};
    const weir_status st = weir_check_write_messages(call, request, &append, err);
    if (st == WEIR_OK) {
        require(append.n == 1 && append.streams[0].n == request->n_messages);
        check_append(&append);
    }
    return st;
}

RUN(run_write_streams)
{
    const Weir__V1__WriteStreamsRequest *request = (const void *)message;
    struct weir_append append = {0};
    const weir_status st = weir_check_write_streams(call, request, &append, err);
    if (st == WEIR_OK) {
        require(append.n == request->n_writes);
        check_append(&append);
    }
    return st;
}

RUN(run_import)
{
    const Weir__V1__ImportMessagesRequest *request = (const void *)message;
    struct weir_import import = {0};
    const weir_status st = weir_check_import_messages(call, request, &import, err);
    if (st == WEIR_OK) {
        require(import.n == request->n_messages);
        check_import(&import);
    }
    return st;
}

RUN(run_stream_read)
{
    struct weir_query query;
    uint32_t wait_ms = 0;
    const weir_status st =
        weir_check_stream_read(call, (const void *)message, &query, &wait_ms, err);
    if (st == WEIR_OK) {
        check_query(&query, wait_ms);
        check_stream_query(&query);
    }
    return st;
}

RUN(run_category_read)
{
    struct weir_query query;
    uint32_t wait_ms = 0;
    const weir_status st =
        weir_check_category_read(call, (const void *)message, &query, &wait_ms, err);
    if (st == WEIR_OK) {
        check_query(&query, wait_ms);
        check_category_query(&query);
    }
    return st;
}

RUN(run_last_read)
{
    struct weir_query query;
    const weir_status st = weir_check_last_read(call, (const void *)message, &query, err);
    if (st == WEIR_OK) {
        require(query.types_n <= 1);
        check_types(&query);
        check_stream_query(&query);
    }
    return st;
}

static bool is_object(struct weir_slice text)
{
    struct weir_error err;
    weir_error_init(&err);
    return weir_json_check(text, "metadata", NULL, &err) == WEIR_OK && weir_json_is_object(text);
}

RUN(run_create_namespace)
{
    struct weir_namespace_record record;
    const weir_status st = weir_check_create_namespace(call, (const void *)message, &record, err);
    if (st == WEIR_OK) {
        struct weir_error fault;
        require(record.id.n <= (size_t)limits()->namespace_bytes);
        require(weir_namespace_check(record.id, "namespace", &fault) == WEIR_OK);
        require(record.description.n <= (size_t)limits()->description_bytes);
        require(record.metadata.n <= (size_t)limits()->message_bytes);
        require(record.metadata.p == NULL || is_object(record.metadata));
    }
    return st;
}

static const struct {
    const ProtobufCMessageDescriptor *type;
    weir_status (*run)(struct weir_call *call, const ProtobufCMessage *message,
                       struct weir_error *err);
} requests[] = {
    {&weir__v1__write_messages_request__descriptor, run_write_messages},
    {&weir__v1__write_streams_request__descriptor, run_write_streams},
    {&weir__v1__import_messages_request__descriptor, run_import},
    {&weir__v1__get_stream_messages_request__descriptor, run_stream_read},
    {&weir__v1__get_category_messages_request__descriptor, run_category_read},
    {&weir__v1__get_last_stream_message_request__descriptor, run_last_read},
    {&weir__v1__create_namespace_request__descriptor, run_create_namespace},
};

static void run(size_t which, struct weir_slice payload)
{
    struct weir_call call = {.server = &server, .deadline_us = INT64_MAX};
    weir_arena_init(&call.arena, ARENA_BYTES, 0);
    struct weir_error err;
    weir_error_init(&err);
    ProtobufCMessage *message = NULL;
    if (weir_wire_check(payload, requests[which].type, ELEMENTS_MAX, NULL, &err) == WEIR_OK &&
        weir_pb_unpack(&call.arena, requests[which].type, payload, &message, &err) == WEIR_OK) {
        const weir_status st = requests[which].run(&call, message, &err);
        if (st != WEIR_OK) {
            check_refusal(&err, st, requests[which].type);
        }
    }
    weir_arena_fini(&call.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct weir_limits standard = WEIR_LIMITS_DEFAULT;
    static const struct weir_limits lowest = {WEIR_LIMIT_LIST(LOWEST)};
    if (size > 0) {
        config.limits = data[0] % 2 == 0 ? standard : lowest;
        run(data[0] / 2 % WEIR_COUNTOF(requests), weir_slice(data + 1, size - 1));
    }
    return 0;
}
