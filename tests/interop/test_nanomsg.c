/* An independent SP implementation as the client: libnanomsg's REQ socket and messages generated
 * from the same .proto files, without any code of weir. This shows that any language with an SP
 * socket and a protobuf compiler can be a client. */
#include "tests/lib/check_main.h"
#include "tests/lib/server_process.h"

#include "weir/v1/envelope.pb-c.h"
#include "weir/v1/message_store.pb-c.h"

#include <check.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/ws.h>
#include <stdio.h>
#include <string.h>

enum { URLS = 3, RECEIVE_MS = 20000, REQUEST_MAX = 65536 };

static struct server_process server;

static void setup(void)
{
    server_directory(&server);
    server_on_socket(&server);
    const char *others[] = {"--listen", "tcp://127.0.0.1:0", "--listen", "ws://127.0.0.1:0/weir"};
    memcpy(server.args + 2, others, sizeof others);
    server_start(&server);
    ck_assert_uint_eq(server.urls_n, URLS);
}

static void teardown(void)
{
    ck_assert_int_eq(server_stop(&server), 0);
    server_remove(&server);
}

static int dial(const char *url)
{
    const int receive_ms = RECEIVE_MS;
    const int s = nn_socket(AF_SP, NN_REQ);
    ck_assert_int_ge(s, 0);
    ck_assert_int_eq(nn_setsockopt(s, NN_SOL_SOCKET, NN_RCVTIMEO, &receive_ms, sizeof receive_ms),
                     0);
    ck_assert_msg(nn_connect(s, url) >= 0, "%s: %s", url, nn_strerror(nn_errno()));
    return s;
}

/* Makes one exchange and unpacks the response's payload as `type`. The caller frees both
 * messages. */
static ProtobufCMessage *call(int s, const char *method, const ProtobufCMessage *request,
                              const ProtobufCMessageDescriptor *type)
{
    static uint8_t payload[REQUEST_MAX];
    static uint8_t frame[2 * REQUEST_MAX];
    Weir__V1__Request envelope = WEIR__V1__REQUEST__INIT;
    envelope.method = (char *)(uintptr_t)method;
    envelope.token = server.default_token;
    envelope.has_payload = true;
    envelope.payload.data = payload;
    envelope.payload.len = protobuf_c_message_pack(request, payload);
    const size_t n = weir__v1__request__pack(&envelope, frame);
    ck_assert_int_eq(nn_send(s, frame, n, 0), (int)n);
    void *reply = NULL;
    const int reply_n = nn_recv(s, &reply, NN_MSG, 0);
    ck_assert_msg(reply_n >= 0, "no reply: %s", nn_strerror(nn_errno()));
    Weir__V1__Response *response = weir__v1__response__unpack(NULL, (size_t)reply_n, reply);
    ck_assert_ptr_nonnull(response);
    ck_assert_ptr_nonnull(response->status);
    ck_assert_msg(response->status->code == 0, "%s: %s", response->status->reason,
                  response->status->message);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, NULL, response->payload.len, response->payload.data);
    ck_assert_ptr_nonnull(message);
    weir__v1__response__free_unpacked(response, NULL);
    nn_freemsg(reply);
    return message;
}

static void write_one(int s, const char *stream, const char *data)
{
    Weir__V1__NewMessage message = WEIR__V1__NEW_MESSAGE__INIT;
    Weir__V1__NewMessage *messages[] = {&message};
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    message.type = "Spoken";
    message.has_data = true;
    message.data.data = (uint8_t *)(uintptr_t)data;
    message.data.len = strlen(data);
    request.stream_name = (char *)(uintptr_t)stream;
    request.messages = messages;
    request.n_messages = 1;
    ProtobufCMessage *response = call(s, "weir.v1.MessageStore/WriteMessages", &request.base,
                                      &weir__v1__write_messages_response__descriptor);
    ck_assert_uint_eq(((Weir__V1__WriteMessagesResponse *)response)->n_written, 1);
    protobuf_c_message_free_unpacked(response, NULL);
}

START_TEST(nanomsg_writes_and_reads_over_every_transport)
{
    const int s = dial(server.urls[_i]);
    for (int i = 0; i < 20; i++) {
        write_one(s, "spoken-1", "{\"from\":\"nanomsg\"}");
    }
    Weir__V1__GetStreamMessagesRequest query = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    query.stream_name = "spoken-1";
    ProtobufCMessage *response = call(s, "weir.v1.MessageStore/GetStreamMessages", &query.base,
                                      &weir__v1__get_stream_messages_response__descriptor);
    const Weir__V1__GetStreamMessagesResponse *reply =
        (const Weir__V1__GetStreamMessagesResponse *)response;
    ck_assert_uint_eq(reply->n_messages, 20);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(reply->messages[i]->position, i);
        ck_assert_uint_eq(reply->messages[i]->data.len, strlen("{\"from\":\"nanomsg\"}"));
    }
    protobuf_c_message_free_unpacked(response, NULL);
    ck_assert_int_eq(nn_close(s), 0);
}
END_TEST

START_TEST(garbage_gets_one_reply_and_the_connection_goes_on)
{
    const int s = dial(server.urls[0]);
    const char *garbage[] = {"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x0a\x7fshort",
                             "GET / HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        ck_assert_int_ge(nn_send(s, garbage[i], strlen(garbage[i]), 0), 0);
        void *reply = NULL;
        const int n = nn_recv(s, &reply, NN_MSG, 0);
        ck_assert_int_gt(n, 0);
        Weir__V1__Response *response = weir__v1__response__unpack(NULL, (size_t)n, reply);
        ck_assert_ptr_nonnull(response);
        ck_assert_int_ne(response->status->code, 0);
        weir__v1__response__free_unpacked(response, NULL);
        nn_freemsg(reply);
    }
    write_one(s, "after-1", "{}");
    ck_assert_int_eq(nn_close(s), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nanomsg");
    TCase *tc = tcase_create("nanomsg");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, nanomsg_writes_and_reads_over_every_transport, 0, URLS);
    tcase_add_test(tc, garbage_gets_one_reply_and_the_connection_goes_on);
    suite_add_tcase(suite, tc);
    return check_main(suite);
}
