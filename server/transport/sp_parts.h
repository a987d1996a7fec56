/* Follows what nng receives on one connection, part by part, and finds the parts for which nng
 * would close the connection.
 *
 * The protocol is SP as nng 1.5.2 speaks it on tcp:// and ipc://: a greeting, then alternately a
 * length and a message; nng reads each part separately. One thread at a time per connection. */
#ifndef WEIR_SERVER_SP_PARTS_H
#define WEIR_SERVER_SP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR_SP_GREETING_BYTES = 8 };

enum weir_sp_part { WEIR_SP_GREETING, WEIR_SP_LENGTH, WEIR_SP_MESSAGE };

/* Initial state: all zero. */
struct weir_sp_parts {
    enum weir_sp_part part;  // the part that is being received
    const uint8_t *begin;    // nng's buffer for the part
    size_t wanted;           // size of the part
    size_t received;         // bytes received of the part
    bool is_too_long;        // the message that is to come is longer than allowed
};

/* Whether the first four of `bytes` are those of a greeting. */
bool weir_sp_begins_greeting(const uint8_t *bytes);

/* nng is about to receive into `to` the `n` bytes that it still lacks of the current part. */
void weir_sp_parts_begin(struct weir_sp_parts *parts, const uint8_t *to, size_t n);

/* nng is about to get `n` more bytes of the current part, which are in its buffer. Returns false if
 * nng would close the connection for them, as for a message longer than `message_max` (0: no
 * limit). */
bool weir_sp_parts_add(struct weir_sp_parts *parts, size_t n, size_t message_max);

#endif
