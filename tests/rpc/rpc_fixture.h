/* Fixture of the RPC tests: a server in the test's own process and a bare nng client that can send
 * it any bytes. A failed nng call, or an exchange without a reply, fails the test. */
#ifndef WEIR_TESTS_RPC_RPC_FIXTURE_H
#define WEIR_TESTS_RPC_RPC_FIXTURE_H

#include "server/calls/server_parts.h"
#include "server/server.h"
#include "weir/v1/envelope.pb-c.h"
#include "weir/v1/message_store.pb-c.h"
#include "weir/v1/methods.h"
#include "weir/v1/namespaces.pb-c.h"
#include "weir/v1/system.pb-c.h"

#include <check.h>
#include <nng/nng.h>

#define ADMIN_TOKEN "admin-token-of-the-tests-0123456789"
#define DEFAULT_TOKEN \
    "ns_ZGVmYXVsdA_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { RPC_ARGS_MAX = 32, RPC_TIMEOUT_MS = 20000 };

struct rpc {
    struct weir_config config;
    struct weir_server *server;
    const char *url;    // of the first listener
    nng_socket client;  // a REQ socket connected to `url`
};

extern struct rpc rpc;

/* Sets rpc.config as for a server with these further arguments. */
void rpc_configure(const char *const *arguments);

/* Starts a server with these further arguments (NULL-terminated) and connects the client. The
 * default is sqlite::memory: and inproc, with an admin token and a default token. */
void rpc_start(const char *const *arguments);

/* As rpc_start, with another default token. */
void rpc_start_with_token(const char *const *arguments, const char *default_token);

/* As rpc_start, on a store of the test. */
void rpc_start_on(struct weir_store *store, const char *const *arguments);

/* Closes the client and stops the server in an orderly way. */
void rpc_stop(void);

/* Opens another REQ socket connected to `url`, which the caller closes. */
nng_socket rpc_connect(const char *url);

/* ---- a reply ---- */

struct rpc_reply {
    nng_msg *msg;
    weir_status status;
    struct weir_error err;
    struct weir_slice payload;
    char details[200000];  // large enough for the longest
};

/* Sends a request on its own context and waits for the reply, which the caller frees with rpc_free.
 * Fails the test without a reply. */
void rpc_exchange(struct weir_slice request, struct rpc_reply *reply);

/* An exchange in flight: rpc_begin sends the request, rpc_end waits for the reply. */
struct rpc_pending {
    nng_ctx ctx;
    nng_aio *aio;
    atomic_int steps;  // steps that have ended, of two: sent, received
};
void rpc_begin(struct rpc_pending *pending, struct weir_slice request);
bool rpc_is_done(const struct rpc_pending *pending);
void rpc_end(struct rpc_pending *pending, struct rpc_reply *reply);

/* Ends `n` exchanges and checks that each has this outcome. */
void rpc_end_all(struct rpc_pending *pending, size_t n, weir_status want);

/* Waits until the server has at least `n` calls in flight. */
void rpc_wait_in_flight(size_t n);

/* Returns whether a transport thread serves a call itself, or has not yet been released after
 * one. */
bool rpc_is_spot_taken(void);

void rpc_free(struct rpc_reply *reply);

/* ---- a request ---- */

struct rpc_request {
    const char *method;
    const char *token;
    const char *namespace_id;  // sent in the metadata
    uint32_t timeout_ms;
    const ProtobufCMessage *message;  // or NULL
};

/* Packs the request into the caller's buffer. */
struct weir_slice rpc_pack(const struct rpc_request *request, uint8_t *room, size_t room_n);

/* A WriteMessages request of one message. */
struct rpc_one_write {
    Weir__V1__WriteMessagesRequest in;
    Weir__V1__NewMessage message;
    Weir__V1__NewMessage *messages[1];
};

/* Makes it a write of a message of type T, without id and data, to the stream. The caller may
 * change its fields, and may not move it. */
void rpc_one_write_init(struct rpc_one_write *write, const char *stream);

/* Packs a write of one message of type T to stream s-1 of namespace default, by the admin token.
 * The bytes are valid until the next call. */
struct weir_slice rpc_write_request(uint32_t timeout_ms);

/* Packs the request, sends it and waits for the reply. */
void rpc_call(const struct rpc_request *request, struct rpc_reply *reply);

/* As rpc_call, with a method, a token and a message. Returns the outcome. */
weir_status rpc_call_as(struct rpc_reply *reply, const char *token, const char *method,
                        const ProtobufCMessage *message);

/* As rpc_call_as; fails the test unless the outcome is OK. */
void rpc_must_call(struct rpc_reply *reply, const char *token, const char *method,
                   const ProtobufCMessage *message);

/* Unpacks the response and frees the reply. The caller frees the result with rpc_free_message. */
void *rpc_unpack(struct rpc_reply *reply, const ProtobufCMessageDescriptor *type);
void rpc_free_message(void *message);

#define rpc_assert_status(reply, want)                                                   \
    ck_assert_msg((reply)->status == (want), "%s (%s), want %s",                         \
                  (reply)->status == WEIR_OK ? "OK" : weir_status_name((reply)->status), \
                  (reply)->err.text, (want) == WEIR_OK ? "OK" : weir_status_name(want))

/* Checks that the connection still works. */
void rpc_assert_alive(void);

/* Writes one message with data_n bytes of data (at least 2) to a stream of namespace default. */
void rpc_write(const char *stream, size_t data_n);

#endif
