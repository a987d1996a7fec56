/* libweir: the client library of weir, a message store.
 *
 *     struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
 *     options.url = "tcp://weir.example.org:7117";
 *     options.token = token;
 *     struct weir_client *client = NULL;
 *     struct weir_error err;
 *     weir_error_init(&err);
 *     if (weir_client_open(&options, &client, &err) != WEIR_OK) { … err.text … }
 *
 * Every rpc of the .proto files has two functions in weir/v1/stubs.h: weir_<service>_<rpc> waits
 * for the reply, weir_<service>_<rpc>_async calls back. Requests and responses are protobuf-c's
 * structs: a NULL pointer or a false `has_…` is an absent field; a list holds no NULL.
 *
 * Threads. Any number of threads may use one client at once; their calls share its connections. A
 * reader, subscription or consumer is used by one thread at a time. A callback runs on a thread of
 * the library: it must not block, make a call that waits, or close the client. It may start
 * asynchronous calls; one of them takes the place that its own call had among max_in_flight.
 *
 * Ownership. Requests and call options are borrowed until the function returns, and never changed.
 * A response belongs to the caller and is one block of memory: weir_response_free frees it,
 * whatever its type.
 *
 * Errors. A function that can fail returns a weir_status, which is the server's own reason if the
 * server refused, and fills the error that the caller has initialised with weir_error_init: text
 * and details. After WEIR_OK the error has no meaning; copy one with weir_error_copy only
 * (weir/base/status.h). A detail `url` marks a failure that the server did not send: there was no
 * connection, or no reply in time. "Failed writes" below tells what a failure means for the
 * store. */
#ifndef WEIR_H
#define WEIR_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "weir/base/slice.h"
#include "weir/base/status.h"
#include "weir/rules/default_url.h"
#include "weir/rules/stream_name.h"
#include "weir/rules/time_text.h"
#include "weir/rules/token.h"
#include "weir/rules/uuid.h"

#include "weir/v1/stubs.h"

/* ---- client ---- */

struct weir_client;

/* When a failed call is sent again. The delay doubles from first_delay_ms up to max_delay_ms; each
 * pause is a random time between half the delay and all of it. 0 stands for the default. */
struct weir_retry_policy {
    uint32_t max_attempts;    // including the first; default: limited by the deadline alone
    uint32_t first_delay_ms;  // default 50
    uint32_t max_delay_ms;    // default 2000
};

/* 0 and NULL stand for the default. weir_client_open copies everything. */
struct weir_client_options {
    const char *url;    // any nng URL; default WEIR_DEFAULT_URL
    const char *token;  // a namespace token or the admin token; default none
    /* 1..64, shared by all calls; default 1. Twice as many are made to a host's name by tcp:// or
     * tls+tcp:// where the server answers by IPv4 and by IPv6. */
    uint32_t connections;
    uint32_t timeout_ms;  // of calls that set none; default 30000
    /* Calls in flight at once; the next one fails with LIMIT_EXCEEDED. Default 16384. A
     * subscription nearly always has one call in flight, its poll; a consumer has a second one
     * while it keeps its position. */
    uint32_t max_in_flight;
    /* A larger request fails with LIMIT_EXCEEDED and is not sent. Default 64 MiB, the default of
     * the server as well. A server closes the connection on a request that exceeds its own limit;
     * every server reads 64 KiB. */
    size_t max_request_bytes;
    /* The library closes a connection that brings a larger reply, so this must exceed the server's
     * --max-reply-bytes. Default 288 MiB, more than that option can be set to; at most
     * 4294967291. */
    size_t max_reply_bytes;
    struct weir_retry_policy retry;
    /* PEM files for tls+tcp:// and wss://. The CA must have signed the server's certificate, which
     * must name the URL's host. */
    const char *tls_ca_file;    // default: the system's certificates
    const char *tls_cert_file;  // client certificate, needs tls_key_file; default none
    const char *tls_key_file;
    const char *tls_server_name;  // expected instead of the URL's host
};

#ifdef __cplusplus
#define WEIR_CLIENT_OPTIONS_INIT \
    {                            \
    }
#define WEIR_CALL_OPTIONS_INIT \
    {                          \
    }
#else
#define WEIR_CLIENT_OPTIONS_INIT \
    {                            \
        .url = NULL              \
    }
#define WEIR_CALL_OPTIONS_INIT \
    {                          \
        .timeout_ms = 0        \
    }
#endif

