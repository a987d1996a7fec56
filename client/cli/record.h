/* Messages as lines of text: one JSON object each,
 *
 *     {"id","stream","type","pos","gpos","data","meta","time"}
 *
 * which is what `weir` prints and what export and import exchange, with EventoDB as well. A missing
 * `data` or `meta` is an absent one and `null` is JSON's null. data and meta are the stored JSON
 * text itself, so that nothing is lost on the way, numbers included. */
#ifndef WEIR_CLIENT_RECORD_H
#define WEIR_CLIENT_RECORD_H

#include "weir/base/arena.h"
#include "weir/base/status.h"
#include "weir/v1/message_store.pb-c.h"

#include <stdio.h>

/* Writes the message and a line end. Absent data and metadata are left out. DATA_CORRUPT naming the
 * global position, and nothing written, for a time before year 0 or after year 9999, of which there
 * is no text. Errors of the stream stay in it. */
weir_status record_write(FILE *out, const Weir__V1__Message *message, struct weir_error *err);

/* The same, with control characters in the data escaped wherever it goes (json_put_plain_text): for
 * a line that comes to a terminal on a detour. */
weir_status record_write_plain(FILE *out, const Weir__V1__Message *message, struct weir_error *err);

/* A message that has just been written, as far as it is known. */
struct record_written {
    const char *stream;
    const char *type;
    const Weir__V1__WrittenMessage *message;
    bool is_duplicate;  // this very write had been stored before
};

/* The same members but data and meta and, where it is one, "duplicate":true. */
weir_status record_write_written(FILE *out, const struct record_written *written,
                                 struct weir_error *err);

/* Reads one line, without its end. The message's texts are cut from `arena` or point into `line`.
 * Unknown members are ignored, of a member given twice the last counts. `is_eventodb`: a `meta` of
 * null is an absent one. INVALID_RECORD with the reason as text and detail, LIMIT_EXCEEDED past the
 * arena's cap; *message is set only on OK. */
weir_status record_parse(struct weir_slice line, bool is_eventodb, struct weir_arena *arena,
                         Weir__V1__ImportedMessage *message, struct weir_error *err);

#endif
