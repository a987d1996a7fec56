/* Where a name stands in a hash table. Clients choose most names, so the seed is one that nobody
 * can guess: whoever knew it could have all names meet in one bucket. Pure; for nothing that
 * outlives the process. */
#ifndef WEIR_BASE_TABLE_HASH_H
#define WEIR_BASE_TABLE_HASH_H

#include "weir/base/slice.h"

/* FNV-1a with its high bits brought down, because tables use the low ones. */
static inline uint64_t weir_table_hash(uint64_t seed, struct weir_slice name)
{
    uint64_t hash = seed;
    for (size_t i = 0; i < name.n; i++) {
        hash = (hash ^ name.p[i]) * UINT64_C(0x100000001b3);
        hash ^= hash >> 29;
    }
    return hash;
}

/* The seed where nobody gains by choosing names. */
#define WEIR_TABLE_SEED UINT64_C(0xcbf29ce484222325)

#endif
