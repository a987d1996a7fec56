/* A server inside the test's own process, and a bare nng client that sends it whatever bytes. */
#ifndef WEIR_TESTS_RPC_RPC_FIXTURE_H
#define WEIR_TESTS_RPC_RPC_FIXTURE_H

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
    nng_socket client;  // a REQ socket that is connected to it
};

extern struct rpc rpc;

/* Sets rpc.config as a server with these further arguments would have it. */
void rpc_configure(const char *const *arguments);

/* Starts a server with these further arguments (NULL-terminated); on sqlite::memory: and inproc
 * unless they say otherwise, with both tokens set. */
void rpc_start(const char *const *arguments);

/* The same with another default token. */
void rpc_start_with_token(const char *const *arguments, const char *default_token);

/* The same over a store of the test's. */
void rpc_start_on(struct weir_store *store, const char *const *arguments);

/* Stops it in good order. */
void rpc_stop(void);

/* Another REQ socket connected to `url`. */
nng_socket rpc_connect(const char *url);

/* ---- a reply ---- */

struct rpc_reply {
    nng_msg *msg;
    weir_status status;
    struct weir_error err;
    struct weir_slice payload;
    char details[200000];  // room for the longest
};

/* One exchange on a context of its own; aborts the test where no reply comes. */
void rpc_exchange(struct weir_slice request, struct rpc_reply *reply);

/* Starts an exchange and waits for its end. */
struct rpc_pending {
    nng_ctx ctx;
    nng_aio *aio;
    atomic_int steps;  // of the two, sending and receiving, that have ended
};
void rpc_begin(struct rpc_pending *pending, struct weir_slice request);
bool rpc_is_done(const struct rpc_pending *pending);
void rpc_end(struct rpc_pending *pending, struct rpc_reply *reply);

/* Ends so many, each of which must have this outcome. */
void rpc_end_all(struct rpc_pending *pending, size_t n, weir_status want);

/* Waits until the server has taken in so many calls. */
void rpc_wait_in_flight(size_t n);

/* Whether a thread of the transport serves a call, or is about to be free again after one. */
bool rpc_is_spot_taken(void);

void rpc_free(struct rpc_reply *reply);

/* ---- a request ---- */

struct rpc_request {
    const char *method;
    const char *token;
    const char *namespace_id;  // in the metadata
    uint32_t timeout_ms;
    const ProtobufCMessage *message;  // or NULL
};

/* Packs it into memory of the caller's. */
struct weir_slice rpc_pack(const struct rpc_request *request, uint8_t *room, size_t room_n);

/* Packs, sends, waits. */
void rpc_call(const struct rpc_request *request, struct rpc_reply *reply);

/* The same for a message, on behalf of who has the token; returns the outcome. */
weir_status rpc_call_as(struct rpc_reply *reply, const char *token, const char *method,
                        const ProtobufCMessage *message);

/* The same; aborts the test unless it is OK. */
void rpc_must_call(struct rpc_reply *reply, const char *token, const char *method,
                   const ProtobufCMessage *message);

/* The response in a reply, which it frees; to be freed by rpc_free_message. */
void *rpc_unpack(struct rpc_reply *reply, const ProtobufCMessageDescriptor *type);
void rpc_free_message(void *message);

#define rpc_assert_status(reply, want)                                                   \
    ck_assert_msg((reply)->status == (want), "%s (%s), want %s",                         \
                  (reply)->status == WEIR_OK ? "OK" : weir_status_name((reply)->status), \
                  (reply)->err.text, (want) == WEIR_OK ? "OK" : weir_status_name(want))

/* The connection works. */
void rpc_assert_alive(void);

/* Writes one message to a stream of namespace default. */
void rpc_write(const char *stream, size_t data_n);

#endif
