#include "client/cli/record.h"

#include "client/cli/json_walk.h"
#include "client/lib/json_out.h"
#include "weir/rules/json_text.h"
#include "weir/rules/limits.h"
#include "weir/rules/time_text.h"
#include "weir/rules/uuid.h"

#include <inttypes.h>
#include <stdarg.h>

/* ---- writing ---- */

static void put_text_member(FILE *out, const char *name, const char *text)
{
    (void)fprintf(out, "\"%s\":", name);
    json_put_string(out, weir_slice_of(text));
    (void)fputc(',', out);
}

typedef void (*put_json)(FILE *out, struct weir_slice json);

static void put_json_member(FILE *out, const char *name, bool is_present, ProtobufCBinaryData json,
                            put_json put)
{
    if (is_present) {
        (void)fprintf(out, "\"%s\":", name);
        put(out, weir_slice(json.data, json.len));
        (void)fputc(',', out);
    }
}

static void put_head(FILE *out, const char *id, const char *stream, const char *type)
{
    (void)fputc('{', out);
    put_text_member(out, "id", id == NULL ? "" : id);
    put_text_member(out, "stream", stream == NULL ? "" : stream);
    put_text_member(out, "type", type == NULL ? "" : type);
}

static void put_positions(FILE *out, int64_t position, int64_t global_position)
{
    (void)fprintf(out, "\"pos\":%" PRId64 ",\"gpos\":%" PRId64 ",", position, global_position);
}

static weir_status format_time(int64_t time_us, int64_t global_position,
                               char time[WEIR_TIME_TEXT + 1], struct weir_error *err)
{
    if (weir_time_format(time_us, time)) {
        return WEIR_OK;
    }
    (void)weir_fail(err, WEIR_DATA_CORRUPT,
                    "the message at global position %" PRId64 " has a time outside the years "
                    "0000..9999: %" PRId64 " us",
                    global_position, time_us);
    weir_error_detail(err, "global_position", "%" PRId64, global_position);
    return WEIR_DATA_CORRUPT;
}

static weir_status write_message(FILE *out, const Weir__V1__Message *message, put_json put,
                                 struct weir_error *err)
{
    char time[WEIR_TIME_TEXT + 1];
    const weir_status st = format_time(message->time_us, message->global_position, time, err);
    if (st != WEIR_OK) {
        return st;
    }
    put_head(out, message->id, message->stream_name, message->type);
    put_positions(out, message->position, message->global_position);
    put_json_member(out, "data", message->has_data, message->data, put);
    put_json_member(out, "meta", message->has_metadata, message->metadata, put);
    (void)fprintf(out, "\"time\":\"%s\"}\n", time);
    return WEIR_OK;
}

weir_status record_write(FILE *out, const Weir__V1__Message *message, struct weir_error *err)
{
    return write_message(out, message, json_put_text, err);
}

weir_status record_write_plain(FILE *out, const Weir__V1__Message *message, struct weir_error *err)
{
    return write_message(out, message, json_put_plain_text, err);
}

weir_status record_write_written(FILE *out, const struct record_written *written,
                                 struct weir_error *err)
{
    const Weir__V1__WrittenMessage *message = written->message;
    char time[WEIR_TIME_TEXT + 1];
    const weir_status st = format_time(message->time_us, message->global_position, time, err);
    if (st != WEIR_OK) {
        return st;
    }
    put_head(out, message->id, written->stream, written->type);
    put_positions(out, message->position, message->global_position);
    (void)fprintf(out, "\"time\":\"%s\"%s}\n", time,
                  written->is_duplicate ? ",\"duplicate\":true" : "");
    return WEIR_OK;
}

/* ---- reading ---- */

enum field {
    FIELD_ID,
    FIELD_STREAM,
    FIELD_TYPE,
    FIELD_POS,
    FIELD_GPOS,
    FIELD_TIME,
    REQUIRED_FIELDS,
    FIELD_DATA = REQUIRED_FIELDS,
    FIELD_META,
    FIELDS
};

