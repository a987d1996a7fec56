/* The streams that a load writes to, and what is known of them: enough to tell whether a reply can
 * be true. Thread-safe. */
#ifndef WEIR_BENCH_STREAMS_H
#define WEIR_BENCH_STREAMS_H

#include "bench/load/profile.h"

enum { STREAM_NAME_MAX = PROFILE_NAME_MAX + 24 };

struct stream_known {
    int64_t first;                // the first position that this run may write
    atomic_int_fast64_t version;  // the highest position that was acknowledged, or was there
    atomic_int_fast64_t written;  // messages that were acknowledged
};

struct streams {
    const char *category;
    size_t n;
    struct stream_known *known;
};

/* Streams that hold nothing yet. */
bool streams_init(struct streams *streams, const char *category, size_t n);
void streams_fini(struct streams *streams);

/* Asks for their versions, where the run's category is the user's and may hold messages. Waits. */
weir_status streams_learn(struct streams *streams, const struct profile_run *run,
                          struct weir_error *err);

void streams_name(const struct streams *streams, size_t stream, char name[STREAM_NAME_MAX]);

int64_t streams_version(const struct streams *streams, size_t stream);

/* Positions that hold messages of this run are those from `first` up to the version. */
int64_t streams_first(const struct streams *streams, size_t stream);

/* Messages up to this position were acknowledged. */
void streams_wrote(struct streams *streams, size_t stream, int64_t position, int64_t n);

/* Asks the server for the version of every stream: each must hold exactly what was acknowledged.
 * Only for streams that nobody else writes to, and where no write ended in uncertainty. Waits.
 * NULL, or why it did not come to the end, in constant text. */
const char *streams_verify(const struct streams *streams, struct weir_client *client,
                           const char *token, struct load *load);

/* The same after the load of a run in its own namespace, where it can be told. */
void streams_verify_run(const struct streams *streams, struct profile_run *run);

#endif