/* Opens a client and begins to connect, without waiting for the server: where the server comes up
 * later, the first calls wait for it until their deadlines. `options` may be NULL. Fails with
 * INVALID_REQUEST for a URL, a number or a TLS file that cannot be used, with BACKEND_UNAVAILABLE
 * when out of memory or file descriptors. Sets *client only on OK.
 *
 * Connections. The library makes connections, and replaces lost ones, by itself; under TLS it may
 * take some seconds until it notices that one is lost. A host that disappears without closing its
 * connections (power loss, or a firewall that drops packets) is detected by silence: if a call
 * times out and the server has sent nothing for three seconds although requests were waiting for
 * replies, later calls use new connections. Long polls in flight are then sent again there; other
 * calls in flight stay on the old connections. So timeout_ms decides how soon a vanished host is
 * noticed. The three seconds grow with what is under way (one second for each 64 KiB of requests)
 * and double, up to one minute, with each replacement in a row that brings no reply. With several
 * connections all must be silent. The reply to a long poll that found nothing ends the silence; a
 * deadline too short for the work of its call looks like silence and costs a new connection.
 *
 * Signals. A signal sent to the process may be handled on a thread of the library, except SIGPIPE.
 * A program that wants a signal on a thread of its own blocks it before it opens its first client;
 * the threads of the library then leave it blocked.
 *
 * fork. A child forked from a process that has opened a client must not use the library, not even
 * with a client of its own: nng, the transport below, would end the child with SIGABRT. The child
 * may call exec. */
weir_status weir_client_open(const struct weir_client_options *options, struct weir_client **client,
                             struct weir_error *err);

/* Ends all calls in flight, waits for their callbacks, and frees the client. A call whose request
 * has been sent gets up to 250 ms for its reply; every other call ends with CANCELLED. From here on
 * no call may be started on the client. NULL is allowed. Must not be called from a callback. */
void weir_client_close(struct weir_client *client);

/* Returns the URL that the client was opened with. */
const char *weir_client_url(const struct weir_client *client);

/* ---- calls ----
 *
 * Deadlines and retries. Each call has one deadline, and the server is told the time that is left.
 * A call that fails with BACKEND_UNAVAILABLE, SHUTTING_DOWN or DEADLINE_EXCEEDED, or whose
 * connection is lost, is sent again after a growing, random delay until its deadline, provided that
 * the .proto allows it for the method. The library fills in what lets the server recognise a
 * repetition (ids of new messages, new tokens) before the first attempt and keeps it, so that a
 * repeated write is stored once. DeleteNamespace, ClearNamespace and DropChunks are never repeated.
 * Pass a token (weir_token_make) to CreateNamespace and RotateToken: if such a call fails in doubt,
 * a token made by the library is lost, and the old token may be void.
 *
 * Failed writes. After DEADLINE_EXCEEDED, BACKEND_UNAVAILABLE, SHUTTING_DOWN, CANCELLED,
 * BACKEND_ERROR and DATA_CORRUPT a write may or may not have been carried out; after any other
 * failure it has not. When in doubt, repeat the write with the same message ids, which you know
 * only if you have set them (weir_uuid_make_v7). If one attempt had no reply and the server refuses
 * a repetition without looking at it (AUTH_…, a full queue), the call ends with BACKEND_UNAVAILABLE
 * and a text that quotes the refusal. ImportMessages, which may always be repeated, ends with the
 * refusal itself: it says nothing about the earlier attempt.
 *
 * Full queues. LIMIT_EXCEEDED with a detail `queue` is about the load of the server or the client:
 * there were too many calls at once, and the same call may succeed later. The library repeats such
 * a call only in subscriptions and consumers, and to find out whether an earlier attempt of the
 * call was carried out.
 *
 * False replies. A reply that breaks its .proto is BACKEND_ERROR. So the response to a successful
 * write describes every message that was written, and readers and subscriptions hand over messages
 * with id, stream name and type, in the order of their positions.
 *
 * Details. An error holds about 2.5 KB of details; to see all details of a WriteStreams with very
 * many conflicts, give the error a larger area with weir_error_enlarge before each such call: a
 * function that fails without asking the server moves the details back into the error. */

struct weir_call_metadata {
    const char *key;
    const char *value;
};

/* Options of a single call; 0 and NULL stand for the default. Borrowed until the function that
 * takes them returns. */
