#include "server/handlers/request_check.h"

#include "server/handlers/check_message.h"
#include "weir/rules/limits.h"
#include "weir/rules/time_text.h"

#include <stdio.h>

/* Turns the INVALID_REQUEST of a check of JSON into the refusal of a record. */
static weir_status refuse_json(struct weir_error *err, size_t record, const char *field)
{
    if (err->status != WEIR_INVALID_REQUEST) {
        return err->status;
    }
    char reason[WEIR_ERROR_TEXT_BYTES];
    const char *found = weir_error_get_detail(err, "reason");
    (void)snprintf(reason, sizeof reason, "%s", found == NULL ? "not valid JSON" : found);
    return weir_fail_record(err, record, field, reason);
}

static weir_status check_size(const struct weir_call *call, size_t record,
                              const Weir__V1__ImportedMessage *in, struct weir_error *err)
{
    const size_t data_n = in->has_data ? in->data.len : 0;
    const size_t metadata_n = in->has_metadata ? in->metadata.len : 0;
    if (weir_message_fits(call, data_n, metadata_n)) {
        return WEIR_OK;
    }
    char what[64];
    (void)snprintf(what, sizeof what, "record %zu: data plus metadata", record);
    (void)weir_fail_message_size(call, what, data_n, metadata_n, err);
    weir_error_detail(err, "record", "%zu", record);
    return err->status;
}

static weir_status check_names(const struct weir_call *call, size_t record,
                               const Weir__V1__ImportedMessage *in, struct weir_import_record *out,
                               struct weir_error *err)
{
    const struct weir_limits *limits = weir_call_limits(call);
    if (in->id == NULL || !weir_uuid_parse(weir_slice_of(in->id), &out->message.id)) {
        return weir_fail_record(err, record, "id", in->id == NULL ? "missing" : "not a UUID");
    }
    out->message.is_id_given = true;
    out->stream = weir_slice_of(in->stream_name);
    if (out->stream.n == 0 || out->stream.n > (size_t)limits->stream_name_bytes) {
        return weir_fail_record(err, record, "stream_name",
                                out->stream.n == 0 ? "missing"
                                                   : "too long (--max-stream-name-bytes)");
    }
    out->message.type = weir_slice_of(in->type);
    if (out->message.type.p == NULL || out->message.type.n > (size_t)limits->type_bytes) {
        return weir_fail_record(err, record, "type",
                                in->type == NULL ? "missing" : "too long (--max-type-bytes)");
    }
    return WEIR_OK;
}

static weir_status check_numbers(size_t record, const Weir__V1__ImportedMessage *in,
                                 struct weir_import_record *out, struct weir_error *err)
{
    if (!in->has_position || in->position < 0 || in->position > WEIR_IMPORT_POSITION_MAX) {
        return weir_fail_record(err, record, "position (pos)",
                                in->has_position ? "must be from 0 to 2^62" : "missing");
    }
    if (!in->has_global_position || in->global_position < 1 ||
        in->global_position > WEIR_IMPORT_POSITION_MAX) {
        return weir_fail_record(err, record, "global_position (gpos)",
                                in->has_global_position ? "must be from 1 to 2^62" : "missing");
    }
    char text[WEIR_TIME_TEXT + 1];
    if (!in->has_time_us || !weir_time_format(in->time_us, text)) {
        return weir_fail_record(err, record, "time_us",
                                in->has_time_us ? "must be in the years 0000 to 9999" : "missing");
    }
    out->position = in->position;
    out->global_position = in->global_position;
    out->time_us = in->time_us;
    return WEIR_OK;
}

static weir_status check_body(struct weir_call *call, size_t record,
                              const Weir__V1__ImportedMessage *in, struct weir_new_message *out,
                              struct weir_error *err)
{
    out->data = weir_request_bytes(in->has_data, &in->data);
    out->metadata = weir_request_bytes(in->has_metadata, &in->metadata);
    if (weir_check_data(out, "data", err) != WEIR_OK) {
        return refuse_json(err, record, "data");
    }
    return weir_check_metadata(call, out, "metadata", err) == WEIR_OK
               ? WEIR_OK
               : refuse_json(err, record, "metadata");
}

static weir_status check_record(struct weir_call *call, size_t record,
                                const Weir__V1__ImportedMessage *in, struct weir_import_record *out,
                                struct weir_error *err)
{
    weir_status st = check_names(call, record, in, out, err);
    if (st == WEIR_OK) {
        st = check_numbers(record, in, out, err);
    }
    return st == WEIR_OK ? check_body(call, record, in, &out->message, err) : st;
}

weir_status weir_check_import_messages(struct weir_call *call,
                                       const Weir__V1__ImportMessagesRequest *request,
                                       struct weir_import *import, struct weir_error *err)
{
    const size_t n = request->n_messages;
    const size_t most = (size_t)weir_call_limits(call)->import_records;
    for (size_t i = 0; i < n; i++) {
        const weir_status st = check_size(call, i + 1, request->messages[i], err);
        if (st != WEIR_OK) {
            return st;
        }
    }
    if (n == 0 || n > most) {
        return weir_fail_field(
            err, "messages", "%zu is out of range: must be 1 to %zu records (--max-import-records)",
            n, most);
    }
    struct weir_import_record *records = weir_arena_array(&call->arena, n, sizeof *records);
    if (records == NULL) {
        return weir_call_is_too_large(call, err);
    }
    for (size_t i = 0; i < n; i++) {
        const weir_status st = check_record(call, i + 1, request->messages[i], &records[i], err);
        if (st != WEIR_OK) {
            return st;
        }
    }
    *import = (struct weir_import){.records = records, .n = n};
    return WEIR_OK;
}
