/* The streams that a consumer writes about itself: its positions and its parked messages
 * (client/weir.h describes them).
 *
 * One thread at a time uses these functions; `position` may be read by any thread. A consumer holds
 * the version of its position stream and writes with that as the expected version, so that two
 * consumers of one name find each other. */
#ifndef WEIR_CLIENT_CONSUMER_STREAMS_H
#define WEIR_CLIENT_CONSUMER_STREAMS_H

#include "client/weir.h"
#include "weir/rules/limits.h"

#include <stdatomic.h>

/* The categories of all consumers' positions, and of what they have parked. */
#define CONSUMER_POSITION_CATEGORY "weirConsumer:position"
#define CONSUMER_PARKED_CATEGORY   "weirConsumer:parked"

enum { CONSUMER_NAME_MAX = 200, CONSUMER_STREAM_MAX = 320 };

/* Attempts before a message is parked. */
enum { CONSUMER_ATTEMPTS_DEFAULT = 5 };

struct consumer_streams {
    struct weir_client *client;
    const struct weir_call_options *call;
    char position_stream[CONSUMER_STREAM_MAX];
    char parked_stream[CONSUMER_STREAM_MAX];
    char *selector;                     // what is consumed, as a JSON object; freed by its owner
    int64_t position_version;           // last known version of the position stream
    atomic_int_least64_t position;      // kept last, -1 if none; read by any thread
    char instance[WEIR_UUID_TEXT + 1];  // tells this consumer's positions from another's
};

/* Names the streams and describes the selector. INVALID_REQUEST on `name`; BACKEND_UNAVAILABLE
 * without memory or random bytes. */
weir_status consumer_streams_init(struct consumer_streams *streams,
                                  const struct weir_consumer_options *options,
                                  struct weir_error *err);

/* Whether a message of this stream is withheld from the consumer, which could otherwise go on for
 * ever over messages that it, or another consumer like it, has written: all kept positions; all
 * parked messages if `selection` is the whole namespace, else those parked under its own name. */
bool consumer_passes_over(const struct consumer_streams *streams,
                          const struct weir_subscription_options *selection,
                          const char *stream_name);

/* Reads the position kept last into streams->position. PRECONDITION if it was kept for another
 * selector, DATA_CORRUPT if the message was not written by a consumer. */
weir_status consumer_load_position(struct consumer_streams *streams, struct weir_error *err);

/* Keeps a position, with the call options `call`. STREAM_VERSION_CONFLICT if another consumer has
 * kept one since. May be called again after a failure that left open whether the position was
 * kept. */
weir_status consumer_keep_position(struct consumer_streams *streams, int64_t position,
                                   const struct weir_call_options *call, struct weir_error *err);

/* Parks a message. Further calls for the same message write nothing. */
weir_status consumer_park(struct consumer_streams *streams, const Weir__V1__Message *message,
                          uint32_t attempts, struct weir_error *err);

/* A parked message. */
struct consumer_parked {
    int64_t parked_position;                      // of the Parked message, in the parked stream
    char stream[WEIR_STREAM_NAME_BYTES_MAX + 1];  // of the message itself
    int64_t position;                             // in that stream
    uint32_t attempts;
};

/* A walk over the messages that are parked and have not been replayed, oldest first. Opening it
 * reads all Replayed messages; the walk then reads the Parked ones and leaves those out. */
struct consumer_walk;
weir_status consumer_walk_open(struct consumer_streams *streams, struct consumer_walk **walk,
                               struct weir_error *err);

/* Gives the next message; OK with *found false at the end. */
weir_status consumer_walk_next(struct consumer_walk *walk, struct consumer_parked *parked,
                               bool *found, struct weir_error *err);
void consumer_walk_close(struct consumer_walk *walk);

/* Marks a parked message as replayed. */
weir_status consumer_settle(struct consumer_streams *streams, const struct consumer_parked *parked,
                            struct weir_error *err);

#endif
