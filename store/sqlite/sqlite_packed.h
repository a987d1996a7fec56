/* A message as its row holds it. Most of it stands in one value, `packed`: each column that SQLite
 * is asked for costs as much as the row does, and a read of many rows consists of little else.
 *
 *   bytes     what
 *   16        id
 *    8        time in µs, signed
 *    2        length of the stream's name
 *    2        length of the type
 *    4, 4     lengths of data and of metadata; 2^32 - 1: absent
 *   then      the stream's name, the type, data, metadata
 *
 * Numbers have their highest byte first. Data and metadata that are long together stand in a value
 * of their own, `large`, one behind the other, so that a read of headers does not follow their
 * overflow pages; it is NULL otherwise.
 *
 * Pure functions; the slices of what is unpacked point into the values. */
#ifndef WEIR_STORE_SQLITE_PACKED_H
#define WEIR_STORE_SQLITE_PACKED_H

#include "store/store.h"

#include "weir/rules/limits.h"

#include <sqlite3.h>

enum {
    WEIR_SQLITE_PACKED_HEAD_BYTES = 36,
    WEIR_SQLITE_PACKED_TEXT_BYTES = 2048,  // of data and metadata together; more is large
    WEIR_SQLITE_PACKED_BYTES_MAX = WEIR_SQLITE_PACKED_HEAD_BYTES + WEIR_STREAM_NAME_BYTES_MAX +
                                   WEIR_TYPE_BYTES_MAX + WEIR_SQLITE_PACKED_TEXT_BYTES
};

struct sqlite_packed {
    uint8_t bytes[WEIR_SQLITE_PACKED_BYTES_MAX];
    size_t n;
    bool is_large;  // data and metadata are not in it
};

/* Packs all of a row but its positions. False where a text is longer than there can be. */
bool weir_sqlite_pack(const struct weir_row *row, struct sqlite_packed *packed);

/* Writes what is large: data.n + metadata.n bytes. */
void weir_sqlite_pack_large(const struct weir_row *row, uint8_t *to);

/* The same without data and metadata, which are absent then. False for bytes that are no message.
 */
bool weir_sqlite_unpack_head(struct weir_slice packed, struct weir_row *row);

/* Sets all of a row but its positions; `large` is absent for NULL. False for values that are no
 * message. */
bool weir_sqlite_unpack(struct weir_slice packed, struct weir_slice large, struct weir_row *row);

/* Makes two functions known to the connection, for the step of the schema that packs the messages
 * of older files: weir_packed(id, time_us, stream_name, type, data, metadata) and
 * weir_large(data, metadata). */
int weir_sqlite_packed_prepare(sqlite3 *db);

#endif
