/* The hash of names in hash tables. Clients choose most names, so tables use a secret seed: with a
 * known seed a client could put all its names into one bucket. Pure. Hashes must not outlive the
 * process. */
#ifndef WEIR_BASE_TABLE_HASH_H
#define WEIR_BASE_TABLE_HASH_H

#include "weir/base/slice.h"

/* FNV-1a with its high bits mixed into the low ones, which tables use. */
static inline uint64_t weir_table_hash(uint64_t seed, struct weir_slice name)
{
    uint64_t hash = seed;
    for (size_t i = 0; i < name.n; i++) {
        hash = (hash ^ name.p[i]) * UINT64_C(0x100000001b3);
        hash ^= hash >> 29;
    }
    return hash;
}

/* The seed of tables whose names no client can choose. */
#define WEIR_TABLE_SEED UINT64_C(0xcbf29ce484222325)

#endif
