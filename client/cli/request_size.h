/* Finds out how large a request the server reads. Every server reads WEIR_REQUEST_BYTES_MIN; none
 * tells its limit, but closes the connection on a larger request. So larger requests are tried, and
 * once one loses its connection, later requests are no larger than one that was answered. */
#ifndef WEIR_CLIENT_REQUEST_SIZE_H
#define WEIR_CLIENT_REQUEST_SIZE_H

#include "client/weir.h"

struct request_size {
    size_t read_bytes;  // largest payload that the server is known to read
    size_t max_bytes;   // largest payload to send
};

/* Begins with the client's own limit of a frame, `frame_bytes`. */
void request_size_begin(struct request_size *size, size_t frame_bytes);

/* Halves *messages_n, the number of messages in `request`, until the request is small enough or has
 * a single message. Returns its packed size. */
size_t request_size_cut(const struct request_size *size, const ProtobufCMessage *request,
                        size_t *messages_n);

/* Returns max_attempts for weir_call_options: 1 for a request that the server may not read, which
 * would be repeated in vain, else 0. */
uint32_t request_size_attempts(const struct request_size *size, size_t bytes);

/* Whether a connection was lost on a request that not every server reads. */
bool request_size_is_lost(const struct weir_error *err);

enum request_again { REQUEST_NOT_AGAIN, REQUEST_AGAIN, REQUEST_AGAIN_SMALLER };

/* Learns from the outcome of a call with a request of `bytes` and `messages_n` messages. Returns
 * whether to make the call again: with fewer messages, or unchanged because it had only one
 * attempt. */
enum request_again request_size_learn(struct request_size *size, size_t bytes, size_t messages_n,
                                      const struct weir_error *err);

#endif