struct weir_call_options {
    /* Of the whole call, including all attempts and the wait for a connection. Default: the
     * client's timeout_ms, plus wait_ms for a long poll. */
    uint32_t timeout_ms;
    uint32_t max_attempts;     // default: the client's
    const char *token;         // default: the client's
    const char *namespace_id;  // to act in, with an admin token; sent as metadata "namespace"
    const struct weir_call_metadata *metadata;  // further entries, e.g. "traceparent"
    size_t metadata_n;                          // at most 64; with namespace_id 63
};

/* Frees a response of any rpc with everything in it. NULL is allowed. */
void weir_response_free(const void *response);

/* ---- whole reads ---- */

/* A read of any length, message by message. A server cuts a reply at its own reply size (16 MiB by
 * default) and sets `truncated`; the stubs pass that on, a reader continues the read. It returns
 * what one call with the same request would return if neither replies nor batch_size had a limit:
 * an absent batch_size means 1000 messages in all, -1 all messages there are now; wait_ms applies
 * to the first message only. The reader holds one page in memory, and a second one while it fetches
 * the next; a page has at most 1,000 messages and fits into one reply. One thread at a time uses a
 * reader. */
struct weir_reader;

/* Opens a reader without sending anything. Copies `request` and `options`; `options` apply to each
 * page and may be NULL. `client` must outlive the reader. BACKEND_UNAVAILABLE when out of
 * memory. */
weir_status weir_reader_open_stream(struct weir_client *client,
                                    const Weir__V1__GetStreamMessagesRequest *request,
                                    const struct weir_call_options *options,
                                    struct weir_reader **reader, struct weir_error *err);
weir_status weir_reader_open_category(struct weir_client *client,
                                      const Weir__V1__GetCategoryMessagesRequest *request,
                                      const struct weir_call_options *options,
                                      struct weir_reader **reader, struct weir_error *err);

/* Sets *message to the next message, valid until the next call on the reader, or to NULL after the
 * last one. Blocks while it fetches a page. After a failure the next call tries the same page
 * again. */
weir_status weir_reader_next(struct weir_reader *reader, const Weir__V1__Message **message,
                             struct weir_error *err);

/* Returns the position from which a further read would continue: one past (BACKWARD: one before)
 * the last message returned or, once the reader has reached the end, past everything the server
 * examined. It is a position in the stream for streams, a global position for categories. -1 while
 * unknown: no page has been read yet, or a stream was opened by global_position and no message has
 * been returned. */
int64_t weir_reader_position(const struct weir_reader *reader);

/* Frees the reader. NULL is allowed. */
void weir_reader_close(struct weir_reader *reader);

/* ---- subscriptions ---- */

/* Delivers the messages of a stream, a category or the namespace: first those that exist, from the
 * start position on, then each new one as soon as it is committed. Every matching message comes
 * exactly once, in ascending order of its position (stream) or global position (category, all),
 * however slow the reader is.
 *
 * A subscription is a chain of long polls; the server holds no state for it. While the reader works
 * on one page the next one is fetched, so at most two pages are in memory. A subscription survives
 * restarts of the server, lost connections and full queues: it polls again after growing pauses. It
 * ends when the server refuses it (token revoked, namespace deleted, request invalid).
 *
 * So a server that is away looks like one that has no new messages. To tell one from the other call
 * weir_system_check_health. A host that has disappeared without closing its connections is noticed
 * when the time of the poll is over, which is wait_ms and the client's timeout_ms, a minute by
 * default, or as soon as another call of the client has noticed it ("Connections" above).
 *
 * ClearNamespace makes the positions of every stream start at 0 again; global positions continue.
 * Afterwards subscriptions to a stream must be opened again, from the beginning, and positions in
 * streams that a program has kept are void.
 *
 * One thread at a time reads; any thread may stop the subscription. */
struct weir_subscription;

enum weir_start {
    WEIR_START_DEFAULT,  // the beginning for streams and categories, the end for all
    WEIR_START_BEGIN,
    WEIR_START_END,  // the end that weir_subscription_open finds: all that is committed later
    WEIR_START_AT    // `position`, inclusive
};

