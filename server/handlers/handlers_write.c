#include "server/handlers/handlers.h"

#include "server/handlers/request_check.h"

/* ---- replies, made once the write is durable ---- */

/* Fills the repeated field with the written messages of one stream; false past the arena's cap. */
static bool fill_written(struct weir_arena *arena, const struct weir_stream_append *stream,
                         Weir__V1__WrittenMessage ***pointers)
{
    const size_t n = stream->n;
    Weir__V1__WrittenMessage *messages = weir_arena_array(arena, n, sizeof *messages);
    char *ids = weir_arena_array(arena, n, WEIR_UUID_TEXT + 1);
    *pointers = weir_arena_array(arena, n, sizeof **pointers);
    if (messages == NULL || ids == NULL || *pointers == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct weir_written *from = &stream->written[i];
        char *id = ids + i * (WEIR_UUID_TEXT + 1);
        weir_uuid_format(&from->id, id);
        weir__v1__written_message__init(&messages[i]);
        messages[i].id = id;
        messages[i].has_position = true;
        messages[i].position = from->position;
        messages[i].has_global_position = true;
        messages[i].global_position = from->global_position;
        messages[i].has_time_us = true;
        messages[i].time_us = from->time_us;
        (*pointers)[i] = &messages[i];
    }
    return true;
}

static weir_status reply_messages(struct weir_call *call, struct weir_error *err)
{
    const struct weir_append *append = &call->write.of.append;
    Weir__V1__WriteMessagesResponse response = WEIR__V1__WRITE_MESSAGES_RESPONSE__INIT;
    response.n_written = append->streams[0].n;
    response.has_duplicate = true;
    response.duplicate = append->is_duplicate;
    if (!fill_written(&call->arena, &append->streams[0], &response.written)) {
        return weir_call_is_too_large(call, err);
    }
    return weir_call_reply(call, &response.base, err);
}

static weir_status reply_streams(struct weir_call *call, struct weir_error *err)
{
    const struct weir_append *append = &call->write.of.append;
    Weir__V1__WriteStreamsResponse response = WEIR__V1__WRITE_STREAMS_RESPONSE__INIT;
    Weir__V1__StreamWritten *results = weir_arena_array(&call->arena, append->n, sizeof *results);
    response.results = weir_arena_array(&call->arena, append->n, sizeof *response.results);
    if (results == NULL || response.results == NULL) {
        return weir_call_is_too_large(call, err);
    }
    for (size_t i = 0; i < append->n; i++) {
        weir__v1__stream_written__init(&results[i]);
        results[i].n_written = append->streams[i].n;
        if (!fill_written(&call->arena, &append->streams[i], &results[i].written)) {
            return weir_call_is_too_large(call, err);
        }
        response.results[i] = &results[i];
    }
    response.n_results = append->n;
    response.has_duplicate = true;
    response.duplicate = append->is_duplicate;
    return weir_call_reply(call, &response.base, err);
}

static weir_status reply_import(struct weir_call *call, struct weir_error *err)
{
    const struct weir_import *import = &call->write.of.import;
    Weir__V1__ImportMessagesResponse response = WEIR__V1__IMPORT_MESSAGES_RESPONSE__INIT;
    response.has_imported = true;
    response.imported = import->imported;
    response.has_skipped_identical = true;
    response.skipped_identical = import->skipped_identical;
    response.has_max_global_position = true;
    for (size_t i = 0; i < import->n; i++) {
        if (import->records[i].global_position > response.max_global_position) {
            response.max_global_position = import->records[i].global_position;
        }
    }
    return weir_call_reply(call, &response.base, err);
}

/* ---- handlers ---- */

WEIR_HANDLER(weir_handle_write_messages, Weir__V1__WriteMessagesRequest)
{
    const weir_status st = weir_check_write_messages(call, request, &call->write.of.append, err);
    return st == WEIR_OK ? weir_call_write(call, WEIR_WRITE_APPEND, reply_messages) : st;
}

WEIR_HANDLER(weir_handle_write_streams, Weir__V1__WriteStreamsRequest)
{
    const weir_status st = weir_check_write_streams(call, request, &call->write.of.append, err);
    return st == WEIR_OK ? weir_call_write(call, WEIR_WRITE_APPEND, reply_streams) : st;
}

WEIR_HANDLER(weir_handle_import_messages, Weir__V1__ImportMessagesRequest)
{
    const weir_status st = weir_check_import_messages(call, request, &call->write.of.import, err);
    return st == WEIR_OK ? weir_call_write(call, WEIR_WRITE_IMPORT, reply_import) : st;
}
