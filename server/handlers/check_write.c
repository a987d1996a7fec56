#include "server/handlers/request_check.h"

#include "server/handlers/check_message.h"
#include "weir/rules/limits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_BYTES = 96, REASON_BYTES = 256 };

/* The place of a message in the request, for the path of its fields. */
struct place {
    const char *outer;  // the list around "messages"; NULL if none
    size_t outer_at;    // index in that list
    size_t at;          // index in "messages"
};

static void write_path(const struct place *place, const char *field, char path[PATH_BYTES])
{
    if (place->outer == NULL) {
        (void)snprintf(path, PATH_BYTES, "messages[%zu].%s", place->at, field);
    } else {
        (void)snprintf(path, PATH_BYTES, "%s[%zu].messages[%zu].%s", place->outer, place->outer_at,
                       place->at, field);
    }
}

static weir_status fail_at(struct weir_error *err, const struct place *place, const char *field,
                           const char *reason_format, ...) __attribute__((format(printf, 4, 5)));

static weir_status fail_at(struct weir_error *err, const struct place *place, const char *field,
                           const char *reason_format, ...)
{
    char path[PATH_BYTES];
    char reason[REASON_BYTES];
    va_list arguments;
    va_start(arguments, reason_format);
    (void)vsnprintf(reason, sizeof reason, reason_format, arguments);
    va_end(arguments);
    write_path(place, field, path);
    return weir_fail_field(err, path, "%s", reason);
}

weir_status weir_check_stream_name(const char *text, size_t most, const char *field,
                                   struct weir_slice *name, struct weir_error *err)
{
    *name = weir_slice_of(text);
    if (name->n == 0) {
        return weir_fail_field(err, field, "required");
    }
    if (name->n > most) {
        return weir_fail_field(err, field, "%zu bytes are too long: must be at most %zu", name->n,
                               most);
    }
    return WEIR_OK;
}

/* ---- one message ---- */

/* Writes the path only after a check has failed, and repeats the check with it: for messages
 * without faults no path is formatted. */
static weir_status check_body(struct weir_call *call, const struct place *place,
                              struct weir_new_message *message, struct weir_error *err)
{
    char path[PATH_BYTES];
    weir_status st = weir_check_data(message, "data", err);
    if (st == WEIR_INVALID_REQUEST) {
        write_path(place, "data", path);
        return weir_check_data(message, path, err);
    }
    if (st == WEIR_OK) {
        st = weir_check_metadata(call, message, "metadata", err);
    }
    if (st == WEIR_INVALID_REQUEST) {
        write_path(place, "metadata", path);
        return weir_check_metadata(call, message, path, err);
    }
    return st;
}

static weir_status check_type(const struct weir_call *call, const struct place *place,
                              const char *text, struct weir_slice *type, struct weir_error *err)
{
    const size_t most = (size_t)weir_call_limits(call)->type_bytes;
    *type = weir_slice_of(text);
    if (type->n == 0) {
        return fail_at(err, place, "type", "required");
    }
    if (type->n > most) {
        return fail_at(err, place, "type",
                       "%zu bytes are too long: must be at most %zu (--max-type-bytes)", type->n,
                       most);
    }
    return WEIR_OK;
}

static weir_status check_new_message(struct weir_call *call, const struct place *place,
                                     const Weir__V1__NewMessage *in, struct weir_new_message *out,
                                     struct weir_error *err)
{
    out->is_id_given = in->id != NULL;
    if (out->is_id_given && !weir_uuid_parse(weir_slice_of(in->id), &out->id)) {
        return fail_at(err, place, "id", "not a UUID");
    }
    if (!out->is_id_given && !weir_uuid_make_v7(&out->id)) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "cannot get random bytes from the system");
    }
    const weir_status st = check_type(call, place, in->type, &out->type, err);
    if (st != WEIR_OK) {
        return st;
    }
    out->data = weir_request_bytes(in->has_data, &in->data);
    out->metadata = weir_request_bytes(in->has_metadata, &in->metadata);
    return check_body(call, place, out, err);
}

/* ---- sizes, before anything else ---- */

static weir_status check_sizes(const struct weir_call *call, struct place place,
                               Weir__V1__NewMessage *const *messages, size_t n,
                               struct weir_error *err)
{
    for (place.at = 0; place.at < n; place.at++) {
        const Weir__V1__NewMessage *message = messages[place.at];
        const size_t data_n = message->has_data ? message->data.len : 0;
        const size_t metadata_n = message->has_metadata ? message->metadata.len : 0;
        if (!weir_message_fits(call, data_n, metadata_n)) {
            char what[PATH_BYTES];
            write_path(&place, "data plus metadata", what);
            return weir_fail_message_size(call, what, data_n, metadata_n, err);
        }
    }
    return WEIR_OK;
}