/* 0 and NULL stand for the default. weir_subscription_open copies everything. */
struct weir_subscription_options {
    /* What to follow: exactly one of stream_name, category and all. */
    const char *stream_name;
    const char *category;
    bool all;
    enum weir_start start;
    int64_t position;          // for WEIR_START_AT: in the stream, or global
    int64_t group_member;      // 0..group_size-1; not for streams
    int64_t group_size;        // of the consumer group; 0 = no group
    const char *correlation;   // a category; not for streams; default no filter
    const char *const *types;  // message types to deliver; default all
    size_t types_n;            // at most 32
    bool headers_only;         // deliver messages without data and metadata
    /* Most messages in a page, 1..10000. Default: 256, growing up to 1000 while full pages come
     * soon. After a page that did not come in the time of its poll, which may be too large for a
     * slow line, pages grow anew from one message. Where the server's limits are lower, the library
     * reduces its defaults of batch_size and wait_ms; the server refuses numbers that the caller
     * has set. */
    uint32_t batch_size;
    uint32_t wait_ms;  // of one poll; default 30000
    /* Of each poll. timeout_ms must be longer than wait_ms; 0 takes care of that. */
    struct weir_call_options call;
};

#ifdef __cplusplus
#define WEIR_SUBSCRIPTION_OPTIONS_INIT \
    {                                  \
    }
#else
#define WEIR_SUBSCRIPTION_OPTIONS_INIT \
    {                                  \
        .stream_name = NULL            \
    }
#endif

/* Opens a subscription. With WEIR_START_END it asks the server for the end and fails as that call
 * does; otherwise it sends nothing yet. INVALID_REQUEST for options that contradict each other or
 * select what cannot be (a category with '-', an empty stream name); other faults are the server's
 * to find, and end the subscription. `client` must outlive the subscription. */
weir_status weir_subscription_open(struct weir_client *client,
                                   const struct weir_subscription_options *options,
                                   struct weir_subscription **subscription, struct weir_error *err);

/* Waits up to timeout_ms (0 = not at all, UINT32_MAX = for ever) for the next message and sets
 * *message to it, or to NULL, with WEIR_OK, if none came in time. The message is valid until the
 * next call. Fails with CANCELLED after weir_subscription_stop. Any other failure ends the
 * subscription: each further call returns it again. */
weir_status weir_subscription_next(struct weir_subscription *subscription, uint32_t timeout_ms,
                                   const Weir__V1__Message **message, struct weir_error *err);

/* Called by weir_subscription_run for each message, on the thread that runs it. May block. False
 * ends the run. */
typedef bool (*weir_message_handler)(void *context, const Weir__V1__Message *message);

/* Calls `handler` for each message until `handler` returns false (OK), the subscription is stopped
 * (CANCELLED) or the subscription fails. */
weir_status weir_subscription_run(struct weir_subscription *subscription,
                                  weir_message_handler handler, void *context,
                                  struct weir_error *err);

/* Returns the position from which a new subscription would continue (WEIR_START_AT): behind the
 * last message returned and behind what was found not to match. May be called from any thread. */
int64_t weir_subscription_position(const struct weir_subscription *subscription);

/* Ends a weir_subscription_next or _run that is waiting, and every later one. May be called from
 * any thread. */
void weir_subscription_stop(struct weir_subscription *subscription);

/* Frees the subscription and returns at once; a poll in flight ends by itself. NULL is allowed. */
void weir_subscription_close(struct weir_subscription *subscription);

/* ---- consumers ---- */

/* A subscription that remembers how far it has come: it keeps its position in a stream of its own
 * in the store and continues from there after a restart. The handler gets each message at least
 * once, one after the other, so in order within each stream; the kept position never passes a
 * message that has been neither handled nor parked.
 *
 * A message whose handler fails is tried again after a growing delay, while the messages behind it
 * wait. After max_attempts the message is parked: noted in a stream of its own, and passed. Parked
 * messages can be listed and replayed.
 *
 * Streams. With N the name and, for member M of a group of S, the suffix "+MofS":
 *     weirConsumer:position-N    one message of type PositionKept for each position kept
 *     weirConsumer:parked-N      Parked, and Replayed after a successful replay
 * Two consumers of the same name and member must not run at once: as soon as one has kept a
 * position, the other's next attempt to keep one ends it with STREAM_VERSION_CONFLICT.
 * A consumer does not consume what it has written itself. Messages of the category
 * weirConsumer:position are never handed over. Those of weirConsumer:parked are withheld from a
 * consumer of the whole namespace; a consumer of that category or one of its streams does not get
 * what a consumer of its own name has parked.
 *
 * Identity. A kept position belongs to the name, to the stream, category or namespace that is
 * consumed, and to the group. It does not depend on `types` and `correlation`: they may change
 * between runs, but messages passed under the old filter do not come again. ClearNamespace deletes
 * the positions as well, so every consumer of the namespace must be opened again after it.
 *
 * Resizing a group. Members of a group of another size are other consumers, with positions and
 * parked messages of their own. To change the size:
 *     1. Stop all members.
 *     2. Replay what the old members have parked, each with its old group_member and group_size.
 *     3. Take the lowest weir_consumer_position of the old members; -1 means the original start.
 *     4. Run all new members with WEIR_START_AT at that position.
 * Messages above the lowest position that other members have handled already come again. A group
 * size that was in use before still has its old positions, which go before `start`: choose another
 * name then.
 *
 * One thread at a time uses a consumer; any thread may stop it. */
