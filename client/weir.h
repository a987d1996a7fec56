/* libweir: the client library of weir, a message store.
 *
 *     struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
 *     options.url = "tcp://127.0.0.1:7117";
 *     options.token = token;
 *     struct weir_client *client = NULL;
 *     struct weir_error err;
 *     weir_error_init(&err);
 *     if (weir_client_open(&options, &client, &err) != WEIR_OK) { … err.text … }
 *
 * Calls. Every rpc of the .proto files has two functions in weir/v1/stubs.h: weir_<service>_<rpc>,
 * which waits, and weir_<service>_<rpc>_async, which calls back. Requests and responses are the
 * structs that protobuf-c makes of the .proto files; a pointer that is NULL, or a `has_…` that is
 * false, is an absent field; a list holds no NULL. Requests are borrowed and never changed. A
 * response is yours and one block of memory: give it to weir_response_free, whatever its type.
 *
 * Threads. A client may be used by any number of threads at once and has any number of calls in
 * flight on few connections. A callback runs on a thread of the library: it must not block, make a
 * call that waits, or close the client; it may start asynchronous calls, one of them in the place
 * that its own call had among max_in_flight. The library's threads take signals that are sent to
 * the process, except SIGPIPE: a program that is to take one elsewhere blocks it before it opens
 * its first client, and they leave it blocked.
 *
 * fork. A child that is forked from a process that has opened a client may not use the library,
 * clients of its own included: nng, which is below it, ends the child with SIGABRT. It may exec.
 *
 * Deadlines and retries. Each call has one deadline; the server is told how much of it is left. A
 * call that fails with BACKEND_UNAVAILABLE, SHUTTING_DOWN or DEADLINE_EXCEEDED, or whose connection
 * is lost, is sent again after a growing, random delay until the deadline, where the .proto says
 * that the method may be. What makes a repetition recognisable (ids of new messages, tokens to be
 * set) is filled in before the first attempt and kept, so that a repeated write is stored once.
 * DeleteNamespace, ClearNamespace and DropChunks are never repeated. Give CreateNamespace and
 * RotateToken the token (weir_token_make): where such a call fails in doubt, nobody knows one that
 * the library has made, and the old one may be dead.
 *
 * Connections. They are made, and made again where they are lost, without being asked for. A host
 * that vanishes without closing them (it has lost its power, or a firewall drops what is sent) is
 * noticed by its silence: where a call has run into its deadline and nothing has come from the
 * server for three seconds although it was asked, calls that are made from then on go over new
 * connections. Calls that are waiting keep waiting on the old ones. A long poll that finds nothing
 * is answered, so it is no silence; deadlines that are shorter than the work they are for look like
 * it, and cost new connections ever more rarely, up to a minute apart. Of a client with several
 * connections all must be silent. So how soon a vanished host is noticed is up to timeout_ms.
 *
 * Errors. Functions return a weir_status, the server's own reason, unchanged; text and details are
 * in the error you pass, which you have initialised with weir_error_init. A failure that did not
 * come from the server (no connection, no reply in time) has a detail `url`. After
 * DEADLINE_EXCEEDED, BACKEND_UNAVAILABLE, SHUTTING_DOWN, CANCELLED, BACKEND_ERROR and DATA_CORRUPT
 * a write may or may not have happened; after any other failure it has not. In doubt repeat it with
 * the same message ids, which you have only where you have given them (weir_uuid_make_v7). Where an
 * attempt had no answer and a repetition is refused without a look at it (AUTH_…, a full queue),
 * the call ends with BACKEND_UNAVAILABLE, whose text tells of the refusal. An error has room for
 * about 2.5 KB of details; to see all details of a WriteStreams with very many conflicts give it
 * more room with weir_error_enlarge before the call.
 *
 * A reply that is not what its .proto says is BACKEND_ERROR: so the response to a write that is OK
 * tells of each message that was written, and readers and subscriptions hand messages over that say
 * their id, stream and type, in the order of their positions.
 *
 * LIMIT_EXCEEDED with a detail `queue` is about the load of the server or the client, not about the
 * call: there were too many calls at once. The call may be made again later; the library leaves
 * that to its caller, except in subscriptions and consumers, which do it themselves, and where it
 * clears up whether an earlier attempt of the call was carried out.
 *
 * Long replies. The server cuts a reply at its reply size and says so in `truncated`; the stubs
 * show that as it is. A weir_reader continues such reads for you.
 *
 * Pure functions for stream names, consumer groups, ids, tokens and times come with the headers
 * below. */
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
#include "weir/rules/stream_name.h"
#include "weir/rules/time_text.h"
#include "weir/rules/token.h"
#include "weir/rules/uuid.h"

