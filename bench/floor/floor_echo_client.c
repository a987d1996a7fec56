/* Sends requests of weir's sizes with nng alone: without the client library, without packing, and
 * with no check of a reply other than its size. The first reply is unpacked: it must hold as many
 * messages as are counted for each. */
#include "bench/floor/floor.h"

#include "bench/lib/payload.h"
#include "weir/v1/message_store.pb-c.h"
#include "weir/v1/system.pb-c.h"
#include "weir/wire/frame.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>

enum { TIMEOUT_MS = 5000 };

/* A token of about the size of a namespace's token. */
static const char token_text[] =
    "ns_ZGVmYXVsdA_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

struct client_slot {
    struct client *client;
    struct load_slot *slot;
    nng_ctx ctx;
    nng_aio *aio;
    bool is_receiving;
};

struct client {
    const struct floor_options *options;
    nng_socket *sockets;
    struct client_slot *slots;
    size_t slots_n;
    uint8_t *request;
    size_t request_n;
    size_t messages;        // of each reply
    atomic_size_t reply_n;  // size of the first reply, which all others must have
};

/* ---- the request ---- */

static bool pack(struct client *client, const char *method, const ProtobufCMessage *payload)
{
    const struct weir_request_frame frame = {.method = weir_slice_of(method),
                                             .token = weir_slice_of(token_text),
                                             .timeout_ms = TIMEOUT_MS};
    const size_t payload_n = protobuf_c_message_get_packed_size(payload);
    client->request_n = weir_request_frame_size(&frame, payload_n);
    client->request = malloc(client->request_n);
    if (client->request != NULL) {
        weir_request_frame_pack(&frame, payload, payload_n, client->request);
    }
    return client->request != NULL;
}

static bool pack_write(struct client *client)
{
    static char id[] = "01890a5d-ac96-774b-bcce-b302099a8057";
    static char stream[] = "load0123456789ab-000042";
    static char type[] = "Deposited";
    const size_t data_bytes = (size_t)client->options->data_bytes;
    const size_t n = (size_t)client->options->batch;
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage **all = calloc(n, sizeof(Weir__V1__NewMessage *));
    char *data = malloc(data_bytes);
    bool is_packed = false;
    if (all != NULL && data != NULL) {
        payload_make(1, data, data_bytes);
        message.id = id;
        message.type = type;
        message.has_data = true;
        message.data = (ProtobufCBinaryData){data_bytes, (uint8_t *)data};
        for (size_t m = 0; m < n; m++) {
            all[m] = &message;
        }
        request.stream_name = stream;
        request.n_messages = n;
        request.messages = all;
        is_packed = pack(client, "weir.v1.MessageStore/WriteMessages", &request.base);
    }
    free(data);
    free(all);
    return is_packed;
}

static bool pack_read(struct client *client)
{
    static char category[] = "load0123456789ab";
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    request.category = category;
    request.has_position = request.has_batch_size = true;
    request.position = 4242;
    request.batch_size = client->options->batch;
    return pack(client, "weir.v1.MessageStore/GetCategoryMessages", &request.base);
}

static bool pack_empty(struct client *client)
{
    const Weir__V1__GetServerInfoRequest request = WEIR__V1__GET_SERVER_INFO_REQUEST__INIT;
    return pack(client, "weir.v1.System/GetServerInfo", &request.base);
}

static bool make_request(struct client *client)
{
    const char *operation = client->options->operation;
    if (strcmp(operation, "write") == 0) {
        return pack_write(client);
    }
    return strcmp(operation, "empty") == 0 ? pack_empty(client) : pack_read(client);
}

/* ---- calls ---- */

static void fail(struct client_slot *s, const char *text)
{
    const struct load_outcome outcome = {
        .op = LOAD_EMPTY, .reason = "NNG", .text = text, .is_unreachable = true};
    load_finish(s->slot, &outcome);
}

static void start(void *context, struct load_slot *slot)
{
    struct client *client = context;
    struct client_slot *s = &client->slots[slot->number];
    nng_msg *message = NULL;
    s->slot = slot;
    s->is_receiving = false;
    if (nng_msg_alloc(&message, client->request_n) != 0) {
        fail(s, "out of memory");
        return;
    }
    memcpy(nng_msg_body(message), client->request, client->request_n);
    nng_aio_set_msg(s->aio, message);
    nng_ctx_send(s->ctx, s->aio);
}

