/* The rules for appends that all backends share: expectations, recognition of retries, and the
 * errors of refused writes. Pure functions of what a backend has found in its tables. */
#ifndef WEIR_STORE_APPEND_RULES_H
#define WEIR_STORE_APPEND_RULES_H

#include "store/store.h"

/* Returns whether the expectation holds for a stream of this version (-1: the stream does not
 * exist). */
bool weir_expectation_is_met(const struct weir_expectation *expectation, int64_t version);

/* Sets *is_same to whether the row equals the message in type, data and metadata, JSON compared by
 * value. Comparing the stream is left to the caller. Fails only when out of memory or, with
 * DATA_CORRUPT and the detail global_position, when the stored JSON cannot be compared. */
weir_status weir_message_is_same(const struct weir_new_message *message, const struct weir_row *row,
                                 bool *is_same, struct weir_error *err);

/* Sets DEADLINE_EXCEEDED with a text that assures the client that nothing was done. */
void weir_fail_not_started(struct weir_error *err);

/* Sets MESSAGE_ID_CONFLICT; `row` is the stored message of the id, whose place is in the
 * details. */
void weir_fail_id(struct weir_error *err, const struct weir_uuid *id, const struct weir_row *row);

/* Sets POSITION_EXISTS for record `number` (counted from 1) of an import. */
void weir_fail_position(struct weir_error *err, const struct weir_import_record *record,
                        size_t number);

/* Judges every expectation by the present versions, versions[s] being that of stream s of the
 * append. Returns true and sets STREAM_VERSION_CONFLICT, naming each stream whose expectation
 * failed; returns false and leaves the error alone if all hold. */
bool weir_refuse_versions(struct weir_write *write, const int64_t *versions);

/* The examination of an append that may be a retry, because at least one of its ids is stored:
 * weir_retry_begin, weir_retry_look for each message, weir_retry_settle. */
struct weir_retry {
    size_t messages;             // looked at so far
    size_t found;                // of them, with a stored id
    bool is_consecutive;         // each stream's messages stand one after the other
    bool is_same;                // every stored message found equals that of the append
    struct weir_error conflict;  // to report if the append is no retry
};

/* Begins the examination; no message has been looked at. */
void weir_retry_begin(struct weir_retry *retry);

/* Looks at message `m` of the part; messages come in the append's order. `row` is the message
 * stored under its id, NULL if none, and is not needed afterwards. */
void weir_retry_look(struct weir_retry *retry, struct weir_write *write,
                     const struct weir_stream_append *part, size_t m, const struct weir_row *row);

/* Decides once all messages have been looked at. If the append is a retry, `written` holds the
 * original result and is_duplicate becomes true; otherwise the write's error says why it is
 * none. */
void weir_retry_settle(const struct weir_retry *retry, struct weir_write *write,
                       const int64_t *versions);

/* Examines a whole append: stored[k] is the message stored under the id of message k, counted over
 * all streams of the append; NULL if none. */
void weir_retry_judge(struct weir_write *write, const struct weir_row *const *stored,
                      const int64_t *versions);

/* Returns whether an id occurs twice in the append. */
bool weir_append_has_twin(const struct weir_append *append);

#endif
