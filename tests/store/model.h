/* What a namespace must hold and answer, the simple way: one list of messages, which everything is
 * looked up in from its beginning. Nothing is kept but that list and the counter.
 *
 * It borrows all texts of what it is given. */
#ifndef WEIR_TESTS_STORE_MODEL_H
#define WEIR_TESTS_STORE_MODEL_H

#include "store/store.h"

enum { MODEL_MESSAGES_MAX = 2000 };

struct model {
    struct weir_import_record messages[MODEL_MESSAGES_MAX];  // by global position
    size_t n;
    int64_t head;  // the highest global position ever given
};

/* Does a write that a store has done, and tells what the outcome had to be: for an append also
 * `expected`, room for all its messages, and *is_duplicate. The times are the store's. */
weir_status model_append(struct model *model, const struct weir_append *append,
                         struct weir_written *expected, bool *is_duplicate);
weir_status model_import(struct model *model, const struct weir_import *import, int64_t *imported,
                         int64_t *skipped);
int64_t model_clear(struct model *model);

int64_t model_version(const struct model *model, struct weir_slice stream);

/* The messages that a query gives, in its order, and what it says besides. */
struct model_rows {
    const struct weir_import_record *rows[MODEL_MESSAGES_MAX];
    size_t n;
    int64_t next_position;
    bool is_truncated;
};

/* Of max_bytes it knows 0 (one message) and SIZE_MAX. */
void model_read(const struct model *model, const struct weir_query *query, struct model_rows *rows);

/* The names of streams, or of their categories, ascending, each once; returns how many. The room is
 * for all. */
size_t model_streams(const struct model *model, struct weir_slice *names);
size_t model_categories(const struct model *model, struct weir_slice *names);

int model_compare(struct weir_slice a, struct weir_slice b);
bool model_is_same_json(struct weir_slice a, struct weir_slice b);

#endif