struct weir_consumer;

/* 0 and NULL stand for the default. weir_consumer_open copies everything. */
struct weir_consumer_options {
    const char *name;  // required: 1..200 bytes of UTF-8 without '+'
    /* What to consume. Its start counts only while no position has been kept; the first run keeps
     * one at once. headers_only is allowed; `call` applies to the consumer's own streams as
     * well. */
    struct weir_subscription_options subscription;
    uint32_t commit_messages;  // messages after which the position is kept; default 100
    uint32_t commit_ms;        // time after a handled message to do so; default 1000
    uint32_t max_attempts;     // before a message is parked; default 5; UINT32_MAX = never
    uint32_t first_delay_ms;   // before the second attempt, doubling from there; default 100
    uint32_t max_delay_ms;     // default 10000
};

#ifdef __cplusplus
#define WEIR_CONSUMER_OPTIONS_INIT \
    {                              \
    }
#else
#define WEIR_CONSUMER_OPTIONS_INIT \
    {                              \
        .name = NULL               \
    }
#endif

/* A handler's verdict on a message. */
enum weir_handled {
    WEIR_HANDLED,  // done
    WEIR_FAILED,   // try again later; park after the last attempt
    WEIR_PARK,     // park now
    WEIR_STOP      // not handled: end the run; the next run starts with this message
};

/* Handles one message, on the thread that runs the consumer. `attempt` counts from 1. May block. */
typedef enum weir_handled (*weir_consumer_handler)(void *context, const Weir__V1__Message *message,
                                                   uint32_t attempt);

/* Opens a consumer and reads its kept position from the store. INVALID_REQUEST for options that
 * cannot be used, PRECONDITION if the position kept under this name belongs to another stream or
 * category, DATA_CORRUPT if the last message of its position stream was not written by a consumer;
 * otherwise the failure of the call. `client` must outlive the consumer. */
weir_status weir_consumer_open(struct weir_client *client,
                               const struct weir_consumer_options *options,
                               struct weir_consumer **consumer, struct weir_error *err);

/* Calls `handler` for each message until `handler` returns WEIR_STOP (OK), weir_consumer_stop is
 * called (CANCELLED), or something fails for good. Keeps the position before it returns, and
 * returns that call's failure if nothing else has failed. May be called again. As with a
 * subscription, a server that is away looks like one without new messages. A try to keep the
 * position during the run holds the next message up for five seconds at most. */
weir_status weir_consumer_run(struct weir_consumer *consumer, weir_consumer_handler handler,
                              void *context, struct weir_error *err);

/* Calls `handler` for each message that is parked and has not been replayed, oldest first, with the
 * message as stored and the number of attempts made. WEIR_HANDLED marks the message as replayed,
 * WEIR_STOP ends the walk (OK), and any other result leaves the message parked; a handler that only
 * lists returns WEIR_FAILED. A message that is missing in the store is skipped.
 *
 * weir_consumer_stop does not end a replay: its handler does, with WEIR_STOP. A replay keeps no
 * position, so it may run while another weir_consumer of the same name runs. Two replays at once
 * hand over the same messages twice. */
weir_status weir_consumer_replay(struct weir_consumer *consumer, weir_consumer_handler handler,
                                 void *context, struct weir_error *err);

/* Returns the position kept last, -1 if none. May be called from any thread, also during a run. */
int64_t weir_consumer_position(const struct weir_consumer *consumer);

/* Ends a weir_consumer_run as soon as its running handler returns, and every later run. May be
 * called from any thread. The run still keeps its position before it returns, which takes up to
 * three seconds if the server does not answer; a call for a position or a parked message that is
 * already in flight ends by itself first. */
void weir_consumer_stop(struct weir_consumer *consumer);

/* Frees the consumer, which must not be running. NULL is allowed. */
void weir_consumer_close(struct weir_consumer *consumer);

#ifdef __cplusplus
}
#endif

#endif
