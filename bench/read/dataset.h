/* The messages that reads are measured on: written once into a namespace of their own and
 * remembered, so that every message a read returns can be compared with the original.
 *
 * The dataset has two categories of many streams and, in the first category, one long stream.
 * Messages are interleaved as they arrive in practice: neighbours in a stream are not neighbours in
 * the file. Each message has 200 to 320 bytes of data; every second one also has 40 bytes of
 * metadata. */
#ifndef WEIR_BENCH_DATASET_H
#define WEIR_BENCH_DATASET_H

#include "store/store.h"

#define DATASET_STREAM   "account-long"
#define DATASET_CATEGORY "account"

enum { DATASET_STREAMS = 500 };  // per category, without the long one

enum { DATASET_ID_MAX = 48 };

struct dataset_message {
    struct weir_uuid id;
    uint64_t seed;    // of the data; the seed of the metadata derives from it
    uint32_t stream;  // 0: the long one; then the first category's, then the second's
    uint32_t data_n;
    int64_t position;
    int64_t global_position;
    bool has_metadata;
};

/* The messages that a read returns, in order. */
struct dataset_selection {
    enum weir_selector selector;
    struct weir_slice name;
    const struct dataset_message **messages;
    size_t n;
};

struct dataset {
    struct weir_store *store;
    struct weir_namespace *ns;
    char id[DATASET_ID_MAX];           // of the namespace, used by this dataset alone
    struct dataset_message *messages;  // all, in global order
    size_t n;
    struct dataset_selection stream;    // DATASET_STREAM
    struct dataset_selection category;  // DATASET_CATEGORY
};

/* Opens the store, creates the namespace and writes `n` messages, a tenth of them to the long
 * stream. On failure, and after one of the signals of end_signals.h, deletes the namespace and
 * frees the dataset. */
weir_status dataset_make(struct dataset *dataset, const char *url, size_t n,
                         struct weir_error *err);

/* Closes and reopens the store, which drops the state of its connections. */
weir_status dataset_reopen(struct dataset *dataset, const char *url, struct weir_error *err);

/* Deletes the namespace, frees the dataset and zeroes it. Does nothing with a zeroed dataset. */
void dataset_close(struct dataset *dataset);

/* Compares a row with the message. Returns NULL if they are equal, else what differs. */
const char *dataset_compare(const struct dataset_message *message, const struct weir_row *row);

#endif
