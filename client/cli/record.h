/* Messages as lines of text, one JSON object each:
 *
 *     {"id","stream","type","pos","gpos","data","meta","time"}
 *
 * `weir` prints this form, and export and import exchange it, with EventoDB as well. A missing
 * `data` or `meta` is absent; `null` is JSON's null. data and meta are the stored JSON texts
 * themselves, so that nothing is lost, not even digits of numbers. */
#ifndef WEIR_CLIENT_RECORD_H
#define WEIR_CLIENT_RECORD_H

#include "weir/base/arena.h"
#include "weir/base/fail.h"
#include "weir/v1/message_store.pb-c.h"

#include <stdio.h>

/* Writes the message and a line end, without absent data and metadata. For a time outside the years
 * 0..9999, which has no text, writes nothing and fails with DATA_CORRUPT, naming the global
 * position. Errors of `out` stay in it (ferror). */
weir_status record_write(FILE *out, const Weir__V1__Message *message, struct weir_error *err);

/* As record_write, always with control characters in the data escaped (json_put_plain_text): for a
 * line that reaches a terminal through another stream. */
weir_status record_write_plain(FILE *out, const Weir__V1__Message *message, struct weir_error *err);

/* A message that has just been written. */
struct record_written {
    const char *stream;
    const char *type;
    const Weir__V1__WrittenMessage *message;
    bool is_duplicate;  // this very write had been stored before
};

/* Writes such a message: the members of record_write except data and meta, and "duplicate":true if
 * it is a duplicate. */
weir_status record_write_written(FILE *out, const struct record_written *written,
                                 struct weir_error *err);

/* Parses a line without its end. The message's texts lie in `arena` or in `line`. Ignores unknown
 * members; of a member given twice the last one counts. With `is_eventodb` a `meta` of null is
 * absent. INVALID_RECORD with the reason as text and detail, LIMIT_EXCEEDED beyond the arena's cap;
 * sets *message only on OK. */
weir_status record_parse(struct weir_slice line, bool is_eventodb, struct weir_arena *arena,
                         Weir__V1__ImportedMessage *message, struct weir_error *err);

#endif
