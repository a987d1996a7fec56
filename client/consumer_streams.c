#include "client/consumer_streams.h"

#include "client/json_out.h"
#include "weir/rules/json_text.h"

#include <inttypes.h>
#include <stdlib.h>

static char position_type[] = "PositionKept";
static char parked_type[] = "Parked";
static char replayed_type[] = "Replayed";

static weir_status no_memory(struct weir_error *err)
{
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
}

/* ---- names ---- */

static weir_status check_name(const char *name, struct weir_error *err)
{
    if (name == NULL || name[0] == '\0' || strlen(name) > CONSUMER_NAME_MAX ||
        strchr(name, '+') != NULL || !weir_utf8_is_valid(weir_slice_of(name))) {
        return weir_fail_field(err, "name", "not 1..%d bytes of UTF-8 without '+'",
                               CONSUMER_NAME_MAX);
    }
    return WEIR_OK;
}

static char *describe_selector(const struct weir_subscription_options *o)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (out == NULL) {
        return NULL;
    }
    if (o->all) {
        (void)fputs("{\"all\":true}", out);
    } else {
        (void)fprintf(out, "{\"%s\":", o->stream_name != NULL ? "stream" : "category");
        json_put_string(out, weir_slice_of(o->stream_name != NULL ? o->stream_name : o->category));
        (void)fputc('}', out);
    }
    const bool is_whole = ferror(out) == 0;
    if (fclose(out) != 0 || !is_whole) {
        free(text);
        return NULL;
    }
    return text;
}

weir_status consumer_streams_init(struct consumer_streams *streams,
                                  const struct weir_consumer_options *options,
                                  struct weir_error *err)
{
    const weir_status st = check_name(options->name, err);
    if (st != WEIR_OK) {
        return st;
    }
    const struct weir_subscription_options *o = &options->subscription;
    char suffix[64] = "";
    if (o->group_size > 0) {
        (void)snprintf(suffix, sizeof suffix, "+%" PRId64 "of%" PRId64, o->group_member,
                       o->group_size);
    }
    (void)snprintf(streams->position_stream, sizeof streams->position_stream,
                   CONSUMER_POSITION_CATEGORY "-%s%s", options->name, suffix);
    (void)snprintf(streams->parked_stream, sizeof streams->parked_stream,
                   CONSUMER_PARKED_CATEGORY "-%s%s", options->name, suffix);
    struct weir_uuid instance;
    if (!weir_uuid_make_v7(&instance)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the system gives no random bytes");
    }
    weir_uuid_format(&instance, streams->instance);
    streams->selector = describe_selector(o);
    atomic_store(&streams->position, -1);
    streams->position_version = -1;
    return streams->selector == NULL ? no_memory(err) : WEIR_OK;
}

bool consumer_passes_over(const struct consumer_streams *streams,
                          const struct weir_subscription_options *selection,
                          const char *stream_name)
{
    const struct weir_slice stream = weir_slice_of(stream_name);
    const struct weir_slice category = weir_name_category(stream);
    if (!weir_slice_is(category, CONSUMER_PARKED_CATEGORY)) {
        return weir_slice_is(category, CONSUMER_POSITION_CATEGORY);
    }
    /* The cardinal id is the consumer's name: the members of a group are one consumer. */
    return selection->all ||
           weir_slice_equal(weir_name_cardinal_id(stream),
                            weir_name_cardinal_id(weir_slice_of(streams->parked_stream)));
}

/* ---- our own data ---- */

/* A member of a checked object; absent if there is none. */
static struct weir_slice find_member(struct weir_slice json, const char *name)
{
    struct weir_slice key;
    struct weir_slice value;
    struct weir_slice found = {NULL, 0};
    size_t at = 0;
    while (weir_json_next_member(json, &at, &key, &value)) {
        if (weir_slice_is(key, name)) {
            found = value;
        }
    }
    return found;
}

static bool take_number(struct weir_slice json, const char *name, int64_t *number)
{
    const struct weir_slice value = find_member(json, name);
    char text[32];
    if (value.p == NULL || value.n >= sizeof text) {
        return false;
    }
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    char *end = NULL;
    *number = strtoll(text, &end, 10);
    return *end == '\0' && end != text;
}

