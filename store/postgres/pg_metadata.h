/* What the metadata of a new namespace asks of the store. */
#ifndef WEIR_STORE_POSTGRES_PG_METADATA_H
#define WEIR_STORE_POSTGRES_PG_METADATA_H

#include "store/postgres/pg_dialect.h"

struct pg_create_options {
    bool is_adoption;           // of Message DB's schema
    int64_t chunk_interval_us;  // 0: the layout's own
};

/* Reads the options from the metadata. Returns false if it asks for something that this store does
 * not have (INVALID_REQUEST). Stores without chunks ignore the interval of chunks. */
bool weir_pg_read_metadata(struct weir_slice metadata, const struct pg_dialect *dialect,
                           struct pg_create_options *options, struct weir_error *err);

#endif
