/* Whether messages that were read are the ones that were asked for. All functions are pure and
 * return NULL, or what is wrong in constant text. */
#ifndef WEIR_BENCH_READ_CHECK_H
#define WEIR_BENCH_READ_CHECK_H

#include "client/weir.h"

/* What a read was answered. A reply that the server has cut off at its own limits may have fewer
 * messages than were asked for, but one at least. */
struct read_reply {
    Weir__V1__Message *const *messages;
    size_t n;
    bool is_truncated;
};

/* Of the response to a read of either kind. */
#define READ_REPLY(response) \
    ((struct read_reply){(response)->messages, (response)->n_messages, (response)->truncated})

/* One message: every field there, its data as it was written. `seed` (NULL to drop it) is set to
 * what the data carry. */
const char *read_check_message(const Weir__V1__Message *message, uint64_t *seed);

/* Any number of messages, of which only the contents are known: against an echo the client does the
 * same work for each message as against a store. */
const char *read_check_contents(const struct read_reply *reply);

/* Messages of one stream from a position on, without a gap; at least `least` of them. */
const char *read_check_stream(const struct read_reply *reply, const char *stream, int64_t from,
                              size_t least);

/* Messages of a category at exactly these global positions. */
const char *read_check_positions(const struct read_reply *reply, const char *category,
                                 const int64_t *positions, size_t positions_n);

/* Messages of a category in global order from a position on; of one member of a group where
 * `group_size` > 0. */
struct read_check_category {
    const char *category;
    int64_t from;
    int64_t member;
    int64_t group_size;
};
const char *read_check_category(const struct read_reply *reply,
                                const struct read_check_category *expected);

#endif