/* ---- duplicates within the request ---- */

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct weir_uuid));
}

/* Leaves out the ids that the server has made, which differ. */
static size_t collect_ids(const struct weir_append *append, struct weir_uuid *ids)
{
    size_t n = 0;
    for (size_t i = 0; i < append->n; i++) {
        for (size_t k = 0; k < append->streams[i].n; k++) {
            if (append->streams[i].messages[k].is_id_given) {
                ids[n++] = append->streams[i].messages[k].id;
            }
        }
    }
    return n;
}

static weir_status check_ids_differ(struct weir_call *call, const struct weir_append *append,
                                    size_t messages_n, const char *field, struct weir_error *err)
{
    if (messages_n < 2) {
        return WEIR_OK;
    }
    struct weir_uuid *ids = weir_arena_array(&call->arena, messages_n, sizeof *ids);
    if (ids == NULL) {
        return weir_call_is_too_large(call, err);
    }
    const size_t n = collect_ids(append, ids);
    qsort(ids, n, sizeof *ids, compare_ids);
    for (size_t i = 1; i < n; i++) {
        if (compare_ids(&ids[i - 1], &ids[i]) == 0) {
            char text[WEIR_UUID_TEXT + 1];
            weir_uuid_format(&ids[i], text);
            return weir_fail_field(err, field, "the id %s is given twice", text);
        }
    }
    return WEIR_OK;
}

static weir_status check_streams_differ(const struct weir_append *append, struct weir_error *err)
{
    for (size_t i = 1; i < append->n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (weir_slice_equal(append->streams[i].stream, append->streams[k].stream)) {
                char path[PATH_BYTES];
                (void)snprintf(path, sizeof path, "writes[%zu].stream_name", i);
                return weir_fail_field(err, path, "names the same stream as writes[%zu]", k);
            }
        }
    }
    return WEIR_OK;
}

/* ---- expectations ---- */

/* `prefix` is what stands before "expectation" in the path. */
static weir_status check_expectation(const Weir__V1__Expectation *in, const char *prefix,
                                     struct weir_expectation *out, struct weir_error *err)
{
    *out = (struct weir_expectation){.kind = WEIR_EXPECT_ANY};
    if (in == NULL) {
        return WEIR_OK;
    }
    const char *false_field = NULL;
    if (in->kind_case == WEIR__V1__EXPECTATION__KIND_EXACT) {
        *out = (struct weir_expectation){.kind = WEIR_EXPECT_EXACT, .version = in->exact};
    } else if (in->kind_case == WEIR__V1__EXPECTATION__KIND_NO_STREAM) {
        out->kind = WEIR_EXPECT_NO_STREAM;
        false_field = in->no_stream ? NULL : "no_stream";
    } else if (in->kind_case == WEIR__V1__EXPECTATION__KIND_STREAM_EXISTS) {
        out->kind = WEIR_EXPECT_STREAM_EXISTS;
        false_field = in->stream_exists ? NULL : "stream_exists";
    }
    if (false_field != NULL) {
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof path, "%sexpectation.%s", prefix, false_field);
        return weir_fail_field(err, path, "must be true if given");
    }
    return WEIR_OK;
}

/* ---- whole requests ---- */

/* Checks the messages of one stream and fills out->messages, in the call's arena. */
static weir_status check_messages(struct weir_call *call, struct place place,
                                  Weir__V1__NewMessage *const *in, struct weir_stream_append *out,
                                  struct weir_error *err)
{
    struct weir_new_message *messages = weir_arena_array(&call->arena, out->n, sizeof *messages);
    out->written = weir_arena_array(&call->arena, out->n, sizeof *out->written);
    if (messages == NULL || out->written == NULL) {
        return weir_call_is_too_large(call, err);
    }
    for (place.at = 0; place.at < out->n; place.at++) {
        const weir_status st =
            check_new_message(call, &place, in[place.at], &messages[place.at], err);
        if (st != WEIR_OK) {
            return st;
        }
    }
    out->messages = messages;
    return WEIR_OK;
}

static weir_status check_count(size_t n, size_t most, const char *field, const char *of,
                               struct weir_error *err)
{
    return n >= 1 && n <= most
               ? WEIR_OK
               : weir_fail_field(err, field, "%zu is out of range: must be 1 to %zu %s", n, most,
                                 of);
}

