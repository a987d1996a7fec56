/* Verifies that a read returned the messages it asked for. All functions are pure and return NULL,
 * or the fault as constant text. */
#ifndef WEIR_BENCH_READ_CHECK_H
#define WEIR_BENCH_READ_CHECK_H

#include "client/weir.h"

/* The reply to a read. A reply that the server has truncated at its limits may have fewer messages
 * than requested, but at least one. */
struct read_reply {
    Weir__V1__Message *const *messages;
    size_t n;
    bool is_truncated;
};

/* Makes a read_reply from the response to a stream or a category read. */
#define READ_REPLY(response) \
    ((struct read_reply){(response)->messages, (response)->n_messages, (response)->truncated})

/* Checks one message: every field is set, the data are as written. Sets `seed`, if not NULL, to the
 * seed that the data carry. */
const char *read_check_message(const Weir__V1__Message *message, uint64_t *seed);

/* Checks only the contents of the messages, however many there are. Used against an echo, so that
 * the client does the same work per message as against a store. */
const char *read_check_contents(const struct read_reply *reply);

/* Checks for `least` to `most` consecutive messages of one stream that start at position `from`. */
const char *read_check_stream(const struct read_reply *reply, const char *stream, int64_t from,
                              size_t least, size_t most);

/* Checks for messages of a category at exactly these global positions. */
const char *read_check_positions(const struct read_reply *reply, const char *category,
                                 const int64_t *positions, size_t positions_n);

/* Checks for at most `most` messages of a category in global order from position `from` on; only
 * those of one group member if group_size > 0. */
struct read_check_category {
    const char *category;
    size_t most;
    int64_t from;
    int64_t member;
    int64_t group_size;
};
const char *read_check_category(const struct read_reply *reply,
                                const struct read_check_category *expected);

#endif
