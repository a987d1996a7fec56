/* The streams that a load writes to and what has been acknowledged in each, which is enough to
 * recognise a false reply. Thread-safe. */
#ifndef WEIR_BENCH_STREAMS_H
#define WEIR_BENCH_STREAMS_H

#include "bench/load/profile.h"

enum { STREAM_NAME_MAX = PROFILE_NAME_MAX + 24 };

struct stream_known {
    int64_t first;                // first position that this run may write
    atomic_int_fast64_t version;  // highest position acknowledged, or found at the start
    atomic_int_fast64_t written;  // messages acknowledged
};

struct streams {
    const char *category;
    size_t n;
    struct stream_known *known;
};

/* Makes `n` empty streams. `category` must outlive them. Returns false without memory. */
bool streams_init(struct streams *streams, const char *category, size_t n);
void streams_fini(struct streams *streams);

/* Asks the server for the version of each stream if the user chose the category, which may then
 * hold messages. Blocks. */
weir_status streams_learn(struct streams *streams, const struct profile_run *run,
                          struct weir_error *err);

void streams_name(const struct streams *streams, size_t stream, char name[STREAM_NAME_MAX]);

int64_t streams_version(const struct streams *streams, size_t stream);

/* Returns the first position that may hold a message of this run; streams_version is the last. */
int64_t streams_first(const struct streams *streams, size_t stream);

/* Records the acknowledgement of `n` messages, the last of them at `position`. */
void streams_wrote(struct streams *streams, size_t stream, int64_t position, int64_t n);

/* Asks the server for the version of every stream, and counts an error of the load for each that
 * does not hold exactly what was acknowledged. Requires that only this run writes to the streams
 * and that no write ended in uncertainty. Blocks. Returns NULL, or constant text that says why it
 * stopped early. */
const char *streams_verify(const struct streams *streams, struct weir_client *client,
                           const char *token, struct load *load);

/* Calls streams_verify with the first client if the result would be certain, else reports why
 * not. */
void streams_verify_run(const struct streams *streams, struct profile_run *run);

#endif
