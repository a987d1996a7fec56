#include "bench/load/filling.h"

#include "bench/lib/end_signals.h"
#include "bench/lib/payload.h"
#include "bench/load/write_request.h"
#include "weir/rules/limits.h"

#include <stdlib.h>

/* A quarter of the largest request that a server accepts. */
enum { ROUND_BYTES = 16 << 20 };

/* The memory of one WriteStreams request: some messages for each of several streams. */
struct round {
    struct write_request *parts;
    size_t *streams;  // stream number of each part
    Weir__V1__StreamWrite *writes;
    Weir__V1__StreamWrite **pointers;
    size_t parts_n;
    size_t each;  // most messages of a part
};

static void round_fini(struct round *round)
{
    for (size_t p = 0; round->parts != NULL && p < round->parts_n; p++) {
        write_request_fini(&round->parts[p]);
    }
    free(round->parts);
    free(round->streams);
    free(round->writes);
    free(round->pointers);
}

/* Makes a round for `n` messages in all. A part is no larger than a stream's share of them, or
 * there would be streams without any. */
static bool round_init(struct round *round, size_t streams_n, size_t n, size_t data_bytes)
{
    const size_t fit = ROUND_BYTES / (data_bytes + MESSAGE_BESIDE_DATA_BYTES);
    const size_t messages = fit < WEIR_WRITE_MESSAGES_MAX ? fit : WEIR_WRITE_MESSAGES_MAX;
    const size_t most = messages < WEIR_WRITE_STREAMS_MAX ? messages : WEIR_WRITE_STREAMS_MAX;
    const size_t parts = streams_n < most ? streams_n : most;
    const size_t share = n / streams_n;
    *round = (struct round){.parts_n = parts,
                            .each = share < messages / parts ? share : messages / parts};
    round->parts = calloc(parts, sizeof *round->parts);
    round->streams = calloc(parts, sizeof *round->streams);
    round->writes = calloc(parts, sizeof *round->writes);
    round->pointers = calloc(parts, sizeof *round->pointers);
    bool is_ok = round->parts != NULL && round->streams != NULL && round->writes != NULL &&
                 round->pointers != NULL;
    for (size_t p = 0; is_ok && p < parts; p++) {
        is_ok = write_request_init(&round->parts[p], round->each, data_bytes);
    }
    return is_ok;
}

/* Fills a round with at most `left` messages for the streams from *stream on. Returns their
 * number. */
static size_t round_fill(struct round *round, const struct streams *streams, size_t *stream,
                         size_t left, uint64_t *random)
{
    size_t n = 0;
    for (size_t p = 0; p < round->parts_n; p++) {
        struct write_request *part = &round->parts[p];
        const size_t messages = left - n < round->each ? left - n : round->each;
        if (messages == 0 || !write_request_fill(part, messages, payload_random(random))) {
            round->pointers[p] = NULL;
            return n;
        }
        round->streams[p] = *stream;
        streams_name(streams, *stream, part->stream);
        weir__v1__stream_write__init(&round->writes[p]);
        round->writes[p].stream_name = part->stream;
        round->writes[p].n_messages = messages;
        round->writes[p].messages = part->pointers;
        round->pointers[p] = &round->writes[p];
        *stream = (*stream + 1) % streams->n;
        n += messages;
    }
    return n;
}

static size_t parts_used(const struct round *round)
{
    size_t n = 0;
    while (n < round->parts_n && round->pointers[n] != NULL) {
        n++;
    }
    return n;
}

/* Records the messages of a round as expected results of later reads. */
static weir_status take_response(struct filling *filling, const struct round *round,
                                 const Weir__V1__WriteStreamsResponse *response,
                                 struct weir_error *err)
{
    if (response->n_results != parts_used(round)) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "the reply to a write of %zu streams was for %zu",
                         parts_used(round), response->n_results);
    }
    for (size_t p = 0; p < response->n_results; p++) {
        const Weir__V1__StreamWritten *result = response->results[p];
        if (result->n_written != round->writes[p].n_messages) {
            return weir_fail(err, WEIR_BACKEND_ERROR,
                             "the reply to a write was for too few messages");
        }
        for (size_t m = 0; m < result->n_written; m++) {
            filling->positions[filling->n++] = result->written[m]->global_position;
        }
        streams_wrote(&filling->streams, round->streams[p],
                      result->written[result->n_written - 1]->position, (int64_t)result->n_written);
    }
    return WEIR_OK;
}

static weir_status write_round(struct filling *filling, const struct profile_run *run,
                               struct round *round, struct weir_error *err)
{
    Weir__V1__WriteStreamsRequest request = WEIR__V1__WRITE_STREAMS_REQUEST__INIT;
    Weir__V1__WriteStreamsResponse *response = NULL;
    request.n_writes = parts_used(round);
    request.writes = round->pointers;
    weir_status status =
        weir_message_store_write_streams(run->clients[0], &request, NULL, &response, err);
    if (status == WEIR_OK) {
        status = take_response(filling, round, response, err);
        weir_response_free(response);
    }
    return status;
}

static int compare_positions(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static weir_status write_all(struct filling *filling, const struct profile_run *run, size_t n,
                             struct weir_error *err)
{
    struct round round;
    uint64_t random = (uint64_t)run->options->seed;
    size_t stream = 0;
    weir_status status = WEIR_OK;
    if (!round_init(&round, filling->streams.n, n, (size_t)run->options->data_bytes)) {
        status = weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    while (status == WEIR_OK && filling->n < n) {
        if (round_fill(&round, &filling->streams, &stream, n - filling->n, &random) == 0) {
            status = weir_fail(err, WEIR_BACKEND_ERROR, "cannot get random bytes from the system");
        } else {
            status = write_round(filling, run, &round, err);
        }
        if (status == WEIR_OK) {
            status = end_signals_check(err);
        }
    }
    round_fini(&round);
    return status;
}

weir_status filling_make(struct filling *filling, const struct profile_run *run, size_t n,
                         struct weir_error *err)
{
    filling->positions = calloc(n, sizeof *filling->positions);
    if (filling->positions == NULL ||
        !streams_init(&filling->streams, run->category, (size_t)run->options->streams)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    weir_status status = streams_learn(&filling->streams, run, err);
    if (status == WEIR_OK) {
        status = write_all(filling, run, n, err);
    }
    if (status == WEIR_OK) {
        qsort(filling->positions, n, sizeof *filling->positions, compare_positions);
    }
    return status;
}

void filling_fini(struct filling *filling)
{
    free(filling->positions);
    streams_fini(&filling->streams);
}
