/* The messages that consumers write about themselves: reading one and appending one. */
#ifndef WEIR_CLIENT_CONSUMER_ENTRY_H
#define WEIR_CLIENT_CONSUMER_ENTRY_H

#include "client/lib/consumer_streams.h"

/* Returns the message's data as checked JSON. DATA_CORRUPT if there is none or it is not JSON;
 * BACKEND_UNAVAILABLE when out of memory. */
weir_status consumer_take_data(const Weir__V1__Message *message, struct weir_slice *data,
                               struct weir_error *err);

/* Returns the raw value of a member of a checked object; absent if there is none. */
struct weir_slice consumer_find_member(struct weir_slice json, const char *name);

/* Reads a member as a whole number. False if it is missing or none. */
bool consumer_take_number(struct weir_slice json, const char *name, int64_t *number);

/* Reads a member as a string, no longer than a stream name, into `size` bytes including its NUL.
 * False if it is missing, no string, or does not fit. */
bool consumer_take_text(struct weir_slice json, const char *name, char *text, size_t size);

/* DATA_CORRUPT: the message was not written by a consumer. */
weir_status consumer_fail_corrupt(const Weir__V1__Message *message, struct weir_error *err);

/* A message to append. */
struct consumer_entry {
    char *stream;
    char *type;
    char *id;                            // NULL = a new one
    const char *data;                    // JSON
    Weir__V1__Expectation *expectation;  // NULL = none
    int64_t *position;                   // set to the message's position; may be NULL
    const struct weir_call_options *call;
};

/* Writes one message to one of the consumer's own streams. */
weir_status consumer_append(struct consumer_streams *s, const struct consumer_entry *entry,
                            struct weir_error *err);

#endif