static const char *const field_names[FIELDS] = {
    [FIELD_ID] = "id",     [FIELD_STREAM] = "stream", [FIELD_TYPE] = "type", [FIELD_POS] = "pos",
    [FIELD_GPOS] = "gpos", [FIELD_TIME] = "time",     [FIELD_DATA] = "data", [FIELD_META] = "meta",
};

struct reading {
    struct weir_arena *arena;
    struct weir_error *err;
    struct weir_slice values[FIELDS];  // raw JSON text; absent if not given
};

static weir_status fail(struct weir_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static weir_status fail(struct weir_error *err, const char *format, ...)
{
    char reason[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    (void)weir_fail(err, WEIR_INVALID_RECORD, "%s", reason);
    weir_error_detail(err, "reason", "%s", reason);
    return WEIR_INVALID_RECORD;
}

/* Checks that a value is JSON; fails with the reason of the check. */
static weir_status check_json(struct reading *r, struct weir_slice value, const char *name)
{
    struct weir_error fault;
    weir_error_init(&fault);
    if (weir_json_check(value, name, NULL, &fault) != WEIR_OK) {
        return fail(r->err, "%s", fault.text);
    }
    return WEIR_OK;
}

/* Checks a string and copies it into the arena, unescaped, with a NUL behind it. */
static weir_status take_string(struct reading *r, struct weir_slice value, const char *name,
                               struct weir_slice *text)
{
    if (value.n == 0 || value.p[0] != '"') {
        return fail(r->err, "%s: not a string", name);
    }
    const weir_status st = check_json(r, value, name);
    if (st != WEIR_OK) {
        return st;
    }
    uint8_t *out = weir_arena_bytes(r->arena, value.n + 1);
    size_t n = 0;
    if (out == NULL) {
        return weir_fail(r->err, WEIR_LIMIT_EXCEEDED, "the batch takes too much memory");
    }
    if (!weir_json_unescape(value, out, &n)) {
        return fail(r->err, "%s: not a string", name);
    }
    out[n] = '\0';
    *text = weir_slice(out, n);
    return WEIR_OK;
}

static weir_status find_field(struct reading *r, struct weir_slice key, enum field *field)
{
    struct weir_slice name = weir_slice(key.p + 1, key.n - 2);
    if (memchr(name.p, '\\', name.n) != NULL) {
        const weir_status st = take_string(r, key, "a member's name", &name);
        if (st != WEIR_OK) {
            return st;
        }
    }
    *field = FIELDS;
    for (unsigned f = 0; f < FIELDS; f++) {
        if (weir_slice_is(name, field_names[f])) {
            *field = (enum field)f;
        }
    }
    return WEIR_OK;
}

/* Keeps a member's value. Checks what is not looked at later: unknown members and, of a member
 * given twice, all but the last one. */
static weir_status keep_member(struct reading *r, struct weir_slice key, struct weir_slice value)
{
    enum field field = FIELDS;
    weir_status st = find_field(r, key, &field);
    if (st == WEIR_OK && field == FIELDS) {
        st = check_json(r, key, "a member's name");
        return st == WEIR_OK ? check_json(r, value, "an unknown member") : st;
    }
    if (st == WEIR_OK && r->values[field].p != NULL) {
        st = check_json(r, r->values[field], field_names[field]);
    }
    if (st == WEIR_OK) {
        r->values[field] = value;
    }
    return st;
}

static weir_status take_members(struct reading *r, struct weir_slice line)
{
    size_t at = 0;
    struct weir_slice key;
    struct weir_slice value;
    const char *fault = NULL;
    while (json_next_member(line, &at, &key, &value, &fault)) {
        const weir_status st = keep_member(r, key, value);
        if (st != WEIR_OK) {
            return st;
        }
    }
    return fault == NULL ? WEIR_OK : fail(r->err, "%s", fault);
}

/* Takes a position: digits without leading zeros, within min..2^62. */
static weir_status take_position(struct reading *r, enum field field, int64_t min,
                                 int64_t *position)
{
    const struct weir_slice digits = r->values[field];
    int64_t value = 0;
    bool is_valid = digits.n > 0 && (digits.n == 1 || digits.p[0] != '0');
    for (size_t i = 0; i < digits.n && is_valid; i++) {
        is_valid = digits.p[i] >= '0' && digits.p[i] <= '9' &&
                   value <= (WEIR_IMPORT_POSITION_MAX - (digits.p[i] - '0')) / 10;
        value = is_valid ? value * 10 + (digits.p[i] - '0') : value;
    }
    if (!is_valid || value < min) {
        return fail(r->err, "%s: must be a whole number from %" PRId64 " to 2^62",
                    field_names[field], min);
    }
    *position = value;
    return WEIR_OK;
}

static weir_status take_id(struct reading *r, Weir__V1__ImportedMessage *m)
{
    struct weir_slice text;
    const weir_status st = take_string(r, r->values[FIELD_ID], "id", &text);
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_uuid id;
    if (!weir_uuid_parse(text, &id)) {
        return fail(r->err, "id: not a UUID");
    }
    m->id = (char *)(uintptr_t)text.p;
    return WEIR_OK;
}

static weir_status take_time(struct reading *r, Weir__V1__ImportedMessage *m)
{
    struct weir_slice text;
    const weir_status st = take_string(r, r->values[FIELD_TIME], "time", &text);
    if (st != WEIR_OK) {
        return st;
    }
    if (!weir_time_parse(text, &m->time_us)) {
        return fail(r->err, "time: not an RFC 3339 time");
    }
    m->has_time_us = true;
    return WEIR_OK;
}

static weir_status take_names(struct reading *r, Weir__V1__ImportedMessage *m)
{
    struct weir_slice stream;
    struct weir_slice type;
    weir_status st = take_string(r, r->values[FIELD_STREAM], "stream", &stream);
    if (st == WEIR_OK) {
        st = take_string(r, r->values[FIELD_TYPE], "type", &type);
    }
    if (st != WEIR_OK) {
        return st;
    }
    if (stream.n == 0) {
        return fail(r->err, "stream: must not be empty");
    }
    m->stream_name = (char *)(uintptr_t)stream.p;
    m->type = (char *)(uintptr_t)type.p;
    return WEIR_OK;
}

static weir_status take_json(struct reading *r, enum field field, ProtobufCBinaryData *json,
                             protobuf_c_boolean *has_json)
{
    const struct weir_slice value = r->values[field];
    *has_json = value.p != NULL;
    json->data = (uint8_t *)(uintptr_t)value.p;
    json->len = value.n;
    return value.p == NULL ? WEIR_OK : check_json(r, value, field_names[field]);
}

static weir_status fill(struct reading *r, Weir__V1__ImportedMessage *m)
{
    weir_status st = take_id(r, m);
    if (st == WEIR_OK) {
        st = take_names(r, m);
    }
    if (st == WEIR_OK) {
        st = take_position(r, FIELD_POS, 0, &m->position);
    }
    if (st == WEIR_OK) {
        st = take_position(r, FIELD_GPOS, 1, &m->global_position);
    }
    if (st == WEIR_OK) {
        st = take_time(r, m);
    }
    if (st == WEIR_OK) {
        st = take_json(r, FIELD_DATA, &m->data, &m->has_data);
    }
    if (st == WEIR_OK) {
        st = take_json(r, FIELD_META, &m->metadata, &m->has_metadata);
    }
    m->has_position = true;
    m->has_global_position = true;
    return st;
}

weir_status record_parse(struct weir_slice line, bool is_eventodb, struct weir_arena *arena,
                         Weir__V1__ImportedMessage *message, struct weir_error *err)
{
    struct reading r = {.arena = arena, .err = err};
    weir_status st = take_members(&r, line);
    if (st != WEIR_OK) {
        return st;
    }
    for (unsigned f = 0; f < REQUIRED_FIELDS; f++) {
        if (r.values[f].p == NULL) {
            return fail(err, "%s: missing", field_names[f]);
        }
    }
    if (is_eventodb && weir_slice_is(r.values[FIELD_META], "null")) {
        r.values[FIELD_META] = weir_slice(NULL, 0);
    }
    Weir__V1__ImportedMessage filled = WEIR__V1__IMPORTED_MESSAGE__INIT;
    st = fill(&r, &filled);
    if (st == WEIR_OK) {
        *message = filled;
    }
    return st;
}
