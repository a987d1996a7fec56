/* A consumer's own streams: their names, and reading and keeping its position. */
#include "client/lib/consumer_entry.h"

#include "client/lib/client.h"
#include "client/lib/json_out.h"
#include "weir/rules/json_text.h"
#include "weir/rules/utf8.h"

#include <inttypes.h>
#include <stdlib.h>

static char position_type[] = "PositionKept";

/* ---- names ---- */

static weir_status check_name(const char *name, struct weir_error *err)
{
    if (name == NULL || name[0] == '\0' || strlen(name) > CONSUMER_NAME_MAX ||
        strchr(name, '+') != NULL || !weir_utf8_is_valid(weir_slice_of(name))) {
        return weir_fail_field(err, "name", "must be 1 to %d bytes of UTF-8 without '+'",
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
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot get random bytes from the system");
    }
    weir_uuid_format(&instance, streams->instance);
    streams->selector = describe_selector(o);
    atomic_store(&streams->position, -1);
    streams->position_version = -1;
    return streams->selector == NULL ? client_fail_memory(err) : WEIR_OK;
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
    /* The cardinal id is the consumer's name; all members of a group share it. */
    return selection->all ||
           weir_slice_equal(weir_name_cardinal_id(stream),
                            weir_name_cardinal_id(weir_slice_of(streams->parked_stream)));
}

/* ---- the position ---- */

/* The last message of the position stream. */
struct kept {
    int64_t position;
    int64_t version;  // of the stream
    char instance[WEIR_UUID_TEXT + 1];
};

static weir_status take_position(const struct consumer_streams *s, const Weir__V1__Message *message,
                                 struct kept *kept, struct weir_error *err)
{
    struct weir_slice data;
    weir_status st = consumer_take_data(message, &data, err);
    if (st != WEIR_OK) {
        return st;
    }
    if (!consumer_take_number(data, "position", &kept->position) || kept->position < 0 ||
        !consumer_take_text(data, "instance", kept->instance, sizeof kept->instance)) {
        return consumer_fail_corrupt(message, err);
    }
    kept->version = message->position;
    bool is_same = false;
    st = weir_json_equal(consumer_find_member(data, "selector"), weir_slice_of(s->selector),
                         &is_same, err);
    if (st != WEIR_OK || is_same) {
        return st;
    }
    return weir_fail(err, WEIR_PRECONDITION,
                     "the position in stream '%s' was kept by a consumer that reads something "
                     "other than %s: choose another name",
                     s->position_stream, s->selector);
}

/* Reads the position kept last; kept->position is -1 if there is none. */
static weir_status load_kept(struct consumer_streams *s, const struct weir_call_options *call,
                             struct kept *kept, struct weir_error *err)
{
    *kept = (struct kept){.position = -1, .version = -1};
    Weir__V1__GetLastStreamMessageRequest request = WEIR__V1__GET_LAST_STREAM_MESSAGE_REQUEST__INIT;
    request.stream_name = s->position_stream;
    Weir__V1__GetLastStreamMessageResponse *response = NULL;
    weir_status st =
        weir_message_store_get_last_stream_message(s->client, &request, call, &response, err);
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
    const weir_status st = load_kept(s, s->call, &kept, err);
    if (st == WEIR_OK) {
        atomic_store(&s->position, kept.position);
        s->position_version = kept.version;
    }
    return st;
}

static weir_status write_position(struct consumer_streams *s, const struct weir_call_options *call,
                                  const char *data, struct weir_error *err)
{
    Weir__V1__Expectation expectation = WEIR__V1__EXPECTATION__INIT;
    expectation.kind_case = WEIR__V1__EXPECTATION__KIND_EXACT;
    expectation.exact = s->position_version;
    const struct consumer_entry entry = {.stream = s->position_stream,
                                         .type = position_type,
                                         .data = data,
                                         .expectation = &expectation,
                                         .position = &s->position_version,
                                         .call = call};
    return consumer_append(s, &entry, err);
}

/* Whether the newest position was kept by this consumer: a write without a reply may have been
 * carried out after all. If so, takes over its version. */
static weir_status is_ours(struct consumer_streams *s, const struct weir_call_options *call,
                           bool *is_ours, struct weir_error *err)
{
    struct kept kept;
    const weir_status st = load_kept(s, call, &kept, err);
    *is_ours = st == WEIR_OK && strcmp(kept.instance, s->instance) == 0;
    if (*is_ours) {
        s->position_version = kept.version;
    }
    return st;
}

weir_status consumer_keep_position(struct consumer_streams *s, int64_t position,
                                   const struct weir_call_options *call, struct weir_error *err)
{
    const size_t size = strlen(s->selector) + 128;
    char *data = malloc(size);
    if (data == NULL) {
        return client_fail_memory(err);
    }
    (void)snprintf(data, size, "{\"position\":%" PRId64 ",\"selector\":%s,\"instance\":\"%s\"}",
                   position, s->selector, s->instance);
    weir_status st = write_position(s, call, data, err);
    if (st == WEIR_STREAM_VERSION_CONFLICT) {
        struct weir_error conflict;
        weir_error_copy(&conflict, err);
        bool ours = false;
        st = is_ours(s, call, &ours, err);
        if (ours) {
            st = write_position(s, call, data, err);
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
