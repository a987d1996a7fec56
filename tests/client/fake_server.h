/* A fake server that follows a script, one action per request: answers, fails, stays silent, or
 * closes the connection. The server parses the request envelope but implements no method.
 *
 * The server runs on its own thread. The test's thread may call the functions at any time; a
 * failure inside them fails the test. */
#ifndef WEIR_TESTS_CLIENT_FAKE_SERVER_H
#define WEIR_TESTS_CLIENT_FAKE_SERVER_H

#include "weir/base/fail.h"

#include <protobuf-c/protobuf-c.h>

enum { FAKE_REQUESTS_MAX = 4096, FAKE_SCRIPT_MAX = 10 };

/* What the server does with one request. Disconnect only a client with a single request in flight:
 * nng 1.5.2 can hang forever when it closes a connection that is receiving requests. */
struct fake_action {
    enum { FAKE_ANSWER, FAKE_ANSWER_LATE, FAKE_FAIL, FAKE_SILENCE, FAKE_DISCONNECT } kind;
    const ProtobufCMessage *response;  // for FAKE_ANSWER and FAKE_ANSWER_LATE, after 20 ms
    const struct weir_error *failure;  // for FAKE_FAIL
};

/* A received request. */
struct fake_request {
    char method[128];
    char token[256];
    uint32_t timeout_ms;
    char namespace_id[128];  // metadata "namespace"; "" without it
    char trace[64];          // metadata "traceparent"; "" without it
    uint8_t *payload;
    size_t payload_n;
};

struct fake_server;

/* Listens on a free TCP port on loopback. Borrows the script; its last action applies to all
 * further requests. The caller stops the server. */
struct fake_server *fake_server_start(const struct fake_action *script, size_t script_n);
void fake_server_stop(struct fake_server *server);

const char *fake_server_url(const struct fake_server *server);

/* Return the number of requests received and one of them. At most FAKE_REQUESTS_MAX requests are
 * kept, until the server is stopped. */
size_t fake_server_requests(struct fake_server *server);
const struct fake_request *fake_server_request(struct fake_server *server, size_t i);

/* Waits until `n` requests have been received. Fails the test after ten seconds. */
void fake_server_await(struct fake_server *server, size_t n);

#endif
