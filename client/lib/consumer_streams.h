/* The streams that a consumer keeps of its own: its position, and what it has parked. */
#ifndef WEIR_CLIENT_CONSUMER_STREAMS_H
#define WEIR_CLIENT_CONSUMER_STREAMS_H

#include "client/weir.h"
#include "weir/rules/limits.h"

#include <stdatomic.h>
#include <stdio.h>

/* The categories of all consumers' positions, and of what they have parked. */
#define CONSUMER_POSITION_CATEGORY "weirConsumer:position"
#define CONSUMER_PARKED_CATEGORY   "weirConsumer:parked"

enum { CONSUMER_NAME_MAX = 200, CONSUMER_STREAM_MAX = 320 };

/* After so many a message is parked, where nobody says otherwise. */
enum { CONSUMER_ATTEMPTS_DEFAULT = 5 };

struct consumer_streams {
    struct weir_client *client;
    const struct weir_call_options *call;
    char position_stream[CONSUMER_STREAM_MAX];
    char parked_stream[CONSUMER_STREAM_MAX];
    char *selector;                 // what is consumed, as a JSON object; freed by its owner
    int64_t position_version;       // version of the position stream as far as this consumer knows
    atomic_int_least64_t position;  // kept last, -1 if none; read by any thread
    char instance[WEIR_UUID_TEXT + 1];  // tells this consumer's positions from another's
};

/* Names the streams and describes the selector. INVALID_REQUEST on `name`; BACKEND_UNAVAILABLE
 * without memory or random bytes. */
weir_status consumer_streams_init(struct consumer_streams *streams,
                                  const struct weir_consumer_options *options,
                                  struct weir_error *err);

/* Whether a message of this stream is kept from a consumer of `selection`, which could go on for
 * ever over what it, or another one like it, has itself written: the positions; and what is parked,
 * unless that is what was selected, and then what a consumer of this name has parked. */
bool consumer_passes_over(const struct consumer_streams *streams,
                          const struct weir_subscription_options *selection,
                          const char *stream_name);

/* Reads the position kept last into streams->position. PRECONDITION where it was kept for another
 * selector, DATA_CORRUPT where the message is none of ours. */
weir_status consumer_load_position(struct consumer_streams *streams, struct weir_error *err);

/* Keeps a position, by calls with the options `call`. STREAM_VERSION_CONFLICT where another
 * consumer has done so since. May be called again after a failure that left open whether it has
 * happened. */
weir_status consumer_keep_position(struct consumer_streams *streams, int64_t position,
                                   const struct weir_call_options *call, struct weir_error *err);

/* Notes a message as parked; once, however often it is called for the message. */
weir_status consumer_park(struct consumer_streams *streams, const Weir__V1__Message *message,
                          uint32_t attempts, struct weir_error *err);

/* One message that is parked. */
struct consumer_parked {
    int64_t parked_position;                      // in the parked stream
    char stream[WEIR_STREAM_NAME_BYTES_MAX + 1];  // where the message itself is
    int64_t position;
    uint32_t attempts;
};

/* Walks the parked stream in two passes: `replayed` first collects the positions that are settled.
 * A walk is opened, asked for one entry after the other, and closed. */
struct consumer_walk;
weir_status consumer_walk_open(struct consumer_streams *streams, struct consumer_walk **walk,
                               struct weir_error *err);

/* OK with *found false at the end. */
weir_status consumer_walk_next(struct consumer_walk *walk, struct consumer_parked *parked,
                               bool *found, struct weir_error *err);
void consumer_walk_close(struct consumer_walk *walk);

/* Notes that a parked message has been replayed. */
weir_status consumer_settle(struct consumer_streams *streams, const struct consumer_parked *parked,
                            struct weir_error *err);

#endif
