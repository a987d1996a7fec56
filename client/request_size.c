#include "client/request_size.h"

#include "client/client.h"
#include "weir/rules/limits.h"

enum {
    /* What is around the payload: method, token, namespace. */
    ENVELOPE_BYTES = 4096,
    /* An id that the library gives to a message, with its tag and length. */
    ID_BYTES = 40
};

static size_t frame_bytes(const ProtobufCMessage *request, size_t messages_n)
{
    return protobuf_c_message_get_packed_size(request) + messages_n * ID_BYTES + ENVELOPE_BYTES;
}

static weir_status ask(struct cli *cli)
{
    const Weir__V1__GetServerInfoRequest request = WEIR__V1__GET_SERVER_INFO_REQUEST__INIT;
    Weir__V1__GetServerInfoResponse *response = NULL;
    const weir_status st =
        weir_system_get_server_info(cli->client, &request, &cli->call, &response, &cli->err);
    if (st != WEIR_OK) {
        return st;
    }
    size_t *most = &cli->client->max_request_bytes;
    if (response->max_request_bytes > 0 && (uint64_t)response->max_request_bytes < *most) {
        *most = (size_t)response->max_request_bytes;
    }
    weir_response_free(response);
    cli->knows_request_size = true;
    return WEIR_OK;
}

static weir_status ask_for(struct cli *cli, size_t bytes)
{
    return cli->knows_request_size || bytes <= WEIR_REQUEST_BYTES_MIN ? WEIR_OK : ask(cli);
}

weir_status request_size_ask(struct cli *cli, const ProtobufCMessage *request)
{
    return ask_for(cli, frame_bytes(request, WEIR_WRITE_MESSAGES_MAX));
}

weir_status request_size_cut(struct cli *cli, const ProtobufCMessage *request, size_t *messages_n)
{
    const weir_status st = ask_for(cli, frame_bytes(request, *messages_n));
    while (st == WEIR_OK && *messages_n > 1 &&
           frame_bytes(request, *messages_n) > cli->client->max_request_bytes) {
        *messages_n /= 2;
    }
    return st;
}
