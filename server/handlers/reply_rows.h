/* Replies made of stored messages, packed straight from the store's rows into the reply's message.
 *
 * Going through protobuf-c's structs would need a struct, a pointer and terminated copies for each
 * row, only to be walked twice. Here the rows themselves are walked twice: to measure and to write.
 * What comes out is what protobuf-c packs of the same message, byte for byte. */
#ifndef WEIR_SERVER_REPLY_ROWS_H
#define WEIR_SERVER_REPLY_ROWS_H

#include "server/calls/call.h"

/* A GetStreamMessagesResponse or GetCategoryMessagesResponse, which are alike on the wire. */
weir_status weir_reply_rows(struct weir_call *call, const struct weir_rows *rows,
                            struct weir_error *err);

/* A GetLastStreamMessageResponse; `row` NULL where there is none. */
weir_status weir_reply_last(struct weir_call *call, const struct weir_row *row,
                            struct weir_error *err);

/* The packed payload alone. First its size: that of each message is kept in its row. Then the
 * payload is written at `out`, and its size is the same. */
size_t weir_rows_measure(const struct weir_rows *rows);
size_t weir_rows_pack(const struct weir_rows *rows, uint8_t *out);

/* The size, written at `out` unless that is NULL. */
size_t weir_last_pack(const struct weir_row *row, uint8_t *out);

#endif
