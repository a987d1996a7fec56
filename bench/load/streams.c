#include "bench/load/streams.h"

#include "bench/lib/end_signals.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool streams_init(struct streams *streams, const char *category, size_t n)
{
    *streams = (struct streams){category, n, calloc(n, sizeof *streams->known)};
    if (streams->known == NULL) {
        return false;
    }
    for (size_t s = 0; s < n; s++) {
        atomic_init(&streams->known[s].version, -1);
        atomic_init(&streams->known[s].written, 0);
    }
    return true;
}

static weir_status ask_version(const struct streams *streams, size_t stream,
                               struct weir_client *client, const char *token, int64_t *version,
                               struct weir_error *err)
{
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    Weir__V1__GetStreamVersionResponse *response = NULL;
    char name[STREAM_NAME_MAX];
    streams_name(streams, stream, name);
    options.token = token;
    request.stream_name = name;
    const weir_status status =
        weir_message_store_get_stream_version(client, &request, &options, &response, err);
    if (status == WEIR_OK) {
        *version = response->version;
        weir_response_free(response);
    }
    return status;
}

weir_status streams_learn(struct streams *streams, const struct profile_run *run,
                          struct weir_error *err)
{
    weir_status status = WEIR_OK;
    const bool is_new = run->options->category == NULL || run->options->is_against_echo;
    for (size_t s = 0; !is_new && status == WEIR_OK && s < streams->n; s++) {
        int64_t version = -1;
        status = end_signals_check(err);
        if (status == WEIR_OK) {
            status = ask_version(streams, s, run->clients[0], NULL, &version, err);
        }
        streams->known[s].first = version + 1;
        atomic_store(&streams->known[s].version, version);
    }
    return status;
}

void streams_fini(struct streams *streams)
{
    free(streams->known);
    streams->known = NULL;
}

void streams_name(const struct streams *streams, size_t stream, char name[STREAM_NAME_MAX])
{
    (void)snprintf(name, STREAM_NAME_MAX, "%s-%06zu", streams->category, stream);
}

int64_t streams_version(const struct streams *streams, size_t stream)
{
    return atomic_load_explicit(&streams->known[stream].version, memory_order_acquire);
}

int64_t streams_first(const struct streams *streams, size_t stream)
{
    return streams->known[stream].first;
}

void streams_wrote(struct streams *streams, size_t stream, int64_t position, int64_t n)
{
    struct stream_known *known = &streams->known[stream];
    int_fast64_t version = atomic_load_explicit(&known->version, memory_order_relaxed);
    while (position > version &&
           !atomic_compare_exchange_weak_explicit(&known->version, &version, position,
                                                  memory_order_release, memory_order_relaxed)) {
    }
    (void)atomic_fetch_add_explicit(&known->written, n, memory_order_relaxed);
}

static void verify_stream(const struct streams *streams, size_t stream, int64_t there,
                          struct load *load)
{
    const int64_t written = streams->known[stream].written;
    const int64_t version = streams_version(streams, stream);
    if (there == version && version + 1 == written) {
        return;
    }
    char text[LOAD_TEXT_MAX];
    (void)snprintf(text, sizeof text,
                   "stream %zu: version %" PRId64 ", but %" PRId64
                   " messages were acknowledged, the last at %" PRId64,
                   stream, there, written, version);
    const struct load_outcome outcome = {.reason = "WRONG_COUNT", .text = text};
    load_error(load, &outcome);
}

const char *streams_verify(const struct streams *streams, struct weir_client *client,
                           const char *token, struct load *load)
{
    for (size_t s = 0; s < streams->n; s++) {
        int64_t version = -1;
        struct weir_error err;
        weir_error_init(&err);
        if (end_signals_check(&err) != WEIR_OK) {
            return "ended by a signal";
        }
        if (ask_version(streams, s, client, token, &version, &err) != WEIR_OK) {
            const struct load_outcome outcome = load_failure(LOAD_VERSION, &err);
            load_error(load, &outcome);
            return "cannot read a stream's version";
        }
        verify_stream(streams, s, version, load);
    }
    return NULL;
}

void streams_verify_run(const struct streams *streams, struct profile_run *run)
{
    const char *why = profile_uncertainty(run);
    if (why == NULL) {
        why = streams_verify(streams, run->clients[0], NULL, run->load);
    }
    if (why != NULL) {
        profile_report_unverified(run, why);
    }
}
