/* What nng receives of a connection, part by part, and what it would close the connection for.
 *
 * First a greeting, then a length and a message in turn, each asked for by itself. Protocol SP as
 * nng 1.5.2 speaks it on tcp:// and ipc://. Of one connection; no two calls at a time. */
#ifndef WEIR_SERVER_SP_PARTS_H
#define WEIR_SERVER_SP_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR_SP_GREETING_BYTES = 8 };

enum weir_sp_part { WEIR_SP_GREETING, WEIR_SP_LENGTH, WEIR_SP_MESSAGE };

/* As new when all is 0. */
struct weir_sp_parts {
    enum weir_sp_part part;  // that is being received
    const uint8_t *begin;    // of it, where nng has it put
    size_t wanted;           // all of it
    size_t received;         // of it
};

/* Whether the first four bytes are those of a greeting. */
bool weir_sp_begins_greeting(const uint8_t *bytes);

/* nng is about to receive `n` bytes to `to`: all that it has not got of a part. */
void weir_sp_parts_begin(struct weir_sp_parts *parts, const uint8_t *to, size_t n);

/* It is about to get so much more. False where it would close the connection, for a message longer
 * than `message_max` among others (0: any length will do). */
bool weir_sp_parts_add(struct weir_sp_parts *parts, size_t n, size_t message_max);

#endif