static bool take_text(struct weir_slice json, const char *name, char *text, size_t size)
{
    const struct weir_slice value = find_member(json, name);
    uint8_t *unescaped = value.n == 0 || value.p[0] != '"' ? NULL : malloc(value.n);
    size_t n = 0;
    const bool is_taken = unescaped != NULL && weir_json_unescape(value, unescaped, &n) && n < size;
    if (is_taken) {
        memcpy(text, unescaped, n);
        text[n] = '\0';
    }
    free(unescaped);
    return is_taken;
}

/* False where it has none, or what is no JSON. */
static bool take_data(const Weir__V1__Message *message, struct weir_slice *data)
{
    struct weir_error fault;
    weir_error_init(&fault);
    *data = weir_slice(message->data.data, message->data.len);
    return message->has_data && weir_json_check(*data, "data", NULL, NULL, 0, &fault) == WEIR_OK;
}

static weir_status fail_corrupt(const Weir__V1__Message *message, struct weir_error *err)
{
    (void)weir_fail(err, WEIR_DATA_CORRUPT,
                    "message %" PRId64 " of stream '%s' was not written by a consumer",
                    message->position, message->stream_name);
    weir_error_detail(err, "global_position", "%" PRId64, message->global_position);
    return WEIR_DATA_CORRUPT;
}

/* One message to be appended. */
struct entry {
    char *stream;
    char *type;
    char *id;                            // NULL: a new one
    const char *data;                    // JSON
    Weir__V1__Expectation *expectation;  // NULL: none
    int64_t *position;                   // where it stands afterwards; may be NULL
};

static weir_status append(struct consumer_streams *s, const struct entry *entry,
                          struct weir_error *err)
{
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *messages[] = {&message};
    message.id = entry->id;
    message.type = entry->type;
    message.has_data = true;
    message.data.data = (uint8_t *)(uintptr_t)entry->data;
    message.data.len = strlen(entry->data);
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    request.stream_name = entry->stream;
    request.messages = messages;
    request.n_messages = 1;
    request.expectation = entry->expectation;
    Weir__V1__WriteMessagesResponse *response = NULL;
    const weir_status st =
        weir_message_store_write_messages(s->client, &request, s->call, &response, err);
    if (st == WEIR_OK && entry->position != NULL) {
        *entry->position = response->written[0]->position;
    }
    weir_response_free(response);
    return st;
}

/* ---- the position ---- */

/* A position as it was kept. */
struct kept {
    int64_t position;
    int64_t version;  // of the stream
    char instance[WEIR_UUID_TEXT + 1];
};

static weir_status take_position(const struct consumer_streams *s, const Weir__V1__Message *message,
                                 struct kept *kept, struct weir_error *err)
{
    struct weir_slice data;
    if (!take_data(message, &data) || !take_number(data, "position", &kept->position) ||
        kept->position < 0 || !take_text(data, "instance", kept->instance, sizeof kept->instance)) {
        return fail_corrupt(message, err);
    }
    kept->version = message->position;
    bool is_same = false;
    const weir_status st =
        weir_json_equal(find_member(data, "selector"), weir_slice_of(s->selector), &is_same, err);
    if (st != WEIR_OK || is_same) {
        return st;
    }
    return weir_fail(err, WEIR_PRECONDITION,
                     "the position in stream '%s' belongs to another consumer than one of %s",
                     s->position_stream, s->selector);
}

/* *kept has the position -1 where there is none. */
static weir_status load(struct consumer_streams *s, struct kept *kept, struct weir_error *err)
{
    *kept = (struct kept){.position = -1, .version = -1};
    Weir__V1__GetLastStreamMessageRequest request = WEIR__V1__GET_LAST_STREAM_MESSAGE_REQUEST__INIT;
    request.stream_name = s->position_stream;
    Weir__V1__GetLastStreamMessageResponse *response = NULL;
    weir_status st =
        weir_message_store_get_last_stream_message(s->client, &request, s->call, &response, err);
    if (st != WEIR_OK) {
        return st;
    }
    if (response->message != NULL) {
        st = take_position(s, response->message, kept, err);
    }
    weir_response_free(response);
    return st;
}

weir_status consumer_load_position(struct consumer_streams *s, struct weir_error *err)
{
    struct kept kept;
    const weir_status st = load(s, &kept, err);
    if (st == WEIR_OK) {
        atomic_store(&s->position, kept.position);
        s->position_version = kept.version;
    }
    return st;
}

