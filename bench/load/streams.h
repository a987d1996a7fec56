/* The streams that a load writes to, and what is known of them: enough to tell whether a reply can
 * be true. Thread-safe. */
#ifndef WEIR_BENCH_STREAMS_H
#define WEIR_BENCH_STREAMS_H

#include "bench/load/profile.h"

enum { STREAM_NAME_MAX = PROFILE_NAME_MAX + 24 };

struct stream_known {
    atomic_int_fast64_t version;  // the highest position that was acknowledged; -1 if none
    atomic_int_fast64_t written;  // messages that were acknowledged
};

struct streams {
    const char *category;
    size_t n;
    struct stream_known *known;
};

bool streams_init(struct streams *streams, const char *category, size_t n);
void streams_fini(struct streams *streams);

void streams_name(const struct streams *streams, size_t stream, char name[STREAM_NAME_MAX]);

int64_t streams_version(const struct streams *streams, size_t stream);

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
