/* A server that does what a test tells it to, one request after the other: answers, fails, keeps
 * silent, or closes the connection. It speaks the envelope and knows no method.
 *
 * It runs on a thread of its own; the functions may be called from the test's thread at any time.
 */
#ifndef WEIR_TESTS_CLIENT_FAKE_SERVER_H
#define WEIR_TESTS_CLIENT_FAKE_SERVER_H

#include "weir/base/fail.h"

#include <protobuf-c/protobuf-c.h>

enum { FAKE_REQUESTS_MAX = 4096, FAKE_SCRIPT_MAX = 8 };

/* What is done with one request. Disconnect only a client that has sent nothing else: nng 1.5.2 can
 * hang for ever in closing a connection on which requests are just coming in. */
struct fake_action {
    enum { FAKE_ANSWER, FAKE_FAIL, FAKE_SILENCE, FAKE_DISCONNECT } kind;
    const ProtobufCMessage *response;  // of FAKE_ANSWER
    const struct weir_error *failure;  // of FAKE_FAIL
};

/* A request as it came. */
struct fake_request {
    char method[128];
    char token[256];
    uint32_t timeout_ms;
    char namespace_id[128];  // metadata "namespace", "" if there is none
    uint8_t *payload;
    size_t payload_n;
};

struct fake_server;

/* Listens on a free TCP port of loopback. The script is borrowed; its last action serves all
 * further requests. */
struct fake_server *fake_server_start(const struct fake_action *script, size_t script_n);
void fake_server_stop(struct fake_server *server);

const char *fake_server_url(const struct fake_server *server);

/* How many requests have come so far, and one of them; at most FAKE_REQUESTS_MAX are kept. */
size_t fake_server_requests(struct fake_server *server);
const struct fake_request *fake_server_request(struct fake_server *server, size_t i);

/* Waits until that many have come; aborts the test after ten seconds. */
void fake_server_await(struct fake_server *server, size_t n);

#endif
