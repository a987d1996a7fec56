/* Requests of the sizes that the server reads. Any server reads WEIR_REQUEST_BYTES_MIN, and none
 * tells how much more it does: it closes the connection that a larger request comes on, as if that
 * had been lost. So larger ones are tried, and where one loses its connection, those that follow
 * are no larger than what has been answered before. */
#ifndef WEIR_CLIENT_REQUEST_SIZE_H
#define WEIR_CLIENT_REQUEST_SIZE_H

#include "client/weir.h"

struct request_size {
    size_t read_bytes;  // payload of the largest request that the server is known to read
    size_t max_bytes;   // and of the largest that is made
};

/* The client sends no frame of more than `frame_bytes`. */
void request_size_begin(struct request_size *size, size_t frame_bytes);

/* Halves *messages_n, the number of messages that `request` is about to be made with, until it is
 * small enough or holds only one. Returns its bytes. */
size_t request_size_cut(const struct request_size *size, const ProtobufCMessage *request,
                        size_t *messages_n);

/* For weir_call_options: 1 where the server may not read a request of so many bytes, which it would
 * be in vain to repeat then; else 0. */
uint32_t request_size_attempts(const struct request_size *size, size_t bytes);

/* Whether a connection was lost on a request that not every server reads. */
bool request_size_is_lost(const struct weir_error *err);

enum request_again { REQUEST_NOT_AGAIN, REQUEST_AGAIN, REQUEST_AGAIN_SMALLER };

/* Learns from how the call of a request of so many bytes and messages has ended, and tells whether
 * to make it again: cut anew, or as it is because it had no more than the one attempt. */
enum request_again request_size_learn(struct request_size *size, size_t bytes, size_t messages_n,
                                      const struct weir_error *err);

#endif
