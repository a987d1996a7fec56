/* A server that answers weir's requests with prebuilt replies of the size that weir's replies would
 * have: it receives a request, looks up the method, and copies the reply into a new message. The
 * server answers in nng's own callback, the fastest way there is. */
#include "bench/floor/floor.h"

#include "bench/lib/end_signals.h"
#include "bench/lib/payload.h"
#include "weir/v1/message_store.pb-c.h"
#include "weir/v1/system.pb-c.h"
#include "weir/wire/frame.h"
#include "weir/wire/method.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONTEXTS = 1024, METHOD_AT = 2, METHODS_MAX = 64 };

static char id_text[] = "01890a5d-ac96-774b-bcce-b302099a8057";
static char stream_text[] = "load0123456789ab-000042";
static char type_text[] = "Deposited";

/* ---- replies ---- */

struct reply {
    uint8_t *bytes;
    size_t n;
};

static struct reply replies[METHODS_MAX];  // by method

static bool keep(const char *rpc, const ProtobufCMessage *response)
{
    for (size_t m = 0; m < weir_methods_n && m < METHODS_MAX; m++) {
        if (strcmp(weir_methods[m].rpc, rpc) == 0) {
            const size_t payload_n = protobuf_c_message_get_packed_size(response);
            replies[m].n = weir_response_ok_size(payload_n);
            replies[m].bytes = malloc(replies[m].n);
            if (replies[m].bytes == NULL) {
                return false;
            }
            weir_response_ok_pack(response, payload_n, replies[m].bytes);
            return true;
        }
    }
    return false;
}

static bool make_written(size_t n)
{
    Weir__V1__WriteMessagesResponse response = WEIR__V1__WRITE_MESSAGES_RESPONSE__INIT;
    Weir__V1__WrittenMessage one = WEIR__V1__WRITTEN_MESSAGE__INIT;
    Weir__V1__WrittenMessage **all = calloc(n, sizeof(Weir__V1__WrittenMessage *));
    one.id = id_text;
    one.has_position = one.has_global_position = one.has_time_us = true;
    one.position = 4242;
    one.global_position = 424242;
    one.time_us = INT64_C(1750000000000000);
    for (size_t m = 0; all != NULL && m < n; m++) {
        all[m] = &one;
    }
    response.n_written = n;
    response.written = all;
    response.has_duplicate = true;
    const bool is_kept = all != NULL && keep("WriteMessages", &response.base);
    free(all);
    return is_kept;
}

/* Builds the reply for a read of a stream or of a category; both responses have the same fields. */
static bool make_read(size_t n, size_t data_bytes)
{
    Weir__V1__GetStreamMessagesResponse response = WEIR__V1__GET_STREAM_MESSAGES_RESPONSE__INIT;
    Weir__V1__Message one = WEIR__V1__MESSAGE__INIT;
    Weir__V1__Message **all = calloc(n, sizeof(Weir__V1__Message *));
    char *data = malloc(data_bytes);
    bool is_kept = false;
    if (all != NULL && data != NULL) {
        payload_make(1, data, data_bytes);
        one.id = id_text;
        one.stream_name = stream_text;
        one.type = type_text;
        one.has_position = one.has_global_position = one.has_time_us = one.has_data = true;
        one.position = 4242;
        one.global_position = 424242;
        one.time_us = INT64_C(1750000000000000);
        one.data = (ProtobufCBinaryData){data_bytes, (uint8_t *)data};
        for (size_t m = 0; m < n; m++) {
            all[m] = &one;
        }
        response.n_messages = n;
        response.messages = all;
        response.has_next_position = response.has_truncated = true;
        response.next_position = 4242;
        is_kept = keep("GetStreamMessages", &response.base) &&
                  keep("GetCategoryMessages", &response.base);
    }
    free(data);
    free(all);
    return is_kept;
}

static bool make_small_ones(void)
{
    Weir__V1__GetStreamVersionResponse version = WEIR__V1__GET_STREAM_VERSION_RESPONSE__INIT;
    Weir__V1__ImportMessagesResponse imported = WEIR__V1__IMPORT_MESSAGES_RESPONSE__INIT;
    Weir__V1__GetServerInfoResponse info = WEIR__V1__GET_SERVER_INFO_RESPONSE__INIT;
    char version_text[] = "0.1.0";
    char backend_text[] = "sqlite";
    version.has_exists = version.has_version = version.exists = true;
    version.version = 4242;
    imported.has_imported = imported.has_skipped_identical = true;
    imported.has_max_global_position = true;
    info.server_version = info.message_db_compat = version_text;
    info.backend = backend_text;
    return keep("GetStreamVersion", &version.base) && keep("ImportMessages", &imported.base) &&
           keep("GetServerInfo", &info.base);
}