/* Returns the number of messages in the reply to a write or a read. */
static size_t count_messages(const struct client *client, nng_msg *reply)
{
    struct weir_error err;
    struct weir_slice payload = weir_slice(NULL, 0);
    size_t n = 0;
    weir_error_init(&err);
    (void)weir_response_parse(weir_slice(nng_msg_body(reply), nng_msg_len(reply)), &payload, &err);
    if (strcmp(client->options->operation, "write") == 0) {
        Weir__V1__WriteMessagesResponse *written =
            weir__v1__write_messages_response__unpack(NULL, payload.n, payload.p);
        n = written == NULL ? 0 : written->n_written;
        weir__v1__write_messages_response__free_unpacked(written, NULL);
    } else {
        Weir__V1__GetCategoryMessagesResponse *read =
            weir__v1__get_category_messages_response__unpack(NULL, payload.n, payload.p);
        n = read == NULL ? 0 : read->n_messages;
        weir__v1__get_category_messages_response__free_unpacked(read, NULL);
    }
    return n;
}

static const char *check(struct client *client, nng_msg *reply)
{
    size_t expected = 0;
    const size_t n = nng_msg_len(reply);
    if (!atomic_compare_exchange_strong(&client->reply_n, &expected, n)) {
        return expected == n ? NULL : "a reply of another size";
    }
    return client->messages == 0 || count_messages(client, reply) == client->messages
               ? NULL
               : "a reply of another number of messages than --batch: that of the server differs";
}

static void take_reply(struct client_slot *s)
{
    nng_msg *message = nng_aio_get_msg(s->aio);
    const char *wrong = check(s->client, message);
    nng_msg_free(message);
    const struct load_outcome outcome = {.op = LOAD_EMPTY,
                                         .messages = s->client->messages,
                                         .reason = wrong == NULL ? NULL : "WRONG_REPLY",
                                         .text = wrong};
    load_finish(s->slot, &outcome);
}

static void on_aio(void *context)
{
    struct client_slot *s = context;
    const int rv = nng_aio_result(s->aio);
    if (rv != 0 && !s->is_receiving) {
        nng_msg_free(nng_aio_get_msg(s->aio));
        nng_aio_set_msg(s->aio, NULL);
    }
    if (rv != 0) {
        fail(s, nng_strerror(rv));
    } else if (s->is_receiving) {
        take_reply(s);
    } else {
        s->is_receiving = true;
        nng_ctx_recv(s->ctx, s->aio);
    }
}

/* ---- setup ---- */

static int open_sockets(struct client *client)
{
    const char *url = client->options->url == NULL ? "tcp://127.0.0.1:7118" : client->options->url;
    int rv = 0;
    for (int64_t c = 0; rv == 0 && c < client->options->connections; c++) {
        rv = nng_req0_open(&client->sockets[c]);
        if (rv == 0) {
            rv = nng_dial(client->sockets[c], url, NULL, 0);
        }
    }
    return rv;
}

static int open_slots(struct client *client)
{
    int rv = 0;
    for (size_t i = 0; rv == 0 && i < client->slots_n; i++) {
        struct client_slot *s = &client->slots[i];
        s->client = client;
        rv = nng_ctx_open(&s->ctx, client->sockets[i % (size_t)client->options->connections]);
        if (rv == 0) {
            rv = nng_aio_alloc(&s->aio, on_aio, s);
        }
        if (rv == 0) {
            nng_aio_set_timeout(s->aio, TIMEOUT_MS);
        }
    }
    return rv;
}

/* Closes the sockets and frees the aios; no callback runs afterwards. */
static void close_all(void *context)
{
    struct client *client = context;
    for (int64_t c = 0; c < client->options->connections; c++) {
        (void)nng_close(client->sockets[c]);
    }
    for (size_t i = 0; i < client->slots_n; i++) {
        nng_aio_free(client->slots[i].aio);
        client->slots[i].aio = NULL;
    }
}

int floor_echo_client(const struct floor_options *options)
{
    struct client client = {.options = options,
                            .slots_n = (size_t)(options->workers * options->in_flight)};
    client.messages = strcmp(options->operation, "empty") == 0 ? 0 : (size_t)options->batch;
    client.sockets = calloc((size_t)options->connections, sizeof *client.sockets);
    client.slots = calloc(client.slots_n, sizeof *client.slots);
    struct floor_run run = {.options = options,
                            .profile = "echo by nng alone",
                            .settings = floor_settings(options, client.slots_n),
                            .work = {.context = &client, .start = start},
                            .end = close_all};
    int status = EXIT_FAILURE;
    if (client.sockets == NULL || client.slots == NULL || !make_request(&client)) {
        status = floor_fail("out of memory");
    } else {
        int rv = open_sockets(&client);
        rv = rv == 0 ? open_slots(&client) : rv;
        status = rv == 0 ? floor_measure(&run) : floor_fail("%s", nng_strerror(rv));
    }
    free(client.request);
    free(client.slots);
    free(client.sockets);
    return status;
}
