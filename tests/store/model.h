/* A reference model of a namespace: one list of messages that every operation searches from the
 * start, and the counter of global positions. Nothing is indexed or cached.
 *
 * The model borrows all texts that it is given. */
#ifndef WEIR_TESTS_STORE_MODEL_H
#define WEIR_TESTS_STORE_MODEL_H

#include "store/store.h"

enum { MODEL_MESSAGES_MAX = 2000 };

struct model {
    struct weir_import_record messages[MODEL_MESSAGES_MAX];  // by global position
    size_t n;
    int64_t head;  // highest global position ever assigned
};

/* Apply a write that a store has done and return the outcome that the store should have had. For an
 * append also set `expected`, which has room for all its messages, and *is_duplicate. Times are
 * taken from the store. */
weir_status model_append(struct model *model, const struct weir_append *append,
                         struct weir_written *expected, bool *is_duplicate);
weir_status model_import(struct model *model, const struct weir_import *import, int64_t *imported,
                         int64_t *skipped);
int64_t model_clear(struct model *model);

int64_t model_version(const struct model *model, struct weir_slice stream);

/* The expected messages of a query, in order, and its other results. */
struct model_rows {
    const struct weir_import_record *rows[MODEL_MESSAGES_MAX];
    size_t n;
    int64_t next_position;
    bool is_truncated;
};

/* Computes the result of a query. Supports only max_bytes 0 (one message) and SIZE_MAX. */
void model_read(const struct model *model, const struct weir_query *query, struct model_rows *rows);

/* Return the distinct names of all streams, or of their categories, ascending, and their number.
 * `names` must have room for all. */
size_t model_streams(const struct model *model, struct weir_slice *names);
size_t model_categories(const struct model *model, struct weir_slice *names);

int model_compare(struct weir_slice a, struct weir_slice b);
bool model_is_same_json(struct weir_slice a, struct weir_slice b);

#endif