static weir_status write_position(struct consumer_streams *s, const char *data,
                                  struct weir_error *err)
{
    Weir__V1__Expectation expectation = WEIR__V1__EXPECTATION__INIT;
    expectation.kind_case = WEIR__V1__EXPECTATION__KIND_EXACT;
    expectation.exact = s->position_version;
    const struct entry entry = {.stream = s->position_stream,
                                .type = position_type,
                                .data = data,
                                .expectation = &expectation,
                                .position = &s->position_version};
    return append(s, &entry, err);
}

/* A position that was thought lost may have been kept after all. */
static weir_status is_ours(struct consumer_streams *s, bool *is_ours, struct weir_error *err)
{
    struct kept kept;
    const weir_status st = load(s, &kept, err);
    *is_ours = st == WEIR_OK && strcmp(kept.instance, s->instance) == 0;
    if (*is_ours) {
        s->position_version = kept.version;
    }
    return st;
}

weir_status consumer_keep_position(struct consumer_streams *s, int64_t position,
                                   struct weir_error *err)
{
    const size_t size = strlen(s->selector) + 128;
    char *data = malloc(size);
    if (data == NULL) {
        return no_memory(err);
    }
    (void)snprintf(data, size, "{\"position\":%" PRId64 ",\"selector\":%s,\"instance\":\"%s\"}",
                   position, s->selector, s->instance);
    weir_status st = write_position(s, data, err);
    if (st == WEIR_STREAM_VERSION_CONFLICT) {
        struct weir_error conflict;
        weir_error_copy(&conflict, err);
        bool ours = false;
        st = is_ours(s, &ours, err);
        if (ours) {
            st = write_position(s, data, err);
        } else if (st == WEIR_OK) {
            weir_error_copy(err, &conflict);
            st = conflict.status;
        }
    }
    free(data);
    if (st == WEIR_OK) {
        atomic_store(&s->position, position);
    }
    return st;
}

/* ---- parking ---- */

/* The same message is parked under the same id, so that parking it again after a crash is no second
 * entry: a UUID of version 8 from the SHA-256 of stream and id. */
static void make_parked_id(const struct consumer_streams *s, const Weir__V1__Message *message,
                           char id[WEIR_UUID_TEXT + 1])
{
    char text[CONSUMER_STREAM_MAX + 2 * WEIR_UUID_TEXT];
    (void)snprintf(text, sizeof text, "%s %s", s->parked_stream, message->id);
    struct weir_token_hash hash;
    weir_token_hash(weir_slice_of(text), &hash);
    struct weir_uuid uuid;
    memcpy(uuid.bytes, hash.bytes, sizeof uuid.bytes);
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0F) | 0x80);
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3F) | 0x80);
    weir_uuid_format(&uuid, id);
}

static char *describe_parked(const Weir__V1__Message *message, uint32_t attempts)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (out == NULL) {
        return NULL;
    }
    (void)fputs("{\"stream\":", out);
    json_put_string(out, weir_slice_of(message->stream_name));
    (void)fprintf(out, ",\"pos\":%" PRId64 ",\"gpos\":%" PRId64 ",\"type\":", message->position,
                  message->global_position);
    json_put_string(out, weir_slice_of(message->type));
    (void)fprintf(out, ",\"id\":\"%s\",\"attempts\":%" PRIu32 "}", message->id, attempts);
    const bool is_whole = ferror(out) == 0;
    if (fclose(out) != 0 || !is_whole) {
        free(text);
        return NULL;
    }
    return text;
}

weir_status consumer_park(struct consumer_streams *s, const Weir__V1__Message *message,
                          uint32_t attempts, struct weir_error *err)
{
    char id[WEIR_UUID_TEXT + 1];
    make_parked_id(s, message, id);
    char *data = describe_parked(message, attempts);
    if (data == NULL) {
        return no_memory(err);
    }
    const struct entry entry = {
        .stream = s->parked_stream, .type = parked_type, .id = id, .data = data};
    const weir_status st = append(s, &entry, err);
    free(data);
    /* Parked before, after another number of attempts. */
    return st == WEIR_MESSAGE_ID_CONFLICT ? WEIR_OK : st;
}

