/* Packs replies made of stored messages straight from the store's rows into the reply's message.
 *
 * Protobuf-c's structs would need a struct, a pointer and terminated copies for each row, and walk
 * them twice. The functions here walk the rows twice: to measure and to write. The result is, byte
 * for byte, what protobuf-c would pack. Nothing blocks. */
#ifndef WEIR_SERVER_REPLY_ROWS_H
#define WEIR_SERVER_REPLY_ROWS_H

#include "server/calls/call.h"

/* Answers the call with a GetStreamMessagesResponse or a GetCategoryMessagesResponse, which are
 * alike on the wire. BACKEND_UNAVAILABLE without memory. */
weir_status weir_reply_rows(struct weir_call *call, const struct weir_rows *rows,
                            struct weir_error *err);

/* Answers the call with a GetLastStreamMessageResponse; `row` is NULL where there is no message.
 * BACKEND_UNAVAILABLE without memory. */
weir_status weir_reply_last(struct weir_call *call, const struct weir_row *row,
                            struct weir_error *err);

/* Returns the size of the packed payload, and keeps the size of each message in its row. */
size_t weir_rows_measure(const struct weir_rows *rows);

/* Writes the payload at `out` and returns its size. The rows must have been measured. */
size_t weir_rows_pack(const struct weir_rows *rows, uint8_t *out);

/* Writes the payload for one row, or for none (NULL), at `out`; only measures where `out` is NULL.
 * Returns the size. */
size_t weir_last_pack(const struct weir_row *row, uint8_t *out);

#endif
