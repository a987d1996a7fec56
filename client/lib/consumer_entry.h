/* The messages that consumers write for themselves: what is in one, and appending one. */
#ifndef WEIR_CLIENT_CONSUMER_ENTRY_H
#define WEIR_CLIENT_CONSUMER_ENTRY_H

#include "client/lib/consumer_streams.h"

/* Its data, as checked JSON. DATA_CORRUPT where it has none, or what is no JSON;
 * BACKEND_UNAVAILABLE without memory. */
weir_status consumer_take_data(const Weir__V1__Message *message, struct weir_slice *data,
                               struct weir_error *err);

/* A member of a checked object; absent if there is none. */
struct weir_slice consumer_find_member(struct weir_slice json, const char *name);

/* The member as a whole number, or as a string in `size` bytes with its NUL, which is no longer
 * than a stream's name; false where it is none or does not fit. */
bool consumer_take_number(struct weir_slice json, const char *name, int64_t *number);
bool consumer_take_text(struct weir_slice json, const char *name, char *text, size_t size);

/* DATA_CORRUPT about a message that is none of ours. */
weir_status consumer_fail_corrupt(const Weir__V1__Message *message, struct weir_error *err);

/* One message to be appended. */
struct consumer_entry {
    char *stream;
    char *type;
    char *id;                            // NULL: a new one
    const char *data;                    // JSON
    Weir__V1__Expectation *expectation;  // NULL: none
    int64_t *position;                   // where it stands afterwards; may be NULL
    const struct weir_call_options *call;
};

weir_status consumer_append(struct consumer_streams *s, const struct consumer_entry *entry,
                            struct weir_error *err);

#endif
