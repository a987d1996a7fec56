/* A consumer's stream of parked messages: parking, marking as replayed, and walking the messages
 * that are still parked. */
#include "client/lib/client.h"
#include "client/lib/consumer_entry.h"
#include "client/lib/json_out.h"
#include "weir/rules/digest.h"

#include <inttypes.h>
#include <stdlib.h>

static char parked_type[] = "Parked";
static char replayed_type[] = "Replayed";

/* ---- parking ---- */

/* Derives the id of the Parked message from the parked message: a UUID of version 8 made of the
 * SHA-256 of the parked stream and the message id. So parking a message again after a crash makes
 * no second entry. */
static void make_parked_id(const struct consumer_streams *s, const Weir__V1__Message *message,
                           char id[WEIR_UUID_TEXT + 1])
{
    char text[CONSUMER_STREAM_MAX + 2 * WEIR_UUID_TEXT];
    (void)snprintf(text, sizeof text, "%s %s", s->parked_stream, message->id);
    uint8_t digest[WEIR_SHA256_BYTES];
    weir_digest_sha256(weir_slice_of(text), digest);
    struct weir_uuid uuid;
    memcpy(uuid.bytes, digest, sizeof uuid.bytes);
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
        return client_fail_memory(err);
    }
    const struct consumer_entry entry = {
        .stream = s->parked_stream, .type = parked_type, .id = id, .data = data, .call = s->call};
    const weir_status st = consumer_append(s, &entry, err);
    free(data);
    /* The message was parked before, after another number of attempts. */
    return st == WEIR_MESSAGE_ID_CONFLICT ? WEIR_OK : st;
}

weir_status consumer_settle(struct consumer_streams *s, const struct consumer_parked *parked,
                            struct weir_error *err)
{
    char data[64];
    (void)snprintf(data, sizeof data, "{\"parked\":%" PRId64 "}", parked->parked_position);
    const struct consumer_entry entry = {
        .stream = s->parked_stream, .type = replayed_type, .data = data, .call = s->call};
    return consumer_append(s, &entry, err);
}

/* ---- what is parked ---- */

struct consumer_walk {
    struct weir_reader *reader;
    int64_t *settled;  // positions in the parked stream that have been replayed, ascending
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
        st = consumer_take_data(message, &data, err);
        if (st != WEIR_OK) {
            return st;
        }
        if (!consumer_take_number(data, "parked", &position)) {
            return consumer_fail_corrupt(message, err);
        }
        if (!add_settled(walk, position)) {
            return client_fail_memory(err);
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
        return client_fail_memory(err);
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
    const weir_status st = consumer_take_data(message, &data, err);
    if (st != WEIR_OK) {
        return st;
    }
    if (!consumer_take_text(data, "stream", parked->stream, sizeof parked->stream) ||
        !consumer_take_number(data, "pos", &parked->position) ||
        !consumer_take_number(data, "attempts", &attempts)) {
        return consumer_fail_corrupt(message, err);
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
