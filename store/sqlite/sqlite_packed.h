/* The packed form of a message in its row. Most of a message stands in one column, `packed`:
 * fetching a column from SQLite costs as much as stepping to the row, and a read of many rows
 * consists of little else.
 *
 *   bytes     what
 *   16        id
 *    8        time in µs, signed
 *    2        length of the stream's name
 *    2        length of the type
 *    4, 4     lengths of data and of metadata; 2^32 - 1: absent
 *   then      the stream's name, the type, data, metadata
 *
 * Numbers are big-endian. Data and metadata that are together longer than
 * WEIR_SQLITE_PACKED_TEXT_BYTES stand in a column of their own, `large`, one behind the other, so
 * that a read of headers does not follow their overflow pages; otherwise `large` is NULL.
 *
 * Pure functions; the slices of an unpacked row point into the packed values. */
#ifndef WEIR_STORE_SQLITE_PACKED_H
#define WEIR_STORE_SQLITE_PACKED_H

#include "store/store.h"

#include "weir/rules/limits.h"

#include <sqlite3.h>

enum {
    WEIR_SQLITE_PACKED_HEAD_BYTES = 36,
    WEIR_SQLITE_PACKED_TEXT_BYTES = 2048,  // data and metadata together; beyond: `large`
    WEIR_SQLITE_PACKED_BYTES_MAX = WEIR_SQLITE_PACKED_HEAD_BYTES + WEIR_STREAM_NAME_BYTES_MAX +
                                   WEIR_TYPE_BYTES_MAX + WEIR_SQLITE_PACKED_TEXT_BYTES
};

struct sqlite_packed {
    uint8_t bytes[WEIR_SQLITE_PACKED_BYTES_MAX];
    size_t n;
    bool is_large;  // data and metadata belong in `large`
};

/* Packs a row but for its positions. False if the stream's name or the type exceeds its limit
 * (limits.h), or data or metadata has a length that cannot be packed. */
bool weir_sqlite_pack(const struct weir_row *row, struct sqlite_packed *packed);

/* Writes the value of `large`: data.n + metadata.n bytes. */
void weir_sqlite_pack_large(const struct weir_row *row, uint8_t *to);

/* Sets the fields of a row but its positions, with data and metadata absent. False for bytes that
 * are no packed message. */
bool weir_sqlite_unpack_head(struct weir_slice packed, struct weir_row *row);

/* Sets the fields of a row but its positions; `large` is absent for a NULL column. False for values
 * that are no packed message. */
bool weir_sqlite_unpack(struct weir_slice packed, struct weir_slice large, struct weir_row *row);

/* Registers two SQL functions with the connection, for the schema step that packs the messages of
 * older files: weir_packed(id, time_us, stream_name, type, data, metadata) and weir_large(data,
 * metadata). Returns a result code. */
int weir_sqlite_packed_prepare(sqlite3 *db);

#endif
