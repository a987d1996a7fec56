/* The versions of streams as a session's last append left them, so that the append function need
 * not look them up.
 *
 * They hold while nobody else has written: then the namespace's counters were last changed by
 * transaction `changed`, at `time_us`, and have the head `head`. The append function checks that
 * before it uses the versions. */
#ifndef WEIR_STORE_POSTGRES_PG_VERSIONS_H
#define WEIR_STORE_POSTGRES_PG_VERSIONS_H

#include "weir/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct pg_session;
struct pg_known_version;

struct pg_versions {
    struct pg_known_version *slots;  // by hash of the name; NULL before the first version
    uint32_t generation;             // of the slots that are valid
    int32_t changed;                 // 0: nothing is known
    int64_t head;
    int64_t time_us;
};

/* Finds the version of a stream. Returns false if the session does not know it. */
bool weir_pg_versions_find(const struct pg_session *session, struct weir_slice name,
                           int64_t *version);

/* Keeps the version of a stream, unless its name is too long or memory has run out. */
void weir_pg_versions_keep(struct pg_session *session, struct weir_slice name, int64_t version);

/* Forgets all versions. */
void weir_pg_versions_forget(struct pg_session *session);

#endif
