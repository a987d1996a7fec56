/* Judging appends, as far as that is the same for all backends: expectations, retries, and what a
 * refused write is told. Pure functions of what a backend has found. */
#ifndef WEIR_STORE_APPEND_RULES_H
#define WEIR_STORE_APPEND_RULES_H

#include "store/store.h"

/* Whether the expectation holds for a stream of this version (-1: there is none). */
bool weir_expectation_is_met(const struct weir_expectation *expectation, int64_t version);

/* Whether a message is stored as this row: type, data and metadata, JSON compared by value. The
 * stream is the caller's to compare. Fails without memory only. */
weir_status weir_message_is_same(const struct weir_new_message *message, const struct weir_row *row,
                                 bool *is_same, struct weir_error *err);

/* DEADLINE_EXCEEDED, of which the client may rely on it that nothing was done. */
void weir_fail_not_started(struct weir_error *err);

/* MESSAGE_ID_CONFLICT, with where the id is. */
void weir_fail_id(struct weir_error *err, const struct weir_uuid *id, const struct weir_row *row);

/* POSITION_EXISTS for record `number` (from 1) of an import. */
void weir_fail_position(struct weir_error *err, const struct weir_import_record *record,
                        size_t number);

/* Judges every expectation by the present versions: STREAM_VERSION_CONFLICT naming each stream
 * whose expectation failed; false, and nothing said, where all hold. */
bool weir_refuse_versions(struct weir_write *write, const int64_t *versions);

/* Judging an append of whose ids at least one is stored, one message after the other. */
struct weir_retry {
    size_t messages;
    size_t found;
    bool is_consecutive;        // each stream's messages stand one after the other
    bool is_same;               // every one found is the message of the append
    struct weir_error telling;  // about the one that is reported if this is no retry
};

void weir_retry_begin(struct weir_retry *retry);

/* Takes in message `m` of the part, in the append's order; `row` is the message stored under its
 * id, NULL if none, and is not needed afterwards. */
void weir_retry_look(struct weir_retry *retry, struct weir_write *write,
                     const struct weir_stream_append *part, size_t m, const struct weir_row *row);

/* Where it is a retry, `written` has become the original result and is_duplicate becomes true; else
 * the write's error says why not. */
void weir_retry_settle(const struct weir_retry *retry, struct weir_write *write,
                       const int64_t *versions);

/* All of it at once: stored[k] is the message stored under the id of the append's message k,
 * counted over its streams; NULL if none. */
void weir_retry_judge(struct weir_write *write, const struct weir_row *const *stored,
                      const int64_t *versions);

/* Whether one id stands twice in the append. */
bool weir_append_has_twin(const struct weir_append *append);

#endif