weir_status consumer_settle(struct consumer_streams *s, const struct consumer_parked *parked,
                            struct weir_error *err)
{
    char data[64];
    (void)snprintf(data, sizeof data, "{\"parked\":%" PRId64 "}", parked->parked_position);
    const struct entry entry = {.stream = s->parked_stream, .type = replayed_type, .data = data};
    return append(s, &entry, err);
}

/* ---- what is parked ---- */

struct consumer_walk {
    struct weir_reader *reader;
    int64_t *settled;  // positions in the parked stream, ascending
    size_t settled_n;
    size_t settled_cap;
};

static weir_status open_reader(struct consumer_streams *s, char *type, struct weir_reader **reader,
                               struct weir_error *err)
{
    char *types[] = {type};
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    request.stream_name = s->parked_stream;
    request.types = types;
    request.n_types = 1;
    request.has_batch_size = true;
    request.batch_size = -1;
    return weir_reader_open_stream(s->client, &request, s->call, reader, err);
}

static bool add_settled(struct consumer_walk *walk, int64_t position)
{
    if (walk->settled_n == walk->settled_cap) {
        const size_t cap = walk->settled_cap == 0 ? 64 : walk->settled_cap * 2;
        int64_t *grown = realloc(walk->settled, cap * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        walk->settled = grown;
        walk->settled_cap = cap;
    }
    walk->settled[walk->settled_n++] = position;
    return true;
}

static int compare_positions(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static weir_status collect_settled(struct consumer_walk *walk, struct weir_reader *reader,
                                   struct weir_error *err)
{
    const Weir__V1__Message *message = NULL;
    weir_status st = weir_reader_next(reader, &message, err);
    while (st == WEIR_OK && message != NULL) {
        struct weir_slice data;
        int64_t position = -1;
        if (!take_data(message, &data) || !take_number(data, "parked", &position)) {
            return fail_corrupt(message, err);
        }
        if (!add_settled(walk, position)) {
            return no_memory(err);
        }
        st = weir_reader_next(reader, &message, err);
    }
    if (walk->settled_n > 0) {
        qsort(walk->settled, walk->settled_n, sizeof *walk->settled, compare_positions);
    }
    return st;
}

weir_status consumer_walk_open(struct consumer_streams *s, struct consumer_walk **walk_out,
                               struct weir_error *err)
{
    struct consumer_walk *walk = calloc(1, sizeof *walk);
    if (walk == NULL) {
        return no_memory(err);
    }
    struct weir_reader *settled = NULL;
    weir_status st = open_reader(s, replayed_type, &settled, err);
    if (st == WEIR_OK) {
        st = collect_settled(walk, settled, err);
    }
    weir_reader_close(settled);
    if (st == WEIR_OK) {
        st = open_reader(s, parked_type, &walk->reader, err);
    }
    if (st != WEIR_OK) {
        consumer_walk_close(walk);
        return st;
    }
    *walk_out = walk;
    return WEIR_OK;
}

static bool is_settled(const struct consumer_walk *walk, int64_t position)
{
    return walk->settled_n > 0 && bsearch(&position, walk->settled, walk->settled_n,
                                          sizeof *walk->settled, compare_positions) != NULL;
}

static weir_status take_parked(const Weir__V1__Message *message, struct consumer_parked *parked,
                               struct weir_error *err)
{
    struct weir_slice data;
    int64_t attempts = 0;
    if (!take_data(message, &data) ||
        !take_text(data, "stream", parked->stream, sizeof parked->stream) ||
        !take_number(data, "pos", &parked->position) || !take_number(data, "attempts", &attempts)) {
        return fail_corrupt(message, err);
    }
    parked->parked_position = message->position;
    parked->attempts = (uint32_t)attempts;
    return WEIR_OK;
}

weir_status consumer_walk_next(struct consumer_walk *walk, struct consumer_parked *parked,
                               bool *found, struct weir_error *err)
{
    *found = false;
    const Weir__V1__Message *message = NULL;
    weir_status st = weir_reader_next(walk->reader, &message, err);
    while (st == WEIR_OK && message != NULL && is_settled(walk, message->position)) {
        st = weir_reader_next(walk->reader, &message, err);
    }
    if (st != WEIR_OK || message == NULL) {
        return st;
    }
    *found = true;
    return take_parked(message, parked, err);
}

void consumer_walk_close(struct consumer_walk *walk)
{
    if (walk != NULL) {
        weir_reader_close(walk->reader);
        free(walk->settled);
        free(walk);
    }
}