#include "weir/v1/stubs.h"

#define WEIR_DEFAULT_URL "tcp://127.0.0.1:7117"

/* ---- client ---- */

struct weir_client;

/* When to send a failed call again. Delays double from the first to the greatest; each is then cut
 * at random to between a half and the whole. 0 stands for the default. */
struct weir_retry_policy {
    uint32_t max_attempts;  // the first included; 1 = no other; default: no limit but the deadline
    uint32_t first_delay_ms;  // default 50
    uint32_t max_delay_ms;    // default 2000
};

/* 0 and NULL stand for the default. All is copied. */
struct weir_client_options {
    const char *url;       // any nng URL; default WEIR_DEFAULT_URL
    const char *token;     // a namespace's or the admin token; default none
    uint32_t connections;  // 1..64, shared by all calls; default 1
    uint32_t timeout_ms;   // of calls that give none; default 30000
    /* Calls at once, more are LIMIT_EXCEEDED; default 16384. A subscription nearly always has one,
     * its poll, and a consumer another to keep its position. */
    uint32_t max_in_flight;
    /* Larger requests are LIMIT_EXCEEDED, unsent; default 64 MiB, as the server's. One that is
     * larger than the server's costs the connection; any server reads 64 KiB. */
    size_t max_request_bytes;
    /* A connection with a larger reply is closed, so it has to be more than the server's
     * --max-reply-bytes; default 288 MiB, which is more than that can be set to. */
    size_t max_reply_bytes;
    struct weir_retry_policy retry;
    /* For tls+tcp:// (and wss://): PEM files. The server's certificate must be signed by the CA and
     * name the URL's host. */
    const char *tls_ca_file;    // default: the system's certificates
    const char *tls_cert_file;  // a client certificate, together with its key; default none
    const char *tls_key_file;
    const char *tls_server_name;  // instead of the URL's host
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

/* Makes a client and begins to connect. It does not wait for the server, which may come up later:
 * the first calls then wait for it until their deadlines. `options` may be NULL. INVALID_REQUEST
 * for a URL, a number or a TLS file that cannot be used; BACKEND_UNAVAILABLE without memory.
 * *client is set only on OK. */
weir_status weir_client_open(const struct weir_client_options *options, struct weir_client **client,
                             struct weir_error *err);

/* Ends all calls in flight, waits for their callbacks, and frees the client. Calls whose request is
 * with the server get a quarter of a second for their answer; all others end with CANCELLED. No
 * call may be started on the client any more. NULL is allowed. Never from a callback. */
void weir_client_close(struct weir_client *client);

/* The URL that the client was opened with. */
const char *weir_client_url(const struct weir_client *client);

/* ---- calls ---- */

struct weir_call_metadata {
    const char *key;
    const char *value;
};

/* What may be said about a single call; 0 and NULL stand for the default. Borrowed until the
 * function that takes it returns. */
struct weir_call_options {
    /* For the whole call, all attempts and waiting for a connection included. Default: the
     * client's, plus wait_ms where the request is a long poll. */
    uint32_t timeout_ms;
    uint32_t max_attempts;     // default: the client's
    const char *token;         // default: the client's
    const char *namespace_id;  // with an admin token: where to act; sent as metadata "namespace"
    const struct weir_call_metadata *metadata;  // further entries, e.g. "traceparent"
    size_t metadata_n;                          // at most 64; with namespace_id 63
};

/* Frees a response of any rpc with all that belongs to it. NULL is allowed. */
void weir_response_free(const void *response);

/* ---- whole reads ---- */

/* A read that goes on over truncated replies and over pages, message by message: what one call with
 * the same request would return if replies had no size limit. So an absent batch_size is 1000
 * messages in all, -1 is everything there is now; wait_ms waits for the first message only. One
 * page is in memory, two while the next one is asked for: a page has at most 1,000 messages, and no
 * more than the server puts into one reply (16 MiB unless it is told otherwise). Used by one thread
 * at a time. */
struct weir_reader;

/* `request` and `options` are copied, `client` must outlive the reader. `options` applies to each
 * page and may be NULL. Nothing is sent yet. BACKEND_UNAVAILABLE without memory. */
weir_status weir_reader_open_stream(struct weir_client *client,
                                    const Weir__V1__GetStreamMessagesRequest *request,
                                    const struct weir_call_options *options,
                                    struct weir_reader **reader, struct weir_error *err);
weir_status weir_reader_open_category(struct weir_client *client,
                                      const Weir__V1__GetCategoryMessagesRequest *request,
                                      const struct weir_call_options *options,
                                      struct weir_reader **reader, struct weir_error *err);

/* The next message, valid until the next call on the reader; NULL after the last. After a failure
 * the next call tries the same page again. */
weir_status weir_reader_next(struct weir_reader *reader, const Weir__V1__Message **message,
                             struct weir_error *err);

/* Where a read that follows this one would start: one past (BACKWARD: one before) the last message
 * returned; once the reader has reached the end, past everything that was examined. A position in
 * the stream for streams, a global position for categories. -1 while that is not known: no page has
 * been read yet, or a stream was opened by global_position and no message was returned. */
int64_t weir_reader_position(const struct weir_reader *reader);

/* NULL is allowed. */
void weir_reader_close(struct weir_reader *reader);

/* ---- subscriptions ---- */

/* Messages as they come: first those that are there, from the start on, then each new one as soon
 * as it is committed. Every matching message is handed over exactly once, in ascending order of its
 * position (stream) or global position (category, all), however slow the reader is.
 *
 * A subscription is a chain of long polls and holds no state on the server. While one page is being
 * read the next is asked for, so that at most two pages are in memory. It lives through restarts of
 * the server, lost connections and full queues, asking again after growing pauses; it ends when the
 * server refuses it (token revoked, namespace deleted, request invalid). One thread at a time
 * reads; any thread may stop it. */
struct weir_subscription;

enum weir_start {
    WEIR_START_DEFAULT,  // the beginning for streams and categories, the end for all
    WEIR_START_BEGIN,
    WEIR_START_END,  // only what is committed after weir_subscription_open has returned
    WEIR_START_AT    // `position`, inclusive
};

/* 0 and NULL stand for the default. All is copied. */
struct weir_subscription_options {
    /* Exactly one of these three. */
    const char *stream_name;
    const char *category;
    bool all;
    enum weir_start start;
    int64_t position;          // WEIR_START_AT: in the stream, or global
    int64_t group_member;      // of a consumer group, with group_size; not for streams
    int64_t group_size;        // 0 = no group
    const char *correlation;   // a category, not for streams; default no filter
    const char *const *types;  // only these; default all
    size_t types_n;            // at most 32
    bool headers_only;         // pokes: messages without data and metadata
    /* The defaults give way to lower limits of the server; other numbers it then refuses. */
    uint32_t batch_size;  // messages of a page, 1..10000; default 256
    uint32_t wait_ms;     // of one poll; default 30000
    /* Of each poll; timeout_ms is to be longer than wait_ms or, better, left at 0. */
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

/* With WEIR_START_END it asks the server where the end is and fails as that call does; otherwise
 * nothing is sent yet. INVALID_REQUEST for options that contradict each other. `client` must
 * outlive the subscription. */
weir_status weir_subscription_open(struct weir_client *client,
                                   const struct weir_subscription_options *options,
                                   struct weir_subscription **subscription, struct weir_error *err);

/* The next message, waiting up to timeout_ms for it (0 = not at all, UINT32_MAX = for ever). OK
 * with *message NULL where none came in time. The message is valid until the next call. CANCELLED
 * after weir_subscription_stop; any other failure is the subscription's end and comes again on each
 * further call. */
weir_status weir_subscription_next(struct weir_subscription *subscription, uint32_t timeout_ms,
                                   const Weir__V1__Message **message, struct weir_error *err);

/* Called for each message by weir_subscription_run, on the thread that runs it; it may block. False
 * ends the run. */
typedef bool (*weir_message_handler)(void *context, const Weir__V1__Message *message);

/* Hands each message to `handler` until that returns false (OK), the subscription is stopped
 * (CANCELLED) or it fails. */
weir_status weir_subscription_run(struct weir_subscription *subscription,
                                  weir_message_handler handler, void *context,
                                  struct weir_error *err);

/* Where a subscription that follows this one would start (WEIR_START_AT): behind the last message
 * returned and behind what was found not to match. From any thread. */
int64_t weir_subscription_position(const struct weir_subscription *subscription);

/* Ends a weir_subscription_next or _run that is waiting, and all further ones. From any thread. */
void weir_subscription_stop(struct weir_subscription *subscription);

/* Returns at once: a poll that is with the server ends by itself. NULL is allowed. */
void weir_subscription_close(struct weir_subscription *subscription);

/* ---- consumers ---- */

/* A subscription that remembers how far it has come: its position is kept in a stream of its own in
 * the store, from where it goes on after a restart. Each message is handed to the handler at least
 * once, one after the other, so in order in each stream; the position kept never passes a message
 * that has not been handled.
 *
 * A message whose handler fails is tried again after a growing delay, the messages behind it wait.
 * After max_attempts it is parked: noted in a stream of its own, and passed. What is parked can be
 * listed and replayed.
 *
 * Streams. With N the name and, for member M of a group of S, the suffix "+MofS":
 *     weirConsumer:position-N    one message of type PositionKept at each commit
 *     weirConsumer:parked-N      Parked, and Replayed once a replay has succeeded
 * Two consumers of one name at a time get in each other's way: as soon as one has kept a position,
 * the other's next attempt to do so ends it with STREAM_VERSION_CONFLICT.
 * No consumer is fed by what it has itself written: messages of the category weirConsumer:position
 * are never handed over; those of weirConsumer:parked are kept from a consumer of the whole
 * namespace and, where that category or one of its streams is what is consumed, those that a
 * consumer of the same name has parked.
 *
 * One thread at a time uses a consumer; any thread may stop it. */
struct weir_consumer;

/* 0 and NULL stand for the default. All is copied. */
struct weir_consumer_options {
    const char *name;  // required: 1..200 bytes of UTF-8 without '+'
    /* What is consumed. Its start counts only while no position has been kept; the first run keeps
     * one at once. headers_only is allowed; `call` is used for the consumer's own streams as well.
     */
    struct weir_subscription_options subscription;
    uint32_t commit_messages;  // keep the position after so many messages; default 100
    uint32_t commit_ms;        // or so long after a message was handled; default 1000
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

/* What has become of a message. */
enum weir_handled {
    WEIR_HANDLED,  // done, never again
    WEIR_FAILED,   // try again later, park it after the last attempt
    WEIR_PARK,     // park it now
    WEIR_STOP      // not handled: end the run; it comes again with the next one
};

/* `attempt` counts from 1. May block. */
typedef enum weir_handled (*weir_consumer_handler)(void *context, const Weir__V1__Message *message,
                                                   uint32_t attempt);

/* Reads the position that was kept. INVALID_REQUEST for options that cannot be used, PRECONDITION
 * where this name's position belongs to another stream or category, DATA_CORRUPT where what stands
 * in its stream was not written by a consumer; failures of calls as they are. `client` must outlive
 * the consumer. */
weir_status weir_consumer_open(struct weir_client *client,
                               const struct weir_consumer_options *options,
                               struct weir_consumer **consumer, struct weir_error *err);

/* Hands messages over until the handler says WEIR_STOP (OK), weir_consumer_stop is called
 * (CANCELLED), or something fails for good. Keeps the position at the end; where only that fails,
 * that is the outcome. May be called again. */
weir_status weir_consumer_run(struct weir_consumer *consumer, weir_consumer_handler handler,
                              void *context, struct weir_error *err);

/* The messages that are parked and have not been replayed, oldest first: calls `handler` for each
 * with the message as it is in the store and the number of attempts that were made. WEIR_HANDLED
 * notes it as replayed; WEIR_STOP ends the walk (OK); with anything else it stays parked. A handler
 * that only lists returns WEIR_FAILED. A message that the store no longer has is passed over. */
weir_status weir_consumer_replay(struct weir_consumer *consumer, weir_consumer_handler handler,
                                 void *context, struct weir_error *err);

/* The position kept last, -1 if none. From any thread, also during a run. */
int64_t weir_consumer_position(const struct weir_consumer *consumer);

/* Ends a weir_consumer_run, after the handler that is running, and all further ones. From any
 * thread. The run keeps its position before it returns, which takes up to three seconds where the
 * server does not answer; a call for a position or a parked message that it is just waiting for
 * comes to its own end before that. */
void weir_consumer_stop(struct weir_consumer *consumer);

/* NULL is allowed. */
void weir_consumer_close(struct weir_consumer *consumer);

#ifdef __cplusplus
}
#endif

#endif