/* Finds the reply by the method, the first field of a request: tag, length, name. */
static const struct reply *reply_to(nng_msg *request)
{
    const uint8_t *bytes = nng_msg_body(request);
    const size_t n = nng_msg_len(request);
    if (n < METHOD_AT || bytes[1] > n - METHOD_AT) {
        return NULL;
    }
    const size_t method = weir_method_find(weir_slice(bytes + METHOD_AT, bytes[1]));
    return method < METHODS_MAX && replies[method].n > 0 ? &replies[method] : NULL;
}

/* ---- serving ---- */

struct echo {
    nng_ctx ctx;
    nng_aio *aio;
    bool is_sending;
};

static void answer(struct echo *echo, nng_msg *request)
{
    const struct reply *reply = reply_to(request);
    nng_msg *message = NULL;
    if (reply == NULL || nng_msg_alloc(&message, reply->n) != 0) {
        nng_msg_free(request);
        nng_ctx_recv(echo->ctx, echo->aio);
        return;
    }
    memcpy(nng_msg_body(message), reply->bytes, reply->n);
    nng_msg_free(request);
    echo->is_sending = true;
    nng_aio_set_msg(echo->aio, message);
    nng_ctx_send(echo->ctx, echo->aio);
}

static void on_aio(void *context)
{
    struct echo *echo = context;
    const int rv = nng_aio_result(echo->aio);
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED) {
        return;
    }
    if (echo->is_sending) {
        echo->is_sending = false;
        if (rv != 0) {
            nng_msg_free(nng_aio_get_msg(echo->aio));
        }
        nng_ctx_recv(echo->ctx, echo->aio);
    } else if (rv == 0) {
        answer(echo, nng_aio_get_msg(echo->aio));
    } else {
        nng_ctx_recv(echo->ctx, echo->aio);
    }
}

static int begin(nng_socket socket, struct echo *echoes)
{
    int rv = 0;
    for (size_t e = 0; rv == 0 && e < CONTEXTS; e++) {
        rv = nng_ctx_open(&echoes[e].ctx, socket);
        if (rv == 0) {
            rv = nng_aio_alloc(&echoes[e].aio, on_aio, &echoes[e]);
        }
        if (rv == 0) {
            nng_ctx_recv(echoes[e].ctx, echoes[e].aio);
        }
    }
    return rv;
}

/* Prints the URL; port 0 is replaced by the port that was taken. */
static void print_url(const char *url, nng_listener listener)
{
    int port = 0;
    const char *colon = strrchr(url, ':');
    if (nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0 && colon != NULL) {
        (void)printf("listening on %.*s:%d\n", (int)(colon - url), url, port);
    } else {
        (void)printf("listening on %s\n", url);
    }
    (void)fflush(stdout);
}

static int serve(const char *url, struct echo *echoes)
{
    nng_socket socket;
    nng_listener listener;
    int rv = nng_rep0_open(&socket);
    if (rv != 0) {
        return floor_fail("%s", nng_strerror(rv));
    }
    rv = nng_listen(socket, url, &listener, 0);
    if (rv == 0) {
        rv = begin(socket, echoes);
    }
    if (rv != 0) {
        (void)nng_close(socket);
        return floor_fail("%s: %s", url, nng_strerror(rv));
    }
    print_url(url, listener);
    end_signals_wait();
    /* nng 1.5.2 may block forever when it closes a connection that is receiving a message. */
    _exit(EXIT_SUCCESS);
}

int floor_echo_server(const struct floor_options *options)
{
    const char *url = options->url == NULL ? "tcp://127.0.0.1:7118" : options->url;
    struct echo *echoes = calloc(CONTEXTS, sizeof *echoes);
    const bool is_made = echoes != NULL && make_written(1) &&
                         make_read((size_t)options->batch, (size_t)options->data_bytes) &&
                         make_small_ones();
    const int status = is_made ? serve(url, echoes) : floor_fail("out of memory");
    for (size_t m = 0; m < METHODS_MAX; m++) {
        free(replies[m].bytes);
    }
    free(echoes);
    return status;
}
