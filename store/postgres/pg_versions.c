/* The versions of streams that a session knows, so that the append function need not look them up.
 *
 * A hash table with one place for each hash: a later stream replaces an earlier one. Names are
 * compared, and not only their hashes, because a wrong version would be a wrong position. */
#include "store/postgres/pg_versions.h"

#include "store/postgres/pg_session.h"
#include "weir/base/table_hash.h"

#include <stdlib.h>

enum { SLOTS = 1024, NAME_BYTES = 51 };  // longer names are not kept

struct pg_known_version {
    int64_t version;
    uint32_t generation;
    uint8_t name_n;
    uint8_t name[NAME_BYTES];
};

static struct pg_known_version *slot_of(const struct pg_session *session, struct weir_slice name)
{
    const uint64_t hash = weir_table_hash(session->backend->hash_seed, name);
    return &session->versions.slots[hash % SLOTS];
}

bool weir_pg_versions_find(const struct pg_session *session, struct weir_slice name,
                           int64_t *version)
{
    if (session->versions.slots == NULL || session->versions.changed == 0) {
        return false;
    }
    const struct pg_known_version *slot = slot_of(session, name);
    *version = slot->version;
    return slot->generation == session->versions.generation &&
           weir_slice_equal(weir_slice(slot->name, slot->name_n), name);
}

void weir_pg_versions_keep(struct pg_session *session, struct weir_slice name, int64_t version)
{
    struct pg_versions *versions = &session->versions;
    if (versions->slots == NULL) {
        versions->slots = calloc(SLOTS, sizeof *versions->slots);
        versions->generation = 1;
    }
    if (versions->slots == NULL || name.n > NAME_BYTES) {
        return;
    }
    struct pg_known_version *slot = slot_of(session, name);
    slot->version = version;
    slot->generation = versions->generation;
    slot->name_n = (uint8_t)name.n;
    memcpy(slot->name, name.p, name.n);
}

void weir_pg_versions_forget(struct pg_session *session)
{
    struct pg_versions *versions = &session->versions;
    versions->changed = 0;
    versions->generation++;
    if (versions->generation == 0) {  // slots of long ago would count again
        free(versions->slots);
        versions->slots = NULL;
    }
}
