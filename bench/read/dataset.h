/* The messages that reads are measured on: made once, in a store of its own, and remembered, so
 * that every message a read returns can be compared with the one that was written.
 *
 * Two categories of many streams each, and in the first of them one long stream, all interleaved as
 * messages come in practice: neighbours of a stream are not neighbours in the file. Each message
 * has 200 to 320 bytes of data, every second one 40 bytes of metadata as well. */
#ifndef WEIR_BENCH_DATASET_H
#define WEIR_BENCH_DATASET_H

#include "store/store.h"

#define DATASET_STREAM   "account-long"
#define DATASET_CATEGORY "account"

enum { DATASET_STREAMS = 500 };  // of each category, beside the long one

enum { DATASET_ID_MAX = 48 };

struct dataset_message {
    struct weir_uuid id;
    uint64_t seed;    // of data; that of metadata follows from it
    uint32_t stream;  // 0: the long one; then those of the first category, then of the second
    uint32_t data_n;
    int64_t position;
    int64_t global_position;
    bool has_metadata;
};

/* The messages that a selection returns, in order. */
struct dataset_selection {
    enum weir_selector selector;
    struct weir_slice name;
    const struct dataset_message **messages;
    size_t n;
};

struct dataset {
    struct weir_store *store;
    struct weir_namespace *ns;
    char id[DATASET_ID_MAX];           // of the namespace, which is this dataset's alone
    struct dataset_message *messages;  // all, in global order
    size_t n;
    struct dataset_selection stream;    // DATASET_STREAM
    struct dataset_selection category;  // DATASET_CATEGORY
};

/* Opens the store, makes the namespace and writes `n` messages; a tenth of them is the long stream.
 * On failure nothing is left but what was written. */
weir_status dataset_make(struct dataset *dataset, const char *url, size_t n,
                         struct weir_error *err);

/* Closes the store and opens it again: what was kept of connections is gone. */
weir_status dataset_reopen(struct dataset *dataset, const char *url, struct weir_error *err);

/* Deletes the namespace and frees all; a dataset that was not made is all zero. */
void dataset_close(struct dataset *dataset);

/* A row that was read is this message: NULL, or what differs. */
const char *dataset_compare(const struct dataset_message *message, const struct weir_row *row);

#endif