weir_status weir_check_write_messages(struct weir_call *call,
                                      const Weir__V1__WriteMessagesRequest *request,
                                      struct weir_append *append, struct weir_error *err)
{
    const struct place place = {.outer = NULL};
    const size_t n = request->n_messages;
    weir_status st = check_sizes(call, place, request->messages, n, err);
    struct weir_stream_append *stream = weir_arena_array(&call->arena, 1, sizeof *stream);
    if (st == WEIR_OK && stream == NULL) {
        st = weir_call_is_too_large(call, err);
    }
    if (st != WEIR_OK) {
        return st;
    }
    *append = (struct weir_append){.streams = stream, .n = 1};
    stream->n = n;
    st = weir_check_stream_name(request->stream_name,
                                (size_t)weir_call_limits(call)->stream_name_bytes, "stream_name",
                                &stream->stream, err);
    if (st == WEIR_OK) {
        st = check_count(n, WEIR_WRITE_MESSAGES_MAX, "messages", "messages", err);
    }
    if (st == WEIR_OK) {
        st = check_expectation(request->expectation, "", &stream->expectation, err);
    }
    if (st == WEIR_OK) {
        st = check_messages(call, place, request->messages, stream, err);
    }
    return st == WEIR_OK ? check_ids_differ(call, append, n, "messages", err) : st;
}

static weir_status check_stream_write(struct weir_call *call, size_t at,
                                      const Weir__V1__StreamWrite *in,
                                      struct weir_stream_append *out, struct weir_error *err)
{
    char prefix[PATH_BYTES / 2];
    char path[PATH_BYTES];
    (void)snprintf(prefix, sizeof prefix, "writes[%zu].", at);
    (void)snprintf(path, sizeof path, "writes[%zu].stream_name", at);
    out->n = in->n_messages;
    weir_status st =
        weir_check_stream_name(in->stream_name, (size_t)weir_call_limits(call)->stream_name_bytes,
                               path, &out->stream, err);
    if (st == WEIR_OK) {
        st = check_expectation(in->expectation, prefix, &out->expectation, err);
    }
    if (st == WEIR_OK && out->n == 0 && out->expectation.kind == WEIR_EXPECT_ANY) {
        (void)snprintf(path, sizeof path, "writes[%zu].expectation", at);
        return weir_fail_field(err, path, "required for an entry without messages");
    }
    const struct place place = {.outer = "writes", .outer_at = at};
    return st == WEIR_OK ? check_messages(call, place, in->messages, out, err) : st;
}

/* Checks the sizes of all messages, and counts the messages. */
static weir_status check_write_sizes(const struct weir_call *call,
                                     const Weir__V1__WriteStreamsRequest *request,
                                     size_t *messages_n, struct weir_error *err)
{
    struct place place = {.outer = "writes"};
    *messages_n = 0;
    for (; place.outer_at < request->n_writes; place.outer_at++) {
        const Weir__V1__StreamWrite *write = request->writes[place.outer_at];
        *messages_n += write->n_messages;
        const weir_status st = check_sizes(call, place, write->messages, write->n_messages, err);
        if (st != WEIR_OK) {
            return st;
        }
    }
    return WEIR_OK;
}

weir_status weir_check_write_streams(struct weir_call *call,
                                     const Weir__V1__WriteStreamsRequest *request,
                                     struct weir_append *append, struct weir_error *err)
{
    size_t messages_n = 0;
    weir_status st = check_write_sizes(call, request, &messages_n, err);
    if (st == WEIR_OK) {
        st = check_count(request->n_writes, WEIR_WRITE_STREAMS_MAX, "writes", "streams", err);
    }
    if (st == WEIR_OK) {
        st = check_count(messages_n, WEIR_WRITE_MESSAGES_MAX, "writes", "messages in total", err);
    }
    if (st != WEIR_OK) {
        return st;
    }
    *append = (struct weir_append){.n = request->n_writes};
    append->streams = weir_arena_array(&call->arena, append->n, sizeof *append->streams);
    if (append->streams == NULL) {
        return weir_call_is_too_large(call, err);
    }
    for (size_t i = 0; i < append->n && st == WEIR_OK; i++) {
        st = check_stream_write(call, i, request->writes[i], &append->streams[i], err);
    }
    if (st == WEIR_OK) {
        st = check_streams_differ(append, err);
    }
    return st == WEIR_OK ? check_ids_differ(call, append, messages_n, "writes", err) : st;
}
